#include "sql/ddl.h"

#include "sql/lex.h"
#include "sql/parse.h"

#include <string.h>
#include <strings.h>

static const char *text_of(struct pgm_arena *arena, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? pgm_strdup(arena, value) : "";
}

static bool flag_of(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void take_relation(struct pgm_arena *arena, const json_t *range, const char **schema,
			  const char **relation)
{
	*schema = text_of(arena, range, "schemaname");
	*relation = text_of(arena, range, "relname");
}

static void read_create_index(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const json_t *relation = json_object_get(body, "relation");
	ddl->kind = PGM_DDL_CREATE_INDEX;
	ddl->index = text_of(arena, body, "idxname");
	ddl->method = text_of(arena, body, "accessMethod");
	ddl->concurrently = flag_of(body, "concurrent");
	ddl->only = !flag_of(relation, "inh");
	ddl->unique = flag_of(body, "unique");
	ddl->if_exists = flag_of(body, "if_not_exists");
	ddl->transactional = !ddl->concurrently;
	take_relation(arena, relation, &ddl->schema, &ddl->relation);
	ddl->index_schema = ddl->schema;
}

/* The first of the names: [schema,] name. */
static void read_name_list(struct pgm_arena *arena, const json_t *items, const char **schema,
			   const char **name)
{
	size_t count = json_array_size(items);
	if (count == 0)
		return;
	*name = text_of(arena, json_object_get(json_array_get(items, count - 1), "String"), "sval");
	if (count > 1)
		*schema = text_of(arena, json_object_get(json_array_get(items, count - 2), "String"), "sval");
}

static void read_drop(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const char *type = json_string_value(json_object_get(body, "removeType"));
	const json_t *objects = json_object_get(body, "objects");
	ddl->if_exists = flag_of(body, "missing_ok");
	ddl->concurrently = flag_of(body, "concurrent");
	ddl->transactional = !ddl->concurrently;
	ddl->objects = json_array_size(objects);
	const json_t *first = json_object_get(json_object_get(json_array_get(objects, 0), "List"), "items");
	if (type && strcmp(type, "OBJECT_INDEX") == 0) {
		ddl->kind = PGM_DDL_DROP_INDEX;
		read_name_list(arena, first, &ddl->index_schema, &ddl->index);
	} else if (type && strcmp(type, "OBJECT_TABLE") == 0 && ddl->objects == 1) {
		read_name_list(arena, first, &ddl->schema, &ddl->relation);
	}
}

static void read_alter(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const char *type = json_string_value(json_object_get(body, "objtype"));
	const json_t *commands = json_object_get(body, "cmds");
	const json_t *command = json_object_get(json_array_get(commands, 0), "AlterTableCmd");
	const char *subtype = json_string_value(json_object_get(command, "subtype"));
	const json_t *partition = json_object_get(json_object_get(command, "def"), "PartitionCmd");
	const json_t *relation = json_object_get(body, "relation");
	ddl->if_exists = flag_of(body, "missing_ok");
	if (type && strcmp(type, "OBJECT_INDEX") == 0) {
		take_relation(arena, relation, &ddl->index_schema, &ddl->index);
		if (subtype && strcmp(subtype, "AT_AttachPartition") == 0) {
			ddl->kind = PGM_DDL_ATTACH_INDEX;
			take_relation(arena, json_object_get(partition, "name"), &ddl->child_schema,
				      &ddl->child);
		}
		return;
	}
	take_relation(arena, relation, &ddl->schema, &ddl->relation);
	if (flag_of(partition, "concurrent"))
		ddl->transactional = false; /* DETACH PARTITION ... CONCURRENTLY */
}

static void read_lock(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const json_t *relations = json_object_get(body, "relations");
	if (json_array_size(relations) == 1)
		take_relation(arena, json_object_get(json_array_get(relations, 0), "RangeVar"), &ddl->schema,
			      &ddl->relation);
}

static void read_vacuum(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const json_t *relations = json_object_get(body, "rels");
	const json_t *first = json_object_get(json_array_get(relations, 0), "VacuumRelation");
	if (json_array_size(relations) == 1)
		take_relation(arena, json_object_get(first, "relation"), &ddl->schema, &ddl->relation);
	if (flag_of(body, "is_vacuumcmd"))
		ddl->transactional = false;
	else
		ddl->kind = PGM_DDL_ANALYZE;
}

static bool has_option(const json_t *params, const char *name)
{
	size_t i;
	json_t *param;
	json_array_foreach(params, i, param)
	{
		const char *option =
			json_string_value(json_object_get(json_object_get(param, "DefElem"), "defname"));
		if (option && strcmp(option, name) == 0)
			return true;
	}
	return false;
}

static void read_reindex(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const char *kind = json_string_value(json_object_get(body, "kind"));
	ddl->concurrently = has_option(json_object_get(body, "params"), "concurrently");
	bool whole = kind && (strcmp(kind, "REINDEX_OBJECT_DATABASE") == 0 ||
			      strcmp(kind, "REINDEX_OBJECT_SYSTEM") == 0 ||
			      strcmp(kind, "REINDEX_OBJECT_SCHEMA") == 0);
	ddl->transactional = !ddl->concurrently && !whole;
	if (kind && strcmp(kind, "REINDEX_OBJECT_TABLE") == 0)
		take_relation(arena, json_object_get(body, "relation"), &ddl->schema, &ddl->relation);
	if (kind && strcmp(kind, "REINDEX_OBJECT_INDEX") == 0) {
		ddl->kind = PGM_DDL_REINDEX_INDEX;
		take_relation(arena, json_object_get(body, "relation"), &ddl->index_schema, &ddl->index);
	}
}

static bool never_in_transaction(const char *node)
{
	static const char *const nodes[] = {
		"CreatedbStmt",		  "DropdbStmt",		  "CreateTableSpaceStmt",
		"DropTableSpaceStmt",	  "AlterSystemStmt",	  "DiscardStmt",
		"CreateSubscriptionStmt", "DropSubscriptionStmt", "AlterSubscriptionStmt"};
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (strcmp(node, nodes[i]) == 0)
			return true;
	return false;
}

/* A block that commits on its way cannot be run in a transaction. "ON COMMIT DROP" is something else. */
static bool commits(const char *body)
{
	struct pgm_lex lex;
	bool word = false;
	pgm_lex_init(&lex, body, strlen(body));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			return false;
		if (token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT)
			continue;
		bool ends = token.kind == PGM_TOKEN_OTHER && *token.text == ';';
		bool chains = token.kind == PGM_TOKEN_WORD && token.length == 3 &&
			      strncasecmp(token.text, "and", 3) == 0;
		if (word && (ends || chains))
			return true;
		word = token.kind == PGM_TOKEN_WORD &&
		       ((token.length == 6 && strncasecmp(token.text, "commit", 6) == 0) ||
			(token.length == 8 && strncasecmp(token.text, "rollback", 8) == 0));
	}
}

