#include "check/since.h"

#include "util/hash.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

const char *pgm_check_change_name(enum pgm_check_change change)
{
	static const char *const names[] = {"new", "worse", "better", "gone"};
	return names[change];
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

struct comparison {
	struct pgm_arena *arena;
	struct pgm_check_since *since;
	struct pgm_map old_findings; /* ignore key -> json_t */
	struct pgm_map old_checks;   /* id -> json_t of those that were judged */
	struct pgm_map now_findings; /* ignore key -> finding */
	struct pgm_map now_checks;
	PGM_VEC(struct pgm_check_changed) changed;
};

static void add(struct comparison *comparison, struct pgm_check_changed changed)
{
	*pgm_vec_add(comparison->arena, &comparison->changed) = changed;
	comparison->since->counts[changed.change]++;
}

static void compare_now(struct comparison *comparison, const struct pgm_finding *finding)
{
	json_t *old = pgm_map_get(&comparison->old_findings, finding->ignore_key);
	struct pgm_check_changed changed = {
		.change = PGM_CHECK_NEW,
		.check_id = finding->check_id,
		.title = finding->title,
		.object = finding->object,
		.ignore_key = finding->ignore_key,
		.before = finding->severity,
		.now = finding->severity,
		.impact_before = finding->impact,
		.impact_now = finding->impact,
	};
	if (!old) {
		/* Nobody looked before: that it was not found then means nothing. */
		if (pgm_map_get(&comparison->old_checks, finding->check_id))
			add(comparison, changed);
		else
			comparison->since->not_compared++;
		return;
	}
	changed.impact_before = json_number_value(json_object_get(old, "impact"));
	if (!pgm_severity_parse(text_of(old, "severity"), &changed.before))
		changed.before = finding->severity;
	bool more = changed.impact_now > changed.impact_before * PGM_CHECK_SINCE_FACTOR;
	bool less = changed.impact_now * PGM_CHECK_SINCE_FACTOR < changed.impact_before;
	if (changed.now != changed.before)
		changed.change = changed.now > changed.before ? PGM_CHECK_WORSE : PGM_CHECK_BETTER;
	else if (more || less)
		changed.change = more ? PGM_CHECK_WORSE : PGM_CHECK_BETTER;
	else {
		comparison->since->same++;
		return;
	}
	add(comparison, changed);
}

static void compare_old(struct comparison *comparison, json_t *old)
{
	const char *check = text_of(old, "check");
	if (pgm_map_get(&comparison->now_findings, text_of(old, "ignore_key")))
		return;
	if (!pgm_map_get(&comparison->now_checks, check)) {
		comparison->since->not_compared++;
		return;
	}
	enum pgm_severity severity = PGM_SEVERITY_INFO;
	if (!pgm_severity_parse(text_of(old, "severity"), &severity))
		severity = PGM_SEVERITY_INFO;
	double impact = json_number_value(json_object_get(old, "impact"));
	add(comparison, (struct pgm_check_changed){
				.change = PGM_CHECK_GONE,
				.check_id = pgm_strdup(comparison->arena, check),
				.title = pgm_strdup(comparison->arena, text_of(old, "title")),
				.object = pgm_strdup(comparison->arena, text_of(old, "object")),
				.ignore_key = pgm_strdup(comparison->arena, text_of(old, "ignore_key")),
				.before = severity,
				.now = severity,
				.impact_before = impact,
				.impact_now = impact,
			});
}

static bool read_saved(struct comparison *comparison, json_t *saved, struct pgm_error *err)
{
	json_t *findings = json_object_get(saved, "findings");
	json_t *checks = json_object_get(saved, "checks");
	const char *schema = text_of(saved, "schema");
	if (strcmp(schema, PGM_CHECK_SCHEMA) != 0 || !json_is_array(findings) || !json_is_array(checks)) {
		pgm_error_set(err, PGM_ERR_INPUT, "it is no report of the schema \"%s\"", PGM_CHECK_SCHEMA);
		return pgm_error_hint(err,
				      *schema ? "Its schema is \"%.100s\"."
					      : "check --save and check --format=json write such reports.",
				      schema);
	}
	for (size_t i = 0; i < json_array_size(findings); i++) {
		json_t *finding = json_array_get(findings, i);
		pgm_map_set(&comparison->old_findings, text_of(finding, "ignore_key"), finding);
	}
	for (size_t i = 0; i < json_array_size(checks); i++) {
		json_t *check = json_array_get(checks, i);
		if (strcmp(text_of(check, "status"), "not_judged") != 0)
			pgm_map_set(&comparison->old_checks, text_of(check, "id"), check);
	}
	return true;
}

static int by_change(const void *a, const void *b)
{
	const struct pgm_check_changed *x = a, *y = b;
	if (x->change != y->change)
		return (int)x->change - (int)y->change;
	if (x->now != y->now)
		return (int)y->now - (int)x->now;
	return strcmp(x->ignore_key, y->ignore_key);
}

bool pgm_check_since(struct pgm_arena *arena, json_t *saved, const struct pgm_check_report *report,
		     struct pgm_check_since *since, struct pgm_error *err)
{
	struct comparison comparison = {.arena = arena, .since = since};
	*since = (struct pgm_check_since){.taken_at = pgm_strdup(arena, text_of(saved, "taken_at")),
					  .database = pgm_strdup(arena, text_of(saved, "database"))};
	pgm_map_init(&comparison.old_findings, arena);
	pgm_map_init(&comparison.old_checks, arena);
	pgm_map_init(&comparison.now_findings, arena);
	pgm_map_init(&comparison.now_checks, arena);
	if (!read_saved(&comparison, saved, err))
		return false;
	for (size_t i = 0; i < report->result_count; i++)
		if (report->results[i].status != PGM_CHECK_SKIPPED)
			pgm_map_set(&comparison.now_checks, report->results[i].check->id,
				    (void *)&report->results[i]);
	for (size_t i = 0; i < report->finding_count; i++) {
		pgm_map_set(&comparison.now_findings, report->findings[i]->ignore_key,
			    (void *)report->findings[i]);
		compare_now(&comparison, report->findings[i]);
	}
	json_t *findings = json_object_get(saved, "findings");
	for (size_t i = 0; i < json_array_size(findings); i++)
		compare_old(&comparison, json_array_get(findings, i));
	since->changed = comparison.changed.items;
	since->changed_count = comparison.changed.count;
	if (since->changed_count)
		qsort(since->changed, since->changed_count, sizeof(*since->changed), by_change);
	return true;
}

bool pgm_check_since_is_worse(const struct pgm_check_since *since, const struct pgm_finding *finding)
{
	for (size_t i = 0; i < since->changed_count; i++)
		if (since->changed[i].change <= PGM_CHECK_WORSE &&
		    strcmp(since->changed[i].ignore_key, finding->ignore_key) == 0)
			return true;
	return false;
}

json_t *pgm_check_since_json(const struct pgm_check_since *since)
{
	json_t *lists[PGM_CHECK_CHANGES];
	for (int i = 0; i < PGM_CHECK_CHANGES; i++)
		lists[i] = json_array();
	for (size_t i = 0; i < since->changed_count; i++) {
		const struct pgm_check_changed *changed = &since->changed[i];
		/* JSON has no Infinity. */
		double before = changed->impact_before < 1e300 ? changed->impact_before : 1e300;
		double now = changed->impact_now < 1e300 ? changed->impact_now : 1e300;
		json_t *item =
			json_pack("{s:s, s:s, s:s, s:s}", "check", changed->check_id, "title", changed->title,
				  "object", changed->object, "ignore_key", changed->ignore_key);
		if (changed->change != PGM_CHECK_NEW) {
			json_object_set_new(item, "severity_before",
					    json_string(pgm_severity_name(changed->before)));
			json_object_set_new(item, "impact_before", json_real(before));
		}
		if (changed->change != PGM_CHECK_GONE) {
			json_object_set_new(item, "severity", json_string(pgm_severity_name(changed->now)));
			json_object_set_new(item, "impact", json_real(now));
		}
		json_array_append_new(lists[changed->change], item);
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I}", "taken_at", since->taken_at, "database",
			 since->database, "new", lists[PGM_CHECK_NEW], "worse", lists[PGM_CHECK_WORSE],
			 "better", lists[PGM_CHECK_BETTER], "gone", lists[PGM_CHECK_GONE], "same",
			 (json_int_t)since->same, "not_compared", (json_int_t)since->not_compared);
}
