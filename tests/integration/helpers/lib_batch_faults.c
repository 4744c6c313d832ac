/* The server goes, somebody cancels, the table is not as expected; and what a batch refuses to begin with. */
#include "lib_batch.h"

#include <pthread.h>

static const struct pgmend_batch_column id_note[] = {{"id", PGMEND_INT64}, {"note", PGMEND_TEXT}};

enum { ROWS = 20000 };
static int64_t ids[ROWS];
static const char *notes[ROWS];
static const struct pgmend_column columns[] = {{ids, NULL, NULL, 0}, {notes, NULL, NULL, 0}};

static void make_table(PGconn *conn)
{
	lib_exec(conn, "DROP TABLE IF EXISTS item; CREATE TABLE item (id bigint PRIMARY KEY, note text)");
	for (int i = 0; i < ROWS; i++) {
		ids[i] = i;
		notes[i] = "a note of some length, so that there is something to send";
	}
}

struct killer {
	PGconn *conn;
	int pid;
	int64_t after_rows;
};

static bool kill_after(void *context, const struct pgmend_batch_progress *progress)
{
	struct killer *killer = context;
	if (killer->pid && progress->rows_added >= killer->after_rows) {
		lib_exec(killer->conn, "SELECT pg_terminate_backend(%d)", killer->pid);
		killer->pid = 0;
	}
	return true;
}

/* What the result says is committed is what another session finds. */
static void test_backend_killed(PGconn *conn)
{
	PGconn *other = lib_second(conn);
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		for (int transaction = 0; transaction < 2; transaction++) {
			PGconn *doomed = lib_second(conn);
			make_table(other);
			struct killer killer = {other, PQbackendPID(doomed), ROWS / 2};
			struct pgmend_batch_options options = lib_options("item", id_note, 2);
			options.method = method;
			options.transaction = transaction;
			options.chunk_rows = 3000;
			options.on_progress = kill_after;
			options.context = &killer;
			bool ok;
			struct pgmend_batch *batch = lib_write(doomed, &options, columns, ROWS, &ok);
			struct pgmend_batch_result result = lib_result(batch);
			CHECK(!ok && !killer.pid);
			CHECK(PQstatus(doomed) == CONNECTION_BAD);
			CHECK_INT(lib_err.code, PGMEND_ERR_CONNECT);
			CHECK_INT(result.end, transaction ? PGMEND_END_PARTLY : PGMEND_END_UNDONE);
			CHECK_INT(result.committed_to, transaction ? 12000 : 0);
			CHECK_INT(result.rows_committed, result.committed_to);
			CHECK_INT(result.unknown_to, result.committed_to);
			pgmend_batch_close(batch);
			PQfinish(doomed);
			CHECK_INT(lib_number(other, "SELECT count(*) FROM item"), result.committed_to);
			CHECK_INT(lib_number(other, "SELECT coalesce(max(id), -1) FROM item"),
				  result.committed_to - 1);
		}
	}
	PQfinish(other);
}

/* The server is lost in COMMIT itself: it may have committed, and the transaction's number tells. */
static void test_killed_in_commit(PGconn *conn)
{
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		for (int transaction = 0; transaction < 2; transaction++) {
			PGconn *doomed = lib_second(conn);
			make_table(conn);
			lib_exec(conn, "CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
				       " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()), "
				       "pg_sleep(60); RETURN NULL; END';"
				       "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON item DEFERRABLE "
				       "INITIALLY DEFERRED"
				       " FOR EACH ROW WHEN (NEW.id = 4) EXECUTE FUNCTION die()");
			struct pgmend_batch_options options = lib_options("item", id_note, 2);
			options.method = method;
			options.transaction = transaction;
			options.bad_rows = PGMEND_BAD_ROWS_STOP; /* the trigger is not called before COMMIT */
			bool ok;
			struct pgmend_batch *batch = lib_write(doomed, &options, columns, 10, &ok);
			struct pgmend_batch_result result = lib_result(batch);
			CHECK(!ok);
			CHECK_INT(lib_err.code, PGMEND_ERR_UNKNOWN_END);
			CHECK_INT(result.end, PGMEND_END_UNKNOWN);
			CHECK_INT(result.committed_to, 0);
			CHECK_INT(result.unknown_to, 10);
			CHECK(result.xid != 0);
			CHECK_TEXT(lib_scalar(conn, "SELECT pg_xact_status('%llu')",
					      (unsigned long long)result.xid),
				   "aborted");
			pgmend_batch_close(batch);
			PQfinish(doomed);
		}
	}
}

