#include "change/plan_reader.h"
#include "change/swap.h"
#include "util/buf.h"

#include <errno.h>
#include <string.h>

/* A statement of migrate:down that no pgmend:undo assigns to a step. */
struct loose_undo {
	struct pgm_plan_sql sql;
	bool taken;
};

struct builder {
	struct pgm_plan_reader *reader;
	PGM_VEC(struct pgm_change) changes;
	PGM_VEC(int) steps; /* as the file numbers them; 0: it does not */
	PGM_VEC(struct loose_undo) loose;
};

/* libpg_query's "line N: ..." becomes "FILE:N: ..."; its lines count from first_line. */
static bool sql_failed(struct pgm_plan_reader *reader, int first_line)
{
	int line = 1, used = 0;
	char message[sizeof(reader->err->message)];
	if (!reader->err)
		return false;
	memcpy(message, reader->err->message, sizeof(message));
	if (sscanf(message, "line %d: %n", &line, &used) != 1)
		used = 0;
	return pgm_plan_fail(reader, first_line + line - 1, "%s", message + used);
}

static bool refuse_kind(struct pgm_plan_reader *reader, const struct pgm_plan_sql *sql, bool loads)
{
	const struct pgm_ddl *ddl = &sql->ddl;
	if (ddl->kind == PGM_DDL_TRANSACTION_CONTROL) {
		pgm_plan_fail(reader, sql->line, "a Plan cannot hold BEGIN, COMMIT and the like");
		return pgm_error_hint(reader->err, "Leave them out: each step is a transaction of its own.");
	}
	if (ddl->kind == PGM_DDL_COPY_CLIENT && !loads) {
		pgm_plan_fail(reader, sql->line, "a Plan cannot hold COPY FROM STDIN or TO STDOUT");
		return pgm_error_hint(reader->err, "Use INSERT, or COPY with a file on the server.");
	}
	if (ddl->kind == PGM_DDL_CREATE_INDEX && !*ddl->index) {
		pgm_plan_fail(reader, sql->line, "this CREATE INDEX gives the index no name");
		return pgm_error_hint(reader->err,
				      "Give it one: that is how pgmend finds it again after a failure.");
	}
	return true;
}

static bool read_sql(struct pgm_plan_reader *reader, const struct pgm_plan_block *block,
		     struct pgm_plan_sql **sqls, size_t *count)
{
	struct pgm_sql_statements found;
	bool loads = strcmp(pgm_plan_text(reader->arena, block->json, "kind", ""),
			    pgm_change_kind_name(PGM_CHANGE_LOAD)) == 0;
	if (!pgm_sql_split(reader->arena, block->sql.text, &found, reader->err))
		return sql_failed(reader, block->sql_line);
	*sqls = PGM_NEW_ARRAY(reader->arena, struct pgm_plan_sql, found.count + 1);
	*count = found.count;
	for (size_t i = 0; i < found.count; i++) {
		struct pgm_plan_sql *sql = &(*sqls)[i];
		sql->text = found.items[i].text;
		sql->line = block->sql_line + found.items[i].line - 1;
		if (!pgm_ddl_parse(reader->arena, sql->text, 1, &sql->ddl, reader->err))
			return sql_failed(reader, sql->line);
		if (!refuse_kind(reader, sql, loads))
			return false;
	}
	return true;
}

static struct pgm_change *add_change(struct builder *builder, const struct pgm_plan_sql *sqls, size_t count,
				     int step)
{
	struct pgm_arena *arena = builder->reader->arena;
	struct pgm_change *change = pgm_vec_add(arena, &builder->changes);
	pgm_plan_describe(arena, sqls, count, change);
	*pgm_vec_add(arena, &builder->steps) = step;
	return change;
}

