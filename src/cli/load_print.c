#include "cli/load_print.h"

#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <string.h>

#define PLAIN_LINE_S 10
#define QUERIES_MAX  10
#define TEXT_MAX     60

static char *ms(struct pgm_arena *arena, double value)
{
	return pgm_sprintf(arena, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
}

static char *count(struct pgm_arena *arena, double value)
{
	return pgm_sprintf(arena, "%.0f", value);
}

void pgm_load_print_progress(struct pgm_arena *arena, const struct pgm_load_progress *progress,
			     const char *seen)
{
	const struct pgm_load_second *second = progress->second;
	bool terminal = pgm_term_is_tty(stderr);
	if (!terminal &&
	    (int)progress->at_s / PLAIN_LINE_S == (int)(progress->at_s - second->length_s) / PLAIN_LINE_S)
		return;
	double length_s = second->length_s > 0 ? second->length_s : 1;
	char *line = pgm_sprintf(
		arena, "%s%s%.0f/s, %u users, p50 %s p95 %s p99 %s ms, %llu failed%s%s%s",
		progress->target_name, *progress->target_name ? ": " : "", (double)second->done / length_s,
		second->users, ms(arena, second->p50_ms), ms(arena, second->p95_ms),
		ms(arena, second->p99_ms), (unsigned long long)progress->failed,
		second->backlog ? pgm_sprintf(arena, ", %llu wait", (unsigned long long)second->backlog) : "",
		*seen ? ", " : "", seen);
	if (terminal)
		pgm_progress_show(line, progress->at_s / progress->planned_s, NULL);
	else
		fprintf(stderr, "%4.0f s  %s\n", progress->at_s, line);
}

static void print_head(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	const char *what = result->rate > 0
				   ? pgm_sprintf(arena, "%g transactions/s over %u sessions", result->rate,
						 result->users)
				   : pgm_sprintf(arena, "%u users, each due every %s on average",
						 result->users, pgm_format_ms(arena, result->think_ms));
	fprintf(stream, "%s%s%s of %s for %s%s: %s%s\n\n", pgm_term_on(stream, PGM_BOLD),
		pgm_load_scenarios[result->scenario], pgm_term_off(stream),
		pgm_safe_text(arena, result->source, false), pgm_format_ms(arena, result->length_s * 1000),
		result->interrupted ? " (interrupted)" : "", what, result->writes ? "" : ", read-only");
	if (result->left_out_count)
		fprintf(stream, "%u statements of the workload were left out; the first: %s\n\n",
			result->left_out_count, pgm_safe_text(arena, result->left_out_why, false));
}

static void print_targets(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	static const char *const headers[] = {"target",	    "due",    "done",	      "failed",
					      "error rate", "done/s", "p50 ms",	      "p95 ms",
					      "p99 ms",	    "max ms", "queued p95 ms"};
	struct pgm_table *table = pgm_table_new(arena, "lrrrrrrrrrr", headers);
	for (size_t i = 0; i < result->target_count; i++) {
		const struct pgm_load_target *target = &result->targets[i];
		const char *const cells[] = {
			pgm_sprintf(arena, "%s: %s, %s", target->name, target->place, target->protocol),
			count(arena, (double)target->scheduled),
			count(arena, (double)target->done),
			count(arena, (double)target->failed),
			pgm_sprintf(arena, "%.3f %%", target->error_rate * 100),
			pgm_sprintf(arena, "%.1f", target->done_rate),
			ms(arena, target->latency.p50_ms),
			ms(arena, target->latency.p95_ms),
			ms(arena, target->latency.p99_ms),
			ms(arena, target->latency.max_ms),
			ms(arena, target->lag.p95_ms),
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stream);
}

static void print_errors(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	static const char *const headers[] = {"target", "error", "transactions", "the first of them"};
	struct pgm_table *table = pgm_table_new(arena, "llrl", headers);
	bool any = false;
	for (size_t i = 0; i < result->target_count; i++) {
		const struct pgm_load_target *target = &result->targets[i];
		for (size_t e = 0; e < target->errors.count; e++) {
			const struct pgm_load_error *error = &target->errors.items[e];
			const char *const cells[] = {target->name, error->code,
						     count(arena, (double)error->count),
						     pgm_safe_text(arena, error->message, false)};
			pgm_table_row(table, cells);
			any = true;
		}
		if (target->connects_failed || target->reconnects)
			fprintf(stream, "\n%s: %llu connections refused%s%s%s, %llu lost and opened again\n",
				target->name, (unsigned long long)target->connects_failed,
				*target->refusal ? " (" : "", pgm_safe_text(arena, target->refusal, false),
				*target->refusal ? ")" : "", (unsigned long long)target->reconnects);
	}
	if (!any)
		return;
	fputc('\n', stream);
	pgm_table_print(table, stream);
}

static const char *one_line(struct pgm_arena *arena, const char *text)
{
	char *line = pgm_strndup(arena, text, TEXT_MAX);
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\t' || *c == '\r')
			*c = ' ';
	return pgm_safe_text(arena, line, false);
}

static void print_queries(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	static const char *const headers[] = {"statement", "target", "runs",  "failed",
					      "mean ms",   "p95 ms", "max ms"};
	struct pgm_table *table = pgm_table_new(arena, "llrrrrr", headers);
	for (size_t i = 0; i < result->target_count; i++) {
		const struct pgm_load_target *target = &result->targets[i];
		for (size_t q = 0; q < target->query_count && q < QUERIES_MAX; q++) {
			const struct pgm_load_statement *query = &target->queries[q];
			const char *const cells[] = {
				one_line(arena, query->text),	   target->name,
				count(arena, (double)query->done), count(arena, (double)query->failed),
				ms(arena, query->latency.mean_ms), ms(arena, query->latency.p95_ms),
				ms(arena, query->latency.max_ms)};
			pgm_table_row(table, cells);
		}
	}
	fputc('\n', stream);
	pgm_table_print(table, stream);
}

static void print_steps(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	static const char *const headers[] = {"target", "users",  "due/s",  "done/s",
					      "failed", "p95 ms", "held up"};
	struct pgm_table *table = pgm_table_new(arena, "lrrrrrl", headers);
	for (size_t i = 0; i < result->target_count; i++) {
		const struct pgm_load_target *target = &result->targets[i];
		for (size_t s = 0; s < target->step_count; s++) {
			const struct pgm_load_step *step = &target->steps[s];
			const char *const cells[] = {target->name,
						     step->users ? count(arena, step->users) : "",
						     pgm_sprintf(arena, "%.1f", step->rate),
						     pgm_sprintf(arena, "%.1f", step->done_rate),
						     pgm_sprintf(arena, "%.2f %%", step->error_rate * 100),
						     ms(arena, step->p95_ms),
						     step->held ? "yes" : step->broken};
			pgm_table_row(table, cells);
		}
	}
	fputc('\n', stream);
	pgm_table_print(table, stream);
}

static const char *figure(struct pgm_arena *arena, const char *name, double value)
{
	return strcmp(name, "p95") == 0		 ? pgm_sprintf(arena, "%s ms", ms(arena, value))
	       : strcmp(name, "error-rate") == 0 ? pgm_sprintf(arena, "%.4g %%", value * 100)
						 : pgm_sprintf(arena, "%.1f/s", value);
}

static void print_verdicts(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	if (result->verdict_count)
		fputc('\n', stream);
	for (size_t i = 0; i < result->verdict_count; i++) {
		const struct pgm_load_verdict *verdict = &result->verdicts[i];
		fprintf(stream, "%s%s%s  %s of %s: %s, wanted %s %s\n",
			pgm_term_on(stream, verdict->held ? PGM_GREEN : PGM_RED),
			verdict->held ? "held  " : "missed", pgm_term_off(stream), verdict->name,
			result->targets[verdict->target].name,
			figure(arena, verdict->name, verdict->measured),
			strcmp(verdict->name, "throughput") == 0 ? "at least" : "at most",
			figure(arena, verdict->name, verdict->wanted));
	}
}

void pgm_load_print(struct pgm_arena *arena, const struct pgm_load_result *result, FILE *stream)
{
	print_head(arena, result, stream);
	print_targets(arena, result, stream);
	if (result->scenario == PGM_LOAD_RAMP)
		print_steps(arena, result, stream);
	print_errors(arena, result, stream);
	print_queries(arena, result, stream);
	for (size_t i = 0; i < result->target_count; i++)
		if (*result->targets[i].watch_problem)
			fprintf(stream, "\n%s was not watched: %s\n", result->targets[i].name,
				pgm_safe_text(arena, result->targets[i].watch_problem, false));
	if (result->generator_busy_max > 0.9)
		fprintf(stream,
			"\nThis process was busy for %.0f %% of a second: it may have been the limit "
			"itself.\n",
			result->generator_busy_max * 100);
	print_verdicts(arena, result, stream);
}
