#include "cli/commands.h"
#include "cli/copy_in_print.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/safe_text.h"
#include "util/term.h"
#include "util/vec.h"

#include <string.h>

#define MAX_ROW_LEAST (1 << 20)

struct shown {
	const struct pgm_cli *cli;
	double started_ms;
	bool quiet;
};

static void show_progress(void *arg, const struct pgm_copyin_progress *progress)
{
	const struct shown *shown = arg;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	double fraction =
		progress->total_bytes > 0 ? (double)progress->read_bytes / (double)progress->total_bytes : -1;
	double elapsed_ms = pgm_clock_ms() - shown->started_ms;
	struct pgm_buf detail;
	if (shown->quiet)
		return;
	pgm_buf_init(&detail, arena);
	pgm_buf_printf(&detail, "%s rows", pgm_format_count(arena, (double)progress->rows));
	if (progress->rejected)
		pgm_buf_printf(&detail, ", %s rejected", pgm_format_count(arena, (double)progress->rejected));
	if (fraction > 0.01)
		pgm_buf_printf(&detail, ", %s left",
			       pgm_format_ms(arena, elapsed_ms / fraction - elapsed_ms));
	else
		pgm_buf_printf(&detail, ", %s", pgm_format_bytes(arena, (double)progress->read_bytes));
	pgm_progress_show(pgm_safe_text(arena, progress->file, false), fraction, detail.text);
}

static void show_note(void *arg, const char *text)
{
	const struct shown *shown = arg;
	if (shown->quiet)
		return;
	pgm_progress_clear();
	fprintf(stderr, "%s\n", pgm_safe_text(shown->cli->arena, text, false));
}

/* Names with commas between them; one in double quotes may hold anything. */
static bool read_names(const struct pgm_cli *cli, const char *option, const char *const **names,
		       size_t *count, struct pgm_error *err)
{
	const char *at = pgm_cli_value(cli, option);
	PGM_VEC(const char *) found = {0};
	*count = 0;
	if (!at)
		return true;
	for (;;) {
		struct pgm_buf name;
		pgm_buf_init(&name, cli->arena);
		at += strspn(at, " ");
		bool quoted = *at == '"';
		if (quoted) {
			for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
				at += *at == '"';
				pgm_buf_char(&name, *at);
			}
			if (*at++ != '"')
				return pgm_error_set(err, PGM_ERR_USAGE, "--%s: a quote is never closed",
						     option);
			at += strspn(at, " ");
		} else {
			size_t length = strcspn(at, ",");
			size_t kept = length;
			while (kept > 0 && at[kept - 1] == ' ')
				kept--;
			pgm_buf_add_n(&name, at, kept);
			at += length;
		}
		if (!name.length || (*at && *at != ','))
			return pgm_error_set(err, PGM_ERR_USAGE, "--%s: names with commas between them",
					     option);
		*pgm_vec_add(cli->arena, &found) = name.text;
		if (!*at++)
			break;
	}
	*names = found.items;
	*count = found.count;
	return true;
}

static bool read_letter(const struct pgm_cli *cli, const char *option, char *letter, struct pgm_error *err)
{
	const char *value = pgm_cli_value(cli, option);
	if (!value)
		return true;
	if (strcmp(value, "tab") == 0 || strcmp(value, "\\t") == 0)
		value = "\t";
	if (strlen(value) != 1 || (unsigned char)*value > 0x7e || (*value < ' ' && *value != '\t'))
		return pgm_error_set(err, PGM_ERR_USAGE, "--%s: one ASCII letter, or tab", option);
	*letter = *value;
	return true;
}

static bool read_header(const struct pgm_cli *cli, struct pgm_copyin_options *options, struct pgm_error *err)
{
	static const char *const words[] = {"yes", "no", "match"};
	const char *value = pgm_cli_value(cli, "header");
	if (!value)
		return true;
	for (int i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0)
			return options->header = (enum pgm_copyin_header)i, true;
	pgm_error_set(err, PGM_ERR_USAGE, "--header: \"%s\" is none of yes, no and match", value);
	return pgm_error_hint(err, "yes: the first line names the columns; no: there is none; match: it must "
				   "name them in the table's order.");
}

