/*
 * A result as JSON, and back: one row for each member serves both ways.
 */
#include "load/result.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum kind { TEXT, BOOL, INT, U32, U64, DOUBLE, SCENARIO, OBJECT, LIST, BUCKETS };

struct type;

struct field {
	const char *name; /* NULL ends the rows */
	enum kind kind;
	size_t offset;
	const struct type *type; /* of an OBJECT or of a LIST's items */
	size_t count_offset;	 /* of a LIST or BUCKETS */
};

struct type {
	size_t size;
	const struct field *fields;
};

#define FIELD(owner, kind, member)                                     \
	{                                                              \
#member, kind, offsetof(struct owner, member), NULL, 0 \
	}
#define PART(owner, member, of)                                        \
	{                                                              \
#member, OBJECT, offsetof(struct owner, member), of, 0 \
	}
#define MANY(owner, name, member, count, of)                                                  \
	{                                                                                     \
		name, LIST, offsetof(struct owner, member), of, offsetof(struct owner, count) \
	}
#define END                            \
	{                              \
		NULL, TEXT, 0, NULL, 0 \
	}
#define TYPE(owner) (&(const struct type){sizeof(struct owner), owner##_fields})

static const struct field pgm_load_distribution_fields[] = {
	FIELD(pgm_load_distribution, U64, count),
	FIELD(pgm_load_distribution, DOUBLE, mean_ms),
	FIELD(pgm_load_distribution, DOUBLE, max_ms),
	FIELD(pgm_load_distribution, DOUBLE, p50_ms),
	FIELD(pgm_load_distribution, DOUBLE, p90_ms),
	FIELD(pgm_load_distribution, DOUBLE, p95_ms),
	FIELD(pgm_load_distribution, DOUBLE, p99_ms),
	FIELD(pgm_load_distribution, DOUBLE, p999_ms),
	{"buckets", BUCKETS, offsetof(struct pgm_load_distribution, buckets), NULL,
	 offsetof(struct pgm_load_distribution, bucket_count)},
	END,
};

static const struct field pgm_load_error_fields[] = {
	FIELD(pgm_load_error, TEXT, code),
	FIELD(pgm_load_error, U64, count),
	FIELD(pgm_load_error, TEXT, message),
	END,
};

static const struct field pgm_load_second_fields[] = {
	FIELD(pgm_load_second, DOUBLE, at_s),
	FIELD(pgm_load_second, DOUBLE, length_s),
	FIELD(pgm_load_second, DOUBLE, rate),
	FIELD(pgm_load_second, U32, users),
	FIELD(pgm_load_second, U32, sessions),
	FIELD(pgm_load_second, U64, scheduled),
	FIELD(pgm_load_second, U64, started),
	FIELD(pgm_load_second, U64, done),
	FIELD(pgm_load_second, U64, failed),
	FIELD(pgm_load_second, U64, backlog),
	FIELD(pgm_load_second, DOUBLE, p50_ms),
	FIELD(pgm_load_second, DOUBLE, p95_ms),
	FIELD(pgm_load_second, DOUBLE, p99_ms),
	FIELD(pgm_load_second, DOUBLE, max_ms),
	MANY(pgm_load_second, "errors", errors.items, errors.count, TYPE(pgm_load_error)),
	END,
};

static const struct field pgm_load_statement_fields[] = {
	FIELD(pgm_load_statement, TEXT, text),
	FIELD(pgm_load_statement, TEXT, script),
	FIELD(pgm_load_statement, BOOL, writes),
	FIELD(pgm_load_statement, U64, done),
	FIELD(pgm_load_statement, U64, failed),
	FIELD(pgm_load_statement, U64, rows),
	PART(pgm_load_statement, latency, TYPE(pgm_load_distribution)),
	END,
};

static const struct field pgm_load_script_fields[] = {
	FIELD(pgm_load_script, TEXT, name),
	FIELD(pgm_load_script, DOUBLE, weight),
	FIELD(pgm_load_script, U64, done),
	FIELD(pgm_load_script, U64, failed),
	PART(pgm_load_script, latency, TYPE(pgm_load_distribution)),
	END,
};

static const struct field pgm_load_wait_fields[] = {
	FIELD(pgm_load_wait, TEXT, type),
	FIELD(pgm_load_wait, TEXT, event),
	FIELD(pgm_load_wait, DOUBLE, backends),
	END,
};

