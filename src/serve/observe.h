/*
 * The parts that look: the watch, and the history and the alerts that hear of each look. Inside serve/ only.
 */
#ifndef PGM_SERVE_OBSERVE_H
#define PGM_SERVE_OBSERVE_H

#include "serve/parts.h"

bool pgm_serve_start_history(struct pgm_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_serve_stop_history(struct pgm_serve *serve);
bool pgm_serve_start_alerts(struct pgm_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_serve_stop_alerts(struct pgm_serve *serve);
bool pgm_serve_start_watch(struct pgm_serve *serve, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_serve_stop_watch(struct pgm_serve *serve);

/* One more, also while it runs. */
bool pgm_serve_add_target(struct pgm_serve *serve, const struct pgm_serve_target *target,
			  struct pgm_error *err) PGM_MUST_CHECK;

#endif
