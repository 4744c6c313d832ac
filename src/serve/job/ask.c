/* Short questions: a child process each, in the thread that asks, with answers that are kept for a moment. */
#include "serve/job/parts.h"

#include "util/buf.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS	     200 /* also where the kernel cannot tell of an end */
#define KILL_MS	     3000
#define FLAGS	     (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)
#define MESSAGES_MAX 16384

struct asking {
	struct pgm_child child;
	struct pgm_child_text out, err;
};

static void take(void *data, const char *bytes, size_t length)
{
	pgm_child_text_add(data, bytes, length);
}

/* Wait for its end; false: it spent its time and was ended. */
static bool attend(struct asking *asking, double until, const struct pgm_jobs *jobs, int *code,
		   const char **spent)
{
	double kill = 0;
	*spent = NULL;
	for (;;) {
		struct pollfd fds[3];
		nfds_t count = 0;
		const int watched[] = {asking->child.out, asking->child.err, asking->child.exited};
		for (int i = 0; i < 3; i++)
			if (watched[i] >= 0)
				fds[count++] = (struct pollfd){.fd = watched[i], .events = POLLIN};
		poll(fds, count, POLL_MS);
		pgm_child_read(&asking->child.out, take, &asking->out);
		pgm_child_read(&asking->child.err, take, &asking->err);
		if (pgm_child_ended(&asking->child, code))
			break;
		double now = pgm_clock_ms();
		if (!*spent && atomic_load(&jobs->hurry))
			*spent = "pgmend serve was stopped";
		else if (!*spent && now >= until)
			*spent = "it took too long";
		else if (!*spent && pgm_child_memory(&asking->child) > PGM_JOB_MEMORY_BYTES)
			*spent = "it took too much memory";
		if (!*spent)
			continue;
		pgm_child_signal(&asking->child, kill == 0 ? SIGINT : now >= kill ? SIGKILL : 0);
		if (kill == 0)
			kill = now + KILL_MS;
	}
	pgm_child_read(&asking->child.out, take, &asking->out);
	pgm_child_read(&asking->child.err, take, &asking->err);
	pgm_child_close(&asking->child);
	return !*spent;
}

static enum pgm_error_kind kind_of(int code)
{
	return code == 2 ? PGM_ERR_INPUT : code == 3 ? PGM_ERR_CONNECT : PGM_ERR_QUERY;
}

/* The last message and hint among the lines of standard error. */
static void explain(const struct asking *asking, int code, struct pgm_error *err)
{
	char error[PGM_JOB_ERROR_MAX] = "", hint[PGM_JOB_ERROR_MAX] = "";
	char *rest = asking->err.text;
	for (char *line; rest && (line = strsep(&rest, "\n")) != NULL;)
		pgm_job_take_message(line, error, hint);
	pgm_error_set(err, kind_of(code), "%.1000s", *error ? error : "it gave no answer");
	if (*hint)
		pgm_error_hint(err, "%.500s", hint);
}

/* code NULL: only exit codes 0 and 1 will do. */
static json_t *ask_child(const struct pgm_child_request *request, const struct pgm_jobs *jobs, double until,
			 int *code_out, struct pgm_error *err)
{
	struct asking asking = {.out.limit = PGM_JOB_OUTPUT_BYTES, .err.limit = MESSAGES_MAX};
	const char *spent;
	json_t *json = NULL;
	json_error_t problem;
	int code = 0;
	if (!pgm_child_start(&asking.child, request, err))
		return NULL;
	if (!attend(&asking, until, jobs, &code, &spent))
		pgm_error_set(err, PGM_ERR_TIMEOUT, "pgmend %s: %s", request->argv[0], spent);
	else if (code > 1 && (!code_out || !asking.out.length))
		explain(&asking, code, err);
	else if (asking.out.cut)
		pgm_error_set(err, PGM_ERR_SYSTEM, "pgmend %s: the answer is longer than %zu MB",
			      request->argv[0], asking.out.limit >> 20);
	else if (!(json = json_loads(asking.out.text ? asking.out.text : "", FLAGS, &problem)))
		pgm_error_set(err, PGM_ERR_SYSTEM, "pgmend %s: the answer is no JSON: %s", request->argv[0],
			      problem.text);
	if (code_out)
		*code_out = code;
	pgm_child_text_done(&asking.out);
	pgm_child_text_done(&asking.err);
	return json;
}

static struct pgm_job_reply *find(struct pgm_jobs *jobs, const char *question)
{
	for (size_t i = 0; i < PGM_JOB_ANSWERS; i++)
		if (jobs->answers[i].question && strcmp(jobs->answers[i].question, question) == 0)
			return &jobs->answers[i];
	return NULL;
}

static void drop(struct pgm_job_reply *answer)
{
	free(answer->question);
	json_decref(answer->json);
	*answer = (struct pgm_job_reply){.question = NULL};
}

/* A place: a free one, or that of the answer that is kept for the shortest time still. */
static struct pgm_job_reply *place(struct pgm_jobs *jobs, const char *question)
{
	struct pgm_job_reply *best = NULL;
	for (size_t i = 0; i < PGM_JOB_ANSWERS; i++) {
		struct pgm_job_reply *answer = &jobs->answers[i];
		if (answer->asked)
			continue;
		if (!answer->question) {
			best = answer;
			break;
		}
		if (!best || answer->until_ms < best->until_ms)
			best = answer;
	}
	if (!best)
		return NULL;
	drop(best);
	best->question = strdup(question);
	return best->question ? best : NULL;
}

