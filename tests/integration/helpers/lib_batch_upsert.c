/*
 * Upserts by PGMEND_METHOD_AUTO, which tries COPY, leave what INSERT ... ON CONFLICT DO UPDATE alone, which
 * is PGMEND_METHOD_UNNEST, makes of the same rows in a table like it: whatever is on the table, and whoever
 * else writes to it.
 */
#include "lib_batch.h"

#include <pthread.h>

enum { THERE = 3000, ROWS = 4000 };

static int64_t ids[ROWS];
static const char *notes[ROWS];
static int32_t numbers[ROWS];
static const struct pgmend_batch_column columns[] = {
	{"id", PGMEND_INT64}, {"note", PGMEND_TEXT}, {"n", PGMEND_INT32}};
static const struct pgmend_column values[] = {
	{ids, NULL, NULL, 0}, {notes, NULL, NULL, 0}, {numbers, NULL, NULL, 0}};
static const char *const id_key[] = {"id", NULL};

/* The same table in the schemas "a" and "b", with id 0 to THERE - 1. */
static void make_tables(PGconn *conn, const char *more)
{
	static const char *const schemas[] = {"a", "b"};
	for (int i = 0; i < COUNT(schemas); i++) {
		lib_exec(conn,
			 "DROP SCHEMA IF EXISTS %1$s CASCADE; CREATE SCHEMA %1$s; SET search_path = %1$s",
			 schemas[i]);
		lib_exec(conn,
			 "CREATE TABLE item (id bigint PRIMARY KEY, note text, n integer);"
			 "INSERT INTO item SELECT i, repeat('x', 60), 0 FROM generate_series(0, %d) i; %s",
			 THERE - 1, more);
	}
	lib_exec(conn, "RESET search_path");
}

static void fill(void)
{
	for (int i = 0; i < ROWS; i++) {
		ids[i] = i;
		notes[i] = i % 7 ? "new" : NULL;
		numbers[i] = i + 1;
	}
}

static struct pgmend_batch_options upsert_options(void)
{
	struct pgmend_batch_options options = lib_options("item", columns, 3);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = id_key;
	return options;
}

static void compare_bad(const struct pgmend_batch *batch, const struct pgmend_batch *other)
{
	CHECK_INT(pgmend_batch_bad_count(batch), pgmend_batch_bad_count(other));
	for (size_t i = 0; i < pgmend_batch_bad_count(batch); i++) {
		const struct pgmend_bad_row *one = pgmend_batch_bad_row(batch, i);
		const struct pgmend_bad_row *two = pgmend_batch_bad_row(other, i);
		CHECK_INT(one->position, two->position);
		CHECK_TEXT(one->sqlstate, two->sqlstate);
		CHECK_TEXT(one->constraint, two->constraint);
	}
}

/* Both ways, with what they report and leave behind. */
static void compare(PGconn *conn, struct pgmend_batch_options options, size_t rows)
{
	bool ok, other_ok;
	options.schema = "a";
	struct pgmend_batch *batch = lib_write(conn, &options, values, rows, &ok);
	char sqlstate[6];
	strcpy(sqlstate, ok ? "" : lib_err.sqlstate);
	options.schema = "b";
	options.method = PGMEND_METHOD_UNNEST;
	struct pgmend_batch *other = lib_write(conn, &options, values, rows, &other_ok);
	CHECK_INT(ok, other_ok);
	if (!ok)
		CHECK_TEXT(sqlstate, lib_err.sqlstate);
	struct pgmend_batch_result one = lib_result(batch), two = lib_result(other);
	CHECK_INT(one.end, two.end);
	CHECK_INT(one.rows_bad, two.rows_bad);
	CHECK_INT(one.rows_written + one.rows_duplicate, two.rows_written + two.rows_duplicate);
	compare_bad(batch, other);
	pgmend_batch_close(batch);
	pgmend_batch_close(other);
	lib_exec(conn, "RESET ROLE");
	CHECK_INT(lib_number(conn, "SELECT (SELECT count(*) FROM (TABLE a.item EXCEPT ALL TABLE b.item) x)"
				   " + (SELECT count(*) FROM (TABLE b.item EXCEPT ALL TABLE a.item) x)"),
		  0);
}

