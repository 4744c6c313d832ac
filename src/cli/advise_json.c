#include "cli/advise_report.h"

#include "pg/quote.h"

#include <jansson.h>

static json_t *effect_json(const struct pgm_proposal_effect *effect)
{
	const struct pgm_query *query = effect->query;
	json_t *object = json_pack("{s:s, s:s, s:f, s:b, s:s, s:f, s:f, s:b, s:s, s:s}", "fingerprint",
				   query->statement->fingerprint, "statement", query->statement->text,
				   "calls", query->weight, "calls_assumed", query->assumed_weight, "values",
				   query->values_note, "cost_before", effect->cost_before, "cost_after",
				   effect->cost_after, "estimated", effect->estimated, "plan_before",
				   effect->plan_before, "plan_after", effect->plan_after);
	if (effect->generic_before >= 0) {
		json_object_set_new(object, "generic_cost_before", json_real(effect->generic_before));
		json_object_set_new(object, "generic_cost_after", json_real(effect->generic_after));
	}
	if (query->foreign_key)
		json_object_set_new(object, "foreign_key", json_string(query->foreign_key->name));
	return object;
}

static json_t *proposal_json(struct pgm_arena *arena, const struct pgm_proposal *proposal)
{
	const struct pgm_candidate *candidate = proposal->candidate;
	json_t *effects = json_array(), *redundant = json_array();
	for (size_t i = 0; i < proposal->effect_count; i++)
		json_array_append_new(effects, effect_json(&proposal->effects[i]));
	for (size_t i = 0; i < proposal->redundant_count; i++)
		json_array_append_new(redundant, json_string(proposal->redundant[i]->name));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:f, s:f, s:f, s:o, s:o}", "index", proposal->name,
			 "table",
			 pgm_quote_qualified(arena, candidate->def.table->schema, candidate->def.table->name),
			 "method", candidate->def.method, "sql",
			 pgm_index_def_create(arena, &candidate->def, proposal->name, true), "size_bytes",
			 (json_int_t)candidate->size_bytes, "estimated", candidate->estimated, "build_ms",
			 proposal->build_ms, "write_overhead", proposal->write_overhead, "benefit",
			 proposal->benefit, "statements", effects, "redundant", redundant);
}

void pgm_advise_report_json(const struct pgm_advise_report *report, FILE *stream)
{
	const struct pgm_advice *advice = report->advice;
	json_t *proposals = json_array(), *notes = json_array(), *losers = json_array();
	for (size_t i = 0; i < advice->proposal_count; i++)
		json_array_append_new(proposals, proposal_json(report->arena, &advice->proposals[i]));
	for (size_t i = 0; i < advice->note_count; i++)
		json_array_append_new(notes, json_pack("{s:s, s:s}", "object", advice->notes[i].object,
						       "reason", advice->notes[i].reason));
	for (size_t i = 0; i < advice->loser_count; i++)
		json_array_append_new(losers, effect_json(&advice->losers[i]));
	json_t *top = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, "
		"s:s}",
		"schema", "pgmend.advise/1", "database", pgm_conn_database(report->conn), "plan_id",
		report->plan->id, "source", report->workload->source, "proposals", proposals, "not_proposed",
		notes, "losers", losers, "cost_before", advice->cost_before, "cost_after", advice->cost_after,
		"size_bytes", (json_int_t)advice->size_bytes, "budget_used_bytes",
		(json_int_t)advice->hypopg_bytes, "statements", (json_int_t)advice->statement_count,
		"left_out", (json_int_t)report->workload->left_out_count, "hidden",
		(json_int_t)report->workload->hidden_count, "not_planned",
		(json_int_t)advice->unplanned_count, "candidates", (json_int_t)advice->candidate_count,
		"explains", (json_int_t)advice->explain_count, "elapsed_ms", advice->elapsed_ms, "backend",
		advice->backend);
	json_dumpf(top, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', stream);
	json_decref(top);
}
