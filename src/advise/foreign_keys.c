/*
 * Foreign keys whose child has no index: each parent row that goes costs a scan of the child, which no plan
 * shows. They join the workload as the look-up that PostgreSQL's own trigger makes (ri_triggers.c), counted
 * as often as parent rows were deleted.
 */
#include "advise/run.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "workload/statement.h"

#include <math.h>
#include <string.h>

static bool among(const int *attnums, size_t count, int attnum)
{
	for (size_t i = 0; i < count; i++)
		if (attnums[i] == attnum)
			return true;
	return false;
}

/* The index's first key columns are the foreign key's, in any order, and it holds every row. */
static bool serves(const struct pgm_index *index, const struct pgm_foreign_key *key)
{
	bool btree = strcmp(index->method, "btree") == 0;
	bool hash = strcmp(index->method, "hash") == 0 && key->column_count == 1;
	if (!index->valid || index->predicate || (!btree && !hash) || index->key_count < key->column_count)
		return false;
	for (size_t i = 0; i < key->column_count; i++)
		if (!among(index->attnums, key->column_count, key->child_attnums[i]))
			return false;
	return true;
}

static bool has_index(const struct pgm_foreign_key *key)
{
	for (size_t i = 0; i < key->child->index_count; i++)
		if (serves(key->child->indexes[i], key))
			return true;
	return false;
}

/* Rows of a table that statements of the workload deleted. */
static double deleted_by_workload(struct pgm_advise_run *run, const struct pgm_table *table)
{
	double rows = 0;
	const struct pgm_writer *writer = pgm_writers_of(run, table);
	for (; writer; writer = writer->next)
		if (writer->statement->shape.kind == PGM_STATEMENT_DELETE)
			rows += fmax(writer->statement->rows,
				     run->workload->live ? 0 : writer->statement->calls);
	return rows;
}

/* With what comes down from the parents above, by cascade. */
static double deleted_rows(struct pgm_advise_run *run, const struct pgm_table *table, int depth)
{
	const struct pgm_catalog *catalog = run->catalog;
	double rows = deleted_by_workload(run, table);
	for (size_t i = 0; depth < 6 && i < catalog->foreign_key_count; i++) {
		const struct pgm_foreign_key *key = &catalog->foreign_keys[i];
		if (key->child != table || key->parent == table || key->on_delete != 'c')
			continue;
		rows += deleted_rows(run, key->parent, depth + 1) * table->tuples /
			fmax(key->parent->tuples, 1);
	}
	/* The server counted what really went, cascades and all. */
	return run->workload->live ? fmax(rows, (double)table->deletes) : rows;
}

static const char *look_up(struct pgm_arena *arena, const struct pgm_foreign_key *key)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	/* ri_triggers.c looks at one table only, but a partitioned one through all of its partitions. */
	pgm_buf_printf(&buf, "SELECT 1 FROM %s%s", key->child->kind == 'p' ? "" : "ONLY ",
		       pgm_quote_qualified(arena, key->child->schema, key->child->name));
	for (size_t i = 0; i < key->column_count; i++) {
		const struct pgm_column *column =
			pgm_table_column_by_attnum(key->child, key->child_attnums[i]);
		pgm_buf_printf(&buf, " %s %s = $%zu", i ? "AND" : "WHERE",
			       column ? pgm_quote_ident(arena, column->name) : "?", i + 1);
	}
	/* It locks what it finds, so no index can cover it. */
	pgm_buf_add(&buf, PGM_FOREIGN_KEY_LOCK);
	return buf.text;
}

void pgm_foreign_key_queries(struct pgm_advise_run *run)
{
	for (size_t i = 0; i < run->catalog->foreign_key_count; i++) {
		const struct pgm_foreign_key *key = &run->catalog->foreign_keys[i];
		struct pgm_workload *own = PGM_NEW(run->arena, struct pgm_workload);
		struct pgm_workload_builder builder;
		if (has_index(key))
			continue;
		double deletes = deleted_rows(run, key->parent, 0);
		pgm_workload_builder_init(&builder, run->arena, own);
		pgm_workload_add(&builder, look_up(run->arena, key), false, fmax(deletes, 1), 0, 0);
		pgm_workload_finish(&builder);
		struct pgm_query *query = PGM_NEW(run->arena, struct pgm_query);
		if (own->statement_count != 1 ||
		    !pgm_query_resolve(run->arena, run->catalog, &own->statements[0], query))
			continue;
		query->origin = PGM_QUERY_OF_FOREIGN_KEY;
		query->foreign_key = key;
		query->assumed_weight = deletes < 1;
		*pgm_vec_add(run->arena, &run->queries) = query;
	}
}
