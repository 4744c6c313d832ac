/* The table of metrics, docs/metrics.md, the choice of the top few, and the texts of /metrics. */
#include "../cmocka_all.h"

#include "serve/watch/parts.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *root, *write_docs;

/* ---- the table ---- */

static bool is_name(const char *text)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	while (isalnum((unsigned char)*text) || *text == '_')
		text++;
	return !*text;
}

/* "wAL": an abbreviation whose first letter a rule for the begin of sentences made small. */
static bool has_spoilt_abbreviation(const char *help)
{
	bool begins = true; /* a word */
	for (const char *at = help; at[0] && at[1]; begins = *at++ == ' ')
		if (begins && islower((unsigned char)at[0]) && isupper((unsigned char)at[1]))
			return true;
	return false;
}

static void table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < pgm_metric_count; i++) {
		const struct pgm_metric *metric = &pgm_metrics[i];
		assert_true(is_name(metric->name));
		assert_ptr_equal(pgm_metric_find(metric->name), metric); /* no name twice */
		assert_true(*metric->help && metric->help[strlen(metric->help) - 1] != '.');
		if (has_spoilt_abbreviation(metric->help))
			fail_msg("%s: %s", metric->name, metric->help);
		if (i)
			assert_true(pgm_metrics[i - 1].collector <= metric->collector);
		for (size_t l = 0; metric->labels[l]; l++) {
			assert_true(is_name(metric->labels[l]));
			assert_string_not_equal(metric->labels[l], "target");
			assert_string_not_equal(metric->labels[l], "server");
			assert_string_not_equal(metric->labels[l], "le");
		}
		assert_non_null(pgm_collector_name(metric->collector));
	}
	assert_null(pgm_metric_find("pg_up_and_away"));
}

/* What is ours keeps to Prometheus's rules: counters end in _total, units are the name's. */
static void own_names_keep_the_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < pgm_metric_count; i++) {
		const struct pgm_metric *metric = &pgm_metrics[i];
		size_t length = strlen(metric->name);
		bool total = length > 6 && strcmp(metric->name + length - 6, "_total") == 0;
		if (metric->flags & PGM_METRIC_COMPAT)
			continue;
		assert_int_equal(total, metric->kind == PGM_METRIC_COUNTER);
		assert_string_not_equal(metric->unit, "milliseconds");
		if (strcmp(metric->unit, "seconds") == 0 || strcmp(metric->unit, "bytes") == 0)
			assert_non_null(strstr(metric->name, metric->unit));
	}
}

/* OpenMetrics calls a counter's family without _total: no other metric may have that name. */
static void families_do_not_clash(void **state)
{
	char family[128];
	(void)state;
	for (size_t i = 0; i < pgm_metric_count; i++) {
		size_t length = strlen(pgm_metrics[i].name);
		if (length < 7 || strcmp(pgm_metrics[i].name + length - 6, "_total") != 0 ||
		    pgm_metrics[i].kind != PGM_METRIC_COUNTER)
			continue;
		snprintf(family, sizeof(family), "%.*s", (int)length - 6, pgm_metrics[i].name);
		assert_null(pgm_metric_find(family));
	}
}

/* A metric of a collector with a .sql file is a column of each of its variants, or the program's own work. */
static void sql_gives_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < pgm_metric_count; i++) {
		const struct pgm_metric *metric = &pgm_metrics[i];
		if (metric->collector == PGM_COLLECT_TABLES || metric->collector == PGM_COLLECT_STATEMENTS)
			continue; /* objects.c, statements.c */
		for (size_t c = 0; c < pgm_collector_count; c++)
			for (size_t v = 0; v < 2; v++) {
				const char *file = pgm_collectors[c].variants[v].file;
				if (pgm_collectors[c].id != metric->collector || !file)
					continue;
				if (!strstr(pgm_embedded_text(file), metric->name))
					fail_msg("%s lacks %s", file, metric->name);
			}
	}
}

/* ---- docs/metrics.md ---- */

static const char *kind_name(const struct pgm_metric *metric)
{
	static const char *const names[] = {"gauge", "counter", "histogram"};
	return names[metric->kind];
}

