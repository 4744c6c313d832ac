/*
 * Changes to migrations: what must run outside of a transaction gets a step of its own, and where the tool
 * sends a file as one query, a file of its own.
 */
#include "change/emit/parts.h"
#include "change/steps.h"
#include "pg/quote.h"
#include "sql/lex.h"
#include "util/hash.h"

#include <jansson.h>
#include <string.h>

#define NAME_MAX_BYTES 80

struct steps {
	struct pgm_emit_step *items;
	size_t count;
};

static const char *index_name(struct pgm_arena *arena, const char *schema, const char *index)
{
	return *schema ? pgm_quote_qualified(arena, schema, index) : pgm_quote_ident(arena, index);
}

static bool lasting(const struct pgm_ddl *ddl)
{
	return ddl->kind != PGM_DDL_ANALYZE && strcmp(ddl->node, "VacuumStmt") != 0 &&
	       strcmp(ddl->node, "ReindexStmt") != 0;
}

static struct pgm_emit_step one(struct pgm_arena *arena, const char *sql, bool alone, bool strong)
{
	const char **statements = PGM_NEW_ARRAY(arena, const char *, 1);
	statements[0] = sql;
	return (struct pgm_emit_step){
		.statements = statements, .count = 1, .alone = alone, .strong = strong, .lasting = true};
}

static struct pgm_emit_step step_of(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count)
{
	struct pgm_emit_step step = {.statements = PGM_NEW_ARRAY(arena, const char *, count),
				     .count = count,
				     .alone = !sqls[0].ddl.transactional};
	for (size_t i = 0; i < count; i++) {
		step.statements[i] = pgm_sql_escape_controls(arena, sqls[i].text);
		step.lasting |= lasting(&sqls[i].ddl);
		step.strong |= !step.alone && sqls[i].ddl.kind != PGM_DDL_ANALYZE;
	}
	return step;
}

/* One step where all fits into one transaction, else one for each statement. */
static struct steps steps_of(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count)
{
	bool together = true;
	for (size_t i = 0; i < count; i++)
		together &= sqls[i].ddl.transactional;
	struct steps steps = {.items = PGM_NEW_ARRAY(arena, struct pgm_emit_step, count + 1)};
	if (together && count)
		steps.items[steps.count++] = step_of(arena, sqls, count);
	for (size_t i = 0; !together && i < count; i++)
		steps.items[steps.count++] = step_of(arena, &sqls[i], 1);
	return steps;
}

/*
 * The way back of one statement of an index that is made in several. Each holds also where the build stopped
 * half way, and where what ran before it has taken the index away: dropping a parent drops what is attached.
 */
static void undo_part(struct pgm_arena *arena, const struct pgm_ddl *ddl, struct pgm_emit_step *step)
{
	if (ddl->kind != PGM_DDL_CREATE_INDEX && ddl->kind != PGM_DDL_ATTACH_INDEX)
		return;
	bool creates = ddl->kind == PGM_DDL_CREATE_INDEX;
	bool concurrently = creates && ddl->concurrently;
	const char *name = index_name(arena, creates ? ddl->schema : ddl->index_schema, ddl->index);
	const char *sql =
		pgm_sprintf(arena, "DROP INDEX %sIF EXISTS %s", concurrently ? "CONCURRENTLY " : "", name);
	*step = one(arena, pgm_sql_escape_controls(arena, sql), concurrently, !concurrently);
}

struct change_sql {
	struct pgm_plan_sql *up, *down;
	size_t up_count, down_count;
	struct steps ups, downs; /* downs[i] takes ups[i] back, or is empty */
	bool irreversible;
};

static bool utf8(const char *text)
{
	json_t *probe = json_string(text);
	json_decref(probe);
	return probe != NULL;
}

