#include "../cmocka_all.h"

#include "wire/startup.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t room[20000];
static struct pgm_first_packet packet;

/* A packet with this code and body, read from memory of just its size. It is leaked to the next call. */
static void read_packet(uint32_t code, const void *body, size_t length)
{
	static uint8_t *bytes;
	free(bytes);
	bytes = malloc(8 + length);
	assert_non_null(bytes);
	pgm_wire_put32(bytes, (uint32_t)(8 + length));
	pgm_wire_put32(bytes + 4, code);
	if (length)
		memcpy(bytes + 8, body, length);
	pgm_wire_read_first(bytes, 8 + length, &packet);
}

#define READ(code, text) read_packet(code, text, sizeof(text) - 1)
#define READ3(text)	 READ(PGM_WIRE_PROTOCOL_3_0, text)

static void wrong(const char *sqlstate, const char *message)
{
	assert_int_equal(packet.kind, PGM_FIRST_WRONG);
	assert_string_equal(packet.sqlstate, sqlstate);
	assert_string_equal(packet.message, message);
}

static void test_first_length(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
		int64_t expect;
	} cases[] = {
		{"", 0, 0},
		{"\0", 1, 0},
		{"\0\0\0", 3, 0},
		{"\0\0\0\10", 4, 0},
		{"\0\0\0\10\4\322\26", 7, 0},
		{"\0\0\0\10\4\322\26\57", 8, 8},
		{"\0\0\0\11\0\3\0\0\0", 9, 9},
		{"\0\0\0\7", 4, -1},
		{"\0\0\0\0", 4, -1},
		{"\177\377\377\377", 4, -1},
		{"\377\377\377\377", 4, -1},
		{"G", 1, -1},
		{"GET / HTTP/1.1\r\n", 16, -1},
		{"\26\3\1\2\0\1\0\1\374", 9, -1},
		{"\0\1", 2, -1},
		{"\0\0\047\024", 4, 0}, /* 10004 */
		{"\0\0\047\024\0\3\0\0", 8, 10004},
		{"\0\0\047\025", 4, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(pgm_wire_first_length((const uint8_t *)cases[i].bytes, cases[i].length),
				 cases[i].expect);
}

static void test_requests(void **state)
{
	(void)state;
	READ(PGM_WIRE_CODE_SSL, "");
	assert_int_equal(packet.kind, PGM_FIRST_SSL);
	READ(PGM_WIRE_CODE_GSSENC, "");
	assert_int_equal(packet.kind, PGM_FIRST_GSSENC);
	READ(PGM_WIRE_CODE_CANCEL, "\0\0\1\2abcd");
	assert_int_equal(packet.kind, PGM_FIRST_CANCEL);
	assert_int_equal(packet.cancel_pid, 0x102);
	assert_int_equal(packet.cancel_key_length, 4);
	assert_memory_equal(packet.cancel_key, "abcd", 4);
	uint8_t key[4 + 257] = {0};
	read_packet(PGM_WIRE_CODE_CANCEL, key, 4 + 256);
	assert_int_equal(packet.cancel_key_length, 256);
	read_packet(PGM_WIRE_CODE_CANCEL, key, 4 + 257);
	wrong("08P01", "invalid length of cancel key in cancel request packet");
	read_packet(PGM_WIRE_CODE_CANCEL, key, 4);
	wrong("08P01", "invalid length of cancel key in cancel request packet");
	read_packet(PGM_WIRE_CODE_CANCEL, key, 3);
	wrong("08P01", "invalid length of cancel request packet");
}

static void test_startup(void **state)
{
	(void)state;
	READ3("user\0u\0application_name\0x'; --\0database\0d\0_pq_.a\0001\0options\0-c "
	      "a=b\0_pq_.b\0\0a\0\0\0");
	assert_int_equal(packet.kind, PGM_FIRST_STARTUP);
	assert_int_equal(packet.protocol, PGM_WIRE_PROTOCOL_3_0);
	assert_string_equal(packet.user, "u");
	assert_string_equal(packet.database, "d");
	assert_string_equal(packet.options, "-c a=b");
	assert_null(packet.replication);
	assert_int_equal(packet.parameter_count, 4);
	assert_int_equal(packet.unknown_option_count, 2);
	assert_string_equal(packet.parameters[0].name, "_pq_.a");
	assert_string_equal(packet.parameters[1].name, "_pq_.b");
	assert_string_equal(packet.parameters[2].name, "application_name");
	assert_string_equal(packet.parameters[2].value, "x'; --");
	assert_string_equal(packet.parameters[3].name, "a");
	assert_string_equal(packet.parameters[3].value, "");
	READ3("user\0u\0database\0\0user\0w\0\0");
	assert_string_equal(packet.user, "w");
	assert_string_equal(packet.database, "w");
	READ(0x00030002, "user\0u\0\0");
	assert_int_equal(packet.kind, PGM_FIRST_STARTUP);
	READ(0x0003270f, "user\0u\0\0");
	assert_int_equal(packet.protocol & 0xffff, 9999);
	assert_int_equal(packet.kind, PGM_FIRST_STARTUP);
}

static void test_replication(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int expect; /* 1 yes, 0 no, -1 wrong */
	} cases[] = {{"database", 1}, {"true", 1}, {"T", 1},	  {"yes", 1}, {"on", 1},    {"1", 1},
		     {"false", 0},    {"n", 0},	   {"off", 0},	  {"0", 0},   {"of", 0},    {"o", -1},
		     {"", -1},	      {"2", -1},   {"truex", -1}, {"11", -1}, {"datab", -1}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int length = snprintf((char *)room, sizeof(room), "user%cu%creplication%c%s%c", 0, 0, 0,
				      cases[i].value, 0);
		read_packet(PGM_WIRE_PROTOCOL_3_0, room, (size_t)length + 1);
		assert_int_equal(packet.kind, cases[i].expect < 0 ? PGM_FIRST_WRONG : PGM_FIRST_STARTUP);
		if (cases[i].expect >= 0)
			assert_int_equal(packet.replication != NULL, cases[i].expect);
		else
			assert_string_equal(packet.sqlstate, "22023");
	}
}

