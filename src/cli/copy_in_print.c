#include "cli/copy_in_print.h"

#include "copyin/reject.h"
#include "util/safe_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *plural(int64_t count)
{
	return count == 1 ? "" : "s";
}

static char *rows_text(struct pgm_arena *arena, int64_t count)
{
	return pgm_sprintf(arena, "%s row%s", pgm_format_count(arena, (double)count), plural(count));
}

static const char *display_name(struct pgm_arena *arena, const struct pgm_copyin_file *file)
{
	return strcmp(file->name, "-") == 0 ? "standard input" : pgm_safe_text(arena, file->name, false);
}

/* What became of rows that were not written. */
static void print_left_out(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
			   const struct pgm_copyin_result *result, FILE *stream)
{
	if (result->conflicts)
		fprintf(stream, "%s left as they were: their key was there already.\n",
			rows_text(cli->arena, result->conflicts));
	if (result->duplicates)
		fprintf(stream, "%s left out: a later one has the same key.\n",
			rows_text(cli->arena, result->duplicates));
	if (result->rejected)
		fprintf(stream, "%s rejected: %s has them, %s" PGM_REJECT_REASONS " says why.\n",
			rows_text(cli->arena, result->rejected), options->reject, options->reject);
}

static void print_done(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
		       const struct pgm_copyin_result *result)
{
	struct pgm_arena *arena = cli->arena;
	double seconds = result->elapsed_ms / 1000;
	printf("%s%s %s %s in %s", options->dry_run ? "Checked, and nothing written: " : "",
	       rows_text(arena, result->rows), options->dry_run ? "for" : "into", options->table,
	       pgm_format_ms(arena, result->elapsed_ms));
	if (seconds > 0 && result->rows > 0)
		printf(" (%s rows/s, %s)", pgm_format_count(arena, (double)result->rows / seconds),
		       pgm_format_bytes(arena, (double)result->bytes));
	puts(".");
	print_left_out(cli, options, result, stdout);
	if (options->dry_run)
		puts("Not checked: unique keys, foreign keys and triggers.");
}

static void print_failed(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
			 const struct pgm_copyin_result *result)
{
	struct pgm_arena *arena = cli->arena;
	bool any = false;
	for (size_t i = 0; i < result->file_count; i++) {
		const struct pgm_copyin_file *file = &result->files[i];
		if (file->state == PGM_COPYIN_WAITING)
			continue;
		any = true;
		fprintf(stderr, "committed: %s of %s", rows_text(arena, file->rows),
			display_name(arena, file));
		if (file->state == PGM_COPYIN_PARTLY)
			fprintf(stderr, ", all before line %lld", (long long)file->line);
		fputs(file->state == PGM_COPYIN_PARTLY ? "\n" : ", which is all of it\n", stderr);
	}
	if (result->unknown)
		fputs(result->recorded
			      ? "The server was lost while it committed; --resume finds out what is there.\n"
			      : "The server was lost while it committed: look whether the rows are there.\n",
		      stderr);
	else if (!any && result->begun)
		fputs("Nothing was committed.\n", stderr);
	if (any && result->recorded)
		fputs("The same command with --resume goes on behind that.\n", stderr);
	print_left_out(cli, options, result, stderr);
}

void pgm_copy_in_print(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
		       const struct pgm_copyin_result *result, const struct pgm_error *err)
{
	if (err)
		print_failed(cli, options, result);
	else
		print_done(cli, options, result);
}

/* A file's name need not be UTF-8, and a message may be cut within a character. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);
	if (value)
		return value;
	char *copy = strdup(text);
	if (!copy)
		abort();
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	value = json_string(copy);
	free(copy);
	return value;
}

static json_t *file_json(const struct pgm_copyin_file *file)
{
	static const char *const states[] = {"waiting", "partly", "done", "before"};
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "file", text_json(file->name), "state",
			 states[file->state], "rows", (json_int_t)file->rows, "rejected",
			 (json_int_t)file->rejected, "duplicates", (json_int_t)file->duplicates, "conflicts",
			 (json_int_t)file->conflicts, "next_line", (json_int_t)file->line);
}

void pgm_copy_in_print_json(const struct pgm_copyin_options *options, const struct pgm_copyin_result *result,
			    const struct pgm_error *err)
{
	json_t *files = json_array(), *error = json_null();
	for (size_t i = 0; i < result->file_count; i++)
		json_array_append_new(files, file_json(&result->files[i]));
	if (err)
		error = json_pack("{s:s, s:o, s:o}", "sqlstate", err->sqlstate, "message",
				  text_json(err->message), "hint", text_json(err->hint));
	json_t *all = json_pack(
		"{s:i, s:o, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "version", 1,
		"table", text_json(options->table), "dry_run", (int)options->dry_run, "atomic",
		(int)result->atomic, "resumable", (int)result->recorded, "commit_unknown",
		(int)result->unknown, "rows", (json_int_t)result->rows, "rejected",
		(json_int_t)result->rejected, "duplicates", (json_int_t)result->duplicates, "conflicts",
		(json_int_t)result->conflicts, "bytes", (json_int_t)result->bytes, "elapsed_ms",
		result->elapsed_ms, "files", files, "error", error ? error : json_null());
	if (all)
		json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}
