#include "cli/check_request.h"

#include "util/buf.h"
#include "util/format.h"
#include "util/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define FILE_MAX_BYTES (16 << 20)

struct reader {
	const struct pgm_cli *cli;
	const struct pgm_check *checks;
	size_t check_count;
	struct pgm_check_request *request;
	PGM_VEC(const char *) only, skip, thresholds, ignore;
	enum { NO_SECTION, CHECK, THRESHOLDS, IGNORE } section;
};

static char *read_file(struct pgm_arena *arena, const char *path, struct pgm_error *err)
{
	FILE *file = fopen(path, "r");
	if (!file) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", path, strerror(errno));
		return NULL;
	}
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	pgm_buf_add(&text, "");
	char block[8192];
	size_t length;
	while ((length = fread(block, 1, sizeof(block), file)) > 0 && text.length < FILE_MAX_BYTES)
		pgm_buf_add_n(&text, block, length);
	bool broken = ferror(file) || text.length >= FILE_MAX_BYTES;
	fclose(file);
	if (broken) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: it cannot be read, or is too large", path);
		return NULL;
	}
	return text.text;
}

static bool set_fail_on(struct pgm_check_request *request, const char *value, const char *name,
			struct pgm_error *err)
{
	request->may_fail = strcmp(value, "never") != 0;
	if (!request->may_fail || pgm_severity_parse(value, &request->fail_on))
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "%s: there is no severity \"%s\"", name, value);
	return pgm_error_hint(err, "It is info, warning, critical or never.");
}

/* Words between commas and blanks; each must name a check or a family. */
static bool add_names(struct reader *reader, const char *value, bool skip, struct pgm_error *err)
{
	struct pgm_arena *arena = reader->cli->arena;
	while (*value) {
		size_t length = strcspn(value, ", \t");
		const char *name = pgm_strndup(arena, value, length);
		struct pgm_check_options one = {.only = &name, .only_count = 1};
		if (length && !pgm_check_options_valid(arena, reader->checks, reader->check_count, &one, err))
			return false;
		if (length && skip)
			*pgm_vec_add(arena, &reader->skip) = name;
		else if (length)
			*pgm_vec_add(arena, &reader->only) = name;
		value += length;
		value += strspn(value, ", \t");
	}
	return true;
}

static bool add_threshold(struct reader *reader, const char *name, const char *value, struct pgm_error *err)
{
	struct pgm_arena *arena = reader->cli->arena;
	const char *threshold = pgm_sprintf(arena, "%s=%s", name, value);
	struct pgm_check_options one = {.thresholds = &threshold, .threshold_count = 1};
	*pgm_vec_add(arena, &reader->thresholds) = threshold;
	return pgm_check_options_valid(arena, reader->checks, reader->check_count, &one, err);
}

static bool set_option(struct reader *reader, const char *name, const char *value, struct pgm_error *err)
{
	static const char *const names[] = {"only", "skip", "fail-on", "timeout"};
	if (strcmp(name, "only") == 0 || strcmp(name, "skip") == 0)
		return add_names(reader, value, *name == 's', err);
	if (strcmp(name, "fail-on") == 0)
		return set_fail_on(reader->request, value, name, err);
	if (strcmp(name, "timeout") == 0)
		return pgm_parse_duration_ms(value, &reader->request->options.timeout_ms, err);
	pgm_error_set(err, PGM_ERR_INPUT, "[check] has no option \"%s\"", name);
	const char *nearest = pgm_nearest(name, names, sizeof(names) / sizeof(*names));
	return pgm_error_hint(
		err, nearest ? "Perhaps you mean %s." : "It has only, skip, fail-on and timeout.", nearest);
}

static bool begin_section(struct reader *reader, const char *name, struct pgm_error *err)
{
	static const char *const names[] = {"check", "thresholds", "ignore"};
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		reader->section = i == 0 ? CHECK : i == 1 ? THRESHOLDS : IGNORE;
		return true;
	}
	pgm_error_set(err, PGM_ERR_INPUT, "there is no section [%s]", name);
	const char *nearest = pgm_nearest(name, names, 3);
	return pgm_error_hint(err,
			      nearest ? "Perhaps you mean [%s]." : "It is [check], [thresholds] or [ignore].",
			      nearest);
}

static char *trimmed(struct pgm_arena *arena, const char *text, size_t length)
{
	while (length && isspace((unsigned char)*text))
		text++, length--;
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	return pgm_strndup(arena, text, length);
}

