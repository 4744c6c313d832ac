/*
 * What an index costs the rows that are written.
 *
 * In the planner's unit: what bench/write_cost.py measured on two cores with everything in cache, where one
 * unit of a sequential scan took 0.9 us. An entry in random order took 2.3 to 2.7 us (descent, insertion,
 * WAL); one of 200 bytes 8.9. An update that sets a key pays the same for each index of the table; a HOT
 * update pays nothing. Entries in ascending order (times, serial numbers) cost less than this; pages that
 * come from disk or go whole to the WAL after a checkpoint more, which COLD_PAGE_COST only guesses at.
 */
#include "advise/gin.h"
#include "advise/run.h"
#include "advise/size.h"

#include <math.h>
#include <string.h>

#define ENTRY_COST	2.4		  /* descent, insertion and WAL of one btree entry */
#define ENTRY_BYTE_COST 0.03		  /* for each byte of the tuple */
#define COLD_PAGE_COST	2.0		  /* a leaf page that is not in cache: half of random_page_cost */
#define CACHE_BYTES	(4.0 * (1 << 30)) /* an index far larger than this is mostly cold */
#define ROW_COST	3.0 /* of the row itself, without any index, in a statement that writes many */

static bool touches(const struct pgm_index_def *def, const char *column)
{
	for (size_t i = 0; i < def->key_count; i++)
		if (def->keys[i].column ? strcmp(def->keys[i].column->name, column) == 0
					: strstr(def->keys[i].expression, column) != NULL)
			return true;
	for (size_t i = 0; i < def->include_count; i++)
		if (strcmp(def->include[i]->name, column) == 0)
			return true;
	return def->predicate && strstr(def->predicate, column);
}

static double entry_cost(const struct pgm_candidate *candidate)
{
	double cold = fmax(0, 1 - CACHE_BYTES / fmax(candidate->size_bytes, 1));
	double entries = candidate->estimated ? pgm_gin_entries_per_row(candidate) : 1;
	double share = candidate->def.predicate ? candidate->def.predicate_share : 1;
	double tuple = candidate->estimated ? 24 : pgm_size_tuple_bytes(&candidate->def);
	return share * entries * (ENTRY_COST + ENTRY_BYTE_COST * tuple + COLD_PAGE_COST * cold);
}

static double rows_written(const struct pgm_statement *statement, bool live)
{
	/* A file says nothing of rows: one for each call. */
	return live ? statement->rows : fmax(statement->rows, statement->calls);
}

/* Rows of this statement that make an entry in the index; others[0] grows by HOT updates that are lost. */
static double entries_of(const struct pgm_statement *statement, const struct pgm_candidate *candidate,
			 bool live, double *lost_hot)
{
	const struct pgm_table *table = candidate->def.table;
	double rows = rows_written(statement, live);
	if (statement->shape.kind == PGM_STATEMENT_INSERT)
		return rows;
	if (statement->shape.kind != PGM_STATEMENT_UPDATE)
		return 0; /* a delete leaves index entries alone; vacuum removes them later, cheaply */
	double hot = table->updates > 0 ? (double)table->hot_updates / (double)table->updates : 0.5;
	for (size_t i = 0; i < statement->shape.set_count; i++)
		if (touches(&candidate->def, statement->shape.set_columns[i])) {
			*lost_hot += rows * hot;
			return rows;
		}
	return rows * (1 - hot);
}

static const char *key_of(struct pgm_arena *arena, const struct pgm_table *table)
{
	return pgm_sprintf(arena, "%u", table->oid);
}

/* Who writes to which table, found out once: there may be thousands of statements and of candidates. */
static void find_writers(struct pgm_advise_run *run)
{
	pgm_map_init(&run->writers, run->arena);
	run->writers_found = true;
	for (size_t i = 0; i < run->workload->statement_count; i++) {
		const struct pgm_statement *statement = &run->workload->statements[i];
		for (size_t t = 0; t < statement->shape.table_count; t++) {
			const struct pgm_shape_table *target = &statement->shape.tables[t];
			const struct pgm_table *table =
				target->target ? pgm_catalog_table(run->catalog, target->schema, target->name)
					       : NULL;
			if (!table)
				continue;
			struct pgm_writer *writer = PGM_NEW(run->arena, struct pgm_writer);
			const char *key = key_of(run->arena, table);
			*writer = (struct pgm_writer){statement, pgm_map_get(&run->writers, key)};
			pgm_map_set(&run->writers, key, writer);
		}
	}
}

const struct pgm_writer *pgm_writers_of(struct pgm_advise_run *run, const struct pgm_table *table)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	if (!run->writers_found)
		find_writers(run);
	return pgm_map_get(&run->writers, key_of(scratch, table));
}

static double cost_of(struct pgm_advise_run *run, const struct pgm_candidate *candidate)
{
	double entries = 0, lost_hot = 0;
	const struct pgm_writer *writer = pgm_writers_of(run, candidate->def.table);
	for (; writer; writer = writer->next)
		entries += entries_of(writer->statement, candidate, run->workload->live, &lost_hot);
	/* An update that was HOT now writes an entry into every other index of the table too. */
	return entry_cost(candidate) * entries +
	       lost_hot * ENTRY_COST * (double)candidate->def.table->index_count;
}

void pgm_write_costs(struct pgm_advise_run *run)
{
	for (size_t i = 0; i < run->candidates.count; i++)
		run->candidates.items[i]->write_cost = cost_of(run, run->candidates.items[i]);
}

double pgm_write_overhead(const struct pgm_advise_run *run, const struct pgm_candidate *candidate)
{
	(void)run;
	return entry_cost(candidate) / (ROW_COST + ENTRY_COST * (double)candidate->def.table->index_count);
}
