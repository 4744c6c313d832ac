/*
 * Candidates of a partitioned table and those of its partitions.
 */
#include "advise/run.h"

#include <string.h>

static bool is_below(const struct pgm_catalog *catalog, const struct pgm_table *table,
		     const struct pgm_table *above)
{
	for (int depth = 0; table && table->is_partition && depth < 32; depth++) {
		table = pgm_catalog_table_by_oid(catalog, table->parent_oid);
		if (table == above)
			return true;
	}
	return false;
}

static bool same_name(const struct pgm_column *a, const struct pgm_column *b)
{
	return a && b && strcmp(a->name, b->name) == 0;
}

/* An index of the parent is one of the partition too: its columns are told by their names. */
bool pgm_candidate_serves_partition(const struct pgm_catalog *catalog, const struct pgm_candidate *candidate,
				    const struct pgm_query *query, int occurrence)
{
	const struct pgm_table *table = query->occurrences[occurrence].table;
	if (!table->is_partition || candidate->def.predicate || candidate->estimated ||
	    !is_below(catalog, table, candidate->def.table))
		return false;
	for (size_t i = 0; i < query->atom_count; i++)
		if (query->atoms[i].occurrence == occurrence && !query->atoms[i].expression &&
		    same_name(query->atoms[i].column, candidate->def.keys[0].column))
			return true;
	return false;
}

bool pgm_candidate_covers_partition(const struct pgm_catalog *catalog, const struct pgm_candidate *above,
				    const struct pgm_candidate *candidate)
{
	const struct pgm_index_def *b = &above->def, *a = &candidate->def;
	if (!is_below(catalog, a->table, b->table) || a->key_count > b->key_count || a->predicate ||
	    b->predicate || strcmp(a->method, b->method) != 0)
		return false;
	for (size_t i = 0; i < a->key_count; i++)
		if (!same_name(a->keys[i].column, b->keys[i].column) || a->keys[i].opclass ||
		    b->keys[i].opclass || a->keys[i].descending != b->keys[i].descending ||
		    a->keys[i].nulls_first != b->keys[i].nulls_first)
			return false;
	for (size_t i = 0; i < a->include_count; i++) {
		bool found = false;
		for (size_t j = 0; j < b->include_count; j++)
			found |= same_name(a->include[i], b->include[j]);
		if (!found)
			return false;
	}
	return true;
}
