/* What a text may leave in the session: one row a text. */
#include "../cmocka_all.h"

#include "pool/scan/scan.h"

#include <stdio.h>
#include <string.h>

#define SETS	PGM_SCAN_SETS
#define LOCAL	PGM_SCAN_SETS_LOCAL
#define TEMP	PGM_SCAN_TEMP
#define W	PGM_SCAN_WRITES
#define DDL	(PGM_SCAN_WRITES | PGM_SCAN_DDL)
#define LOCKS	PGM_SCAN_LOCKS
#define CUSTOM	PGM_SCAN_CUSTOM_SETTING
#define LOADS	(PGM_SCAN_LOADS | PGM_SCAN_WRITES)
#define INSERTS (PGM_SCAN_WRITES | PGM_SCAN_SEQUENCE_WRITE)
#define PREPS	PGM_SCAN_PREPARES
#define BEGINS	PGM_SCAN_BEGINS
#define ENDS	PGM_SCAN_ENDS
#define MULTI	PGM_SCAN_MULTI
#define HOLDS	PGM_SCAN_HOLDS

static const struct row {
	const char *sql;
	uint32_t flags;
} rows[] = {
	{"", 0},
	{" ; ;; /* nothing */ -- at all", 0},
	{"SELECT 1", 0},
	{"select 1;", 0},
	{"(SELECT 1) UNION (SELECT 2)", 0},
	{"VALUES (1)", 0},
	{"TABLE t", 0},
	{"SHOW search_path", 0},
	{"SELECT 1; SELECT 2", MULTI},
	{"SELECT 1;;", 0},
	{"EXPLAIN SELECT 1", 0},
	{"EXPLAIN (SELECT 1) UNION SELECT 2", 0},

	{"SET x = 1", SETS},
	{"/* SET LOCAL */ sEt\n--LOCAL\nx TO 1", SETS},
	{"SET SESSION x = 1", SETS},
	{"SET search_path TO tenant_1", SETS},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", SETS},
	{"SET TIME ZONE 'UTC'", SETS},
	{"SET NAMES 'latin1'", SETS},
	{"SET ROLE x", SETS},
	{"SET SESSION AUTHORIZATION x", SETS},
	{"SET LOCAL x = 1", LOCAL},
	{"SET/**/LOCAL x = 1", LOCAL},
	{"SET LOCAL SESSION AUTHORIZATION x", LOCAL},
	{"SET LOCAL search_path = pg_temp", LOCAL | TEMP},
	{"SET LOCAL search_path = \"pg_temp\", public", LOCAL | TEMP},
	{"SET local.x = 1", SETS},
	{"SET constraints.x = 1", SETS},
	{"SET transaction . x = 1", SETS},
	{"SET \"local\".x = 1", SETS},
	{"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", LOCAL},
	{"SET CONSTRAINTS ALL DEFERRED", LOCAL},
	{"RESET x", SETS},
	{"RESET ALL", SETS},
	{"RESET ROLE", SETS},
	{"RESET SESSION AUTHORIZATION", SETS},
	{"SELECT 1; SET x = 1", SETS | MULTI},
	{"SELECT ';SET x = 1'", 0},
	{"SELECT 1 AS set", 0},
	{"UPDATE t SET x = 1", W},
	{"UPDATE pg_settings SET setting = 'x' WHERE name = 'y'", W | SETS},
	{"WITH u AS (UPDATE pg_catalog.pg_settings SET setting = 'x' RETURNING 1) SELECT 1", W | SETS},
	{"UPDATE ONLY \"pg_catalog\" . \"pg_settings\" SET setting = 'x'", W | SETS},
	{"SELECT * FROM pg_settings", 0},
	{"ALTER ROLE r SET x = 1", DDL},
	{"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET x = 1 AS 'SELECT 1'", DDL},

	{"SELECT set_config('a', 'b', false)", SETS},
	{"SELECT SET_CONFIG ('a', 'b', false)", SETS},
	{"SELECT pg_catalog.set_config('a', 'b', false)", SETS},
	{"SELECT pg_catalog . /* x */ \"set_config\" -- y\n ('a', 'b', 'f')", SETS},
	{"SELECT U&\"set\\005fconfig\"('a', 'b', false)", PGM_SCAN_UNKNOWN},
	{"SELECT set_config('a', 'b', true)", LOCAL},
	{"SELECT set_config('a', 'b', /* local */ TRUE )", LOCAL},
	{"SELECT set_config('a', f(1, true), true)", LOCAL},
	{"SELECT set_config($1, $2, true)", LOCAL},
	{"SELECT set_config('search_path', 'pg_temp', true)", LOCAL | TEMP},
	{"SELECT set_config('a', 'b', 't')", SETS},
	{"SELECT set_config('a', 'b', $1)", SETS},
	{"SELECT set_config('a', 'b', NOT true)", SETS},
	{"SELECT set_config('a', 'b', true AND f())", SETS},
	{"SELECT set_config('a', 'b', (true))", SETS},
	{"SELECT set_config('a', 'b', is_local => true)", SETS},
	{"SELECT set_config('a', 'b', true, true)", SETS},
	{"SELECT set_config('a', 'b', true", SETS},
	{"SELECT set_config($1, 'b', false)", SETS | CUSTOM},
	{"SELECT set_config('a' || 'b', 'b', false)", SETS | CUSTOM},
	{"SELECT set_config(E'a', 'b', false)", SETS | CUSTOM},
	{"SELECT set_config(lower('a'), 'b', false)", SETS | CUSTOM},
	{"SELECT set_config(set_config('x', 'a', true), 'b', false)", SETS | CUSTOM},
	{"SELECT set_config('x', set_config('y', 'a', false), true)", SETS | LOCAL | CUSTOM},
	{"SELECT set_config('a', 'b', true), set_config('c', 'd', false)", SETS | LOCAL},
	{"INSERT INTO t SELECT set_config('a', 'b', false)", INSERTS | SETS},
	{"EXPLAIN ANALYZE SELECT set_config('a', 'b', false)", SETS},
	{"DECLARE c CURSOR FOR SELECT set_config('a', 'b', false)", SETS},
	{"COPY (SELECT set_config('a', 'b', false)) TO STDOUT", SETS | PGM_SCAN_COPY},
	{"SELECT 'set_config(1)', set_config FROM t", 0},
	{"SELECT set_limit(0.5)", SETS},

	{"LISTEN a", PGM_SCAN_LISTENS | W},
	{"UNLISTEN *", PGM_SCAN_LISTENS | W},
	{"NOTIFY a, 'b'", W},

	{"CREATE TEMP TABLE t (i int)", DDL | TEMP},
	{"CREATE TEMPORARY TABLE t (i int)", DDL | TEMP},
	{"CREATE LOCAL TEMP TABLE t (i int)", DDL | TEMP},
	{"CREATE GLOBAL TEMPORARY TABLE t (i int)", DDL | TEMP},
	{"CREATE TEMP SEQUENCE s", DDL | TEMP},
	{"CREATE TEMP VIEW v AS SELECT 1", DDL | TEMP},
	{"CREATE OR REPLACE TEMP RECURSIVE VIEW v (a) AS SELECT 1", DDL | TEMP},
	{"CREATE OR REPLACE RECURSIVE VIEW v (a) AS SELECT 1", DDL},
	{"CREATE TABLE temp (i int)", DDL},
	{"CREATE TABLE t (temp int)", DDL},
	{"CREATE UNLOGGED TABLE t (i int)", DDL},
	{"CREATE TABLE pg_temp.x (i int)", DDL | TEMP},
	{"CREATE TABLE \"pg_temp\".x (i int)", DDL | TEMP},
	{"CREATE TABLE pg_temp_3.x (i int)", DDL | TEMP},
	{"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", DDL | TEMP},
	{"CREATE SCHEMA s CREATE TEMP TABLE t (i int)", DDL | TEMP},
	{"CREATE VIEW v AS SELECT * FROM pg_temp.t", DDL | TEMP},
	{"SELECT * FROM pg_temp.t", 0},
	{"SELECT * INTO TEMP x FROM t", DDL | TEMP},
	{"SELECT * INTO TEMPORARY TABLE x FROM t", DDL | TEMP},
	{"SELECT * INTO LOCAL TEMP x FROM t", DDL | TEMP},
	{"SELECT * INTO pg_temp.x FROM t", DDL | TEMP},
	{"WITH c AS (SELECT 1) SELECT * INTO TEMP x FROM c", DDL | TEMP},
	{"SELECT * INTO x FROM t", DDL},
	{"SELECT temp FROM t", 0},
	{"SELECT t.into FROM t", 0},
	{"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", DDL | TEMP},
	{"EXPLAIN (ANALYZE, COSTS off) CREATE TEMP TABLE t AS SELECT 1", DDL | TEMP},
	{"EXPLAIN ANALYZE VERBOSE SELECT 1 INTO TEMP x", DDL | TEMP},
	{"CREATE TABLE t AS EXECUTE p", DDL | PGM_SCAN_LOADS},
	{"DISCARD TEMP", TEMP},
	{"DISCARD TEMPORARY", TEMP},
	{"DISCARD PLANS", 0},
	{"DISCARD SEQUENCES", PGM_SCAN_SEQUENCE_WRITE},
	{"DISCARD ALL", PGM_SCAN_DISCARD_ALL | PGM_SCAN_DEALLOCATE_ALL | SETS},

	{"PREPARE p AS SELECT 1", PREPS},
	{"PREPARE p (int, text) AS INSERT INTO t VALUES ($1, $2)", PREPS | INSERTS},
	{"PREPARE p AS SELECT set_config('a', 'b', false)", PREPS | SETS},
	{"PREPARE transaction AS SELECT 1", PREPS},
	{"PREPARE TRANSACTION 'x'", ENDS},
	{"DEALLOCATE p", PREPS},
	{"DEALLOCATE PREPARE p", PREPS},
	{"DEALLOCATE ALL", PREPS | PGM_SCAN_DEALLOCATE_ALL},
	{"DEALLOCATE PREPARE ALL", PREPS | PGM_SCAN_DEALLOCATE_ALL},
	{"DEALLOCATE \"all\"", PREPS},
	{"EXECUTE p(1)", LOADS},
	{"EXPLAIN ANALYZE EXECUTE p(1)", LOADS},

	{"SELECT pg_advisory_lock(1)", LOCKS},
	{"SELECT pg_advisory_lock_shared(1, 2)", LOCKS},
	{"SELECT Pg_Try_Advisory_Lock(1)", LOCKS},
	{"SELECT pg_catalog.pg_try_advisory_lock_shared(1)", LOCKS},
	{"SELECT pg_advisory_unlock(1)", LOCKS},
	{"SELECT pg_advisory_unlock_all()", LOCKS},
	{"SELECT pg_advisory_xact_lock(1)", 0},
	{"SELECT pg_try_advisory_xact_lock_shared(1)", 0},
	{"SELECT pg_advisory_lock FROM t", 0},
	{"WITH l AS (SELECT \"pg_advisory_lock\"(1)) SELECT 1", LOCKS},

	{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", HOLDS},
	{"DECLARE c SCROLL CURSOR WITH/**/HOLD FOR SELECT 1 FOR UPDATE", HOLDS | W},
	{"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", 0},
	{"WITH hold AS (SELECT 1) SELECT * FROM hold", 0},
	{"CLOSE c", HOLDS},
	{"CLOSE ALL", HOLDS},
	{"FETCH 10 FROM c", 0},

	{"SELECT lastval()", PGM_SCAN_SEQUENCE_READ},
	{"SELECT currval('s')", PGM_SCAN_SEQUENCE_READ},
	{"SELECT nextval('s')", INSERTS},
	{"SELECT setval('s', 1)", INSERTS},
	{"INSERT INTO t VALUES (1)", INSERTS},
	{"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", INSERTS | PGM_SCAN_DDL},
	{"WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", INSERTS | PGM_SCAN_DDL},
	{"WITH x AS MATERIALIZED (DELETE FROM t RETURNING *) SELECT * FROM x", W},
	{"MERGE INTO t USING u ON (true) WHEN MATCHED THEN DELETE", INSERTS},
	{"UPDATE t SET id = DEFAULT", INSERTS},
	{"DELETE FROM t", W},
	{"COPY t FROM STDIN", INSERTS | PGM_SCAN_COPY},
	{"COPY t (a, b) FROM STDIN", INSERTS | PGM_SCAN_COPY},
	{"COPY t TO STDOUT", PGM_SCAN_COPY},
	{"COPY (SELECT * FROM t) TO STDOUT", PGM_SCAN_COPY},
	{"COPY (DELETE FROM t RETURNING *) TO STDOUT", PGM_SCAN_COPY | W},
	{"SELECT * FROM t FOR UPDATE", W},
	{"SELECT * FROM t FOR NO KEY UPDATE", W},
	{"SELECT * FROM t FOR SHARE", W},
	{"SELECT * FROM t FOR KEY SHARE", W},
	{"SELECT substring('abc' FROM 1 FOR 2)", 0},
	{"SELECT update, t.insert FROM t", 0},

	{"LOAD 'auto_explain'", LOADS},
	{"DO $$ BEGIN PERFORM set_config('a', 'b', false); END $$", LOADS},
	{"CALL p()", LOADS},
	{"SELECT query_to_xml('SELECT set_config(''a'', ''b'', false)', true, true, '')", PGM_SCAN_LOADS},
	{"SELECT setseed(0.5)", PGM_SCAN_LOADS},

	{"CREATE TABLE t (i int)", DDL},
	{"ALTER TABLE t ADD j int", DDL},
	{"DROP TABLE t", DDL},
	{"TRUNCATE t", DDL},
	{"GRANT ALL ON t TO r", DDL},
	{"VACUUM t", W},
	{"ANALYZE t", W},
	{"LOCK TABLE t", W},

	{"BEGIN", BEGINS},
	{"BEGIN ISOLATION LEVEL SERIALIZABLE", BEGINS},
	{"START TRANSACTION READ ONLY", BEGINS},
	{"COMMIT", ENDS},
	{"END", ENDS},
	{"ROLLBACK", ENDS},
	{"ABORT", ENDS},
	{"COMMIT AND CHAIN", ENDS},
	{"ROLLBACK TO SAVEPOINT a", 0},
	{"ROLLBACK WORK TO a", 0},
	{"COMMIT PREPARED 'x'", W},
	{"SAVEPOINT a", 0},
	{"RELEASE a", 0},
	{"BEGIN; SELECT 1; COMMIT", BEGINS | ENDS | MULTI},
	{"COMMIT; ROLLBACK TO a", ENDS | MULTI},

	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SET "
	 "x = 1",
	 DDL | SETS | MULTI},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", DDL},
	{"CREATE VIEW v AS SELECT begin atomic FROM t; SET x = 1", DDL | SETS | MULTI},
	{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", DDL},

	{"IDENTIFY_SYSTEM", W | PGM_SCAN_REPLICATION},
	{"START_REPLICATION SLOT s LOGICAL 0/0", W | PGM_SCAN_REPLICATION},
	{"SELECT 'x", PGM_SCAN_UNKNOWN},
	{"SELECT \"x", PGM_SCAN_UNKNOWN},
	{"SELECT $a$ $b$", PGM_SCAN_UNKNOWN},
	{"SELECT /* /* */", PGM_SCAN_UNKNOWN},
	{"SELECT /* /* */ */ 1", 0},
	{"SELECT $$;SET x = 1$$, $a$ ;SET $$ $b$ x = 1;$a$", 0},
	{"SELECT E'\\';SET x = 1'", 0},
	{"SELECT 'a\\';SET x = 1 --'", SETS | MULTI},
	{"SELECT B'1;', X'f;', N';', U&'\\0041;', 'a''b;'", 0},
	{"SELECT 'a' -- ; SET x = 1 \n ';b'", 0},
	{"SELECT a$b$ ; SET x = 1 -- $b$", SETS | MULTI},
	{"SELECT caf\xc3\xa9$b$ ; SET x = 1 -- $b$", SETS | MULTI},
	{"SELECT $1;SET x = 1", SETS | MULTI},
	{"SELECT 1 -/* ; */- 2", 0},
};

static void each_text_has_its_flags(void **state)
{
	(void)state;
	int wrong = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pgm_scan scan;
		pgm_scan_sql(rows[i].sql, strlen(rows[i].sql), true, &scan);
		if (scan.flags == rows[i].flags)
			continue;
		wrong++;
		print_error("%s: 0x%x, not 0x%x\n", rows[i].sql, scan.flags, rows[i].flags);
	}
	assert_int_equal(wrong, 0);
}

