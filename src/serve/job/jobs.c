#include "serve/job/parts.h"

#include "util/clock.h"
#include "util/hash.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256

const char *pgm_job_state_name(enum pgm_job_state state)
{
	static const char *const names[] = {"queued", "running", "done", "failed", "canceled", "interrupted"};
	return names[state];
}

void pgm_jobs_say(const struct pgm_jobs *jobs, const char *format, ...)
{
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	jobs->log(line);
}

void pgm_jobs_wake(struct pgm_jobs *jobs)
{
	uint64_t one = 1;
	if (write(jobs->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		pgm_jobs_say(jobs, "jobs: cannot wake the thread: %s", strerror(errno));
}

bool pgm_jobs_wait(struct pgm_jobs *jobs, double until_ms)
{
	struct timespec until = pgm_clock_moment(until_ms);
	return pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) != ETIMEDOUT;
}

struct pgm_job *pgm_jobs_find(struct pgm_jobs *jobs, const char *id)
{
	for (struct pgm_job *job = jobs->jobs; job; job = job->next)
		if (strcmp(job->id, id) == 0)
			return job;
	return NULL;
}

void pgm_job_free(struct pgm_job *job)
{
	for (size_t i = 0; i < PGM_JOB_EVENTS; i++)
		free(job->events[i].data);
	for (char **word = job->argv; word && *word; word++)
		free(*word);
	char *texts[] = {job->database, job->kind,    job->title,     job->who,	       job->role,    job->key,
			 job->plan,	job->command, job->plan_file, job->input_file, job->progress};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
	if (job->conninfo)
		explicit_bzero(job->conninfo, strlen(job->conninfo));
	free(job->conninfo);
	free(job->argv);
	pgm_child_text_done(&job->out);
	pgm_child_close(&job->child);
	free(job);
}

static void make_locks(struct pgm_jobs *jobs)
{
	pthread_mutex_init(&jobs->lock, NULL);
	pgm_clock_cond_init(&jobs->changed);
}

static bool start_thread(struct pgm_jobs *jobs, struct pgm_error *err)
{
	/* where whoever started us ignores it, nobody could tell how a child ended */
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	sigaction(SIGCHLD, &usual, NULL);
	jobs->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (jobs->wake < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "eventfd: %s", strerror(errno));
	int problem = pthread_create(&jobs->thread, NULL, pgm_jobs_run, jobs);
	jobs->thread_runs = problem == 0;
	return problem == 0 ||
	       pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread: %s", strerror(problem));
}

struct pgm_jobs *pgm_jobs_start(const struct pgm_serve_config *config, void (*log)(const char *message),
				struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	bool kept = config->history && *config->history;
	struct pgm_jobs *jobs = calloc(1, sizeof(*jobs));
	if (!jobs) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	make_locks(jobs);
	jobs->at_once = config->jobs > 0 ? (size_t)config->jobs : PGM_JOB_AT_ONCE;
	jobs->log = log;
	jobs->wake = -1;
	jobs->record = pgm_record_open(kept ? pgm_sprintf(arena, "%s.jobs", config->history) : NULL, err);
	if (jobs->record)
		jobs->plans =
			pgm_plans_open(kept ? pgm_sprintf(arena, "%s.plans", config->history) : NULL, err);
	if (!jobs->plans || !start_thread(jobs, err)) {
		pgm_jobs_close(jobs, 0);
		return NULL;
	}
	pgm_jobs_configure(jobs, config);
	return jobs;
}

static void free_places(struct pgm_job_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		explicit_bzero(places[i].conninfo, strlen(places[i].conninfo));
		free(places[i].conninfo);
		free(places[i].name);
	}
	free(places);
}

