/*
 * libmicrohttpd behind our types: its callbacks, and the life of an exchange.
 */
#include "serve/http/parts.h"

#include "pool/log.h"
#include "util/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_BYTES	 ((size_t)32 << 10) /* of a connection: its headers, and what is being sent */
#define IDLE_TIMEOUT_S	 60
#define BACKLOG		 511
#define QUEUE_MAX	 1024
#define SLOW_QUEUE_MAX	 128
#define KEEPER_PERIOD_MS 100
#define BODY_FIRST_BYTES 4096
#define TLS_PRIORITIES	 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static const struct {
	const char *name, *value;
} security_headers[] = {
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	 "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

static void free_exchange(struct pgm_exchange *exchange)
{
	pgm_reply_drop(&exchange->reply);
	json_decref(exchange->request.body);
	pgm_arena_free(exchange->request.arena);
	free(exchange->body);
	free(exchange);
}

static void describe_peer(struct MHD_Connection *connection, char text[PGM_HTTP_REMOTE_SIZE])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	snprintf(text, PGM_HTTP_REMOTE_SIZE, "unknown");
	if (address && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			  PGM_HTTP_REMOTE_SIZE);
	else if (address && address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
			  PGM_HTTP_REMOTE_SIZE);
}

/* The address as it was sent, before anybody decodes anything. What it returns is this request's con_cls. */
static void *begin(void *data, const char *uri, struct MHD_Connection *connection)
{
	struct pgm_http *http = data;
	struct pgm_exchange *exchange = calloc(1, sizeof(*exchange));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	pgm_http_give_way(); /* libmicrohttpd's own thread, which it starts itself */
	if (!exchange)
		return NULL;
	exchange->http = http;
	exchange->connection = connection;
	exchange->link = info ? info->socket_context : NULL;
	exchange->request.arena = pgm_arena_new(PGM_HTTP_ARENA_MAX);
	exchange->request.context = http->options.context;
	exchange->request.path = "";
	exchange->reply.request = &exchange->request;
	describe_peer(connection, exchange->remote);
	if (strlen(uri) <= PGM_HTTP_URL_MAX)
		exchange->raw = pgm_strdup(exchange->request.arena, uri);
	pgm_links_mark(http, exchange->link, PGM_LINK_READING);
	return exchange;
}

static void complete(void *data, struct MHD_Connection *connection, void **slot,
		     enum MHD_RequestTerminationCode why)
{
	struct pgm_exchange *exchange = *slot;
	(void)data, (void)connection, (void)why;
	if (!exchange)
		return;
	pgm_links_mark(exchange->http, exchange->link, PGM_LINK_IDLE);
	free_exchange(exchange);
	*slot = NULL;
}

/* libmicrohttpd has decoded nothing: we do. */
static size_t keep_escapes(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data, (void)connection;
	return strlen(text);
}

static bool has_own(const struct pgm_reply *reply, const char *name)
{
	bool own = false;
	for (size_t i = 0; i < reply->header_count; i++)
		own |= strcmp(reply->headers[i].name, name) == 0;
	return own;
}

static void add_headers(struct pgm_exchange *exchange, struct MHD_Response *response)
{
	const struct pgm_reply *reply = &exchange->reply;
	for (size_t i = 0; i < sizeof(security_headers) / sizeof(*security_headers); i++)
		if (!has_own(reply, security_headers[i].name))
			MHD_add_response_header(response, security_headers[i].name,
						security_headers[i].value);
	for (size_t i = 0; i < reply->header_count; i++)
		MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	MHD_add_response_header(response, "Cache-Control", has_own(reply, "ETag") ? "no-cache" : "no-store");
	MHD_add_response_header(response, "Content-Type", reply->next ? "text/event-stream" : reply->type);
	if (reply->next)
		MHD_add_response_header(response, "X-Accel-Buffering", "no");
	if (exchange->http->certificates)
		MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
	if (exchange->close)
		MHD_add_response_header(response, "Connection", "close");
}

