/* The history: what is put is found again, whatever happens in between. */
#include "../cmocka_all.h"

#include "made_snapshot.h"

#include "serve/history/growth.h"
#include "serve/history/parts.h"
#include "util/clock.h"
#include "util/embedded.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOON	INT64_C(1700049600000) /* of a day in 2023, UTC */
#define HOUR_MS 3600000
#define DAY_MS	86400000

static char folder[] = "/tmp/pgmend-history-XXXXXX";
static char path[64];

static void remove_file(void)
{
	char name[96];
	static const char *const ends[] = {"", "-wal", "-shm"};
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static int set_up(void **state)
{
	(void)state;
	remove_file();
	return 0;
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/h.db", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	remove_file();
	return rmdir(folder);
}

static struct pgm_history *open_history(int64_t limit_bytes)
{
	struct pgm_error err = {0};
	struct pgm_history *history = pgm_history_open(path, limit_bytes, &err);
	if (!history)
		fail_msg("%s", err.message);
	return history;
}

static void put(struct pgm_history *history, struct made *made)
{
	const struct pgm_snapshot *snapshot = made_end(made);
	pgm_history_put(history, snapshot);
	pgm_snapshot_release(snapshot);
}

static const char *const shop[] = {"5", "shop"};

/* One look each 10 s: a gauge that is i, a counter that grows by 50 each time. */
static void put_looks(struct pgm_history *history, int from, int to)
{
	for (int i = from; i < to; i++) {
		struct made made = made_begin("shop", NOON + (int64_t)i * 10000, 1e6 + i * 1e4);
		made_add(&made, "pgmend_sessions_active", NULL, i);
		made_add(&made, "pg_stat_database_xact_commit", shop, i * 50.0);
		put(history, &made);
		if (i % 500 == 499)
			pgm_history_flush(history);
	}
	pgm_history_flush(history);
}

static struct pgm_history_answer read_range(struct pgm_history *history, struct pgm_arena *arena,
					    const char *metric, int64_t from_ms, int64_t to_ms,
					    int64_t step_ms)
{
	struct pgm_error err = {0};
	struct pgm_history_answer answer;
	struct pgm_history_range range = {
		.target = "shop", .metric = metric, .from_ms = from_ms, .to_ms = to_ms, .step_ms = step_ms};
	if (!pgm_history_range(history, &range, arena, &answer, &err))
		fail_msg("%s", err.message);
	return answer;
}

static void cells_survive_packing(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_cell items[] = {
		{.series = 1, .count = 1, .min = 4, .sum = 4, .max = 4, .last = 4},
		{.series = 2, .reset = true},
		{.series = 70000, .count = 6, .min = -1.5, .sum = 30, .max = 1e300, .last = 7, .reset = true},
		{.series = UINT32_MAX, .count = UINT32_MAX, .min = 0, .sum = 0, .max = 0, .last = 0},
	};
	struct pgm_cells cells = {items, 4};
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_cells_pack(&cells, &buf);
	struct pgm_cells back = pgm_cells_unpack(arena, buf.text, buf.length);
	assert_int_equal(back.count, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(back.items[i].series, items[i].series);
		assert_int_equal(back.items[i].count, items[i].count);
		assert_int_equal(back.items[i].reset, items[i].reset);
		if (items[i].count)
			assert_true(back.items[i].min == items[i].min && back.items[i].sum == items[i].sum &&
				    back.items[i].max == items[i].max && back.items[i].last == items[i].last);
	}
	struct pgm_cell found;
	assert_true(pgm_cells_find(buf.text, buf.length, 70000, &found));
	assert_int_equal(found.count, 6);
	assert_false(pgm_cells_find(buf.text, buf.length, 3, &found));
	/* any beginning of it, and any bytes, are read without harm */
	for (size_t length = 0; length < buf.length; length++)
		assert_true(pgm_cells_unpack(arena, buf.text, length).count <= 4);
	uint64_t seed = 7;
	for (int round = 0; round < 2000; round++) {
		char junk[64];
		for (size_t i = 0; i < sizeof(junk); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			junk[i] = (char)(seed >> 40);
		}
		pgm_cells_unpack(arena, junk, sizeof(junk));
		pgm_statement_cells_unpack(arena, junk, sizeof(junk));
		pgm_arena_reset(arena);
	}
}

static void what_is_put_is_found(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	put_looks(history, 0, 720); /* two hours */
	struct pgm_history_answer raw =
		read_range(history, arena, "pgmend_sessions_active", NOON + 600000, NOON + 660000, 10000);
	assert_int_equal(raw.step_ms, 10000);
	assert_int_equal(raw.count, 1);
	assert_int_equal(raw.series[0].count, 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(raw.series[0].points[i].at_ms, NOON + 600000 + i * 10000);
		assert_true(raw.series[0].points[i].avg == 60 + i);
	}
	struct pgm_history_answer minutes =
		read_range(history, arena, "pgmend_sessions_active", NOON, NOON + HOUR_MS, 60000);
	assert_int_equal(minutes.series[0].count, 60);
	struct pgm_history_point tenth = minutes.series[0].points[10];
	assert_true(tenth.count == 6 && tenth.min == 60 && tenth.max == 65 && tenth.last == 65 &&
		    tenth.avg == 62.5);
	struct pgm_history_answer hours =
		read_range(history, arena, "pgmend_sessions_active", NOON, NOON + 2 * HOUR_MS, HOUR_MS);
	assert_int_equal(hours.series[0].count, 2);
	assert_true(hours.series[0].points[0].count == 360 && hours.series[0].points[0].avg == 179.5);
	/* the last ten minutes come from the minutes that are not yet added up */
	assert_true(hours.series[0].points[1].count == 360 && hours.series[0].points[1].max == 719);
	struct pgm_history_answer rate = read_range(history, arena, "pg_stat_database_xact_commit",
						    NOON + 60000, NOON + 120000, 60000);
	assert_true(rate.series[0].rate);
	assert_string_equal(rate.series[0].labels, "datid=\"5\",datname=\"shop\"");
	assert_true(fabs(rate.series[0].points[0].avg - 5) < 1e-9); /* 50 in 10 s */
	assert_int_equal(read_range(history, arena, "pg_up", NOON, NOON + HOUR_MS, 0).count, 0);
	pgm_history_close(history);
}

static void it_goes_on_after_a_restart(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	put_looks(history, 0, 400);
	pgm_history_close(history);
	history = open_history(0);
	put_looks(history, 400, 800);
	struct pgm_history_answer hours =
		read_range(history, arena, "pgmend_sessions_active", NOON, NOON + 2 * HOUR_MS, HOUR_MS);
	assert_int_equal(hours.series[0].points[0].count, 360);
	assert_int_equal(hours.series[0].points[1].count, 360);
	pgm_history_close(history);
}

static void a_reset_is_a_gap(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	const double values[] = {1000, 1100, 1200, 30, 130, 230};
	for (int i = 0; i < 6; i++) {
		struct made made = made_begin("shop", NOON + i * 10000, 1e6 + i * 1e4);
		made_add(&made, "pg_stat_database_xact_commit", shop, values[i]);
		if (i == 5)
			made.snapshot->marks = PGM_MARK_RESTART; /* it grew, but began anew in between */
		put(history, &made);
	}
	pgm_history_flush(history);
	struct pgm_history_answer answer =
		read_range(history, arena, "pg_stat_database_xact_commit", NOON, NOON + 60000, 10000);
	const struct pgm_history_point *points = answer.series[0].points;
	assert_int_equal(answer.series[0].count, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(points[i].reset, i == 2 || i == 4);
	assert_true(points[0].avg == 10 && points[1].avg == 10 && points[2].count == 0 &&
		    points[3].avg == 10 && points[4].count == 0);
	pgm_history_close(history);
}

static void put_marked_statements(struct pgm_history *history, int i, double calls,
				  const struct pgm_histogram *histogram, unsigned marks)
{
	struct made made = made_begin("shop", NOON + i * 30000, 1e6 + i * 3e4);
	made.snapshot->marks = marks;
	struct pgm_statement_row *rows = made_statements(&made, 2, histogram != NULL);
	struct pgm_histogram *copy = NULL;
	if (histogram) {
		copy = PGM_NEW(made.part->parts[0]->arena, struct pgm_histogram);
		*copy = *histogram;
	}
	rows[0] = (struct pgm_statement_row){.id = (uint64_t)-5,
					     .text = "SELECT $1 /* \xff */",
					     .user = "app",
					     .calls = calls,
					     .rows = calls * 2,
					     .total_ms = calls * 3,
					     .read_blocks = calls,
					     .histogram = copy};
	rows[1] = (struct pgm_statement_row){
		.id = 77, .text = i ? "SELECT 2" : "", .user = "app", .calls = 10, .total_ms = 10};
	put(history, &made);
}

static void put_statements(struct pgm_history *history, int i, double calls,
			   const struct pgm_histogram *histogram)
{
	put_marked_statements(history, i, calls, histogram, 0);
}

static void statements_are_changes(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	struct pgm_history_statement_list list;
	for (int i = 0; i < 10; i++)
		put_statements(history, i, 1000 + i * 100, NULL);
	pgm_history_flush(history);
	struct pgm_history_statements wanted = {.target = "shop", .from_ms = NOON, .to_ms = NOON + HOUR_MS};
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.count, 1); /* the other one did nothing */
	assert_string_equal(list.items[0].id, "-5");
	assert_string_equal(list.items[0].query, "SELECT $1 /* ? */");
	assert_int_equal(list.items[0].calls, 900);
	assert_int_equal(list.items[0].rows, 1800);
	assert_true(fabs(list.items[0].mean_ms - 3) < 0.01 && list.items[0].share == 1);
	assert_false(list.items[0].percentiles);
	/* five minutes of an hour: three of its thirtieths */
	assert_true(fabs(list.items[0].spark_ms[0] - 3) < 0.01 && isnan(list.items[0].spark_ms[20]));
	wanted.to_ms = NOON + 2 * DAY_MS; /* from the hours */
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.step_ms, HOUR_MS);
	assert_int_equal(list.items[0].calls, 900);
	wanted.to_ms = NOON + 60000; /* from one minute: the change at 30 s */
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.items[0].calls, 100);
	pgm_history_close(history);
}

