#include "cli/verify_print.h"

#include "pg/quote.h"
#include "sql/lex.h"
#include "util/buf.h"
#include "util/format.h"
#include "util/term.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define STATEMENT_CELLS 56

struct printer {
	struct pgm_arena *arena;
	bool markdown;
	FILE *stream;
};

/* Names and statements come from elsewhere: nothing of them may steer the terminal. */
static const char *plain(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	size_t left = text ? strlen(text) : 0, length;
	for (const char *p = text; left; p += length, left -= length) {
		bool control = pgm_sql_control_char(p, left, &length) >= 0;
		pgm_buf_add_n(&out, control ? " " : p, control ? 1 : length);
	}
	return out.text;
}

/* On one line and short enough for a table. */
static const char *shorten(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	size_t cells = 0;
	bool space = false;
	for (const char *p = plain(arena, text); *p; p++) {
		bool begins = ((unsigned char)*p & 0xC0) != 0x80;
		if (*p == ' ') {
			space = out.length > 0;
			continue;
		}
		if (begins && cells + space >= STATEMENT_CELLS) {
			pgm_buf_add(&out, "...");
			break;
		}
		if (space)
			pgm_buf_char(&out, ' ');
		cells += begins + space;
		space = false;
		pgm_buf_char(&out, *p);
	}
	return out.text;
}

static void heading(const struct printer *to, const char *text)
{
	if (to->markdown)
		fprintf(to->stream, "\n## %s\n\n", text);
	else
		fprintf(to->stream, "\n%s%s%s\n", pgm_term_on(to->stream, PGM_BOLD), text,
			pgm_term_off(to->stream));
}

