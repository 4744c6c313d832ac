/*
 * The watch: targets, the threads that look at them, and who is told.
 *
 * A target is looked at by one thread at a time (slot.busy); what is known of it between two looks
 * (slot.look) is that thread's. What others may see (slot.latest, slot.target) is under the watch's lock. A
 * look that takes longer than its period is not made up for: the next one is a period after its begin, or
 * now.
 *
 * A slot stays until the end: that of a target which is no longer watched is emptied by whoever has it then.
 */
#include "serve/watch/parts.h"

#include "pg/conninfo.h"
#include "util/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS_MAX	(8 * PGM_WATCH_TARGETS_MAX) /* with those of targets that went */
#define SUBSCRIBERS_MAX 16
#define THREADS_MAX	32
#define BACKOFF_BASE_MS 2000.0
#define WHY_BYTES	512

struct slot {
	/* since it was added */
	struct pgm_watch *watch;
	size_t index;
	enum pgm_target_kind kind;
	char name[PGM_WATCH_NAME_MAX];
	char *conninfo, *pool_database; /* NULL: none */
	struct slot *server;		/* the first one of the same server; perhaps itself */
	/* under the lock */
	bool busy, hurry;
	bool server_away; /* of a server's first one: it did not answer the last that was asked */
	double due_ms;
	const struct pgm_snapshot *latest;
	struct pgm_target target; /* its texts are those below */
	char why[WHY_BYTES], host[256], port[16], database[128], user[128];
	/* the looking thread's */
	struct pgm_look look;
};

struct subscriber {
	pgm_watch_callback *callback;
	void *data;
};

struct self_subscriber {
	pgm_self_callback *callback;
	void *data;
};

struct pgm_watch {
	struct pgm_watch_options options;
	char *ledger_schema;
	struct slot *slots[SLOTS_MAX];
	size_t slot_count, gone_count;
	struct slot *pool; /* NULL: none */
	struct subscriber subscribers[SUBSCRIBERS_MAX];
	size_t subscriber_count;
	struct self_subscriber selves[SUBSCRIBERS_MAX];
	size_t self_count;
	pthread_t threads[THREADS_MAX];
	size_t thread_count;
	_Atomic bool stopping;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t away_busy; /* threads that look at targets that are down */
};

/* ---- setting up ---- */

static void fill_defaults(struct pgm_watch_options *options)
{
#define DEFAULT(member, value)    \
	if (options->member <= 0) \
		options->member = value;
	DEFAULT(fast_ms, 10000)
	DEFAULT(statements_ms, options->fast_ms * 3)
	DEFAULT(slow_ms, options->fast_ms * 6)
	DEFAULT(timeout_ms, 5000)
	DEFAULT(connect_ms, 5000)
#undef DEFAULT
#define DEFAULT_SIZE(member, value) \
	if (!options->member)       \
		options->member = value;
	DEFAULT_SIZE(threads, 4)
	DEFAULT_SIZE(series_max, 2000)
	DEFAULT_SIZE(top_tables, 30)
	DEFAULT_SIZE(top_indexes, 30)
	DEFAULT_SIZE(top_statements, 20)
#undef DEFAULT_SIZE
}

struct pgm_watch *pgm_watch_new(const struct pgm_watch_options *options, struct pgm_error *err)
{
	struct pgm_watch *watch = calloc(1, sizeof(*watch));
	if (!watch) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	watch->options = *options;
	fill_defaults(&watch->options);
	watch->ledger_schema = strdup(options->ledger_schema ? options->ledger_schema : "pgmend");
	watch->options.ledger_schema = watch->ledger_schema;
	pgm_clock_cond_init(&watch->changed);
	pthread_mutex_init(&watch->lock, NULL);
	return watch;
}

static bool start_threads(struct pgm_watch *watch, struct pgm_error *err);

static struct slot *find(const struct pgm_watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->slot_count; i++)
		if (watch->slots[i]->target.state != PGM_TARGET_GONE &&
		    strcmp(watch->slots[i]->name, name) == 0)
			return watch->slots[i];
	return NULL;
}

