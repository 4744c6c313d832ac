#include "workload/statement.h"

#include "sql/fingerprint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void pgm_workload_builder_init(struct pgm_workload_builder *builder, struct pgm_arena *arena,
			       struct pgm_workload *workload)
{
	*builder = (struct pgm_workload_builder){.arena = arena, .workload = workload};
	*workload = (struct pgm_workload){0};
	pgm_map_init(&builder->by_fingerprint, arena);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_operand(const struct pgm_operand *a, const struct pgm_operand *b)
{
	return same_text(a->column.name, b->column.name) &&
	       same_text(a->column.qualifier, b->column.qualifier) && same_text(a->expression, b->expression);
}

static bool says_the_same(const struct pgm_shape *shape, const struct pgm_atom *atom)
{
	for (size_t i = 0; i < shape->atom_count; i++) {
		const struct pgm_atom *other = &shape->atoms[i];
		if (other->kind == atom->kind && other->scope == atom->scope &&
		    same_text(other->op, atom->op) && same_text(other->value.text, atom->value.text) &&
		    same_operand(&other->left, &atom->left))
			return true;
	}
	return false;
}

/* Note which literals another text of the statement does not have. */
static void compare_literals(struct pgm_statement *statement, const char *sql)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_error ignored;
	struct pgm_shape shape;
	bool open = false;
	for (size_t i = 0; i < statement->shape.atom_count; i++)
		open |= statement->shape.atoms[i].kind == PGM_ATOM_EQ && !statement->shape.atoms[i].varies;
	if (!open || !pgm_sql_shape(scratch, sql, &shape, &ignored))
		return;
	for (size_t i = 0; i < statement->shape.atom_count; i++)
		statement->shape.atoms[i].varies |= !says_the_same(&shape, &statement->shape.atoms[i]);
}

static bool has_parameters(const char *sql)
{
	if (!strchr(sql, '$'))
		return false;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	struct pgm_error ignored;
	struct pgm_shape shape;
	return pgm_sql_shape(scratch, sql, &shape, &ignored) && shape.param_count > 0;
}

static void leave_out(struct pgm_workload_builder *builder, const char *why)
{
	if (builder->workload->left_out_count++ == 0)
		builder->workload->left_out_example = pgm_strdup(builder->arena, why);
}

/* NULL where the text cannot be understood or is no query. */
static struct pgm_statement *new_statement(struct pgm_workload_builder *builder, const char *fingerprint,
					   const char *sql, bool with_values)
{
	struct pgm_arena *arena = builder->arena;
	struct pgm_statement *statement = PGM_NEW(arena, struct pgm_statement);
	struct pgm_error err = {0};
	char *text = NULL;
	if (!pgm_sql_shape(arena, sql, &statement->shape, &err)) {
		leave_out(builder, err.message);
		return NULL;
	}
	if (statement->shape.kind == PGM_STATEMENT_OTHER)
		return NULL;
	if (with_values && statement->shape.param_count == 0 && !pgm_sql_normalize(arena, sql, &text, &err))
		text = NULL;
	statement->text = text ? text : sql;
	statement->fingerprint = fingerprint;
	statement->samples = PGM_NEW_ARRAY(arena, const char *, PGM_WORKLOAD_SAMPLES_MAX);
	*pgm_vec_add(arena, &builder->statements) = statement;
	return statement;
}

struct pgm_statement *pgm_workload_add(struct pgm_workload_builder *builder, const char *sql,
				       bool with_values, double calls, double total_ms, double rows)
{
	struct pgm_error err = {0};
	char *fingerprint;
	size_t length = strlen(sql);
	while (length && strchr(" \t\r\n;", sql[length - 1]))
		length--;
	if (length == 0)
		return NULL;
	if (length > PGM_WORKLOAD_TEXT_MAX) {
		leave_out(builder, "its text is longer than 64 kB");
		return NULL;
	}
	sql = pgm_strndup(builder->arena, sql, length);
	if (!pgm_sql_fingerprint(builder->arena, sql, &fingerprint, &err)) {
		leave_out(builder, err.message);
		return NULL;
	}
	const char *kin = fingerprint;
	if (builder->group) {
		uint64_t hash =
			pgm_hash_bytes(pgm_hash_string(fingerprint), builder->group, strlen(builder->group));
		fingerprint = pgm_sprintf(builder->arena, "%016llx", (unsigned long long)hash);
	}
	struct pgm_statement *statement = pgm_map_get(&builder->by_fingerprint, fingerprint);
	if (!statement) {
		statement = new_statement(builder, fingerprint, sql, with_values);
		if (!statement)
			return NULL;
		statement->kin = kin;
		pgm_map_set(&builder->by_fingerprint, fingerprint, statement);
	}
	statement->calls += calls;
	statement->total_ms += total_ms;
	statement->rows += rows;
	/* A text with $1 in it has no values, wherever it comes from. */
	with_values = with_values && !has_parameters(sql);
	/* Texts that are the same to the letter are one sample. */
	for (size_t i = 0; with_values && i < statement->sample_count; i++)
		with_values = strcmp(statement->samples[i], sql) != 0;
	if (with_values && statement->sample_count)
		compare_literals(statement, sql);
	if (with_values && statement->sample_count < PGM_WORKLOAD_SAMPLES_MAX)
		statement->samples[statement->sample_count++] = sql;
	return statement;
}

void pgm_workload_note_id(struct pgm_workload_builder *builder, struct pgm_statement *statement,
			  const char *id)
{
	if (statement && id && *id && !pgm_statement_is(statement, id))
		*pgm_vec_add(builder->arena, &statement->ids) = pgm_strdup(builder->arena, id);
}

bool pgm_statement_is(const struct pgm_statement *statement, const char *id)
{
	bool is = strcasecmp(statement->fingerprint, id) == 0 || strcasecmp(statement->kin, id) == 0;
	for (size_t i = 0; i < statement->ids.count && !is; i++)
		is = strcasecmp(statement->ids.items[i], id) == 0;
	return is;
}

static int compare_weight(const void *a, const void *b)
{
	const struct pgm_statement *left = a, *right = b;
	if (left->total_ms != right->total_ms)
		return left->total_ms < right->total_ms ? 1 : -1;
	if (left->calls != right->calls)
		return left->calls < right->calls ? 1 : -1;
	return strcmp(left->fingerprint, right->fingerprint);
}

void pgm_workload_finish(struct pgm_workload_builder *builder)
{
	struct pgm_workload *workload = builder->workload;
	workload->statement_count = builder->statements.count;
	workload->statements = PGM_NEW_ARRAY(builder->arena, struct pgm_statement, workload->statement_count);
	for (size_t i = 0; i < workload->statement_count; i++)
		workload->statements[i] = *builder->statements.items[i];
	if (workload->statement_count)
		qsort(workload->statements, workload->statement_count, sizeof(struct pgm_statement),
		      compare_weight);
}
