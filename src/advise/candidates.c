/*
 * Which indexes could serve a statement. For each table that it reads: its equality columns in useful
 * orders, then one range or the ORDER BY, join columns before and after them; each also with the columns
 * that are merely read (INCLUDE), and with the conditions that never change as a predicate.
 */
#include "advise/run.h"
#include "advise/size.h"
#include "pg/quote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_WIDTH_MAX_BYTES  512 /* a btree key may take 2,704 bytes; wide ones index badly */
#define PARTS_MAX	     8
#define BRIN_TABLE_MIN_PAGES (1 << 17) /* 1 GB */
#define BRIN_CORRELATION_MIN 0.95

struct keys {
	struct pgm_index_key items[PGM_INDEX_KEYS_MAX];
	size_t count;
};

/* What a statement does at one of its tables, sorted out by what an index makes of it. */
struct parts {
	struct pgm_advise_run *run;
	struct pgm_query *query;
	int occurrence;
	struct keys equal; /* most selective first */
	struct keys ranges;
	struct keys joins;
	struct keys order;
	struct keys group;
	struct keys either;		/* arms of an OR */
	struct pgm_predicate predicate; /* IS NULL and booleans */
	struct pgm_predicate constants; /* and column = 'constant' */
	const struct pgm_column *include[PGM_INDEX_INCLUDE_MAX];
	size_t include_count;
	bool coverable;
};

static bool same_operand(const struct pgm_index_key *a, const struct pgm_index_key *b)
{
	if (a->column || b->column)
		return a->column == b->column;
	return strcmp(a->expression, b->expression) == 0;
}

static bool has_key(const struct keys *keys, const struct pgm_index_key *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (same_operand(&keys->items[i], key))
			return true;
	return false;
}

static void add_key(struct keys *keys, struct pgm_index_key key)
{
	if (keys->count < PARTS_MAX && !has_key(keys, &key))
		keys->items[keys->count++] = key;
}

static struct keys joined(struct keys a, const struct keys *b, size_t max_width)
{
	for (size_t i = 0; i < b->count && a.count < max_width; i++)
		if (!has_key(&a, &b->items[i]))
			a.items[a.count++] = b->items[i];
	return a;
}

static struct keys single(const struct keys *keys, size_t index)
{
	struct keys one = {.count = 1};
	one.items[0] = keys->items[index];
	return one;
}

static bool usable_column(const struct pgm_column *column)
{
	return column->btree && !(column->has_statistics && column->length_bytes < 0 &&
				  column->width_bytes > KEY_WIDTH_MAX_BYTES);
}

static bool key_of(const struct pgm_query_atom *atom, struct pgm_index_key *key)
{
	*key = (struct pgm_index_key){0};
	if (atom->expression)
		key->expression = atom->expression;
	else if (usable_column(atom->column))
		key->column = atom->column;
	else
		return false;
	return true;
}

/* Items of ORDER BY or GROUP BY that all belong to this table, from the first on. */
static void take_ordering(struct parts *parts, enum pgm_atom_kind kind, struct keys *keys)
{
	const struct pgm_query *query = parts->query;
	int scope = query->occurrences[parts->occurrence].scope;
	for (int position = 0;; position++) {
		const struct pgm_query_atom *found = NULL;
		for (size_t i = 0; i < query->atom_count; i++) {
			const struct pgm_query_atom *atom = &query->atoms[i];
			if (atom->atom->kind == kind && atom->atom->scope == scope &&
			    atom->atom->position == position && atom->occurrence == parts->occurrence)
				found = atom;
		}
		struct pgm_index_key key;
		if (!found || !key_of(found, &key))
			return;
		key.descending = found->atom->descending;
		key.nulls_first = found->atom->nulls_first;
		add_key(keys, key);
	}
}