static void read_do(const json_t *body, struct pgm_ddl *ddl)
{
	size_t i;
	json_t *arg;
	json_array_foreach(json_object_get(body, "args"), i, arg)
	{
		const json_t *element = json_object_get(arg, "DefElem");
		const char *name = json_string_value(json_object_get(element, "defname"));
		const char *text = json_string_value(
			json_object_get(json_object_get(json_object_get(element, "arg"), "String"), "sval"));
		if (name && text && strcmp(name, "as") == 0 && commits(text))
			ddl->transactional = false;
	}
}

static void read_statement(struct pgm_arena *arena, const json_t *body, struct pgm_ddl *ddl)
{
	const char *node = ddl->node;
	if (strcmp(node, "IndexStmt") == 0) {
		read_create_index(arena, body, ddl);
	} else if (strcmp(node, "DropStmt") == 0) {
		read_drop(arena, body, ddl);
	} else if (strcmp(node, "AlterTableStmt") == 0) {
		read_alter(arena, body, ddl);
	} else if (strcmp(node, "VacuumStmt") == 0) {
		read_vacuum(arena, body, ddl);
	} else if (strcmp(node, "DoStmt") == 0) {
		read_do(body, ddl);
	} else if (strcmp(node, "ReindexStmt") == 0) {
		read_reindex(arena, body, ddl);
	} else if (strcmp(node, "LockStmt") == 0) {
		read_lock(arena, body, ddl);
	} else if (strcmp(node, "TransactionStmt") == 0) {
		ddl->kind = PGM_DDL_TRANSACTION_CONTROL;
	} else if (strcmp(node, "CopyStmt") == 0) {
		if (!json_object_get(body, "filename"))
			ddl->kind = PGM_DDL_COPY_CLIENT;
	} else if (strcmp(node, "ClusterStmt") == 0) {
		ddl->transactional = json_object_get(body, "relation") != NULL;
	} else if (never_in_transaction(node)) {
		ddl->transactional = false;
	} else if (json_is_object(json_object_get(body, "relation"))) {
		take_relation(arena, json_object_get(body, "relation"), &ddl->schema, &ddl->relation);
	}
}

bool pgm_ddl_parse(struct pgm_arena *arena, const char *sql, int first_line, struct pgm_ddl *ddl,
		   struct pgm_error *err)
{
	json_t *statements = pgm_sql_parse(sql, first_line, err);
	if (!statements)
		return false;
	*ddl = (struct pgm_ddl){.kind = PGM_DDL_OTHER,
				.node = "",
				.schema = "",
				.relation = "",
				.index_schema = "",
				.index = "",
				.child_schema = "",
				.child = "",
				.method = "",
				.transactional = true};
	bool one = json_array_size(statements) == 1;
	if (one) {
		json_t *statement = json_object_get(json_array_get(statements, 0), "stmt");
		void *entry = json_object_iter(statement);
		if (entry) {
			ddl->node = pgm_strdup(arena, json_object_iter_key(entry));
			read_statement(arena, json_object_iter_value(entry), ddl);
		}
	}
	json_decref(statements);
	return one ||
	       pgm_error_set(err, PGM_ERR_INPUT, "line %d: there should be one statement here", first_line);
}
