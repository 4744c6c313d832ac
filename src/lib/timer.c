/*
 * Named timers. Names are only ever added: they are found without a lock in a table that never grows, and
 * each has a lock of its own for its histogram. What there is no room or memory for is counted as "(other)".
 */
#include "lib/error.h"
#include "lib/options.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/histogram.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES      1000
#define MAX_NAMES_EVER 100000
#define OTHER	       "(other)"
#define LONGEST_US     ((UINT64_C(1) << 53) - 1)

struct named {
	pthread_mutex_t lock;
	struct pgm_fine_histogram times;
	int64_t slow;
	char name[];
};

struct pgmend_timer {
	struct pgmend_timer_options options;
	pthread_mutex_t lock; /* for adding a name */
	size_t slot_count;    /* a power of two, above twice the names */
	_Atomic(struct named *) *slots;
	_Atomic(struct named *) *in_order;
	atomic_size_t count;
	struct named *other; /* shown once it has counted something */
};

static struct named *named_new(const char *name)
{
	size_t size = strlen(name) + 1;
	struct named *named = calloc(1, sizeof(*named) + size);
	if (!named)
		return NULL;
	pthread_mutex_init(&named->lock, NULL);
	memcpy(named->name, name, size);
	return named;
}

static void named_free(struct named *named)
{
	if (!named)
		return;
	pthread_mutex_destroy(&named->lock);
	free(named);
}

struct pgmend_timer *pgmend_timer_new(const struct pgmend_timer_options *options, struct pgmend_error *err)
{
	pgm_lib_error_clear(err);
	struct pgmend_timer_options own;
	if (!pgm_lib_options_copy(&own, sizeof(own), options, err))
		return NULL;
	if (own.max_names < 0 || own.max_names > MAX_NAMES_EVER || !(own.slow_ms >= 0)) {
		pgm_lib_error_set(
			err, PGMEND_ERR_USAGE,
			"a timer with max_names %d and slow_ms %g can't be: 0 to %d names, and a time",
			own.max_names, own.slow_ms, MAX_NAMES_EVER);
		return NULL;
	}
	if (!own.max_names)
		own.max_names = MAX_NAMES;
	struct pgmend_timer *timer = calloc(1, sizeof(*timer));
	if (!timer) {
		pgm_lib_error_memory(err);
		return NULL;
	}
	timer->options = own;
	timer->slot_count = 4;
	while (timer->slot_count < 2 * (size_t)own.max_names + 2)
		timer->slot_count *= 2;
	pthread_mutex_init(&timer->lock, NULL);
	timer->slots = calloc(timer->slot_count, sizeof(*timer->slots));
	timer->in_order = calloc((size_t)own.max_names, sizeof(*timer->in_order));
	timer->other = named_new(OTHER);
	if (!timer->slots || !timer->in_order || !timer->other) {
		pgmend_timer_free(timer);
		pgm_lib_error_memory(err);
		return NULL;
	}
	return timer;
}

void pgmend_timer_free(struct pgmend_timer *timer)
{
	if (!timer)
		return;
	for (size_t i = 0; i < timer->count; i++)
		named_free(timer->in_order[i]);
	named_free(timer->other);
	free((void *)timer->slots);
	free((void *)timer->in_order);
	pthread_mutex_destroy(&timer->lock);
	free(timer);
}

/* Its slot, or the free one where it belongs: there is always one. */
static _Atomic(struct named *) *find(const struct pgmend_timer *timer, const char *name)
{
	size_t mask = timer->slot_count - 1;
	for (size_t i = pgm_hash_string(name) & mask;; i = (i + 1) & mask) {
		const struct named *named = timer->slots[i];
		if (!named || strcmp(named->name, name) == 0)
			return &timer->slots[i];
	}
}

/* The histogram of a name, made where it is new. */
static struct named *named_of(struct pgmend_timer *timer, const char *name)
{
	_Atomic(struct named *) *slot = find(timer, name);
	struct named *named = *slot;
	if (named)
		return named;
	pthread_mutex_lock(&timer->lock);
	slot = find(timer, name);
	named = *slot;
	if (!named && timer->count < (size_t)timer->options.max_names && strcmp(name, OTHER) != 0 &&
	    (named = named_new(name))) {
		*slot = named;
		timer->in_order[timer->count] = named;
		timer->count++;
	}
	pthread_mutex_unlock(&timer->lock);
	return named ? named : timer->other;
}

void pgmend_timer_record(struct pgmend_timer *timer, const char *name, const char *detail, double ms)
{
	if (!timer || !name || !(ms >= 0))
		return;
	struct named *named = named_of(timer, name);
	double us = round(ms * 1e3);
	bool slow = timer->options.slow_ms > 0 && ms > timer->options.slow_ms;
	pthread_mutex_lock(&named->lock);
	pgm_fine_histogram_add(&named->times, us < (double)LONGEST_US ? (uint64_t)us : LONGEST_US);
	named->slow += slow;
	pthread_mutex_unlock(&named->lock);
	if (slow && timer->options.on_slow)
		timer->options.on_slow(timer->options.context, name, detail, ms);
}

