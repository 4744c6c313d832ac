/*
 * Time: a monotonic clock for durations, the moment for people, and a random delay for retries.
 */
#ifndef PGM_UTIL_CLOCK_H
#define PGM_UTIL_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define PGM_CLOCK_STAMP_SIZE 24

/* Now in UTC, as "2026-01-31T23:59:59Z". Returns stamp. */
char *pgm_clock_stamp(char stamp[static PGM_CLOCK_STAMP_SIZE]);
/* The same of another moment, in seconds since 1970. */
char *pgm_clock_stamp_of(int64_t at_s, char stamp[static PGM_CLOCK_STAMP_SIZE]);

int64_t pgm_clock_wall_ms(void); /* since 1970, as the machine's clock says */

double pgm_clock_ms(void); /* monotonic, in milliseconds; only differences mean anything */

/* A condition whose pthread_cond_timedwait() takes pgm_clock_moment() of a time of pgm_clock_ms(). */
void pgm_clock_cond_init(pthread_cond_t *cond);
struct timespec pgm_clock_moment(double ms);

void pgm_clock_sleep_ms(double ms); /* returns early when a signal arrives */

/* A random wait between half of base_ms * 2^attempt and all of it, at most cap_ms ("equal jitter"). */
double pgm_clock_backoff_ms(int attempt, double base_ms, double cap_ms);

#endif
