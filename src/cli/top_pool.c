#include "cli/top_pool.h"

#include "util/buf.h"
#include "util/safe_text.h"

#include <string.h>

static bool show(struct pgm_conn *conn, struct pgm_arena *arena, const char *command, struct pgm_rows *rows,
		 struct pgm_error *err)
{
	char **names;
	return pgm_conn_show(conn, arena, command, &names, rows, err) ||
	       pgm_error_context(err, "%s", command);
}

/* 0 and "" where there is no such column. */
static double number(const struct pgm_rows *rows, size_t row, const char *name)
{
	size_t c = pgm_rows_column(rows, name);
	return c < rows->columns ? pgm_rows_double(rows, row, c) : 0;
}

static const char *text(const struct pgm_rows *rows, size_t row, const char *name)
{
	size_t c = pgm_rows_column(rows, name);
	return c < rows->columns ? pgm_rows_text(rows, row, c) : "";
}

static void add_pools(struct pgm_top_pool *pool, const struct pgm_rows *rows)
{
	static const char *const others[] = {"sv_being_canceled", "sv_tested", "sv_login"};
	for (size_t r = 0; r < rows->count; r++) {
		if (strcmp(text(rows, r, "database"), "pgbouncer") == 0)
			continue;
		double waited_ms = number(rows, r, "maxwait") * 1000 + number(rows, r, "maxwait_us") / 1000;
		double active = number(rows, r, "sv_active");
		double idle = number(rows, r, "sv_idle") + number(rows, r, "sv_used");
		pool->waiting += number(rows, r, "cl_waiting");
		pool->clients += number(rows, r, "cl_active") + number(rows, r, "cl_waiting");
		pool->servers_active += active;
		pool->servers_idle += idle;
		pool->servers += active + idle;
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			pool->servers += number(rows, r, others[i]);
		if (waited_ms > pool->oldest_wait_ms)
			pool->oldest_wait_ms = waited_ms;
	}
}

static void add_reason(struct pgm_arena *arena, struct pgm_top_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->reasons.count; i++)
		if (strcmp(pool->reasons.items[i].name, name) == 0) {
			pool->reasons.items[i].clients++;
			return;
		}
	*pgm_vec_add(arena, &pool->reasons) = (struct pgm_top_reason){name, 1};
}

static void add_pinned(struct pgm_arena *arena, struct pgm_top_pool *pool, const struct pgm_rows *rows)
{
	pool->pinned = (double)rows->count;
	for (size_t r = 0; r < rows->count; r++) {
		char *rest = pgm_strdup(arena, text(rows, r, "reasons"));
		for (char *reason; (reason = strsep(&rest, ","));)
			add_reason(arena, pool, reason + strspn(reason, " "));
	}
}

bool pgm_top_pool_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_top_pool *pool,
		       struct pgm_error *err)
{
	struct pgm_rows pools, transactions, pinned, state, databases;
	memset(pool, 0, sizeof(*pool));
	if (!show(conn, arena, "SHOW POOLS", &pools, err) ||
	    !show(conn, arena, "SHOW TRANSACTIONS", &transactions, err) ||
	    !show(conn, arena, "SHOW PINNED", &pinned, err) ||
	    !show(conn, arena, "SHOW STATE", &state, err) ||
	    !show(conn, arena, "SHOW DATABASES", &databases, err))
		return false;
	add_pools(pool, &pools);
	add_pinned(arena, pool, &pinned);
	for (size_t r = 0; r < transactions.count; r++) {
		pool->transactions += number(&transactions, r, "transactions");
		pool->transaction_ms += number(&transactions, r, "total_ms");
		pool->idle_ms += number(&transactions, r, "idle_total_ms");
	}
	pool->state = "active";
	for (size_t r = 0; r < state.count; r++)
		if (strcmp(text(&state, r, "value"), "yes") == 0)
			pool->state = text(&state, r, "key");
	for (size_t r = 0; r < databases.count; r++)
		if (number(&databases, r, "paused") != 0)
			*pgm_vec_add(arena, &pool->paused) = text(&databases, r, "name");
	return true;
}

static struct pgm_top_pool newer(const struct pgm_top_pool *pool, const struct pgm_top_pool *before)
{
	struct pgm_top_pool new = *pool;
	if (before && before->transactions <= pool->transactions) {
		new.transactions -= before->transactions;
		new.transaction_ms -= before->transaction_ms;
		new.idle_ms -= before->idle_ms;
	}
	return new;
}

static void add_stopped(struct pgm_buf *out, struct pgm_arena *arena, const struct pgm_top_pool *pool)
{
	if (strcmp(pool->state, "active") != 0)
		pgm_buf_printf(out, "The pooler is %s.\n", pool->state);
	for (size_t i = 0; i < pool->paused.count; i++)
		pgm_buf_printf(out, "%s%s%s",
			       i ? ", " : "Paused: ", pgm_safe_text(arena, pool->paused.items[i], false),
			       i + 1 == pool->paused.count ? "\n" : "");
}

char *pgm_top_pool_text(struct pgm_arena *arena, const struct pgm_top_pool *pool,
			const struct pgm_top_pool *before, double seconds)
{
	struct pgm_top_pool new = newer(pool, before);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "clients: %.0f, %.0f waiting", pool->clients, pool->waiting);
	if (pool->waiting > 0)
		pgm_buf_printf(&out, ", the first for %.3f s", pool->oldest_wait_ms / 1000);
	pgm_buf_printf(&out, "; servers: %.0f, %.0f active, %.0f idle\n", pool->servers, pool->servers_active,
		       pool->servers_idle);
	pgm_buf_printf(&out, seconds > 0 ? "transactions: %.1f/s" : "transactions: %.0f",
		       seconds > 0 ? new.transactions / seconds : new.transactions);
	if (new.transactions > 0)
		pgm_buf_printf(&out, ", %.2f ms each, %.2f ms of it the client idled",
			       new.transaction_ms / new.transactions, new.idle_ms / new.transactions);
	if (pool->pinned > 0)
		pgm_buf_printf(&out, "; pinned: %.0f (", pool->pinned);
	for (size_t i = 0; i < pool->reasons.count; i++)
		pgm_buf_printf(&out, "%s%s %.0f%s", i ? ", " : "", pool->reasons.items[i].name,
			       pool->reasons.items[i].clients, i + 1 == pool->reasons.count ? ")" : "");
	pgm_buf_add(&out, "\n");
	add_stopped(&out, arena, pool);
	return out.text;
}

json_t *pgm_top_pool_json(const struct pgm_top_pool *pool, const struct pgm_top_pool *before)
{
	struct pgm_top_pool new = newer(pool, before);
	json_t *reasons = json_object(), *paused = json_array();
	for (size_t i = 0; i < pool->reasons.count; i++)
		json_object_set_new(reasons, pool->reasons.items[i].name,
				    json_real(pool->reasons.items[i].clients));
	for (size_t i = 0; i < pool->paused.count; i++)
		json_array_append_new(paused, json_string(pool->paused.items[i]));
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:{s:f, s:f, s:f, s:f}, s:{s:f, s:o}, s:s, s:o}",
			 "clients", pool->clients, "waiting", pool->waiting, "oldest_wait_ms",
			 pool->oldest_wait_ms, "servers", pool->servers, "servers_active",
			 pool->servers_active, "servers_idle", pool->servers_idle, "transactions", "count",
			 pool->transactions, "new", new.transactions, "new_ms", new.transaction_ms,
			 "new_idle_ms", new.idle_ms, "pinned", "clients", pool->pinned, "reasons", reasons,
			 "state", pool->state, "paused", paused);
}
