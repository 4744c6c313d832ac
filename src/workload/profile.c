/*
 * A Workload from a pooler's profile: docs/profile.md. With values in it, a statement whose calls mostly have
 * one value at some place (status = 'pending') becomes two, so that what serves the many can be weighed:
 * those with that value, and the rest.
 */
#include "sql/fingerprint.h"
#include "workload/statement.h"

#include <jansson.h>
#include <string.h>

#define DOMINANT_SHARE 0.6
#define PROFILE_FORMAT 1

struct profile_statement {
	const char *query, *id;
	double calls, total_ms, rows;
	json_t *samples; /* NULL: none */
	json_t *values;
};

/* The one value that most calls have where the statement compares a column for equality. */
struct dominant {
	size_t atom;	     /* of the shape */
	const char *literal; /* NULL: there is none */
	double share;
};

static double number(const json_t *object, const char *member)
{
	double value = json_number_value(json_object_get(object, member));
	return value > 0 && value < 1e15 ? value : 0;
}

/* The most frequent literal at a place, and its share of what was looked at there. */
static const char *top_value(const json_t *place, double *share)
{
	const json_t *top = json_array_get(json_object_get(place, "top"), 0);
	double looked = number(place, "looked"), count = number(top, "count") - number(top, "error");
	*share = looked > 0 ? count / looked : 0;
	return json_string_value(json_object_get(top, "value"));
}

static struct dominant find_dominant(struct pgm_arena *arena, const struct profile_statement *statement)
{
	struct dominant found = {.share = DOMINANT_SHARE};
	struct pgm_error ignored;
	struct pgm_shape shape;
	const json_t *place;
	size_t at;
	if (!pgm_sql_shape(arena, statement->query, &shape, &ignored))
		return found;
	json_array_foreach(statement->values, at, place)
	{
		double share, number_of_place = number(place, "number");
		const char *literal = top_value(place, &share);
		for (size_t i = 0; literal && i < shape.param_count; i++) {
			const struct pgm_param *param = &shape.params[i];
			if ((double)param->number != number_of_place || param->role != PGM_PARAM_COMPARED ||
			    param->atom < 0 || shape.atoms[param->atom].kind != PGM_ATOM_EQ ||
			    share < found.share)
				continue;
			found = (struct dominant){(size_t)param->atom, pgm_strdup(arena, literal), share};
		}
	}
	return found;
}

static bool has_value(struct pgm_arena *arena, const char *sample, const struct dominant *dominant)
{
	struct pgm_error ignored;
	struct pgm_shape shape;
	if (!pgm_sql_shape(arena, sample, &shape, &ignored) || dominant->atom >= shape.atom_count)
		return false;
	const struct pgm_atom *atom = &shape.atoms[dominant->atom];
	return atom->kind == PGM_ATOM_EQ && atom->value.kind == PGM_VALUE_LITERAL && atom->value.text &&
	       strcmp(atom->value.text, dominant->literal) == 0;
}

/*
 * The samples of which has[i] is such, as if they were all that ran: share of the calls. varying: where they
 * have other values too.
 */
static void add_samples(struct pgm_workload_builder *builder, const struct profile_statement *statement,
			const bool *has, bool such, size_t count, double share,
			const struct dominant *varying)
{
	const json_t *sample;
	size_t i;
	double part = share / (double)count;
	json_array_foreach(statement->samples, i, sample)
	{
		const char *sql = json_string_value(sample);
		if (!sql || has[i] != such)
			continue;
		struct pgm_statement *added =
			pgm_workload_add(builder, sql, true, statement->calls * part,
					 statement->total_ms * part, statement->rows * part);
		pgm_workload_note_id(builder, added, statement->id);
		/* One sample may be all that there is, but others ran. */
		if (added && varying && varying->atom < added->shape.atom_count)
			added->shape.atoms[varying->atom].varies = true;
	}
}

static void add_statement(struct pgm_workload_builder *builder, const struct profile_statement *statement)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	size_t count = json_array_size(statement->samples), with = 0;
	if (count == 0) {
		pgm_workload_note_id(builder,
				     pgm_workload_add(builder, statement->query, false, statement->calls,
						      statement->total_ms, statement->rows),
				     statement->id);
		return;
	}
	bool *has = PGM_NEW_ARRAY(scratch, bool, count);
	struct dominant dominant = find_dominant(scratch, statement);
	for (size_t i = 0; i < count; i++) {
		const char *sql = json_string_value(json_array_get(statement->samples, i));
		has[i] = !dominant.literal || (sql && has_value(scratch, sql, &dominant));
		with += has[i];
	}
	if (with == 0 || with == count) {
		add_samples(builder, statement, has, with != 0, count, 1, NULL);
		return;
	}
	add_samples(builder, statement, has, true, with, dominant.share, NULL);
	builder->group = "rest";
	add_samples(builder, statement, has, false, count - with, 1 - dominant.share, &dominant);
	builder->group = NULL;
}

static bool add_all(struct pgm_workload_builder *builder, const json_t *root, const char *name,
		    struct pgm_error *err)
{
	const json_t *version = json_object_get(root, "pgmend_profile"), *item;
	const json_t *statements = json_object_get(root, "statements");
	size_t i;
	if (!json_is_integer(version) || !json_is_array(statements))
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: this is JSON, but no profile of a pooler",
				     name);
	if (json_integer_value(version) != PROFILE_FORMAT) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: a profile of format %lld; this pgmend reads format %d",
			      name, (long long)json_integer_value(version), PROFILE_FORMAT);
		return pgm_error_hint(err, "Use a pgmend of the version that wrote it.");
	}
	json_array_foreach(statements, i, item)
	{
		struct profile_statement statement = {
			.query = json_string_value(json_object_get(item, "query")),
			.id = json_string_value(json_object_get(item, "fingerprint")),
			.calls = number(item, "calls"),
			.total_ms = number(json_object_get(item, "server"), "total_ms"),
			.rows = number(item, "rows"),
			.samples = json_object_get(item, "samples"),
			.values = json_object_get(item, "values"),
		};
		if (statement.query && statement.calls > 0)
			add_statement(builder, &statement);
	}
	return true;
}

bool pgm_workload_from_profile(struct pgm_arena *arena, const char *name, const char *text,
			       struct pgm_workload *workload, struct pgm_error *err)
{
	struct pgm_workload_builder builder;
	json_error_t problem;
	pgm_workload_builder_init(&builder, arena, workload);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
	if (!root)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: line %d: %s", name, problem.line, problem.text);
	bool ok = add_all(&builder, root, name, err);
	json_decref(root);
	if (!ok)
		return false;
	pgm_workload_finish(&builder);
	workload->source = name;
	if (workload->statement_count == 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: there is no query in it%s%s", name,
				     workload->left_out_example ? " that can be understood: " : "",
				     workload->left_out_example ? workload->left_out_example : "");
	return true;
}
