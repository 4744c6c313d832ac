#include "copyin/table.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"
#include "util/nearest.h"

#include <string.h>

#define LIKE_NAMED_SQL                                                                            \
	"SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'f') " \
	"AND pg_catalog.pg_table_is_visible(c.oid) AND c.relnamespace <> "                        \
	"'pg_catalog'::pg_catalog.regnamespace LIMIT 10000"

static bool not_there(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, LIKE_NAMED_SQL, 0, NULL, &rows, err))
		return false;
	const char **names = PGM_NEW_ARRAY(arena, const char *, rows.count + 1);
	for (size_t i = 0; i < rows.count; i++)
		names[i] = pgm_rows_text(&rows, i, 0);
	const char *nearest = pgm_nearest(name, names, rows.count);
	pgm_error_set(err, PGM_ERR_USAGE, "there is no table %s in database %s", name,
		      pgm_conn_database(conn));
	return nearest ? pgm_error_hint(err, "Did you mean %s?", pgm_quote_ident(arena, nearest)) : false;
}

static bool read_columns(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_copyin_table *table,
			 struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("copyin/sql/columns.sql"), 1, &table->oid, &rows,
			    err))
		return pgm_error_context(err, "reading the columns of %s", table->quoted);
	table->columns = PGM_NEW_ARRAY(arena, struct pgm_copyin_column, rows.count + 1);
	table->column_count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		table->columns[i] = (struct pgm_copyin_column){
			.name = pgm_rows_text(&rows, i, 0),
			.type = pgm_rows_text(&rows, i, 1),
			.array = pgm_rows_bool(&rows, i, 2),
			.json = pgm_rows_bool(&rows, i, 3),
			.not_null = pgm_rows_bool(&rows, i, 4),
			.has_default = pgm_rows_bool(&rows, i, 5),
			.generated = pgm_rows_bool(&rows, i, 6),
		};
	return true;
}

/* By the user's own search_path, for this one look. */
static bool look_up(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, struct pgm_rows *rows,
		    struct pgm_error *err)
{
	struct pgm_rows ignored;
	const char *path = pgm_conn_search_path(conn);
	if (!pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, false)", 1, &path,
			    &ignored, err))
		return false;
	bool ok = pgm_conn_query(conn, arena, pgm_embedded_text("copyin/sql/table.sql"), 1, &name, rows, err);
	if (!ok) {
		if (err && err->kind == PGM_ERR_QUERY)
			err->kind = PGM_ERR_USAGE;
		pgm_error_context(err, "\"%s\"", name);
	} else if (rows->count == 0) {
		ok = not_there(conn, arena, name, err);
	}
	pgm_conn_exec_quietly(conn, "SET search_path = pg_catalog");
	return ok;
}

bool pgm_copyin_table_find(struct pgm_conn *conn, struct pgm_arena *arena, const char *name,
			   struct pgm_copyin_table *table, struct pgm_error *err)
{
	struct pgm_rows rows;
	*table = (struct pgm_copyin_table){0};
	if (!look_up(conn, arena, name, &rows, err))
		return false;
	char kind = *pgm_rows_text(&rows, 0, 3);
	table->oid = pgm_rows_text(&rows, 0, 0);
	table->schema = pgm_rows_text(&rows, 0, 1);
	table->name = pgm_rows_text(&rows, 0, 2);
	table->quoted = pgm_quote_qualified(arena, table->schema, table->name);
	/* LOCK TABLE knows no rights to single columns. */
	table->lockable = (kind == 'r' || kind == 'p') && pgm_rows_bool(&rows, 0, 7);
	if (!strchr("rpvf", kind))
		return pgm_error_set(err, PGM_ERR_USAGE, "%s is no table: rows cannot be put into it",
				     table->quoted);
	if (!pgm_rows_bool(&rows, 0, 6)) {
		pgm_error_set(err, PGM_ERR_RIGHTS, "role %s may not insert into %s", pgm_conn_user(conn),
			      table->quoted);
		return pgm_error_hint(err, "GRANT INSERT ON %s TO %s;", table->quoted,
				      pgm_quote_ident(arena, pgm_conn_user(conn)));
	}
	if (pgm_rows_bool(&rows, 0, 4))
		table->insert_why = "row-level security applies to you";
	else if (pgm_rows_bool(&rows, 0, 5))
		table->insert_why = "it has a rule for INSERT";
	return read_columns(conn, arena, table, err);
}

