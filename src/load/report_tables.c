/*
 * Which tables a report has.
 */
#include "load/report_parts.h"

#include "util/format.h"

#include <math.h>
#include <string.h>

#define SQL_MAX	       400 /* bytes of a statement in a table */
#define STATEMENTS_MAX 30
#define RELATIONS_MAX  25
#define WAITS_MAX      12
#define OVER_TIME_ROWS 12

static char *count_text(struct pgm_arena *arena, uint64_t count)
{
	return pgm_format_count(arena, (double)count);
}

static double total_ms(const struct pgm_load_statement *statement)
{
	return (double)statement->latency.count * statement->latency.mean_ms;
}

static void list_statements(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"statement", "runs", "rows", "time",  "mean",
					      "P50",	   "P95",  "P99",  "errors"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	double all = 0;
	for (size_t i = 0; i < target->query_count; i++)
		all += total_ms(&target->queries[i]);
	if (!target->query_count)
		return;
	pgm_doc_heading(report->doc, 3, "Statements");
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "crrrrrrrr", headers);
	for (size_t i = 0; i < target->query_count && i < STATEMENTS_MAX; i++) {
		const struct pgm_load_statement *statement = &target->queries[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		row[0].text = pgm_load_short_sql(arena, statement->text, SQL_MAX);
		row[1].text = count_text(arena, statement->done);
		row[2].text = count_text(arena, statement->rows);
		row[3].text = all > 0 ? pgm_sprintf(arena, "%.1f %%", total_ms(statement) / all * 100) : "-";
		row[4].text = pgm_load_ms_text(arena, statement->latency.mean_ms);
		row[5].text = pgm_load_ms_text(arena, statement->latency.p50_ms);
		row[6].text = pgm_load_ms_text(arena, statement->latency.p95_ms);
		row[7].text = pgm_load_ms_text(arena, statement->latency.p99_ms);
		row[8].text = count_text(arena, statement->failed);
		row[8].mark = statement->failed ? PGM_DOC_BAD : PGM_DOC_PLAIN;
	}
	if (target->query_count > STATEMENTS_MAX)
		pgm_doc_add(report->doc, PGM_DOC_TEXT,
			    pgm_sprintf(arena, "The first %d of %zu, by their share of the time.",
					STATEMENTS_MAX, target->query_count));
}

/* A script's name may be its path, which says nothing elsewhere. */
static const char *without_folder(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash && slash[1] && !strchr(name, ' ') ? slash + 1 : name;
}

static void list_scripts(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"transaction", "share", "done", "failed", "P50", "P95", "P99"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	if (target->script_count < 2)
		return;
	pgm_doc_heading(report->doc, 3, "Transactions");
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "lrrrrrr", headers);
	for (size_t i = 0; i < target->script_count && i < STATEMENTS_MAX; i++) {
		const struct pgm_load_script *script = &target->scripts[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		row[0].text = pgm_load_short_sql(arena, without_folder(script->name), SQL_MAX);
		row[1].text = pgm_load_percent_text(arena, script->weight);
		row[2].text = count_text(arena, script->done);
		row[3].text = count_text(arena, script->failed);
		row[4].text = pgm_load_ms_text(arena, script->latency.p50_ms);
		row[5].text = pgm_load_ms_text(arena, script->latency.p95_ms);
		row[6].text = pgm_load_ms_text(arena, script->latency.p99_ms);
	}
}

static void list_errors(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"SQLSTATE", "count", "the first message"};
	const struct pgm_load_errors *errors = &view->target->errors;
	if (!errors->count)
		return;
	pgm_doc_heading(report->doc, 3, "Errors");
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "lrl", headers);
	for (size_t i = 0; i < errors->count; i++) {
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		row[0].text = errors->items[i].code;
		row[1].text = count_text(report->arena, errors->items[i].count);
		row[2].text = errors->items[i].message ? errors->items[i].message : "";
	}
}

static void list_steps(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"from", "users", "wanted/s", "done/s", "P95", "errors", "held"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	if (!target->step_count || view->result->scenario != PGM_LOAD_RAMP)
		return;
	pgm_doc_heading(report->doc, 3, "Steps");
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "rrrrrrl", headers);
	for (size_t i = 0; i < target->step_count; i++) {
		const struct pgm_load_step *step = &target->steps[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		row[0].text = pgm_plot_text(arena, PGM_PLOT_ELAPSED_S, step->from_s);
		row[1].text = step->users ? pgm_sprintf(arena, "%u", step->users) : "-";
		row[2].text = pgm_load_rate_text(arena, step->rate);
		row[3].text = pgm_load_rate_text(arena, step->done_rate);
		row[4].text = pgm_load_ms_text(arena, step->p95_ms);
		row[5].text = pgm_load_percent_text(arena, step->error_rate);
		row[6].text = step->held ? "yes" : step->broken && *step->broken ? step->broken : "no";
		row[6].mark = step->held ? PGM_DOC_GOOD : PGM_DOC_BAD;
	}
}

