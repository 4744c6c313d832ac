/* What a run was bound by is said where the figures show it, and nowhere else. */
#include "../cmocka_all.h"
#include "made_result.h"

#include "load/analysis.h"

#include <math.h>
#include <string.h>

static struct pgm_arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = pgm_arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pgm_arena_free(arena);
	return 0;
}

static struct pgm_load_analysis analysed(const struct pgm_load_result *result)
{
	struct pgm_load_analysis analysis;
	pgm_load_analyse(arena, result, 0, &analysis);
	assert_non_null(analysis.summary);
	return analysis;
}

static const struct pgm_load_cause *cause_of(const struct pgm_load_analysis *analysis,
					     enum pgm_load_cause_kind kind)
{
	for (size_t i = 0; i < analysis->cause_count; i++)
		if (analysis->causes[i].kind == kind)
			return &analysis->causes[i];
	return NULL;
}

static bool notes_hold(const struct pgm_load_analysis *analysis, const char *text)
{
	for (size_t i = 0; i < analysis->note_count; i++)
		if (strstr(analysis->notes[i], text))
			return true;
	return false;
}

static void all_well_is_bound_by_nothing(void **state)
{
	(void)state;
	struct pgm_load_analysis analysis = analysed(made_result(arena, 2));
	assert_false(analysis.saturated);
	assert_int_equal(analysis.cause_count, 0);
	assert_non_null(strstr(analysis.summary, "kept up"));
	assert_true(notes_hold(&analysis, "did not find a limit"));
	assert_true(notes_hold(&analysis, "99.00 % of"));
}

static void only_the_seconds_behind_are_judged(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_target *target = &result->targets[0];
	fall_behind(target, 50);
	/* Ten seconds of sixty: over all of them the processors were half idle. */
	for (size_t i = 50; i < target->sample_count; i++)
		target->samples[i].cpu_busy = 0.97;
	struct pgm_load_analysis analysis = analysed(result);
	assert_true(analysis.saturated);
	assert_float_equal(analysis.behind_share, 10.0 / 60, 1e-9);
	const struct pgm_load_cause *cpu = cause_of(&analysis, PGM_LOAD_BY_CPU);
	assert_non_null(cpu);
	assert_non_null(strstr(cpu->figures, "2 cores were 97 % busy"));
	assert_non_null(strstr(cpu->figures,
			       "the server 1.10 of them, the load generator used 0.20, other programs"));
	assert_non_null(strstr(cpu->advice, "Look what else runs"));
	for (size_t i = 50; i < target->sample_count; i++)
		target->samples[i].server_busy = 1.7;
	analysis = analysed(result);
	assert_non_null(strstr(cause_of(&analysis, PGM_LOAD_BY_CPU)->advice, "cheaper statements"));
	for (size_t i = 50; i < target->sample_count; i++) {
		target->samples[i].server_busy = -1;
		target->samples[i].generator_busy = 0.8;
	}
	analysis = analysed(result);
	assert_null(strstr(cause_of(&analysis, PGM_LOAD_BY_CPU)->figures, "the server"));
	assert_null(strstr(cause_of(&analysis, PGM_LOAD_BY_CPU)->figures, "other programs"));
	assert_non_null(strstr(cause_of(&analysis, PGM_LOAD_BY_CPU)->advice, "from another machine"));
}

static void a_full_pool_is_told_from_full_processors(void **state)
{
	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		struct pgm_load_result *result = made_result(arena, 2);
		struct pgm_load_target *target = &result->targets[0];
		fall_behind(target, 0);
		for (size_t i = 0; i < target->sample_count; i++) {
			struct pgm_load_sample *sample = &target->samples[i];
			sample->has_pool = true;
			sample->clients_waiting = 30;
			sample->servers_active = sample->pool_size = 5;
			sample->max_wait_ms = 240;
			sample->cpu_busy = busy ? 0.98 : 0.4;
		}
		struct pgm_load_analysis analysis = analysed(result);
		const struct pgm_load_cause *pool = cause_of(&analysis, PGM_LOAD_BY_POOL);
		assert_non_null(pool);
		assert_non_null(strstr(pool->figures, "30 clients on average"));
		assert_non_null(strstr(pool->figures, "240 ms"));
		assert_non_null(strstr(pool->figures, "of the 5 that the pool may open"));
		/* 5 connections did 500 a second, 10 ms each: 1,000 a second need 10. */
		assert_non_null(strstr(pool->advice, busy ? "Leave it as it is" : "need about 10 of them"));
		assert_int_equal(cause_of(&analysis, PGM_LOAD_BY_CPU) != NULL, busy);
	}
}

static void add_wait(struct pgm_load_target *target, const char *type, const char *event, double backends)
{
	for (size_t i = 0; i < target->sample_count; i++) {
		target->samples[i].waits[1] = (struct pgm_load_wait){type, event, backends};
		target->samples[i].wait_count = 2;
	}
}

