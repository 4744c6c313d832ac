#include "lib/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pgm_lib_error_clear(struct pgmend_error *err)
{
	if (err)
		*err = (struct pgmend_error){.row = -1};
}

/* Shortens a text that was cut to its last whole character, and takes newlines off its end. */
static void trim(char *text, size_t length, bool cut)
{
	size_t start = length;
	while (cut && start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (cut && start > 0 && (unsigned char)text[start - 1] >= 0xc0) {
		unsigned char lead = (unsigned char)text[start - 1];
		size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
		if (length - (start - 1) < size)
			length = start - 1;
	}
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	text[length] = '\0';
}

void pgm_lib_error_copy(char *into, size_t size, const char *text)
{
	size_t length = text ? strnlen(text, size) : 0;
	bool cut = length == size;
	if (cut)
		length--;
	if (length)
		memcpy(into, text, length);
	trim(into, length, cut);
}

static void print_into(char *into, size_t size, const char *format, va_list args)
{
	int length = vsnprintf(into, size, format, args);
	if (length < 0)
		into[0] = '\0';
	else if ((size_t)length >= size)
		trim(into, size - 1, true);
	else
		trim(into, (size_t)length, false);
}

bool pgm_lib_error_set(struct pgmend_error *err, enum pgmend_code code, const char *format, ...)
{
	if (!err)
		return false;
	char message[sizeof(err->message)]; /* an argument may be the old message */
	va_list args;
	va_start(args, format);
	print_into(message, sizeof(message), format, args);
	va_end(args);
	pgm_lib_error_clear(err);
	err->code = code;
	memcpy(err->message, message, sizeof(message));
	return false;
}

bool pgm_lib_error_hint(struct pgmend_error *err, const char *format, ...)
{
	if (!err)
		return false;
	char hint[sizeof(err->hint)];
	va_list args;
	va_start(args, format);
	print_into(hint, sizeof(hint), format, args);
	va_end(args);
	memcpy(err->hint, hint, sizeof(hint));
	return false;
}

bool pgm_lib_error_memory(struct pgmend_error *err)
{
	return pgm_lib_error_set(err, PGMEND_ERR_MEMORY, "out of memory");
}

bool pgm_lib_error_conn(struct pgmend_error *err, const PGconn *conn)
{
	const char *text = conn ? PQerrorMessage(conn) : NULL;
	/* libpq has no code for it: without a connection, or in these words. */
	if (!conn || (text && strncmp(text, "out of memory", strlen("out of memory")) == 0))
		return pgm_lib_error_memory(err);
	return pgm_lib_error_set(err, PGMEND_ERR_CONNECT, "%s",
				 text && text[0] ? text : "the connection to the server was lost");
}

bool pgm_lib_error_result(struct pgmend_error *err, const PGconn *conn, const PGresult *result)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	if (!sqlstate) {
		const char *text = result ? PQresultErrorMessage(result) : NULL;
		if (!text || !text[0] || PQstatus(conn) == CONNECTION_BAD)
			return pgm_lib_error_conn(err, conn);
		if (strncmp(text, "out of memory", strlen("out of memory")) == 0)
			return pgm_lib_error_memory(err);
		return pgm_lib_error_set(err, PGMEND_ERR_QUERY, "%s", text);
	}
	if (!err)
		return false;
	pgm_lib_error_clear(err);
	err->code = PGMEND_ERR_QUERY;
	const struct {
		char *into;
		size_t size;
		int field;
	} fields[] = {
		{err->sqlstate, sizeof(err->sqlstate), PG_DIAG_SQLSTATE},
		{err->message, sizeof(err->message), PG_DIAG_MESSAGE_PRIMARY},
		{err->detail, sizeof(err->detail), PG_DIAG_MESSAGE_DETAIL},
		{err->hint, sizeof(err->hint), PG_DIAG_MESSAGE_HINT},
		{err->schema, sizeof(err->schema), PG_DIAG_SCHEMA_NAME},
		{err->table, sizeof(err->table), PG_DIAG_TABLE_NAME},
		{err->column, sizeof(err->column), PG_DIAG_COLUMN_NAME},
		{err->constraint, sizeof(err->constraint), PG_DIAG_CONSTRAINT_NAME},
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		pgm_lib_error_copy(fields[i].into, fields[i].size,
				   PQresultErrorField(result, fields[i].field));
	return false;
}

const char *pgmend_code_name(int code)
{
	static const char *const names[] = {"ok",	"usage",  "connect", "query", "data",	    "timeout",
					    "canceled", "memory", "state",   "limit", "unknown end"};
	return code >= 0 && (size_t)code < sizeof(names) / sizeof(*names) ? names[code] : "unknown";
}
