/*
 * A program of many threads on one pool of libpgmend, for the tests:
 *
 *	libpool stress CONNINFO THREADS ROUNDS MAX OVERFLOW	does all kinds of things, and leaves them
 *behind libpool restart CONNINFO THREADS MAX			goes on until its input ends, whatever the
 *server does libpool memory CONNINFO					lets each allocation fail once
 *
 * It prints one line of JSON, and ends with 1 where it saw something that must not be.
 */
#include <libpq-fe.h>
#include <pgmend/pgmend.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIDS	    (1 << 22) /* the kernel's greatest */
#define THREADS_MAX 256

static _Atomic unsigned char in_use[PIDS]; /* backends that a thread holds now */
static atomic_long wrong, failed_queries, failed_acquires, served, events[7];
static atomic_bool stop;

struct job {
	struct pgmend_pool *pool;
	struct pgmend_timer *timer;
	int number, rounds;
};

static void complain(const char *what, const char *text)
{
	if (atomic_fetch_add(&wrong, 1) < 10)
		fprintf(stderr, "libpool: %s: %s\n", what, text);
}

static void on_event(void *context, const struct pgmend_pool_event *event)
{
	(void)context;
	atomic_fetch_add(&events[event->kind], 1);
}

/* The first value, "" where there is none; false: it failed. */
static bool ask(PGconn *pg, const char *sql, char *value, size_t size)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	snprintf(value, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static void must(PGconn *pg, const char *sql, const char *expected)
{
	char value[64];
	if (!ask(pg, sql, value, sizeof(value)))
		complain(sql, PQerrorMessage(pg));
	else if (strcmp(value, expected) != 0)
		complain(sql, value);
}

/* What the one before has done must not be seen; what is done here is left behind. */
static void misbehave(PGconn *pg, int kind)
{
	char value[64];
	switch (kind) {
	case 0:
		must(pg, "SELECT 1", "1");
		break;
	case 1:
		must(pg, "SET libpool.mark = 'left'", "");
		break;
	case 2:
		must(pg, "SELECT pg_catalog.current_setting('libpool.mark', true)", "");
		break;
	case 3:
		must(pg, "BEGIN", "");
		must(pg, "SELECT pg_catalog.pg_advisory_xact_lock_shared(1)", "");
		break;
	case 4:
		must(pg, "BEGIN", "");
		ask(pg, "SELECT 1 / 0", value, sizeof(value));
		break;
	case 5:
		must(pg, "CREATE TEMP TABLE left_behind (i int)", "");
		break;
	case 6:
		must(pg, "PREPARE left_behind AS SELECT 1", "");
		break;
	case 7:
		if (!PQsendQuery(pg, "SELECT 1; SELECT 2"))
			complain("PQsendQuery", PQerrorMessage(pg));
		break;
	default:
		break; /* nothing at all */
	}
}

static void *stress(void *context)
{
	struct job *job = context;
	char name[16];
	snprintf(name, sizeof(name), "thread %d", job->number);
	for (int i = 0; i < job->rounds; i++) {
		struct pgmend_error err;
		PGMEND_TIMED(round, job->timer, name);
		pgmend_timer_record(job->timer, "all", NULL, i);
		struct pgmend_conn *conn = pgmend_pool_acquire(job->pool, -1, &err);
		if (!conn) {
			complain("acquire", err.message);
			return NULL;
		}
		PGconn *pg = pgmend_conn_pg(conn);
		int pid = PQbackendPID(pg);
		if (atomic_exchange(&in_use[pid], 1))
			complain("two threads on one connection", "");
		if (PQtransactionStatus(pg) != PQTRANS_IDLE)
			complain("a transaction is open", "");
		misbehave(pg, (i + job->number) % (job->number % 8 ? 7 : 9));
		atomic_store(&in_use[pid], 0);
		if (i % 50 == 49)
			pgmend_pool_discard(conn);
		else
			pgmend_pool_release(conn);
	}
	return NULL;
}

/* Until it is told to stop, and then until it was served once more. */
static void *persist(void *context)
{
	struct job *job = context;
	for (bool last = false; !last;) {
		bool stopping = atomic_load(&stop);
		struct pgmend_error err;
		struct pgmend_conn *conn = pgmend_pool_acquire(job->pool, 300000, &err);
		if (!conn) {
			complain("acquire", err.message);
			atomic_fetch_add(&failed_acquires, 1);
			return NULL;
		}
		char value[64];
		if (ask(pgmend_conn_pg(conn), "SELECT 1", value, sizeof(value))) {
			atomic_fetch_add(&served, 1);
			last = stopping;
		} else {
			atomic_fetch_add(&failed_queries, 1);
		}
		pgmend_pool_release(conn);
	}
	return NULL;
}

/* As fast as it goes, until told to stop; rounds is 1 for a query each. */
static void *hurry(void *context)
{
	struct job *job = context;
	char value[64];
	while (!atomic_load(&stop)) {
		struct pgmend_conn *conn = pgmend_pool_acquire(job->pool, -1, NULL);
		if (!conn || (job->rounds && !ask(pgmend_conn_pg(conn), "SELECT 1", value, sizeof(value))))
			complain("hurry", "it failed");
		pgmend_pool_release(conn);
		atomic_fetch_add(&served, 1);
	}
	return NULL;
}

static void print_stats(const struct pgmend_pool_stats *stats)
{
	printf("{\"wrong\": %ld, \"served\": %ld, \"failed_queries\": %ld, \"failed_acquires\": %ld, "
	       "\"acquired\": %lld, \"released\": %lld, \"opened\": %lld, \"closed\": %lld, \"size\": %d, "
	       "\"idle\": %d, \"active\": %d, \"waiting\": %d, \"broken\": %lld, \"connect_errors\": %lld, "
	       "\"timeouts\": %lld, \"wait_ms_p50\": %.3f, \"wait_ms_p99\": %.3f, \"wait_ms_max\": %.3f, "
	       "\"events\": [%ld, %ld, %ld, %ld, %ld, %ld, %ld]}\n",
	       wrong, served, failed_queries, failed_acquires, (long long)stats->acquired,
	       (long long)stats->released, (long long)stats->opened, (long long)stats->closed, stats->size,
	       stats->idle, stats->active, stats->waiting, (long long)stats->broken,
	       (long long)stats->connect_errors, (long long)stats->timeouts, stats->wait_ms_p50,
	       stats->wait_ms_p99, stats->wait_ms_max, events[0], events[1], events[2], events[3], events[4],
	       events[5], events[6]);
}

static void wait_until_served(long count)
{
	while (atomic_load(&served) < count && !atomic_load(&wrong))
		usleep(1000);
}

/* "more" on the input is answered with "served" once each thread could have been; its end is the end. */
static void converse(int threads)
{
	char line[64];
	wait_until_served(threads);
	puts("begun");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		wait_until_served(atomic_load(&served) + 2L * threads);
		puts("served");
		fflush(stdout);
	}
	atomic_store(&stop, true);
}

