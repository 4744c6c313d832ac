/* How rules look at a snapshot. Each says what it saw, and whether it could tell. */
#include "serve/alert/rules.h"

#include <math.h>
#include <string.h>

#define BLOCKS_LEAST 100e3 /* in the window: fewer tell nothing of the cache */

static bool is_worse(const struct pgm_alert_look *look, double a, double b)
{
	return look->below ? a < b : a > b;
}

/* Of one name the worst value; where there are too many the worst stay. */
static void saw(struct pgm_alert_look *look, const char *what, double value)
{
	size_t place = look->count;
	look->known = true;
	for (size_t i = 0; i < look->count; i++)
		if (strcmp(look->seen[i].what, what) == 0)
			place = i;
	if (place == PGM_ALERT_SEEN_MAX) {
		place = 0;
		for (size_t i = 1; i < look->count; i++)
			if (is_worse(look, look->seen[place].value, look->seen[i].value))
				place = i;
	}
	if (place == look->count)
		look->seen[look->count++] = (struct pgm_alert_seen){what, value};
	else if (is_worse(look, value, look->seen[place].value))
		look->seen[place] = (struct pgm_alert_seen){what, value};
}

struct visiting {
	struct pgm_alert_look *look;
	const char *metric;
	double sum;
	bool found;
	void (*each)(struct visiting *visiting, const struct pgm_sample *sample);
};

static void visit_one(void *data, const struct pgm_sample *sample, int64_t wall_ms)
{
	(void)wall_ms;
	struct visiting *visiting = data;
	if (strcmp(sample->metric->name, visiting->metric) != 0 || !isfinite(sample->value))
		return;
	visiting->found = true;
	visiting->each(visiting, sample);
}

static bool visit(struct visiting *visiting)
{
	pgm_snapshot_visit(visiting->look->snapshot, false, visit_one, visiting);
	return visiting->found;
}

static void add_up(struct visiting *visiting, const struct pgm_sample *sample)
{
	visiting->sum += sample->value;
}

/* "sales, app": the labels' values that are not the database that is watched anyway. */
static char *name_of(struct pgm_alert_look *look, const struct pgm_sample *sample)
{
	static const char *const plain[] = {"datid", "state", "slot_type"};
	struct pgm_buf buf;
	pgm_buf_init(&buf, look->arena);
	pgm_buf_add(&buf, "");
	for (size_t i = 0; sample->metric->labels[i]; i++) {
		bool skip = !sample->labels[i][0];
		for (size_t j = 0; j < sizeof(plain) / sizeof(plain[0]); j++)
			skip |= strcmp(sample->metric->labels[i], plain[j]) == 0;
		if (!skip)
			pgm_buf_printf(&buf, "%s%s", buf.length ? ", " : "", sample->labels[i]);
	}
	return buf.text;
}

static void see_sample(struct visiting *visiting, const struct pgm_sample *sample)
{
	saw(visiting->look, name_of(visiting->look, sample), sample->value);
}

/* It was looked for: what is not there any more is well. */
static void note_collected(struct pgm_alert_look *look, const char *metric)
{
	const struct pgm_metric *row = pgm_metric_find(metric);
	look->known |= row && look->snapshot->samples[row->collector];
}

void pgm_look_gauge(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	struct visiting visiting = {.look = look, .metric = rule->metric, .each = see_sample};
	visit(&visiting);
	note_collected(look, rule->metric);
}

static double value_of(const struct pgm_alert_look *look, const char *metric)
{
	return pgm_snapshot_value(look->snapshot, metric, NULL, NAN);
}

void pgm_look_down(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	(void)rule;
	saw(look, "", look->snapshot->up ? 0 : 1);
}

void pgm_look_restarted(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double started_s = value_of(look, rule->metric);
	if (isfinite(started_s))
		saw(look, "", fmax((double)look->snapshot->wall_ms / 1e3 - started_s, 0));
}

void pgm_look_connections(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double used = value_of(look, rule->metric), most = value_of(look, "pg_settings_max_connections");
	double kept = value_of(look, "pg_settings_superuser_reserved_connections");
	most -= isfinite(kept) ? kept : 0;
	if (isfinite(used) && most > 0)
		saw(look, "", used / most);
}

