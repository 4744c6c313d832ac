/*
 * A pool, a batch and a timer: 10,000 orders from two threads.
 *
 *	cc orders.c $(pkg-config --cflags --libs libpgmend) -pthread -o orders
 *	PGHOST=... PGDATABASE=... PGMEND_POOL_MAX=4 ./orders
 */
#include <libpq-fe.h>
#include <pgmend/pgmend.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ORDERS 5000 /* of each thread */

struct shop {
	struct pgmend_pool *pool;
	struct pgmend_timer *timer;
	int64_t first_id;
	bool ok;
};

static bool failed(const char *what, const struct pgmend_error *err)
{
	fprintf(stderr, "%s: %s%s%s\n", what, err->message, err->hint[0] ? "\n" : "", err->hint);
	return false;
}

static bool execute(struct pgmend_pool *pool, const char *sql)
{
	struct pgmend_error err;
	struct pgmend_conn *conn = pgmend_pool_acquire(pool, 0, &err);
	if (!conn)
		return failed("acquire", &err);
	PGresult *result = PQexec(pgmend_conn_pg(conn), sql);
	bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
	if (!ok)
		fprintf(stderr, "%s", PQresultErrorMessage(result));
	else if (PQntuples(result) > 0)
		printf("%s\n", PQgetvalue(result, 0, 0));
	PQclear(result);
	pgmend_pool_release(conn);
	return ok;
}

static bool write_orders(struct pgmend_conn *conn, int64_t first_id)
{
	static const struct pgmend_batch_column columns[] = {
		{"id", PGMEND_INT64}, {"customer", PGMEND_TEXT}, {"total", PGMEND_DECIMAL}};
	static int64_t ids[2][ORDERS];
	static const char *customers[2][ORDERS];
	static struct pgmend_decimal totals[2][ORDERS];
	int half = first_id > ORDERS; /* each thread has arrays of its own */
	for (int i = 0; i < ORDERS; i++) {
		ids[half][i] = first_id + i;
		customers[half][i] = i % 3 ? "Ann" : NULL; /* a NULL */
		totals[half][i].unscaled = 100 * i + 99;   /* i.99 */
		totals[half][i].scale = 2;
	}
	struct pgmend_column values[3];
	memset(values, 0, sizeof(values));
	values[0].values = ids[half];
	values[1].values = customers[half];
	values[2].values = totals[half];

	struct pgmend_batch_options options = {.struct_size = sizeof(options)};
	options.table = "pgmend_example_orders";
	options.columns = columns;
	options.column_count = 3;
	struct pgmend_error err;
	struct pgmend_batch *batch = pgmend_batch_open(pgmend_conn_pg(conn), &options, &err);
	bool ok = batch && pgmend_batch_add_columns(batch, values, ORDERS, &err) &&
		  pgmend_batch_finish(batch, &err);
	if (!ok)
		failed("batch", &err);
	pgmend_batch_close(batch);
	return ok;
}

static void *work(void *context)
{
	struct shop *shop = context;
	PGMEND_TIMED(whole, shop->timer, "write orders");
	struct pgmend_error err;
	struct pgmend_conn *conn = pgmend_pool_acquire(shop->pool, 0, &err);
	shop->ok = conn ? write_orders(conn, shop->first_id) : failed("acquire", &err);
	pgmend_pool_release(conn);
	return NULL;
}

static bool run(struct pgmend_pool *pool, struct pgmend_timer *timer)
{
	if (!execute(pool, "CREATE TABLE pgmend_example_orders (id bigint PRIMARY KEY, customer text, "
			   "total numeric(12,2))"))
		return false;
	struct shop shops[2] = {{pool, timer, 1, false}, {pool, timer, ORDERS + 1, false}};
	pthread_t second;
	bool two = pthread_create(&second, NULL, work, &shops[1]) == 0;
	work(&shops[0]);
	if (two)
		pthread_join(second, NULL);
	bool ok = shops[0].ok && shops[1].ok &&
		  execute(pool, "SELECT count(*) || ' orders, ' || count(customer) || ' of Ann' "
				"FROM pgmend_example_orders");

	struct pgmend_timer_stats times = {.struct_size = sizeof(times)};
	pgmend_timer_stats(timer, "write orders", &times);
	printf("%d batches\n", (int)times.count);
	return execute(pool, "DROP TABLE pgmend_example_orders") && ok;
}

int main(void)
{
	struct pgmend_error err;
	struct pgmend_pool_options options = {.struct_size = sizeof(options)};
	options.application_name = "orders";
	options.statement_timeout_ms = 60000;
	struct pgmend_timer *timer = pgmend_timer_new(NULL, &err);
	struct pgmend_pool *pool =
		pgmend_pool_options_from_env(&options, &err) ? pgmend_pool_open(&options, &err) : NULL;
	bool ok = pool && timer ? run(pool, timer) : failed("open", &err);
	pgmend_timer_free(timer);
	if (!pgmend_pool_close(pool, 0, &err))
		ok = failed("close", &err);
	return ok ? 0 : 1;
}