static bool same_name(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* What the mark says beside the SQL; where it is about another index, the SQL was edited and is the truth. */
static void take_metadata(struct builder *builder, const struct pgm_plan_block *block,
			  struct pgm_change *change)
{
	struct pgm_arena *arena = builder->reader->arena;
	change->evidence = block->evidence;
	change->evidence_count = block->evidence_count;
	const char *index = pgm_plan_text(arena, block->json, "index", NULL);
	const char *relation = pgm_plan_text(arena, block->json, "relation", "");
	if (change->index && !same_name(index, change->index))
		return;
	if (change->kind == PGM_CHANGE_CREATE_INDEX && !same_name(relation, change->relation))
		return;
	change->title = pgm_plan_text(arena, block->json, "title", change->title);
	change->size_bytes = json_object_get(block->json, "size_bytes")
				     ? json_integer_value(json_object_get(block->json, "size_bytes"))
				     : -1;
	change->build_ms = pgm_plan_number(block->json, "build_ms", -1);
	change->write_overhead = pgm_plan_number(block->json, "write_overhead", -1);
	if (!*change->relation)
		change->relation = relation;
	if (!*change->schema)
		change->schema = pgm_plan_text(arena, block->json, "schema", "");
	if (change->kind != PGM_CHANGE_CREATE_INDEX && change->kind != PGM_CHANGE_DROP_INDEX)
		change->lock = pgm_plan_text(arena, block->json, "lock", change->lock);
}

/* The SQL of these is like any other: that it is to be carried out with more care stands in the mark. */
static bool take_kind(struct builder *builder, const struct pgm_plan_block *block, enum pgm_change_kind kind,
		      const struct pgm_plan_sql *sqls, size_t count)
{
	struct pgm_change *change = &builder->changes.items[builder->changes.count - 1];
	struct pgm_arena *arena = builder->reader->arena;
	const char *name = pgm_change_kind_name(kind);
	bool detach = kind == PGM_CHANGE_DETACH, load = kind == PGM_CHANGE_LOAD;
	if (!detach && !load && kind != PGM_CHANGE_DROP_TABLE)
		return true;
	if (count != 1 || strcmp(sqls[0].ddl.node, detach ? "AlterTableStmt"
						   : load ? "CopyStmt"
							  : "DropStmt") != 0)
		return pgm_plan_fail(builder->reader, block->line,
				     "a step of kind \"%s\" is one statement, %s", name,
				     detach ? "ALTER TABLE ... DETACH PARTITION"
				     : load ? "COPY ... FROM STDIN"
					    : "DROP TABLE");
	change->oid = pgm_plan_text(arena, block->json, "oid", NULL);
	change->file = pgm_plan_text(arena, block->json, "file", NULL);
	if (load && !change->file)
		return pgm_plan_fail(builder->reader, block->line, "a step of kind \"%s\" needs \"file\"",
				     name);
	if (!load && (!change->oid || !*change->oid || change->oid[strspn(change->oid, "0123456789")]))
		return pgm_plan_fail(builder->reader, block->line, "a step of kind \"%s\" needs \"oid\"",
				     name);
	change->kind = kind;
	change->transactional = !detach; /* the others commit with their row in the Ledger */
	return true;
}

/* 0 where the mark does not say. */
static bool read_step(struct pgm_plan_reader *reader, const struct pgm_plan_block *block, int *step)
{
	const json_t *value = json_object_get(block->json, "step");
	json_int_t number = json_integer_value(value);
	*step = 0;
	if (value && (number < 1 || number > PGM_PLAN_MAX_STEPS))
		return pgm_plan_fail(reader, block->line, "\"step\" should be from 1 to %d",
				     PGM_PLAN_MAX_STEPS);
	*step = (int)number;
	return true;
}

/* Which kind it is stands in the mark alone: the SQL cannot say that it is meant to be run again and again.
 */
static bool take_special(struct builder *builder, const struct pgm_plan_block *block,
			 enum pgm_change_kind kind, const struct pgm_plan_sql *sqls, size_t count, int step)
{
	struct pgm_error why;
	if (kind == PGM_CHANGE_SWAP && !pgm_swap_check(sqls, count, &why))
		return pgm_plan_fail(builder->reader, block->line, "%s", why.message);
	for (size_t i = 0; i < count; i++)
		if (!sqls[i].ddl.transactional)
			return pgm_plan_fail(builder->reader, sqls[i].line,
					     "a step %s cannot hold what runs in no transaction",
					     kind == PGM_CHANGE_SWAP ? "that swaps" : "in batches");
	struct pgm_change *change = add_change(builder, sqls, count, step);
	change->kind = kind;
	change->index = NULL;
	change->lock = kind == PGM_CHANGE_SWAP ? "ACCESS EXCLUSIVE" : "ROW EXCLUSIVE";
	take_metadata(builder, block, change);
	return true;
}

static bool read_up(struct builder *builder, const struct pgm_plan_block *block)
{
	struct pgm_plan_reader *reader = builder->reader;
	struct pgm_plan_sql *sqls;
	size_t count;
	if (!read_sql(reader, block, &sqls, &count))
		return false;
	int step;
	if (!read_step(reader, block, &step))
		return false;
	enum pgm_change_kind given;
	const char *kind = pgm_plan_text(reader->arena, block->json, "kind", "sql");
	if (!pgm_change_kind_parse(kind, &given))
		return pgm_plan_fail(reader, block->line, "there is no kind \"%s\" of change", kind);
	if (block->json && count == 0)
		return pgm_plan_fail(reader, block->line, "there is no SQL under this pgmend:change");
	for (size_t i = 0; step && i < builder->steps.count; i++)
		if (builder->steps.items[i] == step)
			return pgm_plan_fail(reader, block->line, "a second step %d", step);
	if (block->json && (given == PGM_CHANGE_BATCHES || given == PGM_CHANGE_SWAP))
		return take_special(builder, block, given, sqls, count, step);
	if (block->json && pgm_plan_is_one_change(sqls, count)) {
		take_metadata(builder, block, add_change(builder, sqls, count, step));
		return take_kind(builder, block, given, sqls, count);
	}
	for (size_t i = 0; i < count; i++) {
		struct pgm_change *change = add_change(builder, &sqls[i], 1, i == 0 ? step : 0);
		if (block->json)
			take_metadata(builder, block, change);
	}
	return true;
}

static bool read_down(struct builder *builder, const struct pgm_plan_block *block)
{
	struct pgm_plan_reader *reader = builder->reader;
	struct pgm_plan_sql *sqls;
	size_t count;
	if (!read_sql(reader, block, &sqls, &count))
		return false;
	if (!block->json) {
		for (size_t i = 0; i < count; i++)
			*pgm_vec_add(reader->arena, &builder->loose) = (struct loose_undo){.sql = sqls[i]};
		return true;
	}
	int step;
	if (!read_step(reader, block, &step))
		return false;
	for (size_t i = 0; i < builder->changes.count; i++) {
		if (!step || builder->steps.items[i] != step)
			continue;
		if (*builder->changes.items[i].sql_down)
			return pgm_plan_fail(reader, block->line, "a second pgmend:undo of step %d", step);
		builder->changes.items[i].sql_down = pgm_plan_join(reader->arena, sqls, count);
		return true;
	}
	pgm_plan_fail(reader, block->line, "pgmend:undo names step %d, but there is no such step", step);
	return pgm_error_hint(reader->err, "Take a step's pgmend:undo out together with the step.");
}

static bool undoes(const struct pgm_ddl *ddl, const struct pgm_change *change)
{
	bool drop = ddl->kind == PGM_DDL_DROP_INDEX && change->kind == PGM_CHANGE_CREATE_INDEX;
	bool create = ddl->kind == PGM_DDL_CREATE_INDEX && change->kind == PGM_CHANGE_DROP_INDEX;
	return (drop || create) && !*change->sql_down && same_name(ddl->index, change->index) &&
	       (!*ddl->index_schema || !*change->schema || same_name(ddl->index_schema, change->schema));
}

static void append_undo(struct pgm_arena *arena, struct pgm_change *change, struct loose_undo *undo)
{
	change->sql_down = pgm_sprintf(arena, "%s%s;\n", change->sql_down, undo->sql.text);
	undo->taken = true;
}

/*
 * Files that people wrote say nothing about which statement undoes which. Those about the same index belong
 * together (and the engine knows anyway how to undo an index); the others are the way back in reverse order:
 * one for one where there are as many, else all of them with the first change that has none (which is undone
 * last).
 */
static bool match_loose(struct builder *builder)
{
	struct pgm_arena *arena = builder->reader->arena;
	size_t left = 0, open = 0;
	for (size_t u = 0; u < builder->loose.count; u++) {
		struct loose_undo *undo = &builder->loose.items[u];
		for (size_t i = 0; i < builder->changes.count && !undo->taken; i++)
			if (undoes(&undo->sql.ddl, &builder->changes.items[i]))
				append_undo(arena, &builder->changes.items[i], undo);
		left += !undo->taken;
	}
	PGM_VEC(struct pgm_change *) without = {0};
	for (size_t i = builder->changes.count; i-- > 0;)
		if (builder->changes.items[i].kind == PGM_CHANGE_SQL && !*builder->changes.items[i].sql_down)
			*pgm_vec_add(arena, &without) = &builder->changes.items[i];
	struct pgm_buf rest; /* there may be many thousands of them */
	pgm_buf_init(&rest, arena);
	for (size_t u = 0; u < builder->loose.count; u++) {
		struct loose_undo *undo = &builder->loose.items[u];
		if (undo->taken)
			continue;
		if (without.count == 0)
			return pgm_plan_fail(builder->reader, undo->sql.line,
					     "this statement of migrate:down undoes nothing of migrate:up");
		if (left == without.count)
			append_undo(arena, without.items[open++], undo);
		else
			pgm_buf_printf(&rest, "%s;\n", undo->sql.text);
	}
	if (rest.length)
		without.items[without.count - 1]->sql_down = rest.text;
	return true;
}

static bool build(struct pgm_plan_reader *reader)
{
	struct builder builder = {.reader = reader};
	struct pgm_plan *plan = reader->plan;
	for (size_t i = 0; i < reader->blocks.count; i++)
		if (!reader->blocks.items[i].down && !read_up(&builder, &reader->blocks.items[i]))
			return false;
	if (builder.changes.count == 0)
		return pgm_error_set(reader->err, PGM_ERR_INPUT,
				     "%s: there is no statement below \"-- migrate:up\"", reader->name);
	for (size_t i = 0; i < reader->blocks.count; i++)
		if (reader->blocks.items[i].down && !read_down(&builder, &reader->blocks.items[i]))
			return false;
	if (!match_loose(&builder))
		return false;
	for (size_t i = 0; i < builder.changes.count; i++)
		builder.changes.items[i].step = (int)i + 1;
	plan->changes = builder.changes.items;
	plan->change_count = builder.changes.count;
	plan->statements = reader->statements.items;
	plan->statement_count = reader->statements.count;
	plan->id = pgm_plan_id(reader->arena, plan->changes, plan->change_count);
	if (!plan->title) {
		const char *slash = strrchr(reader->name, '/');
		plan->title = pgm_strdup(reader->arena, slash ? slash + 1 : reader->name);
	}
	return true;
}

static bool check_text(struct pgm_plan_reader *reader, const char *text)
{
	json_t *valid = json_string(text); /* NULL where it is no UTF-8 */
	json_decref(valid);
	if (valid)
		return true;
	pgm_error_set(reader->err, PGM_ERR_INPUT, "%s: this is not a text in UTF-8", reader->name);
	return pgm_error_hint(reader->err, "A Plan is an SQL file: is this the right one?");
}

bool pgm_plan_parse(struct pgm_arena *arena, const char *name, const char *text, struct pgm_plan *plan,
		    struct pgm_error *err)
{
	struct pgm_error ignored;
	struct pgm_plan_reader reader = {.arena = arena,
					 .name = name,
					 .objects = json_array(),
					 .plan = plan,
					 .err = err ? err : &ignored};
	*plan = (struct pgm_plan){.database = "",
				  .created_at = "",
				  .path = pgm_strdup(arena, name),
				  .text = pgm_strdup(arena, text)};
	bool ok = check_text(&reader, text) && pgm_plan_read_blocks(&reader, text) && build(&reader);
	json_decref(reader.objects);
	return ok;
}

static bool read_all(FILE *stream, const char *name, struct pgm_buf *text, struct pgm_error *err)
{
	char block[65536];
	size_t got;
	while ((got = fread(block, 1, sizeof(block), stream)) > 0) {
		if (memchr(block, '\0', got)) {
			pgm_error_set(err, PGM_ERR_INPUT, "%s: this is a binary file", name);
			return pgm_error_hint(err, "A Plan is an SQL file: is this the right one?");
		}
		if (text->length + got > PGM_PLAN_MAX_BYTES)
			return pgm_error_set(err, PGM_ERR_INPUT, "%s: larger than %zu MB", name,
					     PGM_PLAN_MAX_BYTES >> 20);
		pgm_buf_add_n(text, block, got);
	}
	if (ferror(stream))
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read %s: %s", name, strerror(errno));
	return true;
}

bool pgm_plan_read(struct pgm_arena *arena, const char *path, struct pgm_plan *plan, struct pgm_error *err)
{
	bool standard = strcmp(path, "-") == 0;
	const char *name = standard ? "standard input" : path;
	FILE *stream = standard ? stdin : fopen(path, "re");
	if (!stream)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	bool ok = read_all(stream, name, &text, err) && pgm_plan_parse(arena, name, text.text, plan, err);
	if (!standard)
		fclose(stream);
	return ok;
}
