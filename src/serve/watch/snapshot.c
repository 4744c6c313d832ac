/*
 * Snapshots: what a look found, put together with what earlier looks found and is still good.
 */
#include "serve/watch/parts.h"

#include "util/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALE_WAITS 3 /* what is older than so many waits of its collector is not as it is now */

static struct pgm_snapshot_part *part_of(const struct pgm_snapshot *snapshot)
{
	return (struct pgm_snapshot_part *)(void *)((char *)(uintptr_t)snapshot -
						    offsetof(struct pgm_snapshot_part, snapshot));
}

const struct pgm_snapshot *pgm_snapshot_keep(const struct pgm_snapshot *snapshot)
{
	pgm_part_keep(&part_of(snapshot)->part);
	return snapshot;
}

void pgm_snapshot_release(const struct pgm_snapshot *snapshot)
{
	if (!snapshot)
		return;
	struct pgm_snapshot_part *part = part_of(snapshot);
	if (atomic_fetch_sub(&part->part.refs, 1) != 1)
		return;
	for (size_t i = 0; i < part->part_count; i++)
		pgm_part_release(part->parts[i]);
	free(part);
}

/* ---- making one ---- */

/* The snapshot and the texts of its target, in one piece. */
static struct pgm_snapshot_part *new_snapshot(const struct pgm_target *target)
{
	const char *texts[] = {target->name,	 target->host, target->port,
			       target->database, target->user, target->why};
	size_t bytes = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		bytes += strlen(texts[i]) + 1;
	struct pgm_snapshot_part *made = calloc(1, sizeof(*made) + bytes);
	if (!made)
		abort();
	atomic_init(&made->part.refs, 1);
	char *at = (char *)(made + 1);
	struct pgm_target *copy = &made->snapshot.target;
	*copy = *target;
	const char **copies[] = {&copy->name,	  &copy->host, &copy->port,
				 &copy->database, &copy->user, &copy->why};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		*copies[i] = at;
		at = stpcpy(at, texts[i]) + 1;
	}
	return made;
}

static void keep(struct pgm_snapshot_part *made, struct pgm_part *part)
{
	made->parts[made->part_count++] = pgm_part_keep(part);
}

static const struct pgm_samples *keep_samples(struct pgm_snapshot_part *made, struct pgm_samples_part *part)
{
	if (!part)
		return NULL;
	keep(made, &part->part);
	return &part->samples;
}

static const struct pgm_statements *keep_statements(struct pgm_snapshot_part *made,
						    struct pgm_statements_part *part)
{
	if (!part)
		return NULL;
	keep(made, &part->part);
	return &part->statements;
}

static void add_info(struct pgm_samples_builder *builder, const struct pgm_target *target)
{
	char version[16];
	const char *labels[] = {target->host, target->port, target->database, version,
				target->standby ? "standby" : "primary"};
	snprintf(version, sizeof(version), "%d.%d", target->version / 10000, target->version % 10000);
	if (target->version)
		pgm_samples_add_named(builder, "pgmend_target_info", labels, 1);
}

static struct pgm_samples_part *end_own(struct pgm_samples_builder *builder, const struct pgm_look *look)
{
	struct pgm_samples_part *made = pgm_samples_end(builder);
	made->samples.wall_ms = look->wall_ms;
	made->samples.mono_ms = look->began_ms;
	return made;
}

/* How the looks went: also for a target that is down. */
static struct pgm_samples_part *target_samples(const struct pgm_look *look, const struct pgm_target *target)
{
	struct pgm_samples_builder builder;
	bool up = target->state == PGM_TARGET_UP;
	pgm_samples_begin(&builder, PGM_COLLECT_TARGET);
	if (target->kind == PGM_TARGET_DATABASE) {
		pgm_samples_add_named(&builder, "pg_up", NULL, up);
		pgm_samples_add_named(&builder, "pg_exporter_last_scrape_error", NULL, !up);
		add_info(&builder, target);
	}
	pgm_samples_add_named(&builder, "pgmend_target_looks_total", NULL, (double)target->looks);
	pgm_samples_add_named(&builder, "pgmend_target_errors_total", NULL, (double)target->errors);
	for (size_t i = 0; up && i < PGM_COLLECTORS; i++) {
		const struct pgm_collector_state *state = &look->states[i];
		const char *labels[] = {pgm_collector_name((enum pgm_collector_id)i)};
		if (!state->known)
			continue;
		pgm_samples_add_named(&builder, "pg_scrape_collector_duration_seconds", labels,
				      state->took_ms / 1000);
		pgm_samples_add_named(&builder, "pg_scrape_collector_success", labels, state->ok);
	}
	return end_own(&builder, look);
}

