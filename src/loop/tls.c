#include "loop/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

struct pgm_tls_context {
	SSL_CTX *ssl;
	bool server;
};

struct pgm_tls {
	SSL *ssl;
	int fd;
	bool server;
	bool direct;
	bool ready;	  /* the handshake is done */
	bool ended;	  /* the peer sent its last byte */
	bool drained;	  /* the last read took all that had come */
	bool failed;	  /* nothing may be sent any more */
	int socket_errno; /* of the last send or recv that failed */
	char *why;	  /* only after a failure */
};

/* Its length before it, as ALPN wants it. */
static const unsigned char alpn[] = "\012postgresql";
#define ALPN_BYTES (sizeof(alpn) - 1)

/*
 * The socket below a session. OpenSSL's own writes without MSG_NOSIGNAL; this one also tells an end of the
 * stream from an error, which SSL_get_error() leaves open.
 */

static int socket_write(BIO *bio, const char *bytes, int length)
{
	struct pgm_tls *tls = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t sent;
	do
		sent = send(tls->fd, bytes, (size_t)length, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			BIO_set_retry_write(bio);
		else
			tls->socket_errno = errno;
	}
	return (int)sent;
}

static int socket_read(BIO *bio, char *bytes, int size)
{
	struct pgm_tls *tls = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t got;
	do
		got = recv(tls->fd, bytes, (size_t)size, 0);
	while (got < 0 && errno == EINTR);
	if (got == 0) {
		tls->ended = true;
	} else if (got < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			BIO_set_retry_read(bio);
		else
			tls->socket_errno = errno;
	}
	return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return ((struct pgm_tls *)BIO_get_data(bio))->ended;
	return command == BIO_CTRL_FLUSH;
}

static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *socket_method; /* made once, then only read; NULL: no memory */

static void make_socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (!method)
		return;
	BIO_meth_set_write(method, socket_write);
	BIO_meth_set_read(method, socket_read);
	BIO_meth_set_ctrl(method, socket_control);
	socket_method = method;
}

/* Contexts */

static const char *reason(void)
{
	unsigned long code = ERR_peek_last_error();
	if (!code)
		return "no memory";
	/* Files that are not there: the number is an errno. */
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	const char *text = ERR_reason_error_string(code);
	return text ? text : "unknown error";
}

static bool file_error(struct pgm_error *err, const char *what, const char *file)
{
	/* The last error says what a caller of ours was doing, the first one what was wrong with the file. */
	unsigned long first = ERR_peek_error();
	bool system = first && ERR_SYSTEM_ERROR(first);
	return pgm_error_set(err, PGM_ERR_INPUT, "%s \"%s\": %s", what, file,
			     system ? strerror(ERR_GET_REASON(first)) : reason());
}

