#include "lint/lint.h"

static json_t *number(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *statements_json(const struct pgm_lint_file *file)
{
	json_t *list = json_array();
	for (size_t i = 0; i < file->statement_count; i++) {
		const struct pgm_lint_statement *statement = &file->statements[i];
		json_t *effects = json_array();
		for (size_t e = 0; e < statement->effect_count; e++) {
			const struct pgm_lint_effect *effect = &statement->effects[e];
			json_array_append_new(
				effects,
				json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "relation", effect->relation,
					  "lock", pgm_lint_lock_name(effect->lock), "work",
					  pgm_lint_work_name(effect->work), "new", (int)effect->is_new,
					  "bytes", number(effect->bytes), "rows", number(effect->rows),
					  "estimate_ms", number(effect->estimate_ms)));
		}
		json_t *item = json_pack("{s:i, s:s, s:o}", "line", statement->line, "sql", statement->text,
					 "effects", effects);
		json_object_set_new(item, "transaction",
				    statement->transaction ? json_integer((json_int_t)statement->transaction)
							   : json_null());
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *findings_json(const struct pgm_lint_report *report, size_t file)
{
	json_t *list = json_array();
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct pgm_lint_finding *finding = &report->findings[i];
		if (finding->file != file)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s}",
						"rule", finding->rule->id, "title", finding->rule->title,
						"severity", pgm_severity_name(finding->severity), "line",
						finding->line, "column", finding->column, "end_line",
						finding->end_line, "relation", finding->relation, "message",
						finding->message, "instead", finding->rule->instead, "remedy",
						finding->remedy, "fingerprint", finding->fingerprint));
	}
	return list;
}

json_t *pgm_lint_report_json(const struct pgm_lint_report *report)
{
	json_t *files = json_array();
	for (size_t i = 0; i < report->file_count; i++) {
		const struct pgm_lint_file *file = &report->files[i];
		json_array_append_new(files,
				      json_pack("{s:s, s:s, s:s?, s:I, s:o, s:o}", "path", file->path, "tool",
						pgm_lint_tool_name(file->tool), "skipped", file->skipped,
						"ignored", (json_int_t)file->ignored, "statements",
						statements_json(file), "findings", findings_json(report, i)));
	}
	json_t *problems = json_array();
	for (size_t i = 0; i < report->problem_count; i++)
		json_array_append_new(problems,
				      json_pack("{s:s, s:s}", "message", report->problems[i].message, "hint",
						report->problems[i].hint));
	json_t *summary = json_pack(
		"{s:I, s:I, s:I, s:I}", "critical", (json_int_t)report->counts[PGM_SEVERITY_CRITICAL],
		"warning", (json_int_t)report->counts[PGM_SEVERITY_WARNING], "info",
		(json_int_t)report->counts[PGM_SEVERITY_INFO], "ignored", (json_int_t)report->ignored);
	return json_pack("{s:s, s:s?, s:s?, s:o, s:o, s:o}", "schema", PGM_LINT_SCHEMA, "database",
			 report->database, "server_version", report->server_version, "summary", summary,
			 "files", files, "problems", problems);
}
