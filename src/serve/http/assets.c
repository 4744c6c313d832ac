/*
 * The dashboard: files of web/, compiled in as gzip, with an ETag that changes with their content.
 */
#include "serve/http/parts.h"

#include "util/embedded.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const struct {
	const char *ending, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/x-icon"},
	{".json", "application/json"},
	{".webmanifest", "application/manifest+json"},
	{".woff2", "font/woff2"},
	{".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *path)
{
	size_t length = strlen(path);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		size_t ending = strlen(types[i].ending);
		if (length > ending && strcmp(path + length - ending, types[i].ending) == 0)
			return types[i].type;
	}
	return "text/plain; charset=utf-8";
}

static char *inflate_all(const struct pgm_embedded *file)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)file->text, .avail_in = (uInt)file->length};
	char *plain = malloc(file->plain_length + 1);
	if (!plain || inflateInit2(&stream, 15 + 16) != Z_OK) {
		free(plain);
		return NULL;
	}
	stream.next_out = (Bytef *)plain;
	stream.avail_out = (uInt)file->plain_length + 1;
	int code = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (code == Z_STREAM_END && stream.total_out == file->plain_length)
		return plain;
	free(plain);
	return NULL;
}

/* "gzip" or "*" in the list, unless with q=0. */
static bool takes_gzip(const char *accepted)
{
	const char *at = accepted ? strstr(accepted, "gzip") : NULL;
	if (!at)
		return false;
	at += strcspn(at, ",;");
	return !(*at == ';' && (strncmp(at, ";q=0", 4) == 0) && strspn(at + 4, ".0") == strcspn(at + 4, ","));
}

static bool is_named(const char *tags, const char *etag)
{
	return tags && (strcmp(tags, "*") == 0 || strstr(tags, etag));
}

static void answer(struct pgm_exchange *exchange, const struct pgm_embedded *file)
{
	struct pgm_reply *reply = &exchange->reply;
	struct MHD_Connection *connection = exchange->connection;
	const char *etag = pgm_sprintf(exchange->request.arena, "\"%s\"", file->etag);
	bool gzip = takes_gzip(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	pgm_reply_header(reply, "ETag", etag);
	pgm_reply_header(reply, "Vary", "Accept-Encoding");
	if (is_named(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH),
		     etag)) {
		pgm_reply_text(reply, 304, type_of(file->path), "", 0);
		return;
	}
	char *plain = gzip ? NULL : inflate_all(file);
	if (gzip)
		pgm_reply_header(reply, "Content-Encoding", "gzip");
	if (gzip || plain)
		pgm_reply_text(reply, 200, type_of(file->path), gzip ? file->text : plain,
			       gzip ? file->length : file->plain_length);
	else
		pgm_reply_error(reply, 500, "internal", "out of memory");
	free(plain);
}

bool pgm_assets_answer(struct pgm_exchange *exchange, bool get)
{
	const struct pgm_url *url = &exchange->url;
	bool below = url->segment_count > 1 && strcmp(url->segments[0], "assets") == 0;
	const char *path = url->segment_count ? pgm_sprintf(exchange->request.arena, "web%s",
							    url->path + (below ? strlen("/assets") : 0))
					      : "web/index.html";
	const struct pgm_embedded *file = pgm_embedded_find(path);
	if (!file || !file->etag)
		return false;
	if (!get) {
		pgm_reply_header(&exchange->reply, "Allow", "GET");
		pgm_reply_error(&exchange->reply, 405, "wrong_method", "the path has no such method");
		return true;
	}
	answer(exchange, file);
	return true;
}
