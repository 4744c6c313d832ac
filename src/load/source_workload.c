#include "load/source_parts.h"

#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 15000

struct builder {
	struct pgm_arena *arena;
	struct pgm_scripts *scripts;
	struct pgm_async *async;	       /* with the target, on the user's own search_path */
	const struct pgm_conn_options *server; /* NULL: statistics cannot be looked up */
	struct pgm_conn *conn;		       /* with the server; opened when it is needed */
	struct pgm_catalog *catalog;
	bool writes, simple;
	struct pgm_load_left_out *left_out;
};

static bool leave_out(struct builder *builder, const char *why)
{
	if (builder->left_out->count++ == 0)
		builder->left_out->why = pgm_strdup(builder->arena, why);
	return true;
}

static bool ask(struct builder *builder, const char *sql, size_t count, const char *const *params,
		struct pgm_error *err)
{
	struct pgm_async_outcome outcome;
	pgm_async_params(builder->async, sql, count, params);
	return pgm_async_wait(builder->async, LIMIT_MS, &outcome, err);
}

/* Whether the planner takes it so: then it runs, or fails for what is in the tables. */
static bool plans(struct builder *builder, const char *sql, const struct pgm_load_values *values,
		  size_t count, struct pgm_error *err)
{
	struct pgm_random random;
	const char **params = PGM_NEW_ARRAY(builder->arena, const char *, count + 1);
	pgm_random_seed(&random, 1);
	for (size_t i = 0; i < count; i++)
		params[i] =
			values->row_count
				? values->rows[0][i]
				: pgm_load_column_draw(&values->columns[i], &random,
						       pgm_arena_alloc(builder->arena, PGM_LOAD_NUMBER_MAX));
	return ask(builder, pgm_sprintf(builder->arena, "EXPLAIN %s", sql), count, params, err);
}

/* ---- parameters' types ---- */

static bool read_types(struct builder *builder, const char *sql, struct source_type **types, size_t *count,
		       struct pgm_error *err)
{
	struct pgm_async_outcome outcome;
	struct pgm_error ignored;
	uint32_t oids[PGM_SCRIPT_PARAMS_MAX];
	/* In a transaction, so that a pooler leaves us with one server. */
	if (!ask(builder, "BEGIN", 0, NULL, err))
		return false;
	pgm_async_prepare(builder->async, "", sql);
	bool ok = pgm_async_wait(builder->async, LIMIT_MS, &outcome, err);
	if (ok) {
		pgm_async_describe(builder->async, "");
		ok = pgm_async_wait(builder->async, LIMIT_MS, &outcome, err);
	}
	*count = ok ? pgm_async_param_count(builder->async) : 0;
	if (*count > PGM_SCRIPT_PARAMS_MAX)
		ok = pgm_error_set(err, PGM_ERR_INPUT, "it has more than %d parameters",
				   PGM_SCRIPT_PARAMS_MAX);
	for (size_t i = 0; ok && i < *count; i++)
		oids[i] = pgm_async_param_type(builder->async, i);
	if (!ask(builder, "ROLLBACK", 0, NULL, ok ? err : &ignored) || !ok)
		return false;
	*types = PGM_NEW_ARRAY(builder->arena, struct source_type, *count + 1);
	for (size_t i = 0; i < *count; i++) {
		bool null;
		char *oid = pgm_sprintf(builder->arena, "%u", oids[i]);
		const char *params[] = {oid};
		if (!ask(builder,
			 "SELECT " PGM_CONN_MARKER
			 "typname, typcategory FROM pg_catalog.pg_type WHERE oid = $1::oid",
			 1, params, err))
			return false;
		const char *name = pgm_async_cell(builder->async, 0, 0, &null);
		(*types)[i].name = pgm_strdup(builder->arena, name ? name : "?");
		const char *category = pgm_async_cell(builder->async, 0, 1, &null);
		(*types)[i].category = category ? *category : 'X';
	}
	return true;
}

static void open_catalog(struct builder *builder)
{
	struct pgm_error ignored;
	if (builder->catalog || !builder->server)
		return;
	builder->conn = pgm_conn_open(builder->server, &ignored);
	if (builder->conn)
		builder->catalog = pgm_catalog_read(builder->arena, builder->conn, &ignored);
	builder->server = NULL; /* not again */
}

/* ---- scripts ---- */

