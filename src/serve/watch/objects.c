/*
 * Tables and indexes: the largest and the most used are read, a few of them get series of their own.
 */
#include "serve/watch/parts.h"

#include "pg/quote.h"
#include "util/clock.h"
#include "util/embedded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 8192.0 /* only for weights */

/* ---- what a row's columns are ---- */

enum type { DOUBLE, SECONDS, TEXT, OID, KIND, BOOL };

struct field {
	const char *column;
	enum type type;
	size_t offset;
};

#define TABLE(column, type, member)                                  \
	{                                                            \
		column, type, offsetof(struct pgm_table_row, member) \
	}
static const struct field table_fields[] = {
	TABLE("oid", OID, oid),
	TABLE("nspname", TEXT, schema),
	TABLE("relname", TEXT, name),
	TABLE("relkind", KIND, kind),
	TABLE("live_rows", DOUBLE, live_rows),
	TABLE("dead_rows", DOUBLE, dead_rows),
	TABLE("modified_since_analyze", DOUBLE, modified_since_analyze),
	TABLE("seq_scans", DOUBLE, seq_scans),
	TABLE("seq_rows", DOUBLE, seq_rows),
	TABLE("idx_scans", DOUBLE, idx_scans),
	TABLE("idx_rows", DOUBLE, idx_rows),
	TABLE("inserts", DOUBLE, inserts),
	TABLE("updates", DOUBLE, updates),
	TABLE("deletes", DOUBLE, deletes),
	TABLE("hot_updates", DOUBLE, hot_updates),
	TABLE("heap_read", DOUBLE, heap_read),
	TABLE("heap_hit", DOUBLE, heap_hit),
	TABLE("idx_read", DOUBLE, idx_read),
	TABLE("idx_hit", DOUBLE, idx_hit),
	TABLE("table_bytes", DOUBLE, table_bytes),
	TABLE("index_bytes", DOUBLE, index_bytes),
	TABLE("last_vacuum", SECONDS, last_vacuum_s),
	TABLE("last_autovacuum", SECONDS, last_autovacuum_s),
	TABLE("last_analyze", SECONDS, last_analyze_s),
	TABLE("last_autoanalyze", SECONDS, last_autoanalyze_s),
	TABLE("vacuums", DOUBLE, vacuums),
	TABLE("autovacuums", DOUBLE, autovacuums),
	TABLE("analyzes", DOUBLE, analyzes),
	TABLE("autoanalyzes", DOUBLE, autoanalyzes),
	TABLE("frozen_age", DOUBLE, frozen_age),
	TABLE("vacuum_due", DOUBLE, vacuum_due),
	{NULL},
};

#define INDEX(column, type, member)                                  \
	{                                                            \
		column, type, offsetof(struct pgm_index_row, member) \
	}
static const struct field index_fields[] = {
	INDEX("oid", OID, oid),
	INDEX("nspname", TEXT, schema),
	INDEX("tablename", TEXT, table),
	INDEX("relname", TEXT, name),
	INDEX("amname", TEXT, method),
	INDEX("scans", DOUBLE, scans),
	INDEX("rows_read", DOUBLE, rows_read),
	INDEX("rows_fetched", DOUBLE, rows_fetched),
	INDEX("read_blocks", DOUBLE, read_blocks),
	INDEX("hit_blocks", DOUBLE, hit_blocks),
	INDEX("bytes", DOUBLE, bytes),
	INDEX("indisvalid", BOOL, valid),
	INDEX("indisunique", BOOL, unique),
	INDEX("indisprimary", BOOL, primary),
	INDEX("is_constraint", BOOL, constraint),
	{NULL},
};

static void read_field(struct pgm_arena *arena, const struct pgm_rows *rows, size_t r, size_t c,
		       enum type type, void *to)
{
	switch (type) {
	case DOUBLE:
		*(double *)to = pgm_rows_double(rows, r, c);
		break;
	case SECONDS:
		*(int64_t *)to = (int64_t)pgm_rows_double(rows, r, c);
		break;
	case TEXT:
		*(const char **)to = pgm_watch_text(arena, pgm_rows_text(rows, r, c));
		break;
	case OID:
		*(uint32_t *)to = (uint32_t)pgm_rows_int(rows, r, c);
		break;
	case KIND:
		*(char *)to = *pgm_rows_text(rows, r, c);
		break;
	case BOOL:
		*(bool *)to = pgm_rows_bool(rows, r, c);
		break;
	}
}

static void read_all(struct pgm_arena *arena, const struct pgm_rows *rows, const struct field *fields,
		     void *list, size_t row_size)
{
	for (const struct field *field = fields; field->column; field++) {
		size_t c = pgm_rows_column(rows, field->column);
		if (c == rows->columns)
			abort(); /* the .sql file lacks it */
		for (size_t r = 0; r < rows->count; r++)
			read_field(arena, rows, r, c, field->type,
				   (char *)list + r * row_size + field->offset);
	}
}

