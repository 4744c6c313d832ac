/*
 * The process that looks: its sessions, one look each second, the counters before and after.
 */
#include "load/watch_parts.h"

#include "util/clock.h"
#include "util/embedded.h"
#include "util/hash.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EACH_MS	       1000.0
#define SETTLE_MS      1100.0 /* backends report their counters once a second at most */
#define OPEN_AGAIN_MS  1000.0
#define COUNTERS_COUNT (sizeof(counters) / sizeof(*counters))

/* Counters of watch_look.sql, and where a sample has what they grew by. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{"blocks_hit", offsetof(struct pgm_load_sample, blocks_hit)},
	{"blocks_read", offsetof(struct pgm_load_sample, blocks_read)},
	{"commits", offsetof(struct pgm_load_sample, commits)},
	{"rollbacks", offsetof(struct pgm_load_sample, rollbacks)},
	{"temp_bytes", offsetof(struct pgm_load_sample, temp_bytes)},
	{"wal_bytes", offsetof(struct pgm_load_sample, wal_bytes)},
	{"deadlocks", offsetof(struct pgm_load_sample, deadlocks)},
	{"checkpoints", offsetof(struct pgm_load_sample, checkpoints)},
};

struct looker {
	const struct pgm_load_watch_options *options;
	int fd;
	struct pgm_arena *arena; /* of one look */
	struct pgm_conn *server, *console;
	double open_after_ms;
	char *look_sql;			     /* malloc'ed */
	double last[COUNTERS_COUNT];	     /* NaN: not known */
	struct pgm_watch_machine machine;    /* at the last look */
	int backend_pid;		     /* of the session, where it is this machine's; 0: it is not */
	char database[PGM_WATCH_NAME_BYTES]; /* as the pooler's clients name it */
	uint32_t pool_size;
	double pool_transactions, pool_wait_us; /* sums at the last look */
	struct pgm_arena *before_arena;
	struct pgm_rows tables, indexes; /* before the load; of before_arena */
	bool has_before;
};

static bool send_message(struct looker *looker, struct pgm_watch_message *message)
{
	message->at_ms = pgm_clock_ms();
	return send(looker->fd, message, sizeof(*message), MSG_NOSIGNAL) == (ssize_t)sizeof(*message);
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%.*s", (int)size - 1, from ? from : "");
}

/* ---- the server ---- */

static bool open_server(struct looker *looker, struct pgm_error *err)
{
	looker->server = pgm_conn_open_as_is(&looker->options->server, err);
	if (!looker->server)
		return false;
	for (size_t i = 0; i < COUNTERS_COUNT; i++)
		looker->last[i] = NAN; /* it may be another server's, or begun anew */
	const char *checkpoints = pgm_embedded_text(pgm_conn_version(looker->server) < 170000
							    ? "load/watch_checkpoints_13.sql"
							    : "load/watch_checkpoints_17.sql");
	free(looker->look_sql);
	if (asprintf(&looker->look_sql, "%s\nUNION ALL\n%s", pgm_embedded_text("load/watch_look.sql"),
		     checkpoints) < 0)
		abort();
	return true;
}

static void take_counter(struct looker *looker, struct pgm_load_sample *sample, const char *name,
			 double value)
{
	for (size_t i = 0; i < COUNTERS_COUNT; i++) {
		if (strcmp(counters[i].name, name) != 0)
			continue;
		double grown = value - looker->last[i];
		if (isfinite(grown) && grown >= 0)
			*(double *)((char *)sample + counters[i].offset) = grown;
		looker->last[i] = value;
	}
}

static void take_backends(struct pgm_watch_look *look, const char *name, double value)
{
	struct pgm_load_sample *sample = &look->sample;
	uint32_t count = (uint32_t)value;
	if (strcmp(name, "backends") == 0)
		sample->backends = count;
	else if (strcmp(name, "active") == 0)
		sample->active = count;
	else if (strcmp(name, "waiting_for_locks") == 0)
		sample->waiting_for_locks = count;
	else if (strcmp(name, "idle_in_transaction") == 0)
		sample->idle_in_transaction = count;
	else if (strcmp(name, "hidden") == 0)
		look->hidden = count;
}