#define PROTOCOLS 4
static const struct {
	const char *name;
	int version;
	uint64_t off;
} protocol_table[PROTOCOLS] = {
	{"tlsv1.0", TLS1_VERSION, SSL_OP_NO_TLSv1},
	{"tlsv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
	{"tlsv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
	{"tlsv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
#define ALL_PROTOCOLS 0xfu
#define SECURE	      0xcu

/* The set that a word stands for; 0: none. */
static unsigned protocols_of(const char *word)
{
	if (!strcasecmp(word, "all") || !strcasecmp(word, "legacy") || !strcasecmp(word, "tlsv1"))
		return ALL_PROTOCOLS;
	if (!strcasecmp(word, "secure") || !strcasecmp(word, "default"))
		return SECURE;
	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (!strcasecmp(word, protocol_table[i].name))
			return 1u << i;
	return 0;
}

/* Words after each other, as PgBouncer reads them: each adds, one that begins with "!" takes away. */
static bool read_protocols(const char *text, unsigned *set, struct pgm_error *err)
{
	*set = 0;
	for (const char *at = text; *at;) {
		at += strspn(at, ",: \t");
		size_t length = strcspn(at, ",: \t");
		char word[16];
		bool off = *at == '!';
		snprintf(word, sizeof(word), "%.*s", (int)(length - off), at + off);
		unsigned these = length - off < sizeof(word) ? protocols_of(word) : 0;
		if (!these && length > 0) {
			pgm_error_set(err, PGM_ERR_INPUT, "no such TLS protocol: \"%.*s\"", (int)length, at);
			return pgm_error_hint(err, "Use secure, all, or a list such as tlsv1.2,tlsv1.3.");
		}
		*set = off ? (*set ? *set : ALL_PROTOCOLS) & ~these : *set | these;
		at += length;
	}
	if (!*set)
		return pgm_error_set(err, PGM_ERR_INPUT, "no TLS protocol is left of \"%s\"", text);
	return true;
}

static bool set_protocols(SSL_CTX *ssl, const char *text, struct pgm_error *err)
{
	unsigned set;
	if (!read_protocols(text && *text ? text : "secure", &set, err))
		return false;
	/* The system's own minimum must not stand in the way of what was asked for. */
	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (set & 1u << i) {
			SSL_CTX_set_min_proto_version(ssl, protocol_table[i].version);
			break;
		}
	SSL_CTX_set_max_proto_version(ssl, 0);
	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (!(set & 1u << i))
			SSL_CTX_set_options(ssl, protocol_table[i].off);
	return true;
}

/* PgBouncer's short names all mean the library's defaults, but for "all". */
static bool set_ciphers(SSL_CTX *ssl, const char *list, const char *list13, struct pgm_error *err)
{
	static const char *const standard[] = {"default", "secure", "fast", "normal", "compat", ""};
	for (size_t i = 0; list && i < sizeof(standard) / sizeof(*standard); i++)
		if (!strcasecmp(list, standard[i]))
			list = NULL;
	if (list && !strcasecmp(list, "all"))
		list = "ALL:!aNULL:!eNULL";
	if (list && !SSL_CTX_set_cipher_list(ssl, list))
		return pgm_error_set(err, PGM_ERR_INPUT, "TLS ciphers \"%s\": %s", list, reason());
	if (list13 && *list13 && strcasecmp(list13, "default") && strcasecmp(list13, "secure") &&
	    !SSL_CTX_set_ciphersuites(ssl, list13))
		return pgm_error_set(err, PGM_ERR_INPUT, "TLS 1.3 ciphers \"%s\": %s", list13, reason());
	return true;
}

/* OpenSSL's own would ask on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)data;
	return -1;
}

static bool load_files(SSL_CTX *ssl, const struct pgm_tls_files *files, bool server, struct pgm_error *err)
{
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	if (server && (!files->cert_file || !files->key_file))
		return pgm_error_set(err, PGM_ERR_INPUT, "TLS needs a certificate and its key");
	if (server && (files->verify_peer || files->require_peer) && !files->ca_file)
		return pgm_error_set(err, PGM_ERR_INPUT,
				     "clients' certificates cannot be verified without a CA file");
	if (files->cert_file && SSL_CTX_use_certificate_chain_file(ssl, files->cert_file) != 1)
		return file_error(err, "certificate", files->cert_file);
	/* Checks that the two belong together, too. */
	if (files->key_file && SSL_CTX_use_PrivateKey_file(ssl, files->key_file, SSL_FILETYPE_PEM) != 1)
		return file_error(err, "key", files->key_file);
	if (files->ca_file && SSL_CTX_load_verify_locations(ssl, files->ca_file, NULL) != 1)
		return file_error(err, "CA file", files->ca_file);
	if (files->ca_file && server)
		SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(files->ca_file));
	if (!files->ca_file && files->verify_peer)
		SSL_CTX_set_default_verify_paths(ssl);
	return true;
}

/* A client that offers protocols must offer ours; one that offers none is judged after the handshake. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
		       const unsigned char *in, unsigned in_length, void *data)
{
	(void)ssl;
	(void)data;
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_length, alpn, ALPN_BYTES, in, in_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool configure(SSL_CTX *ssl, const struct pgm_tls_files *files, bool server, struct pgm_error *err)
{
	/* An idle session keeps no buffers. Read ahead: one recv() a record instead of two. */
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1);
	/* As PostgreSQL: nothing is resumed, so no tickets. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	int verify = SSL_VERIFY_NONE;
	if (files->verify_peer || files->require_peer)
		verify = SSL_VERIFY_PEER | (files->require_peer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(ssl, verify, NULL);
	if (server) {
		SSL_CTX_set_dh_auto(ssl, 1);
		SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
	} else if (SSL_CTX_set_alpn_protos(ssl, alpn, ALPN_BYTES) != 0) {
		return pgm_error_set(err, PGM_ERR_SYSTEM, "TLS: no memory");
	}
	return set_protocols(ssl, files->protocols, err) &&
	       set_ciphers(ssl, files->ciphers, files->ciphers13, err) && load_files(ssl, files, server, err);
}

struct pgm_tls_context *pgm_tls_context_new(const struct pgm_tls_files *files, bool server,
					    struct pgm_error *err)
{
	ERR_clear_error();
	pthread_once(&socket_method_once, make_socket_method);
	struct pgm_tls_context *context = calloc(1, sizeof(*context));
	SSL_CTX *ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!context || !ssl || !socket_method)
		pgm_error_set(err, PGM_ERR_SYSTEM, "TLS: %s", reason());
	else if (configure(ssl, files, server, err)) {
		*context = (struct pgm_tls_context){.ssl = ssl, .server = server};
		ERR_clear_error();
		return context;
	}
	ERR_clear_error();
	SSL_CTX_free(ssl);
	free(context);
	return NULL;
}

void pgm_tls_context_free(struct pgm_tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

/* Sessions */

static bool is_address(const char *host)
{
	struct in6_addr address;
	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Whom we want to talk to. */
static bool expect_host(SSL *ssl, const char *host, bool verify)
{
	bool address = host && is_address(host);
	/* A host name is sent, an address must not be (RFC 6066). */
	if (host && *host && !address && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (!verify)
		return true;
	if (!host || !*host)
		return false;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1;
}

struct pgm_tls *pgm_tls_new(struct pgm_tls_context *context, int fd, const char *host, bool verify_host,
			    bool direct)
{
	ERR_clear_error();
	struct pgm_tls *tls = calloc(1, sizeof(*tls));
	if (!tls)
		return NULL;
	*tls = (struct pgm_tls){
		.fd = fd, .server = context->server, .direct = direct, .ssl = SSL_new(context->ssl)};
	BIO *bio = tls->ssl ? BIO_new(socket_method) : NULL;
	if (!bio || (!tls->server && !expect_host(tls->ssl, host, verify_host))) {
		BIO_free(bio);
		SSL_free(tls->ssl);
		free(tls);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	if (tls->server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

void pgm_tls_free(struct pgm_tls *tls)
{
	if (!tls)
		return;
	/* Tell the peer, where that goes without waiting. */
	if (tls->ready && !tls->failed && !tls->ended)
		SSL_shutdown(tls->ssl);
	SSL_free(tls->ssl);
	ERR_clear_error();
	free(tls->why);
	free(tls);
}

static enum pgm_tls_result failure(struct pgm_tls *tls, const char *text)
{
	tls->failed = true;
	free(tls->why);
	tls->why = strdup(text);
	return PGM_TLS_FAILED;
}

/* What an operation's return value means. */
static enum pgm_tls_result result_of(struct pgm_tls *tls, int returned)
{
	int code = SSL_get_error(tls->ssl, returned);
	if (code == SSL_ERROR_WANT_READ)
		return PGM_TLS_WAIT_READ;
	if (code == SSL_ERROR_WANT_WRITE)
		return PGM_TLS_WAIT_WRITE;
	if (code == SSL_ERROR_ZERO_RETURN) {
		tls->ended = true;
		return PGM_TLS_CLOSED;
	}
	/* Messages say how long they are, so an end without close_notify cuts nothing off unseen. */
	if (tls->ended || tls->socket_errno == ECONNRESET || tls->socket_errno == EPIPE) {
		tls->failed = true;
		return PGM_TLS_CLOSED;
	}
	if (tls->socket_errno)
		return failure(tls, strerror(tls->socket_errno));
	long verdict = SSL_get_verify_result(tls->ssl);
	if (!tls->ready && verdict != X509_V_OK && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE) {
		char text[256];
		snprintf(text, sizeof(text), "certificate verify failed: %s",
			 X509_verify_cert_error_string(verdict));
		return failure(tls, text);
	}
	return failure(tls, reason());
}

enum pgm_tls_result pgm_tls_handshake(struct pgm_tls *tls)
{
	if (tls->failed)
		return tls->why ? PGM_TLS_FAILED : PGM_TLS_CLOSED;
	ERR_clear_error();
	tls->socket_errno = 0;
	int returned = SSL_do_handshake(tls->ssl);
	if (returned != 1)
		return result_of(tls, returned);
	const unsigned char *protocol;
	unsigned length;
	SSL_get0_alpn_selected(tls->ssl, &protocol, &length);
	if (tls->direct && length == 0)
		return failure(tls, "direct TLS connection without the ALPN protocol postgresql");
	tls->ready = true;
	return PGM_TLS_OK;
}

enum pgm_tls_result pgm_tls_read(struct pgm_tls *tls, void *bytes, size_t size, size_t *done)
{
	*done = 0;
	tls->drained = true;
	if (tls->failed)
		return tls->why ? PGM_TLS_FAILED : PGM_TLS_CLOSED;
	ERR_clear_error();
	tls->socket_errno = 0;
	int returned = SSL_read_ex(tls->ssl, bytes, size, done);
	if (returned != 1)
		return result_of(tls, returned);
	tls->drained = false;
	return PGM_TLS_OK;
}

enum pgm_tls_result pgm_tls_write(struct pgm_tls *tls, const void *bytes, size_t length, size_t *done)
{
	*done = 0;
	if (tls->failed)
		return tls->why ? PGM_TLS_FAILED : PGM_TLS_CLOSED;
	ERR_clear_error();
	tls->socket_errno = 0;
	int returned = SSL_write_ex(tls->ssl, bytes, length, done);
	return returned == 1 ? PGM_TLS_OK : result_of(tls, returned);
}

bool pgm_tls_pending(const struct pgm_tls *tls)
{
	/* Read ahead may hold a part of a record: that is no reason to read before the socket has more. */
	return !tls->drained && SSL_has_pending(tls->ssl);
}

const char *pgm_tls_why(const struct pgm_tls *tls)
{
	if (tls->why)
		return tls->why;
	return tls->ended ? "the peer closed the connection" : "no memory";
}

const char *pgm_tls_version(const struct pgm_tls *tls)
{
	return SSL_get_version(tls->ssl);
}

const char *pgm_tls_cipher(const struct pgm_tls *tls)
{
	return SSL_get_cipher_name(tls->ssl);
}

bool pgm_tls_binding(const struct pgm_tls *tls, uint8_t hash[64], size_t *length)
{
	X509 *certificate = tls->server ? SSL_get_certificate(tls->ssl) : SSL_get0_peer_certificate(tls->ssl);
	int digest;
	/* Ed25519 has no hash of its own, and the RFC says nothing of it: no binding, as PostgreSQL. */
	if (!certificate || !X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) ||
	    digest == NID_undef)
		return false;
	const EVP_MD *algorithm =
		digest == NID_md5 || digest == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest);
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size;
	if (!algorithm || !X509_digest(certificate, algorithm, bytes, &size) || size > 64)
		return false;
	memcpy(hash, bytes, size);
	*length = size;
	return true;
}

bool pgm_tls_peer_name(const struct pgm_tls *tls, char *name, size_t size)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
	if (!certificate || SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE ||
	    SSL_get_verify_result(tls->ssl) != X509_V_OK)
		return false;
	X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0)
		return false;
	unsigned char *text = NULL;
	int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	bool whole = length > 0 && (size_t)length < size && !memchr(text, 0, (size_t)length);
	if (whole) {
		memcpy(name, text, (size_t)length);
		name[length] = 0;
	}
	OPENSSL_free(text);
	return whole;
}