static const struct field pgm_load_sample_fields[] = {
	FIELD(pgm_load_sample, DOUBLE, at_s),
	FIELD(pgm_load_sample, BOOL, has_server),
	FIELD(pgm_load_sample, U32, backends),
	FIELD(pgm_load_sample, U32, active),
	FIELD(pgm_load_sample, U32, waiting_for_locks),
	FIELD(pgm_load_sample, U32, idle_in_transaction),
	MANY(pgm_load_sample, "waits", waits, wait_count, TYPE(pgm_load_wait)),
	FIELD(pgm_load_sample, DOUBLE, blocks_hit),
	FIELD(pgm_load_sample, DOUBLE, blocks_read),
	FIELD(pgm_load_sample, DOUBLE, commits),
	FIELD(pgm_load_sample, DOUBLE, rollbacks),
	FIELD(pgm_load_sample, DOUBLE, temp_bytes),
	FIELD(pgm_load_sample, DOUBLE, wal_bytes),
	FIELD(pgm_load_sample, DOUBLE, deadlocks),
	FIELD(pgm_load_sample, DOUBLE, checkpoints),
	FIELD(pgm_load_sample, BOOL, has_pool),
	FIELD(pgm_load_sample, U32, clients_active),
	FIELD(pgm_load_sample, U32, clients_waiting),
	FIELD(pgm_load_sample, U32, servers_active),
	FIELD(pgm_load_sample, U32, servers_idle),
	FIELD(pgm_load_sample, U32, pool_size),
	FIELD(pgm_load_sample, DOUBLE, max_wait_ms),
	FIELD(pgm_load_sample, DOUBLE, mean_wait_ms),
	FIELD(pgm_load_sample, BOOL, has_machine),
	FIELD(pgm_load_sample, DOUBLE, cpu_busy),
	FIELD(pgm_load_sample, DOUBLE, server_busy),
	FIELD(pgm_load_sample, DOUBLE, generator_busy),
	END,
};

static const struct field pgm_load_index_fields[] = {
	FIELD(pgm_load_index, TEXT, schema),	   FIELD(pgm_load_index, TEXT, table),
	FIELD(pgm_load_index, TEXT, name),	   FIELD(pgm_load_index, BOOL, unique),
	FIELD(pgm_load_index, U64, scans),	   FIELD(pgm_load_index, U64, rows),
	FIELD(pgm_load_index, DOUBLE, size_bytes), END,
};

static const struct field pgm_load_table_fields[] = {
	FIELD(pgm_load_table, TEXT, schema),	   FIELD(pgm_load_table, TEXT, name),
	FIELD(pgm_load_table, U64, seq_scans),	   FIELD(pgm_load_table, U64, seq_rows),
	FIELD(pgm_load_table, U64, index_scans),   FIELD(pgm_load_table, U64, inserted),
	FIELD(pgm_load_table, U64, updated),	   FIELD(pgm_load_table, U64, deleted),
	FIELD(pgm_load_table, DOUBLE, size_bytes), END,
};

static const struct field pgm_load_step_fields[] = {
	FIELD(pgm_load_step, DOUBLE, from_s),	 FIELD(pgm_load_step, DOUBLE, to_s),
	FIELD(pgm_load_step, U32, users),	 FIELD(pgm_load_step, DOUBLE, rate),
	FIELD(pgm_load_step, DOUBLE, done_rate), FIELD(pgm_load_step, DOUBLE, error_rate),
	FIELD(pgm_load_step, DOUBLE, p95_ms),	 FIELD(pgm_load_step, BOOL, held),
	FIELD(pgm_load_step, TEXT, broken),	 END,
};

static const struct field pgm_load_target_fields[] = {
	FIELD(pgm_load_target, TEXT, name),
	FIELD(pgm_load_target, TEXT, place),
	FIELD(pgm_load_target, TEXT, protocol),
	FIELD(pgm_load_target, TEXT, version),
	FIELD(pgm_load_target, INT, max_connections),
	FIELD(pgm_load_target, TEXT, pooler),
	FIELD(pgm_load_target, DOUBLE, length_s),
	FIELD(pgm_load_target, U64, scheduled),
	FIELD(pgm_load_target, U64, started),
	FIELD(pgm_load_target, U64, done),
	FIELD(pgm_load_target, U64, failed),
	FIELD(pgm_load_target, U64, unfinished),
	FIELD(pgm_load_target, U64, statements),
	FIELD(pgm_load_target, U64, rows),
	FIELD(pgm_load_target, U64, connects),
	FIELD(pgm_load_target, U64, connects_failed),
	FIELD(pgm_load_target, U64, reconnects),
	FIELD(pgm_load_target, TEXT, refusal),
	FIELD(pgm_load_target, U32, users_max),
	FIELD(pgm_load_target, U32, sessions_max),
	FIELD(pgm_load_target, DOUBLE, error_rate),
	FIELD(pgm_load_target, DOUBLE, done_rate),
	PART(pgm_load_target, latency, TYPE(pgm_load_distribution)),
	PART(pgm_load_target, service, TYPE(pgm_load_distribution)),
	PART(pgm_load_target, lag, TYPE(pgm_load_distribution)),
	PART(pgm_load_target, connecting, TYPE(pgm_load_distribution)),
	MANY(pgm_load_target, "errors", errors.items, errors.count, TYPE(pgm_load_error)),
	MANY(pgm_load_target, "seconds", seconds, second_count, TYPE(pgm_load_second)),
	MANY(pgm_load_target, "scripts", scripts, script_count, TYPE(pgm_load_script)),
	MANY(pgm_load_target, "queries", queries, query_count, TYPE(pgm_load_statement)),
	MANY(pgm_load_target, "samples", samples, sample_count, TYPE(pgm_load_sample)),
	MANY(pgm_load_target, "indexes", indexes, index_count, TYPE(pgm_load_index)),
	MANY(pgm_load_target, "tables", tables, table_count, TYPE(pgm_load_table)),
	MANY(pgm_load_target, "steps", steps, step_count, TYPE(pgm_load_step)),
	FIELD(pgm_load_target, TEXT, watch_problem),
	END,
};

