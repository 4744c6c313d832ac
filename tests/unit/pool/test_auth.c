#include "../cmocka_all.h"

#include "pool/auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "pencil", salt and iterations of RFC 7677 */
#define VERIFIER                                                                                    \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const uint8_t hash[32] = "the hash of a certificate ....";

/* What a side wrote, to be read by the other. */
struct line {
	uint8_t bytes[PGM_AUTH_OUT_MAX];
	struct pgm_writer writer;
};

static void clear(struct line *line)
{
	line->writer = pgm_writer_over(line->bytes, sizeof(line->bytes));
}

/* The body of the one message there is. */
static const uint8_t *body_of(const struct line *line, char type, size_t *length)
{
	size_t there = pgm_writer_length(&line->writer);
	assert_true(there >= PGM_WIRE_HEADER_BYTES);
	assert_int_equal(line->bytes[0], type);
	assert_int_equal(pgm_wire_get32(line->bytes + 1), there - 1);
	*length = there - PGM_WIRE_HEADER_BYTES;
	return line->bytes + PGM_WIRE_HEADER_BYTES;
}

struct pair {
	struct pgm_client_auth client; /* we answer as a server */
	struct pgm_server_auth server; /* we log in */
	struct line to_client, to_server;
	enum pgm_auth_verdict verdict; /* about the client */
	enum pgm_auth_verdict outcome; /* about the server */
	int steps;
};

/* Both sides talk until one has had enough. */
static void talk(struct pair *pair)
{
	const uint8_t *body;
	size_t length;
	pair->steps = 0;
	while (pair->verdict == PGM_AUTH_CONTINUE) {
		assert_true(pair->steps++ < 10);
		body = body_of(&pair->to_client, 'R', &length);
		clear(&pair->to_server);
		pair->outcome = pgm_server_auth_step(&pair->server, body, length, &pair->to_server.writer);
		if (pair->outcome != PGM_AUTH_CONTINUE)
			return;
		body = body_of(&pair->to_server, 'p', &length);
		clear(&pair->to_client);
		pair->verdict = pgm_client_auth_step(&pair->client, body, length, &pair->to_client.writer);
	}
	if (pair->verdict != PGM_AUTH_OK)
		return;
	if (pgm_writer_length(&pair->to_client.writer) > 0) {
		body = body_of(&pair->to_client, 'R', &length);
		clear(&pair->to_server);
		pair->outcome = pgm_server_auth_step(&pair->server, body, length, &pair->to_server.writer);
		assert_int_equal(pair->outcome, PGM_AUTH_CONTINUE);
		assert_int_equal(pgm_writer_length(&pair->to_server.writer), 0);
	}
	pair->outcome =
		pgm_server_auth_step(&pair->server, (const uint8_t *)"\0\0\0\0", 4, &pair->to_server.writer);
}

static void start(struct pair *pair, enum pgm_auth_type type, const char *secret,
		  const struct pgm_server_secret *own)
{
	clear(&pair->to_client);
	clear(&pair->to_server);
	pair->outcome = PGM_AUTH_CONTINUE;
	pair->verdict = pgm_client_auth_begin(&pair->client, type, "bob", secret, pair->server.binding,
					      pair->server.binding_length, &pair->to_client.writer);
	pgm_server_auth_begin(&pair->server, own);
}

static void end(struct pair *pair)
{
	pgm_client_auth_done(&pair->client);
	pgm_server_auth_done(&pair->server);
}

static char md5_of_pencil[PGM_MD5_TEXT_BYTES];

