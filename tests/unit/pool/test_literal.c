/* Parameters as literals; the binary forms are those that PostgreSQL 15's *_send() functions give. */
#include "../cmocka_all.h"

#include "pool/profile/literal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
	uint32_t type;
	const char *hex;
	const char *literal; /* NULL: none */
} rows[] = {
	{16, "01", "true"},
	{16, "00", "false"},
	{21, "fff9", "(-7)"},
	{23, "7fffffff", "2147483647"},
	{23, "80000000", "(-2147483648)"},
	{26, "ee6b2800", "4000000000"},
	{20, "8000000000000000", "(-9223372036854775808)"},
	{700, "3fc00000", "1.5"},
	{701, "81bac9a7b3b7302f", "(-2.5e-300)"},
	{701, "7ff8000000000000", "'NaN'"},
	{701, "fff0000000000000", "'-Infinity'"},
	{1700, "0000000000000000", "0"},
	{1700, "0003000140000003000109291a7c", "(-12345.678)"},
	{1700, "0001fffe0000000503e8", "0.00001"},
	{1700, "00010003000000000001", "1000000000000"},
	{1700, "0001fffd0000000b0078", "0.00000000012"},
	{1700, "000200000000000200632328", "99.90"},
	{1700, "00000000c0000000", "'NaN'"},
	{1700, "00000000d0000020", "'Infinity'"},
	{1700, "00010007000000000064", "1000000000000000000000000000000"},
	{25, "6974277320c3a9",
	 "'it''s \xc3\xa9"
	 "'"},
	{25, "", "''"},
	{1043, "615c62", "E'a\\\\b'"},
	{1042, "78", "'x'"},
	{19, "6e", "'n'"},
	{2950, "0123456789abcdef0123456789abcdef", "'01234567-89ab-cdef-0123-456789abcdef'"},
	{1082, "00002279", "'2024-02-29'"},
	{1082, "ffffd532", "'1969-12-31'"},
	{1082, "fff49d7b", "'0044-03-15 BC'"},
	{1082, "7fffffff", "'infinity'"},
	{1082, "002c95d3", "'9999-12-31'"},
	{1114, "0002b58341728608", "'2024-02-29 12:34:56.789'"},
	{1114, "fffffffffff0bdc0", "'1999-12-31 23:59:59'"},
	{1114, "8000000000000000", "'-infinity'"},
	{1114, "ff1fc63d1bb12000", "'0001-01-01 00:00:00 BC'"},
	{1184, "0002b581943f3401", "'2024-02-29 10:34:56.000001+00'"},
	{114, "7b2261223a20226227227d", "'{\"a\": \"b''\"}'"},
	{3802, "017b2261223a20317d", "'{\"a\": 1}'"},
	{17, "00ff", "E'\\\\x00ff'"},
	{17, "", "E'\\\\x'"},
	{1007, "0000000100000001000000170000000300000001000000040000000100000004fffffffeffffffff",
	 "'{1,-2,NULL}'"},
	{1007, "000000000000000000000017", "'{}'"},
	{1009,
	 "0000000100000001000000190000000700000001000000016100000003622063ffffffff000000044e554c4c00000003712"
	 "278000000066261636b5c7300000000",
	 "E'{a,\"b c\",NULL,\"NULL\",\"q\\\\\"x\",\"back\\\\\\\\s\",\"\"}'"},
	{1016, "0000000100000000000000140000000100000001000000080020000000000001", "'{9007199254740993}'"},
	{1000, "000000010000000000000010000000020000000100000001010000000100", "'{t,f}'"},
	{2951, "000000010000000000000b860000000100000001000000100123456789abcdef0123456789abcdef",
	 "'{01234567-89ab-cdef-0123-456789abcdef}'"},
	{1231,
	 "0000000100000000000006a400000002000000010000000c0002000000000002000113880000000800000000c0000000",
	 "'{1.50,NaN}'"},
	{1185, "0000000100000000000004a00000000100000001000000080002b0d5d4e94000",
	 "'{\"2024-01-01 00:00:00+00\"}'"},
	{1182, "00000001000000000000043a0000000100000001000000040000223e", "'{2024-01-01}'"},
	{1022, "0000000100000000000002bd0000000200000001000000083ff8000000000000000000087ff0000000000000",
	 "'{1.5,Infinity}'"},
	{1015, "00000001000000000000041300000001000000010000000469742773", "'{it''s}'"},
	{3807, "000000010000000000000eda000000010000000100000009017b2261223a20317d",
	 "E'{\"{\\\\\"a\\\\\": 1}\"}'"},
	{16, "0101", NULL},
	{21, "00", NULL},
	{23, "000001", NULL},
	{20, "", NULL},
	{1700, "0001", NULL},
	{1700, "ffff000000000000", NULL},
	{1700, "000100000000ffff0001", NULL},
	{2950, "00", NULL},
	{25, "610062", NULL},
	{3802, "027b7d", NULL},
	{600, "00000000000000000000000000000000", NULL},
	{1007, "0000000200000000000000170000000100000001", NULL},
	{1007, "000000010000000000000017ffffffff00000001", NULL},
	{1007, "00000001000000000000001700000002000000010000000400000001", NULL},
};