static void list_waits(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"wait", "event", "backends on average", "share"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	struct pgm_load_wait_sums sums = {0};
	size_t looks = 0;
	for (size_t i = 0; i < target->sample_count; i++) {
		looks += target->samples[i].has_server;
		pgm_load_sum_waits(arena, &sums, &target->samples[i]);
	}
	if (!looks || !sums.items.count)
		return;
	pgm_load_sort_waits(&sums);
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "llrr", headers);
	for (size_t i = 0; i < sums.items.count && i < WAITS_MAX; i++) {
		const struct pgm_load_wait *wait = &sums.items.items[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		bool working = strcmp(wait->type, "CPU") == 0;
		row[0].text = working ? "none" : wait->type;
		row[1].text = working ? "working" : wait->event;
		row[2].text = pgm_sprintf(arena, "%.2f", wait->backends / (double)looks);
		row[3].text = pgm_sprintf(arena, "%.1f %%", wait->backends / sums.all * 100);
	}
}

static void list_tables(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"table",	  "size",     "read whole", "rows each",
					      "by index", "inserted", "updated",    "deleted"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	if (!target->table_count)
		return;
	pgm_doc_heading(report->doc, 3, "Tables");
	struct pgm_doc_block *list = pgm_doc_table(report->doc, "lrrrrrrr", headers);
	for (size_t i = 0; i < target->table_count && i < RELATIONS_MAX; i++) {
		const struct pgm_load_table *table = &target->tables[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, list);
		row[0].text = pgm_sprintf(arena, "%s.%s", table->schema, table->name);
		row[1].text = pgm_format_bytes(arena, table->size_bytes);
		row[2].text = count_text(arena, table->seq_scans);
		row[3].text = table->seq_scans ? count_text(arena, table->seq_rows / table->seq_scans) : "-";
		row[4].text = count_text(arena, table->index_scans);
		row[5].text = count_text(arena, table->inserted);
		row[6].text = count_text(arena, table->updated);
		row[7].text = count_text(arena, table->deleted);
	}
}

static void list_indexes(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"index", "of", "size", "scans", "entries read"};
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	if (!target->index_count)
		return;
	pgm_doc_heading(report->doc, 3, "Indexes");
	struct pgm_doc_block *list = pgm_doc_table(report->doc, "llrrr", headers);
	for (size_t i = 0; i < target->index_count && i < RELATIONS_MAX; i++) {
		const struct pgm_load_index *index = &target->indexes[i];
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, list);
		row[0].text = index->name;
		row[1].text = pgm_sprintf(arena, "%s.%s", index->schema, index->table);
		row[2].text = pgm_format_bytes(arena, index->size_bytes);
		row[3].text = count_text(arena, index->scans);
		row[4].text = count_text(arena, index->rows);
	}
}

void pgm_load_tables_of(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	list_waits(report, view);
	list_steps(report, view);
	list_errors(report, view);
	list_scripts(report, view);
	list_statements(report, view);
	list_tables(report, view);
	list_indexes(report, view);
}

/* ---- over time, for a page without plots ---- */

static void sum_up(struct pgm_arena *arena, const struct pgm_load_second *seconds, size_t count,
		   struct pgm_doc_cell *row)
{
	uint64_t due = 0, done = 0, failed = 0;
	double length = 0, p50 = 0, p95 = 0, p99 = 0, max = 0;
	for (size_t i = 0; i < count; i++) {
		due += seconds[i].scheduled;
		done += seconds[i].done;
		failed += seconds[i].failed;
		length += seconds[i].length_s;
		p50 = fmax(p50, seconds[i].p50_ms);
		p95 = fmax(p95, seconds[i].p95_ms);
		p99 = fmax(p99, seconds[i].p99_ms);
		max = fmax(max, seconds[i].max_ms);
	}
	row[0].text = pgm_plot_text(arena, PGM_PLOT_ELAPSED_S, seconds[0].at_s);
	row[1].text = pgm_sprintf(arena, "%u", seconds[count - 1].users);
	row[2].text = pgm_load_rate_text(arena, (double)due / length);
	row[3].text = pgm_load_rate_text(arena, (double)done / length);
	row[4].text = count_text(arena, failed);
	row[5].text = pgm_load_ms_text(arena, done ? p50 : NAN);
	row[6].text = pgm_load_ms_text(arena, done ? p95 : NAN);
	row[7].text = pgm_load_ms_text(arena, done ? p99 : NAN);
	row[8].text = pgm_load_ms_text(arena, done ? max : NAN);
}