static void backslashes_escape_where_strings_are_not_standard(void **state)
{
	(void)state;
	static const char sql[] = "SELECT 'a\\';SET x = 1 --'";
	struct pgm_scan scan;
	pgm_scan_sql(sql, strlen(sql), false, &scan);
	assert_int_equal(scan.flags, 0);
	static const char standard[] = "SELECT E'\\\\', '\\\\' ; SET x = 1";
	pgm_scan_sql(standard, strlen(standard), false, &scan);
	assert_int_equal(scan.flags, SETS | MULTI);
	/* Bit strings and identifiers never have escapes. */
	static const char others[] = "SELECT X'\\', \"\\\" ; SET x = 1";
	pgm_scan_sql(others, strlen(others), false, &scan);
	assert_int_equal(scan.flags, SETS | MULTI);
}

static void a_nul_ends_the_text(void **state)
{
	(void)state;
	struct pgm_scan scan;
	pgm_scan_sql("SELECT 1\0; SET x = 1", 20, true, &scan);
	assert_int_equal(scan.flags, 0);
}

static void collect(void *data, const char *name)
{
	char *all = data;
	strcat(all, name);
	strcat(all, "|");
}

static void check_settings(const char *sql, const char *expected)
{
	char all[512] = "", scratch[256];
	pgm_scan_custom_settings(sql, strlen(sql), true, scratch, sizeof(scratch), collect, all);
	if (strcmp(all, expected) != 0)
		fail_msg("%s: %s, not %s", sql, all, expected);
}

