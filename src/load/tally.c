#include "load/tally.h"

#include <stdlib.h>
#include <string.h>

static struct pgm_fine_histogram *histogram_new(void)
{
	struct pgm_fine_histogram *histogram = calloc(1, sizeof(*histogram));
	if (!histogram)
		abort();
	return histogram;
}

void pgm_tally_init(struct pgm_tally *tally, struct pgm_arena *arena, const struct pgm_scripts *scripts,
		    struct pgm_load_target *target)
{
	*tally = (struct pgm_tally){
		.arena = arena,
		.scripts = scripts,
		.target = target,
		.latency = histogram_new(),
		.service = histogram_new(),
		.lag = histogram_new(),
		.connecting = histogram_new(),
		.second = histogram_new(),
		.step = histogram_new(),
		.parts = PGM_NEW_ARRAY(arena, struct pgm_tally_part, scripts->items.count + 1),
		.statements = PGM_NEW_ARRAY(arena, struct pgm_tally_part, scripts->sql_count + 1),
	};
}

static void free_parts(struct pgm_tally_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(parts[i].latency);
}

void pgm_tally_done_with(struct pgm_tally *tally)
{
	if (!tally->scripts)
		return;
	free(tally->latency);
	free(tally->service);
	free(tally->lag);
	free(tally->connecting);
	free(tally->second);
	free(tally->step);
	free_parts(tally->parts, tally->scripts->items.count);
	free_parts(tally->statements, tally->scripts->sql_count);
	tally->scripts = NULL;
}

static uint64_t to_us(double ms)
{
	return ms > 0 ? (uint64_t)(ms * 1000 + 0.5) : 0;
}

static void add_part(struct pgm_tally_part *part, double ms)
{
	part->done++;
	if (!part->latency)
		part->latency = histogram_new();
	pgm_fine_histogram_add(part->latency, to_us(ms));
}

void pgm_tally_scheduled(struct pgm_tally *tally)
{
	tally->target->scheduled++;
	tally->now.scheduled++;
	tally->step_scheduled++;
}

void pgm_tally_started(struct pgm_tally *tally, double lag_ms)
{
	tally->target->started++;
	tally->now.started++;
	pgm_fine_histogram_add(tally->lag, to_us(lag_ms));
}

void pgm_tally_done(struct pgm_tally *tally, size_t script, double latency_ms, double service_ms)
{
	uint64_t us = to_us(latency_ms);
	tally->target->done++;
	tally->now.done++;
	tally->step_done++;
	pgm_fine_histogram_add(tally->latency, us);
	pgm_fine_histogram_add(tally->second, us);
	pgm_fine_histogram_add(tally->step, us);
	pgm_fine_histogram_add(tally->service, to_us(service_ms));
	add_part(&tally->parts[script], latency_ms);
}

static struct pgm_tally_error *error_of(struct pgm_tally *tally, const char *code, const char *message)
{
	size_t i = 0;
	while (i < tally->error_count && strcmp(tally->errors[i].code, code) != 0)
		i++;
	if (i < tally->error_count)
		return &tally->errors[i];
	if (i == PGM_LOAD_SQLSTATES_MAX)
		return &tally->errors[i - 1];
	struct pgm_tally_error *error = &tally->errors[tally->error_count++];
	bool last = tally->error_count == PGM_LOAD_SQLSTATES_MAX;
	error->code = last ? "other" : pgm_strdup(tally->arena, code);
	error->message = pgm_strdup(tally->arena, message ? message : "");
	return error;
}

void pgm_tally_failed(struct pgm_tally *tally, size_t script, const char *code, const char *message)
{
	struct pgm_tally_error *error = error_of(tally, code, message);
	error->count++;
	error->in_second++;
	tally->target->failed++;
	tally->now.failed++;
	tally->step_failed++;
	if (script != SIZE_MAX)
		tally->parts[script].failed++;
}

void pgm_tally_statement(struct pgm_tally *tally, size_t number, double ms, uint64_t rows, bool failed)
{
	struct pgm_tally_part *part = &tally->statements[number];
	tally->target->statements++;
	if (failed) {
		part->failed++;
		return;
	}
	tally->target->rows += rows;
	part->rows += rows;
	add_part(part, ms);
}

void pgm_tally_connected(struct pgm_tally *tally, double ms)
{
	tally->target->connects++;
	pgm_fine_histogram_add(tally->connecting, to_us(ms));
}

static double percentile_ms(const struct pgm_fine_histogram *histogram, double percent)
{
	return (double)pgm_fine_histogram_percentile_us(histogram, percent) / 1000;
}

static int more_errors(const void *a, const void *b)
{
	const struct pgm_load_error *x = a, *y = b;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->code, y->code);
}

static struct pgm_load_errors list_errors(struct pgm_tally *tally, bool of_second)
{
	struct pgm_load_errors list = {0};
	if (tally->error_count)
		list.items = PGM_NEW_ARRAY(tally->arena, struct pgm_load_error, tally->error_count);
	for (size_t i = 0; i < tally->error_count; i++) {
		struct pgm_tally_error *error = &tally->errors[i];
		uint64_t count = of_second ? error->in_second : error->count;
		if (count)
			list.items[list.count++] =
				(struct pgm_load_error){error->code, count, of_second ? "" : error->message};
		if (of_second)
			error->in_second = 0;
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), more_errors);
	return list;
}

