#include "serve/chore/parts.h"

#include "serve/config/config.h"
#include "util/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_S	      30    /* so long at most until a jump of the clock is seen */
#define JUMP_S	      86400 /* a clock that is so far behind the last run was set back */
#define TIME_LIMIT_MS ((int64_t)2 * 3600 * 1000)

static const struct {
	const char *name, *summary;
} kinds[PGM_CHORES] = {
	[PGM_CHORE_PARTITIONS] = {"partitions", "make partitions ahead, retire those whose time is over"},
	[PGM_CHORE_ANALYZE] = {"analyze", "ANALYZE tables whose statistics are stale"},
	[PGM_CHORE_REINDEX] = {"reindex", "REINDEX CONCURRENTLY indexes that are bloated"},
	[PGM_CHORE_REPORT] = {"report", "write what got slower, and which indexes nobody used"},
};

const char *pgm_chore_name(enum pgm_chore_id id)
{
	return kinds[id].name;
}

bool pgm_chores_stopping(struct pgm_chores *chores)
{
	pthread_mutex_lock(&chores->lock);
	bool stop = chores->stop;
	pthread_mutex_unlock(&chores->lock);
	return stop;
}

static void run_for(struct pgm_chores *chores, struct pgm_chore *chore, const char *database, const char *who)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_chore_outcome outcome = {.state = "failed"};
	char at[PGM_CLOCK_STAMP_SIZE];
	pgm_clock_stamp(at);
	if (chore->id == PGM_CHORE_PARTITIONS)
		pgm_chore_partitions(chores, arena, database, who, &outcome);
	else if (chore->id == PGM_CHORE_REPORT)
		pgm_chore_report(chores, arena, database, who, &outcome);
	else
		pgm_chore_mend(chores, arena, chore->id, database, who, &outcome);
	struct pgm_error ignored = {0};
	const char *detail = pgm_sprintf(arena, "%s%s%s", outcome.state, outcome.text ? ": " : "",
					 outcome.text ? outcome.text : "");
	/* Its job says for itself what it changed; that there was nothing to do is worth a line as well. */
	if (!pgm_jobs_audit(chores->jobs, who, "chore", kinds[chore->id].name, database,
			    *outcome.job ? outcome.job : NULL, detail, &ignored))
		outcome.text = "it could not be put into the audit list";
	json_t *text = outcome.text ? json_string(outcome.text) : NULL;
	json_t *last = json_pack("{s:s, s:s, s:s?, s:o}", "at", at, "outcome", outcome.state, "job",
				 *outcome.job ? outcome.job : NULL, "text", text ? text : json_null());
	pthread_mutex_lock(&chores->lock);
	json_object_set_new(chore->last, database, last);
	pthread_mutex_unlock(&chores->lock);
}

static bool is_chosen(const struct pgm_chores *chores, const char *database, const char *only)
{
	char **names = chores->options.databases;
	if (only && strcmp(only, database) != 0)
		return false;
	for (char **name = names; name && *name; name++)
		if (strcmp(*name, database) == 0)
			return true;
	return !names;
}

static void keep_last(struct pgm_chores *chores, const struct pgm_chore *chore)
{
	char name[64], value[32];
	struct pgm_error ignored = {0};
	snprintf(name, sizeof(name), "chore/%s", kinds[chore->id].name);
	snprintf(value, sizeof(value), "%lld", (long long)chore->last_s);
	/* Where the record is full the chore is late once more after a restart: no harm. */
	if (!pgm_jobs_note(chores->jobs, name, value, &ignored))
		return;
}

/* Without the lock. */
static void run(struct pgm_chores *chores, struct pgm_chore *chore, const char *only, const char *who)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char **names;
	size_t count = pgm_jobs_targets(chores->jobs, arena, &names);
	for (size_t i = 0; i < count && !pgm_chores_stopping(chores); i++)
		if (is_chosen(chores, names[i], only))
			run_for(chores, chore, names[i], who);
}

/* The one that is due, or that somebody asked for; *wait: seconds until the next one. */
static struct pgm_chore *next_due(struct pgm_chores *chores, int64_t now, int64_t *wait)
{
	*wait = LOOK_S;
	for (int i = 0; i < PGM_CHORES; i++) {
		struct pgm_chore *chore = chores->items[i];
		if (!chore)
			continue;
		if (chore->last_s > now + JUMP_S) {
			chore->last_s = now;
			chore->due_s = pgm_timetable_next(&chore->timetable, now);
		}
		if (chore->now || now >= chore->due_s)
			return chore;
		if (chore->due_s - now < *wait)
			*wait = chore->due_s - now;
	}
	return NULL;
}

