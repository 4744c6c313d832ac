/* What a request is taken apart into, and what is refused of it. */
#include "../cmocka_all.h"

#include "serve/http/origin.h"
#include "serve/http/parts.h"
#include "serve/http/tokens.h"
#include "serve/http/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void urls_are_taken_apart(void **state)
{
	struct pgm_url url;
	struct pgm_error err = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	(void)state;
	assert_true(pgm_url_parse("/api/v1/databases/a%2Fb%20c/series?metric=x%26y&from=-1h&q=a+b", arena,
				  &url, &err));
	assert_int_equal(url.segment_count, 5);
	assert_string_equal(url.segments[3], "a/b c");
	assert_int_equal(url.query_count, 3);
	assert_string_equal(url.query[0].value, "x&y");
	assert_string_equal(url.query[2].value, "a b");
	assert_true(pgm_url_parse("/", arena, &url, &err));
	assert_int_equal(url.segment_count, 0);
	assert_true(pgm_url_parse("/%C3%A4?x", arena, &url, &err));
	assert_string_equal(url.segments[0], "\xC3\xA4");
	assert_string_equal(url.query[0].value, "");
}

static void urls_with_two_meanings_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",	     "a",
		"*",	     "http://x/",
		"//",	     "/a//b",
		"/a/",	     "/../etc/passwd",
		"/a/.",	     "/%2e%2e/",
		"/a/%2E%2e", "/a%00b",
		"/a%0ab",    "/a%7f",
		"/a%",	     "/a%4",
		"/a%g1",     "/a b",
		"/a\\b",     "/a#b",
		"/%ff",	     "/%c0%ae",
		"/?a=%",     "/?%00=1",
		"/\xC3\xA4", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q",
	};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct pgm_url url;
		struct pgm_error err = {0};
		if (pgm_url_parse(wrong[i], arena, &url, &err))
			fail_msg("taken: %s", wrong[i]);
		assert_true(*err.message);
	}
}

