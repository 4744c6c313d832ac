/* The thread that starts the children, hears them, and ends those that have spent their limits. */
#include "serve/job/parts.h"

#include "util/file.h"
#include "util/format.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNNING_MAX  64
#define REAP_LOOK_MS 50 /* where the kernel cannot tell of an end */

static void record(struct pgm_jobs *jobs, struct pgm_job *job, const char *result)
{
	struct pgm_error err = {0};
	struct pgm_record_job row = pgm_job_row(job);
	row.result = result;
	if (!pgm_record_update(jobs->record, &row, &err))
		pgm_jobs_say(jobs, "job %s: %s", job->id, err.message);
}

static void remove_files(const struct pgm_job *job)
{
	if (job->plan_file)
		unlink(job->plan_file);
	if (job->input_file)
		unlink(job->input_file);
}

static void end_job(struct pgm_jobs *jobs, struct pgm_job *job, enum pgm_job_state state)
{
	job->state = state;
	pgm_clock_stamp(job->finished_at);
	const char *result = job->out.length ? job->out.text : NULL;
	json_t *text = result ? json_string(result) : NULL;
	record(jobs, job, text ? result : NULL);
	json_decref(text);
	remove_files(job);
	if (job->changes) {
		const char *const fields[] = {job->who,	     job->role, pgm_job_state_name(state),
					      job->database, job->id,	*job->error ? job->error : NULL};
		struct pgm_error err = {0};
		if (!pgm_record_audit(jobs->record, fields, &err))
			pgm_jobs_say(jobs, "job %s: %s", job->id, err.message);
	}
	pgm_job_tell_state(jobs, job);
	pgm_child_text_done(&job->out);
	pgm_record_trim(jobs->record, PGM_JOB_KEEP, PGM_JOB_RESULTS_KEPT);
}

/* Ended jobs beyond the last few are only in the record. */
static void forget_old(struct pgm_jobs *jobs)
{
	size_t kept = 0;
	for (struct pgm_job **at = &jobs->jobs; *at;) {
		struct pgm_job *job = *at;
		if (pgm_job_under_way(job) || kept++ < PGM_JOB_ENDED_KEPT) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		pgm_job_free(job);
	}
}

static void start_job(struct pgm_jobs *jobs, struct pgm_job *job)
{
	struct pgm_error err = {0};
	struct pgm_child_request request = {.argv = (const char *const *)job->argv,
					    .conninfo = job->conninfo,
					    .actor = *job->who ? job->who : NULL};
	pgm_clock_stamp(job->started_at);
	job->state = PGM_JOB_RUNNING;
	job->deadline_ms = pgm_clock_ms() + (double)job->limit_ms;
	record(jobs, job, NULL);
	if (!pgm_child_start(&job->child, &request, &err)) {
		snprintf(job->error, sizeof(job->error), "%s", err.message);
		end_job(jobs, job, PGM_JOB_FAILED);
		return;
	}
	pgm_job_tell_state(jobs, job);
}

/* The oldest first, as far as there are places. */
static void start_queued(struct pgm_jobs *jobs)
{
	for (;;) {
		size_t running = 0;
		struct pgm_job *oldest = NULL;
		for (struct pgm_job *job = jobs->jobs; job; job = job->next) {
			running += job->state == PGM_JOB_RUNNING;
			if (job->state == PGM_JOB_QUEUED)
				oldest = job;
		}
		if (!oldest || running >= jobs->at_once || running >= RUNNING_MAX || jobs->closing)
			return;
		start_job(jobs, oldest);
	}
}

static void take_output(void *data, const char *bytes, size_t length)
{
	struct pgm_job *job = data;
	pgm_child_text_add(&job->out, bytes, length);
}

struct hearing {
	struct pgm_jobs *jobs;
	struct pgm_job *job;
};

static void take_error(void *data, const char *bytes, size_t length)
{
	struct hearing *hearing = data;
	pgm_job_heard(hearing->jobs, hearing->job, bytes, length);
}

static void hear(struct pgm_jobs *jobs, struct pgm_job *job)
{
	struct hearing hearing = {jobs, job};
	pgm_child_read(&job->child.out, take_output, job);
	pgm_child_read(&job->child.err, take_error, &hearing);
}

/* Keep the Plan that the command wrote. There may be none: nothing was proposed. */
static void take_plan(struct pgm_jobs *jobs, struct pgm_job *job)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_plan plan;
	char *text;
	if (!job->plan_file || access(job->plan_file, R_OK) < 0)
		return;
	if (!pgm_file_read(arena, job->plan_file, PGM_PLAN_BYTES_MAX + 2, &text, &err)) {
		snprintf(job->error, sizeof(job->error), "%.1000s", err.message);
		return;
	}
	if (!strstr(text, "-- pgmend:change"))
		return;
	if (pgm_plans_put(jobs->plans, arena, job->database, text, &plan, &err)) {
		free(job->plan);
		job->plan = strdup(plan.id);
	} else {
		snprintf(job->error, sizeof(job->error), "%.1000s", err.message);
	}
}

