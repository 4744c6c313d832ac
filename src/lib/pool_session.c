/*
 * One connection of a pool: opened and asked by a deadline, cleaned after its use. The caller alone has it;
 * no lock is held.
 */
#include "lib/error.h"
#include "lib/pool.h"
#include "util/clock.h"

#include <errno.h>
#include <libpq-events.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Results thrown away when a connection comes back; more is a query that still runs. */
#define LEFT_RESULTS_MAX 1000
/* Reads of what an idle connection sent by itself: notices, notifications. */
#define IDLE_READS_MAX 100
/* For an answer to a ping or a reset; sooner where connecting may not take as long. */
#define ANSWER_MAX_MS 5000

/* A notice nobody asked for: a library prints nothing. */
static void ignore_notice(void *context, const char *message)
{
	(void)context;
	(void)message;
}

/* True when the socket is ready (or broken: the next call to libpq says so); false at the deadline. */
static bool wait_socket(const PGconn *pg, short events, double deadline_ms)
{
	struct pollfd fd = {.fd = PQsocket(pg), .events = events};
	for (;;) {
		double left = deadline_ms - pgm_clock_ms();
		int timeout = left <= 0 ? 0 : left > INT_MAX - 1 ? -1 : (int)ceil(left);
		int ready = poll(&fd, 1, timeout);
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true;
		if (left <= 0)
			return false;
	}
}

/* ------------------------------------------------ what changed the session */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* By the result's command tag, and the name that the server gives to the column of a function. */
static bool result_changes_session(const PGresult *result)
{
	static const char *const tags[] = {"SET",     "RESET",	  "PREPARE", "DEALLOCATE", "DECLARE",
					   "LISTEN",  "UNLISTEN", "LOAD",    "DO",	   "CALL",
					   "DISCARD", "EXECUTE",  "CREATE"};
	static const char *const functions[] = {"set_config", "pg_advisory_lock", "pg_advisory_lock_shared",
						"pg_try_advisory_lock", "pg_try_advisory_lock_shared"};
	const char *tag = PQcmdStatus((PGresult *)result);
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (starts_with(tag, tags[i]))
			return true;
	/* CREATE TEMP TABLE ... AS counts as a SELECT, but gives no rows. */
	if (PQresultStatus(result) == PGRES_COMMAND_OK && starts_with(tag, "SELECT"))
		return true;
	const char *column = PQnfields(result) > 0 ? PQfname(result, 0) : NULL;
	for (size_t i = 0; column && i < sizeof(functions) / sizeof(*functions); i++)
		if (strcmp(column, functions[i]) == 0)
			return true;
	return false;
}

static int watch_results(PGEventId id, void *info, void *context)
{
	struct pgmend_conn *conn = context;
	if (id == PGEVT_RESULTCREATE && !conn->changed)
		conn->changed = result_changes_session(((PGEventResultCreate *)info)->result);
	return 1;
}

/* ------------------------------------------------ opening */

/*
 * The server's SQLSTATE, which libpq shows only inside its text: "FATAL:  28P01: ...", with a line LOCATION.
 * Both are taken out of the text, which may be about several hosts and attempts; the last one counts.
 */
static void split_connect_error(struct pgmend_error *err)
{
	for (char *at = err->message; (at = strstr(at, ":  ")); at += 3) {
		char *code = at + 3;
		if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || !starts_with(code + 5, ": "))
			continue;
		memcpy(err->sqlstate, code, 5);
		err->sqlstate[5] = '\0';
		memmove(code, code + 7, strlen(code + 7) + 1);
	}
	for (char *line = err->message; (line = strstr(line, "\nLOCATION:"));) {
		char *end = strchr(line + 1, '\n');
		if (end)
			memmove(line, end, strlen(end) + 1);
		else
			*line = '\0';
	}
}