static int compare_waits(const void *a, const void *b)
{
	double left = ((const struct pgm_watch_wait *)a)->backends;
	double right = ((const struct pgm_watch_wait *)b)->backends;
	return (left < right) - (left > right);
}

static void take_rows(struct looker *looker, struct pgm_watch_look *look, const struct pgm_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const char *kind = pgm_rows_text(rows, i, 0), *name = pgm_rows_text(rows, i, 1);
		double value = pgm_rows_double(rows, i, 3);
		if (strcmp(kind, "wait") == 0 && look->wait_count < PGM_WATCH_WAITS_MAX) {
			struct pgm_watch_wait *wait = &look->waits[look->wait_count++];
			copy_text(wait->type, sizeof(wait->type), name);
			copy_text(wait->event, sizeof(wait->event), pgm_rows_text(rows, i, 2));
			wait->backends = value;
		} else if (strcmp(kind, "counter") == 0) {
			take_counter(looker, &look->sample, name, value);
		} else if (strcmp(kind, "backends") == 0) {
			take_backends(look, name, value);
		} else if (strcmp(kind, "process") == 0) {
			looker->backend_pid = pgm_watch_is_local((int)value) ? (int)value : 0;
		}
	}
	qsort(look->waits, look->wait_count, sizeof(*look->waits), compare_waits);
}

/* Whether there is a session; one that was lost is opened again, but not at every look where that fails. */
static bool has_server(struct looker *looker, bool at_once)
{
	struct pgm_error err = {0};
	if (looker->server && pgm_conn_alive(looker->server))
		return true;
	pgm_conn_close(looker->server);
	looker->server = NULL;
	if (!at_once && pgm_clock_ms() < looker->open_after_ms)
		return false;
	looker->open_after_ms = pgm_clock_ms() + OPEN_AGAIN_MS;
	return open_server(looker, &err);
}

static void look_at_server(struct looker *looker, struct pgm_watch_look *look)
{
	struct pgm_error err = {0};
	struct pgm_rows rows;
	if (!has_server(looker, false) ||
	    !pgm_conn_query(looker->server, looker->arena, looker->look_sql, 0, NULL, &rows, &err))
		return;
	look->sample.has_server = true;
	take_rows(looker, look, &rows);
}

/* ---- the pooler ---- */

/* The column of that name; columns where there is none. */
static size_t column_of(char *const *names, const struct pgm_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->columns; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return rows->columns;
}

static double cell(char *const *names, const struct pgm_rows *rows, size_t row, const char *name)
{
	size_t column = column_of(names, rows, name);
	return column < rows->columns ? pgm_rows_double(rows, row, column) : 0;
}

static bool is_of_load(const struct looker *looker, char *const *names, const struct pgm_rows *rows,
		       size_t row, const char *column)
{
	size_t at = column_of(names, rows, column);
	return at < rows->columns && strcmp(pgm_rows_text(rows, row, at), looker->database) == 0;
}

static void look_at_pools(struct looker *looker, struct pgm_load_sample *sample)
{
	struct pgm_error err = {0};
	struct pgm_rows rows;
	char **names;
	if (looker->console && !pgm_conn_alive(looker->console)) {
		pgm_conn_close(looker->console);
		looker->console = pgm_conn_open_console(looker->options->console, &err);
	}
	if (!looker->console ||
	    !pgm_conn_show(looker->console, looker->arena, "SHOW POOLS", &names, &rows, &err))
		return;
	sample->has_pool = true;
	sample->pool_size = looker->pool_size;
	for (size_t i = 0; i < rows.count; i++) {
		if (!is_of_load(looker, names, &rows, i, "database"))
			continue;
		sample->clients_active += (uint32_t)cell(names, &rows, i, "cl_active");
		sample->clients_waiting += (uint32_t)cell(names, &rows, i, "cl_waiting");
		sample->servers_active += (uint32_t)cell(names, &rows, i, "sv_active");
		sample->servers_idle += (uint32_t)cell(names, &rows, i, "sv_idle") +
					(uint32_t)cell(names, &rows, i, "sv_used");
		double wait_ms =
			cell(names, &rows, i, "maxwait") * 1000 + cell(names, &rows, i, "maxwait_us") / 1000;
		sample->max_wait_ms = fmax(sample->max_wait_ms, wait_ms);
	}
}