static void custom_settings_are_found(void **state)
{
	(void)state;
	check_settings("SET app.tenant = '1'", "app.tenant|");
	check_settings("SET SESSION App.Tenant TO x", "app.tenant|");
	check_settings("SET \"App\" . \"Tenant\" TO x", "app.tenant|");
	check_settings("SET \"app.tenant\" TO x", "app.tenant|");
	check_settings("SET a.b.c = 1; SET local.x = 1; set session.y = 2", "a.b.c|local.x|session.y|");
	check_settings("SET LOCAL app.x = 1", "");
	check_settings("SET work_mem = 1; SELECT x.y", "");
	check_settings("UPDATE t SET a.b = 1", "");
	check_settings("SELECT set_config('App.X', 'v', false)", "app.x|");
	check_settings(
		"SELECT set_config($$app.x$$, 'v', false), pg_catalog.\"set_config\"('app.x', 'w', false)",
		"app.x|");
	check_settings("SELECT set_config('app.x', 'v', true)", "");
	check_settings("SELECT set_config('app.x', set_config('app.y', f(1, 2), false), false)",
		       "app.x|app.y|");
	check_settings("SELECT set_config('work_mem', '1', false)", "");
	check_settings("SELECT set_config($1, '1', false)", "");
	check_settings("SELECT set_config('app.x', 'v', false); SET app.x = 1; SET app.y = 1",
		       "app.x|app.y|");
	check_settings("SET", "");
	check_settings("SET \"", "");
	check_settings("SELECT set_config('", "");
	check_settings("SELECT set_config($$", "");
}

