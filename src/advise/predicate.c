#include "advise/predicate.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <string.h>

static const char *constant_term(struct pgm_arena *arena, const struct pgm_query *query,
				 const struct pgm_query_atom *atom, double *share)
{
	const char *literal = atom->atom->value.text;
	const struct pgm_column *column = atom->column;
	if (atom->atom->kind != PGM_ATOM_EQ || atom->atom->value.kind != PGM_VALUE_LITERAL || !literal ||
	    atom->atom->varies || query->statement->sample_count == 0)
		return NULL;
	/* Few values, and a rare one: else the index would serve one customer's rows alone. */
	if (!column->has_statistics || column->distinct > 50)
		return NULL;
	*share = pgm_column_value_share(column, query->occurrences[atom->occurrence].table,
					pgm_literal_bare(arena, literal));
	if (*share > PGM_PREDICATE_CONSTANT_MAX)
		return NULL;
	const char *name = pgm_quote_ident(arena, column->name);
	/* The planner makes of "paid = false" a "NOT paid"; HypoPG keeps a predicate as it is. */
	if (strcmp(column->type_name, "bool") == 0)
		return *pgm_literal_bare(arena, literal) == 't' ? pgm_strdup(arena, name)
								: pgm_sprintf(arena, "NOT %s", name);
	return pgm_sprintf(arena, "%s = %s", name, literal);
}

const char *pgm_predicate_term(struct pgm_arena *arena, const struct pgm_query *query,
			       const struct pgm_query_atom *atom, double *share)
{
	const struct pgm_column *column = atom->column;
	if (atom->expression || atom->atom->under_or || !column->has_statistics)
		return NULL;
	const char *name = pgm_quote_ident(arena, column->name);
	double present = 1 - column->null_fraction;
	const struct pgm_table *table = query->occurrences[atom->occurrence].table;
	switch (atom->atom->kind) {
	case PGM_ATOM_NULL:
		*share = column->null_fraction;
		return pgm_sprintf(arena, "%s IS NULL", name);
	case PGM_ATOM_NOT_NULL:
		*share = present;
		return pgm_sprintf(arena, "%s IS NOT NULL", name);
	case PGM_ATOM_TRUE:
		*share = pgm_column_value_share(column, table, "t");
		return pgm_strdup(arena, name);
	case PGM_ATOM_FALSE:
		*share = pgm_column_value_share(column, table, "f");
		return pgm_sprintf(arena, "NOT %s", name);
	default:
		return constant_term(arena, query, atom, share);
	}
}

static bool add_term(struct pgm_predicate *predicate, const char *term, const struct pgm_column *column,
		     double share)
{
	size_t at = predicate->count;
	for (size_t i = 0; i < predicate->count; i++)
		if (strcmp(predicate->terms[i], term) == 0)
			return false;
	if (at == PGM_PREDICATE_TERMS_MAX)
		return false;
	for (; at > 0 && strcmp(predicate->terms[at - 1], term) > 0; at--) {
		predicate->terms[at] = predicate->terms[at - 1];
		predicate->columns[at] = predicate->columns[at - 1];
	}
	predicate->terms[at] = term;
	predicate->columns[at] = column;
	predicate->count++;
	predicate->share *= share;
	return true;
}

void pgm_predicate_of(struct pgm_arena *arena, const struct pgm_query *query, int occurrence, bool constants,
		      struct pgm_predicate *predicate)
{
	*predicate = (struct pgm_predicate){.share = 1};
	for (size_t i = 0; i < query->atom_count; i++) {
		const struct pgm_query_atom *atom = &query->atoms[i];
		double share;
		if (atom->occurrence != occurrence || (!constants && atom->atom->kind == PGM_ATOM_EQ))
			continue;
		const char *term = pgm_predicate_term(arena, query, atom, &share);
		if (term && share <= PGM_PREDICATE_SHARE_MAX)
			add_term(predicate, term, atom->column, share);
	}
}

char *pgm_predicate_sql(struct pgm_arena *arena, const struct pgm_predicate *predicate)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < predicate->count; i++)
		pgm_buf_printf(&buf, "%s%s", i ? " AND " : "", predicate->terms[i]);
	return predicate->count ? buf.text : NULL;
}
