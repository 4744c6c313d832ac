#include "serve/http/parts.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void clear(struct pgm_reply *reply)
{
	free(reply->bytes);
	reply->bytes = NULL;
	reply->length = 0;
	reply->code = reply->message = reply->hint = NULL;
}

void pgm_reply_drop(struct pgm_reply *reply)
{
	clear(reply);
	if (reply->done)
		reply->done(reply->data);
	reply->done = NULL;
	reply->next = NULL;
}

void pgm_reply_json(struct pgm_reply *reply, int status, json_t *json)
{
	clear(reply);
	reply->bytes = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	json_decref(json);
	if (!reply->bytes) { /* out of memory, or what is not UTF-8 went into it */
		pgm_reply_error(reply, 500, "internal", "the answer could not be made");
		return;
	}
	reply->length = strlen(reply->bytes);
	reply->status = status;
	reply->type = "application/json";
}

void pgm_reply_data(struct pgm_reply *reply, json_t *data)
{
	pgm_reply_json(reply, 200, json_pack("{s:b, s:o}", "success", 1, "data", data));
}

void pgm_reply_error(struct pgm_reply *reply, int status, const char *code, const char *format, ...)
{
	va_list args;
	clear(reply);
	va_start(args, format);
	reply->message = pgm_vsprintf(reply->request->arena, format, args);
	va_end(args);
	reply->status = status;
	reply->code = pgm_strdup(reply->request->arena, code);
}

void pgm_reply_hint(struct pgm_reply *reply, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	reply->hint = pgm_vsprintf(reply->request->arena, format, args);
	va_end(args);
}

void pgm_reply_failure(struct pgm_reply *reply, const struct pgm_error *err)
{
	static const struct {
		int status;
		const char *code;
	} kinds[] = {
		[PGM_ERR_NONE] = {500, "internal"},	  [PGM_ERR_USAGE] = {400, "bad_request"},
		[PGM_ERR_CONNECT] = {502, "unreachable"}, [PGM_ERR_RIGHTS] = {403, "forbidden"},
		[PGM_ERR_INPUT] = {400, "bad_request"},	  [PGM_ERR_QUERY] = {502, "query_failed"},
		[PGM_ERR_TIMEOUT] = {504, "timeout"},	  [PGM_ERR_CANCELED] = {503, "canceled"},
		[PGM_ERR_STATE] = {409, "conflict"},	  [PGM_ERR_SYSTEM] = {500, "internal"},
	};
	pgm_reply_error(reply, kinds[err->kind].status, kinds[err->kind].code, "%s", err->message);
	if (*err->hint)
		pgm_reply_hint(reply, "%s", err->hint);
}

void pgm_reply_text(struct pgm_reply *reply, int status, const char *type, const char *text, size_t length)
{
	clear(reply);
	reply->bytes = malloc(length + 1);
	if (!reply->bytes) {
		pgm_reply_error(reply, 500, "internal", "out of memory");
		return;
	}
	memcpy(reply->bytes, text, length);
	reply->length = length;
	reply->status = status;
	reply->type = pgm_strdup(reply->request->arena, type);
}

void pgm_reply_page(struct pgm_reply *reply, const char *html)
{
	static const char begin[] = "<style>", end[] = "</style>";
	unsigned char hash[SHA256_DIGEST_LENGTH], text[64] = ""; /* in base64: 44 and a NUL */
	const char *style = strstr(html, begin), *after = style ? strstr(style, end) : NULL;
	if (after) {
		style += strlen(begin);
		SHA256((const unsigned char *)style, (size_t)(after - style), hash);
		EVP_EncodeBlock(text, hash, sizeof(hash));
	}
	pgm_reply_text(reply, 200, "text/html; charset=utf-8", html, strlen(html));
	pgm_reply_header(reply, "Content-Security-Policy",
			 pgm_sprintf(reply->request->arena,
				     "default-src 'none'; style-src %s%s%s; base-uri 'none'; form-action "
				     "'none'; frame-ancestors 'none'",
				     after ? "'sha256-" : "'none", (const char *)text, "'"));
}

void pgm_reply_header(struct pgm_reply *reply, const char *name, const char *value)
{
	if (reply->header_count == PGM_HTTP_REPLY_HEADERS)
		abort();
	reply->headers[reply->header_count].name = pgm_strdup(reply->request->arena, name);
	reply->headers[reply->header_count++].value = pgm_strdup(reply->request->arena, value);
}

void pgm_reply_events(struct pgm_reply *reply, pgm_next_event *next, void (*done)(void *data), void *data)
{
	clear(reply);
	reply->status = 200;
	reply->next = next;
	reply->done = done;
	reply->data = data;
}

/* Texts of a database or a client need not be UTF-8; an error must be said all the same. */
static json_t *text_of(const char *text)
{
	json_t *json = json_string(text);
	return json ? json : json_string("(not UTF-8)");
}

void pgm_reply_finish(struct pgm_reply *reply)
{
	if (!reply->status)
		pgm_reply_error(reply, 500, "internal", "the handler has made no answer");
	if (!reply->code)
		return;
	int status = reply->status;
	json_t *error =
		json_pack("{s:o, s:o}", "code", text_of(reply->code), "message", text_of(reply->message));
	if (reply->hint)
		json_object_set_new(error, "hint", text_of(reply->hint));
	char *bytes = NULL;
	json_t *json = json_pack("{s:b, s:o}", "success", 0, "error", error);
	if (json)
		bytes = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	clear(reply);
	reply->bytes = bytes ? bytes : strdup("{\"success\":false}");
	reply->length = reply->bytes ? strlen(reply->bytes) : 0;
	reply->status = status;
	reply->type = "application/json";
}