/* LIKE 'x%' wants the order of bytes, whatever the collation; NULL: the type has no such order. */
static const char *pattern_opclass(const struct pgm_query_atom *atom)
{
	const char *type = atom->column->type_name;
	if (atom->expression || strcmp(type, "text") == 0)
		return "text_pattern_ops";
	return strcmp(type, "varchar") == 0  ? "varchar_pattern_ops"
	       : strcmp(type, "bpchar") == 0 ? "bpchar_pattern_ops"
					     : NULL;
}

static void take_atom(struct parts *parts, const struct pgm_query_atom *atom)
{
	struct pgm_index_key key;
	if (!key_of(atom, &key))
		return;
	enum pgm_atom_kind kind = atom->atom->kind;
	if (kind == PGM_ATOM_JOIN) {
		/* columns of one row compared with each other serve no index */
		if (atom->join_occurrence != parts->occurrence)
			add_key(&parts->joins, key);
	} else if (atom->atom->under_or) {
		if (kind == PGM_ATOM_EQ || kind == PGM_ATOM_IN || kind == PGM_ATOM_RANGE)
			add_key(&parts->either, key);
	} else if (kind == PGM_ATOM_EQ || kind == PGM_ATOM_IN) {
		add_key(&parts->equal, key);
	} else if (kind == PGM_ATOM_NULL || kind == PGM_ATOM_TRUE || kind == PGM_ATOM_FALSE) {
		/* a key only where it is rare: else it belongs into the predicate */
		if (atom->column->has_statistics && !atom->expression) {
			double share = 1;
			pgm_predicate_term(parts->run->arena, parts->query, atom, &share);
			if (share < 0.05)
				add_key(&parts->equal, key);
		}
	} else if (kind == PGM_ATOM_RANGE) {
		add_key(&parts->ranges, key);
	} else if (kind == PGM_ATOM_PREFIX) {
		key.opclass = pattern_opclass(atom);
		if (key.opclass)
			add_key(&parts->ranges, key);
	}
}

static double distinct_of(const struct pgm_index_key *key)
{
	return key->column && key->column->has_statistics ? key->column->distinct : 1000;
}

static int compare_selective(const void *a, const void *b)
{
	double left = distinct_of(a), right = distinct_of(b);
	if (left != right)
		return left < right ? 1 : -1;
	const struct pgm_index_key *x = a, *y = b;
	return (x->column ? x->column->attnum : 0) - (y->column ? y->column->attnum : 0);
}

static void take_include(struct parts *parts)
{
	const struct pgm_occurrence *occurrence = &parts->query->occurrences[parts->occurrence];
	double width = 0;
	parts->coverable = !occurrence->whole_row && !occurrence->target && occurrence->read_count > 0 &&
			   !parts->query->statement->shape.locks_rows;
	for (size_t i = 0; parts->coverable && i < occurrence->read_count; i++) {
		const struct pgm_column *column = occurrence->read[i];
		width += column->length_bytes > 0 ? column->length_bytes : column->width_bytes;
		if (parts->include_count == PGM_INDEX_INCLUDE_MAX ||
		    width > (double)parts->run->options->max_include_bytes)
			parts->coverable = false;
		else
			parts->include[parts->include_count++] = column;
	}
}

static bool served(struct pgm_advise_run *run, const struct pgm_index_def *def)
{
	for (size_t i = 0; i < def->table->index_count; i++) {
		const struct pgm_index *index = def->table->indexes[i];
		struct pgm_index_def existing;
		if (!index->valid || !pgm_index_def_of(index, &existing) ||
		    !pgm_index_def_covers(&existing, def))
			continue;
		char *table = pgm_quote_qualified(run->arena, def->table->schema, def->table->name);
		pgm_advise_notes_add(
			&run->notes,
			pgm_sprintf(run->arena, "%s %s", table, pgm_index_def_body(run->arena, def)),
			pgm_sprintf(run->arena, "already served by index %s",
				    pgm_quote_ident(run->arena, index->name)));
		return true;
	}
	return false;
}