/* With the lock held. */
static bool add_slot(struct pgm_watch *watch, enum pgm_target_kind kind, const char *name,
		     struct slot **added, struct pgm_error *err)
{
	if (watch->slot_count - watch->gone_count == PGM_WATCH_TARGETS_MAX)
		return pgm_error_set(err, PGM_ERR_USAGE, "at most %d databases can be watched",
				     PGM_WATCH_TARGETS_MAX - 1);
	if (watch->slot_count == SLOTS_MAX)
		return pgm_error_set(err, PGM_ERR_STATE,
				     "too many databases came and went: it needs a restart");
	if (!*name || strlen(name) >= PGM_WATCH_NAME_MAX)
		return pgm_error_set(err, PGM_ERR_USAGE, "the name \"%.100s\" has not 1 to %d bytes", name,
				     PGM_WATCH_NAME_MAX - 1);
	if (find(watch, name))
		return pgm_error_set(err, PGM_ERR_USAGE, "there are two databases with the name \"%s\"",
				     name);
	struct slot *slot = calloc(1, sizeof(*slot));
	if (!slot)
		abort();
	watch->slots[watch->slot_count] = slot;
	slot->watch = watch;
	slot->server = slot;
	slot->index = watch->slot_count++;
	slot->kind = kind;
	snprintf(slot->name, sizeof(slot->name), "%s", name);
	slot->target = (struct pgm_target){.index = slot->index,
					   .kind = kind,
					   .name = slot->name,
					   .host = slot->host,
					   .port = slot->port,
					   .database = slot->database,
					   .user = slot->user,
					   .why = slot->why,
					   .since_ms = pgm_clock_wall_ms()};
	*added = slot;
	return true;
}

/* A name that nobody has yet: "app", "app2", "app3"... */
static void make_unique(const struct pgm_watch *watch, const char *wanted, char name[PGM_WATCH_NAME_MAX])
{
	snprintf(name, PGM_WATCH_NAME_MAX, "%.50s", *wanted ? wanted : "database");
	for (int i = 2; find(watch, name); i++)
		snprintf(name, PGM_WATCH_NAME_MAX, "%.50s%d", *wanted ? wanted : "database", i);
}

static struct slot *server_of(const struct pgm_watch *watch, struct slot *slot)
{
	for (size_t i = 0; i < watch->slot_count; i++) {
		struct slot *other = watch->slots[i];
		if (other->kind == slot->kind && strcmp(other->host, slot->host) == 0 &&
		    strcmp(other->port, slot->port) == 0)
			return other->server;
	}
	return slot;
}

/* With the lock held. */
static bool add_database(struct pgm_watch *watch, const struct pgm_watch_target_options *options,
			 const struct pgm_conninfo *info, struct pgm_error *err)
{
	char name[PGM_WATCH_NAME_MAX];
	struct slot *slot;
	if (!options->name)
		make_unique(watch, info->dbname ? info->dbname : "", name);
	if (!add_slot(watch, PGM_TARGET_DATABASE, options->name ? options->name : name, &slot, err))
		return false;
	slot->conninfo = strdup(options->conninfo ? options->conninfo : "");
	slot->pool_database = options->pool_database ? strdup(options->pool_database) : NULL;
	snprintf(slot->host, sizeof(slot->host), "%s", info->host ? info->host : "");
	snprintf(slot->port, sizeof(slot->port), "%s", info->port ? info->port : "");
	snprintf(slot->database, sizeof(slot->database), "%s", info->dbname ? info->dbname : "");
	snprintf(slot->user, sizeof(slot->user), "%s", info->user ? info->user : "");
	slot->server = server_of(watch, slot);
	slot->look.conninfo = slot->conninfo;
	slot->look.pool_database = slot->pool_database;
	pgm_look_init(&slot->look, &watch->options);
	return true;
}

bool pgm_watch_add(struct pgm_watch *watch, const struct pgm_watch_target_options *options,
		   struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_conninfo info;
	if (!pgm_conninfo_resolve(options->conninfo, arena, &info, err))
		return false;
	pthread_mutex_lock(&watch->lock);
	bool added =
		add_database(watch, options, &info, err) && (!watch->started || start_threads(watch, err));
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	return added;
}

bool pgm_watch_add_pool(struct pgm_watch *watch, struct pgm_error *err)
{
	struct slot *slot;
	pthread_mutex_lock(&watch->lock);
	bool added = add_slot(watch, PGM_TARGET_POOL, "pool", &slot, err);
	if (added) {
		pgm_look_init(&slot->look, &watch->options);
		watch->pool = slot;
	}
	pthread_mutex_unlock(&watch->lock);
	return added;
}

