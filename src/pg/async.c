#include "pg/async.h"

#include "pg/conninfo.h"
#include "pg/result.h"
#include "util/clock.h"
#include "util/interrupt.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum state {
	CONNECTING, /* waits for PQconnectPoll() to end; then IDLE or LOST */
	IDLE,	    /* nothing is under way; a send makes it BUSY */
	BUSY,	    /* waits for the end of an answer; then IDLE */
	LOST,	    /* libpq says that the session is gone */
};

struct pgm_async {
	PGconn *pq;
	enum state state;
	PostgresPollingStatusType polling; /* what PQconnectPoll() waits for */
	bool unsent;			   /* libpq holds bytes that the socket did not take */
	PGresult *last;			   /* of the statement that was answered last */
	bool failed;			   /* some part of what is under way did */
	char code[12];
	char message[256];
	char options[512];
};

/* What the user's own options are, with ours behind them: libpq takes one text of them. */
static void merge_options(struct pgm_async *async, const struct pgm_conn_options *options,
			  const char *options_guc)
{
	struct pgm_error ignored;
	struct pgm_conninfo info = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *text = options->conninfo ? options->conninfo : options->dbname;
	bool known = pgm_conninfo_resolve(text ? text : "", arena, &info, &ignored);
	snprintf(async->options, sizeof(async->options), "%s%s%s", known && info.options ? info.options : "",
		 known && info.options ? " " : "", options_guc);
	if (info.password)
		explicit_bzero(info.password, strlen(info.password));
}

struct pgm_async *pgm_async_open(const struct pgm_conn_options *options, const char *options_guc)
{
	const char *keys[PGM_CONN_KEYWORDS], *values[PGM_CONN_KEYWORDS];
	struct pgm_async *async = calloc(1, sizeof(*async));
	if (!async)
		return NULL;
	size_t count = pgm_conn_keywords(options, false, keys, values);
	if (options_guc) {
		merge_options(async, options, options_guc);
		keys[count] = "options";
		values[count++] = async->options;
	}
	keys[count] = "fallback_application_name";
	values[count++] = "pgmend load";
	keys[count] = NULL;
	values[count] = NULL;
	async->pq = PQconnectStartParams(keys, values, 1);
	if (!async->pq) {
		free(async);
		return NULL;
	}
	PQsetNoticeProcessor(async->pq, pgm_result_ignore_notice, NULL);
	async->state = CONNECTING;
	async->polling = PGRES_POLLING_WRITING;
	return async;
}

void pgm_async_close(struct pgm_async *async)
{
	if (!async)
		return;
	PQclear(async->last);
	PQfinish(async->pq);
	free(async);
}

int pgm_async_fd(const struct pgm_async *async)
{
	return PQsocket(async->pq);
}

unsigned pgm_async_events(struct pgm_async *async)
{
	if (async->state == CONNECTING)
		return async->polling == PGRES_POLLING_WRITING ? EPOLLOUT : EPOLLIN;
	return EPOLLIN | (async->unsent ? EPOLLOUT : 0);
}

/* The first line, without what names the connection: that is the same for all of a target's sessions. */
static void note_failure(struct pgm_async *async, const char *code, const char *message)
{
	if (async->failed)
		return;
	async->failed = true;
	const char *text = message && *message ? message : "the server closed the connection";
	/* "connection to server at "..." failed: FATAL:  sorry, too many clients already" */
	const char *fatal = strstr(text, "FATAL:");
	if (fatal)
		text = fatal + strlen("FATAL:") + strspn(fatal + strlen("FATAL:"), " ");
	snprintf(async->code, sizeof(async->code), "%s", code);
	snprintf(async->message, sizeof(async->message), "%.*s", (int)strcspn(text, "\n"), text);
}

/*
 * libpq keeps no SQLSTATE of a connection that was refused, only the text. These are what a server or a
 * pooler says then, and what their SQLSTATEs are.
 */
static const char *refusal_code(const char *message)
{
	static const struct {
		const char *text, *code;
	} known[] = {
		{"too many clients already", "53300"},
		{"remaining connection slots", "53300"},
		{"too many connections for", "53300"},
		{"no more connections allowed", "53300"},
		{"starting up", "57P03"},
		{"shutting down", "57P03"},
		{"not yet accepting connections", "57P03"},
		{"in recovery mode", "57P03"},
		{"password authentication failed", "28P01"},
		{"SASL authentication failed", "28P01"},
		{"pg_hba.conf", "28000"},
		{"does not exist", "3D000"},
		{"unsupported startup parameter", "08P01"},
		{"terminating connection", "57P01"},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strstr(message, known[i].text))
			return known[i].code;
	return "refused";
}

