#include "model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BIG_BYTES 70000
#define OURS	  "/* pgmend */ "

static const char *const setting_names[MODEL_SETTINGS] = {"application_name", "work_mem", "app.t", "role"};

#define FLAG(member) MODEL_FLAG, .flag = offsetof(struct model, member)

static const struct {
	const char *sql;
	struct model_statement statement;
} known[] = {
	{"", {MODEL_EMPTY, NULL}},
	{"ERR", {MODEL_FAILS, NULL}},
	{"ROWS", {MODEL_ROWS, "SELECT 2"}},
	{"BIG", {MODEL_BIG, "SELECT 1"}},
	{"BEGIN", {MODEL_BEGIN, "BEGIN"}},
	{"COMMIT", {MODEL_COMMIT, "COMMIT"}},
	{"ROLLBACK", {MODEL_ROLLBACK, "ROLLBACK"}},
	{"SET application_name TO a", {MODEL_SET, "SET", MODEL_APPLICATION_NAME, "a"}},
	{"SET application_name TO b", {MODEL_SET, "SET", MODEL_APPLICATION_NAME, "b"}},
	{"SET work_mem TO 1", {MODEL_SET, "SET", MODEL_WORK_MEM, "1"}},
	{"SET work_mem TO 2", {MODEL_SET, "SET", MODEL_WORK_MEM, "2"}},
	{"SET app.t TO 1", {MODEL_SET, "SET", MODEL_TENANT, "1"}},
	{"SET app.t TO 2", {MODEL_SET, "SET", MODEL_TENANT, "2"}},
	{"SET ROLE r", {MODEL_SET, "SET", MODEL_ROLE, "r"}},
	{"RESET ROLE", {MODEL_RESET, "RESET", MODEL_ROLE, ""}},
	{"RESET work_mem", {MODEL_RESET, "RESET", MODEL_WORK_MEM, ""}},
	{"RESET ALL", {MODEL_RESET_ALL, "RESET"}},
	{"SHOW application_name", {MODEL_SHOW, "SHOW", MODEL_APPLICATION_NAME}},
	{"SHOW work_mem", {MODEL_SHOW, "SHOW", MODEL_WORK_MEM}},
	{"SHOW app.t", {MODEL_SHOW, "SHOW", MODEL_TENANT}},
	{"SHOW role", {MODEL_SHOW, "SHOW", MODEL_ROLE}},
	{"LISTEN a", {FLAG(session.listens), .tag = "LISTEN", .on = true}},
	{"UNLISTEN *", {FLAG(session.listens), .tag = "UNLISTEN"}},
	{"CREATE TEMP TABLE t()", {FLAG(session.temp), .tag = "CREATE TABLE", .on = true}},
	{"DROP TABLE t", {FLAG(session.temp), .tag = "DROP TABLE"}},
	{"DECLARE c CURSOR WITH HOLD FOR SELECT 1",
	 {FLAG(session.holds), .tag = "DECLARE CURSOR", .on = true}},
	{"CLOSE c", {FLAG(session.holds), .tag = "CLOSE CURSOR"}},
	{"SELECT pg_advisory_lock(1)", {FLAG(locked), .tag = "SELECT 1", .on = true}},
	{"SELECT pg_advisory_unlock(1)", {FLAG(locked), .tag = "SELECT 1"}},
	{"PREPARE sqlp AS SELECT 1", {MODEL_PREPARE, "PREPARE"}},
	{"EXECUTE sqlp", {MODEL_EXECUTE, "SELECT 1"}},
	{"DEALLOCATE sqlp", {MODEL_DEALLOCATE, "DEALLOCATE", .value = "sqlp"}},
	{"DEALLOCATE ALL", {MODEL_DEALLOCATE, "DEALLOCATE ALL", .value = NULL}},
	{"DISCARD ALL", {MODEL_DISCARD, "DISCARD ALL"}},
	{"DISCARD SEQUENCES", {MODEL_DISCARD_SEQUENCES, "DISCARD SEQUENCES"}},
	{"SELECT nextval('s')", {MODEL_NEXTVAL, "SELECT 1"}},
	{"SELECT lastval()", {MODEL_LASTVAL, "SELECT 1"}},
	{"COPY t FROM STDIN", {MODEL_COPY_IN, "COPY 1"}},
	{"COPY t TO STDOUT", {MODEL_COPY_OUT, "COPY 1"}},
	{"CREATE TABLE u()", {MODEL_CREATE, "CREATE TABLE"}},
};

