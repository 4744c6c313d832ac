/* TLS over a socket pair, with certificates made here. */
#include "../cmocka_all.h"

#include "loop/tls.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[] = "/tmp/pgmend-tls-XXXXXX";
static char ca_file[64], cert_file[64], key_file[64], other_ca[64], client_cert[64], client_key[64];

static EVP_PKEY *write_key(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(path, "w");
	assert_true(key && file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	fclose(file);
	return key;
}

static void add_extension(X509 *cert, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

/* A certificate of one name (which may hold a NUL), signed by the issuer or, without one, by itself. */
static X509 *write_cert(const char *path, const char *name, int name_length, const char *hosts, EVP_PKEY *key,
			X509 *issuer, EVP_PKEY *issuer_key, const EVP_MD *digest)
{
	X509 *cert = X509_new();
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
				   (const unsigned char *)name, name_length, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	if (!issuer)
		add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
	if (hosts)
		add_extension(cert, issuer, NID_subject_alt_name, hosts);
	assert_true(X509_sign(cert, issuer ? issuer_key : key, digest));
	FILE *file = fopen(path, "w");
	assert_true(file && PEM_write_X509(file, cert));
	fclose(file);
	return cert;
}

static int make_certificates(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", folder);
	snprintf(other_ca, sizeof(other_ca), "%s/other.crt", folder);
	snprintf(cert_file, sizeof(cert_file), "%s/server.crt", folder);
	snprintf(key_file, sizeof(key_file), "%s/server.key", folder);
	snprintf(client_cert, sizeof(client_cert), "%s/client.crt", folder);
	snprintf(client_key, sizeof(client_key), "%s/client.key", folder);
	EVP_PKEY *ca_key = write_key(key_file), *key = write_key(key_file), *user_key = write_key(client_key);
	X509 *ca = write_cert(ca_file, "test ca", -1, NULL, ca_key, NULL, NULL, EVP_sha256());
	X509_free(write_cert(other_ca, "other ca", -1, NULL, user_key, NULL, NULL, EVP_sha256()));
	X509_free(write_cert(cert_file, "ignored", -1, "DNS:db.example,IP:127.0.0.1", key, ca, ca_key,
			     EVP_sha384()));
	X509_free(write_cert(client_cert, "alice", -1, NULL, user_key, ca, ca_key, EVP_sha256()));
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(user_key);
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	const char *files[] = {ca_file, other_ca, cert_file, key_file, client_cert, client_key};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(files[i]);
	return rmdir(folder);
}

/* Two ends of a connection: [0] is the client, [1] the server. */
struct pair {
	int fds[2];
	struct pgm_tls *ends[2];
	enum pgm_tls_result results[2];
};

static struct pgm_tls_context *context_of(struct pgm_tls_files files, bool server)
{
	struct pgm_error err = {0};
	struct pgm_tls_context *context = pgm_tls_context_new(&files, server, &err);
	if (!context)
		fail_msg("%s", err.message);
	return context;
}

static struct pgm_tls_context *server_context(void)
{
	return context_of((struct pgm_tls_files){.cert_file = cert_file, .key_file = key_file}, true);
}

static void connect_ends(struct pair *pair)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
}

/* Takes the contexts. Both sides in turn until both are done or one has failed. */
static void handshake(struct pair *pair, struct pgm_tls_context *client, struct pgm_tls_context *server,
		      const char *host, bool verify_host)
{
	connect_ends(pair);
	pair->ends[0] = pgm_tls_new(client, pair->fds[0], host, verify_host, false);
	pair->ends[1] = pgm_tls_new(server, pair->fds[1], NULL, false, false);
	assert_true(pair->ends[0] && pair->ends[1]);
	pgm_tls_context_free(client);
	pgm_tls_context_free(server);
	pair->results[0] = pair->results[1] = PGM_TLS_WAIT_READ;
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < 2; i++)
			if (pair->results[i] == PGM_TLS_WAIT_READ || pair->results[i] == PGM_TLS_WAIT_WRITE)
				pair->results[i] = pgm_tls_handshake(pair->ends[i]);
}

static void end_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		pgm_tls_free(pair->ends[i]);
		close(pair->fds[i]);
	}
}

static void open_pair(struct pair *pair)
{
	handshake(pair, context_of((struct pgm_tls_files){.ca_file = ca_file, .verify_peer = true}, false),
		  server_context(), "db.example", true);
	assert_int_equal(pair->results[0], PGM_TLS_OK);
	assert_int_equal(pair->results[1], PGM_TLS_OK);
}

