#include "model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MESSAGE 10001 /* PostgreSQL's PQ_SMALL_MESSAGE_LIMIT, and the type */

void model_init(struct model *model, bool pooled, bool started, uint32_t pid)
{
	*model = (struct model){
		.pooled = pooled, .started = started, .pid = pid, .secret = pid * 2654435761u, .status = 'I'};
}

void model_drop_prepared(struct model *model)
{
	for (size_t i = 0; i < MODEL_NAMES; i++)
		if (model->prepared[i].name)
			model_remove(&model->prepared[i]);
}

static void drop_portal(struct model_portal *portal)
{
	free(portal->name);
	free(portal->sql);
	*portal = (struct model_portal){0};
}

void model_drop_portals(struct model *model)
{
	for (size_t i = 0; i < MODEL_NAMES; i++)
		if (model->portals[i].name)
			drop_portal(&model->portals[i]);
}

void model_done(struct model *model)
{
	model_drop_prepared(model);
	model_drop_portals(model);
	free(model->unnamed);
	free(model->rest);
	harness_free(&model->in);
	harness_free(&model->out);
	harness_free(&model->held);
	*model = (struct model){.closed = true};
}

/* ---- answers ---- */

void model_send(struct model *model, char type, const void *body, size_t length)
{
	uint8_t header[PGM_WIRE_HEADER_BYTES] = {(uint8_t)type};
	pgm_wire_put32(header + 1, (uint32_t)length + 4);
	harness_append(&model->held, header, sizeof(header));
	harness_append(&model->held, body, length);
}

void model_show_all(struct model *model)
{
	harness_append(&model->out, model->held.at, model->held.length);
	model->held.length = 0;
}

void model_flush(struct model *model)
{
	model_show_all(model);
	model->flushed = model->out.length;
}

static void send_error(struct model *model, const char *severity, const char *sqlstate, const char *message)
{
	uint8_t bytes[1024];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_error(&writer, &(struct pgm_wire_error){
					.severity = severity, .sqlstate = sqlstate, .message = message});
	harness_append(&model->held, bytes, pgm_writer_length(&writer));
	model_flush(model);
}

bool model_error(struct model *model, const char *sqlstate, const char *format, ...)
{
	char message[700];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	send_error(model, "ERROR", sqlstate, message);
	model_abort(model);
	model->skip_to_sync = model->extended;
	return false;
}

void model_fatal(struct model *model, const char *sqlstate, const char *message)
{
	send_error(model, "FATAL", sqlstate, message);
	model->closed = true;
}

/* Changes of application_name are told before ReadyForQuery, as of PostgreSQL 14. */
static void ready(struct model *model)
{
	uint8_t bytes[128];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	const char *name = model->session.settings[MODEL_APPLICATION_NAME];
	model_commit(model);
	if (strcmp(name, model->reported) != 0) {
		memcpy(model->reported, name, sizeof(model->reported));
		pgm_wire_parameter_status(&writer, "application_name", name);
	}
	pgm_wire_ready(&writer, model->status);
	harness_append(&model->held, bytes, pgm_writer_length(&writer));
	model_flush(model);
}

/* ---- names ---- */

struct model_prepared *model_find(struct model *model, const char *name)
{
	for (size_t i = 0; i < MODEL_NAMES; i++)
		if (model->prepared[i].name && strcmp(model->prepared[i].name, name) == 0)
			return &model->prepared[i];
	return NULL;
}

void model_remove(struct model_prepared *prepared)
{
	free(prepared->name);
	free(prepared->sql);
	*prepared = (struct model_prepared){0};
}

static struct model_portal *find_portal(struct model *model, const char *name)
{
	for (size_t i = 0; i < MODEL_NAMES; i++)
		if (model->portals[i].name && strcmp(model->portals[i].name, name) == 0)
			return &model->portals[i];
	return NULL;
}

static char *copy(const char *text)
{
	char *made = strdup(text);
	if (!made)
		abort();
	return made;
}

/* ---- extended messages ---- */

static bool malformed(struct model *model)
{
	return model_error(model, "08P01", "invalid message format");
}

static bool may_run(struct model *model, const char *sql)
{
	struct model_statement statement;
	model_read(sql, &statement);
	return model->status != 'E' || statement.kind == MODEL_COMMIT || statement.kind == MODEL_ROLLBACK ||
	       statement.kind == MODEL_EMPTY || model_error(model, "25P02", "current transaction is aborted");
}

