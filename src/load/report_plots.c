/*
 * Which plots a report has.
 */
#include "load/report_parts.h"

#include <math.h>
#include <string.h>

#define GAP_S	   3.0 /* between looks or seconds: what lies between was not measured */
#define KINDS_MAX  8   /* areas of one plot; the last is the rest */
#define EVERYTHING SIZE_MAX

static const char *const colours[KINDS_MAX] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};

/* A run's seconds or looks as columns, with a row of gaps wherever time was left out. */
struct columns {
	struct pgm_arena *arena;
	double *x;
	size_t count;
	const size_t *rows; /* which second or look each row is; EVERYTHING: a gap */
};

static void add_row(struct columns *columns, size_t *rows, size_t row, double x)
{
	if (columns->count && x - columns->x[columns->count - 1] > GAP_S) {
		rows[columns->count] = EVERYTHING;
		columns->x[columns->count] = (columns->x[columns->count - 1] + x) / 2;
		columns->count++;
	}
	rows[columns->count] = row;
	columns->x[columns->count++] = x;
}

static struct columns seconds_of(struct pgm_arena *arena, const struct pgm_load_target *target)
{
	struct columns columns = {.arena = arena};
	size_t *rows = PGM_NEW_ARRAY(arena, size_t, 2 * target->second_count + 1);
	columns.x = PGM_NEW_ARRAY(arena, double, 2 * target->second_count + 1);
	for (size_t i = 0; i < target->second_count; i++)
		add_row(&columns, rows, i, target->seconds[i].at_s);
	columns.rows = rows;
	return columns;
}

static struct columns samples_of(struct pgm_arena *arena, const struct pgm_load_target *target)
{
	struct columns columns = {.arena = arena};
	size_t *rows = PGM_NEW_ARRAY(arena, size_t, 2 * target->sample_count + 1);
	columns.x = PGM_NEW_ARRAY(arena, double, 2 * target->sample_count + 1);
	for (size_t i = 0; i < target->sample_count; i++)
		add_row(&columns, rows, i, target->samples[i].at_s);
	columns.rows = rows;
	return columns;
}

/* All plots of a run have the run's time as their axis. */
static void show(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
		 struct pgm_plot *plot)
{
	plot->x_end = view->result->length_s;
	pgm_doc_plot(report->doc, plot);
}

/* Adds a series without its values, which the caller then fills: as many as rows. */
static double *add_series(struct pgm_plot *plot, const struct columns *columns, const char *name,
			  const char *style, bool dashed)
{
	double *y = PGM_NEW_ARRAY(columns->arena, double, columns->count + 1);
	for (size_t i = 0; i < columns->count; i++)
		y[i] = NAN;
	if (plot->series_count < PGM_PLOT_SERIES_MAX)
		plot->series[plot->series_count++] = (struct pgm_plot_series){.name = name,
									      .style = style,
									      .dashed = dashed,
									      .x = columns->x,
									      .y = y,
									      .count = columns->count};
	return y;
}

typedef double second_value(const struct pgm_load_second *second);

static void add_seconds(struct pgm_plot *plot, const struct columns *columns,
			const struct pgm_load_target *target, const char *name, const char *style,
			bool dashed, second_value *value)
{
	double *y = add_series(plot, columns, name, style, dashed);
	for (size_t i = 0; i < columns->count; i++)
		if (columns->rows[i] != EVERYTHING)
			y[i] = value(&target->seconds[columns->rows[i]]);
}

typedef double sample_value(const struct pgm_load_sample *sample);

static void add_samples(struct pgm_plot *plot, const struct columns *columns,
			const struct pgm_load_target *target, const char *name, const char *style,
			bool dashed, sample_value *value)
{
	double *y = add_series(plot, columns, name, style, dashed);
	for (size_t i = 0; i < columns->count; i++)
		if (columns->rows[i] != EVERYTHING)
			y[i] = value(&target->samples[columns->rows[i]]);
}

