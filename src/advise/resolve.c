/*
 * Names to tables and columns.
 */
#include "advise/query.h"

#include "util/vec.h"

#include <string.h>

struct resolver {
	struct pgm_arena *arena;
	const struct pgm_shape *shape;
	const struct pgm_catalog *catalog;
	int *occurrence_of; /* of each table of the shape; -1: none that we know */
	bool *entered;	    /* scopes that a look-up is inside of: a recursive CTE names itself */
	PGM_VEC(struct pgm_occurrence) occurrences;
};

struct place {
	int occurrence; /* -1: not found */
	const struct pgm_column *column;
};

static struct place find(struct resolver *resolver, const struct pgm_colref *ref);

static struct place in_outputs(struct resolver *resolver, int subscope, const char *name)
{
	const struct pgm_shape *shape = resolver->shape;
	for (size_t i = 0; i < shape->output_count; i++) {
		const struct pgm_output *output = &shape->outputs[i];
		if (output->scope != subscope)
			continue;
		bool star = !output->column.name && output->name == NULL;
		struct pgm_colref ref = output->column;
		if (star)
			ref = (struct pgm_colref){subscope, output->column.qualifier, name};
		else if (!output->name || strcmp(output->name, name) != 0 || !output->column.name)
			continue;
		struct place place = find(resolver, &ref);
		if (place.occurrence >= 0)
			return place;
	}
	return (struct place){-1, NULL};
}

static struct place in_subscope(struct resolver *resolver, int subscope, const char *name)
{
	if (resolver->entered[subscope])
		return (struct place){-1, NULL};
	resolver->entered[subscope] = true;
	struct place place = in_outputs(resolver, subscope, name);
	resolver->entered[subscope] = false;
	return place;
}

static bool is_called(const struct pgm_shape_table *table, const char *qualifier)
{
	return !qualifier || strcmp(table->alias, qualifier) == 0;
}

static struct place find(struct resolver *resolver, const struct pgm_colref *ref)
{
	const struct pgm_shape *shape = resolver->shape;
	for (int scope = ref->scope; scope >= 0; scope = shape->scopes[scope].parent) {
		for (size_t i = 0; i < shape->table_count; i++) {
			const struct pgm_shape_table *table = &shape->tables[i];
			if (table->scope != scope || !is_called(table, ref->qualifier))
				continue;
			int occurrence = resolver->occurrence_of[i];
			if (table->subscope >= 0) {
				struct place place = in_subscope(resolver, table->subscope, ref->name);
				if (place.occurrence >= 0)
					return place;
			} else if (occurrence >= 0) {
				const struct pgm_column *column = pgm_table_column(
					resolver->occurrences.items[occurrence].table, ref->name);
				if (column)
					return (struct place){occurrence, column};
			}
		}
	}
	return (struct place){-1, NULL};
}

static void note_read(struct resolver *resolver, struct place place)
{
	struct pgm_occurrence *occurrence = &resolver->occurrences.items[place.occurrence];
	for (size_t i = 0; i < occurrence->read_count; i++)
		if (occurrence->read[i] == place.column) {
			occurrence->read_times[i]++;
			return;
		}
	if (!occurrence->read) {
		occurrence->read = PGM_NEW_ARRAY(resolver->arena, const struct pgm_column *,
						 occurrence->table->column_count);
		occurrence->read_times = PGM_NEW_ARRAY(resolver->arena, int, occurrence->table->column_count);
	}
	occurrence->read_times[occurrence->read_count] = 1;
	occurrence->read[occurrence->read_count++] = place.column;
}

/* A star of a scope's tables: all of the columns of those it names. */
static void note_star(struct resolver *resolver, const struct pgm_colref *ref)
{
	const struct pgm_shape *shape = resolver->shape;
	for (size_t i = 0; i < shape->table_count; i++) {
		const struct pgm_shape_table *table = &shape->tables[i];
		if (table->scope == ref->scope && is_called(table, ref->qualifier) &&
		    resolver->occurrence_of[i] >= 0)
			resolver->occurrences.items[resolver->occurrence_of[i]].whole_row = true;
	}
}

