/*
 * An application that goes on writing to one table while that is being changed, and keeps a ledger of its own
 * of what the server said was committed.
 *
 *	live_load CONNINFO OUT_FOLDER [key=value]...
 *
 * The table is activity_logs of living.py: rows 1 to `rows` are there already, row i with entity_id i and
 *user i % users; further rows get entity_ids that no one else uses. Each row belongs to one writer, so that
 *what must be in the table is known row by row. Users whose number is 7 modulo 20 are left alone: they are
 *for a purge.
 *
 * Statements are sent on a schedule; their latency counts from the time at which they were due. A statement
 * whose answer never came (the connection broke) is uncertain: its row is not touched again. Ends at SIGTERM,
 * after which these files are whole:
 *
 *	ledger.N   writer, seq, transaction, C(ommitted) or U(ncertain), I/U/D, entity_id, id, user_id, level,
 *ver, created_at in microseconds (\N: as it was) latency.N  when it was due (microseconds since 1970),
 *latency in microseconds, kind errors.N   when, SQLSTATE, message locks      each ACCESS EXCLUSIVE lock:
 *relation, pid, and the samples (microseconds) between which it was taken and given back: not yet, first
 *seen, last seen, no more
 */
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_BASE  1000000000000LL
#define THREADS_MAX 128
#define HELD_MAX    256
#define LATE_MAX_US 60000000LL

static struct {
	const char *conninfo, *folder;
	long rows, users, writers, readers, long_readers, rate, read_rate, sample_us, start_us, long_ms, seed;
} options = {
	.rows = 100000,
	.users = 1000,
	.writers = 8,
	.readers = 2,
	.long_readers = 1,
	.rate = 600,
	.read_rate = 40,
	.sample_us = 1000,
	.long_ms = 3000,
	.seed = 1,
};

static volatile sig_atomic_t stopping;

struct own_row {
	int64_t token;
	bool closed; /* deleted, or not certain */
};

struct worker {
	int number; /* among those of its kind */
	int thread;
	PGconn *conn;
	FILE *ledger, *latency, *errors;
	uint64_t random;
	int64_t seq, token;
	unsigned char *closed; /* bits of the rows that were there before */
	struct own_row *own;
	size_t own_count, own_capacity;
	long statements, failed, uncertain, reconnects;
};

enum op { INSERT, UPDATE, MOVE, DELETE, OPS };

static const char *const texts[OPS] = {
	[INSERT] = "INSERT INTO activity_logs (entity_id, user_id, level, ver, created_at, category, action) "
		   "VALUES "
		   "($1, $2, $3, $4, to_timestamp($5::float8 / 1000000), 'load', 'insert') RETURNING id",
	[UPDATE] = "UPDATE activity_logs SET level = $2, ver = $3 WHERE entity_id = $1",
	[MOVE] = "UPDATE activity_logs SET level = $2, ver = $3, created_at = to_timestamp($4::float8 / "
		 "1000000) "
		 "WHERE entity_id = $1",
	[DELETE] = "DELETE FROM activity_logs WHERE entity_id = $1",
};

/* One statement of a transaction, and what the ledger will say of it. */
struct step {
	enum op op;
	int64_t token, id, ver, created_us; /* 0: none */
	long user;
	const char *level;
	size_t own; /* its place among the rows of the worker, from 1; 0: it was there before, or is new */
};

static int64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};
	if (us > 0)
		nanosleep(&ts, NULL);
}

static uint64_t draw(struct worker *worker, uint64_t below)
{
	uint64_t x = worker->random; /* xorshift64* */
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	worker->random = x;
	return (x * 2685821657736338717ULL >> 16) % below;
}

