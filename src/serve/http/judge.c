/*
 * What is asked of a request before its body is read, from the cheapest question to the dearest.
 */
#include "serve/http/parts.h"

#include "serve/http/origin.h"

#include "pool/log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *header(const struct pgm_exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* Headers that say where the body ends. Two parties that read them differently could be made to see two
 * different requests. */
struct framing {
	int headers, hosts, lengths, codings;
};

static enum MHD_Result count_header(void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = data;
	(void)kind, (void)value;
	framing->headers++;
	framing->hosts += strcasecmp(name, "Host") == 0;
	framing->lengths += strcasecmp(name, "Content-Length") == 0;
	framing->codings += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

static bool refuse(struct pgm_exchange *exchange, int status, const char *code, const char *message)
{
	pgm_reply_error(&exchange->reply, status, code, "%s", message);
	return false;
}

static bool judge_framing(struct pgm_exchange *exchange)
{
	struct framing framing = {0};
	MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, count_header, &framing);
	exchange->close = true; /* until all of this is right; and a refused body is not read */
	if (!exchange->raw)
		return refuse(exchange, 414, "too_long", "the address is too long");
	if (framing.headers > PGM_HTTP_HEADERS_MAX)
		return refuse(exchange, 431, "too_long", "there are too many headers");
	if (framing.lengths > 1 || framing.codings > 1 || (framing.lengths && framing.codings))
		return refuse(exchange, 400, "bad_request", "the headers do not agree where the body ends");
	if (framing.hosts > 1)
		return refuse(exchange, 400, "bad_request", "there are several Host headers");
	const char *coding = header(exchange, "Transfer-Encoding"),
		   *length = header(exchange, "Content-Length");
	if (coding && strcasecmp(coding, "chunked") != 0)
		return refuse(exchange, 400, "bad_request", "Transfer-Encoding can be chunked alone");
	if (length && (!*length || strlen(length) > 18 || strspn(length, "0123456789") != strlen(length)))
		return refuse(exchange, 400, "bad_request", "Content-Length is no length");
	exchange->close = coding || (length && strspn(length, "0") < strlen(length));
	return true;
}

static bool judge_origin(struct pgm_exchange *exchange)
{
	const char *host = header(exchange, "Host"), *origin = header(exchange, "Origin");
	if (!host)
		return refuse(exchange, 400, "bad_request", "there is no Host header");
	if (!pgm_origin_host_allowed(host, exchange->http->options.allowed_hosts)) {
		refuse(exchange, 421, "wrong_host", "this server does not answer to that name");
		pgm_reply_hint(&exchange->reply, "Add the name to allowed_hosts in [serve].");
		return false;
	}
	if (origin && !pgm_origin_matches(origin, host, exchange->http->certificates != NULL))
		return refuse(exchange, 403, "wrong_origin", "requests from other sites are refused");
	return true;
}

static bool is_api(const struct pgm_url *url)
{
	return url->segment_count > 0 && strcmp(url->segments[0], "api") == 0;
}

static bool refuse_token(struct pgm_exchange *exchange, bool wrong, const char *message)
{
	if (wrong && pgm_guard_failed(&exchange->http->guard, exchange->remote)) {
		pgm_reply_header(&exchange->reply, "Retry-After", "1");
		return refuse(exchange, 429, "too_many", "too many wrong tokens from this address");
	}
	if (wrong)
		pgm_log(PGM_LOG_WARNING, "HTTP: wrong token from %s", exchange->remote);
	pgm_reply_header(&exchange->reply, "WWW-Authenticate", "Bearer realm=\"pgmend\"");
	refuse(exchange, 401, "unauthorized", message);
	pgm_reply_hint(&exchange->reply, "Send the header \"Authorization: Bearer TOKEN\".");
	return false;
}

/* Who it is; a role of NONE where there is no token. */
static bool judge_token(struct pgm_exchange *exchange, enum pgm_role needed)
{
	struct pgm_request *request = &exchange->request;
	const char *given = header(exchange, "Authorization");
	if (needed == PGM_ROLE_NONE)
		return true;
	if (!given)
		return refuse_token(exchange, false, "a token is needed");
	if (strncasecmp(given, "Bearer ", 7) != 0)
		return refuse_token(exchange, true, "Authorization is no Bearer token");
	given += 7 + strspn(given + 7, " ");
	if (!pgm_tokens_find(exchange->http->tokens, given, exchange->name, &request->role))
		return refuse_token(exchange, true, "the token is wrong or has expired");
	request->user = exchange->name;
	if (request->role >= needed)
		return true;
	pgm_reply_error(&exchange->reply, 403, "forbidden", "this needs the role %s, and %s is %s",
			pgm_role_name(needed), request->user, pgm_role_name(request->role));
	return false;
}

