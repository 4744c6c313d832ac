#include "pool/console/view.h"

#include "pool/console/console_parts.h"
#include "util/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct request {
	struct pgm_letter letter;
	pthread_cond_t answered;
	bool done, failed, abandoned; /* under views.lock */
	bool with_profile, of_one;
	uint64_t fingerprint; /* of_one: that statement's profile */
	size_t count;
	const char *commands[PGM_POOL_VIEW_TABLES_MAX]; /* in the view's arena */
	struct pgm_pool_view *view;			/* the control thread's until it is done */
};

/* Once in a process, as the pooler is. */
static struct {
	pthread_mutex_t lock;
	struct pgm_pooler *pooler; /* NULL: none serves */
} views = {.lock = PTHREAD_MUTEX_INITIALIZER};

void pgm_console_open_views(struct pgm_pooler *pooler)
{
	pthread_mutex_lock(&views.lock);
	views.pooler = pooler;
	pthread_mutex_unlock(&views.lock);
}

void pgm_console_close_views(struct pgm_pooler *pooler)
{
	pthread_mutex_lock(&views.lock);
	if (views.pooler == pooler)
		views.pooler = NULL;
	pthread_mutex_unlock(&views.lock);
}

void pgm_pool_view_free(struct pgm_pool_view *view)
{
	if (view)
		pgm_arena_free(view->arena);
}

static void free_request(struct request *request)
{
	pgm_pool_view_free(request->view);
	pthread_cond_destroy(&request->answered);
	free(request);
}

/* ---- the control thread: answers are the messages that a client would get ---- */

static void read_columns(struct pgm_cursor *body, struct pgm_arena *arena, struct pgm_rows *rows)
{
	rows->columns = pgm_cursor_u16(body);
	rows->names = PGM_NEW_ARRAY(arena, char *, rows->columns + 1);
	for (size_t c = 0; c < rows->columns && !body->bad; c++) {
		size_t length;
		const char *name = pgm_cursor_string(body, &length);
		pgm_cursor_bytes(body, 18); /* table, column, type, length, modifier, format */
		if (!body->bad)
			rows->names[c] = pgm_strndup(arena, name, length);
	}
}

static void read_row(struct pgm_cursor *body, struct pgm_arena *arena, struct pgm_rows *rows,
		     size_t *capacity)
{
	if (rows->count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 16;
		char **grown = PGM_NEW_ARRAY(arena, char *, wanted * rows->columns + 1);
		if (rows->count)
			memcpy(grown, rows->cells, rows->count * rows->columns * sizeof(*grown));
		rows->cells = grown;
		*capacity = wanted;
	}
	size_t cells = pgm_cursor_u16(body);
	for (size_t c = 0; c < cells && c < rows->columns && !body->bad; c++) {
		uint32_t length = pgm_cursor_u32(body);
		const uint8_t *bytes = length == UINT32_MAX ? NULL : pgm_cursor_bytes(body, length);
		rows->cells[rows->count * rows->columns + c] =
			bytes ? pgm_strndup(arena, (const char *)bytes, length) : NULL;
	}
	rows->count++;
}

static bool read_answer(const struct pgm_answer *answer, struct pgm_arena *arena, struct pgm_rows *rows)
{
	struct pgm_cursor cursor = pgm_cursor_over(answer->bytes, answer->length);
	size_t capacity = 0;
	while (!answer->failed && pgm_cursor_left(&cursor) && !cursor.bad) {
		uint8_t type = pgm_cursor_u8(&cursor);
		uint32_t length = pgm_cursor_u32(&cursor);
		const uint8_t *bytes = length >= 4 ? pgm_cursor_bytes(&cursor, length - 4) : NULL;
		struct pgm_cursor body = pgm_cursor_over(bytes, bytes ? length - 4 : 0);
		if (!bytes && length != 4)
			return false;
		if (type == PGM_BE_ERROR)
			return false;
		if (type == PGM_BE_ROW_DESCRIPTION)
			read_columns(&body, arena, rows);
		else if (type == PGM_BE_DATA_ROW)
			read_row(&body, arena, rows, &capacity);
		if (body.bad)
			return false;
	}
	return !answer->failed && !cursor.bad;
}