static size_t unhex(const char *hex, uint8_t *bytes)
{
	size_t length = strlen(hex) / 2;
	for (size_t i = 0; i < length; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return length;
}

static void binary_values_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t buffer[512], *bytes;
		char out[512], cut[512];
		size_t length = unhex(rows[i].hex, buffer);
		bytes = malloc(length ? length : 1);
		memcpy(bytes, buffer, length);
		struct pgm_bind_value value = {
			.bytes = bytes, .length = length, .type = rows[i].type, .binary = true};
		size_t written = pgm_bind_literal(&value, out, sizeof(out));
		if (!rows[i].literal && written)
			fail_msg("type %u, %s: %s", rows[i].type, rows[i].hex, out);
		if (rows[i].literal && (!written || strcmp(out, rows[i].literal) != 0))
			fail_msg("type %u, %s: %s, not %s", rows[i].type, rows[i].hex,
				 written ? out : "nothing", rows[i].literal);
		for (size_t size = 0; size <= written; size++)
			assert_int_equal(pgm_bind_literal(&value, cut, size), 0);
		free(bytes);
	}
}

static void check_text(uint32_t type, const char *text, const char *expected)
{
	char out[256];
	struct pgm_bind_value value = {
		.bytes = (const uint8_t *)text, .length = text ? strlen(text) : 0, .type = type};
	assert_int_equal(pgm_bind_literal(&value, out, sizeof(out)), strlen(expected));
	assert_string_equal(out, expected);
}

static void text_values_are_quoted(void **state)
{
	(void)state;
	check_text(0, "a", "'a'");
	check_text(0, "12", "'12'");
	check_text(23, "12", "12");
	check_text(23, "-12", "(-12)");
	check_text(23, "1; DROP TABLE t", "'1; DROP TABLE t'");
	check_text(23, "", "''");
	check_text(23, "-", "'-'");
	check_text(701, "1.5e-7", "1.5e-7");
	check_text(701, "1e", "'1e'");
	check_text(1700, "NaN", "'NaN'");
	check_text(25, "it's", "'it''s'");
	check_text(25, "a\\b'", "E'a\\\\b'''");
	check_text(16, "t", "true");
	check_text(25, NULL, "NULL");
}

static void check_bind(const char *sql, const char *hex, const char *expected)
{
	uint8_t buffer[256];
	char out[256];
	struct pgm_bind_values values;
	static const uint32_t types[] = {23, 25};
	size_t length = unhex(hex, buffer);
	uint8_t *bytes = malloc(length ? length : 1);
	memcpy(bytes, buffer, length);
	size_t written = pgm_bind_values(bytes, length, types, 2, &values)
				 ? pgm_bind_text(sql, strlen(sql), true, &values, out, sizeof(out))
				 : 0;
	assert_int_equal(written, expected ? strlen(expected) : 0);
	if (expected)
		assert_string_equal(out, expected);
	free(bytes);
}

static void values_take_the_place_of_parameters(void **state)
{
	(void)state;
	/* no formats: text; two values, "5" and "x" */
	const char two[] = "00000002000000013500000001780000";
	check_bind("SELECT $1, $2, '$1', $$ $1 $$ -- $1", two, "SELECT 5, 'x', '$1', $$ $1 $$ -- $1");
	check_bind("SELECT a FROM t LIMIT/**/$1FOR UPDATE", two, "SELECT a FROM t LIMIT/**/5 FOR UPDATE");
	check_bind("SELECT -$1",
		   "000100010001"
		   "00000004"
		   "fffffffb"
		   "0000",
		   "SELECT -(-5)");
	check_bind("SELECT $1",
		   "00000001"
		   "ffffffff"
		   "0000",
		   "SELECT NULL");
	check_bind("SELECT $3", two, NULL);
	check_bind("SELECT $0", two, NULL);
	check_bind("SELECT $99999999999999999999", two, NULL);
	check_bind("SELECT 1", "", NULL);
	check_bind("SELECT 1", "0000", NULL);
	check_bind("SELECT 1", "00000001", NULL);
	check_bind("SELECT 1", "0000000100000005", NULL);
	check_bind("SELECT 1", "00000001fffffff0", NULL);
	check_bind("SELECT 1", "ffff0001", NULL);
	check_bind("SELECT 1", "0002000100010001ffffffff", NULL);
	check_bind("SELECT 1", "0000ffff", NULL);
	check_bind("SELECT 1", "00000000", "SELECT 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binary_values_are_read),
		cmocka_unit_test(text_values_are_quoted),
		cmocka_unit_test(values_take_the_place_of_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
