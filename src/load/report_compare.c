/*
 * Targets side by side: of one run (A/B), or of a run before and one after.
 */
#include "load/report_parts.h"

#include "util/format.h"

#include <math.h>
#include <string.h>

#define SQL_MAX	       300
#define STATEMENTS_MAX 30
#define SAME	       0.1 /* a ratio this near to 1 is neither better nor worse */

/* Fill cell->ratio and ->mark: value beside base; better: -1 where less is better, 1 more, 0 neither. */
static void compare_cell(struct pgm_arena *arena, struct pgm_doc_cell *cell, double value, double base,
			 int better)
{
	double ratio = value / base;
	if (!isfinite(ratio) || !(base > 0) || value < 0)
		return;
	if (ratio >= 0.001)
		cell->ratio = pgm_sprintf(arena,
					  ratio < 0.1  ? "%.3fx"
					  : ratio < 10 ? "%.2fx"
						       : "%.0fx",
					  ratio);
	else if (value > 0)
		cell->ratio = "< 0.001x";
	if (better && ratio >= 1 + SAME)
		cell->mark = better > 0 ? PGM_DOC_GOOD : PGM_DOC_BAD;
	else if (better && ratio <= 1 / (1 + SAME))
		cell->mark = better > 0 ? PGM_DOC_BAD : PGM_DOC_GOOD;
}

struct figure {
	const char *name;
	char *(*text)(struct pgm_arena *arena, double value);
	double (*value)(const struct pgm_load_report_view *view);
	int better; /* -1 less, 1 more, 0 neither */
};

static double due(const struct pgm_load_report_view *view)
{
	return pgm_load_due_rate(view->target);
}

static double done(const struct pgm_load_report_view *view)
{
	return view->target->done_rate;
}

static double p50(const struct pgm_load_report_view *view)
{
	return view->target->latency.p50_ms;
}

static double p95(const struct pgm_load_report_view *view)
{
	return view->target->latency.p95_ms;
}

static double p99(const struct pgm_load_report_view *view)
{
	return view->target->latency.p99_ms;
}

static double p999(const struct pgm_load_report_view *view)
{
	return view->target->latency.p999_ms;
}

static double worst(const struct pgm_load_report_view *view)
{
	return view->target->latency.max_ms;
}

static double mean(const struct pgm_load_report_view *view)
{
	return view->target->latency.mean_ms;
}

static double service(const struct pgm_load_report_view *view)
{
	return view->target->service.p95_ms;
}

static double errors(const struct pgm_load_report_view *view)
{
	return view->target->error_rate;
}

static double behind(const struct pgm_load_report_view *view)
{
	return view->analysis.behind_share;
}

static double cpu(const struct pgm_load_report_view *view)
{
	double sum = 0, count = 0;
	for (size_t i = 0; i < view->target->sample_count; i++)
		if (view->target->samples[i].has_machine) {
			sum += view->target->samples[i].cpu_busy;
			count++;
		}
	return count > 0 ? sum / count : NAN;
}

static double hits(const struct pgm_load_report_view *view)
{
	double share = pgm_load_hit_share(view->target);
	return share >= 0 ? share : NAN;
}

/* For each transaction, so that runs of unlike length can be compared. */
static double rows_scanned(const struct pgm_load_report_view *view)
{
	double rows = 0;
	for (size_t i = 0; i < view->target->table_count; i++)
		rows += (double)view->target->tables[i].seq_rows;
	return view->target->table_count && view->target->done ? rows / (double)view->target->done : NAN;
}

static double queue(const struct pgm_load_report_view *view)
{
	double sum = 0, count = 0;
	for (size_t i = 0; i < view->target->sample_count; i++)
		if (view->target->samples[i].has_pool) {
			sum += view->target->samples[i].clients_waiting;
			count++;
		}
	return count > 0 ? sum / count : NAN;
}

static double pool_wait(const struct pgm_load_report_view *view)
{
	double sum = 0, count = 0;
	for (size_t i = 0; i < view->target->sample_count; i++) {
		const struct pgm_load_sample *sample = &view->target->samples[i];
		if (sample->has_pool && sample->mean_wait_ms >= 0) {
			sum += sample->mean_wait_ms;
			count++;
		}
	}
	return count > 0 ? sum / count : NAN;
}

static char *number_text(struct pgm_arena *arena, double value)
{
	if (!isfinite(value))
		return pgm_strdup(arena, "-");
	return value < 100 ? pgm_sprintf(arena, "%.3g", value) : pgm_format_count(arena, value);
}