static void test_every_method_with_every_secret(void **state)
{
	(void)state;
	static const enum pgm_auth_type types[] = {PGM_AUTH_PLAIN, PGM_AUTH_MD5, PGM_AUTH_SCRAM};
	assert_true(pgm_md5_password("pencil", "bob", md5_of_pencil));
	const char *stored[] = {
		"pencil", md5_of_pencil, VERIFIER, NULL, "", "other", "SCRAM-SHA-256$4096:nonsense"};
	const char *known[] = {"pencil", md5_of_pencil, "pencil2"};
	struct pair *pair = calloc(1, sizeof(*pair));
	for (int tls = 0; tls < 2; tls++) {
		pair->server.tls = tls;
		pair->server.binding = tls ? hash : NULL;
		pair->server.binding_length = tls ? sizeof(hash) : 0;
		for (int t = 0; t < 3; t++) {
			for (int s = 0; s < 7; s++) {
				for (int k = 0; k < 3; k++) {
					struct pgm_server_secret own = {.user = "bob", .secret = known[k]};
					start(pair, types[t], stored[s], &own);
					talk(pair);
					/* md5 is no password, and SCRAM needs one or the keys */
					bool scram = types[t] == PGM_AUTH_SCRAM ||
						     (types[t] == PGM_AUTH_MD5 && pair->client.scram);
					bool md5_there = types[t] == PGM_AUTH_MD5 && !scram;
					bool usable = s < 2 || (s == 2 && types[t] != PGM_AUTH_MD5) || scram;
					bool expect = usable && s < 3 && (k == 0 || (k == 1 && md5_there)) &&
						      !(scram && s == 1);
					assert_int_equal(pair->verdict == PGM_AUTH_OK, expect);
					assert_int_equal(pair->outcome == PGM_AUTH_OK, expect);
					if (expect) {
						assert_int_equal(
							pair->client.have_keys,
							scram || (types[t] == PGM_AUTH_PLAIN && s == 2));
					} else if (pair->verdict == PGM_AUTH_FAILED) {
						assert_string_equal(pair->client.sqlstate, "28P01");
						assert_string_equal(
							pair->client.message,
							"password authentication failed for user \"bob\"");
					} else {
						assert_int_equal(k, 1);
						assert_int_equal(pair->outcome, PGM_AUTH_FAILED);
						assert_string_equal(pair->server.sqlstate, "28000");
					}
					end(pair);
				}
			}
		}
	}
	free(pair);
}

