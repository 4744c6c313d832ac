#include "cli/change_output.h"

#include "util/clock.h"
#include "util/term.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_LINE_MS  10000 /* without a terminal, who blocks is told this often */
#define EVENT_LINE_MS 200   /* --progress=json: so often at most how far a step is */

/* Names come from the database: nothing in them may steer the terminal. */
static const char *safe(struct pgm_arena *arena, const char *text)
{
	char *copy = pgm_strdup(arena, text ? text : "");
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = ' ';
	return copy;
}

static void print_step_end(struct pgm_change_output *output, const struct pgm_engine_event *event)
{
	struct pgm_arena *arena = output->cli->arena;
	bool bad = strcmp(event->state, "failed") == 0 || strcmp(event->state, "canceled") == 0;
	enum pgm_style style = bad ? PGM_RED : strcmp(event->state, "skipped") == 0 ? PGM_DIM : PGM_GREEN;
	pgm_progress_clear();
	printf("[%d/%zu] %s: %s%s%s", event->step, event->steps, safe(arena, event->title),
	       pgm_term_on(stdout, style), event->state, pgm_term_off(stdout));
	if (strcmp(event->state, "skipped") != 0)
		printf(" in %s", pgm_format_ms(arena, event->elapsed_ms));
	if (event->size_bytes >= 0)
		printf(", %s", pgm_format_bytes(arena, (double)event->size_bytes));
	else if (event->size_bytes < -1)
		printf(", %s freed", pgm_format_bytes(arena, (double)-event->size_bytes));
	if (event->text)
		printf(" (%s)", safe(arena, event->text));
	putchar('\n');
	fflush(stdout);
}

static void show_progress(struct pgm_change_output *output, const struct pgm_engine_event *event)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	if (pgm_term_is_tty(stderr)) {
		const char *left = event->left_ms >= 0 ? pgm_sprintf(arena, "  about %s left",
								     pgm_format_ms(arena, event->left_ms))
						       : "";
		/* A narrow line: who is waited for matters more than what waits. */
		bool waits = event->kind == PGM_EVENT_WAIT;
		pgm_progress_show(pgm_sprintf(arena, "[%d/%zu] %s", event->step, event->steps,
					      safe(arena, waits ? event->text : event->title)),
				  event->fraction,
				  waits ? "" : pgm_sprintf(arena, "%s%s", safe(arena, event->text), left));
		return;
	}
	if (event->kind != PGM_EVENT_WAIT)
		return;
	double now = pgm_clock_ms();
	bool same = strncmp(output->last_wait, event->text, 40) == 0;
	if (same && now - output->last_wait_ms < WAIT_LINE_MS)
		return;
	snprintf(output->last_wait, sizeof(output->last_wait), "%s", event->text);
	output->last_wait_ms = now;
	fprintf(stderr, "pgmend %s: %s\n", output->cli->cmd->name, safe(arena, event->text));
}

static json_t *number_or_null(double value)
{
	return value >= 0 ? json_real(value) : json_null();
}

static json_t *size_or_null(int64_t bytes)
{
	return bytes != -1 ? json_integer(bytes) : json_null();
}

static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;
	return value ? value : json_null();
}

/* For programs: what a person sees on the progress line, and each step's end. */
static void tell_event(struct pgm_change_output *output, const struct pgm_engine_event *event)
{
	static const char *const names[] = {
		[PGM_EVENT_STEP] = "step", [PGM_EVENT_PROGRESS] = "progress", [PGM_EVENT_WAIT] = "wait",
		[PGM_EVENT_NOTE] = "note", [PGM_EVENT_STEP_END] = "step_end",
	};
	double now = pgm_clock_ms();
	bool often = event->kind == PGM_EVENT_PROGRESS || event->kind == PGM_EVENT_WAIT;
	if (often && now - output->last_event_ms < EVENT_LINE_MS)
		return;
	output->last_event_ms = often ? now : 0;
	bool end = event->kind == PGM_EVENT_STEP_END;
	json_t *line = json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "event",
				 names[event->kind], "step", event->step, "steps", (json_int_t)event->steps,
				 "title", text_or_null(event->title), "text", text_or_null(event->text),
				 "state", text_or_null(event->state), "fraction",
				 number_or_null(event->fraction), "elapsed_ms",
				 number_or_null(event->elapsed_ms), "left_ms", number_or_null(event->left_ms),
				 "size_bytes", end ? size_or_null(event->size_bytes) : json_null());
	char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(line);
	if (text)
		fprintf(stderr, "%s\n", text);
	free(text);
}

