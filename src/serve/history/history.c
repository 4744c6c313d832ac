/* The queue to the writer's thread, and what becomes of the history where it cannot write. */
#include "serve/history/parts.h"
#include "util/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX      64 /* snapshots in a transaction */
#define RETRY_AFTER_MS 30e3
#define TEXTS_PART     32 /* of the limit: new texts of statements that a transaction may bring */

static void note_pause(struct pgm_history *history, const struct pgm_error *err)
{
	pthread_mutex_lock(&history->lock);
	history->state.paused = true;
	snprintf(history->state.why, sizeof(history->state.why), "%.255s", err->message);
	history->retry_mono_ms = pgm_clock_ms() + RETRY_AFTER_MS;
	pthread_mutex_unlock(&history->lock);
}

static bool write_all(struct pgm_history_writer *writer, const struct pgm_snapshot *const *batch,
		      size_t count, struct pgm_error *err)
{
	if (!pgm_db_exec(&writer->db, "BEGIN IMMEDIATE", err))
		return false;
	writer->texts_room = (size_t)writer->limit_bytes / TEXTS_PART;
	for (size_t i = 0; i < count; i++) {
		bool fine = pgm_history_write(writer, batch[i], err);
		pgm_arena_reset(writer->scratch);
		if (!fine)
			return false;
	}
	return pgm_db_exec(&writer->db, "COMMIT", err);
}

/* After a failure nothing of the batch is in the file, and the caches may hold numbers that are not there. */
static bool start_over(struct pgm_history_writer *writer, struct pgm_error *err)
{
	pgm_db_rollback(&writer->db);
	pgm_history_writer_forget(writer);
	return pgm_history_writer_load(writer, err);
}

/* As well as it can be done: it is about the order in which texts go. */
static void note_seen_at_limit(struct pgm_history_writer *writer)
{
	struct pgm_error ignored = {0};
	bool open = pgm_store_open_reserve(&writer->db, writer->limit_bytes, true, &ignored);
	if (open && !pgm_history_note_seen(writer, &ignored))
		pgm_error_clear(&ignored);
	if (open && !pgm_store_open_reserve(&writer->db, writer->limit_bytes, false, &ignored))
		pgm_error_clear(&ignored);
}

/* *full: it failed because there was no room. */
static bool try_to_write(struct pgm_history_writer *writer, const struct pgm_snapshot *const *batch,
			 size_t count, bool *full, struct pgm_error *err)
{
	struct pgm_error again = {0};
	pgm_error_clear(err);
	if (write_all(writer, batch, count, err))
		return true;
	*full = pgm_db_is_full(&writer->db);
	pgm_db_rollback(&writer->db);
	if (*full)
		note_seen_at_limit(writer);
	*full &= start_over(writer, &again);
	return false;
}

/* *written: how many of them are in the file. At its limit there is made room, and each goes in by itself: a
 * batch may be larger than all the room there is. */
static bool write_batch(struct pgm_history_writer *writer, const struct pgm_snapshot *const *batch,
			size_t count, size_t *written, struct pgm_error *err)
{
	bool full;
	if (try_to_write(writer, batch, count, &full, err)) {
		*written = count;
		return true;
	}
	for (*written = 0; *written < count; (*written)++) {
		const struct pgm_snapshot *const *next = &batch[*written];
		bool room = *written && try_to_write(writer, next, 1, &full, err);
		if (!room && (!full || !pgm_history_prune(writer, true, err) ||
			      !try_to_write(writer, next, 1, &full, err)))
			return false;
	}
	return true;
}

static void write_some(struct pgm_history *history, const struct pgm_snapshot *const *batch, size_t count,
		       bool may_write)
{
	struct pgm_history_writer *writer = &history->writer;
	struct pgm_error err = {0};
	bool fine = false;
	size_t written = 0;
	int64_t bytes = 0;
	if (may_write) {
		for (size_t i = 0; i < count; i++)
			pgm_history_trust(writer, batch[i]->wall_ms, batch[i]->mono_ms);
		fine = write_batch(writer, batch, count, &written, &err) &&
		       pgm_history_prune(writer, false, &err) && pgm_history_file_bytes(writer, &bytes, &err);
		if (!fine)
			note_pause(history, &err);
	}
	pthread_mutex_lock(&history->lock);
	history->state.written += written;
	history->state.dropped += count - written;
	if (fine) {
		history->state.paused = false;
		history->state.why[0] = '\0';
		history->state.file_bytes = bytes;
	}
	history->state.series_left_out = writer->series_left_out;
	pthread_mutex_unlock(&history->lock);
}

static void *write_queue(void *data)
{
	struct pgm_history *history = data;
	pthread_mutex_lock(&history->lock);
	for (;;) {
		while (history->queue_count == 0 && !history->closing)
			pthread_cond_wait(&history->wake, &history->lock);
		if (history->queue_count == 0)
			break;
		const struct pgm_snapshot *batch[BATCH_MAX];
		size_t count = 0;
		while (count < BATCH_MAX && history->queue_count) {
			batch[count++] = history->queue[history->queue_first];
			history->queue_first = (history->queue_first + 1) % PGM_HISTORY_QUEUE_MAX;
			history->queue_count--;
		}
		history->writing = true;
		bool may_write = !history->state.paused || pgm_clock_ms() >= history->retry_mono_ms;
		pthread_mutex_unlock(&history->lock);
		write_some(history, batch, count, may_write);
		for (size_t i = 0; i < count; i++)
			pgm_snapshot_release(batch[i]);
		pthread_mutex_lock(&history->lock);
		history->writing = false;
		pthread_cond_broadcast(&history->idle);
	}
	pthread_mutex_unlock(&history->lock);
	return NULL;
}