static bool read_format(const struct pgm_cli *cli, struct pgm_copyin_options *options, struct pgm_error *err)
{
	options->format = pgm_cli_value(cli, "format");
	if (!options->format || strcmp(options->format, "csv") == 0 || strcmp(options->format, "tsv") == 0 ||
	    strcmp(options->format, "ndjson") == 0)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "--format: there is no format \"%s\"", options->format);
	return pgm_error_hint(err, "The formats are csv, tsv and ndjson; --json is for the result.");
}

/* What makes no sense together. */
static bool check_together(const struct pgm_cli *cli, const struct pgm_copyin_options *options,
			   struct pgm_error *err)
{
	const char *action = pgm_cli_value(cli, "do");
	if (action && strcmp(action, "update") != 0 && strcmp(action, "nothing") != 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "--do: \"%s\" is neither update nor nothing",
				     action);
	if (action && !options->conflict_key_count)
		return pgm_error_set(err, PGM_ERR_USAGE, "--do needs --on-conflict");
	if (options->resume && options->restart)
		return pgm_error_set(err, PGM_ERR_USAGE, "--resume and --restart exclude each other");
	if (options->resume && options->dry_run)
		return pgm_error_set(err, PGM_ERR_USAGE, "--resume and --dry-run exclude each other");
	if (pgm_cli_flag(cli, "max-rejects") && !options->reject)
		return pgm_error_set(err, PGM_ERR_USAGE, "--max-rejects needs --reject");
	return true;
}

static bool read_options(const struct pgm_cli *cli, struct pgm_copyin_options *options, struct pgm_error *err)
{
	static const char *const standard_input[] = {"-"};
	const char *action = pgm_cli_value(cli, "do");
	*options = (struct pgm_copyin_options){
		.table = cli->operands[0],
		.files = cli->operand_count > 1 ? cli->operands + 1 : standard_input,
		.file_count = cli->operand_count > 1 ? cli->operand_count - 1 : 1,
		.null_text = pgm_cli_value(cli, "null"),
		.ignore_unknown = pgm_cli_flag(cli, "ignore-unknown"),
		.do_nothing = action && strcmp(action, "nothing") == 0,
		.reject = pgm_cli_value(cli, "reject"),
		.max_rejects = PGM_COPYIN_MAX_REJECTS,
		.atomic = pgm_cli_flag(cli, "atomic"),
		.resume = pgm_cli_flag(cli, "resume"),
		.restart = pgm_cli_flag(cli, "restart"),
		.dry_run = pgm_cli_flag(cli, "dry-run"),
		.commit_bytes = PGM_COPYIN_COMMIT_BYTES,
		.max_row_bytes = PGM_FRAME_MAX_BYTES,
		.lock_timeout_ms = PGM_COPYIN_LOCK_TIMEOUT_MS,
		.max_wait_ms = PGM_COPYIN_MAX_WAIT_MS,
	};
	if (!read_format(cli, options, err) || !read_header(cli, options, err) ||
	    !read_names(cli, "columns", &options->columns, &options->column_count, err) ||
	    !read_names(cli, "on-conflict", &options->conflict_key, &options->conflict_key_count, err) ||
	    !read_letter(cli, "delimiter", &options->delimiter, err) ||
	    !read_letter(cli, "quote", &options->quote, err) ||
	    !read_letter(cli, "escape", &options->escape, err) ||
	    !pgm_cli_int(cli, "max-rejects", 0, INT64_MAX / 2, &options->max_rejects, err) ||
	    !pgm_cli_bytes(cli, "commit-every", &options->commit_bytes, err) ||
	    !pgm_cli_bytes(cli, "max-row", &options->max_row_bytes, err) ||
	    !pgm_cli_duration_ms(cli, "lock-timeout", &options->lock_timeout_ms, err) ||
	    !pgm_cli_duration_ms(cli, "max-wait", &options->max_wait_ms, err))
		return false;
	if (options->commit_bytes < 1 || options->lock_timeout_ms < 1)
		return pgm_error_set(err, PGM_ERR_USAGE, "--commit-every and --lock-timeout must be above 0");
	if (options->max_row_bytes < MAX_ROW_LEAST || options->max_row_bytes > PGM_FRAME_MAX_BYTES)
		return pgm_error_set(err, PGM_ERR_USAGE, "--max-row: 1MB to 1GB");
	return check_together(cli, options, err);
}

