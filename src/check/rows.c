#include "check/run.h"

#include "util/buf.h"
#include "util/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct finding_list {
	PGM_VEC(struct pgm_finding) found;
};

static const char *text_of(struct pgm_arena *arena, const json_t *row, const char *key)
{
	return pgm_strdup(arena, json_string_value(json_object_get(row, key)));
}

/* An ignore key is one line of a file: whatever would break it is written as \xNN. */
static const char *one_line(struct pgm_arena *arena, const char *key)
{
	struct pgm_buf line;
	pgm_buf_init(&line, arena);
	for (; *key; key++) {
		if ((unsigned char)*key < ' ' || *key == 127)
			pgm_buf_printf(&line, "\\x%02x", (unsigned)(unsigned char)*key);
		else
			pgm_buf_char(&line, *key);
	}
	return line.text ? line.text : "";
}

static bool bad_row(const struct pgm_check *check, const char *what, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_STATE, "the check %s gave a row %s", check->id, what);
}

static bool read_change(struct pgm_arena *arena, const json_t *row, struct pgm_finding *finding,
			const struct pgm_check *check, struct pgm_error *err)
{
	const char *kind = json_string_value(json_object_get(row, "change_kind"));
	if (!kind)
		return true;
	struct pgm_change *change = PGM_NEW(arena, struct pgm_change);
	if (!pgm_change_kind_parse(kind, &change->kind))
		return bad_row(check, "with an unknown kind of change", err);
	change->schema = text_of(arena, row, "schema");
	change->relation = text_of(arena, row, "change_relation");
	change->index = text_of(arena, row, "change_index");
	change->sql_up = text_of(arena, row, "sql_up");
	change->sql_down = text_of(arena, row, "sql_down");
	if (!change->schema || !change->relation || !change->sql_up)
		return bad_row(check, "whose change lacks a relation or its SQL", err);
	change->title = change->kind == PGM_CHANGE_DROP_INDEX
				? pgm_sprintf(arena, "Drop index %s: %s", finding->object, check->title)
				: pgm_sprintf(arena, "Mend %s: %s", finding->object, check->title);
	change->transactional = change->kind == PGM_CHANGE_SQL;
	change->lock = text_of(arena, row, "change_lock");
	if (!change->lock)
		change->lock = change->transactional ? "ACCESS EXCLUSIVE" : "SHARE UPDATE EXCLUSIVE";
	const json_t *size = json_object_get(row, "size_bytes");
	change->size_bytes = json_is_number(size) ? (int64_t)json_number_value(size) : -1;
	change->build_ms = -1;
	change->write_overhead = -1;
	change->evidence = PGM_NEW(arena, const char *);
	change->evidence[0] = finding->detail;
	change->evidence_count = 1;
	finding->changes = change;
	finding->change_count = 1;
	return true;
}

static bool read_finding(struct pgm_arena *arena, const json_t *row, const struct pgm_check *check,
			 struct pgm_finding *finding, struct pgm_error *err)
{
	const char *severity = json_string_value(json_object_get(row, "severity"));
	const json_t *impact = json_object_get(row, "impact");
	const char *key = json_string_value(json_object_get(row, "ignore_key"));
	json_t *evidence = json_object_get(row, "evidence");
	finding->check_id = check->id;
	finding->title = check->title;
	finding->severity = check->severity;
	if (severity && !pgm_severity_parse(severity, &finding->severity))
		return bad_row(check, "with an unknown severity", err);
	finding->object = text_of(arena, row, "object");
	finding->detail = text_of(arena, row, "detail");
	finding->remedy = text_of(arena, row, "remedy");
	if (!finding->object || !finding->detail || !finding->remedy || !key)
		return bad_row(check, "without object, detail, remedy or ignore_key", err);
	finding->ignore_key = one_line(arena, key);
	/* JSON has no Infinity: the server writes it as a text. */
	finding->impact = json_is_number(impact)   ? json_number_value(impact)
			  : json_is_string(impact) ? INFINITY
						   : 0;
	if (!json_is_object(evidence))
		return bad_row(check, "whose evidence is no object", err);
	if (!read_change(arena, row, finding, check, err))
		return false;
	finding->evidence = json_incref(evidence);
	return true;
}

static bool read_row(struct pgm_arena *arena, const char *text, const struct pgm_check_options *options,
		     struct pgm_check_result *result, struct finding_list *list, struct pgm_error *err)
{
	json_error_t broken;
	json_t *row = json_loads(text, 0, &broken);
	if (!row)
		return bad_row(result->check, pgm_sprintf(arena, "that is no JSON: %s", broken.text), err);
	const char *severity = json_string_value(json_object_get(row, "severity"));
	bool ok = true;
	if (severity && strcmp(severity, "unknown") == 0) {
		result->reason = text_of(arena, row, "detail");
		result->hint = text_of(arena, row, "remedy");
		if (!result->reason)
			ok = bad_row(result->check, "that is unknown without saying why", err);
		if (!result->hint)
			result->hint = "";
	} else {
		struct pgm_finding finding = {0};
		ok = read_finding(arena, row, result->check, &finding, err);
		if (ok && pgm_check_ignored(options, finding.ignore_key)) {
			json_decref(finding.evidence);
			result->ignored++;
		} else if (ok) {
			*pgm_vec_add(arena, &list->found) = finding;
		}
	}
	json_decref(row);
	return ok;
}

static int worst_first(const void *a, const void *b)
{
	const struct pgm_finding *left = a, *right = b;
	if (left->severity != right->severity)
		return left->severity > right->severity ? -1 : 1;
	if (left->impact != right->impact)
		return left->impact > right->impact ? -1 : 1;
	return strcmp(left->ignore_key, right->ignore_key);
}

int pgm_check_compare_pointers(const void *a, const void *b)
{
	return worst_first(*(const struct pgm_finding *const *)a, *(const struct pgm_finding *const *)b);
}

bool pgm_check_read_rows(struct pgm_arena *arena, const struct pgm_rows *rows,
			 const struct pgm_check_options *options, struct pgm_check_result *result,
			 struct pgm_error *err)
{
	struct finding_list list = {0};
	bool ok = true;
	for (size_t r = 0; ok && r < rows->count; r++) {
		if (list.found.count == PGM_CHECK_MAX_FINDINGS) {
			result->dropped = rows->count - r;
			break;
		}
		ok = read_row(arena, pgm_rows_text(rows, r, 0), options, result, &list, err);
	}
	if (list.found.count)
		qsort(list.found.items, list.found.count, sizeof(*list.found.items), worst_first);
	result->findings = list.found.items;
	result->finding_count = list.found.count;
	return ok;
}
