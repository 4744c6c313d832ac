/*
 * What strangers send to pgmend serve: an address, a Host with an Origin, or a body. Whatever the bytes are,
 * a path that is taken leads nowhere else, a host that is taken is no name that we did not allow, and a body
 * that is taken is an object.
 */
#include "serve/http/origin.h"
#include "serve/http/parts.h"
#include "serve/http/url.h"

#include "util/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	assert(pgm_utf8_sound((const unsigned char *)text, strlen(text)) == strlen(text));
	for (; *text; text++)
		assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_url(const char *text)
{
	struct pgm_url url;
	struct pgm_error err = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	if (!pgm_url_parse(text, arena, &url, &err)) {
		assert(*err.message);
		return;
	}
	assert(url.segment_count <= PGM_URL_SEGMENTS_MAX && url.query_count <= PGM_HTTP_QUERY_MAX);
	for (size_t i = 0; i < url.segment_count; i++) {
		check_text(url.segments[i]);
		assert(*url.segments[i] && strcmp(url.segments[i], ".") != 0 &&
		       strcmp(url.segments[i], "..") != 0);
	}
	for (size_t i = 0; i < url.query_count; i++) {
		check_text(url.query[i].name);
		check_text(url.query[i].value);
	}
}

static void check_origin(const char *text)
{
	const char *origin = text + strcspn(text, "\n");
	char *host = strndup(text, (size_t)(origin - text));
	origin += *origin == '\n';
	if (pgm_origin_host_allowed(host, "pg.example.com"))
		/* an address, or one of two names; none of them has a letter beyond these */
		assert(strspn(host, "0123456789abcdefABCDEF.:[]") == strlen(host) ||
		       strncasecmp(host, "localhost", 9) == 0 ||
		       strncasecmp(host, "pg.example.com", 14) == 0);
	if (pgm_origin_matches(origin, host, false))
		assert(strncasecmp(origin, "http", 4) == 0);
	free(host);
}

static void check_body(const char *text, size_t length)
{
	struct pgm_error err = {0};
	json_t *json = pgm_body_parse(text, length, &err);
	assert(json ? json_is_object(json) : strncmp(err.message, "line ", 5) == 0);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (*data == 'u')
		check_url(text);
	else if (*data == 'o')
		check_origin(text);
	else
		check_body(text, size - 1);
	free(text);
	return 0;
}