static void test_methods_without_passwords(void **state)
{
	(void)state;
	struct line line;
	static const struct {
		enum pgm_auth_type type;
		bool matches;
		enum pgm_auth_verdict verdict;
		const char *sqlstate, *message;
	} cases[] = {
		{PGM_AUTH_TRUST, false, PGM_AUTH_OK, NULL, NULL},
		{PGM_AUTH_ANY, false, PGM_AUTH_OK, NULL, NULL},
		{PGM_AUTH_CERT, true, PGM_AUTH_OK, NULL, NULL},
		{PGM_AUTH_CERT, false, PGM_AUTH_FAILED, "28000",
		 "certificate authentication failed for user \"bob\""},
		{PGM_AUTH_PEER, true, PGM_AUTH_OK, NULL, NULL},
		{PGM_AUTH_PEER, false, PGM_AUTH_FAILED, "28000",
		 "peer authentication failed for user \"bob\""},
		{PGM_AUTH_REJECT, true, PGM_AUTH_FAILED, "28000", "login rejected"},
		{PGM_AUTH_HBA, true, PGM_AUTH_FAILED, "XX000", "bouncer config error"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_client_auth auth = {.cert_matches = cases[i].matches};
		clear(&line);
		assert_int_equal(
			pgm_client_auth_begin(&auth, cases[i].type, "bob", "x", NULL, 0, &line.writer),
			cases[i].verdict);
		assert_int_equal(pgm_writer_length(&line.writer), 0);
		if (cases[i].message) {
			assert_string_equal(auth.sqlstate, cases[i].sqlstate);
			assert_string_equal(auth.message, cases[i].message);
		}
		/* a password that nobody asked for */
		assert_int_equal(pgm_client_auth_step(&auth, (const uint8_t *)"x", 2, &line.writer),
				 PGM_AUTH_FAILED);
		assert_string_equal(auth.sqlstate, "08P01");
		pgm_client_auth_done(&auth);
	}
}

/* The keys that a client's login gave log in to a server with the same verifier, and to no other. */
static void test_keys_are_passed_through(void **state)
{
	(void)state;
	struct pair *pair = calloc(1, sizeof(*pair));
	start(pair, PGM_AUTH_MD5, VERIFIER, &(struct pgm_server_secret){.user = "bob", .secret = "pencil"});
	talk(pair);
	assert_int_equal(pair->outcome, PGM_AUTH_OK);
	struct pgm_scram_keys keys = pair->client.keys;
	end(pair);
	struct pgm_server_secret own = {.user = "bob", .secret = VERIFIER, .keys = &keys};
	start(pair, PGM_AUTH_SCRAM, VERIFIER, &own);
	talk(pair);
	assert_int_equal(pair->outcome, PGM_AUTH_OK);
	end(pair);
	start(pair, PGM_AUTH_SCRAM, "pencil", &own); /* another salt */
	talk(pair);
	assert_int_equal(pair->verdict, PGM_AUTH_FAILED);
	end(pair);
	start(pair, PGM_AUTH_MD5, md5_of_pencil, &own);
	talk(pair);
	assert_int_equal(pair->outcome, PGM_AUTH_FAILED);
	assert_string_equal(pair->server.message,
			    "the server asks for an md5 password of user \"bob\", but only a "
			    "SCRAM verifier of it is known");
	end(pair);
	start(pair, PGM_AUTH_PLAIN, "pencil", &(struct pgm_server_secret){.user = "bob", .keys = &keys});
	talk(pair);
	assert_string_equal(
		pair->server.message,
		"the server asks for a plain password of user \"bob\", but only SCRAM keys are known");
	end(pair);
	free(pair);
}

static void test_cached_keys(void **state)
{
	(void)state;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct pgm_scram_cache cache = {0};
	pair->server.cache = &cache;
	struct pgm_server_secret own = {.user = "bob", .secret = "pencil"};
	for (int i = 0; i < 2; i++) {
		start(pair, PGM_AUTH_SCRAM, VERIFIER, &own);
		talk(pair);
		assert_int_equal(pair->outcome, PGM_AUTH_OK);
		assert_true(cache.valid);
		assert_int_equal(cache.iterations, 4096);
		end(pair);
	}
	/* It is what was used: with other keys in it the login fails. */
	cache.keys.client_key[0] ^= 1;
	start(pair, PGM_AUTH_SCRAM, VERIFIER, &own);
	talk(pair);
	assert_int_equal(pair->verdict, PGM_AUTH_FAILED);
	end(pair);
	/* And not where the password or the salt is another. */
	own.secret = "pencil2";
	start(pair, PGM_AUTH_SCRAM, "pencil2", &own);
	talk(pair);
	assert_int_equal(pair->outcome, PGM_AUTH_OK);
	end(pair);
	start(pair, PGM_AUTH_SCRAM, VERIFIER, &own);
	talk(pair);
	assert_int_equal(pair->verdict, PGM_AUTH_FAILED);
	end(pair);
	own.secret = "pencil";
	start(pair, PGM_AUTH_SCRAM, VERIFIER, &own);
	talk(pair);
	assert_int_equal(pair->outcome, PGM_AUTH_OK);
	end(pair);
	free(pair);
}

/* An unknown user's exchange has the same messages, of the same lengths, and the same salt each time. */
static void test_unknown_users_look_like_others(void **state)
{
	(void)state;
	struct pair *pair = calloc(1, sizeof(*pair));
	struct pgm_server_secret own = {.user = "bob", .secret = "guess"};
	char salts[3][64], *comma;
	size_t lengths[3];
	for (int i = 0; i < 3; i++) {
		start(pair, PGM_AUTH_MD5, i == 0 ? VERIFIER : NULL, &own);
		assert_int_equal(pair->verdict, PGM_AUTH_CONTINUE);
		talk(pair);
		assert_int_equal(pair->steps, 2);
		assert_int_equal(pair->verdict, PGM_AUTH_FAILED);
		assert_string_equal(pair->client.message, "password authentication failed for user \"bob\"");
		snprintf(salts[i], sizeof(salts[i]), "%s", strchr(pair->client.scram->server_first, ','));
		comma = strchr(salts[i] + 1, ',');
		assert_non_null(comma);
		assert_string_equal(comma, ",i=4096");
		lengths[i] = strlen(pair->client.scram->server_first);
		end(pair);
	}
	assert_int_equal(lengths[0], lengths[1]);
	assert_string_equal(salts[1], salts[2]);
	assert_string_not_equal(salts[0], salts[1]);
	/* where the others have plain passwords they are asked for md5 */
	start(pair, PGM_AUTH_MD5, "pencil", &own);
	assert_null(pair->client.scram);
	end(pair);
	start(pair, PGM_AUTH_MD5, NULL, &own);
	assert_null(pair->client.scram);
	talk(pair);
	assert_int_equal(pair->verdict, PGM_AUTH_FAILED);
	end(pair);
	free(pair);
}

static void test_long_user_in_a_message(void **state)
{
	(void)state;
	char user[1000];
	memset(user, 'x', sizeof(user));
	memcpy(user + 127, "\xc3\xa4", 2);
	user[999] = 0;
	struct pgm_client_auth auth = {0};
	struct line line;
	clear(&line);
	assert_int_equal(pgm_client_auth_begin(&auth, PGM_AUTH_CERT, user, NULL, NULL, 0, &line.writer),
			 PGM_AUTH_FAILED);
	assert_string_equal(strrchr(auth.message, 'x'), "x\"");
	pgm_client_auth_done(&auth);
}

static void test_password_messages(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		size_t length;
		const char *sqlstate, *message;
	} cases[] = {
		{"", 0, "08P01", "invalid password packet size"},
		{"pencil", 6, "08P01", "invalid password packet size"},
		{"pencil\0x", 8, "08P01", "invalid password packet size"},
		{"pencil\0", 8, "08P01", "invalid password packet size"},
		{"", 1, "28P01", "empty password returned by client"},
		{"Pencil", 7, "28P01", "password authentication failed for user \"bob\""},
		{"pencil", 7, NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_client_auth auth = {0};
		struct line line;
		clear(&line);
		uint8_t *body = malloc(cases[i].length + !cases[i].length);
		memcpy(body, cases[i].body, cases[i].length);
		pgm_client_auth_begin(&auth, PGM_AUTH_PLAIN, "bob", "pencil", NULL, 0, &line.writer);
		bool good = pgm_client_auth_step(&auth, body, cases[i].length, &line.writer) == PGM_AUTH_OK;
		assert_int_equal(good, cases[i].message == NULL);
		if (!good) {
			assert_string_equal(auth.sqlstate, cases[i].sqlstate);
			assert_string_equal(auth.message, cases[i].message);
		}
		free(body);
		pgm_client_auth_done(&auth);
	}
	/* of any length */
	char *long_one = malloc(1 << 20);
	memset(long_one, 'p', (1 << 20) - 1);
	long_one[(1 << 20) - 1] = 0;
	static const enum pgm_auth_type types[] = {PGM_AUTH_PLAIN, PGM_AUTH_MD5};
	for (int i = 0; i < 2; i++) {
		struct pgm_client_auth auth = {0};
		struct line line;
		clear(&line);
		pgm_client_auth_begin(&auth, types[i], "bob", "pencil", NULL, 0, &line.writer);
		assert_int_equal(pgm_client_auth_step(&auth, (uint8_t *)long_one, 1 << 20, &line.writer),
				 PGM_AUTH_FAILED);
		assert_string_equal(auth.sqlstate, "28P01");
		pgm_client_auth_done(&auth);
	}
	free(long_one);
}

/* A SASLInitialResponse that tells any length. */
static size_t initial(uint8_t *bytes, size_t size, const char *mechanism, uint32_t told, const char *message)
{
	struct pgm_writer writer = pgm_writer_over(bytes, size);
	pgm_writer_string(&writer, mechanism);
	pgm_writer_u32(&writer, told);
	pgm_writer_bytes(&writer, message, strlen(message));
	return pgm_writer_length(&writer);
}

/* One step from the beginning; the message the client is told, in auth. */
static enum pgm_auth_verdict first_step(struct pgm_client_auth *auth, const uint8_t *body, size_t length)
{
	struct line line;
	clear(&line);
	uint8_t *copy = malloc(length ? length : 1);
	memcpy(copy, body, length);
	memset(auth, 0, sizeof(*auth));
	assert_int_equal(pgm_client_auth_begin(auth, PGM_AUTH_SCRAM, "bob", VERIFIER, NULL, 0, &line.writer),
			 PGM_AUTH_CONTINUE);
	clear(&line);
	enum pgm_auth_verdict verdict = pgm_client_auth_step(auth, copy, length, &line.writer);
	free(copy);
	return verdict;
}

static void test_malformed_sasl(void **state)
{
	(void)state;
	static const char good[] = "n,,n=,r=abcdefgh";
	static const char s[] = PGM_SCRAM_MECHANISM;
	static const struct {
		const char *mechanism;
		int64_t told; /* -100: as long as it is */
		const char *message, *expect;
	} cases[] = {
		{s, -1, good, "invalid message format"},
		{s, -2, good, "insufficient data left in message"},
		{s, 0xfffffff0, good, "insufficient data left in message"},
		{s, 0x7fffffff, good, "insufficient data left in message"},
		{s, 0x3fffffff, good, "insufficient data left in message"},
		{s, sizeof(good), good, "insufficient data left in message"},
		{s, sizeof(good) - 2, good, "invalid message format"},
		{s, 0, good, "invalid message format"},
		{s, 0, "", "malformed SCRAM message: The message is empty."},
		{"", -100, good, "client selected an invalid SASL authentication mechanism"},
		{"SCRAM-SHA-1", -100, good, "client selected an invalid SASL authentication mechanism"},
		{"SCRAM-SHA-256-PLUS", -100, good,
		 "client selected an invalid SASL authentication mechanism"},
		{"scram-sha-256", -100, good, "client selected an invalid SASL authentication mechanism"},
		{s, -100, "x", "malformed SCRAM message: Unexpected channel-binding flag \"x\"."},
		{s, -100, "n", "malformed SCRAM message: Comma expected, but found character \"0x00\"."},
		{s, -100, "n,",
		 "malformed SCRAM message: Unexpected attribute \"0x00\" in client-first-message."},
		{s, -100, "n,,", "malformed SCRAM message: Expected attribute \"n\" but found \"0x00\"."},
		{s, -100, "n,,n=", "malformed SCRAM message: Expected attribute \"r\" but found \"0x00\"."},
		{s, -100, "n,,n=,r",
		 "malformed SCRAM message: Expected character \"=\" for attribute \"r\"."},
		{s, -100, "n,,n=,x=1,r=abc",
		 "malformed SCRAM message: Expected attribute \"r\" but found \"x\"."},
		{s, -100, "n,a=bob,n=,r=abc", "client uses authorization identity, but it is not supported"},
		{s, -100, "n,,m=x,n=,r=abc", "client requires an unsupported SCRAM extension"},
		{s, -100, "n,,n=,r=a\001c", "non-printable characters in SCRAM nonce"},
		{s, -100, "p=tls-server-end-point,,n=,r=abc",
		 "malformed SCRAM message: The client selected SCRAM-SHA-256 without channel binding, but "
		 "the SCRAM "
		 "message includes channel binding data."},
		{s, -100, "n,,n=,r=abc,,",
		 "malformed SCRAM message: Attribute expected, but found invalid character "
		 "\",\"."},
	};
	uint8_t body[256];
	char expect[256];
	struct pgm_client_auth auth;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t told =
			(uint32_t)(cases[i].told == -100 ? (int64_t)strlen(cases[i].message) : cases[i].told);
		size_t length = initial(body, sizeof(body), cases[i].mechanism, told, cases[i].message);
		assert_int_equal(first_step(&auth, body, length), PGM_AUTH_FAILED);
		snprintf(expect, sizeof(expect), "SASL authentication failed: %s", cases[i].expect);
		assert_string_equal(auth.message, expect);
		assert_non_null(auth.sqlstate);
		pgm_client_auth_done(&auth);
	}
	/* a NUL inside, and a message of megabytes */
	size_t length = initial(body, sizeof(body), s, 16, good);
	body[length - 3] = 0;
	assert_int_equal(first_step(&auth, body, length), PGM_AUTH_FAILED);
	pgm_client_auth_done(&auth);
	uint8_t *big = calloc(1, 3 << 20);
	memset(big, 'x', 3 << 20);
	length = initial(big, 100, s, (3 << 20) - 18, "n,,n=,r=");
	assert_int_equal(first_step(&auth, big, 3 << 20), PGM_AUTH_FAILED);
	assert_string_equal(auth.message, "SASL authentication failed: malformed SCRAM message: "
					  "The message is longer than 4095 bytes.");
	pgm_client_auth_done(&auth);
	free(big);
	/* cut at each byte */
	length = initial(body, sizeof(body), s, 16, good);
	for (size_t cut = 0; cut < length; cut++) {
		assert_int_equal(first_step(&auth, body, cut), PGM_AUTH_FAILED);
		pgm_client_auth_done(&auth);
	}
	assert_int_equal(first_step(&auth, body, length), PGM_AUTH_CONTINUE);
	struct line line;
	clear(&line);
	assert_int_equal(pgm_client_auth_step(&auth, body, length, &line.writer), PGM_AUTH_FAILED);
	assert_string_equal(auth.sqlstate, "08P01");
	assert_int_equal(pgm_client_auth_step(&auth, body, length, &line.writer), PGM_AUTH_FAILED);
	pgm_client_auth_done(&auth);
}

