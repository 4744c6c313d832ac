#include "lint/judge.h"

#include <string.h>

/* What is known of a column's type: pg_type's name ("_text" for text[]) and its modifiers, -1 for none. */
struct type {
	const char *name;
	long length; /* varchar(20): 20; numeric: precision; timestamp: digits of a second */
	long scale;
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? dot + 1 : name;
}

static struct type written(const struct pgm_judge *judge, const struct pgm_op_type *type)
{
	const char *name = last_part(type->name);
	static const char *const serials[][2] = {{"serial", "int4"},	  {"serial4", "int4"},
						 {"bigserial", "int8"},	  {"serial8", "int8"},
						 {"smallserial", "int2"}, {"serial2", "int2"}};
	for (size_t i = 0; i < sizeof(serials) / sizeof(*serials); i++)
		if (strcmp(serials[i][0], name) == 0)
			name = serials[i][1];
	return (struct type){
		.name = type->array ? pgm_sprintf(judge->arena, "_%s", name) : name,
		.length = type->modifier_count ? type->modifiers[0] : -1,
		.scale = type->modifier_count > 1 ? type->modifiers[1] : 0,
	};
}

static struct type stored(const struct pgm_lint_column *column)
{
	struct type type = {.name = column->type, .length = column->modifier};
	if (*column->base)
		return (struct type){.name = column->base, .length = -1};
	if (column->modifier < 0)
		return type;
	if (strcmp(type.name, "varchar") == 0 || strcmp(type.name, "bpchar") == 0) {
		type.length = column->modifier - 4;
	} else if (strcmp(type.name, "numeric") == 0) {
		/* make_numeric_typmod() in numeric.c; the scale is signed since PostgreSQL 15 */
		type.length = (column->modifier - 4) >> 16 & 0xFFFF;
		type.scale = (((column->modifier - 4) & 0x7FF) ^ 1024) - 1024;
	}
	return type;
}

/* The column's type before the change: from the database, else from the files read so far. */
static bool old_type(const struct pgm_judge *judge, const struct pgm_op *op, struct type *type)
{
	const struct pgm_op_type *noted =
		pgm_map_get(&judge->types, pgm_judge_column_key(judge, op->relation, op->name));
	const struct pgm_lint_column *column =
		pgm_lint_column(judge->arena, judge->facts, op->relation, op->name);
	if (noted)
		*type = written(judge, noted);
	else if (column)
		*type = stored(column);
	return noted || column;
}

static const char *const times[] = {"timestamp", "timestamptz", "time", "timetz", NULL};

/* Types of the same name whose modifiers differ. */
static bool widens(const struct type *old, const struct type *new)
{
	static const char *const lengths[] = {"varchar", "varbit", NULL};
	if (old->length == new->length && old->scale == new->scale)
		return true;
	if (new->length < 0)
		return strcmp(new->name, "bpchar") != 0 && strcmp(new->name, "bit") != 0;
	if (is_one_of(new->name, lengths))
		return old->length >= 0 && new->length >= old->length;
	if (strcmp(new->name, "numeric") == 0)
		return old->length >= 0 && new->scale == old->scale &&new->length >= old->length;
	if (is_one_of(new->name, times))
		return new->length >= 6 || (old->length >= 0 && new->length >= old->length);
	return false;
}

enum pgm_type_change pgm_judge_type(const struct pgm_judge *judge, const struct pgm_op *op)
{
	struct type old, new = written(judge, &op->type);
	if (op->computed)
		return PGM_TYPE_REWRITES;
	if (!old_type(judge, op, &old))
		return PGM_TYPE_UNKNOWN;
	if (strcmp(old.name, new.name) == 0)
		return widens(&old, &new) ? PGM_TYPE_FREE : PGM_TYPE_REWRITES;
	/* Pairs that are the same bytes (pg_cast.castmethod b), where the new one has no limit. */
	static const char *const same[][2] = {{"varchar", "text"},
					      {"text", "varchar"},
					      {"cidr", "inet"},
					      {"citext", "text"},
					      {"xml", "text"}};
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (strcmp(old.name, same[i][0]) == 0 && strcmp(new.name, same[i][1]) == 0)
			return new.length < 0 ? PGM_TYPE_FREE : PGM_TYPE_REWRITES;
	bool zoned = (strcmp(old.name, "timestamp") == 0 && strcmp(new.name, "timestamptz") == 0) ||
		     (strcmp(old.name, "timestamptz") == 0 && strcmp(new.name, "timestamp") == 0);
	return zoned && (new.length < 0 || new.length >= 6) ? PGM_TYPE_BY_TIMEZONE : PGM_TYPE_REWRITES;
}

