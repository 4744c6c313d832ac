/*
 * The pooler in one process without threads, for fuzz targets: one pooler, one worker whose loop is turned by
 * hand, a clock that stands still unless it is told to go on, and a socket that the pooler finds its servers
 * at. Between harness_begin() and harness_end() everything is real: clients and servers are sockets.
 *
 * The pooler lives as long as the process; harness_end() brings it back to where it began, and aborts where
 * something is left.
 */
#ifndef FUZZ_POOLER_HARNESS_H
#define FUZZ_POOLER_HARNESS_H

#include "pool/client.h"
#include "pool/worker.h"

struct harness_options {
	enum pgm_pool_mode mode;
	int pool_size;
	bool strict;
	int64_t max_prepared_statements; /* 0: the default */
	const char *password;		 /* ours at servers; NULL: none */
};

/* Bytes that grow: what came, or waits to be sent. Zeroed is empty. */
struct harness_bytes {
	uint8_t *at;
	size_t length, capacity;
};
void harness_append(struct harness_bytes *bytes, const void *more, size_t length);
void harness_remove(struct harness_bytes *bytes, size_t length); /* from the front */
void harness_free(struct harness_bytes *bytes);

void harness_begin(const struct harness_options *options);
void harness_end(void);

/*
 * Have the pooler get no memory: of its allocations from now on this many succeed, and the next ones fail,
 * until harness_memory_enough(). harness_memory_failed() says how many have failed of those.
 */
void harness_memory_short(size_t succeed, size_t fail);
void harness_memory_enough(void);
bool harness_memory_is_short(void);
size_t harness_memory_failed(void);

/* A client's socket, non-blocking; the caller's to close. Its id is 0 where the pooler did not take it. */
int harness_connect(uint64_t *id);
int harness_accept(void); /* a server's, of a connection that the pooler opened; -1: there is none */
bool harness_round(void); /* one turn of the loop; whether there was something to do */
void harness_advance_us(uint64_t us);

/* Read or write what goes now. False: the other side has closed it. *moved is set where bytes went. */
bool harness_read(int fd, struct harness_bytes *in, bool *moved);
bool harness_write(int fd, struct harness_bytes *out, bool *moved);

struct pgm_share *harness_share(void); /* of the one pool; NULL: nobody logged in yet */
/* The pooler's side of a backend's connection, by the pid that it was told; NULL: closed. */
struct pgm_server *harness_server(uint32_t pid);

#endif