static void test_first_message_comes_later(void **state)
{
	(void)state;
	uint8_t body[64];
	struct pgm_client_auth auth;
	size_t length = initial(body, sizeof(body), PGM_SCRAM_MECHANISM, 0xffffffff, "");
	assert_int_equal(first_step(&auth, body, length), PGM_AUTH_CONTINUE);
	struct line line;
	clear(&line);
	assert_int_equal(pgm_client_auth_step(&auth, (const uint8_t *)"n,,n=,r=abc", 11, &line.writer),
			 PGM_AUTH_CONTINUE);
	assert_memory_equal(line.bytes + 5, "\0\0\0\13r=abc", 9);
	pgm_client_auth_done(&auth);
	assert_int_equal(first_step(&auth, body, length), PGM_AUTH_CONTINUE);
	clear(&line);
	assert_int_equal(pgm_client_auth_step(&auth, NULL, 0, &line.writer), PGM_AUTH_FAILED);
	pgm_client_auth_done(&auth);
	length = initial(body, sizeof(body), PGM_SCRAM_MECHANISM_PLUS, 0xffffffff, "");
	assert_int_equal(first_step(&auth, body, length), PGM_AUTH_FAILED);
	pgm_client_auth_done(&auth);
}

static enum pgm_auth_verdict server_step(struct pgm_server_auth *auth, struct line *line, const void *body,
					 size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	memcpy(copy, body, length);
	clear(line);
	enum pgm_auth_verdict verdict = pgm_server_auth_step(auth, copy, length, &line->writer);
	free(copy);
	if (verdict == PGM_AUTH_FAILED) {
		assert_non_null(auth->sqlstate);
		assert_true(auth->message[0] != 0);
	}
	return verdict;
}

