#include "workload/generic_plan.h"

#include "sql/lex.h"
#include "util/buf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_MAX 65535 /* of a parameter, for the protocol */

/* A word behind which a constant may stand for a value of that type, and its name. */
static const char *type_of(const struct pgm_token *token)
{
	static const char *const types[] = {"interval", "date", "time", "timestamp", "timestamptz", "timetz"};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (token->kind == PGM_TOKEN_WORD && token->length == strlen(types[i]) &&
		    strncasecmp(token->text, types[i], token->length) == 0)
			return types[i];
	return NULL;
}

static bool all_digits(const struct pgm_token *token)
{
	for (size_t i = 0; i < token->length; i++)
		if (!isdigit((unsigned char)token->text[i]))
			return false;
	return token->kind == PGM_TOKEN_WORD && token->length < 6;
}

char *pgm_generic_text(struct pgm_arena *arena, const char *sql, int *numbers)
{
	struct pgm_lex lex;
	struct pgm_buf out;
	const char *type = NULL;
	size_t type_at = 0; /* in out */
	bool dollar = false;
	*numbers = 0;
	pgm_buf_init(&out, arena);
	pgm_lex_init(&lex, sql, strlen(sql));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		bool parameter = dollar && all_digits(&token);
		dollar = token.kind == PGM_TOKEN_OTHER && *token.text == '$';
		if (parameter) {
			int number = atoi(token.text);
			*numbers = number > *numbers && number <= NUMBER_MAX ? number : *numbers;
			if (type) {
				out.length = type_at;
				pgm_buf_printf(&out, "($%d)::pg_catalog.%s", number, type);
			} else {
				pgm_buf_add_n(&out, token.text, token.length);
			}
			type = NULL;
			continue;
		}
		bool between = dollar || token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT;
		if (!between) {
			type = type_of(&token);
			type_at = out.length;
		}
		pgm_buf_add_n(&out, token.text, token.length);
	}
	return out.text;
}

/* The lines that EXPLAIN prints, as one text. */
static bool explain(struct pgm_conn *conn, struct pgm_arena *arena, const char *format, const char *what,
		    const char **text, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf out;
	char *sql = pgm_sprintf(arena, "EXPLAIN (FORMAT %s) %s", format, what);
	if (!pgm_conn_query(conn, arena, sql, 0, NULL, &rows, err))
		return false;
	pgm_buf_init(&out, arena);
	for (size_t r = 0; r < rows.count; r++)
		pgm_buf_printf(&out, "%s%s", r ? "\n" : "", pgm_rows_text(&rows, r, 0));
	*text = out.text;
	return true;
}

/*
 * As a prepared statement that the server is told not to plan for its values. EXPLAIN (GENERIC_PLAN) of
 * PostgreSQL 16 asks for values in the extended protocol, and the simple one would run what stands behind a
 * semicolon.
 */
static bool explain_prepared(struct pgm_conn *conn, struct pgm_arena *arena, const char *text, int numbers,
			     struct pgm_generic_plan *plan, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf execute;
	char *prepare = pgm_sprintf(arena, "PREPARE pgmend_generic AS %s", text);
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "SET LOCAL plan_cache_mode = force_generic_plan", err) ||
	    !pgm_conn_query(conn, arena, prepare, 0, NULL, &rows, err))
		return false;
	pgm_buf_init(&execute, arena);
	pgm_buf_add(&execute, "EXECUTE pgmend_generic");
	for (int i = 0; i < numbers; i++)
		pgm_buf_add(&execute, i ? ", NULL" : "(NULL");
	if (numbers)
		pgm_buf_char(&execute, ')');
	return explain(conn, arena, "TEXT", execute.text, &plan->text, err) &&
	       explain(conn, arena, "JSON", execute.text, &plan->json, err);
}

static bool begin(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *path = pgm_conn_search_path(conn);
	return pgm_conn_exec(conn,
			     pgm_sprintf(arena,
					 PGM_CONN_MARKER "BEGIN READ ONLY; SET LOCAL statement_timeout = %d; "
							 "SET LOCAL lock_timeout = %d",
					 PGM_GENERIC_PLAN_MS, PGM_GENERIC_PLAN_LOCK_MS),
			     err) &&
	       pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, true)", 1, &path,
			      &rows, err);
}

bool pgm_generic_plan(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql,
		      struct pgm_generic_plan *plan, struct pgm_error *err)
{
	int numbers;
	char *text = pgm_generic_text(arena, sql, &numbers);
	bool ok = begin(conn, arena, err) && explain_prepared(conn, arena, text, numbers, plan, err);
	pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK");
	pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "DEALLOCATE pgmend_generic"); /* it outlives that */
	return ok;
}
