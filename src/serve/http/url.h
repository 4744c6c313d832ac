/*
 * What a request asks for, taken apart: segments of the path and parameters of the query string, each decoded
 * once and none of them able to mean something else than what was checked.
 */
#ifndef PGM_SERVE_URL_H
#define PGM_SERVE_URL_H

#include "serve/http/http.h"

#define PGM_URL_SEGMENTS_MAX 16

struct pgm_url {
	const char *path; /* decoded, for messages and logs */
	const char *segments[PGM_URL_SEGMENTS_MAX];
	size_t segment_count; /* 0: "/" */
	struct pgm_http_query query[PGM_HTTP_QUERY_MAX];
	size_t query_count;
};

/* raw as it was sent. False with what is wrong in err: empty and dot segments, encoded NULs and control
 * characters, broken escapes, what is not UTF-8. */
bool pgm_url_parse(const char *raw, struct pgm_arena *arena, struct pgm_url *url,
		   struct pgm_error *err) PGM_MUST_CHECK;

#endif