static void finish(struct pgm_jobs *jobs, struct pgm_job *job, int code)
{
	hear(jobs, job);
	if (job->line_length)
		pgm_job_heard(jobs, job, "\n", 1);
	pgm_child_close(&job->child);
	job->exit_code = code;
	bool done = code == 0 || code == 1;
	if (done) {
		*job->error = *job->hint = '\0'; /* those were warnings */
		take_plan(jobs, job);
	}
	if (job->changes)
		pgm_answers_forget(jobs, job->database);
	if (!done && job->spent)
		snprintf(job->error, sizeof(job->error), "%s", job->spent);
	else if (!done && !*job->error)
		snprintf(job->error, sizeof(job->error), code > 128 ? "ended by signal %d" : "exit code %d",
			 code > 128 ? code - 128 : code);
	else if (done && job->out.cut && !*job->error)
		snprintf(job->error, sizeof(job->error), "its output was longer than %zu MB and is cut off",
			 job->out.limit >> 20);
	end_job(jobs, job,
		done					      ? PGM_JOB_DONE
		: jobs->closing && job->spent && !job->cancel ? PGM_JOB_INTERRUPTED
		: job->cancel				      ? PGM_JOB_CANCELED
							      : PGM_JOB_FAILED);
}

static void ask_to_end(struct pgm_job *job, const char *why, double now)
{
	pgm_child_signal(&job->child, SIGINT);
	job->spent = why;
	job->kill_ms = now + PGM_JOB_GRACE_MS;
}

/* Limits of one running child. Returns when it is to be looked at again. */
static double check(struct pgm_job *job, double now)
{
	if (now >= job->memory_look_ms) {
		job->memory_look_ms = now + PGM_JOB_MEMORY_LOOK_MS;
		if (!job->kill_ms && pgm_child_memory(&job->child) > PGM_JOB_MEMORY_BYTES)
			ask_to_end(job, "it took more memory than a job may have", now);
	}
	if (!job->kill_ms && now >= job->deadline_ms)
		ask_to_end(job, "it took longer than it may", now);
	if (job->kill_ms && now >= job->kill_ms) {
		pgm_child_signal(&job->child, SIGKILL);
		job->kill_ms = now + PGM_JOB_GRACE_MS;
	}
	double next = job->memory_look_ms < job->deadline_ms ? job->memory_look_ms : job->deadline_ms;
	if (job->kill_ms && job->kill_ms < next)
		next = job->kill_ms;
	return job->child.exited < 0 && next > now + REAP_LOOK_MS ? now + REAP_LOOK_MS : next;
}

/* What to wait for; returns how many running jobs there are. */
static size_t gather(struct pgm_jobs *jobs, struct pollfd *fds, nfds_t *count, double *until)
{
	size_t running = 0;
	double now = pgm_clock_ms();
	*count = 0;
	*until = now + 3600e3;
	fds[(*count)++] = (struct pollfd){.fd = jobs->wake, .events = POLLIN};
	for (struct pgm_job *job = jobs->jobs; job; job = job->next) {
		if (job->state != PGM_JOB_RUNNING)
			continue;
		running++;
		double next = check(job, now);
		*until = next < *until ? next : *until;
		const int watched[] = {job->child.out, job->child.err, job->child.exited};
		for (int i = 0; i < 3; i++)
			if (watched[i] >= 0)
				fds[(*count)++] = (struct pollfd){.fd = watched[i], .events = POLLIN};
	}
	return running;
}

static void look_at_all(struct pgm_jobs *jobs)
{
	for (struct pgm_job *job = jobs->jobs; job; job = job->next) {
		int code = 0;
		if (job->state != PGM_JOB_RUNNING)
			continue;
		hear(jobs, job);
		if (pgm_child_ended(&job->child, &code))
			finish(jobs, job, code);
	}
	forget_old(jobs);
}

/* Closing: whoever was not begun is interrupted; the others have been asked to end. */
static void interrupt_queued(struct pgm_jobs *jobs)
{
	for (struct pgm_job *job = jobs->jobs; job; job = job->next)
		if (job->state == PGM_JOB_QUEUED) {
			snprintf(job->error, sizeof(job->error), "pgmend serve was stopped");
			end_job(jobs, job, PGM_JOB_INTERRUPTED);
		}
}

void *pgm_jobs_run(void *data)
{
	struct pgm_jobs *jobs = data;
	struct pollfd fds[1 + 3 * RUNNING_MAX];
	sigset_t all;
	nfds_t count;
	double until;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		uint64_t woken;
		start_queued(jobs);
		if (jobs->closing)
			interrupt_queued(jobs);
		size_t running = gather(jobs, fds, &count, &until);
		if (jobs->closing && running == 0)
			break;
		pthread_mutex_unlock(&jobs->lock);
		double wait = until - pgm_clock_ms();
		if (poll(fds, count, wait > 0 ? (int)wait + 1 : 0) < 0 && errno != EINTR)
			pgm_clock_sleep_ms(REAP_LOOK_MS);
		if (read(jobs->wake, &woken, sizeof(woken)) < 0 && errno != EAGAIN)
			pgm_jobs_say(jobs, "jobs: %s", strerror(errno));
		pthread_mutex_lock(&jobs->lock);
		look_at_all(jobs);
	}
	jobs->ended = true;
	pthread_cond_broadcast(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}
