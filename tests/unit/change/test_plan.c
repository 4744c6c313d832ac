#include "../cmocka_all.h"

#include "change/plan.h"
#include "pg/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pgm_plan read_ok(struct pgm_arena *arena, const char *text)
{
	struct pgm_error err = {0};
	struct pgm_plan plan;
	if (!pgm_plan_parse(arena, "p.sql", text, &plan, &err))
		fail_msg("%s", err.message);
	return plan;
}

static char *write_ok(const struct pgm_plan *plan)
{
	struct pgm_error err = {0};
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	if (!pgm_plan_write(plan, stream, &err))
		fail_msg("%s", err.message);
	fclose(stream);
	return text;
}

static const char *evidence[] = {"deletes of training_jobs cost 91 ms for each row", "", "cost 12.5 -> 0.3"};
static const char *indexes[] = {"orders_user_id_idx"};

static struct pgm_change changes_sample[] = {
	{.kind = PGM_CHANGE_CREATE_INDEX,
	 .step = 1,
	 .title = "create index orders_user_id_idx on public.orders",
	 .schema = "public",
	 .relation = "orders",
	 .index = "orders_user_id_idx",
	 .sql_up = "CREATE INDEX CONCURRENTLY orders_user_id_idx\n\tON public.orders (user_id);\n",
	 .sql_down = "DROP INDEX CONCURRENTLY public.orders_user_id_idx;\n",
	 .lock = "SHARE UPDATE EXCLUSIVE",
	 .size_bytes = 123456789012,
	 .build_ms = 1234.5,
	 .write_overhead = 0.125,
	 .evidence = evidence,
	 .evidence_count = 3},
	{.kind = PGM_CHANGE_CREATE_INDEX,
	 .step = 2,
	 .title = "create index e_idx on public.events",
	 .schema = "public",
	 .relation = "events",
	 .index = "e_idx",
	 .sql_up = "CREATE INDEX e_idx ON ONLY public.events (at);\n"
		   "CREATE INDEX CONCURRENTLY e1_idx ON public.e1 (at);\n"
		   "ALTER INDEX public.e_idx ATTACH PARTITION public.e1_idx;\n",
	 .sql_down = "DROP INDEX public.e_idx;\n",
	 .lock = "SHARE",
	 .size_bytes = -1,
	 .build_ms = -1,
	 .write_overhead = -1},
	{.kind = PGM_CHANGE_DROP_INDEX,
	 .step = 3,
	 .title = "drop index old",
	 .schema = "public",
	 .relation = "orders",
	 .index = "old",
	 .sql_up = "DROP INDEX CONCURRENTLY public.old;\n",
	 .sql_down = "CREATE INDEX CONCURRENTLY old ON public.orders (a);\n",
	 .lock = "SHARE UPDATE EXCLUSIVE",
	 .size_bytes = -1,
	 .build_ms = -1,
	 .write_overhead = -1},
	{.kind = PGM_CHANGE_SQL,
	 .step = 4,
	 .title = "give orders a default",
	 .schema = "public",
	 .relation = "orders",
	 .sql_up = "ALTER TABLE public.orders ALTER a SET DEFAULT 'x;\ny';\nSELECT 1;\n",
	 .sql_down = "ALTER TABLE public.orders ALTER a DROP DEFAULT;\n",
	 .transactional = true,
	 .lock = "ACCESS EXCLUSIVE",
	 .size_bytes = -1,
	 .build_ms = -1,
	 .write_overhead = -1},
};

