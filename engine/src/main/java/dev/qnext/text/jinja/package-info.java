@org.jspecify.annotations.NullMarked
package dev.qnext.text.jinja;
