#include "change/verify/safety.h"

#include "sql/effects.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool pgm_safety_schemas(struct pgm_conn *conn, struct pgm_arena *arena, char **schemas, struct pgm_error *err)
{
	const char *path = pgm_conn_search_path(conn);
	struct pgm_rows rows;
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN READ ONLY", err))
		return false;
	bool ok =
		pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, true)", 1, &path,
			       &rows, err) &&
		pgm_conn_value(conn, arena, "SELECT pg_catalog.current_schemas(true)", 0, NULL, schemas, err);
	pgm_conn_exec_quietly(conn, "ROLLBACK");
	return ok;
}

static char *effects_json(struct pgm_arena *arena, const struct pgm_effects *effects)
{
	json_t *list = json_array();
	for (size_t i = 0; i < effects->count; i++) {
		const struct pgm_effect *effect = &effects->items[i];
		json_t *item = json_object();
		json_object_set_new(item, "kind", json_string(pgm_effect_kind_name(effect->kind)));
		if (effect->schema)
			json_object_set_new(item, "schema", json_string(effect->schema));
		json_object_set_new(item, "name", json_string(effect->name));
		json_array_append_new(list, item);
	}
	char *text = json_dumps(list, JSON_COMPACT);
	char *copy = pgm_strdup(arena, text);
	free(text);
	json_decref(list);
	return copy;
}

static const char *name_reasons(struct pgm_arena *arena, const struct pgm_rows *rows)
{
	struct pgm_buf reason;
	pgm_buf_init(&reason, arena);
	for (size_t r = 0; r < rows->count && r < 3; r++) {
		bool foreign = strcmp(pgm_rows_text(rows, r, 0), "foreign table") == 0;
		pgm_buf_printf(&reason, "%s%s %s%s", r ? ", " : "",
			       foreign ? "reads the foreign table" : "calls the volatile function",
			       pgm_rows_text(rows, r, 1), foreign ? "" : "()");
	}
	if (rows->count > 3)
		pgm_buf_printf(&reason, " and %zu more", rows->count - 3);
	return reason.text;
}

bool pgm_safety_of(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan_statement *statement,
		   const char *schemas, enum pgm_safety *safety, const char **reason, struct pgm_error *err)
{
	struct pgm_effects effects;
	struct pgm_error refused = {0};
	*safety = PGM_SAFETY_PLAN_ONLY;
	*reason = "";
	if (!pgm_sql_effects(arena, statement->sql, &effects, &refused)) {
		*reason = pgm_sprintf(arena, "what it calls is not known: %s", refused.message);
		return true;
	}
	if (!effects.explainable) {
		*safety = PGM_SAFETY_REFUSE;
		*reason = "it is not one statement that reads or writes rows";
		return true;
	}
	if (!effects.select_only || !statement->reads) {
		*reason = effects.select_only ? "the Plan does not say that it only reads"
					      : "it writes or locks rows";
		return true;
	}
	struct pgm_rows rows;
	const char *params[] = {schemas, effects_json(arena, &effects)};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/verify/volatile.sql"), 2, params, &rows,
			    err))
		return pgm_error_context(err, "looking up what a statement calls");
	if (rows.count)
		*reason = name_reasons(arena, &rows);
	else
		*safety = PGM_SAFETY_EXECUTE;
	return true;
}