void pgm_judge_type_change(struct pgm_judge *judge, const struct pgm_op *op)
{
	static const char *const free_from_text[] = {"text", "varchar", NULL};
	const char *cost = pgm_judge_cost(judge, op->relation, PGM_LINT_REWRITES);
	const char *name = pgm_judge_name(judge, op->relation);
	struct type new = written(judge, &op->type);
	enum pgm_type_change change = pgm_judge_type(judge, op);
	struct pgm_lint_finding *finding = NULL;
	if (change == PGM_TYPE_REWRITES)
		finding = pgm_judge_say(
			judge, PGM_LINT_CHANGE_TYPE, op, op->relation,
			"Column %s of %s gets another type%s: the table and its indexes are rewritten "
			"under ACCESS EXCLUSIVE%s.",
			op->name, name, op->computed ? " by an expression" : "", cost);
	else if (change == PGM_TYPE_BY_TIMEZONE)
		finding = pgm_judge_say(judge, PGM_LINT_CHANGE_TYPE, op, op->relation,
					"Unless the session's TimeZone is UTC, this rewrites %s under ACCESS "
					"EXCLUSIVE%s.",
					name, cost);
	else if (change == PGM_TYPE_UNKNOWN)
		finding = pgm_judge_say(
			judge, PGM_LINT_CHANGE_TYPE, op, op->relation,
			"The type that column %s of %s has now is not known here: unless the change is "
			"one of the free ones, the table is rewritten under ACCESS EXCLUSIVE%s.",
			op->name, name, cost);
	if (!finding)
		return;
	if (change == PGM_TYPE_UNKNOWN && new.length < 0 && is_one_of(new.name, free_from_text))
		finding->severity = PGM_SEVERITY_INFO;
	else if (change != PGM_TYPE_REWRITES)
		finding->severity = PGM_SEVERITY_WARNING;
	if (change == PGM_TYPE_BY_TIMEZONE)
		finding->remedy = "SET timezone = 'UTC' before it, where that is what the values mean";
	pgm_judge_soften(judge, finding, op->relation, PGM_LINT_REWRITES);
}

bool pgm_judge_column_is_there(const struct pgm_judge *judge, const struct pgm_op *op)
{
	return op->if_exists &&
	       (pgm_map_get(&judge->types, pgm_judge_column_key(judge, op->relation, op->name)) ||
		pgm_lint_column(judge->arena, judge->facts, op->relation, op->name));
}

bool pgm_judge_not_null_reads(const struct pgm_judge *judge, const struct pgm_op *op)
{
	const struct pgm_lint_column *column =
		pgm_lint_column(judge->arena, judge->facts, op->relation, op->name);
	const char *check = pgm_map_get(&judge->checked, pgm_judge_column_key(judge, op->relation, op->name));
	bool spared = (column && (column->not_null || column->checked_not_null)) ||
		      pgm_map_get(&judge->not_null, pgm_judge_column_key(judge, op->relation, op->name));
	return !spared && !(check && strcmp(check, "valid") == 0);
}

/* Of those that defaults call; what is on neither list is judged by the server, or with doubt. */
static const char *const volatile_functions[] = {"random",
						 "gen_random_uuid",
						 "gen_random_bytes",
						 "uuid_generate_v1",
						 "uuid_generate_v1mc",
						 "uuid_generate_v4",
						 "uuidv4",
						 "uuidv7",
						 "clock_timestamp",
						 "timeofday",
						 "nextval",
						 NULL};
static const char *const stable_functions[] = {"now",
					       "transaction_timestamp",
					       "statement_timestamp",
					       "date_trunc",
					       "timezone",
					       "to_char",
					       "to_timestamp",
					       "make_interval",
					       "make_date",
					       "lower",
					       "upper",
					       "concat",
					       "md5",
					       "current_setting",
					       "current_schema",
					       "jsonb_build_object",
					       "jsonb_build_array",
					       "json_build_object",
					       "json_build_array",
					       "array_fill",
					       "int4range",
					       "int8range",
					       "numrange",
					       "tsrange",
					       "tstzrange",
					       "daterange",
					       NULL};

const char *pgm_judge_column_rewrites(const struct pgm_judge *judge, const struct pgm_op *op)
{
	if (op->identity)
		return "takes its values from a sequence";
	if (op->generated)
		return "is generated and stored";
	for (size_t i = 0; i < op->function_count; i++) {
		const char *name = last_part(op->functions[i]);
		const char *server = judge->facts ? pgm_map_get(&judge->facts->volatiles, name) : NULL;
		if (is_one_of(name, volatile_functions) || (server && strcmp(server, "yes") == 0))
			return pgm_sprintf(judge->arena, "has a default that calls %s(), which is volatile",
					   name);
		if (!server && !is_one_of(name, stable_functions))
			return pgm_sprintf(
				judge->arena,
				"has a default that calls %s(), which may be volatile (the default of "
				"CREATE FUNCTION)",
				name);
	}
	if (judge->facts && pgm_map_get(&judge->facts->domains, last_part(op->type.name)))
		return "is of a domain with constraints";
	return NULL;
}

enum pgm_lint_work pgm_judge_constraint_work(const struct pgm_op *op)
{
	if (op->constraint == 'c')
		return op->not_valid ? PGM_LINT_NO_WORK : PGM_LINT_SCANS;
	if (op->constraint == 'f') {
		/* A new column without a default holds nothing that could break it (parse_utilcmd.c). */
		bool empty = op->inline_column && !op->has_default;
		return op->not_valid || empty ? PGM_LINT_NO_WORK : PGM_LINT_SCANS;
	}
	return *op->using_index ? PGM_LINT_NO_WORK : PGM_LINT_BUILDS;
}
