#include "change/plan_file.h"

#include "sql/lex.h"
#include "util/clock.h"
#include "util/hash.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *pgm_plan_id(struct pgm_arena *arena, const struct pgm_change *changes, size_t count)
{
	uint64_t hash = 0;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	for (size_t i = 0; i < count; i++) {
		const char *form = pgm_sql_normal_form(scratch, changes[i].sql_up);
		hash = pgm_hash_bytes(hash, form, strlen(form) + 1);
	}
	return pgm_sprintf(arena, "%012llx", (unsigned long long)(hash >> 16));
}

struct pgm_plan pgm_plan_of(struct pgm_arena *arena, const char *database, const char *title,
			    const pgm_changes *changes)
{
	char stamp[PGM_CLOCK_STAMP_SIZE];
	return (struct pgm_plan){
		.id = pgm_plan_id(arena, changes->items, changes->count),
		.title = title,
		.database = database,
		.created_at = pgm_strdup(arena, pgm_clock_stamp(stamp)),
		.changes = changes->items,
		.change_count = changes->count,
	};
}

/* Text for one comment line: what could end the line, or be taken for a mark, cannot stay as it is. */
static void add_comment(struct pgm_buf *out, const char *text)
{
	size_t start = out->length;
	pgm_buf_add(out, *text ? "-- " : "--");
	size_t left = strlen(text), length;
	for (const char *p = text; left; p += length, left -= length) {
		int code = pgm_sql_control_char(p, left, &length);
		if (code == '\t')
			pgm_buf_char(out, ' ');
		else if (code == '\n')
			pgm_buf_add(out, "\\n");
		else if (code >= 0)
			pgm_buf_printf(out, "\\u%04X", (unsigned)code);
		else
			pgm_buf_add_n(out, p, length);
	}
	const char *rest;
	if (pgm_plan_marker_of(out->text + start, out->length - start, &rest) != PGM_MARK_NONE) {
		char *copy = pgm_strdup(out->arena, out->text + start + 2);
		out->length = start;
		out->text[start] = '\0';
		pgm_buf_printf(out, "-- .%s", copy);
	}
	pgm_buf_char(out, '\n');
}