static void hosts_are_judged(void **state)
{
	static const char *const right[] = {"localhost",      "LOCALHOST:8432",	    "127.0.0.1:1",
					    "192.0.2.7",      "[::1]:8432",	    "[::1]",
					    "pg.example.com", "PG.example.com.:443"};
	static const char *const wrong[] = {"evil.com",
					    "",
					    "::1",
					    "[127.0.0.1]",
					    "localhost.evil.com",
					    "127.0.0.1.evil.com",
					    "127.0.0.1:x",
					    "[::1",
					    "localhost:1@evil.com",
					    "example.com",
					    "[evil.com]",
					    "localhost "};
	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
		if (!pgm_origin_host_allowed(right[i], "other, pg.example.com"))
			fail_msg("refused: %s", right[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (pgm_origin_host_allowed(wrong[i], "other, pg.example.com"))
			fail_msg("taken: %s", wrong[i]);
	assert_false(pgm_origin_host_allowed("pg.example.com", NULL));
	assert_false(pgm_origin_host_allowed(NULL, NULL));
}

static void origins_are_judged(void **state)
{
	(void)state;
	assert_true(pgm_origin_matches("http://localhost:8432", "localhost:8432", false));
	assert_true(pgm_origin_matches("http://LOCALHOST", "localhost:80", false));
	assert_true(pgm_origin_matches("https://pg:443", "pg", true));
	assert_true(pgm_origin_matches("https://pg", "pg", false)); /* a proxy before us speaks TLS */
	assert_true(pgm_origin_matches("http://[::1]:8432", "[::1]:8432", false));
	assert_false(pgm_origin_matches("http://localhost:3000", "localhost:8432", false));
	assert_false(pgm_origin_matches("http://pg", "pg", true));
	assert_false(pgm_origin_matches("null", "localhost", false));
	assert_false(pgm_origin_matches("http://localhost.evil.com", "localhost", false));
	assert_false(pgm_origin_matches("http://evil.com", "localhost", false));
	assert_false(pgm_origin_matches("", "localhost", false));
}

static char *repeat(const char *text, size_t count)
{
	size_t length = strlen(text);
	char *all = malloc(count * length + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(all + i * length, text, length);
	all[count * length] = '\0';
	return all;
}

static void expect_refused(const char *body, const char *place)
{
	struct pgm_error err = {0};
	json_t *json = pgm_body_parse(body, strlen(body), &err);
	if (json)
		fail_msg("taken: %.40s", body);
	if (strncmp(err.message, place, strlen(place)) != 0)
		fail_msg("%.40s: %s", body, err.message);
}

static void bodies_say_where_they_are_wrong(void **state)
{
	struct pgm_error err = {0};
	(void)state;
	json_t *json = pgm_body_parse("{\"a\": [1, \"[[[{{{\"]}", 20, &err);
	assert_non_null(json);
	json_decref(json);
	expect_refused("", "line 1");
	expect_refused("{", "line 1");
	expect_refused("{\n \"a\": 1,\n \"a\": 2}", "line 3, column ");
	expect_refused("{\"a\": NaN}", "line 1, column ");
	expect_refused("{\"a\": 1e400}", "line 1, column ");
	expect_refused("{\"a\": \"\\ud800\"}", "line 1, column ");
	expect_refused("{\"a\": \"\\u0000\"}", "line 1, column ");
	expect_refused("{\"a\": \"\xff\"}", "line 1, column ");
	expect_refused("{} x", "line 1, column ");
	expect_refused("[1]", "line 1, column 1");
	expect_refused("3", "line 1, column 1");
	char *deep = repeat("[", 100000), *objects = repeat("{\"a\":", 100000);
	expect_refused(deep, "line 1, column 33: more than 32");
	expect_refused(objects, "line 1, column ");
	free(deep);
	free(objects);
}

static char folder[] = "/tmp/pgmt-tokens-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/tokens", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "we");
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

static void tokens_are_found_by_their_hash_alone(void **state)
{
	struct pgm_error err = {0};
	struct stat status;
	char first[PGM_TOKEN_SIZE], second[PGM_TOKEN_SIZE], name[PGM_TOKEN_NAME_MAX + 1], text[512] = "";
	enum pgm_role role;
	(void)state;
	unlink(path);
	assert_true(pgm_tokens_add(path, "eve", PGM_ROLE_VIEWER, 0, first, &err));
	assert_true(pgm_tokens_add(path, "adam", PGM_ROLE_ADMIN, 30, second, &err));
	assert_int_equal(strlen(first), PGM_TOKEN_SIZE - 1);
	assert_string_not_equal(first, second);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	FILE *file = fopen(path, "re");
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_null(strstr(text, first + 4));

	struct pgm_tokens *tokens = pgm_tokens_new();
	assert_true(pgm_tokens_replace(tokens, path, &err));
	assert_true(pgm_tokens_find(tokens, second, name, &role));
	assert_string_equal(name, "adam");
	assert_int_equal(role, PGM_ROLE_ADMIN);
	assert_true(pgm_tokens_find(tokens, first, name, &role));
	assert_int_equal(role, PGM_ROLE_VIEWER);
	assert_false(pgm_tokens_find(tokens, "", name, &role));
	assert_false(pgm_tokens_find(tokens, text, name, &role));
	first[10] ^= 1;
	assert_false(pgm_tokens_find(tokens, first, name, &role));
	assert_false(pgm_tokens_add(path, "eve", PGM_ROLE_ADMIN, 0, first, &err));
	assert_non_null(strstr(err.message, "already"));
	pgm_tokens_free(tokens);
}

/* SHA-256 of "x". */
#define HASH "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

static void token_files_with_errors_change_nothing(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
		{"a:viewer", ":1: "},
		{"# x\n\na:viewer:" HASH "\na:admin:" HASH "\n", ":4: the name is there before"},
		{"a:root:" HASH, ":1: the role"},
		{"a:none:" HASH, ":1: the role"},
		{"a:viewer:" HASH "00", ":1: the hash"},
		{"a:viewer:zz711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", ":1: the hash"},
		{"a b:viewer:" HASH, ":1: the name"},
		{":viewer:" HASH, ":1: the name"},
		{"a:viewer:" HASH ":soon", ":1: the day"},
		{"a:viewer:" HASH ":2030-01-01:x", ":1: a line"},
	};
	struct pgm_tokens *tokens = pgm_tokens_new();
	char name[PGM_TOKEN_NAME_MAX + 1];
	enum pgm_role role;
	struct pgm_error err = {0};
	(void)state;
	write_file("a:viewer:" HASH "\r\n");
	assert_true(pgm_tokens_replace(tokens, path, &err));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		write_file(wrong[i].text);
		assert_false(pgm_tokens_replace(tokens, path, &err));
		if (!strstr(err.message, wrong[i].message) || strstr(err.message, "2d711642"))
			fail_msg("%s: %s", wrong[i].text, err.message);
		assert_true(pgm_tokens_find(tokens, "x", name, &role));
	}
	write_file("a:viewer:" HASH ":2020-01-01\n");
	assert_true(pgm_tokens_replace(tokens, path, &err));
	assert_false(pgm_tokens_find(tokens, "x", name, &role));
	chmod(path, 0644);
	assert_false(pgm_tokens_replace(tokens, path, &err));
	assert_non_null(strstr(err.message, "read by others"));
	pgm_tokens_free(tokens);
}

static void wrong_tokens_are_counted_for_each_address(void **state)
{
	struct pgm_guard *guard = calloc(1, sizeof(*guard));
	int refused = 0;
	(void)state;
	for (int i = 0; i < 100; i++)
		refused += pgm_guard_failed(guard, "192.0.2.1");
	assert_in_range(refused, 50, 90);
	assert_false(pgm_guard_failed(guard, "192.0.2.2"));
	free(guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(urls_with_two_meanings_are_refused),
		cmocka_unit_test(hosts_are_judged),
		cmocka_unit_test(origins_are_judged),
		cmocka_unit_test(bodies_say_where_they_are_wrong),
		cmocka_unit_test(tokens_are_found_by_their_hash_alone),
		cmocka_unit_test(token_files_with_errors_change_nothing),
		cmocka_unit_test(wrong_tokens_are_counted_for_each_address),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
