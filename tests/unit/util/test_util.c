#include "../cmocka_all.h"

#include "util/arena.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/format.h"
#include "util/hash.h"
#include "util/term.h"
#include "util/utf8.h"
#include "util/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void arena_gives_zeroed_memory_of_any_size(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t size = 1; size < 300000; size = size * 3 + 1) {
		unsigned char *memory = pgm_arena_alloc(arena, size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xff, size);
	}
	pgm_arena_reset(arena);
	unsigned char *again = pgm_arena_alloc(arena, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(again[i], 0);
}

static jmp_buf exhausted_jump;

static void on_exhausted(size_t limit)
{
	assert_int_equal(limit, 200000);
	longjmp(exhausted_jump, 1);
}

static void arena_stops_at_its_limit(void **state)
{
	(void)state;
	struct pgm_arena *arena = pgm_arena_new(200000);
	pgm_arena_on_exhausted(on_exhausted);
	volatile int taken = 0;
	if (setjmp(exhausted_jump) == 0)
		for (;;) {
			pgm_arena_alloc(arena, 10000);
			taken++;
		}
	assert_in_range(taken, 10, 20);
	pgm_arena_free(arena);
}

static void vec_and_map_hold_what_they_got(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PGM_VEC(int) numbers = {0};
	struct pgm_map map;
	pgm_map_init(&map, arena);
	assert_null(pgm_map_get(&map, "0"));
	for (int i = 0; i < 1000; i++) {
		*pgm_vec_add(arena, &numbers) = i;
		pgm_map_set(&map, pgm_sprintf(arena, "%d", i), (void *)(intptr_t)(i + 1));
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(numbers.items[i], i);
		assert_int_equal((intptr_t)pgm_map_get(&map, pgm_sprintf(arena, "%d", i)), i + 1);
	}
	assert_null(pgm_map_get(&map, "1000"));
	assert_int_equal(map.count, 1000);
}

static void buf_grows(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (int i = 0; i < 500; i++)
		pgm_buf_printf(&buf, "%d,", i % 10);
	assert_int_equal(buf.length, 1000);
	assert_int_equal(strlen(buf.text), 1000);
}

static void error_context_goes_first(void **state)
{
	(void)state;
	struct pgm_error err = {0};
	assert_false(pgm_error_set(&err, PGM_ERR_QUERY, "relation \"%s\" does not exist", "t"));
	assert_false(pgm_error_hint(&err, "Look."));
	assert_false(pgm_error_context(&err, "reading %s", "x"));
	assert_string_equal(err.message, "reading x: relation \"t\" does not exist");
	assert_string_equal(err.hint, "Look.");
	for (int i = 0; i < 500; i++)
		pgm_error_context(&err, "deeper");
	assert_true(strlen(err.message) < sizeof(err.message));
}

static void sizes_and_times_parse(void **state)
{
	(void)state;
	struct pgm_error err;
	int64_t value;
	assert_true(pgm_parse_bytes("500MB", &value, &err));
	assert_int_equal(value, 500LL << 20);
	assert_true(pgm_parse_bytes("1.5 gb", &value, &err));
	assert_int_equal(value, 3LL << 29);
	assert_false(pgm_parse_bytes("-1", &value, &err));
	assert_false(pgm_parse_bytes("12 parsecs", &value, &err));
	assert_false(pgm_parse_bytes("", &value, &err));
	assert_int_equal(err.kind, PGM_ERR_USAGE);
	assert_true(pgm_parse_duration_ms("10", &value, &err));
	assert_int_equal(value, 10000);
	assert_true(pgm_parse_duration_ms("250ms", &value, &err));
	assert_int_equal(value, 250);
	assert_false(pgm_parse_duration_ms("nan", &value, &err));
}

static void quantities_read_well(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_string_equal(pgm_format_bytes(arena, 512), "512 bytes");
	assert_string_equal(pgm_format_bytes(arena, 1536), "1.5 kB");
	assert_string_equal(pgm_format_bytes(arena, 45.0 * (1 << 20)), "45 MB");
	assert_string_equal(pgm_format_ms(arena, 0.421), "0.42 ms");
	assert_string_equal(pgm_format_ms(arena, 250000), "4 min 10 s");
	assert_string_equal(pgm_format_count(arena, 4300), "4,300");
	assert_string_equal(pgm_format_ratio(arena, 42.4), "42x");
	assert_int_equal(pgm_term_cells("gr\xc3\xbc\xc3\x9f"), 4);
}

static void moments_are_the_clocks(void **state)
{
	(void)state;
	char stamp[PGM_CLOCK_STAMP_SIZE];
	assert_string_equal(pgm_clock_stamp_of(0, stamp), "1970-01-01T00:00:00Z");
	assert_string_equal(pgm_clock_stamp_of(1769903999, stamp), "2026-01-31T23:59:59Z");
	struct timespec moment = pgm_clock_moment(12345.5);
	assert_int_equal(moment.tv_sec, 12);
	assert_int_equal(moment.tv_nsec, 345500000);
	moment = pgm_clock_moment(13e3);
	assert_int_equal(moment.tv_sec, 13);
	assert_int_equal(moment.tv_nsec, 0);
}

static void a_condition_wakes_at_its_moment(void **state)
{
	(void)state;
	pthread_cond_t cond;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pgm_clock_cond_init(&cond);
	double until_ms = pgm_clock_ms() + 20;
	struct timespec until = pgm_clock_moment(until_ms);
	pthread_mutex_lock(&lock);
	while (pthread_cond_timedwait(&cond, &lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&cond);
	assert_true(pgm_clock_ms() >= until_ms - 1);
}

static void what_is_not_utf8_is_mended(void **state)
{
	(void)state;
	static const struct {
		const char *given, *mended;
	} rows[] = {
		{"", ""},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"caf\xe9", "caf?"},
		{"\xff\xfe t", "?? t"},
		{"cut \xe2\x82", "cut ??"},
		{"\xc0\xaf\xc3\xbc", "??\xc3\xbc"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[32];
		strcpy(text, rows[i].given);
		pgm_utf8_mend(text);
		assert_string_equal(text, rows[i].mended);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_zeroed_memory_of_any_size),
		cmocka_unit_test(arena_stops_at_its_limit),
		cmocka_unit_test(vec_and_map_hold_what_they_got),
		cmocka_unit_test(buf_grows),
		cmocka_unit_test(error_context_goes_first),
		cmocka_unit_test(sizes_and_times_parse),
		cmocka_unit_test(quantities_read_well),
		cmocka_unit_test(moments_are_the_clocks),
		cmocka_unit_test(a_condition_wakes_at_its_moment),
		cmocka_unit_test(what_is_not_utf8_is_mended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
