#include "../cmocka_all.h"

#include "wire/scram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(text) (const uint8_t *)(text), strlen(text)

static const uint8_t binding[32] = "0123456789abcdef0123456789abcde";

/* RFC 7677, section 3 */
static const char rfc_bare[] = "n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char rfc_server_first[] =
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char rfc_client_final[] = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				       "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char rfc_server_final[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
/* of "pencil" with that salt, made by PostgreSQL's formula with Python's hashlib */
static const char rfc_verifier[] =
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static void test_vector_of_the_client(void **state)
{
	(void)state;
	struct pgm_scram_client scram = {.password = "pencil"};
	char out[512];
	const char *why = NULL;
	strcpy(scram.first_bare, rfc_bare);
	strcpy(scram.nonce, "rOprNGfwEbeRWgbNEkqO");
	assert_true(pgm_scram_client_final(&scram, BYTES(rfc_server_first), out, sizeof(out), &why));
	assert_string_equal(out, rfc_client_final);
	assert_true(pgm_scram_client_verify(&scram, BYTES(rfc_server_final), &why));
	char wrong[sizeof(rfc_server_final)];
	memcpy(wrong, rfc_server_final, sizeof(wrong));
	wrong[4] ^= 1;
	assert_false(pgm_scram_client_verify(&scram, BYTES(wrong), &why));
	assert_string_equal(why, "incorrect server signature");
}

static void test_vector_of_the_server(void **state)
{
	(void)state;
	struct pgm_scram_server scram = {0};
	char out[512];
	const char *why = NULL;
	bool malformed = true;
	assert_true(pgm_scram_read_verifier(rfc_verifier, &scram.verifier));
	assert_int_equal(scram.verifier.iterations, 4096);
	assert_int_equal(scram.verifier.salt_length, 16);
	strcpy(scram.first_bare, rfc_bare);
	strcpy(scram.server_first, rfc_server_first);
	strcpy(scram.nonce, "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	strcpy(scram.gs2, "n,,");
	assert_true(
		pgm_scram_server_final(&scram, BYTES(rfc_client_final), out, sizeof(out), &malformed, &why));
	assert_string_equal(out, rfc_server_final);
}

static void test_verifiers_that_are_none(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"md5",
		"SCRAM-SHA-256",
		"SCRAM-SHA-256$",
		"SCRAM-SHA-256$4096",
		"SCRAM-SHA-256$4096:",
		"SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$10000001:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
		":"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d:"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
		"AAAA",
	};
	struct pgm_scram_verifier verifier;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(pgm_scram_read_verifier(wrong[i], &verifier));
	for (size_t cut = 0; cut < sizeof(rfc_verifier) - 1; cut++) {
		char *text = strndup(rfc_verifier, cut);
		assert_false(pgm_scram_read_verifier(text, &verifier));
		free(text);
	}
}

/* Both roles, through all four messages. Whether the client's password was right. */
static bool exchange(struct pgm_scram_server *server, struct pgm_scram_client *client, const char *mechanism)
{
	char first[256], final[PGM_SCRAM_MESSAGE_MAX], last[128];
	const char *why = NULL;
	bool malformed = true;
	assert_true(pgm_scram_client_first(client, first, sizeof(first)));
	assert_true(pgm_scram_server_first(server, mechanism, BYTES(first), &why));
	assert_true(pgm_scram_client_final(client, BYTES(server->server_first), final, sizeof(final), &why));
	if (!pgm_scram_server_final(server, BYTES(final), last, sizeof(last), &malformed, &why)) {
		assert_false(malformed);
		assert_string_equal(why, "password authentication failed");
		return false;
	}
	assert_true(pgm_scram_client_verify(client, BYTES(last), &why));
	assert_memory_equal(&server->keys, &client->used, sizeof(server->keys));
	return true;
}