void pgm_history_put(struct pgm_history *history, const struct pgm_snapshot *snapshot)
{
	pthread_mutex_lock(&history->lock);
	if (history->queue_count == PGM_HISTORY_QUEUE_MAX || history->closing) {
		history->state.dropped++;
	} else {
		size_t place = (history->queue_first + history->queue_count++) % PGM_HISTORY_QUEUE_MAX;
		history->queue[place] = pgm_snapshot_keep(snapshot);
		pthread_cond_signal(&history->wake);
	}
	pthread_mutex_unlock(&history->lock);
}

void pgm_history_flush(struct pgm_history *history)
{
	pthread_mutex_lock(&history->lock);
	while (history->queue_count || history->writing)
		pthread_cond_wait(&history->idle, &history->lock);
	pthread_mutex_unlock(&history->lock);
}

void pgm_history_retry(struct pgm_history *history)
{
	pthread_mutex_lock(&history->lock);
	history->retry_mono_ms = 0;
	pthread_mutex_unlock(&history->lock);
}

void pgm_history_state(struct pgm_history *history, struct pgm_history_state *state)
{
	pthread_mutex_lock(&history->lock);
	*state = history->state;
	state->limit_bytes = history->limit_bytes;
	state->waiting = history->queue_count;
	pthread_mutex_unlock(&history->lock);
}

static void free_history(struct pgm_history *history)
{
	pgm_history_readers_close(history);
	pgm_history_writer_forget(&history->writer);
	pgm_arena_free(history->writer.cache);
	pgm_arena_free(history->writer.scratch);
	pgm_arena_free(history->writer.statement_cache);
	pgm_db_close(&history->records);
	pgm_db_close(&history->writer.db);
	if (history->lock_file >= 0)
		close(history->lock_file);
	pthread_mutex_destroy(&history->lock);
	pthread_mutex_destroy(&history->records_lock);
	pthread_mutex_destroy(&history->readers_lock);
	pthread_cond_destroy(&history->wake);
	pthread_cond_destroy(&history->idle);
	free(history->path);
	free(history);
}

static bool open_file(struct pgm_history *history, struct pgm_error *err)
{
	struct pgm_history_writer *writer = &history->writer;
	history->lock_file = pgm_store_take(history->path, err);
	return history->lock_file >= 0 && pgm_db_open(&writer->db, history->path, PGM_DB_SAMPLES, err) &&
	       pgm_store_prepare(&writer->db, history->limit_bytes, err) &&
	       pgm_db_open(&history->records, history->path, PGM_DB_RECORDS, err) &&
	       pgm_store_bound(&history->records, history->limit_bytes, err) &&
	       pgm_history_writer_load(writer, err) &&
	       pgm_history_file_bytes(writer, &history->state.file_bytes, err);
}

struct pgm_history *pgm_history_open(const char *path, int64_t limit_bytes, struct pgm_error *err)
{
	struct pgm_history *history = calloc(1, sizeof(*history));
	char *copy = strdup(path);
	if (!history || !copy) {
		free(history);
		free(copy);
		pgm_error_set(err, PGM_ERR_SYSTEM, "opening the history: out of memory");
		return NULL;
	}
	history->path = copy;
	history->lock_file = -1;
	history->limit_bytes = limit_bytes ? limit_bytes : PGM_HISTORY_LIMIT_DEFAULT_BYTES;
	if (history->limit_bytes < PGM_HISTORY_LIMIT_MIN_BYTES)
		history->limit_bytes = PGM_HISTORY_LIMIT_MIN_BYTES;
	history->writer.limit_bytes = history->limit_bytes;
	history->writer.cache = pgm_arena_new(0);
	history->writer.scratch = pgm_arena_new(0);
	history->writer.statement_cache = pgm_arena_new(0);
	pthread_mutex_init(&history->lock, NULL);
	pthread_mutex_init(&history->records_lock, NULL);
	pthread_mutex_init(&history->readers_lock, NULL);
	pthread_cond_init(&history->wake, NULL);
	pthread_cond_init(&history->idle, NULL);
	if (!open_file(history, err)) {
		free_history(history);
		return NULL;
	}
	if (pthread_create(&history->thread, NULL, write_queue, history) != 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "opening the history: no thread could be started");
		free_history(history);
		return NULL;
	}
	return history;
}

void pgm_history_close(struct pgm_history *history)
{
	if (!history)
		return;
	pthread_mutex_lock(&history->lock);
	history->closing = true;
	pthread_cond_signal(&history->wake);
	pthread_mutex_unlock(&history->lock);
	pthread_join(history->thread, NULL);
	free_history(history);
}
