/*
 * What the watch's files share. Nobody else includes this.
 *
 * A struct pgm_look is what is known of one target between two looks; it belongs to the watcher's thread that
 * looks just now (watch.c gives a target to one at a time). What a look makes goes into parts: counted, each
 * with an arena of its own, and never changed once a snapshot has it.
 */
#ifndef PGM_SERVE_WATCH_PARTS_H
#define PGM_SERVE_WATCH_PARTS_H

#include "pg/conn.h"
#include "serve/watch/top.h"
#include "serve/watch/watch.h"
#include "util/hash.h"

#include <stdatomic.h>

#define PGM_LOOK_TABLES_MAX	1000
#define PGM_LOOK_INDEXES_MAX	2000
#define PGM_LOOK_STATEMENTS_MAX 5000
#define PGM_LOOK_TEXTS_MAX	((size_t)16 << 20) /* bytes of statements' texts */
#define PGM_LOOK_BACKOFF_MS	300000.0	   /* at most so long between attempts */
#define PGM_LOOK_SHARE		0.01		   /* of the time, that one collector may take */

/* ---- parts ---- */

struct pgm_part {
	_Atomic int refs;
	struct pgm_arena *arena; /* it is in there itself; NULL: it is malloc'ed, in one piece */
	struct pgm_part *base;	 /* another one that its texts are in; NULL: none */
};

struct pgm_samples_part {
	struct pgm_part part;
	struct pgm_samples samples;
};
struct pgm_statements_part {
	struct pgm_part part;
	struct pgm_statements statements;
};
struct pgm_objects_part {
	struct pgm_part part;
	struct pgm_objects objects;
};
struct pgm_snapshot_part {
	struct pgm_part part;
	struct pgm_snapshot snapshot;
	struct pgm_part *parts[2 * PGM_COLLECTORS + 5]; /* that it keeps */
	size_t part_count;
};

/* A zeroed struct of that size, whose first member is the part, in a new arena; one reference. */
void *pgm_part_new(size_t size);
void *pgm_part_keep(struct pgm_part *part); /* NULL is fine, here and below */
void pgm_part_release(struct pgm_part *part);

/* ---- samples.c ---- */

struct pgm_samples_builder {
	enum pgm_collector_id collector;
	struct pgm_arena *arena; /* until the end */
	struct pgm_sample *items;
	size_t count, capacity;
};
void pgm_samples_begin(struct pgm_samples_builder *builder, enum pgm_collector_id collector);
/* labels: as many as the metric has, copied; NULL is "". buckets: copied, NULL where it is no histogram. */
void pgm_samples_add(struct pgm_samples_builder *builder, const struct pgm_metric *metric,
		     const char *const *labels, double value, const struct pgm_buckets *buckets);
/* The same for a metric that is in the table for sure. */
void pgm_samples_add_named(struct pgm_samples_builder *builder, const char *metric, const char *const *labels,
			   double value);
/* In one piece: there are many of them, and an arena takes 64 kB. */
struct pgm_samples_part *pgm_samples_end(struct pgm_samples_builder *builder);

/* What a query gave: each column named after a metric is a value, those named after its labels are labels. */
void pgm_samples_add_rows(struct pgm_samples_builder *builder, const struct pgm_rows *rows);

/* A copy that is UTF-8: names of a database, and those that clients of the pooler send, can be any bytes. */
const char *pgm_watch_text(struct pgm_arena *arena, const char *text);

/* ---- collectors.c ---- */

enum pgm_period { PGM_PERIOD_FAST, PGM_PERIOD_STATEMENTS, PGM_PERIOD_SLOW };

struct pgm_collector_variant {
	const char *file;
	const char *needs[3]; /* "pg_stat_io.reads": columns that the server has to have */
};
struct pgm_collector {
	enum pgm_collector_id id;
	enum pgm_period period;
	struct pgm_collector_variant variants[2]; /* the first that fits is used; none: it is left out */
};
extern const struct pgm_collector pgm_collectors[];
extern const size_t pgm_collector_count;

/* Which of the variants' files suits a server with these columns; NULL: none. */
const char *pgm_collector_file(const struct pgm_collector *collector, const struct pgm_map *columns);
/* Names of all relations that variants need, as an array's text. */
char *pgm_collector_relations(struct pgm_arena *arena);

/* ---- a look ---- */