/* Of a pooler that does not answer, as its collector would say it. */
static struct pgm_samples_part *pool_down_samples(const struct pgm_look *look)
{
	struct pgm_samples_builder builder;
	pgm_samples_begin(&builder, PGM_COLLECT_POOL);
	pgm_samples_add_named(&builder, "pgbouncer_up", NULL, 0);
	return end_own(&builder, look);
}

static double figure(const struct pgm_snapshot *snapshot, enum pgm_collector_id id, const char *metric)
{
	const struct pgm_samples *samples = snapshot->samples[id];
	for (size_t i = 0; samples && i < samples->count; i++)
		if (strcmp(samples->items[i].metric->name, metric) == 0)
			return samples->items[i].value;
	return 0;
}

static void sum_up_sessions(struct pgm_snapshot *snapshot)
{
#define SESSIONS(name) figure(snapshot, PGM_COLLECT_SESSIONS, "pgmend_" name)
	snapshot->sessions = (struct pgm_sessions_summary){
		.total = (int)SESSIONS("sessions_connections"),
		.active = (int)SESSIONS("sessions_active"),
		.idle = (int)SESSIONS("sessions_idle"),
		.idle_in_transaction = (int)SESSIONS("sessions_idle_in_transaction"),
		.waiting_for_lock = (int)SESSIONS("sessions_waiting_for_lock"),
		.max_connections = (int)figure(snapshot, PGM_COLLECT_SETTINGS, "pg_settings_max_connections"),
		.longest_query_s = SESSIONS("longest_query_seconds"),
		.longest_transaction_s = SESSIONS("longest_transaction_seconds"),
		.longest_idle_in_transaction_s = SESSIONS("longest_idle_in_transaction_seconds"),
		.longest_wait_s = SESSIONS("longest_lock_wait_seconds"),
	};
#undef SESSIONS
}

/* Indexes are looked at with the tables. */
static double wait_ms(const struct pgm_look *look, enum pgm_collector_id id)
{
	return look->waits_ms[id == PGM_COLLECT_INDEXES ? PGM_COLLECT_TABLES : id];
}

static bool is_stale(const struct pgm_look *look, double seen_mono_ms, double wait)
{
	return wait > 0 && look->began_ms - seen_mono_ms > STALE_WAITS * wait;
}

/* What the collectors gave, now or in a look that is not long ago. */
static void add_collected(struct pgm_snapshot_part *made, const struct pgm_look *look)
{
	struct pgm_snapshot *snapshot = &made->snapshot;
	for (size_t i = 0; i < PGM_COLLECTORS; i++) {
		struct pgm_samples_part *samples = look->samples[i];
		if (i == PGM_COLLECT_TARGET || !samples)
			continue;
		if (is_stale(look, samples->samples.mono_ms, wait_ms(look, (enum pgm_collector_id)i))) {
			snapshot->stale_ms[i] = samples->samples.wall_ms;
			continue;
		}
		snapshot->samples[i] = keep_samples(made, samples);
		snapshot->before[i] = keep_samples(made, look->before[i]);
		snapshot->fresh[i] = look->fresh[i];
	}
	if (!snapshot->stale_ms[PGM_COLLECT_STATEMENTS])
		snapshot->statements = keep_statements(made, look->statements);
	if (look->profile &&
	    is_stale(look, look->profile->statements.mono_ms, (double)look->options->statements_ms))
		return;
	snapshot->profile = keep_statements(made, look->profile);
	snapshot->profile_before = keep_statements(made, look->profile_before);
}

/* What is known without a collector: taken over from the caller. */
static void add_own(struct pgm_snapshot_part *made, struct pgm_samples_part *own)
{
	enum pgm_collector_id id = own->samples.collector;
	made->snapshot.samples[id] = keep_samples(made, own);
	made->snapshot.fresh[id] = true;
	pgm_part_release(&own->part);
}

