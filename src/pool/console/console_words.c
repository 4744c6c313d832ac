#include "pool/console/console_words.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

struct target {
	char *out;
	size_t size, length;
	bool full;
};

static void put(struct target *target, char c)
{
	if (target->length + 1 < target->size)
		target->out[target->length++] = c;
	else
		target->full = true;
	target->out[target->length] = '\0';
}

/* Past the closing quote; NULL: there is none, or nothing is inside. */
static const char *read_quoted(const char *at, char quote, struct target *target)
{
	for (at++; *at; at++) {
		if (*at == quote && at[1] != quote)
			return at + 1;
		if (*at == quote)
			at++;
		put(target, *at);
	}
	return NULL;
}

/* Past the word; NULL: there is none. */
static const char *read_word(const char *at, struct target *target)
{
	if (*at == '"') {
		at = read_quoted(at, '"', target);
		return at && target->length ? at : NULL;
	}
	const char *begin = at;
	for (; is_plain(*at); at++)
		put(target, *at);
	return at > begin ? at : NULL;
}

static const char *read_value(const char *at, struct target *target)
{
	if (*at == '\'')
		return read_quoted(at, '\'', target);
	if (*at == '"')
		return read_word(at, target);
	const char *begin = at;
	for (; *at && !is_blank(*at) && *at != ';' && *at != '\''; at++)
		put(target, *at);
	return at > begin ? at : NULL;
}

static bool is_end(const char *at)
{
	at = skip_blanks(at);
	if (*at == ';')
		at = skip_blanks(at + 1);
	return *at == '\0';
}

static bool read_set(const char *at, struct pgm_console_words *words)
{
	struct target key = {words->argument, sizeof(words->argument), 0, false};
	struct target value = {words->value, sizeof(words->value), 0, false};
	at = read_word(skip_blanks(at), &key);
	if (!at)
		return false;
	const char *behind = skip_blanks(at);
	if (*behind == '=')
		at = skip_blanks(behind + 1);
	else if (behind > at && strncasecmp(behind, "to", 2) == 0 && is_blank(behind[2]))
		at = skip_blanks(behind + 2);
	else
		return false;
	at = read_value(at, &value);
	words->too_long = key.full || value.full;
	return at && is_end(at) && !words->too_long;
}

bool pgm_console_words(const char *sql, struct pgm_console_words *words)
{
	struct target verb = {words->verb, sizeof(words->verb), 0, false};
	struct target argument = {words->argument, sizeof(words->argument), 0, false};
	memset(words, 0, sizeof(*words));
	const char *at = skip_blanks(sql);
	if (is_end(at))
		return true;
	at = read_word(at, &verb);
	if (!at || verb.full) {
		words->too_long = verb.full;
		return false;
	}
	words->is_set = strcasecmp(words->verb, "set") == 0;
	if (words->is_set)
		return read_set(at, words);
	if (is_end(at))
		return true;
	if (!is_blank(*at))
		return false;
	at = read_word(skip_blanks(at), &argument);
	words->too_long = argument.full;
	return at && is_end(at) && !words->too_long;
}
