#include "change/plan_reader.h"

#include <string.h>

struct key {
	const char *name;
	char type; /* s: text, n: number, i: whole number, b: boolean, l: list of texts */
};

static const struct key plan_keys[] = {
	{"version", 'i'}, {"title", 's'}, {"database", 's'}, {"created_at", 's'}, {NULL, 0}};
static const struct key change_keys[] = {
	{"step", 'i'},	   {"kind", 's'},	    {"title", 's'}, {"schema", 's'},
	{"relation", 's'}, {"index", 's'},	    {"lock", 's'},  {"size_bytes", 'i'},
	{"build_ms", 'n'}, {"write_overhead", 'n'}, {"oid", 's'},   {"file", 's'},
	{NULL, 0}};
static const struct key statement_keys[] = {{"id", 's'},      {"sql", 's'},	    {"text", 's'},
					    {"calls", 'n'},   {"cost_before", 'n'}, {"cost_after", 'n'},
					    {"indexes", 'l'}, {"reads", 'b'},	    {NULL, 0}};
static const struct key undo_keys[] = {{"step", 'i'}, {NULL, 0}};

static const struct mark {
	const char *name;
	const struct key *keys;
} marks[] = {
	[PGM_MARK_PLAN] = {"pgmend:plan", plan_keys},
	[PGM_MARK_CHANGE] = {"pgmend:change", change_keys},
	[PGM_MARK_STATEMENT] = {"pgmend:statement", statement_keys},
	[PGM_MARK_UNDO] = {"pgmend:undo", undo_keys},
};

static const char *type_name(char type)
{
	switch (type) {
	case 's':
		return "a string";
	case 'n':
		return "a number";
	case 'i':
		return "a whole number";
	case 'b':
		return "true or false";
	default:
		return "a list of strings";
	}
}

static bool is_type(const json_t *value, char type)
{
	size_t i;
	json_t *element;
	switch (type) {
	case 's':
		return json_is_string(value);
	case 'n':
		return json_is_number(value);
	case 'i':
		return json_is_integer(value);
	case 'b':
		return json_is_boolean(value);
	default:
		json_array_foreach(value, i, element)
		{
			if (!json_is_string(element))
				return false;
		}
		return json_is_array(value);
	}
}

static bool check_keys(struct pgm_plan_reader *reader, int line, const struct mark *mark, json_t *object)
{
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		const struct key *key = mark->keys;
		while (key->name && strcmp(key->name, name) != 0)
			key++;
		if (!key->name)
			return pgm_plan_fail(reader, line, "%s has no key \"%s\"", mark->name, name);
		if (!is_type(value, key->type))
			return pgm_plan_fail(reader, line, "%s: \"%s\" should be %s", mark->name, name,
					     type_name(key->type));
	}
	return true;
}

json_t *pgm_plan_read_json(struct pgm_plan_reader *reader, int line, enum pgm_plan_marker marker,
			   const char *text, size_t length)
{
	const struct mark *mark = &marks[marker];
	json_error_t problem;
	json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!object) {
		pgm_plan_fail(reader, line, "%s: malformed JSON: %s", mark->name, problem.text);
		return NULL;
	}
	json_array_append_new(reader->objects, object);
	if (!json_is_object(object)) {
		pgm_plan_fail(reader, line, "%s: there should be a JSON object", mark->name);
		return NULL;
	}
	return check_keys(reader, line, mark, object) ? object : NULL;
}

const char *pgm_plan_text(struct pgm_arena *arena, const json_t *object, const char *key,
			  const char *fallback)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? pgm_strdup(arena, value) : fallback;
}

double pgm_plan_number(const json_t *object, const char *key, double fallback)
{
	const json_t *value = json_object_get(object, key);
	return value ? json_number_value(value) : fallback;
}

bool pgm_plan_take_header(struct pgm_plan_reader *reader, int line, const json_t *object)
{
	json_int_t version = json_integer_value(json_object_get(object, "version"));
	if (version != PGM_PLAN_VERSION) {
		pgm_plan_fail(reader, line, "this is a Plan of version %lld; this program reads version %d",
			      (long long)version, PGM_PLAN_VERSION);
		return pgm_error_hint(reader->err,
				      "Use the version of pgmend that made it, or make it anew.");
	}
	reader->plan->title = pgm_plan_text(reader->arena, object, "title", NULL);
	reader->plan->database = pgm_plan_text(reader->arena, object, "database", "");
	reader->plan->created_at = pgm_plan_text(reader->arena, object, "created_at", "");
	return true;
}

void pgm_plan_take_statement(struct pgm_plan_reader *reader, const json_t *object)
{
	struct pgm_arena *arena = reader->arena;
	const json_t *indexes = json_object_get(object, "indexes");
	struct pgm_plan_statement *statement = pgm_vec_add(arena, &reader->statements);
	*statement = (struct pgm_plan_statement){
		.id = pgm_plan_text(arena, object, "id", ""),
		.sql = pgm_plan_text(arena, object, "sql", ""),
		.text = pgm_plan_text(arena, object, "text", ""),
		.calls = pgm_plan_number(object, "calls", 1),
		.cost_before = pgm_plan_number(object, "cost_before", -1),
		.cost_after = pgm_plan_number(object, "cost_after", -1),
		.reads = json_is_true(json_object_get(object, "reads")),
		.index_count = json_array_size(indexes),
	};
	statement->indexes = PGM_NEW_ARRAY(arena, const char *, statement->index_count + 1);
	for (size_t i = 0; i < statement->index_count; i++)
		statement->indexes[i] = pgm_strdup(arena, json_string_value(json_array_get(indexes, i)));
}
