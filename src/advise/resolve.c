/*
 * Names to tables and columns.
 */
#include "advise/query.h"

#include "util/vec.h"

#include <string.h>

struct place {
	int occurrence; /* -1: not found */
	const struct pgm_column *column;
};

struct resolver {
	struct pgm_arena *arena;
	const struct pgm_shape *shape;
	const struct pgm_catalog *catalog;
	const struct pgm_table **tables; /* of each table of the shape; NULL: none that we know */
	int *occurrence_of;		 /* of each table of the shape; -1: a view, or none that we know */
	struct pgm_map outputs;		 /* what was looked up before: "scope.name" -> struct place */
	PGM_VEC(struct pgm_occurrence) occurrences;
};

static const struct place nowhere = {.occurrence = -1};

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
	return nowhere;
}

/* Each name once for each scope: CTEs that are named twice each would double the work with each of them. */
static struct place in_subscope(struct resolver *resolver, int subscope, const char *name)
{
	char *key = pgm_sprintf(resolver->arena, "%d.%s", subscope, name);
	struct place *known = pgm_map_get(&resolver->outputs, key);
	if (known)
		return *known;
	known = PGM_NEW(resolver->arena, struct place);
	*known = nowhere; /* for a recursive CTE, which asks itself */
	pgm_map_set(&resolver->outputs, key, known);
	*known = in_outputs(resolver, subscope, name);
	return *known;
}

static bool is_called(const struct pgm_shape_table *table, const char *qualifier)
{
	return !qualifier || strcmp(table->alias, qualifier) == 0;
}

/* What one scope says of a name; *ends where the name cannot mean anything in the scopes around it. */
static struct place find_in_scope(struct resolver *resolver, int scope, const struct pgm_colref *ref,
				  bool *ends)
{
	const struct pgm_shape *shape = resolver->shape;
	*ends = false;
	for (size_t i = 0; i < shape->table_count; i++) {
		const struct pgm_shape_table *table = &shape->tables[i];
		if (table->scope != scope || !is_called(table, ref->qualifier))
			continue;
		/* The nearest table of that name is meant; and so may be one whose columns we do not know. */
		*ends |= ref->qualifier || (table->subscope < 0 && !resolver->tables[i]);
		if (table->subscope >= 0) {
			struct place place = in_subscope(resolver, table->subscope, ref->name);
			if (place.occurrence >= 0)
				return place;
		} else if (resolver->tables[i]) {
			const struct pgm_column *column = pgm_table_column(resolver->tables[i], ref->name);
			*ends |= column != NULL;
			if (column && resolver->occurrence_of[i] >= 0)
				return (struct place){resolver->occurrence_of[i], column};
		}
	}
	return nowhere;
}

static struct place find(struct resolver *resolver, const struct pgm_colref *ref)
{
	bool ends = false;
	for (int scope = ref->scope; scope >= 0 && !ends; scope = resolver->shape->scopes[scope].parent) {
		struct place place = find_in_scope(resolver, scope, ref, &ends);
		if (place.occurrence >= 0)
			return place;
	}
	return nowhere;
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

/* "SELECT t FROM t": no column, but all of a table's. */
static void note_whole_row(struct resolver *resolver, const struct pgm_colref *ref)
{
	struct pgm_colref star = {.scope = ref->scope, .qualifier = ref->name};
	for (; !ref->qualifier && star.scope >= 0; star.scope = resolver->shape->scopes[star.scope].parent)
		note_star(resolver, &star);
}

static void find_tables(struct resolver *resolver)
{
	const struct pgm_shape *shape = resolver->shape;
	resolver->occurrence_of = PGM_NEW_ARRAY(resolver->arena, int, shape->table_count);
	resolver->tables = PGM_NEW_ARRAY(resolver->arena, const struct pgm_table *, shape->table_count);
	for (size_t i = 0; i < shape->table_count; i++) {
		const struct pgm_shape_table *from = &shape->tables[i];
		resolver->occurrence_of[i] = -1;
		struct pgm_table *table =
			from->subscope >= 0 ? NULL
					    : pgm_catalog_table(resolver->catalog, from->schema, from->name);
		resolver->tables[i] = table;
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
	struct place right = nowhere;
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
	pgm_map_init(&resolver.outputs, arena);
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
		else
			note_whole_row(&resolver, ref);
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