/* What may stand on a table. */
static void test_upsert_tables(PGconn *conn)
{
	static const char *const tables[] = {
		"",
		"ALTER TABLE item ADD more integer DEFAULT 5, ADD CHECK (n <> 3100)",
		"ALTER TABLE item ADD more integer DEFAULT 0;"
		"ALTER TABLE item ADD g integer GENERATED ALWAYS AS (n + more) STORED",
		"CREATE TABLE child () INHERITS (item); INSERT INTO child VALUES (1, 'of the child', 0)",
		"CREATE UNIQUE INDEX ON item (n) WHERE n > 2990; INSERT INTO item VALUES (50000, '', 2999)",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
		" 'BEGIN NEW.note := coalesce(NEW.note, '''') || ''!''; RETURN NEW; END';"
		"CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
		" 'BEGIN NEW.note := TG_OP; RETURN NEW; END';"
		"CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION f()",
		"ALTER TABLE item ALTER id TYPE numeric",
		"ALTER TABLE item DROP CONSTRAINT item_pkey; CREATE UNIQUE INDEX ON item (id) INCLUDE (n)",
		"ALTER TABLE item DROP CONSTRAINT item_pkey; CREATE UNIQUE INDEX ON item (id) WHERE id >= 0",
		"ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item ADD UNIQUE (id) DEFERRABLE",
		"ALTER TABLE item RENAME TO old; CREATE TABLE item (LIKE old INCLUDING ALL) PARTITION BY "
		"RANGE (id);"
		"ALTER TABLE item ATTACH PARTITION old FOR VALUES FROM (0) TO (20000)",
		"ALTER TABLE item RENAME TO parent; CREATE VIEW item AS SELECT * FROM parent WHERE id <> 3500"
		" WITH CHECK OPTION",
	};
	for (int i = 0; i < COUNT(tables); i++) {
		puts(tables[i]); /* is shown where it fails */
		fill();
		make_tables(conn, tables[i]);
		compare(conn, upsert_options(), ROWS);
	}
}

static void test_upsert_options(PGconn *conn)
{
	static const char *const only_n[] = {"n", NULL};
	for (int i = 0; i < 4; i++) {
		struct pgmend_batch_options options = upsert_options();
		/* A column that is not given and NOT NULL: also of rows that are there each is refused. */
		make_tables(conn, i ? ""
				    : "ALTER TABLE item ADD more integer; UPDATE item SET more = 1;"
				      "ALTER TABLE item ALTER more SET NOT NULL");
		fill();
		options.update_columns = i == 1 ? only_n : NULL;
		options.transaction = i == 2 ? PGMEND_TRANSACTION_CHUNK : PGMEND_TRANSACTION_WHOLE;
		if (i == 3)
			lib_exec(conn, "BEGIN");
		compare(conn, options, i ? ROWS : 300);
		if (i == 3)
			lib_exec(conn, "COMMIT");
	}
}

/* Who may not. */
static void test_upsert_rights(PGconn *conn)
{
	struct pgmend_batch_options options = upsert_options();
	fill();
	lib_exec(conn, "DROP ROLE IF EXISTS lib_writer; CREATE ROLE lib_writer");
	for (int i = 0; i < 4; i++) {
		static const char *const rights[] = {"INSERT, UPDATE, SELECT", "INSERT, UPDATE",
						     "INSERT, SELECT", "UPDATE, SELECT"};
		make_tables(conn, i ? ""
				    : "ALTER TABLE item ENABLE ROW LEVEL SECURITY;"
				      "CREATE POLICY p ON item USING (true) WITH CHECK (n <> 2500)");
		lib_exec(conn,
			 "GRANT USAGE ON SCHEMA a, b TO lib_writer; GRANT %s ON a.item, b.item TO lib_writer",
			 rights[i]);
		lib_exec(conn, "SET ROLE lib_writer");
		compare(conn, options, ROWS);
	}
	lib_exec(conn, "DROP SCHEMA a, b CASCADE; DROP ROLE lib_writer");
}

/* Rows at random: how many are there, which come twice, which are bad. */
static uint64_t random_state = 7;
static int random_below(int limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (int)((random_state >> 33) % (uint64_t)limit);
}