bool pgm_copyin_check_key(struct pgm_conn *conn, struct pgm_arena *arena,
			  const struct pgm_copyin_table *table, const char *const *key, size_t count,
			  struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf array, keys;
	pgm_buf_init(&array, arena);
	pgm_buf_init(&keys, arena);
	for (size_t i = 0; i < count; i++) {
		if (pgm_copyin_column_find(table, key[i], strlen(key[i])) < 0)
			return pgm_error_set(err, PGM_ERR_USAGE, "--on-conflict: %s has no column \"%s\"%s",
					     table->quoted, key[i], pgm_copyin_suggest(arena, table, key[i]));
		pgm_buf_printf(&array, "%s\"", i ? "," : "{");
		for (const char *p = key[i]; *p; p++)
			pgm_buf_printf(&array, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
		pgm_buf_char(&array, '"');
	}
	pgm_buf_char(&array, '}');
	const char *sql = pgm_embedded_text("copyin/sql/keys.sql");
	if (!pgm_conn_query(conn, arena, sql, 2, (const char *[]){table->oid, array.text}, &rows, err))
		return pgm_error_context(err, "reading the keys of %s", table->quoted);
	if (rows.count > 0)
		return true;
	if (!pgm_conn_query(conn, arena, sql, 2, (const char *[]){table->oid, NULL}, &rows, err))
		return pgm_error_context(err, "reading the keys of %s", table->quoted);
	for (size_t i = 0; i < rows.count; i++)
		pgm_buf_printf(&keys, "%s--on-conflict=%s", i ? ", " : "", pgm_rows_text(&rows, i, 0));
	pgm_error_set(err, PGM_ERR_USAGE, "--on-conflict: %s has no unique key on just these columns",
		      table->quoted);
	return pgm_error_hint(err, "%s%s", rows.count ? "There are: " : "It has no unique key at all.",
			      keys.text);
}

int pgm_copyin_column_find(const struct pgm_copyin_table *table, const char *name, size_t length)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strlen(table->columns[i].name) == length &&
		    memcmp(table->columns[i].name, name, length) == 0)
			return (int)i;
	return -1;
}

const char *pgm_copyin_suggest(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			       const char *name)
{
	const char **names = PGM_NEW_ARRAY(arena, const char *, table->column_count + 1);
	for (size_t i = 0; i < table->column_count; i++)
		names[i] = table->columns[i].name;
	const char *nearest = pgm_nearest(name, names, table->column_count);
	return nearest ? pgm_sprintf(arena, "; did you mean \"%s\"?", nearest) : "";
}

static void add_fault(struct pgm_buf *faults, const char *text)
{
	pgm_buf_printf(faults, "%s%s", faults->length ? "; " : "", text);
}

static void check_name(struct pgm_arena *arena, const struct pgm_copyin_table *table,
		       const struct pgm_copyin_map *map, size_t i, const struct pgm_field *field,
		       struct pgm_buf *faults)
{
	const char *name = field->text ? pgm_strndup(arena, field->text, field->length) : "";
	int column = map->columns[i];
	if (column < 0) {
		add_fault(faults, pgm_sprintf(arena, "%s has no column \"%s\"%s", table->quoted, name,
					      *name ? pgm_copyin_suggest(arena, table, name) : ""));
		return;
	}
	if (table->columns[column].generated)
		add_fault(faults, pgm_sprintf(arena, "column \"%s\" is generated and takes no values", name));
	for (size_t k = 0; k < i; k++)
		if (map->columns[k] == column) {
			add_fault(faults, pgm_sprintf(arena, "column \"%s\" comes twice", name));
			return;
		}
}

bool pgm_copyin_map_names(struct pgm_arena *arena, const struct pgm_copyin_table *table, const char *where,
			  const struct pgm_field *names, size_t count, bool ignore_unknown,
			  struct pgm_copyin_map *map, struct pgm_error *err)
{
	struct pgm_buf faults, missing;
	size_t known = 0;
	pgm_buf_init(&faults, arena);
	pgm_buf_init(&missing, arena);
	*map = (struct pgm_copyin_map){.columns = PGM_NEW_ARRAY(arena, int, count + 1), .count = count};
	bool *given = PGM_NEW_ARRAY(arena, bool, table->column_count + 1);
	for (size_t i = 0; i < count; i++) {
		int column =
			names[i].text ? pgm_copyin_column_find(table, names[i].text, names[i].length) : -1;
		map->columns[i] = column;
		map->skips |= column < 0;
		known += column >= 0;
		if (column >= 0)
			given[column] = true;
		if (column >= 0 || !ignore_unknown)
			check_name(arena, table, map, i, &names[i], &faults);
	}
	for (size_t i = 0; i < table->column_count; i++) {
		const struct pgm_copyin_column *column = &table->columns[i];
		if (!given[i] && column->not_null && !column->has_default && !column->generated)
			pgm_buf_printf(&missing, "%s\"%s\"", missing.length ? ", " : "", column->name);
	}
	if (missing.length)
		add_fault(&faults, pgm_sprintf(arena, "NOT NULL and without a default, but not given: %s",
					       missing.text));
	if (!faults.length && known == 0)
		add_fault(&faults, "no column of the table is given");
	if (!faults.length)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", where, faults.text);
	if (known == 0)
		return pgm_error_hint(err, "If the file has no header, say --header=no. The columns: %s.",
				      pgm_copyin_map_list(arena, table, &(struct pgm_copyin_map){0}));
	return false;
}

void pgm_copyin_map_all(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			struct pgm_copyin_map *map)
{
	*map = (struct pgm_copyin_map){.columns = PGM_NEW_ARRAY(arena, int, table->column_count + 1)};
	for (size_t i = 0; i < table->column_count; i++)
		if (!table->columns[i].generated)
			map->columns[map->count++] = (int)i;
}

char *pgm_copyin_map_list(struct pgm_arena *arena, const struct pgm_copyin_table *table,
			  const struct pgm_copyin_map *map)
{
	struct pgm_copyin_map all = *map;
	struct pgm_buf list;
	pgm_buf_init(&list, arena);
	if (all.count == 0)
		pgm_copyin_map_all(arena, table, &all);
	for (size_t i = 0; i < all.count; i++)
		if (all.columns[i] >= 0)
			pgm_buf_printf(&list, "%s%s", list.length ? ", " : "",
				       pgm_quote_ident(arena, table->columns[all.columns[i]].name));
	return list.text;
}
