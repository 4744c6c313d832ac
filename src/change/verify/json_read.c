#include "change/verify/verify.h"

#include <math.h>
#include <string.h>

/* A missing or mistyped field reads as nothing; what a reader must have is checked where it is read. */
static const char *text_of(struct pgm_arena *arena, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return pgm_strdup(arena, text ? text : "");
}

static double number_of(const json_t *object, const char *key)
{
	double value = json_number_value(json_object_get(object, key));
	return isfinite(value) && value > 0 ? value : 0;
}

static struct pgm_spread spread_of(const json_t *json)
{
	return (struct pgm_spread){
		.count = (size_t)fmin(number_of(json, "runs"), PGM_SPREAD_MAX),
		.median = number_of(json, "median"),
		.min = number_of(json, "min"),
		.max = number_of(json, "max"),
		.mad = number_of(json, "mad"),
	};
}

static bool read_state(const char *name, enum pgm_measure_state *state)
{
	static const struct {
		const char *name;
		enum pgm_measure_state state;
	} states[] = {{"timed", PGM_MEASURE_TIMED},
		      {"timed_out", PGM_MEASURE_TIMED_OUT},
		      {"planned", PGM_MEASURE_PLANNED},
		      {"failed", PGM_MEASURE_FAILED}};
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(states[i].name, name) == 0)
			return *state = states[i].state, true;
	return false;
}

static bool read_measure(struct pgm_arena *arena, const json_t *json, size_t at, struct pgm_measure *measure,
			 struct pgm_error *err)
{
	json_t *indexes = json_object_get(json, "indexes");
	*measure = (struct pgm_measure){
		.id = text_of(arena, json, "id"),
		.hash = text_of(arena, json, "hash"),
		.text = text_of(arena, json, "text"),
		.reason = text_of(arena, json, "reason"),
		.limit_ms = number_of(json, "limit_ms"),
		.cold = json_is_true(json_object_get(json, "cold")),
		.time_ms = spread_of(json_object_get(json, "time_ms")),
		.hit_blocks = number_of(json, "hit_blocks"),
		.read_blocks = number_of(json, "read_blocks"),
		.rows = number_of(json, "rows"),
		.cost = number_of(json, "cost"),
		.headline = text_of(arena, json, "plan"),
		.indexes = PGM_NEW_ARRAY(arena, struct pgm_index_name, json_array_size(indexes)),
		.index_count = json_array_size(indexes),
	};
	for (size_t i = 0; i < measure->index_count; i++) {
		const json_t *index = json_array_get(indexes, i);
		measure->indexes[i] = (struct pgm_index_name){text_of(arena, index, "schema"),
							      text_of(arena, index, "name")};
	}
	if (*measure->hash == '\0' || !read_state(text_of(arena, json, "state"), &measure->state) ||
	    (measure->state == PGM_MEASURE_TIMED && measure->time_ms.count == 0))
		return pgm_error_set(err, PGM_ERR_INPUT, "statement %zu of the baseline cannot be read",
				     at + 1);
	return true;
}

static void read_costs(const json_t *json, struct pgm_write_cost *costs)
{
	for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++) {
		const json_t *cost = json_object_get(json, pgm_write_kind_name(kind));
		costs[kind].us_per_row = spread_of(json_object_get(cost, "us_per_row"));
		costs[kind].hot_share = number_of(cost, "hot_share");
	}
}

static void read_writes(struct pgm_arena *arena, const json_t *json, struct pgm_writes *writes)
{
	*writes = (struct pgm_writes){
		.schema = text_of(arena, json, "schema"),
		.relation = text_of(arena, json, "relation"),
		.reason = text_of(arena, json, "reason"),
		.rows = number_of(json, "rows"),
		.indexes_before = (int)fmin(number_of(json, "indexes_before"), 1e6),
		.indexes_after = (int)fmin(number_of(json, "indexes_after"), 1e6),
		.covered_columns = text_of(arena, json, "covered_columns"),
		.other_column = text_of(arena, json, "other_column"),
	};
	read_costs(json_object_get(json, "before"), writes->before);
	read_costs(json_object_get(json, "after"), writes->after);
	for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++)
		writes->notes[kind] =
			text_of(arena, json_object_get(json, "notes"), pgm_write_kind_name(kind));
}

bool pgm_measures_parse(struct pgm_arena *arena, const json_t *json, struct pgm_measures *measures,
			struct pgm_error *err)
{
	json_t *statements = json_object_get(json, "statements");
	json_t *writes = json_object_get(json, "writes");
	if (strcmp(text_of(arena, json, "schema"), "pgmend.baseline/1") != 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "it is no baseline of this version of pgmend");
	*measures = (struct pgm_measures){
		.plan_id = text_of(arena, json, "plan"),
		.database = text_of(arena, json, "database"),
		.taken_at = text_of(arena, json, "taken_at"),
		.server_version = (int)fmin(number_of(json, "server_version"), 1e9),
		.budget_spent = json_is_true(json_object_get(json, "budget_spent")),
		.made = (int)fmin(number_of(json, "changes_made"), 1e6),
		.items = PGM_NEW_ARRAY(arena, struct pgm_measure, json_array_size(statements)),
		.count = json_array_size(statements),
		.writes = PGM_NEW_ARRAY(arena, struct pgm_writes, json_array_size(writes)),
		.write_count = json_array_size(writes),
	};
	for (size_t i = 0; i < measures->count; i++)
		if (!read_measure(arena, json_array_get(statements, i), i, &measures->items[i], err))
			return false;
	for (size_t i = 0; i < measures->write_count; i++)
		read_writes(arena, json_array_get(writes, i), &measures->writes[i]);
	return true;
}