static bool stop_after(void *context, const struct pgmend_batch_progress *progress)
{
	CHECK(progress->rows_total == ROWS || progress->rows_total == 0);
	return progress->rows_added < *(int64_t *)context;
}

static void test_callback_stops(PGconn *conn)
{
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		int64_t limit = ROWS / 2;
		make_table(conn);
		struct pgmend_batch_options options = lib_options("item", id_note, 2);
		options.method = method;
		options.chunk_rows = 3000;
		options.on_progress = stop_after;
		options.context = &limit;
		bool ok;
		struct pgmend_batch *batch = lib_write(conn, &options, columns, ROWS, &ok);
		CHECK(!ok);
		CHECK_INT(lib_err.code, PGMEND_ERR_CANCELED);
		CHECK_INT(lib_result(batch).end, PGMEND_END_UNDONE);
		pgmend_batch_close(batch);
		CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 0);
	}
}

struct canceler {
	PGconn *conn;
	struct pgmend_batch *batch;
};

static void *cancel_batch(void *context)
{
	struct canceler *canceler = context;
	while (!lib_number(canceler->conn,
			   "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"))
		lib_exec(canceler->conn, "SELECT pg_sleep(0.01)");
	pgmend_batch_cancel(canceler->batch);
	return NULL;
}

/* The row's trigger waits for a lock that the test holds: only the other thread can end it. */
static void test_cancel(PGconn *conn)
{
	PGconn *other = lib_second(conn);
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		make_table(conn);
		lib_exec(conn,
			 "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
			 " 'BEGIN IF NEW.id = 100 THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; "
			 "END';"
			 "CREATE TRIGGER wait BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION wait()");
		lib_exec(other, "SELECT pg_advisory_lock(7)");
		struct pgmend_batch_options options = lib_options("item", id_note, 2);
		options.method = method;
		struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &lib_err);
		CHECK(batch != NULL);
		CHECK(pgmend_batch_add_columns(batch, columns, 500, &lib_err));
		pthread_t thread;
		struct canceler canceler = {other, batch};
		CHECK(pthread_create(&thread, NULL, cancel_batch, &canceler) == 0);
		CHECK(!pgmend_batch_finish(batch, &lib_err));
		CHECK_INT(lib_err.code, PGMEND_ERR_CANCELED);
		pthread_join(thread, NULL);
		CHECK_INT(lib_result(batch).end, PGMEND_END_UNDONE);
		pgmend_batch_close(batch);
		lib_exec(other, "SELECT pg_advisory_unlock(7)");
		CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
		lib_exec(conn, "SELECT 1"); /* a late request to cancel must not be left for others */
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 0);
	}
	PQfinish(other);
}

static void test_table_changes(PGconn *conn)
{
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		make_table(conn);
		options.method = method;
		struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &lib_err);
		CHECK(batch != NULL);
		lib_exec(conn, "DROP TABLE item");
		CHECK(!pgmend_batch_add_columns(batch, columns, 10, &lib_err) ||
		      !pgmend_batch_finish(batch, &lib_err));
		CHECK_TEXT(lib_err.sqlstate, "42P01");
		CHECK_INT(pgmend_batch_bad_count(batch), 0);
		pgmend_batch_close(batch);
		CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
	}
}

static void refused(PGconn *conn, const struct pgmend_batch_options *options, int code, const char *text)
{
	struct pgmend_batch *batch = pgmend_batch_open(conn, options, &lib_err);
	CHECK(!batch);
	CHECK_INT(lib_err.code, code);
	if (!strstr(lib_err.message, text))
		CHECK_TEXT(lib_err.message, text);
	CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
}