static void line(const struct printer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(const struct printer *to, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = pgm_vsprintf(to->arena, format, args);
	va_end(args);
	fprintf(to->stream, "%s%s\n", to->markdown ? "- " : "", plain(to->arena, text));
}

static void print_table(const struct printer *to, const struct pgm_table *table)
{
	if (to->markdown)
		pgm_table_print_markdown(table, to->stream);
	else
		pgm_table_print(table, to->stream);
	if (to->markdown)
		fputc('\n', to->stream);
}

static const char *time_text(struct pgm_arena *arena, const struct pgm_measure *measure)
{
	if (measure && measure->state == PGM_MEASURE_TIMED)
		return pgm_format_ms(arena, measure->time_ms.median);
	if (measure && measure->state == PGM_MEASURE_TIMED_OUT)
		return pgm_sprintf(arena, "> %s", pgm_format_ms(arena, measure->limit_ms));
	return "-";
}

static const char *blocks_text(struct pgm_arena *arena, const struct pgm_measure *measure)
{
	if (!measure || measure->state != PGM_MEASURE_TIMED)
		return "-";
	return pgm_format_count(arena, measure->hit_blocks + measure->read_blocks);
}

static const char *ratio_text(struct pgm_arena *arena, const struct pgm_verify_pair *pair)
{
	if (pair->ratio <= 0)
		return "-";
	return pgm_sprintf(arena, "%s%s",
			   pair->ratio_at_least	 ? "> "
			   : pair->ratio_at_most ? "< "
						 : "",
			   pgm_format_ratio(arena, pair->ratio));
}

static const char *cost_text(struct pgm_arena *arena, const struct pgm_measure *measure)
{
	if (!measure || measure->state == PGM_MEASURE_FAILED)
		return "-";
	return pgm_sprintf(arena, "%.*f", measure->cost < 100 ? 2 : 0, measure->cost);
}

static void print_reasons(const struct printer *to, const struct pgm_measures *measures, bool executed)
{
	for (size_t i = 0; i < measures->count; i++) {
		const struct pgm_measure *measure = &measures->items[i];
		if (measure->state == PGM_MEASURE_FAILED)
			line(to, "Statement %zu is not measured: %s.", i + 1, measure->reason);
		else if (!executed)
			continue;
		else if (*measure->reason)
			line(to, "Statement %zu is planned, not executed: %s.", i + 1, measure->reason);
		else if (measure->cold)
			line(to,
			     "Statement %zu ran once, without a run to warm up: the time budget was spent.",
			     i + 1);
		else if (measure->state == PGM_MEASURE_TIMED_OUT)
			line(to, "Statement %zu was stopped by the statement timeout of %s.", i + 1,
			     pgm_format_ms(to->arena, measure->limit_ms));
	}
	if (measures->budget_spent)
		line(to, "The time budget was spent: some statements ran fewer times than asked "
			 "(--max-time).");
}

/*
 * The fastest run, not the median: the runs take a few milliseconds of pure computing, and on a busy machine
 * the longer ones are interrupted more often, which would be charged to the indexes.
 */
static const char *per_row(struct pgm_arena *arena, const struct pgm_write_cost *cost)
{
	return pgm_sprintf(arena, "%.2f us", cost->us_per_row.min);
}

static const char *hot_text(struct pgm_arena *arena, enum pgm_write_kind kind,
			    const struct pgm_write_cost *cost)
{
	return kind == PGM_WRITE_INSERT ? "" : pgm_sprintf(arena, "%.0f %%", cost->hot_share * 100);
}

static void print_write_kind(const struct printer *to, struct pgm_table *table,
			     const struct pgm_writes *writes, enum pgm_write_kind kind)
{
	struct pgm_arena *arena = to->arena;
	const struct pgm_write_cost *before = &writes->before[kind], *after = &writes->after[kind];
	if (before->us_per_row.count == 0 || after->us_per_row.count == 0)
		return;
	const char *what = kind == PGM_WRITE_INSERT ? "INSERT"
			   : kind == PGM_WRITE_UPDATE_COVERED
				   ? pgm_sprintf(arena, "UPDATE of %s", writes->covered_columns)
				   : pgm_sprintf(arena, "UPDATE of %s (in no index)", writes->other_column);
	double change = after->us_per_row.min / before->us_per_row.min * 100 - 100;
	bool first = kind == PGM_WRITE_INSERT;
	const char *name = shorten(arena, pgm_quote_qualified(arena, writes->schema, writes->relation));
	const char *indexes = pgm_sprintf(arena, "%d -> %d", writes->indexes_before, writes->indexes_after);
	const char *cells[] = {first ? name : "",
			       first ? indexes : "",
			       shorten(arena, what),
			       per_row(arena, before),
			       per_row(arena, after),
			       pgm_sprintf(arena, "%+.0f %%", change),
			       hot_text(arena, kind, before),
			       hot_text(arena, kind, after)};
	pgm_table_row(table, cells);
}

static void print_writes(const struct printer *to, const struct pgm_measures *measures)
{
	static const char *const headers[] = {"table", "indexes", "each row written by", "before",
					      "after", "change",  "HOT before",		 "HOT after"};
	if (measures->write_count == 0)
		return;
	struct pgm_arena *arena = to->arena;
	struct pgm_table *table = pgm_table_new(arena, "lllrrrrr", headers);
	double rows = 0;
	size_t runs = 0;
	heading(to, "What the indexes cost those who write");
	for (size_t i = 0; i < measures->write_count; i++) {
		rows = fmax(rows, measures->writes[i].rows);
		if (measures->writes[i].after[PGM_WRITE_INSERT].us_per_row.count > runs)
			runs = measures->writes[i].after[PGM_WRITE_INSERT].us_per_row.count;
		for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++)
			print_write_kind(to, table, &measures->writes[i], kind);
	}
	if (rows > 0)
		print_table(to, table);
	for (size_t i = 0; i < measures->write_count; i++) {
		const struct pgm_writes *writes = &measures->writes[i];
		const char *name = pgm_quote_qualified(arena, writes->schema, writes->relation);
		if (*writes->reason)
			line(to, "%s is not measured: %s.", name, writes->reason);
		for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++)
			if (*writes->notes[kind])
				line(to, "%s: %s is not measured: %s.", name,
				     kind == PGM_WRITE_UPDATE_COVERED ? "the UPDATE of indexed columns"
								      : "the UPDATE of another column",
				     writes->notes[kind]);
	}
	if (rows > 0)
		line(to,
		     "Measured with up to %s rows on temporary copies, the fastest of %zu runs each. These "
		     "write no "
		     "WAL and stay in memory: real writes cost more, before and after.",
		     pgm_format_count(arena, rows), runs);
}

