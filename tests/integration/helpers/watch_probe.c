/*
 * The watch by itself, for tests: a JSON line for each look, and the metrics where a line of stdin asks.
 *
 *	watch_probe FAST_MS TIMEOUT_MS [NAME=CONNINFO]...
 *
 * stdin: "metrics", "open" (OpenMetrics), "hurry NAME"; its end ends the program. An answer to the first two
 *is a line with the number of bytes, and these.
 */
#include "serve/watch/watch.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void add_sample(void *data, const struct pgm_sample *sample, int64_t wall_ms)
{
	json_t *labels = json_object();
	(void)wall_ms;
	for (size_t i = 0; sample->metric->labels[i]; i++)
		json_object_set_new(labels, sample->metric->labels[i], json_string(sample->labels[i]));
	json_array_append_new(data, json_pack("[s, o, f]", sample->metric->name, labels, sample->value));
}

static json_t *statements_of(const struct pgm_statements *statements)
{
	json_t *list = json_array();
	for (size_t i = 0; statements && i < statements->count; i++)
		json_array_append_new(list, json_pack("[s, f, f, f]", statements->rows[i].text,
						      statements->rows[i].calls, statements->rows[i].rows,
						      statements->rows[i].total_ms));
	return list;
}

static json_t *tables_of(const struct pgm_objects *objects)
{
	json_t *list = json_array();
	for (size_t i = 0; objects && i < objects->table_count; i++)
		json_array_append_new(list, json_pack("[s, s, f, b]", objects->tables[i].schema,
						      objects->tables[i].name, objects->tables[i].table_bytes,
						      objects->tables[i].sized));
	return list;
}

static void print_snapshot(void *data, const struct pgm_snapshot *snapshot)
{
	json_t *samples = json_array();
	(void)data;
	pgm_snapshot_visit(snapshot, false, add_sample, samples);
	double tps = pgm_snapshot_rate(snapshot, "pg_stat_database_xact_commit", NULL);
	json_t *line = json_pack("{s:s, s:b, s:s, s:i, s:i, s:b, s:I, s:o, s:o, s:o, s:b}", "name",
				 snapshot->target.name, "up", snapshot->up, "why", snapshot->target.why,
				 "marks", (int)snapshot->marks, "version", snapshot->target.version,
				 "standby", snapshot->target.standby, "number", (json_int_t)snapshot->number,
				 "samples", samples, "statements", statements_of(snapshot->statements),
				 "tables", tables_of(snapshot->objects), "has_rate", tps == tps);
	char *text = json_dumps(line, JSON_COMPACT);
	pthread_mutex_lock(&output);
	puts(text);
	fflush(stdout);
	pthread_mutex_unlock(&output);
	free(text);
	json_decref(line);
}

static void print_metrics(struct pgm_watch *watch, bool open_metrics)
{
	size_t length;
	char *text = pgm_watch_exposition(watch, open_metrics, &length);
	pthread_mutex_lock(&output);
	printf("%zu\n", text ? length : 0);
	if (text)
		fwrite(text, 1, length, stdout);
	fflush(stdout);
	pthread_mutex_unlock(&output);
	free(text);
}

static void serve_stdin(struct pgm_watch *watch)
{
	char line[256];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "metrics") == 0 || strcmp(line, "open") == 0)
			print_metrics(watch, *line == 'o');
		else if (strncmp(line, "hurry ", 6) == 0)
			pgm_watch_hurry(watch, (size_t)pgm_watch_find(watch, line + 6));
	}
}

int main(int argc, char **argv)
{
	struct pgm_error err = {0};
	struct pgm_watch_options options = {.fast_ms = argc > 1 ? atoi(argv[1]) : 0,
					    .timeout_ms = argc > 2 ? atoi(argv[2]) : 0};
	struct pgm_watch *watch = pgm_watch_new(&options, &err);
	for (int i = 3; watch && i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		if (!equals)
			return 2;
		*equals = '\0';
		struct pgm_watch_target_options target = {.name = argv[i], .conninfo = equals + 1};
		if (!pgm_watch_add(watch, &target, &err))
			break;
	}
	if (!watch || err.kind || !pgm_watch_subscribe(watch, print_snapshot, NULL) ||
	    !pgm_watch_start(watch, &err)) {
		fprintf(stderr, "watch_probe: %s\n", err.message);
		return 1;
	}
	serve_stdin(watch);
	pgm_watch_free(watch);
	return 0;
}
