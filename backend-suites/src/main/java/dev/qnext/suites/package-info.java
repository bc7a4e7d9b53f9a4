/**
 * What every backend must do, as JUnit suites: a backend's module extends each with a class of a
 * few lines, which opens the backend and says how exact it promises to be.
 */
@org.jspecify.annotations.NullMarked
package dev.qnext.suites;
