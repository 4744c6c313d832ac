#include "sql/operation.h"

#include "sql/ddl.h"
#include "sql/lex.h"
#include "sql/operation_build.h"
#include "sql/parse.h"
#include "util/buf.h"

#include <string.h>
#include <strings.h>

static bool is(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

const char *pgm_op_text(struct pgm_arena *arena, json_t *object, const char *key)
{
	const char *text = pgm_tree_string(object, key);
	return text ? pgm_strdup(arena, text) : "";
}

struct pgm_op_name pgm_op_range(struct pgm_arena *arena, json_t *range)
{
	return (struct pgm_op_name){pgm_op_text(arena, range, "schemaname"),
				    pgm_op_text(arena, range, "relname")};
}

size_t pgm_op_names(struct pgm_arena *arena, json_t *list, const char ***names)
{
	size_t count = json_array_size(list);
	*names = count ? PGM_NEW_ARRAY(arena, const char *, count) : NULL;
	for (size_t i = 0; i < count; i++)
		(*names)[i] = pgm_op_text(arena, pgm_tree_body(json_array_get(list, i), "String"), "sval");
	return count;
}

struct pgm_op *pgm_op_add(struct pgm_op_builder *builder, enum pgm_op_kind kind, json_t *range)
{
	struct pgm_op *op = pgm_vec_add(builder->arena, &builder->ops);
	*op = (struct pgm_op){.kind = kind,
			      .relation = pgm_op_range(builder->arena, range),
			      .other = {"", ""},
			      .name = "",
			      .value = "",
			      .type.name = "",
			      .not_null_column = "",
			      .null_column = "",
			      .using_index = ""};
	return op;
}

/* One operation for each RangeVar of a list. */
static void add_each(struct pgm_op_builder *builder, enum pgm_op_kind kind, json_t *ranges, int lock_mode)
{
	for (size_t i = 0; i < json_array_size(ranges); i++)
		pgm_op_add(builder, kind, pgm_tree_body(json_array_get(ranges, i), "RangeVar"))->lock_mode =
			lock_mode;
}

/* [schema,] name; of a trigger, rule or policy: [schema,] table, name. */
static struct pgm_op_name listed_name(struct pgm_arena *arena, json_t *node, size_t cut)
{
	const char **names;
	size_t count = pgm_op_names(arena, json_object_get(pgm_tree_body(node, "List"), "items"), &names);
	count = count > cut ? count - cut : 0;
	return (struct pgm_op_name){count > 1 ? names[count - 2] : "", count ? names[count - 1] : ""};
}

static void read_drop(struct pgm_op_builder *builder, json_t *body)
{
	const char *type = pgm_tree_string(body, "removeType");
	json_t *objects = json_object_get(body, "objects");
	bool hangs = is(type, "OBJECT_TRIGGER") || is(type, "OBJECT_POLICY") || is(type, "OBJECT_RULE");
	enum pgm_op_kind kind = is(type, "OBJECT_TABLE")     ? PGM_OP_DROP_TABLE
				: is(type, "OBJECT_INDEX")   ? PGM_OP_DROP_INDEX
				: is(type, "OBJECT_VIEW")    ? PGM_OP_DROP_VIEW
				: is(type, "OBJECT_MATVIEW") ? PGM_OP_DROP_VIEW
				: is(type, "OBJECT_SCHEMA")  ? PGM_OP_DROP_SCHEMA
				: hangs			     ? PGM_OP_POLICY_OR_RULE
							     : PGM_OP_OTHER;
	for (size_t i = 0; kind != PGM_OP_OTHER && i < json_array_size(objects); i++) {
		json_t *object = json_array_get(objects, i);
		struct pgm_op *op = pgm_op_add(builder, kind, NULL);
		struct pgm_op_name name = listed_name(builder->arena, object, hangs);
		op->if_exists = pgm_tree_bool(body, "missing_ok");
		op->concurrently = pgm_tree_bool(body, "concurrent");
		if (kind == PGM_OP_DROP_SCHEMA)
			op->name = pgm_op_text(builder->arena, pgm_tree_body(object, "String"), "sval");
		else if (kind == PGM_OP_DROP_INDEX)
			op->name = name.name, op->other.schema = name.schema;
		else
			op->relation = name;
	}
}

static void read_index(struct pgm_op_builder *builder, json_t *body)
{
	struct pgm_arena *arena = builder->arena;
	json_t *range = json_object_get(body, "relation");
	json_t *keys = json_object_get(body, "indexParams");
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_CREATE_INDEX, range);
	op->name = pgm_op_text(arena, body, "idxname");
	op->value = pgm_op_text(arena, body, "accessMethod");
	op->concurrently = pgm_tree_bool(body, "concurrent");
	op->if_exists = pgm_tree_bool(body, "if_not_exists");
	op->unique = pgm_tree_bool(body, "unique");
	op->only = !pgm_tree_bool(range, "inh");
	op->where = json_object_get(body, "whereClause") != NULL;
	op->not_null_column =
		pgm_op_tested_column(arena, json_object_get(body, "whereClause"), "IS_NOT_NULL");
	op->columns = PGM_NEW_ARRAY(arena, const char *, json_array_size(keys) + 1);
	for (size_t i = 0; i < json_array_size(keys); i++) {
		json_t *key = pgm_tree_body(json_array_get(keys, i), "IndexElem");
		if (!pgm_tree_string(key, "name"))
			break;
		op->columns[op->column_count++] = pgm_op_text(arena, key, "name");
	}
}