static void test_upsert_random(PGconn *conn)
{
	lib_exec(conn, "SET synchronous_commit = off");
	static const int of_new[] = {0, 0, 1, 50, 500, 1000}; /* of a thousand */
	for (int i = 0; i < 18; i++) {
		if (i % 6 == 0)
			make_tables(conn, "ALTER TABLE item ADD CONSTRAINT no_bad CHECK (note <> 'bad')");
		struct pgmend_batch_options options = upsert_options();
		int news = of_new[i % COUNT(of_new)], bad = random_below(3) ? 0 : 2, twice = random_below(2);
		options.duplicates = random_below(3);
		/* Whether a row that a later one replaces was looked at depends on the way. */
		twice = twice && !(bad && options.duplicates == PGMEND_DUPLICATES_LAST);
		for (int row = 0; row < ROWS; row++) {
			bool again = twice && row && random_below(100) == 0;
			ids[row] = again		       ? ids[random_below(row)]
				   : random_below(1000) < news ? 20000 + (row * 13 % ROWS) + i % 3 * ROWS
							       : (row * 13) % ROWS;
			notes[row] = random_below(5000) < bad ? "bad" : random_below(5) ? "note" : NULL;
			numbers[row] = 1 + random_below(1000);
		}
		options.transaction = random_below(2);
		options.chunk_rows = random_below(2) ? 0 : 500 + random_below(4000);
		if (!twice && !random_below(4)) {
			options.bad_rows = PGMEND_BAD_ROWS_STOP;
			options.transaction = PGMEND_TRANSACTION_WHOLE;
		}
		compare(conn, options, (size_t)(ROWS - random_below(ROWS / 2)));
	}
}

/* ---------------------------------------------------------------- somebody else writes the same rows */

struct other {
	PGconn *conn, *watch;
	int pid;
	bool commits;
};

/* Ends the other's transaction when the batch waits for it. */
static void *end_when_waited_for(void *argument)
{
	struct other *other = argument;
	while (strcmp(lib_scalar(other->watch,
				 "SELECT cardinality(pg_blocking_pids(%d)) > 0 FROM pg_sleep(0.01)",
				 other->pid),
		      "t") != 0)
		;
	lib_exec(other->conn, other->commits ? "COMMIT" : "ROLLBACK");
	return NULL;
}

static void test_upsert_race(PGconn *conn)
{
	for (int i = 0; i < 8; i++) {
		struct pgmend_batch_options options = upsert_options();
		bool deletes = i & 1, commits = i & 2, ok;
		struct other other = {lib_second(conn), lib_second(conn), PQbackendPID(conn), commits};
		make_tables(conn, "");
		fill();
		if (i & 4) /* a new row, for which two find no row */
			ids[2200] = 30000;
		lib_exec(other.conn, "BEGIN; SET search_path = a");
		if (i & 4)
			lib_exec(other.conn, "INSERT INTO item VALUES (30000, 'theirs', 1)");
		else if (deletes)
			lib_exec(other.conn, "DELETE FROM item WHERE id = 2200");
		else
			lib_exec(other.conn, "UPDATE item SET note = 'theirs', n = 1 WHERE id = 2200");
		options.schema = "a";
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, end_when_waited_for, &other) == 0);
		struct pgmend_batch *batch = lib_write(conn, &options, values, ROWS, &ok);
		pthread_join(thread, NULL);
		CHECK(ok);
		CHECK_INT(lib_result(batch).rows_written, ROWS);
		pgmend_batch_close(batch);
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM a.item WHERE n <> 0"), ROWS);
		CHECK_INT(lib_number(conn, "SELECT n FROM a.item WHERE id IN (2200, 30000) AND n <> 0"),
			  2201);
		PQfinish(other.conn);
		PQfinish(other.watch);
	}
}

const struct lib_case lib_upsert_cases[] = {
	{"upsert_tables", test_upsert_tables}, {"upsert_options", test_upsert_options},
	{"upsert_rights", test_upsert_rights}, {"upsert_random", test_upsert_random},
	{"upsert_race", test_upsert_race},     {NULL, NULL},
};
