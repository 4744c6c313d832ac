/*
 * The values of a statement that runs, for the profile's samples and the slow log: a copy of the text or of
 * Bind's parameters, made while the request is passed on. One for each server, for the first request of a
 * batch; in a buffer that is made once.
 */
#include "pool/relay.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_BYTES ((size_t)8192) /* of text and parameters together: what is longer has no sample */
#define SAMPLE_TYPES 64

struct pgm_sample {
	uint32_t position; /* of the request in the ring; valid with complete */
	bool bound;	   /* the parameters are there, the text is not yet */
	bool complete;
	size_t bind_length, sql_length;
	uint32_t types[SAMPLE_TYPES];
	size_t type_count;
	uint8_t bytes[SAMPLE_BYTES]; /* the parameters, then the text */
};

static struct pgm_sample *fresh(struct pgm_server *server)
{
	if (!server->share->worker->profile || server->expect_count > 0)
		return NULL;
	if (!server->sample && !(server->sample = malloc(sizeof(*server->sample))))
		return NULL;
	server->sample->bound = server->sample->complete = false;
	server->sample->bind_length = server->sample->type_count = 0;
	return server->sample;
}

static void add_text(struct pgm_server *server, struct pgm_sample *sample, const char *sql, size_t length)
{
	if (length > SAMPLE_BYTES - sample->bind_length)
		return;
	memcpy(sample->bytes + sample->bind_length, sql, length);
	sample->sql_length = length;
	sample->position = pgm_relay_next_position(server);
	sample->complete = true;
}

void pgm_sample_query(struct pgm_server *server, const char *sql, size_t length)
{
	struct pgm_sample *sample = fresh(server);
	if (sample)
		add_text(server, sample, sql, length);
}

void pgm_sample_bind(struct pgm_server *server, const uint8_t *parameters, size_t length)
{
	struct pgm_sample *sample = server->sample;
	if (!sample || sample->bound || sample->complete || length > SAMPLE_BYTES)
		return;
	sample->type_count = 0;
	memcpy(sample->bytes, parameters, length);
	sample->bind_length = length;
	sample->bound = true;
}

void pgm_sample_begin(struct pgm_server *server)
{
	(void)fresh(server);
}

void pgm_sample_execute(struct pgm_server *server, const uint8_t *body, size_t sql_length, size_t length)
{
	struct pgm_sample *sample = server->sample;
	if (!sample || !sample->bound || sample->complete)
		return;
	sample->bound = false;
	struct pgm_cursor cursor = pgm_cursor_over(body + sql_length + 1, length - sql_length - 1);
	size_t count = pgm_cursor_u16(&cursor);
	for (size_t i = 0; i < count && i < SAMPLE_TYPES; i++)
		sample->types[sample->type_count++] = pgm_cursor_u32(&cursor);
	if (!cursor.bad)
		add_text(server, sample, (const char *)body, sql_length);
}

void pgm_sample_take(struct pgm_server *server, struct pgm_profile_call *call)
{
	struct pgm_sample *sample = server->sample;
	if (!sample || !sample->complete || sample->position != server->expect_head)
		return;
	sample->complete = false;
	call->sql = (const char *)sample->bytes + sample->bind_length;
	call->sql_length = sample->sql_length;
	if (!sample->bind_length)
		return;
	call->bind = sample->bytes;
	call->bind_length = sample->bind_length;
	call->parameter_types = sample->types;
	call->parameter_type_count = sample->type_count;
}
