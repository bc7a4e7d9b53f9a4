/* Products with f32 activations: plain and MXFP8 matrices. Written on lanes, for every instruction set. */