static void bytes_arrive_as_they_were_sent(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	assert_string_equal(pgm_tls_version(pair.ends[0]), "TLSv1.3");
	assert_true(strlen(pgm_tls_cipher(pair.ends[1])) > 5);
	enum { SIZE = 3000000 };
	unsigned char *sent = malloc(SIZE), *got = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (unsigned char)(i * 2654435761u >> 24);
	for (int from = 0; from < 2; from++) {
		size_t in = 0, out = 0, waits = 0;
		while (in < SIZE) {
			size_t done;
			enum pgm_tls_result wrote = PGM_TLS_OK;
			while (out < SIZE && wrote == PGM_TLS_OK) {
				/* From another address each time: the buffer may have moved. */
				size_t length = SIZE - out < 50000 ? SIZE - out : 50000;
				unsigned char *moved = malloc(length);
				memcpy(moved, sent + out, length);
				wrote = pgm_tls_write(pair.ends[from], moved, length, &done);
				free(moved);
				out += done;
			}
			waits += wrote == PGM_TLS_WAIT_WRITE;
			assert_true(wrote == PGM_TLS_OK || wrote == PGM_TLS_WAIT_WRITE);
			enum pgm_tls_result read;
			while ((read = pgm_tls_read(pair.ends[!from], got + in, SIZE - in, &done)) ==
			       PGM_TLS_OK) {
				assert_true(done > 0);
				in += done;
				if (in == SIZE)
					break;
			}
			assert_true(in == SIZE || read == PGM_TLS_WAIT_READ);
		}
		assert_memory_equal(sent, got, SIZE);
		assert_true(waits > 0);
	}
	free(sent);
	free(got);
	end_pair(&pair);
}

static void pending_tells_what_the_socket_will_not(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	size_t done;
	char byte;
	assert_int_equal(pgm_tls_read(pair.ends[1], &byte, 1, &done), PGM_TLS_WAIT_READ);
	assert_false(pgm_tls_pending(pair.ends[1]));
	for (int i = 0; i < 2; i++)
		assert_int_equal(pgm_tls_write(pair.ends[0], "ab", 2, &done), PGM_TLS_OK);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pgm_tls_read(pair.ends[1], &byte, 1, &done), PGM_TLS_OK);
		assert_int_equal(byte, i % 2 ? 'b' : 'a');
		/* Both records came with one recv(). */
		assert_int_equal(pgm_tls_pending(pair.ends[1]), i < 3);
	}
	end_pair(&pair);
}

/* A record of which only a part has come must not look as something to read. */
static void a_part_of_a_record_is_not_pending(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	size_t done;
	assert_int_equal(pgm_tls_write(pair.ends[0], "0123456789", 10, &done), PGM_TLS_OK);
	uint8_t record[100];
	ssize_t length = recv(pair.fds[1], record, sizeof(record), 0);
	assert_true(length > 10);
	char text[20];
	for (ssize_t i = 0; i < length; i++) {
		assert_int_equal(pgm_tls_read(pair.ends[1], text, sizeof(text), &done), PGM_TLS_WAIT_READ);
		assert_false(pgm_tls_pending(pair.ends[1]));
		/* The client's socket is the other end of the server's. */
		assert_int_equal(send(pair.fds[0], record + i, 1, 0), 1);
	}
	assert_int_equal(pgm_tls_read(pair.ends[1], text, sizeof(text), &done), PGM_TLS_OK);
	assert_int_equal(done, 10);
	end_pair(&pair);
}

static void both_sides_have_the_same_binding(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	uint8_t hashes[2][64];
	size_t lengths[2];
	for (int i = 0; i < 2; i++)
		assert_true(pgm_tls_binding(pair.ends[i], hashes[i], &lengths[i]));
	/* The certificate's signature is over a SHA-384. */
	assert_int_equal(lengths[0], 48);
	assert_int_equal(lengths[1], 48);
	assert_memory_equal(hashes[0], hashes[1], 48);
	FILE *file = fopen(cert_file, "r");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	uint8_t expected[64];
	unsigned size;
	assert_true(X509_digest(cert, EVP_sha384(), expected, &size));
	assert_memory_equal(hashes[0], expected, 48);
	X509_free(cert);
	end_pair(&pair);
}

