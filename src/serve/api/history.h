/*
 * What was: series of metrics, statements over a range, growth.
 */
#ifndef PGM_SERVE_API_HISTORY_H
#define PGM_SERVE_API_HISTORY_H

#include "serve/http/http.h"

extern const struct pgm_route pgm_api_history_routes[];

#endif