void pgm_answers_forget(struct pgm_jobs *jobs, const char *database)
{
	size_t length = strlen(database);
	for (size_t i = 0; i < PGM_JOB_ANSWERS; i++) {
		struct pgm_job_reply *answer = &jobs->answers[i];
		if (!answer->question || strncmp(answer->question, database, length) != 0 ||
		    answer->question[length] != '\n')
			continue;
		if (answer->asked)
			answer->forgotten = true;
		else
			drop(answer);
	}
}

void pgm_job_forget(struct pgm_jobs *jobs, const char *database)
{
	pthread_mutex_lock(&jobs->lock);
	pgm_answers_forget(jobs, database);
	pthread_mutex_unlock(&jobs->lock);
}

void pgm_jobs_hurry(struct pgm_jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	atomic_store(&jobs->hurry, true);
	pthread_cond_broadcast(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
}

/* Under the lock. */
static bool is_ending(const struct pgm_jobs *jobs)
{
	return jobs->closing || atomic_load(&jobs->hurry);
}

/* Under the lock: an answer that is kept, or the right to ask (*mine), waited for until then. */
static json_t *kept_or_mine(struct pgm_jobs *jobs, const char *question, double until,
			    struct pgm_job_reply **mine, struct pgm_error *err)
{
	for (;;) {
		struct pgm_job_reply *answer = find(jobs, question);
		if (answer && answer->json && pgm_clock_ms() < answer->until_ms)
			return json_incref(answer->json);
		bool busy = answer && answer->asked;
		if (!busy && jobs->asking < PGM_JOB_AT_ONCE && !is_ending(jobs)) {
			if (answer)
				drop(answer);
			*mine = place(jobs, question);
			if (*mine) {
				(*mine)->asked = true;
				jobs->asking++;
				return NULL;
			}
		}
		if (is_ending(jobs) || !pgm_jobs_wait(jobs, until)) {
			pgm_error_set(err, PGM_ERR_TIMEOUT, "too many questions at a time");
			pgm_error_hint(err, "Try again in a moment.");
			return NULL;
		}
	}
}

const char *const pgm_job_check[] = {"check", "--format=json", "--fail-on=never", NULL};
const char *const pgm_job_history[] = {"history", "--format=json", NULL};

json_t *pgm_job_ask(struct pgm_jobs *jobs, const char *database, const char *const *argv, int64_t timeout_ms,
		    int64_t keep_ms, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf question;
	struct pgm_job_reply *mine = NULL;
	double until = pgm_clock_ms() + (double)timeout_ms;
	const char *conninfo = pgm_jobs_conninfo(jobs, arena, database);
	if (!conninfo) {
		pgm_error_set(err, PGM_ERR_INPUT, "there is no database %s", database);
		return NULL;
	}
	pgm_buf_init(&question, arena);
	pgm_buf_printf(&question, "%s\n", database);
	for (size_t i = 0; argv[i]; i++)
		pgm_buf_printf(&question, "%s\x1f", argv[i]);
	pthread_mutex_lock(&jobs->lock);
	json_t *json = kept_or_mine(jobs, question.text, until, &mine, err);
	pthread_mutex_unlock(&jobs->lock);
	if (!mine)
		return json;
	struct pgm_child_request request = {.argv = argv, .conninfo = conninfo};
	json = ask_child(&request, jobs, until, NULL, err);
	pthread_mutex_lock(&jobs->lock);
	jobs->asking--;
	mine->asked = false;
	if (json && keep_ms > 0 && !mine->forgotten) {
		mine->json = json_incref(json);
		mine->until_ms = pgm_clock_ms() + (double)keep_ms;
	} else {
		drop(mine);
	}
	pthread_cond_broadcast(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
	return json;
}

/* As many acts and questions at a time as there are places. */
static bool take_place(struct pgm_jobs *jobs, double until, struct pgm_error *err)
{
	bool mine;
	pthread_mutex_lock(&jobs->lock);
	while (!(mine = jobs->asking < PGM_JOB_AT_ONCE && !is_ending(jobs)))
		if (is_ending(jobs) || !pgm_jobs_wait(jobs, until))
			break;
	jobs->asking += mine;
	pthread_mutex_unlock(&jobs->lock);
	return mine || pgm_error_set(err, PGM_ERR_TIMEOUT, "too many questions at a time");
}

static void give_place(struct pgm_jobs *jobs, const char *database)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->asking--;
	pgm_answers_forget(jobs, database);
	pthread_cond_broadcast(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
}

json_t *pgm_job_act(struct pgm_jobs *jobs, const char *database, const char *const *argv, int64_t timeout_ms,
		    const char *who, const char *role, const char *detail, int *code, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	double until = pgm_clock_ms() + (double)timeout_ms;
	const char *conninfo = pgm_jobs_conninfo(jobs, arena, database);
	if (!conninfo) {
		pgm_error_set(err, PGM_ERR_INPUT, "there is no database %s", database);
		return NULL;
	}
	if (!pgm_jobs_audit(jobs, who, role, argv[0], database, NULL, detail, err) ||
	    !take_place(jobs, until, err))
		return NULL;
	struct pgm_child_request request = {.argv = argv, .conninfo = conninfo, .actor = who};
	json_t *json = ask_child(&request, jobs, until, code, err);
	give_place(jobs, database);
	return json;
}