/* DEALLOCATE name, as the grammar has it, for the names that clients give by the protocol. */
static bool deallocates(const char *sql, char *name, size_t size)
{
	size_t length = 0;
	if (strncasecmp(sql, "deallocate", 10) != 0 || !strchr(" \t\r\n", sql[10]) || !sql[10])
		return false;
	sql += 10 + strspn(sql + 10, " \t\r\n");
	if (strncasecmp(sql, "prepare", 7) == 0 && sql[7] && strchr(" \t\r\n", sql[7]))
		sql += 7 + strspn(sql + 7, " \t\r\n");
	if (*sql == '"') {
		while (*++sql && *sql != '"' && length + 1 < size)
			name[length++] = *sql;
		if (*sql++ != '"')
			return false;
	} else {
		while ((*sql == '_' || (*sql >= '0' && *sql <= '9' && length) ||
			((*sql | 32) >= 'a' && (*sql | 32) <= 'z')) &&
		       length + 1 < size) {
			name[length++] = (char)(*sql >= 'A' && *sql <= 'Z' ? *sql + 32 : *sql);
			sql++;
		}
	}
	name[length] = '\0';
	sql += strspn(sql, " \t\r\n");
	sql += strspn(sql, " \t\r\n;");
	return length && !*sql;
}

void model_read(const char *sql, struct model_statement *statement)
{
	*statement = (struct model_statement){MODEL_SELECT, "SELECT 1"};
	if (*sql == '!')
		*statement = (struct model_statement){MODEL_SYNTAX, NULL};
	if (strncmp(sql, OURS, strlen(OURS)) == 0)
		statement->kind = MODEL_OURS;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].sql, sql) == 0) {
			*statement = known[i].statement;
			return;
		}
	if (deallocates(sql, statement->name, sizeof(statement->name))) {
		statement->kind = MODEL_DEALLOCATE;
		statement->tag = "DEALLOCATE";
		statement->value = statement->name;
		statement->name[63] = '\0'; /* as the scanner does */
	}
}

bool model_has_rows(const char *sql)
{
	struct model_statement statement;
	model_read(sql, &statement);
	switch (statement.kind) {
	case MODEL_SELECT:
	case MODEL_ROWS:
	case MODEL_BIG:
	case MODEL_SHOW:
	case MODEL_FAILS:
	case MODEL_EXECUTE:
	case MODEL_NEXTVAL:
	case MODEL_LASTVAL:
		return true;
	case MODEL_FLAG:
		return strncmp(statement.tag, "SELECT", 6) == 0;
	default:
		return false;
	}
}

/* ---- transactions ---- */

void model_abort(struct model *model)
{
	model->session = model->saved;
	model->copying = false;
	free(model->rest);
	model->rest = NULL;
	if (model->status != 'I')
		model->status = 'E';
	model_drop_portals(model);
}

void model_commit(struct model *model)
{
	if (model->status != 'I')
		return;
	model->saved = model->session;
	model_drop_portals(model);
}

static const char *end_transaction(struct model *model, bool commit)
{
	const char *tag = commit && model->status != 'E' ? "COMMIT" : "ROLLBACK";
	if (!commit || model->status == 'E')
		model->session = model->saved;
	model->status = 'I';
	model_commit(model);
	return tag;
}

/* ---- the pooler's own statements ---- */

static void row(struct model *model, size_t count, const char *const *cells)
{
	uint8_t bytes[512];
	struct pgm_writer writer = pgm_writer_over(bytes, sizeof(bytes));
	pgm_wire_row(&writer, count, cells);
	assert(!writer.full);
	harness_append(&model->held, bytes, pgm_writer_length(&writer));
}

static void probe(struct model *model, const char *sql)
{
	for (int i = 0; i < MODEL_SETTINGS; i++)
		if (*model->session.settings[i] && (i != MODEL_TENANT || strstr(sql, "'app.t'")))
			row(model, 3, (const char *[]){"g", setting_names[i], model->session.settings[i]});
	if (model->session.listens)
		row(model, 3, (const char *[]){"l", "", ""});
	if (model->session.temp)
		row(model, 3, (const char *[]){"t", "", ""});
	if (model->sql_prepared)
		row(model, 3, (const char *[]){"p", "", ""});
	if (model->locked)
		row(model, 3, (const char *[]){"k", "", ""});
	if (model->session.holds)
		row(model, 3, (const char *[]){"h", "", ""});
}

static void reset_all(struct model *model)
{
	char role[MODEL_VALUE];
	memcpy(role, model->session.settings[MODEL_ROLE], sizeof(role));
	memset(model->session.settings, 0, sizeof(model->session.settings));
	memcpy(model->session.settings[MODEL_ROLE], role, sizeof(role));
}

static bool skip(const char **at, const char *text)
{
	if (strncmp(*at, text, strlen(text)) != 0)
		return false;
	*at += strlen(text);
	return true;
}