/* Another connection string under the same name: what that database did before is of no known time. */
static void another_database_has_no_change(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	struct pgm_history_statement_list list;
	put_statements(history, 0, 1000, NULL);
	put_statements(history, 1, 1100, NULL);
	put_marked_statements(history, 2, 900000, NULL, PGM_MARK_FIRST);
	put_statements(history, 3, 900010, NULL);
	pgm_history_flush(history);
	struct pgm_history_statements wanted = {.target = "shop", .from_ms = NOON, .to_ms = NOON + HOUR_MS};
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.items[0].calls, 110);
	pgm_history_close(history);
}

static void percentiles_of_any_range(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	struct pgm_history_statement_list list;
	struct pgm_histogram sum = {0};
	/* five looks of quick calls, then five of slow ones */
	put_statements(history, 0, 1, &sum);
	for (int i = 1; i <= 10; i++) {
		for (int call = 0; call < 100; call++)
			pgm_histogram_add(&sum, i <= 5 ? 1000 : 50000);
		put_statements(history, i, 1 + i * 100, &sum);
	}
	pgm_history_flush(history);
	struct pgm_history_statements wanted = {.target = "shop", .from_ms = NOON, .to_ms = NOON + 120000};
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.source, PGM_HISTORY_POOL);
	assert_true(list.items[0].percentiles && list.items[0].p99_ms < 1.1 && list.items[0].p50_ms > 0.9);
	wanted.to_ms = NOON + HOUR_MS;
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_int_equal(list.items[0].calls, 1000);
	assert_true(list.items[0].p50_ms < 1.1 && list.items[0].p95_ms > 46 && list.items[0].p95_ms < 54);
	struct pgm_history_statement *one;
	struct pgm_history_statement_point *points;
	size_t count;
	assert_true(pgm_history_statement(history, &wanted, "-5", arena, &one, &points, &count, &err));
	assert_non_null(one);
	assert_int_equal(one->calls, 1000);
	assert_true(count >= 5 && points[0].p95_ms < 1.1 && points[count - 1].p50_ms > 46);
	assert_true(pgm_history_statement(history, &wanted, "4", arena, &one, &points, &count, &err));
	assert_null(one);
	assert_false(pgm_history_statement(history, &wanted, "x", arena, &one, &points, &count, &err));
	assert_int_equal(err.kind, PGM_ERR_USAGE);
	pgm_history_close(history);
}

