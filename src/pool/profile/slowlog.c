#include "pool/profile/slowlog.h"

#include "pool/profile/literal.h"
#include "pool/scan/scan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_BYTES 63
#define TEXT_BYTES 16384

struct line {
	char *out;
	size_t size; /* what may be used: less than the buffer while there is a tail to come */
	size_t length;
	bool json;
};

static bool put(struct line *line, const char *text, size_t length)
{
	if (line->length + length >= line->size)
		return false;
	memcpy(line->out + line->length, text, length);
	line->length += length;
	line->out[line->length] = '\0';
	return true;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *line, const char *format, ...)
{
	char buffer[256];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	if (length > 0)
		put(line, buffer, (size_t)length < sizeof(buffer) ? (size_t)length : sizeof(buffer) - 1);
}

/* The bytes of the UTF-8 character there; 0 where it is none, or one that a terminal would act on. */
static size_t character(const uint8_t *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || length > left)
		return 0;
	uint32_t code = at[0] & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code < 0xe000;
	bool acts = code < 0xa0 || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
		    (code >= 0x2066 && code <= 0x2069);
	return code < least[length] || code > 0x10ffff || surrogate || acts ? 0 : length;
}

/* Printable and on one line; cut where the line is full. */
static void put_escaped(struct line *line, const char *text, size_t length)
{
	static const char names[] = "\bb\ff\nn\rr\tt";
	const uint8_t *at = (const uint8_t *)text, *end = at + length;
	while (at < end) {
		char escaped[8];
		size_t whole = character(at, (size_t)(end - at));
		const char *name = *at ? strchr(names, *at) : NULL;
		if (whole && *at != '\\' && !(line->json && *at == '"')) {
			if (!put(line, (const char *)at, whole))
				return;
			at += whole;
			continue;
		}
		if (whole)
			snprintf(escaped, sizeof(escaped), "\\%c", *at);
		else if (name && (name - names) % 2 == 0)
			snprintf(escaped, sizeof(escaped), "\\%c", name[1]);
		else
			snprintf(escaped, sizeof(escaped), line->json ? "\\u%04x" : "\\x%02x", *at);
		if (!put(line, escaped, strlen(escaped)))
			return;
		at++;
	}
}

/* In the text line a name with a space in it stands in quotes. */
static void put_name(struct line *line, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	bool quoted = line->json || strpbrk(value, " \"=");
	struct line narrow = *line;
	put_format(&narrow, line->json ? ",\"%s\":" : " %s=", key);
	if (quoted)
		put(&narrow, "\"", 1);
	size_t room = narrow.length + NAME_BYTES + 1;
	size_t size = narrow.size;
	narrow.size = room < size ? room : size;
	put_escaped(&narrow, value, strnlen(value, NAME_BYTES));
	narrow.size = size;
	if (quoted)
		put(&narrow, "\"", 1);
	line->length = narrow.length;
}

/* The statement, with values or without, into the line. */
static void put_query(struct line *line, const struct pgm_slow_query *query)
{
	char text[TEXT_BYTES];
	struct pgm_bind_values values;
	size_t sql_length = query->sql ? strnlen(query->sql, query->sql_length) : 0, length = 0;
	if (!query->values) {
		length = pgm_scan_normalize(query->sql ? query->sql : "", sql_length, query->standard_strings,
					    text, sizeof(text));
		put_escaped(line, text, length);
		return;
	}
	if (query->bind && pgm_bind_values(query->bind, query->bind_length, query->parameter_types,
					   query->parameter_type_count, &values))
		length = pgm_bind_text(query->sql ? query->sql : "", sql_length, query->standard_strings,
				       &values, text, sizeof(text));
	if (length)
		put_escaped(line, text, length);
	else
		put_escaped(line, query->sql ? query->sql : "", sql_length);
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

static void put_names(struct line *line, const struct pgm_slow_query *query)
{
	put_name(line, "database", query->database);
	put_name(line, "user", query->user);
	put_name(line, "client", query->client);
	put_name(line, "application", query->application);
	put_name(line, "sqlstate", query->sqlstate);
}

size_t pgm_slowlog_text(const struct pgm_slow_query *query, char *out, size_t size)
{
	assert(size >= PGM_SLOWLOG_MIN);
	struct line line = {.out = out, .size = size};
	put_format(&line, "slow query: %.3f ms", ms(query->server_us));
	if (query->wait_us)
		put_format(&line, ", waited %.3f ms", ms(query->wait_us));
	put_format(&line, ", %llu rows, %llu bytes", (unsigned long long)query->rows,
		   (unsigned long long)query->bytes_out);
	put_names(&line, query);
	put_format(&line, " fingerprint=%016llx: ", (unsigned long long)query->fingerprint);
	put_query(&line, query);
	return line.length;
}

size_t pgm_slowlog_json(const struct pgm_slow_query *query, char *out, size_t size)
{
	assert(size >= PGM_SLOWLOG_MIN);
	char moment[32];
	time_t seconds = (time_t)(query->unix_us / 1000000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(moment, sizeof(moment), "%Y-%m-%dT%H:%M:%S", &utc);
	struct line line = {.out = out, .size = size - 2, .json = true};
	put_format(&line, "{\"event\":\"slow_query\",\"at\":\"%s.%03dZ\",\"server_ms\":%.3f,\"wait_ms\":%.3f",
		   moment, (int)(query->unix_us / 1000 % 1000), ms(query->server_us), ms(query->wait_us));
	put_format(&line, ",\"rows\":%llu,\"bytes\":%llu", (unsigned long long)query->rows,
		   (unsigned long long)query->bytes_out);
	put_names(&line, query);
	put_format(&line, ",\"fingerprint\":\"%016llx\",\"query\":\"",
		   (unsigned long long)query->fingerprint);
	put_query(&line, query);
	line.size = size;
	put(&line, "\"}", 2);
	return line.length;
}
