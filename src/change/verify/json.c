#include "change/verify/verify.h"

#include <string.h>

/* JSON is UTF-8; a database in another encoding may hold names that are not. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text ? text : "");
	return value ? value : json_string("?");
}

static json_t *spread_json(const struct pgm_spread *spread)
{
	return json_pack("{s:i, s:f, s:f, s:f, s:f}", "runs", (int)spread->count, "median", spread->median,
			 "min", spread->min, "max", spread->max, "mad", spread->mad);
}

static const char *const state_names[] = {
	[PGM_MEASURE_TIMED] = "timed",
	[PGM_MEASURE_TIMED_OUT] = "timed_out",
	[PGM_MEASURE_PLANNED] = "planned",
	[PGM_MEASURE_FAILED] = "failed",
};

static json_t *measure_json(const struct pgm_measure *measure)
{
	json_t *indexes = json_array();
	for (size_t i = 0; i < measure->index_count; i++)
		json_array_append_new(indexes,
				      json_pack("{s:o, s:o}", "schema", text_json(measure->indexes[i].schema),
						"name", text_json(measure->indexes[i].name)));
	json_t *json = json_pack("{s:o, s:o, s:o, s:s, s:o, s:f, s:b, s:f, s:f, s:f, s:f, s:o, s:o}", "id",
				 text_json(measure->id), "hash", text_json(measure->hash), "text",
				 text_json(measure->text), "state", state_names[measure->state], "reason",
				 text_json(measure->reason), "limit_ms", measure->limit_ms, "cold",
				 measure->cold, "hit_blocks", measure->hit_blocks, "read_blocks",
				 measure->read_blocks, "rows", measure->rows, "cost", measure->cost, "plan",
				 text_json(measure->headline), "indexes", indexes);
	if (measure->state == PGM_MEASURE_TIMED)
		json_object_set_new(json, "time_ms", spread_json(&measure->time_ms));
	return json;
}

static json_t *costs_json(const struct pgm_write_cost *costs)
{
	json_t *json = json_object();
	for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++) {
		if (costs[kind].us_per_row.count == 0)
			continue;
		json_t *cost = json_pack("{s:o}", "us_per_row", spread_json(&costs[kind].us_per_row));
		if (kind != PGM_WRITE_INSERT)
			json_object_set_new(cost, "hot_share", json_real(costs[kind].hot_share));
		json_object_set_new(json, pgm_write_kind_name(kind), cost);
	}
	return json;
}

static json_t *writes_json(const struct pgm_writes *writes)
{
	json_t *notes = json_object();
	for (enum pgm_write_kind kind = 0; kind < PGM_WRITE_KINDS; kind++)
		if (*writes->notes[kind])
			json_object_set_new(notes, pgm_write_kind_name(kind), text_json(writes->notes[kind]));
	return json_pack("{s:o, s:o, s:o, s:f, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "schema",
			 text_json(writes->schema), "relation", text_json(writes->relation), "reason",
			 text_json(writes->reason), "rows", writes->rows, "indexes_before",
			 writes->indexes_before, "indexes_after", writes->indexes_after, "covered_columns",
			 text_json(writes->covered_columns), "other_column", text_json(writes->other_column),
			 "before", costs_json(writes->before), "after", costs_json(writes->after), "notes",
			 notes);
}

static json_t *writes_list_json(const struct pgm_measures *measures)
{
	json_t *list = json_array();
	for (size_t i = 0; i < measures->write_count; i++)
		json_array_append_new(list, writes_json(&measures->writes[i]));
	return list;
}

json_t *pgm_measures_json(const struct pgm_measures *measures)
{
	json_t *statements = json_array();
	for (size_t i = 0; i < measures->count; i++)
		json_array_append_new(statements, measure_json(&measures->items[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:b, s:i, s:o, s:o}", "schema", "pgmend.baseline/1",
			 "plan", text_json(measures->plan_id), "database", text_json(measures->database),
			 "taken_at", text_json(measures->taken_at), "server_version",
			 measures->server_version, "budget_spent", measures->budget_spent, "changes_made",
			 measures->made, "statements", statements, "writes", writes_list_json(measures));
}

static json_t *pair_json(const struct pgm_verify_report *report, size_t at)
{
	const struct pgm_verify_pair *pair = &report->pairs[at];
	json_t *json = json_pack("{s:i, s:o, s:f}", "number", (int)at + 1, "after", measure_json(pair->after),
				 "calls", report->plan->statements[at].calls);
	json_object_set_new(json, "expected_indexes", json_integer((json_int_t)pair->expected));
	json_object_set_new(json, "used_indexes", json_integer((json_int_t)pair->used));
	if (report->mode == PGM_VERIFY_HEALTH)
		return json;
	json_object_set_new(json, "before", pair->before ? measure_json(pair->before) : json_null());
	json_object_set_new(json, "verdict", json_string(pgm_verdict_name(pair->verdict)));
	json_object_set_new(json, "ratio", pair->ratio > 0 ? json_real(pair->ratio) : json_null());
	if (pair->ratio > 0)
		json_object_set_new(json, "ratio_is",
				    json_string(pair->ratio_at_least  ? "at least"
						: pair->ratio_at_most ? "at most"
								      : "exact"));
	return json;
}

static json_t *index_json(const struct pgm_verify_index *index)
{
	const struct pgm_change *change = index->change;
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:b, s:o}", "change",
				 pgm_change_kind_name(change->kind), "schema", text_json(change->schema),
				 "relation", text_json(change->relation), "name", text_json(change->index),
				 "exists", index->exists, "problem", text_json(index->problem));
	if (change->size_bytes >= 0)
		json_object_set_new(json, "estimated_bytes", json_integer(change->size_bytes));
	if (index->exists)
		json_object_update_new(json,
				       json_pack("{s:b, s:b, s:I, s:I}", "valid", index->valid, "ready",
						 index->ready, "size_bytes", (json_int_t)index->size_bytes,
						 "scans", (json_int_t)index->scans));
	json_object_update_new(json, json_pack("{s:i, s:i}", "expected_by", (int)index->expected_by,
					       "used_by", (int)index->used_by));
	return json;
}

json_t *pgm_verify_report_json(const struct pgm_verify_report *report)
{
	json_t *problems = json_array(), *statements = json_array(), *indexes = json_array();
	for (size_t i = 0; i < report->problem_count; i++)
		json_array_append_new(problems, text_json(report->problems[i]));
	for (size_t i = 0; i < report->pair_count; i++)
		json_array_append_new(statements, pair_json(report, i));
	for (size_t i = 0; i < report->index_count; i++)
		json_array_append_new(indexes, index_json(&report->indexes[i]));
	json_t *json = json_pack(
		"{s:s, s:s, s:o, s:o, s:i, s:b, s:o, s:o, s:o, s:o, s:b}", "schema", "pgmend.verify/1",
		"mode", report->mode == PGM_VERIFY_HEALTH ? "health" : "compare", "plan",
		text_json(report->plan->id), "database", text_json(report->after->database), "server_version",
		report->after->server_version, "passed", report->problem_count == 0, "problems", problems,
		"statements", statements, "indexes", indexes, "writes", writes_list_json(report->after),
		"budget_spent", report->after->budget_spent);
	if (report->before)
		json_object_set_new(json, "baseline_taken_at", text_json(report->before->taken_at));
	json_object_set_new(json, "taken_at", text_json(report->after->taken_at));
	return json;
}
