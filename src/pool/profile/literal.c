#include "pool/profile/literal.h"

#include "pool/scan/scan_lex.h"
#include "wire/wire.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* pg_type.dat */
enum {
	TYPE_BOOL = 16,
	TYPE_BYTEA = 17,
	TYPE_CHAR = 18,
	TYPE_NAME = 19,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_TEXT = 25,
	TYPE_OID = 26,
	TYPE_JSON = 114,
	TYPE_FLOAT4 = 700,
	TYPE_FLOAT8 = 701,
	TYPE_BPCHAR = 1042,
	TYPE_VARCHAR = 1043,
	TYPE_DATE = 1082,
	TYPE_TIMESTAMP = 1114,
	TYPE_TIMESTAMPTZ = 1184,
	TYPE_NUMERIC = 1700,
	TYPE_UUID = 2950,
	TYPE_JSONB = 3802,
};

static const struct {
	uint32_t array, element;
} arrays[] = {
	{1000, TYPE_BOOL},	{1001, TYPE_BYTEA},  {1003, TYPE_NAME},	       {1005, TYPE_INT2},
	{1007, TYPE_INT4},	{1009, TYPE_TEXT},   {1014, TYPE_BPCHAR},      {1015, TYPE_VARCHAR},
	{1016, TYPE_INT8},	{1021, TYPE_FLOAT4}, {1022, TYPE_FLOAT8},      {1028, TYPE_OID},
	{1115, TYPE_TIMESTAMP}, {1182, TYPE_DATE},   {1185, TYPE_TIMESTAMPTZ}, {1231, TYPE_NUMERIC},
	{2951, TYPE_UUID},	{199, TYPE_JSON},    {3807, TYPE_JSONB},
};

#define EPOCH_DAYS   10957 /* of 2000-01-01 since 1970-01-01 */
#define ARRAY_MAX    256
#define SCALAR_BYTES 1024 /* of one value's text within an array */

struct text {
	char *at;
	size_t size, length;
	bool full;
};

static void put(struct text *text, const char *bytes, size_t length)
{
	if (text->full || text->length + length >= text->size) {
		text->full = true;
		return;
	}
	memcpy(text->at + text->length, bytes, length);
	text->length += length;
	text->at[text->length] = '\0';
}

static void put_word(struct text *text, const char *word)
{
	put(text, word, strlen(word));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct text *text, const char *format, ...)
{
	char buffer[400];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(buffer))
		text->full = true;
	else
		put(text, buffer, (size_t)length);
}

static uint64_t get64(const uint8_t *bytes)
{
	return (uint64_t)pgm_wire_get32(bytes) << 32 | pgm_wire_get32(bytes + 4);
}

/* Howard Hinnant's civil_from_days: days since 1970-01-01. */
static void put_date(struct text *text, int64_t days)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2);
	put_format(text, "%04lld-%02lld-%02lld", (long long)(year > 0 ? year : 1 - year), (long long)month,
		   (long long)day);
	if (year <= 0)
		put_word(text, " BC");
}

static void put_timestamp(struct text *text, int64_t us, bool zone)
{
	const int64_t day_us = 86400000000;
	int64_t days = us / day_us, rest = us % day_us;
	if (rest < 0) {
		rest += day_us;
		days--;
	}
	struct text date = {.at = (char[32]){0}, .size = 32};
	put_date(&date, days + EPOCH_DAYS);
	char *era = strstr(date.at, " BC");
	put(text, date.at, era ? (size_t)(era - date.at) : date.length);
	put_format(text, " %02lld:%02lld:%02lld", (long long)(rest / 3600000000),
		   (long long)(rest / 60000000 % 60), (long long)(rest / 1000000 % 60));
	if (rest % 1000000) {
		char fraction[16];
		int digits = snprintf(fraction, sizeof(fraction), ".%06lld", (long long)(rest % 1000000));
		while (fraction[digits - 1] == '0')
			digits--;
		put(text, fraction, (size_t)digits);
	}
	if (zone)
		put_word(text, "+00");
	if (era)
		put_word(text, " BC");
}