/* 'name', of those that we know; -1: another */
static int read_name(const char **at, char quote)
{
	const char *end = strchr(*at, quote);
	for (int i = 0; end && i < MODEL_SETTINGS; i++) {
		if (strlen(setting_names[i]) != (size_t)(end - *at) ||
		    strncmp(setting_names[i], *at, (size_t)(end - *at)) != 0)
			continue;
		*at = end + 1;
		return i;
	}
	return -1;
}

/* A value and its quote; false: it is none that we know. */
static bool read_value(struct model *model, const char **at, int setting)
{
	const char *end = strchr(*at, '\'');
	size_t length = end ? (size_t)(end - *at) : MODEL_VALUE;
	if (length >= MODEL_VALUE)
		return false;
	memset(model->session.settings[setting], 0, MODEL_VALUE);
	memcpy(model->session.settings[setting], *at, length);
	*at = end + 1;
	return true;
}

/* One statement of a list as session.c writes them; false: it is not known. */
static bool apply(struct model *model, const char **at)
{
	static const char *const nothings[] = {"CLOSE ALL;",
					       " SET SESSION AUTHORIZATION DEFAULT;",
					       "RESET SESSION AUTHORIZATION;",
					       " UNLISTEN *;",
					       " DISCARD TEMP;",
					       " SELECT pg_catalog.pg_advisory_unlock_all();"};
	int setting;
	for (size_t i = 0; i < sizeof(nothings) / sizeof(*nothings); i++)
		if (skip(at, nothings[i]))
			return true;
	if (skip(at, "RESET ROLE;")) {
		*model->session.settings[MODEL_ROLE] = '\0';
	} else if (skip(at, " RESET ALL;")) { /* of strict's; SET SESSION AUTHORIZATION resets the role */
		memset(model->session.settings, 0, sizeof(model->session.settings));
	} else if (skip(at, " DISCARD SEQUENCES") || skip(at, "DISCARD SEQUENCES")) {
		model->sequence = false;
	} else if (skip(at, "RESET \"app\".\"t\";")) {
		*model->session.settings[MODEL_TENANT] = '\0';
	} else if (skip(at, "RESET \"")) {
		if ((setting = read_name(at, '"')) < 0 || !skip(at, ";"))
			return false;
		*model->session.settings[setting] = '\0';
	} else if (skip(at, "SELECT pg_catalog.set_config('")) {
		return (setting = read_name(at, '\'')) >= 0 && skip(at, ", '") &&
		       read_value(model, at, setting) && skip(at, ", false);");
	} else if (skip(at, "SET \"")) {
		return (setting = read_name(at, '"')) >= 0 && skip(at, " = '") &&
		       read_value(model, at, setting) && skip(at, ";");
	} else {
		return false;
	}
	return true;
}

static bool ours(struct model *model, const char *sql)
{
	const char *at = sql + strlen(OURS);
	if (model->fails_ours) {
		model->fails_ours = false;
		return model_error(model, "XX000", "this fails");
	}
	if (strncmp(at, "SELECT 'g'", 10) == 0) {
		probe(model, at);
		model_send(model, 'C', "SELECT 1", 9);
		return true;
	}
	if (strncmp(at, "SELECT pg_catalog.pg_cancel_backend(", 36) == 0)
		return model_error(model, "57014", "canceling statement due to user request");
	if (strcmp(at, "ROLLBACK") == 0) {
		const char *tag = end_transaction(model, false);
		model_send(model, 'C', tag, strlen(tag) + 1);
		return true;
	}
	while (*at && apply(model, &at))
		;
	/* one that a client made up may end anywhere */
	assert(!model->pooled || model->doubted || !*at || harness_server(model->pid) == NULL ||
	       harness_server(model->pid)->job == PGM_JOB_NONE);
	model_send(model, 'C', "RESET", 6);
	return true;
}

/* ---- running ---- */

static void select_row(struct model *model, const char *value)
{
	row(model, 1, &value);
}

static void big_row(struct model *model)
{
	uint8_t *bytes = calloc(1, BIG_BYTES);
	if (!bytes)
		abort();
	pgm_wire_put16(bytes, 1);
	pgm_wire_put32(bytes + 2, BIG_BYTES - 6);
	memset(bytes + 6, 'Z', BIG_BYTES - 6);
	model_send(model, 'D', bytes, BIG_BYTES);
	free(bytes);
}

static uint64_t client_of(const struct model *model)
{
	const struct pgm_server *server = model->pooled ? harness_server(model->pid) : NULL;
	return server && server->client ? server->client->id : 0;
}

static bool discard(struct model *model)
{
	if (model->status != 'I' || model->several)
		return model_error(model, "25001", "DISCARD ALL cannot run inside a transaction block");
	memset(&model->session, 0, sizeof(model->session));
	model->locked = model->sequence = model->sql_prepared = false;
	model_drop_prepared(model);
	return true;
}

