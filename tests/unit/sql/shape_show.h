/*
 * A shape as text, a line for each thing in it, so that a test can say what it expects in one string.
 *
 *	eq t.a 'x' | or range b >= moving $1 | join a.x = b.y | order1 c desc nulls-first
 */
#ifndef TESTS_UNIT_SQL_SHAPE_SHOW_H
#define TESTS_UNIT_SQL_SHAPE_SHOW_H

#include "../cmocka_all.h"

#include "sql/shape.h"
#include "util/buf.h"

#include <string.h>

static inline const char *kind_name(enum pgm_atom_kind kind)
{
	static const char *const names[] = {"eq",   "in",    "range",  "null",	  "notnull",
					    "true", "false", "prefix", "pattern", "contain",
					    "join", "order", "group",  "other"};
	return names[kind];
}

static inline void show_operand(struct pgm_buf *buf, const struct pgm_operand *operand)
{
	if (operand->expression)
		pgm_buf_printf(buf, " [%s]", operand->expression);
	else
		pgm_buf_printf(buf, " %s%s%s", operand->column.qualifier ? operand->column.qualifier : "",
			       operand->column.qualifier ? "." : "", operand->column.name);
}

static inline void show_value(struct pgm_buf *buf, const struct pgm_value *value)
{
	static const char *const names[] = {"", "", " param", " moving", " query", " column"};
	pgm_buf_add(buf, names[value->kind]);
	if (value->text)
		pgm_buf_printf(buf, " %s", value->text);
	if (value->param)
		pgm_buf_printf(buf, " $%d", value->param);
}

static inline void show_atom(struct pgm_buf *buf, const struct pgm_atom *atom)
{
	bool listed = atom->kind == PGM_ATOM_ORDER || atom->kind == PGM_ATOM_GROUP;
	pgm_buf_printf(buf, "%s%s", atom->under_or ? "or " : "", kind_name(atom->kind));
	if (listed)
		pgm_buf_printf(buf, "%d", atom->position);
	show_operand(buf, &atom->left);
	if (atom->kind == PGM_ATOM_JOIN) {
		pgm_buf_add(buf, " =");
		show_operand(buf, &atom->right);
		return;
	}
	if (*atom->op && atom->kind != PGM_ATOM_EQ)
		pgm_buf_printf(buf, " %s", atom->op);
	show_value(buf, &atom->value);
	if (atom->in_count)
		pgm_buf_printf(buf, " of %zu", atom->in_count);
	if (atom->descending)
		pgm_buf_add(buf, " desc");
	if (listed && atom->nulls_first != atom->descending)
		pgm_buf_add(buf, atom->nulls_first ? " nulls-first" : " nulls-last");
}

static inline struct pgm_shape shape_of(struct pgm_arena *arena, const char *sql)
{
	struct pgm_error err = {0};
	struct pgm_shape shape;
	if (!pgm_sql_shape(arena, sql, &shape, &err))
		fail_msg("%.200s: %s", sql, err.message);
	return shape;
}

static inline const char *atoms_of(struct pgm_arena *arena, const char *sql)
{
	struct pgm_shape shape = shape_of(arena, sql);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < shape.atom_count; i++) {
		pgm_buf_add(&buf, i ? " | " : "");
		show_atom(&buf, &shape.atoms[i]);
	}
	return buf.text;
}

static inline const char *params_of(struct pgm_arena *arena, const char *sql)
{
	static const char *const roles[] = {"other", "compared", "interval", "limit", "offset", "stored"};
	struct pgm_shape shape = shape_of(arena, sql);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < shape.param_count; i++) {
		const struct pgm_param *param = &shape.params[i];
		pgm_buf_printf(&buf, "%s%.*s %s", i ? " | " : "", (int)param->length, sql + param->offset,
			       roles[param->role]);
		if (param->atom >= 0)
			pgm_buf_printf(&buf, "/%s", shape.atoms[param->atom].left.column.name);
		if (param->element)
			pgm_buf_add(&buf, " element");
	}
	return buf.text;
}

/* Every table with the scope it stands in, its alias where that differs, and of a CTE or subquery what for.
 */
static inline const char *tables_of(struct pgm_arena *arena, const char *sql)
{
	struct pgm_shape shape = shape_of(arena, sql);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	for (size_t i = 0; i < shape.table_count; i++) {
		const struct pgm_shape_table *table = &shape.tables[i];
		pgm_buf_printf(&buf, "%s%d:%s%s%s", i ? " | " : "", table->scope,
			       table->schema ? table->schema : "", table->schema ? "." : "", table->name);
		if (strcmp(table->alias, table->name) != 0)
			pgm_buf_printf(&buf, " %s", table->alias);
		if (table->subscope >= 0)
			pgm_buf_printf(&buf, " -> %d", table->subscope);
		if (table->target)
			pgm_buf_add(&buf, " target");
	}
	return buf.text;
}

#endif
