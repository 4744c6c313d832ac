/*
 * Which statements the planner could use a candidate for.
 */
#include "advise/run.h"

#include <string.h>

static bool predicate_holds(const struct pgm_candidate *candidate, const struct pgm_query *query,
			    int occurrence)
{
	struct pgm_predicate own;
	if (!candidate->def.predicate)
		return true;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	pgm_predicate_of(scratch, query, occurrence, true, &own);
	for (size_t i = 0; i < candidate->predicate.count; i++) {
		bool found = false;
		for (size_t j = 0; j < own.count; j++)
			found |= strcmp(candidate->predicate.terms[i], own.terms[j]) == 0;
		if (!found)
			return false;
	}
	return true;
}

static bool covers_all(const struct pgm_index_def *def, const struct pgm_occurrence *occurrence)
{
	if (occurrence->whole_row || occurrence->target || occurrence->read_count == 0)
		return false;
	for (size_t i = 0; i < occurrence->read_count; i++)
		if (!pgm_index_def_has_column(def, occurrence->read[i]))
			return false;
	return true;
}

static bool atom_uses(const struct pgm_query_atom *atom, const struct pgm_index_key *first,
		      const char *method)
{
	enum pgm_atom_kind kind = atom->atom->kind;
	if (strcmp(method, "gin") == 0)
		return (kind == PGM_ATOM_CONTAIN || kind == PGM_ATOM_PATTERN) &&
		       atom->column == first->column;
	if (kind == PGM_ATOM_CONTAIN || kind == PGM_ATOM_PATTERN || kind == PGM_ATOM_OTHER)
		return false;
	if (first->expression)
		return atom->expression && strcmp(atom->expression, first->expression) == 0;
	return !atom->expression && atom->column == first->column;
}

bool pgm_candidate_relevant(const struct pgm_advise_run *run, const struct pgm_candidate *candidate,
			    const struct pgm_query *query)
{
	if (candidate->impossible)
		return false;
	for (size_t o = 0; o < query->occurrence_count; o++) {
		const struct pgm_occurrence *occurrence = &query->occurrences[o];
		if (pgm_candidate_serves_partition(run->catalog, candidate, query, (int)o))
			return true;
		if (occurrence->table != candidate->def.table || !predicate_holds(candidate, query, (int)o))
			continue;
		if (covers_all(&candidate->def, occurrence) || candidate->def.predicate)
			return true;
		for (size_t i = 0; i < query->atom_count; i++)
			if (query->atoms[i].occurrence == (int)o &&
			    atom_uses(&query->atoms[i], &candidate->def.keys[0], candidate->def.method))
				return true;
	}
	return false;
}
