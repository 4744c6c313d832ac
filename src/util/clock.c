#include "util/clock.h"

#include <math.h>
#include <sys/random.h>

char *pgm_clock_stamp(char stamp[static PGM_CLOCK_STAMP_SIZE])
{
	return pgm_clock_stamp_of((int64_t)time(NULL), stamp);
}

char *pgm_clock_stamp_of(int64_t at_s, char stamp[static PGM_CLOCK_STAMP_SIZE])
{
	time_t at = (time_t)at_s;
	struct tm utc;
	strftime(stamp, PGM_CLOCK_STAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &utc));
	return stamp;
}

int64_t pgm_clock_wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double pgm_clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void pgm_clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct timespec pgm_clock_moment(double ms)
{
	double seconds = floor(ms / 1e3);
	return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)((ms - seconds * 1e3) * 1e6)};
}

void pgm_clock_sleep_ms(double ms)
{
	if (ms <= 0)
		return;
	struct timespec wait = {.tv_sec = (time_t)(ms / 1e3), .tv_nsec = (long)(fmod(ms, 1e3) * 1e6)};
	nanosleep(&wait, NULL);
}

double pgm_clock_backoff_ms(int attempt, double base_ms, double cap_ms)
{
	uint32_t bits = 0;
	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint32_t)pgm_clock_ms();
	double full = fmin(base_ms * exp2(fmin(attempt, 30)), cap_ms);
	return full / 2 + full / 2 * bits / UINT32_MAX;
}
