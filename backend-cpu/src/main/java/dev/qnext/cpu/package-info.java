/** The seam over our own C kernels (src/main/c), called through the FFM API. */
@NullMarked
package dev.qnext.cpu;

import org.jspecify.annotations.NullMarked;