static void run_due(struct pgm_chores *chores, struct pgm_chore *chore, int64_t now)
{
	char *only = chore->now_database, *asked = chore->now_who, who[128];
	if (now >= chore->due_s) { /* its turn: for all, and so for whom somebody asked */
		free(only);
		free(asked);
		only = asked = NULL;
	}
	if (asked)
		snprintf(who, sizeof(who), "%.90s", asked);
	else
		snprintf(who, sizeof(who), "chore:%s", kinds[chore->id].name);
	chore->now = false;
	chore->now_database = chore->now_who = NULL;
	/* What somebody asked for one database takes no other's turn. However many times were missed, it runs
	 * once. */
	if (!only) {
		chore->last_s = now;
		chore->due_s = pgm_timetable_next(&chore->timetable, now);
	}
	chores->running = (int)chore->id;
	pthread_mutex_unlock(&chores->lock);
	if (!only)
		keep_last(chores, chore);
	run(chores, chore, only, who);
	free(only);
	free(asked);
	pthread_mutex_lock(&chores->lock);
	chores->running = -1;
}

static void free_chores(struct pgm_chores *chores)
{
	for (int i = 0; i < PGM_CHORES; i++) {
		struct pgm_chore *chore = chores->items[i];
		if (!chore)
			continue;
		free(chore->text);
		free(chore->now_database);
		free(chore->now_who);
		json_decref(chore->last);
		free(chore);
	}
	pgm_chore_options_done(&chores->options);
	pthread_cond_destroy(&chores->changed);
	pthread_mutex_destroy(&chores->lock);
	free(chores);
}

/* What is known of the chores that stay goes on. */
static void adopt(struct pgm_chores *chores)
{
	struct pgm_chores *next = chores->next;
	struct pgm_chore_options options = chores->options;
	chores->next = NULL;
	if (!next)
		return;
	chores->options = next->options;
	next->options = options;
	for (int i = 0; i < PGM_CHORES; i++) {
		struct pgm_chore *old = chores->items[i], *new = next->items[i];
		chores->items[i] = new;
		next->items[i] = old;
		if (!old || !new)
			continue;
		json_t *last = new->last;
		new->last = old->last;
		old->last = last;
		new->now = old->now;
		new->now_database = old->now_database;
		new->now_who = old->now_who;
		old->now_database = old->now_who = NULL;
		if (new->last_s < old->last_s) { /* it ran after the new one was read */
			new->last_s = old->last_s;
			new->due_s = pgm_timetable_next(&new->timetable, new->last_s);
		}
	}
	free_chores(next);
}

static void *thread(void *data)
{
	struct pgm_chores *chores = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&chores->lock);
	while (!chores->stop) {
		int64_t wait, now = time(NULL);
		adopt(chores);
		struct pgm_chore *due = next_due(chores, now, &wait);
		if (due) {
			run_due(chores, due, now);
			continue;
		}
		struct timespec until = pgm_clock_moment(pgm_clock_ms() + 1e3 * (double)wait);
		pthread_cond_timedwait(&chores->changed, &chores->lock, &until);
	}
	pthread_mutex_unlock(&chores->lock);
	return NULL;
}

static bool add(struct pgm_chores *chores, enum pgm_chore_id id, const char *value, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char name[64];
	struct pgm_chore *chore = calloc(1, sizeof(*chore));
	if (!chore)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	chores->items[id] = chore;
	chore->id = id;
	chore->text = strdup(value);
	chore->last = json_object();
	if (!pgm_timetable_parse(value, chores->options.zone, &chore->timetable, err))
		return pgm_error_context(err, "chore %s", kinds[id].name);
	snprintf(name, sizeof(name), "chore/%s", kinds[id].name);
	const char *noted = pgm_jobs_noted(chores->jobs, arena, name);
	int64_t now = time(NULL);
	chore->last_s = noted && chores->options.make_up ? strtoll(noted, NULL, 10) : now;
	chore->due_s = pgm_timetable_next(&chore->timetable, chore->last_s);
	keep_last(chores, chore);
	return true;
}

static bool configure(struct pgm_chores *chores, const struct pgm_serve_config *config, struct pgm_error *err)
{
	bool known;
	for (size_t i = 0; i < config->chore_count; i++)
		if (!pgm_chore_setting(config->chores[i].key, config->chores[i].value, &chores->options,
				       &known, err))
			return false;
	for (size_t i = 0; i < config->chore_count; i++)
		for (int id = 0; id < PGM_CHORES; id++) {
			const struct pgm_serve_line *line = &config->chores[i];
			if (strcmp(line->key, kinds[id].name) != 0 || strcmp(line->value, "off") == 0 ||
			    chores->items[id])
				continue;
			if (!add(chores, (enum pgm_chore_id)id, line->value, err))
				return false;
		}
	if (!chores->options.report_folder && config->history && *config->history) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		chores->options.report_folder = strdup(pgm_sprintf(arena, "%s.reports", config->history));
	}
	return true;
}

