#include "../cmocka_all.h"

#include "check/check.h"
#include "check/run.h"

#include <string.h>

static const char good[] = "-- id: some_check\n"
			   "-- title: Some check\n"
			   "-- family: indexes\n"
			   "-- severity: warning\n"
			   "-- versions: 13-16\n"
			   "-- needs: primary\n"
			   "-- needs: extension pg_stat_statements\n"
			   "-- needs: column pg_stat_statements.calls\n"
			   "-- threshold: small_rows 100.5 | what is small\n"
			   "-- probe: extra pg_index.indextra ? i.indextra : ARRAY['a']\n"
			   "--\n"
			   "-- What it means.\n"
			   "--\n"
			   "-- And more.\n"
			   "SELECT 1;\n";

static void a_descriptor_is_read(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_check check;
	struct pgm_error err = {0};
	assert_true(pgm_check_describe(arena, "checks/some_check.sql", good, &check, &err));
	assert_string_equal(check.id, "some_check");
	assert_string_equal(check.title, "Some check");
	assert_string_equal(check.family, "indexes");
	assert_int_equal(check.severity, PGM_SEVERITY_WARNING);
	assert_int_equal(check.oldest, 13);
	assert_int_equal(check.newest, 16);
	assert_true(check.needs_primary);
	assert_string_equal(check.extension, "pg_stat_statements");
	assert_int_equal(check.column_count, 1);
	assert_string_equal(check.columns[0].column, "calls");
	assert_string_equal(check.thresholds[0].name, "small_rows");
	assert_string_equal(check.thresholds[0].value, "100.5");
	assert_string_equal(check.thresholds[0].meaning, "what is small");
	assert_string_equal(check.probes[0].relation, "pg_index");
	assert_string_equal(check.probes[0].present, "i.indextra");
	assert_string_equal(check.probes[0].absent, "ARRAY['a']");
	assert_string_equal(check.description, "What it means.\n\nAnd more.");
	assert_string_equal(check.sql, "SELECT 1");
}

/* The good text with one line replaced. */
static char *with(struct pgm_arena *arena, const char *old, const char *new)
{
	const char *at = strstr(good, old);
	assert_non_null(at);
	return pgm_sprintf(arena, "%.*s%s%s", (int)(at - good), good, new, at + strlen(old));
}

static void a_malformed_descriptor_is_refused(void **state)
{
	(void)state;
	static const char *const broken[][3] = {
		{"-- id: some_check\n", "-- id: other\n", "the id is not the file's name"},
		{"-- id: some_check\n", "", "needs an id"},
		{"-- title: Some check\n", "", "needs a title"},
		{"-- severity: warning\n", "-- severity: bad\n", "no such severity"},
		{"-- severity: warning\n", "", "needs a title, a severity"},
		{"-- versions: 13-16\n", "-- versions: 13\n", "versions must be"},
		{"-- needs: primary\n", "-- needs: luck\n", "needs must be"},
		{"-- threshold: small_rows 100.5 | what is small\n", "-- threshold: small_rows many | x\n",
		 "a threshold must be"},
		{"-- threshold: small_rows 100.5 | what is small\n", "-- threshold: small_rows 1\n",
		 "a threshold must be"},
		{"-- probe: extra pg_index.indextra ? i.indextra : ARRAY['a']\n", "-- probe: extra x\n",
		 "a probe must be"},
		{"-- title: Some check\n", "-- titel: Some check\n", "no such key"},
		{"-- title: Some check\n", "-- Some check\n", "key: value"},
		{"--\n-- What it means.\n--\n-- And more.\n", "", "needs a paragraph"},
		{"SELECT 1;\n", ";\n", "there is no SQL"},
	};
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		struct pgm_check check;
		struct pgm_error err = {0};
		const char *text = with(arena, broken[i][0], broken[i][1]);
		assert_false(pgm_check_describe(arena, "some_check.sql", text, &check, &err));
		assert_int_equal(err.kind, PGM_ERR_INPUT);
		if (!strstr(err.message, broken[i][2]))
			fail_msg("\"%s\" instead of \"%s\"", err.message, broken[i][2]);
	}
}

static const char *word(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "one") == 0 ? "$1" : strcmp(name, "s_schema") == 0 ? "public" : NULL;
}