#define STEP(auth, line, text) server_step(auth, line, text, sizeof(text) - 1)

static void test_hostile_servers(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		const char *message;
	} cases[] = {
		{"", 0, "the server sent a malformed authentication request"},
		{"\0\0\0", 3, "the server sent a malformed authentication request"},
		{"\0\0\0\0x", 5, "the server sent authentication request 0 of a wrong length"},
		{"\0\0\0\3x", 5, "the server sent authentication request 3 of a wrong length"},
		{"\0\0\0\5abc", 7, "the server sent authentication request 5 of a wrong length"},
		{"\0\0\0\5abcde", 9, "the server sent authentication request 5 of a wrong length"},
		{"\0\0\0\3", 4,
		 "the server asks for a plain password over a connection without TLS, which is given only "
		 "where "
		 "server_tls_sslmode is disable"},
		{"\0\0\0\7", 4, "the server asks for authentication method 7, which is not supported"},
		{"\377\377\377\377", 4,
		 "the server asks for authentication method 4294967295, which is not supported"},
		{"\0\0\0\12", 4, "the server sent a malformed list of SASL mechanisms"},
		{"\0\0\0\12SCRAM-SHA-256", 17, "the server sent a malformed list of SASL mechanisms"},
		{"\0\0\0\12SCRAM-SHA-256\0", 18, "the server sent a malformed list of SASL mechanisms"},
		{"\0\0\0\12SCRAM-SHA-256\0\0x", 20, "the server sent a malformed list of SASL mechanisms"},
		{"\0\0\0\12\0", 5, "none of the server's SASL authentication mechanisms are supported"},
		{"\0\0\0\12SCRAM-SHA-1\0\0", 17,
		 "none of the server's SASL authentication mechanisms are supported"},
		{"\0\0\0\12SCRAM-SHA-256-PLUS\0\0", 24,
		 "none of the server's SASL authentication mechanisms are supported"},
		{"\0\0\0\13r=x,s=AAAA,i=1", 18, "the server sent authentication request 11 out of turn"},
		{"\0\0\0\14v=AAAA", 10, "the server sent authentication request 12 out of turn"},
	};
	struct pgm_server_secret own = {.user = "bob", .secret = "pencil"};
	struct line line;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_server_auth auth = {.require_encrypted = true};
		pgm_server_auth_begin(&auth, &own);
		assert_int_equal(server_step(&auth, &line, cases[i].bytes, cases[i].length), PGM_AUTH_FAILED);
		assert_string_equal(auth.message, cases[i].message);
		assert_int_equal(pgm_writer_length(&line.writer), 0);
		/* that was the end, whatever comes */
		assert_int_equal(STEP(&auth, &line, "\0\0\0\0"), PGM_AUTH_FAILED);
		pgm_server_auth_done(&auth);
	}
	/* never two requests */
	struct pgm_server_auth auth = {0};
	pgm_server_auth_begin(&auth, &own);
	assert_int_equal(STEP(&auth, &line, "\0\0\0\5abcd"), PGM_AUTH_CONTINUE);
	assert_int_equal(STEP(&auth, &line, "\0\0\0\3"), PGM_AUTH_FAILED);
	pgm_server_auth_done(&auth);
	/* AuthenticationOk in the middle of SCRAM */
	pgm_server_auth_begin(&auth, &own);
	assert_int_equal(STEP(&auth, &line, "\0\0\0\12SCRAM-SHA-256\0\0"), PGM_AUTH_CONTINUE);
	assert_int_equal(STEP(&auth, &line, "\0\0\0\0"), PGM_AUTH_FAILED);
	assert_string_equal(auth.message, "the server ended SCRAM without proof that it knows the password");
	pgm_server_auth_done(&auth);
	/* the plain password goes out where that is allowed */
	auth = (struct pgm_server_auth){.tls = true, .require_encrypted = true};
	pgm_server_auth_begin(&auth, &own);
	assert_int_equal(STEP(&auth, &line, "\0\0\0\3"), PGM_AUTH_CONTINUE);
	assert_memory_equal(line.bytes, "p\0\0\0\13pencil", 12);
	pgm_server_auth_done(&auth);
}

