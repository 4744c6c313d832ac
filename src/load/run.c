#include "load/engine.h"

#include "util/clock.h"
#include "util/file.h"
#include "util/interrupt.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS		 256
#define FILES_OF_OURS	 64    /* besides sessions */
#define WAIT_MAX_MS	 100.0 /* so that an interrupt is seen */
#define CONNECT_LIMIT_MS 10000 /* all sessions, before the run begins */
#define SECOND_MS	 1000.0
#define CANCEL_LIMIT_S	 2    /* to cancel what still runs at the end, of all sessions */
#define LATE_SHARE	 0.05 /* of what was due: a step of a ramp holds up to there */

const char *const pgm_load_protocols[PGM_LOAD_PROTOCOLS] = {"prepared", "extended", "simple"};

/* ---- begin and end ---- */

void pgm_load_result_begin(struct pgm_arena *arena, const struct pgm_load_options *options,
			   struct pgm_load_result *result)
{
	const struct pgm_schedule *schedule = &options->schedule;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*result = (struct pgm_load_result){
		.program = "pgmend " PGM_VERSION,
		.began_unix_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
		.planned_s = schedule->length_ms * (double)options->target_count / 1000,
		.scenario = schedule->scenario,
		.source = options->source,
		.writes = options->writes,
		.users = schedule->users,
		.rate = schedule->rate,
		.think_ms = schedule->rate > 0 ? 0 : schedule->think_ms,
		.arrivals = schedule->even ? "even" : "poisson",
		.seed = options->seed,
		.slice_s = options->target_count > 1 ? options->slice_ms / 1000 : 0,
		.cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
		.left_out_why = "",
		.targets = PGM_NEW_ARRAY(arena, struct pgm_load_target, options->target_count),
		.target_count = options->target_count,
	};
	for (size_t i = 0; i < options->target_count; i++)
		result->targets[i] = (struct pgm_load_target){
			.name = options->targets[i].name,
			.place = options->targets[i].probe.place,
			.protocol = pgm_load_protocols[options->protocol],
			.version = options->targets[i].probe.version,
			.max_connections = options->targets[i].probe.max_connections,
			.pooler = "",
			.refusal = "",
			.watch_problem = "",
		};
}