const struct pgm_snapshot *pgm_look_snapshot(struct pgm_look *look, const struct pgm_target *target)
{
	struct pgm_snapshot_part *made = new_snapshot(target);
	struct pgm_snapshot *snapshot = &made->snapshot;
	snapshot->number = ++look->number;
	snapshot->wall_ms = look->wall_ms;
	snapshot->mono_ms = look->began_ms;
	snapshot->marks = look->marks;
	snapshot->up = target->state == PGM_TARGET_UP;
	add_own(made, target_samples(look, target));
	if (!snapshot->up && target->kind == PGM_TARGET_POOL)
		add_own(made, pool_down_samples(look));
	if (!snapshot->up)
		return snapshot;
	add_collected(made, look);
	if (look->marks & PGM_MARK_POOL)
		snapshot->profile_before = NULL;
	if (look->objects) {
		keep(made, &look->objects->part);
		snapshot->objects = &look->objects->objects;
	}
	snapshot->fresh_statements = look->fresh_statements;
	snapshot->fresh_profile = look->fresh_profile;
	snapshot->fresh_objects = look->fresh_objects;
	sum_up_sessions(snapshot);
	return snapshot;
}

/* ---- reading one ---- */

/* Whether a label of the sample has the value that is wanted: name and length, value and length. */
static bool label_is(const struct pgm_sample *sample, const char *name, size_t name_length, const char *value,
		     size_t value_length)
{
	for (size_t l = 0; sample->metric->labels[l]; l++) {
		const char *own = sample->metric->labels[l];
		if (strlen(own) != name_length || strncmp(own, name, name_length) != 0)
			continue;
		return strlen(sample->labels[l]) == value_length &&
		       strncmp(sample->labels[l], value, value_length) == 0;
	}
	return false;
}

static bool labels_are(const struct pgm_sample *sample, const char *labels)
{
	while (labels && *labels) {
		size_t whole = strcspn(labels, ","), name = strcspn(labels, "=,");
		if (name >= whole || !label_is(sample, labels, name, labels + name + 1, whole - name - 1))
			return false;
		labels += whole;
		labels += *labels == ',';
	}
	return true;
}

static const struct pgm_sample *find(const struct pgm_samples *samples, const char *metric,
				     const char *labels)
{
	for (size_t i = 0; samples && i < samples->count; i++)
		if (strcmp(samples->items[i].metric->name, metric) == 0 &&
		    labels_are(&samples->items[i], labels))
			return &samples->items[i];
	return NULL;
}

static const struct pgm_sample *find_sample(const struct pgm_snapshot *snapshot, const char *metric,
					    const char *labels)
{
	const struct pgm_metric *known = pgm_metric_find(metric);
	if (!known)
		return NULL;
	const struct pgm_sample *found = find(snapshot->samples[known->collector], metric, labels);
	return found ? found : find(snapshot->samples[PGM_COLLECT_TARGET], metric, labels);
}

double pgm_snapshot_value(const struct pgm_snapshot *snapshot, const char *metric, const char *labels,
			  double otherwise)
{
	const struct pgm_sample *sample = find_sample(snapshot, metric, labels);
	return sample ? sample->value : otherwise;
}

double pgm_snapshot_rate(const struct pgm_snapshot *snapshot, const char *metric, const char *labels)
{
	const struct pgm_metric *known = pgm_metric_find(metric);
	if (!known || !snapshot->samples[known->collector] || !snapshot->before[known->collector])
		return NAN;
	const struct pgm_samples *now = snapshot->samples[known->collector];
	const struct pgm_samples *before = snapshot->before[known->collector];
	const struct pgm_sample *last = find(now, metric, labels), *first = find(before, metric, labels);
	double seconds = (now->mono_ms - before->mono_ms) / 1000;
	if (!last || !first || seconds <= 0 || last->value < first->value)
		return NAN;
	return (last->value - first->value) / seconds;
}

void pgm_snapshot_visit(const struct pgm_snapshot *snapshot, bool fresh_only,
			void (*visit)(void *data, const struct pgm_sample *sample, int64_t wall_ms),
			void *data)
{
	for (size_t c = 0; c < PGM_COLLECTORS; c++) {
		const struct pgm_samples *samples = snapshot->samples[c];
		if (fresh_only && !snapshot->fresh[c])
			continue;
		for (size_t i = 0; samples && i < samples->count; i++)
			visit(data, &samples->items[i], samples->wall_ms);
	}
}