static bool run(struct pgm_pooler *pooler, const char *command, struct pgm_arena *arena,
		struct pgm_rows *rows)
{
	size_t length = strlen(command);
	struct pgm_console_request *request = calloc(1, sizeof(*request) + length + 1);
	if (!request)
		return false;
	memcpy(request->sql, command, length);
	bool ok = pgm_console_run(pooler, request) && read_answer(&request->answer, arena, rows);
	free(request->answer.bytes);
	free(request);
	return ok;
}

static void deliver(struct pgm_letter *letter, void *owner)
{
	struct request *request = pgm_container_of(letter, struct request, letter);
	struct pgm_pooler *pooler = owner;
	bool ok = !pooler->console->ended;
	for (size_t i = 0; ok && i < request->count; i++)
		ok = run(pooler, request->commands[i], request->view->arena, &request->view->tables[i]);
	if (ok && request->with_profile && pooler->config->profile)
		request->view->profile =
			request->of_one
				? pgm_console_profile_of(pooler, request->view->arena, request->fingerprint)
				: pgm_console_profile(pooler, request->view->arena, false);
	pthread_mutex_lock(&views.lock);
	bool abandoned = request->abandoned;
	request->failed = !ok;
	request->done = true;
	pthread_cond_signal(&request->answered);
	pthread_mutex_unlock(&views.lock);
	if (abandoned)
		free_request(request);
}

/* ---- who asks ---- */

static struct request *new_request(const char *const *commands, size_t count, bool with_profile)
{
	struct request *request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	struct pgm_arena *arena = pgm_arena_new(0);
	pgm_clock_cond_init(&request->answered);
	request->view = PGM_NEW(arena, struct pgm_pool_view);
	request->view->arena = arena;
	request->letter.deliver = deliver;
	request->with_profile = with_profile;
	request->count = count < PGM_POOL_VIEW_TABLES_MAX ? count : PGM_POOL_VIEW_TABLES_MAX;
	for (size_t i = 0; i < request->count; i++)
		request->commands[i] = pgm_strdup(arena, commands[i]);
	return request;
}

/* With views.lock held. */
static void wait_for(struct request *request, double timeout_ms)
{
	struct timespec until = pgm_clock_moment(pgm_clock_ms() + timeout_ms);
	while (!request->done)
		if (pthread_cond_timedwait(&request->answered, &views.lock, &until) == ETIMEDOUT)
			break;
}

static struct pgm_pool_view *ask(struct request *request, double timeout_ms, struct pgm_error *err)
{
	if (!request) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
		return NULL;
	}
	pthread_mutex_lock(&views.lock);
	if (!views.pooler) {
		pthread_mutex_unlock(&views.lock);
		free_request(request);
		pgm_error_set(err, PGM_ERR_STATE, "the pooler does not run");
		return NULL;
	}
	pgm_loop_post(&views.pooler->control, &request->letter);
	wait_for(request, timeout_ms);
	request->abandoned = !request->done;
	bool late = request->abandoned, failed = request->failed;
	pthread_mutex_unlock(&views.lock);
	if (late) {
		pgm_error_set(err, PGM_ERR_TIMEOUT, "the pooler did not answer within %.0f ms", timeout_ms);
		return NULL;
	}
	struct pgm_pool_view *view = request->view;
	if (!failed)
		request->view = NULL;
	free_request(request);
	if (failed) {
		pgm_error_set(err, PGM_ERR_STATE, "the pooler is ending");
		return NULL;
	}
	return view;
}

struct pgm_pool_view *pgm_pool_view(const char *const *commands, size_t count, bool with_profile,
				    double timeout_ms, struct pgm_error *err)
{
	return ask(new_request(commands, count, with_profile), timeout_ms, err);
}

struct pgm_pool_view *pgm_pool_view_statement(uint64_t fingerprint, double timeout_ms, struct pgm_error *err)
{
	struct request *request = new_request(NULL, 0, true);
	if (request) {
		request->of_one = true;
		request->fingerprint = fingerprint;
	}
	return ask(request, timeout_ms, err);
}
