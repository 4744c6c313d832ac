/* Snapshots as the watch makes them, with what a test says is in them. */
#ifndef TESTS_UNIT_SERVE_MADE_SNAPSHOT_H
#define TESTS_UNIT_SERVE_MADE_SNAPSHOT_H

#include "serve/watch/parts.h"

#include <stdlib.h>
#include <string.h>

struct made {
	struct pgm_snapshot_part *part;
	struct pgm_snapshot *snapshot;
	struct pgm_samples_builder builders[PGM_COLLECTORS];
	bool begun[PGM_COLLECTORS];
};

static inline struct made made_begin(const char *target, int64_t wall_ms, double mono_ms)
{
	struct made made = {.part = calloc(1, sizeof(*made.part))};
	if (!made.part)
		abort();
	atomic_init(&made.part->part.refs, 1);
	made.snapshot = &made.part->snapshot;
	made.snapshot->target = (struct pgm_target){.name = target,
						    .host = "",
						    .port = "",
						    .database = "",
						    .user = "",
						    .why = "",
						    .state = PGM_TARGET_UP};
	made.snapshot->wall_ms = wall_ms;
	made.snapshot->mono_ms = mono_ms;
	made.snapshot->up = true;
	return made;
}

/* labels: values in the metric's order; NULL: none. */
static inline void made_add(struct made *made, const char *name, const char *const *labels, double value)
{
	static const char *const none[PGM_METRIC_LABELS_MAX] = {"", "", "", "", "", "", "", ""};
	const struct pgm_metric *metric = pgm_metric_find(name);
	if (!metric)
		abort();
	if (!made->begun[metric->collector])
		pgm_samples_begin(&made->builders[metric->collector], metric->collector);
	made->begun[metric->collector] = true;
	pgm_samples_add(&made->builders[metric->collector], metric, labels ? labels : none, value, NULL);
}

static inline struct pgm_statement_row *made_statements(struct made *made, size_t count, bool profile)
{
	struct pgm_statements_part *part = pgm_part_new(sizeof(*part));
	struct pgm_statement_row *rows = PGM_NEW_ARRAY(part->part.arena, struct pgm_statement_row, count + 1);
	part->statements.count = count;
	part->statements.rows = rows;
	part->statements.wall_ms = made->snapshot->wall_ms;
	made->part->parts[made->part->part_count++] = &part->part;
	*(profile ? &made->snapshot->profile : &made->snapshot->statements) = &part->statements;
	*(profile ? &made->snapshot->fresh_profile : &made->snapshot->fresh_statements) = true;
	return rows;
}

static inline struct pgm_table_row *made_tables(struct made *made, size_t count)
{
	struct pgm_objects_part *part = pgm_part_new(sizeof(*part));
	struct pgm_table_row *rows = PGM_NEW_ARRAY(part->part.arena, struct pgm_table_row, count + 1);
	part->objects.table_count = count;
	part->objects.tables = rows;
	made->part->parts[made->part->part_count++] = &part->part;
	made->snapshot->objects = &part->objects;
	made->snapshot->fresh_objects = true;
	return rows;
}

/* One reference: to be released. */
static inline const struct pgm_snapshot *made_end(struct made *made)
{
	for (int collector = 0; collector < PGM_COLLECTORS; collector++) {
		if (!made->begun[collector])
			continue;
		struct pgm_samples_part *samples = pgm_samples_end(&made->builders[collector]);
		made->part->parts[made->part->part_count++] = &samples->part;
		made->snapshot->samples[collector] = &samples->samples;
		made->snapshot->fresh[collector] = true;
	}
	return made->snapshot;
}

#endif
