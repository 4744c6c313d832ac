/*
 * Options that begin with struct_size: a program that was built with an older header passes a shorter struct,
 * one that was built with a newer header a longer one.
 */
#ifndef PGM_LIB_OPTIONS_H
#define PGM_LIB_OPTIONS_H

#include "pgmend/pgmend.h"

/*
 * Copies the options into a struct of size bytes, with zeroes for what an older program does not know. NULL
 * is all zeroes. Fails with PGMEND_ERR_USAGE where struct_size is not set, or where a newer program asks for
 * something that we do not know.
 */
bool pgm_lib_options_copy(void *into, size_t size, const void *options, struct pgmend_error *err);

/* Hands a result to a caller whose struct may be shorter: its first size_t says how long it is. */
void pgm_lib_result_copy(void *into, const void *result, size_t size);

#endif
