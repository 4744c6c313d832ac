/*
 * The settings in an options string, after pg_split_opts() and process_postgres_switches() of PostgreSQL.
 * getopt() is not used: it has static state.
 */
#include "wire/startup.h"

#include <stdio.h>
#include <stdlib.h>

#define SWITCHES "B:bc:C:D:d:EeFf:h:ijk:lN:nOPp:r:S:sTt:v:W:-:"

struct switches {
	char *at;  /* the argument to be looked at */
	char *end; /* behind the last argument's NUL */
	bool (*each)(void *data, const char *name, const char *value);
	void *data;
	const char *wrong;
	bool stopped; /* each() had enough */
};

/* isspace() of the C locale, whatever ours is. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Arguments one behind the other, each with its NUL; false: no room. */
static bool split(const char *text, char *scratch, size_t size, char **end)
{
	size_t length = 0;
	for (;;) {
		while (is_space(*text))
			text++;
		if (!*text)
			break;
		for (bool escaped = false; *text && (escaped || !is_space(*text)); text++) {
			if (*text == '\\' && !escaped) {
				escaped = true;
				continue;
			}
			escaped = false;
			if (length + 1 >= size)
				return false;
			scratch[length++] = *text;
		}
		if (length >= size)
			return false;
		scratch[length++] = '\0';
	}
	*end = scratch + length;
	return true;
}

static bool set(struct switches *s, const char *name, const char *value)
{
	if (s->each(s->data, name, value))
		return true;
	s->stopped = true;
	return false;
}

/* name=value; dashes in the name are underscores. */
static bool set_long(struct switches *s, char *text)
{
	char *equals = strchr(text, '=');
	if (!equals)
		return false;
	for (char *c = text; c < equals; c++)
		if (*c == '-')
			*c = '_';
	*equals = '\0';
	return set(s, text, equals + 1);
}

/* set_debug_options() */
static bool set_debug(struct switches *s, const char *text)
{
	static const struct {
		int level;
		const char *name, *value;
	} rows[] = {
		{2, "log_statement", "all"},
		{3, "debug_print_parse", "true"},
		{4, "debug_print_plan", "true"},
		{5, "debug_print_rewritten", "true"},
	};
	long level = strtol(text, NULL, 10);
	char value[32];
	snprintf(value, sizeof(value), "debug%ld", level);
	if (!set(s, "log_min_messages", level > 0 ? value : "notice"))
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (level >= rows[i].level && !set(s, rows[i].name, rows[i].value))
			return false;
	return true;
}

struct word_setting {
	const char *word;
	const char *name;
};

static bool set_word(struct switches *s, const struct word_setting *rows, const char *word, size_t length,
		     const char *value)
{
	for (; rows->word; rows++)
		if (strlen(rows->word) == length && strncmp(rows->word, word, length) == 0)
			return set(s, rows->name, value);
	return false;
}

/* -f: set_plan_disabling_options() */
static const struct word_setting plan_words[] = {
	{"s", "enable_seqscan"},    {"i", "enable_indexscan"}, {"o", "enable_indexonlyscan"},
	{"b", "enable_bitmapscan"}, {"t", "enable_tidscan"},   {"n", "enable_nestloop"},
	{"m", "enable_mergejoin"},  {"h", "enable_hashjoin"},  {NULL, NULL},
};

/* -t: get_stats_option_name() */
static const struct word_setting stats_words[] = {
	{"pa", "log_parser_stats"},
	{"pl", "log_planner_stats"},
	{"e", "log_executor_stats"},
	{NULL, NULL},
};

/* Switches that are one setting; without value: the argument. */
static const struct {
	char letter;
	const char *name, *value;
} letters[] = {
	{'B', "shared_buffers", NULL},
	{'e', "datestyle", "euro"},
	{'F', "fsync", "false"},
	{'h', "listen_addresses", NULL},
	{'i', "listen_addresses", "*"},
	{'k', "unix_socket_directories", NULL},
	{'l', "ssl", "true"},
	{'N', "max_connections", NULL},
	{'O', "allow_system_table_mods", "true"},
	{'P', "ignore_system_indexes", "true"},
	{'p', "port", NULL},
	{'S', "work_mem", NULL},
	{'s', "log_statement_stats", "true"},
	{'W', "post_auth_delay", NULL},
};

static bool apply(struct switches *s, char letter, char *argument)
{
	switch (letter) {
	case 'c':
	case '-':
		return set_long(s, argument);
	case 'd':
		return set_debug(s, argument);
	case 'f':
		return set_word(s, plan_words, argument, 1, "false");
	case 't':
		/* PostgreSQL looks at the first letters alone. */
		return set_word(s, stats_words, argument, *argument == 'p' ? 2 : 1, "true");
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (letters[i].letter == letter)
			return set(s, letters[i].name, letters[i].value ? letters[i].value : argument);
	return true; /* one that PostgreSQL ignores too when a client gives it */
}

/* One argument, which may be several letters, and the one behind it where the last letter wants a value. */
static bool take(struct switches *s)
{
	char *text = s->at;
	s->wrong = text;
	s->at += strlen(text) + 1;
	if (text[0] != '-' || !text[1] || strcmp(text, "--") == 0)
		return false;
	for (char *letter = text + 1; *letter; letter++) {
		const char *known = *letter == ':' ? NULL : strchr(SWITCHES, *letter);
		if (!known)
			return false;
		if (known[1] != ':') {
			if (!apply(s, *letter, letter))
				return false;
			continue;
		}
		char *argument = letter + 1;
		if (!*argument) {
			if (s->at >= s->end)
				return false;
			argument = s->at;
			s->at += strlen(argument) + 1;
		}
		return apply(s, *letter, argument);
	}
	return true;
}

bool pgm_wire_read_options(const char *options, char *scratch, size_t scratch_size,
			   bool (*each)(void *data, const char *name, const char *value), void *data,
			   const char **wrong)
{
	struct switches s = {.at = scratch, .each = each, .data = data};
	*wrong = NULL;
	if (!split(options, scratch, scratch_size, &s.end)) {
		*wrong = options;
		return false;
	}
	while (s.at < s.end) {
		if (!take(&s)) {
			*wrong = s.stopped ? NULL : s.wrong;
			return false;
		}
	}
	return true;
}
