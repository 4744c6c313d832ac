#include "partition/upkeep_parts.h"

#include "pg/quote.h"
#include "util/embedded.h"

#include <string.h>

static struct pgm_upkeep_table *find(struct pgm_upkeep_table *tables, size_t count, const char *schema,
				     const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tables[i].schema, schema) == 0 && strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

static bool read_own(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *tables,
		     size_t count, struct pgm_error *err)
{
	struct pgm_rows rows;
	char *there;
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass('pgmend.upkeep')", 0, NULL, &there,
			    err))
		return false;
	if (!there)
		return true;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_stored.sql"), 0, NULL, &rows,
			    err))
		return pgm_error_context(err, "reading the stored settings");
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_upkeep_table *table =
			find(tables, count, pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r, 1));
		if (!table)
			continue;
		const struct pgm_upkeep_settings stored = {
			.interval = pgm_rows_get(&rows, r, 2),
			.premake = pgm_rows_get(&rows, r, 3) ? pgm_rows_int(&rows, r, 3) : -1,
			.retention = pgm_rows_get(&rows, r, 4),
			.retire = pgm_upkeep_retire_parse(pgm_rows_text(&rows, r, 5)),
			.retention_schema = pgm_rows_get(&rows, r, 6),
			.archive_dir = pgm_rows_get(&rows, r, 7),
			.timezone = pgm_rows_get(&rows, r, 8),
		};
		pgm_upkeep_prefer(&stored, &table->settings);
		table->settings.source =
			table->settings.source ? "pgmend.upkeep and pg_partman" : "pgmend.upkeep";
	}
	return true;
}

static int64_t epoch_units(const char *epoch)
{
	static const struct {
		const char *word;
		int64_t units;
	} words[] = {{"seconds", 1},
		     {"milliseconds", 1000},
		     {"microseconds", 1000000},
		     {"nanoseconds", 1000000000}};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].word, epoch) == 0)
			return words[i].units;
	return 0;
}

/* As drop_partition_time() and drop_partition_id() of pg_partman understand it. */
static void take_partman(struct pgm_arena *arena, const struct pgm_rows *rows, size_t r,
			 struct pgm_upkeep_table *table)
{
	const char *schema = pgm_rows_get(rows, r, 4);
	bool keeps = pgm_rows_bool(rows, r, 5);
	table->settings = (struct pgm_upkeep_settings){
		.interval = pgm_rows_get(rows, r, 1),
		.premake = pgm_rows_int(rows, r, 2),
		.retention = pgm_rows_get(rows, r, 3),
		.retention_schema = schema,
		.retire = schema || keeps ? PGM_RETIRE_KEEP : PGM_RETIRE_DROP,
		.name_format = pgm_rows_get(rows, r, 7),
		.epoch_units = epoch_units(pgm_rows_text(rows, r, 8)),
		.skip = strcmp(pgm_rows_text(rows, r, 9), "on") != 0 || pgm_rows_bool(rows, r, 10),
		.source = "pg_partman",
	};
	if (table->settings.retention && keeps && !pgm_rows_bool(rows, r, 6))
		pgm_upkeep_note(arena, table, false,
				"pg_partman's retention_keep_index is not followed: kept partitions keep "
				"their indexes");
}

static bool read_partman(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *tables,
			 size_t count, struct pgm_error *err)
{
	struct pgm_rows rows;
	char *config;
	if (!pgm_conn_value(
		    conn, arena,
		    "SELECT pg_catalog.format('%I.part_config', n.nspname) FROM pg_catalog.pg_extension AS e "
		    "JOIN "
		    "pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace JOIN pg_catalog.pg_class AS c ON "
		    "c.relnamespace = n.oid AND c.relname = 'part_config' WHERE e.extname = 'pg_partman' AND "
		    "pg_catalog.has_table_privilege(c.oid, 'SELECT') AND "
		    "pg_catalog.has_schema_privilege(n.oid, "
		    "'USAGE')",
		    0, NULL, &config, err))
		return false;
	if (!config)
		return true;
	/* By name out of the row, since what columns there are depends on the version. */
	const char *sql = pgm_sprintf(
		arena,
		"SELECT j ->> 'parent_table', j ->> 'partition_interval', j ->> 'premake', j ->> "
		"'retention', "
		"j ->> 'retention_schema', j ->> 'retention_keep_table', j ->> 'retention_keep_index', "
		"j ->> 'datetime_string', j ->> 'epoch', j ->> 'automatic_maintenance', j ->> "
		"'undo_in_progress' "
		"FROM (SELECT pg_catalog.to_jsonb(p) AS j FROM %s AS p) AS row",
		config);
	if (!pgm_conn_query(conn, arena, sql, 0, NULL, &rows, err))
		return pgm_error_context(err, "reading pg_partman's configuration");
	for (size_t r = 0; r < rows.count; r++)
		for (size_t i = 0; i < count; i++)
			if (strcmp(pgm_sprintf(arena, "%s.%s", tables[i].schema, tables[i].name),
				   pgm_rows_text(&rows, r, 0)) == 0)
				take_partman(arena, &rows, r, &tables[i]);
	return true;
}

bool pgm_upkeep_stored(struct pgm_conn *conn, struct pgm_arena *arena, bool ledger,
		       struct pgm_upkeep_table *tables, size_t count, struct pgm_error *err)
{
	return read_partman(conn, arena, tables, count, err) &&
	       (!ledger || read_own(conn, arena, tables, count, err));
}