static void words_are_replaced_as_psql_does(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"SELECT :one::int8", "SELECT $1::int8"},
		{"a[0:one - 1]", "a[0$1 - 1]"},
		{"a[0:n]", "a[0:n]"},
		{"x::one", "x::one"},
		{"':one' \":one\" -- :one\n:one", "':one' \":one\" -- :one\n$1"},
		{"/* :one */:one", "/* :one */$1"},
		{"'it''s :one' :one", "'it''s :one' $1"},
		{":s_schema.t :s_schemas", "public.t :s_schemas"},
		{"", ""},
		{"'open :one", "'open :one"},
	};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(pgm_check_expand(arena, cases[i][0], word, NULL), cases[i][1]);
}

struct use {
	const char *name;
	size_t times;
};

static const char *count_use(const char *name, void *arg)
{
	struct use *use = arg;
	use->times += strcmp(use->name, name) == 0;
	return NULL;
}

static void assert_used(struct pgm_arena *arena, const struct pgm_check *check, const char *name)
{
	struct use use = {.name = name};
	pgm_check_expand(arena, check->sql, count_use, &use);
	if (use.times == 0)
		fail_msg("%s: %s is declared but not used", check->id, name);
}

#define MARK "\001"

static const char *mark(const char *name, void *arg)
{
	return strcmp(name, arg) == 0 ? MARK : NULL;
}

/* The server cannot tell the type of a parameter without a cast. */
static void assert_cast(struct pgm_arena *arena, const struct pgm_check *check, const char *name)
{
	const char *marked = pgm_check_expand(arena, check->sql, mark, (void *)(uintptr_t)name);
	for (const char *at = marked; (at = strstr(at, MARK)) != NULL; at++)
		if (strncmp(at + 1, "::pg_catalog.", 13) != 0)
			fail_msg("%s: :%s without a cast", check->id, name);
}

static void every_check_is_well_formed(void **state)
{
	(void)state;
	static const char *const banned[] = {
		"pg_get_indexdef(",	   "pg_get_expr(",	"pg_get_constraintdef(",
		"pg_table_size(",	   "pg_relation_size(", "pg_indexes_size(",
		"pg_total_relation_size(", "::regclass",	"::pg_catalog.regclass",
		"pg_partition_tree(",	   "pg_get_viewdef(",	"pg_sequence_last_value("};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_check *checks;
	size_t count;
	struct pgm_error err = {0};
	if (!pgm_check_catalogue(arena, &checks, &count, &err))
		fail_msg("%s", err.message);
	assert_true(count >= 8);
	for (size_t i = 0; i < count; i++) {
		for (size_t t = 0; t < checks[i].threshold_count; t++) {
			assert_used(arena, &checks[i], checks[i].thresholds[t].name);
			assert_cast(arena, &checks[i], checks[i].thresholds[t].name);
		}
		for (size_t p = 0; p < checks[i].probe_count; p++)
			assert_used(arena, &checks[i], checks[i].probes[p].name);
		if (checks[i].extension)
			assert_used(arena, &checks[i], pgm_sprintf(arena, "%s_schema", checks[i].extension));
		for (size_t b = 0; b < sizeof(banned) / sizeof(*banned); b++) {
			const char *at = strstr(checks[i].sql, banned[b]);
			const char *line = at;
			while (line && line > checks[i].sql && line[-1] != '\n')
				line--;
			if (at && !strstr(pgm_strndup(arena, line, (size_t)(at - line)), "--"))
				fail_msg("%s calls %s, which may wait for a lock", checks[i].id, banned[b]);
		}
	}
}

static void a_typo_is_answered_with_the_nearest_name(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const struct pgm_check *checks;
	size_t count;
	struct pgm_error err = {0};
	assert_true(pgm_check_catalogue(arena, &checks, &count, &err));
	assert_non_null(pgm_check_find(checks, count, "unused_index", &err));
	static const char *const typos[][2] = {{"unsued_index", "unused_index"},
					       {"fk_wihtout_index", "fk_without_index"},
					       {"duplicate", "duplicate_index"},
					       {"slow_statements", "slow_statement"}};
	for (size_t i = 0; i < sizeof(typos) / sizeof(*typos); i++) {
		assert_null(pgm_check_find(checks, count, typos[i][0], &err));
		assert_int_equal(err.kind, PGM_ERR_USAGE);
		assert_non_null(strstr(err.hint, typos[i][1]));
	}
	assert_null(pgm_check_find(checks, count, "zzzzzzzzzzzzzzzzzzzz", &err));
	assert_null(strstr(err.hint, "Perhaps"));
	assert_null(pgm_check_find(checks, count, "", &err));
}