static bool parse(struct model *model, struct pgm_cursor *cursor)
{
	struct model_statement statement;
	const char *name = pgm_cursor_string(cursor, NULL), *sql = pgm_cursor_string(cursor, NULL);
	size_t types = pgm_cursor_u16(cursor);
	for (size_t i = 0; i < types && !cursor->bad; i++)
		pgm_cursor_u32(cursor);
	if (cursor->bad || pgm_cursor_left(cursor))
		return malformed(model);
	if (!*name) {
		free(model->unnamed);
		model->unnamed = NULL;
	}
	model_read(sql, &statement);
	if (statement.kind == MODEL_SYNTAX || strstr(sql, MODEL_BETWEEN "!"))
		return model_error(model, "42601", "syntax error at or near \"!\"");
	if (strstr(sql, MODEL_BETWEEN))
		return model_error(model, "42601",
				   "cannot insert multiple commands into a prepared statement");
	if (!may_run(model, sql))
		return false;
	if (!*name) {
		model->unnamed = copy(sql);
	} else if (model_find(model, name)) {
		return model_error(model, "42P05", "prepared statement \"%s\" already exists", name);
	} else {
		struct model_prepared *free_one = model->prepared;
		while (free_one < model->prepared + MODEL_NAMES && free_one->name)
			free_one++;
		if (free_one == model->prepared + MODEL_NAMES)
			return model_error(model, "53200", "out of memory");
		*free_one = (struct model_prepared){copy(name), copy(sql)};
	}
	model_send(model, '1', "", 0);
	return true;
}

static const char *statement_of(struct model *model, const char *name)
{
	struct model_prepared *prepared = *name ? model_find(model, name) : NULL;
	const char *sql = *name ? prepared ? prepared->sql : NULL : model->unnamed;
	if (!sql && *name)
		model_error(model, "26000", "prepared statement \"%s\" does not exist", name);
	else if (!sql)
		model_error(model, "26000", "unnamed prepared statement does not exist");
	return sql;
}

static bool bind_portal(struct model *model, struct pgm_cursor *cursor)
{
	const char *portal = pgm_cursor_string(cursor, NULL), *name = pgm_cursor_string(cursor, NULL);
	if (cursor->bad)
		return malformed(model);
	const char *sql = statement_of(model, name);
	if (!sql)
		return false;
	pgm_cursor_bytes(cursor, (size_t)pgm_cursor_u16(cursor) * 2);
	size_t values = pgm_cursor_u16(cursor);
	for (size_t i = 0; i < values && !cursor->bad; i++) {
		uint32_t length = pgm_cursor_u32(cursor);
		pgm_cursor_bytes(cursor, length == PGM_WIRE_NO_PARAMETER ? 0 : length);
	}
	pgm_cursor_bytes(cursor, (size_t)pgm_cursor_u16(cursor) * 2);
	if (cursor->bad || pgm_cursor_left(cursor))
		return malformed(model);
	if (!may_run(model, sql))
		return false;
	struct model_portal *made = find_portal(model, portal);
	if (made && *portal)
		return model_error(model, "42P03", "cursor \"%s\" already exists", portal);
	if (made)
		drop_portal(made);
	made = model->portals;
	while (made < model->portals + MODEL_NAMES && made->name)
		made++;
	if (made == model->portals + MODEL_NAMES)
		return model_error(model, "53200", "out of memory");
	*made = (struct model_portal){.name = copy(portal), .sql = copy(sql)};
	model_send(model, '2', "", 0);
	return true;
}

static void describe_rows(struct model *model, const char *sql)
{
	uint8_t bytes[128];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	if (!model_has_rows(sql)) {
		model_send(model, 'n', "", 0);
		return;
	}
	pgm_wire_columns(&writer, 1, (const char *[]){"c"});
	harness_append(&model->held, bytes, pgm_writer_length(&writer));
}

static bool describe(struct model *model, struct pgm_cursor *cursor)
{
	uint8_t kind = pgm_cursor_u8(cursor);
	const char *name = pgm_cursor_string(cursor, NULL), *sql;
	struct model_portal *portal;
	if (cursor->bad || pgm_cursor_left(cursor))
		return malformed(model);
	switch (kind) {
	case 'S':
		if (!(sql = statement_of(model, name)) || (model_has_rows(sql) && !may_run(model, sql)))
			return false;
		model_send(model, 't', "\0\0", 2);
		describe_rows(model, sql);
		return true;
	case 'P':
		portal = find_portal(model, name);
		if (!portal)
			return model_error(model, "34000", "portal \"%s\" does not exist", name);
		if (model_has_rows(portal->sql) && !may_run(model, portal->sql))
			return false;
		describe_rows(model, portal->sql);
		return true;
	default:
		return model_error(model, "08P01", "invalid DESCRIBE message subtype %d", kind);
	}
}