static void waits_name_what_they_were_for(void **state)
{
	(void)state;
	static const struct {
		const char *type, *event, *figures, *advice;
		enum pgm_load_cause_kind kind;
	} rows[] = {
		{"Lock", "transactionid", "75 % waited for locks (transactionid 75 %)", "shorter",
		 PGM_LOAD_BY_LOCKS},
		{"IO", "DataFileRead", "(DataFileRead 75 %). 99.0 %", "advise", PGM_LOAD_BY_IO},
		{"IO", "WALSync", "WALSync", "commit", PGM_LOAD_BY_IO},
		{"IO", "WalSync", "WalSync", "commit", PGM_LOAD_BY_IO}, /* as PostgreSQL 17 calls it */
		{"IO", "BufFileWrite", "BufFileWrite", "work_mem", PGM_LOAD_BY_IO},
		{"LWLock", "WALWrite", "internal locks", "more rows into each", PGM_LOAD_BY_LWLOCKS},
		{"LWLock", "LockManager", "LockManager 75 %", "partition", PGM_LOAD_BY_LWLOCKS},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pgm_load_result *result = made_result(arena, 2);
		add_wait(&result->targets[0], rows[i].type, rows[i].event, 6);
		struct pgm_load_analysis analysis = analysed(result);
		assert_int_equal(analysis.cause_count, 1);
		assert_int_equal(analysis.causes[0].kind, rows[i].kind);
		assert_non_null(strstr(analysis.causes[0].figures, rows[i].figures));
		assert_non_null(strstr(analysis.causes[0].advice, rows[i].advice));
	}
	/* A tenth of the backends, or clients that are waited for, are no reason. */
	struct pgm_load_result *result = made_result(arena, 2);
	add_wait(&result->targets[0], "Lock", "tuple", 0.2);
	assert_int_equal(analysed(result).cause_count, 0);
	add_wait(&result->targets[0], "Client", "ClientRead", 20);
	assert_int_equal(analysed(result).cause_count, 0);
}

static void connections_that_are_refused_are_named(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_target *target = &result->targets[0];
	struct pgm_load_error error = {"53300", 70, "sorry, too many clients already"};
	target->errors.items = &error;
	target->errors.count = 1;
	target->sessions_max = 50;
	struct pgm_load_analysis analysis = analysed(result);
	const struct pgm_load_cause *cause = cause_of(&analysis, PGM_LOAD_BY_CONNECTIONS);
	assert_non_null(cause);
	assert_non_null(
		strstr(cause->figures, "70 transactions lost their connection or had none (53300: sorry"));
	assert_non_null(
		strstr(cause->figures, "At most 50 connections were open at a time; the server allows 100"));
	assert_non_null(strstr(cause->advice, "pgmend pool"));
	error.code = "40P01";
	analysis = analysed(result);
	assert_null(cause_of(&analysis, PGM_LOAD_BY_CONNECTIONS));
	/* Where all that was due was done by the sessions that there were, the refusals are still told. */
	target->connects_failed = 12;
	target->refusal = "53300: sorry, too many clients already";
	analysis = analysed(result);
	cause = cause_of(&analysis, PGM_LOAD_BY_CONNECTIONS);
	assert_non_null(cause);
	assert_non_null(strstr(cause->figures, "12 attempts to connect failed (53300: sorry"));
	assert_non_null(strstr(cause->advice, "pgmend pool"));
}

static void one_statement_among_others_and_whole_reads(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_target *target = &result->targets[0];
	struct pgm_load_statement statements[2] = {
		{.text = "SELECT\n  slow", .latency = made_distribution(arena, 40, 1000)},
		{.text = "SELECT quick", .latency = made_distribution(arena, 1, 1000)},
	};
	struct pgm_load_table tables[2] = {
		{.schema = "public", .name = "large", .seq_scans = 1000, .seq_rows = 90000000},
		{.schema = "public", .name = "small", .seq_scans = 1000, .seq_rows = 20000},
	};
	target->queries = statements;
	target->query_count = 2;
	target->tables = tables;
	target->table_count = 2;
	struct pgm_load_analysis analysis = analysed(result);
	const struct pgm_load_cause *statement = cause_of(&analysis, PGM_LOAD_BY_STATEMENT);
	const struct pgm_load_cause *scans = cause_of(&analysis, PGM_LOAD_BY_SCANS);
	assert_non_null(statement);
	assert_non_null(strstr(statement->figures, "98 % of the time"));
	assert_non_null(strstr(statement->figures, ": SELECT slow"));
	assert_non_null(scans);
	assert_non_null(strstr(scans->figures, "public.large 1,000 times (90,000 rows each)"));
	assert_null(strstr(scans->figures, "small"));
	/* A workload of one statement has no other to compare it with. */
	target->query_count = 1;
	analysis = analysed(result);
	assert_null(cause_of(&analysis, PGM_LOAD_BY_STATEMENT));
}

