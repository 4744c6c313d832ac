/*
 * Messages of PostgreSQL's protocol, version 3: how bytes become messages and messages bytes. Nothing here
 * does I/O, allocates or keeps state, so it may be called from any thread.
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * Every length that came over the wire is read through a struct pgm_cursor, which checks it against what is
 * left: a read past the end gives zeroes and sets bad, so that a parser may read all of its fields and look
 * once. No code outside this header does pointer arithmetic on a message's body.
 */
#ifndef PGM_WIRE_WIRE_H
#define PGM_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PGM_WIRE_HEADER_BYTES 5		 /* type and length */
#define PGM_WIRE_MESSAGE_MAX  0x3fffffff /* as PostgreSQL's MaxAllocSize, the length word included */
#define PGM_WIRE_STARTUP_MAX  10004	 /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH and the length word */
#define PGM_WIRE_PROTOCOL_3_0 0x00030000
#define PGM_WIRE_PROTOCOL_3_2 0x00030002
#define PGM_WIRE_CODE_CANCEL  80877102
#define PGM_WIRE_CODE_SSL     80877103
#define PGM_WIRE_CODE_GSSENC  80877104
#define PGM_WIRE_NO_PARAMETER 0xffffffffu /* the length of a NULL parameter */

/* What a client sends. */
enum pgm_frontend {
	PGM_FE_BIND = 'B',
	PGM_FE_CLOSE = 'C',
	PGM_FE_COPY_DATA = 'd',
	PGM_FE_COPY_DONE = 'c',
	PGM_FE_COPY_FAIL = 'f',
	PGM_FE_DESCRIBE = 'D',
	PGM_FE_EXECUTE = 'E',
	PGM_FE_FLUSH = 'H',
	PGM_FE_FUNCTION = 'F',
	PGM_FE_PARSE = 'P',
	PGM_FE_PASSWORD = 'p', /* PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse */
	PGM_FE_QUERY = 'Q',
	PGM_FE_SYNC = 'S',
	PGM_FE_TERMINATE = 'X',
};

/* Sets of types, all of which are letters: asked of each message. */
#define PGM_WIRE_TYPE(type) (UINT64_C(1) << ((type)&63))
#define PGM_FE_EXTENDED                                                                              \
	(PGM_WIRE_TYPE(PGM_FE_PARSE) | PGM_WIRE_TYPE(PGM_FE_BIND) | PGM_WIRE_TYPE(PGM_FE_DESCRIBE) | \
	 PGM_WIRE_TYPE(PGM_FE_EXECUTE) | PGM_WIRE_TYPE(PGM_FE_CLOSE))
#define PGM_FE_OF_COPY \
	(PGM_WIRE_TYPE(PGM_FE_COPY_DATA) | PGM_WIRE_TYPE(PGM_FE_COPY_DONE) | PGM_WIRE_TYPE(PGM_FE_COPY_FAIL))

static inline bool pgm_wire_is_among(uint8_t type, uint64_t set)
{
	return type >> 6 == 1 && set >> (type & 63) & 1;
}

/* What a server sends. */
enum pgm_backend {
	PGM_BE_AUTHENTICATION = 'R',
	PGM_BE_BACKEND_KEY = 'K',
	PGM_BE_BIND_COMPLETE = '2',
	PGM_BE_CLOSE_COMPLETE = '3',
	PGM_BE_COMMAND_COMPLETE = 'C',
	PGM_BE_COPY_DATA = 'd',
	PGM_BE_COPY_DONE = 'c',
	PGM_BE_COPY_IN = 'G',
	PGM_BE_COPY_OUT = 'H',
	PGM_BE_COPY_BOTH = 'W',
	PGM_BE_DATA_ROW = 'D',
	PGM_BE_EMPTY_QUERY = 'I',
	PGM_BE_ERROR = 'E',
	PGM_BE_FUNCTION_RESULT = 'V',
	PGM_BE_NEGOTIATE = 'v',
	PGM_BE_NO_DATA = 'n',
	PGM_BE_NOTICE = 'N',
	PGM_BE_NOTIFICATION = 'A',
	PGM_BE_PARAMETER_DESCRIPTION = 't',
	PGM_BE_PARAMETER_STATUS = 'S',
	PGM_BE_PARSE_COMPLETE = '1',
	PGM_BE_PORTAL_SUSPENDED = 's',
	PGM_BE_READY = 'Z',
	PGM_BE_ROW_DESCRIPTION = 'T',
};

enum pgm_wire_auth {
	PGM_WIRE_AUTH_OK = 0,
	PGM_WIRE_AUTH_CLEARTEXT = 3,
	PGM_WIRE_AUTH_MD5 = 5,
	PGM_WIRE_AUTH_SASL = 10,
	PGM_WIRE_AUTH_SASL_CONTINUE = 11,
	PGM_WIRE_AUTH_SASL_FINAL = 12,
};

/* The bytes of one message's body, read from front to back. */
struct pgm_cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool bad; /* something was read that is not there */
};