/* What stands in a file may not steer the terminal. */
static void make_safe(const struct pgm_cli *cli, struct pgm_error *err)
{
	snprintf(err->message, sizeof(err->message), "%s", pgm_safe_text(cli->arena, err->message, false));
	snprintf(err->hint, sizeof(err->hint), "%s", pgm_safe_text(cli->arena, err->hint, false));
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	struct pgm_copyin_options options;
	struct pgm_copyin_result result;
	struct shown shown = {cli, pgm_clock_ms(), pgm_cli_flag(cli, "quiet")};
	bool json = pgm_cli_flag(cli, "json");
	if (!read_options(cli, &options, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_cli_connect(cli, &err);
	if (!conn)
		return pgm_cli_fail(cli, &err);
	options.on_progress = show_progress;
	options.on_note = show_note;
	options.arg = &shown;
	bool ok = pgm_copyin_run(conn, cli->arena, &options, &result, &err);
	pgm_progress_clear();
	if (!ok)
		make_safe(cli, &err);
	int code = ok ? PGM_EXIT_OK : pgm_cli_fail(cli, &err);
	if (json)
		pgm_copy_in_print_json(&options, &result, ok ? NULL : &err);
	else if (!ok || !shown.quiet)
		pgm_copy_in_print(cli, &options, &result, ok ? NULL : &err);
	if (!ok)
		return result.begun ? PGM_EXIT_FAILED : code;
	return result.rejected ? PGM_EXIT_FOUND : PGM_EXIT_OK;
}

static const struct pgm_option options[] = {
	{0, "format", "FORMAT", "csv, tsv or ndjson (default: by the file's name, else csv)"},
	{0, "header", "HOW", "yes: it names the columns (default); no; match: it must be as the table's"},
	{0, "columns", "NAME,...", "the columns of the fields; of NDJSON, the keys that count"},
	{0, "delimiter", "LETTER", "between fields (default: a comma; of TSV, a tab)"},
	{0, "quote", "LETTER", "around fields of CSV (default \")"},
	{0, "escape", "LETTER", "before a quote in quotes (default: the quote itself)"},
	{0, "null", "TEXT", "what stands for NULL, unquoted (default: nothing; of TSV, \\N)"},
	{0, "ignore-unknown", NULL, "leave columns and keys out that the table does not have"},
	{0, "on-conflict", "KEY,...", "upsert: the columns of the unique key"},
	{0, "do", "WHAT", "with the row that has the key already: update (default) or nothing"},
	{0, "reject", "FILE", "put rows that are refused there, and why into FILE.reasons, and go on"},
	{0, "max-rejects", "COUNT", "stop when more are refused (default 1000)"},
	{0, "resume", NULL, "go on behind the last row that an earlier run committed"},
	{0, "restart", NULL, "begin anew though an earlier run did not end; its rows stay"},
	{0, "atomic", NULL, "load all files in one transaction"},
	{0, "commit-every", "SIZE", "how much of a file is one transaction, about (default 64MB)"},
	{0, "max-row", "SIZE", "a longer row ends the load, and memory is bounded by it (default 1GB)"},
	{'n', "dry-run", NULL, "check every row and write none"},
	{0, "lock-timeout", "TIME", "one try for a lock (default 1s)"},
	{0, "max-wait", "TIME", "how long to wait for locks and rows that others hold (default 10min)"},
	{0, "json", NULL, "print the result as JSON"},
	{'q', "quiet", NULL, "print nothing but errors"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_copy_in = {
	.name = "copy-in",
	.summary = "load CSV, TSV or NDJSON files into a table, resumably",
	.operands = "TABLE [FILE...]",
	.operands_min = 1,
	.flags = PGM_CMD_CONNECTS | PGM_CMD_FILES,
	.description =
		"Loads files (gzipped too; - or none: standard input) into a table, as fast as psql's \\copy "
		"where no more than that is asked. The columns are checked before the first row is sent. "
		"What "
		"is "
		"committed is recorded in the same transaction (schema pgmend), so after a Ctrl-C, a kill -9 "
		"or a crash of the server --resume goes on exactly behind the last row that is there.\n\n"
		"With --on-conflict rows are upserted, with --reject those that the server refuses go to a "
		"file "
		"and the others are loaded.",
	.options = options,
	.run = run,
};
