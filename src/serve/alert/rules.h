/*
 * The rules, one row each: what fires, when, and what to say. Constant. To add one: a row in rules.c with a
 * function that looks (looks.c has some for common kinds); docs/alerts.md is made of the table, and so is the
 * list of what [alerts] may change. tests/unit/serve/test_alert_rules.c wants a snapshot that makes it fire
 * and one that makes it resolve.
 */
#ifndef PGM_SERVE_ALERT_RULES_H
#define PGM_SERVE_ALERT_RULES_H

#include "serve/alert/alert.h"
#include "serve/watch/watch.h"
#include "util/buf.h"

#include <stdbool.h>

enum pgm_alert_unit {
	PGM_ALERT_NUMBER,
	PGM_ALERT_SECONDS,
	PGM_ALERT_BYTES,
	PGM_ALERT_RATIO, /* shown in percent */
	PGM_ALERT_TRANSACTIONS,
	PGM_ALERT_PER_MINUTE,
	PGM_ALERT_DAYS,
};

/* Counters whose changes over some minutes rules look at. */
enum pgm_alert_counter {
	PGM_COUNT_COMMITS,
	PGM_COUNT_ROLLBACKS,
	PGM_COUNT_BLOCKS_HIT,
	PGM_COUNT_BLOCKS_READ,
	PGM_COUNT_DEADLOCKS,
	PGM_COUNT_ARCHIVE_FAILURES,
	PGM_COUNT_CHECKPOINTS_REQUESTED,
	PGM_COUNT_STATEMENTS_EVICTED,
	PGM_COUNT_QUERIES,
	PGM_COUNT_QUERY_ERRORS,
	PGM_COUNT_BURSTS,
	PGM_ALERT_COUNTERS,
};

#define PGM_ALERT_WINDOW_MS	 300e3
#define PGM_ALERT_WINDOW_STEP_MS 5e3
#define PGM_ALERT_WINDOW_PLACES	 64

/* The last five minutes of a target's counters, a place for each five seconds at most; a reset empties it. */
struct pgm_alert_window {
	struct {
		double mono_ms;
		double values[PGM_ALERT_COUNTERS]; /* NaN: not known */
	} places[PGM_ALERT_WINDOW_PLACES];
	size_t first, count;
};

void pgm_alert_window_add(struct pgm_alert_window *window, const struct pgm_snapshot *snapshot);
/* False where there are not yet ten seconds of it. */
bool pgm_alert_window_change(const struct pgm_alert_window *window, enum pgm_alert_counter counter,
			     double *change, double *seconds);

struct pgm_alert_seen {
	const char *what; /* "": the database itself */
	double value;
};

#define PGM_ALERT_SEEN_MAX 50 /* things of one rule in one target */

/* What a look works on, and what it gives. */
struct pgm_alert_look {
	const struct pgm_snapshot *snapshot;
	const struct pgm_alert_window *window;
	const struct pgm_alert_finding *findings;
	size_t finding_count;
	bool findings_known;
	double disk_days;    /* until the disk is full; NaN: not known */
	bool history_paused; /* pgmend's own */
	bool below;	     /* small values are bad */
	struct pgm_arena *arena;

	bool known; /* it could be told: what was not seen is well */
	struct pgm_alert_seen seen[PGM_ALERT_SEEN_MAX];
	size_t count;
};

struct pgm_alert_rule {
	const char *id;
	enum pgm_alert_severity severity;
	void (*look)(const struct pgm_alert_rule *rule, struct pgm_alert_look *look);
	const char *metric; /* or check; for look, and for the documentation */
	enum pgm_alert_unit unit;
	bool below;	      /* small values are bad */
	double fire, resolve; /* fires at fire or beyond, resolves on the other side of resolve */
	int for_s, settle_s;  /* for so long */
	const char *summary;  /* {what}, {value} and {limit} are filled in */
	const char *advice;
	const char *when; /* for the documentation: "a statement has run for a minute" */
};

extern const struct pgm_alert_rule pgm_alert_rules[];
extern const size_t pgm_alert_rule_count;

const struct pgm_alert_rule *pgm_alert_rule_find(const char *id); /* NULL: there is none */

char *pgm_alert_value_text(struct pgm_arena *arena, enum pgm_alert_unit unit, double value);
char *pgm_alert_summary(struct pgm_arena *arena, const struct pgm_alert_rule *rule, const char *what,
			double value, double limit);
/* The rows of docs/alerts.md. */
char *pgm_alert_rules_markdown(struct pgm_arena *arena);

/* ---- looks.c ---- */

typedef void pgm_alert_looker(const struct pgm_alert_rule *rule, struct pgm_alert_look *look);
pgm_alert_looker pgm_look_gauge; /* each sample of the metric, named by its labels */
pgm_alert_looker pgm_look_down, pgm_look_restarted, pgm_look_connections, pgm_look_lock_table, pgm_look_lag,
	pgm_look_slot_kept, pgm_look_vacuum_due, pgm_look_cache_hit, pgm_look_rollbacks,
	pgm_look_query_errors, pgm_look_finding, pgm_look_disk, pgm_look_history;
/* What the metric, one of the counters above, grew by: in a minute, or within the window. */
pgm_alert_looker pgm_look_per_minute, pgm_look_change;

#endif