void pgm_load_table_over_time(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"from", "users", "due/s", "done/s", "errors",
					      "P50",  "P95",   "P99",	"max"};
	const struct pgm_load_target *target = view->target;
	size_t each = (target->second_count + OVER_TIME_ROWS - 1) / OVER_TIME_ROWS;
	struct pgm_doc_block *note = pgm_doc_add(
		report->doc, PGM_DOC_TEXT,
		pgm_sprintf(report->arena,
			    "Each row is %zu second%s; its percentiles are those of its worst second.", each,
			    each == 1 ? "" : "s"));
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "rrrrrrrrr", headers);
	note->text_only = table->text_only = true;
	for (size_t i = 0; i < target->second_count; i += each)
		sum_up(report->arena, &target->seconds[i],
		       target->second_count - i < each ? target->second_count - i : each,
		       pgm_doc_row(report->doc, table));
}

/* ---- what was run ---- */

static void add_setting(const struct pgm_load_report *report, struct pgm_doc_block *table, const char *name,
			const char *value)
{
	if (!value || !*value)
		return;
	struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
	row[0].text = name;
	row[1].text = value;
}

void pgm_load_table_of_settings(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	static const char *const headers[] = {"setting", "value"};
	const struct pgm_load_result *result = view->result;
	const struct pgm_load_target *target = view->target;
	struct pgm_arena *arena = report->arena;
	struct pgm_doc_block *table = pgm_doc_table(report->doc, "ll", headers);
	add_setting(report, table, "target", target->place);
	add_setting(report, table, "PostgreSQL", target->version);
	if (target->max_connections)
		add_setting(report, table, "max_connections",
			    pgm_sprintf(arena, "%d", target->max_connections));
	add_setting(report, table, "pooler", target->pooler);
	add_setting(report, table, "scenario", pgm_load_scenarios[result->scenario]);
	add_setting(report, table, "workload",
		    pgm_sprintf(arena, "%s%s", result->source ? result->source : "",
				result->writes ? ", with its writes" : ", read-only"));
	if (result->left_out_count)
		add_setting(report, table, "left out",
			    pgm_sprintf(arena, "%u statements (%s)", result->left_out_count,
					result->left_out_why));
	if (result->rate > 0)
		add_setting(report, table, "rate",
			    pgm_sprintf(arena, "%s transactions a second",
					pgm_load_rate_text(arena, result->rate)));
	if (result->users)
		add_setting(report, table, "users", pgm_sprintf(arena, "%u", result->users));
	if (result->think_ms > 0 && !(result->rate > 0))
		add_setting(report, table, "a user's pause",
			    pgm_sprintf(arena, "%s on average", pgm_load_ms_text(arena, result->think_ms)));
	add_setting(report, table, "arrivals", result->arrivals);
	add_setting(report, table, "protocol", target->protocol);
	add_setting(report, table, "sessions", pgm_sprintf(arena, "%u at most", target->sessions_max));
	add_setting(report, table, "time",
		    pgm_sprintf(arena, "%s of %s%s", pgm_format_ms(arena, result->length_s * 1000),
				pgm_format_ms(arena, result->planned_s * 1000),
				result->interrupted ? ", interrupted" : ""));
	if (result->slice_s > 0)
		add_setting(report, table, "turns",
			    pgm_sprintf(arena, "%s for each target",
					pgm_format_ms(arena, result->slice_s * 1000)));
	add_setting(report, table, "cores", pgm_sprintf(arena, "%u", result->cores));
	add_setting(report, table, "the load generator",
		    pgm_sprintf(arena, "%s of processor time, %.0f %% of a core in its busiest second",
				pgm_format_ms(arena, result->generator_cpu_ms),
				result->generator_busy_max * 100));
	add_setting(report, table, "seed", pgm_sprintf(arena, "%llu", (unsigned long long)result->seed));
}
