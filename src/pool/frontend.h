/*
 * A client's message on its way to the server, and what each type of message does. Inside pool/ only.
 */
#ifndef PGM_POOL_FRONTEND_H
#define PGM_POOL_FRONTEND_H

#include "pool/relay.h"

enum pgm_next {
	PGM_NEXT_MESSAGE, /* this one is done with */
	PGM_NEXT_WAIT,	  /* it must stay: for a server, or for answers */
	PGM_NEXT_GONE,	  /* the client is closed */
};

struct pgm_front {
	struct pgm_client *client;
	const uint8_t *message; /* the one at hand */
	size_t total;		/* of it, header included */
	size_t there;		/* of that; less for a long one that is passed on as it comes */
	const uint8_t *body;
	size_t length;
};

/* Texts whose answer decides what becomes of what is behind them. */
#define PGM_FRONT_BARRIERS \
	((uint32_t)(PGM_SCAN_COPY | PGM_SCAN_DEALLOCATE_ALL | PGM_SCAN_DISCARD_ALL | PGM_SCAN_UNKNOWN))

/* The messages; their client has a server, which reads no COPY data. */
enum pgm_next pgm_front_query(struct pgm_front *front); /* frontend_query.c */
enum pgm_next pgm_front_parse(struct pgm_front *front); /* frontend_parse.c */
enum pgm_next pgm_front_bind(struct pgm_front *front);	/* these: frontend_portal.c */
enum pgm_next pgm_front_describe(struct pgm_front *front);
enum pgm_next pgm_front_execute(struct pgm_front *front);
enum pgm_next pgm_front_close(struct pgm_front *front);

/* What they have in common (frontend.c). The message goes to the server as it is, or as much as is there. */
enum pgm_next pgm_front_pass(struct pgm_front *front);
/* The server will owe this answer; NULL: no memory. */
struct pgm_expect *pgm_front_expect(struct pgm_front *front, enum pgm_expect_kind kind, unsigned flags);
/* Both. */
enum pgm_next pgm_front_request(struct pgm_front *front, enum pgm_expect_kind kind, unsigned flags);
bool pgm_front_expect_sync(struct pgm_front *front);
enum pgm_next pgm_front_answer_locally(struct pgm_front *front, enum pgm_expect_kind kind);
/* The client's name goes, and the request is answered when its turn comes. */
enum pgm_next pgm_front_drop_name(struct pgm_front *front, const char *name, enum pgm_expect_kind kind);
enum pgm_next pgm_front_out_of_memory(struct pgm_front *front);

/* Prepare on the server what it does not have; false: no memory. */
bool pgm_front_ensure(struct pgm_front *front, struct pgm_prepared *prepared);
/* The same for the unnamed statement: the server's is this client's then, or none. */
bool pgm_front_ensure_unnamed(struct pgm_front *front);
/* A Parse, Bind, Describe or Close with another name; prefix: bytes of the body before it. */
bool pgm_front_send_renamed(struct pgm_front *front, size_t prefix, const char *old, const char *name);
/*
 * A name that this client never gave, but that we give to statements on servers: asked for as one that there
 * is not, so that the server says so itself and another client's statement stays that client's.
 */
enum pgm_next pgm_front_unknown(struct pgm_front *front, enum pgm_expect_kind kind, size_t prefix,
				const char *name);

#endif