const struct pgm_load_second *pgm_tally_end_second(struct pgm_tally *tally, double at_s, double length_s,
						   double rate, uint32_t users, uint32_t sessions,
						   uint64_t backlog)
{
	struct pgm_load_second *second = &tally->now;
	bool empty = !second->scheduled && !second->started && !second->done && !second->failed;
	if (length_s < 0.001 && empty)
		return NULL;
	second->at_s = at_s;
	second->length_s = length_s;
	second->rate = rate;
	second->users = users;
	second->sessions = sessions;
	second->backlog = backlog;
	second->p50_ms = percentile_ms(tally->second, 50);
	second->p95_ms = percentile_ms(tally->second, 95);
	second->p99_ms = percentile_ms(tally->second, 99);
	second->max_ms = (double)tally->second->max_us / 1000;
	second->errors = second->failed ? list_errors(tally, true) : (struct pgm_load_errors){0};
	*pgm_vec_add(tally->arena, &tally->seconds) = *second;
	tally->target->length_s += length_s;
	tally->now = (struct pgm_load_second){0};
	memset(tally->second, 0, sizeof(*tally->second));
	return &tally->seconds.items[tally->seconds.count - 1];
}

struct pgm_load_step *pgm_tally_end_step(struct pgm_tally *tally, double from_s, double to_s)
{
	struct pgm_load_step *step = pgm_vec_add(tally->arena, &tally->steps);
	double ended = (double)(tally->step_done + tally->step_failed);
	*step = (struct pgm_load_step){
		.from_s = from_s,
		.to_s = to_s,
		.done_rate = to_s > from_s ? (double)tally->step_done / (to_s - from_s) : 0,
		.error_rate = ended > 0 ? (double)tally->step_failed / ended : 0,
		.p95_ms = percentile_ms(tally->step, 95),
		.broken = "",
	};
	tally->step_scheduled = tally->step_done = tally->step_failed = 0;
	memset(tally->step, 0, sizeof(*tally->step));
	return step;
}

static struct pgm_load_distribution distribution(struct pgm_arena *arena,
						 const struct pgm_fine_histogram *histogram)
{
	struct pgm_load_distribution result = {0};
	if (!histogram || !histogram->count)
		return result;
	for (unsigned i = 0; i < PGM_FINE_HISTOGRAM_BUCKETS; i++)
		result.bucket_count += histogram->counts[i] != 0;
	result.buckets = PGM_NEW_ARRAY(arena, struct pgm_load_bucket, result.bucket_count);
	size_t at = 0;
	for (unsigned i = 0; i < PGM_FINE_HISTOGRAM_BUCKETS; i++)
		if (histogram->counts[i])
			result.buckets[at++] = (struct pgm_load_bucket){
				(double)pgm_fine_histogram_low_us(i) / 1000,
				(double)pgm_fine_histogram_end_us(i) / 1000, histogram->counts[i]};
	result.count = histogram->count;
	result.mean_ms = pgm_fine_histogram_mean_us(histogram) / 1000;
	result.max_ms = (double)histogram->max_us / 1000;
	result.p50_ms = percentile_ms(histogram, 50);
	result.p90_ms = percentile_ms(histogram, 90);
	result.p95_ms = percentile_ms(histogram, 95);
	result.p99_ms = percentile_ms(histogram, 99);
	result.p999_ms = percentile_ms(histogram, 99.9);
	return result;
}

static double total_ms(const struct pgm_load_statement *statement)
{
	return statement->latency.mean_ms * (double)statement->latency.count;
}

static int more_time(const void *a, const void *b)
{
	double x = total_ms(a), y = total_ms(b);
	return x < y ? 1 : x > y ? -1 : 0;
}

static void finish_scripts(struct pgm_tally *tally)
{
	const struct pgm_scripts *scripts = tally->scripts;
	struct pgm_load_target *target = tally->target;
	target->scripts = PGM_NEW_ARRAY(tally->arena, struct pgm_load_script, scripts->items.count + 1);
	target->queries = PGM_NEW_ARRAY(tally->arena, struct pgm_load_statement, scripts->sql_count + 1);
	for (size_t i = 0; i < scripts->items.count; i++) {
		const struct pgm_script *script = &scripts->items.items[i];
		const struct pgm_tally_part *part = &tally->parts[i];
		target->scripts[target->script_count++] = (struct pgm_load_script){
			.name = script->name,
			.weight = script->weight / scripts->weight,
			.done = part->done,
			.failed = part->failed,
			.latency = distribution(tally->arena, part->latency),
		};
		for (size_t c = 0; c < script->count; c++) {
			const struct pgm_command *command = &script->commands[c];
			if (command->kind != PGM_COMMAND_SQL)
				continue;
			part = &tally->statements[command->number];
			target->queries[target->query_count++] = (struct pgm_load_statement){
				.text = command->text,
				.script = script->name,
				.writes = command->writes,
				.done = part->done,
				.failed = part->failed,
				.rows = part->rows,
				.latency = distribution(tally->arena, part->latency),
			};
		}
	}
	qsort(target->queries, target->query_count, sizeof(*target->queries), more_time);
}

void pgm_tally_finish(struct pgm_tally *tally)
{
	struct pgm_load_target *target = tally->target;
	target->latency = distribution(tally->arena, tally->latency);
	target->service = distribution(tally->arena, tally->service);
	target->lag = distribution(tally->arena, tally->lag);
	target->connecting = distribution(tally->arena, tally->connecting);
	target->errors = list_errors(tally, false);
	target->seconds = tally->seconds.items;
	target->second_count = tally->seconds.count;
	target->steps = tally->steps.items;
	target->step_count = tally->steps.count;
	double ended = (double)(target->done + target->failed);
	target->error_rate = ended > 0 ? (double)target->failed / ended : 0;
	target->done_rate = target->length_s > 0 ? (double)target->done / target->length_s : 0;
	finish_scripts(tally);
}
