/*
 * Alerts: what fires, the rules, and silences.
 */
#ifndef PGM_SERVE_API_ALERTS_H
#define PGM_SERVE_API_ALERTS_H

#include "serve/http/http.h"

extern const struct pgm_route pgm_api_alert_routes[];

#endif
