#include "pg/result.h"

#include "util/interrupt.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

void pgm_result_ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

bool pgm_result_connection_error(PGconn *pq, struct pgm_error *err)
{
	const char *text = PQerrorMessage(pq);
	size_t length = strlen(text);
	while (length && text[length - 1] == '\n')
		length--;
	if (length == 0)
		text = "the server closed the connection", length = strlen(text);
	return pgm_error_set(err, PGM_ERR_CONNECT, "%.*s", (int)length, text);
}

static enum pgm_error_kind kind_of(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum pgm_error_kind kind;
	} kinds[] = {
		{"57014", PGM_ERR_TIMEOUT}, /* query_canceled: a statement_timeout or a cancel */
		{"55P03", PGM_ERR_TIMEOUT}, /* lock_not_available */
		{"25P03", PGM_ERR_TIMEOUT}, {"57P01", PGM_ERR_CONNECT}, {"57P02", PGM_ERR_CONNECT},
		{"57P03", PGM_ERR_CONNECT}, {"57P05", PGM_ERR_CONNECT}, {"08", PGM_ERR_CONNECT},
		{"42501", PGM_ERR_RIGHTS},  {"25006", PGM_ERR_RIGHTS}, /* read_only_sql_transaction */
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strncmp(sqlstate, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return PGM_ERR_QUERY;
}

bool pgm_result_check(PGconn *pq, const PGresult *result, struct pgm_error *err)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
	case PGRES_EMPTY_QUERY:
	case PGRES_PIPELINE_SYNC:
		return true;
	default:
		break;
	}
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (!sqlstate || !message)
		return pgm_result_connection_error(pq, err);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	enum pgm_error_kind kind = kind_of(sqlstate);
	if (kind == PGM_ERR_TIMEOUT && pgm_interrupted())
		kind = PGM_ERR_CANCELED;
	pgm_error_set(err, kind, "%s%s%s%s", message, detail ? " (" : "", detail ? detail : "",
		      detail ? ")" : "");
	if (hint)
		pgm_error_hint(err, "%s", hint);
	if (err)
		memcpy(err->sqlstate, sqlstate, strnlen(sqlstate, 5) + 1);
	return false;
}

void pgm_result_copy(const PGresult *result, struct pgm_arena *arena, struct pgm_rows *rows)
{
	rows->count = (size_t)PQntuples(result);
	rows->columns = (size_t)PQnfields(result);
	rows->command_status = pgm_strdup(arena, PQcmdStatus((PGresult *)result));
	rows->names = PGM_NEW_ARRAY(arena, char *, rows->columns + 1);
	for (size_t c = 0; c < rows->columns; c++)
		rows->names[c] = pgm_strdup(arena, PQfname(result, (int)c));
	rows->cells = PGM_NEW_ARRAY(arena, char *, rows->count * rows->columns + 1);
	for (size_t r = 0; r < rows->count; r++)
		for (size_t c = 0; c < rows->columns; c++)
			if (!PQgetisnull(result, (int)r, (int)c))
				rows->cells[r * rows->columns + c] =
					pgm_strndup(arena, PQgetvalue(result, (int)r, (int)c),
						    (size_t)PQgetlength(result, (int)r, (int)c));
}

size_t pgm_rows_column(const struct pgm_rows *rows, const char *name)
{
	size_t c = 0;
	while (c < rows->columns && strcmp(rows->names[c], name) != 0)
		c++;
	return c;
}

int64_t pgm_rows_int(const struct pgm_rows *rows, size_t r, size_t c)
{
	const char *text = pgm_rows_get(rows, r, c);
	return text ? strtoll(text, NULL, 10) : 0;
}

double pgm_rows_double(const struct pgm_rows *rows, size_t r, size_t c)
{
	const char *text = pgm_rows_get(rows, r, c);
	return text ? strtod(text, NULL) : 0;
}

bool pgm_rows_bool(const struct pgm_rows *rows, size_t r, size_t c)
{
	const char *text = pgm_rows_get(rows, r, c);
	return text && text[0] == 't';
}

const char *pgm_rows_text(const struct pgm_rows *rows, size_t r, size_t c)
{
	const char *text = pgm_rows_get(rows, r, c);
	return text ? text : "";
}

/* The element that starts at *at, which is left on the comma or brace that ends it. */
static char *array_element(struct pgm_arena *arena, const char **at)
{
	bool quoted = **at == '"';
	const char *start = *at + quoted;
	const char *end = start;
	while (*end && (quoted ? *end != '"' : *end != ',' && *end != '}'))
		end += *end == '\\' && end[1] ? 2 : 1;

	char *element = pgm_arena_alloc(arena, (size_t)(end - start) + 1);
	size_t length = 0;
	for (const char *p = start; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		element[length++] = *p;
	}
	*at = quoted && *end ? end + 1 : end;
	return !quoted && strcmp(element, "NULL") == 0 ? NULL : element;
}

size_t pgm_rows_array(struct pgm_arena *arena, const char *text, char ***elements)
{
	PGM_VEC(char *) found = {0};
	*elements = NULL;
	const char *p = text ? strchr(text, '{') : NULL; /* after bounds like [0:2]= */
	if (!p)
		return 0;
	p++;
	while (*p && *p != '}') {
		*pgm_vec_add(arena, &found) = array_element(arena, &p);
		if (*p == ',')
			p++;
	}
	*elements = found.items;
	return found.count;
}
