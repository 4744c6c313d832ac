#include "pool/console/console_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *room(struct pgm_answer *answer, size_t length)
{
	if (answer->failed || length > PGM_CONSOLE_ANSWER_MAX - answer->length) {
		answer->failed = true;
		return NULL;
	}
	if (answer->length + length > answer->capacity) {
		size_t wanted = answer->capacity ? answer->capacity : 1024;
		while (wanted < answer->length + length)
			wanted *= 2;
		uint8_t *grown = realloc(answer->bytes, wanted);
		if (!grown) {
			answer->failed = true;
			return NULL;
		}
		answer->bytes = grown;
		answer->capacity = wanted;
	}
	uint8_t *at = answer->bytes + answer->length;
	answer->length += length;
	return at;
}

static void put(struct pgm_answer *answer, const void *bytes, size_t length)
{
	uint8_t *at = room(answer, length);
	if (at && length)
		memcpy(at, bytes, length);
}

static void put8(struct pgm_answer *answer, uint8_t value)
{
	put(answer, &value, 1);
}

static void put16(struct pgm_answer *answer, uint16_t value)
{
	uint8_t *at = room(answer, 2);
	if (at)
		pgm_wire_put16(at, value);
}

static void put32(struct pgm_answer *answer, uint32_t value)
{
	uint8_t *at = room(answer, 4);
	if (at)
		pgm_wire_put32(at, value);
}

static size_t begin(struct pgm_answer *answer, char type)
{
	size_t at = answer->length;
	put8(answer, (uint8_t)type);
	put32(answer, 0);
	return at;
}

static void end(struct pgm_answer *answer, size_t begun)
{
	if (!answer->failed)
		pgm_wire_put32(answer->bytes + begun + 1, (uint32_t)(answer->length - begun - 1));
}

struct type {
	uint32_t oid;
	uint16_t length;
};

/* Object identifiers of pg_type. */
static struct type type_of(char letter)
{
	switch (letter) {
	case 'i':
		return (struct type){23, 4};
	case 'q':
		return (struct type){20, 8};
	case 'n':
		return (struct type){1700, 0xffff};
	case 'b':
		return (struct type){17, 0xffff};
	default:
		return (struct type){25, 0xffff};
	}
}

void pgm_answer_columns(struct pgm_answer *answer, const char *names)
{
	size_t begun = begin(answer, PGM_BE_ROW_DESCRIPTION);
	uint16_t count = 0;
	size_t count_at = answer->length;
	put16(answer, 0);
	for (const char *name = names; *name; count++) {
		size_t length = strcspn(name, " :");
		const char *behind = name + length;
		struct type type = type_of(*behind == ':' ? behind[1] : 's');
		put(answer, name, length);
		put8(answer, 0);
		put32(answer, 0); /* of no table */
		put16(answer, 0);
		put32(answer, type.oid);
		put16(answer, type.length);
		put32(answer, 0xffffffff); /* no type modifier */
		put16(answer, 0);	   /* as text */
		name = behind + strcspn(behind, " ");
		name += *name == ' ';
	}
	if (!answer->failed)
		pgm_wire_put16(answer->bytes + count_at, count);
	end(answer, begun);
}

static void end_row(struct pgm_answer *answer)
{
	if (!answer->in_row)
		return;
	answer->in_row = false;
	end(answer, answer->row);
	if (!answer->failed)
		pgm_wire_put16(answer->bytes + answer->row + PGM_WIRE_HEADER_BYTES, answer->cells);
}

void pgm_answer_row(struct pgm_answer *answer)
{
	end_row(answer);
	answer->row = begin(answer, PGM_BE_DATA_ROW);
	put16(answer, 0);
	answer->cells = 0;
	answer->in_row = true;
}

void pgm_answer_text(struct pgm_answer *answer, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	answer->cells++;
	put32(answer, text ? (uint32_t)length : PGM_WIRE_NO_PARAMETER);
	put(answer, text, length);
}

void pgm_answer_format(struct pgm_answer *answer, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pgm_answer_text(answer, text);
}

void pgm_answer_number(struct pgm_answer *answer, int64_t number)
{
	pgm_answer_format(answer, "%" PRId64, number);
}

static void message(struct pgm_answer *answer, char type, const struct pgm_wire_error *error)
{
	uint8_t packet[8192];
	struct pgm_writer writer = pgm_writer_over(packet, sizeof(packet));
	if (type == PGM_BE_ERROR)
		pgm_wire_error(&writer, error);
	else
		pgm_wire_notice(&writer, error);
	put(answer, packet, pgm_writer_length(&writer));
}

void pgm_answer_notice(struct pgm_answer *answer, const char *text, const char *detail)
{
	message(answer, PGM_BE_NOTICE,
		&(struct pgm_wire_error){
			.severity = "NOTICE", .sqlstate = "00000", .message = text, .detail = detail});
}

static void ready(struct pgm_answer *answer)
{
	size_t begun = begin(answer, PGM_BE_READY);
	put8(answer, 'I');
	end(answer, begun);
}

void pgm_answer_done(struct pgm_answer *answer, const char *tag)
{
	end_row(answer);
	size_t begun = begin(answer, PGM_BE_COMMAND_COMPLETE);
	put(answer, tag, strlen(tag) + 1);
	end(answer, begun);
	ready(answer);
	if (answer->failed)
		pgm_answer_error(answer, "53200", NULL,
				 "the answer is too long, or there is no memory for it");
}

void pgm_answer_error(struct pgm_answer *answer, const char *sqlstate, const char *hint, const char *format,
		      ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	free(answer->bytes);
	*answer = (struct pgm_answer){0};
	message(answer, PGM_BE_ERROR,
		&(struct pgm_wire_error){
			.severity = "ERROR", .sqlstate = sqlstate, .message = text, .hint = hint});
	ready(answer);
}
