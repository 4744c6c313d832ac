#include "check/check.h"

static json_t *findings_json(const struct pgm_check_report *report)
{
	json_t *list = json_array();
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct pgm_finding *finding = report->findings[i];
		json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "check",
					 finding->check_id, "title", finding->title, "severity",
					 pgm_severity_name(finding->severity), "object", finding->object,
					 "detail", finding->detail, "remedy", finding->remedy, "ignore_key",
					 finding->ignore_key, "evidence", finding->evidence);
		/* JSON has no Infinity; what would be one is worse than all others all the same. */
		double impact = finding->impact < 1e300 ? finding->impact : 1e300;
		json_object_set_new(item, "impact", json_real(impact));
		json_t *changes = json_array();
		for (size_t c = 0; c < finding->change_count; c++) {
			const struct pgm_change *change = &finding->changes[c];
			json_array_append_new(changes, json_pack("{s:s, s:s, s:s*, s:b}", "kind",
								 pgm_change_kind_name(change->kind), "sql_up",
								 change->sql_up, "sql_down", change->sql_down,
								 "transactional", change->transactional));
		}
		json_object_set_new(item, "changes", changes);
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *checks_json(const struct pgm_check_report *report)
{
	static const char *const statuses[] = {
		[PGM_CHECK_OK] = "ok",
		[PGM_CHECK_FOUND] = "found",
		[PGM_CHECK_SKIPPED] = "not_judged",
	};
	json_t *list = json_array();
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check_result *result = &report->results[i];
		json_t *item =
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f}", "id", result->check->id,
				  "family", result->check->family, "title", result->check->title, "status",
				  statuses[result->status], "findings", (json_int_t)result->finding_count,
				  "ignored", (json_int_t)result->ignored, "not_listed",
				  (json_int_t)result->dropped, "elapsed_ms", result->elapsed_ms);
		if (result->reason) {
			json_object_set_new(item, "reason", json_string(result->reason));
			json_object_set_new(item, "hint", json_string(result->hint));
		}
		json_array_append_new(list, item);
	}
	return list;
}

json_t *pgm_check_report_json(const struct pgm_check_report *report)
{
	json_t *summary = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "critical",
				    (json_int_t)report->counts[PGM_SEVERITY_CRITICAL], "warning",
				    (json_int_t)report->counts[PGM_SEVERITY_WARNING], "info",
				    (json_int_t)report->counts[PGM_SEVERITY_INFO], "ignored",
				    (json_int_t)report->ignored, "checks", (json_int_t)report->result_count,
				    "judged", (json_int_t)report->judged, "elapsed_ms", report->elapsed_ms);
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:o}", "schema", PGM_CHECK_SCHEMA, "database",
			 report->database, "server_version", report->server_version, "standby",
			 (int)report->standby, "taken_at", report->taken_at, "summary", summary, "findings",
			 findings_json(report), "checks", checks_json(report));
}
