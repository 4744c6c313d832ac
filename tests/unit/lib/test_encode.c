/* What leaves the program, byte by byte; what the server makes of it is in
 * tests/integration/test_lib_batch.py. */
#include "../cmocka_all.h"

#include "lib/batch.h"
#include "util/utf8.h"

#include <stdio.h>
#include <stdlib.h>

static size_t put_utf8(unsigned char *at, uint32_t c)
{
	if (c < 0x80) {
		at[0] = (unsigned char)c;
		return 1;
	}
	size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char heads[] = {0, 0, 0xC0, 0xE0, 0xF0};
	for (size_t i = length; i-- > 1; c >>= 6)
		at[i] = (unsigned char)(0x80 | (c & 0x3F));
	at[0] = (unsigned char)(heads[length] | c);
	return length;
}

/* Every character, at every place within a word of the fast path; and each of its beginnings alone. */
static void test_utf8_takes_every_character(void **state)
{
	(void)state;
	unsigned char text[32];
	for (uint32_t c = 1; c <= 0x10FFFF; c++) {
		bool surrogate = c >= 0xD800 && c < 0xE000;
		size_t before = c % 9;
		memset(text, 'x', sizeof(text));
		size_t length = put_utf8(text + before, c);
		assert_int_equal(pgm_utf8_sound(text, sizeof(text)), surrogate ? before : sizeof(text));
		if (length > 1)
			assert_int_equal(pgm_utf8_sound(text, before + length - 1), before);
	}
}

static void test_utf8_refuses(void **state)
{
	(void)state;
	static const char *const wrong[] = {"\x80",
					    "\xBF",
					    "\xC0\x80",
					    "\xC1\xBF",
					    "\xE0\x9F\xBF",
					    "\xF0\x8F\xBF\xBF",
					    "\xF4\x90\x80\x80",
					    "\xF5\x80\x80\x80",
					    "\xFF",
					    "\xC3(",
					    "\xE2\x82(",
					    "\xED\xA0\x80"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		for (size_t before = 0; before < 9; before++) {
			char text[32];
			int length = snprintf(text, sizeof(text), "%.*s%s and more text", (int)before,
					      "abcdefghi", wrong[i]);
			assert_int_equal(pgm_utf8_sound((unsigned char *)text, (size_t)length), before);
		}
	assert_int_equal(pgm_utf8_sound((const unsigned char *)"0123\0"
							       "567",
					8),
			 4);
	assert_int_equal(pgm_utf8_sound((const unsigned char *)"01234567\0", 9), 8);
	assert_int_equal(pgm_utf8_sound((const unsigned char *)"", 0), 0);
}

/* numeric's binary form back to decimal digits, as numeric_out() has them. */
static void show_numeric(const struct pgm_bytes *bytes, char *text)
{
	int16_t words[64];
	assert_true(bytes->length <= sizeof(words) && bytes->length >= 8);
	for (size_t i = 0; i < bytes->length / 2; i++)
		words[i] = (int16_t)((bytes->data[i * 2] << 8) | bytes->data[i * 2 + 1]);
	int digits = words[0], weight = words[1], scale = words[3];
	assert_int_equal(bytes->length, 8 + 2 * (size_t)digits);
	assert_true(!digits || (words[4] && words[3 + digits])); /* no group of zeroes at either end */
	if (words[2])
		*text++ = '-';
	for (int group = weight < 0 ? 0 : weight; group >= 0; group--) {
		int at = weight - group;
		text += sprintf(text, group == (weight < 0 ? 0 : weight) ? "%d" : "%04d",
				at >= 0 && at < digits ? words[4 + at] : 0);
	}
	if (scale)
		*text++ = '.';
	for (int i = 0; i < scale; i++) {
		int at = weight + 1 + i / 4, value = at >= 0 && at < digits ? words[4 + at] : 0;
		static const int powers[] = {1000, 100, 10, 1};
		*text++ = (char)('0' + value / powers[i % 4] % 10);
	}
	*text = '\0';
}

static void test_numeric_from_integers(void **state)
{
	(void)state;
	uint64_t random = 1;
	for (int i = 0; i < 20000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		int64_t value = (int64_t)(random >> (random % 64));
		if (i % 3 == 0)
			value = value / 10000 * 10000;
		if (i % 2)
			value = -(value & INT64_MAX);
		int scale = i % 13;
		char plain[40], should[64], is[256];
		/* The digits with enough zeroes before them, and the point put in. */
		snprintf(plain, sizeof(plain), "%0*llu", scale + 1,
			 (unsigned long long)(value < 0 ? -value : value));
		snprintf(should, sizeof(should), "%s%.*s%s%s", value < 0 ? "-" : "",
			 (int)strlen(plain) - scale, plain, scale ? "." : "", plain + strlen(plain) - scale);
		struct pgm_bytes bytes = {0};
		struct pgm_refusal refusal = {0};
		assert_true(pgm_encode_numeric_int64(&bytes, value, scale, &refusal));
		show_numeric(&bytes, is);
		assert_string_equal(is, should);
		pgm_bytes_done(&bytes);
	}
}

static void test_numeric_from_doubles(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *should;
	} cases[] = {{0.1, "0.1"},
		     {-0.0, "0"},
		     {1e15, "1000000000000000"},
		     {123456.789, "123456.789"},
		     {1e-7, "0.0000001"},
		     {-2.5, "-2.5"},
		     {1e22, "10000000000000000000000"},
		     {0.00012345, "0.00012345"},
		     {10000, "10000"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char is[256];
		struct pgm_bytes bytes = {0};
		struct pgm_refusal refusal = {0};
		assert_true(pgm_encode_numeric_double(&bytes, cases[i].value, 15, &refusal));
		show_numeric(&bytes, is);
		assert_string_equal(is, cases[i].should);
		pgm_bytes_done(&bytes);
	}
}

static void test_copy_text(void **state)
{
	(void)state;
	struct pgm_bytes bytes = {0};
	struct pgm_refusal refusal = {0};
	int64_t smallest = INT64_MIN;
	double third = 1.0 / 3;
	assert_true(pgm_copy_text_field(&bytes, PGMEND_TEXT, "a\tb\\c\nd\r\b\f\v.", PGMEND_NTS, &refusal));
	assert_string_equal(pgm_bytes_string(&bytes), "a\\tb\\\\c\\nd\\r\\b\\f\\v.");
	bytes.length = 0;
	assert_true(pgm_copy_text_field(&bytes, PGMEND_INT64, &smallest, 0, &refusal));
	assert_string_equal(pgm_bytes_string(&bytes), "-9223372036854775808");
	bytes.length = 0;
	assert_true(pgm_copy_text_field(&bytes, PGMEND_FLOAT64, &third, 0, &refusal));
	assert_true(atof(pgm_bytes_string(&bytes)) == third);
	bytes.length = 0;
	assert_true(pgm_copy_text_field(&bytes, PGMEND_BYTES, "\0\xff\n", 3, &refusal));
	assert_string_equal(pgm_bytes_string(&bytes), "\\\\x00ff0a");
	assert_false(pgm_copy_text_field(&bytes, PGMEND_TEXT, "\xff", PGMEND_NTS, &refusal));
	assert_string_equal(refusal.sqlstate, "22021");
	pgm_bytes_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_takes_every_character),
		cmocka_unit_test(test_utf8_refuses),
		cmocka_unit_test(test_numeric_from_integers),
		cmocka_unit_test(test_numeric_from_doubles),
		cmocka_unit_test(test_copy_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