static void add_comment_f(struct pgm_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_comment_f(struct pgm_buf *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_comment(out, pgm_vsprintf(out->arena, format, args));
	va_end(args);
}

/* JSON takes UTF-8 alone: any other byte becomes a question mark. */
static json_t *json_text(struct pgm_arena *arena, const char *text)
{
	json_t *value = json_string(text ? text : "");
	if (value)
		return value;
	char *ascii = pgm_strdup(arena, text);
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}

static json_t *json_number(double value)
{
	return json_real(isfinite(value) ? value : -1);
}

/* One line "-- pgmend:<mark> {...}"; takes the object. */
static void add_json(struct pgm_buf *out, const char *mark, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	pgm_buf_printf(out, "-- pgmend:%s %s\n", mark, text ? text : "{}");
	free(text);
	json_decref(object);
}

static void add_sql(struct pgm_buf *out, const char *sql)
{
	const char *safe = pgm_sql_escape_controls(out->arena, sql);
	size_t length = strlen(safe);
	pgm_buf_add(out, safe);
	if (length && safe[length - 1] != '\n')
		pgm_buf_char(out, '\n');
}

static void add_header(struct pgm_buf *out, const struct pgm_plan *plan)
{
	const char *title = plan->title && *plan->title ? plan->title : "a Plan of pgmend";
	add_comment(out, title);
	add_comment(out, "");
	if (plan->database && *plan->database)
		add_comment_f(out, "Database:         %s", plan->database);
	if (plan->created_at && *plan->created_at)
		add_comment_f(out, "Made:             %s by pgmend " PGM_VERSION, plan->created_at);
	add_comment(out, "Look first:       pgmend apply --dry-run FILE");
	add_comment(out, "Run:              pgmend apply FILE          (the way back: pgmend rollback)");
	add_comment(out,
		    "Without pgmend:   sed '/^-- migrate:down/,$d' FILE | psql -v ON_ERROR_STOP=1 -d DB");
	add_comment(out, "");
	add_json(out, "plan",
		 json_pack("{s:i, s:o, s:o, s:o}", "version", PGM_PLAN_VERSION, "title",
			   json_text(out->arena, title), "database", json_text(out->arena, plan->database),
			   "created_at", json_text(out->arena, plan->created_at)));
	pgm_buf_add(out, "\n-- migrate:up transaction:false\n");
}

static void add_change(struct pgm_buf *out, const struct pgm_change *change)
{
	struct pgm_arena *arena = out->arena;
	pgm_buf_char(out, '\n');
	add_comment_f(out, "Step %d: %s", change->step, change->title ? change->title : "");
	for (size_t i = 0; i < change->evidence_count; i++)
		add_comment(out, change->evidence[i]);
	json_t *object = json_pack(
		"{s:i, s:s, s:o, s:o, s:o}", "step", change->step, "kind", pgm_change_kind_name(change->kind),
		"title", json_text(arena, change->title), "schema", json_text(arena, change->schema),
		"relation", json_text(arena, change->relation));
	if (change->index)
		json_object_set_new(object, "index", json_text(arena, change->index));
	if (change->oid)
		json_object_set_new(object, "oid", json_text(arena, change->oid));
	if (change->file)
		json_object_set_new(object, "file", json_text(arena, change->file));
	json_object_set_new(object, "lock", json_text(arena, change->lock));
	json_object_set_new(object, "size_bytes", json_integer(change->size_bytes));
	json_object_set_new(object, "build_ms", json_number(change->build_ms));
	json_object_set_new(object, "write_overhead", json_number(change->write_overhead));
	add_json(out, "change", object);
	add_sql(out, change->sql_up);
}

static void add_statement(struct pgm_buf *out, const struct pgm_plan_statement *statement)
{
	struct pgm_arena *arena = out->arena;
	json_t *indexes = json_array();
	for (size_t i = 0; i < statement->index_count; i++)
		json_array_append_new(indexes, json_text(arena, statement->indexes[i]));
	add_json(out, "statement",
		 json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "id", json_text(arena, statement->id),
			   "text", json_text(arena, statement->text), "sql", json_text(arena, statement->sql),
			   "calls", json_number(statement->calls), "cost_before",
			   json_number(statement->cost_before), "cost_after",
			   json_number(statement->cost_after), "reads", statement->reads, "indexes",
			   indexes));
}

/* Read back what was made: a Plan that would say something else than was meant must not reach a file. */
static bool check(const struct pgm_plan *plan, struct pgm_arena *arena, const char *text,
		  struct pgm_error *err)
{
	struct pgm_plan again;
	if (!pgm_plan_parse(arena, "the new Plan", text, &again, err)) {
		if (err)
			err->kind = PGM_ERR_STATE;
		return pgm_error_context(err, "writing a Plan");
	}
	const char *id = pgm_plan_id(arena, plan->changes, plan->change_count);
	if (again.change_count == plan->change_count && strcmp(again.id, id) == 0 &&
	    again.statement_count == plan->statement_count)
		return true;
	return pgm_error_set(err, PGM_ERR_STATE,
			     "writing a Plan: its SQL would not be read back as it was meant");
}

bool pgm_plan_write(const struct pgm_plan *plan, FILE *stream, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	add_header(&out, plan);
	for (size_t i = 0; i < plan->change_count; i++)
		add_change(&out, &plan->changes[i]);
	if (plan->statement_count)
		pgm_buf_add(&out, "\n-- What \"pgmend verify\" measures:\n");
	for (size_t i = 0; i < plan->statement_count; i++)
		add_statement(&out, &plan->statements[i]);
	pgm_buf_add(&out, "\n-- migrate:down transaction:false\n");
	for (size_t i = plan->change_count; i-- > 0;) {
		const struct pgm_change *change = &plan->changes[i];
		if (!change->sql_down || !*change->sql_down)
			continue;
		pgm_buf_char(&out, '\n');
		add_json(&out, "undo", json_pack("{s:i}", "step", change->step));
		add_sql(&out, change->sql_down);
	}
	if (!check(plan, arena, out.text, err))
		return false;
	if (fwrite(out.text, 1, out.length, stream) != out.length || fflush(stream) != 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write the Plan: %s", strerror(errno));
	return true;
}