/* The mean of all clients' waits, from how the sums of SHOW STATS grew. */
static void look_at_stats(struct looker *looker, struct pgm_load_sample *sample)
{
	struct pgm_error err = {0};
	struct pgm_rows rows;
	char **names;
	double transactions = 0, wait_us = 0;
	sample->mean_wait_ms = -1;
	if (!looker->console ||
	    !pgm_conn_show(looker->console, looker->arena, "SHOW STATS", &names, &rows, &err))
		return;
	for (size_t i = 0; i < rows.count; i++) {
		if (!is_of_load(looker, names, &rows, i, "database"))
			continue;
		transactions += cell(names, &rows, i, "total_xact_count");
		wait_us += cell(names, &rows, i, "total_wait_time");
	}
	double done = transactions - looker->pool_transactions, waited_us = wait_us - looker->pool_wait_us;
	if (looker->pool_transactions > 0 && done > 0 && waited_us >= 0)
		sample->mean_wait_ms = waited_us / done / 1000;
	looker->pool_transactions = transactions;
	looker->pool_wait_us = wait_us;
}

/* PgBouncer and ours say their version in a NOTICE; the name is ours to tell by what only one of them has. */
static void meet_console(struct looker *looker, struct pgm_watch_hello *hello)
{
	struct pgm_error err = {0};
	struct pgm_rows rows;
	char **names;
	looker->console = pgm_conn_open_console(looker->options->console, &err);
	if (!looker->console) {
		snprintf(hello->problem, sizeof(hello->problem), "the pooler's console: %.400s", err.message);
		return;
	}
	if (pgm_conn_show(looker->console, looker->arena, "SHOW VERSION", &names, &rows, &err) && rows.count)
		copy_text(hello->pooler, sizeof(hello->pooler), pgm_rows_text(&rows, 0, 0));
	if (!pgm_conn_show(looker->console, looker->arena, "SHOW DATABASES", &names, &rows, &err))
		return;
	for (size_t i = 0; i < rows.count; i++)
		if (is_of_load(looker, names, &rows, i, "name"))
			looker->pool_size = (uint32_t)cell(names, &rows, i, "pool_size");
}

/* ---- the machine ---- */

static void look_at_machine(struct looker *looker, struct pgm_load_sample *sample)
{
	const struct pgm_watch_machine *last = &looker->machine;
	struct pgm_watch_machine now;
	double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
	sample->server_busy = -1;
	if (!pgm_watch_machine_read(looker->backend_pid, &now))
		return;
	if (last->all && now.all > last->all && now.busy >= last->busy) {
		double all = (double)(now.all - last->all);
		sample->has_machine = looker->backend_pid != 0;
		sample->cpu_busy = (double)(now.busy - last->busy) / all;
		if (last->has_server && now.has_server && now.server >= last->server)
			sample->server_busy = (double)(now.server - last->server) / all * cores;
	}
	looker->machine = now;
}

/* ---- tables and indexes ---- */

static bool read_relations(struct looker *looker, struct pgm_arena *arena, struct pgm_rows *tables,
			   struct pgm_rows *indexes)
{
	struct pgm_error err = {0};
	return pgm_conn_query(looker->server, arena, pgm_embedded_text("load/watch_tables.sql"), 0, NULL,
			      tables, &err) &&
	       pgm_conn_query(looker->server, arena, pgm_embedded_text("load/watch_indexes.sql"), 0, NULL,
			      indexes, &err);
}