static const struct field pgm_load_verdict_fields[] = {
	FIELD(pgm_load_verdict, TEXT, name),	 FIELD(pgm_load_verdict, U32, target),
	FIELD(pgm_load_verdict, DOUBLE, wanted), FIELD(pgm_load_verdict, DOUBLE, measured),
	FIELD(pgm_load_verdict, BOOL, held),	 END,
};

static const struct field result_fields[] = {
	FIELD(pgm_load_result, TEXT, program),
	FIELD(pgm_load_result, DOUBLE, began_unix_s),
	FIELD(pgm_load_result, DOUBLE, length_s),
	FIELD(pgm_load_result, DOUBLE, planned_s),
	FIELD(pgm_load_result, BOOL, interrupted),
	FIELD(pgm_load_result, SCENARIO, scenario),
	FIELD(pgm_load_result, TEXT, source),
	FIELD(pgm_load_result, BOOL, writes),
	FIELD(pgm_load_result, U32, users),
	FIELD(pgm_load_result, DOUBLE, rate),
	FIELD(pgm_load_result, DOUBLE, think_ms),
	FIELD(pgm_load_result, TEXT, arrivals),
	FIELD(pgm_load_result, U64, seed),
	FIELD(pgm_load_result, DOUBLE, slice_s),
	FIELD(pgm_load_result, U32, cores),
	FIELD(pgm_load_result, DOUBLE, generator_cpu_ms),
	FIELD(pgm_load_result, DOUBLE, generator_busy_max),
	FIELD(pgm_load_result, U32, left_out_count),
	FIELD(pgm_load_result, TEXT, left_out_why),
	MANY(pgm_load_result, "targets", targets, target_count, TYPE(pgm_load_target)),
	MANY(pgm_load_result, "verdicts", verdicts, verdict_count, TYPE(pgm_load_verdict)),
	END,
};

/* ---- out ---- */

static json_t *fields_json(const struct field *fields, const void *owner);

/* JSON has no words for what is no number. */
static json_t *real(double value)
{
	return json_real(isfinite(value) ? value : 0);
}

static json_t *list_json(const struct field *field, const void *owner)
{
	const char *items = *(const char *const *)((const char *)owner + field->offset);
	size_t count = *(const size_t *)((const char *)owner + field->count_offset);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, fields_json(field->type->fields, items + i * field->type->size));
	return list;
}

/* [from, to, count], because there may be thousands of them. */
static json_t *buckets_json(const struct field *field, const void *owner)
{
	const struct pgm_load_bucket *buckets =
		*(const struct pgm_load_bucket *const *)((const char *)owner + field->offset);
	size_t count = *(const size_t *)((const char *)owner + field->count_offset);
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("[o, o, I]", real(buckets[i].from_ms),
						      real(buckets[i].to_ms), (json_int_t)buckets[i].count));
	return list;
}

static json_t *field_json(const struct field *field, const void *owner)
{
	const void *at = (const char *)owner + field->offset;
	switch (field->kind) {
	case TEXT: {
		const char *text = *(const char *const *)at;
		json_t *string = json_string(text ? text : "");
		return string ? string : json_string("?"); /* what a script holds may be no UTF-8 */
	}
	case BOOL:
		return json_boolean(*(const bool *)at);
	case INT:
		return json_integer(*(const int *)at);
	case U32:
		return json_integer(*(const uint32_t *)at);
	case U64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case DOUBLE:
		return real(*(const double *)at);
	case SCENARIO:
		return json_string(pgm_load_scenarios[*(const enum pgm_load_scenario *)at]);
	case OBJECT:
		return fields_json(field->type->fields, at);
	case LIST:
		return list_json(field, owner);
	case BUCKETS:
		return buckets_json(field, owner);
	}
	return NULL;
}