/* Groups of four decimal digits (numeric_send() in numeric.c). */
static bool put_numeric(struct text *text, const uint8_t *bytes, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(bytes, length);
	unsigned count = pgm_cursor_u16(&cursor);
	int weight = (int16_t)pgm_cursor_u16(&cursor);
	unsigned sign = pgm_cursor_u16(&cursor), scale = pgm_cursor_u16(&cursor);
	if (cursor.bad || pgm_cursor_left(&cursor) != 2 * (size_t)count)
		return false;
	if (sign == 0xc000 || sign == 0xd000 || sign == 0xf000) {
		put_word(text, sign == 0xc000 ? "NaN" : sign == 0xd000 ? "Infinity" : "-Infinity");
		return true;
	}
	if ((sign != 0 && sign != 0x4000) || scale > 1000 || weight > 100 || weight < -300)
		return false;
	const uint8_t *digits = cursor.at;
	if (sign)
		put_word(text, "-");
	if (weight < 0)
		put_word(text, "0");
	for (int i = 0; i <= weight; i++) {
		unsigned digit = i < (int)count ? pgm_wire_get16(digits + 2 * i) : 0;
		put_format(text, i ? "%04u" : "%u", digit % 10000);
	}
	if (scale == 0)
		return true;
	put_word(text, ".");
	for (int i = weight + 1; scale > 0; i++) {
		char group[8];
		unsigned digit = i >= 0 && i < (int)count ? pgm_wire_get16(digits + 2 * i) : 0;
		snprintf(group, sizeof(group), "%04u", digit % 10000);
		put(text, group, scale < 4 ? scale : 4);
		scale -= scale < 4 ? scale : 4;
	}
	return true;
}

/* The shortest that reads as the same number, as PostgreSQL writes it. */
static bool put_float(struct text *text, double number, bool single)
{
	if (isnan(number) || isinf(number))
		put_word(text, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
	else
		for (int digits = single ? 6 : 15;; digits++) {
			char buffer[40];
			snprintf(buffer, sizeof(buffer), "%.*g", digits, number);
			bool same = single ? strtof(buffer, NULL) == (float)number
					   : strtod(buffer, NULL) == number;
			if (!same && digits < 17)
				continue;
			put_word(text, buffer);
			break;
		}
	return true;
}

static void put_hex(struct text *text, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		put_format(text, "%02x", bytes[i]);
}

static bool put_uuid(struct text *text, const uint8_t *bytes)
{
	static const uint8_t parts[] = {4, 2, 2, 2, 6};
	for (size_t i = 0; i < sizeof(parts); i++) {
		if (i)
			put_word(text, "-");
		put_hex(text, bytes, parts[i]);
		bytes += parts[i];
	}
	return true;
}

static bool put_bytes(struct text *text, const uint8_t *bytes, size_t length)
{
	if (memchr(bytes, 0, length))
		return false;
	put(text, (const char *)bytes, length);
	return true;
}

static bool put_time_stamp(struct text *text, int64_t us, bool zone)
{
	if (us == INT64_MAX || us == INT64_MIN)
		put_word(text, us > 0 ? "infinity" : "-infinity");
	else
		put_timestamp(text, us, zone);
	return true;
}

/* The text that the type's output function would give. */
static bool put_scalar(struct text *text, uint32_t type, const uint8_t *bytes, size_t length)
{
	switch (type) {
	case TYPE_BOOL:
		if (length == 1)
			put_word(text, *bytes ? "t" : "f");
		return length == 1;
	case TYPE_INT2:
		if (length == 2)
			put_format(text, "%d", (int16_t)pgm_wire_get16(bytes));
		return length == 2;
	case TYPE_INT4:
		if (length == 4)
			put_format(text, "%d", (int32_t)pgm_wire_get32(bytes));
		return length == 4;
	case TYPE_OID:
		if (length == 4)
			put_format(text, "%u", pgm_wire_get32(bytes));
		return length == 4;
	case TYPE_INT8:
		if (length == 8)
			put_format(text, "%lld", (long long)get64(bytes));
		return length == 8;
	case TYPE_FLOAT4: {
		union {
			uint32_t bits;
			float number;
		} value = {.bits = length == 4 ? pgm_wire_get32(bytes) : 0};
		return length == 4 && put_float(text, (double)value.number, true);
	}
	case TYPE_FLOAT8: {
		union {
			uint64_t bits;
			double number;
		} value = {.bits = length == 8 ? get64(bytes) : 0};
		return length == 8 && put_float(text, value.number, false);
	}
	case TYPE_NUMERIC:
		return put_numeric(text, bytes, length);
	case TYPE_UUID:
		return length == 16 && put_uuid(text, bytes);
	case TYPE_DATE: {
		int32_t days = length == 4 ? (int32_t)pgm_wire_get32(bytes) : 0;
		if (days == INT32_MAX || days == INT32_MIN)
			put_word(text, days > 0 ? "infinity" : "-infinity");
		else
			put_date(text, (int64_t)days + EPOCH_DAYS);
		return length == 4;
	}
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
		return length == 8 && put_time_stamp(text, (int64_t)get64(bytes), type == TYPE_TIMESTAMPTZ);
	case TYPE_BYTEA:
		put_word(text, "\\x");
		put_hex(text, bytes, length);
		return true;
	case TYPE_JSONB:
		return length > 1 && *bytes == 1 && put_bytes(text, bytes + 1, length - 1);
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
	case TYPE_NAME:
	case TYPE_CHAR:
	case TYPE_JSON:
		return put_bytes(text, bytes, length);
	default:
		return false;
	}
}

static uint32_t element_type(uint32_t array)
{
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++)
		if (arrays[i].array == array)
			return arrays[i].element;
	return 0;
}