static void settings_that_do_not_fit_are_left_out(void **state)
{
	(void)state;
	char all[64] = "", scratch[8];
	static const char sql[] = "SET abc.def = 1; SET abcdefgh.i = 1; SET x.y = 1";
	pgm_scan_custom_settings(sql, strlen(sql), true, scratch, sizeof(scratch), collect, all);
	assert_string_equal(all, "abc.def|");
}

static void tags_tell_rows(void **state)
{
	(void)state;
	assert_int_equal(pgm_scan_tag_rows("INSERT 0 5", 10), 5);
	assert_int_equal(pgm_scan_tag_rows("SELECT 123456789012", 20), 123456789012);
	assert_int_equal(pgm_scan_tag_rows("COPY 7", 7), 7);
	assert_int_equal(pgm_scan_tag_rows("BEGIN", 5), 0);
	assert_int_equal(pgm_scan_tag_rows("CREATE TABLE", 12), 0);
	assert_int_equal(pgm_scan_tag_rows("7", 1), 0);
	assert_int_equal(pgm_scan_tag_rows("", 0), 0);
	assert_int_equal(pgm_scan_tag_rows("X 99999999999999999999999999", 28), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_has_its_flags),
		cmocka_unit_test(backslashes_escape_where_strings_are_not_standard),
		cmocka_unit_test(a_nul_ends_the_text),
		cmocka_unit_test(custom_settings_are_found),
		cmocka_unit_test(settings_that_do_not_fit_are_left_out),
		cmocka_unit_test(tags_tell_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
