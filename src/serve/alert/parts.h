/*
 * The parts of the alerts. Inside serve/alert/ only. Everything in struct pgm_alerts but the delivery
 * thread's own part is guarded by its lock.
 */
#ifndef PGM_SERVE_ALERT_PARTS_H
#define PGM_SERVE_ALERT_PARTS_H

#include "serve/alert/rules.h"
#include "serve/config/config.h"
#include "serve/history/history.h"

#include <pthread.h>

#define PGM_ALERT_RULES_MAX	64
#define PGM_ALERT_TARGETS_MAX	2048
#define PGM_ALERT_RECEIVERS_MAX 16
#define PGM_ALERT_SILENCES_MAX	1000
#define PGM_ALERT_WAITING_MAX	1000 /* deliveries of one receiver; then the oldest are given up */
#define PGM_ALERT_KEPT_MS	INT64_C(86400000) /* a delivery that nobody took for so long is given up */
#define PGM_ALERT_RENEW_MS	600e3		  /* an Alertmanager forgets what it does not hear of */
#define PGM_ALERT_OWN_TARGET	"pgmend"

/* ---- settings.c ---- */

enum pgm_alert_form { PGM_ALERT_JSON, PGM_ALERT_SLACK, PGM_ALERT_ALERTMANAGER };
const char *pgm_alert_form_name(enum pgm_alert_form form); /* "webhook", "slack", "alertmanager" */

struct pgm_alert_rule_settings {
	bool off, leave;
	enum pgm_alert_severity severity;
	double fire, resolve;
	int for_s, settle_s;
};

struct pgm_alert_receiver_settings {
	enum pgm_alert_form form;
	char *url;     /* a secret */
	char *address; /* scheme and host */
	char key[32];  /* the form and a hash of the URL: its name in the file */
};

struct pgm_alert_disk {
	char *target; /* NULL: of all that have none of their own */
	double bytes;
};

/* Texts are the arena's. */
struct pgm_alert_settings {
	struct pgm_arena *arena;
	struct pgm_alert_rule_settings rules[PGM_ALERT_RULES_MAX]; /* in the order of pgm_alert_rules */
	struct pgm_alert_receiver_settings receivers[PGM_ALERT_RECEIVERS_MAX];
	size_t receiver_count;
	char *header; /* one more, for webhooks: "Authorization: Bearer ..."; a secret; NULL: none */
	enum pgm_alert_severity send_from;
	struct pgm_alert_disk disks[PGM_ALERT_TARGETS_MAX];
	size_t disk_count;
};

void pgm_alert_settings_init(struct pgm_alert_settings *settings, struct pgm_arena *arena);
bool pgm_alert_settings_line(struct pgm_alert_settings *settings, const char *key, const char *value,
			     struct pgm_error *err) PGM_MUST_CHECK;
/* All lines, into settings that are not initialized yet; PGM_ERR_INPUT with the line. */
bool pgm_alert_settings_read(struct pgm_alert_settings *settings, const struct pgm_serve_line *lines,
			     size_t count, struct pgm_error *err) PGM_MUST_CHECK;
double pgm_alert_settings_disk(const struct pgm_alert_settings *settings,
			       const char *target); /* NaN: not said */

/* ---- what is known of targets ---- */

struct pgm_alert_state {
	struct pgm_alert_state *next;
	const struct pgm_alert_rule *rule;
	struct pgm_alert_target *target;
	char *id, *what;
	enum pgm_alert_phase phase;
	double value;
	double phase_mono_ms;
	int64_t since_ms, fired_ms;
	bool notified; /* receivers were told that it fires */
	double notified_mono_ms;
	bool seen; /* in this look */
};

struct pgm_alert_target {
	char *name;
	double seen_mono_ms;
	struct pgm_alert_window window;
	struct pgm_alert_state *states;
	struct pgm_alert_finding *findings;
	size_t finding_count;
	bool findings_known;
	double disk_days, forecast_mono_ms;
};

struct pgm_alert_silence_slot {
	char *id, *target, *who, *why;
	int64_t until_ms;
};

/* What the delivery thread has to do for a change of state: log it, tell receivers, write it to the file. */
struct pgm_alert_event {
	struct pgm_alert_event *next;
	char *id; /* the alert's, and all of it for the messages */
	const struct pgm_alert_rule *rule;
	enum pgm_alert_severity severity;
	char *target, *what, *summary;
	double value, threshold;
	int64_t fired_ms, at_ms;
	bool resolved;
	bool log;     /* a line for the log */
	bool tell;    /* messages to receivers */
	bool renewal; /* only to those that want it again and again */
	bool save;    /* firing: write its state; resolved: delete it */
	bool notified;
};

