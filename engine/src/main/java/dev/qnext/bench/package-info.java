@org.jspecify.annotations.NullMarked
package dev.qnext.bench;
