#include "load/watch_parts.h"

#include "util/clock.h"
#include "util/interrupt.h"
#include "util/vec.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_MS   20000.0 /* a connection attempt has 15 s */
#define GOODBYE_MS 6000.0
#define LOOKS_MAX  100000 /* a day and more */

struct pgm_load_watch {
	struct pgm_arena *arena;
	pid_t pid; /* 0: none */
	int fd;
	bool kept_before;	  /* the look before the last was of this target's time too */
	uint32_t hidden;	  /* the most of a look */
	double cpu_ms, cpu_at_ms; /* of this process when it last was looked at */
	PGM_VEC(struct pgm_load_sample) samples;
	PGM_VEC(struct pgm_load_table) tables;
	PGM_VEC(struct pgm_load_index) indexes;
};

static double own_cpu_ms(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static bool start_process(struct pgm_load_watch *watch, const struct pgm_load_watch_options *options)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return false;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		/* Ctrl-C is the load's: it ends us when it has what it needs. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_IGN);
		close(fds[0]);
		pgm_watch_run(options, fds[1]);
		_exit(0); /* what our parent left to run at exit is not ours */
	}
	close(fds[1]);
	watch->fd = fds[0];
	watch->pid = pid > 0 ? pid : 0;
	return pid > 0;
}

/* The next packet within that time; false: none, or nobody is there any more. */
static bool receive(const struct pgm_load_watch *watch, double within_ms, struct pgm_watch_message *message)
{
	struct pollfd ready = {.fd = watch->fd, .events = POLLIN};
	double until_ms = pgm_clock_ms() + within_ms;
	for (;;) {
		double left_ms = until_ms - pgm_clock_ms();
		int found = poll(&ready, 1, left_ms > 0 ? (int)ceil(left_ms) : 0);
		if (found > 0)
			return recv(watch->fd, message, sizeof(*message), 0) == (ssize_t)sizeof(*message);
		if (found == 0 || errno != EINTR || pgm_interrupted())
			return false;
	}
}

static void end_process(struct pgm_load_watch *watch)
{
	if (!watch->pid)
		return;
	close(watch->fd);
	kill(watch->pid, SIGKILL); /* it has nothing to tidy up that the server would not */
	while (waitpid(watch->pid, NULL, 0) < 0 && errno == EINTR)
		;
	watch->pid = 0;
}

struct pgm_load_watch *pgm_load_watch_start(struct pgm_arena *arena,
					    const struct pgm_load_watch_options *options,
					    struct pgm_load_target *target)
{
	struct pgm_load_watch *watch = PGM_NEW(arena, struct pgm_load_watch);
	struct pgm_watch_message message;
	watch->arena = arena;
	target->pooler = target->watch_problem = "";
	if (!target->version)
		target->version = "";
	if (!start_process(watch, options)) {
		target->watch_problem = pgm_sprintf(arena, "no further process: %s", strerror(errno));
		return watch;
	}
	if (!receive(watch, HELLO_MS, &message) || message.kind != PGM_WATCH_HELLO) {
		end_process(watch);
		target->watch_problem = "the server did not answer in time";
		return watch;
	}
	if (*message.hello.version)
		target->version = pgm_strdup(arena, message.hello.version);
	target->pooler = pgm_strdup(arena, message.hello.pooler);
	target->watch_problem = pgm_strdup(arena, message.hello.problem);
	if (message.hello.max_connections)
		target->max_connections = message.hello.max_connections;
	watch->cpu_ms = own_cpu_ms();
	watch->cpu_at_ms = pgm_clock_ms();
	return watch;
}

static void keep_look(struct pgm_load_watch *watch, const struct pgm_watch_look *look, double at_s)
{
	struct pgm_load_sample *sample = pgm_vec_add(watch->arena, &watch->samples);
	watch->hidden = look->hidden > watch->hidden ? look->hidden : watch->hidden;
	*sample = look->sample;
	sample->at_s = at_s;
	sample->wait_count = look->wait_count <= PGM_WATCH_WAITS_MAX ? look->wait_count : 0;
	sample->waits = PGM_NEW_ARRAY(watch->arena, struct pgm_load_wait, sample->wait_count + 1);
	for (size_t i = 0; i < sample->wait_count; i++)
		sample->waits[i] = (struct pgm_load_wait){
			.type = pgm_strdup(watch->arena, look->waits[i].type),
			.event = pgm_strdup(watch->arena, look->waits[i].event),
			.backends = look->waits[i].backends,
		};
	double now_ms = pgm_clock_ms(), cpu_ms = own_cpu_ms();
	if (now_ms > watch->cpu_at_ms)
		sample->generator_busy = (cpu_ms - watch->cpu_ms) / (now_ms - watch->cpu_at_ms);
	watch->cpu_ms = cpu_ms;
	watch->cpu_at_ms = now_ms;
}

