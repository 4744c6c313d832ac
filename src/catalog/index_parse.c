#include "catalog/index_parse.h"

#include "pg/quote.h"
#include "sql/index_stmt.h"

static const struct pgm_column *find_column(struct pgm_arena *arena, const struct pgm_table *table,
					    const char *name, struct pgm_error *err)
{
	const struct pgm_column *column = pgm_table_column(table, name);
	if (!column)
		pgm_error_set(err, PGM_ERR_INPUT, "%s has no column %s",
			      pgm_quote_qualified(arena, table->schema, table->name),
			      pgm_quote_ident(arena, name));
	return column;
}

static bool take_keys(struct pgm_arena *arena, const struct pgm_index_stmt *stmt, struct pgm_index_def *def,
		      struct pgm_error *err)
{
	for (size_t i = 0; i < stmt->key_count; i++) {
		const struct pgm_index_stmt_key *from = &stmt->keys[i];
		struct pgm_index_key *key = &def->keys[def->key_count++];
		*key = (struct pgm_index_key){.expression = from->expression,
					      .descending = from->descending,
					      .nulls_first = from->nulls_first,
					      .opclass = from->opclass};
		if (from->column && !(key->column = find_column(arena, def->table, from->column, err)))
			return false;
	}
	for (size_t i = 0; i < stmt->include_count; i++)
		if (!(def->include[def->include_count++] =
			      find_column(arena, def->table, stmt->include[i], err)))
			return false;
	return true;
}

bool pgm_index_parse(struct pgm_arena *arena, const struct pgm_catalog *catalog, const char *sql,
		     struct pgm_index_def *def, const char **name, struct pgm_error *err)
{
	struct pgm_index_stmt stmt;
	if (!pgm_sql_index_stmt(arena, sql, &stmt, err))
		return false;
	*name = stmt.name;
	*def = (struct pgm_index_def){.table = pgm_catalog_table(catalog, stmt.schema, stmt.table),
				      .method = stmt.method,
				      .unique = stmt.unique,
				      .predicate = stmt.predicate,
				      .predicate_share = 1};
	if (!def->table)
		return pgm_error_set(err, PGM_ERR_INPUT, "there is no table %s",
				     stmt.schema ? pgm_quote_qualified(arena, stmt.schema, stmt.table)
						 : pgm_quote_ident(arena, stmt.table));
	if (stmt.key_count > PGM_INDEX_KEYS_MAX || stmt.include_count > PGM_INDEX_INCLUDE_MAX)
		return pgm_error_set(err, PGM_ERR_INPUT, "the index has too many columns");
	return take_keys(arena, &stmt, def, err);
}
