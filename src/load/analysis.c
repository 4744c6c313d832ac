#include "load/analysis_parts.h"

#include "pg/quote.h"
#include "util/format.h"

#include <math.h>
#include <string.h>

#define BEHIND_SHARE	0.25 /* of what is due in a second, as backlog at its end: it is behind */
#define BEHIND_LEAST	5    /* transactions; fewer are chance */
#define SATURATED_SHARE 0.05 /* of the seconds were behind */
#define SATURATED_LEAST 2    /* seconds */

static const char *const cause_names[PGM_LOAD_CAUSES] = {
	[PGM_LOAD_BY_GENERATOR] = "the load generator",
	[PGM_LOAD_BY_CPU] = "the processors",
	[PGM_LOAD_BY_POOL] = "the size of the pool",
	[PGM_LOAD_BY_CONNECTIONS] = "connections",
	[PGM_LOAD_BY_LOCKS] = "locks",
	[PGM_LOAD_BY_IO] = "reading and writing",
	[PGM_LOAD_BY_LWLOCKS] = "the server's internal locks",
	[PGM_LOAD_BY_STATEMENT] = "one statement",
	[PGM_LOAD_BY_SCANS] = "tables read whole",
	[PGM_LOAD_BY_SESSIONS] = "the load's own sessions",
};

static bool is_behind(const struct pgm_load_second *second)
{
	double due = second->length_s > 0 ? (double)second->scheduled / second->length_s : 0;
	return second->backlog > BEHIND_LEAST && (double)second->backlog > BEHIND_SHARE * due;
}

double pgm_load_due_rate(const struct pgm_load_target *target)
{
	double length_s = 0;
	for (size_t i = 0; i < target->second_count; i++)
		if (target->seconds[i].scheduled && target->seconds[i].length_s > 0)
			length_s += target->seconds[i].length_s;
	return length_s > 0 ? (double)target->scheduled / length_s : 0;
}

static void judge_seconds(struct pgm_load_view *view)
{
	const struct pgm_load_target *target = view->target;
	size_t behind = 0;
	for (size_t i = 0; i < target->second_count; i++)
		behind += is_behind(&target->seconds[i]);
	if (target->second_count)
		view->analysis->behind_share = (double)behind / (double)target->second_count;
	view->analysis->saturated =
		behind >= SATURATED_LEAST && view->analysis->behind_share >= SATURATED_SHARE;
}