static bool read_line(struct reader *reader, const char *line, struct pgm_error *err)
{
	struct pgm_arena *arena = reader->cli->arena;
	size_t length = strlen(line);
	if (!*line || *line == '#' || *line == ';')
		return true;
	if (*line == '[' && line[length - 1] == ']')
		return begin_section(reader, trimmed(arena, line + 1, length - 2), err);
	if (reader->section == IGNORE) {
		*pgm_vec_add(arena, &reader->ignore) = line;
		return true;
	}
	const char *equals = strchr(line, '=');
	if (!equals || reader->section == NO_SECTION) {
		pgm_error_set(err, PGM_ERR_INPUT, "\"%s\" is %s", line,
			      reader->section == NO_SECTION ? "in no section" : "no \"name = value\"");
		return pgm_error_hint(err, "The sections are [check], [thresholds] and [ignore].");
	}
	const char *name = trimmed(arena, line, (size_t)(equals - line));
	const char *value = trimmed(arena, equals + 1, strlen(equals + 1));
	return reader->section == CHECK ? set_option(reader, name, value, err)
					: add_threshold(reader, name, value, err);
}

static bool read_config(struct reader *reader, const char *path, struct pgm_error *err)
{
	const char *text = read_file(reader->cli->arena, path, err);
	if (!text)
		return false;
	for (int line = 1; *text; line++) {
		size_t length = strcspn(text, "\n");
		if (!read_line(reader, trimmed(reader->cli->arena, text, length), err)) {
			if (err)
				err->kind = PGM_ERR_INPUT;
			return pgm_error_context(err, "%s:%d", path, line);
		}
		text += length + (text[length] == '\n');
	}
	return true;
}

static bool read_ignores(struct reader *reader, struct pgm_error *err)
{
	struct pgm_arena *arena = reader->cli->arena;
	const char **values;
	size_t count = pgm_cli_values(reader->cli, "ignore", &values);
	for (size_t i = 0; i < count; i++)
		*pgm_vec_add(arena, &reader->ignore) = values[i];
	count = pgm_cli_values(reader->cli, "ignore-file", &values);
	for (size_t i = 0; i < count; i++) {
		const char *text = read_file(arena, values[i], err);
		const char **lines;
		if (!text)
			return false;
		size_t line_count = pgm_check_ignore_parse(arena, text, &lines);
		for (size_t line = 0; line < line_count; line++)
			*pgm_vec_add(arena, &reader->ignore) = lines[line];
	}
	return true;
}

/* --only takes the place of the file's; everything else adds to it, and a later threshold wins. */
static bool read_arguments(struct reader *reader, struct pgm_error *err)
{
	struct pgm_arena *arena = reader->cli->arena;
	const char **items;
	size_t count = pgm_cli_listed(reader->cli, "only", &items);
	if (count)
		reader->only.count = 0;
	for (size_t i = 0; i < count; i++)
		*pgm_vec_add(arena, &reader->only) = items[i];
	count = pgm_cli_listed(reader->cli, "skip", &items);
	for (size_t i = 0; i < count; i++)
		*pgm_vec_add(arena, &reader->skip) = items[i];
	count = pgm_cli_values(reader->cli, "threshold", &items);
	for (size_t i = 0; i < count; i++)
		*pgm_vec_add(arena, &reader->thresholds) = items[i];
	const char *fail_on = pgm_cli_value(reader->cli, "fail-on");
	return read_ignores(reader, err) &&
	       pgm_cli_duration_ms(reader->cli, "timeout", &reader->request->options.timeout_ms, err) &&
	       (!fail_on || set_fail_on(reader->request, fail_on, "--fail-on", err));
}

bool pgm_check_request_read(const struct pgm_cli *cli, const struct pgm_check *checks, size_t count,
			    struct pgm_check_request *request, struct pgm_error *err)
{
	struct reader reader = {.cli = cli, .checks = checks, .check_count = count, .request = request};
	const char **files;
	*request = (struct pgm_check_request){.may_fail = true, .fail_on = PGM_SEVERITY_CRITICAL};
	if (!pgm_cli_format_among(cli, (1u << PGM_FORMATS) - 1, &request->format, err))
		return false;
	size_t file_count = pgm_cli_values(cli, "config", &files);
	for (size_t i = 0; i < file_count; i++)
		if (!read_config(&reader, files[i], err))
			return false;
	if (!read_arguments(&reader, err) || !pgm_cli_emit_options(cli, &request->emit, err))
		return false;
	if (request->emit.folder && !request->emit.tool)
		return pgm_error_set(err, PGM_ERR_USAGE, "--out is for --emit alone");
	if (pgm_cli_flag(cli, "allow-drops") && !pgm_cli_flag(cli, "fix-plan") && !request->emit.tool)
		return pgm_error_set(err, PGM_ERR_USAGE, "--allow-drops is for --fix-plan and --emit alone");
	struct pgm_check_options *options = &request->options;
	options->only = reader.only.items;
	options->only_count = reader.only.count;
	options->skip = reader.skip.items;
	options->skip_count = reader.skip.count;
	options->thresholds = reader.thresholds.items;
	options->threshold_count = reader.thresholds.count;
	options->ignore = reader.ignore.items;
	options->ignore_count = reader.ignore.count;
	return true;
}