/* Rows by their first names, which are as many as name_count. */
static void index_rows(struct pgm_map *map, const struct pgm_rows *rows, size_t name_count)
{
	for (size_t i = 0; i < rows->count; i++) {
		const char *third = name_count > 2 ? pgm_rows_text(rows, i, 2) : "";
		/* No name holds a newline without being escaped here: a byte that none can hold parts them.
		 */
		pgm_map_set(map,
			    pgm_sprintf(map->arena, "%s\x01%s\x01%s", pgm_rows_text(rows, i, 0),
					pgm_rows_text(rows, i, 1), third),
			    &rows->cells[i * rows->columns]);
	}
}

static uint64_t grown(const struct pgm_rows *rows, size_t row, size_t column, char *const *before)
{
	int64_t now = pgm_rows_int(rows, row, column);
	int64_t then = before && before[column] ? strtoll(before[column], NULL, 10) : 0;
	return now > then ? (uint64_t)(now - then) : 0;
}

static void send_tables(struct looker *looker, const struct pgm_rows *rows)
{
	struct pgm_map before;
	size_t sent = 0;
	pgm_map_init(&before, looker->before_arena);
	index_rows(&before, &looker->tables, 2);
	for (size_t i = 0; i < rows->count && sent < PGM_WATCH_TABLES_MAX; i++) {
		struct pgm_watch_message message = {.kind = PGM_WATCH_TABLE};
		struct pgm_load_table *table = &message.relation.as_table;
		char *const *then = pgm_map_get(&before, pgm_sprintf(looker->arena, "%s\x01%s\x01",
								     pgm_rows_text(rows, i, 0),
								     pgm_rows_text(rows, i, 1)));
		uint64_t *const values[] = {&table->seq_scans, &table->seq_rows, &table->index_scans,
					    &table->inserted,  &table->updated,	 &table->deleted};
		uint64_t any = 0;
		for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++)
			any += *values[v] = grown(rows, i, 2 + v, then);
		if (!any)
			continue;
		table->size_bytes = pgm_rows_double(rows, i, 8);
		copy_text(message.relation.schema, PGM_WATCH_NAME_BYTES, pgm_rows_text(rows, i, 0));
		copy_text(message.relation.table, PGM_WATCH_NAME_BYTES, pgm_rows_text(rows, i, 1));
		send_message(looker, &message);
		sent++;
	}
}

static void send_indexes(struct looker *looker, const struct pgm_rows *rows)
{
	struct pgm_map before;
	size_t sent = 0;
	pgm_map_init(&before, looker->before_arena);
	index_rows(&before, &looker->indexes, 3);
	for (size_t i = 0; i < rows->count && sent < PGM_WATCH_INDEXES_MAX; i++) {
		struct pgm_watch_message message = {.kind = PGM_WATCH_INDEX};
		struct pgm_load_index *index = &message.relation.as_index;
		char *const *then = pgm_map_get(
			&before, pgm_sprintf(looker->arena, "%s\x01%s\x01%s", pgm_rows_text(rows, i, 0),
					     pgm_rows_text(rows, i, 1), pgm_rows_text(rows, i, 2)));
		index->scans = grown(rows, i, 3, then);
		index->rows = grown(rows, i, 4, then);
		index->size_bytes = pgm_rows_double(rows, i, 5);
		index->unique = pgm_rows_bool(rows, i, 6);
		copy_text(message.relation.schema, PGM_WATCH_NAME_BYTES, pgm_rows_text(rows, i, 0));
		copy_text(message.relation.table, PGM_WATCH_NAME_BYTES, pgm_rows_text(rows, i, 1));
		copy_text(message.relation.index, PGM_WATCH_NAME_BYTES, pgm_rows_text(rows, i, 2));
		send_message(looker, &message);
		sent++;
	}
}

/* ---- the process ---- */

