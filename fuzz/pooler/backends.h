/*
 * The servers that the pooler has connected to, each answered by a model; and clients, each with a model of
 * its own that says what it should have been told.
 */
#ifndef FUZZ_POOLER_BACKENDS_H
#define FUZZ_POOLER_BACKENDS_H

#include "model.h"

#define BACKENDS_MAX 8
#define CLIENTS_MAX  2

struct backend {
	int fd; /* -1: free */
	struct model model;
	struct harness_bytes extra; /* bytes of a hostile server, before what the model says */
	bool muted;		    /* what the model says is not sent */
	size_t trickle;		    /* so many bytes of it at a time; 0: all */
};

struct client {
	int fd; /* -1: closed */
	uint64_t id;
	struct harness_bytes out, got;
	struct model alone; /* what a server of its own would say */
	bool stalled;	    /* does not read */
	bool ended;	    /* the pooler closed it */
	bool cancelled;	    /* who asked for a cancel cannot know what comes */
	bool misled;	    /* a server that lied was its own */
	bool excused;	    /* something happened that may have ended its session */
	size_t trickle;	    /* sends so many bytes at a time; 0: all */
};

extern bool backends_begin_muted; /* of those that are yet to come */
extern struct backend backends[BACKENDS_MAX];
extern struct client clients[CLIENTS_MAX];

/* start: 1 to 3 for a startup packet that sets application_name, app.t or work_mem */
void client_open(struct client *client, unsigned start);
void client_close(struct client *client); /* without a look at what it got */
/* Bytes from this client; its model gets them, too. */
void client_say(struct client *client, const void *bytes, size_t length);
void client_message(struct client *client, char type, const void *body, size_t length);
/* Ask for what it runs to be cancelled, on another connection. */
void client_cancel(struct client *client);
/* Abort where it was told something else than its own server would have said. True: and that was all. */
bool client_check(const struct client *client, bool fatal_allowed);

void backends_init(void);
struct backend *backend_at(unsigned number); /* the nth that is open, NULL: none is */
void backend_close(struct backend *backend);
/* Turn the loop and let all read and write, until nobody moves; aborts where that never comes. */
void settle(void);
bool turn(void); /* once; whether anything moved */
void backends_done(void);

#endif