static void add_row(struct pgm_buf *doc, const struct pgm_metric *metric)
{
	pgm_buf_printf(doc, "| `%s` | %s |", metric->name, kind_name(metric));
	for (size_t l = 0; metric->labels[l]; l++)
		pgm_buf_printf(doc, "%s `%s`", l ? "," : "", metric->labels[l]);
	pgm_buf_printf(doc, " | %s%s%s%s |\n", metric->help,
		       *metric->unit ? pgm_sprintf(doc->arena, " (%s)", metric->unit) : "",
		       metric->flags & PGM_METRIC_TOP ? "; the first few objects" : "",
		       metric->flags & PGM_METRIC_HISTORY ? "; history" : "");
}

static char *document(struct pgm_arena *arena)
{
	struct pgm_buf doc;
	pgm_buf_init(&doc, arena);
	pgm_buf_add(&doc,
		    "# Metrics\n\n"
		    "<!-- Made from src/serve/watch/metrics.c by the unit test test_watch_metrics --write. "
		    "-->\n\n"
		    "What `pgmend serve` shows on `/metrics`, as Prometheus text 0.0.4, or as OpenMetrics "
		    "1.0 where the\n"
		    "client asks for it; the names are the same in both. Every series of a database has the "
		    "labels\n"
		    "`target` (its name in the configuration) and `server` (host:port) before those listed "
		    "here. Names\n"
		    "that begin with `pg_` and `pgbouncer_` are postgres_exporter's and "
		    "pgbouncer_exporter's, so that\n"
		    "their boards work; where they say a unit wrongly, the column at the right says what it "
		    "is.\n\n"
		    "\"The first few objects\": the tables, indexes and statements that did the most of late "
		    "have a\n"
		    "series each; one that is in stays in until it falls well behind. A target has at most "
		    "2,000 series;\n"
		    "`pgmend_series_dropped` says how many more there would be. \"History\": `pgmend serve` "
		    "keeps it.\n"
		    "Of several targets on one server the first shows what is known of the server's other "
		    "databases\n"
		    "(`datname`), each of the others only its own.\n\n"
		    "The bounds of histograms are powers of two, from 64 microseconds to 8.4 seconds.\n");
	for (size_t i = 0; i < pgm_metric_count; i++) {
		if (!i || pgm_metrics[i].collector != pgm_metrics[i - 1].collector)
			pgm_buf_printf(
				&doc, "\n## %s\n\n| name | kind | labels | what it is |\n|---|---|---|---|\n",
				pgm_collector_name(pgm_metrics[i].collector));
		add_row(&doc, &pgm_metrics[i]);
	}
	return doc.text;
}

static void docs_are_of_the_table(void **state)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *expected = document(arena), *found = pgm_arena_alloc(arena, (size_t)1 << 20);
	char *path = pgm_sprintf(arena, "%s/docs/metrics.md", root);
	FILE *file = fopen(path, write_docs ? "w+" : "r");
	(void)state;
	assert_non_null(file);
	if (write_docs)
		fputs(expected, file);
	rewind(file);
	size_t length = fread(found, 1, ((size_t)1 << 20) - 1, file);
	fclose(file);
	found[length] = '\0';
	if (strcmp(found, expected) != 0)
		fail_msg("docs/metrics.md is not what the table says: run this test with --write");
}

/* ---- the top few ---- */

#define ITEMS 40