static int64_t bytes_on_disk(void)
{
	char name[96];
	struct stat info;
	int64_t bytes = 0;
	static const char *const ends[] = {"", "-wal"};
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		if (stat(name, &info) == 0)
			bytes += info.st_size;
	}
	return bytes;
}

/* Much more than fits: the file stays within its limit, and the newest is there. */
static void the_limit_holds(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(PGM_HISTORY_LIMIT_MIN_BYTES);
	struct pgm_history_state now;
	const int looks = 2500;
	for (int i = 0; i < looks; i++) {
		struct made made = made_begin("shop", NOON + i * 10000, 1e6 + i * 1e4);
		for (int table = 0; table < 250; table++) {
			char name[32];
			snprintf(name, sizeof(name), "t%d", table);
			const char *const labels[] = {"shop", "public", name};
			made_add(&made, "pg_stat_user_tables_n_dead_tup", labels, i * 1.37 + table);
		}
		put(history, &made);
		if (i % 100 == 99) {
			pgm_history_flush(history);
			assert_true(bytes_on_disk() <= PGM_HISTORY_LIMIT_MIN_BYTES);
		}
	}
	pgm_history_flush(history);
	pgm_history_state(history, &now);
	assert_false(now.paused);
	assert_int_equal(now.dropped, 0);
	assert_int_equal(now.written, looks);
	int64_t end = NOON + looks * 10000;
	struct pgm_history_answer answer =
		read_range(history, arena, "pg_stat_user_tables_n_dead_tup", end - 600000, end, 10000);
	assert_int_equal(answer.series[0].count, 60);
	/* the raw ones of the beginning went first: there are coarser ones in their place */
	answer = read_range(history, arena, "pg_stat_user_tables_n_dead_tup", NOON, NOON + 600000, 10000);
	if (answer.step_ms < 60000 || !answer.count)
		fail_msg("%lld ms, %zu series", (long long)answer.step_ms, answer.count);
	pgm_history_close(history);
}

