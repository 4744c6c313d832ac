#include "change/verify/indexes.h"

#include "pg/quote.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

static bool resolve(struct pgm_conn *conn, struct pgm_arena *arena, const char *schemas,
		    struct pgm_change *change, struct pgm_error *err)
{
	bool by_relation = change->relation && *change->relation;
	const char *params[] = {schemas, change->schema ? change->schema : "",
				by_relation ? change->relation : change->index};
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/verify/resolve.sql"), 3, params, &rows,
			    err))
		return false;
	if (rows.count == 0)
		return true;
	change->schema = pgm_rows_text(&rows, 0, 0);
	if (!by_relation)
		change->relation = pgm_rows_text(&rows, 0, 1);
	return true;
}

bool pgm_indexes_resolve(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
			 const char *schemas, struct pgm_plan **resolved, struct pgm_error *err)
{
	struct pgm_plan *copy = PGM_NEW(arena, struct pgm_plan);
	*copy = *plan;
	copy->changes = PGM_NEW_ARRAY(arena, struct pgm_change, plan->change_count);
	for (size_t i = 0; i < plan->change_count; i++) {
		struct pgm_change *change = &copy->changes[i];
		*change = plan->changes[i];
		bool known = change->schema && *change->schema && change->relation && *change->relation;
		if (change->kind != PGM_CHANGE_SQL && change->index && !known &&
		    !resolve(conn, arena, schemas, change, err))
			return pgm_error_context(err, "looking up %s", change->index);
	}
	*resolved = copy;
	return true;
}

static char *wanted_json(struct pgm_arena *arena, const struct pgm_verify_index *indexes, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		const struct pgm_change *change = indexes[i].change;
		json_t *item = json_object();
		json_object_set_new(item, "schema", json_string(change->schema));
		json_object_set_new(item, "name", json_string(change->index));
		json_object_set_new(item, "relation", json_string(change->relation ? change->relation : ""));
		json_array_append_new(list, item);
	}
	char *text = json_dumps(list, JSON_COMPACT);
	char *copy = pgm_strdup(arena, text);
	free(text);
	json_decref(list);
	return copy;
}

/*
 * The true size in place of relpages, which is as old as the last ANALYZE. It needs a lock on the index, so
 * where someone holds that (or drops the index now) relpages have to do.
 */
static bool read_size(struct pgm_conn *conn, struct pgm_arena *arena, const char *oids,
		      struct pgm_verify_index *index, struct pgm_error *err)
{
	struct pgm_error refused = {0};
	char *size;
	if (!pgm_conn_value(conn, arena,
			    "SELECT pg_catalog.sum(pg_catalog.pg_relation_size(o::pg_catalog.regclass)) "
			    "FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o",
			    1, &oids, &size, &refused)) {
		if (refused.kind != PGM_ERR_CONNECT && refused.kind != PGM_ERR_CANCELED)
			return true;
		*err = refused;
		return false;
	}
	if (size)
		index->size_bytes = strtod(size, NULL);
	return true;
}

static void take_names(struct pgm_arena *arena, const struct pgm_rows *rows, size_t row,
		       struct pgm_verify_index *index)
{
	char **schemas, **names;
	size_t count = pgm_rows_array(arena, pgm_rows_get(rows, row, 7), &schemas);
	if (pgm_rows_array(arena, pgm_rows_get(rows, row, 8), &names) != count)
		return;
	index->names = PGM_NEW_ARRAY(arena, struct pgm_index_name, count);
	index->name_count = count;
	for (size_t i = 0; i < count; i++)
		index->names[i] = (struct pgm_index_name){schemas[i], names[i]};
}

bool pgm_indexes_read(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		      struct pgm_verify_index **indexes, size_t *count, struct pgm_error *err)
{
	PGM_VEC(struct pgm_verify_index) found = {0};
	for (size_t i = 0; i < plan->change_count; i++)
		if (plan->changes[i].kind != PGM_CHANGE_SQL && plan->changes[i].index)
			*pgm_vec_add(arena, &found) =
				(struct pgm_verify_index){.change = &plan->changes[i], .problem = ""};
	*indexes = found.items;
	*count = found.count;
	const char *wanted = wanted_json(arena, found.items, found.count);
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("change/verify/indexes.sql"), 1, &wanted, &rows,
			    err))
		return pgm_error_context(err, "reading the Plan's indexes");
	for (size_t r = 0; r < rows.count && r < found.count; r++) {
		struct pgm_verify_index *index = &found.items[r];
		index->exists = pgm_rows_bool(&rows, r, 1);
		if (!index->exists)
			continue;
		index->on_other_table = pgm_rows_bool(&rows, r, 2);
		index->valid = pgm_rows_bool(&rows, r, 3);
		index->ready = pgm_rows_bool(&rows, r, 4);
		index->size_bytes = pgm_rows_double(&rows, r, 5);
		index->scans = pgm_rows_int(&rows, r, 6);
		take_names(arena, &rows, r, index);
		if (!read_size(conn, arena, pgm_rows_get(&rows, r, 9), index, err))
			return false;
	}
	return true;
}