static struct pgm_plan_statement statements_sample[] = {
	{.id = "0123456789abcdef",
	 .sql = "SELECT *\nFROM orders WHERE user_id = 'x\"'",
	 .text = "SELECT * FROM orders WHERE user_id = $1",
	 .calls = 42,
	 .cost_before = 100.25,
	 .cost_after = -1,
	 .indexes = indexes,
	 .index_count = 1,
	 .reads = true},
};

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_plan plan = {.title = "two things\nand more",
				.database = "shop \"1\"",
				.created_at = "2025-01-02T03:04:05Z",
				.changes = changes_sample,
				.change_count = 4,
				.statements = statements_sample,
				.statement_count = 1};
	char *text = write_ok(&plan);
	struct pgm_plan again = read_ok(arena, text);
	assert_string_equal(again.title, plan.title);
	assert_string_equal(again.database, plan.database);
	assert_string_equal(again.created_at, plan.created_at);
	assert_string_equal(again.id, pgm_plan_id(arena, plan.changes, plan.change_count));
	assert_int_equal(strlen(again.id), 12);
	assert_int_equal(again.change_count, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct pgm_change *was = &plan.changes[i], *is = &again.changes[i];
		assert_int_equal(is->kind, was->kind);
		assert_int_equal(is->step, was->step);
		assert_string_equal(is->title, was->title);
		assert_string_equal(is->schema, was->schema);
		assert_string_equal(is->relation, was->relation);
		assert_string_equal(is->lock, was->lock);
		assert_int_equal(is->transactional, was->transactional);
		assert_int_equal(is->size_bytes, was->size_bytes);
		assert_true(is->build_ms == was->build_ms && is->write_overhead == was->write_overhead);
		assert_int_equal(is->evidence_count, was->evidence_count);
		for (size_t e = 0; e < was->evidence_count; e++)
			assert_string_equal(is->evidence[e], was->evidence[e]);
		if (was->index)
			assert_string_equal(is->index, was->index);
		else
			assert_null(is->index);
		assert_string_equal(is->sql_down, was->sql_down);
	}
	assert_string_equal(again.changes[0].sql_up, changes_sample[0].sql_up);
	/* A newline in a literal is written as an escape. */
	assert_string_equal(again.changes[3].sql_up,
			    "ALTER TABLE public.orders ALTER a SET DEFAULT E'x;\\ny';\nSELECT 1;\n");
	assert_int_equal(again.statement_count, 1);
	assert_string_equal(again.statements[0].sql, statements_sample[0].sql);
	assert_string_equal(again.statements[0].indexes[0], "orders_user_id_idx");
	assert_true(again.statements[0].reads && again.statements[0].calls == 42 &&
		    again.statements[0].cost_before == 100.25 && again.statements[0].cost_after == -1);

	/* The same Plan from a file with Windows line ends. */
	char *crlf = pgm_arena_alloc(arena, strlen(text) * 2 + 1), *to = crlf;
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			*to++ = '\r';
		*to++ = *p;
	}
	struct pgm_plan windows = read_ok(arena, crlf);
	assert_string_equal(windows.id, again.id);
	assert_string_equal(windows.changes[1].sql_up, again.changes[1].sql_up);
	free(text);
}

