/*
 * The pooler of this process: its console's tables under pgbouncer_exporter's names, and its profile as
 * histograms. The profile forgets statements now and then; what is shown are sums of what each grew by, which
 * never fall.
 */
#include "serve/watch/parts.h"

#include "pool/console/view.h"
#include "util/clock.h"
#include "util/vec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS     5000.0
#define DATABASES_MAX 1000 /* of which there are histograms */

/* What a database of the pooler has done since the start. */
struct pooled {
	struct pooled *next;
	char *name;
	struct pgm_buckets query, wait; /* not cumulative here */
	double errors, bursts;
	struct pgm_buckets transaction, idle;		      /* likewise */
	struct pgm_histogram transaction_before, idle_before; /* as the last profile had them */
};

struct pgm_pool_look {
	struct pooled *databases;
	size_t database_count;
	double profile_next_ms;
	int64_t since_us; /* the profile's begin */
};

/* A row of the profile, of all users together. */
struct profiled {
	const char *database;
	struct pgm_histogram server, wait;
};

/* The profile as a part: each statement row has its struct profiled at the same place. */
struct profile_part {
	struct pgm_statements_part statements;
	struct profiled *profiled;
	struct pgm_map by_key;
};

static const struct profile_part *as_profile(const struct pgm_statements_part *part)
{
	return (const struct profile_part *)part;
}

void pgm_pool_look_free(struct pgm_pool_look *pool)
{
	while (pool && pool->databases) {
		struct pooled *next = pool->databases->next;
		free(pool->databases->name);
		free(pool->databases);
		pool->databases = next;
	}
	free(pool);
}

/* ---- SHOW ---- */

static const char *const commands[] = {"SHOW POOLS",  "SHOW STATS_TOTALS", "SHOW DATABASES", "SHOW LISTS",
				       "SHOW CONFIG", "SHOW VERSION",	   "SHOW PINNED"};
enum { POOLS, TOTALS, DATABASES, LISTS, CONFIG, VERSION, PINNED, COMMANDS };

struct shown {
	const char *column;
	const char *metric;
	double scale;
};

static const struct shown pools[] = {
	{"cl_active", "pgbouncer_pools_client_active_connections", 1},
	{"cl_waiting", "pgbouncer_pools_client_waiting_connections", 1},
	{"cl_active_cancel_req", "pgbouncer_pools_client_active_cancel_connections", 1},
	{"cl_waiting_cancel_req", "pgbouncer_pools_client_waiting_cancel_connections", 1},
	{"sv_active", "pgbouncer_pools_server_active_connections", 1},
	{"sv_active_cancel", "pgbouncer_pools_server_active_cancel_connections", 1},
	{"sv_being_canceled", "pgbouncer_pools_server_being_canceled_connections", 1},
	{"sv_idle", "pgbouncer_pools_server_idle_connections", 1},
	{"sv_used", "pgbouncer_pools_server_used_connections", 1},
	{"sv_tested", "pgbouncer_pools_server_testing_connections", 1},
	{"sv_login", "pgbouncer_pools_server_login_connections", 1},
	{NULL},
};

static const struct shown totals[] = {
	{"server_assignment_count", "pgbouncer_stats_server_assignments_total", 1},
	{"xact_count", "pgbouncer_stats_sql_transactions_pooled_total", 1},
	{"query_count", "pgbouncer_stats_queries_pooled_total", 1},
	{"query_count", "pgbouncer_stats_queries_total", 1},
	{"bytes_received", "pgbouncer_stats_received_bytes_total", 1},
	{"bytes_sent", "pgbouncer_stats_sent_bytes_total", 1},
	{"xact_time", "pgbouncer_stats_server_in_transaction_seconds_total", 1e-6},
	{"query_time", "pgbouncer_stats_queries_duration_seconds_total", 1e-6},
	{"wait_time", "pgbouncer_stats_client_wait_seconds_total", 1e-6},
	{"client_parse_count", "pgbouncer_stats_client_parses_total", 1},
	{"server_parse_count", "pgbouncer_stats_server_parses_total", 1},
	{"bind_count", "pgbouncer_stats_binds_total", 1},
	{NULL},
};

