/*
 * libpq's pipeline mode at a pooler.
 *
 *	pipeline CONNINFO
 *
 * Exit code 0 where each result is what it must be; else the first that is not is told.
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PGconn *conn;

static void fail(const char *what, const PGresult *result)
{
	fprintf(stderr, "%s: %s, %s\n", what, result ? PQresStatus(PQresultStatus(result)) : "no result",
		PQerrorMessage(conn));
	exit(1);
}

static void must(bool done, const char *what)
{
	if (!done)
		fail(what, NULL);
}

/* The next result: of this status, and with this value in its first field where one is given. */
static void expect(ExecStatusType status, const char *value, const char *what)
{
	PGresult *result = PQgetResult(conn);
	if (!result || PQresultStatus(result) != status)
		fail(what, result);
	if (value && (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), value) != 0))
		fail(what, result);
	PQclear(result);
	/* the NULL that ends a request's results; a sync has none */
	if (status != PGRES_PIPELINE_SYNC && status != PGRES_SINGLE_TUPLE && (result = PQgetResult(conn)))
		fail("more than one result", result);
}

static void expect_error(const char *sqlstate, const char *what)
{
	PGresult *result = PQgetResult(conn);
	if (!result || PQresultStatus(result) != PGRES_FATAL_ERROR ||
	    strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), sqlstate) != 0)
		fail(what, result);
	PQclear(result);
	must(!PQgetResult(conn), what);
}

static void ask(const char *sql, const char *value)
{
	must(PQsendQueryParams(conn, sql, value ? 1 : 0, NULL, &value, NULL, NULL, 0), sql);
}

static void many(void)
{
	char text[16];
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ask("SELECT $1::text", text);
		if (i % 10 == 9)
			must(PQpipelineSync(conn), "sync");
	}
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%d", i);
		expect(PGRES_TUPLES_OK, text, "one of many");
		if (i % 10 == 9)
			expect(PGRES_PIPELINE_SYNC, NULL, "one of many syncs");
	}
}

static void prepared(void)
{
	const char *value = "20";
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			must(PQsendPrepare(conn, "twice", "SELECT 2 * $1::int", 0, NULL), "prepare");
		must(PQsendDescribePrepared(conn, "twice"), "describe");
		must(PQsendQueryPrepared(conn, "twice", 1, &value, NULL, NULL, 0), "execute");
		must(PQpipelineSync(conn), "sync");
		if (round == 0)
			expect(PGRES_COMMAND_OK, NULL, "prepare");
		expect(PGRES_COMMAND_OK, NULL, "describe");
		expect(PGRES_TUPLES_OK, "40", "execute");
		expect(PGRES_PIPELINE_SYNC, NULL, "sync of the prepared");
	}
}

static void failing(void)
{
	ask("SELECT 'before'", NULL);
	ask("SELECT 1 / $1::int", "0");
	ask("SELECT 'not done'", NULL);
	must(PQsendPrepare(conn, "in vain", "SELECT 1", 0, NULL), "prepare in vain");
	must(PQpipelineSync(conn), "sync");
	ask("SELECT 'after'", NULL);
	must(PQpipelineSync(conn), "sync");
	expect(PGRES_TUPLES_OK, "before", "before the error");
	expect_error("22012", "the error");
	expect(PGRES_PIPELINE_ABORTED, NULL, "behind the error");
	expect(PGRES_PIPELINE_ABORTED, NULL, "prepare behind the error");
	expect(PGRES_PIPELINE_SYNC, NULL, "sync behind the error");
	expect(PGRES_TUPLES_OK, "after", "after the error");
	expect(PGRES_PIPELINE_SYNC, NULL, "last sync");
}

static void flushed(void)
{
	ask("SELECT 'flushed'", NULL);
	must(PQsendFlushRequest(conn), "flush");
	expect(PGRES_TUPLES_OK, "flushed", "an answer without a sync");
	must(PQpipelineSync(conn), "sync");
	expect(PGRES_PIPELINE_SYNC, NULL, "sync of the flushed");
}

static void row_by_row(void)
{
	char text[16];
	ask("SELECT generate_series(1, 3000)", NULL);
	ask("SELECT 'next'", NULL);
	must(PQpipelineSync(conn) && PQsetSingleRowMode(conn), "single rows");
	for (int i = 1; i <= 3000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		expect(PGRES_SINGLE_TUPLE, text, "a row");
	}
	expect(PGRES_TUPLES_OK, NULL, "the rows' end");
	expect(PGRES_TUPLES_OK, "next", "what follows the rows");
	expect(PGRES_PIPELINE_SYNC, NULL, "sync of the rows");
}

static void cancelled(void)
{
	char error[256];
	PGcancel *cancel = PQgetCancel(conn);
	ask("SELECT pg_sleep(60)", NULL);
	ask("SELECT 'not done'", NULL);
	must(PQpipelineSync(conn), "sync");
	while (PQflush(conn) > 0)
		;
	usleep(300000);
	if (!PQcancel(cancel, error, sizeof(error))) {
		fprintf(stderr, "cancel: %s\n", error);
		exit(1);
	}
	PQfreeCancel(cancel);
	expect_error("57014", "the cancelled");
	expect(PGRES_PIPELINE_ABORTED, NULL, "behind the cancelled");
	expect(PGRES_PIPELINE_SYNC, NULL, "sync of the cancelled");
}

int main(int argc, char **argv)
{
	conn = PQconnectdb(argc > 1 ? argv[1] : "");
	if (PQstatus(conn) != CONNECTION_OK || !PQenterPipelineMode(conn))
		fail("connecting", NULL);
	many();
	prepared();
	failing();
	flushed();
	row_by_row();
	cancelled();
	many();
	must(PQexitPipelineMode(conn), "leaving pipeline mode");
	PQfinish(conn);
	puts("done");
	return 0;
}
