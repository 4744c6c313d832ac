#include "check/run.h"

#include "util/vec.h"

#include <ctype.h>
#include <string.h>

/* Whether the text is what the pattern says, in which "*" stands for any text and all else for itself. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool pgm_check_ignored(const struct pgm_check_options *options, const char *key)
{
	for (size_t i = 0; i < options->ignore_count; i++)
		if (strcmp(options->ignore[i], key) == 0 || matches(options->ignore[i], key))
			return true;
	return false;
}

size_t pgm_check_ignore_parse(struct pgm_arena *arena, const char *text, const char ***keys)
{
	PGM_VEC(const char *) found = {0};
	while (*text) {
		size_t length = strcspn(text, "\n");
		const char *line = text;
		text += length + (text[length] == '\n');
		while (length && isspace((unsigned char)*line))
			line++, length--;
		while (length && isspace((unsigned char)line[length - 1]))
			length--;
		if (length && *line != '#')
			*pgm_vec_add(arena, &found) = pgm_strndup(arena, line, length);
	}
	*keys = found.items;
	return found.count;
}