/* array_send() in arrayfuncs.c; one dimension. */
static bool put_array(struct text *text, const uint8_t *bytes, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(bytes, length);
	uint32_t dimensions = pgm_cursor_u32(&cursor);
	pgm_cursor_u32(&cursor); /* whether there are NULLs */
	uint32_t type = pgm_cursor_u32(&cursor), count = 0;
	if (dimensions == 1) {
		count = pgm_cursor_u32(&cursor);
		pgm_cursor_u32(&cursor);
	}
	if (cursor.bad || dimensions > 1 || count > ARRAY_MAX)
		return false;
	put_word(text, "{");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = pgm_cursor_u32(&cursor);
		if (i)
			put_word(text, ",");
		if (size == PGM_WIRE_NO_PARAMETER) {
			put_word(text, "NULL");
			continue;
		}
		char scalar[SCALAR_BYTES];
		struct text element = {.at = scalar, .size = sizeof(scalar)};
		const uint8_t *item = pgm_cursor_bytes(&cursor, size);
		scalar[0] = '\0';
		if (!item || !put_scalar(&element, type, item, size) || element.full)
			return false;
		/* As array_out() has it. */
		bool bare = element.length && !strpbrk(scalar, "\"\\{}, \t\n\r\v\f") &&
			    strcasecmp(scalar, "null") != 0;
		put_word(text, bare ? "" : "\"");
		for (const char *c = scalar; *c; c++) {
			if (*c == '"' || *c == '\\')
				put_word(text, "\\");
			put(text, c, 1);
		}
		put_word(text, bare ? "" : "\"");
	}
	put_word(text, "}");
	return !cursor.bad;
}

/* Digits with a sign, point and exponent: what may stand in SQL without quotes. */
static bool is_number(const char *text)
{
	const char *at = text + (*text == '-');
	size_t digits = strspn(at, "0123456789");
	at += digits;
	if (*at == '.') {
		size_t fraction = strspn(at + 1, "0123456789");
		digits += fraction;
		at += 1 + fraction;
	}
	if (digits && (*at == 'e' || *at == 'E')) {
		at += 1 + (at[1] == '-' || at[1] == '+');
		size_t exponent = strspn(at, "0123456789");
		at += exponent;
		digits = exponent;
	}
	return digits && *at == '\0';
}