void pgm_jobs_close(struct pgm_jobs *jobs, int64_t grace_ms)
{
	if (!jobs)
		return;
	if (jobs->thread_runs) {
		pthread_mutex_lock(&jobs->lock);
		jobs->closing = true;
		for (struct pgm_job *job = jobs->jobs; job; job = job->next) {
			double kill_ms = pgm_clock_ms() + (double)grace_ms;
			if (job->state != PGM_JOB_RUNNING)
				continue;
			if (job->kill_ms) { /* asked already: only sooner */
				if (kill_ms < job->kill_ms)
					job->kill_ms = kill_ms;
				continue;
			}
			pgm_child_signal(&job->child, SIGINT);
			job->spent = "pgmend serve was stopped";
			job->kill_ms = kill_ms;
		}
		pthread_mutex_unlock(&jobs->lock);
		pgm_jobs_wake(jobs);
		pthread_join(jobs->thread, NULL);
	}
	for (struct pgm_job *job = jobs->jobs, *next; job; job = next) {
		next = job->next;
		pgm_job_free(job);
	}
	for (size_t i = 0; i < PGM_JOB_ANSWERS; i++) {
		free(jobs->answers[i].question);
		json_decref(jobs->answers[i].json);
	}
	free_places(jobs->places, jobs->place_count);
	pgm_record_close(jobs->record);
	pgm_plans_close(jobs->plans);
	if (jobs->wake >= 0)
		close(jobs->wake);
	free(jobs);
}

struct pgm_plans *pgm_jobs_plans(struct pgm_jobs *jobs)
{
	return jobs->plans;
}

static const struct pgm_job_place *place_of(const struct pgm_jobs *jobs, const char *database)
{
	for (size_t i = 0; i < jobs->place_count; i++)
		if (strcmp(jobs->places[i].name, database) == 0)
			return &jobs->places[i];
	return NULL;
}

/* What was answered about a database that is another one now, or gone. */
static void forget_others(struct pgm_jobs *jobs, const struct pgm_job_place *old, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct pgm_job_place *now = place_of(jobs, old[i].name);
		if (!now || strcmp(now->conninfo, old[i].conninfo) != 0)
			pgm_answers_forget(jobs, old[i].name);
	}
}

void pgm_jobs_configure(struct pgm_jobs *jobs, const struct pgm_serve_config *config)
{
	struct pgm_job_place *places = calloc(config->target_count + 1, sizeof(*places));
	if (!places)
		return;
	for (size_t i = 0; i < config->target_count; i++) {
		places[i].name = strdup(config->targets[i].name);
		places[i].conninfo = strdup(config->targets[i].conninfo);
	}
	pthread_mutex_lock(&jobs->lock);
	struct pgm_job_place *old = jobs->places;
	size_t old_count = jobs->place_count;
	jobs->places = places;
	jobs->place_count = config->target_count;
	forget_others(jobs, old, old_count);
	pthread_mutex_unlock(&jobs->lock);
	free_places(old, old_count);
}

size_t pgm_jobs_targets(struct pgm_jobs *jobs, struct pgm_arena *arena, const char ***names)
{
	pthread_mutex_lock(&jobs->lock);
	size_t count = jobs->place_count;
	*names = PGM_NEW_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		(*names)[i] = pgm_strdup(arena, jobs->places[i].name);
	pthread_mutex_unlock(&jobs->lock);
	return count;
}

const char *pgm_jobs_conninfo(struct pgm_jobs *jobs, struct pgm_arena *arena, const char *database)
{
	pthread_mutex_lock(&jobs->lock);
	const struct pgm_job_place *place = place_of(jobs, database);
	const char *conninfo = place ? pgm_strdup(arena, place->conninfo) : NULL;
	pthread_mutex_unlock(&jobs->lock);
	return conninfo;
}

struct pgm_record_job pgm_job_row(const struct pgm_job *job)
{
	return (struct pgm_record_job){
		.id = job->id,
		.database = job->database,
		.kind = job->kind,
		.title = job->title,
		.command = job->command,
		.who = job->who,
		.role = job->role,
		.key = job->key,
		.plan = job->plan,
		.state = pgm_job_state_name(job->state),
		.created_at = job->created_at,
		.started_at = *job->started_at ? job->started_at : NULL,
		.finished_at = *job->finished_at ? job->finished_at : NULL,
		.error = *job->error ? job->error : NULL,
		.hint = *job->hint ? job->hint : NULL,
		.changes = job->changes,
		.resumable = job->resumable,
		.limit_ms = job->limit_ms,
		.exit_code = job->exit_code,
	};
}

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* The arguments as a JSON array, with what tells an input from another in the place of its file's name. A
 * name that is no UTF-8 cannot come from JSON. */