/* A figure of all rows, which each row has. */
static double of_all(const struct pgm_rows *rows, const char *column)
{
	return rows->count ? pgm_rows_double(rows, 0, pgm_rows_column(rows, column)) : 0;
}

/* ---- asking ---- */

static char *oid_list(struct pgm_arena *arena, const uint64_t *oids, size_t count)
{
	struct pgm_buf list;
	char number[24];
	pgm_quote_array_begin(&list, arena);
	for (size_t i = 0; i < count; i++) {
		snprintf(number, sizeof(number), "%" PRIu64, oids[i]);
		pgm_quote_array_add(&list, number);
	}
	return pgm_quote_array_end(&list);
}

static bool ask(struct pgm_look *look, struct pgm_arena *arena, const char *file, int most,
		struct pgm_top *first, size_t places, struct pgm_rows *rows, struct pgm_error *err)
{
	uint64_t *oids = PGM_NEW_ARRAY(arena, uint64_t, places + 1);
	const char *params[] = {pgm_sprintf(arena, "%d", most),
				oid_list(arena, oids, pgm_top_ids(first, oids)),
				look->options->ledger_schema};
	return pgm_look_query(look, arena, pgm_embedded_text(file), 3, params, rows, err);
}

/* ---- tables ---- */

static size_t choose_tables(struct pgm_look *look, struct pgm_arena *arena, const struct pgm_objects *objects,
			    size_t *ranked)
{
	struct pgm_top_item *items = PGM_NEW_ARRAY(arena, struct pgm_top_item, objects->table_count + 1);
	for (size_t i = 0; i < objects->table_count; i++) {
		const struct pgm_table_row *row = &objects->tables[i];
		items[i] = (struct pgm_top_item){
			.id = row->oid,
			.counter = row->seq_rows + row->idx_rows + row->inserts + row->updates + row->deletes,
			.weight = (row->table_bytes + row->index_bytes) / PAGE_BYTES};
	}
	return pgm_top_choose(look->top_tables, items, objects->table_count, ranked);
}

/* The files' sizes of those that get series: by the catalog's pages where they cannot be had just now. */
static void size_tables(struct pgm_look *look, struct pgm_arena *arena, struct pgm_objects_part *made,
			const size_t *ranked, size_t count)
{
	struct pgm_table_row *tables = (struct pgm_table_row *)made->objects.tables;
	uint64_t *oids = PGM_NEW_ARRAY(arena, uint64_t, count + 1);
	struct pgm_rows rows;
	struct pgm_error err;
	double began = pgm_clock_ms();
	for (size_t i = 0; i < count; i++)
		oids[i] = tables[ranked[i]].oid;
	const char *params[] = {oid_list(arena, oids, count)};
	bool ok = pgm_look_query(look, arena, pgm_embedded_text("serve/watch/sql/table_sizes.sql"), 1, params,
				 &rows, &err);
	pgm_look_note(look, PGM_COLLECT_TABLE_SIZES, pgm_clock_ms() - began, ok ? NULL : &err);
	for (size_t r = 0; ok && r < rows.count; r++)
		for (size_t i = 0; i < count; i++) {
			struct pgm_table_row *row = &tables[ranked[i]];
			if (row->oid != (uint32_t)pgm_rows_int(&rows, r, 0) || !pgm_rows_get(&rows, r, 1))
				continue; /* another, or dropped meanwhile */
			row->table_bytes = pgm_rows_double(&rows, r, 1);
			row->index_bytes = pgm_rows_double(&rows, r, 2);
			row->sized = true;
		}
}

#define SERIES(metric, member)                                        \
	{                                                             \
		metric, false, offsetof(struct pgm_table_row, member) \
	}
#define MOMENT(metric, member)                                       \
	{                                                            \
		metric, true, offsetof(struct pgm_table_row, member) \
	}
