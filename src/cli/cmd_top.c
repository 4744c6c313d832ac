/*
 * pgmend top: the statements that a pooler is serving, live. It reads SHOW QUERIES from the console; what it
 * shows in a round is what was added since the one before.
 */
#include "cli/commands.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/interrupt.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_DEFAULT  20
#define OVERHEAD_LINES 4 /* heading, the table's head */

struct query {
	const char *database, *user, *fingerprint, *text;
	double calls, errors, rows, total_ms, mean_ms, p50_ms, p95_ms, p99_ms, max_ms, wait_p95_ms,
		wait_total_ms, n_plus_one;
	double new_calls, new_ms, new_errors; /* since the round before */
};

struct round {
	struct pgm_arena *arena;
	struct query *queries;
	size_t count;
	double at_ms;
	double seconds; /* since the round before; 0: there is none */
};

/* How each key orders; all with the largest first. */
static const struct sort {
	const char *key;
	size_t offset;
} sorts[] = {
	{"time", offsetof(struct query, new_ms)},	 {"calls", offsetof(struct query, new_calls)},
	{"mean", offsetof(struct query, mean_ms)},	 {"p95", offsetof(struct query, p95_ms)},
	{"p99", offsetof(struct query, p99_ms)},	 {"max", offsetof(struct query, max_ms)},
	{"wait", offsetof(struct query, wait_total_ms)}, {"errors", offsetof(struct query, new_errors)},
	{"rows", offsetof(struct query, rows)},		 {"n+1", offsetof(struct query, n_plus_one)},
};

static size_t sort_offset;

static int compare(const void *a, const void *b)
{
	double left, right;
	memcpy(&left, (const char *)a + sort_offset, sizeof(left));
	memcpy(&right, (const char *)b + sort_offset, sizeof(right));
	if (left != right)
		return left < right ? 1 : -1;
	return strcmp(((const struct query *)a)->fingerprint, ((const struct query *)b)->fingerprint);
}

static const char *cell(const struct pgm_rows *rows, char **names, size_t row, const char *name)
{
	for (size_t i = 0; i < rows->columns; i++)
		if (strcmp(names[i], name) == 0)
			return rows->cells[row * rows->columns + i] ? rows->cells[row * rows->columns + i]
								    : "";
	return "";
}

static struct query read_query(const struct pgm_rows *rows, char **names, size_t row)
{
#define NUMBER(name) strtod(cell(rows, names, row, #name), NULL)
	struct query query = {
		.database = cell(rows, names, row, "database"),
		.user = cell(rows, names, row, "user"),
		.fingerprint = cell(rows, names, row, "fingerprint"),
		.text = cell(rows, names, row, "query"),
		.calls = NUMBER(calls),
		.errors = NUMBER(errors),
		.rows = NUMBER(rows),
		.total_ms = NUMBER(total_ms),
		.mean_ms = NUMBER(mean_ms),
		.p50_ms = NUMBER(p50_ms),
		.p95_ms = NUMBER(p95_ms),
		.p99_ms = NUMBER(p99_ms),
		.max_ms = NUMBER(max_ms),
		.wait_p95_ms = NUMBER(wait_p95_ms),
		.wait_total_ms = NUMBER(wait_total_ms),
		.n_plus_one = NUMBER(n_plus_one),
	};
#undef NUMBER
	return query;
}

static const char *key_of(struct pgm_arena *arena, const struct query *query)
{
	return pgm_sprintf(arena, "%s\n%s\n%s", query->fingerprint, query->database, query->user);
}

/* What is new in each since then; all of it where a statement, or the pooler, is new. */
static void subtract(struct round *now, const struct round *before)
{
	struct pgm_map known;
	pgm_map_init(&known, now->arena);
	for (size_t i = 0; before && i < before->count; i++)
		pgm_map_set(&known, key_of(now->arena, &before->queries[i]), &before->queries[i]);
	for (size_t i = 0; i < now->count; i++) {
		struct query *query = &now->queries[i];
		const struct query *old = before ? pgm_map_get(&known, key_of(now->arena, query)) : NULL;
		bool goes_on = old && old->calls <= query->calls;
		query->new_calls = query->calls - (goes_on ? old->calls : 0);
		query->new_ms = query->total_ms - (goes_on ? old->total_ms : 0);
		query->new_errors = query->errors - (goes_on ? old->errors : 0);
	}
	now->seconds = before ? (now->at_ms - before->at_ms) / 1000 : 0;
}

