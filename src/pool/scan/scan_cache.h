/*
 * What was found of texts that come again and again, as those of statements without a name do: they are
 * parsed anew for each execution. A text is kept when it comes for the second time, so that those that never
 * come again cost a hash. Belongs to one thread.
 */
#ifndef PGM_POOL_SCAN_CACHE_H
#define PGM_POOL_SCAN_CACHE_H

#include "pool/scan/scan.h"

struct pgm_scan_cache;

struct pgm_scan_cache *pgm_scan_cache_new(void);	/* NULL: out of memory */
void pgm_scan_cache_free(struct pgm_scan_cache *cache); /* NULL is fine */

/* As pgm_scan_sql(); nothing in the text may be NUL. */
void pgm_scan_again(struct pgm_scan_cache *cache, const char *sql, size_t length, bool standard_strings,
		    struct pgm_scan *scan);

#endif