static bool is_in(const struct pgm_top *top, uint64_t id)
{
	uint64_t ids[ITEMS];
	size_t count = pgm_top_ids(top, ids);
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static void top_takes_the_busiest(void **state)
{
	struct pgm_top *top = pgm_top_new(10);
	struct pgm_top_item items[ITEMS];
	size_t ranked[10];
	(void)state;
	for (size_t i = 0; i < ITEMS; i++)
		items[i] = (struct pgm_top_item){.id = 100 + i, .counter = (double)(i * 1000)};
	assert_int_equal(pgm_top_choose(top, items, ITEMS, ranked), 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(ranked[i], ITEMS - 1 - i);
	assert_int_equal(pgm_top_choose(top, items, 3, ranked), 3); /* the others are gone */
	assert_int_equal(pgm_top_choose(top, items, 0, ranked), 0);
	pgm_top_free(top);
}

/* Two that are close around the last place do not take turns; one that is far ahead comes in at once. */
static void top_is_slow_to_change(void **state)
{
	struct pgm_top *top = pgm_top_new(10);
	struct pgm_top_item items[ITEMS];
	size_t ranked[10], changes = 0;
	(void)state;
	for (size_t i = 0; i < ITEMS; i++)
		items[i] = (struct pgm_top_item){.id = i, .counter = 1e6 - (double)i * 1e4};
	pgm_top_choose(top, items, ITEMS, ranked);
	assert_true(is_in(top, 9));
	assert_false(is_in(top, 10));
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < ITEMS; i++)
			items[i].counter += 1e5 - (double)i * 1e3;
		items[round % 2 ? 9 : 10].counter += 2e3; /* now one is ahead, now the other */
		pgm_top_choose(top, items, ITEMS, ranked);
		changes += is_in(top, 10);
	}
	assert_int_equal(changes, 0);
	items[30].counter += 1e9;
	pgm_top_choose(top, items, ITEMS, ranked);
	assert_true(is_in(top, 30));
	assert_int_equal(ranked[0], 30);
	pgm_top_free(top);
}

/* A counter that begins anew is not a fall, nor does its old height count. */
static void top_survives_a_reset(void **state)
{
	struct pgm_top *top = pgm_top_new(1);
	struct pgm_top_item items[] = {{.id = 1, .counter = 1e9}, {.id = 2, .counter = 10}};
	size_t ranked[1];
	(void)state;
	pgm_top_choose(top, items, 2, ranked);
	assert_int_equal(ranked[0], 0);
	items[0].counter = 5;
	items[1].counter = 1e12;
	pgm_top_choose(top, items, 2, ranked);
	assert_int_equal(ranked[0], 1);
	pgm_top_free(top);
}

/* ---- the texts ---- */

static const struct pgm_target target = {.name = "shop\"\\\n",
					 .host = "h",
					 .port = "5432",
					 .kind = PGM_TARGET_DATABASE,
					 .state = PGM_TARGET_UP};

static char *write_one(struct pgm_samples_builder *builder, size_t series_max, bool open_metrics)
{
	struct pgm_samples_part *part = pgm_samples_end(builder);
	struct pgm_snapshot snapshot = {.target = target, .up = true};
	const struct pgm_snapshot *snapshots[] = {&snapshot};
	const struct pgm_samples none = {.collector = PGM_COLLECT_SELF};
	size_t length;
	snapshot.samples[part->samples.collector] = &part->samples;
	char *text = pgm_exposition_write(snapshots, 1, &none, series_max, open_metrics, &length);
	if (!text)
		abort();
	assert_int_equal(strlen(text), length);
	pgm_part_release(&part->part);
	return text;
}

static void assert_has(const char *text, const char *wanted)
{
	if (!text || !strstr(text, wanted))
		fail_msg("no \"%s\" in:\n%s", wanted, text ? text : "");
}

static void texts_are_escaped(void **state)
{
	struct pgm_samples_builder builder;
	const char *labels[] = {"1", "a\\b\"c\nd\xc3\xa9"};
	(void)state;
	pgm_samples_begin(&builder, PGM_COLLECT_DATABASE);
	pgm_samples_add_named(&builder, "pg_stat_database_xact_commit", labels, 12);
	char *text = write_one(&builder, 100, false);
	assert_has(text,
		   "\npg_stat_database_xact_commit{target=\"shop\\\"\\\\\\n\",server=\"h:5432\",datid=\"1\","
		   "datname=\"a\\\\b\\\"c\\nd\xc3\xa9\"} 12\n");
	assert_has(text, "# TYPE pg_stat_database_xact_commit counter\n");
	free(text);
}

static void numbers_are_exact(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0.1, " 0.1\n"},	    {9007199254740993.0, " 9007199254740992\n"},
		     {1e300, " 1e+300\n"},  {1234567890123456.0, " 1234567890123456\n"},
		     {-1, " -1\n"},	    {NAN, " NaN\n"},
		     {INFINITY, " +Inf\n"}, {-INFINITY, " -Inf\n"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pgm_samples_builder builder;
		pgm_samples_begin(&builder, PGM_COLLECT_TARGET);
		pgm_samples_add_named(&builder, "pg_up", NULL, cases[i].value);
		char *text = write_one(&builder, 100, false);
		assert_has(text, cases[i].text);
		free(text);
	}
}