/* Names, evidence and titles come from a database that someone else filled. */
static void hostile_names_cannot_leave_their_place(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a\n-- migrate:down\nDROP TABLE users;\n--",
		"a\r\n-- migrate:down transaction:false\r\n",
		"\n-- pgmend:change {\"step\":9}\nDROP TABLE users;",
		"x\"; DROP TABLE users; --",
		"*/ ; -- /* \\\" '",
		"-- migrate:down",
		"pgmend:undo {\"step\":1}",
		"caf\xc3\xa9 \xe2\x80\xae rtl \x1b[31m \x7f",
		"$$ a $$; $x$",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		const char *lines[] = {names[i], pgm_sprintf(arena, "migrate:down %s", names[i])};
		struct pgm_change change = {
			.kind = PGM_CHANGE_CREATE_INDEX,
			.step = 1,
			.title = names[i],
			.schema = names[i],
			.relation = names[i],
			.index = names[i],
			.sql_up = pgm_sprintf(
				arena, "CREATE INDEX CONCURRENTLY %s ON %s (%s) WHERE c = %s;\n",
				pgm_quote_ident(arena, names[i]),
				pgm_quote_qualified(arena, names[i], names[i]),
				pgm_quote_ident(arena, names[i]), pgm_quote_literal(arena, names[i])),
			.sql_down = pgm_sprintf(arena, "DROP INDEX CONCURRENTLY %s;\n",
						pgm_quote_qualified(arena, names[i], names[i])),
			.lock = "SHARE UPDATE EXCLUSIVE",
			.evidence = lines,
			.evidence_count = 2};
		struct pgm_plan plan = {.title = names[i],
					.database = names[i],
					.created_at = names[i],
					.changes = &change,
					.change_count = 1};
		char *text = write_ok(&plan);
		struct pgm_plan again = read_ok(arena, text);
		assert_int_equal(again.change_count, 1);
		assert_int_equal(again.changes[0].kind, PGM_CHANGE_CREATE_INDEX);
		assert_string_equal(again.changes[0].index, names[i]);
		assert_string_equal(again.changes[0].relation, names[i]);
		assert_string_equal(again.changes[0].title, names[i]);
		assert_string_equal(again.database, names[i]);
		assert_int_equal(again.changes[0].evidence_count, 2);
		assert_non_null(strstr(again.changes[0].sql_down, "DROP INDEX CONCURRENTLY"));
		/* What sed and dbmate see: each mark once, at the start of a line. */
		int downs = 0;
		for (const char *p = text; (p = strstr(p, "\n-- migrate:down")) != NULL; p++)
			downs++;
		assert_int_equal(downs, 1);
		for (const char *p = text; *p; p++)
			assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
		free(text);
	}
}

static void an_edited_plan_does_what_its_sql_says(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_plan plan = read_ok(
		arena, "-- migrate:up\n-- why\n-- pgmend:change "
		       "{\"step\":7,\"kind\":\"drop_index\",\"title\":\"was\","
		       "\"relation\":\"t\",\"index\":\"i\",\"size_bytes\":5}\n"
		       "create index concurrently other on s.u(a);\nanalyze s.u;\n"
		       "-- migrate:down\n-- pgmend:undo {\"step\":7}\ndrop index concurrently s.other");
	assert_int_equal(plan.change_count, 1);
	const struct pgm_change *change = &plan.changes[0];
	assert_int_equal(change->kind, PGM_CHANGE_CREATE_INDEX);
	assert_int_equal(change->step, 1);
	assert_string_equal(change->index, "other");
	assert_string_equal(change->schema, "s");
	assert_string_equal(change->relation, "u");
	assert_string_equal(change->title, "create index other on u");
	assert_int_equal(change->size_bytes, -1);
	assert_string_equal(change->evidence[0], "why");
	assert_string_equal(change->sql_up, "create index concurrently other on s.u(a);\nanalyze s.u;\n");
	assert_string_equal(change->sql_down, "drop index concurrently s.other;\n");
	assert_string_equal(plan.title, "p.sql");

	/* Two indexes under one mark are two steps: each can fail alone. */
	plan = read_ok(arena,
		       "-- migrate:up\n-- pgmend:change {\"step\":1,\"index\":\"b\",\"title\":\"mine\","
		       "\"relation\":\"t\"}\nCREATE INDEX CONCURRENTLY a ON t(a);"
		       "CREATE INDEX CONCURRENTLY b ON t(b);");
	assert_int_equal(plan.change_count, 2);
	assert_string_equal(plan.changes[1].title, "mine");
	assert_string_equal(plan.changes[0].title, "create index a on t");
}