static const struct {
	const char *metric;
	bool seconds;
	size_t offset;
} table_series[] = {
	SERIES("pg_stat_user_tables_seq_scan", seq_scans),
	SERIES("pg_stat_user_tables_seq_tup_read", seq_rows),
	SERIES("pg_stat_user_tables_idx_scan", idx_scans),
	SERIES("pg_stat_user_tables_idx_tup_fetch", idx_rows),
	SERIES("pg_stat_user_tables_n_tup_ins", inserts),
	SERIES("pg_stat_user_tables_n_tup_upd", updates),
	SERIES("pg_stat_user_tables_n_tup_del", deletes),
	SERIES("pg_stat_user_tables_n_tup_hot_upd", hot_updates),
	SERIES("pg_stat_user_tables_n_live_tup", live_rows),
	SERIES("pg_stat_user_tables_n_dead_tup", dead_rows),
	SERIES("pg_stat_user_tables_n_mod_since_analyze", modified_since_analyze),
	MOMENT("pg_stat_user_tables_last_vacuum", last_vacuum_s),
	MOMENT("pg_stat_user_tables_last_autovacuum", last_autovacuum_s),
	MOMENT("pg_stat_user_tables_last_analyze", last_analyze_s),
	MOMENT("pg_stat_user_tables_last_autoanalyze", last_autoanalyze_s),
	SERIES("pg_stat_user_tables_vacuum_count", vacuums),
	SERIES("pg_stat_user_tables_autovacuum_count", autovacuums),
	SERIES("pg_stat_user_tables_analyze_count", analyzes),
	SERIES("pg_stat_user_tables_autoanalyze_count", autoanalyzes),
	SERIES("pg_stat_user_tables_index_size_bytes", index_bytes),
	SERIES("pg_stat_user_tables_table_size_bytes", table_bytes),
	SERIES("pg_statio_user_tables_heap_blocks_read", heap_read),
	SERIES("pg_statio_user_tables_heap_blocks_hit", heap_hit),
	SERIES("pg_statio_user_tables_idx_blocks_read", idx_read),
	SERIES("pg_statio_user_tables_idx_blocks_hit", idx_hit),
	SERIES("pgmend_table_vacuum_due_ratio", vacuum_due),
};

static void add_tables(struct pgm_samples_builder *builder, const struct pgm_look *look,
		       const struct pgm_objects *objects, const size_t *ranked, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct pgm_table_row *row = &objects->tables[ranked[i]];
		const char *labels[] = {look->database, row->schema, row->name};
		for (size_t s = 0; s < sizeof(table_series) / sizeof(*table_series); s++) {
			const void *at = (const char *)row + table_series[s].offset;
			pgm_samples_add_named(builder, table_series[s].metric, labels,
					      table_series[s].seconds ? (double)*(const int64_t *)at
								      : *(const double *)at);
		}
	}
}

static bool look_at_tables(struct pgm_look *look, struct pgm_arena *arena, const char *file,
			   struct pgm_objects_part *made, struct pgm_error *err)
{
	struct pgm_objects *objects = &made->objects;
	struct pgm_samples_builder builder;
	struct pgm_rows rows;
	size_t places = look->options->top_tables, due = 0;
	if (!ask(look, arena, file, PGM_LOOK_TABLES_MAX, look->top_tables, places, &rows, err))
		return false;
	struct pgm_table_row *tables = PGM_NEW_ARRAY(made->part.arena, struct pgm_table_row, rows.count + 1);
	read_all(made->part.arena, &rows, table_fields, tables, sizeof(*tables));
	objects->tables = tables;
	objects->table_count = rows.count;
	objects->tables_total = (size_t)of_all(&rows, "all_tables");
	size_t *ranked = PGM_NEW_ARRAY(arena, size_t, places + 1);
	size_t count = choose_tables(look, arena, objects, ranked);
	size_tables(look, arena, made, ranked, count);
	for (size_t i = 0; i < rows.count; i++)
		due += tables[i].vacuum_due > 1;
	pgm_samples_begin(&builder, PGM_COLLECT_TABLES);
	add_tables(&builder, look, objects, ranked, count);
	pgm_samples_add_named(&builder, "pgmend_tables", NULL, (double)objects->tables_total);
	pgm_samples_add_named(&builder, "pgmend_table_frozen_age_transactions", NULL,
			      of_all(&rows, "all_frozen_age"));
	pgm_samples_add_named(&builder, "pgmend_tables_vacuum_due", NULL, (double)due);
	pgm_look_take(look, pgm_samples_end(&builder));
	return true;
}

/* ---- indexes ---- */

static void add_indexes(struct pgm_samples_builder *builder, struct pgm_look *look, struct pgm_arena *arena,
			const struct pgm_objects *objects)
{
	struct pgm_top_item *items = PGM_NEW_ARRAY(arena, struct pgm_top_item, objects->index_count + 1);
	size_t *ranked = PGM_NEW_ARRAY(arena, size_t, look->options->top_indexes + 1);
	for (size_t i = 0; i < objects->index_count; i++)
		items[i] = (struct pgm_top_item){.id = objects->indexes[i].oid,
						 .counter = objects->indexes[i].scans,
						 .weight = objects->indexes[i].bytes / PAGE_BYTES};
	size_t count = pgm_top_choose(look->top_indexes, items, objects->index_count, ranked);
	for (size_t i = 0; i < count; i++) {
		const struct pgm_index_row *row = &objects->indexes[ranked[i]];
		const char *labels[] = {look->database, row->schema, row->table, row->name};
		pgm_samples_add_named(builder, "pgmend_index_scans_total", labels, row->scans);
		pgm_samples_add_named(builder, "pgmend_index_rows_read_total", labels, row->rows_read);
		pgm_samples_add_named(builder, "pgmend_index_size_bytes", labels, row->bytes);
	}
}

