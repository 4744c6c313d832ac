#include "lib/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pgmend_version(void)
{
	return PGM_VERSION;
}

int pgmend_version_number(void)
{
	return PGMEND_VERSION_NUMBER;
}

const char *pgmend_code_name(int code)
{
	static const char *const names[] = {
		"ok",	    "usage",  "connect", "query", "data",	 "timeout",
		"canceled", "memory", "state",	 "limit", "unknown end",
	};
	return code >= 0 && (size_t)code < sizeof(names) / sizeof(*names) ? names[code] : "unknown";
}

/* Shortens text by the character that its end may have cut. */
static void drop_cut_character(char *text, size_t length)
{
	size_t begin = length;
	while (begin && length - begin < 4 && ((unsigned char)text[begin - 1] & 0xC0) == 0x80)
		begin--;
	if (!begin)
		return;
	unsigned char first = (unsigned char)text[begin - 1];
	size_t wanted = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
	if (length - (begin - 1) < wanted)
		text[begin - 1] = '\0';
}

void pgm_text_copy(char *to, size_t size, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	bool cut = length >= size;
	if (cut)
		length = size - 1;
	if (length)
		memcpy(to, text, length);
	to[length] = '\0';
	if (cut)
		drop_cut_character(to, length);
}

void pgm_fail_clear(struct pgmend_error *err)
{
	if (!err)
		return;
	memset(err, 0, sizeof(*err));
	err->row = -1;
}

static void print_into(char *to, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
static void print_into(char *to, size_t size, const char *format, va_list args)
{
	int length = vsnprintf(to, size, format, args);
	if (length >= 0 && (size_t)length >= size)
		drop_cut_character(to, size - 1);
}

bool pgm_fail(struct pgmend_error *err, enum pgmend_code code, const char *format, ...)
{
	if (!err)
		return false;
	char message[sizeof(err->message)]; /* an argument may be the old message */
	va_list args;
	va_start(args, format);
	print_into(message, sizeof(message), format, args);
	va_end(args);
	pgm_fail_clear(err);
	err->code = code;
	memcpy(err->message, message, sizeof(message));
	return false;
}

bool pgm_fail_hint(struct pgmend_error *err, const char *format, ...)
{
	if (!err)
		return false;
	va_list args;
	va_start(args, format);
	print_into(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return false;
}

bool pgm_fail_memory(struct pgmend_error *err)
{
	return pgm_fail(err, PGMEND_ERR_MEMORY, "out of memory");
}

/* libpq's messages end with a newline, and have several lines where several addresses were tried. */
static void trim_end(char *text)
{
	size_t length = strlen(text);
	while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
		text[--length] = '\0';
}

bool pgm_fail_conn(struct pgmend_error *err, const PGconn *conn)
{
	const char *message = PQerrorMessage(conn);
	if (strstr(message, "out of memory"))
		return pgm_fail_memory(err);
	pgm_fail(err, PQstatus(conn) == CONNECTION_OK ? PGMEND_ERR_STATE : PGMEND_ERR_CONNECT, "%s",
		 *message ? message : "the connection to the server was lost");
	if (err)
		trim_end(err->message);
	return false;
}

bool pgm_fail_result(struct pgmend_error *err, const PGconn *conn, const PGresult *result)
{
	const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (!message) { /* libpq's own: nothing came from the server */
		const char *text = result ? PQresultErrorMessage(result) : "";
		if (!*text)
			return pgm_fail_conn(err, conn);
		pgm_fail(err, PQstatus(conn) == CONNECTION_OK ? PGMEND_ERR_QUERY : PGMEND_ERR_CONNECT, "%s",
			 text);
		if (err)
			trim_end(err->message);
		return false;
	}
	pgm_fail(err, PQstatus(conn) == CONNECTION_OK ? PGMEND_ERR_QUERY : PGMEND_ERR_CONNECT, "%s", message);
	if (!err)
		return false;
	pgm_text_copy(err->sqlstate, sizeof(err->sqlstate), PQresultErrorField(result, PG_DIAG_SQLSTATE));
	pgm_text_copy(err->detail, sizeof(err->detail), PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
	pgm_text_copy(err->hint, sizeof(err->hint), PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
	pgm_text_copy(err->schema, sizeof(err->schema), PQresultErrorField(result, PG_DIAG_SCHEMA_NAME));
	pgm_text_copy(err->table, sizeof(err->table), PQresultErrorField(result, PG_DIAG_TABLE_NAME));
	pgm_text_copy(err->column, sizeof(err->column), PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
	pgm_text_copy(err->constraint, sizeof(err->constraint),
		      PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
	return false;
}