static void hosts_are_verified(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		bool verify_host, other, good;
	} cases[] = {
		{"db.example", true, false, true},    {"127.0.0.1", true, false, true},
		{"evil.example", true, false, false}, {"127.0.0.2", true, false, false},
		{"ignored", true, false, false},      {"evil.example", false, false, true},
		{"db.example", true, true, false},    {"db.example", false, true, false},
		{NULL, false, false, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pair pair;
		const char *ca = cases[i].other ? other_ca : ca_file;
		handshake(&pair,
			  context_of((struct pgm_tls_files){.ca_file = ca, .verify_peer = true}, false),
			  server_context(), cases[i].host, cases[i].verify_host);
		assert_int_equal(pair.results[0], cases[i].good ? PGM_TLS_OK : PGM_TLS_FAILED);
		if (!cases[i].good) {
			assert_non_null(strstr(pgm_tls_why(pair.ends[0]), "certificate verify failed: "));
			assert_true(pair.results[1] == PGM_TLS_FAILED || pair.results[1] == PGM_TLS_OK);
			size_t done;
			assert_int_equal(pgm_tls_write(pair.ends[0], "x", 1, &done), PGM_TLS_FAILED);
		}
		end_pair(&pair);
	}
}

static void a_host_must_be_known_to_verify_it(void **state)
{
	(void)state;
	struct pair pair;
	connect_ends(&pair);
	struct pgm_tls_context *context = context_of((struct pgm_tls_files){.ca_file = ca_file}, false);
	assert_null(pgm_tls_new(context, pair.fds[0], NULL, true, false));
	pgm_tls_context_free(context);
	close(pair.fds[0]);
	close(pair.fds[1]);
}

static void clients_show_their_certificates(void **state)
{
	(void)state;
	const struct pgm_tls_files asks = {
		.cert_file = cert_file, .key_file = key_file, .ca_file = ca_file, .verify_peer = true};
	struct pgm_tls_files requires = asks;
	requires.require_peer = true;
	const struct pgm_tls_files with = {.cert_file = client_cert, .key_file = client_key};
	char name[64];
	struct pair pair;
	handshake(&pair, context_of(with, false), context_of(requires, true), NULL, false);
	assert_int_equal(pair.results[1], PGM_TLS_OK);
	assert_true(pgm_tls_peer_name(pair.ends[1], name, sizeof(name)));
	assert_string_equal(name, "alice");
	assert_false(pgm_tls_peer_name(pair.ends[1], name, 5));
	/* The server's own was not verified by this client. */
	assert_false(pgm_tls_peer_name(pair.ends[0], name, sizeof(name)));
	end_pair(&pair);

	handshake(&pair, context_of((struct pgm_tls_files){0}, false), context_of(asks, true), NULL, false);
	assert_int_equal(pair.results[1], PGM_TLS_OK);
	assert_false(pgm_tls_peer_name(pair.ends[1], name, sizeof(name)));
	end_pair(&pair);

	handshake(&pair, context_of((struct pgm_tls_files){0}, false), context_of(requires, true), NULL,
		  false);
	assert_int_equal(pair.results[1], PGM_TLS_FAILED);
	end_pair(&pair);
}

/* A name that goes on after a NUL is nobody's. */
static void a_name_with_a_nul_is_none(void **state)
{
	(void)state;
	char cert[80], key[80];
	snprintf(cert, sizeof(cert), "%s/nul.crt", folder);
	snprintf(key, sizeof(key), "%s/nul.key", folder);
	EVP_PKEY *own = write_key(key);
	X509_free(write_cert(cert, "alice\0.evil", 11, NULL, own, NULL, NULL, EVP_sha256()));
	EVP_PKEY_free(own);
	struct pair pair;
	handshake(&pair, context_of((struct pgm_tls_files){.cert_file = cert, .key_file = key}, false),
		  context_of((struct pgm_tls_files){.cert_file = cert_file,
						    .key_file = key_file,
						    .ca_file = cert,
						    .verify_peer = true},
			     true),
		  NULL, false);
	assert_int_equal(pair.results[1], PGM_TLS_OK);
	char name[64];
	assert_false(pgm_tls_peer_name(pair.ends[1], name, sizeof(name)));
	end_pair(&pair);
	unlink(cert);
	unlink(key);
}