static void test_open_refuses(PGconn *conn)
{
	lib_exec(conn, "CREATE TABLE odd (id bigint GENERATED ALWAYS AS IDENTITY, a integer,"
		       " b integer GENERATED ALWAYS AS (a * 2) STORED, c text[])");
	static const struct pgmend_batch_column none[] = {{"nothing", PGMEND_INT32}},
						made[] = {{"b", PGMEND_INT32}},
						identity[] = {{"id", PGMEND_INT64}},
						wrong[] = {{"a", PGMEND_UUID}}, unknown[] = {{"a", 99}},
						a[] = {{"a", PGMEND_INT32}, {"a", PGMEND_INT32}},
						array[] = {{"c", PGMEND_ARRAY}};
	static const char *const key[] = {"c", NULL}, *const other_key[] = {"zzz", NULL};
	struct pgmend_batch_options options = lib_options("odd", a, 1), changed;
	options.table = "no such table";
	refused(conn, &options, PGMEND_ERR_USAGE, "no such table");
	options = lib_options("odd", none, 1);
	refused(conn, &options, PGMEND_ERR_USAGE, "nothing");
	options.columns = made;
	refused(conn, &options, PGMEND_ERR_USAGE, "generated, and so not to be written: column \"b\"");
	options.columns = identity;
	refused(conn, &options, PGMEND_ERR_USAGE, "generated always as identity");
	options.columns = wrong;
	refused(conn, &options, PGMEND_ERR_USAGE, "can't be given as PGMEND_UUID");
	options.columns = unknown;
	refused(conn, &options, PGMEND_ERR_USAGE, "unknown enum pgmend_type");
	options = lib_options("odd", a, 2);
	refused(conn, &options, PGMEND_ERR_USAGE, "given twice");
	options = lib_options("odd", a, 0);
	refused(conn, &options, PGMEND_ERR_USAGE, "0 columns");
	options = lib_options("odd", a, 1);
	changed = options;
	changed.on_conflict = PGMEND_CONFLICT_UPDATE;
	refused(conn, &changed, PGMEND_ERR_USAGE, "conflict_key");
	changed.conflict_key = key;
	refused(conn, &changed, PGMEND_ERR_USAGE, "not among the given columns: \"c\"");
	changed = options;
	changed.returning = other_key;
	refused(conn, &changed, PGMEND_ERR_USAGE, "zzz");
	changed.returning = key;
	changed.method = PGMEND_METHOD_COPY;
	refused(conn, &changed, PGMEND_ERR_USAGE, "COPY returns nothing");
	changed = options;
	changed.transaction = 7;
	refused(conn, &changed, PGMEND_ERR_USAGE, "transaction");
	changed = options;
	changed.struct_size = 0;
	refused(conn, &changed, PGMEND_ERR_USAGE, "struct_size");
	changed = lib_options("odd", array, 1);
	changed.method = PGMEND_METHOD_UNNEST;
	refused(conn, &changed, PGMEND_ERR_USAGE, "unnest is not possible");
	lib_exec(conn, "SET client_encoding = 'LATIN1'");
	refused(conn, &options, PGMEND_ERR_STATE, "client_encoding");
	lib_exec(conn, "RESET client_encoding");
	CHECK(!pgmend_batch_open(NULL, &options, &lib_err));
	PQclear(PQexec(conn, "BEGIN; SELECT 1/0"));
	CHECK(!pgmend_batch_open(conn, &options, &lib_err));
	CHECK_INT(lib_err.code, PGMEND_ERR_STATE);
	lib_exec(conn, "ROLLBACK");
}

static int next_row(void *context, struct pgmend_value *values)
{
	static int64_t id;
	id = (*(int64_t *)context)++;
	values[0] = (struct pgmend_value){&id, 0};
	values[1] = (struct pgmend_value){id % 2 ? "odd" : NULL, PGMEND_NTS};
	return id < 100;
}