static void find_tables(struct resolver *resolver)
{
	const struct pgm_shape *shape = resolver->shape;
	resolver->occurrence_of = PGM_NEW_ARRAY(resolver->arena, int, shape->table_count);
	for (size_t i = 0; i < shape->table_count; i++) {
		const struct pgm_shape_table *from = &shape->tables[i];
		resolver->occurrence_of[i] = -1;
		struct pgm_table *table =
			from->subscope >= 0 ? NULL
					    : pgm_catalog_table(resolver->catalog, from->schema, from->name);
		if (!table || table->kind == 'v' || table->kind == 'f')
			continue;
		resolver->occurrence_of[i] = (int)resolver->occurrences.count;
		*pgm_vec_add(resolver->arena, &resolver->occurrences) = (struct pgm_occurrence){
			.table = table, .scope = from->scope, .alias = from->alias, .target = from->target};
	}
}

static bool resolve_atom(struct resolver *resolver, const struct pgm_atom *atom, struct pgm_query_atom *out)
{
	struct place left = find(resolver, &atom->left.column);
	*out = (struct pgm_query_atom){.atom = atom, .join_occurrence = -1};
	struct place right = {-1, NULL};
	if (atom->right.column.name)
		right = find(resolver, &atom->right.column);
	if (left.occurrence < 0)
		return false;
	out->occurrence = left.occurrence;
	out->column = left.column;
	out->expression = atom->left.expression;
	if (right.occurrence >= 0) {
		out->join_occurrence = right.occurrence;
		out->join_column = right.column;
	}
	return true;
}

/* The other side of a join, as an atom of its own. */
static bool mirror(const struct pgm_query_atom *atom, struct pgm_query_atom *out)
{
	if (atom->atom->kind != PGM_ATOM_JOIN || atom->join_occurrence < 0)
		return false;
	*out = *atom;
	out->occurrence = atom->join_occurrence;
	out->column = atom->join_column;
	out->expression = atom->atom->right.expression;
	out->join_occurrence = atom->occurrence;
	out->join_column = atom->column;
	return true;
}

bool pgm_query_resolve(struct pgm_arena *arena, const struct pgm_catalog *catalog,
		       const struct pgm_statement *statement, struct pgm_query *query)
{
	const struct pgm_shape *shape = &statement->shape;
	struct resolver resolver = {.arena = arena, .shape = shape, .catalog = catalog};
	resolver.entered = PGM_NEW_ARRAY(arena, bool, shape->scope_count);
	find_tables(&resolver);
	PGM_VEC(struct pgm_query_atom) atoms = {0};
	for (size_t i = 0; i < shape->atom_count; i++) {
		struct pgm_query_atom atom, other;
		if (!resolve_atom(&resolver, &shape->atoms[i], &atom))
			continue;
		*pgm_vec_add(arena, &atoms) = atom;
		if (mirror(&atom, &other))
			*pgm_vec_add(arena, &atoms) = other;
	}
	for (size_t i = 0; i < shape->reference_count; i++) {
		const struct pgm_colref *ref = &shape->references[i];
		if (!ref->name) {
			note_star(&resolver, ref);
			continue;
		}
		struct place place = find(&resolver, ref);
		if (place.occurrence >= 0)
			note_read(&resolver, place);
	}
	*query = (struct pgm_query){
		.statement = statement,
		.weight = statement->calls,
		.occurrences = resolver.occurrences.items,
		.occurrence_count = resolver.occurrences.count,
		.atoms = atoms.items,
		.atom_count = atoms.count,
	};
	query->indexable =
		atoms.count > 0 && !(shape->kind == PGM_STATEMENT_INSERT && shape->table_count == 1);
	return resolver.occurrences.count > 0;
}