static void plain_migrations_are_plans(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_plan plan = read_ok(arena, "\xef\xbb\xbf-- migrate:up transaction:false\n"
					      "CREATE TABLE n (a int); -- a comment; with a semicolon\n"
					      "CREATE INDEX CONCURRENTLY i ON t (a);\n"
					      "DROP INDEX CONCURRENTLY s.j;\nALTER TABLE t ADD b int\n"
					      "-- migrate:down\nALTER TABLE t DROP b;\n"
					      "DROP INDEX CONCURRENTLY i;\n"
					      "CREATE INDEX CONCURRENTLY j ON s.t (a);\nDROP TABLE n;\n");
	assert_int_equal(plan.change_count, 4);
	assert_int_equal(plan.changes[0].kind, PGM_CHANGE_SQL);
	assert_true(plan.changes[0].transactional);
	assert_string_equal(plan.changes[0].sql_down, "DROP TABLE n;\n");
	assert_string_equal(plan.changes[1].sql_down, "DROP INDEX CONCURRENTLY i;\n");
	assert_false(plan.changes[1].transactional);
	assert_int_equal(plan.changes[2].kind, PGM_CHANGE_DROP_INDEX);
	assert_string_equal(plan.changes[2].sql_down, "CREATE INDEX CONCURRENTLY j ON s.t (a);\n");
	assert_string_equal(plan.changes[3].sql_up, "ALTER TABLE t ADD b int;\n");
	assert_string_equal(plan.changes[3].sql_down, "ALTER TABLE t DROP b;\n");
	assert_string_equal(plan.changes[3].title, "ALTER TABLE t ADD b int");
}

static void malformed_plans_are_refused_by_file_and_line(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "p.sql:1: there is no \"-- migrate:up\""},
		{"-- just a comment\n", "there is no \"-- migrate:up\""},
		{"SELECT 1;\n-- migrate:up\n", "p.sql:1: SQL before \"-- migrate:up\""},
		{"-- migrate:up\n", "p.sql: there is no statement below"},
		{"-- migrate:up\n-- only a comment\n;;\n", "there is no statement below"},
		{"-- migrate:up\nSELECT 1;\n-- migrate:up\n", "p.sql:3: a second \"-- migrate:up\""},
		{"-- migrate:down\n-- migrate:up\nSELECT 1", "p.sql:1: \"-- migrate:down\" before"},
		{"-- migrate:up\nSELECT 1;\n-- migrate:down\n-- migrate:down\n", "p.sql:4: a second"},
		{"-- migrate:up\n\nSELEC 1;\n", "p.sql:3: syntax error at or near \"SELEC\""},
		{"-- migrate:up\nSELECT 1;\n\nSELECT 'a\n", "p.sql:4: unterminated quoted string"},
		{"-- migrate:up\nSELECT $$a\n-- migrate:down\n$$", "unterminated dollar-quoted string"},
		{"-- migrate:up\nBEGIN;\nSELECT 1;\nCOMMIT;\n", "p.sql:2: a Plan cannot hold BEGIN"},
		{"-- migrate:up\nSELECT 1;\n-- migrate:down\nROLLBACK;\n",
		 "p.sql:4: a Plan cannot hold BEGIN"},
		{"-- migrate:up\nCOPY t FROM STDIN;\n", "p.sql:2: a Plan cannot hold COPY"},
		{"-- migrate:up\nCREATE INDEX ON t(a);\n",
		 "p.sql:2: this CREATE INDEX gives the index no name"},
		{"-- migrate:up\n-- pgmend:change {\nSELECT 1;", "p.sql:2: pgmend:change: malformed JSON"},
		{"-- migrate:up\n-- pgmend:change []\nSELECT 1;", "there should be a JSON object"},
		{"-- migrate:up\n-- pgmend:change {\"a\":1}\nSELECT 1;", "pgmend:change has no key \"a\""},
		{"-- migrate:up\n-- pgmend:change {\"step\":\"1\"}\nSELECT 1;", "should be a whole number"},
		{"-- migrate:up\n-- pgmend:change {\"step\":0}\nSELECT 1;", "should be from 1 to"},
		{"-- migrate:up\n-- pgmend:change {\"kind\":\"x\"}\nSELECT 1;", "no kind \"x\" of change"},
		{"-- migrate:up\n-- pgmend:change {}\n-- nothing\n", "no SQL under this pgmend:change"},
		{"-- pgmend:change {}\n-- migrate:up\nSELECT 1;", "p.sql:1: pgmend:change belongs below"},
		{"-- migrate:up\nSELECT 1;\n-- pgmend:undo {\"step\":1}\n",
		 "p.sql:3: pgmend:undo belongs below"},
		{"-- migrate:up\nSELECT 1;\n-- migrate:down\n-- pgmend:undo {\"step\":2}\nSELECT 1",
		 "p.sql:4: pgmend:undo names step 2"},
		{"-- pgmend:plan {\"version\":2}\n-- migrate:up\nSELECT 1;", "a Plan of version 2"},
		{"-- pgmend:plan {\"title\":\"x\"}\n-- migrate:up\nSELECT 1;", "a Plan of version 0"},
		{"-- pgmend:plain {}\n-- migrate:up\nSELECT 1;",
		 "p.sql:1: \"-- pgmend:plain {}\" is no mark"},
		{"-- migrate:upp\nSELECT 1;", "p.sql:1: \"-- migrate:upp\" is no mark"},
		{"-- migrate:up\nCREATE INDEX i ON t(a);\n-- migrate:down\nDROP INDEX i;\nSELECT 1",
		 "p.sql:5: this statement of migrate:down undoes nothing"},
		{"-- migrate:up\nSELECT '\xff\xfe';\n", "p.sql: this is not a text in UTF-8"},
		{"-- pgmend:statement {\"indexes\":[1]}\n-- migrate:up\nSELECT 1;", "a list of strings"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		struct pgm_error err = {0};
		struct pgm_plan plan;
		if (pgm_plan_parse(arena, "p.sql", cases[i][0], &plan, &err))
			fail_msg("read without an error: %s", cases[i][0]);
		assert_int_equal(err.kind, PGM_ERR_INPUT);
		if (!strstr(err.message, cases[i][1]))
			fail_msg("\"%s\" should say \"%s\"", err.message, cases[i][1]);
	}
}