static void on_event(const struct pgm_engine_event *event, void *arg)
{
	struct pgm_change_output *output = arg;
	if (output->events) {
		tell_event(output, event);
		if (output->json || event->kind != PGM_EVENT_STEP_END)
			return;
	}
	switch (event->kind) {
	case PGM_EVENT_STEP:
		pgm_progress_show(pgm_sprintf(output->cli->arena, "[%d/%zu] %s", event->step, event->steps,
					      safe(output->cli->arena, event->title)),
				  -1, "");
		break;
	case PGM_EVENT_PROGRESS:
	case PGM_EVENT_WAIT:
		show_progress(output, event);
		break;
	case PGM_EVENT_NOTE:
		pgm_progress_clear();
		fprintf(stderr, "pgmend %s: [%d/%zu] %s\n", output->cli->cmd->name, event->step, event->steps,
			safe(output->cli->arena, event->text));
		break;
	case PGM_EVENT_STEP_END:
		if (output->json)
			pgm_progress_clear();
		else
			print_step_end(output, event);
		break;
	}
}

bool pgm_change_options(const struct pgm_cli *cli, struct pgm_engine_options *options,
			struct pgm_change_output *output, struct pgm_error *err)
{
	enum pgm_format format;
	int64_t memory = -1;
	if (!pgm_cli_format(cli, &format, err) || !pgm_cli_duration_ms(cli, "wait", &options->wait_ms, err) ||
	    !pgm_cli_duration_ms(cli, "max-wait", &options->max_wait_ms, err) ||
	    !pgm_cli_duration_ms(cli, "timeout", &options->timeout_ms, err) ||
	    !pgm_cli_duration_ms(cli, "lock-timeout", &options->lock_timeout_ms, err) ||
	    !pgm_cli_duration_ms(cli, "lock-deadline", &options->lock_deadline_ms, err) ||
	    !pgm_cli_bytes(cli, "maintenance-work-mem", &memory, err))
		return false;
	if (format == PGM_FORMAT_MARKDOWN)
		return pgm_error_set(err, PGM_ERR_USAGE, "--format: this command knows text and json");
	if (options->lock_timeout_ms < 1 || options->lock_timeout_ms > 60000)
		return pgm_error_set(err, PGM_ERR_USAGE, "--lock-timeout: from 1ms to 1min");
	if (memory >= 0 && (memory < (1 << 20) || memory > (int64_t)2047 << 20 << 10))
		return pgm_error_set(err, PGM_ERR_USAGE, "--maintenance-work-mem: from 1MB to 2047GB");
	if (memory >= 0)
		options->maintenance_work_mem = pgm_sprintf(cli->arena, "%lldkB", (long long)(memory >> 10));
	const char *progress = pgm_cli_value(cli, "progress");
	if (progress && strcmp(progress, "json") != 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "--progress: json is all that it can be");
	*output = (struct pgm_change_output){
		.cli = cli, .json = format == PGM_FORMAT_JSON, .events = progress != NULL};
	options->on_event = on_event;
	options->event_arg = output;
	return true;
}

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

static void print_preview_json(const struct pgm_engine_preview *preview)
{
	json_t *steps = json_array();
	for (size_t i = 0; i < preview->step_count; i++) {
		const struct pgm_engine_preview_step *step = &preview->steps[i];
		json_t *blockers = json_array();
		for (size_t b = 0; b < step->blocker_count; b++)
			json_array_append_new(blockers, text_or_null(step->blockers[b]));
		json_array_append_new(steps,
				      json_pack("{s:i, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "step",
						step->step, "title", text_or_null(step->title), "action",
						step->action, "note", text_or_null(step->note), "sql",
						text_or_null(step->sql), "lock", step->lock, "relation",
						text_or_null(step->relation), "size_bytes",
						size_or_null(step->size_bytes), "build_ms",
						number_or_null(step->build_ms), "blockers", blockers));
	}
	print_json(json_pack("{s:i, s:s, s:o, s:b, s:b, s:o}", "version", 1, "plan", preview->plan_id,
			     "title", text_or_null(preview->title), "dry_run", true, "already",
			     preview->already, "steps", steps));
}