static bool connect_by(PGconn *pg, double deadline_ms, int64_t limit_ms, struct pgmend_error *err)
{
	double began = pgm_clock_ms();
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD) {
			pgm_lib_error_conn(err, pg);
			if (err)
				split_connect_error(err);
			return false;
		}
		if (state != PGRES_POLLING_ACTIVE &&
		    !wait_socket(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms)) {
			const char *host = PQhost(pg);
			pgm_lib_error_set(err, PGMEND_ERR_TIMEOUT,
					  "connecting to \"%.200s\" was not done after %.0f ms",
					  host ? host : "", pgm_clock_ms() - began);
			return pgm_lib_error_hint(
				err, "connect_timeout_ms is %lld; the timeout of acquiring counts too.",
				(long long)limit_ms);
		}
		state = PQconnectPoll(pg);
	}
	return true;
}

/* libpq as a program that acquires a connection expects it, but for notices: nothing is printed. */
static void restore_libpq(struct pgmend_conn *conn)
{
	PQsetnonblocking(conn->pg, 0);
	PQsetNoticeReceiver(conn->pg, conn->receiver, NULL);
	PQsetNoticeProcessor(conn->pg, ignore_notice, NULL);
	PQsetErrorVerbosity(conn->pg, PQERRORS_DEFAULT);
	PQsetErrorContextVisibility(conn->pg, PQSHOW_CONTEXT_ERRORS);
	PQuntrace(conn->pg);
}

/* A tenth of it apart, so that connections opened together are not replaced together. */
static double recycle_at(const struct pgmend_pool *pool, double now_ms)
{
	double after_ms = (double)pool->options.recycle_ms;
	if (after_ms < 0)
		return INFINITY;
	/* The backoff's jitter: from half of its base to all of it. */
	return now_ms + after_ms * 0.9 + pgm_clock_backoff_ms(0, after_ms * 0.2, INFINITY) - after_ms * 0.1;
}

static bool start_session(struct pgmend_conn *conn, double deadline_ms, struct pgmend_error *err)
{
	struct pgmend_pool *pool = conn->pool;
	double began = pgm_clock_ms(), limit = (double)pool->options.connect_timeout_ms;
	if (limit >= 0 && began + limit < deadline_ms)
		deadline_ms = began + limit;
	conn->pg = PQconnectStartParams((const char *const *)pool->keywords,
					(const char *const *)pool->values, 0);
	if (!conn->pg)
		return pgm_lib_error_memory(err);
	conn->receiver = PQsetNoticeReceiver(conn->pg, NULL, NULL);
	PQsetNoticeProcessor(conn->pg, ignore_notice, NULL);
	PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE); /* it shows the SQLSTATE */
	if (!connect_by(conn->pg, deadline_ms, pool->options.connect_timeout_ms, err))
		return false;
	restore_libpq(conn);
	if (pool->options.reset == PGMEND_RESET_CHANGED &&
	    !PQregisterEventProc(conn->pg, watch_results, "libpgmend", conn))
		return pgm_lib_error_memory(err);
	conn->backend_pid = PQbackendPID(conn->pg);
	conn->opened_ms = conn->heard_ms = pgm_clock_ms();
	conn->recycle_at_ms = recycle_at(pool, conn->opened_ms);
	return true;
}

struct pgmend_conn *pgm_libpool_session_open(struct pgmend_pool *pool, double deadline_ms,
					     struct pgmend_error *err)
{
	struct pgmend_conn *conn = calloc(1, sizeof(*conn));
	if (!conn) {
		pgm_lib_error_memory(err);
		return NULL;
	}
	conn->pool = pool;
	pgm_ring_init(&conn->link);
	double began = pgm_clock_ms();
	if (!start_session(conn, deadline_ms, err)) {
		pgm_libpool_session_close(conn);
		return NULL;
	}
	pgm_libpool_tell(pool, PGMEND_EVENT_CONNECT, conn, pgm_clock_ms() - began, NULL);
	conn->changed = false;
	/* The callback may have prepared the session, and broken it. */
	if (PQstatus(conn->pg) != CONNECTION_OK || PQtransactionStatus(conn->pg) != PQTRANS_IDLE) {
		pgm_lib_error_set(err, PGMEND_ERR_CONNECT,
				  "a callback of PGMEND_EVENT_CONNECT left the connection broken or busy");
		pgm_libpool_session_close(conn);
		return NULL;
	}
	return conn;
}

