/*
 * HTTP for `pgmend serve`: routes as rows of tables, and what a handler is given and gives back. Nobody else
 * sees libmicrohttpd.
 *
 * A request is checked before a handler hears of it: Host and Origin, token and role, path, the query
 * parameters and the members of the JSON body against the route's rows (unknown and missing ones, types,
 * ranges). So a handler may take for granted what its row says.
 *
 * Threads: handlers run on worker threads, several at a time; routes that may take long (PGM_ROUTE_SLOW) have
 * workers of their own, so that they never hold up the others. A request and its reply belong to the one
 * worker until the handler returns.
 *
 * To add a route: a row in a table of src/serve/api/, with a handler; the table is listed in api/routes.c.
 * Dispatch, docs/openapi.json and the tests of rights are made of it.
 */
#ifndef PGM_SERVE_HTTP_H
#define PGM_SERVE_HTTP_H

#include "util/arena.h"
#include "util/error.h"

#include <jansson.h>
#include <stdint.h>

#define PGM_HTTP_BODY_MAX	((size_t)1 << 20)
#define PGM_HTTP_BODY_DEPTH_MAX 32 /* arrays and objects within each other */
#define PGM_HTTP_URL_MAX	((size_t)8 << 10)
#define PGM_HTTP_HEADERS_MAX	100 /* of a request */
#define PGM_HTTP_ARENA_MAX	((size_t)256 << 20)
#define PGM_HTTP_PARTS_MAX	8  /* {name}s in a path */
#define PGM_HTTP_QUERY_MAX	32 /* parameters of a query string */
#define PGM_HTTP_STREAMS_MAX	64 /* Server-Sent Events at a time */

/* Each may do what those before it may. */
enum pgm_role {
	PGM_ROLE_NONE, /* of a route: public; of a request: nobody said who they are */
	PGM_ROLE_VIEWER,
	PGM_ROLE_OPERATOR, /* changes databases, by plans and jobs */
	PGM_ROLE_ADMIN,
};
const char *pgm_role_name(enum pgm_role role);		    /* "none", "viewer"... */
bool pgm_role_parse(const char *name, enum pgm_role *role); /* not "none" */

enum pgm_method {
	PGM_GET, /* HEAD is answered as GET without a body */
	PGM_POST,
	PGM_PUT,
	PGM_DELETE,
	PGM_METHODS,
};
const char *pgm_method_name(enum pgm_method method);

enum pgm_param_where {
	PGM_IN_QUERY,
	PGM_IN_BODY, /* a member of the JSON object */
};

enum pgm_param_type {
	PGM_PARAM_TEXT,	  /* at most max bytes (0: 1000), UTF-8 without control characters (a body's may have
			     line feeds and tabs) */
	PGM_PARAM_INT,	  /* from min to max (both 0: any int64) */
	PGM_PARAM_NUMBER, /* finite */
	PGM_PARAM_BOOL,	  /* true, false; in a query 1 and 0 as well */
	PGM_PARAM_TIME,	  /* seconds since 1970, "2026-01-31T12:00:00Z", or "-15m", "-2h", "-7d" from now */
	PGM_PARAM_ENUM,	  /* one of names */
	PGM_PARAM_TEXTS,  /* of a body: an array of texts */
};

struct pgm_param {
	const char *name; /* NULL ends the rows */
	enum pgm_param_where where;
	enum pgm_param_type type;
	bool required;
	const char *help; /* one line, no full stop */
	int64_t min, max;
	const char *const *names; /* of ENUM; NULL ends it */
};

enum pgm_route_flags {
	PGM_ROUTE_SLOW = 1 << 0,     /* may take longer than some milliseconds */
	PGM_ROUTE_STREAM = 1 << 1,   /* answers with pgm_reply_events() */
	PGM_ROUTE_CHANGES = 1 << 2,  /* changes a database, or what runs in it: OPERATOR at least */
	PGM_ROUTE_METRICS = 1 << 3,  /* public where metrics_auth = 0 */
	PGM_ROUTE_TEXT = 1 << 4,     /* what it answers is no JSON */
	PGM_ROUTE_ACCEPTED = 1 << 5, /* answers 202 with a job */
};

struct pgm_request;
struct pgm_reply;
typedef void pgm_handler(struct pgm_request *request, struct pgm_reply *reply);

struct pgm_route {
	enum pgm_method method;
	const char *path; /* "/api/v1/databases/{db}/summary"; NULL ends the rows */
	enum pgm_role role;
	pgm_handler *handler;
	const char *summary;		/* one line, no full stop */
	const struct pgm_param *params; /* or NULL */
	unsigned flags;
	const char *tag; /* group of the documentation: "databases", "jobs"... */
};

struct pgm_http_query {
	const char *name, *value;
};