/* A client of our own making: what pgm_tls_new() never sends. */
static enum pgm_tls_result accept_hello(bool direct, const char *protocols, size_t length, int version)
{
	struct pair pair;
	connect_ends(&pair);
	struct pgm_tls_context *context = server_context();
	pair.ends[1] = pgm_tls_new(context, pair.fds[1], NULL, false, direct);
	pgm_tls_context_free(context);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_security_level(ssl, 0);
	SSL_set_min_proto_version(ssl, TLS1_VERSION);
	SSL_set_max_proto_version(ssl, version);
	if (protocols)
		SSL_set_alpn_protos(ssl, (const unsigned char *)protocols, (unsigned)length);
	SSL_set_fd(ssl, pair.fds[0]);
	enum pgm_tls_result result = PGM_TLS_WAIT_READ;
	for (int round = 0; round < 20 && result == PGM_TLS_WAIT_READ; round++) {
		SSL_connect(ssl);
		result = pgm_tls_handshake(pair.ends[1]);
	}
	if (result == PGM_TLS_FAILED)
		assert_true(strlen(pgm_tls_why(pair.ends[1])) > 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	pgm_tls_free(pair.ends[1]);
	close(pair.fds[0]);
	close(pair.fds[1]);
	return result;
}

static void direct_tls_needs_the_protocol(void **state)
{
	(void)state;
	assert_int_equal(accept_hello(true, "\012postgresql", 11, 0), PGM_TLS_OK);
	assert_int_equal(accept_hello(true, NULL, 0, 0), PGM_TLS_FAILED);
	assert_int_equal(accept_hello(true, "\010http/1.1", 9, 0), PGM_TLS_FAILED);
	assert_int_equal(accept_hello(false, NULL, 0, 0), PGM_TLS_OK);
	assert_int_equal(accept_hello(false, "\010http/1.1\012postgresql", 20, 0), PGM_TLS_OK);
	assert_int_equal(accept_hello(false, "\010http/1.1", 9, 0), PGM_TLS_FAILED);
}

static void old_versions_are_refused(void **state)
{
	(void)state;
	assert_int_equal(accept_hello(false, NULL, 0, TLS1_2_VERSION), PGM_TLS_OK);
	assert_int_equal(accept_hello(false, NULL, 0, TLS1_1_VERSION), PGM_TLS_FAILED);
	assert_int_equal(accept_hello(false, NULL, 0, TLS1_VERSION), PGM_TLS_FAILED);
}

static void protocols_are_chosen(void **state)
{
	(void)state;
	static const struct {
		const char *protocols;
		const char *version; /* NULL: refused */
	} cases[] = {
		{"tlsv1.2", "TLSv1.2"},
		{"tlsv1.3", "TLSv1.3"},
		{"all,!tlsv1.3", "TLSv1.2"},
		{"secure:!TLSv1.2", "TLSv1.3"},
		{"!tlsv1.3", "TLSv1.2"},
		{"all", "TLSv1.3"},
		{"tlsv1.4", NULL},
		{"secure,!secure", NULL},
		{"sslv3", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_tls_files files = {
			.cert_file = cert_file, .key_file = key_file, .protocols = cases[i].protocols};
		struct pgm_error err = {0};
		struct pgm_tls_context *server = pgm_tls_context_new(&files, true, &err);
		assert_int_equal(server != NULL, cases[i].version != NULL);
		if (!server) {
			assert_non_null(strstr(err.message, "TLS protocol"));
			continue;
		}
		struct pair pair;
		handshake(&pair, context_of((struct pgm_tls_files){0}, false), server, NULL, false);
		assert_int_equal(pair.results[0], PGM_TLS_OK);
		assert_string_equal(pgm_tls_version(pair.ends[1]), cases[i].version);
		end_pair(&pair);
	}
}

static void bad_files_are_named(void **state)
{
	(void)state;
	const struct {
		struct pgm_tls_files files;
		bool server;
		const char *message;
	} cases[] = {
		{{0}, true, "TLS needs a certificate and its key"},
		{{.cert_file = "/nowhere/x.crt", .key_file = key_file}, true, "No such file"},
		{{.cert_file = cert_file, .key_file = "/nowhere/x.key"}, true, "No such file"},
		{{.cert_file = key_file, .key_file = key_file}, true, "certificate \""},
		{{.cert_file = cert_file, .key_file = client_key}, true, "key values mismatch"},
		{{.cert_file = cert_file, .key_file = key_file, .require_peer = true}, true, "CA file"},
		{{.ca_file = "/nowhere/ca.crt"}, false, "CA file \"/nowhere/ca.crt\": "},
		{{.ciphers = "nonsense"}, false, "TLS ciphers \"nonsense\""},
		{{.ciphers13 = "nonsense"}, false, "TLS 1.3 ciphers \"nonsense\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_error err = {0};
		assert_null(pgm_tls_context_new(&cases[i].files, cases[i].server, &err));
		if (!strstr(err.message, cases[i].message))
			fail_msg("\"%s\" has no \"%s\"", err.message, cases[i].message);
	}
}

/* The peer's socket closes after n steps of the handshake, and after it. */
static void a_close_in_the_middle_is_no_crash(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_DFL); /* a write that raised it would end the test */
	for (int side = 0; side < 2; side++)
		for (int rounds = 0; rounds < 4; rounds++) {
			struct pair pair;
			connect_ends(&pair);
			struct pgm_tls_context *client = context_of((struct pgm_tls_files){0}, false);
			struct pgm_tls_context *server = server_context();
			pair.ends[0] = pgm_tls_new(client, pair.fds[0], NULL, false, false);
			pair.ends[1] = pgm_tls_new(server, pair.fds[1], NULL, false, false);
			pgm_tls_context_free(client);
			pgm_tls_context_free(server);
			for (int i = 0; i < rounds; i++)
				pgm_tls_handshake(pair.ends[i % 2]);
			shutdown(pair.fds[!side], SHUT_RDWR);
			close(pair.fds[!side]);
			char byte;
			size_t done;
			enum pgm_tls_result result = PGM_TLS_OK;
			for (int i = 0; i < 3 && result != PGM_TLS_CLOSED && result != PGM_TLS_FAILED; i++) {
				result = pgm_tls_handshake(pair.ends[side]);
				if (result == PGM_TLS_OK)
					result = pgm_tls_read(pair.ends[side], &byte, 1, &done);
			}
			assert_true(result == PGM_TLS_CLOSED || result == PGM_TLS_FAILED);
			for (int i = 0; i < 2; i++)
				assert_int_not_equal(pgm_tls_write(pair.ends[side], "x", 1, &done),
						     PGM_TLS_OK);
			pgm_tls_free(pair.ends[side]);
			close(pair.fds[side]);
			pair.fds[!side] = -1;
			pgm_tls_free(pair.ends[!side]);
		}
}

static void an_end_is_told_to_the_peer(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	pgm_tls_free(pair.ends[0]);
	pair.ends[0] = NULL;
	char byte;
	size_t done;
	/* By close_notify: the socket is still open. */
	assert_int_equal(pgm_tls_read(pair.ends[1], &byte, 1, &done), PGM_TLS_CLOSED);
	end_pair(&pair);
}

/* Bytes that are no TLS. */
static void rubbish_fails(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
	} rubbish[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18},
		{"\x16\x03\x01\xff\xff\xff\xff\xff\xff", 9}, /* a record of 64 kB */
		{"\x15\x03\x01\x00\x02\x02\x28", 7},	     /* an alert */
		{"\x17\x03\x03\x00\x01\x00", 6},	     /* data */
		{"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9}, /* a server's hello */
	};
	for (size_t i = 0; i < sizeof(rubbish) / sizeof(*rubbish); i++) {
		struct pair pair;
		connect_ends(&pair);
		struct pgm_tls_context *context = server_context();
		pair.ends[0] = NULL;
		pair.ends[1] = pgm_tls_new(context, pair.fds[1], NULL, false, false);
		pgm_tls_context_free(context);
		assert_true(send(pair.fds[0], rubbish[i].bytes, rubbish[i].length, 0) > 0);
		assert_int_equal(pgm_tls_handshake(pair.ends[1]), PGM_TLS_FAILED);
		assert_true(strlen(pgm_tls_why(pair.ends[1])) > 0);
		assert_int_equal(pgm_tls_handshake(pair.ends[1]), PGM_TLS_FAILED);
		end_pair(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_as_they_were_sent),
		cmocka_unit_test(pending_tells_what_the_socket_will_not),
		cmocka_unit_test(a_part_of_a_record_is_not_pending),
		cmocka_unit_test(both_sides_have_the_same_binding),
		cmocka_unit_test(hosts_are_verified),
		cmocka_unit_test(a_host_must_be_known_to_verify_it),
		cmocka_unit_test(clients_show_their_certificates),
		cmocka_unit_test(a_name_with_a_nul_is_none),
		cmocka_unit_test(direct_tls_needs_the_protocol),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(protocols_are_chosen),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(a_close_in_the_middle_is_no_crash),
		cmocka_unit_test(an_end_is_told_to_the_peer),
		cmocka_unit_test(rubbish_fails),
	};
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
