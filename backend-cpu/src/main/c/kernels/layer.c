/* The rest of a layer on one thread: see layer.h. Written on lanes, for every instruction set. */