bool pgm_load_sample_counts(const struct pgm_load_view *view, const struct pgm_load_sample *sample)
{
	const struct pgm_load_target *target = view->target;
	if (!view->analysis->saturated)
		return true;
	/* The last second that began before the look. */
	size_t low = 0, high = target->second_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (target->seconds[middle].at_s <= sample->at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && is_behind(&target->seconds[low - 1]);
}

static double positive(double value)
{
	return isfinite(value) && value > 0 ? value : 0;
}

static void take_means(struct pgm_load_view *view)
{
	struct pgm_load_means *means = &view->means;
	size_t queued = 0, with_server = 0;
	for (size_t i = 0; i < view->target->sample_count; i++) {
		const struct pgm_load_sample *sample = &view->target->samples[i];
		means->hit += positive(sample->blocks_hit);
		means->read += positive(sample->blocks_read);
		means->temp_bytes += positive(sample->temp_bytes);
		means->checkpoints += positive(sample->checkpoints);
		means->deadlocks += positive(sample->deadlocks);
		if (!pgm_load_sample_counts(view, sample))
			continue;
		means->servers += sample->has_server;
		if (sample->has_machine) {
			means->machines++;
			means->cpu_busy += positive(sample->cpu_busy);
			means->generator_busy += positive(sample->generator_busy);
			if (sample->server_busy >= 0) {
				with_server++;
				means->server_busy += positive(sample->server_busy);
			}
		}
		if (sample->has_pool) {
			means->pools++;
			means->pool_size = sample->pool_size ? sample->pool_size : means->pool_size;
		}
		if (sample->has_pool && sample->clients_waiting && !sample->servers_idle) {
			queued++;
			means->queued += sample->clients_waiting;
			means->servers_active += sample->servers_active;
			means->queue_max_ms = fmax(means->queue_max_ms, positive(sample->max_wait_ms));
		}
	}
	if (means->machines) {
		means->cpu_busy /= (double)means->machines;
		means->generator_busy /= (double)means->machines;
	}
	means->server_busy = with_server ? means->server_busy / (double)with_server : -1;
	if (queued) {
		means->queued_share = (double)queued / (double)means->pools;
		means->queued /= (double)queued;
		means->servers_active /= (double)queued;
	}
}

char *pgm_load_short_sql(struct pgm_arena *arena, const char *text, size_t max_bytes)
{
	char *line = pgm_strdup(arena, pgm_quote_truncate(arena, text, max_bytes));
	size_t length = 0;
	for (const char *p = line; *p; p++) {
		bool space = strchr(" \n\t\r", *p) != NULL;
		if (!space || (length && line[length - 1] != ' '))
			line[length++] = space ? ' ' : *p;
	}
	line[length] = '\0';
	return strlen(text) > max_bytes ? pgm_sprintf(arena, "%s...", line) : line;
}

static void find_breaking_step(struct pgm_load_view *view)
{
	struct pgm_load_analysis *analysis = view->analysis;
	if (view->result->scenario != PGM_LOAD_RAMP)
		return;
	for (size_t i = 0; i < view->target->step_count && !analysis->broken; i++) {
		const struct pgm_load_step *step = &view->target->steps[i];
		if (step->held)
			analysis->held = step;
		else
			analysis->broken = step;
	}
}

void pgm_load_add_cause(struct pgm_load_view *view, enum pgm_load_cause_kind kind, const char *figures,
			const char *advice)
{
	struct pgm_load_analysis *analysis = view->analysis;
	if (analysis->cause_count < PGM_LOAD_CAUSES)
		analysis->causes[analysis->cause_count++] = (struct pgm_load_cause){
			.kind = kind, .name = cause_names[kind], .figures = figures, .advice = advice};
}

void pgm_load_add_note(struct pgm_load_view *view, const char *note)
{
	if (view->analysis->note_count < PGM_LOAD_NOTES_MAX)
		view->analysis->notes[view->analysis->note_count++] = note;
}

static char *step_text(struct pgm_arena *arena, const struct pgm_load_step *step)
{
	char *rate =
		pgm_sprintf(arena, "%s/s done, P95 %s", pgm_format_count(arena, positive(step->done_rate)),
			    pgm_format_ms(arena, positive(step->p95_ms)));
	if (step->users)
		return pgm_sprintf(arena, "%u users (%s)", step->users, rate);
	return pgm_sprintf(arena, "%s/s wanted (%s)", pgm_format_count(arena, positive(step->rate)), rate);
}

static const char *summarize_ramp(struct pgm_load_view *view)
{
	const struct pgm_load_analysis *analysis = view->analysis;
	struct pgm_arena *arena = view->arena;
	if (!analysis->broken)
		return pgm_sprintf(
			arena, "Every step of the ramp held, up to %s: it did not find the breaking point.",
			step_text(arena, analysis->held));
	const char *why = *analysis->broken->broken ? analysis->broken->broken : "it fell behind";
	if (!analysis->held)
		return pgm_sprintf(arena, "It broke at the first step, %s: %s.",
				   step_text(arena, analysis->broken), why);
	return pgm_sprintf(arena, "It held %s and broke at %s: %s.", step_text(arena, analysis->held),
			   step_text(arena, analysis->broken), why);
}

static const char *summarize(struct pgm_load_view *view)
{
	const struct pgm_load_analysis *analysis = view->analysis;
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = view->arena;
	double due = pgm_load_due_rate(target);
	if (analysis->held || analysis->broken)
		return summarize_ramp(view);
	if (!target->scheduled)
		return "Nothing was due: the run ended before it began.";
	if (!target->done)
		return pgm_sprintf(arena, "Not one of %s transactions was done.",
				   pgm_format_count(arena, (double)target->scheduled));
	if (analysis->saturated)
		return pgm_sprintf(
			arena,
			"It fell behind in %.0f %% of its seconds: %s transactions a second were due, "
			"%s were done.",
			analysis->behind_share * 100, pgm_format_count(arena, due),
			pgm_format_count(arena, positive(target->done_rate)));
	return pgm_sprintf(arena, "It kept up: %s transactions a second were due, %s were done, P95 %s.",
			   pgm_format_count(arena, due), pgm_format_count(arena, positive(target->done_rate)),
			   pgm_format_ms(arena, positive(target->latency.p95_ms)));
}

void pgm_load_analyse(struct pgm_arena *arena, const struct pgm_load_result *result, size_t target,
		      struct pgm_load_analysis *analysis)
{
	struct pgm_load_view view = {
		.arena = arena, .result = result, .target = &result->targets[target], .analysis = analysis};
	*analysis = (struct pgm_load_analysis){0};
	analysis->notes = PGM_NEW_ARRAY(arena, const char *, PGM_LOAD_NOTES_MAX);
	judge_seconds(&view);
	take_means(&view);
	find_breaking_step(&view);
	analysis->summary = summarize(&view);
	pgm_load_find_causes(&view);
	pgm_load_find_notes(&view);
}