static bool numeric_type(uint32_t type)
{
	return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_OID ||
	       type == TYPE_NUMERIC || type == TYPE_FLOAT4 || type == TYPE_FLOAT8;
}

/* A backslash is itself in '...' only while standard_conforming_strings is on, in E'...' never. */
static void put_quoted(struct text *text, const char *value)
{
	bool escape = strchr(value, '\\') != NULL;
	put_word(text, escape ? "E'" : "'");
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			put(text, value, 1);
		put(text, value, 1);
	}
	put_word(text, "'");
}

size_t pgm_bind_literal(const struct pgm_bind_value *value, char *out, size_t size)
{
	char plain[8192] = "";
	struct text text = {.at = plain, .size = sizeof(plain)};
	struct text literal = {.at = out, .size = size};
	if (size == 0)
		return 0;
	*out = '\0';
	if (!value->bytes) {
		put_word(&literal, "NULL");
		return literal.full ? 0 : literal.length;
	}
	bool ok = !value->binary	      ? put_bytes(&text, value->bytes, value->length)
		  : element_type(value->type) ? put_array(&text, value->bytes, value->length)
					      : put_scalar(&text, value->type, value->bytes, value->length);
	if (!ok || text.full)
		return 0;
	if (value->type == TYPE_BOOL && (strcmp(plain, "t") == 0 || strcmp(plain, "f") == 0))
		put_word(&literal, *plain == 't' ? "true" : "false");
	else if (!numeric_type(value->type) || !is_number(plain))
		put_quoted(&literal, plain);
	else
		put_format(&literal, *plain == '-' ? "(%s)" : "%s", plain);
	return literal.full ? 0 : literal.length;
}

bool pgm_bind_values(const uint8_t *body, size_t length, const uint32_t *types, size_t type_count,
		     struct pgm_bind_values *values)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	unsigned format_count = pgm_cursor_u16(&cursor);
	const uint8_t *formats = pgm_cursor_bytes(&cursor, 2 * (size_t)format_count);
	unsigned count = pgm_cursor_u16(&cursor);
	values->count = 0;
	if (cursor.bad || count > PGM_BIND_VALUES_MAX || (format_count > 1 && format_count != count))
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct pgm_bind_value *value = &values->items[i];
		uint32_t size = pgm_cursor_u32(&cursor);
		*value = (struct pgm_bind_value){.type = i < type_count ? types[i] : 0};
		if (format_count)
			value->binary = pgm_wire_get16(formats + 2 * (format_count == 1 ? 0 : i)) == 1;
		if (size == PGM_WIRE_NO_PARAMETER)
			continue;
		value->bytes = pgm_cursor_bytes(&cursor, size);
		value->length = size;
	}
	values->count = cursor.bad ? 0 : count;
	return !cursor.bad;
}

size_t pgm_bind_text(const char *sql, size_t length, bool standard_strings,
		     const struct pgm_bind_values *values, char *out, size_t size)
{
	struct pgm_scan_lexer lexer = pgm_scan_lexer_over(sql, length, standard_strings);
	struct pgm_scan_token token;
	struct text text = {.at = out, .size = size};
	const char *done = sql;
	for (pgm_scan_next(&lexer, &token); token.kind != PGM_SCAN_END; pgm_scan_next(&lexer, &token)) {
		if (token.kind != PGM_SCAN_PARAM || !values)
			continue;
		size_t number = 0;
		for (const char *digit = token.at + 1; digit < token.end && number <= PGM_BIND_VALUES_MAX;
		     digit++)
			number = number * 10 + (size_t)(*digit - '0');
		char literal[4096];
		if (number == 0 || number > values->count ||
		    !pgm_bind_literal(&values->items[number - 1], literal, sizeof(literal)))
			return 0;
		put(&text, done, (size_t)(token.at - done));
		put_word(&text, literal);
		put_word(&text, token.end < lexer.end && pgm_scan_lower[(uint8_t)*token.end] ? " " : "");
		done = token.end;
	}
	put(&text, done, (size_t)(lexer.end - done));
	return text.full || lexer.broken ? 0 : text.length;
}
