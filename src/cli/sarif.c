#include "cli/sarif.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *level(enum pgm_severity severity)
{
	return severity == PGM_SEVERITY_CRITICAL  ? "error"
	       : severity == PGM_SEVERITY_WARNING ? "warning"
						  : "note";
}

static json_t *run_of(json_t *log)
{
	return json_array_get(json_object_get(log, "runs"), 0);
}

json_t *pgm_sarif_new(void)
{
	json_t *driver = json_pack("{s:s, s:s, s:s, s:[]}", "name", "pgmend", "version", PGM_VERSION,
				   "semanticVersion", PGM_VERSION, "rules");
	json_t *run = json_pack("{s:{s:o}, s:s, s:[{s:b, s:[]}], s:[]}", "tool", "driver", driver,
				"columnKind", "unicodeCodePoints", "invocations", "executionSuccessful", 1,
				"toolExecutionNotifications", "results");
	return json_pack("{s:s, s:s, s:[o]}", "$schema",
			 "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
			 "sarif-schema-2.1.0.json",
			 "version", "2.1.0", "runs", run);
}

void pgm_sarif_add_rule(json_t *log, const struct pgm_sarif_rule *rule)
{
	json_t *driver = json_object_get(json_object_get(run_of(log), "tool"), "driver");
	json_t *item = json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}}", "id", rule->id, "shortDescription",
				 "text", rule->title, "fullDescription", "text", rule->text,
				 "defaultConfiguration", "level", level(rule->severity));
	if (*rule->help)
		json_object_set_new(item, "help", json_pack("{s:s}", "text", rule->help));
	json_array_append_new(json_object_get(driver, "rules"), item);
}

/* A path as a relative reference: what is not unreserved is escaped (RFC 3986). */
static json_t *uri(const char *path)
{
	json_t *result;
	char *text = malloc(strlen(path) * 3 + 8);
	size_t at = 0;
	if (*path == '/')
		at = (size_t)sprintf(text, "file://");
	else if (strncmp(path, "./", 2) == 0)
		path += 2;
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (isalnum(*p) || strchr("-._~/", *p))
			text[at++] = (char)*p;
		else
			at += (size_t)sprintf(text + at, "%%%02X", *p);
	}
	text[at] = '\0';
	result = json_string(text);
	free(text);
	return result;
}

void pgm_sarif_add_result(json_t *log, const struct pgm_sarif_result *result)
{
	json_t *location = json_object();
	if (result->path)
		json_object_set_new(location, "physicalLocation",
				    json_pack("{s:{s:o}, s:{s:i, s:i, s:i}}", "artifactLocation", "uri",
					      uri(result->path), "region", "startLine", result->line,
					      "startColumn", result->column, "endLine", result->end_line));
	if (result->object && *result->object)
		json_object_set_new(
			location, "logicalLocations",
			json_pack("[{s:s, s:s}]", "fullyQualifiedName", result->object, "kind", "object"));
	json_t *item = json_pack("{s:s, s:I, s:s, s:{s:s}, s:[o], s:{s:s}}", "ruleId", result->rule_id,
				 "ruleIndex", (json_int_t)result->rule_index, "level",
				 level(result->severity), "message", "text", result->message, "locations",
				 location, "partialFingerprints", "pgmend/v1", result->fingerprint);
	if (result->baseline_state)
		json_object_set_new(item, "baselineState", json_string(result->baseline_state));
	json_array_append_new(json_object_get(run_of(log), "results"), item);
}

static void notify(json_t *log, const char *kind, const char *message)
{
	json_t *invocation = json_array_get(json_object_get(run_of(log), "invocations"), 0);
	json_array_append_new(json_object_get(invocation, "toolExecutionNotifications"),
			      json_pack("{s:s, s:{s:s}}", "level", kind, "message", "text", message));
}

void pgm_sarif_add_notice(json_t *log, const char *message)
{
	notify(log, "note", message);
}

void pgm_sarif_add_problem(json_t *log, const char *message)
{
	json_t *invocation = json_array_get(json_object_get(run_of(log), "invocations"), 0);
	json_object_set_new(invocation, "executionSuccessful", json_false());
	notify(log, "error", message);
}
