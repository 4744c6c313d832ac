#include "change/plan_reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

bool pgm_plan_fail(struct pgm_plan_reader *reader, int line, const char *format, ...)
{
	char message[800];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return pgm_error_set(reader->err, PGM_ERR_INPUT, "%s:%d: %s", reader->name, line, message);
}

static struct pgm_plan_block *new_block(struct pgm_plan_reader *reader, int line, json_t *json)
{
	struct pgm_plan_block *block = pgm_vec_add(reader->arena, &reader->blocks);
	*block = (struct pgm_plan_block){
		.down = reader->seen_down, .json = json, .line = line, .sql_line = line + 1};
	pgm_buf_init(&block->sql, reader->arena);
	return block;
}

static bool take_direction(struct pgm_plan_reader *reader, int line, enum pgm_plan_marker marker)
{
	bool *seen = marker == PGM_MARK_UP ? &reader->seen_up : &reader->seen_down;
	const char *name = marker == PGM_MARK_UP ? "up" : "down";
	if (*seen)
		return pgm_plan_fail(reader, line, "a second \"-- migrate:%s\"", name);
	if (marker == PGM_MARK_UP && reader->seen_down)
		return pgm_plan_fail(reader, line, "\"-- migrate:up\" after \"-- migrate:down\"");
	if (marker == PGM_MARK_DOWN && !reader->seen_up)
		return pgm_plan_fail(reader, line, "\"-- migrate:down\" before \"-- migrate:up\"");
	*seen = true;
	new_block(reader, line, NULL);
	return true;
}

/* The comment lines right above a pgmend:change are its evidence, without the heading that we write. */
static void take_evidence(struct pgm_plan_reader *reader, struct pgm_plan_block *block)
{
	size_t first = 0;
	if (reader->comments.count && strncmp(reader->comments.items[0], "Step ", 5) == 0 &&
	    isdigit((unsigned char)reader->comments.items[0][5]))
		first = 1;
	block->evidence_count = reader->comments.count - first;
	block->evidence = PGM_NEW_ARRAY(reader->arena, const char *, block->evidence_count + 1);
	for (size_t i = 0; i < block->evidence_count; i++)
		block->evidence[i] = reader->comments.items[first + i];
}

static bool take_mark(struct pgm_plan_reader *reader, int line, enum pgm_plan_marker marker, const char *rest,
		      size_t length)
{
	if (marker == PGM_MARK_UP || marker == PGM_MARK_DOWN)
		return take_direction(reader, line, marker);
	if (marker == PGM_MARK_UNKNOWN)
		return pgm_plan_fail(reader, line, "\"-- %.*s\" is no mark that pgmend knows",
				     (int)(length > 60 ? 60 : length), rest);
	json_t *object = pgm_plan_read_json(reader, line, marker, rest, length);
	if (!object)
		return false;
	if (marker == PGM_MARK_PLAN) {
		if (reader->seen_plan || reader->seen_up)
			return pgm_plan_fail(reader, line,
					     "pgmend:plan belongs once, before \"-- migrate:up\"");
		reader->seen_plan = true;
		return pgm_plan_take_header(reader, line, object);
	}
	if (marker == PGM_MARK_STATEMENT)
		return pgm_plan_take_statement(reader, object), true;
	if (marker == PGM_MARK_CHANGE && (!reader->seen_up || reader->seen_down))
		return pgm_plan_fail(reader, line, "pgmend:change belongs below \"-- migrate:up\"");
	if (marker == PGM_MARK_UNDO && !reader->seen_down)
		return pgm_plan_fail(reader, line, "pgmend:undo belongs below \"-- migrate:down\"");
	struct pgm_plan_block *block = new_block(reader, line, object);
	take_evidence(reader, block);
	return true;
}

static bool take_line(struct pgm_plan_reader *reader, int line, const char *text, size_t length)
{
	const char *rest;
	enum pgm_plan_marker marker = pgm_plan_marker_of(text, length, &rest);
	if (marker != PGM_MARK_NONE) {
		if (!take_mark(reader, line, marker, rest, (size_t)(text + length - rest)))
			return false;
		reader->comments.count = 0;
		return true;
	}
	bool comment = length >= 2 && text[0] == '-' && text[1] == '-';
	if (comment) {
		size_t skip = length > 2 && text[2] == ' ' ? 3 : 2;
		*pgm_vec_add(reader->arena, &reader->comments) =
			pgm_strndup(reader->arena, text + skip, length - skip);
	} else {
		reader->comments.count = 0;
	}
	if (reader->blocks.count) {
		struct pgm_plan_block *block = &reader->blocks.items[reader->blocks.count - 1];
		pgm_buf_add_n(&block->sql, text, length);
		pgm_buf_char(&block->sql, '\n');
		return true;
	}
	for (size_t i = 0; !comment && i < length; i++)
		if (!isspace((unsigned char)text[i]))
			return pgm_plan_fail(reader, line, "SQL before \"-- migrate:up\"");
	return true;
}

bool pgm_plan_read_blocks(struct pgm_plan_reader *reader, const char *text)
{
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	int line = 1;
	for (const char *p = text; *p; line++) {
		size_t length = strcspn(p, "\n");
		bool more = p[length] == '\n';
		size_t shown = length && more && p[length - 1] == '\r' ? length - 1 : length;
		if (!take_line(reader, line, p, shown))
			return false;
		p += length + more;
	}
	if (!reader->seen_up) {
		pgm_plan_fail(reader, line, "there is no \"-- migrate:up\"");
		return pgm_error_hint(reader->err, "A Plan is an SQL file with \"-- migrate:up\" above the "
						   "changes and \"-- migrate:down\" above the way back.");
	}
	return true;
}
