/*
 * The parts of a history. Inside serve/history/ only.
 *
 * The writer (struct pgm_history_writer) is its thread's alone. Its caches of numbers mirror the file; after
 * a transaction that failed they are forgotten and read again.
 */
#ifndef PGM_SERVE_HISTORY_PARTS_H
#define PGM_SERVE_HISTORY_PARTS_H

#include "serve/history/cells.h"
#include "serve/history/history.h"
#include "serve/history/store.h"
#include "serve/watch/watch.h"
#include "util/hash.h"

#include <pthread.h>

#define PGM_HISTORY_MINUTE_MS INT64_C(60000)
#define PGM_HISTORY_FOLD_MS   INT64_C(600000)
#define PGM_HISTORY_HOUR_MS   INT64_C(3600000)
#define PGM_HISTORY_DAY_MS    INT64_C(86400000)

/* The moment at which a statement was last seen is right to within so much. */
#define PGM_HISTORY_SEEN_STEP_MS PGM_HISTORY_HOUR_MS

#define PGM_HISTORY_RAW_KEEP_MS		(2 * PGM_HISTORY_DAY_MS)
#define PGM_HISTORY_MINUTES_KEEP_MS	(14 * PGM_HISTORY_DAY_MS)
#define PGM_HISTORY_HOURS_KEEP_MS	(400 * PGM_HISTORY_DAY_MS)
#define PGM_HISTORY_STATEMENTS_KEEP_MS	(60 * PGM_HISTORY_DAY_MS)
#define PGM_HISTORY_STATEMENT_CELLS_MAX 500  /* of an interval; the rest is one row */
#define PGM_HISTORY_STATEMENT_ROW_MAX	1000 /* of the looks of a minute or hour together; likewise */
#define PGM_HISTORY_TABLES_MAX		1000
#define PGM_HISTORY_READERS_MAX		8

/* The metric of the history's own under which sizes of tables with their indexes are kept, by the hour. */
#define PGM_HISTORY_TABLE_BYTES "table_bytes"

/* The key of a row of samples; stream: the target's number, or for statements that * 2 + source. */
#define PGM_HISTORY_KEY(stream, at_ms) ((int64_t)(stream) << 43 | (at_ms))
#define PGM_HISTORY_END_MS	       ((INT64_C(1) << 43) - 1) /* after all rows */
#define PGM_HISTORY_KEY_MS(key)	       ((key)&PGM_HISTORY_END_MS)
#define PGM_HISTORY_TARGETS_MAX	       ((int64_t)1 << 18)

static inline int64_t pgm_history_floor(int64_t at_ms, int64_t step_ms)
{
	return at_ms - at_ms % step_ms;
}

struct pgm_history_target {
	uint32_t id;
	int64_t last_ms; /* of its last row */
	double last_mono_ms;
	int64_t folded_ms;  /* minutes before this are in hours */
	int64_t objects_ms; /* the slot in which sizes of tables were last kept */
	/* go up when counters are not to be compared with those before; the second: because they began anew
	 */
	unsigned epoch, reset_epoch;
	const struct pgm_snapshot *base[2]; /* the last one with statements, of each source; a reference */
};

struct pgm_history_series_slot {
	uint32_t id;
	int64_t seen_ms;
	bool has_previous;
	unsigned epoch, reset_epoch; /* the target's, of the previous value */
	double previous, previous_mono_ms;
	struct pgm_buckets *buckets; /* of a histogram */
};

struct pgm_history_statement_slot {
	uint32_t id;
	int64_t seen_ms; /* as the file has it */
	int64_t last_ms;
	bool has_text;
};

struct pgm_history_writer {
	struct pgm_db db;
	int64_t limit_bytes;
	struct pgm_arena *cache;   /* of the maps */
	struct pgm_arena *scratch; /* reset after each snapshot */
	struct pgm_map targets;	   /* by name: struct pgm_history_target */
	struct pgm_map series;	   /* "target/metric/labels": struct pgm_history_series_slot */
	struct pgm_arena *statement_cache;
	struct pgm_map statements; /* "target/source/fingerprint/user": struct pgm_history_statement_slot */
	size_t texts_room;	   /* bytes of new texts that the transaction may still bring */
	uint64_t series_left_out;
	/* whether the clock may be trusted */
	int64_t last_wall_ms;
	double last_mono_ms, trusted_mono_ms;
	double pruned_mono_ms, aged_mono_ms; /* when that was last done; 0: never */
};

struct pgm_history {
	char *path;
	int64_t limit_bytes;
	int lock_file;
	pthread_t thread;