static FILE *open_out(const char *name, int number)
{
	char path[4096];
	snprintf(path, sizeof(path), number < 0 ? "%s/%s" : "%s/%s.%d", options.folder, name, number);
	FILE *file = fopen(path, "w");
	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static bool is_prepared(const struct worker *worker)
{
	return worker->number % 2 == 0;
}

static bool reconnect(struct worker *worker)
{
	while (!stopping) {
		if (worker->conn)
			PQfinish(worker->conn);
		worker->conn = PQconnectdb(options.conninfo);
		bool ok = PQstatus(worker->conn) == CONNECTION_OK;
		for (int op = 0; ok && worker->ledger && is_prepared(worker) && op < OPS; op++) {
			char name[8];
			snprintf(name, sizeof(name), "s%d", op);
			PGresult *result = PQprepare(worker->conn, name, texts[op], 0, NULL);
			ok = PQresultStatus(result) == PGRES_COMMAND_OK;
			if (!ok)
				fprintf(worker->errors, "%lld\t%s\t%s\n", (long long)now_us(), "prepare",
					PQresultErrorField(result, PG_DIAG_SQLSTATE)
						? PQresultErrorField(result, PG_DIAG_SQLSTATE)
						: "-");
			PQclear(result);
		}
		if (ok)
			return true;
		sleep_us(50000);
	}
	return false;
}

static bool succeeded(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void note_error(struct worker *worker, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	worker->failed++;
	fprintf(worker->errors, "%lld\t%s\t%s\n", (long long)now_us(), state ? state : "-",
		message ? message : "the connection broke");
}

static PGresult *send_step(struct worker *worker, const struct step *step)
{
	char token[32], user[32], ver[32], created[32], name[8];
	snprintf(token, sizeof(token), "%lld", (long long)step->token);
	snprintf(user, sizeof(user), "%ld", step->user);
	snprintf(ver, sizeof(ver), "%lld", (long long)step->ver);
	snprintf(created, sizeof(created), "%lld", (long long)step->created_us);
	const char *inserted[] = {token, user, step->level, ver, created};
	const char *changed[] = {token, step->level, ver, created};
	const char *const *params = step->op == INSERT ? inserted : changed;
	int count = step->op == INSERT ? 5 : step->op == MOVE ? 4 : step->op == UPDATE ? 3 : 1;
	snprintf(name, sizeof(name), "s%d", step->op);
	worker->statements++;
	if (is_prepared(worker))
		return PQexecPrepared(worker->conn, name, count, params, NULL, NULL, 0);
	return PQexecParams(worker->conn, texts[step->op], count, NULL, params, NULL, NULL, 0);
}

static bool is_closed(const struct worker *worker, int64_t token)
{
	return worker->closed[token / 8] & 1 << token % 8;
}

static void close_row(struct worker *worker, const struct step *step)
{
	if (step->own)
		worker->own[step->own - 1].closed = true;
	else if (step->op != INSERT)
		worker->closed[step->token / 8] |= (unsigned char)(1 << step->token % 8);
}

static void write_ledger(struct worker *worker, const struct step *step, int64_t transaction, bool certain)
{
	static const char letters[OPS] = "IUUD";
	fprintf(worker->ledger, "%d\t%lld\t%lld\t%c\t%c\t%lld\t", worker->number, (long long)worker->seq++,
		(long long)transaction, certain ? 'C' : 'U', letters[step->op], (long long)step->token);
	if (step->op == INSERT && certain)
		fprintf(worker->ledger, "%lld\t%ld\t", (long long)step->id, step->user);
	else if (step->op == INSERT)
		fprintf(worker->ledger, "\\N\t%ld\t", step->user);
	else
		fputs("\\N\t\\N\t", worker->ledger);
	if (step->op == DELETE)
		fputs("\\N\t\\N\t", worker->ledger);
	else
		fprintf(worker->ledger, "%s\t%lld\t", step->level, (long long)step->ver);
	if (step->op == INSERT || step->op == MOVE)
		fprintf(worker->ledger, "%lld\n", (long long)step->created_us);
	else
		fputs("\\N\n", worker->ledger);
	fflush(worker->ledger);
}

static void take_committed(struct worker *worker, const struct step *step)
{
	if (step->op == DELETE)
		close_row(worker, step);
	if (step->op != INSERT)
		return;
	if (worker->own_count == worker->own_capacity) {
		worker->own_capacity = worker->own_capacity ? worker->own_capacity * 2 : 1024;
		worker->own = realloc(worker->own, worker->own_capacity * sizeof(*worker->own));
		if (!worker->own)
			abort();
	}
	worker->own[worker->own_count++] = (struct own_row){.token = step->token};
}

/* A row of this writer that is still there: one of those before, or one that it made. */
static void pick_row(struct worker *worker, struct step *step)
{
	for (int try = 0; worker->own_count && try < 8 && draw(worker, 2); try++) {
		size_t own = draw(worker, worker->own_count);
		if (worker->own[own].closed)
			continue;
		step->own = own + 1;
		step->token = worker->own[own].token;
		return;
	}
	do
		step->token = 1 + (int64_t)draw(worker, (uint64_t)options.rows);
	while (step->token % options.writers != worker->number || step->token % options.users % 20 == 7 ||
	       is_closed(worker, step->token));
}

static struct step make_step(struct worker *worker, enum op op)
{
	static const char *const levels[] = {"debug", "info", "warning", "error"};
	struct step step = {.op = op, .level = levels[draw(worker, 4)], .ver = 1 + worker->statements};
	int64_t now = now_us();
	if (op == INSERT) {
		step.token = TOKEN_BASE * (worker->number + 1) + worker->token++;
		do
			step.user = (long)draw(worker, (uint64_t)options.users);
		while (step.user % 20 == 7);
	} else {
		pick_row(worker, &step);
	}
	if (op == MOVE || (op == INSERT && draw(worker, 10) == 0))
		step.created_us =
			options.start_us + (int64_t)draw(worker, (uint64_t)(now - options.start_us));
	else if (op == INSERT)
		step.created_us = now;
	return step;
}

/* Runs the steps, in a transaction where there are several; the ledger hears of them after the commit. */
static void write_once(struct worker *worker, struct step *steps, int count)
{
	bool sent_commit = count == 1, failed = false;
	PGresult *result = count > 1 ? PQexec(worker->conn, "BEGIN") : NULL;
	PQclear(result);
	for (int i = 0; !failed && i < count; i++) {
		result = send_step(worker, &steps[i]);
		failed = !succeeded(result);
		if (failed)
			note_error(worker, result);
		else if (steps[i].op == INSERT)
			steps[i].id = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		/* Each row that it knows is there: a statement that finds none has lost it. */
		else if (strcmp(PQcmdTuples(result), "1") != 0)
			fprintf(worker->errors, "%lld\tlost\trow %lld: %s rows\n", (long long)now_us(),
				(long long)steps[i].token, PQcmdTuples(result));
		PQclear(result);
	}
	bool broken = PQstatus(worker->conn) == CONNECTION_BAD;
	if (count > 1 && !broken) {
		result = PQexec(worker->conn, failed ? "ROLLBACK" : "COMMIT");
		sent_commit = !failed;
		if (!failed && !succeeded(result)) {
			note_error(worker, result);
			failed = true;
		}
		PQclear(result);
		broken = PQstatus(worker->conn) == CONNECTION_BAD;
	}
	int64_t transaction = worker->seq;
	if (broken && sent_commit) {
		worker->uncertain += count;
		for (int i = 0; i < count; i++) {
			write_ledger(worker, &steps[i], transaction, false);
			close_row(worker, &steps[i]);
		}
	}
	for (int i = 0; !failed && !broken && i < count; i++) {
		write_ledger(worker, &steps[i], transaction, true);
		take_committed(worker, &steps[i]);
	}
}

static void write_next(struct worker *worker)
{
	struct step steps[3];
	int count = 1;
	uint64_t kind = draw(worker, 100);
	if (kind < 90) {
		steps[0] = make_step(worker, kind < 45	 ? INSERT
					     : kind < 75 ? UPDATE
					     : kind < 80 ? MOVE
							 : DELETE);
	} else {
		/* Three different rows: the later could undo what the earlier did otherwise. */
		steps[count - 1] = make_step(worker, INSERT);
		steps[count++] = make_step(worker, MOVE);
		do
			steps[count] = make_step(worker, DELETE);
		while (steps[count].token == steps[1].token);
		count++;
	}
	write_once(worker, steps, count);
}

static void read_next(struct worker *worker)
{
	char user[32];
	snprintf(user, sizeof(user), "%ld", (long)draw(worker, (uint64_t)options.users));
	const char *params[] = {user};
	PGresult *result = PQexecParams(worker->conn,
					"SELECT count(*), max(ver) FROM activity_logs WHERE user_id = $1 AND "
					"created_at >= now() - interval '30 days'",
					1, NULL, params, NULL, NULL, 0);
	worker->statements++;
	if (!succeeded(result))
		note_error(worker, result);
	PQclear(result);
}

static void run_schedule(struct worker *worker, long rate, const char *kind, void (*next)(struct worker *))
{
	int64_t period_us = 1000000 / (rate > 0 ? rate : 1);
	int64_t due = now_us() + (int64_t)draw(worker, (uint64_t)period_us);
	while (!stopping) {
		sleep_us(due - now_us());
		next(worker);
		int64_t now = now_us();
		bool broken = PQstatus(worker->conn) == CONNECTION_BAD;
		if (!broken)
			fprintf(worker->latency, "%lld\t%lld\t%s\n", (long long)due, (long long)(now - due),
				kind);
		due += period_us;
		if (broken || now - due > LATE_MAX_US) {
			/* An outage, not a latency. */
			worker->reconnects++;
			if (!reconnect(worker))
				return;
			due = now_us() + period_us;
		}
	}
}

static void *run_writer(void *arg)
{
	struct worker *worker = arg;
	if (reconnect(worker))
		run_schedule(worker, options.rate / options.writers, "write", write_next);
	return NULL;
}

static void *run_reader(void *arg)
{
	struct worker *worker = arg;
	if (reconnect(worker))
		run_schedule(worker, options.read_rate / (options.readers ? options.readers : 1), "read",
			     read_next);
	return NULL;
}

/* Holds what a long report holds. */
static void *run_long_reader(void *arg)
{
	struct worker *worker = arg;
	char pause[64];
	snprintf(pause, sizeof(pause), "SELECT pg_sleep(%.3f)", (double)options.long_ms / 1000);
	const char *const script[] = {
		"BEGIN", "SELECT count(*) FROM (SELECT FROM activity_logs LIMIT 1000) AS s", pause, "COMMIT"};
	while (!stopping) {
		if ((!worker->conn || PQstatus(worker->conn) == CONNECTION_BAD) && !reconnect(worker))
			break;
		for (size_t i = 0; !stopping && i < sizeof(script) / sizeof(*script); i++) {
			PGresult *result = PQexec(worker->conn, script[i]);
			worker->statements++;
			if (!succeeded(result))
				note_error(worker, result);
			PQclear(result);
		}
		if (PQtransactionStatus(worker->conn) != PQTRANS_IDLE)
			PQclear(PQexec(worker->conn, "ROLLBACK"));
		for (int i = 0; !stopping && i < 20; i++)
			sleep_us(100000);
	}
	return NULL;
}

struct held {
	char relation[16], pid[16];
	int64_t before_us, first_us, last_us;
	bool seen;
};

static void *run_sampler(void *arg)
{
	static struct held held[HELD_MAX];
	struct worker *worker = arg;
	FILE *out = open_out("locks", -1);
	size_t count = 0;
	int64_t before = now_us();
	if (!reconnect(worker))
		return NULL;
	while (!stopping) {
		int64_t at = now_us();
		PGresult *result =
			PQexec(worker->conn, "SELECT relation, pid FROM pg_locks WHERE locktype = "
					     "'relation' AND mode = 'AccessExclusiveLock' AND granted AND "
					     "relation >= 16384");
		for (size_t i = 0; i < count; i++)
			held[i].seen = false;
		for (int r = 0; r < PQntuples(result); r++) {
			const char *relation = PQgetvalue(result, r, 0), *pid = PQgetvalue(result, r, 1);
			size_t i = 0;
			while (i < count &&
			       (strcmp(held[i].relation, relation) != 0 || strcmp(held[i].pid, pid) != 0))
				i++;
			if (i == HELD_MAX)
				continue;
			if (i == count) {
				held[count] = (struct held){.before_us = before, .first_us = at};
				snprintf(held[count].relation, sizeof(held[count].relation), "%s", relation);
				snprintf(held[count].pid, sizeof(held[count].pid), "%s", pid);
				count++;
			}
			held[i].last_us = now_us();
			held[i].seen = true;
		}
		for (size_t i = 0; i < count;) {
			if (held[i].seen) {
				i++;
				continue;
			}
			fprintf(out, "%s\t%s\t%lld\t%lld\t%lld\t%lld\n", held[i].relation, held[i].pid,
				(long long)held[i].before_us, (long long)held[i].first_us,
				(long long)held[i].last_us, (long long)now_us());
			held[i] = held[--count];
		}
		PQclear(result);
		before = at;
		if (PQstatus(worker->conn) == CONNECTION_BAD && !reconnect(worker))
			break;
		sleep_us(options.sample_us);
	}
	fclose(out);
	return NULL;
}

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static void read_options(int argc, char **argv)
{
	const struct {
		const char *key;
		long *value;
	} keys[] = {{"rows", &options.rows},
		    {"users", &options.users},
		    {"writers", &options.writers},
		    {"readers", &options.readers},
		    {"rate", &options.rate},
		    {"read_rate", &options.read_rate},
		    {"sample_us", &options.sample_us},
		    {"start_us", &options.start_us},
		    {"long_ms", &options.long_ms},
		    {"long_readers", &options.long_readers},
		    {"seed", &options.seed}};
	if (argc < 3) {
		fputs("live_load CONNINFO OUT_FOLDER [key=value]...\n", stderr);
		exit(2);
	}
	options.conninfo = argv[1];
	options.folder = argv[2];
	for (int i = 3; i < argc; i++) {
		size_t length = strcspn(argv[i], "="), k = 0;
		while (k < sizeof(keys) / sizeof(*keys) &&
		       (strlen(keys[k].key) != length || strncmp(keys[k].key, argv[i], length) != 0))
			k++;
		if (k == sizeof(keys) / sizeof(*keys) || !argv[i][length]) {
			fprintf(stderr, "live_load: %s?\n", argv[i]);
			exit(2);
		}
		*keys[k].value = strtol(argv[i] + length + 1, NULL, 10);
	}
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int count = 0;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	read_options(argc, argv);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	signal(SIGPIPE, SIG_IGN);
	const struct {
		long count;
		void *(*run)(void *);
		bool writes;
	} kinds[] = {{options.writers, run_writer, true},
		     {options.readers, run_reader, false},
		     {options.long_readers, run_long_reader, false},
		     {options.sample_us > 0, run_sampler, false}};
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++)
		for (int i = 0; i < kinds[kind].count && count < THREADS_MAX; i++, count++) {
			struct worker *worker = &workers[count];
			worker->number = i;
			worker->thread = count;
			worker->random =
				(uint64_t)(options.seed * 1000003L + count + 1) * 0x9E3779B97F4A7C15ULL;
			worker->latency = open_out("latency", count);
			worker->errors = open_out("errors", count);
			if (kinds[kind].writes) {
				worker->ledger = open_out("ledger", i);
				worker->closed = calloc(1, (size_t)options.rows / 8 + 1);
			}
			if (pthread_create(&threads[count], NULL, kinds[kind].run, worker) != 0)
				abort();
		}
	long statements = 0, failed = 0, uncertain = 0, reconnects = 0;
	for (int i = 0; i < count; i++) {
		struct worker *worker = &workers[i];
		pthread_join(threads[i], NULL);
		statements += worker->statements;
		failed += worker->failed;
		uncertain += worker->uncertain;
		reconnects += worker->reconnects;
		if (worker->ledger)
			fclose(worker->ledger);
		fclose(worker->latency);
		fclose(worker->errors);
		PQfinish(worker->conn);
		free(worker->closed);
		free(worker->own);
	}
	printf("{\"statements\": %ld, \"failed\": %ld, \"uncertain\": %ld, \"reconnects\": %ld}\n",
	       statements, failed, uncertain, reconnects);
	return 0;
}