static bool say_hello(struct looker *looker)
{
	struct pgm_watch_message message = {.kind = PGM_WATCH_HELLO};
	struct pgm_watch_hello *hello = &message.hello;
	struct pgm_error err = {0};
	char *value = NULL;
	copy_text(looker->database, sizeof(looker->database), looker->options->database);
	if (!open_server(looker, &err)) {
		copy_text(hello->problem, sizeof(hello->problem), err.message);
		looker->open_after_ms = pgm_clock_ms() + OPEN_AGAIN_MS;
	} else {
		if (!*looker->database)
			copy_text(looker->database, sizeof(looker->database),
				  pgm_conn_database(looker->server));
		if (pgm_conn_value(looker->server, looker->arena,
				   "SELECT pg_catalog.current_setting('server_version')", 0, NULL, &value,
				   &err))
			copy_text(hello->version, sizeof(hello->version), value);
		hello->version[strcspn(hello->version, " ")] = '\0'; /* "15.20 (Debian...)" */
		if (pgm_conn_value(looker->server, looker->arena,
				   "SELECT pg_catalog.current_setting('max_connections')", 0, NULL, &value,
				   &err))
			hello->max_connections = value ? atoi(value) : 0;
		looker->has_before =
			read_relations(looker, looker->before_arena, &looker->tables, &looker->indexes);
	}
	if (looker->options->console)
		meet_console(looker, hello);
	return send_message(looker, &message);
}

static bool look(struct looker *looker)
{
	struct pgm_watch_message message = {.kind = PGM_WATCH_LOOK};
	for (size_t i = 0; i < COUNTERS_COUNT; i++)
		*(double *)((char *)&message.look.sample + counters[i].offset) = -1;
	look_at_server(looker, &message.look);
	if (looker->options->console) {
		look_at_pools(looker, &message.look.sample);
		look_at_stats(looker, &message.look.sample);
	}
	look_at_machine(looker, &message.look.sample);
	pgm_arena_reset(looker->arena);
	return send_message(looker, &message);
}

/* Sleeps until then, or until asked to end. */
static bool wait_until(const struct looker *looker, double then_ms)
{
	struct pollfd asked = {.fd = looker->fd, .events = POLLIN};
	for (;;) {
		double left_ms = then_ms - pgm_clock_ms();
		int ready = poll(&asked, 1, left_ms > 0 ? (int)ceil(left_ms) : 0);
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return false;
		if (pgm_clock_ms() >= then_ms)
			return true;
	}
}

static void say_goodbye(struct looker *looker)
{
	struct pgm_watch_message message = {.kind = PGM_WATCH_END};
	struct pgm_rows tables, indexes;
	char asked;
	/* The end of the socket: nobody is there to listen. */
	if (recv(looker->fd, &asked, 1, 0) != 1)
		return;
	pgm_clock_sleep_ms(SETTLE_MS);
	if (looker->has_before && has_server(looker, true) &&
	    read_relations(looker, looker->arena, &tables, &indexes)) {
		send_tables(looker, &tables);
		send_indexes(looker, &indexes);
	}
	send_message(looker, &message);
}

void pgm_watch_run(const struct pgm_load_watch_options *options, int fd)
{
	struct looker looker = {.options = options, .fd = fd};
	looker.arena = pgm_arena_new(0);
	looker.before_arena = pgm_arena_new(0);
	bool listening = say_hello(&looker);
	double next_ms = pgm_clock_ms();
	while (listening && wait_until(&looker, next_ms)) {
		listening = look(&looker);
		/* What came late is not made up for. */
		next_ms = fmax(next_ms + EACH_MS, pgm_clock_ms() + EACH_MS / 2);
	}
	if (listening)
		say_goodbye(&looker);
	pgm_conn_close(looker.server);
	pgm_conn_close(looker.console);
	free(looker.look_sql);
	pgm_arena_free(looker.arena);
	pgm_arena_free(looker.before_arena);
}
