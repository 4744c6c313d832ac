/*
 * Server-Sent Events. A stream's connection is suspended while there is nothing to send; the keeper asks all
 * of them for what is new and wakes those that have something.
 */
#include "serve/http/parts.h"

#include "util/buf.h"
#include "util/clock.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES	  4096
#define EVENTS_A_ROUND	  100
#define HEARTBEAT_MS	  15000 /* shorter than the idle time-outs of proxies; finds clients that are gone */
#define PENDING_BYTES_MAX ((size_t)1 << 20)

struct pgm_stream {
	struct pgm_stream *next_stream;
	struct pgm_http *http;
	struct MHD_Connection *connection;
	pgm_next_event *next;
	void (*done)(void *data);
	void *data;
	char *bytes; /* malloc'ed; what waits to be sent from sent on */
	size_t length, capacity, sent;
	bool suspended, ended;
	double last_ms;
};

static bool append(struct pgm_stream *stream, const char *text, size_t length)
{
	if (stream->length + length > stream->capacity) {
		size_t capacity = (stream->length + length) * 2;
		char *bytes = realloc(stream->bytes, capacity);
		if (!bytes)
			return false;
		stream->bytes = bytes;
		stream->capacity = capacity;
	}
	memcpy(stream->bytes + stream->length, text, length);
	stream->length += length;
	return true;
}

static ssize_t read_stream(void *data, uint64_t position, char *buffer, size_t size)
{
	struct pgm_stream *stream = data;
	ssize_t given = 0;
	(void)position;
	pthread_mutex_lock(&stream->http->streams_lock);
	size_t waiting = stream->length - stream->sent;
	if (waiting) {
		given = (ssize_t)(waiting < size ? waiting : size);
		memcpy(buffer, stream->bytes + stream->sent, (size_t)given);
		stream->sent += (size_t)given;
		if (stream->sent == stream->length)
			stream->sent = stream->length = 0;
	} else if (stream->ended || atomic_load(&stream->http->ending)) {
		given = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		MHD_suspend_connection(stream->connection);
		stream->suspended = true;
	}
	pthread_mutex_unlock(&stream->http->streams_lock);
	return given;
}

static void free_stream(void *data)
{
	struct pgm_stream *stream = data;
	struct pgm_http *http = stream->http;
	pthread_mutex_lock(&http->streams_lock);
	for (struct pgm_stream **at = &http->streams; *at; at = &(*at)->next_stream)
		if (*at == stream) {
			*at = stream->next_stream;
			http->stream_count--;
			break;
		}
	pthread_mutex_unlock(&http->streams_lock);
	if (stream->done)
		stream->done(stream->data);
	free(stream->bytes);
	free(stream);
}

bool pgm_streams_full(struct pgm_http *http)
{
	pthread_mutex_lock(&http->streams_lock);
	bool full = http->stream_count >= PGM_HTTP_STREAMS_MAX;
	pthread_mutex_unlock(&http->streams_lock);
	return full;
}

struct MHD_Response *pgm_streams_response(struct pgm_exchange *exchange)
{
	struct pgm_http *http = exchange->http;
	struct pgm_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	*stream = (struct pgm_stream){.http = http,
				      .connection = exchange->connection,
				      .next = exchange->reply.next,
				      .done = exchange->reply.done,
				      .data = exchange->reply.data,
				      .last_ms = pgm_clock_ms()};
	append(stream, ": pgmend\n\n", 10);
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES,
									  read_stream, stream, free_stream);
	if (!response) {
		free(stream->bytes);
		free(stream);
		return NULL;
	}
	exchange->reply.done = NULL; /* the stream's now */
	pthread_mutex_lock(&http->streams_lock);
	stream->next_stream = http->streams;
	http->streams = stream;
	http->stream_count++;
	pthread_mutex_unlock(&http->streams_lock);
	return response;
}

static void add_event(struct pgm_stream *stream, struct pgm_arena *arena, const struct pgm_event *event)
{
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	if (event->name)
		pgm_buf_printf(&text, "event: %s\n", event->name);
	if (event->id)
		pgm_buf_printf(&text, "id: %lld\n", (long long)event->id);
	/* a line feed in it would begin another field */
	for (const char *at = event->data ? event->data : "";;) {
		size_t length = strcspn(at, "\r\n");
		pgm_buf_add(&text, "data: ");
		pgm_buf_add_n(&text, at, length);
		pgm_buf_char(&text, '\n');
		if (!at[length])
			break;
		at += length + 1;
	}
	pgm_buf_char(&text, '\n');
	stream->ended |= !append(stream, text.text, text.length);
}

static void ask(struct pgm_stream *stream, struct pgm_arena *arena, double now)
{
	size_t before = stream->length;
	for (int i = 0; i < EVENTS_A_ROUND && !stream->ended; i++) {
		struct pgm_event event = {0};
		if (stream->length - stream->sent > PENDING_BYTES_MAX)
			break; /* who does not read gets it later */
		enum pgm_event_state state = stream->next(stream->data, arena, &event);
		if (state == PGM_EVENT_NEXT)
			add_event(stream, arena, &event);
		else if (state == PGM_EVENT_END)
			stream->ended = true;
		else
			break;
	}
	if (stream->length > before)
		stream->last_ms = now;
	else if (now - stream->last_ms > HEARTBEAT_MS && stream->length == stream->sent) {
		append(stream, ":\n\n", 3);
		stream->last_ms = now;
	}
}

void pgm_streams_ask(struct pgm_http *http)
{
	struct pgm_arena *arena = pgm_arena_new(PGM_HTTP_ARENA_MAX);
	double now = pgm_clock_ms();
	pthread_mutex_lock(&http->streams_lock);
	for (struct pgm_stream *stream = http->streams; stream; stream = stream->next_stream) {
		if (atomic_load(&http->ending))
			stream->ended = true;
		else if (!stream->ended)
			ask(stream, arena, now);
		if (stream->suspended && (stream->ended || stream->length > stream->sent)) {
			stream->suspended = false;
			MHD_resume_connection(stream->connection);
		}
		pgm_arena_reset(arena);
	}
	pthread_mutex_unlock(&http->streams_lock);
	pgm_arena_free(arena);
}