static char *command_text(const struct pgm_job_request *request)
{
	json_t *list = json_array();
	for (size_t i = 0; request->argv[i] && i < ARGUMENTS_MAX; i++) {
		json_array_append_new(list, pgm_job_text(request->argv[i]));
		if (i == 0 && request->input_option)
			json_array_append_new(
				list, json_sprintf("%sinput-%016llx", request->input_option,
						   (unsigned long long)pgm_hash_string(request->input)));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

static bool write_input(struct pgm_job *job, const struct pgm_job_request *request, struct pgm_error *err)
{
	FILE *file = fopen(job->input_file, "wxe");
	bool ok = file && fputs(request->input, file) >= 0;
	if (file && fclose(file) != 0)
		ok = false;
	if (file && !ok)
		unlink(job->input_file); /* a part of it */
	return ok ||
	       pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", job->input_file, strerror(errno));
}

static char *joined(const char *option, const char *path)
{
	char *word = malloc(strlen(option) + strlen(path) + 1);
	if (word)
		stpcpy(stpcpy(word, option), path);
	return word;
}

/* The command's name, the files that are ours to name, and the rest. */
static bool take_arguments(struct pgm_jobs *jobs, struct pgm_job *job, const struct pgm_job_request *request,
			   struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	size_t count = 0, at = 0;
	while (request->argv[count])
		count++;
	if (count == 0 || count > ARGUMENTS_MAX)
		return pgm_error_set(err, PGM_ERR_USAGE, "too many arguments");
	job->argv = calloc(count + 3, sizeof(*job->argv));
	job->argv[at++] = strdup(request->argv[0]);
	if (request->plan_option) {
		job->plan_file = strdup(pgm_plans_scratch(jobs->plans, arena, ".sql"));
		job->argv[at++] = joined(request->plan_option, job->plan_file);
	}
	if (request->input_option) {
		job->input_file = strdup(pgm_plans_scratch(jobs->plans, arena, ".sql"));
		job->argv[at++] = joined(request->input_option, job->input_file);
		if (!write_input(job, request, err))
			return false;
	}
	for (size_t i = 1; i < count; i++)
		job->argv[at++] = strdup(request->argv[i]);
	return true;
}

static void new_id(char id[static PGM_JOB_ID_SIZE])
{
	uint64_t bits;
	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint64_t)(pgm_clock_ms() * 1e6);
	snprintf(id, PGM_JOB_ID_SIZE, "%016llx", (unsigned long long)bits);
}

static struct pgm_job *make_job(struct pgm_jobs *jobs, const struct pgm_job_request *request,
				const struct pgm_job_place *place, char *command, struct pgm_error *err)
{
	struct pgm_job *job = calloc(1, sizeof(*job));
	if (!job) {
		free(command);
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	new_id(job->id);
	job->command = command;
	job->database = strdup(request->database);
	job->conninfo = strdup(place->conninfo);
	job->kind = strdup(request->kind);
	job->title = strdup(request->title);
	job->who = strdup(request->who ? request->who : "");
	job->role = strdup(request->role ? request->role : "");
	job->key = copy_of(request->key);
	job->plan = copy_of(request->plan);
	job->changes = request->changes;
	job->resumable = request->resumable && !request->input_option; /* the input is not kept */
	job->limit_ms = request->limit_ms ? request->limit_ms : PGM_JOB_LIMIT_MS;
	job->exit_code = -1;
	job->out.limit = PGM_JOB_OUTPUT_BYTES;
	job->child = (struct pgm_child){.out = -1, .err = -1, .exited = -1};
	pgm_clock_stamp(job->created_at);
	if (take_arguments(jobs, job, request, err))
		return job;
	pgm_job_free(job);
	return NULL;
}

static enum pgm_job_answer seen_before(struct pgm_jobs *jobs, const struct pgm_job_request *request,
				       const char *command, char id[static PGM_JOB_ID_SIZE])
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_record_job row;
	if (!request->key || !pgm_record_find(jobs->record, arena, NULL, request->who ? request->who : "",
					      request->key, false, &row))
		return PGM_JOB_STARTED;
	snprintf(id, PGM_JOB_ID_SIZE, "%s", row.id);
	return strcmp(row.database, request->database) == 0 && strcmp(row.command, command) == 0
		       ? PGM_JOB_SAME
		       : PGM_JOB_KEY_REUSED;
}

/* The job that changes this database now: its id, or false. */
static bool changing(const struct pgm_jobs *jobs, const char *database, char id[static PGM_JOB_ID_SIZE])
{
	for (const struct pgm_job *job = jobs->jobs; job; job = job->next)
		if (job->changes && pgm_job_under_way(job) && strcmp(job->database, database) == 0) {
			memcpy(id, job->id, PGM_JOB_ID_SIZE);
			return true;
		}
	return false;
}

static bool record_start(struct pgm_jobs *jobs, const struct pgm_job *job, struct pgm_error *err)
{
	struct pgm_record_job row = pgm_job_row(job);
	const char *const fields[] = {job->who, job->role, job->kind, job->database, job->id, job->title};
	return pgm_record_add(jobs->record, &row, job->changes ? fields : NULL, err);
}

static enum pgm_job_answer start(struct pgm_jobs *jobs, const struct pgm_job_request *request, char *command,
				 char id[static PGM_JOB_ID_SIZE], struct pgm_error *err)
{
	size_t queued = 0;
	const struct pgm_job_place *place = place_of(jobs, request->database);
	if (!place)
		return free(command), PGM_JOB_NO_DATABASE;
	enum pgm_job_answer answer = seen_before(jobs, request, command, id);
	if (answer != PGM_JOB_STARTED)
		return free(command), answer;
	if (request->changes && changing(jobs, request->database, id))
		return free(command), PGM_JOB_CONFLICT;
	for (const struct pgm_job *job = jobs->jobs; job; job = job->next)
		queued += job->state == PGM_JOB_QUEUED;
	if (queued >= PGM_JOB_QUEUE_MAX || jobs->closing)
		return free(command), PGM_JOB_FULL;
	struct pgm_job *job = make_job(jobs, request, place, command, err);
	if (!job)
		return PGM_JOB_NOT_RECORDED;
	if (!record_start(jobs, job, err)) {
		if (job->input_file)
			unlink(job->input_file);
		pgm_job_free(job);
		return PGM_JOB_NOT_RECORDED;
	}
	memcpy(id, job->id, PGM_JOB_ID_SIZE);
	job->next = jobs->jobs;
	jobs->jobs = job;
	pgm_job_tell_state(jobs, job);
	return PGM_JOB_STARTED;
}

enum pgm_job_answer pgm_job_begin(struct pgm_jobs *jobs, const struct pgm_job_request *request,
				  char id[static PGM_JOB_ID_SIZE], struct pgm_error *err)
{
	*id = '\0';
	char *command = command_text(request);
	if (!command) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return PGM_JOB_NOT_RECORDED;
	}
	pthread_mutex_lock(&jobs->lock);
	enum pgm_job_answer answer = start(jobs, request, command, id, err);
	pthread_mutex_unlock(&jobs->lock);
	if (answer == PGM_JOB_STARTED)
		pgm_jobs_wake(jobs);
	return answer;
}

