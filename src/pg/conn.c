#include "pg/conn.h"

#include "pg/conninfo.h"
#include "pg/result.h"
#include "util/clock.h"
#include "util/interrupt.h"
#include "util/utf8.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CANCEL_AGAIN_MS 200

struct pgm_conn {
	PGconn *pq;
	PGcancel *cancel;
	char *search_path;
	bool standby;
	bool hooked;
	double answer_ms; /* 0: any time */
	bool late;	  /* an answer did not come within it */
};

/* Before any other statement, so that each has its limit. */
static const char *const limits_sql = PGM_CONN_MARKER "SET lock_timeout = 200; SET statement_timeout = 60000";

static const char *const setup_sql = PGM_CONN_MARKER
	"SET search_path = pg_catalog; SET idle_in_transaction_session_timeout = 0; SET DateStyle = ISO; "
	"SET IntervalStyle = postgres; SET standard_conforming_strings = on; "
	"SET bytea_output = hex; SET client_min_messages = warning";

static bool setup(struct pgm_conn *conn, struct pgm_error *err)
{
	int version = PQserverVersion(conn->pq);
	if (version < PGM_CONN_OLDEST) {
		pgm_error_set(err, PGM_ERR_RIGHTS, "the server runs PostgreSQL %s, which is older than 13",
			      PQparameterStatus(conn->pq, "server_version"));
		return pgm_error_hint(err, "pgmend works with PostgreSQL 13 and later.");
	}
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_rows rows;
	if (!pgm_conn_exec(conn, limits_sql, err) ||
	    !pgm_conn_query(
		    conn, arena,
		    "SELECT pg_catalog.current_setting('search_path'), pg_catalog.pg_is_in_recovery()", 0,
		    NULL, &rows, err))
		return false;
	conn->search_path = strdup(pgm_rows_text(&rows, 0, 0));
	conn->standby = pgm_rows_bool(&rows, 0, 1);
	return pgm_conn_exec(conn, setup_sql, err);
}

static struct pgm_conn *finish_open(PGconn *pq, bool as_is, double answer_ms, struct pgm_error *err)
{
	if (!pq || PQstatus(pq) != CONNECTION_OK) {
		const char *text = pq ? PQerrorMessage(pq) : "out of memory";
		size_t length = strlen(text);
		while (length && text[length - 1] == '\n')
			length--;
		pgm_error_set(err, PGM_ERR_CONNECT, "%.*s", (int)length, text);
		if (pq && PQconnectionNeedsPassword(pq))
			pgm_error_hint(err, "Give the password in ~/.pgpass or PGPASSWORD.");
		else
			pgm_error_hint(err, "Check that the server runs there, and the host, port, user and "
					    "database.");
		PQfinish(pq);
		return NULL;
	}
	struct pgm_conn *conn = calloc(1, sizeof(*conn));
	if (!conn)
		abort();
	conn->pq = pq;
	conn->answer_ms = answer_ms;
	PQsetNoticeProcessor(pq, pgm_result_ignore_notice, NULL);
	conn->cancel = PQgetCancel(pq);
	if (!as_is && !setup(conn, err)) {
		pgm_conn_close(conn);
		return NULL;
	}
	return conn;
}

/* Whether a connection string, or a bare name, says which database. */
static bool names_database(const char *conninfo)
{
	if (!conninfo || !*conninfo)
		return false;
	bool named = false;
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	for (PQconninfoOption *option = parsed; option && option->keyword; option++)
		named |= strcmp(option->keyword, "dbname") == 0 && option->val && *option->val;
	PQconninfoFree(parsed);
	return named || (!parsed && !strchr(conninfo, '='));
}

enum session { SET_UP, AS_IS, CONSOLE };