	pthread_mutex_t lock; /* of the queue and the state */
	pthread_cond_t wake, idle;
	const struct pgm_snapshot *queue[PGM_HISTORY_QUEUE_MAX]; /* a ring */
	size_t queue_first, queue_count;
	bool writing, closing;
	struct pgm_history_state state;
	double retry_mono_ms;

	struct pgm_history_writer writer; /* its thread's */

	pthread_mutex_t records_lock;
	struct pgm_db records;

	pthread_mutex_t readers_lock;
	struct pgm_db *idle_readers[PGM_HISTORY_READERS_MAX];
	size_t idle_reader_count;
};

/* ---- writer.c ---- */

bool pgm_history_writer_load(struct pgm_history_writer *writer, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_history_writer_forget(struct pgm_history_writer *writer);     /* the caches, and snapshots in them */
void pgm_history_statements_forget(struct pgm_history_writer *writer); /* the cache of their numbers */
/* Inside a transaction of the caller's. */
bool pgm_history_write(struct pgm_history_writer *writer, const struct pgm_snapshot *snapshot,
		       struct pgm_error *err) PGM_MUST_CHECK;
/* The cells of the interval that a key of table begins: merged with what is there. */
bool pgm_history_write_hours(struct pgm_history_writer *writer, int64_t hour_ms,
			     const struct pgm_cells *cells, struct pgm_error *err) PGM_MUST_CHECK;

/* ---- series.c ---- */

/* *target NULL: there are too many. */
bool pgm_history_target_find(struct pgm_history_writer *writer, const char *name,
			     struct pgm_history_target **target, struct pgm_error *err) PGM_MUST_CHECK;
/* *slot NULL: there are too many. Texts are copied. */
bool pgm_history_series_find(struct pgm_history_writer *writer, const struct pgm_history_target *target,
			     const char *metric, const char *labels, bool rate, int64_t at_ms,
			     struct pgm_history_series_slot **slot, struct pgm_error *err) PGM_MUST_CHECK;
/* 'name="value",...', with what would end a value escaped. */
char *pgm_history_labels(struct pgm_arena *arena, const char *const *names, const char *const *values);

/* ---- write_statements.c ---- */

bool pgm_history_write_statements(struct pgm_history_writer *writer, struct pgm_history_target *target,
				  const struct pgm_snapshot *snapshot, int64_t at_ms,
				  struct pgm_error *err) PGM_MUST_CHECK;

/* ---- fold.c ---- */

/* Minutes that are over into hours. */
bool pgm_history_fold(struct pgm_history_writer *writer, struct pgm_history_target *target, int64_t at_ms,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* ---- prune.c; not inside a transaction ---- */

/* What is too old, and what does not fit. Looks once a minute unless forced. */
bool pgm_history_prune(struct pgm_history_writer *writer, bool forced, struct pgm_error *err) PGM_MUST_CHECK;
/* That statements in the cache were seen: before it is forgotten and texts are to go. */
bool pgm_history_note_seen(struct pgm_history_writer *writer, struct pgm_error *err) PGM_MUST_CHECK;
/* Note a look's clocks: after a jump nothing is deleted for its age for an hour. */
void pgm_history_trust(struct pgm_history_writer *writer, int64_t wall_ms, double mono_ms);
bool pgm_history_file_bytes(struct pgm_history_writer *writer, int64_t *bytes,
			    struct pgm_error *err) PGM_MUST_CHECK;

/* ---- readers.c ---- */

/* A connection for reading, to be given back. NULL with err. */
struct pgm_db *pgm_history_reader(struct pgm_history *history, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_history_reader_done(struct pgm_history *history, struct pgm_db *db);
void pgm_history_readers_close(struct pgm_history *history);
/* *id 0: nothing is known of that target. */
bool pgm_history_target_number(struct pgm_db *db, const char *name, int64_t *id,
			       struct pgm_error *err) PGM_MUST_CHECK;
/* *at_ms: of a stream's first row in a range, by sql: SELECT min(id) ... id >= ?1 AND id < ?2. 0: there is
 * none. */
bool pgm_history_first(struct pgm_db *db, const char *sql, int64_t stream, int64_t from_ms, int64_t to_ms,
		       int64_t *at_ms, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_history_range_ok(int64_t from_ms, int64_t to_ms, struct pgm_error *err) PGM_MUST_CHECK;
/* A step of 10 s to a day that gives at most points steps. */
int64_t pgm_history_step(int64_t from_ms, int64_t to_ms, int64_t points);

#endif