static void what_would_be_read_otherwise_is_not_written(void **state)
{
	(void)state;
	struct pgm_error err = {0};
	struct pgm_change change = {.kind = PGM_CHANGE_SQL,
				    .step = 1,
				    .title = "x",
				    .schema = "",
				    .relation = "",
				    .lock = "",
				    .sql_up = "DO $$ BEGIN\n-- migrate:down\nEND $$;\n",
				    .sql_down = ""};
	struct pgm_plan plan = {.title = "x", .changes = &change, .change_count = 1};
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	assert_false(pgm_plan_write(&plan, stream, &err));
	assert_int_equal(err.kind, PGM_ERR_STATE);
	plan.change_count = 0;
	assert_false(pgm_plan_write(&plan, stream, &err));
	fclose(stream);
	assert_int_equal(length, 0);
	free(text);
}

static void binary_and_missing_files_are_refused(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_plan plan;
	assert_false(pgm_plan_read(arena, "/nonexistent/p.sql", &plan, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
	assert_false(pgm_plan_read(arena, "/proc/self/exe", &plan, &err));
	assert_non_null(strstr(err.message, "binary"));
	assert_false(pgm_plan_read(arena, "/tmp", &plan, &err));
	assert_int_equal(err.kind, PGM_ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(hostile_names_cannot_leave_their_place),
		cmocka_unit_test(an_edited_plan_does_what_its_sql_says),
		cmocka_unit_test(plain_migrations_are_plans),
		cmocka_unit_test(malformed_plans_are_refused_by_file_and_line),
		cmocka_unit_test(what_would_be_read_otherwise_is_not_written),
		cmocka_unit_test(binary_and_missing_files_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
