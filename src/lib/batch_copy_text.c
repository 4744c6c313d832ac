/* COPY's text format, for columns whose only form is text: what the server's input functions read. */
#include "lib/batch.h"

#include "util/utf8.h"

#include <math.h>
#include <stdio.h>

bool pgm_copy_text_held(int held)
{
	switch (held) {
	case PGMEND_TEXT:
	case PGMEND_BOOL:
	case PGMEND_INT16:
	case PGMEND_INT32:
	case PGMEND_INT64:
	case PGMEND_FLOAT32:
	case PGMEND_FLOAT64:
	case PGMEND_BYTES:
	case PGMEND_UUID:
		return true;
	default:
		return false;
	}
}

static char escape_of(unsigned char c)
{
	switch (c) {
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\v':
		return 'v';
	case '\\':
		return '\\';
	default:
		return 0;
	}
}

static void add_escaped(struct pgm_bytes *out, const unsigned char *text, size_t length)
{
	size_t plain = 0;
	for (size_t i = 0; i < length; i++) {
		char escape = text[i] > '\\' ? 0 : escape_of(text[i]);
		if (!escape)
			continue;
		pgm_bytes_add(out, text + plain, i - plain);
		pgm_bytes_byte(out, '\\');
		pgm_bytes_byte(out, (unsigned char)escape);
		plain = i + 1;
	}
	pgm_bytes_add(out, text + plain, length - plain);
}

static void add_hex(struct pgm_bytes *out, const unsigned char *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char *at = pgm_bytes_extend(out, length * 2);
	for (size_t i = 0; at && i < length; i++) {
		*at++ = (unsigned char)digits[data[i] >> 4];
		*at++ = (unsigned char)digits[data[i] & 15];
	}
}

static void add_integer(struct pgm_bytes *out, int64_t value)
{
	char text[24], *at = text + sizeof(text);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	pgm_bytes_add(out, at, (size_t)(text + sizeof(text) - at));
}

/* The program's locale may have another character for the point. */
static void add_double(struct pgm_bytes *out, double value, int digits)
{
	char text[40];
	if (isnan(value))
		strcpy(text, "NaN");
	else if (isinf(value))
		strcpy(text, value > 0 ? "Infinity" : "-Infinity");
	else
		snprintf(text, sizeof(text), "%.*g", digits, value);
	for (char *p = text; *p && !isnan(value) && !isinf(value); p++)
		if (!strchr("0123456789+-e", *p))
			*p = '.';
	pgm_bytes_text(out, text);
}

bool pgm_copy_text_field(struct pgm_bytes *out, int held, const void *data, size_t length,
			 struct pgm_refusal *refusal)
{
	int16_t small;
	int32_t medium;
	int64_t large;
	float narrow;
	double wide;
	switch (held) {
	case PGMEND_TEXT: {
		size_t size = length == PGMEND_NTS ? strlen(data) : length;
		if (size > PGM_FIELD_BYTES_MAX)
			return pgm_refuse(refusal, "54000",
					  "a value of %zu bytes is longer than PostgreSQL's limit of 1 GB",
					  size);
		size_t sound = pgm_utf8_sound(data, size);
		if (sound < size)
			return pgm_refuse(refusal, "22021",
					  "invalid byte sequence for encoding \"UTF8\": 0x%02x at byte %zu",
					  ((const unsigned char *)data)[sound], sound);
		add_escaped(out, data, size);
		break;
	}
	case PGMEND_BOOL:
		pgm_bytes_byte(out, *(const unsigned char *)data ? 't' : 'f');
		break;
	case PGMEND_INT16:
		memcpy(&small, data, sizeof(small));
		add_integer(out, small);
		break;
	case PGMEND_INT32:
		memcpy(&medium, data, sizeof(medium));
		add_integer(out, medium);
		break;
	case PGMEND_INT64:
		memcpy(&large, data, sizeof(large));
		add_integer(out, large);
		break;
	case PGMEND_FLOAT32:
		memcpy(&narrow, data, sizeof(narrow));
		add_double(out, (double)narrow, 9);
		break;
	case PGMEND_FLOAT64:
		memcpy(&wide, data, sizeof(wide));
		add_double(out, wide, 17);
		break;
	case PGMEND_BYTES:
		if (length > PGM_FIELD_BYTES_MAX / 2)
			return pgm_refuse(refusal, "54000",
					  "a value of %zu bytes is longer than COPY's limit in text form",
					  length);
		pgm_bytes_text(out, "\\\\x");
		add_hex(out, data, length);
		break;
	case PGMEND_UUID:
		add_hex(out, data, 16);
		break;
	default:
		return pgm_refuse(refusal, "42804", "%s has no text form here", pgm_held_name(held));
	}
	return !out->failed;
}