static double a_second(const struct pgm_load_second *second, uint64_t count)
{
	return second->length_s > 0 ? (double)count / second->length_s : NAN;
}

static double of_done(const struct pgm_load_second *second, double ms)
{
	return second->done ? ms : NAN;
}

static double p50(const struct pgm_load_second *second)
{
	return of_done(second, second->p50_ms);
}

static double p95(const struct pgm_load_second *second)
{
	return of_done(second, second->p95_ms);
}

static double p99(const struct pgm_load_second *second)
{
	return of_done(second, second->p99_ms);
}

static double worst(const struct pgm_load_second *second)
{
	return of_done(second, second->max_ms);
}

static double due(const struct pgm_load_second *second)
{
	return a_second(second, second->scheduled);
}

static double done(const struct pgm_load_second *second)
{
	return a_second(second, second->done);
}

static double failed(const struct pgm_load_second *second)
{
	return a_second(second, second->failed);
}

static double users(const struct pgm_load_second *second)
{
	return second->users;
}

static double sessions(const struct pgm_load_second *second)
{
	return second->sessions;
}

static double backlog(const struct pgm_load_second *second)
{
	return (double)second->backlog;
}

static double cpu_percent(const struct pgm_load_sample *sample)
{
	return sample->has_machine ? sample->cpu_busy * 100 : NAN;
}

static double of_cores(const struct pgm_load_report_view *view, double cores)
{
	return cores >= 0 && view->result->cores ? cores / view->result->cores * 100 : NAN;
}

static double hit_percent(const struct pgm_load_sample *sample)
{
	double all = sample->blocks_hit + sample->blocks_read;
	bool known = sample->has_server && sample->blocks_hit >= 0 && sample->blocks_read >= 0;
	return known && all > 0 ? sample->blocks_hit / all * 100 : NAN;
}

static double clients_waiting(const struct pgm_load_sample *sample)
{
	return sample->has_pool ? sample->clients_waiting : NAN;
}

static double servers_active(const struct pgm_load_sample *sample)
{
	return sample->has_pool ? sample->servers_active : NAN;
}

static double servers_idle(const struct pgm_load_sample *sample)
{
	return sample->has_pool ? sample->servers_idle : NAN;
}

static double longest_wait(const struct pgm_load_sample *sample)
{
	return sample->has_pool ? sample->max_wait_ms : NAN;
}

static double mean_wait(const struct pgm_load_sample *sample)
{
	return sample->has_pool && sample->mean_wait_ms >= 0 ? sample->mean_wait_ms : NAN;
}

static bool any(const struct pgm_plot *plot, size_t series)
{
	for (size_t i = 0; i < plot->series[series].count; i++)
		if (plot->series[series].y[i] > 0)
			return true;
	return false;
}

static bool changes(const struct pgm_plot *plot, size_t series)
{
	const double *y = plot->series[series].y;
	for (size_t i = 1; i < plot->series[series].count; i++)
		if (isfinite(y[i]) && isfinite(y[i - 1]) && y[i] != y[i - 1])
			return true;
	return false;
}

/* ---- kinds that a run brings with it: errors by code, waits by type ---- */

struct kinds {
	const char *names[KINDS_MAX];
	double sums[KINDS_MAX];
	size_t count;
	const char *rest; /* the name of the last where there were too many */
};

static size_t find_kind(const struct kinds *kinds, const char *name)
{
	for (size_t i = 0; i < kinds->count; i++)
		if (strcmp(kinds->names[i], name) == 0)
			return i;
	return KINDS_MAX - 1;
}

static void add_kind(struct kinds *kinds, const char *name, double amount)
{
	size_t at = find_kind(kinds, name);
	bool known = at < kinds->count && strcmp(kinds->names[at], name) == 0;
	if (!known && kinds->count < KINDS_MAX - 1) {
		at = kinds->count++;
		kinds->names[at] = name;
	} else if (!known) {
		kinds->names[KINDS_MAX - 1] = kinds->rest;
		kinds->count = KINDS_MAX;
		at = KINDS_MAX - 1;
	}
	kinds->sums[at] += amount;
}