static int64_t number_in_file(const char *sql)
{
	struct pgm_error err = {0};
	struct pgm_db db;
	int64_t number = -1;
	assert_true(pgm_db_open(&db, path, PGM_DB_READS, &err));
	assert_true(pgm_db_number(&db, sql, 0, NULL, &number, &err));
	pgm_db_close(&db);
	return number;
}

#define NEW_STATEMENTS 400

/* One statement that always comes, and many that never come again, with long texts. */
static void put_new_statements(struct pgm_history *history, int look)
{
	static char text[8000];
	struct made made = made_begin("shop", NOON + 2 * HOUR_MS + look * 30000, 1e7 + look * 3e4);
	struct pgm_statement_row *rows = made_statements(&made, 1 + NEW_STATEMENTS, false);
	memset(text, 'x', sizeof(text) - 1);
	rows[0] = (struct pgm_statement_row){
		.id = 1, .text = "SELECT 1", .user = "app", .calls = look, .total_ms = look * 1e3};
	for (int i = 1; i <= NEW_STATEMENTS; i++)
		rows[i] = (struct pgm_statement_row){.id = (uint64_t)(1000 + look * NEW_STATEMENTS + i),
						     .text = text,
						     .user = "app",
						     .calls = 1,
						     .total_ms = 1};
	put(history, &made);
}