static bool deallocate(struct model *model, const char *name)
{
	if (!name) {
		model->sql_prepared = false;
		model_drop_prepared(model);
		return true;
	}
	struct model_prepared *prepared = model_find(model, name);
	if (prepared) {
		model_remove(prepared);
		return true;
	}
	if (!model->sql_prepared)
		return model_error(model, "26000", "prepared statement \"%s\" does not exist", name);
	model->sql_prepared = false;
	return true;
}

/* What needs no rows and no more messages. False: it failed. */
static bool change(struct model *model, const struct model_statement *statement)
{
	bool resets = statement->kind == MODEL_RESET || statement->kind == MODEL_RESET_ALL ||
		      statement->kind == MODEL_DISCARD;
	model->reset_start |= model->has_start && resets;
	switch (statement->kind) {
	case MODEL_SET:
	case MODEL_RESET:
		memset(model->session.settings[statement->setting], 0, MODEL_VALUE);
		memcpy(model->session.settings[statement->setting], statement->value,
		       strlen(statement->value));
		return true;
	case MODEL_RESET_ALL:
		reset_all(model);
		return true;
	case MODEL_FLAG:
		*(bool *)((char *)model + statement->flag) = statement->on;
		return true;
	case MODEL_PREPARE:
		if (model->sql_prepared)
			return model_error(model, "42P05", "prepared statement \"sqlp\" already exists");
		model->sql_prepared = true;
		return true;
	case MODEL_EXECUTE:
		return model->sql_prepared ||
		       model_error(model, "26000", "prepared statement \"sqlp\" does not exist");
	case MODEL_DEALLOCATE:
		return deallocate(model, statement->value);
	case MODEL_DISCARD:
		return discard(model);
	case MODEL_DISCARD_SEQUENCES:
		model->sequence = false;
		return true;
	case MODEL_NEXTVAL:
		model->sequence = true;
		model->sequence_client = client_of(model);
		return true;
	case MODEL_LASTVAL: /* of another's it may never read */
		assert(!model->pooled || model->doubted || !model->sequence || !client_of(model) ||
		       model->sequence_client == client_of(model));
		return true;
	case MODEL_BEGIN:
		if (model->status == 'I')
			model->status = 'T';
		return true;
	default:
		return true;
	}
}

static void copy_out(struct model *model)
{
	model_send(model, 'H', "\0\0\0", 3);
	model_send(model, 'd', "1\n", 2);
	model_send(model, 'c', "", 0);
}

bool model_execute(struct model *model, const char *sql, struct model_portal *portal, uint32_t most)
{
	struct model_statement statement;
	bool rows = model_has_rows(sql);
	model_read(sql, &statement);
	const char *tag = statement.tag;
	bool ends = statement.kind == MODEL_COMMIT || statement.kind == MODEL_ROLLBACK;
	if (model->cancel) {
		model->cancel = false;
		return model_error(model, "57014", "canceling statement due to user request");
	}
	if (statement.kind == MODEL_OURS)
		return ours(model, sql);
	if (model->status == 'E' && !ends && statement.kind != MODEL_EMPTY)
		return model_error(model, "25P02", "current transaction is aborted");
	if (portal && portal->done && !rows && statement.kind != MODEL_EMPTY)
		return model_error(model, "55000", "portal \"%s\" cannot be run", portal->name);
	if (statement.kind == MODEL_EMPTY) {
		model_send(model, 'I', "", 0);
		return true;
	}
	if (ends) {
		if (portal)
			portal->done = true;
		tag = end_transaction(model, statement.kind == MODEL_COMMIT);
		model_send(model, 'C', tag, strlen(tag) + 1);
		return true;
	}
	if (statement.kind == MODEL_FAILS)
		return model_error(model, "22012", "division by zero");
	if (statement.kind == MODEL_COPY_IN) {
		if (portal)
			portal->done = true;
		model_send(model, 'G', "\0\0\0", 3);
		model_flush(model);
		model->copying = true;
		return true;
	}
	size_t at = portal ? portal->row : 0, count = statement.kind == MODEL_ROWS ? 2 : 1;
	if (at == 0 && !change(model, &statement))
		return false;
	if (statement.kind == MODEL_COPY_OUT)
		copy_out(model);
	size_t until = rows && most && count - at > most ? at + most : count;
	for (; rows && at < until; at++) {
		if (statement.kind == MODEL_BIG)
			big_row(model);
		else
			select_row(model, statement.kind == MODEL_SHOW
						  ? model->session.settings[statement.setting]
						  : "1");
	}
	/* a discard has closed it */
	if (portal && portal->name) {
		portal->row = at;
		portal->done = true;
	}
	if (rows && most && at < count)
		model_send(model, 's', "", 0);
	else
		model_send(model, 'C', tag, strlen(tag) + 1);
	return true;
}
