/*
 * ErrorResponse and NoticeResponse of a server: each field that is read is there, and what is written of them
 * is read again as the same.
 */
#include "wire/wire.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const char *one, const char *other)
{
	assert((one == NULL) == (other == NULL));
	assert(!one || strcmp(one, other) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgm_wire_error error, again;
	bool whole = pgm_wire_read_error(data, size, &error);
	assert(error.severity && error.sqlstate && error.message);
	/* Room for all fields, and on odd sizes for less. */
	size_t room = size % 2 ? size : size * 2 + 64;
	uint8_t *bytes = malloc(room ? room : 1);
	struct pgm_writer writer = pgm_writer_over(bytes, room);
	pgm_wire_error(&writer, &error);
	assert(writer.full == (pgm_writer_length(&writer) == 0));
	assert(writer.full || pgm_wire_get32(bytes + 1) == pgm_writer_length(&writer) - 1);
	if (!writer.full) {
		assert(pgm_wire_read_error(bytes + PGM_WIRE_HEADER_BYTES,
					   pgm_writer_length(&writer) - PGM_WIRE_HEADER_BYTES, &again));
		same(again.severity, error.severity);
		same(again.sqlstate, *error.sqlstate ? error.sqlstate : "XX000");
		same(again.message, error.message);
		same(again.detail, error.detail);
		same(again.hint, error.hint);
	}
	free(bytes);
	(void)whole;
	return 0;
}