static double cpu_ms(int who)
{
	struct rusage usage;
	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static void target_init(struct engine *engine, size_t place)
{
	const struct pgm_load_options *options = engine->options;
	struct target *target = &engine->targets[place];
	const struct pgm_load_probe *probe = &options->targets[place].probe;
	bool by_rate = options->schedule.rate > 0;
	target->engine = engine;
	target->place = place;
	target->connect = &options->targets[place];
	target->result = &engine->result->targets[place];
	pgm_tally_init(&target->tally, engine->arena, options->scripts, target->result);
	target->session_count = options->schedule.users;
	target->lane_count = by_rate ? 1 : target->session_count;
	target->sessions = calloc(target->session_count, sizeof(*target->sessions));
	target->lanes = calloc(target->lane_count, sizeof(*target->lanes));
	if (!target->sessions || !target->lanes)
		abort();
	target->guard_set = !options->writes && !probe->pooled;
	target->guard_options =
		!options->writes && probe->guards_startup ? "-c default_transaction_read_only=on" : NULL;
	/* Each target has the same arrivals: what differs between them is the target. */
	for (uint32_t i = 0; i < target->lane_count; i++)
		lane_init(&target->lanes[i], target, options->seed + (uint64_t)i * 7919);
	for (uint32_t i = 0; i < target->session_count; i++)
		session_init(&target->sessions[i], target, &target->lanes[by_rate ? 0 : i], i);
}

static void target_done(struct target *target)
{
	for (uint32_t i = 0; i < target->session_count; i++)
		session_done(&target->sessions[i]);
	for (uint32_t i = 0; i < target->lane_count; i++)
		lane_done(&target->lanes[i]);
	free(target->sessions);
	free(target->lanes);
	pgm_timers_done(&target->timers);
	pgm_tally_done_with(&target->tally);
}

/* ---- the loop ---- */

static void wait_for_events(struct engine *engine, double until_ms)
{
	struct epoll_event events[EVENTS];
	double wait_ms = fmin(until_ms - pgm_clock_ms(), WAIT_MAX_MS);
	if (wait_ms < 0)
		wait_ms = 0;
	struct timespec wait = {.tv_nsec = (long)(wait_ms * 1e6)};
	int count = epoll_pwait2(engine->epoll_fd, events, EVENTS, &wait, NULL);
	if (count < 0 && errno == ENOSYS) /* a kernel before 5.11 */
		count = epoll_wait(engine->epoll_fd, events, EVENTS, (int)wait_ms);
	for (int i = 0; i < count; i++)
		session_ready(events[i].data.ptr, pgm_clock_ms());
}

static void begin_second(struct target *target, double now_ms)
{
	target->second_ms = now_ms;
	target->engine->cpu_second_ms = cpu_ms(RUSAGE_THREAD);
}

static void end_second(struct target *target, double now_ms)
{
	struct engine *engine = target->engine;
	const struct pgm_load_options *options = engine->options;
	double length_ms = now_ms - target->second_ms, cpu = cpu_ms(RUSAGE_THREAD) - engine->cpu_second_ms;
	double local_ms = fmin(target->second_ms - target->offset_ms, options->schedule.length_ms);
	const struct pgm_load_second *second = pgm_tally_end_second(
		&target->tally, (target->second_ms - engine->began_ms) / 1000, length_ms / 1000,
		pgm_schedule_rate(&options->schedule, local_ms + fmin(length_ms, SECOND_MS) / 2),
		target->in_play, target->connected, target->backlog);
	if (length_ms > SECOND_MS / 2 && cpu / length_ms > engine->result->generator_busy_max)
		engine->result->generator_busy_max = cpu / length_ms;
	begin_second(target, now_ms);
	if (!second || !options->progress)
		return;
	const struct pgm_load_progress progress = {
		.at_s = (now_ms - engine->began_ms) / 1000,
		.planned_s = engine->result->planned_s,
		.target = target->place,
		.target_name = options->target_count > 1 ? target->connect->name : "",
		.second = second,
		.done = target->result->done,
		.failed = target->result->failed,
	};
	options->progress(options->arg, &progress);
}

/* Until its own time is until_local_ms; then until what was due is done, or that takes too long. */
static void run_slice(struct target *target, double until_local_ms)
{
	struct engine *engine = target->engine;
	double now_ms = pgm_clock_ms();
	double end_ms = now_ms + until_local_ms - target->local_ms,
	       drained_ms = end_ms + engine->options->drain_ms;
	target->offset_ms = now_ms - target->local_ms;
	bool ended = false;
	begin_second(target, now_ms);
	for (;;) {
		bool due = now_ms < end_ms;
		/* What is due at the very end is the next slice's, but for all that was due before. */
		if (target->local_ms < until_local_ms)
			pgm_timers_fire(&target->timers,
					nextafter(fmin(now_ms - target->offset_ms, until_local_ms), 0));
		target->local_ms = fmin(now_ms - target->offset_ms, until_local_ms);
		pgm_timers_fire(&engine->timers, now_ms);
		if (now_ms >= target->second_ms + SECOND_MS)
			end_second(target, now_ms);
		bool open = target->backlog || target->under_way;
		if (due)
			target->late = 0;
		else if (!ended)
			target->late = target->backlog;
		ended = !due;
		if (pgm_interrupted() || (!due && (!open || now_ms >= drained_ms)))
			break;
		double next_ms = fmin(target->second_ms + SECOND_MS, pgm_timers_next_ms(&engine->timers));
		if (due)
			next_ms = fmin(next_ms,
				       fmin(end_ms, pgm_timers_next_ms(&target->timers) + target->offset_ms));
		wait_for_events(engine, next_ms);
		now_ms = pgm_clock_ms();
	}
	target->local_ms = until_local_ms;
	end_second(target, pgm_clock_ms());
}

/* Those who are there from the begin connect before it, each once at least. */
static void connect_first(struct engine *engine)
{
	const struct pgm_load_options *options = engine->options;
	double until_ms = pgm_clock_ms() + CONNECT_LIMIT_MS, told_ms = 0;
	for (size_t i = 0; i < options->target_count; i++) {
		struct target *target = &engine->targets[i];
		for (uint32_t s = 0; s < target->session_count; s++)
			if (target->sessions[s].presence.at_ms <= 0)
				session_join(&target->sessions[s]);
	}
	for (;;) {
		uint32_t connected = 0, waiting = 0, wanted = 0;
		for (size_t i = 0; i < options->target_count; i++) {
			struct target *target = &engine->targets[i];
			connected += target->connected;
			for (uint32_t s = 0; s < target->session_count; s++) {
				wanted += target->sessions[s].in_play;
				waiting += target->sessions[s].in_play && !target->sessions[s].tried;
			}
		}
		double now_ms = pgm_clock_ms();
		if (options->connecting && now_ms > told_ms + 200) {
			options->connecting(options->arg, connected, wanted);
			told_ms = now_ms;
		}
		if (!waiting || now_ms > until_ms || pgm_interrupted())
			return;
		pgm_timers_fire(&engine->timers, now_ms);
		wait_for_events(engine, fmin(until_ms, pgm_timers_next_ms(&engine->timers)));
	}
}

/* ---- a ramp's steps ---- */

static const char *why_broken(struct target *target, const struct pgm_load_step *step, uint64_t due)
{
	const struct pgm_load_options *options = target->engine->options;
	struct pgm_arena *arena = target->engine->arena;
	double p95_ms = options->p95_ms >= 0 ? options->p95_ms : PGM_LOAD_RAMP_P95_MS;
	double errors = options->error_rate >= 0 ? options->error_rate : PGM_LOAD_RAMP_ERRORS;
	if (pgm_interrupted())
		return "it was interrupted";
	if (step->error_rate > errors)
		return pgm_sprintf(arena, "%.2f %% of transactions failed, above %.2f %%",
				   step->error_rate * 100, errors * 100);
	if ((double)target->late > (double)due * LATE_SHARE)
		return pgm_sprintf(arena, "%llu of %llu transactions had not begun when the step was over",
				   (unsigned long long)target->late, (unsigned long long)due);
	if (step->p95_ms > p95_ms)
		return pgm_sprintf(arena, "p95 %.1f ms is above %.1f ms", step->p95_ms, p95_ms);
	return "";
}

static void run_step(struct target *target, double until_local_ms)
{
	struct engine *engine = target->engine;
	const struct pgm_schedule *schedule = &engine->options->schedule;
	double from_ms = pgm_clock_ms(), middle_ms = (target->local_ms + until_local_ms) / 2;
	run_slice(target, until_local_ms);
	uint64_t due = target->tally.step_scheduled;
	struct pgm_load_step *step = pgm_tally_end_step(&target->tally, (from_ms - engine->began_ms) / 1000,
							(pgm_clock_ms() - engine->began_ms) / 1000);
	step->users = schedule->rate > 0 ? 0 : pgm_schedule_users(schedule, middle_ms);
	step->rate = pgm_schedule_rate(schedule, middle_ms);
	step->broken = why_broken(target, step, due);
	step->held = !*step->broken;
	target->broken = !step->held;
}

/* ---- the whole ---- */

static void run_all(struct engine *engine)
{
	const struct pgm_load_options *options = engine->options;
	bool ramp = options->schedule.scenario == PGM_LOAD_RAMP, going = true;
	double length_ms = options->schedule.length_ms;
	double slice_ms = ramp			      ? pgm_schedule_step_ms(&options->schedule)
			  : options->target_count > 1 ? options->slice_ms
						      : length_ms;
	while (going && !pgm_interrupted()) {
		going = false;
		for (size_t i = 0; i < options->target_count && !pgm_interrupted(); i++) {
			struct target *target = &engine->targets[i];
			if (target->broken || target->local_ms >= length_ms)
				continue;
			/* the last may be longer by a rounding error, never shorter */
			double until_ms = target->local_ms + slice_ms * 1.001 >= length_ms
						  ? length_ms
						  : target->local_ms + slice_ms;
			if (ramp)
				run_step(target, until_ms);
			else
				run_slice(target, until_ms);
			going |= !target->broken && target->local_ms < length_ms;
		}
	}
}

/*
 * What still runs is cancelled, as far as that goes quickly. To cancel waits for the server, which may not
 * answer, so a process of its own does it, which does not live long.
 */
static void cancel_all(struct engine *engine)
{
	size_t running = 0;
	for (size_t i = 0; i < engine->options->target_count; i++)
		running += engine->targets[i].under_way;
	pid_t child = running ? fork() : -1;
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	if (child != 0)
		return;
	signal(SIGALRM, SIG_DFL);
	alarm(CANCEL_LIMIT_S);
	for (size_t i = 0; i < engine->options->target_count; i++)
		for (uint32_t s = 0; s < engine->targets[i].session_count; s++)
			if (engine->targets[i].sessions[s].state == SESSION_RUNNING)
				pgm_async_cancel(engine->targets[i].sessions[s].async);
	_exit(0);
}

static void end_target(struct target *target)
{
	bool interrupted = pgm_interrupted();
	for (uint32_t i = 0; i < target->session_count; i++) {
		struct session *session = &target->sessions[i];
		if (!session->script)
			continue;
		target->result->unfinished++;
		if (interrupted) {
			session->script = NULL;
			target->under_way--;
		} else {
			session_fail(session, "unfinished", "due, but not done when the run ended");
		}
	}
	target->result->unfinished += target->backlog;
	for (uint32_t i = 0; !interrupted && i < target->lane_count; i++)
		lane_fail(&target->lanes[i], "unfinished", "due, but not done when the run ended");
	pgm_tally_finish(&target->tally);
}

static void judge(struct engine *engine)
{
	const struct pgm_load_options *options = engine->options;
	struct pgm_load_result *result = engine->result;
	result->verdicts = PGM_NEW_ARRAY(engine->arena, struct pgm_load_verdict, options->target_count * 3);
	for (uint32_t i = 0; i < options->target_count; i++) {
		const struct pgm_load_target *target = &result->targets[i];
		const struct pgm_load_verdict all[] = {
			{"p95", i, options->p95_ms, target->latency.p95_ms,
			 target->latency.p95_ms <= options->p95_ms && target->done > 0},
			{"error-rate", i, options->error_rate, target->error_rate,
			 target->error_rate <= options->error_rate},
			{"throughput", i, options->throughput, target->done_rate,
			 target->done_rate >= options->throughput},
		};
		for (size_t v = 0; v < sizeof(all) / sizeof(*all); v++)
			if (all[v].wanted >= 0)
				result->verdicts[result->verdict_count++] = all[v];
	}
}

static void run_engine(struct engine *engine)
{
	const struct pgm_load_options *options = engine->options;
	struct pgm_load_result *result = engine->result;
	for (size_t i = 0; i < options->target_count; i++)
		target_init(engine, i);
	connect_first(engine);
	engine->began_ms = pgm_clock_ms();
	double cpu = cpu_ms(RUSAGE_THREAD);
	if (options->begun)
		options->begun(options->arg, engine->began_ms);
	for (size_t i = 0; options->schedule.rate > 0 && i < options->target_count; i++)
		lane_open(&engine->targets[i].lanes[0], 0, options->schedule.length_ms);
	run_all(engine);
	engine->ending = true;
	result->interrupted = pgm_interrupted();
	result->length_s = (pgm_clock_ms() - engine->began_ms) / 1000;
	result->generator_cpu_ms = cpu_ms(RUSAGE_THREAD) - cpu;
	cancel_all(engine);
	for (size_t i = 0; i < options->target_count; i++)
		end_target(&engine->targets[i]);
	judge(engine);
}

bool pgm_load_run(struct pgm_arena *arena, const struct pgm_load_options *options,
		  struct pgm_load_result *result, struct pgm_error *err)
{
	struct engine engine = {.options = options, .arena = arena, .result = result};
	pgm_file_limit_raise(options->target_count * options->schedule.users + FILES_OF_OURS);
	engine.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine.epoll_fd < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot make an event loop: %s", strerror(errno));
	engine.scratch = pgm_arena_new(0);
	engine.targets = calloc(options->target_count, sizeof(*engine.targets));
	if (!engine.targets)
		abort();
	run_engine(&engine);
	for (size_t i = 0; i < options->target_count; i++)
		target_done(&engine.targets[i]);
	pgm_timers_done(&engine.timers);
	free(engine.targets);
	pgm_arena_free(engine.scratch);
	close(engine.epoll_fd);
	return true;
}