static void print_made(const struct printer *to, const struct pgm_measures *baseline)
{
	if (baseline->made)
		line(to,
		     "Note: %d of the Plan's indexes had been made or dropped already when the baseline was "
		     "taken.",
		     baseline->made);
}

void pgm_verify_print_baseline(struct pgm_arena *arena, const struct pgm_plan *plan,
			       const struct pgm_measures *measures, bool markdown, FILE *stream)
{
	static const char *const headers[] = {"#",   "statement", "time", "min",    "max",
					      "MAD", "runs",	  "cost", "blocks", "plan"};
	struct printer to = {arena, markdown, stream};
	struct pgm_table *table = pgm_table_new(arena, "rlrrrrrrrl", headers);
	if (markdown)
		fprintf(stream, "# Baseline of Plan %s\n\n", plan->id);
	line(&to, "Plan %s in database %s, measured %s.", plan->id, measures->database, measures->taken_at);
	print_made(&to, measures);
	heading(&to, "Statements");
	for (size_t i = 0; i < measures->count; i++) {
		const struct pgm_measure *measure = &measures->items[i];
		bool timed = measure->state == PGM_MEASURE_TIMED;
		const struct pgm_spread *spread = &measure->time_ms;
		const char *cells[] = {pgm_sprintf(arena, "%zu", i + 1),
				       shorten(arena, measure->text),
				       time_text(arena, measure),
				       timed ? pgm_format_ms(arena, spread->min) : "",
				       timed ? pgm_format_ms(arena, spread->max) : "",
				       timed ? pgm_format_ms(arena, spread->mad) : "",
				       timed ? pgm_sprintf(arena, "%zu", spread->count) : "",
				       cost_text(arena, measure),
				       blocks_text(arena, measure),
				       plain(arena, measure->headline)};
		pgm_table_row(table, cells);
	}
	if (measures->count)
		print_table(&to, table);
	else
		line(&to, "The Plan names no statements.");
	print_reasons(&to, measures, true);
	print_writes(&to, measures);
}

static const char *used_text(const struct pgm_verify_pair *pair)
{
	return pair->expected == 0	      ? ""
	       : pair->used == pair->expected ? "used"
	       : pair->used		      ? "partly"
					      : "NOT USED";
}

static bool all_used(const struct pgm_verify_report *report)
{
	for (size_t i = 0; i < report->pair_count; i++)
		if (report->pairs[i].used < report->pairs[i].expected)
			return false;
	return true;
}

static const char *verdict_text(const struct pgm_verify_pair *pair)
{
	return pair->verdict == PGM_VERDICT_SLOWER ? "SLOWER" : pgm_verdict_name(pair->verdict);
}

static void print_pairs(const struct printer *to, const struct pgm_verify_report *report)
{
	static const char *const headers[] = {"#",	  "statement",	   "before",	   "after",
					      "ratio",	  "blocks before", "blocks after", "verdict",
					      "new index"};
	struct pgm_arena *arena = to->arena;
	struct pgm_table *table = pgm_table_new(arena, "rlrrrrrll", headers);
	for (size_t i = 0; i < report->pair_count; i++) {
		const struct pgm_verify_pair *pair = &report->pairs[i];
		const char *cells[] = {pgm_sprintf(arena, "%zu", i + 1),
				       shorten(arena, pair->after->text),
				       time_text(arena, pair->before),
				       time_text(arena, pair->after),
				       ratio_text(arena, pair),
				       blocks_text(arena, pair->before),
				       blocks_text(arena, pair->after),
				       verdict_text(pair),
				       used_text(pair)};
		pgm_table_row(table, cells);
	}
	print_table(to, table);
}