static bool read_round(struct pgm_conn *conn, struct round *round, struct pgm_error *err)
{
	struct pgm_rows rows;
	char **names;
	if (!pgm_conn_show(conn, round->arena, "SHOW QUERIES", &names, &rows, err))
		return pgm_error_context(err, "SHOW QUERIES");
	round->queries = PGM_NEW_ARRAY(round->arena, struct query, rows.count + 1);
	round->count = rows.count;
	round->at_ms = pgm_clock_ms();
	for (size_t i = 0; i < rows.count; i++)
		round->queries[i] = read_query(&rows, names, i);
	return true;
}

static int terminal_lines(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

static const char *ms(struct pgm_arena *arena, double value)
{
	return pgm_sprintf(arena, value < 10 ? "%.2f" : value < 1000 ? "%.1f" : "%.0f", value);
}

/* The first cells of a text, of which there is room for so many. */
static const char *cut(struct pgm_arena *arena, const char *text, size_t cells)
{
	size_t length = 0;
	for (; text[length] && cells > 0; cells--)
		do
			length++;
		while (((unsigned char)text[length] & 0xc0) == 0x80);
	return pgm_strndup(arena, text, length);
}

static void print_table(const struct round *round, size_t lines)
{
	static const char *const headers[] = {"time%",	"calls", "calls/s",	  "mean ms",
					      "P95",	"P99",	 "max",		  "wait P95",
					      "errors", "N+1",	 "database/user", "query"};
	struct pgm_arena *arena = round->arena;
	struct pgm_table *table = pgm_table_new(arena, "rrrrrrrrrrll", headers);
	double all_ms = 0;
	size_t width = pgm_term_is_tty(stdout) ? (size_t)pgm_term_width(stdout) : 200;
	for (size_t i = 0; i < round->count; i++)
		all_ms += round->queries[i].new_ms;
	for (size_t i = 0; i < round->count && i < lines; i++) {
		const struct query *query = &round->queries[i];
		const char *cells[] = {
			pgm_sprintf(arena, "%.1f", all_ms > 0 ? 100 * query->new_ms / all_ms : 0),
			pgm_sprintf(arena, "%.0f", query->new_calls),
			round->seconds > 0 ? pgm_sprintf(arena, "%.1f", query->new_calls / round->seconds)
					   : "",
			ms(arena, query->mean_ms),
			ms(arena, query->p95_ms),
			ms(arena, query->p99_ms),
			ms(arena, query->max_ms),
			ms(arena, query->wait_p95_ms),
			pgm_sprintf(arena, "%.0f", query->new_errors),
			pgm_sprintf(arena, "%.0f", query->n_plus_one),
			pgm_sprintf(arena, "%s/%s", pgm_safe_text(arena, query->database, false),
				    pgm_safe_text(arena, query->user, false)),
			cut(arena, pgm_safe_text(arena, query->text, false), width > 120 ? width - 100 : 20),
		};
		pgm_table_row(table, cells);
	}
	pgm_table_print(table, stdout);
}

static json_t *query_json(const struct query *query)
{
	return json_pack(
		"{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s}",
		"database", query->database, "user", query->user, "fingerprint", query->fingerprint, "calls",
		query->calls, "new_calls", query->new_calls, "errors", query->errors, "rows", query->rows,
		"total_ms", query->total_ms, "new_ms", query->new_ms, "mean_ms", query->mean_ms, "p50_ms",
		query->p50_ms, "p95_ms", query->p95_ms, "p99_ms", query->p99_ms, "max_ms", query->max_ms,
		"wait_p95_ms", query->wait_p95_ms, "wait_total_ms", query->wait_total_ms, "n_plus_one",
		query->n_plus_one, "query", query->text);
}

/* One document a line, so that a reader can follow. */
static void print_json(const struct round *round, size_t lines)
{
	json_t *queries = json_array();
	for (size_t i = 0; i < round->count && i < lines; i++)
		json_array_append_new(queries, query_json(&round->queries[i]));
	json_t *top = json_pack("{s:s, s:f, s:o}", "schema", "pgmend.top/1", "seconds", round->seconds,
				"queries", queries);
	json_dumpf(top, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	fflush(stdout);
	json_decref(top);
}

static void print_round(const struct pgm_conn *conn, const struct round *round, bool once, int64_t limit)
{
	size_t lines = (size_t)limit;
	if (!once && pgm_term_is_tty(stdout)) {
		int fit = terminal_lines() - OVERHEAD_LINES;
		if (limit == 0)
			lines = fit > 1 ? (size_t)fit : 1;
		fputs("\033[H\033[J", stdout);
	}
	if (lines == 0)
		lines = LINES_DEFAULT;
	printf("%s:%s, %zu statements", pgm_conn_host(conn), pgm_conn_port(conn), round->count);
	printf(round->seconds > 0 ? ", the last %.1f seconds\n\n" : ", since the pooler began\n\n",
	       round->seconds);
	print_table(round, lines);
	fflush(stdout);
}

static bool read_options(const struct pgm_cli *cli, enum pgm_format *format, int64_t *interval_ms,
			 int64_t *limit, struct pgm_error *err)
{
	const char *key = pgm_cli_value(cli, "sort");
	*interval_ms = 2000;
	*limit = 0;
	sort_offset = sorts[0].offset;
	if (!pgm_cli_format_among(cli, 1 << PGM_FORMAT_TEXT | 1 << PGM_FORMAT_JSON, format, err) ||
	    !pgm_cli_duration_ms(cli, "interval", interval_ms, err) ||
	    !pgm_cli_int(cli, "limit", 1, 100000, limit, err))
		return false;
	if (*interval_ms < 100)
		return pgm_error_set(err, PGM_ERR_USAGE, "--interval: 100ms is the least");
	for (size_t i = 0; key && i < sizeof(sorts) / sizeof(*sorts); i++)
		if (strcmp(sorts[i].key, key) == 0) {
			sort_offset = sorts[i].offset;
			return true;
		}
	if (!key)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "--sort: there is no key \"%s\"", key);
	return pgm_error_hint(err,
			      "The keys are time, calls, mean, p95, p99, max, wait, errors, rows and n+1.");
}

static bool show(const struct pgm_cli *cli, struct pgm_conn *conn, enum pgm_format format,
		 int64_t interval_ms, int64_t limit, struct pgm_error *err)
{
	bool once = pgm_cli_flag(cli, "once"), ok = true;
	struct round rounds[2] = {{.arena = pgm_arena_new(0)}, {.arena = pgm_arena_new(0)}};
	for (size_t n = 0; ok && !pgm_interrupted(); n++) {
		struct round *round = &rounds[n & 1];
		pgm_arena_reset(round->arena);
		ok = read_round(conn, round, err);
		if (!ok)
			break;
		subtract(round, n ? &rounds[!(n & 1)] : NULL);
		qsort(round->queries, round->count, sizeof(struct query), compare);
		if (format == PGM_FORMAT_JSON)
			print_json(round, limit ? (size_t)limit : round->count);
		else
			print_round(conn, round, once, limit);
		if (once)
			break;
		pgm_clock_sleep_ms((double)interval_ms);
	}
	pgm_arena_free(rounds[0].arena);
	pgm_arena_free(rounds[1].arena);
	return ok;
}

static int run(struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	enum pgm_format format;
	int64_t interval_ms, limit;
	if (!read_options(cli, &format, &interval_ms, &limit, &err))
		return pgm_cli_fail(cli, &err);
	PGM_AUTO_CONN conn = pgm_conn_open_console(&cli->connection, &err);
	bool ok = conn && show(cli, conn, format, interval_ms, limit, &err);
	return ok ? PGM_EXIT_OK : pgm_cli_fail(cli, &err);
}

static const struct pgm_option options[] = {
	{0, "once", NULL, "print one table of all since the pooler began, and end"},
	{'i', "interval", "TIME", "between two rounds (default 2s)"},
	{'s', "sort", "KEY", "time, calls, mean, p95, p99, max, wait, errors, rows or n+1 (default time)"},
	{'n', "limit", "N", "so many statements (default what fits)"},
	{0, "format", "FORMAT", "text or json: one document a round (default text)"},
	{0, NULL, NULL, NULL},
};

const struct pgm_cmd pgm_cmd_top = {
	.name = "top",
	.summary = "show the statements that a pooler serves, live",
	.operands = "",
	.flags = PGM_CMD_CONNECTS,
	.description =
		"Reads SHOW QUERIES from the admin console of pgmend pool and shows which statements took "
		"the "
		"most time since the round before, with percentiles, waits in the queue, errors and N+1.\n\n"
		"CONNINFO is the pooler's address; the database is pgbouncer unless one is named. Ctrl-C "
		"ends "
		"it.",
	.options = options,
	.run = run,
};
