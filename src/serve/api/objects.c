/*
 * Tables and indexes as the watch last saw them.
 */
#include "serve/api/watch.h"

#include "serve/watch/watch.h"

static const struct pgm_param page_params[] = {
	{"limit", PGM_IN_QUERY, PGM_PARAM_INT, false, "At most so many, the first of the largest", 1, 2000,
	 NULL},
	{NULL},
};

static json_t *table_json(const struct pgm_table_row *row)
{
	static const struct {
		char kind;
		const char *name;
	} kinds[] = {{'r', "table"}, {'m', "materialized view"}, {'p', "partitioned table"}};
	const char *kind = "table";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].kind == row->kind)
			kind = kinds[i].name;
	json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "schema", row->schema, "name", row->name, "kind",
				 kind, "size_exact", row->sized);
	const struct {
		const char *name;
		double value;
	} figures[] = {
		{"size_bytes", row->table_bytes + row->index_bytes},
		{"table_bytes", row->table_bytes},
		{"index_bytes", row->index_bytes},
		{"rows", row->live_rows},
		{"dead_rows", row->dead_rows},
		{"modified_since_analyze", row->modified_since_analyze},
		{"seq_scans", row->seq_scans},
		{"seq_rows", row->seq_rows},
		{"index_scans", row->idx_scans},
		{"index_rows", row->idx_rows},
		{"inserts", row->inserts},
		{"updates", row->updates},
		{"deletes", row->deletes},
		{"hot_updates", row->hot_updates},
		{"blocks_hit", row->heap_hit},
		{"blocks_read", row->heap_read},
		{"frozen_age", row->frozen_age},
		{"vacuum_due", row->vacuum_due},
	};
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		json_object_set_new(json, figures[i].name, pgm_api_number(figures[i].value));
	int64_t vacuum =
		row->last_vacuum_s > row->last_autovacuum_s ? row->last_vacuum_s : row->last_autovacuum_s;
	int64_t analyze =
		row->last_analyze_s > row->last_autoanalyze_s ? row->last_analyze_s : row->last_autoanalyze_s;
	json_object_set_new(json, "last_vacuum", pgm_api_time_s(vacuum));
	json_object_set_new(json, "last_analyze", pgm_api_time_s(analyze));
	return json;
}

static json_t *index_json(const struct pgm_index_row *row)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:o}",
			 "schema", row->schema, "table", row->table, "name", row->name, "method", row->method,
			 "size_bytes", pgm_api_number(row->bytes), "scans", pgm_api_number(row->scans),
			 "rows_read", pgm_api_number(row->rows_read), "rows_fetched",
			 pgm_api_number(row->rows_fetched), "blocks_hit", pgm_api_number(row->hit_blocks),
			 "blocks_read", pgm_api_number(row->read_blocks), "unique", row->unique, "primary",
			 row->primary, "valid", row->valid, "constraint", row->constraint, "last_scan",
			 pgm_api_time_s(row->last_scan_s));
}

/* 503 where they have not been read yet. */
static const struct pgm_objects *objects_of(const struct pgm_snapshot *snapshot, struct pgm_reply *reply)
{
	if (!snapshot->objects) {
		pgm_reply_error(reply, 503, snapshot->up ? "not_yet" : "down",
				"the tables of \"%s\" are not known%s%s", snapshot->target.name,
				*snapshot->target.why ? ": " : " yet", snapshot->target.why);
		return NULL;
	}
	return snapshot->objects;
}

/* stale: they have not been read for a while, because that fails. */
static void reply_objects(struct pgm_reply *reply, int64_t at_ms, bool stale, const char *name, json_t *list,
			  size_t total)
{
	pgm_reply_data(reply, json_pack("{s:o, s:b, s:o, s:I}", "at", pgm_api_time_ms(at_ms), "stale", stale,
					name, list, "total", (json_int_t)total));
}

static void get_tables(struct pgm_request *request, struct pgm_reply *reply)
{
	const struct pgm_snapshot *snapshot = pgm_api_snapshot(request, reply);
	if (!snapshot)
		return;
	const struct pgm_objects *objects = objects_of(snapshot, reply);
	size_t limit = (size_t)pgm_request_int(request, "limit", 2000);
	if (objects) {
		json_t *list = json_array();
		for (size_t i = 0; i < objects->table_count && i < limit; i++)
			json_array_append_new(list, table_json(&objects->tables[i]));
		reply_objects(reply, objects->wall_ms, snapshot->stale_ms[PGM_COLLECT_TABLES] != 0, "tables",
			      list, objects->tables_total);
	}
	pgm_snapshot_release(snapshot);
}

static void get_indexes(struct pgm_request *request, struct pgm_reply *reply)
{
	const struct pgm_snapshot *snapshot = pgm_api_snapshot(request, reply);
	if (!snapshot)
		return;
	const struct pgm_objects *objects = objects_of(snapshot, reply);
	size_t limit = (size_t)pgm_request_int(request, "limit", 2000);
	if (objects) {
		json_t *list = json_array();
		for (size_t i = 0; i < objects->index_count && i < limit; i++)
			json_array_append_new(list, index_json(&objects->indexes[i]));
		reply_objects(reply, objects->indexes_wall_ms, snapshot->stale_ms[PGM_COLLECT_INDEXES] != 0,
			      "indexes", list, objects->indexes_total);
	}
	pgm_snapshot_release(snapshot);
}

const struct pgm_route pgm_api_objects_routes[] = {
	{PGM_GET, "/api/v1/databases/{db}/tables", PGM_ROLE_VIEWER, get_tables,
	 "The largest and most used tables of a database", page_params, 0, "databases"},
	{PGM_GET, "/api/v1/databases/{db}/indexes", PGM_ROLE_VIEWER, get_indexes,
	 "The largest and most used indexes of a database", page_params, 0, "databases"},
	{0},
};