size_t pgm_conn_keywords(const struct pgm_conn_options *options, bool console, const char **keys,
			 const char **values)
{
	/* As psql does: dbname comes first and is expanded, what follows overrides it. */
	size_t n = 0;
	const char *database = options->conninfo ? options->conninfo : options->dbname;
#define SET(key, value)              \
	if (value) {                 \
		keys[n] = key;       \
		values[n++] = value; \
	}
	SET("host", options->host)
	SET("port", options->port)
	SET("user", options->user)
	SET("password", options->password)
	SET("dbname", database)
	if (options->conninfo && options->dbname)
		SET("dbname", options->dbname)
	if (console && !options->dbname && !names_database(options->conninfo))
		SET("dbname", "pgbouncer")
	SET("client_encoding", "UTF8")
	if (!getenv("PGCONNECT_TIMEOUT") &&
	    !(options->conninfo && strstr(options->conninfo, "connect_timeout")))
		SET("connect_timeout", options->connect_timeout ? options->connect_timeout : "15")
	if (!(options->conninfo && strstr(options->conninfo, "tcp_user_timeout")))
		SET("tcp_user_timeout", options->tcp_user_timeout)
#undef SET
	return n;
}

static struct pgm_conn *open_session(const struct pgm_conn_options *options, enum session kind,
				     struct pgm_error *err)
{
	if (!pgm_conninfo_check(options->conninfo, err))
		return NULL;
	const char *keys[PGM_CONN_KEYWORDS], *values[PGM_CONN_KEYWORDS];
	size_t n = pgm_conn_keywords(options, kind == CONSOLE, keys, values);
	keys[n] = "fallback_application_name";
	values[n++] = "pgmend";
	keys[n] = NULL;
	values[n] = NULL;
	return finish_open(PQconnectdbParams(keys, values, 1), kind != SET_UP, options->answer_ms, err);
}

struct pgm_conn *pgm_conn_open(const struct pgm_conn_options *options, struct pgm_error *err)
{
	return open_session(options, SET_UP, err);
}

struct pgm_conn *pgm_conn_open_console(const struct pgm_conn_options *options, struct pgm_error *err)
{
	return open_session(options, CONSOLE, err);
}

struct pgm_conn *pgm_conn_open_as_is(const struct pgm_conn_options *options, struct pgm_error *err)
{
	return open_session(options, AS_IS, err);
}

PGconn *pgm_conn_pq(struct pgm_conn *conn)
{
	return conn->pq;
}

struct pg_conn *pgm_conn_libpq(struct pgm_conn *conn)
{
	return conn->pq;
}

bool pgm_conn_show(struct pgm_conn *conn, struct pgm_arena *arena, const char *command, char ***names,
		   struct pgm_rows *rows, struct pgm_error *err)
{
	PGresult *result = PQexec(conn->pq, command);
	bool ok = pgm_result_check(conn->pq, result, err);
	if (ok) {
		pgm_result_copy(result, arena, rows);
		*names = PGM_NEW_ARRAY(arena, char *, rows->columns);
		for (size_t i = 0; i < rows->columns; i++)
			(*names)[i] = pgm_strdup(arena, PQfname(result, (int)i));
		for (size_t i = 0; i < rows->count * rows->columns; i++)
			if (rows->cells[i])
				pgm_utf8_mend(rows->cells[i]);
	}
	PQclear(result);
	return ok;
}

struct pgm_conn *pgm_conn_clone(const struct pgm_conn *conn, struct pgm_error *err)
{
	PQconninfoOption *options = PQconninfo(conn->pq);
	const char *keys[128], *values[128];
	size_t n = 0;
	for (PQconninfoOption *option = options; option && option->keyword && n < 126; option++) {
		if (!option->val || !*option->val)
			continue;
		keys[n] = option->keyword;
		values[n++] = option->val;
	}
	keys[n] = NULL;
	values[n] = NULL;
	struct pgm_conn *clone = finish_open(PQconnectdbParams(keys, values, 0), false, conn->answer_ms, err);
	PQconninfoFree(options);
	return clone;
}

void pgm_conn_close(struct pgm_conn *conn)
{
	if (!conn)
		return;
	if (conn->hooked)
		pgm_interrupt_unhook(conn);
	PQfreeCancel(conn->cancel);
	PQfinish(conn->pq);
	free(conn->search_path);
	free(conn);
}

int pgm_conn_version(const struct pgm_conn *conn)
{
	return PQserverVersion(conn->pq);
}

int pgm_conn_pid(const struct pgm_conn *conn)
{
	return PQbackendPID(conn->pq);
}

const char *pgm_conn_database(const struct pgm_conn *conn)
{
	return PQdb(conn->pq);
}