static struct pgm_candidate *add_candidate(struct pgm_advise_run *run, const struct pgm_query *query,
					   const struct pgm_index_def *def)
{
	struct pgm_arena *arena = run->arena;
	char *text = pgm_index_def_create(arena, def, NULL, false);
	struct pgm_candidate *candidate = pgm_map_get(&run->candidates_by_text, text);
	if (candidate || run->candidates.count >= PGM_ADVISE_CANDIDATES_MAX || served(run, def))
		return candidate;
	candidate = PGM_NEW(arena, struct pgm_candidate);
	candidate->def = *def;
	candidate->body = pgm_index_def_body(arena, def);
	candidate->id = (int)run->candidates.count;
	candidate->source = query->origin == PGM_QUERY_OF_FOREIGN_KEY ? PGM_CANDIDATE_OF_FOREIGN_KEY
								      : PGM_CANDIDATE_OF_STATEMENT;
	candidate->foreign_key = query->foreign_key;
	*pgm_vec_add(arena, &run->candidates) = candidate;
	pgm_map_set(&run->candidates_by_text, text, candidate);
	return candidate;
}

static bool in_keys(const struct keys *keys, const struct pgm_column *column)
{
	for (size_t i = 0; i < keys->count; i++)
		if (keys->items[i].column == column)
			return true;
	return false;
}

/* A column that nothing but the predicate names is not read: the planner knows that the index implies it. */
static bool only_in_predicate(const struct parts *parts, const struct pgm_predicate *predicate,
			      const struct pgm_column *column)
{
	const struct pgm_occurrence *occurrence = &parts->query->occurrences[parts->occurrence];
	int named = 0, in_terms = 0;
	for (size_t i = 0; i < occurrence->read_count; i++)
		if (occurrence->read[i] == column)
			named = occurrence->read_times[i];
	for (size_t t = 0; predicate && t < predicate->count; t++)
		in_terms += predicate->columns[t] == column;
	return in_terms > 0 && named <= in_terms;
}

static void emit_one(struct parts *parts, const struct keys *keys, const struct pgm_predicate *predicate,
		     bool cover)
{
	struct pgm_advise_run *run = parts->run;
	struct pgm_index_def def = {.table = parts->query->occurrences[parts->occurrence].table,
				    .method = "btree",
				    .predicate_share = 1};
	for (size_t i = 0; i < keys->count; i++) {
		/* A column that the predicate fixes needs no key. */
		bool fixed = false;
		for (size_t t = 0; predicate && t < predicate->count; t++)
			fixed |= predicate->columns[t] == keys->items[i].column && keys->items[i].column;
		if (!fixed && def.key_count < run->options->max_width)
			def.keys[def.key_count++] = keys->items[i];
	}
	if (def.key_count == 0)
		return;
	struct keys kept = {.count = def.key_count};
	memcpy(kept.items, def.keys, sizeof(kept.items));
	for (size_t i = 0; cover && i < parts->include_count; i++)
		if (!in_keys(&kept, parts->include[i]) &&
		    !only_in_predicate(parts, predicate, parts->include[i]))
			def.include[def.include_count++] = parts->include[i];
	if (cover && def.include_count == 0)
		return; /* the keys cover it already */
	if (predicate && predicate->count) {
		def.predicate = pgm_predicate_sql(run->arena, predicate);
		def.predicate_share = predicate->share;
	}
	struct pgm_candidate *candidate = add_candidate(run, parts->query, &def);
	if (candidate && predicate)
		candidate->predicate = *predicate;
}

/* One order of keys, in all of its variants. */
static void emit(struct parts *parts, struct keys keys)
{
	if (keys.count == 0)
		return;
	if (keys.count > parts->run->options->max_width)
		keys.count = parts->run->options->max_width;
	const struct pgm_predicate *predicates[] = {NULL, &parts->predicate, &parts->constants};
	for (size_t p = 0; p < 3; p++) {
		if (p && predicates[p]->count == 0)
			continue;
		if (p == 2 && parts->constants.count == parts->predicate.count)
			continue;
		emit_one(parts, &keys, predicates[p], false);
		if (parts->coverable)
			emit_one(parts, &keys, predicates[p], true);
	}
}