static void read_rename(struct pgm_op_builder *builder, json_t *body)
{
	const char *type = pgm_tree_string(body, "renameType");
	const char *of = pgm_tree_string(body, "relationType");
	enum pgm_op_kind kind = PGM_OP_OTHER;
	if (is(type, "OBJECT_TABLE") || is(type, "OBJECT_VIEW") || is(type, "OBJECT_MATVIEW"))
		kind = PGM_OP_RENAME_TABLE;
	else if (is(type, "OBJECT_COLUMN") && !is(of, "OBJECT_TYPE"))
		kind = PGM_OP_RENAME_COLUMN;
	else if (is(type, "OBJECT_INDEX"))
		kind = PGM_OP_RENAME_INDEX;
	else if (is(type, "OBJECT_TABCONSTRAINT"))
		kind = PGM_OP_RENAME_CONSTRAINT;
	else if (is(type, "OBJECT_TRIGGER") || is(type, "OBJECT_POLICY") || is(type, "OBJECT_RULE"))
		kind = PGM_OP_POLICY_OR_RULE;
	else
		return;
	struct pgm_op *op = pgm_op_add(builder, kind, json_object_get(body, "relation"));
	op->name = pgm_op_text(builder->arena, body, "subname");
	op->value = pgm_op_text(builder->arena, body, "newname");
	op->if_exists = pgm_tree_bool(body, "missing_ok");
}

static bool has_parameter(json_t *options, const char *name)
{
	for (size_t i = 0; i < json_array_size(options); i++) {
		json_t *option = pgm_tree_body(json_array_get(options, i), "DefElem");
		json_t *argument;
		const char *type = pgm_tree_type(json_object_get(option, "arg"), &argument);
		const char *word = is(type, "String") ? pgm_tree_string(argument, "sval") : "";
		bool off = (is(type, "Integer") && !pgm_tree_int(argument, "ival")) ||
			   (is(type, "Boolean") && !pgm_tree_bool(argument, "boolval")) ||
			   strcasecmp(word, "off") == 0 || strcasecmp(word, "false") == 0;
		if (is(pgm_tree_string(option, "defname"), name) && !off)
			return true;
	}
	return false;
}

static void read_vacuum(struct pgm_op_builder *builder, json_t *body)
{
	json_t *relations = json_object_get(body, "rels");
	bool full = pgm_tree_bool(body, "is_vacuumcmd") &&
		    has_parameter(json_object_get(body, "options"), "full");
	enum pgm_op_kind kind = full ? PGM_OP_VACUUM_FULL : PGM_OP_VACUUM;
	for (size_t i = 0; i < json_array_size(relations); i++) {
		json_t *relation = pgm_tree_body(json_array_get(relations, i), "VacuumRelation");
		pgm_op_add(builder, kind, json_object_get(relation, "relation"));
	}
	if (json_array_size(relations) == 0)
		pgm_op_add(builder, kind, NULL);
}