static const struct shown databases[] = {
	{"pool_size", "pgbouncer_databases_pool_size", 1},
	{"reserve_pool_size", "pgbouncer_databases_reserve_pool", 1},
	{"max_connections", "pgbouncer_databases_max_connections", 1},
	{"current_connections", "pgbouncer_databases_current_connections", 1},
	{"paused", "pgbouncer_databases_paused", 1},
	{"disabled", "pgbouncer_databases_disabled", 1},
	{NULL},
};

static const struct shown lists[] = {
	{"databases", "pgbouncer_databases", 1},
	{"users", "pgbouncer_users", 1},
	{"pools", "pgbouncer_pools", 1},
	{"free_clients", "pgbouncer_free_clients", 1},
	{"used_clients", "pgbouncer_used_clients", 1},
	{"login_clients", "pgbouncer_login_clients", 1},
	{"free_servers", "pgbouncer_free_servers", 1},
	{"used_servers", "pgbouncer_used_servers", 1},
	{"dns_names", "pgbouncer_cached_dns_names", 1},
	{"dns_zones", "pgbouncer_cached_dns_zones", 1},
	{"dns_queries", "pgbouncer_in_flight_dns_queries", 1},
	{NULL},
};

static const struct shown config[] = {
	{"max_client_conn", "pgbouncer_config_max_client_connections", 1},
	{"max_user_connections", "pgbouncer_config_max_user_connections", 1},
	{NULL},
};

/* A table with columns of figures; the labels are the columns of the same names. */
static void add_table(struct pgm_samples_builder *builder, const struct pgm_rows *rows,
		      const struct shown *shown)
{
	for (; shown->column; shown++) {
		const struct pgm_metric *metric = pgm_metric_find(shown->metric);
		size_t c = pgm_rows_column(rows, shown->column);
		for (size_t r = 0; r < rows->count && c < rows->columns; r++) {
			const char *labels[PGM_METRIC_LABELS_MAX];
			for (size_t l = 0; metric->labels[l]; l++) {
				size_t at = pgm_rows_column(rows, metric->labels[l]);
				labels[l] = at < rows->columns ? pgm_rows_text(rows, r, at) : "";
			}
			pgm_samples_add(builder, metric, labels, pgm_rows_double(rows, r, c) * shown->scale,
					NULL);
		}
	}
}

/* A table of two columns: names and figures. */
static void add_list(struct pgm_samples_builder *builder, const struct pgm_rows *rows,
		     const struct shown *shown)
{
	for (; shown->column; shown++)
		for (size_t r = 0; r < rows->count; r++)
			if (strcmp(pgm_rows_text(rows, r, 0), shown->column) == 0)
				pgm_samples_add_named(builder, shown->metric, NULL,
						      pgm_rows_double(rows, r, 1) * shown->scale);
}

static void add_pools(struct pgm_samples_builder *builder, const struct pgm_rows *rows)
{
	size_t whole = pgm_rows_column(rows, "maxwait"), rest = pgm_rows_column(rows, "maxwait_us");
	size_t database = pgm_rows_column(rows, "database"), user = pgm_rows_column(rows, "user");
	size_t mode = pgm_rows_column(rows, "pool_mode");
	for (size_t r = 0; r < rows->count; r++) {
		const char *labels[] = {pgm_rows_text(rows, r, database), pgm_rows_text(rows, r, user),
					pgm_rows_text(rows, r, mode)};
		pgm_samples_add_named(builder, "pgmend_pool_info", labels, 1);
		pgm_samples_add_named(builder, "pgbouncer_pools_client_maxwait_seconds", labels,
				      pgm_rows_double(rows, r, whole) + pgm_rows_double(rows, r, rest) / 1e6);
	}
}