static bool ignored(const char *pattern, const char *key)
{
	struct pgm_check_options options = {.ignore = &pattern, .ignore_count = 1};
	return pgm_check_ignored(&options, key);
}

static void ignore_keys_match_whole_and_with_stars(void **state)
{
	(void)state;
	assert_true(ignored("a:public.t", "a:public.t"));
	assert_false(ignored("a:public.t", "a:public.t2"));
	assert_false(ignored("a:public.t2", "a:public.t"));
	assert_true(ignored("a:public.*", "a:public.t"));
	assert_true(ignored("*", "anything"));
	assert_true(ignored("*:public.t:*", "fk:public.t:c"));
	assert_false(ignored("*:public.t:*", "fk:public.u:c"));
	assert_true(ignored("*a*b", "aaabab"));
	assert_false(ignored("*a*b", "aaaba"));
	assert_true(ignored("a[x]?", "a[x]?"));
	assert_false(ignored("a[x]?", "axy"));
	assert_true(ignored("a:\"q*\"", "a:\"q*\""));
	assert_false(ignored("", "a"));
}

static void an_ignore_file_is_read_by_lines(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char **keys;
	assert_int_equal(pgm_check_ignore_parse(arena, "# why\n a:b \r\n\n\t\na:\"c d\"#\n#x\nlast", &keys),
			 3);
	assert_string_equal(keys[0], "a:b");
	assert_string_equal(keys[1], "a:\"c d\"#");
	assert_string_equal(keys[2], "last");
	assert_int_equal(pgm_check_ignore_parse(arena, "", &keys), 0);
}

static void read_rows(const char *row, struct pgm_check_result *result, bool expected)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_check check = {.id = "x", .title = "X", .severity = PGM_SEVERITY_WARNING};
	struct pgm_check_options options = {0};
	struct pgm_error err = {0};
	char *cells[] = {pgm_strdup(arena, row)};
	struct pgm_rows rows = {.count = 1, .columns = 1, .cells = cells};
	*result = (struct pgm_check_result){.check = &check};
	if (pgm_check_read_rows(arena, &rows, &options, result, &err) != expected)
		fail_msg("%s: %s", row, err.message);
	for (size_t i = 0; i < result->finding_count; i++)
		json_decref(result->findings[i].evidence);
	if (!expected)
		assert_int_equal(err.kind, PGM_ERR_STATE);
}

static void rows_become_findings_or_are_refused(void **state)
{
	(void)state;
	struct pgm_check_result result;
	read_rows(
		"{\"object\":\"a.b\",\"detail\":\"d\",\"remedy\":\"r\",\"ignore_key\":\"x:a\\nb\",\"impact\":"
		"\"Infinity\",\"evidence\":{},\"severity\":null}",
		&result, true);
	assert_int_equal(result.finding_count, 1);
	read_rows("{\"severity\":\"unknown\",\"detail\":\"why\"}", &result, true);
	assert_int_equal(result.finding_count, 0);
	read_rows("{\"severity\":\"unknown\"}", &result, false);
	read_rows("not json", &result, false);
	read_rows("{\"object\":\"a\",\"detail\":\"d\",\"remedy\":\"r\",\"ignore_key\":\"k\",\"evidence\":[]}",
		  &result, false);
	read_rows("{\"object\":\"a\",\"detail\":\"d\",\"remedy\":\"r\",\"evidence\":{}}", &result, false);
	read_rows("{\"object\":\"a\",\"detail\":\"d\",\"remedy\":\"r\",\"ignore_key\":\"k\",\"evidence\":{},"
		  "\"severity\":\"dire\"}",
		  &result, false);
	read_rows("{\"object\":\"a\",\"detail\":\"d\",\"remedy\":\"r\",\"ignore_key\":\"k\",\"evidence\":{},"
		  "\"change_kind\":\"explode\"}",
		  &result, false);
	read_rows("{\"object\":\"a\",\"detail\":\"d\",\"remedy\":\"r\",\"ignore_key\":\"k\",\"evidence\":{},"
		  "\"change_kind\":\"sql\"}",
		  &result, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_read),
		cmocka_unit_test(a_malformed_descriptor_is_refused),
		cmocka_unit_test(words_are_replaced_as_psql_does),
		cmocka_unit_test(every_check_is_well_formed),
		cmocka_unit_test(a_typo_is_answered_with_the_nearest_name),
		cmocka_unit_test(ignore_keys_match_whole_and_with_stars),
		cmocka_unit_test(an_ignore_file_is_read_by_lines),
		cmocka_unit_test(rows_become_findings_or_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