static void add_kinds(struct pgm_plot *plot, const struct columns *columns, const struct kinds *kinds,
		      double **values)
{
	for (size_t k = 0; k < kinds->count; k++) {
		values[k] = add_series(plot, columns, kinds->names[k], colours[k], false);
		for (size_t i = 0; i < columns->count; i++)
			values[k][i] = columns->rows[i] == EVERYTHING ? NAN : 0;
	}
}

static void plot_errors(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
			const struct columns *columns)
{
	const struct pgm_load_target *target = view->target;
	struct kinds kinds = {.rest = "others"};
	double *values[KINDS_MAX];
	for (size_t i = 0; i < target->errors.count; i++)
		add_kind(&kinds, target->errors.items[i].code, (double)target->errors.items[i].count);
	struct pgm_plot plot = {.title = "Errors",
				.note = "a second, by SQLSTATE",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.stacked = true};
	add_kinds(&plot, columns, &kinds, values);
	for (size_t i = 0; i < columns->count && kinds.count; i++) {
		if (columns->rows[i] == EVERYTHING)
			continue;
		const struct pgm_load_errors *errors = &target->seconds[columns->rows[i]].errors;
		for (size_t e = 0; e < errors->count; e++) {
			size_t kind = find_kind(&kinds, errors->items[e].code);
			if (kind < kinds.count)
				values[kind][i] += (double)errors->items[e].count;
		}
	}
	/* What was never done is an error of no second. */
	bool seen = false;
	for (size_t k = 0; k < plot.series_count; k++)
		seen = seen || any(&plot, k);
	if (seen)
		show(report, view, &plot);
}

static void plot_waits(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
		       const struct columns *columns)
{
	const struct pgm_load_target *target = view->target;
	struct kinds kinds = {.rest = "others"};
	double *values[KINDS_MAX];
	/* Always the first colour, so that two runs can be compared. */
	add_kind(&kinds, "CPU", 0);
	for (size_t i = 0; i < target->sample_count; i++)
		for (size_t w = 0; w < target->samples[i].wait_count; w++)
			add_kind(&kinds, target->samples[i].waits[w].type,
				 target->samples[i].waits[w].backends);
	struct pgm_plot plot = {.title = "What the server's backends did",
				.note = "active backends, working (CPU) or waiting, by kind of wait",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.stacked = true};
	add_kinds(&plot, columns, &kinds, values);
	bool seen = false;
	for (size_t i = 0; i < columns->count; i++) {
		const struct pgm_load_sample *sample =
			columns->rows[i] == EVERYTHING ? NULL : &target->samples[columns->rows[i]];
		seen = seen || (sample && sample->has_server);
		for (size_t w = 0; sample && w < sample->wait_count; w++)
			values[find_kind(&kinds, sample->waits[w].type)][i] += sample->waits[w].backends;
	}
	if (seen)
		show(report, view, &plot);
}

/* ---- one view ---- */

static void plot_latency(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
			 const struct columns *columns)
{
	double wanted = pgm_load_wanted_p95_ms(view);
	struct pgm_plot plot = {
		.title = "Latency",
		.note = "of the transactions done in each second, from when each was due",
		.x_unit = PGM_PLOT_ELAPSED_S,
		.y_unit = PGM_PLOT_MS,
		.may_be_log = true,
		.limit = wanted,
		.limit_name =
			pgm_sprintf(report->arena, "P95 wanted: %s", pgm_load_ms_text(report->arena, wanted)),
		.mark = view->analysis.broken ? view->analysis.broken->from_s : 0,
		.mark_name = "the first step that broke",
	};
	add_seconds(&plot, columns, view->target, "max", "q3", true, worst);
	add_seconds(&plot, columns, view->target, "P99", "q2", false, p99);
	add_seconds(&plot, columns, view->target, "P95", "q1", false, p95);
	add_seconds(&plot, columns, view->target, "P50", "q0", false, p50);
	show(report, view, &plot);
}