struct collect {
	struct pgm_arena *arena;
	PGM_VEC(struct pgm_index_name) found;
};

/* A Bitmap Index Scan names no relation: its index is in the schema of the heap scan above it. */
static void collect_indexes(struct collect *collect, const struct pgm_explain_node *node, const char *schema)
{
	if (node->schema)
		schema = node->schema;
	if (node->index)
		*pgm_vec_add(collect->arena, &collect->found) =
			(struct pgm_index_name){schema ? schema : "", node->index};
	for (size_t i = 0; i < node->child_count; i++)
		collect_indexes(collect, node->children[i], schema);
}

void pgm_indexes_used(struct pgm_arena *arena, const struct pgm_explain *plan, struct pgm_measure *measure)
{
	struct collect collect = {.arena = arena};
	collect_indexes(&collect, plan->root, NULL);
	measure->indexes = collect.found.items;
	measure->index_count = collect.found.count;
}

/* A Plan names the index alone, or with its schema where a reader wrote it so. */
bool pgm_index_expected(const struct pgm_verify_index *index, const struct pgm_plan_statement *statement)
{
	const struct pgm_change *change = index->change;
	if (change->kind != PGM_CHANGE_CREATE_INDEX)
		return false;
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *qualified = pgm_quote_qualified(arena, change->schema, change->index);
	for (size_t i = 0; i < statement->index_count; i++)
		if (strcmp(statement->indexes[i], change->index) == 0 ||
		    strcmp(statement->indexes[i], qualified) == 0)
			return true;
	return false;
}

bool pgm_index_used(const struct pgm_verify_index *index, const struct pgm_measure *measure)
{
	for (size_t n = 0; n < index->name_count; n++)
		for (size_t i = 0; i < measure->index_count; i++)
			if (strcmp(index->names[n].name, measure->indexes[i].name) == 0 &&
			    strcmp(index->names[n].schema, measure->indexes[i].schema) == 0)
				return true;
	return false;
}

void pgm_indexes_count(struct pgm_verify_report *report)
{
	for (size_t p = 0; p < report->pair_count; p++) {
		struct pgm_verify_pair *pair = &report->pairs[p];
		for (size_t i = 0; i < report->index_count; i++) {
			struct pgm_verify_index *index = &report->indexes[i];
			if (!pgm_index_expected(index, &report->plan->statements[p]))
				continue;
			bool used = pgm_index_used(index, pair->after);
			pair->expected++;
			pair->used += used;
			index->expected_by++;
			index->used_by += used;
			index->unplanned_by += pair->after->state == PGM_MEASURE_FAILED;
		}
	}
}

static const char *problem_of(const struct pgm_verify_index *index)
{
	if (index->change->kind == PGM_CHANGE_DROP_INDEX)
		return index->exists ? "is still there" : "";
	if (!index->exists)
		return "does not exist";
	if (index->on_other_table)
		return "is an index of another table";
	if (!index->valid || !index->ready)
		return "is not valid";
	if (index->expected_by && index->expected_by == index->unplanned_by)
		return "is not proven: no statement that should use it can be planned";
	if (index->expected_by && index->used_by == 0)
		return "is used by none of the statements that should use it";
	return "";
}

void pgm_indexes_judge(struct pgm_arena *arena, struct pgm_verify_report *report)
{
	PGM_VEC(const char *) problems = {0};
	for (size_t i = 0; i < report->index_count; i++) {
		struct pgm_verify_index *index = &report->indexes[i];
		index->problem = problem_of(index);
		if (*index->problem)
			*pgm_vec_add(arena, &problems) = pgm_sprintf(
				arena, "index %s %s",
				pgm_quote_qualified(arena, index->change->schema, index->change->index),
				index->problem);
	}
	report->problems = problems.items;
	report->problem_count = problems.count;
}
