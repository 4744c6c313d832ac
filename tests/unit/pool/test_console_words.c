/* A console's command as words: what PgBouncer's regular expressions take, and nothing else. */
#include "../cmocka_all.h"

#include "pool/console/console_words.h"

#include <string.h>

static void commands_are_words(void **state)
{
	static const struct {
		const char *sql, *verb, *argument;
	} good[] = {
		{"show stats", "show", "stats"},
		{" \tPAUSE\n;\r\n", "PAUSE", ""},
		{"RESUME \"my \"\"db\";", "RESUME", "my \"db"},
		{"KILL_CLIENT 17 ;  ", "KILL_CLIENT", "17"},
		{"", "", ""},
		{" ; ", "", ""},
		{"\"show\" stats", "show", "stats"},
	};
	static const char *const bad[] = {
		"SHOW STATS; SHOW POOLS",
		"PAUSE a b",
		"PAUSE 'a'",
		"PAUSE \"a",
		"PAUSE \"\"",
		"PAUSE a-b",
		"show(stats)",
		";;",
		"-- x",
		"SHOW stats --",
		"PAUSE\"a\"",
	};
	(void)state;
	struct pgm_console_words words;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(pgm_console_words(good[i].sql, &words));
		assert_string_equal(words.verb, good[i].verb);
		assert_string_equal(words.argument, good[i].argument);
		assert_false(words.is_set);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (pgm_console_words(bad[i], &words))
			fail_msg("taken: %s", bad[i]);
}

static void settings_have_values(void **state)
{
	static const struct {
		const char *sql, *key, *value;
	} good[] = {
		{"set verbose = 2", "verbose", "2"},
		{"SET auth_type=scram-sha-256;", "auth_type", "scram-sha-256"},
		{"set \"query_timeout\" TO '1.5'", "query_timeout", "1.5"},
		{"set admin_users = 'it''s, me' ;", "admin_users", "it's, me"},
		{"set x=''", "x", ""},
		{"set x = \"y z\"", "x", "y z"},
	};
	static const char *const bad[] = {
		"set",	     "set x",	     "set x 1", "set x =",  "set x = 1 2", "set x = 'a",
		"set x to1", "set x = a'b'", "set = 1", "setx = 1", "set x = 1; y"};
	(void)state;
	struct pgm_console_words words;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(pgm_console_words(good[i].sql, &words));
		assert_true(words.is_set);
		assert_string_equal(words.argument, good[i].key);
		assert_string_equal(words.value, good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (pgm_console_words(bad[i], &words))
			fail_msg("taken: %s", bad[i]);
}

static void long_words_are_refused(void **state)
{
	char sql[PGM_CONSOLE_VALUE_MAX + 100];
	struct pgm_console_words words;
	(void)state;
	memset(sql, 'x', sizeof(sql));
	for (size_t length = PGM_CONSOLE_WORD_MAX - 1; length <= PGM_CONSOLE_WORD_MAX; length++) {
		memcpy(sql, "PAUSE ", 6);
		sql[6 + length] = '\0';
		assert_int_equal(pgm_console_words(sql, &words), length < PGM_CONSOLE_WORD_MAX);
		assert_int_equal(words.too_long, length >= PGM_CONSOLE_WORD_MAX);
		sql[6 + length] = 'x';
	}
	for (size_t length = PGM_CONSOLE_VALUE_MAX - 1; length <= PGM_CONSOLE_VALUE_MAX; length++) {
		memcpy(sql, "SET x=", 6);
		sql[6 + length] = '\0';
		assert_int_equal(pgm_console_words(sql, &words), length < PGM_CONSOLE_VALUE_MAX);
		sql[6 + length] = 'x';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_words),
		cmocka_unit_test(settings_have_values),
		cmocka_unit_test(long_words_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