static bool read_change(struct pgm_arena *arena, const struct pgm_change *change, struct change_sql *sql,
			struct pgm_error *err)
{
	memset(sql, 0, sizeof(*sql));
	const char *down = change->sql_down ? change->sql_down : "";
	if (!utf8(change->sql_up) || !utf8(down))
		return pgm_error_set(err, PGM_ERR_INPUT, "its SQL is not UTF-8");
	if (!pgm_steps_parse(arena, change->sql_up, &sql->up, &sql->up_count, err) ||
	    !pgm_steps_parse(arena, down, &sql->down, &sql->down_count, err))
		return false;
	if (sql->up_count == 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "it has no SQL");
	sql->ups = steps_of(arena, sql->up, sql->up_count);
	struct steps downs = steps_of(arena, sql->down, sql->down_count);
	size_t parts = sql->ups.count > downs.count ? sql->ups.count : downs.count;
	sql->downs.items = PGM_NEW_ARRAY(arena, struct pgm_emit_step, parts);
	sql->downs.count = parts;
	if (change->kind == PGM_CHANGE_CREATE_INDEX && sql->ups.count > 1 && downs.count)
		for (size_t i = 0; i < sql->ups.count; i++)
			undo_part(arena, &sql->up[i].ddl, &sql->downs.items[i]);
	else
		for (size_t i = 0; i < downs.count; i++)
			sql->downs.items[parts - 1 - i] = downs.items[i];
	for (size_t i = 0; i < sql->ups.count; i++)
		sql->irreversible |= downs.count == 0 && sql->ups.items[i].lasting;
	return true;
}

static const char *name_of(struct pgm_emit *emit, struct pgm_map *taken, const struct pgm_change *change)
{
	struct pgm_arena *arena = emit->arena;
	const char *what = change->index ? change->index : change->title ? change->title : "";
	const char *slug = pgm_emit_slug(arena, what, NAME_MAX_BYTES);
	const char *verb = change->kind == PGM_CHANGE_CREATE_INDEX ? "create_"
			   : change->kind == PGM_CHANGE_DROP_INDEX ? "drop_"
								   : "";
	char *name = pgm_sprintf(arena, "%s%s", verb, *slug ? slug : *verb ? "index" : "step");
	for (int n = 2; pgm_map_get(taken, name); n++)
		name = pgm_sprintf(arena, "%s%s_%d", verb, *slug ? slug : *verb ? "index" : "step", n);
	pgm_map_set(taken, name, name);
	return name;
}

static const char *version_of(struct pgm_emit *emit, size_t number)
{
	struct tm utc;
	char stamp[32];
	time_t at = emit->options->now + (time_t)number;
	strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", gmtime_r(&at, &utc));
	return pgm_strdup(emit->arena, stamp);
}

/* The statements from..to-1 of the Change as one migration. */
static void add_migration(struct pgm_emit *emit, const struct change_sql *sql, size_t from, size_t to,
			  struct pgm_emit_migration *migration)
{
	struct pgm_arena *arena = emit->arena;
	migration->up = &sql->ups.items[from];
	for (size_t i = from; i < to && i < sql->ups.count; i++) {
		const struct pgm_ddl *ddl = &sql->up[i].ddl;
		migration->up_count++;
		if (sql->ups.items[i].alone && ddl->kind == PGM_DDL_CREATE_INDEX && to - from == 1)
			migration->drop_first = pgm_sprintf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s",
							    index_name(arena, ddl->schema, ddl->index));
	}
	migration->down = PGM_NEW_ARRAY(arena, struct pgm_emit_step, to - from);
	for (size_t i = to; i-- > from;)
		if (sql->downs.items[i].count)
			migration->down[migration->down_count++] = sql->downs.items[i];
	migration->irreversible = sql->irreversible;
}

bool pgm_emit_migrations(struct pgm_emit *emit, struct pgm_error *err)
{
	PGM_VEC(struct pgm_emit_migration) found = {0};
	struct pgm_map taken;
	pgm_map_init(&taken, emit->arena);
	for (size_t c = 0; c < emit->plan->change_count; c++) {
		const struct pgm_change *change = &emit->plan->changes[c];
		struct change_sql sql;
		if (!read_change(emit->arena, change, &sql, err))
			return pgm_error_context(err, "step %zu", c + 1);
		size_t parts = emit->options->tool->whole ? 1 : sql.downs.count;
		if (parts == 0)
			parts = 1;
		const char *name = name_of(emit, &taken, change);
		for (size_t p = 0; p < parts; p++) {
			struct pgm_emit_migration migration = {
				.change = change,
				.change_number = c,
				.part = p + 1,
				.parts = parts,
				.name = parts > 1 ? pgm_sprintf(emit->arena, "%s_part%zu", name, p + 1)
						  : name,
				.version = version_of(emit, found.count),
			};
			add_migration(emit, &sql, parts > 1 ? p : 0, parts > 1 ? p + 1 : sql.downs.count,
				      &migration);
			*pgm_vec_add(emit->arena, &found) = migration;
		}
	}
	emit->migrations = found.items;
	emit->count = found.count;
	return true;
}