static void plot_throughput(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
			    const struct columns *columns)
{
	struct pgm_plot plot = {
		.title = "Throughput", .note = "transactions a second", .x_unit = PGM_PLOT_ELAPSED_S};
	add_seconds(&plot, columns, view->target, "due", "c7", true, due);
	add_seconds(&plot, columns, view->target, "done", "c0", false, done);
	add_seconds(&plot, columns, view->target, "failed", "c1", false, failed);
	if (!any(&plot, 2))
		plot.series_count = 2;
	show(report, view, &plot);
}

static void plot_users(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
		       const struct columns *columns)
{
	struct pgm_plot plot = {.title = "Users and sessions", .x_unit = PGM_PLOT_ELAPSED_S};
	add_seconds(&plot, columns, view->target, "users", "c0", false, users);
	add_seconds(&plot, columns, view->target, "sessions open", "c2", true, sessions);
	if (changes(&plot, 0) || changes(&plot, 1))
		show(report, view, &plot);
	struct pgm_plot queue = {
		.title = "Backlog",
		.note = "transactions that were due and not begun, for want of a free session",
		.x_unit = PGM_PLOT_ELAPSED_S};
	add_seconds(&queue, columns, view->target, "backlog", "c1", false, backlog);
	if (any(&queue, 0))
		show(report, view, &queue);
}

/* The buckets as percentiles: where each ends lies so much of the whole. */
static void add_distribution(struct pgm_arena *arena, struct pgm_plot *plot,
			     const struct pgm_load_distribution *distribution, const char *name,
			     const char *style, bool dashed)
{
	size_t count = distribution->bucket_count, points = 0;
	double *x = PGM_NEW_ARRAY(arena, double, count + 1), *y = PGM_NEW_ARRAY(arena, double, count + 1);
	double all = 0, seen = 0;
	for (size_t i = 0; i < count; i++)
		all += (double)distribution->buckets[i].count;
	if (all < 1 || plot->series_count == PGM_PLOT_SERIES_MAX)
		return;
	x[points] = 0;
	y[points++] = distribution->buckets[0].from_ms;
	for (size_t i = 0; i < count; i++) {
		seen += (double)distribution->buckets[i].count;
		x[points] = 100 * (1 - fmax(all - seen, 0.5) / all); /* the last is not beyond all others */
		y[points++] = fmin((distribution->buckets[i].from_ms + distribution->buckets[i].to_ms) / 2,
				   distribution->max_ms);
	}
	plot->series[plot->series_count++] = (struct pgm_plot_series){
		.name = name, .style = style, .dashed = dashed, .x = x, .y = y, .count = points};
}

static void plot_distribution(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	struct pgm_plot plot = {.title = "Latency by percentile",
				.note = "each further nine is as wide as the one before it",
				.x_unit = PGM_PLOT_PERCENTILE,
				.y_unit = PGM_PLOT_MS,
				.may_be_log = true};
	add_distribution(report->arena, &plot, &view->target->latency, "from due", "c0", false);
	add_distribution(report->arena, &plot, &view->target->service, "from begun", "c1", true);
	show(report, view, &plot);
}

void pgm_load_plots_over_time(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	struct columns columns = seconds_of(report->arena, view->target);
	plot_latency(report, view, &columns);
	plot_throughput(report, view, &columns);
	plot_users(report, view, &columns);
	plot_errors(report, view, &columns);
	plot_distribution(report, view);
}

static void plot_machine(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
			 const struct columns *columns)
{
	struct pgm_plot plot = {.title = "Processors",
				.note = "of the machine that the server and the load share, of all its cores",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.y_unit = PGM_PLOT_PERCENT};
	add_samples(&plot, columns, view->target, "busy", "c0", false, cpu_percent);
	double *server = add_series(&plot, columns, "the server", "c2", false);
	double *own = add_series(&plot, columns, "the load generator", "c1", true);
	for (size_t i = 0; i < columns->count; i++) {
		const struct pgm_load_sample *sample =
			columns->rows[i] == EVERYTHING ? NULL : &view->target->samples[columns->rows[i]];
		if (sample && sample->has_machine) {
			server[i] = of_cores(view, sample->server_busy);
			own[i] = of_cores(view, sample->generator_busy);
		}
	}
	show(report, view, &plot);
}