static enum pgm_async_event lose(struct pgm_async *async, const char *code, struct pgm_async_outcome *outcome)
{
	note_failure(async, code, PQerrorMessage(async->pq));
	async->state = LOST;
	*outcome = (struct pgm_async_outcome){.failed = true, .message = async->message};
	memcpy(outcome->code, async->code, sizeof(outcome->code));
	return PGM_ASYNC_LOST;
}

static enum pgm_async_event step_connecting(struct pgm_async *async, struct pgm_async_outcome *outcome)
{
	if (PQstatus(async->pq) != CONNECTION_BAD)
		async->polling = PQconnectPoll(async->pq);
	else
		async->polling = PGRES_POLLING_FAILED;
	if (async->polling == PGRES_POLLING_FAILED)
		return lose(async, refusal_code(PQerrorMessage(async->pq)), outcome);
	if (async->polling != PGRES_POLLING_OK)
		return PGM_ASYNC_WAITING;
	if (PQsetnonblocking(async->pq, 1) != 0)
		return lose(async, "closed", outcome);
	async->state = IDLE;
	*outcome = (struct pgm_async_outcome){.message = ""};
	return PGM_ASYNC_READY;
}

static bool is_error(const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		return false;
	default:
		return true;
	}
}

/* COPY is nothing that a script can do: its data has no place to come from or go to. */
static bool is_copy(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static uint64_t rows_of(const PGresult *result)
{
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return (uint64_t)PQntuples(result);
	return strtoull(PQcmdTuples((PGresult *)result), NULL, 10);
}

static void take(struct pgm_async *async, PGresult *result)
{
	if (is_error(result)) {
		const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
		note_failure(async, code ? code : "closed", message ? message : PQerrorMessage(async->pq));
	}
	PQclear(async->last);
	async->last = result;
}

static enum pgm_async_event step_busy(struct pgm_async *async, struct pgm_async_outcome *outcome)
{
	if (async->unsent) {
		int left = PQflush(async->pq);
		if (left < 0)
			return lose(async, "closed", outcome);
		async->unsent = left > 0;
	}
	if (!PQconsumeInput(async->pq))
		return lose(async, "closed", outcome);
	while (!PQisBusy(async->pq)) {
		PGresult *result = PQgetResult(async->pq);
		if (!result) {
			if (PQstatus(async->pq) == CONNECTION_BAD)
				return lose(async, "closed", outcome);
			async->state = IDLE;
			*outcome = (struct pgm_async_outcome){.failed = async->failed,
							      .message = async->message,
							      .rows = rows_of(async->last)};
			memcpy(outcome->code, async->code, sizeof(outcome->code));
			return PGM_ASYNC_ANSWERED;
		}
		bool copy = is_copy(result);
		if (copy)
			note_failure(async, "0A000", "COPY is nothing that a script can run");
		take(async, result);
		if (copy)
			return lose(async, "0A000", outcome);
	}
	return PGM_ASYNC_WAITING;
}

enum pgm_async_event pgm_async_step(struct pgm_async *async, struct pgm_async_outcome *outcome)
{
	switch (async->state) {
	case CONNECTING:
		return step_connecting(async, outcome);
	case BUSY:
		return step_busy(async, outcome);
	case IDLE:
		/* Nobody asked, so what can be read is a notice, or the session's end. */
		if (!PQconsumeInput(async->pq) || PQstatus(async->pq) == CONNECTION_BAD)
			return lose(async, "closed", outcome);
		return PGM_ASYNC_WAITING;
	case LOST:
		break;
	}
	return lose(async, "closed", outcome);
}

static bool sent(struct pgm_async *async, int accepted)
{
	int left = accepted ? PQflush(async->pq) : -1;
	async->state = BUSY;
	async->unsent = left > 0;
	return left >= 0;
}

static void begin(struct pgm_async *async)
{
	async->failed = false;
	async->code[0] = async->message[0] = '\0';
	PQclear(async->last);
	async->last = NULL;
}

bool pgm_async_query(struct pgm_async *async, const char *sql)
{
	begin(async);
	return sent(async, PQsendQuery(async->pq, sql));
}

bool pgm_async_params(struct pgm_async *async, const char *sql, size_t count, const char *const *values)
{
	begin(async);
	return sent(async, PQsendQueryParams(async->pq, sql, (int)count, NULL, values, NULL, NULL, 0));
}

bool pgm_async_prepare(struct pgm_async *async, const char *name, const char *sql)
{
	begin(async);
	return sent(async, PQsendPrepare(async->pq, name, sql, 0, NULL));
}

bool pgm_async_execute(struct pgm_async *async, const char *name, size_t count, const char *const *values)
{
	begin(async);
	return sent(async, PQsendQueryPrepared(async->pq, name, (int)count, values, NULL, NULL, 0));
}

bool pgm_async_describe(struct pgm_async *async, const char *name)
{
	begin(async);
	return sent(async, PQsendDescribePrepared(async->pq, name));
}

size_t pgm_async_param_count(const struct pgm_async *async)
{
	return (size_t)PQnparams(async->last);
}

uint32_t pgm_async_param_type(const struct pgm_async *async, size_t i)
{
	return PQparamtype(async->last, (int)i);
}

size_t pgm_async_rows(const struct pgm_async *async)
{
	return (size_t)PQntuples(async->last);
}

size_t pgm_async_columns(const struct pgm_async *async)
{
	return (size_t)PQnfields(async->last);
}

const char *pgm_async_column_name(const struct pgm_async *async, size_t column)
{
	return PQfname(async->last, (int)column);
}

const char *pgm_async_cell(const struct pgm_async *async, size_t row, size_t column, bool *null)
{
	*null = true;
	if (row >= (size_t)PQntuples(async->last) || column >= pgm_async_columns(async))
		return NULL;
	*null = PQgetisnull(async->last, (int)row, (int)column);
	return PQgetvalue(async->last, (int)row, (int)column);
}

bool pgm_async_in_transaction(const struct pgm_async *async)
{
	PGTransactionStatusType status = PQtransactionStatus(async->pq);
	return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

int pgm_async_pid(const struct pgm_async *async)
{
	return PQbackendPID(async->pq);
}

const char *pgm_async_setting(const struct pgm_async *async, const char *name)
{
	const char *value = strcmp(name, "host") == 0	  ? PQhost(async->pq)
			    : strcmp(name, "port") == 0	  ? PQport(async->pq)
			    : strcmp(name, "user") == 0	  ? PQuser(async->pq)
			    : strcmp(name, "dbname") == 0 ? PQdb(async->pq)
							  : PQparameterStatus(async->pq, name);
	return value ? value : "";
}

void pgm_async_cancel(struct pgm_async *async)
{
	char ignored[256];
	PGcancel *cancel = PQgetCancel(async->pq);
	if (cancel)
		PQcancel(cancel, ignored, sizeof(ignored));
	PQfreeCancel(cancel);
}

bool pgm_async_wait(struct pgm_async *async, double limit_ms, struct pgm_async_outcome *outcome,
		    struct pgm_error *err)
{
	double until_ms = pgm_clock_ms() + limit_ms;
	for (;;) {
		enum pgm_async_event event = pgm_async_step(async, outcome);
		if (event != PGM_ASYNC_WAITING && !outcome->failed)
			return true;
		if (event != PGM_ASYNC_WAITING) {
			pgm_error_set(err, event == PGM_ASYNC_LOST ? PGM_ERR_CONNECT : PGM_ERR_QUERY, "%s",
				      outcome->message);
			if (err && strlen(outcome->code) == 5)
				memcpy(err->sqlstate, outcome->code, 6);
			return false;
		}
		double left = until_ms - pgm_clock_ms();
		if (pgm_interrupted())
			return pgm_error_set(err, PGM_ERR_CANCELED, "stopped by the user");
		if (left <= 0)
			return pgm_error_set(err, PGM_ERR_CONNECT, "no answer within %.0f s",
					     limit_ms / 1000);
		unsigned events = pgm_async_events(async);
		struct pollfd wait = {.fd = pgm_async_fd(async),
				      .events = (short)((events & EPOLLIN ? POLLIN : 0) |
							(events & EPOLLOUT ? POLLOUT : 0))};
		poll(&wait, 1, (int)(left < 1000 ? left : 1000) + 1);
	}
}