static bool execute(struct model *model, struct pgm_cursor *cursor)
{
	const char *name = pgm_cursor_string(cursor, NULL);
	uint32_t most = pgm_cursor_u32(cursor);
	if (cursor->bad || pgm_cursor_left(cursor))
		return malformed(model);
	struct model_portal *portal = find_portal(model, name);
	if (!portal)
		return model_error(model, "34000", "portal \"%s\" does not exist", name);
	char *sql = copy(portal->sql);
	bool done = model_execute(model, sql, portal, most > INT32_MAX ? 0 : most);
	free(sql);
	return done;
}

static bool close_one(struct model *model, struct pgm_cursor *cursor)
{
	uint8_t kind = pgm_cursor_u8(cursor);
	const char *name = pgm_cursor_string(cursor, NULL);
	if (cursor->bad || pgm_cursor_left(cursor))
		return malformed(model);
	if (kind != 'S' && kind != 'P')
		return model_error(model, "08P01", "invalid CLOSE message subtype %d", kind);
	struct model_prepared *prepared = kind == 'S' && *name ? model_find(model, name) : NULL;
	struct model_portal *portal = kind == 'P' ? find_portal(model, name) : NULL;
	if (prepared)
		model_remove(prepared);
	if (portal)
		drop_portal(portal);
	if (kind == 'S' && !*name) {
		free(model->unnamed);
		model->unnamed = NULL;
	}
	model_send(model, '3', "", 0);
	return true;
}

/* ---- the others ---- */

static void run_statements(struct model *model, const char *sql)
{
	while (sql) {
		const char *gap = strstr(sql, MODEL_BETWEEN);
		char *one = gap ? strndup(sql, (size_t)(gap - sql)) : strdup(sql);
		if (!one)
			abort();
		sql = gap ? gap + strlen(MODEL_BETWEEN) : NULL;
		/* nothing is said of an empty one beside others */
		bool done = (!*one && model->several) || may_run(model, one);
		if (done && (*one || !model->several)) {
			if (model_has_rows(one))
				describe_rows(model, one);
			done = model_execute(model, one, NULL, 0);
		}
		free(one);
		if (!done)
			return;
		if (model->copying) {
			model->rest = sql ? copy(sql) : NULL;
			return;
		}
	}
}

static void query(struct model *model, struct pgm_cursor *cursor)
{
	struct model_statement statement;
	const char *sql = pgm_cursor_string(cursor, NULL);
	bool sound = !cursor->bad && !pgm_cursor_left(cursor);
	if (sound) {
		free(model->unnamed);
		model->unnamed = NULL;
		struct model_portal *portal = find_portal(model, "");
		if (portal)
			drop_portal(portal);
		model_commit(model);
	}
	model_read(sql, &statement);
	model->several = sound && strstr(sql, MODEL_BETWEEN);
	if (!sound)
		malformed(model);
	else if (statement.kind == MODEL_SYNTAX || strstr(sql, MODEL_BETWEEN "!"))
		model_error(model, "42601", "syntax error at or near \"!\"");
	else if (statement.kind == MODEL_OURS)
		model_execute(model, sql, NULL, 0);
	else
		run_statements(model, sql);
	if (!model->copying)
		ready(model);
}

static void function(struct model *model)
{
	if (model->status == 'E')
		model_error(model, "25P02", "current transaction is aborted");
	else
		model_send(model, 'V', "\xff\xff\xff\xff", 4);
	ready(model);
}

static void during_copy(struct model *model, uint8_t type)
{
	char *rest = model->rest;
	switch (type) {
	case PGM_FE_COPY_DONE:
		model->copying = false;
		model->rest = NULL;
		model_send(model, 'C', "COPY 1", 7);
		run_statements(model, rest);
		free(rest);
		break;
	case PGM_FE_COPY_FAIL:
		model->copying = false;
		model_error(model, "57014", "COPY from stdin failed");
		break;
	case PGM_FE_TERMINATE:
		model->closed = true;
		return;
	default:
		return;
	}
	if (!model->extended && !model->copying)
		ready(model);
}

static void message(struct model *model, uint8_t type, const uint8_t *body, size_t length)
{
	struct pgm_cursor cursor = pgm_cursor_over(body, length);
	if (model->copying) {
		during_copy(model, type);
		return;
	}
	bool skips = model->skip_to_sync;
	model->several = false;
	switch (type) {
	case PGM_FE_TERMINATE:
		model->closed = true;
		return;
	case PGM_FE_SYNC:
		model->skip_to_sync = model->extended = false;
		ready(model);
		return;
	case PGM_FE_QUERY:
	case PGM_FE_FUNCTION:
	case PGM_FE_COPY_DATA:
	case PGM_FE_COPY_DONE:
	case PGM_FE_COPY_FAIL:
		model->extended = false;
		break;
	default:
		model->extended = true;
	}
	if (skips)
		return;
	switch (type) {
	case PGM_FE_QUERY:
		query(model, &cursor);
		break;
	case PGM_FE_FUNCTION:
		function(model);
		break;
	case PGM_FE_PARSE:
		parse(model, &cursor);
		break;
	case PGM_FE_BIND:
		bind_portal(model, &cursor);
		break;
	case PGM_FE_DESCRIBE:
		describe(model, &cursor);
		break;
	case PGM_FE_EXECUTE:
		execute(model, &cursor);
		break;
	case PGM_FE_CLOSE:
		close_one(model, &cursor);
		break;
	case PGM_FE_FLUSH:
		model_flush(model);
		break;
	default:
		break;
	}
}

