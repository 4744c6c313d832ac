/*
 * What every client asks first: whether we live, who it is, and what there is to ask.
 */
#ifndef PGM_SERVE_API_CORE_H
#define PGM_SERVE_API_CORE_H

#include "serve/http/http.h"

extern const struct pgm_route pgm_api_core_routes[];

#endif