/* What a target that went had, with the lock held and nobody looking at it. Its name stays, for who has it.
 */
static void empty(struct slot *slot)
{
	pgm_look_done(&slot->look);
	pgm_snapshot_release(slot->latest);
	slot->latest = NULL;
	if (slot->conninfo)
		explicit_bzero(slot->conninfo, strlen(slot->conninfo));
	free(slot->conninfo);
	free(slot->pool_database);
	slot->conninfo = slot->pool_database = NULL;
}

bool pgm_watch_remove(struct pgm_watch *watch, const char *name)
{
	pthread_mutex_lock(&watch->lock);
	struct slot *slot = find(watch, name);
	bool found = slot && slot->kind == PGM_TARGET_DATABASE;
	if (found) {
		slot->target.state = PGM_TARGET_GONE;
		watch->gone_count++;
		if (!slot->busy)
			empty(slot);
	}
	pthread_mutex_unlock(&watch->lock);
	return found;
}

bool pgm_watch_subscribe(struct pgm_watch *watch, pgm_watch_callback *callback, void *data)
{
	if (watch->started || watch->subscriber_count == SUBSCRIBERS_MAX)
		return false;
	watch->subscribers[watch->subscriber_count++] = (struct subscriber){callback, data};
	return true;
}

bool pgm_watch_self(struct pgm_watch *watch, pgm_self_callback *callback, void *data)
{
	if (watch->self_count == SUBSCRIBERS_MAX)
		return false;
	watch->selves[watch->self_count++] = (struct self_subscriber){callback, data};
	return true;
}

/* ---- a thread ---- */

/* It is away, or its server did not answer for another database: it will be waited for. */
static bool seems_away(const struct slot *slot)
{
	return slot->target.state == PGM_TARGET_DOWN || slot->server->server_away;
}

/* The slot that is to be looked at first; NULL: all are busy, or may not be looked at by more threads. At
 * most half of the threads wait for targets that are away, so that those do not keep the others waiting. */
static struct slot *first_due(struct pgm_watch *watch)
{
	struct slot *first = NULL;
	bool away_too = watch->away_busy < (watch->thread_count + 1) / 2;
	for (size_t i = 0; i < watch->slot_count; i++) {
		struct slot *slot = watch->slots[i];
		if (slot->busy || slot->target.state == PGM_TARGET_GONE || (seems_away(slot) && !away_too))
			continue;
		if (!first || slot->due_ms < first->due_ms)
			first = slot;
	}
	return first;
}

static void wait_until(struct pgm_watch *watch, double due_ms)
{
	struct timespec until = pgm_clock_moment(due_ms);
	pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
}

/* With the lock held; NULL: it is over. */
static struct slot *next_slot(struct pgm_watch *watch)
{
	while (!atomic_load(&watch->stopping)) {
		struct slot *slot = first_due(watch);
		if (!slot) {
			pthread_cond_wait(&watch->changed, &watch->lock);
			continue;
		}
		if (slot->due_ms <= pgm_clock_ms())
			return slot;
		wait_until(watch, slot->due_ms);
	}
	return NULL;
}

/* What is known of the target after a look, with the lock held. */
static void note_target(struct slot *slot, bool ok, const struct pgm_error *err)
{
	struct pgm_target *target = &slot->target;
	const struct pgm_look *look = &slot->look;
	enum pgm_target_state state = ok ? PGM_TARGET_UP : PGM_TARGET_DOWN;
	if (target->state != state)
		target->since_ms = look->wall_ms;
	target->state = state;
	slot->server->server_away = !ok && (err->kind == PGM_ERR_CONNECT || err->kind == PGM_ERR_TIMEOUT);
	target->looks++;
	target->errors += !ok;
	target->collector_errors = look->collector_errors;
	snprintf(slot->why, sizeof(slot->why), "%.*s", WHY_BYTES - 1, ok ? "" : err->message);
	if (look->version) {
		target->version = look->version;
		target->standby = look->standby;
		snprintf(slot->host, sizeof(slot->host), "%s", look->host);
		snprintf(slot->port, sizeof(slot->port), "%s", look->port);
		snprintf(slot->database, sizeof(slot->database), "%s", look->database);
		snprintf(slot->user, sizeof(slot->user), "%s", look->user);
	}
	if (ok)
		target->seen_ms = look->wall_ms;
}