static void startup(struct model *model)
{
	uint8_t bytes[512];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_authentication(&writer, PGM_WIRE_AUTH_OK, NULL, 0);
	pgm_wire_parameter_status(&writer, "application_name", "");
	pgm_wire_parameter_status(&writer, "server_version", "15.0");
	pgm_wire_parameter_status(&writer, "standard_conforming_strings", "on");
	pgm_writer_begin(&writer, PGM_BE_BACKEND_KEY);
	pgm_writer_u32(&writer, model->pid);
	pgm_writer_u32(&writer, model->secret);
	pgm_writer_end(&writer);
	pgm_wire_ready(&writer, 'I');
	harness_append(&model->out, bytes, pgm_writer_length(&writer));
	model->started = true;
}

/* Small messages are refused by their length alone, and what a COPY does not expect by its type. */
static bool refuses(struct model *model, uint8_t type, size_t total)
{
	if (!pgm_wire_is_frontend(type) || type == PGM_FE_PASSWORD) {
		assert(!model->pooled || model->copying || type == PGM_FE_PASSWORD);
		model_fatal(model, "08P01", "invalid frontend message type");
		return true;
	}
	if (model->copying && !strchr("dcfHSX", type)) {
		send_error(model, "ERROR", "08P01", "unexpected message type during COPY from stdin");
		model_fatal(model, "08P01",
			    "terminating connection because protocol synchronization was lost");
		return true;
	}
	if (total < PGM_WIRE_HEADER_BYTES || (total > SMALL_MESSAGE && strchr("DECHScfX", type)) ||
	    total > (size_t)PGM_WIRE_MESSAGE_MAX + 1) {
		assert(!model->pooled);
		model_fatal(model, "08P01", "invalid message length");
		return true;
	}
	return false;
}

static bool run_one(struct model *model)
{
	const uint8_t *at = model->in.at;
	size_t head = model->started ? 1 : 0;
	if (model->closed || model->holds_back || model->in.length < head + 4)
		return false;
	size_t total = (size_t)pgm_wire_get32(at + head) + head;
	if (model->started && refuses(model, at[0], total))
		return true;
	assert(model->started || (total > 8 && total <= PGM_WIRE_STARTUP_MAX));
	if (model->in.length < total)
		return false;
	if (getenv("POOLER_TRACE")) /* to look at one input */
		fprintf(stderr, "%s %u <- %c %zu \"%.*s\"\n", model->pooled ? "server" : "alone", model->pid,
			model->started ? at[0] : '0', total, total > 100 ? 100 : (int)(total - head - 4),
			at + head + 4);
	if (!model->started)
		startup(model);
	else if (model->dies)
		model_fatal(model, "57P01", "terminating connection due to administrator command");
	else
		message(model, at[0], at + PGM_WIRE_HEADER_BYTES, total - PGM_WIRE_HEADER_BYTES);
	harness_remove(&model->in, total);
	return true;
}

bool model_run(struct model *model)
{
	bool any = false;
	while (run_one(model))
		any = true;
	return any;
}

bool model_is_within(const struct model *model)
{
	return model->in.length > 0;
}

void model_check_clean(const struct model *model, const struct pgm_server *server)
{
	static const char *const names[MODEL_SETTINGS] = {"application_name", "work_mem", "app.t", "role"};
	size_t held = 0, settings = 0;
	assert(model->status == 'I' && !model->in.length && !model->copying && !model->skip_to_sync);
	assert(!model->session.listens && !model->session.temp && !model->session.holds && !model->locked);
	assert(!model->sql_prepared);
	for (int i = 0; i < MODEL_SETTINGS; i++) {
		const char *applied = pgm_pairs_get(server->applied, names[i]);
		assert(strcmp(applied ? applied : "", model->session.settings[i]) == 0);
		settings += applied != NULL;
	}
	assert(settings == pgm_pairs_count(server->applied));
	for (size_t i = 0; i < MODEL_NAMES; i++)
		held += model->prepared[i].name != NULL;
	assert(held == server->holding.count);
	assert(server->expect_count == 0 && !server->client && server->job == PGM_JOB_NONE);
}