/* Clients that keep a server, by each of their reasons: "listen, temporary table". */
static void add_pinned(struct pgm_samples_builder *builder, const struct pgm_rows *rows)
{
	struct pinned {
		const char *labels[3]; /* database, user, reason */
		double clients;
	};
	size_t database = pgm_rows_column(rows, "database"), user = pgm_rows_column(rows, "user");
	size_t reasons = pgm_rows_column(rows, "reasons");
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	PGM_VEC(struct pinned *) all = {0};
	struct pgm_map known;
	pgm_map_init(&known, arena);
	for (size_t r = 0; r < rows->count; r++) {
		const char *names[] = {pgm_rows_text(rows, r, database), pgm_rows_text(rows, r, user)};
		char *rest = pgm_strdup(arena, pgm_rows_text(rows, r, reasons));
		for (char *reason; (reason = strsep(&rest, ","));) {
			reason += strspn(reason, " ");
			char *key = pgm_sprintf(arena, "%s\n%s\n%s", names[0], names[1], reason);
			struct pinned *one = pgm_map_get(&known, key);
			if (!one) {
				one = PGM_NEW(arena, struct pinned);
				*one = (struct pinned){{names[0], names[1], reason}, 0};
				pgm_map_set(&known, key, one);
				*pgm_vec_add(arena, &all) = one;
			}
			one->clients++;
		}
	}
	for (size_t i = 0; i < all.count; i++)
		pgm_samples_add_named(builder, "pgmend_pool_pinned_clients", all.items[i]->labels,
				      all.items[i]->clients);
}

/* ---- the profile ---- */

/* The bucket whose bound is the first above; bounds are powers of two, as those of our histograms are. */
static size_t bucket_of(uint64_t us)
{
	size_t b = 0;
	while (b < PGM_METRIC_BOUNDS && (double)us >= pgm_metric_bounds[b] * 1e6 - 0.5)
		b++;
	return b;
}

static void grow(struct pgm_buckets *into, const struct pgm_histogram *now,
		 const struct pgm_histogram *before)
{
	for (unsigned i = 0; i < PGM_HISTOGRAM_BUCKETS; i++) {
		uint32_t old = before ? before->counts[i] : 0;
		if (now->counts[i] > old)
			into->counts[bucket_of(pgm_histogram_low_us(i))] += now->counts[i] - old;
	}
	uint64_t old_us = before ? before->sum_us : 0;
	into->sum += now->sum_us > old_us ? (double)(now->sum_us - old_us) / 1e6 : 0;
}

static void add_histogram(struct pgm_samples_builder *builder, const char *metric, const char *const *labels,
			  const struct pgm_buckets *counted)
{
	struct pgm_buckets shown = *counted;
	for (size_t b = 1; b <= PGM_METRIC_BOUNDS; b++)
		shown.counts[b] += shown.counts[b - 1];
	pgm_samples_add(builder, pgm_metric_find(metric), labels, (double)shown.counts[PGM_METRIC_BOUNDS],
			&shown);
}

static struct pooled *pooled_of(struct pgm_pool_look *pool, const char *name)
{
	for (struct pooled *one = pool->databases; one; one = one->next)
		if (strcmp(one->name, name) == 0)
			return one;
	if (pool->database_count == DATABASES_MAX)
		return NULL;
	struct pooled *one = calloc(1, sizeof(*one));
	if (!one || !(one->name = strdup(name)))
		abort();
	one->next = pool->databases;
	pool->databases = one;
	pool->database_count++;
	return one;
}

static char *key_of(struct pgm_arena *arena, uint64_t fingerprint, const char *database)
{
	return pgm_sprintf(arena, "%016" PRIx64 "/%s", fingerprint, database);
}

static void merge_row(struct pgm_statement_row *into, struct profiled *profiled,
		      const struct pgm_profile_row *row)
{
	pgm_histogram_merge(&profiled->server, &row->server);
	pgm_histogram_merge(&profiled->wait, &row->wait);
	into->calls += (double)row->calls;
	into->rows += (double)row->rows;
	into->total_ms += (double)row->server.sum_us / 1000;
	into->errors += (double)row->errors;
	into->bursts += (double)row->bursts;
}