void pgm_load_watch_take(struct pgm_load_watch *watch, double began_ms, bool keep)
{
	struct pgm_watch_message message;
	while (watch->pid && recv(watch->fd, &message, sizeof(message), MSG_DONTWAIT) == sizeof(message)) {
		bool ours = message.kind == PGM_WATCH_LOOK && keep && message.at_ms >= began_ms &&
			    watch->samples.count < LOOKS_MAX;
		/* The first look of a slice says what was before it too: the other target's time. */
		if (ours && watch->kept_before)
			keep_look(watch, &message.look, (message.at_ms - began_ms) / 1000);
		watch->kept_before = ours;
	}
}

const struct pgm_load_sample *pgm_load_watch_last(const struct pgm_load_watch *watch)
{
	return watch->samples.count ? &watch->samples.items[watch->samples.count - 1] : NULL;
}

static void keep_relation(struct pgm_load_watch *watch, const struct pgm_watch_message *message)
{
	const struct pgm_watch_relation *relation = &message->relation;
	const char *schema = pgm_strdup(watch->arena, relation->schema);
	const char *table = pgm_strdup(watch->arena, relation->table);
	if (message->kind == PGM_WATCH_TABLE) {
		struct pgm_load_table *kept = pgm_vec_add(watch->arena, &watch->tables);
		*kept = relation->as_table;
		kept->schema = schema;
		kept->name = table;
	} else {
		struct pgm_load_index *kept = pgm_vec_add(watch->arena, &watch->indexes);
		*kept = relation->as_index;
		kept->schema = schema;
		kept->table = table;
		kept->name = pgm_strdup(watch->arena, relation->index);
	}
}

static int compare_tables(const void *a, const void *b)
{
	const struct pgm_load_table *left = a, *right = b;
	uint64_t l = left->seq_scans + left->index_scans, r = right->seq_scans + right->index_scans;
	return (l < r) - (l > r);
}

static int compare_indexes(const void *a, const void *b)
{
	const struct pgm_load_index *left = a, *right = b;
	return (left->scans < right->scans) - (left->scans > right->scans);
}

/* Indexes of tables that the load never touched say nothing of it. */
static void keep_touched(struct pgm_load_watch *watch)
{
	size_t kept = 0;
	for (size_t i = 0; i < watch->indexes.count; i++) {
		const struct pgm_load_index *index = &watch->indexes.items[i];
		bool touched = index->scans > 0;
		for (size_t t = 0; t < watch->tables.count && !touched; t++)
			touched = strcmp(watch->tables.items[t].schema, index->schema) == 0 &&
				  strcmp(watch->tables.items[t].name, index->table) == 0;
		if (touched)
			watch->indexes.items[kept++] = *index;
	}
	watch->indexes.count = kept;
}

void pgm_load_watch_end(struct pgm_load_watch *watch, struct pgm_load_target *target)
{
	struct pgm_watch_message message;
	double until_ms = pgm_clock_ms() + GOODBYE_MS;
	bool more = watch->pid && send(watch->fd, "e", 1, MSG_NOSIGNAL) == 1;
	while (more && pgm_clock_ms() < until_ms && receive(watch, until_ms - pgm_clock_ms(), &message) &&
	       message.kind != PGM_WATCH_END)
		if (message.kind == PGM_WATCH_TABLE || message.kind == PGM_WATCH_INDEX)
			keep_relation(watch, &message);
	end_process(watch);
	keep_touched(watch);
	if (watch->tables.count)
		qsort(watch->tables.items, watch->tables.count, sizeof(*watch->tables.items), compare_tables);
	if (watch->indexes.count)
		qsort(watch->indexes.items, watch->indexes.count, sizeof(*watch->indexes.items),
		      compare_indexes);
	if (watch->hidden && !*target->watch_problem)
		target->watch_problem = pgm_sprintf(
			watch->arena,
			"what %u session%s of other users do%s, which takes the role pg_monitor",
			watch->hidden, watch->hidden == 1 ? "" : "s", watch->hidden == 1 ? "es" : "");
	target->samples = watch->samples.items;
	target->sample_count = watch->samples.count;
	target->tables = watch->tables.items;
	target->table_count = watch->tables.count;
	target->indexes = watch->indexes.items;
	target->index_count = watch->indexes.count;
}