const char *pgm_conn_user(const struct pgm_conn *conn)
{
	return PQuser(conn->pq);
}

const char *pgm_conn_host(const struct pgm_conn *conn)
{
	return PQhost(conn->pq);
}

const char *pgm_conn_port(const struct pgm_conn *conn)
{
	return PQport(conn->pq);
}

const char *pgm_conn_search_path(const struct pgm_conn *conn)
{
	return conn->search_path;
}

bool pgm_conn_is_standby(const struct pgm_conn *conn)
{
	return conn->standby;
}

bool pgm_conn_in_failed_transaction(const struct pgm_conn *conn)
{
	return PQtransactionStatus(conn->pq) == PQTRANS_INERROR;
}

bool pgm_conn_alive(const struct pgm_conn *conn)
{
	return PQstatus(conn->pq) == CONNECTION_OK && !conn->late;
}

static bool refused_by_interrupt(struct pgm_error *err)
{
	if (!pgm_interrupted())
		return false;
	pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
	return true;
}

/* The session is given up. To ask for a cancel would wait for the same server. */
static bool give_up(struct pgm_conn *conn, struct pgm_error *err)
{
	conn->late = true;
	return pgm_error_set(err, PGM_ERR_TIMEOUT, "the server did not answer within %.0f ms",
			     conn->answer_ms);
}

static bool exec_in_time(struct pgm_conn *conn, const char *sql, struct pgm_error *err)
{
	bool done;
	return pgm_conn_start(conn, sql, err) && pgm_conn_poll(conn, conn->answer_ms, &done, err) &&
	       (done || give_up(conn, err));
}

static bool query_in_time(struct pgm_conn *conn, struct pgm_arena *arena,
			  const struct pgm_conn_statement *statement, struct pgm_rows *rows,
			  struct pgm_error *err)
{
	double until_ms = pgm_clock_ms() + conn->answer_ms;
	if (!pgm_conn_pipeline_send(conn, 1, statement, err))
		return false;
	pgm_conn_wait_any(&conn, &until_ms, 1);
	if (pgm_clock_ms() >= until_ms)
		return give_up(conn, err);
	return pgm_conn_pipeline_receive(conn, arena, 1, until_ms, rows, err);
}

bool pgm_conn_exec(struct pgm_conn *conn, const char *sql, struct pgm_error *err)
{
	if (refused_by_interrupt(err))
		return false;
	if (conn->answer_ms > 0)
		return exec_in_time(conn, sql, err);
	PGresult *result = PQexec(conn->pq, sql);
	bool ok = pgm_result_check(conn->pq, result, err);
	PQclear(result);
	return ok;
}

void pgm_conn_exec_quietly(struct pgm_conn *conn, const char *sql)
{
	struct pgm_error ignored;
	if (conn->answer_ms <= 0)
		PQclear(PQexec(conn->pq, sql));
	else if (!conn->late)
		exec_in_time(conn, sql, &ignored);
}

/* Where the statement begins, after the space and line comments that our .sql files start with. */
static const char *first_word(const char *sql)
{
	for (;;) {
		sql += strspn(sql, " \t\r\n");
		if (strncmp(sql, "--", 2) != 0)
			return sql;
		sql += strcspn(sql, "\n");
	}
}