static void plot_pool(const struct pgm_load_report *report, const struct pgm_load_report_view *view,
		      const struct columns *columns)
{
	const struct pgm_load_target *target = view->target;
	uint32_t size = target->sample_count ? target->samples[target->sample_count - 1].pool_size : 0;
	struct pgm_plot plot = {.title = "The pool",
				.note = "its connections with the server, and the clients that wait for one",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.limit = size,
				.limit_name = pgm_sprintf(report->arena, "connections allowed: %u", size)};
	add_samples(&plot, columns, target, "clients waiting", "c1", false, clients_waiting);
	add_samples(&plot, columns, target, "connections in use", "c0", false, servers_active);
	add_samples(&plot, columns, target, "connections idle", "c2", true, servers_idle);
	show(report, view, &plot);
	struct pgm_plot waits = {
		.title = "Waits for a connection of the pool",
		.note = "of the client that waited longest at each look, and the mean of all "
			"transactions since the look before",
		.x_unit = PGM_PLOT_ELAPSED_S,
		.y_unit = PGM_PLOT_MS};
	add_samples(&waits, columns, target, "longest wait", "c1", false, longest_wait);
	add_samples(&waits, columns, target, "mean", "c0", false, mean_wait);
	if (any(&waits, 0) || any(&waits, 1))
		show(report, view, &waits);
}

void pgm_load_plots_of_server(const struct pgm_load_report *report, const struct pgm_load_report_view *view)
{
	struct columns columns = samples_of(report->arena, view->target);
	plot_waits(report, view, &columns);
	plot_machine(report, view, &columns);
	plot_pool(report, view, &columns);
	struct pgm_plot hits = {.title = "Cache hits",
				.note = "block reads that were found in shared_buffers",
				.x_unit = PGM_PLOT_ELAPSED_S,
				.y_unit = PGM_PLOT_PERCENT};
	add_samples(&hits, &columns, view->target, "hits", "c0", false, hit_percent);
	show(report, view, &hits);
}

/* ---- all views ---- */

static void plot_of_all(const struct pgm_load_report *report, struct pgm_plot plot, second_value *value)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct pgm_load_report_view *view = &report->views[i];
		struct columns columns = seconds_of(report->arena, view->target);
		plot.x_end = fmax(plot.x_end, view->result->length_s);
		add_seconds(&plot, &columns, view->target, view->label, view->style, !view->baseline, value);
	}
	pgm_doc_plot(report->doc, &plot);
}

void pgm_load_plots_compared(const struct pgm_load_report *report)
{
	plot_of_all(
		report,
		(struct pgm_plot){.title = "P95 over time",
				  .note = "of the transactions done in each second, from when each was due",
				  .x_unit = PGM_PLOT_ELAPSED_S,
				  .y_unit = PGM_PLOT_MS,
				  .may_be_log = true,
				  .limit = pgm_load_wanted_p95_ms(&report->views[0]),
				  .limit_name = "P95 wanted"},
		p95);
	plot_of_all(report,
		    (struct pgm_plot){.title = "Throughput",
				      .note = "transactions done in each second",
				      .x_unit = PGM_PLOT_ELAPSED_S},
		    done);
	struct pgm_plot plot = {.title = "Latency by percentile",
				.note = "from when each transaction was due",
				.x_unit = PGM_PLOT_PERCENTILE,
				.y_unit = PGM_PLOT_MS,
				.may_be_log = true};
	for (size_t i = 0; i < report->count; i++)
		add_distribution(report->arena, &plot, &report->views[i].target->latency,
				 report->views[i].label, report->views[i].style, !report->views[i].baseline);
	pgm_doc_plot(report->doc, &plot);
}