bool pgm_jobs_audit(struct pgm_jobs *jobs, const char *who, const char *role, const char *action,
		    const char *database, const char *job, const char *detail, struct pgm_error *err)
{
	const char *const fields[] = {who, role, action, database, job, detail};
	pthread_mutex_lock(&jobs->lock);
	bool ok = pgm_record_audit(jobs->record, fields, err);
	pthread_mutex_unlock(&jobs->lock);
	return ok;
}

json_t *pgm_jobs_audit_json(struct pgm_jobs *jobs, const char *database, int64_t before_seq, size_t limit)
{
	pthread_mutex_lock(&jobs->lock);
	json_t *list = pgm_record_audit_list(jobs->record, database, before_seq, limit);
	pthread_mutex_unlock(&jobs->lock);
	return list;
}

const char *pgm_jobs_noted(struct pgm_jobs *jobs, struct pgm_arena *arena, const char *name)
{
	pthread_mutex_lock(&jobs->lock);
	const char *value = pgm_record_noted(jobs->record, arena, name);
	pthread_mutex_unlock(&jobs->lock);
	return value;
}

bool pgm_jobs_note(struct pgm_jobs *jobs, const char *name, const char *value, struct pgm_error *err)
{
	pthread_mutex_lock(&jobs->lock);
	bool ok = pgm_record_note(jobs->record, name, value, err);
	pthread_mutex_unlock(&jobs->lock);
	return ok;
}
