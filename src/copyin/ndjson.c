#include "copyin/ndjson.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *start, *at, *end;
	const char *fault;
	char *out; /* where unescaped text goes */
	int depth;
};

static bool fail(struct reader *reader, const char *fault)
{
	if (!reader->fault)
		reader->fault = fault;
	return false;
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end &&
	       (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r' || *reader->at == '\n'))
		reader->at++;
}

static bool expect(struct reader *reader, char c, const char *fault)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != c)
		return fail(reader, reader->at == reader->end ? "it ends in the middle of its JSON" : fault);
	reader->at++;
	return true;
}

static bool read_hex4(struct reader *reader, unsigned *value)
{
	*value = 0;
	if (reader->end - reader->at < 4)
		return fail(reader, "\\u needs four hexadecimal digits");
	for (int i = 0; i < 4; i++) {
		char c = *reader->at;
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return fail(reader, "\\u needs four hexadecimal digits");
		*value = *value * 16 + (unsigned)digit;
		reader->at++;
	}
	return true;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

static bool read_unicode(struct reader *reader, bool *nul)
{
	unsigned c, low;
	if (!read_hex4(reader, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
			return fail(reader, "half of a surrogate pair");
		reader->at += 2;
		if (!read_hex4(reader, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(reader, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return fail(reader, "half of a surrogate pair");
	}
	*nul |= c == 0;
	reader->out = put_utf8(reader->out, c);
	return true;
}

/* Behind the opening quote. Without escapes the text is that of the line itself. */
static bool read_string(struct reader *reader, const char **text, size_t *length)
{
	const char *from = reader->at;
	char *begin = reader->out;
	bool escapes = false, nul = false;
	while (reader->at < reader->end && *reader->at != '"') {
		unsigned char c = (unsigned char)*reader->at;
		if (c < 0x20)
			return fail(reader, "a control character in a string");
		if (c != '\\') {
			const char *run = reader->at;
			do
				reader->at++;
			while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\' &&
			       (unsigned char)*reader->at >= 0x20);
			if (escapes) {
				memcpy(reader->out, run, (size_t)(reader->at - run));
				reader->out += reader->at - run;
			}
			continue;
		}
		if (!escapes) {
			memcpy(reader->out, from, (size_t)(reader->at - from));
			reader->out += reader->at - from;
			escapes = true;
		}
		static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
		if (++reader->at == reader->end)
			break;
		char letter = *reader->at++;
		const char *known = letter ? strchr(letters, letter) : NULL;
		if (known)
			*reader->out++ = meanings[known - letters];
		else if (letter != 'u')
			return fail(reader, "an escape that JSON does not have");
		else if (!read_unicode(reader, &nul))
			return false;
	}
	if (reader->at == reader->end)
		return fail(reader, "a string is never closed");
	*length = escapes ? (size_t)(reader->out - begin) : (size_t)(reader->at - from);
	*text = nul ? NULL : escapes ? begin : from;
	reader->at++;
	return true;
}

static size_t digits(struct reader *reader)
{
	const char *from = reader->at;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return (size_t)(reader->at - from);
}

static bool read_number(struct reader *reader)
{
	if (*reader->at == '-')
		reader->at++;
	const char *first = reader->at;
	size_t count = digits(reader);
	if (count == 0 || (count > 1 && *first == '0'))
		return fail(reader, "neither a number nor another value of JSON");
	if (reader->at < reader->end && *reader->at == '.') {
		reader->at++;
		if (digits(reader) == 0)
			return fail(reader, "a number without a digit behind its point");
	}
	if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
		reader->at++;
		if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
			reader->at++;
		if (digits(reader) == 0)
			return fail(reader, "a number without an exponent behind its e");
	}
	return true;
}

static bool read_word(struct reader *reader, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return fail(reader, "neither a number nor another value of JSON");
	reader->at += length;
	return true;
}

static bool read_value(struct reader *reader, struct pgm_json_member *value);

/* Behind the opening bracket: values only, or with keys; what is in them is not kept. */
static bool read_nested(struct reader *reader, bool object)
{
	struct pgm_json_member ignored;
	char close = object ? '}' : ']';
	char *out = reader->out;
	bool first = true;
	if (++reader->depth > PGM_NDJSON_DEPTH_MAX)
		return fail(reader, "nested too deeply");
	for (;; first = false) {
		skip_space(reader);
		if (first && reader->at < reader->end && *reader->at == close)
			break;
		if (object && (!expect(reader, '"', "a key in quotes is missing") ||
			       !read_string(reader, &ignored.text, &ignored.text_length) ||
			       !expect(reader, ':', "a colon is missing behind a key")))
			return false;
		if (!read_value(reader, &ignored))
			return false;
		reader->out = out;
		skip_space(reader);
		if (reader->at < reader->end && *reader->at == close)
			break;
		if (!expect(reader, ',', "a comma is missing"))
			return false;
	}
	reader->at++;
	reader->depth--;
	return true;
}

static bool read_value(struct reader *reader, struct pgm_json_member *value)
{
	skip_space(reader);
	if (reader->at == reader->end)
		return fail(reader, "it ends in the middle of its JSON");
	value->raw = reader->at;
	bool ok = true;
	char c = *reader->at;
	if (c == '"') {
		value->kind = PGM_JSON_STRING;
		reader->at++;
		ok = read_string(reader, &value->text, &value->text_length);
	} else if (c == '{' || c == '[') {
		value->kind = c == '{' ? PGM_JSON_OBJECT : PGM_JSON_ARRAY;
		reader->at++;
		ok = read_nested(reader, c == '{');
	} else if (c == 't' || c == 'f') {
		value->kind = PGM_JSON_BOOL;
		ok = read_word(reader, c == 't' ? "true" : "false");
	} else if (c == 'n') {
		value->kind = PGM_JSON_NULL;
		ok = read_word(reader, "null");
	} else {
		value->kind = PGM_JSON_NUMBER;
		ok = read_number(reader);
	}
	if (!ok)
		return false;
	value->raw_length = (size_t)(reader->at - value->raw);
	if (value->kind != PGM_JSON_STRING) {
		value->text = value->raw;
		value->text_length = value->raw_length;
	}
	return true;
}

void pgm_ndjson_free(struct pgm_json_object *object)
{
	free(object->members);
	free(object->memory);
	*object = (struct pgm_json_object){0};
}

static void make_room(struct pgm_json_object *object, size_t length)
{
	object->count = 0;
	if (object->memory_capacity > length)
		return;
	free(object->memory);
	object->memory_capacity = length + 1;
	if (!(object->memory = malloc(object->memory_capacity)))
		abort();
}

static struct pgm_json_member *add_member(struct pgm_json_object *object)
{
	if (object->count == object->capacity) {
		object->capacity = object->capacity ? object->capacity * 2 : 64;
		object->members = realloc(object->members, object->capacity * sizeof(*object->members));
		if (!object->members)
			abort();
	}
	object->members[object->count] = (struct pgm_json_member){0};
	return &object->members[object->count++];
}

static int compare_keys(const void *a, const void *b)
{
	const struct pgm_json_member *const *x = a, *const *y = b;
	size_t least = (*x)->key_length < (*y)->key_length ? (*x)->key_length : (*y)->key_length;
	int order = memcmp((*x)->key, (*y)->key, least);
	return order ? order : ((*x)->key_length > (*y)->key_length) - ((*x)->key_length < (*y)->key_length);
}

static bool same_key(const struct pgm_json_member *a, const struct pgm_json_member *b)
{
	return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

static bool has_twice(const struct pgm_json_object *object)
{
	bool twice = false;
	if (object->count <= 32) {
		for (size_t i = 1; i < object->count; i++)
			for (size_t k = 0; k < i; k++)
				if (same_key(&object->members[i], &object->members[k]))
					return true;
		return false;
	}
	const struct pgm_json_member **sorted = malloc(object->count * sizeof(*sorted));
	if (!sorted)
		abort();
	for (size_t i = 0; i < object->count; i++)
		sorted[i] = &object->members[i];
	qsort(sorted, object->count, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < object->count && !twice; i++)
		twice = same_key(sorted[i - 1], sorted[i]);
	free(sorted);
	return twice;
}

static bool read_members(struct reader *reader, struct pgm_json_object *object)
{
	if (!expect(reader, '{', "a JSON object is expected"))
		return false;
	skip_space(reader);
	if (reader->at < reader->end && *reader->at == '}') {
		reader->at++;
		return true;
	}
	for (;;) {
		struct pgm_json_member *member = add_member(object);
		if (!expect(reader, '"', "a key in quotes is missing") ||
		    !read_string(reader, &member->key, &member->key_length))
			return false;
		if (!member->key)
			return fail(reader, "a key with \\u0000");
		if (!expect(reader, ':', "a colon is missing behind a key") || !read_value(reader, member))
			return false;
		skip_space(reader);
		if (reader->at < reader->end && *reader->at == '}') {
			reader->at++;
			return true;
		}
		if (!expect(reader, ',', "a comma is missing"))
			return false;
	}
}

const char *pgm_ndjson_read(const char *line, size_t length, struct pgm_json_object *object, size_t *at)
{
	make_room(object, length);
	struct reader reader = {.start = line, .at = line, .end = line + length, .out = object->memory};
	if (read_members(&reader, object)) {
		skip_space(&reader);
		if (reader.at < reader.end)
			fail(&reader, "more than one value stands in the line");
		else if (has_twice(object))
			fail(&reader, "a key comes twice");
	}
	*at = (size_t)(reader.at - reader.start);
	return reader.fault;
}

/* A string as an element: quoted, with " and \ behind backslashes. */
static bool put_element(struct reader *reader, const char *raw, size_t length)
{
	const char *text;
	size_t text_length;
	char *scratch = malloc(length + 1);
	if (!scratch)
		abort();
	struct reader inner = {.at = raw + 1, .end = raw + length, .out = scratch};
	bool ok = read_string(&inner, &text, &text_length) && text;
	if (ok) {
		*reader->out++ = '"';
		for (size_t i = 0; i < text_length; i++) {
			if (text[i] == '"' || text[i] == '\\')
				*reader->out++ = '\\';
			*reader->out++ = text[i];
		}
		*reader->out++ = '"';
	}
	free(scratch);
	return ok;
}

/* At a [ of JSON that is known to be right; its strings are skipped by reading them again. */
static bool put_array(struct reader *reader)
{
	*reader->out++ = '{';
	reader->at++;
	for (;;) {
		skip_space(reader);
		char c = *reader->at;
		if (c == ']' || c == ',') {
			*reader->out++ = c == ']' ? '}' : ',';
			reader->at++;
			if (c == ']')
				return true;
			continue;
		}
		if (c == '{')
			return false;
		if (c == '[') {
			if (!put_array(reader))
				return false;
			continue;
		}
		char *out = reader->out;
		struct pgm_json_member element;
		/* What read_value unescapes is thrown away: it goes where put_element then writes. */
		if (!read_value(reader, &element))
			return false;
		reader->out = out;
		if (element.kind == PGM_JSON_STRING) {
			if (!put_element(reader, element.raw, element.raw_length))
				return false;
		} else {
			const char *word = element.kind == PGM_JSON_NULL ? "NULL" : element.raw;
			memcpy(reader->out, word, element.raw_length);
			reader->out += element.raw_length;
		}
	}
}

size_t pgm_json_array_literal(const char *raw, size_t length, char *into)
{
	struct reader reader = {.start = raw, .at = raw, .end = raw + length, .out = into};
	if (length == 0 || *raw != '[' || !put_array(&reader))
		return 0;
	return (size_t)(reader.out - into);
}
