/* The profile: eviction, samples, counted values, and its file. */
#include "../cmocka_all.h"

#include "pool/profile/profile.h"
#include "pool/profile/queries.h"
#include "pool/scan/scan.h"
#include "wire/wire.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char database[] = "shop", user[] = "app";

static struct pgm_profile_entry *find(struct pgm_profile *profile, const char *sql)
{
	struct pgm_scan scan;
	pgm_scan_sql(sql, strlen(sql), true, &scan);
	return pgm_profile_find(profile, scan.fingerprint, database, user, sql, strlen(sql), true);
}

static void run(struct pgm_profile *profile, const char *sql, uint64_t us)
{
	struct pgm_profile_call call = {.server_us = us,
					.wait_us = us / 10,
					.rows = 2,
					.bytes_out = 100,
					.sql = sql,
					.sql_length = strlen(sql)};
	pgm_profile_add(profile, find(profile, sql), &call);
}

static void calls_are_counted_by_statement(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_profile *workers[2] = {pgm_profile_new(100), pgm_profile_new(100)};
	for (int i = 0; i < 100; i++) {
		char sql[100];
		snprintf(sql, sizeof(sql), "SELECT * FROM orders WHERE status = '%s' AND id > %d",
			 i % 10 ? "pending" : "done", i);
		run(workers[i & 1], sql, 1000);
		run(workers[0], "SELECT 1", 10);
	}
	struct pgm_profile_call failed = {.failed = true, .sqlstate = "23505", .client_burst = 12};
	pgm_profile_add(workers[0], find(workers[0], "SELECT 2"), &failed);
	failed.client_burst = PGM_PROFILE_BURST;
	pgm_profile_add(workers[1], find(workers[1], "SELECT 2"), &failed);
	struct pgm_profile_snapshot *snapshot = pgm_profile_snapshot(arena, workers, 2);
	assert_int_equal(snapshot->row_count, 2);
	const struct pgm_profile_row *orders = snapshot->rows[0], *one = snapshot->rows[1];
	assert_string_equal(orders->query, "SELECT * FROM orders WHERE status = $1 AND id > $2");
	assert_string_equal(orders->database, "shop");
	assert_int_equal(orders->calls, 100);
	assert_int_equal(orders->rows, 200);
	assert_int_equal(orders->bytes_out, 10000);
	assert_int_equal(orders->server.sum_us, 100000);
	assert_int_equal(orders->wait.sum_us, 10000);
	assert_int_equal(orders->sample_count, 16);
	assert_string_equal(orders->values[0].top[0].literal, "'pending'");
	assert_int_equal(orders->values[0].looked, 100);
	assert_int_equal(orders->values[0].top[0].count, 90);
	assert_string_equal(orders->values[0].top[1].literal, "'done'");
	assert_int_equal(orders->values[0].top[1].count, 10);
	const char *cells[PGM_QUERIES_COLUMNS];
	pgm_queries_cells(arena, orders, cells);
	static const char *const shown[] = {
		"database",   "shop",	 "calls",	  "100",
		"total_ms",   "100.000", "mean_ms",	  "1.000",
		"max_ms",     "1.000",	 "wait_total_ms", "10.000",
		"n_plus_one", "0",	 "query",	  "SELECT * FROM orders WHERE status = ? AND id > ?"};
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i += 2) {
		size_t at = 0;
		while (at < PGM_QUERIES_COLUMNS && strcmp(pgm_queries_columns[at], shown[i]) != 0)
			at++;
		assert_in_range(at, 0, PGM_QUERIES_COLUMNS - 1);
		assert_string_equal(cells[at], shown[i + 1]);
	}
	assert_int_equal(one->calls, 102);
	assert_int_equal(one->errors, 2);
	assert_string_equal(one->sqlstates[0].code, "23505");
	assert_int_equal(one->sqlstates[0].count, 2);
	assert_int_equal(one->bursts, 1);
	assert_int_equal(one->burst_max, 12);
	pgm_profile_free(workers[0]);
	pgm_profile_free(workers[1]);
}

static void the_oldest_and_cheapest_give_way(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_profile *profile = pgm_profile_new(64);
	run(profile, "SELECT dear", 1000000);
	uint64_t generation = pgm_profile_generation(profile);
	for (int i = 0; i < 1000; i++) {
		char sql[64];
		snprintf(sql, sizeof(sql), "SELECT * FROM t%d", i);
		run(profile, sql, 100);
	}
	assert_int_equal(pgm_profile_generation(profile), generation + 1000 + 1 - 64);
	struct pgm_profile_snapshot *snapshot = pgm_profile_snapshot(arena, &profile, 1);
	assert_int_equal(snapshot->row_count, 65);
	assert_string_equal(snapshot->rows[0]->query, "SELECT dear");
	const struct pgm_profile_row *others = snapshot->rows[64];
	assert_null(others->database);
	assert_int_equal(others->calls, 1000 + 1 - 64);
	uint64_t calls = 0, us = 0;
	for (size_t i = 0; i < snapshot->row_count; i++) {
		calls += snapshot->rows[i]->calls;
		us += snapshot->rows[i]->server.sum_us;
	}
	assert_int_equal(calls, 1001);
	assert_int_equal(us, 1000000 + 100000);
	pgm_profile_free(profile);
}

