#include "copyin/fields.h"

#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

void pgm_fields_free(struct pgm_fields *fields)
{
	free(fields->items);
	free(fields->memory);
	*fields = (struct pgm_fields){0};
}

/* Forget the last row and make room for the texts of one of so many bytes. */
static void begin(struct pgm_fields *fields, size_t row_bytes)
{
	fields->count = 0;
	if (fields->memory_capacity > row_bytes)
		return;
	free(fields->memory);
	fields->memory_capacity = row_bytes + 1;
	if (!(fields->memory = malloc(fields->memory_capacity)))
		abort();
}

static void add(struct pgm_fields *fields, const char *text, size_t length)
{
	if (fields->count == fields->capacity) {
		fields->capacity = fields->capacity ? fields->capacity * 2 : 64;
		fields->items = realloc(fields->items, fields->capacity * sizeof(*fields->items));
		if (!fields->items)
			abort();
	}
	fields->items[fields->count++] = (struct pgm_field){text, length};
}

static bool is_null(const struct pgm_copyin_dialect *dialect, const char *text, size_t length)
{
	return length == strlen(dialect->null_text) && memcmp(text, dialect->null_text, length) == 0;
}

/* As CopyReadAttributesCSV of PostgreSQL's copyfromparse.c, whose rules these are. */
const char *pgm_csv_split(const struct pgm_copyin_dialect *dialect, const char *row, size_t length,
			  struct pgm_fields *fields)
{
	const char *at = row, *end = row + length;
	const char quote = dialect->quote, escape = dialect->escape;
	begin(fields, length);
	for (char *out = fields->memory;;) {
		const char *start = at;
		char *text = out;
		bool quoted = false, in_quote = false;
		while (at < end && (in_quote || *at != dialect->delimiter)) {
			char c = *at++;
			if (in_quote && c == escape && at < end && (*at == escape || *at == quote)) {
				*out++ = *at++;
			} else if (c == quote) {
				in_quote = !in_quote;
				quoted = true;
			} else {
				*out++ = c;
			}
		}
		if (in_quote)
			return "a quote is never closed";
		bool null = !quoted && is_null(dialect, start, (size_t)(at - start));
		add(fields, null ? NULL : text, null ? 0 : (size_t)(out - text));
		if (at == end)
			return NULL;
		at++;
	}
}

static int digit(char c, int base)
{
	int value = c >= '0' && c <= '9'   ? c - '0'
		    : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10
					   : 16;
	return value < base ? value : -1;
}

/* The number behind \ or \x: at most so many digits. */
static char number(const char **at, const char *end, int base, int digits)
{
	int value = 0;
	for (; digits > 0 && *at < end && digit(**at, base) >= 0; digits--)
		value = value * base + digit(*(*at)++, base);
	return (char)value;
}

/* What stands for the letter behind a backslash. */
static char unescape(const char **at, const char *end)
{
	char c = *(*at)++;
	static const char letters[] = "bfnrtv", meanings[] = "\b\f\n\r\t\v";
	const char *letter = c ? strchr(letters, c) : NULL;
	if (letter)
		return meanings[letter - letters];
	if (digit(c, 8) >= 0) {
		(*at)--;
		return number(at, end, 8, 3);
	}
	if (c == 'x' && *at < end && digit(**at, 16) >= 0)
		return number(at, end, 16, 2);
	return c;
}

/* As CopyReadAttributesText. */
const char *pgm_tsv_split(const struct pgm_copyin_dialect *dialect, const char *row, size_t length,
			  struct pgm_fields *fields)
{
	const char *at = row, *end = row + length;
	bool escapes = false;
	begin(fields, length);
	for (char *out = fields->memory;;) {
		const char *start = at;
		char *text = out;
		while (at < end && *at != dialect->delimiter) {
			char c = *at++;
			if (c == '\\' && at < end) {
				escapes = true;
				c = unescape(&at, end);
			}
			*out++ = c;
		}
		bool null = is_null(dialect, start, (size_t)(at - start));
		add(fields, null ? NULL : text, null ? 0 : (size_t)(out - text));
		if (at == end)
			break;
		at++;
	}
	/* \xff and the like make bytes that were not in the file. */
	for (size_t i = 0; escapes && i < fields->count; i++)
		if (pgm_utf8_sound((const unsigned char *)fields->items[i].text, fields->items[i].length) <
		    fields->items[i].length)
			return "an escape makes text that is not valid UTF-8";
	return NULL;
}

char *pgm_copy_text_escape(char *into, const char *text, size_t length)
{
	static const char letters[] = "\b\f\n\r\t\v\\", names[] = "bfnrtv\\";
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		/* Few letters need it: look them up only where they can be. */
		const char *letter = c == '\\' || (c >= '\b' && c <= '\r') ? strchr(letters, c) : NULL;
		if (letter) {
			*into++ = '\\';
			*into++ = names[letter - letters];
		} else {
			*into++ = (char)c;
		}
	}
	return into;
}
