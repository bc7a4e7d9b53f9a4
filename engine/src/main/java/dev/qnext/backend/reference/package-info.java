@org.jspecify.annotations.NullMarked
package dev.qnext.backend.reference;