static const struct figure figures[] = {
	{"due a second", pgm_load_rate_text, due, 0},
	{"done a second", pgm_load_rate_text, done, 1},
	{"mean latency", pgm_load_ms_text, mean, -1},
	{"P50", pgm_load_ms_text, p50, -1},
	{"P95", pgm_load_ms_text, p95, -1},
	{"P99", pgm_load_ms_text, p99, -1},
	{"P99.9", pgm_load_ms_text, p999, -1},
	{"longest", pgm_load_ms_text, worst, -1},
	{"P95 from begun", pgm_load_ms_text, service, -1},
	{"failed", pgm_load_percent_text, errors, -1},
	{"seconds behind", pgm_load_percent_text, behind, -1},
	{"processors busy", pgm_load_percent_text, cpu, -1},
	{"cache hits", pgm_load_percent_text, hits, 0},
	{"rows read by whole scans, for each transaction", number_text, rows_scanned, -1},
	{"clients waiting for the pool", number_text, queue, -1},
	{"their wait, mean of the looks", pgm_load_ms_text, pool_wait, -1},
};
#define FIGURES (sizeof(figures) / sizeof(*figures))

static void add_figure(const struct pgm_load_report *report, struct pgm_doc_block *table,
		       const struct figure *figure)
{
	bool known = false;
	for (size_t v = 0; v < report->count; v++)
		known = known || isfinite(figure->value(&report->views[v]));
	if (!known)
		return;
	struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
	row[0].text = figure->name;
	for (size_t v = 0; v < report->count; v++) {
		const struct pgm_load_report_view *view = &report->views[v];
		double value = figure->value(view);
		row[v + 1].text = figure->text(report->arena, value);
		if (view->baseline)
			compare_cell(report->arena, &row[v + 1], value, figure->value(view->baseline),
				     figure->better);
	}
}

static const struct pgm_load_statement *find_statement(const struct pgm_load_target *target, const char *text)
{
	for (size_t i = 0; i < target->query_count; i++)
		if (strcmp(target->queries[i].text, text) == 0)
			return &target->queries[i];
	return NULL;
}

/* Headers: a first one, then the views' labels. */
static struct pgm_doc_block *add_table(const struct pgm_load_report *report, char first, const char *name)
{
	const char **headers = PGM_NEW_ARRAY(report->arena, const char *, report->count + 1);
	char *columns = pgm_arena_alloc(report->arena, report->count + 2);
	headers[0] = name;
	columns[0] = first;
	for (size_t v = 0; v < report->count; v++) {
		headers[v + 1] = report->views[v].label;
		columns[v + 1] = 'r';
	}
	return pgm_doc_table(report->doc, columns, headers);
}

/* The statements of the first view, with those it has alone. */
void pgm_load_statements_compared(const struct pgm_load_report *report)
{
	const struct pgm_load_target *first = report->views[0].target;
	if (!first->query_count)
		return;
	pgm_doc_heading(report->doc, 3, "P95 of the statements");
	pgm_doc_add(report->doc, PGM_DOC_TEXT, "From sent to answered, with any wait in a pooler.");
	struct pgm_doc_block *table = add_table(report, 'c', "statement");
	for (size_t i = 0; i < first->query_count && i < STATEMENTS_MAX; i++) {
		struct pgm_doc_cell *row = pgm_doc_row(report->doc, table);
		const char *text = first->queries[i].text;
		row[0].text = pgm_load_short_sql(report->arena, text, SQL_MAX);
		for (size_t v = 0; v < report->count; v++) {
			const struct pgm_load_report_view *view = &report->views[v];
			const struct pgm_load_statement *now = find_statement(view->target, text);
			const struct pgm_load_statement *base =
				view->baseline ? find_statement(view->baseline->target, text) : NULL;
			row[v + 1].text = now && now->latency.count
						  ? pgm_load_ms_text(report->arena, now->latency.p95_ms)
						  : "-";
			if (now && base && now->latency.count && base->latency.count)
				compare_cell(report->arena, &row[v + 1], now->latency.p95_ms,
					     base->latency.p95_ms, -1);
		}
	}
}

void pgm_load_figures_compared(const struct pgm_load_report *report)
{
	struct pgm_doc_block *table = add_table(report, 'l', "");
	for (size_t i = 0; i < FIGURES; i++)
		add_figure(report, table, &figures[i]);
}