static enum MHD_Result send_reply(struct pgm_exchange *exchange)
{
	struct pgm_reply *reply = &exchange->reply;
	struct MHD_Response *response;
	pgm_reply_finish(reply);
	if (reply->next) {
		response = pgm_streams_response(exchange);
	} else {
		response =
			MHD_create_response_from_buffer(reply->length, reply->bytes, MHD_RESPMEM_MUST_FREE);
		if (response)
			reply->bytes = NULL;
	}
	if (!response)
		return MHD_NO;
	add_headers(exchange, response);
	pgm_links_mark(exchange->http, exchange->link, PGM_LINK_ANSWERING);
	enum MHD_Result queued = MHD_queue_response(exchange->connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

/* MHD_NO ends the connection. */
static enum MHD_Result take_body(struct pgm_exchange *exchange, const char *bytes, size_t length)
{
	if (exchange->body_length + length > PGM_HTTP_BODY_MAX) {
		pthread_mutex_lock(&exchange->http->links_lock);
		pgm_links_refuse(exchange->http, exchange->link, "413 Content Too Large");
		pthread_mutex_unlock(&exchange->http->links_lock);
		return MHD_NO;
	}
	if (exchange->body_length + length > exchange->body_capacity) {
		size_t capacity = exchange->body_capacity ? exchange->body_capacity : BODY_FIRST_BYTES;
		while (capacity < exchange->body_length + length)
			capacity *= 2;
		char *body = realloc(exchange->body, capacity);
		if (!body)
			return MHD_NO;
		exchange->body = body;
		exchange->body_capacity = capacity;
	}
	memcpy(exchange->body + exchange->body_length, bytes, length);
	exchange->body_length += length;
	return MHD_YES;
}

static enum MHD_Result give_to_workers(struct pgm_exchange *exchange)
{
	struct pgm_http *http = exchange->http;
	const struct pgm_route *route = exchange->request.route;
	struct MHD_Connection *connection = exchange->connection;
	if (route->flags & PGM_ROUTE_CHANGES)
		pgm_log(PGM_LOG_NOTICE, "HTTP: %s %s by %s from %s", pgm_method_name(route->method),
			exchange->request.path, exchange->request.user, exchange->remote);
	exchange->state = PGM_EXCHANGE_QUEUED;
	pgm_links_mark(http, exchange->link, PGM_LINK_ANSWERING);
	/* before a worker can resume it */
	MHD_suspend_connection(connection);
	if (pgm_workers_give(route->flags & PGM_ROUTE_SLOW ? &http->slow : &http->quick, exchange))
		return MHD_YES;
	pgm_reply_header(&exchange->reply, "Retry-After", "1");
	pgm_reply_error(&exchange->reply, 503, "busy", "too many requests are waiting");
	exchange->state = PGM_EXCHANGE_ANSWERED;
	MHD_resume_connection(connection);
	return MHD_YES;
}

/* Called when the headers are there, for each piece of the body, at its end, and after each resume. */
static enum MHD_Result access_handler(void *data, struct MHD_Connection *connection, const char *url,
				      const char *method, const char *version, const char *upload,
				      size_t *upload_length, void **slot)
{
	struct pgm_exchange *exchange = *slot;
	(void)data, (void)connection, (void)url, (void)version;
	if (!exchange)
		return MHD_NO;
	switch (exchange->state) {
	case PGM_EXCHANGE_NEW:
		if (pgm_judge(exchange, method)) {
			exchange->state = PGM_EXCHANGE_BODY;
			return MHD_YES;
		}
		/* what is answered before the end of the request closes the connection */
		exchange->state = PGM_EXCHANGE_ANSWERED;
		return exchange->close ? send_reply(exchange) : MHD_YES;
	case PGM_EXCHANGE_BODY:
		if (*upload_length == 0)
			return give_to_workers(exchange);
		enum MHD_Result taken = take_body(exchange, upload, *upload_length);
		*upload_length = 0;
		return taken;
	case PGM_EXCHANGE_QUEUED:
		return MHD_YES;
	case PGM_EXCHANGE_ANSWERED:
		return send_reply(exchange);
	}
	return MHD_NO;
}

static void log_trouble(void *data, const char *format, va_list args)
{
	char text[512];
	(void)data;
	vsnprintf(text, sizeof(text), format, args);
	pgm_log(PGM_LOG_DEBUG, "HTTP: %s", text);
}

static void *keep(void *data)
{
	struct pgm_http *http = data;
	pgm_http_give_way();
	while (!atomic_load(&http->ending)) {
		pgm_streams_ask(http);
		pgm_links_reap(http);
		pgm_clock_sleep_ms(KEEPER_PERIOD_MS);
	}
	return NULL;
}

static bool open_listener(struct pgm_http *http, struct pgm_error *err)
{
	const struct pgm_http_options *options = &http->options;
	struct sockaddr_storage address = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
	socklen_t length = sizeof(*four);
	int on = 1;
	if (inet_pton(AF_INET, options->listen, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)options->port);
	} else if (inet_pton(AF_INET6, options->listen, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)options->port);
		length = sizeof(*six);
	} else {
		return pgm_error_set(err, PGM_ERR_INPUT, "listen: \"%s\" is no address", options->listen);
	}
	http->listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (http->listener < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot open a socket: %s", strerror(errno));
	setsockopt(http->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(http->listener, (struct sockaddr *)&address, length) != 0 ||
	    listen(http->listener, BACKLOG) != 0) {
		int why = errno;
		pgm_error_set(err, PGM_ERR_INPUT, "cannot listen on %s port %d: %s", options->listen,
			      options->port, strerror(why));
		if (why == EADDRINUSE)
			pgm_error_hint(err, "Another process has that port: set port in [serve], or --port.");
		return false;
	}
	length = sizeof(address);
	getsockname(http->listener, (struct sockaddr *)&address, &length);
	http->port = ntohs(address.ss_family == AF_INET ? four->sin_port : six->sin6_port);
	return true;
}

static bool start_daemon(struct pgm_http *http, struct pgm_error *err)
{
	const struct pgm_http_options *options = &http->options;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem items[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_trouble, NULL},
		{MHD_OPTION_LISTEN_SOCKET, http->listener, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, options->connections_max, NULL},
		{MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->address_connections_max, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)MEMORY_BYTES, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)begin, http},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)complete, http},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)pgm_links_notify, http},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	if (http->certificates) {
		struct MHD_OptionItem *end = items;
		while (end->option != MHD_OPTION_END)
			end++;
		flags |= MHD_USE_TLS;
		*end++ = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
						 pgm_certificates_callback()};
		*end = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
					       (void *)(uintptr_t)TLS_PRIORITIES};
	}
	http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, access_handler, http, MHD_OPTION_ARRAY, items,
					MHD_OPTION_END);
	return http->daemon || pgm_error_set(err, PGM_ERR_SYSTEM, "the HTTP server does not start");
}