static void open_metrics_has_its_form(void **state)
{
	struct pgm_samples_builder builder;
	const char *labels[] = {"1", "shop"};
	(void)state;
	pgm_samples_begin(&builder, PGM_COLLECT_DATABASE);
	pgm_samples_add_named(&builder, "pg_stat_database_xact_commit", labels, 12);
	pgm_samples_add_named(&builder, "pgmend_database_checksum_failures_total", labels, 0);
	char *text = write_one(&builder, 100, true);
	assert_has(text, "# TYPE pg_stat_database_xact_commit unknown\n");
	assert_has(text, "# TYPE pgmend_database_checksum_failures counter\n");
	assert_has(text, "\npgmend_database_checksum_failures_total{");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

static void histograms_are_whole(void **state)
{
	struct pgm_samples_builder builder;
	struct pgm_buckets buckets = {.sum = 1.5};
	const char *labels[] = {"shop"};
	(void)state;
	for (size_t b = 0; b <= PGM_METRIC_BOUNDS; b++)
		buckets.counts[b] = b;
	pgm_samples_begin(&builder, PGM_COLLECT_POOL);
	pgm_samples_add(&builder, pgm_metric_find("pgmend_query_duration_seconds"), labels, PGM_METRIC_BOUNDS,
			&buckets);
	char *text = write_one(&builder, 100, false);
	assert_has(text, "# TYPE pgmend_query_duration_seconds histogram\n");
	assert_has(text, "pgmend_query_duration_seconds_bucket{target=");
	assert_has(text, "database=\"shop\",le=\"0.000064\"} 0\n");
	assert_has(text, "database=\"shop\",le=\"8.388608\"} 17\n");
	assert_has(text, "database=\"shop\",le=\"+Inf\"} 18\n");
	assert_has(text, "pgmend_query_duration_seconds_sum{");
	assert_has(text, "database=\"shop\"} 1.5\n");
	assert_has(text, "pgmend_query_duration_seconds_count{");
	free(text);
}

static size_t count_of(const char *text, const char *wanted)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, wanted)); at += strlen(wanted))
		count++;
	return count;
}

/* Beyond the limit the last of the many go, what a target always has stays, and the number is told. */
static void series_are_bounded(void **state)
{
	struct pgm_samples_builder builder;
	(void)state;
	pgm_samples_begin(&builder, PGM_COLLECT_INDEXES);
	for (int i = 0; i < 100; i++) {
		char name[16];
		const char *labels[] = {"d", "s", "t", name};
		snprintf(name, sizeof(name), "i%d", i);
		pgm_samples_add_named(&builder, "pgmend_index_scans_total", labels, i);
	}
	pgm_samples_add_named(&builder, "pgmend_indexes", NULL, 100);
	char *text = write_one(&builder, 41, false);
	assert_int_equal(count_of(text, "\npgmend_index_scans_total{"), 40);
	assert_has(text, "indexrelname=\"i0\"");
	assert_has(text, "indexrelname=\"i39\"");
	assert_has(text, "\npgmend_indexes{");
	assert_has(text, "\npgmend_series_dropped{target=\"shop\\\"\\\\\\n\",server=\"h:5432\"} 60\n");
	free(text);
}