/* Without a thread; NULL with err. */
static struct pgm_chores *make(const struct pgm_serve_config *config, struct pgm_jobs *jobs,
			       struct pgm_history *history, struct pgm_error *err)
{
	struct pgm_chores *chores = calloc(1, sizeof(*chores));
	if (!chores) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&chores->lock, NULL);
	pgm_clock_cond_init(&chores->changed);
	chores->jobs = jobs;
	chores->history = history;
	chores->running = -1;
	chores->options = (struct pgm_chore_options){.analyze_max = 50,
						     .reindex_max = 3,
						     .time_limit_ms = TIME_LIMIT_MS,
						     .reports_kept = 60,
						     .make_up = true};
	if (configure(chores, config, err))
		return chores;
	free_chores(chores);
	return NULL;
}

struct pgm_chores *pgm_chores_start(const struct pgm_serve_config *config, struct pgm_jobs *jobs,
				    struct pgm_history *history, struct pgm_error *err)
{
	struct pgm_chores *chores = make(config, jobs, history, err);
	int problem = chores ? pthread_create(&chores->thread, NULL, thread, chores) : 0;
	if (!problem)
		return chores;
	pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread: %s", strerror(problem));
	free_chores(chores);
	return NULL;
}

bool pgm_chores_reload(struct pgm_chores *chores, const struct pgm_serve_config *config,
		       struct pgm_error *err)
{
	struct pgm_chores *next = make(config, chores->jobs, chores->history, err);
	if (!next)
		return false;
	pthread_mutex_lock(&chores->lock);
	struct pgm_chores *old = chores->next;
	chores->next = next;
	pthread_cond_broadcast(&chores->changed);
	pthread_mutex_unlock(&chores->lock);
	if (old)
		free_chores(old);
	return true;
}

void pgm_chores_stop(struct pgm_chores *chores)
{
	if (!chores)
		return;
	pthread_mutex_lock(&chores->lock);
	chores->stop = true;
	pthread_cond_broadcast(&chores->changed);
	pthread_mutex_unlock(&chores->lock);
	pthread_join(chores->thread, NULL);
	if (chores->next)
		free_chores(chores->next);
	free_chores(chores);
}

static json_t *stamp(int64_t at_s)
{
	char text[PGM_CLOCK_STAMP_SIZE];
	return json_string(pgm_clock_stamp_of(at_s, text));
}

json_t *pgm_chores_json(struct pgm_chores *chores)
{
	json_t *list = json_array();
	pthread_mutex_lock(&chores->lock);
	for (int i = 0; i < PGM_CHORES; i++) {
		const struct pgm_chore *chore = chores->items[i];
		if (chore)
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:o}", "name", kinds[i].name,
					  "summary", kinds[i].summary, "timetable", chore->text, "due_at",
					  stamp(chore->due_s), "last_at", stamp(chore->last_s), "running",
					  chores->running == i, "last", json_deep_copy(chore->last)));
	}
	pthread_mutex_unlock(&chores->lock);
	return list;
}

/* Whether a run for the first is one for the second; NULL: all of them. */
static bool covers(const char *waiting, const char *wanted)
{
	return !waiting || (wanted && strcmp(waiting, wanted) == 0);
}

bool pgm_chores_run(struct pgm_chores *chores, const char *name, const char *database, const char *who,
		    struct pgm_error *err)
{
	struct pgm_chore *chore = NULL;
	pthread_mutex_lock(&chores->lock);
	for (int i = 0; i < PGM_CHORES; i++)
		if (chores->items[i] && strcmp(kinds[i].name, name) == 0)
			chore = chores->items[i];
	bool covered = chore && (!chore->now || covers(chore->now_database, database));
	if (chore && !chore->now) {
		chore->now = true;
		chore->now_database = database ? strdup(database) : NULL;
		chore->now_who = who ? strdup(who) : NULL;
	}
	pthread_cond_broadcast(&chores->changed);
	pthread_mutex_unlock(&chores->lock);
	if (covered)
		return true;
	if (chore) {
		pgm_error_set(err, PGM_ERR_STATE, "chore %.50s waits for its turn for another database",
			      name);
		return pgm_error_hint(err, "Ask again when it has begun.");
	}
	pgm_error_set(err, PGM_ERR_INPUT, "no chore %.50s is configured", name);
	return pgm_error_hint(err, "Give it a timetable in [chores].");
}
