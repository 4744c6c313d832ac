/*
 * Whether a browser may have been led here by another site (DNS rebinding, cross-site requests).
 */
#ifndef PGM_SERVE_ORIGIN_H
#define PGM_SERVE_ORIGIN_H

#include <stdbool.h>

/* The Host header: an address, localhost, or one of the names in allowed ("a, b"; NULL: none), with or
 * without a port. A site that rebinds its name to our address sends its own name, never one of these. */
bool pgm_origin_host_allowed(const char *host, const char *allowed);

/* The Origin header names the very host that was asked for. */
bool pgm_origin_matches(const char *origin, const char *host, bool tls);

#endif