static double next_due(const struct slot *slot, bool ok)
{
	const struct pgm_look *look = &slot->look;
	double fast = (double)slot->watch->options.fast_ms;
	if (ok)
		return look->began_ms + fast;
	double base = fast < BACKOFF_BASE_MS ? fast : BACKOFF_BASE_MS;
	return pgm_clock_ms() + pgm_clock_backoff_ms((int)look->failures - 1, base, PGM_LOOK_BACKOFF_MS);
}

/* Where the pooler of this process serves the database, what it saw of it. */
static void add_profile(struct slot *slot)
{
	struct pgm_watch *watch = slot->watch;
	if (!slot->pool_database || !watch->pool)
		return;
	pthread_mutex_lock(&watch->lock);
	struct pgm_statements_part *profile = NULL;
	if (watch->pool->latest && watch->pool->latest->profile)
		profile = pgm_part_keep(
			(struct pgm_part *)(void *)((char *)(uintptr_t)watch->pool->latest->profile -
						    offsetof(struct pgm_statements_part, statements)));
	pthread_mutex_unlock(&watch->lock);
	if (!profile)
		return;
	pgm_look_profile(&slot->look, profile);
	pgm_part_release(&profile->part);
}

static void publish(struct slot *slot, const struct pgm_snapshot *snapshot)
{
	struct pgm_watch *watch = slot->watch;
	pthread_mutex_lock(&watch->lock);
	const struct pgm_snapshot *old = slot->latest;
	slot->latest = pgm_snapshot_keep(snapshot);
	pthread_mutex_unlock(&watch->lock);
	pgm_snapshot_release(old);
	for (size_t i = 0; i < watch->subscriber_count; i++)
		watch->subscribers[i].callback(watch->subscribers[i].data, snapshot);
	pgm_snapshot_release(snapshot);
}

/* Without the lock; the slot is ours. Returns when it is due again. */
static double look_at(struct slot *slot)
{
	struct pgm_watch *watch = slot->watch;
	struct pgm_error err;
	bool ok = pgm_look_run(&slot->look, &watch->stopping, &err);
	if (atomic_load(&watch->stopping))
		return slot->due_ms; /* it may be a half */
	if (ok)
		add_profile(slot);
	pthread_mutex_lock(&watch->lock);
	bool gone = slot->target.state == PGM_TARGET_GONE;
	if (!gone)
		note_target(slot, ok, &err);
	struct pgm_target target = slot->target; /* its texts are changed by us alone */
	pthread_mutex_unlock(&watch->lock);
	if (!gone)
		publish(slot, pgm_look_snapshot(&slot->look, &target));
	return next_due(slot, ok);
}