static void the_generator_and_the_sessions(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_target *target = &result->targets[0];
	fall_behind(target, 0);
	target->service = made_distribution(arena, 20, target->done);
	struct pgm_load_analysis analysis = analysed(result);
	/* 30,000 transactions of 20 ms in 60 s: ten at a time, on ten sessions. */
	assert_non_null(cause_of(&analysis, PGM_LOAD_BY_SESSIONS));
	for (size_t i = 0; i < target->sample_count; i++)
		target->samples[i].generator_busy = 0.99;
	result->generator_busy_max = 1;
	analysis = analysed(result);
	assert_non_null(cause_of(&analysis, PGM_LOAD_BY_GENERATOR));
	assert_null(cause_of(&analysis, PGM_LOAD_BY_SESSIONS));
}

static void a_ramp_says_where_it_broke(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_step steps[3] = {
		{.users = 10, .done_rate = 100, .p95_ms = 4, .held = true, .broken = ""},
		{.users = 20, .done_rate = 200, .p95_ms = 5, .held = true, .broken = ""},
		{.users = 30, .done_rate = 210, .p95_ms = 900, .broken = "p95 900 ms is above 100 ms"},
	};
	result->scenario = PGM_LOAD_RAMP;
	result->targets[0].steps = steps;
	result->targets[0].step_count = 3;
	struct pgm_load_analysis analysis = analysed(result);
	assert_ptr_equal(analysis.held, &steps[1]);
	assert_ptr_equal(analysis.broken, &steps[2]);
	assert_non_null(strstr(analysis.summary, "It held 20 users (200/s done, P95 5.00 ms) and broke at 30 "
						 "users"));
	result->targets[0].step_count = 2;
	assert_non_null(strstr(analysed(result).summary, "did not find the breaking point"));
	result->targets[0].steps = &steps[2];
	result->targets[0].step_count = 1;
	assert_non_null(strstr(analysed(result).summary, "at the first step"));
}

static void spikes_and_drift(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 10);
	struct pgm_load_target *target = &result->targets[0];
	result->scenario = PGM_LOAD_SPIKE;
	for (size_t i = 20; i < 35; i++) {
		target->seconds[i].users = i < 30 ? 200 : 50;
		target->seconds[i].p95_ms = 500;
	}
	struct pgm_load_analysis analysis = analysed(result);
	assert_true(notes_hold(&analysis, "Up to the peak of 200 users P95 was 20 ms"));
	assert_true(notes_hold(&analysis, "in the worst second 500 ms; 6.0 s after the peak"));
	result->scenario = PGM_LOAD_ENDURANCE;
	for (size_t i = 40; i < MADE_SECONDS; i++)
		target->seconds[i].p95_ms = 60;
	analysis = analysed(result);
	assert_true(notes_hold(&analysis,
			       "P95 rose during the run: 20 ms in its first third, 60 ms in its last"));
}

static void indexes_that_only_cost_are_named(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	struct pgm_load_target *target = &result->targets[0];
	struct pgm_load_table tables[2] = {{.schema = "public", .name = "written", .updated = 5},
					   {.schema = "public", .name = "read", .index_scans = 5}};
	struct pgm_load_index indexes[4] = {
		{.schema = "public", .table = "written", .name = "idle"},
		{.schema = "public", .table = "written", .name = "the_key", .unique = true},
		{.schema = "public", .table = "written", .name = "read_here", .scans = 3},
		{.schema = "public", .table = "read", .name = "free"},
	};
	target->tables = tables;
	target->table_count = 2;
	target->indexes = indexes;
	target->index_count = 4;
	struct pgm_load_analysis analysis = analysed(result);
	assert_true(notes_hold(&analysis, "1 index of tables that were written to was not read by this load: "
					  "public.idle."));
}

static void nothing_at_all_is_survived(void **state)
{
	(void)state;
	struct pgm_load_result *result = made_result(arena, 2);
	result->targets[0] = (struct pgm_load_target){
		.name = "", .place = "", .version = "", .pooler = "", .watch_problem = "", .protocol = ""};
	struct pgm_load_analysis analysis = analysed(result);
	assert_false(analysis.saturated);
	assert_int_equal(analysis.cause_count, 0);
	assert_null(strstr(analysis.summary, "nan"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_well_is_bound_by_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_seconds_behind_are_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_pool_is_told_from_full_processors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_name_what_they_were_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(connections_that_are_refused_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_statement_among_others_and_whole_reads, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_generator_and_the_sessions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ramp_says_where_it_broke, set_up, tear_down),
		cmocka_unit_test_setup_teardown(spikes_and_drift, set_up, tear_down),
		cmocka_unit_test_setup_teardown(indexes_that_only_cost_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_at_all_is_survived, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