struct pgm_alert_delivery {
	struct pgm_alert_delivery *next;
	char *id;  /* of its record: receiver, alert, moment, status */
	char *key; /* for receivers: the same message twice has the same */
	char *payload;
	int64_t made_ms;
	int attempts;
	double due_mono_ms;
};

struct pgm_alert_queue {
	struct pgm_alert_delivery *first, **last; /* the oldest first */
	size_t waiting;
	uint64_t sent, failed;
	char last_error[200];
};

struct pgm_alerts {
	struct pgm_alert_settings settings; /* changed by the delivery thread, with the lock held */
	struct pgm_alert_settings *next;    /* what it is to take; NULL: nothing new */
	struct pgm_history *history;
	void (*say)(void *data, enum pgm_alert_severity severity, const char *line);
	void (*leave)(void *data, const char *why);
	void *data;
	pthread_t thread;

	pthread_mutex_t silencing; /* who adds or ends a silence, in the file and here; before the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* CLOCK_MONOTONIC */
	bool closing;
	struct pgm_alert_target *targets[PGM_ALERT_TARGETS_MAX];
	size_t target_count;
	struct pgm_alert_silence_slot *silences[PGM_ALERT_SILENCES_MAX];
	size_t silence_count;
	struct pgm_alert_event *events, **last_event;
	struct pgm_alert_queue queues[PGM_ALERT_RECEIVERS_MAX];
	bool left;
};

/* ---- state.c; with the lock held ---- */

struct pgm_alert_target *pgm_alert_target_find(struct pgm_alerts *alerts,
					       const char *name); /* NULL: too many */
const struct pgm_alert_rule_settings *pgm_alert_rule_settings(const struct pgm_alerts *alerts,
							      const struct pgm_alert_rule *rule);
struct pgm_alert_state *pgm_alert_state_new(struct pgm_alert_target *target,
					    const struct pgm_alert_rule *rule, const char *what);
void pgm_alert_states_free(struct pgm_alert_target *target);
/* NULL: not silenced. */
const struct pgm_alert_silence_slot *pgm_alert_silenced(const struct pgm_alerts *alerts,
							const struct pgm_alert_state *state, int64_t now_ms);
/* The pseudo-target "pgmend", and alerts of targets that are no longer watched. */
void pgm_alert_tick(struct pgm_alerts *alerts, int64_t now_ms, double mono_ms);
void pgm_alert_event_free(struct pgm_alert_event *event);

/* ---- message.c ---- */

/* What a receiver is sent; malloc()ed. */
char *pgm_alert_message(enum pgm_alert_form form, const struct pgm_alert_event *event);
/* "warning: shop: a statement has run for 2 min (query_over_a_minute)"; malloc()ed. */
char *pgm_alert_line(const struct pgm_alert_event *event);
char *pgm_alert_key(const struct pgm_alert_event *event);

/* ---- saved.c: what is in the file ---- */

bool pgm_alert_load(struct pgm_alerts *alerts, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_alert_save_state(struct pgm_alerts *alerts, const struct pgm_alert_event *event,
			  struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_alert_save_delivery(struct pgm_alerts *alerts, size_t receiver,
			     const struct pgm_alert_delivery *delivery, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_alert_save_silence(struct pgm_alerts *alerts, const struct pgm_alert_silence *silence,
			    struct pgm_error *err) PGM_MUST_CHECK;

/* ---- reload.c ---- */

/* The delivery thread's: take what waits in alerts->next. */
void pgm_alert_adopt(struct pgm_alerts *alerts);
/* Secrets are wiped; the struct itself is the caller's. */
void pgm_alert_settings_done(struct pgm_alert_settings *settings);

/* ---- deliver.c ---- */

void *pgm_alert_deliver(void *alerts); /* the thread */
/* Until the databases of a target are as large as disk_size says; NaN: not known. */
double pgm_alert_days_left(struct pgm_alerts *alerts, const char *target);
void pgm_alert_delivery_free(struct pgm_alert_delivery *delivery);
struct pgm_alert_delivery *pgm_alert_delivery_new(const char *id, const char *key, const char *payload,
						  int64_t made_ms);
void pgm_alert_queue_add(struct pgm_alert_queue *queue, struct pgm_alert_delivery *delivery);

/* Memory that must be there: small, and the daemon's. Aborts where there is none. */
void *pgm_alert_memory(size_t size);
char *pgm_alert_copy(const char *text);

#endif