/* For the simple protocol: the text cut at its parameters. */
static void cut_pieces(struct builder *builder, struct pgm_command *command, const struct pgm_shape *shape)
{
	struct pgm_script_piece *pieces =
		PGM_NEW_ARRAY(builder->arena, struct pgm_script_piece, shape->param_count + 1);
	size_t at = 0;
	for (size_t i = 0; i < shape->param_count; i++) {
		const struct pgm_param *param = &shape->params[i];
		pieces[i] = (struct pgm_script_piece){
			pgm_strndup(builder->arena, command->sql + at, param->offset - at),
			(size_t)param->number - 1, true};
		at = param->offset + param->length;
	}
	pieces[shape->param_count].text = command->sql + at;
	command->pieces = pieces;
	command->piece_count = shape->param_count + 1;
}

static void add_script(struct builder *builder, const struct pgm_statement *statement, const char *sql,
		       size_t param_count, const struct pgm_load_values *values,
		       const struct pgm_shape *shape)
{
	struct pgm_command *command = PGM_NEW(builder->arena, struct pgm_command);
	struct pgm_load_values *own = PGM_NEW(builder->arena, struct pgm_load_values);
	*own = *values;
	command->kind = PGM_COMMAND_SQL;
	command->line = 1;
	command->text = sql;
	command->sql = sql;
	command->param_count = values->text_count ? 0 : param_count;
	command->values = own;
	command->writes = pgm_load_statement_writes(sql);
	command->number = builder->scripts->sql_count++;
	if (shape)
		cut_pieces(builder, command, shape);
	*pgm_vec_add(builder->arena, &builder->scripts->items) =
		(struct pgm_script){statement->fingerprint, statement->calls, command, 1};
	builder->scripts->weight += statement->calls;
}

static bool add_with_samples(struct builder *builder, const struct pgm_statement *statement)
{
	struct pgm_load_values values = {0};
	struct pgm_error err = {0};
	const char *sql = NULL;
	size_t count = 0;
	if (!builder->simple && source_from_samples(builder->arena, statement, &sql, &count, &values) &&
	    plans(builder, sql, &values, count, &err)) {
		add_script(builder, statement, sql, count, &values, NULL);
		return true;
	}
	/* As they ran: a literal may be what no parameter can be (interval '1 day'). */
	if (!plans(builder, statement->samples[0], &values, 0, &err))
		return leave_out(builder, err.message);
	values = (struct pgm_load_values){.texts = statement->samples, .text_count = statement->sample_count};
	add_script(builder, statement, statement->samples[0], 0, &values, NULL);
	return true;
}

static bool add_without(struct builder *builder, const struct pgm_statement *statement)
{
	struct pgm_load_values values = {0};
	struct pgm_error err = {0};
	struct pgm_shape shape;
	struct source_type *types;
	size_t count;
	const char *why = NULL, *sql = source_cast_params(builder->arena, statement->text);
	if (!read_types(builder, sql, &types, &count, &err) ||
	    !pgm_sql_shape(builder->arena, sql, &shape, &err))
		return leave_out(builder, err.message);
	if (count)
		open_catalog(builder);
	if (!source_from_statistics(builder->arena, builder->catalog, builder->conn, &shape, types, count,
				    &values, &why))
		return leave_out(builder, why);
	if (!plans(builder, sql, &values, count, &err))
		return leave_out(builder, err.message);
	add_script(builder, statement, sql, count, &values, &shape);
	return true;
}

bool pgm_load_add_workload(struct pgm_scripts *scripts, const struct pgm_workload *workload,
			   const struct pgm_load_connect *target, const struct pgm_conn_options *server,
			   bool writes, bool simple, struct pgm_load_left_out *left_out,
			   struct pgm_error *err)
{
	struct pgm_async_outcome outcome;
	PGM_AUTO_ASYNC async = pgm_async_open(&target->connection, NULL);
	struct builder builder = {
		.arena = scripts->arena,
		.scripts = scripts,
		.async = async,
		.server = server,
		.writes = writes,
		.simple = simple,
		.left_out = left_out,
	};
	if (!async || !pgm_async_wait(async, LIMIT_MS, &outcome, err))
		return pgm_error_context(err, "connecting to \"%s\"", target->name);
	for (size_t i = 0; i < workload->statement_count; i++) {
		const struct pgm_statement *statement = &workload->statements[i];
		const char *text = statement->sample_count ? statement->samples[0] : statement->text;
		if (pgm_load_statement_writes(text) && !writes)
			leave_out(&builder, "it writes, and --writes was not given");
		else if (statement->sample_count)
			add_with_samples(&builder, statement);
		else
			add_without(&builder, statement);
	}
	pgm_conn_close(builder.conn);
	if (scripts->items.count)
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "%s: there is no statement in it that can be run",
		      workload->source);
	return pgm_error_hint(err, "%s%s", left_out->count ? "The first was left out because: " : "",
			      left_out->count ? left_out->why : "");
}