static void read_reindex(struct pgm_op_builder *builder, json_t *body)
{
	const char *kind = pgm_tree_string(body, "kind");
	struct pgm_op *op = pgm_op_add(builder,
				       is(kind, "REINDEX_OBJECT_INDEX")	  ? PGM_OP_REINDEX_INDEX
				       : is(kind, "REINDEX_OBJECT_TABLE") ? PGM_OP_REINDEX_TABLE
									  : PGM_OP_REINDEX_ALL,
				       json_object_get(body, "relation"));
	op->concurrently = has_parameter(json_object_get(body, "params"), "concurrently");
	if (op->kind == PGM_OP_REINDEX_INDEX) {
		op->name = op->relation.name;
		op->other.schema = op->relation.schema;
		op->relation = (struct pgm_op_name){"", ""};
	}
}

/* The text of a constant: '5s', 5000, on. */
static const char *constant_text(struct pgm_arena *arena, json_t *node)
{
	json_t *constant = pgm_tree_body(node, "A_Const");
	json_t *text = json_object_get(constant, "sval");
	if (text)
		return pgm_op_text(arena, text, "sval");
	if (json_object_get(constant, "ival"))
		return pgm_sprintf(arena, "%ld", pgm_tree_int(json_object_get(constant, "ival"), "ival"));
	return "";
}

static void read_set(struct pgm_op_builder *builder, json_t *body)
{
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_SET, NULL);
	op->name = pgm_op_text(builder->arena, body, "name");
	op->local = pgm_tree_bool(body, "is_local");
	if (is(pgm_tree_string(body, "kind"), "VAR_SET_VALUE"))
		op->value = constant_text(builder->arena, json_array_get(json_object_get(body, "args"), 0));
}

static bool copies_all(json_t *query)
{
	json_t *select = pgm_tree_body(query, "SelectStmt");
	if (!select)
		select = query; /* a side of UNION is no node of its own */
	json_t *left = json_object_get(select, "larg"), *right = json_object_get(select, "rarg");
	if (left || right)
		return copies_all(left) || copies_all(right);
	return json_array_size(json_object_get(select, "fromClause")) &&
	       !json_object_get(select, "whereClause") && !json_object_get(select, "limitCount");
}

static void read_dml(struct pgm_op_builder *builder, const char *node, json_t *body)
{
	json_t *ctes = json_object_get(json_object_get(body, "withClause"), "ctes");
	for (size_t i = 0; i < json_array_size(ctes); i++) {
		json_t *inner;
		json_t *cte = pgm_tree_body(json_array_get(ctes, i), "CommonTableExpr");
		const char *type = pgm_tree_type(json_object_get(cte, "ctequery"), &inner);
		if (type)
			read_dml(builder, type, inner);
	}
	enum pgm_op_kind kind = is(node, "UpdateStmt")	 ? PGM_OP_UPDATE
				: is(node, "DeleteStmt") ? PGM_OP_DELETE
				: is(node, "InsertStmt") ? PGM_OP_INSERT
				: is(node, "MergeStmt")	 ? PGM_OP_INSERT
							 : PGM_OP_OTHER;
	if (kind == PGM_OP_OTHER)
		return;
	struct pgm_op *op = pgm_op_add(builder, kind, json_object_get(body, "relation"));
	json_t *where = pgm_tree_body(json_object_get(body, "whereClause"), "A_Const");
	bool always = pgm_tree_bool(json_object_get(where, "boolval"), "boolval");
	op->where = json_object_get(body, "whereClause") && !always;
	op->copies = kind == PGM_OP_INSERT && copies_all(json_object_get(body, "selectStmt"));
	op->null_column =
		pgm_op_tested_column(builder->arena, json_object_get(body, "whereClause"), "IS_NULL");
}