/* Texts of statements that never come again go themselves: not all else for them, and nothing pauses. */
static void texts_do_not_drive_out_the_rest(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(PGM_HISTORY_LIMIT_MIN_BYTES);
	struct pgm_error err = {0};
	struct pgm_history_state now;
	struct pgm_history_statement_list list;
	const int looks = 150;
	put_looks(history, 0, 720); /* two hours */
	for (int i = 0; i < looks; i++) {
		put_new_statements(history, i);
		if (i % 10 == 9) {
			pgm_history_flush(history);
			assert_true(bytes_on_disk() <= PGM_HISTORY_LIMIT_MIN_BYTES);
		}
	}
	pgm_history_flush(history);
	pgm_history_state(history, &now);
	if (now.paused)
		fail_msg("%s", now.why);
	assert_int_equal(now.dropped, 0);
	assert_int_equal(now.written, 720 + looks);
	struct pgm_history_answer answer =
		read_range(history, arena, "pgmend_sessions_active", NOON, NOON + 600000, 10000);
	assert_true(answer.count == 1 && answer.step_ms == 10000 && answer.series[0].count == 60);
	int64_t end = NOON + 2 * HOUR_MS + looks * 30000;
	struct pgm_history_statements wanted = {
		.target = "shop", .from_ms = end - 600000, .to_ms = end, .limit = 5000};
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	assert_string_equal(list.items[0].query, "SELECT 1");
	/* those whose texts are gone are one row; an hour has no more of them than a thousand */
	wanted.from_ms = NOON;
	assert_true(pgm_history_statements(history, &wanted, arena, &list, &err));
	size_t others = 0;
	for (size_t i = 0; i < list.count; i++) {
		others += list.items[i].others;
		assert_true(list.items[i].others == !list.items[i].id[0]);
	}
	assert_int_equal(others, 1);
	pgm_history_close(history);
	assert_true(number_in_file("SELECT max(length(cells)) FROM statement_hours") < 20000);
	assert_true(number_in_file("SELECT sum(length(query)) FROM statements") <
		    PGM_HISTORY_LIMIT_MIN_BYTES / 2);
}

/* A disk that is full: writes fail, the history pauses and says so, and goes on when there is room again. */
static void a_full_disk_pauses_it(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_history_state now;
	struct rlimit old, small;
	put_looks(history, 0, 10);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put_looks(history, 10, 20);
	pgm_history_state(history, &now);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_true(now.paused);
	assert_true(strlen(now.why) > 10);
	assert_int_equal(now.dropped, 10);
	/* what was written can be read, and the first look after the pause is written */
	assert_int_equal(read_range(history, arena, "pgmend_sessions_active", NOON, NOON + HOUR_MS, 10000)
				 .series[0]
				 .count,
			 10);
	pgm_history_retry(history);
	put_looks(history, 20, 30);
	pgm_history_state(history, &now);
	assert_false(now.paused);
	assert_int_equal(now.written, 20);
	assert_int_equal(read_range(history, arena, "pgmend_sessions_active", NOON, NOON + HOUR_MS, 10000)
				 .series[0]
				 .count,
			 20);
	pgm_history_close(history);
}

static void one_process_has_the_file(void **state)
{
	(void)state;
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	assert_null(pgm_history_open(path, 0, &err));
	assert_non_null(strstr(err.message, "another pgmend serve"));
	assert_int_equal(err.kind, PGM_ERR_STATE);
	put_looks(history, 0, 5); /* the refusal took no lock away */
	struct pgm_history_state now;
	pgm_history_state(history, &now);
	assert_int_equal(now.written, 5);
	pgm_history_close(history);
	pgm_history_close(open_history(0));
}

static void write_file(const char *bytes, size_t length, off_t at)
{
	int file = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(pwrite(file, bytes, length, at), (ssize_t)length);
	close(file);
}

static void expect_refusal(const char *words)
{
	struct pgm_error err = {0};
	struct stat before, after;
	assert_int_equal(stat(path, &before), 0);
	assert_null(pgm_history_open(path, 0, &err));
	if (!strstr(err.message, words))
		fail_msg("%s", err.message);
	assert_int_equal(err.kind, PGM_ERR_STATE);
	assert_true(err.hint[0]);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size); /* it is left alone */
}