static void test_wrong_packets(void **state)
{
	(void)state;
	static const char layout[] = "invalid startup packet layout: expected terminator as last byte";
	static const char no_user[] = "no PostgreSQL user name specified in startup packet";
	READ3("");
	wrong("08P01", layout);
	READ3("user\0u\0");
	wrong("08P01", layout);
	READ3("user\0u");
	wrong("08P01", layout);
	READ3("user\0");
	wrong("08P01", layout);
	READ3("user\0u\0odd\0\0");
	wrong("08P01", layout);
	READ3("user\0u\0\0x");
	wrong("08P01", layout);
	READ3("user\0u\0\0\0");
	wrong("08P01", layout);
	READ3("\0");
	wrong("28000", no_user);
	READ3("database\0d\0\0");
	wrong("28000", no_user);
	READ3("user\0\0\0");
	wrong("28000", no_user);
	READ(0x00020000, "anything");
	wrong("0A000", "unsupported frontend protocol 2.0: server supports 3.0 to 3.0");
	READ(0x00040001, "user\0u\0\0");
	wrong("0A000", "unsupported frontend protocol 4.1: server supports 3.0 to 3.0");
	READ(80877109, "");
	wrong("0A000", "unsupported frontend protocol 1234.5685: server supports 3.0 to 3.0");
	/* what is told and what is there differ */
	static const uint8_t longer[] = {0, 0, 0, 10, 0, 3, 0, 0, 0};
	for (size_t length = 0; length <= sizeof(longer); length++) {
		pgm_wire_read_first(longer, length, &packet);
		wrong("08P01", "invalid length of startup packet");
	}
}

static void test_long_values(void **state)
{
	(void)state;
	static const size_t lengths[] = {1, 63, 64, 1023, 1024, 9000};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memcpy(room, "user", 5);
		memset(room + 5, 0xff, lengths[i]);
		room[5 + lengths[i]] = room[6 + lengths[i]] = 0;
		read_packet(PGM_WIRE_PROTOCOL_3_0, room, 7 + lengths[i]);
		assert_int_equal(packet.kind, PGM_FIRST_STARTUP);
		assert_int_equal(strlen(packet.user), lengths[i]);
	}
	/* pairs: as many as there is room for, and one more */
	size_t at = 7;
	memcpy(room, "user\0u", 7);
	for (int i = 0; i < PGM_WIRE_PARAMETERS_MAX + 1; i++) {
		memcpy(room + at, i % 2 ? "_pq_.\0b" : "a\0b", i % 2 ? 8 : 4);
		at += i % 2 ? 8 : 4;
		room[at] = 0;
		read_packet(PGM_WIRE_PROTOCOL_3_0, room, at + 1);
		if (i < PGM_WIRE_PARAMETERS_MAX) {
			assert_int_equal(packet.parameter_count, i + 1);
			assert_int_equal(packet.unknown_option_count, (i + 1) / 2);
		}
	}
	wrong("54000", "too many parameters in startup packet");
}