static void copy_options(struct pgm_http *http, const struct pgm_http_options *options)
{
	http->arena = pgm_arena_new(0);
	http->options = *options;
	http->options.listen = pgm_strdup(http->arena, options->listen);
	http->options.cert_file = pgm_strdup(http->arena, options->cert_file);
	http->options.key_file = pgm_strdup(http->arena, options->key_file);
	http->options.allowed_hosts = pgm_strdup(http->arena, options->allowed_hosts);
}

static bool start(struct pgm_http *http, struct pgm_error *err)
{
	const struct pgm_http_options *options = &http->options;
	if (options->cert_file &&
	    !(http->certificates = pgm_certificates_new(options->cert_file, options->key_file, err)))
		return false;
	if (!open_listener(http, err) ||
	    !pgm_workers_start(&http->quick, http, options->workers, QUEUE_MAX, err) ||
	    !pgm_workers_start(&http->slow, http, options->slow_workers, SLOW_QUEUE_MAX, err) ||
	    !start_daemon(http, err))
		return false;
	http->keeper_runs = pthread_create(&http->keeper, NULL, keep, http) == 0;
	return http->keeper_runs || pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread");
}

struct pgm_http *pgm_http_start(const struct pgm_http_options *options, struct pgm_tokens *tokens,
				struct pgm_error *err)
{
	struct pgm_http *http = calloc(1, sizeof(*http));
	if (!http) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	json_object_seed(0); /* before threads could do it at once */
	copy_options(http, options);
	http->tokens = tokens;
	http->listener = -1;
	pthread_mutex_init(&http->links_lock, NULL);
	pthread_mutex_init(&http->streams_lock, NULL);
	if (start(http, err))
		return http;
	pgm_http_stop(http);
	return NULL;
}

int pgm_http_port(const struct pgm_http *http)
{
	return http->port;
}

bool pgm_http_reload_tls(struct pgm_http *http, struct pgm_error *err)
{
	return !http->certificates || pgm_certificates_replace(http->certificates, err);
}

void pgm_http_stop(struct pgm_http *http)
{
	if (!http)
		return;
	atomic_store(&http->ending, true);
	if (http->daemon)
		http->listener = MHD_quiesce_daemon(http->daemon);
	if (http->listener >= 0)
		close(http->listener);
	/* what was asked is answered; each connection is resumed by it, and a suspended one cannot be closed
	 */
	pgm_workers_stop(&http->quick);
	pgm_workers_stop(&http->slow);
	if (http->keeper_runs)
		pthread_join(http->keeper, NULL);
	if (http->daemon) {
		pgm_streams_ask(http);
		MHD_stop_daemon(http->daemon);
	}
	pgm_workers_free(&http->quick);
	pgm_workers_free(&http->slow);
	pgm_certificates_free(http->certificates);
	pthread_mutex_destroy(&http->links_lock);
	pthread_mutex_destroy(&http->streams_lock);
	pgm_arena_free(http->arena);
	free(http);
}