static void what_is_no_history_is_refused(void **state)
{
	(void)state;
	struct pgm_error err = {0};
	struct pgm_db db;
	char text[5000];
	memset(text, 'x', sizeof(text));
	write_file(text, sizeof(text), 0);
	expect_refusal("damaged");
	remove_file();
	/* somebody else's SQLite file */
	write_file("", 0, 0);
	assert_true(pgm_db_open(&db, path, PGM_DB_SAMPLES, &err));
	assert_true(pgm_db_exec(&db, "CREATE TABLE theirs (a INTEGER)", &err));
	pgm_db_close(&db);
	expect_refusal("another kind");
	remove_file();
	/* of a later version */
	pgm_history_close(open_history(0));
	assert_true(pgm_db_open(&db, path, PGM_DB_SAMPLES, &err));
	assert_true(pgm_db_exec(&db, "PRAGMA user_version = 99", &err));
	pgm_db_close(&db);
	expect_refusal("newer");
	assert_null(pgm_history_open("/nowhere/at/all.db", 0, &err));
	assert_int_equal(err.kind, PGM_ERR_SYSTEM);
}

static void a_damaged_file_is_refused(void **state)
{
	(void)state;
	struct pgm_history *history = open_history(0);
	put_looks(history, 0, 300);
	pgm_history_close(history);
	char junk[4096];
	memset(junk, 0xa5, sizeof(junk));
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	for (off_t page = 2; page < info.st_size / 4096; page += 2)
		write_file(junk, sizeof(junk), page * 4096);
	expect_refusal("damaged");
}

static void an_older_file_is_brought_up_to_date(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_db db;
	write_file("", 0, 0);
	assert_true(pgm_db_open(&db, path, PGM_DB_SAMPLES, &err));
	assert_true(pgm_db_exec(&db, pgm_embedded_text("serve/history/schema_1.sql"), &err));
	assert_true(pgm_db_exec(&db,
				"PRAGMA application_id = 1885826408; PRAGMA user_version = 1;"
				"INSERT INTO targets (id, name) VALUES (7, 'shop');"
				"INSERT INTO series (id, target, metric, labels, rate, seen_ms) VALUES"
				" (3, 7, 'old', '', 0, 0);"
				"INSERT INTO hours VALUES (3, 1700049600000, 2, 0, 1, 4, 3, 3)",
				&err));
	pgm_db_close(&db);
	struct pgm_history *history = open_history(0);
	struct pgm_history_answer answer = read_range(history, arena, "old", NOON, NOON + HOUR_MS, HOUR_MS);
	assert_true(answer.count == 1 && answer.series[0].points[0].avg == 2);
	assert_true(pgm_history_record_put(history, "job", "1", 5, "{}", &err));
	pgm_history_close(history);
	assert_int_equal(number_in_file("PRAGMA user_version"), PGM_STORE_VERSION);
}

/* A child writes until it is killed: whatever the moment, the file is whole and has what was said to be
 * written. */
static void kill_9_loses_nothing_written(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		int pipe_ends[2], said = 0, count = 0;
		assert_int_equal(pipe(pipe_ends), 0);
		pid_t child = fork();
		if (child == 0) {
			struct pgm_error err = {0};
			struct pgm_history *history = pgm_history_open(path, 0, &err);
			for (int i = round * 100000; history; i += 3) {
				put_looks(history, i, i + 3);
				int done = i + 3;
				if (write(pipe_ends[1], &done, sizeof(done)) < 0)
					_exit(1);
			}
			_exit(1);
		}
		close(pipe_ends[1]);
		while (count++ < 40 + round * 7)
			assert_int_equal(read(pipe_ends[0], &said, sizeof(said)), sizeof(said));
		kill(child, SIGKILL);
		while (read(pipe_ends[0], &count, sizeof(count)) == sizeof(count))
			said = count;
		waitpid(child, NULL, 0);
		close(pipe_ends[0]);
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		struct pgm_history *history = open_history(0);
		struct pgm_history_answer answer =
			read_range(history, arena, "pgmend_sessions_active",
				   NOON + round * INT64_C(1000000000), NOON + said * INT64_C(10000), 10000);
		assert_int_equal(answer.count, 1);
		assert_true(answer.series[0].points[answer.series[0].count - 1].last >= said - 1);
		pgm_history_close(history);
		struct pgm_error err = {0};
		struct pgm_db db;
		assert_true(pgm_db_open(&db, path, PGM_DB_READS, &err));
		sqlite3_stmt *check = pgm_db_prepare(&db, "PRAGMA integrity_check", &err);
		bool row;
		assert_true(check && pgm_db_step(&db, check, &row, &err) && row);
		assert_string_equal((const char *)sqlite3_column_text(check, 0), "ok");
		pgm_db_close(&db);
	}
}