/* What the server's first message may do to us: nonces and salts of any length, any iterations. */
static void test_hostile_challenges(void **state)
{
	(void)state;
	struct pgm_server_secret own = {.user = "bob", .secret = "pencil"};
	static char message[(1 << 20) + (1 << 17)];
	static const size_t nonces[] = {0, 1, 100, 999, 1000, 1001, 4000, 5000, 65536, 1 << 20};
	static const size_t salts[] = {0, 4, 1364, 1368, 1372, 65536};
	static const char *const iterations[] = {"0", "1", "10000001", "2147483648", ""};
	struct line line;
	for (size_t n = 0; n < sizeof(nonces) / sizeof(*nonces); n++) {
		for (size_t s = 0; s < sizeof(salts) / sizeof(*salts); s++) {
			for (size_t i = 0; i < sizeof(iterations) / sizeof(*iterations); i++) {
				struct pgm_server_auth auth = {0};
				pgm_server_auth_begin(&auth, &own);
				assert_int_equal(STEP(&auth, &line, "\0\0\0\12SCRAM-SHA-256\0\0"),
						 PGM_AUTH_CONTINUE);
				size_t at = 4;
				memcpy(message, "\0\0\0\13", 4);
				at += (size_t)snprintf(message + at, 100, "r=%s", auth.scram->nonce);
				memset(message + at, 'n', nonces[n]);
				at += nonces[n];
				at += (size_t)snprintf(message + at, 10, ",s=");
				memset(message + at, 'A', salts[s]);
				if (salts[s] == 1368) /* 1024 bytes */
					memset(message + at + 1366, '=', 2);
				at += salts[s];
				at += (size_t)snprintf(message + at, 20, ",i=%s", iterations[i]);
				bool good = nonces[n] > 0 && nonces[n] + 24 <= 1024 && salts[s] > 0 &&
					    salts[s] <= 1368 && i == 1;
				assert_int_equal(server_step(&auth, &line, message, at),
						 good ? PGM_AUTH_CONTINUE : PGM_AUTH_FAILED);
				pgm_server_auth_done(&auth);
			}
		}
	}
}