static json_t *fields_json(const struct field *fields, const void *owner)
{
	json_t *object = json_object();
	for (const struct field *field = fields; field->name; field++)
		json_object_set_new(object, field->name, field_json(field, owner));
	return object;
}

json_t *pgm_load_result_json(const struct pgm_load_result *result)
{
	json_t *object = json_pack("{s:s}", "schema", PGM_LOAD_SCHEMA), *rest;
	rest = fields_json(result_fields, result);
	json_object_update(object, rest);
	json_decref(rest);
	return object;
}

/* ---- in: what is missing or of another kind reads as 0, "" or none ---- */

static void read_fields(struct pgm_arena *arena, const struct field *fields, const json_t *object,
			void *owner);

static void read_list(struct pgm_arena *arena, const struct field *field, const json_t *list, void *owner)
{
	size_t count = json_array_size(list), i;
	const json_t *item;
	char *items = pgm_arena_alloc(arena, (count ? count : 1) * field->type->size);
	json_array_foreach(list, i, item)
		read_fields(arena, field->type->fields, item, items + i * field->type->size);
	*(char **)((char *)owner + field->offset) = items;
	*(size_t *)((char *)owner + field->count_offset) = count;
}

static uint64_t natural(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value)
								       : 0;
}

static void read_buckets(struct pgm_arena *arena, const struct field *field, const json_t *list, void *owner)
{
	size_t count = json_array_size(list), i;
	const json_t *item;
	struct pgm_load_bucket *buckets = PGM_NEW_ARRAY(arena, struct pgm_load_bucket, count ? count : 1);
	json_array_foreach(list, i, item)
	{
		buckets[i].from_ms = json_number_value(json_array_get(item, 0));
		buckets[i].to_ms = json_number_value(json_array_get(item, 1));
		buckets[i].count = natural(json_array_get(item, 2));
	}
	*(struct pgm_load_bucket **)((char *)owner + field->offset) = buckets;
	*(size_t *)((char *)owner + field->count_offset) = count;
}

static enum pgm_load_scenario scenario_of(const char *name)
{
	for (int i = 0; name && i < PGM_LOAD_SCENARIOS; i++)
		if (strcmp(pgm_load_scenarios[i], name) == 0)
			return (enum pgm_load_scenario)i;
	return PGM_LOAD_STEADY;
}

static void read_field(struct pgm_arena *arena, const struct field *field, const json_t *value, void *owner)
{
	void *at = (char *)owner + field->offset;
	const char *text = json_string_value(value);
	uint64_t number = natural(value);
	switch (field->kind) {
	case TEXT:
		*(const char **)at = pgm_strdup(arena, text ? text : "");
		break;
	case BOOL:
		*(bool *)at = json_is_true(value);
		break;
	case INT:
		*(int *)at = number < INT32_MAX ? (int)number : INT32_MAX;
		break;
	case U32:
		*(uint32_t *)at = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
		break;
	case U64:
		*(uint64_t *)at = number;
		break;
	case DOUBLE:
		*(double *)at = json_number_value(value);
		break;
	case SCENARIO:
		*(enum pgm_load_scenario *)at = scenario_of(text);
		break;
	case OBJECT:
		read_fields(arena, field->type->fields, value, at);
		break;
	case LIST:
		read_list(arena, field, value, owner);
		break;
	case BUCKETS:
		read_buckets(arena, field, value, owner);
		break;
	}
}

static void read_fields(struct pgm_arena *arena, const struct field *fields, const json_t *object,
			void *owner)
{
	for (const struct field *field = fields; field->name; field++)
		read_field(arena, field, json_object_get(object, field->name), owner);
}

bool pgm_load_result_from_text(struct pgm_arena *arena, const char *name, const char *text,
			       struct pgm_load_result *result, struct pgm_error *err)
{
	json_error_t problem;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
	if (!root)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: line %d: %s", name, problem.line, problem.text);
	const char *schema = json_string_value(json_object_get(root, "schema"));
	if (!schema || strcmp(schema, PGM_LOAD_SCHEMA) != 0) {
		bool later = schema && strncmp(schema, "pgmend.load/", 12) == 0;
		json_decref(root);
		pgm_error_set(err, PGM_ERR_INPUT, "%s: this is JSON, but no result of \"pgmend load\"%s",
			      name, later ? " that this version reads" : "");
		return pgm_error_hint(err, "Give a file that \"pgmend load --out FILE\" wrote.");
	}
	memset(result, 0, sizeof(*result));
	read_fields(arena, result_fields, root, result);
	for (size_t i = 0; i < result->verdict_count; i++)
		if (result->verdicts[i].target >= result->target_count)
			result->verdict_count = 0; /* of no target of the file */
	json_decref(root);
	return true;
}