/* What each target knows of other databases one target of a server shows, while it knows that. */
static void other_databases_are_shown_once(void **state)
{
	static const char *const names[] = {"a", "b", "elsewhere"};
	struct pgm_snapshot snapshots[3] = {{.up = true}, {.up = true}, {.up = true}};
	const struct pgm_snapshot *list[] = {&snapshots[0], &snapshots[1], &snapshots[2]};
	const struct pgm_samples none = {.collector = PGM_COLLECT_SELF};
	struct pgm_samples_part *parts[3], *servers[3];
	size_t length;
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct pgm_samples_builder builder;
		pgm_samples_begin(&builder, PGM_COLLECT_SERVER);
		pgm_samples_add_named(&builder, "pg_postmaster_start_time_seconds", NULL, i < 2 ? 7 : 8);
		servers[i] = pgm_samples_end(&builder);
		pgm_samples_begin(&builder, PGM_COLLECT_ACTIVITY);
		for (int j = 0; j < 3; j++) {
			const char *labels[] = {names[j], "idle"};
			pgm_samples_add_named(&builder, "pg_stat_activity_count", labels, j);
		}
		parts[i] = pgm_samples_end(&builder);
		snapshots[i].target = target;
		snapshots[i].target.name = snapshots[i].target.database = names[i];
		snapshots[i].samples[PGM_COLLECT_SERVER] = &servers[i]->samples;
		snapshots[i].samples[PGM_COLLECT_ACTIVITY] = &parts[i]->samples;
	}
	char *text = pgm_exposition_write(list, 3, &none, 100, false, &length);
	assert_int_equal(count_of(text, "\npg_stat_activity_count{target=\"a\""), 3);
	assert_int_equal(count_of(text, "\npg_stat_activity_count{target=\"b\""), 1);
	assert_has(text, "{target=\"b\",server=\"h:5432\",datname=\"b\"");
	assert_int_equal(count_of(text, "\npg_stat_activity_count{target=\"elsewhere\""), 3);
	free(text);
	snapshots[0].samples[PGM_COLLECT_ACTIVITY] = NULL; /* it may not look any more */
	text = pgm_exposition_write(list, 3, &none, 100, false, &length);
	assert_int_equal(count_of(text, "\npg_stat_activity_count{target=\"b\""), 3);
	free(text);
	for (int i = 0; i < 3; i++) {
		pgm_part_release(&parts[i]->part);
		pgm_part_release(&servers[i]->part);
	}
}

/* All series of a metric stand together, whichever target they are of, and have one head. */
static void metrics_stand_together(void **state)
{
	struct pgm_samples_builder builder;
	struct pgm_snapshot snapshots[2] = {{.target = target, .up = true}, {.target = target, .up = true}};
	const struct pgm_snapshot *list[] = {&snapshots[0], &snapshots[1]};
	const struct pgm_samples none = {.collector = PGM_COLLECT_SELF};
	struct pgm_samples_part *parts[2];
	size_t length;
	(void)state;
	snapshots[1].target.name = "other";
	for (int i = 0; i < 2; i++) {
		pgm_samples_begin(&builder, PGM_COLLECT_TARGET);
		pgm_samples_add_named(&builder, "pgmend_target_looks_total", NULL,
				      i); /* not in the table's order */
		pgm_samples_add_named(&builder, "pg_up", NULL, i);
		parts[i] = pgm_samples_end(&builder);
		snapshots[i].samples[PGM_COLLECT_TARGET] = &parts[i]->samples;
	}
	char *text = pgm_exposition_write(list, 2, &none, 100, false, &length);
	if (!text)
		abort();
	assert_int_equal(count_of(text, "# TYPE pg_up "), 1);
	const char *first = strstr(text, "\npg_up{"), *second = strstr(first + 1, "\npg_up{");
	assert_non_null(second);
	assert_ptr_equal(strchr(first + 1, '\n'), second);
	free(text);
	for (int i = 0; i < 2; i++)
		pgm_part_release(&parts[i]->part);
}

/* ---- snapshots ---- */