/* SELECT set_config('lock_timeout', '1s', true) is a SET. */
static void read_select(struct pgm_op_builder *builder, json_t *body)
{
	json_t *targets = json_object_get(body, "targetList");
	for (size_t i = 0; i < json_array_size(targets); i++) {
		json_t *target = pgm_tree_body(json_array_get(targets, i), "ResTarget");
		json_t *call = pgm_tree_body(json_object_get(target, "val"), "FuncCall");
		json_t *args = json_object_get(call, "args");
		if (!call || !is(pgm_tree_last_name(json_object_get(call, "funcname")), "set_config"))
			continue;
		struct pgm_op *op = pgm_op_add(builder, PGM_OP_SET, NULL);
		json_t *local = pgm_tree_body(json_array_get(args, 2), "A_Const");
		op->name = constant_text(builder->arena, json_array_get(args, 0));
		op->value = constant_text(builder->arena, json_array_get(args, 1));
		op->local = pgm_tree_bool(json_object_get(local, "boolval"), "boolval");
	}
	read_dml(builder, "SelectStmt", body);
	json_t *into = json_object_get(body, "intoClause");
	if (into)
		pgm_op_add(builder, PGM_OP_CREATE_TABLE, json_object_get(into, "rel"));
}

static void read_transaction(struct pgm_op_builder *builder, json_t *body)
{
	const char *kind = pgm_tree_string(body, "kind");
	if (is(kind, "TRANS_STMT_BEGIN") || is(kind, "TRANS_STMT_START"))
		pgm_op_add(builder, PGM_OP_BEGIN, NULL);
	else if (is(kind, "TRANS_STMT_COMMIT") || is(kind, "TRANS_STMT_ROLLBACK") ||
		 is(kind, "TRANS_STMT_PREPARE"))
		pgm_op_add(builder, PGM_OP_END, NULL);
}

static void read_create_as(struct pgm_op_builder *builder, json_t *body)
{
	json_t *range = json_object_get(json_object_get(body, "into"), "rel");
	struct pgm_op *op =
		pgm_op_add(builder,
			   is(pgm_tree_string(body, "objtype"), "OBJECT_MATVIEW") ? PGM_OP_CREATE_MATVIEW
										  : PGM_OP_CREATE_TABLE,
			   range);
	op->if_exists = pgm_tree_bool(body, "if_not_exists");
	op->temporary = is(pgm_tree_string(range, "relpersistence"), "t");
	op->copies = copies_all(json_object_get(body, "query")) &&
		     !pgm_tree_bool(json_object_get(body, "into"), "skipData");
}

static void read_enum(struct pgm_op_builder *builder, json_t *body)
{
	const char **names;
	size_t count = pgm_op_names(builder->arena, json_object_get(body, "typeName"), &names);
	if (json_object_get(body, "oldVal") || !count)
		return;
	struct pgm_op *op = pgm_op_add(builder, PGM_OP_ADD_ENUM_VALUE, NULL);
	op->name = names[count - 1];
	op->value = pgm_op_text(builder->arena, body, "newVal");
}

/* Statements that have one relation in the member named, and need no more than that. */
static const struct {
	const char *node;
	enum pgm_op_kind kind;
	const char *member;
} plain_statements[] = {
	{"ClusterStmt", PGM_OP_CLUSTER, "relation"},
	{"CreateTrigStmt", PGM_OP_CREATE_TRIGGER, "relation"},
	{"CreatePolicyStmt", PGM_OP_POLICY_OR_RULE, "table"},
	{"AlterPolicyStmt", PGM_OP_POLICY_OR_RULE, "table"},
	{"RuleStmt", PGM_OP_POLICY_OR_RULE, "relation"},
	{"RefreshMatViewStmt", PGM_OP_REFRESH_MATVIEW, "relation"},
	{"AlterObjectSchemaStmt", PGM_OP_ALTER_TABLE, "relation"},
};