/* Each round was timed under two names. */
static void check_times(struct pgmend_timer *timer, int64_t rounds)
{
	struct pgmend_timer_stats all = {.struct_size = sizeof(all)}, one = all;
	pgmend_timer_stats(timer, NULL, &all);
	pgmend_timer_stats(timer, "all", &one);
	if (all.count != 2 * rounds || one.count != rounds)
		complain("timer", "a time was lost");
}

static int run(const char *conninfo, void *(*work)(void *), int threads, int rounds, int max, int overflow,
	       int reset)
{
	struct pgmend_error err;
	struct pgmend_pool_options options = {.struct_size = sizeof(options), .conninfo = conninfo};
	options.min_size = max > 2 ? 2 : 1;
	options.max_size = max;
	options.max_overflow = overflow;
	options.health_interval_ms = 20;
	options.reset = reset;
	options.on_event = on_event;
	struct pgmend_pool *pool = pgmend_pool_open(&options, &err);
	struct pgmend_timer *timer = pool ? pgmend_timer_new(NULL, &err) : NULL;
	if (!timer) {
		complain("open", err.message);
		return 1;
	}
	static pthread_t ids[THREADS_MAX];
	static struct job jobs[THREADS_MAX];
	for (int i = 0; i < threads; i++) {
		jobs[i] = (struct job){pool, timer, i, rounds};
		if (pthread_create(&ids[i], NULL, work, &jobs[i]) != 0)
			abort();
	}
	if (work == persist)
		converse(threads);
	if (work == hurry) {
		sleep(3);
		atomic_store(&stop, true);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	struct pgmend_pool_stats stats = {.struct_size = sizeof(stats)};
	/* The pool's own thread may be at replacing what was closed last. */
	while (pgmend_pool_stats(pool, &stats), stats.opening || stats.size < stats.min_size)
		usleep(1000);
	if (!pgmend_pool_close(pool, -1, &err))
		complain("close", err.message);
	if (work == stress)
		check_times(timer, (int64_t)threads * rounds);
	pgmend_timer_free(timer);
	print_stats(&stats);
	return wrong ? 1 : 0;
}

/* ---------------------------------------------------------------- memory that runs out */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static int run_without_memory(const char *conninfo)
{
	(void)conninfo;
	puts("{\"skipped\": \"a sanitizer has the allocator\"}");
	return 0;
}
#else
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static long allocations, failing; /* the one that fails; 0: none. One thread runs */

static bool gives_none(void)
{
	return failing && ++allocations == failing;
}

void *malloc(size_t size)
{
	return gives_none() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return gives_none() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return gives_none() ? NULL : __libc_realloc(old, size);
}

/* The whole life of a pool. What fails must say so, and the pool must close. */
static bool live(const char *conninfo, struct pgmend_error *err)
{
	struct pgmend_pool_options options = {.struct_size = sizeof(options), .conninfo = conninfo};
	const char *const settings[] = {"work_mem", "1MB", NULL};
	options.application_name = "no memory";
	options.settings = settings;
	options.min_size = 1;
	options.max_size = 2;
	options.health_interval_ms = -1;
	options.connect_timeout_ms = options.acquire_timeout_ms = 60000;
	struct pgmend_pool *pool = pgmend_pool_open(&options, err);
	if (!pool)
		return false;
	struct pgmend_conn *first = pgmend_pool_acquire(pool, 0, err);
	struct pgmend_conn *second = first ? pgmend_pool_acquire(pool, 0, err) : NULL;
	bool ok = second != NULL;
	char value[64];
	if (ok)
		ask(pgmend_conn_pg(first), "BEGIN", value, sizeof(value));
	pgmend_pool_release(first);
	pgmend_pool_release(second);
	ok = ok && pgmend_pool_check(pool, err);
	struct pgmend_error closing;
	if (!pgmend_pool_close(pool, 0, &closing))
		complain("close", closing.message);
	struct pgmend_timer *timer = ok ? pgmend_timer_new(NULL, err) : NULL;
	if (timer)
		pgmend_timer_record(timer, "a", NULL, 1);
	struct pgmend_timer_stats stats = {.struct_size = sizeof(stats)};
	if (timer && (!pgmend_timer_stats(timer, NULL, &stats) || stats.count != 1))
		complain("timer", "a time was lost");
	pgmend_timer_free(timer);
	return ok && timer;
}

static int run_without_memory(const char *conninfo)
{
	struct pgmend_error err;
	long refused = 0, survived = 0;
	for (long nth = 1;; nth++) {
		allocations = 0;
		failing = nth;
		bool ok = live(conninfo, &err);
		bool reached = allocations >= nth;
		failing = 0;
		if (!ok && (!err.code || !err.message[0]))
			complain("no reason given", err.message);
		if (!reached) {
			if (!ok)
				complain("with all memory", err.message);
			break;
		}
		refused += !ok;
		survived += ok;
	}
	printf("{\"wrong\": %ld, \"refused\": %ld, \"survived\": %ld}\n", wrong, refused, survived);
	return wrong ? 1 : 0;
}
#endif

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "stress") == 0 && atoi(argv[3]) <= THREADS_MAX)
		return run(argv[2], stress, atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), 0);
	if (argc == 5 && strcmp(argv[1], "restart") == 0 && atoi(argv[3]) <= THREADS_MAX)
		return run(argv[2], persist, atoi(argv[3]), 0, atoi(argv[4]), 0, 0);
	if (argc == 7 && strcmp(argv[1], "speed") == 0 && atoi(argv[3]) <= THREADS_MAX)
		return run(argv[2], hurry, atoi(argv[3]), atoi(argv[6]), atoi(argv[4]), 0, atoi(argv[5]));
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return run_without_memory(argv[2]);
	fprintf(stderr, "usage: libpool stress|restart|memory|speed CONNINFO...\n");
	return 2;
}