void pgm_look_lock_table(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	struct visiting visiting = {.look = look, .metric = rule->metric, .each = add_up};
	double each = value_of(look, "pg_settings_max_locks_per_transaction");
	double sessions = value_of(look, "pg_settings_max_connections");
	double prepared = value_of(look, "pg_settings_max_prepared_transactions");
	double room = each * (sessions + (isfinite(prepared) ? prepared : 0));
	if (visit(&visiting) && room > 0)
		saw(look, "", visiting.sum / room);
}

/* On a standby its own lag, on a primary that of each of its standbys. */
void pgm_look_lag(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double replica = value_of(look, "pg_replication_is_replica"),
	       lag = value_of(look, "pg_replication_lag_seconds");
	if (replica == 1 && isfinite(lag))
		saw(look, "this standby", lag);
	else if (replica == 0)
		look->known = true;
	pgm_look_gauge(rule, look);
}

static void see_unused_slot(struct visiting *visiting, const struct pgm_sample *sample)
{
	struct pgm_alert_look *look = visiting->look;
	char *labels = pgm_sprintf(look->arena, "slot_name=%s", sample->labels[0]);
	double active = pgm_snapshot_value(look->snapshot, "pg_replication_slots_active", labels, 1);
	saw(look, sample->labels[0], active == 0 ? sample->value : 0);
}

void pgm_look_slot_kept(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	struct visiting visiting = {.look = look, .metric = rule->metric, .each = see_unused_slot};
	visit(&visiting);
	note_collected(look, rule->metric);
}

void pgm_look_vacuum_due(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	const struct pgm_objects *objects = look->snapshot->objects;
	(void)rule;
	if (!objects || look->snapshot->stale_ms[PGM_COLLECT_TABLES])
		return;
	look->known = true;
	for (size_t i = 0; i < objects->table_count; i++)
		if (objects->tables[i].vacuum_due >= 1)
			saw(look,
			    pgm_sprintf(look->arena, "%s.%s", objects->tables[i].schema,
					objects->tables[i].name),
			    objects->tables[i].vacuum_due);
}

/* ---- changes of counters ---- */

static const struct {
	const char *metric;
	enum pgm_collector_id collector;
} counters[PGM_ALERT_COUNTERS] = {
	[PGM_COUNT_COMMITS] = {"pg_stat_database_xact_commit", PGM_COLLECT_DATABASE},
	[PGM_COUNT_ROLLBACKS] = {"pg_stat_database_xact_rollback", PGM_COLLECT_DATABASE},
	[PGM_COUNT_BLOCKS_HIT] = {"pg_stat_database_blks_hit", PGM_COLLECT_DATABASE},
	[PGM_COUNT_BLOCKS_READ] = {"pg_stat_database_blks_read", PGM_COLLECT_DATABASE},
	[PGM_COUNT_DEADLOCKS] = {"pg_stat_database_deadlocks", PGM_COLLECT_DATABASE},
	[PGM_COUNT_ARCHIVE_FAILURES] = {"pg_stat_archiver_failed_count", PGM_COLLECT_ARCHIVER},
	[PGM_COUNT_CHECKPOINTS_REQUESTED] = {"pg_stat_bgwriter_checkpoints_req_total", PGM_COLLECT_BGWRITER},
	[PGM_COUNT_STATEMENTS_EVICTED] = {"pgmend_statements_dealloc_total", PGM_COLLECT_STATEMENTS_INFO},
	[PGM_COUNT_QUERIES] = {"pgbouncer_stats_queries_pooled_total", PGM_COLLECT_POOL},
	[PGM_COUNT_QUERY_ERRORS] = {"pgmend_query_errors_total", PGM_COLLECT_POOL},
	[PGM_COUNT_BURSTS] = {"pgmend_query_bursts_total", PGM_COLLECT_POOL},
};

/* Of all the counter's samples; NaN where there is none. */
static double total_of(const struct pgm_snapshot *snapshot, enum pgm_alert_counter counter)
{
	const struct pgm_samples *samples = snapshot->samples[counters[counter].collector];
	double sum = 0;
	bool found = false;
	for (size_t i = 0; samples && i < samples->count; i++) {
		if (strcmp(samples->items[i].metric->name, counters[counter].metric) != 0)
			continue;
		sum += samples->items[i].value;
		found = true;
	}
	return found ? sum : NAN;
}

