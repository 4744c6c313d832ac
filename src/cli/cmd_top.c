/*
 * pgmend top: the statements that a pooler is serving, live. It reads SHOW QUERIES from the console; what it
 * shows in a round is what was added since the one before.
 */
#include "cli/commands.h"
#include "cli/top_pool.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/interrupt.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define LINES_DEFAULT  20
#define WIDTH_DEFAULT  200 /* of what goes elsewhere than to a terminal */
#define WIDTH_WIDE     120 /* below it some columns are left out */
#define OVERHEAD_LINES 4   /* heading, a blank line, the table's head, the cursor's */

struct query {
	const char *database, *user, *fingerprint, *text;
	double calls, errors, rows, total_ms, mean_ms, p50_ms, p95_ms, p99_ms, max_ms, wait_p95_ms,
		wait_total_ms, n_plus_one;
	double new_calls, new_ms, new_errors; /* since the round before */
};

struct round {
	struct pgm_arena *arena;
	struct pgm_top_pool pool;
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

static const char *cell(const struct pgm_rows *rows, size_t row, const char *name)
{
	size_t c = pgm_rows_column(rows, name);
	return c < rows->columns ? pgm_rows_text(rows, row, c) : "";
}

static struct query read_query(const struct pgm_rows *rows, size_t row)
{
#define NUMBER(name) strtod(cell(rows, row, #name), NULL)
	struct query query = {
		.database = cell(rows, row, "database"),
		.user = cell(rows, row, "user"),
		.fingerprint = cell(rows, row, "fingerprint"),
		.text = cell(rows, row, "query"),
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
	if (!pgm_top_pool_read(conn, round->arena, &round->pool, err))
		return false;
	round->queries = PGM_NEW_ARRAY(round->arena, struct query, rows.count + 1);
	round->count = rows.count;
	round->at_ms = pgm_clock_ms();
	for (size_t i = 0; i < rows.count; i++)
		round->queries[i] = read_query(&rows, i);
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

/* Each line up to the screen's edge: one that goes on below would push the heading off the screen. */
static void print_lines(const char *text, size_t width)
{
	while (*text) {
		size_t length = strcspn(text, "\n"), shown = 0, cells = 0;
		for (; shown < length; shown++)
			if (((unsigned char)text[shown] & 0xc0) != 0x80 && cells++ == width)
				break;
		printf("%.*s\n", (int)shown, text);
		text += length + (text[length] == '\n');
	}
}

static void add_row(struct pgm_table *table, const struct round *round, const struct query *query,
		    double all_ms, bool wide)
{
	struct pgm_arena *arena = round->arena;
	const char *cells[12];
	size_t n = 0;
	cells[n++] = pgm_sprintf(arena, "%.1f", all_ms > 0 ? 100 * query->new_ms / all_ms : 0);
	cells[n++] = pgm_sprintf(arena, "%.0f", query->new_calls);
	cells[n++] = round->seconds > 0 ? pgm_sprintf(arena, "%.1f", query->new_calls / round->seconds) : "";
	cells[n++] = ms(arena, query->mean_ms);
	cells[n++] = ms(arena, query->p95_ms);
	if (wide) {
		cells[n++] = ms(arena, query->p99_ms);
		cells[n++] = ms(arena, query->max_ms);
	}
	cells[n++] = ms(arena, query->wait_p95_ms);
	cells[n++] = pgm_sprintf(arena, "%.0f", query->new_errors);
	cells[n++] = pgm_sprintf(arena, "%.0f", query->n_plus_one);
	if (wide)
		cells[n++] = pgm_sprintf(arena, "%s/%s", pgm_safe_text(arena, query->database, false),
					 pgm_safe_text(arena, query->user, false));
	cells[n++] = pgm_safe_text(arena, query->text, false);
	pgm_table_row(table, cells);
}

static void print_table(const struct round *round, size_t lines, size_t width)
{
	static const char *const all[] = {"time%",  "calls", "calls/s",	      "mean ms",
					  "P95",    "P99",   "max",	      "wait P95",
					  "errors", "N+1",   "database/user", "query"};
	static const char *const some[] = {"time%",    "calls",	 "calls/s", "mean ms", "P95",
					   "wait P95", "errors", "N+1",	    "query"};
	bool wide = width >= WIDTH_WIDE;
	struct pgm_table *table =
		pgm_table_new(round->arena, wide ? "rrrrrrrrrrll" : "rrrrrrrrl", wide ? all : some);
	double all_ms = 0;
	for (size_t i = 0; i < round->count; i++)
		all_ms += round->queries[i].new_ms;
	for (size_t i = 0; i < round->count && i < lines; i++)
		add_row(table, round, &round->queries[i], all_ms, wide);
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	if (!memory)
		abort();
	pgm_table_print(table, memory);
	fclose(memory);
	print_lines(text, width);
	free(text);
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
static void print_json(const struct round *round, const struct round *before, size_t lines)
{
	json_t *queries = json_array();
	for (size_t i = 0; i < round->count && i < lines; i++)
		json_array_append_new(queries, query_json(&round->queries[i]));
	json_t *top =
		json_pack("{s:s, s:f, s:o, s:o}", "schema", "pgmend.top/1", "seconds", round->seconds, "pool",
			  pgm_top_pool_json(&round->pool, before ? &before->pool : NULL), "queries", queries);
	json_dumpf(top, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	fflush(stdout);
	json_decref(top);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;
	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void print_round(const struct pgm_conn *conn, const struct round *round, const struct round *before,
			bool once, int64_t limit)
{
	bool is_screen = !once && pgm_term_is_tty(stdout);
	size_t lines = (size_t)limit,
	       width = pgm_term_is_tty(stdout) ? (size_t)pgm_term_width(stdout) : WIDTH_DEFAULT;
	const char *of_pool =
		pgm_top_pool_text(round->arena, &round->pool, before ? &before->pool : NULL, round->seconds);
	if (is_screen) {
		int fit = terminal_lines() - OVERHEAD_LINES - (int)count_lines(of_pool);
		if (limit == 0)
			lines = fit > 1 ? (size_t)fit : 1;
		fputs("\033[H\033[J", stdout);
	}
	if (lines == 0)
		lines = LINES_DEFAULT;
	const char *since = round->seconds > 0
				    ? pgm_sprintf(round->arena, "the last %.1f seconds", round->seconds)
				    : "since the pooler began";
	print_lines(pgm_sprintf(round->arena, "%s:%s, %zu statements, %s\n%s", pgm_conn_host(conn),
				pgm_conn_port(conn), round->count, since, of_pool),
		    width);
	putchar('\n');
	print_table(round, lines, width);
	fflush(stdout);
}

/* ---- the keyboard ---- */

static struct termios cooked; /* as the terminal was */

/* Keys come at once and unseen; false: nobody is at a keyboard. */
static bool read_keys(void)
{
	struct termios raw;
	if (!isatty(STDIN_FILENO) || !pgm_term_is_tty(stdout) || tcgetattr(STDIN_FILENO, &cooked) != 0)
		return false;
	raw = cooked;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* Until the next round; false: q was pressed, or the terminal is gone. */
static bool wait_for_round(bool keys, double interval_ms)
{
	double until_ms = pgm_clock_ms() + interval_ms, left_ms;
	if (!keys) {
		pgm_clock_sleep_ms(interval_ms);
		return true;
	}
	while (!pgm_interrupted() && (left_ms = until_ms - pgm_clock_ms()) > 0) {
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		char key;
		if (poll(&input, 1, (int)left_ms + 1) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
			return false;
	}
	return true;
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
	bool once = pgm_cli_flag(cli, "once"), keys = !once && format == PGM_FORMAT_TEXT && read_keys(),
	     ok = true;
	struct round rounds[2] = {{.arena = pgm_arena_new(0)}, {.arena = pgm_arena_new(0)}};
	for (size_t n = 0; ok && !pgm_interrupted(); n++) {
		struct round *round = &rounds[n & 1];
		pgm_arena_reset(round->arena);
		ok = read_round(conn, round, err);
		if (!ok)
			break;
		const struct round *before = n ? &rounds[!(n & 1)] : NULL;
		subtract(round, before);
		qsort(round->queries, round->count, sizeof(struct query), compare);
		if (format == PGM_FORMAT_JSON)
			print_json(round, before, limit ? (size_t)limit : round->count);
		else
			print_round(conn, round, before, once, limit);
		if (once || !wait_for_round(keys, (double)interval_ms))
			break;
	}
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
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
		"Reads from the admin console of pgmend pool which statements took the most time since the "
		"round before, with percentiles, waits in the queue, errors and N+1; and above them the "
		"clients, servers and transactions, who keeps a server and why, and what is paused.\n\n"
		"CONNINFO is the pooler's address; the database is pgbouncer unless one is named. q or "
		"Ctrl-C ends it.",
	.options = options,
	.run = run,
};
