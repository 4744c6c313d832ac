/*
 * The certificate. libmicrohttpd asks for it at each handshake, so a new one counts from the next connection
 * on; old ones are kept until the end, because handshakes may still use them.
 */
#include "serve/http/parts.h"

#include "util/file.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 16
#define PEM_MAX	  ((size_t)1 << 20)

struct pair {
	struct pair *older;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned chain_length;
	gnutls_privkey_t key;
};

struct pgm_certificates {
	char *cert_file, *key_file;
	_Atomic(struct pair *) current;
};

static _Atomic(struct pgm_certificates *) serving;

static void free_pairs(struct pair *pair)
{
	while (pair) {
		struct pair *older = pair->older;
		for (unsigned i = 0; i < pair->chain_length; i++)
			gnutls_pcert_deinit(&pair->chain[i]);
		if (pair->key)
			gnutls_privkey_deinit(pair->key);
		free(pair);
		pair = older;
	}
}

static bool fail(const char *file, int code, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", file, gnutls_strerror(code));
}

/* Those in it, in order. */
static bool read_chain(struct pair *pair, const char *file, const gnutls_datum_t *pem, struct pgm_error *err)
{
	unsigned count = CHAIN_MAX;
	int code = gnutls_pcert_list_import_x509_raw(pair->chain, &count, pem, GNUTLS_X509_FMT_PEM, 0);
	if (code < 0)
		return fail(file, code, err);
	pair->chain_length = count;
	return count > 0 || pgm_error_set(err, PGM_ERR_INPUT, "%s holds no certificate", file);
}

static bool judge_time(const struct pair *pair, const char *file, struct pgm_error *err)
{
	gnutls_x509_crt_t first;
	int code = gnutls_pcert_export_x509((gnutls_pcert_st *)&pair->chain[0], &first);
	if (code < 0)
		return fail(file, code, err);
	time_t now = time(NULL), begins = gnutls_x509_crt_get_activation_time(first),
	       ends = gnutls_x509_crt_get_expiration_time(first);
	gnutls_x509_crt_deinit(first);
	if (ends != (time_t)-1 && ends < now)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: the certificate has expired", file);
	return begins <= now ||
	       pgm_error_set(err, PGM_ERR_INPUT, "%s: the certificate is not valid yet", file);
}

/* The key must be the one of the first certificate. */
static bool judge_key(const struct pgm_certificates *certificates, struct pair *pair, struct pgm_error *err)
{
	unsigned char ours[64], theirs[64];
	size_t our_length = sizeof(ours), their_length = sizeof(theirs);
	gnutls_pubkey_t public;
	int code = gnutls_pubkey_init(&public);
	if (code < 0)
		return fail(certificates->key_file, code, err);
	code = gnutls_pubkey_import_privkey(public, pair->key, 0, 0);
	if (code >= 0)
		code = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ours, &our_length);
	if (code >= 0)
		code = gnutls_pubkey_get_key_id(pair->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, theirs,
						&their_length);
	gnutls_pubkey_deinit(public);
	if (code < 0)
		return fail(certificates->key_file, code, err);
	return (our_length == their_length && memcmp(ours, theirs, our_length) == 0) ||
	       pgm_error_set(err, PGM_ERR_INPUT, "%s is not the key of the certificate in %s",
			     certificates->key_file, certificates->cert_file);
}

static bool read_pair(const struct pgm_certificates *certificates, struct pair *pair, struct pgm_arena *arena,
		      struct pgm_error *err)
{
	char *cert, *key;
	if (!pgm_file_read(arena, certificates->cert_file, PEM_MAX, &cert, err) ||
	    !pgm_file_read(arena, certificates->key_file, PEM_MAX, &key, err))
		return false;
	gnutls_datum_t cert_pem = {(unsigned char *)cert, (unsigned)strlen(cert)};
	gnutls_datum_t key_pem = {(unsigned char *)key, (unsigned)strlen(key)};
	int code = gnutls_privkey_init(&pair->key);
	if (code >= 0)
		code = gnutls_privkey_import_x509_raw(pair->key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	explicit_bzero(key, key_pem.size);
	if (code < 0)
		return fail(certificates->key_file, code, err);
	return read_chain(pair, certificates->cert_file, &cert_pem, err) &&
	       judge_time(pair, certificates->cert_file, err) && judge_key(certificates, pair, err);
}

bool pgm_certificates_replace(struct pgm_certificates *certificates, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pair *pair = calloc(1, sizeof(*pair));
	if (!pair)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (!read_pair(certificates, pair, arena, err)) {
		free_pairs(pair);
		return pgm_error_context(err, "TLS");
	}
	pair->older = atomic_load(&certificates->current);
	atomic_store(&certificates->current, pair);
	return true;
}

struct pgm_certificates *pgm_certificates_new(const char *cert_file, const char *key_file,
					      struct pgm_error *err)
{
	struct pgm_certificates *certificates = calloc(1, sizeof(*certificates));
	if (!certificates || !(certificates->cert_file = strdup(cert_file)) ||
	    !(certificates->key_file = strdup(key_file))) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	} else if (pgm_certificates_replace(certificates, err)) {
		atomic_store(&serving, certificates);
		return certificates;
	}
	pgm_certificates_free(certificates);
	return NULL;
}

void pgm_certificates_free(struct pgm_certificates *certificates)
{
	if (!certificates)
		return;
	struct pgm_certificates *ours = certificates;
	atomic_compare_exchange_strong(&serving, &ours, NULL);
	free_pairs(atomic_load(&certificates->current));
	free(certificates->cert_file);
	free(certificates->key_file);
	free(certificates);
}

static int choose(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count,
		  const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
		  unsigned *chain_length, gnutls_privkey_t *key)
{
	struct pgm_certificates *certificates = atomic_load(&serving);
	(void)session, (void)issuers, (void)issuer_count, (void)algorithms, (void)algorithm_count;
	if (!certificates)
		return -1;
	struct pair *pair = atomic_load(&certificates->current);
	*chain = pair->chain;
	*chain_length = pair->chain_length;
	*key = pair->key;
	return 0;
}

void *pgm_certificates_callback(void)
{
	gnutls_certificate_retrieve_function2 *callback = choose;
	return (void *)callback;
}
