/*
 * What else the figures show: queues on our side, drift, how a spike was digested, caches, temporary files.
 */
#include "load/analysis_parts.h"

#include "util/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRIFT_SECONDS_MIN 60
#define DRIFT_RATIO	  1.3
#define QUEUE_RATIO	  2.0
#define CALM_RATIO	  1.5 /* of the latency before a spike: it is digested */
#define NO_ROOM		  0.9 /* of the processors are busy */
#define UNUSED_LISTED	  3

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

/* The median of the seconds' P95, from first to before end; 0 where none has one. */
static double median_p95(const struct pgm_load_view *view, size_t first, size_t end)
{
	double *values = PGM_NEW_ARRAY(view->arena, double, end - first + 1);
	size_t count = 0;
	for (size_t i = first; i < end; i++)
		if (view->target->seconds[i].done)
			values[count++] = view->target->seconds[i].p95_ms;
	if (!count)
		return 0;
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

static void note_queue(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	if (target->service.p95_ms <= 0 || target->latency.p95_ms < target->service.p95_ms * QUEUE_RATIO)
		return;
	pgm_load_add_note(
		view, pgm_sprintf(view->arena,
				  "P95 is %s from when a transaction was due, %s from when it was begun: "
				  "the difference is the queue before it, which a load that waits for each "
				  "answer would not have seen.",
				  pgm_format_ms(view->arena, target->latency.p95_ms),
				  pgm_format_ms(view->arena, target->service.p95_ms)));
}

static void note_drift(struct pgm_load_view *view)
{
	size_t count = view->target->second_count, third = count / 3;
	enum pgm_load_scenario scenario = view->result->scenario;
	if (count < DRIFT_SECONDS_MIN || scenario == PGM_LOAD_SPIKE || scenario == PGM_LOAD_RAMP)
		return;
	double first = median_p95(view, 0, third), last = median_p95(view, count - third, count);
	if (first <= 0 || last <= 0)
		return;
	double ratio = last / first;
	const char *verb = ratio >= DRIFT_RATIO ? "rose" : ratio <= 1 / DRIFT_RATIO ? "fell" : NULL;
	if (verb)
		pgm_load_add_note(view, pgm_sprintf(view->arena,
						    "P95 %s during the run: %s in its first third, %s "
						    "in its last.",
						    verb, pgm_format_ms(view->arena, first),
						    pgm_format_ms(view->arena, last)));
	else if (scenario == PGM_LOAD_ENDURANCE)
		pgm_load_add_note(view, pgm_sprintf(view->arena,
						    "P95 stayed: %s in the first third, %s in the last.",
						    pgm_format_ms(view->arena, first),
						    pgm_format_ms(view->arena, last)));
}

static void note_spike(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	uint32_t most = 0;
	size_t first = 0, last = 0, calm = 0;
	double worst = 0;
	if (view->result->scenario != PGM_LOAD_SPIKE || target->second_count < 3)
		return;
	for (size_t i = 0; i < target->second_count; i++)
		most = target->seconds[i].users > most ? target->seconds[i].users : most;
	for (size_t i = target->second_count; i-- > 0;)
		if (target->seconds[i].users == most)
			first = i;
	for (size_t i = 0; i < target->second_count; i++) {
		if (target->seconds[i].users == most)
			last = i;
		worst = fmax(worst, target->seconds[i].p95_ms);
	}
	double before = median_p95(view, 0, first ? first : 1);
	if (!most || before <= 0)
		return;
	for (calm = last + 1; calm < target->second_count; calm++)
		if (target->seconds[calm].done && target->seconds[calm].p95_ms <= before * CALM_RATIO)
			break;
	char *after = calm < target->second_count
			      ? pgm_sprintf(view->arena,
					    "%s after the peak it was back to less than %.1f times that",
					    pgm_format_ms(view->arena, (target->seconds[calm].at_s -
									target->seconds[last].at_s) *
									       1000),
					    CALM_RATIO)
			      : pgm_strdup(view->arena, "it was not back at that before the run ended");
	pgm_load_add_note(
		view, pgm_sprintf(view->arena,
				  "Up to the peak of %u users P95 was %s (the median of its seconds), in the "
				  "worst second %s; %s.",
				  most, pgm_format_ms(view->arena, before), pgm_format_ms(view->arena, worst),
				  after));
}

static void note_server(struct pgm_load_view *view)
{
	const struct pgm_load_means *means = &view->means;
	struct pgm_arena *arena = view->arena;
	double blocks = means->hit + means->read;
	if (blocks >= 1) {
		double percent = means->hit / blocks * 100;
		bool nearly =
			percent > 99.99 && means->read > 0; /* not all, though it would be rounded to that */
		pgm_load_add_note(
			view, pgm_sprintf(arena, "%s%.2f %% of %s block reads were hits in shared_buffers.",
					  nearly ? "More than " : "", nearly ? 99.99 : percent,
					  pgm_format_count(arena, blocks)));
	}
	if (means->temp_bytes > 0)
		pgm_load_add_note(view, pgm_sprintf(arena, "%s of temporary files were written.",
						    pgm_format_bytes(arena, means->temp_bytes)));
	if (means->checkpoints > 0)
		pgm_load_add_note(view, pgm_sprintf(arena, "%.0f checkpoint%s began during the run.",
						    means->checkpoints, means->checkpoints > 1 ? "s" : ""));
	if (means->deadlocks > 0)
		pgm_load_add_note(view,
				  pgm_sprintf(arena, "%.0f deadlock%s.", means->deadlocks,
					      means->deadlocks > 1 ? "s were broken up" : " was broken up"));
}

/* An index that costs writes here and was not read here; what other programs read, the run cannot know. */
static void note_unread(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	char *list = NULL;
	size_t count = 0;
	for (size_t i = 0; i < target->index_count; i++) {
		const struct pgm_load_index *index = &target->indexes[i];
		bool written = false;
		if (index->scans || index->unique)
			continue;
		for (size_t t = 0; t < target->table_count && !written; t++)
			written = target->tables[t].inserted + target->tables[t].updated > 0 &&
				  strcmp(target->tables[t].name, index->table) == 0 &&
				  strcmp(target->tables[t].schema, index->schema) == 0;
		if (!written)
			continue;
		if (count < UNUSED_LISTED)
			list = pgm_sprintf(view->arena, "%s%s%s.%s", count ? list : "", count ? ", " : "",
					   index->schema, index->name);
		count++;
	}
	if (count)
		pgm_load_add_note(
			view,
			pgm_sprintf(view->arena,
				    "%zu index%s of tables that were written to %s not read by this load: "
				    "%s%s.",
				    count, count > 1 ? "es" : "", count > 1 ? "were" : "was", list,
				    count > UNUSED_LISTED ? " and others" : ""));
}

static void note_room(struct pgm_load_view *view)
{
	const struct pgm_load_means *means = &view->means;
	if (view->analysis->saturated || view->analysis->held || view->analysis->broken ||
	    !view->target->done)
		return;
	if (means->machines && means->cpu_busy >= NO_ROOM) {
		pgm_load_add_note(view, "It kept up, but the processors have no room for more.");
		return;
	}
	char *busy = means->machines ? pgm_sprintf(view->arena, ", with the processors %.0f %% busy",
						   means->cpu_busy * 100)
				     : pgm_strdup(view->arena, "");
	pgm_load_add_note(
		view, pgm_sprintf(view->arena, "The run did not find a limit%s; --ramp looks for it.", busy));
}

void pgm_load_find_notes(struct pgm_load_view *view)
{
	note_queue(view);
	note_spike(view);
	note_drift(view);
	note_room(view);
	note_server(view);
	note_unread(view);
	if (view->target->unfinished)
		pgm_load_add_note(
			view, pgm_sprintf(view->arena,
					  "%s transactions that were due were not done when the run ended; "
					  "they count as failed.",
					  pgm_format_count(view->arena, (double)view->target->unfinished)));
}