static void emit_orders(struct parts *parts)
{
	const struct keys *equal = &parts->equal, *joins = &parts->joins;
	size_t width = parts->run->options->max_width;
	bool limited =
		parts->query->statement->shape.scopes[parts->query->occurrences[parts->occurrence].scope]
			.has_limit;
	emit(parts, *equal);
	emit(parts, joined(*equal, &parts->order, width));
	emit(parts, joined(*equal, &parts->group, width));
	if (limited || equal->count == 0)
		emit(parts, parts->order);
	emit(parts, parts->group);
	for (size_t i = 0; i < parts->ranges.count; i++) {
		struct keys range = single(&parts->ranges, i);
		emit(parts, joined(*equal, &range, width));
		emit(parts, range);
	}
	for (size_t i = 0; equal->count > 1 && i < equal->count; i++) {
		emit(parts, single(equal, i));
		for (size_t r = 0; r < parts->ranges.count; r++) {
			struct keys range = single(&parts->ranges, r);
			emit(parts, joined(single(equal, i), &range, width));
		}
		if (limited)
			emit(parts, joined(single(equal, i), &parts->order, width));
	}
	for (size_t i = 0; i < joins->count; i++) {
		struct keys join = single(joins, i);
		emit(parts, join);
		emit(parts, joined(join, equal, width));
		emit(parts, joined(*equal, &join, width));
		emit(parts, joined(join, &parts->order, width));
		for (size_t j = 0; j < joins->count; j++) {
			struct keys other = single(joins, j);
			if (i != j)
				emit(parts, joined(join, &other, width));
		}
		for (size_t r = 0; r < parts->ranges.count; r++) {
			struct keys range = single(&parts->ranges, r);
			emit(parts, joined(joined(join, equal, width), &range, width));
		}
	}
	for (size_t i = 0; i < parts->either.count; i++)
		emit(parts, single(&parts->either, i));
}

static void emit_brin(struct parts *parts)
{
	for (size_t i = 0; i < parts->ranges.count; i++) {
		const struct pgm_column *column = parts->ranges.items[i].column;
		struct pgm_table *table = parts->query->occurrences[parts->occurrence].table;
		if (!column || fabs(column->correlation) < BRIN_CORRELATION_MIN ||
		    table->pages < BRIN_TABLE_MIN_PAGES)
			continue;
		struct pgm_index_def def = {
			.table = table, .method = "brin", .key_count = 1, .predicate_share = 1};
		def.keys[0].column = column;
		add_candidate(parts->run, parts->query, &def);
	}
}

static const char *gin_opclass(struct parts *parts, const struct pgm_query_atom *atom)
{
	const char *type = atom->column->type_name, *op = atom->atom->op;
	if (atom->atom->kind == PGM_ATOM_PATTERN) {
		const char *schema = pgm_catalog_extension(parts->run->catalog, "pg_trgm");
		/* Other strings (char(n), name, citext) have no trigram operators of their own. */
		bool text = strcmp(type, "text") == 0 || strcmp(type, "varchar") == 0;
		if (!schema || !text || atom->atom->value.kind == PGM_VALUE_COLUMN)
			return NULL;
		return pgm_sprintf(parts->run->arena, "%s.gin_trgm_ops",
				   pgm_quote_ident(parts->run->arena, schema));
	}
	if (strcmp(type, "jsonb") == 0)
		return strcmp(op, "@>") == 0 || strcmp(op, "@?") == 0 || strcmp(op, "@@") == 0
			       ? "jsonb_path_ops"
		       : *op == '?' ? ""
				    : NULL;
	if (strcmp(type, "tsvector") == 0)
		return strcmp(op, "@@") == 0 ? "" : NULL;
	bool array = strcmp(op, "@>") == 0 || strcmp(op, "<@") == 0 || strcmp(op, "&&") == 0;
	return atom->column->type_category == 'A' && array ? "" : NULL;
}