static void test_both_roles(void **state)
{
	(void)state;
	static const char *const passwords[] = {"", "x", "p\xc3\xa4ss", "\xff\xfe", "with , and = \n"};
	for (size_t i = 0; i < 5; i++) {
		for (int bound = 0; bound < 3; bound++) {
			struct pgm_scram_server server = {0};
			struct pgm_scram_client client = {.password = passwords[i], .tls = bound == 1};
			assert_true(pgm_scram_make_verifier(passwords[i], &server.verifier));
			if (bound == 2) {
				server.binding = client.binding = binding;
				server.binding_length = client.binding_length = sizeof(binding);
			}
			assert_true(exchange(&server, &client,
					     bound == 2 ? PGM_SCRAM_MECHANISM_PLUS : PGM_SCRAM_MECHANISM));
			/* what the client proved logs in elsewhere */
			struct pgm_scram_keys keys = server.keys;
			struct pgm_scram_server again = {.verifier = server.verifier};
			struct pgm_scram_client with_keys = {.keys = &keys};
			assert_true(exchange(&again, &with_keys, PGM_SCRAM_MECHANISM));
			struct pgm_scram_server third = {.verifier = server.verifier};
			struct pgm_scram_client other = {.password = "other"};
			assert_false(exchange(&third, &other, PGM_SCRAM_MECHANISM));
			struct pgm_scram_server mock = {.verifier = server.verifier, .mock = true};
			assert_false(exchange(&mock, &with_keys, PGM_SCRAM_MECHANISM));
		}
	}
	char *longest = malloc(1 << 20);
	memset(longest, 'p', (1 << 20) - 1);
	longest[(1 << 20) - 1] = 0;
	struct pgm_scram_server server = {0};
	struct pgm_scram_client client = {.password = longest};
	assert_true(pgm_scram_make_verifier(longest, &server.verifier));
	assert_true(exchange(&server, &client, PGM_SCRAM_MECHANISM));
	free(longest);
}

/* A certificate in the middle has another hash. */
static void test_binding_of_another_certificate(void **state)
{
	(void)state;
	static const uint8_t other[32] = "another";
	struct pgm_scram_server server = {.binding = binding, .binding_length = sizeof(binding)};
	struct pgm_scram_client client = {.password = "p", .binding = other, .binding_length = sizeof(other)};
	char first[256], final[512], last[128];
	const char *why = NULL;
	bool malformed = false;
	assert_true(pgm_scram_make_verifier("p", &server.verifier));
	assert_true(pgm_scram_client_first(&client, first, sizeof(first)));
	assert_true(pgm_scram_server_first(&server, PGM_SCRAM_MECHANISM_PLUS, BYTES(first), &why));
	assert_true(pgm_scram_client_final(&client, BYTES(server.server_first), final, sizeof(final), &why));
	assert_false(pgm_scram_server_final(&server, BYTES(final), last, sizeof(last), &malformed, &why));
	assert_string_equal(why, "SCRAM channel binding check failed");
	assert_string_equal(server.sqlstate, "28000");
}

static void test_mock_verifier_is_stable(void **state)
{
	(void)state;
	struct pgm_scram_verifier one, again, other, real;
	pgm_scram_mock_verifier("one", &one);
	pgm_scram_mock_verifier("one", &again);
	pgm_scram_mock_verifier("other", &other);
	assert_true(pgm_scram_make_verifier("p", &real));
	assert_memory_equal(&one, &again, sizeof(one));
	assert_memory_not_equal(one.salt, other.salt, 16);
	assert_int_equal(one.salt_length, real.salt_length);
	assert_int_equal(one.iterations, real.iterations);
}