static void read_statement(struct pgm_op_builder *builder, const char *node, json_t *body)
{
	if (is(node, "AlterTableStmt"))
		pgm_op_read_alter(builder, body);
	else if (is(node, "CreateStmt"))
		pgm_op_read_create(builder, body);
	else if (is(node, "CreateTableAsStmt"))
		read_create_as(builder, body);
	else if (is(node, "IndexStmt"))
		read_index(builder, body);
	else if (is(node, "DropStmt"))
		read_drop(builder, body);
	else if (is(node, "RenameStmt"))
		read_rename(builder, body);
	else if (is(node, "VacuumStmt"))
		read_vacuum(builder, body);
	else if (is(node, "ReindexStmt"))
		read_reindex(builder, body);
	else if (is(node, "VariableSetStmt"))
		read_set(builder, body);
	else if (is(node, "TransactionStmt"))
		read_transaction(builder, body);
	else if (is(node, "SelectStmt"))
		read_select(builder, body);
	else if (is(node, "TruncateStmt"))
		add_each(builder, PGM_OP_TRUNCATE, json_object_get(body, "relations"), 0);
	else if (is(node, "LockStmt"))
		add_each(builder, PGM_OP_LOCK_TABLE, json_object_get(body, "relations"),
			 (int)pgm_tree_int(body, "mode"));
	else if (is(node, "AlterEnumStmt"))
		read_enum(builder, body);
	else if (is(node, "DoStmt"))
		pgm_op_add(builder, PGM_OP_CODE_BLOCK, NULL);
	else if (is(node, "ViewStmt") && pgm_tree_bool(body, "replace"))
		pgm_op_add(builder, PGM_OP_REPLACE_VIEW, json_object_get(body, "view"));
	else
		read_dml(builder, node, body);
	for (size_t i = 0; i < sizeof(plain_statements) / sizeof(*plain_statements); i++) {
		json_t *range = json_object_get(body, plain_statements[i].member);
		if (!is(node, plain_statements[i].node) || (!range && !is(node, "ClusterStmt")))
			continue;
		pgm_op_add(builder, plain_statements[i].kind, range)->concurrently =
			pgm_tree_bool(body, "concurrent");
	}
}

bool pgm_ops_parse(struct pgm_arena *arena, const char *sql, int first_line, struct pgm_ops *ops,
		   struct pgm_error *err)
{
	struct pgm_ddl ddl;
	*ops = (struct pgm_ops){.node = ""};
	if (!pgm_ddl_parse(arena, sql, first_line, &ddl, err))
		return false;
	json_t *statements = pgm_sql_parse(sql, first_line, err);
	if (!statements)
		return false;
	struct pgm_op_builder builder = {.arena = arena};
	json_t *body;
	const char *node = pgm_tree_type(json_object_get(json_array_get(statements, 0), "stmt"), &body);
	if (node)
		read_statement(&builder, node, body);
	json_decref(statements);
	ops->items = builder.ops.items;
	ops->count = builder.ops.count;
	ops->node = ddl.node;
	/* ANALYZE is a VacuumStmt too; a COPY from the client is no matter of transactions. */
	ops->no_transaction = !ddl.transactional;
	return true;
}

char *pgm_sql_add_concurrently(struct pgm_arena *arena, const char *sql)
{
	static const char *const keywords[] = {"INDEX", "VIEW", "TABLE", NULL};
	struct pgm_lex lex;
	pgm_lex_init(&lex, sql, strlen(sql));
	for (struct pgm_token token = pgm_lex_next(&lex); token.kind != PGM_TOKEN_END;
	     token = pgm_lex_next(&lex)) {
		for (size_t i = 0; token.kind == PGM_TOKEN_WORD && keywords[i]; i++) {
			if (token.length != strlen(keywords[i]) ||
			    strncasecmp(token.text, keywords[i], token.length) != 0)
				continue;
			struct pgm_buf text;
			pgm_buf_init(&text, arena);
			pgm_buf_add_n(&text, sql, (size_t)(token.text - sql) + token.length);
			pgm_buf_add(&text, " CONCURRENTLY");
			pgm_buf_add(&text, token.text + token.length);
			return text.text;
		}
	}
	return pgm_strdup(arena, sql);
}
