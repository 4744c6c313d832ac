/*
 * Alerts: each rule (rules.c, one row each) looks at every snapshot and gives a value for each thing that it
 * is about: the database, a slot, a pool. A value beyond the rule's threshold for as long as the rule says
 * fires; one back beyond the second threshold for a minute resolves. What fires and resolves is written to
 * the history file as a delivery for each receiver before anything is sent, and is sent until the receiver
 * has taken it: at least once, each with a key by which a receiver knows it again. A restart loses neither
 * the state nor what waits.
 *
 * One pgm_alerts a process, with a delivery thread of its own. Any thread may call any function here.
 * Addresses of receivers are secrets: no message, log line or answer has more than their host.
 */
#ifndef PGM_SERVE_ALERT_ALERT_H
#define PGM_SERVE_ALERT_ALERT_H

#include "util/arena.h"
#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

struct pgm_alerts;
struct pgm_history;
struct pgm_serve_line; /* config/config.h */
struct pgm_snapshot;

enum pgm_alert_severity { PGM_ALERT_INFO, PGM_ALERT_WARNING, PGM_ALERT_CRITICAL };

const char *pgm_alert_severity_name(enum pgm_alert_severity severity);

enum pgm_alert_phase {
	PGM_ALERT_OK,	     /* -> PENDING */
	PGM_ALERT_PENDING,   /* beyond the threshold, not for long enough yet; -> FIRING, OK */
	PGM_ALERT_FIRING,    /* -> RESOLVING, or stays */
	PGM_ALERT_RESOLVING, /* back, not for long enough yet; -> OK (a resolved message is sent), FIRING */
};

struct pgm_alert_options {
	struct pgm_history *history;	       /* NULL: state and deliveries are in memory alone */
	const struct pgm_serve_line *settings; /* of [alerts]; needed only during the call */
	size_t setting_count;
	/* Where a line is logged; called from several threads, one at a time. NULL: nowhere. */
	void (*say)(void *data, enum pgm_alert_severity severity, const char *line);
	/* Called once where an alert that [alerts] exit_on names fires: the process is to end with 1, so that
	 * systemd acts. */
	void (*leave)(void *data, const char *why);
	void *data;
};

/* PGM_ERR_INPUT for a setting that is not understood, with its line. */
struct pgm_alerts *pgm_alerts_open(const struct pgm_alert_options *options,
				   struct pgm_error *err) PGM_MUST_CHECK;
void pgm_alerts_close(struct pgm_alerts *alerts); /* what could not be sent waits in the file; NULL is fine */

/*
 * Other lines of [alerts], for those of the start: rules and receivers; what waits for a receiver that stays
 * is sent to it, and what a rule that is switched off had firing is resolved. It counts within seconds.
 * False: a line is not understood, and the old ones stay.
 */
bool pgm_alerts_reload(struct pgm_alerts *alerts, const struct pgm_serve_line *settings, size_t setting_count,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* It is no longer watched: what fires for it is resolved. */
void pgm_alerts_forget(struct pgm_alerts *alerts, const char *target);

/* Check a line of [alerts] and nothing else: PGM_ERR_INPUT. */
bool pgm_alert_check(const char *key, const char *value, struct pgm_error *err) PGM_MUST_CHECK;

/* Never waits: what fires is written and sent by the delivery thread. */
void pgm_alerts_evaluate(struct pgm_alerts *alerts, const struct pgm_snapshot *snapshot);

/* What the checks found in a target, in place of what was found before: for the rules that look at findings.
 */
struct pgm_alert_finding {
	const char *check;  /* "partitions_missing_ahead" */
	const char *object; /* "public.orders"; NULL: not judged, what was found before still holds */
};
void pgm_alerts_findings(struct pgm_alerts *alerts, const char *target,
			 const struct pgm_alert_finding *findings, size_t count);

struct pgm_alert_silence {
	const char *id;	    /* an alert's, a rule's, or "*" */
	const char *target; /* "": each */
	int64_t until_ms;
	const char *who, *why;
};

struct pgm_alert {
	const char *id; /* "rule" or "rule:what"; with the target it is unique */
	const char *rule;
	const char *target;
	const char *what; /* the slot, pool, table...; "" where it is the database itself */
	enum pgm_alert_severity severity;
	enum pgm_alert_phase phase;
	double value, threshold;
	const char *summary;			 /* a sentence with the value */
	const char *advice;			 /* what to do */
	int64_t since_ms;			 /* the phase began */
	int64_t fired_ms;			 /* 0: not yet */
	const struct pgm_alert_silence *silence; /* NULL: it is not silenced */
};

/* Those not OK, the worst first. target NULL: of all. */
void pgm_alerts_list(struct pgm_alerts *alerts, const char *target, struct pgm_arena *arena,
		     struct pgm_alert **list, size_t *count);

/* Messages of what matches are not sent until then (a resolved one of what was sent before is). */
bool pgm_alerts_silence(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence,
			struct pgm_error *err) PGM_MUST_CHECK;
/* False in *found: there was none. */
bool pgm_alerts_unsilence(struct pgm_alerts *alerts, const char *id, const char *target, bool *found,
			  struct pgm_error *err) PGM_MUST_CHECK;
void pgm_alerts_silences(struct pgm_alerts *alerts, struct pgm_arena *arena, struct pgm_alert_silence **list,
			 size_t *count);

/* What a receiver's queue looks like; address is its host alone. */
struct pgm_alert_receiver {
	const char *form, *address;
	size_t waiting;
	uint64_t sent, failed; /* attempts, since the start */
	char last_error[200];  /* "" */
};
void pgm_alerts_receivers(struct pgm_alerts *alerts, struct pgm_arena *arena,
			  struct pgm_alert_receiver **list, size_t *count);

#endif