static void test_client_first_messages(void **state)
{
	(void)state;
	static const struct {
		bool tls;
		const char *mechanism, *message, *why, *detail;
	} cases[] = {
		{false, "SCRAM-SHA-256", "n,,n=,r=abc", NULL, NULL},
		{false, "SCRAM-SHA-256", "y,,n=,r=abc", NULL, NULL},
		{false, "SCRAM-SHA-256", "n,,n=u,r=abc,x=1,y=2", NULL, NULL},
		{true, "SCRAM-SHA-256", "n,,n=,r=abc", NULL, NULL},
		{true, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc", NULL, NULL},
		{false, "SCRAM-SHA-1", "n,,n=,r=abc",
		 "client selected an invalid SASL authentication mechanism", ""},
		{false, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc",
		 "client selected an invalid SASL authentication mechanism", ""},
		{true, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=abc",
		 "unsupported SCRAM channel-binding type", ""},
		{true, "SCRAM-SHA-256", "y,,n=,r=abc", "SCRAM channel binding negotiation error", NULL},
		{true, "SCRAM-SHA-256-PLUS", "n,,n=,r=abc", "malformed SCRAM message",
		 "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
		 "binding data."},
		{false, "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc", "malformed SCRAM message", NULL},
		{false, "SCRAM-SHA-256", "", "malformed SCRAM message", "The message is empty."},
		{false, "SCRAM-SHA-256", "x,,n=,r=abc", "malformed SCRAM message",
		 "Unexpected channel-binding flag \"x\"."},
		{false, "SCRAM-SHA-256", "n", "malformed SCRAM message",
		 "Comma expected, but found character \"0x00\"."},
		{false, "SCRAM-SHA-256", "n,a=u,n=,r=abc",
		 "client uses authorization identity, but it is not supported", ""},
		{false, "SCRAM-SHA-256", "n,z", "malformed SCRAM message",
		 "Unexpected attribute \"z\" in client-first-message."},
		{false, "SCRAM-SHA-256", "n,,m=1,n=,r=abc", "client requires an unsupported SCRAM extension",
		 ""},
		{false, "SCRAM-SHA-256", "n,,r=abc", "malformed SCRAM message",
		 "Expected attribute \"n\" but found \"r\"."},
		{false, "SCRAM-SHA-256", "n,,n,r=abc", "malformed SCRAM message",
		 "Expected character \"=\" for attribute \"n\"."},
		{false, "SCRAM-SHA-256", "n,,n=,r=a\nb", "non-printable characters in SCRAM nonce", ""},
		{false, "SCRAM-SHA-256", "n,,n=,r=a\x80", "non-printable characters in SCRAM nonce", ""},
		{false, "SCRAM-SHA-256", "n,,n=,r=abc,1=", "malformed SCRAM message",
		 "Attribute expected, but found invalid character \"1\"."},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_scram_server scram = {0};
		pgm_scram_mock_verifier("u", &scram.verifier);
		if (cases[i].tls) {
			scram.binding = binding;
			scram.binding_length = sizeof(binding);
		}
		const char *why = NULL;
		bool good = pgm_scram_server_first(&scram, cases[i].mechanism, BYTES(cases[i].message), &why);
		assert_int_equal(good, cases[i].why == NULL);
		if (good)
			continue;
		assert_string_equal(why, cases[i].why);
		assert_non_null(scram.sqlstate);
		if (cases[i].detail)
			assert_string_equal(scram.detail, cases[i].detail);
	}
}

static void test_nonces_of_any_length(void **state)
{
	(void)state;
	static char message[1 << 20];
	for (size_t length = 0; length < 5000; length += length < 970 || length > 1100 ? 61 : 1) {
		struct pgm_scram_server scram = {0};
		pgm_scram_mock_verifier("u", &scram.verifier);
		scram.verifier.salt_length = PGM_SCRAM_SALT_MAX;
		strcpy(message, "n,,n=,r=");
		memset(message + 8, 'x', length);
		const char *why = NULL;
		bool good = pgm_scram_server_first(&scram, PGM_SCRAM_MECHANISM, (uint8_t *)message,
						   8 + length, &why);
		assert_int_equal(good, length + 36 <= PGM_SCRAM_NONCE_MAX);
		if (good)
			assert_true(strlen(scram.nonce) == length + 24);
	}
	/* the same from a server, up to a megabyte */
	for (size_t length = 1; length < sizeof(message) - 200; length = length * 2 + 1) {
		struct pgm_scram_client scram = {.password = "p"};
		char out[PGM_SCRAM_MESSAGE_MAX];
		const char *why = NULL;
		assert_true(pgm_scram_client_first(&scram, out, sizeof(out)));
		int ours = snprintf(message, 200, "r=%s", scram.nonce);
		memset(message + ours, 'y', length);
		strcpy(message + ours + length, ",s=AAAA,i=1");
		bool good = pgm_scram_client_final(&scram, BYTES(message), out, sizeof(out), &why);
		assert_int_equal(good, length + 24 <= PGM_SCRAM_NONCE_MAX);
		/* and no room for the answer */
		for (size_t room = 0; good && length == 1 && room < strlen(out) + 1; room++) {
			char *small = malloc(room ? room : 1);
			assert_false(pgm_scram_client_final(&scram, BYTES(message), small, room, &why));
			free(small);
		}
	}
}

static void test_server_first_messages(void **state)
{
	(void)state;
	static const struct {
		const char *rest, *why; /* behind r= and the client's nonce */
	} cases[] = {
		{"x,s=AA==,i=1", NULL},
		{"x,s=AAAA,i=20000", NULL},
		{",s=AAAA,i=1", "invalid SCRAM response (nonce mismatch)"},
		{"x", "malformed SCRAM message (invalid salt)"},
		{"x,s=,i=1", "malformed SCRAM message (invalid salt)"},
		{"x,s=A,i=1", "malformed SCRAM message (invalid salt)"},
		{"x,s=AA=A,i=1", "malformed SCRAM message (invalid salt)"},
		{"x,s=A===,i=1", "malformed SCRAM message (invalid salt)"},
		{"x,s=AA==AAAA,i=1", "malformed SCRAM message (invalid salt)"},
		{"x,s=AAAA", "malformed SCRAM message (invalid iteration count)"},
		{"x,s=AAAA,i=", "malformed SCRAM message (invalid iteration count)"},
		{"x,s=AAAA,i=0", "malformed SCRAM message (invalid iteration count)"},
		{"x,s=AAAA,i=-1", "malformed SCRAM message (invalid iteration count)"},
		{"x,s=AAAA,i=1x", "malformed SCRAM message (invalid iteration count)"},
		{"x,s=AAAA,i=10000001", "the server asks for more than 10000000 SCRAM iterations"},
		{"x,s=AAAA,i=2147483648", "the server asks for more than 10000000 SCRAM iterations"},
		{"x,s=AAAA,i=99999999999999999999",
		 "the server asks for more than 10000000 SCRAM iterations"},
		{"x,s=AAAA,i=1,", "malformed SCRAM message (garbage at end of server-first-message)"},
		{"x,s=AAAA,i=1,x=y", "malformed SCRAM message (garbage at end of server-first-message)"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_scram_client scram = {.password = "p"};
		char out[512], message[512];
		const char *why = NULL;
		assert_true(pgm_scram_client_first(&scram, out, sizeof(out)));
		snprintf(message, sizeof(message), "r=%s%s", scram.nonce, cases[i].rest);
		bool good = pgm_scram_client_final(&scram, BYTES(message), out, sizeof(out), &why);
		assert_int_equal(good, cases[i].why == NULL);
		if (!good)
			assert_string_equal(why, cases[i].why);
		if (!good)
			continue;
		/* cut at each byte, in memory of just that size */
		for (size_t cut = 0; cut < strlen(message); cut++) {
			uint8_t *copy = malloc(cut ? cut : 1);
			memcpy(copy, message, cut);
			if (pgm_scram_client_final(&scram, copy, cut, out, sizeof(out), &why))
				assert_true(strstr(message, ",i=") + 3 < message + cut);
			free(copy);
		}
	}
	static char salty[100000];
	for (size_t length = 1; length < 70000; length = length * 2 + (length < 4)) {
		struct pgm_scram_client scram = {.password = "p"};
		char out[512];
		const char *why = NULL;
		assert_true(pgm_scram_client_first(&scram, out, sizeof(out)));
		int at = snprintf(salty, 200, "r=%sx,s=", scram.nonce);
		memset(salty + at, 'A', (length + 2) / 3 * 4);
		at += (int)((length + 2) / 3 * 4);
		memset(salty + at - (3 - length % 3) % 3, '=', (3 - length % 3) % 3);
		strcpy(salty + at, ",i=2");
		assert_int_equal(pgm_scram_client_final(&scram, BYTES(salty), out, sizeof(out), &why),
				 length <= PGM_SCRAM_SALT_MAX);
	}
}

static void test_final_messages_cut_and_changed(void **state)
{
	(void)state;
	struct pgm_scram_server scram = {0};
	struct pgm_scram_client client = {.password = "p"};
	char first[256], final[512], last[128];
	const char *why = NULL;
	bool malformed;
	assert_true(pgm_scram_make_verifier("p", &scram.verifier));
	assert_true(pgm_scram_client_first(&client, first, sizeof(first)));
	assert_true(pgm_scram_server_first(&scram, PGM_SCRAM_MECHANISM, BYTES(first), &why));
	assert_true(pgm_scram_client_final(&client, BYTES(scram.server_first), final, sizeof(final), &why));
	size_t length = strlen(final);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		memcpy(copy, final, cut);
		assert_false(pgm_scram_server_final(&scram, copy, cut, last, sizeof(last), &malformed, &why));
		assert_true(malformed);
		free(copy);
	}
	/* Each byte as another: never a success. The last digit of the proof has two bits that count for
	 * nothing. */
	for (size_t at = 0; at + 2 < length; at++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			uint8_t copy[512];
			memcpy(copy, final, length);
			copy[at] ^= (uint8_t)flip;
			assert_false(pgm_scram_server_final(&scram, copy, length, last, sizeof(last),
							    &malformed, &why));
			assert_non_null(scram.sqlstate);
		}
	}
	assert_true(pgm_scram_server_final(&scram, BYTES(final), last, sizeof(last), &malformed, &why));
	for (size_t cut = 0; cut < strlen(last); cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		memcpy(copy, last, cut);
		assert_false(pgm_scram_client_verify(&client, copy, cut, &why));
		free(copy);
	}
	assert_false(pgm_scram_client_verify(&client, BYTES("e=other-error"), &why));
	assert_string_equal(why, "error received from server in SCRAM exchange");
	assert_true(pgm_scram_client_verify(&client, BYTES(last), &why));
}