/* Rows of several users become one; that of all the others, which has no database, is left out. */
static struct profile_part *read_profile(const struct pgm_profile_snapshot *profile, int64_t wall_ms)
{
	struct profile_part *made = pgm_part_new(sizeof(*made));
	struct pgm_arena *arena = made->statements.part.arena;
	struct pgm_statement_row *rows =
		PGM_NEW_ARRAY(arena, struct pgm_statement_row, profile->row_count + 1);
	struct pgm_statements *statements = &made->statements.statements;
	made->profiled = PGM_NEW_ARRAY(arena, struct profiled, profile->row_count + 1);
	pgm_map_init(&made->by_key, arena);
	for (size_t i = 0; i < profile->row_count; i++) {
		const struct pgm_profile_row *row = profile->rows[i];
		if (!row->database)
			continue;
		char *key = key_of(arena, row->fingerprint, row->database);
		struct pgm_statement_row *known = pgm_map_get(&made->by_key, key);
		if (!known) {
			size_t at = statements->count++;
			known = &rows[at];
			made->profiled[at].database = pgm_strdup(arena, row->database);
			*known = (struct pgm_statement_row){.id = row->fingerprint,
							    .text = pgm_strdup(arena, row->query),
							    .user = pgm_strdup(arena, row->user),
							    .histogram = &made->profiled[at].server};
			pgm_map_set(&made->by_key, key, known);
		} else if (strcmp(known->user, row->user) != 0) {
			known->user = "";
		}
		merge_row(known, &made->profiled[known - rows], row);
	}
	statements->rows = rows;
	statements->wall_ms = wall_ms;
	statements->mono_ms = pgm_clock_ms();
	statements->since_ms = profile->since_unix_us / 1000;
	return made;
}

/* What each statement grew by since the profile before goes to its database. */
static void grow_databases(struct pgm_pool_look *pool, const struct profile_part *now,
			   const struct profile_part *before)
{
	const struct pgm_statements *statements = &now->statements.statements;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < statements->count; i++) {
		const struct pgm_statement_row *row = &statements->rows[i], *old = NULL;
		const struct profiled *profiled = &now->profiled[i], *old_profiled = NULL;
		struct pooled *pooled = pooled_of(pool, profiled->database);
		if (before)
			old = pgm_map_get(&before->by_key, key_of(arena, row->id, profiled->database));
		if (old && old->calls > row->calls)
			old = NULL; /* it was forgotten, and came back */
		if (old)
			old_profiled = &before->profiled[old - before->statements.statements.rows];
		if (!pooled)
			continue;
		grow(&pooled->query, &profiled->server, old_profiled ? &old_profiled->server : NULL);
		grow(&pooled->wait, &profiled->wait, old_profiled ? &old_profiled->wait : NULL);
		pooled->errors += fmax(0, row->errors - (old ? old->errors : 0));
		pooled->bursts += fmax(0, row->bursts - (old ? old->bursts : 0));
	}
}

/* The same of transactions, which the profile never forgets. */
static void grow_transactions(struct pgm_pool_look *pool, const struct pgm_profile_snapshot *profile)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (struct pooled *one = pool->databases; one; one = one->next) {
		struct pgm_histogram *now = PGM_NEW_ARRAY(arena, struct pgm_histogram, 2);
		for (size_t i = 0; i < profile->transaction_count; i++)
			if (strcmp(profile->transactions[i].database, one->name) == 0) {
				pgm_histogram_merge(&now[0], &profile->transactions[i].total);
				pgm_histogram_merge(&now[1], &profile->transactions[i].idle);
			}
		bool goes_on = now[0].count >= one->transaction_before.count;
		grow(&one->transaction, &now[0], goes_on ? &one->transaction_before : NULL);
		grow(&one->idle, &now[1], goes_on ? &one->idle_before : NULL);
		one->transaction_before = now[0];
		one->idle_before = now[1];
	}
}

static void keep_profile(struct pgm_look *look, struct pgm_statements_part *made)
{
	if (look->profile_before)
		pgm_part_release(&look->profile_before->part);
	look->profile_before = look->profile;
	look->profile = made;
	look->fresh_profile = true;
}

static void take_profile(struct pgm_look *look, const struct pgm_profile_snapshot *profile)
{
	struct profile_part *made = read_profile(profile, look->wall_ms);
	bool again = look->pool->since_us && look->pool->since_us != profile->since_unix_us;
	if (again)
		look->marks |= PGM_MARK_POOL;
	look->pool->since_us = profile->since_unix_us;
	keep_profile(look, &made->statements);
	grow_databases(look->pool, made, look->profile_before ? as_profile(look->profile_before) : NULL);
	grow_transactions(look->pool, profile);
}