static void emit_gin(struct parts *parts, const struct pgm_query_atom *atom)
{
	enum pgm_atom_kind kind = atom->atom->kind;
	if ((kind != PGM_ATOM_CONTAIN && kind != PGM_ATOM_PATTERN) || atom->atom->under_or ||
	    atom->expression)
		return;
	const char *opclass = gin_opclass(parts, atom);
	if (!opclass)
		return;
	struct pgm_index_def def = {.table = parts->query->occurrences[parts->occurrence].table,
				    .method = "gin",
				    .key_count = 1,
				    .predicate_share = 1};
	def.keys[0] = (struct pgm_index_key){.column = atom->column, .opclass = *opclass ? opclass : NULL};
	struct pgm_candidate *candidate = add_candidate(parts->run, parts->query, &def);
	if (candidate) {
		candidate->estimated = true;
		candidate->searched = atom->column;
	}
}

static bool worth_indexing(struct pgm_advise_run *run, const struct pgm_table *table)
{
	if ((table->kind != 'r' && table->kind != 'p' && table->kind != 'm') ||
	    !pgm_advise_wants_table(run->options, table))
		return false;
	if (table->pages * PGM_PAGE_BYTES >= PGM_ADVISE_SMALL_TABLE_BYTES)
		return true;
	pgm_advise_notes_add(&run->notes, pgm_quote_qualified(run->arena, table->schema, table->name),
			     table->pages > 0 ? "too small: reading all of it costs next to nothing"
					      : "empty, or never analysed: run ANALYZE, then advise again");
	return false;
}

static void note_moving_predicate(struct parts *parts, const struct pgm_query_atom *atom)
{
	if (atom->atom->kind != PGM_ATOM_RANGE || atom->atom->value.kind != PGM_VALUE_MOVING ||
	    atom->expression)
		return;
	struct pgm_arena *arena = parts->run->arena;
	const struct pgm_table *table = parts->query->occurrences[parts->occurrence].table;
	char *column = pgm_quote_ident(arena, atom->column->name);
	pgm_advise_notes_add(
		&parts->run->notes,
		pgm_sprintf(arena, "%s WHERE %s %s <now() or the like>",
			    pgm_quote_qualified(arena, table->schema, table->name), column, atom->atom->op),
		pgm_sprintf(arena,
			    "a moving time cannot be an index predicate (it must be IMMUTABLE): %s as a "
			    "key column, or partitions by it, do the same",
			    column));
}

void pgm_candidates_of(struct pgm_advise_run *run, struct pgm_query *query)
{
	for (size_t o = 0; query->indexable && o < query->occurrence_count; o++) {
		if (!worth_indexing(run, query->occurrences[o].table))
			continue;
		struct parts *parts = PGM_NEW(run->arena, struct parts);
		*parts = (struct parts){.run = run, .query = query, .occurrence = (int)o};
		for (size_t i = 0; i < query->atom_count; i++) {
			if (query->atoms[i].occurrence != (int)o)
				continue;
			take_atom(parts, &query->atoms[i]);
			emit_gin(parts, &query->atoms[i]);
			note_moving_predicate(parts, &query->atoms[i]);
		}
		qsort(parts->equal.items, parts->equal.count, sizeof(*parts->equal.items), compare_selective);
		take_ordering(parts, PGM_ATOM_ORDER, &parts->order);
		take_ordering(parts, PGM_ATOM_GROUP, &parts->group);
		take_include(parts);
		pgm_predicate_of(run->arena, query, (int)o, false, &parts->predicate);
		pgm_predicate_of(run->arena, query, (int)o, true, &parts->constants);
		emit_orders(parts);
		emit_brin(parts);
	}
}