static void print_plans(const struct printer *to, const struct pgm_verify_report *report)
{
	static const char *const both[] = {"#", "cost before", "plan before", "cost after", "plan after"};
	static const char *const one[] = {"#", "statement", "cost", "plan", "new index"};
	struct pgm_arena *arena = to->arena;
	bool health = report->mode == PGM_VERIFY_HEALTH;
	struct pgm_table *table = pgm_table_new(arena, health ? "rlrll" : "rrlrl", health ? one : both);
	for (size_t i = 0; i < report->pair_count; i++) {
		const struct pgm_verify_pair *pair = &report->pairs[i];
		const char *number = pgm_sprintf(arena, "%zu", i + 1);
		const char *after = plain(arena, pair->after->headline);
		const char *cost = cost_text(arena, pair->after);
		if (health) {
			const char *cells[] = {number, shorten(arena, pair->after->text), cost, after,
					       used_text(pair)};
			pgm_table_row(table, cells);
		} else {
			const char *cells[] = {number, cost_text(arena, pair->before),
					       pair->before ? plain(arena, pair->before->headline)
							    : "not in the baseline",
					       cost, after};
			pgm_table_row(table, cells);
		}
	}
	print_table(to, table);
}

static void print_indexes(const struct printer *to, const struct pgm_verify_report *report)
{
	static const char *const headers[] = {"index",	  "on",	   "state",	"size",
					      "estimate", "scans", "statements"};
	struct pgm_arena *arena = to->arena;
	if (report->index_count == 0)
		return;
	heading(to, "Indexes of the Plan");
	struct pgm_table *table = pgm_table_new(arena, "lllrrrr", headers);
	for (size_t i = 0; i < report->index_count; i++) {
		const struct pgm_verify_index *index = &report->indexes[i];
		const struct pgm_change *change = index->change;
		bool dropped = change->kind == PGM_CHANGE_DROP_INDEX;
		const char *state = !index->exists	    ? (dropped ? "dropped" : "MISSING")
				    : !index->valid	    ? "INVALID"
				    : dropped		    ? "STILL THERE"
				    : index->on_other_table ? "ANOTHER'S"
							    : "valid";
		const char *cells[] = {
			shorten(arena, change->index),
			shorten(arena, change->relation),
			state,
			index->exists ? pgm_format_bytes(arena, index->size_bytes) : "",
			!dropped && change->size_bytes >= 0
				? pgm_format_bytes(arena, (double)change->size_bytes)
				: "",
			index->exists ? pgm_format_count(arena, (double)index->scans) : "",
			index->expected_by
				? pgm_sprintf(arena, "%zu of %zu", index->used_by, index->expected_by)
				: "",
		};
		pgm_table_row(table, cells);
	}
	print_table(to, table);
	line(to, "\"Scans\" counts since the statistics were last reset; \"statements\" says how many of the "
		 "Plan's use it.");
}

void pgm_verify_print_report(struct pgm_arena *arena, const struct pgm_verify_report *report, bool markdown,
			     FILE *stream)
{
	struct printer to = {arena, markdown, stream};
	bool health = report->mode == PGM_VERIFY_HEALTH;
	if (markdown)
		fprintf(stream, "# %s of Plan %s\n\n", health ? "Health" : "Verification", report->plan->id);
	if (health)
		line(&to, "Plan %s in database %s, looked at %s.", report->plan->id, report->after->database,
		     report->after->taken_at);
	else
		line(&to, "Plan %s in database %s: baseline of %s beside %s.", report->plan->id,
		     report->after->database, report->before->taken_at, report->after->taken_at);
	if (report->before)
		print_made(&to, report->before);
	if (report->pair_count && !health) {
		heading(&to, "Statements");
		print_pairs(&to, report);
	}
	if (report->pair_count && health && !markdown && all_used(report)) {
		line(&to,
		     "The planner chooses the new indexes for each of the %zu statements that expect one.",
		     report->pair_count);
	} else if (report->pair_count) {
		heading(&to, health ? "What the planner chooses now" : "Plans");
		print_plans(&to, report);
	}
	print_reasons(&to, report->after, !health);
	print_indexes(&to, report);
	print_writes(&to, report->after);
	heading(&to, "Verdict");
	for (size_t i = 0; i < report->problem_count; i++)
		line(&to, "Falls short: %s.", report->problems[i]);
	if (report->problem_count == 0)
		line(&to, "Passed.");
}