static void add_profile(struct pgm_samples_builder *builder, struct pgm_look *look)
{
	for (const struct pooled *one = look->pool->databases; one; one = one->next) {
		const char *labels[] = {one->name};
		add_histogram(builder, "pgmend_query_duration_seconds", labels, &one->query);
		add_histogram(builder, "pgmend_pool_wait_seconds", labels, &one->wait);
		add_histogram(builder, "pgmend_pool_transaction_seconds", labels, &one->transaction);
		add_histogram(builder, "pgmend_pool_idle_in_transaction_seconds", labels, &one->idle);
		pgm_samples_add_named(builder, "pgmend_query_errors_total", labels, one->errors);
		pgm_samples_add_named(builder, "pgmend_query_bursts_total", labels, one->bursts);
	}
	if (!look->profile)
		return;
	const struct profile_part *profile = as_profile(look->profile);
	const struct pgm_statements *statements = &look->profile->statements;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_top_item *items = PGM_NEW_ARRAY(arena, struct pgm_top_item, statements->count + 1);
	size_t *ranked = PGM_NEW_ARRAY(arena, size_t, look->options->top_statements + 1);
	for (size_t i = 0; i < statements->count; i++)
		items[i] = (struct pgm_top_item){.id = pgm_hash_bytes(statements->rows[i].id,
								      profile->profiled[i].database,
								      strlen(profile->profiled[i].database)),
						 .counter = statements->rows[i].total_ms};
	size_t count = pgm_top_choose(look->top_statements, items, statements->count, ranked);
	for (size_t i = 0; i < count; i++) {
		struct pgm_buckets buckets = {0};
		char fingerprint[24];
		const char *labels[] = {profile->profiled[ranked[i]].database, fingerprint};
		snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, statements->rows[ranked[i]].id);
		grow(&buckets, &profile->profiled[ranked[i]].server, NULL);
		add_histogram(builder, "pgmend_fingerprint_duration_seconds", labels, &buckets);
	}
}

/* ---- a look ---- */

bool pgm_look_pool(struct pgm_look *look, struct pgm_error *err)
{
	if (!look->pool && !(look->pool = calloc(1, sizeof(*look->pool))))
		abort();
	double began = pgm_clock_ms();
	bool with_profile = look->forced || began >= look->pool->profile_next_ms;
	struct pgm_pool_view *view = pgm_pool_view(commands, COMMANDS, with_profile, ANSWER_MS, err);
	if (!view)
		return false;
	if (view->profile) {
		take_profile(look, view->profile);
		look->pool->profile_next_ms = began + (double)look->options->statements_ms;
	}
	struct pgm_samples_builder builder;
	const char *version[] = {view->tables[VERSION].count ? pgm_rows_text(&view->tables[VERSION], 0, 0)
							     : ""};
	pgm_samples_begin(&builder, PGM_COLLECT_POOL);
	pgm_samples_add_named(&builder, "pgbouncer_up", NULL, 1);
	pgm_samples_add_named(&builder, "pgbouncer_version_info", version, 1);
	add_table(&builder, &view->tables[POOLS], pools);
	add_pools(&builder, &view->tables[POOLS]);
	add_pinned(&builder, &view->tables[PINNED]);
	add_table(&builder, &view->tables[TOTALS], totals);
	add_table(&builder, &view->tables[DATABASES], databases);
	add_list(&builder, &view->tables[LISTS], lists);
	add_list(&builder, &view->tables[CONFIG], config);
	add_profile(&builder, look);
	pgm_look_take(look, pgm_samples_end(&builder));
	pgm_look_note(look, PGM_COLLECT_POOL, pgm_clock_ms() - began, NULL);
	pgm_pool_view_free(view);
	return true;
}

void pgm_look_profile(struct pgm_look *look, struct pgm_statements_part *of_pool)
{
	const struct profile_part *all = as_profile(of_pool);
	const struct pgm_statements *from = &of_pool->statements;
	if (look->profile && look->profile->statements.wall_ms == from->wall_ms)
		return;
	struct pgm_statements_part *made = pgm_part_new(sizeof(*made));
	struct pgm_statement_row *rows =
		PGM_NEW_ARRAY(made->part.arena, struct pgm_statement_row, from->count + 1);
	made->part.base = pgm_part_keep(&of_pool->part);
	made->statements = *from;
	made->statements.count = 0;
	made->statements.rows = rows;
	for (size_t i = 0; i < from->count; i++)
		if (strcmp(all->profiled[i].database, look->pool_database) == 0)
			rows[made->statements.count++] = from->rows[i];
	if (look->profile && look->profile->statements.since_ms != from->since_ms)
		look->marks |= PGM_MARK_POOL;
	keep_profile(look, made);
}
