/*
 * What the files of this folder share. Nobody else includes this.
 *
 * One thread of libmicrohttpd reads, judges and writes; the workers run handlers. An exchange (one request
 * and its reply) is in exactly one hand: libmicrohttpd's thread until it is queued (its connection is
 * suspended then), a worker's until that resumes the connection, and libmicrohttpd's thread again until it is
 * freed.
 */
#ifndef PGM_SERVE_HTTP_PARTS_H
#define PGM_SERVE_HTTP_PARTS_H

#include "serve/http/http.h"
#include "serve/http/tokens.h"
#include "serve/http/url.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#define PGM_HTTP_REMOTE_SIZE   INET6_ADDRSTRLEN
#define PGM_HTTP_REPLY_HEADERS 4

struct pgm_reply {
	struct pgm_request *request;
	int status; /* 0: none was made */
	const char *type;
	char *bytes; /* malloc'ed */
	size_t length;
	const char *code, *message, *hint; /* of an error, in the request's arena, until it is finished */
	struct {
		const char *name, *value;
	} headers[PGM_HTTP_REPLY_HEADERS];
	size_t header_count;
	pgm_next_event *next;
	void (*done)(void *data);
	void *data;
};

/* Write an error out; what a handler left undone becomes 500. */
void pgm_reply_finish(struct pgm_reply *reply);
void pgm_reply_drop(struct pgm_reply *reply); /* was not sent */

/* A connection, so that slow senders can be found. Under http->links_lock. */
enum pgm_link_state { PGM_LINK_IDLE, PGM_LINK_READING, PGM_LINK_ANSWERING };
struct pgm_link {
	struct pgm_link *next, *previous;
	int fd;
	enum pgm_link_state state;
	bool served; /* a request at least */
	double since_ms;
};

struct pgm_exchange {
	struct pgm_http *http;
	struct pgm_request request;
	struct pgm_reply reply;
	struct MHD_Connection *connection;
	struct pgm_link *link;
	const char *raw; /* the address as it was sent; NULL: too long */
	struct pgm_url url;
	char name[PGM_TOKEN_NAME_MAX + 1];
	char remote[PGM_HTTP_REMOTE_SIZE];
	enum { PGM_EXCHANGE_NEW, PGM_EXCHANGE_BODY, PGM_EXCHANGE_QUEUED, PGM_EXCHANGE_ANSWERED } state;
	char *body; /* malloc'ed */
	size_t body_length, body_capacity;
	bool close;		   /* the connection, after the reply */
	struct pgm_exchange *next; /* in the queue */
};

/* Workers. */
struct pgm_workers {
	struct pgm_http *http;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct pgm_exchange *first, **last;
	int waiting, waiting_max;
	bool ending;
	pthread_t *threads;
	int count;
};
bool pgm_workers_start(struct pgm_workers *workers, struct pgm_http *http, int count, int waiting_max,
		       struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_workers_give(struct pgm_workers *workers, struct pgm_exchange *exchange); /* false: too many wait */
void pgm_workers_stop(struct pgm_workers *workers);				   /* after what is queued */
void pgm_workers_free(struct pgm_workers *workers); /* when nobody can give any more */

/* From now on the calling thread gives way to others: where processors are short, the pooler of this process
 * is served first. Every thread that works for HTTP calls it; again is fine. */
void pgm_http_give_way(void);

/* Failed tokens, 10 a second for each address; libmicrohttpd's thread alone. */
#define PGM_GUARD_SLOTS	 4096
#define PGM_GUARD_SECOND 10
struct pgm_guard {
	struct {
		uint64_t address; /* its hash */
		double level, at_ms;
	} slots[PGM_GUARD_SLOTS];
};
bool pgm_guard_failed(struct pgm_guard *guard, const char *remote); /* true: that was too many */

struct pgm_stream;
struct pgm_certificates;

struct pgm_http {
	struct MHD_Daemon *daemon;
	struct pgm_http_options options; /* texts are ours */
	struct pgm_arena *arena;
	struct pgm_tokens *tokens;
	int listener, port;
	_Atomic bool ending;

	struct pgm_workers quick, slow;
	struct pgm_guard guard;

	pthread_mutex_t links_lock;
	struct pgm_link *links;

	pthread_mutex_t streams_lock;
	struct pgm_stream *streams;
	int stream_count;

	pthread_t keeper; /* asks streams for events, and ends slow requests */
	bool keeper_runs;

	struct pgm_certificates *certificates; /* NULL: no TLS */
};

/* Routes. */
const struct pgm_route *pgm_router_find(const struct pgm_route *const *tables, enum pgm_method method,
					const struct pgm_url *url, struct pgm_request *request,
					unsigned *methods);

/* Everything that is checked before the body is read: true where the request may go on, else a reply is made.
 */
bool pgm_judge(struct pgm_exchange *exchange, const char *method);
/* The rest, on a worker: parameters, body. */
bool pgm_params_check(struct pgm_exchange *exchange);
/* NULL with PGM_ERR_INPUT, which says line and column. */
json_t *pgm_body_parse(const char *text, size_t length, struct pgm_error *err);

/* Files of web/; false: there is none of that name. */
bool pgm_assets_answer(struct pgm_exchange *exchange, bool get);

/* Streams. */
struct MHD_Response *pgm_streams_response(struct pgm_exchange *exchange);
void pgm_streams_ask(struct pgm_http *http); /* the keeper: all of them */
bool pgm_streams_full(struct pgm_http *http);

/* Connections. */
void pgm_links_notify(void *http, struct MHD_Connection *connection, void **link,
		      enum MHD_ConnectionNotificationCode code);
void pgm_links_mark(struct pgm_http *http, struct pgm_link *link, enum pgm_link_state state);
void pgm_links_reap(struct pgm_http *http); /* the keeper */
/* An answer without libmicrohttpd, to who sends what can't be answered otherwise. */
void pgm_links_refuse(struct pgm_http *http, const struct pgm_link *link, const char *status);

/* TLS. */
struct pgm_certificates *pgm_certificates_new(const char *cert_file, const char *key_file,
					      struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_certificates_replace(struct pgm_certificates *certificates, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_certificates_free(struct pgm_certificates *certificates);
/* For libmicrohttpd's MHD_OPTION_HTTPS_CERT_CALLBACK; there is one server with TLS in a process. */
void *pgm_certificates_callback(void);

#endif