struct pgm_texts {
	struct pgm_part part;
	struct pgm_map map; /* by queryid in decimal; "" where it is ours or hidden */
	size_t bytes;
};

struct pgm_collector_state {
	double next_ms;
	unsigned failures; /* one after the other */
	double took_ms;
	bool known, ok; /* known: it has been run, or cannot be */
	char why[160];
};

struct pgm_look {
	const struct pgm_watch_options *options; /* with its defaults filled in */
	const char *conninfo, *pool_database;
	struct pgm_arena *arena; /* of the session: what follows */
	struct pgm_conn *conn;
	struct pgm_map columns;
	const char *statements_schema; /* quoted; NULL: there is none */
	const char *database_oid;
	bool lost; /* the session is of no use any more */

	int version; /* of the last session */
	bool standby;
	unsigned failures; /* to look, one after the other */
	bool forced;	   /* all collectors are due */
	struct pgm_collector_state states[PGM_COLLECTORS];
	double waits_ms[PGM_COLLECTORS]; /* between two runs, as the last that went well had it; 0: none did
					  */
	/* the last that each gave, and the one before it */
	struct pgm_samples_part *samples[PGM_COLLECTORS], *before[PGM_COLLECTORS];
	bool fresh[PGM_COLLECTORS];
	struct pgm_statements_part *statements, *statements_before, *profile, *profile_before;
	struct pgm_objects_part *objects;
	bool fresh_statements, fresh_profile, fresh_objects;
	struct pgm_texts *texts;
	double texts_next_ms;
	double statements_since_s; /* their last reset; 0: not known */
	bool statements_fell;	   /* a counter of theirs */
	struct pgm_top *top_tables, *top_indexes, *top_statements;
	struct pgm_pool_look *pool; /* pool_look.c */
	/* sums that go on when statements are thrown away */
	double sum_calls, sum_seconds, sum_rows;

	unsigned marks;
	double began_ms, good_ms; /* this look, and the last that went well; monotonic */
	int64_t wall_ms, good_wall_ms;
	uint64_t number, collector_errors;
	char host[256], port[16], database[128], user[128];
};

/* watch_look.c: one look. False: the target is down, why in err. */
void pgm_look_init(struct pgm_look *look, const struct pgm_watch_options *options);
bool pgm_look_run(struct pgm_look *look, _Atomic bool *stopping, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_look_done(struct pgm_look *look);
/* What happened since the last look that went well: look->marks. */
void pgm_look_mark(struct pgm_look *look);

/* One statement, bounded by the server's timeout and by ours: a server that does not answer loses us. */
bool pgm_look_query(struct pgm_look *look, struct pgm_arena *arena, const char *sql, size_t param_count,
		    const char *const *params, struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

/* statements.c: STATEMENTS by that file. */
bool pgm_look_statements(struct pgm_look *look, const char *file, struct pgm_error *err) PGM_MUST_CHECK;

/* objects.c: TABLES, INDEXES, TABLE_SIZES. False only where the tables cannot be read. */
bool pgm_look_objects(struct pgm_look *look, const char *file, struct pgm_error *err) PGM_MUST_CHECK;

/* pool_look.c: the pooler of this process. */
bool pgm_look_pool(struct pgm_look *look, struct pgm_error *err) PGM_MUST_CHECK;
/* The part of that profile that is of look->pool_database, where it is newer than what is there. */
void pgm_look_profile(struct pgm_look *look, struct pgm_statements_part *of_pool);
void pgm_pool_look_free(struct pgm_pool_look *pool);

/* How a collector went; err: NULL where it went well. */
void pgm_look_note(struct pgm_look *look, enum pgm_collector_id id, double took_ms,
		   const struct pgm_error *err);
/* Take over what a collector gave; the one before it is kept for rates. */
void pgm_look_take(struct pgm_look *look, struct pgm_samples_part *samples);

/* snapshot.c: what the look found, as a snapshot of that target. */
const struct pgm_snapshot *pgm_look_snapshot(struct pgm_look *look, const struct pgm_target *target);

/* exposition.c */
struct pgm_self_samples {
	struct pgm_samples_builder builder;
};
char *pgm_exposition_write(const struct pgm_snapshot *const *snapshots, size_t count,
			   const struct pgm_samples *self, size_t series_max, bool open_metrics,
			   size_t *length);
/* self.c: this process. */
void pgm_self_process(struct pgm_self_samples *samples);

#endif