/* Where the writer has no room the login fails; nothing is half-written. */
static void test_no_room(void **state)
{
	(void)state;
	struct pgm_server_secret own = {.user = "bob", .secret = "pencil"};
	uint8_t bytes[64];
	for (size_t room = 0; room < 40; room++) {
		struct pgm_client_auth client = {0};
		struct pgm_writer writer = pgm_writer_over(bytes, room);
		enum pgm_auth_verdict verdict =
			pgm_client_auth_begin(&client, PGM_AUTH_SCRAM, "bob", VERIFIER, NULL, 0, &writer);
		assert_int_equal(verdict, room < 24 ? PGM_AUTH_FAILED : PGM_AUTH_CONTINUE);
		assert_int_equal(pgm_writer_length(&writer), room < 24 ? 0 : 24);
		pgm_client_auth_done(&client);
		struct pgm_server_auth server = {0};
		pgm_server_auth_begin(&server, &own);
		writer = pgm_writer_over(bytes, room);
		verdict = pgm_server_auth_step(&server, (const uint8_t *)"\0\0\0\5abcd", 8, &writer);
		assert_int_equal(verdict, room < 41 ? PGM_AUTH_FAILED : PGM_AUTH_CONTINUE);
		pgm_server_auth_done(&server);
	}
	char password[PGM_AUTH_OUT_MAX + 1];
	memset(password, 'p', sizeof(password));
	password[PGM_AUTH_OUT_MAX] = 0;
	own.secret = password;
	struct pgm_server_auth server = {0};
	struct line line;
	pgm_server_auth_begin(&server, &own);
	assert_int_equal(STEP(&server, &line, "\0\0\0\3"), PGM_AUTH_FAILED);
	assert_string_equal(server.message, "the answer to the server is too long");
	pgm_server_auth_done(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_method_with_every_secret),
		cmocka_unit_test(test_methods_without_passwords),
		cmocka_unit_test(test_keys_are_passed_through),
		cmocka_unit_test(test_cached_keys),
		cmocka_unit_test(test_unknown_users_look_like_others),
		cmocka_unit_test(test_long_user_in_a_message),
		cmocka_unit_test(test_password_messages),
		cmocka_unit_test(test_malformed_sasl),
		cmocka_unit_test(test_first_message_comes_later),
		cmocka_unit_test(test_hostile_servers),
		cmocka_unit_test(test_hostile_challenges),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