static void test_truncated_at_each_byte(void **state)
{
	(void)state;
	static const char body[] =
		"user\0someone\0database\0db\0_pq_.x\0y\0options\0-c a=b\0replication\0no\0tz\0z\0";
	for (size_t cut = 0; cut < sizeof(body); cut++) {
		read_packet(PGM_WIRE_PROTOCOL_3_0, body, cut);
		assert_int_equal(packet.kind, PGM_FIRST_WRONG);
	}
	read_packet(PGM_WIRE_PROTOCOL_3_0, body, sizeof(body));
	assert_int_equal(packet.kind, PGM_FIRST_STARTUP);
}

struct seen {
	char text[1024];
	int stop_after; /* < 0: never */
};

static bool see(void *data, const char *name, const char *value)
{
	struct seen *seen = data;
	size_t length = strlen(seen->text);
	snprintf(seen->text + length, sizeof(seen->text) - length, "%s=%s;", name, value);
	return seen->stop_after < 0 || seen->stop_after-- > 0;
}

static void test_options(void **state)
{
	(void)state;
	static const struct {
		const char *options, *expect, *wrong;
	} cases[] = {
		{"", "", NULL},
		{"  \t\n", "", NULL},
		{"-c work_mem=64kB", "work_mem=64kB;", NULL},
		{"-cwork_mem=64kB  -c a=", "work_mem=64kB;a=;", NULL},
		{"--search_path=a\\ b", "search_path=a b;", NULL},
		{"--work-mem=x-y", "work_mem=x-y;", NULL},
		{"-c work-mem=x=y", "work_mem=x=y;", NULL},
		{"-c a=\\\\ -c b=\\", "a=\\;b=;", NULL},
		{"-e", "datestyle=euro;", NULL},
		{"-es -S 4MB", "datestyle=euro;log_statement_stats=true;work_mem=4MB;", NULL},
		{"-f s -fh -ft", "enable_seqscan=false;enable_hashjoin=false;enable_tidscan=false;", NULL},
		{"-tpa -t pl -te", "log_parser_stats=true;log_planner_stats=true;log_executor_stats=true;",
		 NULL},
		{"-d 2 -d0", "log_min_messages=debug2;log_statement=all;log_min_messages=notice;", NULL},
		{"-F -O -P", "fsync=false;allow_system_table_mods=true;ignore_system_indexes=true;", NULL},
		{"-n -T -D /tmp -v 3 -j -b -r x -C y -E", "", NULL},
		{"-c", "", "-c"},
		{"-c a=b -c", "a=b;", "-c"},
		{"-c a", "", "-c"},
		{"--", "", "--"},
		{"--a", "", "--a"},
		{"-", "", "-"},
		{"word", "", "word"},
		{"-c a=b word", "a=b;", "word"},
		{"-Z", "", "-Z"},
		{"-:", "", "-:"},
		{"-f x", "", "-f"},
		{"-f", "", "-f"},
		{"-tpx", "", "-tpx"},
		{"-t p", "", "-t"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct seen seen = {.stop_after = -1};
		size_t size = strlen(cases[i].options) + 1;
		char *scratch = malloc(size);
		const char *at_fault;
		bool good = pgm_wire_read_options(cases[i].options, scratch, size, see, &seen, &at_fault);
		assert_string_equal(seen.text, cases[i].expect);
		assert_int_equal(good, cases[i].wrong == NULL);
		if (!good)
			assert_string_equal(at_fault, cases[i].wrong);
		free(scratch);
	}
}

static void test_options_that_do_not_fit(void **state)
{
	(void)state;
	static const char options[] = "-c a=b -e  \\ ";
	const char *at_fault;
	for (size_t size = 0; size < 11; size++) {
		struct seen seen = {.stop_after = -1};
		char *scratch = malloc(size ? size : 1);
		assert_false(pgm_wire_read_options(options, scratch, size, see, &seen, &at_fault));
		assert_ptr_equal(at_fault, options);
		free(scratch);
	}
	struct seen seen = {.stop_after = 0};
	char scratch[64];
	assert_false(pgm_wire_read_options("-c a=b -e", scratch, sizeof(scratch), see, &seen, &at_fault));
	assert_null(at_fault);
	assert_string_equal(seen.text, "a=b;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_length),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_startup),
		cmocka_unit_test(test_replication),
		cmocka_unit_test(test_wrong_packets),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_truncated_at_each_byte),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_that_do_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