static bool judge_body(struct pgm_exchange *exchange)
{
	const char *length = header(exchange, "Content-Length"), *type = header(exchange, "Content-Type");
	enum pgm_method method = exchange->request.route->method;
	bool has_body = header(exchange, "Transfer-Encoding") || (length && strtoull(length, NULL, 10) > 0);
	if (length && strtoull(length, NULL, 10) > PGM_HTTP_BODY_MAX)
		return refuse(exchange, 413, "too_long", "a body has at most 1 MB");
	if (has_body && method == PGM_GET)
		return refuse(exchange, 400, "bad_request", "a GET has no body");
	if (method == PGM_GET || (method == PGM_DELETE && !has_body))
		return true;
	size_t word = type ? strcspn(type, "; \t") : 0;
	if (word != 16 || strncasecmp(type, "application/json", 16) != 0)
		return refuse(exchange, 415, "wrong_type", "Content-Type must be application/json");
	return true;
}

/* "GET, POST": what Allow says. */
static const char *methods_of(struct pgm_exchange *exchange, unsigned methods)
{
	const char *list = "";
	for (int i = 0; i < PGM_METHODS; i++)
		if (methods & (1u << i))
			list = pgm_sprintf(exchange->request.arena, "%s%s%s", list, *list ? ", " : "",
					   pgm_method_name((enum pgm_method)i));
	return list;
}

static bool method_of(const char *name, enum pgm_method *method)
{
	if (strcmp(name, "HEAD") == 0)
		name = "GET";
	for (int i = 0; i < PGM_METHODS; i++)
		if (strcmp(pgm_method_name((enum pgm_method)i), name) == 0) {
			*method = (enum pgm_method)i;
			return true;
		}
	return false;
}

static enum pgm_role role_of(const struct pgm_http *http, const struct pgm_route *route)
{
	return (route->flags & PGM_ROUTE_METRICS) && http->options.metrics_public ? PGM_ROLE_NONE
										  : route->role;
}

/* What has no route: files of the dashboard, and nothing that tells strangers which paths there are. */
static bool judge_unrouted(struct pgm_exchange *exchange, const char *method, unsigned methods)
{
	const char *list = methods_of(exchange, methods);
	if (is_api(&exchange->url) && !judge_token(exchange, PGM_ROLE_VIEWER))
		return false;
	if (methods) {
		pgm_reply_header(&exchange->reply, "Allow", list);
		return refuse(exchange, 405, "wrong_method", "the path has no such method");
	}
	if (pgm_assets_answer(exchange, strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
		return false;
	return refuse(exchange, 404, "not_found", "there is no such path");
}

bool pgm_judge(struct pgm_exchange *exchange, const char *method)
{
	struct pgm_request *request = &exchange->request;
	struct pgm_error err = {0};
	enum pgm_method known = PGM_GET;
	unsigned methods;
	if (!judge_framing(exchange) || !judge_origin(exchange))
		return false;
	if (!pgm_url_parse(exchange->raw, request->arena, &exchange->url, &err))
		return refuse(exchange, 400, "bad_address", err.message);
	request->path = exchange->url.path;
	bool is_known = method_of(method, &known);
	const struct pgm_route *route =
		pgm_router_find(exchange->http->options.routes, known, &exchange->url, request, &methods);
	if (!route || !is_known)
		return judge_unrouted(exchange, method, methods);
	request->route = route;
	if (!judge_token(exchange, role_of(exchange->http, route)) || !judge_body(exchange))
		return false;
	request->idempotency_key = pgm_strdup(request->arena, header(exchange, "Idempotency-Key"));
	request->accept = pgm_strdup(request->arena, header(exchange, "Accept"));
	if (request->idempotency_key && strlen(request->idempotency_key) > 200)
		return refuse(exchange, 400, "bad_request", "Idempotency-Key is too long");
	if ((route->flags & PGM_ROUTE_STREAM) && pgm_streams_full(exchange->http))
		return refuse(exchange, 503, "too_many", "too many streams are open");
	exchange->close = false;
	return true;
}