static void test_md5(void **state)
{
	(void)state;
	char text[PGM_MD5_TEXT_BYTES], answer[PGM_MD5_TEXT_BYTES];
	assert_true(pgm_md5_password("secret", "bob", text));
	/* SELECT 'md5' || md5('secretbob') */
	assert_string_equal(text, "md521f3163f8f86fa10bdefbfbd502a8f06");
	assert_true(pgm_md5_is(text));
	assert_true(pgm_md5_answer(text, (const uint8_t *)"\1\2\3\4", answer));
	assert_string_equal(answer, "md5f21dfe33ff3a9e03dbc3e008251fe5cc");
	assert_false(pgm_md5_is("md5"));
	assert_false(pgm_md5_is("md521f3163f8f86fa10bdefbfbd502a8f0"));
	assert_false(pgm_md5_is("md521F3163F8F86FA10BDEFBFBD502A8F06"));
	assert_false(pgm_md5_answer("secret", (const uint8_t *)"\1\2\3\4", answer));
}

static void test_random(void **state)
{
	(void)state;
	uint8_t one[600], two[600];
	assert_true(pgm_random_bytes(one, sizeof(one)));
	assert_true(pgm_random_bytes(two, sizeof(two)));
	assert_memory_not_equal(one, two, sizeof(one));
	assert_false(pgm_secret_equal(one, two, sizeof(one)));
	assert_true(pgm_secret_equal(one, one, sizeof(one)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_of_the_client),
		cmocka_unit_test(test_vector_of_the_server),
		cmocka_unit_test(test_verifiers_that_are_none),
		cmocka_unit_test(test_both_roles),
		cmocka_unit_test(test_binding_of_another_certificate),
		cmocka_unit_test(test_mock_verifier_is_stable),
		cmocka_unit_test(test_client_first_messages),
		cmocka_unit_test(test_nonces_of_any_length),
		cmocka_unit_test(test_server_first_messages),
		cmocka_unit_test(test_final_messages_cut_and_changed),
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
