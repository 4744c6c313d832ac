#include "change/verify/indexes.h"
#include "change/verify/measure.h"
#include "change/verify/writes.h"
#include "pg/quote.h"
#include "util/clock.h"
#include "util/format.h"
#include "util/vec.h"

#include <string.h>

/* The same text may stand in a Plan twice: the nth here is the nth there. */
static const struct pgm_measure *find_before(const struct pgm_measures *before,
					     const struct pgm_measures *after, size_t at)
{
	size_t nth = 0;
	for (size_t i = 0; i < at; i++)
		nth += strcmp(after->items[i].hash, after->items[at].hash) == 0;
	for (size_t i = 0; i < before->count; i++)
		if (strcmp(before->items[i].hash, after->items[at].hash) == 0 && nth-- == 0)
			return &before->items[i];
	return NULL;
}

static bool executed(const struct pgm_measure *measure)
{
	return measure && (measure->state == PGM_MEASURE_TIMED || measure->state == PGM_MEASURE_TIMED_OUT);
}

static struct pgm_side side_of(const struct pgm_measure *measure)
{
	bool timed_out = measure->state == PGM_MEASURE_TIMED_OUT;
	return (struct pgm_side){
		.ms = timed_out ? measure->limit_ms : measure->time_ms.median,
		.mad_ms = timed_out ? 0 : measure->time_ms.mad,
		.min_ms = timed_out ? 0 : measure->time_ms.min,
		.max_ms = timed_out ? 0 : measure->time_ms.max,
		.timed_out = timed_out,
	};
}

static void judge(struct pgm_verify_pair *pair)
{
	pair->verdict = PGM_VERDICT_UNKNOWN;
	pair->ratio = 0;
	if (!executed(pair->before) || !executed(pair->after))
		return;
	struct pgm_side before = side_of(pair->before), after = side_of(pair->after);
	pair->verdict = pgm_verdict_of(before, after);
	pair->ratio_at_least = before.timed_out && !after.timed_out;
	pair->ratio_at_most = after.timed_out && !before.timed_out;
	if (!(before.timed_out && after.timed_out) && after.ms > 0)
		pair->ratio = before.ms / after.ms;
}

/*
 * Something else may have used the machine: slower is said only of what is slower twice. The second
 * measurement replaces the first where it clears the statement.
 */
static bool confirm(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		    const char *schemas, const struct pgm_verify_options *options, size_t at,
		    struct pgm_measures *after, struct pgm_verify_pair *pair, struct pgm_error *err)
{
	struct pgm_measure again;
	double share_ms = options->budget_ms / (double)plan->statement_count;
	if (!pgm_measure_statement(conn, arena, &plan->statements[at], schemas, true, options,
				   pgm_clock_ms() + share_ms, &again, &after->budget_spent, err))
		return false;
	if (executed(&again) && side_of(&again).ms < side_of(pair->after).ms) {
		after->items[at] = again;
		judge(pair);
	}
	return true;
}

static const char *slower_text(struct pgm_arena *arena, const struct pgm_plan *plan, size_t at,
			       const struct pgm_verify_pair *pair)
{
	struct pgm_side before = side_of(pair->before), after = side_of(pair->after);
	return pgm_sprintf(arena, "statement %zu (%s) got slower: %s%s -> %s%s", at + 1,
			   plan->statements[at].id ? plan->statements[at].id : "",
			   before.timed_out ? "> " : "", pgm_format_ms(arena, before.ms),
			   after.timed_out ? "> " : "", pgm_format_ms(arena, after.ms));
}

static void add_statement_problems(struct pgm_arena *arena, struct pgm_verify_report *report)
{
	PGM_VEC(const char *) problems = {report->problems, report->problem_count, report->problem_count};
	for (size_t i = 0; i < report->pair_count; i++) {
		const struct pgm_verify_pair *pair = &report->pairs[i];
		if (pair->verdict == PGM_VERDICT_SLOWER)
			*pgm_vec_add(arena, &problems) = slower_text(arena, report->plan, i, pair);
		else if (pair->before && pair->before->state != PGM_MEASURE_FAILED &&
			 pair->after->state == PGM_MEASURE_FAILED)
			*pgm_vec_add(arena, &problems) =
				pgm_sprintf(arena, "statement %zu (%s) worked before and fails now: %s",
					    i + 1, pair->after->id, pair->after->reason);
		else if (executed(pair->before) && !executed(pair->after))
			*pgm_vec_add(arena, &problems) =
				pgm_sprintf(arena, "statement %zu (%s) ran before and does not now: %s",
					    i + 1, pair->after->id, pair->after->reason);
	}
	report->problems = problems.items;
	report->problem_count = problems.count;
}

static bool writes_measured(const struct pgm_measures *measures)
{
	for (size_t i = 0; i < measures->write_count; i++)
		if (*measures->writes[i].reason)
			return false;
	return measures->write_count > 0;
}

static bool check_baseline(const struct pgm_plan *plan, const struct pgm_measures *before,
			   struct pgm_error *err)
{
	if (strcmp(plan->id, before->plan_id) == 0)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "the baseline is of Plan %s, this is Plan %s", before->plan_id,
		      plan->id);
	return pgm_error_hint(err, "Take a baseline of this Plan before it is applied.");
}

bool pgm_verify_compare(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			const struct pgm_verify_options *options, const struct pgm_measures *before,
			struct pgm_verify_report *report, struct pgm_error *err)
{
	struct pgm_measures *after = PGM_NEW(arena, struct pgm_measures);
	const char *schemas;
	if (!check_baseline(plan, before, err) || !pgm_measure_prepare(conn, arena, &plan, &schemas, err))
		return false;
	*report = (struct pgm_verify_report){
		.mode = PGM_VERIFY_COMPARE, .plan = plan, .before = before, .after = after};
	if (!pgm_measure_all(conn, arena, plan, schemas, options, true, after, err))
		return false;
	report->pair_count = after->count;
	report->pairs = PGM_NEW_ARRAY(arena, struct pgm_verify_pair, after->count);
	for (size_t i = 0; i < after->count; i++) {
		struct pgm_verify_pair *pair = &report->pairs[i];
		pair->before = find_before(before, after, i);
		pair->after = &after->items[i];
		judge(pair);
		if (pair->verdict == PGM_VERDICT_SLOWER &&
		    !confirm(conn, arena, plan, schemas, options, i, after, pair, err))
			return false;
	}
	if (!pgm_indexes_read(conn, arena, plan, &report->indexes, &report->index_count, err))
		return false;
	pgm_indexes_count(report);
	pgm_indexes_judge(arena, report);
	add_statement_problems(arena, report);
	/* Both sets of indexes were measured with the baseline: again only where it could not do that. */
	if (writes_measured(before)) {
		after->writes = before->writes;
		after->write_count = before->write_count;
		return true;
	}
	return pgm_writes_measure(conn, arena, plan, options, after, err);
}