/* Clocks that are put back or run ahead: nothing is lost, and small steps keep the order. */
static void clocks_may_jump(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	/* minutes since noon of ten looks, 10 s apart in truth */
	const double minutes[] = {0, 0.2, 0.4, -2, -1.8, 3, 20000, 20000.2, 5, 5.2};
	for (int i = 0; i < 10; i++) {
		struct made made = made_begin("shop", NOON + (int64_t)(minutes[i] * 60000), 1e6 + i * 1e4);
		made_add(&made, "pgmend_sessions_active", NULL, i);
		made_add(&made, "pg_stat_database_xact_commit", shop, i * 50.0);
		put(history, &made);
		pgm_history_flush(history);
	}
	struct pgm_history_answer answer =
		read_range(history, arena, "pgmend_sessions_active", NOON - HOUR_MS, NOON + HOUR_MS, 10000);
	const struct pgm_history_series *series = &answer.series[0];
	double before = -1;
	uint32_t samples = 0;
	for (size_t i = 0; i < series->count; i++) {
		assert_true(series->points[i].last > before);
		before = series->points[i].last;
		samples += series->points[i].count;
	}
	assert_int_equal(samples, 8); /* and two where the clock was far ahead */
	/* counters are measured by the other clock */
	answer = read_range(history, arena, "pg_stat_database_xact_commit", NOON - HOUR_MS, NOON + HOUR_MS,
			    10000);
	for (size_t i = 0; i < answer.series[0].count; i++)
		assert_true(fabs(answer.series[0].points[i].avg - 5) < 1e-9);
	int64_t rows;
	struct pgm_db *db = pgm_history_reader(history, &err);
	assert_true(pgm_db_number(db, "SELECT count(*) FROM raw", 0, NULL, &rows, &err));
	assert_int_equal(rows, 10);
	pgm_history_reader_done(history, db);
	pgm_history_close(history);
}

static void tables_grow_by_the_hour(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	struct pgm_growth_item *items;
	size_t count;
	for (int day = 0; day < 10; day++) {
		struct made made =
			made_begin("shop", NOON + (int64_t)day * DAY_MS, 1e6 + (double)day * DAY_MS);
		struct pgm_table_row *tables = made_tables(&made, 2);
		tables[0] = (struct pgm_table_row){
			.schema = "public", .name = "orders", .table_bytes = 1e6 + day * 1e5};
		tables[1] = (struct pgm_table_row){.schema = "public",
						   .name = "say \"hi\"",
						   .table_bytes = 5e6,
						   .index_bytes = day < 8 ? 0 : 1};
		put(history, &made);
	}
	pgm_history_flush(history);
	assert_true(pgm_history_growth(history, "shop", PGM_HISTORY_TABLE_BYTES, 10, arena, &items, &count,
				       &err));
	assert_int_equal(count, 2);
	assert_string_equal(items[0].labels, "schema=\"public\",table=\"orders\"");
	assert_true(items[0].growth.known && items[0].growth.days == 10);
	assert_true(fabs(items[0].growth.slope_per_day - 1e5) < 1 && items[0].growth.now == 1.9e6);
	assert_true(items[0].day_ago == 1.8e6 && items[0].week_ago == 1.2e6);
	assert_string_equal(items[1].labels, "schema=\"public\",table=\"say \\\"hi\\\"\"");
	assert_true(items[1].growth.slope_per_day == 0);
	pgm_history_close(history);
}