void pgmend_timer_start(struct pgmend_timer_scope *scope, struct pgmend_timer *timer, const char *name,
			const char *detail)
{
	*scope = (struct pgmend_timer_scope){timer, name, detail, (int64_t)(pgm_clock_ms() * 1e6)};
}

double pgmend_timer_stop(struct pgmend_timer_scope *scope)
{
	if (!scope->started_ns)
		return 0;
	double ms = pgm_clock_ms() - (double)scope->started_ns / 1e6;
	ms = ms > 0 ? ms : 0;
	scope->started_ns = 0;
	pgmend_timer_record(scope->timer, scope->name, scope->detail, ms);
	return ms;
}

void pgmend_timer_scope_end(struct pgmend_timer_scope *scope)
{
	(void)pgmend_timer_stop(scope);
}

/* ------------------------------------------------ what was measured */

/* Adds the times of one to a picture that nobody else has. */
static void add(struct named *named, struct pgm_fine_histogram *times, int64_t *slow)
{
	pthread_mutex_lock(&named->lock);
	pgm_fine_histogram_merge(times, &named->times);
	*slow += named->slow;
	pthread_mutex_unlock(&named->lock);
}

/* A picture of a name's times, or of all. False: never measured. */
static bool picture(struct pgmend_timer *timer, const char *name, struct pgm_fine_histogram *times,
		    int64_t *slow)
{
	memset(times, 0, sizeof(*times));
	*slow = 0;
	if (name) {
		struct named *named = strcmp(name, OTHER) == 0 ? timer->other : *find(timer, name);
		if (named)
			add(named, times, slow);
		return times->count > 0;
	}
	size_t count = timer->count;
	for (size_t i = 0; i < count; i++)
		add(timer->in_order[i], times, slow);
	add(timer->other, times, slow);
	return times->count > 0;
}

static double percentile_ms(const struct pgm_fine_histogram *times, double percent)
{
	return (double)pgm_fine_histogram_percentile_us(times, percent) / 1e3;
}

static void summarize(const struct pgm_fine_histogram *times, int64_t slow, struct pgmend_timer_stats *stats)
{
	const struct pgmend_timer_stats all = {
		.count = (int64_t)times->count,
		.slow = slow,
		.total_ms = (double)times->sum_us / 1e3,
		.min_ms = (double)times->min_us / 1e3,
		.max_ms = (double)times->max_us / 1e3,
		.mean_ms = pgm_fine_histogram_mean_us(times) / 1e3,
		.p50_ms = percentile_ms(times, 50),
		.p90_ms = percentile_ms(times, 90),
		.p95_ms = percentile_ms(times, 95),
		.p99_ms = percentile_ms(times, 99),
		.p999_ms = percentile_ms(times, 99.9),
	};
	pgm_lib_result_copy(stats, &all, sizeof(all));
}

bool pgmend_timer_stats(struct pgmend_timer *timer, const char *name, struct pgmend_timer_stats *stats)
{
	struct pgm_fine_histogram times;
	int64_t slow;
	bool measured = picture(timer, name, &times, &slow);
	summarize(&times, slow, stats);
	return measured;
}

double pgmend_timer_percentile(struct pgmend_timer *timer, const char *name, double fraction)
{
	struct pgm_fine_histogram times;
	int64_t slow;
	(void)picture(timer, name, &times, &slow);
	return percentile_ms(&times, fmin(fmax(fraction, 0), 1) * 100);
}

static bool visit_one(struct named *named,
		      bool (*visit)(void *context, const char *name, const struct pgmend_timer_stats *stats),
		      void *context)
{
	struct pgm_fine_histogram times = {.count = 0};
	struct pgmend_timer_stats stats = {.struct_size = sizeof(stats)};
	int64_t slow = 0;
	add(named, &times, &slow);
	summarize(&times, slow, &stats);
	return !times.count || visit(context, named->name, &stats);
}

void pgmend_timer_each(struct pgmend_timer *timer,
		       bool (*visit)(void *context, const char *name, const struct pgmend_timer_stats *stats),
		       void *context)
{
	size_t count = timer->count;
	for (size_t i = 0; i < count; i++)
		if (!visit_one(timer->in_order[i], visit, context))
			return;
	(void)visit_one(timer->other, visit, context);
}

bool pgmend_timer_histogram(struct pgmend_timer *timer, const char *name,
			    void (*visit)(void *context, double from_ms, double to_ms, int64_t count),
			    void *context)
{
	struct pgm_fine_histogram times;
	int64_t slow;
	if (!picture(timer, name, &times, &slow))
		return false;
	for (unsigned i = 0; i < PGM_FINE_HISTOGRAM_BUCKETS; i++)
		if (times.counts[i])
			visit(context, (double)pgm_fine_histogram_low_us(i) / 1e3,
			      (double)pgm_fine_histogram_end_us(i) / 1e3, times.counts[i]);
	return true;
}

static void forget(struct named *named)
{
	pthread_mutex_lock(&named->lock);
	memset(&named->times, 0, sizeof(named->times));
	named->slow = 0;
	pthread_mutex_unlock(&named->lock);
}

void pgmend_timer_reset(struct pgmend_timer *timer)
{
	size_t count = timer->count;
	for (size_t i = 0; i < count; i++)
		forget(timer->in_order[i]);
	forget(timer->other);
}
