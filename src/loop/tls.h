/*
 * TLS for non-blocking sockets, over OpenSSL: the only files that include its TLS headers.
 *
 * A context is made from files once and shared by all threads; a session belongs to one thread and one
 * socket. With edge-triggered epoll, read until PGM_TLS_WAIT.
 */
#ifndef PGM_LOOP_TLS_H
#define PGM_LOOP_TLS_H

#include "util/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pgm_tls_files {
	const char *ca_file, *cert_file, *key_file; /* NULL: none; server side needs cert and key */
	const char *protocols; /* "secure", "all", "tlsv1.2,tlsv1.3": as PgBouncer's; NULL: secure */
	const char *ciphers, *ciphers13; /* "default", "secure", or OpenSSL's own; NULL: default */
	bool verify_peer;  /* client: verify-ca and -full; server: ask clients for a certificate */
	bool require_peer; /* server: refuse a client without one */
};

struct pgm_tls_context;
struct pgm_tls;

struct pgm_tls_context *pgm_tls_context_new(const struct pgm_tls_files *files, bool server,
					    struct pgm_error *err) PGM_MUST_CHECK;
void pgm_tls_context_free(struct pgm_tls_context *context); /* NULL is fine; sessions of it go on */

/*
 * A session on a connected socket. For our server side (accept), host is NULL; towards a server, host is the
 * name to send (SNI) and, with verify_host, to find in its certificate. ALPN is "postgresql" on both sides;
 * direct: the client began with TLS at once, so ALPN must be agreed on.
 */
struct pgm_tls *pgm_tls_new(struct pgm_tls_context *context, int fd, const char *host, bool verify_host,
			    bool direct);
void pgm_tls_free(struct pgm_tls *tls); /* NULL is fine; does not close the socket; never blocks */

enum pgm_tls_result {
	PGM_TLS_OK,
	PGM_TLS_WAIT_READ,  /* go on when the socket can be read */
	PGM_TLS_WAIT_WRITE, /* go on when the socket can be written */
	PGM_TLS_CLOSED,	    /* the peer ended it */
	PGM_TLS_FAILED,	    /* pgm_tls_why() says what */
};

enum pgm_tls_result pgm_tls_handshake(struct pgm_tls *tls);
/* > 0 bytes in *done with PGM_TLS_OK. A write that waits must be repeated with the same bytes or more. */
enum pgm_tls_result pgm_tls_read(struct pgm_tls *tls, void *bytes, size_t size, size_t *done);
enum pgm_tls_result pgm_tls_write(struct pgm_tls *tls, const void *bytes, size_t length, size_t *done);
/* Whether decrypted bytes wait inside that no event of the socket will announce. */
bool pgm_tls_pending(const struct pgm_tls *tls);

const char *pgm_tls_why(const struct pgm_tls *tls);
const char *pgm_tls_version(const struct pgm_tls *tls); /* "TLSv1.3" */
const char *pgm_tls_cipher(const struct pgm_tls *tls);

/*
 * The hash for channel binding tls-server-end-point (RFC 5929) of the server's certificate: ours on the
 * server side, the peer's on the other. False where there is none.
 */
bool pgm_tls_binding(const struct pgm_tls *tls, uint8_t hash[64], size_t *length);

/* The common name of the peer's verified certificate; false: none, or it holds a NUL. */
bool pgm_tls_peer_name(const struct pgm_tls *tls, char *name, size_t size);

#endif