static void parameters_are_sampled_and_counted(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_profile *profile = pgm_profile_new(10);
	static const char sql[] = "SELECT * FROM t WHERE b = $2 AND a = $1 LIMIT 5";
	static const uint32_t types[] = {23};
	struct pgm_profile_entry *entry = find(profile, sql);
	int wanted = 0;
	for (int i = 0; i < 10000; i++) {
		uint8_t bind[64];
		struct pgm_writer writer = pgm_writer_over(bind, sizeof(bind));
		const char *state_word = i % 20 ? "new" : "it's";
		pgm_writer_u16(&writer, 2);
		pgm_writer_u16(&writer, 1);
		pgm_writer_u16(&writer, 0);
		pgm_writer_u16(&writer, 2);
		pgm_writer_u32(&writer, 4);
		pgm_writer_u32(&writer, (uint32_t)-i);
		pgm_writer_u32(&writer, (uint32_t)strlen(state_word));
		pgm_writer_bytes(&writer, state_word, strlen(state_word));
		pgm_writer_u16(&writer, 0);
		struct pgm_profile_call call = {.server_us = i == 5000 ? 900 : 100,
						.sql = sql,
						.sql_length = strlen(sql),
						.parameter_types = types,
						.parameter_type_count = 1};
		bool look = pgm_profile_wants_sample(entry);
		wanted += look;
		if (look || i == 5000) {
			call.bind = bind;
			call.bind_length = pgm_writer_length(&writer);
		}
		pgm_profile_add(profile, entry, &call);
	}
	assert_in_range(wanted, 64 + 9936 / 16 - 100, 64 + 9936 / 16 + 100);
	struct pgm_profile_snapshot *snapshot = pgm_profile_snapshot(arena, &profile, 1);
	const struct pgm_profile_row *row = snapshot->rows[0];
	assert_string_equal(row->query, "SELECT * FROM t WHERE b = $1 AND a = $2 LIMIT $3");
	assert_int_equal(row->sample_count, 16);
	int late = 0;
	for (size_t i = 0; i < row->sample_count; i++) {
		int a = 1;
		const char *at = strstr(row->samples[i], "a = (-");
		assert_true(strstr(row->samples[i], "b = 'new'") || strstr(row->samples[i], "b = 'it''s'"));
		assert_true((at && sscanf(at, "a = (%d) LIMIT 5", &a) == 1 && a <= 0) ||
			    strstr(row->samples[i], "a = 0 "));
		late += a < -1000;
	}
	assert_true(late >= 8);
	assert_string_equal(row->slowest[0].sql, "SELECT * FROM t WHERE b = 'it''s' AND a = (-5000) LIMIT 5");
	assert_int_equal(row->slowest[0].us, 900);
	assert_string_equal(row->values[0].top[0].literal, "'new'");
	assert_true(row->values[0].top[0].count > row->values[0].looked * 85 / 100);
	assert_string_equal(row->values[2].top[0].literal, "5");
	assert_int_equal(row->values[2].top[0].count, row->values[2].looked);
	pgm_profile_free(profile);
}

static void transactions_are_timed(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_profile *profile = pgm_profile_new(10);
	for (int i = 0; i < 100; i++)
		pgm_profile_transaction(profile, database, i % 2 ? user : database, 1000, i % 2 ? 500 : 0);
	struct pgm_profile_snapshot *snapshot = pgm_profile_snapshot(arena, &profile, 1);
	assert_int_equal(snapshot->transaction_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct pgm_profile_transactions *item = &snapshot->transactions[i];
		assert_int_equal(item->total.count, 50);
		assert_int_equal(item->idle.sum_us, strcmp(item->user, "app") == 0 ? 25000 : 0);
	}
	pgm_profile_free(profile);
}

static json_t *saved(struct pgm_profile *profile, bool values, char *text, size_t size)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	char path[] = "/tmp/pgmend_profile_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0 && fchmod(fd, 0644) == 0 && close(fd) == 0);
	assert_true(pgm_profile_save(pgm_profile_snapshot(arena, &profile, 1), path, values, &err));
	struct stat status;
	assert_true(stat(path, &status) == 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	FILE *file = fopen(path, "r");
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
	unlink(path);
	return json_loads(text, 0, NULL);
}

static void a_saved_profile_shows_values_only_if_told(void **state)
{
	(void)state;
	static char text[1 << 16];
	struct pgm_profile *profile = pgm_profile_new(10);
	run(profile, "SELECT * FROM t WHERE card = 'hush' AND \"\xff\" = 1", 5000);
	json_t *json = saved(profile, false, text, sizeof(text));
	assert_non_null(json);
	assert_null(strstr(text, "hush"));
	assert_int_equal(json_integer_value(json_object_get(json, "pgmend_profile")), 1);
	json_decref(json);
	json = saved(profile, true, text, sizeof(text));
	json_t *row = json_array_get(json_object_get(json, "statements"), 0);
	const char *sample = json_string_value(json_array_get(json_object_get(row, "samples"), 0));
	assert_string_equal(sample, "SELECT * FROM t WHERE card = 'hush' AND \"?\" = 1");
	assert_int_equal(json_integer_value(json_object_get(row, "calls")), 1);
	json_decref(json);
	struct pgm_error err = {0};
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	assert_false(
		pgm_profile_save(pgm_profile_snapshot(arena, &profile, 1), "/nowhere/at/all", false, &err));
	assert_int_equal(err.kind, PGM_ERR_SYSTEM);
	pgm_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_counted_by_statement),
		cmocka_unit_test(the_oldest_and_cheapest_give_way),
		cmocka_unit_test(parameters_are_sampled_and_counted),
		cmocka_unit_test(transactions_are_timed),
		cmocka_unit_test(a_saved_profile_shows_values_only_if_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
