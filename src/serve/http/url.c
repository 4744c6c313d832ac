#include "serve/http/url.h"

#include "util/utf8.h"

#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL with an error. In a query string + is a blank. */
static char *decode(const char *raw, size_t length, bool query, struct pgm_arena *arena,
		    struct pgm_error *err)
{
	char *text = pgm_arena_alloc(arena, length + 1), *out = text;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)raw[i];
		if (c == '%') {
			int high = i + 2 < length ? hex(raw[i + 1]) : -1;
			int low = high >= 0 ? hex(raw[i + 2]) : -1;
			if (low < 0) {
				pgm_error_set(err, PGM_ERR_INPUT, "the address has a broken escape");
				return NULL;
			}
			c = (unsigned char)(high << 4 | low);
			i += 2;
			if (c < ' ' || c == 0x7f) {
				pgm_error_set(err, PGM_ERR_INPUT,
					      "the address has an encoded control character");
				return NULL;
			}
		} else if (c == '+' && query) {
			c = ' ';
		}
		*out++ = (char)c;
	}
	*out = '\0';
	size_t decoded = (size_t)(out - text);
	if (pgm_utf8_sound((const unsigned char *)text, decoded) == decoded)
		return text;
	pgm_error_set(err, PGM_ERR_INPUT, "the address is not UTF-8");
	return NULL;
}

static bool parse_path(const char *raw, size_t length, struct pgm_arena *arena, struct pgm_url *url,
		       struct pgm_error *err)
{
	if (length == 0 || raw[0] != '/')
		return pgm_error_set(err, PGM_ERR_INPUT, "the address is no path");
	for (size_t at = 1; at < length;) {
		size_t end = at;
		while (end < length && raw[end] != '/')
			end++;
		char *segment = decode(raw + at, end - at, false, arena, err);
		if (!segment)
			return false;
		if (!*segment || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
			return pgm_error_set(err, PGM_ERR_INPUT, "the path has an empty or a dot segment");
		if (url->segment_count == PGM_URL_SEGMENTS_MAX)
			return pgm_error_set(err, PGM_ERR_INPUT, "the path has more than %d segments",
					     PGM_URL_SEGMENTS_MAX);
		url->segments[url->segment_count++] = segment;
		at = end + 1;
		if (at == length)
			return pgm_error_set(err, PGM_ERR_INPUT, "the path ends with a slash");
	}
	url->path = decode(raw, length, false, arena, err);
	return url->path != NULL;
}

static bool parse_query(const char *raw, size_t length, struct pgm_arena *arena, struct pgm_url *url,
			struct pgm_error *err)
{
	for (size_t at = 0; at < length;) {
		size_t end = at;
		while (end < length && raw[end] != '&')
			end++;
		const char *equals = memchr(raw + at, '=', end - at);
		size_t name_length = equals ? (size_t)(equals - raw) - at : end - at;
		if (end > at) {
			if (url->query_count == PGM_HTTP_QUERY_MAX)
				return pgm_error_set(err, PGM_ERR_INPUT, "there are more than %d parameters",
						     PGM_HTTP_QUERY_MAX);
			struct pgm_http_query *pair = &url->query[url->query_count++];
			pair->name = decode(raw + at, name_length, true, arena, err);
			pair->value = equals ? decode(equals + 1, (size_t)(raw + end - equals) - 1, true,
						      arena, err)
					     : "";
			if (!pair->name || !pair->value)
				return false;
		}
		at = end + 1;
	}
	return true;
}

bool pgm_url_parse(const char *raw, struct pgm_arena *arena, struct pgm_url *url, struct pgm_error *err)
{
	*url = (struct pgm_url){0};
	for (const char *at = raw; *at; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '#' || *at == '\\')
			return pgm_error_set(err, PGM_ERR_INPUT,
					     "the address has a character that must be escaped");
	size_t path_length = strcspn(raw, "?");
	const char *query = raw[path_length] ? raw + path_length + 1 : "";
	return parse_path(raw, path_length, arena, url, err) &&
	       parse_query(query, strlen(query), arena, url, err);
}