void pgm_alert_window_add(struct pgm_alert_window *window, const struct pgm_snapshot *snapshot)
{
	if (!snapshot->up)
		return;
	if (snapshot->marks & (PGM_MARK_FIRST | PGM_MARK_RESTART | PGM_MARK_UPGRADE | PGM_MARK_ROLE |
			       PGM_MARK_RESET | PGM_MARK_GAP | PGM_MARK_POOL))
		window->count = 0;
	size_t last = (window->first + window->count - 1) % PGM_ALERT_WINDOW_PLACES;
	if (window->count && snapshot->mono_ms - window->places[last].mono_ms < PGM_ALERT_WINDOW_STEP_MS)
		return;
	while (window->count &&
	       (window->count == PGM_ALERT_WINDOW_PLACES ||
		snapshot->mono_ms - window->places[window->first].mono_ms > PGM_ALERT_WINDOW_MS)) {
		window->first = (window->first + 1) % PGM_ALERT_WINDOW_PLACES;
		window->count--;
	}
	size_t place = (window->first + window->count++) % PGM_ALERT_WINDOW_PLACES;
	window->places[place].mono_ms = snapshot->mono_ms;
	for (int counter = 0; counter < PGM_ALERT_COUNTERS; counter++)
		window->places[place].values[counter] = total_of(snapshot, counter);
}

bool pgm_alert_window_change(const struct pgm_alert_window *window, enum pgm_alert_counter counter,
			     double *change, double *seconds)
{
	if (window->count < 2)
		return false;
	size_t last = (window->first + window->count - 1) % PGM_ALERT_WINDOW_PLACES, first = window->first;
	/* it may not have been known for a while */
	while (first != last && !isfinite(window->places[first].values[counter]))
		first = (first + 1) % PGM_ALERT_WINDOW_PLACES;
	*change = window->places[last].values[counter] - window->places[first].values[counter];
	*seconds = (window->places[last].mono_ms - window->places[first].mono_ms) / 1e3;
	return isfinite(*change) && *change >= 0 && *seconds >= 10;
}

/* Too little to judge by is well. */
static void see_share(struct pgm_alert_look *look, double part, double whole, double least, double otherwise)
{
	saw(look, "", whole >= least && whole > 0 ? part / whole : otherwise);
}

void pgm_look_cache_hit(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double hit, read, seconds;
	(void)rule;
	if (pgm_alert_window_change(look->window, PGM_COUNT_BLOCKS_HIT, &hit, &seconds) &&
	    pgm_alert_window_change(look->window, PGM_COUNT_BLOCKS_READ, &read, &seconds))
		see_share(look, hit, hit + read, BLOCKS_LEAST, 1);
}

void pgm_look_rollbacks(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double back, done, seconds;
	(void)rule;
	if (pgm_alert_window_change(look->window, PGM_COUNT_ROLLBACKS, &back, &seconds) &&
	    pgm_alert_window_change(look->window, PGM_COUNT_COMMITS, &done, &seconds))
		see_share(look, back, back + done, seconds, 0);
}

void pgm_look_query_errors(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double failed, all, seconds;
	(void)rule;
	if (pgm_alert_window_change(look->window, PGM_COUNT_QUERY_ERRORS, &failed, &seconds) &&
	    pgm_alert_window_change(look->window, PGM_COUNT_QUERIES, &all, &seconds))
		see_share(look, failed, all, seconds, 0);
}

static bool change_of(const struct pgm_alert_rule *rule, const struct pgm_alert_look *look, double *change,
		      double *seconds)
{
	for (int i = 0; i < PGM_ALERT_COUNTERS; i++)
		if (strcmp(counters[i].metric, rule->metric) == 0)
			return pgm_alert_window_change(look->window, (enum pgm_alert_counter)i, change,
						       seconds);
	return false;
}

void pgm_look_per_minute(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double change, seconds;
	if (change_of(rule, look, &change, &seconds))
		saw(look, "", change / fmax(seconds, 60) * 60);
}

void pgm_look_change(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	double change, seconds;
	if (change_of(rule, look, &change, &seconds))
		saw(look, "", change);
}

/* ---- what others found ---- */

void pgm_look_finding(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	look->known = look->findings_known;
	for (size_t i = 0; i < look->finding_count; i++)
		if (strcmp(look->findings[i].check, rule->metric) == 0)
			saw(look, look->findings[i].object, 1);
}

void pgm_look_disk(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	(void)rule;
	if (isfinite(look->disk_days))
		saw(look, "", look->disk_days);
}

void pgm_look_history(const struct pgm_alert_rule *rule, struct pgm_alert_look *look)
{
	(void)rule;
	saw(look, "", look->history_paused);
}