static void *watch_targets(void *data)
{
	struct pgm_watch *watch = data;
	struct slot *slot;
	pthread_mutex_lock(&watch->lock);
	while ((slot = next_slot(watch))) {
		bool away = seems_away(slot);
		slot->busy = true;
		slot->look.forced |= slot->hurry;
		slot->hurry = false;
		watch->away_busy += away;
		pthread_mutex_unlock(&watch->lock);
		double due = look_at(slot);
		pthread_mutex_lock(&watch->lock);
		watch->away_busy -= away;
		slot->busy = false;
		if (slot->target.state == PGM_TARGET_GONE)
			empty(slot);
		slot->due_ms = slot->hurry ? pgm_clock_ms() : due;
		pthread_cond_broadcast(&watch->changed);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

/* ---- starting and stopping ---- */

/* As many as there are targets for, with the lock held. */
static bool start_threads(struct pgm_watch *watch, struct pgm_error *err)
{
	sigset_t all, old;
	size_t wanted = watch->slot_count - watch->gone_count;
	if (wanted > watch->options.threads)
		wanted = watch->options.threads;
	int failed = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!failed && watch->thread_count < wanted && watch->thread_count < THREADS_MAX) {
		failed = pthread_create(&watch->threads[watch->thread_count], NULL, watch_targets, watch);
		watch->thread_count += !failed;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (wanted && !watch->thread_count)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "a thread cannot be started: %s", strerror(failed));
	return true;
}

bool pgm_watch_start(struct pgm_watch *watch, struct pgm_error *err)
{
	double now = pgm_clock_ms();
	pthread_mutex_lock(&watch->lock);
	watch->started = true;
	/* spread over a period, so that they do not all come at once */
	for (size_t i = 0; i < watch->slot_count; i++)
		watch->slots[i]->due_ms =
			now + (double)i * (double)watch->options.fast_ms / (double)watch->slot_count;
	bool started = start_threads(watch, err);
	pthread_mutex_unlock(&watch->lock);
	return started;
}

/* And wait for the threads: at most a statement's timeout. */
static void stop(struct pgm_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	atomic_store(&watch->stopping, true);
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	for (size_t i = 0; i < watch->thread_count; i++)
		pthread_join(watch->threads[i], NULL);
	watch->thread_count = 0;
}

void pgm_watch_free(struct pgm_watch *watch)
{
	if (!watch)
		return;
	stop(watch);
	for (size_t i = 0; i < watch->slot_count; i++) {
		empty(watch->slots[i]);
		free(watch->slots[i]);
	}
	free(watch->ledger_schema);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

/* ---- asking ---- */

size_t pgm_watch_target_count(struct pgm_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	size_t count = watch->slot_count;
	pthread_mutex_unlock(&watch->lock);
	return count;
}

long pgm_watch_find(struct pgm_watch *watch, const char *name)
{
	pthread_mutex_lock(&watch->lock);
	const struct slot *slot = find(watch, name);
	long index = slot ? (long)slot->index : -1;
	pthread_mutex_unlock(&watch->lock);
	return index;
}

struct pgm_target pgm_watch_target(struct pgm_watch *watch, size_t index, struct pgm_arena *arena)
{
	pthread_mutex_lock(&watch->lock);
	struct pgm_target target = watch->slots[index]->target;
	target.name = pgm_strdup(arena, target.name);
	target.host = pgm_strdup(arena, target.host);
	target.port = pgm_strdup(arena, target.port);
	target.database = pgm_strdup(arena, target.database);
	target.user = pgm_strdup(arena, target.user);
	target.why = pgm_strdup(arena, target.why);
	pthread_mutex_unlock(&watch->lock);
	return target;
}

void pgm_watch_hurry(struct pgm_watch *watch, size_t index)
{
	struct slot *slot = watch->slots[index];
	pthread_mutex_lock(&watch->lock);
	slot->hurry = true;
	if (!slot->busy)
		slot->due_ms = pgm_clock_ms();
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
}

const struct pgm_snapshot *pgm_watch_latest(struct pgm_watch *watch, size_t index)
{
	pthread_mutex_lock(&watch->lock);
	const struct slot *slot = watch->slots[index];
	/* one that goes may still be looked at, beside its successor of the same name */
	const struct pgm_snapshot *latest = slot->target.state == PGM_TARGET_GONE ? NULL : slot->latest;
	if (latest)
		pgm_snapshot_keep(latest);
	pthread_mutex_unlock(&watch->lock);
	return latest;
}

/* ---- /metrics ---- */

static struct pgm_samples_part *self_samples(struct pgm_watch *watch)
{
	struct pgm_self_samples samples;
	pgm_samples_begin(&samples.builder, PGM_COLLECT_SELF);
	pgm_self_process(&samples);
	pthread_mutex_lock(&watch->lock);
	size_t targets = watch->slot_count - watch->gone_count;
	pthread_mutex_unlock(&watch->lock);
	pgm_self_add(&samples, "pgmend_watch_targets", NULL, (double)targets);
	for (size_t i = 0; i < watch->self_count; i++)
		watch->selves[i].callback(watch->selves[i].data, &samples);
	return pgm_samples_end(&samples.builder);
}

char *pgm_watch_exposition(struct pgm_watch *watch, bool open_metrics, size_t *length)
{
	size_t count = 0, places = pgm_watch_target_count(watch);
	const struct pgm_snapshot **snapshots = calloc(places + 1, sizeof(*snapshots));
	if (!snapshots)
		return NULL;
	for (size_t i = 0; i < places; i++)
		if ((snapshots[count] = pgm_watch_latest(watch, i)))
			count++;
	struct pgm_samples_part *self = self_samples(watch);
	char *text = pgm_exposition_write(snapshots, count, &self->samples, watch->options.series_max,
					  open_metrics, length);
	pgm_part_release(&self->part);
	for (size_t i = 0; i < count; i++)
		pgm_snapshot_release(snapshots[i]);
	free(snapshots);
	return text;
}
