/*
 * Upkeep of tables that are partitioned by range of one time or integer column, whoever made them: partitions
 * ahead of need, retention, gaps, rows in the DEFAULT partition.
 *
 * This looks and designs: a table's upkeep is a list of Plans (one that makes partitions, one for each
 * partition that is retired), which the engine carries out. Plain data in the caller's arena; one thread.
 */
#ifndef PGM_PARTITION_UPKEEP_H
#define PGM_PARTITION_UPKEEP_H

#include "change/plan.h"
#include "pg/conn.h"

#define PGM_UPKEEP_PREMAKE	4
#define PGM_UPKEEP_NEW_MAX	1000   /* partitions that one run makes of one table */
#define PGM_UPKEEP_DEFAULT_ROWS 100000 /* that are counted, or moved, at most */

/* What becomes of a partition that is older than the retention, once it is detached. */
enum pgm_retire {
	PGM_RETIRE_UNSET,
	PGM_RETIRE_KEEP,    /* it stays, as a table of its own */
	PGM_RETIRE_DROP,    /* it goes */
	PGM_RETIRE_ARCHIVE, /* its rows go into a file, then it goes */
};

/* NULL, -1, 0: not said here. */
struct pgm_upkeep_settings {
	const char *interval;  /* "1 month"; for an integer key a number */
	const char *retention; /* likewise */
	const char *timezone;
	const char *archive_dir;
	const char *retention_schema; /* where a kept partition goes */
	const char *name_format;      /* of to_char(), after the parent's name and "_p" */
	const char *now;	      /* a time to take for the present */
	int64_t premake;
	int64_t epoch_units; /* an integer key is a time: so many units a second */
	enum pgm_retire retire;
	bool fill_gaps;
	bool fix_default;
	bool skip;	    /* its configuration says: not automatically */
	const char *source; /* who says so: "pg_partman" */
};

struct pgm_upkeep_part {
	const char *oid, *schema, *name;
	const char *low, *high;	      /* as the catalog has them; NULL: open */
	const char *low_at, *high_at; /* as timestamptz; NULL for integers too */
	int64_t low_pos, high_pos;    /* to compare: microseconds, or the integer; INT64_MIN and _MAX: open */
	int64_t size_bytes, rows;     /* as the statistics have it */
	char kind;		      /* pg_class.relkind */
	bool pending;		      /* a concurrent DETACH has not ended */
};

enum pgm_upkeep_class {
	PGM_UPKEEP_OTHER, /* a key that cannot be counted on */
	PGM_UPKEEP_DATE,
	PGM_UPKEEP_TIMESTAMP,
	PGM_UPKEEP_TIMESTAMPTZ,
	PGM_UPKEEP_EPOCH, /* an integer that is a time */
	PGM_UPKEEP_INTEGER,
};

struct pgm_upkeep_plan {
	struct pgm_plan plan;
	bool retires;
};

struct pgm_upkeep_table {
	const char *oid, *schema, *name;
	const char *quoted; /* schema.name */
	const char *key, *key_type;
	int64_t key_count;
	enum pgm_upkeep_class class;
	const char *default_oid; /* NULL: no DEFAULT partition */
	const char *default_quoted;
	char default_kind;
	bool may_own, referenced, by_range;
	const char *owner;
	struct pgm_upkeep_settings settings;

	struct pgm_upkeep_part *parts; /* in the order of their bounds, without the DEFAULT */
	size_t part_count;

	/* How it is cut: one of months, days, seconds, step. */
	const char *zone;
	int64_t months, days, seconds, step;
	const char *interval; /* for people: "1 month" */

	const char *now_at;
	int64_t now_pos;    /* of integers: the greatest key */
	int64_t cutoff_pos; /* what ends by then is retired; INT64_MIN: nothing */
	size_t ahead;	    /* partitions that begin after now */

	int64_t default_rows; /* at most PGM_UPKEEP_DEFAULT_ROWS + 1; -1: not known */
	const char **notes;   /* what is wrong or to be known, for people */
	size_t note_count, note_room;
	size_t problems; /* notes that are problems */

	struct pgm_upkeep_plan *plans;
	size_t plan_count, plan_room;
};

/*
 * The tables with these names (as the user's search_path finds them), or all that are partitioned by range,
 * with their names, keys and stored settings alone. PGM_ERR_USAGE names one that there is not.
 */
bool pgm_upkeep_tables(struct pgm_conn *conn, struct pgm_arena *arena, const char *const *names, size_t count,
		       struct pgm_upkeep_table **tables, size_t *table_count,
		       struct pgm_error *err) PGM_MUST_CHECK;

/*
 * What is stored about them: pg_partman's part_config, and above it what --save stored in the Ledger's schema
 * (ledger: it is there).
 */
bool pgm_upkeep_stored(struct pgm_conn *conn, struct pgm_arena *arena, bool ledger,
		       struct pgm_upkeep_table *tables, size_t count, struct pgm_error *err) PGM_MUST_CHECK;

/* "keep", "drop", "archive"; PGM_RETIRE_UNSET for anything else. */
enum pgm_retire pgm_upkeep_retire_parse(const char *word);
const char *pgm_upkeep_retire_name(enum pgm_retire retire);

/*
 * Look at one table and make its Plans; given: what the command line says, which comes before what is
 * stored. Changes nothing.
 */
bool pgm_upkeep_design(struct pgm_conn *conn, struct pgm_arena *arena,
		       const struct pgm_upkeep_settings *given, struct pgm_upkeep_table *table,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* The title that each of its Plans begins with: so an unfinished one is found in the Ledger. */
const char *pgm_upkeep_title(struct pgm_arena *arena, const struct pgm_upkeep_table *table);

#endif