struct pgm_request {
	struct pgm_arena *arena; /* freed when the reply has been made; PGM_HTTP_ARENA_MAX */
	const struct pgm_route *route;
	const char *path;	     /* decoded; for the log */
	const char *user;	     /* name of the token; NULL: none */
	enum pgm_role role;	     /* of the token */
	json_t *body;		     /* object, or NULL; borrowed */
	void *context;		     /* what pgm_http_start() was given: struct pgm_api * */
	const char *idempotency_key; /* of the header; NULL: none */
	const char *accept;	     /* of the header; NULL: none */

	/* for the functions below */
	const char *parts[PGM_HTTP_PARTS_MAX];
	struct pgm_http_query query[PGM_HTTP_QUERY_MAX];
	size_t query_count;
};

/* The {name} of the path, decoded; a name that the route's path has not is a bug: it aborts. */
const char *pgm_request_part(const struct pgm_request *request, const char *name);

/*
 * Parameters by the route's rows, wherever they came from (query or body). Where one was not given: fallback.
 * A name that has no row is a bug: it aborts.
 */
const char *pgm_request_text(const struct pgm_request *request, const char *name, const char *fallback);
int64_t pgm_request_int(const struct pgm_request *request, const char *name, int64_t fallback);
double pgm_request_number(const struct pgm_request *request, const char *name, double fallback);
bool pgm_request_bool(const struct pgm_request *request, const char *name, bool fallback);
double pgm_request_time(const struct pgm_request *request, const char *name, double fallback); /* epoch s */
/* Elements of TEXTS in the request's arena; 0 where it was not given. */
size_t pgm_request_texts(const struct pgm_request *request, const char *name, const char ***texts);

/*
 * A handler makes one of these replies; with none, 500. They take json over; of texts, they keep copies.
 */
/* {"success": true, "data": data}, 200 */
void pgm_reply_data(struct pgm_reply *reply, json_t *data);
/* json as it is; for 202 and documents of another form */
void pgm_reply_json(struct pgm_reply *reply, int status, json_t *json);
/* {"success": false, "error": {"code": code, "message": ..., "hint": ...}}; code is a word: "not_found" */
void pgm_reply_error(struct pgm_reply *reply, int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* After pgm_reply_error(): a sentence that says what to do. */
void pgm_reply_hint(struct pgm_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* err of a library call: 400, 403, 409, 502 or 504 by its kind */
void pgm_reply_failure(struct pgm_reply *reply, const struct pgm_error *err);
/* Text of that content type ("text/plain; version=0.0.4"). */
void pgm_reply_text(struct pgm_reply *reply, int status, const char *type, const char *text, size_t length);
/* An HTML page that brings its own style sheet: the policy lets that one in, by its hash, and no script. */
void pgm_reply_page(struct pgm_reply *reply, const char *html);
/* One of the security headers takes the place of the usual one. */
void pgm_reply_header(struct pgm_reply *reply, const char *name, const char *value);

/*
 * Server-Sent Events. next() is asked about ten times a second, on the one thread that serves all streams: it
 * must not block. It puts what is new into event (data: JSON or text without line feeds, copied), or says
 * that there is nothing. done() is called once, when the stream has ended for whatever reason, and frees
 * data.
 */
struct pgm_event {
	const char *name; /* "event:"; NULL: none */
	const char *data;
	int64_t id; /* "id:"; 0: none */
};
enum pgm_event_state { PGM_EVENT_NONE, PGM_EVENT_NEXT, PGM_EVENT_END };
typedef enum pgm_event_state pgm_next_event(void *data, struct pgm_arena *arena, struct pgm_event *event);
/* 503 where PGM_HTTP_STREAMS_MAX are open; done() is called then as well. */
void pgm_reply_events(struct pgm_reply *reply, pgm_next_event *next, void (*done)(void *data), void *data);

/*
 * The server.
 */
struct pgm_http;
struct pgm_tokens;

struct pgm_http_options {
	const char *listen;		  /* "127.0.0.1", "::1", "0.0.0.0" */
	int port;			  /* 0: any; see pgm_http_port() */
	const char *cert_file, *key_file; /* PEM; NULL: no TLS */
	const char *allowed_hosts;	  /* beside addresses and localhost: "db.example.com, pgmend" */
	int connections_max, address_connections_max;
	int workers, slow_workers;
	int request_timeout_ms; /* to send a request whole */
	bool metrics_public;
	const struct pgm_route *const *routes; /* tables; NULL ends it */
	void *context;			       /* of requests */
};

/* Start to listen; options' texts are copied, tokens stay the caller's and may change by
 * pgm_tokens_replace(). NULL with PGM_ERR_INPUT where the address or the certificate is of no use. */
struct pgm_http *pgm_http_start(const struct pgm_http_options *options, struct pgm_tokens *tokens,
				struct pgm_error *err) PGM_MUST_CHECK;
int pgm_http_port(const struct pgm_http *http);
/* Read the certificate again; false: the old one stays. */
bool pgm_http_reload_tls(struct pgm_http *http, struct pgm_error *err) PGM_MUST_CHECK;
/* No new request; waits for the handlers that run, ends streams, and frees it. NULL is fine. */
void pgm_http_stop(struct pgm_http *http);

#endif