static void print_preview_step(struct pgm_arena *arena, const struct pgm_engine_preview_step *step)
{
	printf("\n%s%d. %s%s", pgm_term_on(stdout, PGM_BOLD), step->step, safe(arena, step->title),
	       pgm_term_off(stdout));
	if (strcmp(step->action, "skip") == 0) {
		printf(": nothing to do%s%s%s\n", step->note ? " (" : "", safe(arena, step->note),
		       step->note ? ")" : "");
		return;
	}
	printf("%s%s%s\n", step->note ? " (" : "", safe(arena, step->note), step->note ? ")" : "");
	for (const char *line = step->sql; *line;) {
		size_t length = strcspn(line, "\n");
		printf("   %s\n", safe(arena, pgm_strndup(arena, line, length)));
		line += length + (line[length] == '\n');
	}
	const char *size =
		step->size_bytes >= 0
			? pgm_sprintf(arena, "; about %s", pgm_format_bytes(arena, (double)step->size_bytes))
			: "";
	const char *time = step->build_ms >= 0
				   ? pgm_sprintf(arena, "; about %s", pgm_format_ms(arena, step->build_ms))
				   : "";
	printf("   lock: %s%s%s%s%s\n", *step->lock ? step->lock : "none", *step->relation ? " on " : "",
	       safe(arena, step->relation), size, time);
	for (size_t i = 0; i < step->blocker_count; i++)
		printf("   %swould wait for:%s %s\n", pgm_term_on(stdout, PGM_YELLOW), pgm_term_off(stdout),
		       safe(arena, step->blockers[i]));
}

void pgm_change_print_preview(const struct pgm_change_output *output,
			      const struct pgm_engine_preview *preview)
{
	struct pgm_arena *arena = output->cli->arena;
	if (output->json) {
		print_preview_json(preview);
		return;
	}
	if (!*preview->plan_id) {
		puts("Nothing to do.");
		return;
	}
	printf("Plan %s: %s\n", preview->plan_id, safe(arena, preview->title));
	for (size_t i = 0; i < preview->step_count; i++)
		print_preview_step(arena, &preview->steps[i]);
	puts(preview->already ? "\nThis is done already." : "\nNothing was changed (--dry-run).");
}

static const char *const kind_words[] = {
	[PGM_ERR_NONE] = "none",       [PGM_ERR_USAGE] = "usage",	[PGM_ERR_CONNECT] = "connection",
	[PGM_ERR_RIGHTS] = "rights",   [PGM_ERR_INPUT] = "input",	[PGM_ERR_QUERY] = "query",
	[PGM_ERR_TIMEOUT] = "timeout", [PGM_ERR_CANCELED] = "canceled", [PGM_ERR_STATE] = "state",
	[PGM_ERR_SYSTEM] = "system",
};

json_t *pgm_change_result_json(const struct pgm_engine_result *result, const struct pgm_error *err)
{
	json_t *steps = json_array();
	for (size_t i = 0; i < result->step_count; i++) {
		const struct pgm_engine_step *step = &result->steps[i];
		json_array_append_new(steps, json_pack("{s:i, s:o, s:s, s:o, s:o, s:o}", "step", step->step,
						       "title", text_or_null(step->title), "state",
						       step->state, "note", text_or_null(step->note),
						       "elapsed_ms", number_or_null(step->elapsed_ms),
						       "size_bytes", size_or_null(step->size_bytes)));
	}
	json_t *error = !err ? json_null()
			     : json_pack("{s:s, s:o, s:o, s:o}", "kind", kind_words[err->kind], "message",
					 text_or_null(err->message), "hint", text_or_null(err->hint),
					 "sqlstate", text_or_null(err->sqlstate));
	return json_pack("{s:i, s:s, s:o, s:b, s:b, s:b, s:o, s:o}", "version", 1, "plan", result->plan_id,
			 "title", text_or_null(result->title), "dry_run", false, "already", result->already,
			 "ok", err == NULL, "steps", steps, "error", error);
}

int pgm_change_print_result(const struct pgm_change_output *output, const struct pgm_engine_result *result,
			    const struct pgm_error *err, const char *done, const char *nothing)
{
	pgm_progress_clear();
	if (output->json)
		print_json(pgm_change_result_json(result, err));
	if (err) {
		int code = pgm_cli_fail(output->cli, err);
		return result->started ? PGM_EXIT_FAILED : code;
	}
	if (output->json)
		return PGM_EXIT_OK;
	if (result->already)
		puts(nothing);
	else
		printf("Plan %s is %s.\n", result->plan_id, done);
	return PGM_EXIT_OK;
}
