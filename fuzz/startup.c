/*
 * The first packet of a connection, and its options: whatever the bytes are, what is read of them lies within
 * them, and a packet that is wrong says why. What a stream is told to wait for never changes with more bytes.
 */
#include "wire/startup.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const uint8_t *bytes, size_t length, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;
	assert(at >= bytes && at < bytes + length);
	assert(memchr(at, 0, (size_t)(bytes + length - at)));
}

static bool see(void *data, const char *name, const char *value)
{
	size_t *bytes = data;
	*bytes += strlen(name) + strlen(value);
	return true;
}

static void read_options(const char *options)
{
	size_t size = strlen(options) + 1, seen = 0;
	char *scratch = malloc(size);
	const char *wrong;
	if (pgm_wire_read_options(options, scratch, size, see, &seen, &wrong))
		assert(!wrong);
	else
		assert(wrong >= scratch && wrong < scratch + size);
	free(scratch);
}

static void check_startup(const uint8_t *bytes, size_t length, const struct pgm_first_packet *packet)
{
	assert(packet->protocol >> 16 == 3);
	assert(packet->parameter_count <= PGM_WIRE_PARAMETERS_MAX);
	assert(packet->unknown_option_count <= packet->parameter_count);
	for (size_t i = 0; i < packet->parameter_count; i++) {
		const struct pgm_wire_pair *pair = &packet->parameters[i];
		check_inside(bytes, length, pair->name);
		check_inside(bytes, length, pair->value);
		assert((strncmp(pair->name, "_pq_.", 5) == 0) == (i < packet->unknown_option_count));
	}
	check_inside(bytes, length, packet->user);
	check_inside(bytes, length, packet->database);
	assert(*packet->user && *packet->database);
	if (packet->options) {
		check_inside(bytes, length, packet->options);
		read_options(packet->options);
	}
}

static void check_lengths(const uint8_t *bytes, size_t length)
{
	int64_t told = 0;
	for (size_t there = 0; there <= length && there < 12; there++) {
		int64_t now = pgm_wire_first_length(bytes, there);
		assert(told == 0 || now == told);
		assert(now == -1 || now == 0 || (now >= 8 && now <= PGM_WIRE_STARTUP_MAX));
		assert(now != 0 || there < 8);
		told = now;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pgm_first_packet packet;
	check_lengths(data, size);
	pgm_wire_read_first(data, size, &packet);
	if (packet.kind == PGM_FIRST_WRONG)
		assert(strlen(packet.sqlstate) == 5 && *packet.message);
	if (packet.kind == PGM_FIRST_STARTUP)
		check_startup(data, size, &packet);
	if (packet.kind == PGM_FIRST_CANCEL)
		assert(packet.cancel_key_length > 0 &&
		       packet.cancel_key + packet.cancel_key_length == data + size);
	return 0;
}