static inline struct pgm_cursor pgm_cursor_over(const void *bytes, size_t length)
{
	return (struct pgm_cursor){.at = bytes, .end = (const uint8_t *)bytes + length};
}

static inline size_t pgm_cursor_left(const struct pgm_cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/* length bytes, or NULL */
static inline const uint8_t *pgm_cursor_bytes(struct pgm_cursor *cursor, size_t length)
{
	if (cursor->bad || pgm_cursor_left(cursor) < length) {
		cursor->bad = true;
		return NULL;
	}
	const uint8_t *bytes = cursor->at;
	cursor->at += length;
	return bytes;
}

static inline uint16_t pgm_wire_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t pgm_wire_get32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void pgm_wire_put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void pgm_wire_put32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

static inline uint8_t pgm_cursor_u8(struct pgm_cursor *cursor)
{
	const uint8_t *bytes = pgm_cursor_bytes(cursor, 1);
	return bytes ? *bytes : 0;
}

static inline uint16_t pgm_cursor_u16(struct pgm_cursor *cursor)
{
	const uint8_t *bytes = pgm_cursor_bytes(cursor, 2);
	return bytes ? pgm_wire_get16(bytes) : 0;
}

static inline uint32_t pgm_cursor_u32(struct pgm_cursor *cursor)
{
	const uint8_t *bytes = pgm_cursor_bytes(cursor, 4);
	return bytes ? pgm_wire_get32(bytes) : 0;
}

/* A NUL-terminated string in place; "" and bad where no NUL comes. *length (may be NULL) is without it. */
static inline const char *pgm_cursor_string(struct pgm_cursor *cursor, size_t *length)
{
	const uint8_t *nul = cursor->bad ? NULL : memchr(cursor->at, 0, pgm_cursor_left(cursor));
	if (!nul) {
		cursor->bad = true;
		if (length)
			*length = 0;
		return "";
	}
	const char *text = (const char *)cursor->at;
	if (length)
		*length = (size_t)(nul - cursor->at);
	cursor->at = nul + 1;
	return text;
}

/*
 * Messages are put together in a buffer of the caller's. What does not fit sets full; that message and all
 * after it are left out, so that what is there are whole messages.
 */
struct pgm_writer {
	uint8_t *at;
	uint8_t *start;
	uint8_t *end;
	uint8_t *message; /* the one that was begun */
	bool full;
};

static inline struct pgm_writer pgm_writer_over(void *bytes, size_t capacity)
{
	return (struct pgm_writer){.at = bytes, .start = bytes, .end = (uint8_t *)bytes + capacity};
}

static inline size_t pgm_writer_length(const struct pgm_writer *writer)
{
	return (size_t)(writer->at - writer->start);
}

void pgm_writer_bytes(struct pgm_writer *writer, const void *bytes, size_t length);
void pgm_writer_u8(struct pgm_writer *writer, uint8_t value);
void pgm_writer_u16(struct pgm_writer *writer, uint16_t value);
void pgm_writer_u32(struct pgm_writer *writer, uint32_t value);
void pgm_writer_string(struct pgm_writer *writer, const char *text); /* with its NUL */

/* Begin a message (type 0: a startup packet, which has none); pgm_writer_end() writes its length. No nesting.
 */
void pgm_writer_begin(struct pgm_writer *writer, char type);
void pgm_writer_end(struct pgm_writer *writer);

/* Whole messages. */
void pgm_wire_ready(struct pgm_writer *writer, char transaction_status); /* 'I', 'T' or 'E' */
void pgm_wire_authentication(struct pgm_writer *writer, uint32_t code, const void *data, size_t length);
void pgm_wire_parameter_status(struct pgm_writer *writer, const char *name, const char *value);
void pgm_wire_command_complete(struct pgm_writer *writer, const char *tag);
void pgm_wire_query(struct pgm_writer *writer, const char *sql);

/*
 * An ErrorResponse or a NoticeResponse as PostgreSQL sends them: S, V, C (XX000 or 00000 where sqlstate is
 * ""), M and, unless NULL, D and H.
 */
struct pgm_wire_error {
	const char *severity; /* "ERROR", "FATAL", "NOTICE"... */
	const char *sqlstate; /* "" where there is none */
	const char *message;
	const char *detail; /* or NULL */
	const char *hint;   /* or NULL */
};
void pgm_wire_error(struct pgm_writer *writer, const struct pgm_wire_error *error);
void pgm_wire_notice(struct pgm_writer *writer, const struct pgm_wire_error *notice);

/*
 * The fields of one that came, in place: "" where one is missing, NULL for detail and hint. False where a
 * field or the message has no end; what stood before it is there.
 */
bool pgm_wire_read_error(const uint8_t *body, size_t length, struct pgm_wire_error *error);

/* A table, as the console answers: RowDescription of text columns, DataRows of texts (NULL is SQL NULL). */
void pgm_wire_columns(struct pgm_writer *writer, size_t count, const char *const *names);
void pgm_wire_row(struct pgm_writer *writer, size_t count, const char *const *cells);

/* Whether a byte is a message type that a client may send once it is logged in. */
bool pgm_wire_is_frontend(uint8_t type);

#endif