static void slopes_are_robust(void **state)
{
	(void)state;
	struct pgm_growth growth;
	struct pgm_growth_day days[30];
	for (int i = 0; i < 30; i++)
		days[i] = (struct pgm_growth_day){i, 100 + 7 * i};
	pgm_growth_of(days, 4, &growth);
	assert_false(growth.known);
	assert_string_equal(growth.why, "not enough history");
	pgm_growth_of(days, 30, &growth);
	assert_true(growth.known && growth.slope_per_day == 7 && growth.slope_low == 7 &&
		    growth.slope_high == 7);
	/* three days of a wrong measure bend a straight line by least squares, but not this one */
	days[3].value = days[17].value = days[29].value = 5000;
	pgm_growth_of(days, 30, &growth);
	assert_true(growth.slope_per_day > 6.9 && growth.slope_per_day < 7.6);
	assert_true(growth.slope_low <= 7 && growth.slope_high >= 7);
	assert_true(pgm_growth_days_to(100, 10, 200) == 10);
	assert_true(pgm_growth_days_to(100, -1, 200) < 0);
	assert_true(pgm_growth_days_to(300, 1, 200) == 0);
}

static void records_are_kept(void **state)
{
	(void)state;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_history *history = open_history(0);
	struct pgm_error err = {0};
	struct pgm_history_record *records, *record;
	size_t count;
	for (int i = 0; i < 5; i++) {
		char id[8];
		snprintf(id, sizeof(id), "%d", i);
		assert_true(pgm_history_record_put(history, "job", id, 100 + i, "{\"n\":1}", &err));
	}
	assert_true(pgm_history_record_put(history, "chore", "1", 1, "x", &err));
	assert_true(pgm_history_record_put(history, "job", "2", 200, "later", &err));
	assert_true(pgm_history_record_delete(history, "job", "0", &err));
	pgm_history_close(history);
	history = open_history(0);
	assert_true(pgm_history_record_list(history, "job", 2, arena, &records, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(records[0].id, "2");
	assert_string_equal(records[0].body, "later");
	assert_string_equal(records[1].id, "4");
	assert_true(pgm_history_record_list(history, "job", 0, arena, &records, &count, &err));
	assert_int_equal(count, 4);
	assert_true(pgm_history_record_get(history, "job", "0", arena, &record, &err));
	assert_null(record);
	assert_true(pgm_history_record_get(history, "chore", "1", arena, &record, &err));
	assert_string_equal(record->body, "x");
	pgm_history_close(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_survive_packing),
		cmocka_unit_test_setup(what_is_put_is_found, set_up),
		cmocka_unit_test_setup(it_goes_on_after_a_restart, set_up),
		cmocka_unit_test_setup(a_reset_is_a_gap, set_up),
		cmocka_unit_test_setup(statements_are_changes, set_up),
		cmocka_unit_test_setup(another_database_has_no_change, set_up),
		cmocka_unit_test_setup(percentiles_of_any_range, set_up),
		cmocka_unit_test_setup(the_limit_holds, set_up),
		cmocka_unit_test_setup(texts_do_not_drive_out_the_rest, set_up),
		cmocka_unit_test_setup(a_full_disk_pauses_it, set_up),
		cmocka_unit_test_setup(one_process_has_the_file, set_up),
		cmocka_unit_test_setup(what_is_no_history_is_refused, set_up),
		cmocka_unit_test_setup(a_damaged_file_is_refused, set_up),
		cmocka_unit_test_setup(an_older_file_is_brought_up_to_date, set_up),
		cmocka_unit_test_setup(kill_9_loses_nothing_written, set_up),
		cmocka_unit_test_setup(clocks_may_jump, set_up),
		cmocka_unit_test_setup(tables_grow_by_the_hour, set_up),
		cmocka_unit_test(slopes_are_robust),
		cmocka_unit_test_setup(records_are_kept, set_up),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
