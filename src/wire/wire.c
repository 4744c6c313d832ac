#include "wire/wire.h"

void pgm_writer_bytes(struct pgm_writer *writer, const void *bytes, size_t length)
{
	if (writer->full || (size_t)(writer->end - writer->at) < length) {
		writer->full = true;
		return;
	}
	if (length)
		memcpy(writer->at, bytes, length);
	writer->at += length;
}

void pgm_writer_u8(struct pgm_writer *writer, uint8_t value)
{
	pgm_writer_bytes(writer, &value, 1);
}

void pgm_writer_u16(struct pgm_writer *writer, uint16_t value)
{
	uint8_t bytes[2];
	pgm_wire_put16(bytes, value);
	pgm_writer_bytes(writer, bytes, sizeof(bytes));
}

void pgm_writer_u32(struct pgm_writer *writer, uint32_t value)
{
	uint8_t bytes[4];
	pgm_wire_put32(bytes, value);
	pgm_writer_bytes(writer, bytes, sizeof(bytes));
}

void pgm_writer_string(struct pgm_writer *writer, const char *text)
{
	pgm_writer_bytes(writer, text, strlen(text) + 1);
}

void pgm_writer_begin(struct pgm_writer *writer, char type)
{
	writer->message = writer->at;
	if (type)
		pgm_writer_u8(writer, (uint8_t)type);
	pgm_writer_u32(writer, 0); /* pgm_writer_end() knows it */
}

void pgm_writer_end(struct pgm_writer *writer)
{
	/* Half a message would turn all that follows into nonsense. */
	if (writer->full) {
		writer->at = writer->message;
		return;
	}
	/* A startup packet begins with the zeroes of its length, all others with a type. */
	uint8_t *length = writer->message + (*writer->message ? 1 : 0);
	size_t bytes = (size_t)(writer->at - length);
	if (bytes > PGM_WIRE_MESSAGE_MAX) {
		writer->full = true;
		writer->at = writer->message;
		return;
	}
	pgm_wire_put32(length, (uint32_t)bytes);
}

void pgm_wire_ready(struct pgm_writer *writer, char transaction_status)
{
	pgm_writer_begin(writer, PGM_BE_READY);
	pgm_writer_u8(writer, (uint8_t)transaction_status);
	pgm_writer_end(writer);
}

void pgm_wire_authentication(struct pgm_writer *writer, uint32_t code, const void *data, size_t length)
{
	pgm_writer_begin(writer, PGM_BE_AUTHENTICATION);
	pgm_writer_u32(writer, code);
	pgm_writer_bytes(writer, data, length);
	pgm_writer_end(writer);
}

void pgm_wire_parameter_status(struct pgm_writer *writer, const char *name, const char *value)
{
	pgm_writer_begin(writer, PGM_BE_PARAMETER_STATUS);
	pgm_writer_string(writer, name);
	pgm_writer_string(writer, value);
	pgm_writer_end(writer);
}

void pgm_wire_command_complete(struct pgm_writer *writer, const char *tag)
{
	pgm_writer_begin(writer, PGM_BE_COMMAND_COMPLETE);
	pgm_writer_string(writer, tag);
	pgm_writer_end(writer);
}

void pgm_wire_query(struct pgm_writer *writer, const char *sql)
{
	pgm_writer_begin(writer, PGM_FE_QUERY);
	pgm_writer_string(writer, sql);
	pgm_writer_end(writer);
}

static void write_field(struct pgm_writer *writer, char code, const char *text)
{
	pgm_writer_u8(writer, (uint8_t)code);
	pgm_writer_string(writer, text);
}

static void write_report(struct pgm_writer *writer, char type, const struct pgm_wire_error *report,
			 const char *default_sqlstate)
{
	bool has_state = report->sqlstate && *report->sqlstate;
	pgm_writer_begin(writer, type);
	write_field(writer, 'S', report->severity);
	write_field(writer, 'V', report->severity);
	/* Clients count on a SQLSTATE. */
	write_field(writer, 'C', has_state ? report->sqlstate : default_sqlstate);
	write_field(writer, 'M', report->message);
	if (report->detail)
		write_field(writer, 'D', report->detail);
	if (report->hint)
		write_field(writer, 'H', report->hint);
	pgm_writer_u8(writer, 0);
	pgm_writer_end(writer);
}

void pgm_wire_error(struct pgm_writer *writer, const struct pgm_wire_error *error)
{
	write_report(writer, PGM_BE_ERROR, error, "XX000");
}

void pgm_wire_notice(struct pgm_writer *writer, const struct pgm_wire_error *notice)
{
	write_report(writer, PGM_BE_NOTICE, notice, "00000");
}

bool pgm_wire_read_error(const uint8_t *body, size_t length, struct pgm_wire_error *error)
{
	*error = (struct pgm_wire_error){.severity = "", .sqlstate = "", .message = ""};
	const char *translated = "";
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	for (uint8_t code; (code = pgm_cursor_u8(&cursor)) != 0;) {
		const char *text = pgm_cursor_string(&cursor, NULL);
		if (cursor.bad)
			break;
		switch (code) {
		case 'S':
			translated = text;
			break;
		case 'V':
			error->severity = text;
			break;
		case 'C':
			error->sqlstate = text;
			break;
		case 'M':
			error->message = text;
			break;
		case 'D':
			error->detail = text;
			break;
		case 'H':
			error->hint = text;
			break;
		default:
			break;
		}
	}
	if (!*error->severity)
		error->severity = translated;
	return !cursor.bad;
}

#define TYPE_TEXT 25 /* pg_type.oid */

void pgm_wire_columns(struct pgm_writer *writer, size_t count, const char *const *names)
{
	pgm_writer_begin(writer, PGM_BE_ROW_DESCRIPTION);
	pgm_writer_u16(writer, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		pgm_writer_string(writer, names[i]);
		pgm_writer_u32(writer, 0); /* of no table */
		pgm_writer_u16(writer, 0);
		pgm_writer_u32(writer, TYPE_TEXT);
		pgm_writer_u16(writer, 0xffff);	    /* a length that varies */
		pgm_writer_u32(writer, 0xffffffff); /* no type modifier */
		pgm_writer_u16(writer, 0);	    /* as text */
	}
	pgm_writer_end(writer);
}

void pgm_wire_row(struct pgm_writer *writer, size_t count, const char *const *cells)
{
	pgm_writer_begin(writer, PGM_BE_DATA_ROW);
	pgm_writer_u16(writer, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		if (!cells[i]) {
			pgm_writer_u32(writer, PGM_WIRE_NO_PARAMETER);
			continue;
		}
		size_t length = strlen(cells[i]);
		if (length > PGM_WIRE_MESSAGE_MAX)
			writer->full = true;
		pgm_writer_u32(writer, (uint32_t)length);
		pgm_writer_bytes(writer, cells[i], length);
	}
	pgm_writer_end(writer);
}

bool pgm_wire_is_frontend(uint8_t type)
{
	switch (type) {
	case PGM_FE_BIND:
	case PGM_FE_CLOSE:
	case PGM_FE_COPY_DATA:
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
	case PGM_FE_DESCRIBE:
	case PGM_FE_EXECUTE:
	case PGM_FE_FLUSH:
	case PGM_FE_FUNCTION:
	case PGM_FE_PARSE:
	case PGM_FE_QUERY:
	case PGM_FE_SYNC:
	case PGM_FE_TERMINATE:
		return true;
	default:
		return false;
	}
}