/* After the first word: PostgreSQL 18 no longer counts a comment before it to the statement. */
static char *with_marker(const char *sql)
{
	sql = first_word(sql);
	size_t word = strspn(sql, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	char *marked = malloc(strlen(sql) + strlen(PGM_CONN_MARKER) + 2);
	if (!marked)
		abort();
	sprintf(marked, "%.*s%s" PGM_CONN_MARKER "%s", (int)word, sql, word ? " " : "", sql + word);
	return marked;
}

bool pgm_conn_query(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, struct pgm_rows *rows, struct pgm_error *err)
{
	if (refused_by_interrupt(err))
		return false;
	if (conn->answer_ms > 0)
		return query_in_time(conn, arena, &(struct pgm_conn_statement){sql, param_count, params},
				     rows, err);
	char *marked = with_marker(sql);
	PGresult *result = PQexecParams(conn->pq, marked, (int)param_count, NULL, params, NULL, NULL, 0);
	free(marked);
	bool ok = pgm_result_check(conn->pq, result, err);
	if (ok)
		pgm_result_copy(result, arena, rows);
	PQclear(result);
	return ok;
}

bool pgm_conn_value(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, char **value, struct pgm_error *err)
{
	struct pgm_rows rows;
	*value = NULL;
	if (!pgm_conn_query(conn, arena, sql, param_count, params, &rows, err))
		return false;
	if (rows.count && rows.columns)
		*value = pgm_rows_get(&rows, 0, 0);
	return true;
}

/* What to wait for: also for room, where not all has been sent yet. */
static short poll_events(struct pgm_conn *conn)
{
	return PQisnonblocking(conn->pq) && PQflush(conn->pq) == 1 ? POLLIN | POLLOUT : POLLIN;
}

/* Until an answer is there; canceled where it is late, and again, for a cancel may come between two
 * statements. */
static bool wait_within(struct pgm_conn *conn, double *until_ms)
{
	while (PQisBusy(conn->pq)) {
		double left = *until_ms > 0 ? *until_ms - pgm_clock_ms() : CANCEL_AGAIN_MS;
		if (*until_ms > 0 && left <= 0) {
			pgm_conn_cancel(conn);
			*until_ms = pgm_clock_ms() + CANCEL_AGAIN_MS;
			continue;
		}
		struct pollfd wait = {.fd = PQsocket(conn->pq), .events = poll_events(conn)};
		poll(&wait, 1, (int)left + 1);
		if (!PQconsumeInput(conn->pq))
			return false;
	}
	return true;
}

/*
 * All answers up to that to the Sync. An error may come with it, behind the last statement: what waits for
 * the end of a transaction, or a cancel that was late. It stands before the answer, which would else be taken
 * for that of the next pipeline.
 */
static bool receive(struct pgm_conn *conn, struct pgm_arena *arena, size_t count, double until_ms,
		    struct pgm_rows *rows, size_t *failed, struct pgm_error *err)
{
	bool ok = true;
	for (size_t i = 0; i <= count + 1;) {
		if (!wait_within(conn, &until_ms))
			return pgm_result_connection_error(conn->pq, err);
		PGresult *result = PQgetResult(conn->pq);
		bool end = !result; /* of one statement */
		if (end && PQstatus(conn->pq) != CONNECTION_OK)
			return ok && pgm_result_connection_error(conn->pq, err);
		bool sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		if (result && !sync && ok) {
			ok = pgm_result_check(conn->pq, result, err);
			if (ok && i < count)
				pgm_result_copy(result, arena, &rows[i]);
			else if (!ok && failed)
				*failed = i;
		}
		PQclear(result);
		if (sync)
			return ok;
		i += end;
	}
	return ok && pgm_error_set(err, PGM_ERR_CONNECT, "the server's answers are out of step");
}

static bool send_pipeline(struct pgm_conn *conn, size_t count, const struct pgm_conn_statement *statements,
			  struct pgm_error *err)
{
	if (refused_by_interrupt(err))
		return false;
	if (!PQenterPipelineMode(conn->pq))
		return pgm_result_connection_error(conn->pq, err);
	bool sent = true;
	for (size_t i = 0; sent && i < count; i++) {
		char *marked = with_marker(statements[i].sql);
		sent = PQsendQueryParams(conn->pq, marked, (int)statements[i].param_count, NULL,
					 statements[i].params, NULL, NULL, 0);
		free(marked);
	}
	return (sent && PQpipelineSync(conn->pq)) || pgm_result_connection_error(conn->pq, err);
}

static bool pipeline(struct pgm_conn *conn, struct pgm_arena *arena, size_t count,
		     const struct pgm_conn_statement *statements, double limit_ms, struct pgm_rows *rows,
		     size_t *failed, struct pgm_error *err)
{
	if (!send_pipeline(conn, count, statements, err))
		return false;
	bool ok =
		receive(conn, arena, count, limit_ms > 0 ? pgm_clock_ms() + limit_ms : 0, rows, failed, err);
	PQexitPipelineMode(conn->pq);
	return ok;
}

bool pgm_conn_pipeline_send(struct pgm_conn *conn, size_t count, const struct pgm_conn_statement *statements,
			    struct pgm_error *err)
{
	/* The server reads on when it has answered: with much to send, that is later than we want to wait. */
	PQsetnonblocking(conn->pq, 1);
	bool ok = send_pipeline(conn, count, statements, err);
	if (!ok)
		PQsetnonblocking(conn->pq, 0);
	return ok;
}

bool pgm_conn_pipeline_receive(struct pgm_conn *conn, struct pgm_arena *arena, size_t count, double until_ms,
			       struct pgm_rows *rows, struct pgm_error *err)
{
	bool ok = receive(conn, arena, count, until_ms, rows, NULL, err);
	PQexitPipelineMode(conn->pq);
	PQsetnonblocking(conn->pq, 0);
	return ok;
}

size_t pgm_conn_wait_any(struct pgm_conn *const *conns, const double *until_ms, size_t count)
{
	struct pollfd waits[PGM_CONN_WAIT_MAX];
	for (;;) {
		double left = CANCEL_AGAIN_MS, now = pgm_clock_ms();
		for (size_t i = 0; i < count && i < PGM_CONN_WAIT_MAX; i++) {
			if (!PQconsumeInput(conns[i]->pq) || !PQisBusy(conns[i]->pq) ||
			    (until_ms[i] > 0 && until_ms[i] <= now))
				return i;
			left = until_ms[i] > 0 && until_ms[i] - now < left ? until_ms[i] - now : left;
			waits[i] = (struct pollfd){.fd = PQsocket(conns[i]->pq),
						   .events = poll_events(conns[i])};
		}
		poll(waits, count < PGM_CONN_WAIT_MAX ? count : PGM_CONN_WAIT_MAX, (int)left + 1);
	}
}

bool pgm_conn_pipeline(struct pgm_conn *conn, struct pgm_arena *arena, size_t count, const char *const *sqls,
		       struct pgm_rows *rows, size_t *failed, struct pgm_error *err)
{
	struct pgm_conn_statement *statements = PGM_NEW_ARRAY(arena, struct pgm_conn_statement, count);
	for (size_t i = 0; i < count; i++)
		statements[i] = (struct pgm_conn_statement){.sql = sqls[i]};
	return pipeline(conn, arena, count, statements, 0, rows, failed, err);
}

bool pgm_conn_pipeline_within(struct pgm_conn *conn, struct pgm_arena *arena, size_t count,
			      const struct pgm_conn_statement *statements, double limit_ms,
			      struct pgm_rows *rows, struct pgm_error *err)
{
	return pipeline(conn, arena, count, statements, limit_ms, rows, NULL, err);
}

bool pgm_conn_start(struct pgm_conn *conn, const char *sql, struct pgm_error *err)
{
	if (refused_by_interrupt(err))
		return false;
	if (!PQsendQuery(conn->pq, sql))
		return pgm_result_connection_error(conn->pq, err);
	return true;
}

bool pgm_conn_poll(struct pgm_conn *conn, double timeout_ms, bool *done, struct pgm_error *err)
{
	double deadline = pgm_clock_ms() + timeout_ms;
	*done = false;
	for (;;) {
		if (!PQconsumeInput(conn->pq)) {
			*done = true;
			return pgm_result_connection_error(conn->pq, err);
		}
		if (!PQisBusy(conn->pq))
			break;
		double left = deadline - pgm_clock_ms();
		if (left <= 0)
			return true;
		struct pollfd wait = {.fd = PQsocket(conn->pq), .events = POLLIN};
		poll(&wait, 1, (int)left + 1);
	}
	*done = true;
	bool ok = true;
	PGresult *result;
	while ((result = PQgetResult(conn->pq)) != NULL) {
		if (ok)
			ok = pgm_result_check(conn->pq, result, err);
		PQclear(result);
	}
	return ok;
}

void pgm_conn_cancel(struct pgm_conn *conn)
{
	char ignored[256];
	if (conn->cancel)
		PQcancel(conn->cancel, ignored, sizeof(ignored));
}

static void cancel_hook(void *conn)
{
	pgm_conn_cancel(conn);
}

void pgm_conn_cancel_on_interrupt(struct pgm_conn *conn)
{
	if (!conn->hooked)
		conn->hooked = pgm_interrupt_hook(cancel_hook, conn);
}