/* 16 and later. Without them, it is not known when. */
static void read_last_scans(struct pgm_look *look, struct pgm_arena *arena, struct pgm_index_row *indexes,
			    size_t count)
{
	struct pgm_map by_oid;
	struct pgm_rows rows;
	struct pgm_error err;
	if (!pgm_map_get(&look->columns, "pg_stat_all_indexes.last_idx_scan"))
		return;
	uint64_t *oids = PGM_NEW_ARRAY(arena, uint64_t, count + 1);
	pgm_map_init(&by_oid, arena);
	for (size_t i = 0; i < count; i++) {
		oids[i] = indexes[i].oid;
		pgm_map_set(&by_oid, pgm_sprintf(arena, "%" PRIu64, oids[i]), &indexes[i]);
	}
	const char *params[] = {oid_list(arena, oids, count)};
	if (!pgm_look_query(look, arena, pgm_embedded_text("serve/watch/sql/index_scans_16.sql"), 1, params,
			    &rows, &err))
		return;
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_index_row *row = pgm_map_get(&by_oid, pgm_rows_text(&rows, r, 0));
		if (row)
			row->last_scan_s = (int64_t)pgm_rows_double(&rows, r, 1);
	}
}

static bool look_at_indexes(struct pgm_look *look, struct pgm_arena *arena, struct pgm_objects_part *made,
			    struct pgm_error *err)
{
	struct pgm_objects *objects = &made->objects;
	struct pgm_samples_builder builder;
	struct pgm_rows rows;
	double unused_bytes = 0;
	if (!ask(look, arena, "serve/watch/sql/indexes.sql", PGM_LOOK_INDEXES_MAX, look->top_indexes,
		 look->options->top_indexes, &rows, err))
		return false;
	struct pgm_index_row *indexes = PGM_NEW_ARRAY(made->part.arena, struct pgm_index_row, rows.count + 1);
	read_all(made->part.arena, &rows, index_fields, indexes, sizeof(*indexes));
	read_last_scans(look, arena, indexes, rows.count);
	objects->indexes = indexes;
	objects->index_count = rows.count;
	objects->indexes_total = (size_t)of_all(&rows, "all_indexes");
	objects->indexes_wall_ms = look->wall_ms;
	for (size_t i = 0; i < rows.count; i++)
		if (indexes[i].scans == 0 && !indexes[i].unique && !indexes[i].primary &&
		    !indexes[i].constraint)
			unused_bytes += indexes[i].bytes;
	pgm_samples_begin(&builder, PGM_COLLECT_INDEXES);
	add_indexes(&builder, look, arena, objects);
	pgm_samples_add_named(&builder, "pgmend_indexes", NULL, (double)objects->indexes_total);
	pgm_samples_add_named(&builder, "pgmend_index_unused_bytes", NULL, unused_bytes);
	pgm_samples_add_named(&builder, "pgmend_indexes_invalid", NULL, of_all(&rows, "all_invalid"));
	pgm_look_take(look, pgm_samples_end(&builder));
	return true;
}

/* ---- both ---- */

/* Where they cannot be read, those of the look before: in the part that they were read into. */
static void keep_indexes(struct pgm_objects_part *made, struct pgm_objects_part *before)
{
	if (!before)
		return;
	made->objects.indexes = before->objects.indexes;
	made->objects.index_count = before->objects.index_count;
	made->objects.indexes_total = before->objects.indexes_total;
	made->objects.indexes_wall_ms = before->objects.indexes_wall_ms;
	made->part.base = pgm_part_keep(before->part.base ? before->part.base : &before->part);
}

bool pgm_look_objects(struct pgm_look *look, const char *file, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_objects_part *made = pgm_part_new(sizeof(*made));
	made->objects.wall_ms = look->wall_ms;
	if (!look_at_tables(look, arena, file, made, err)) {
		pgm_part_release(&made->part);
		return false;
	}
	struct pgm_error index_err;
	double began = pgm_clock_ms();
	bool ok = !look->lost && look_at_indexes(look, arena, made, &index_err);
	if (!look->lost)
		pgm_look_note(look, PGM_COLLECT_INDEXES, pgm_clock_ms() - began, ok ? NULL : &index_err);
	if (!ok)
		keep_indexes(made, look->objects);
	if (look->objects)
		pgm_part_release(&look->objects->part);
	look->objects = made;
	look->fresh_objects = true;
	return !look->lost || pgm_error_set(err, PGM_ERR_CONNECT, "the session was lost");
}
