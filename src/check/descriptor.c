#include "check/descriptor.h"

#include "util/buf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct pgm_arena *arena;
	const char *name;
	int line;
	struct pgm_check *check;
	bool has_severity;
	struct pgm_error *err;
};

static bool malformed(struct reader *reader, const char *what)
{
	return pgm_error_set(reader->err, PGM_ERR_INPUT, "%s:%d: %s", reader->name, reader->line, what);
}

static bool is_name(const char *text)
{
	if (!text || !islower((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

static char *trimmed(struct pgm_arena *arena, const char *text, size_t length)
{
	while (length && isspace((unsigned char)*text))
		text++, length--;
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	return pgm_strndup(arena, text, length);
}

/* Cut *text at the separator: returns what stands before it, and leaves *text after it. NULL: none there. */
static char *take(struct pgm_arena *arena, const char **text, const char *separator)
{
	const char *end = strstr(*text, separator);
	if (!end)
		return NULL;
	char *taken = trimmed(arena, *text, (size_t)(end - *text));
	*text = end + strlen(separator);
	return taken;
}

static bool read_versions(struct reader *reader, const char *value)
{
	char *end;
	reader->check->oldest = (int)strtol(value, &end, 10);
	if (end == value || *end != '-')
		return malformed(reader, "versions must be \"13-\" or \"13-16\"");
	reader->check->newest = (int)strtol(end + 1, &end, 10);
	return *end ? malformed(reader, "versions must be \"13-\" or \"13-16\"") : true;
}

static bool read_needs(struct reader *reader, const char *value)
{
	struct pgm_check *check = reader->check;
	if (strcmp(value, "primary") == 0) {
		check->needs_primary = true;
		return true;
	}
	if (strncmp(value, "extension ", 10) == 0) {
		check->extension = pgm_strdup(reader->arena, value + 10);
		return is_name(check->extension) ? true : malformed(reader, "needs the extension's name");
	}
	if (strncmp(value, "column ", 7) == 0 && check->column_count < PGM_CHECK_NEEDS_MAX) {
		const char *rest = value + 7;
		struct pgm_check_column *column = &check->columns[check->column_count++];
		column->relation = take(reader->arena, &rest, ".");
		column->column = trimmed(reader->arena, rest, strlen(rest));
		if (is_name(column->relation) && is_name(column->column))
			return true;
	}
	return malformed(reader, "needs must be \"primary\", \"extension NAME\" or \"column VIEW.COLUMN\"");
}

static bool read_threshold(struct reader *reader, const char *value)
{
	struct pgm_check *check = reader->check;
	if (check->threshold_count == PGM_CHECK_THRESHOLDS_MAX)
		return malformed(reader, "too many thresholds");
	struct pgm_check_threshold *threshold = &check->thresholds[check->threshold_count++];
	threshold->name = take(reader->arena, &value, " ");
	threshold->value = take(reader->arena, &value, "|");
	threshold->meaning = trimmed(reader->arena, value, strlen(value));
	char *end = NULL;
	if (threshold->value)
		strtod(threshold->value, &end);
	if (!is_name(threshold->name) || !end || *end || end == threshold->value || !*threshold->meaning)
		return malformed(reader, "a threshold must be \"name number | what it means\"");
	return true;
}

static bool read_probe(struct reader *reader, const char *value)
{
	struct pgm_check *check = reader->check;
	if (check->probe_count == PGM_CHECK_PROBES_MAX)
		return malformed(reader, "too many probes");
	struct pgm_check_probe *probe = &check->probes[check->probe_count++];
	probe->name = take(reader->arena, &value, " ");
	probe->relation = take(reader->arena, &value, ".");
	probe->column = take(reader->arena, &value, " ? ");
	probe->present = take(reader->arena, &value, " : ");
	probe->absent = trimmed(reader->arena, value, strlen(value));
	if (!is_name(probe->name) || !is_name(probe->relation) || !is_name(probe->column) ||
	    !probe->present || !*probe->absent)
		return malformed(reader, "a probe must be \"name relation.column ? sql : sql\"");
	return true;
}

static bool read_key(struct reader *reader, const char *key, const char *value)
{
	struct pgm_check *check = reader->check;
	if (strcmp(key, "id") == 0)
		check->id = value;
	else if (strcmp(key, "title") == 0)
		check->title = value;
	else if (strcmp(key, "family") == 0)
		check->family = value;
	else if (strcmp(key, "versions") == 0)
		return read_versions(reader, value);
	else if (strcmp(key, "needs") == 0)
		return read_needs(reader, value);
	else if (strcmp(key, "threshold") == 0)
		return read_threshold(reader, value);
	else if (strcmp(key, "probe") == 0)
		return read_probe(reader, value);
	else if (strcmp(key, "severity") == 0) {
		reader->has_severity = pgm_severity_parse(value, &check->severity);
		return reader->has_severity ? true : malformed(reader, "there is no such severity");
	} else
		return malformed(reader, "there is no such key in a check's header");
	return true;
}

static bool complete(struct reader *reader)
{
	const struct pgm_check *check = reader->check;
	if (!is_name(check->id) || !is_name(check->family))
		return malformed(reader, "the header needs an id and a family, in lower case");
	if (!check->title || !*check->title || !reader->has_severity || !check->oldest)
		return malformed(reader, "the header needs a title, a severity and versions");
	if (!check->description || !*check->description)
		return malformed(reader, "the header needs a paragraph that says what the check means");
	const char *slash = strrchr(reader->name, '/');
	const char *base = slash ? slash + 1 : reader->name;
	size_t length = strlen(check->id);
	if (strncmp(base, check->id, length) != 0 || strcmp(base + length, ".sql") != 0)
		return malformed(reader, "the id is not the file's name");
	return *check->sql ? true : malformed(reader, "there is no SQL");
}

bool pgm_check_describe(struct pgm_arena *arena, const char *name, const char *text, struct pgm_check *check,
			struct pgm_error *err)
{
	struct reader reader = {.arena = arena, .name = name, .check = check, .err = err};
	struct pgm_buf description;
	pgm_buf_init(&description, arena);
	memset(check, 0, sizeof(*check));
	bool keys = true;
	const char *at = text;
	while (strncmp(at, "--", 2) == 0) {
		size_t length = strcspn(at, "\n");
		char *line = trimmed(arena, at + 2, length - 2);
		const char *value = line;
		reader.line++;
		if (keys && *line) {
			const char *key = take(arena, &value, ":");
			if (!key || !is_name(key))
				return malformed(&reader, "the header's lines must be \"key: value\"");
			if (!read_key(&reader, key, trimmed(arena, value, strlen(value))))
				return false;
		} else if (keys) {
			keys = false;
		} else {
			if (description.length)
				pgm_buf_char(&description, '\n');
			pgm_buf_add(&description, line);
		}
		at += length;
		at += *at == '\n';
	}
	size_t length = strlen(at);
	while (length && (isspace((unsigned char)at[length - 1]) || at[length - 1] == ';'))
		length--;
	check->sql = trimmed(arena, at, length);
	check->description = description.length ? description.text : NULL;
	return complete(&reader);
}

/* The length of the quoted text or comment that starts at text, or 0. */
static size_t opaque_length(const char *text)
{
	if (*text == '\'' || *text == '"') {
		const char *end = strchr(text + 1, *text); /* a doubled quote reads as two texts: as good */
		return end ? (size_t)(end - text) + 1 : strlen(text);
	}
	if (strncmp(text, "--", 2) == 0)
		return strcspn(text, "\n");
	if (strncmp(text, "/*", 2) == 0) {
		const char *end = strstr(text, "*/");
		return end ? (size_t)(end - text) + 2 : strlen(text);
	}
	return 0;
}

const char *pgm_check_expand(struct pgm_arena *arena, const char *sql,
			     const char *(*value)(const char *name, void *arg), void *arg)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	while (*sql) {
		size_t length = opaque_length(sql);
		const char *replacement = NULL;
		if (length == 0 && strncmp(sql, "::", 2) == 0) {
			length = 2;
		} else if (length == 0 && *sql == ':' && islower((unsigned char)sql[1])) {
			length = 1 + strspn(sql + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
			replacement = value(pgm_strndup(arena, sql + 1, length - 1), arg);
		} else if (length == 0) {
			length = 1;
		}
		if (replacement)
			pgm_buf_add(&out, replacement);
		else
			pgm_buf_add_n(&out, sql, length);
		sql += length;
	}
	return out.text ? out.text : "";
}