void pgm_libpool_session_close(struct pgmend_conn *conn)
{
	PQfinish(conn->pg);
	free(conn);
}

/* ------------------------------------------------ asking */

/*
 * The server says why it ends a session before it closes the socket, perhaps right behind an answer: to libpq
 * that is a notice.
 */
static void note_farewell(void *context, const PGresult *notice)
{
	struct pgmend_conn *conn = context;
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	if (!severity || (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
		return;
	pgm_lib_error_copy(conn->farewell_state, sizeof(conn->farewell_state),
			   PQresultErrorField(notice, PG_DIAG_SQLSTATE));
	pgm_lib_error_copy(conn->farewell, sizeof(conn->farewell),
			   PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
}

static bool said_no_farewell(const struct pgmend_conn *conn, struct pgmend_error *err)
{
	if (!conn->farewell_state[0])
		return PQstatus(conn->pg) == CONNECTION_OK || pgm_lib_error_conn(err, conn->pg);
	pgm_lib_error_set(err, PGMEND_ERR_CONNECT, "%s", conn->farewell);
	if (err)
		memcpy(err->sqlstate, conn->farewell_state, sizeof(err->sqlstate));
	return false;
}

static bool ask(struct pgmend_conn *conn, struct pgmend_error *err)
{
	unsigned first = conn->owed & PGM_OWED_ROLLBACK ? PGM_OWED_ROLLBACK
			 : conn->owed & PGM_OWED_RESET	? PGM_OWED_RESET
							: PGM_OWED_PING;
	const char *sql = first == PGM_OWED_ROLLBACK ? "ROLLBACK"
			  : first == PGM_OWED_RESET  ? conn->pool->reset_query
						     : "";
	if (!PQsendQuery(conn->pg, sql))
		return pgm_lib_error_conn(err, conn->pg);
	conn->asked = first;
	return true;
}

static enum pgm_libpool_verdict read_answer(struct pgmend_conn *conn, double deadline_ms,
					    struct pgmend_error *err)
{
	bool ok = true;
	for (;;) {
		while (PQisBusy(conn->pg)) {
			if (!wait_socket(conn->pg, POLLIN, deadline_ms))
				return PGM_SESSION_LATE;
			if (!PQconsumeInput(conn->pg)) {
				pgm_lib_error_conn(err, conn->pg);
				return PGM_SESSION_BROKEN;
			}
		}
		PGresult *result = PQgetResult(conn->pg);
		if (!result)
			break;
		ExecStatusType status = PQresultStatus(result);
		bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
			    status == PGRES_EMPTY_QUERY;
		if (!good && ok)
			pgm_lib_error_result(err, conn->pg, result);
		ok = ok && good;
		PQclear(result);
		/* COPY as a reset would wait for data for ever. */
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
			return PGM_SESSION_BROKEN;
	}
	if (ok && PQstatus(conn->pg) != CONNECTION_OK)
		ok = pgm_lib_error_conn(err, conn->pg);
	return ok ? PGM_SESSION_GOOD : PGM_SESSION_BROKEN;
}

static enum pgm_libpool_verdict settle(struct pgmend_conn *conn, double deadline_ms, struct pgmend_error *err)
{
	while (conn->owed) {
		if (!conn->asked && !ask(conn, err))
			return PGM_SESSION_BROKEN;
		enum pgm_libpool_verdict verdict = read_answer(conn, deadline_ms, err);
		if (verdict != PGM_SESSION_GOOD)
			return verdict;
		conn->owed &= ~conn->asked;
		conn->asked = 0;
		conn->heard_ms = pgm_clock_ms();
	}
	conn->changed = false;
	for (PGnotify *left; (left = PQnotifies(conn->pg));)
		PQfreemem(left); /* not the next one's */
	if (!said_no_farewell(conn, err))
		return PGM_SESSION_BROKEN;
	if (PQtransactionStatus(conn->pg) == PQTRANS_IDLE)
		return PGM_SESSION_GOOD;
	pgm_lib_error_set(err, PGMEND_ERR_STATE, "reset_query left a transaction open");
	return PGM_SESSION_BROKEN;
}

enum pgm_libpool_verdict pgm_libpool_session_settle(struct pgmend_conn *conn, double deadline_ms,
						    struct pgmend_error *err)
{
	PQsetNoticeReceiver(conn->pg, note_farewell, conn);
	enum pgm_libpool_verdict verdict = settle(conn, deadline_ms, err);
	PQsetNoticeReceiver(conn->pg, conn->receiver, NULL);
	return verdict;
}

double pgm_libpool_answer_limit_ms(const struct pgmend_pool *pool)
{
	double limit_ms = (double)pool->options.connect_timeout_ms;
	return pgm_clock_ms() + (limit_ms < 0 || limit_ms > ANSWER_MAX_MS ? ANSWER_MAX_MS : limit_ms);
}

bool pgm_libpool_session_alive(struct pgmend_conn *conn, struct pgmend_error *err)
{
	if (conn->owed) {
		enum pgm_libpool_verdict verdict = pgm_libpool_session_settle(conn, -INFINITY, err);
		if (verdict != PGM_SESSION_GOOD)
			return verdict != PGM_SESSION_BROKEN;
	}
	PQsetNoticeReceiver(conn->pg, note_farewell, conn);
	bool read = true;
	for (int i = 0; i < IDLE_READS_MAX && read && wait_socket(conn->pg, POLLIN, -INFINITY); i++) {
		read = PQconsumeInput(conn->pg);
		(void)PQisBusy(conn->pg); /* takes the messages in */
	}
	PQsetNoticeReceiver(conn->pg, conn->receiver, NULL);
	return said_no_farewell(conn, err);
}

/* ------------------------------------------------ after its use */

/* Throws results away that came already. False: a command still runs. */
static bool drain(PGconn *pg)
{
	bool looked = false;
	for (int i = 0; i < LEFT_RESULTS_MAX && PQtransactionStatus(pg) == PQTRANS_ACTIVE; i++) {
		if (PQisBusy(pg)) {
			if (looked || !wait_socket(pg, POLLIN, -INFINITY) || !PQconsumeInput(pg))
				return false;
			looked = PQisBusy(pg);
			continue;
		}
		PGresult *result = PQgetResult(pg);
		ExecStatusType status = PQresultStatus(result);
		PQclear(result);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
			return false;
	}
	return PQtransactionStatus(pg) != PQTRANS_ACTIVE;
}

bool pgm_libpool_session_clean(struct pgmend_conn *conn, bool send, struct pgmend_error *err)
{
	PGconn *pg = conn->pg;
	if (PQstatus(pg) != CONNECTION_OK)
		return pgm_lib_error_conn(err, pg);
	restore_libpq(conn);
	if ((PQpipelineStatus(pg) != PQ_PIPELINE_OFF && !PQexitPipelineMode(pg)) || !drain(pg))
		return pgm_lib_error_set(err, PGMEND_ERR_STATE,
					 "a connection was released while a command ran on it: it is closed");
	PGTransactionStatusType status = PQtransactionStatus(pg);
	if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
		conn->owed |= PGM_OWED_ROLLBACK;
	else if (status != PQTRANS_IDLE)
		return pgm_lib_error_conn(err, pg);
	const struct pgmend_pool_options *options = &conn->pool->options;
	if (options->reset == PGMEND_RESET_ALWAYS ||
	    (options->reset == PGMEND_RESET_CHANGED && conn->changed))
		conn->owed |= PGM_OWED_RESET;
	return !conn->owed || !send || ask(conn, err);
}