/* Rows from a callback and from structs, identity columns, schemas, views, partitions, row-level security. */
static void test_ways_in(PGconn *conn)
{
	make_table(conn);
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &lib_err);
	int64_t next = 0;
	CHECK(batch && pgmend_batch_add_rows(batch, next_row, &next, &lib_err));
	CHECK(pgmend_batch_flush(batch, &lib_err));
	struct {
		const char *note;
		char between[3];
		int64_t id;
	} rows[3] = {{"a", "", 100}, {NULL, "", 101}, {"c", "", 102}};
	const struct pgmend_column strided[] = {{&rows[0].id, NULL, NULL, sizeof(rows[0])},
						{&rows[0].note, NULL, NULL, sizeof(rows[0])}};
	CHECK(pgmend_batch_add_columns(batch, strided, 3, &lib_err));
	CHECK(pgmend_batch_add_columns(batch, strided, 0, &lib_err));
	CHECK(pgmend_batch_finish(batch, &lib_err));
	CHECK(!pgmend_batch_finish(batch, &lib_err));
	CHECK_INT(lib_err.code, PGMEND_ERR_STATE);
	pgmend_batch_close(batch);
	CHECK_TEXT(lib_scalar(conn, "SELECT count(*) || ' ' || count(note) || ' ' || sum(id) FROM item"),
		   "103 52 5253");

	bool ok;
	static const struct pgmend_batch_column id[] = {{"id", PGMEND_INT64}};
	lib_exec(conn, "CREATE SCHEMA \"Odd \"\"schema\"; CREATE TABLE \"Odd \"\"schema\".\"a table\""
		       " (id bigint GENERATED ALWAYS AS IDENTITY, \"sel\"\"ect\" text)");
	static const struct pgmend_batch_column quoted[] = {{"id", PGMEND_INT64}, {"sel\"ect", PGMEND_TEXT}};
	for (int method = 0; method <= PGMEND_METHOD_VALUES; method++) {
		options = lib_options("a table", quoted, 2);
		options.schema = "Odd \"schema";
		options.method = method;
		options.overriding_system_value = true;
		pgmend_batch_close(lib_write(conn, &options, columns, 5, &ok));
		CHECK(ok);
	}
	CHECK_INT(lib_number(conn, "SELECT sum(id) FROM \"Odd \"\"schema\".\"a table\""), 40);

	lib_exec(conn, "TRUNCATE item; CREATE VIEW seen AS SELECT id, note FROM item WHERE id < 5 WITH CHECK "
		       "OPTION");
	options = lib_options("seen", id_note, 2);
	batch = lib_write(conn, &options, columns, 7, &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).method, PGMEND_METHOD_UNNEST);
	CHECK_INT(pgmend_batch_bad_count(batch), 2);
	CHECK_TEXT(pgmend_batch_bad_row(batch, 0)->sqlstate, "44000");
	pgmend_batch_close(batch);

	lib_exec(conn, "CREATE TABLE ranges (id bigint) PARTITION BY RANGE (id);"
		       "CREATE TABLE ranges_1 PARTITION OF ranges FOR VALUES FROM (0) TO (10)");
	options = lib_options("ranges", id, 1);
	batch = lib_write(conn, &options, columns, 12, &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).method, PGMEND_METHOD_COPY);
	CHECK_INT(lib_result(batch).rows_written, 10);
	CHECK_INT(pgmend_batch_bad_count(batch), 2);
	pgmend_batch_close(batch);

	lib_exec(conn, "DROP TABLE IF EXISTS guarded; CREATE TABLE guarded (id bigint);"
		       "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
		       "CREATE POLICY p ON guarded WITH CHECK (id <> 3);"
		       "CREATE ROLE guarded_user; GRANT INSERT, SELECT ON guarded TO guarded_user; SET ROLE "
		       "guarded_user");
	options = lib_options("guarded", id, 1);
	batch = lib_write(conn, &options, columns, 6, &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).method, PGMEND_METHOD_UNNEST);
	CHECK_INT(pgmend_batch_bad_count(batch), 1);
	CHECK_INT(pgmend_batch_bad_row(batch, 0)->position, 3);
	pgmend_batch_close(batch);
	lib_exec(conn, "RESET ROLE; DROP TABLE guarded; DROP ROLE guarded_user");

	/* Nothing at all. */
	options = lib_options("item", id_note, 2);
	batch = lib_write(conn, &options, columns, 0, &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).statements, 0);
	CHECK_INT(lib_result(batch).end, PGMEND_END_COMMITTED);
	pgmend_batch_close(batch);
	pgmend_batch_close(NULL);
	CHECK_INT(lib_number(conn, "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'pgmend%'"),
		  0);
}

const struct lib_case lib_fault_cases[] = {
	{"backend_killed", test_backend_killed},
	{"killed_in_commit", test_killed_in_commit},
	{"callback_stops", test_callback_stops},
	{"cancel", test_cancel},
	{"table_changes", test_table_changes},
	{"open_refuses", test_open_refuses},
	{"ways_in", test_ways_in},
	{NULL, NULL},
};