static void samples_are_found_by_labels(void **state)
{
	struct pgm_samples_builder builder;
	const char *active[] = {"shop", "active"}, *idle[] = {"shop", "idle"};
	struct pgm_snapshot snapshot = {.up = true};
	(void)state;
	for (int round = 0; round < 2; round++) {
		pgm_samples_begin(&builder, PGM_COLLECT_ACTIVITY);
		pgm_samples_add_named(&builder, "pg_stat_activity_count", idle, 5 + 10 * round);
		pgm_samples_add_named(&builder, "pg_stat_activity_count", active, 7);
		struct pgm_samples_part *part = pgm_samples_end(&builder);
		part->samples.mono_ms = 1000 + 2000 * round;
		(round ? snapshot.samples : snapshot.before)[PGM_COLLECT_ACTIVITY] = &part->samples;
	}
	assert_float_equal(pgm_snapshot_value(&snapshot, "pg_stat_activity_count", "state=active", -1), 7, 0);
	assert_float_equal(
		pgm_snapshot_value(&snapshot, "pg_stat_activity_count", "datname=shop,state=idle", -1), 15,
		0);
	assert_float_equal(pgm_snapshot_value(&snapshot, "pg_stat_activity_count", "state=idl", -1), -1, 0);
	assert_float_equal(pgm_snapshot_value(&snapshot, "pg_stat_activity_count", "nothing=idle", -1), -1,
			   0);
	assert_float_equal(pgm_snapshot_value(&snapshot, "pg_no_such", NULL, -1), -1, 0);
	assert_float_equal(pgm_snapshot_rate(&snapshot, "pg_stat_activity_count", "state=idle"), 5, 1e-9);
	pgm_part_release(
		(struct pgm_part *)(void *)((char *)(uintptr_t)snapshot.samples[PGM_COLLECT_ACTIVITY] -
					    offsetof(struct pgm_samples_part, samples)));
	pgm_part_release(
		(struct pgm_part *)(void *)((char *)(uintptr_t)snapshot.before[PGM_COLLECT_ACTIVITY] -
					    offsetof(struct pgm_samples_part, samples)));
}

static void a_pooler_that_is_down_is_said(void **state)
{
	static const struct pgm_target pool = {.name = "pool",
					       .kind = PGM_TARGET_POOL,
					       .host = "",
					       .port = "",
					       .database = "",
					       .user = "",
					       .why = "it does not answer",
					       .state = PGM_TARGET_DOWN};
	const struct pgm_samples none = {.collector = PGM_COLLECT_SELF};
	struct pgm_look look = {0};
	size_t length;
	(void)state;
	const struct pgm_snapshot *snapshot = pgm_look_snapshot(&look, &pool);
	char *text = pgm_exposition_write(&snapshot, 1, &none, 100, false, &length);
	assert_has(text, "\npgbouncer_up{target=\"pool\"} 0\n");
	free(text);
	pgm_snapshot_release(snapshot);
}

static void variants_are_chosen_by_columns(void **state)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_map columns;
	const struct pgm_collector *bgwriter = NULL;
	(void)state;
	for (size_t i = 0; i < pgm_collector_count; i++)
		if (pgm_collectors[i].id == PGM_COLLECT_BGWRITER)
			bgwriter = &pgm_collectors[i];
	assert_non_null(bgwriter);
	pgm_map_init(&columns, arena);
	assert_null(pgm_collector_file(bgwriter, &columns));
	pgm_map_set(&columns, "pg_stat_bgwriter.buffers_clean", arena);
	pgm_map_set(&columns, "pg_stat_checkpointer.num_timed", arena);
	pgm_map_set(&columns, "pg_stat_io.writes", arena);
	assert_string_equal(pgm_collector_file(bgwriter, &columns), "serve/watch/sql/bgwriter_17.sql");
	pgm_map_set(&columns, "pg_stat_bgwriter.checkpoints_timed", arena);
	pgm_map_set(&columns, "pg_stat_bgwriter.buffers_backend", arena);
	assert_string_equal(pgm_collector_file(bgwriter, &columns), "serve/watch/sql/bgwriter_13.sql");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(own_names_keep_the_rules),
		cmocka_unit_test(families_do_not_clash),
		cmocka_unit_test(sql_gives_what_the_table_says),
		cmocka_unit_test(docs_are_of_the_table),
		cmocka_unit_test(top_takes_the_busiest),
		cmocka_unit_test(top_is_slow_to_change),
		cmocka_unit_test(top_survives_a_reset),
		cmocka_unit_test(texts_are_escaped),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(open_metrics_has_its_form),
		cmocka_unit_test(histograms_are_whole),
		cmocka_unit_test(series_are_bounded),
		cmocka_unit_test(other_databases_are_shown_once),
		cmocka_unit_test(metrics_stand_together),
		cmocka_unit_test(samples_are_found_by_labels),
		cmocka_unit_test(a_pooler_that_is_down_is_said),
		cmocka_unit_test(variants_are_chosen_by_columns),
	};
	root = argc > 1 ? argv[1] : ".";
	write_docs = argc > 2 ? argv[2] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
