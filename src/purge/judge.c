#include "purge/parts.h"

#include "pg/quote.h"
#include "sql/lex.h"
#include "sql/split.h"
#include "util/vec.h"

#include <ctype.h>
#include <string.h>

struct judge {
	struct pgm_conn *conn;
	struct pgm_arena *arena;
	struct pgm_purge *purge;
	PGM_VEC(const char *) problems;
	PGM_VEC(const char *) notes;
};

#define PROBLEM(judge, ...) \
	(*pgm_vec_add((judge)->arena, &(judge)->problems) = pgm_sprintf((judge)->arena, __VA_ARGS__))
#define NOTE(judge, ...) \
	(*pgm_vec_add((judge)->arena, &(judge)->notes) = pgm_sprintf((judge)->arena, __VA_ARGS__))

bool pgm_purge_query(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, int64_t timeout_ms,
		     struct pgm_rows *rows, struct pgm_error *err)
{
	const char *path = pgm_conn_search_path(conn);
	const char *begin = pgm_sprintf(arena,
					PGM_CONN_MARKER "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED "
							"READ ONLY; SET LOCAL statement_timeout = %lld",
					(long long)(timeout_ms ? timeout_ms : PGM_CONN_STATEMENT_TIMEOUT_MS));
	bool ok = pgm_conn_exec(conn, begin, err) &&
		  pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, true)", 1,
				 &path, rows, err) &&
		  pgm_conn_query(conn, arena, sql, 0, NULL, rows, err);
	if (pgm_conn_alive(conn))
		pgm_conn_exec_quietly(conn, "ROLLBACK");
	return ok;
}

/* Its parentheses must be its own: it stands in parentheses of ours. */
static bool balanced(const char *where)
{
	struct pgm_lex lex;
	int depth = 0;
	pgm_lex_init(&lex, where, strlen(where));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			return depth == 0;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == ';')
			return false;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == '(')
			depth++;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == ')' && --depth < 0)
			return false;
	}
}

/* An identifier as the catalogs have it. */
static char *name_of(struct pgm_arena *arena, const struct pgm_token *token)
{
	bool quoted = token->kind == PGM_TOKEN_IDENT;
	char *name = pgm_arena_alloc(arena, token->length + 1), *end = name;
	for (size_t i = quoted; i < token->length - quoted; i++) {
		*end++ = quoted ? token->text[i] : (char)tolower((unsigned char)token->text[i]);
		if (quoted && token->text[i] == '"')
			i++; /* it is written twice */
	}
	return name;
}

/* The names before a parenthesis, as an array literal: they may be functions. */
static const char *called_names(struct pgm_arena *arena, const char *where)
{
	struct pgm_lex lex;
	struct pgm_token last = {.kind = PGM_TOKEN_END};
	struct pgm_buf names;
	pgm_quote_array_begin(&names, arena);
	pgm_lex_init(&lex, where, strlen(where));
	for (;;) {
		struct pgm_token token = pgm_lex_next(&lex);
		if (token.kind == PGM_TOKEN_END)
			break;
		if (token.kind == PGM_TOKEN_SPACE || token.kind == PGM_TOKEN_COMMENT)
			continue;
		bool name = last.kind == PGM_TOKEN_WORD || last.kind == PGM_TOKEN_IDENT;
		if (token.kind == PGM_TOKEN_OTHER && *token.text == '(' && name)
			pgm_quote_array_add(&names, name_of(arena, &last));
		last = token;
	}
	return pgm_quote_array_end(&names);
}

static bool judge_where(struct judge *judge, struct pgm_error *err)
{
	struct pgm_purge *purge = judge->purge;
	const char *where = purge->options->where;
	struct pgm_rows rows;
	char *is_volatile;
	const char *sql = pgm_sprintf(judge->arena, "EXPLAIN SELECT FROM %s WHERE (%s\n)",
				      purge->tables[0].quoted, where);
	struct pgm_sql_statements statements;
	if (!balanced(where) || !pgm_sql_split(judge->arena, sql, &statements, err) ||
	    statements.count != 1) {
		pgm_error_set(err, PGM_ERR_USAGE, "--where: this is no condition: %s", where);
		return pgm_error_hint(err, "Give what would stand behind WHERE.");
	}
	if (!pgm_purge_query(judge->conn, judge->arena, sql, 0, &rows, err)) {
		if (err && err->kind == PGM_ERR_QUERY)
			err->kind = PGM_ERR_USAGE;
		return pgm_error_context(err, "--where");
	}
	const char *names = called_names(judge->arena, where);
	if (!pgm_conn_value(
		    judge->conn, judge->arena,
		    "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE provolatile = 'v' AND proname = "
		    "ANY ($1::text[]))",
		    1, &names, &is_volatile, err))
		return false;
	purge->volatile_where = is_volatile && *is_volatile == 't';
	if (purge->volatile_where)
		NOTE(judge,
		     "the condition calls a volatile function: it is asked once, at the start, and not "
		     "again before each row goes");
	return true;
}

static bool no_right(struct judge *judge, const char *right, const char *quoted, struct pgm_error *err)
{
	const char *user = pgm_quote_ident(judge->arena, pgm_conn_user(judge->conn));
	pgm_error_set(err, PGM_ERR_RIGHTS, "role %s lacks %s on %s, from which rows would go", user, right,
		      quoted);
	return pgm_error_hint(err, "GRANT %s ON %s TO %s;", right, quoted, user);
}

static bool judge_rights(struct judge *judge, struct pgm_error *err)
{
	const struct pgm_purge *purge = judge->purge;
	for (size_t i = 0; i < purge->table_count; i++) {
		const struct pgm_purge_table *table = &purge->tables[i];
		if (!table->may_select)
			return no_right(judge, "SELECT", table->quoted, err);
		if (purge->options->atomic && i == 0 && !table->may_delete)
			return no_right(judge, "DELETE", table->quoted, err);
		if (purge->options->atomic)
			continue;
		if (!table->may_delete)
			return no_right(judge, "DELETE", table->quoted, err);
		if (!table->may_update && pgm_purge_has_pass(purge, table))
			return no_right(judge, "UPDATE", table->quoted, err);
	}
	for (size_t i = 0; i < purge->key_count && !purge->options->atomic; i++) {
		const struct pgm_purge_key *key = &purge->keys[i];
		if (!key->may_select)
			return no_right(judge, "SELECT", key->child_quoted, err);
		if (!key->may_update && key->action == 'n')
			return no_right(judge, "UPDATE", key->child_quoted, err);
	}
	return true;
}

static void judge_table(struct judge *judge, const struct pgm_purge_table *table)
{
	const char *name = table->quoted;
	const struct pgm_purge *purge = judge->purge;
	bool root = table == &purge->tables[0];
	if (table->inherits)
		PROBLEM(judge,
			"other tables inherit from %s: a DELETE also takes their rows, which other "
			"foreign keys may hold",
			name);
	if (table->has_foreign)
		PROBLEM(judge, "%s has partitions that are foreign tables", name);
	if (table->partition_keys)
		PROBLEM(judge, "single partitions of %s are referenced by foreign keys of their own (%s)",
			name, table->partition_keys);
	if (table->row_security)
		PROBLEM(judge,
			"row-level security applies to you on %s: you would see less of its rows than a "
			"cascade does",
			name);
	if (table->delete_rules)
		PROBLEM(judge, "%s has rules on DELETE (%s)", name, table->delete_rules);
	if (table->before_row && !(root && table->key_count == 0))
		PROBLEM(judge,
			"%s has BEFORE DELETE triggers (%s), which may keep a row whose children are gone "
			"by then",
			name, table->before_row);
	if (table->no_identity)
		PROBLEM(judge,
			"%s is published with its deletes and has no replica identity: no row of it can "
			"be deleted",
			name);
	if (table->other_triggers)
		NOTE(judge,
		     "triggers of %s fire (%s): for each row as with DELETE, but children go before their "
		     "parents, and statement triggers fire once a batch",
		     name, table->other_triggers);
	if (pgm_purge_has_pass(purge, table) && table->identity_count == 0)
		PROBLEM(judge, "%s has no primary key and no unique key over columns that are NOT NULL",
			name);
	if (purge->options->skip_ri && table->key_count && (table->other_triggers || table->before_row))
		PROBLEM(judge, "--skip-ri: %s has triggers of yours, which would not fire", name);
}

static void judge_key(struct judge *judge, const struct pgm_purge_key *key)
{
	const char *child = key->child_quoted, *name = pgm_quote_ident(judge->arena, key->name);
	bool skip = judge->purge->options->skip_ri;
	if (key->disabled)
		PROBLEM(judge,
			"the triggers of foreign key %s of %s are disabled: a DELETE would leave its rows "
			"behind",
			name, child);
	if (key->period)
		PROBLEM(judge, "foreign key %s of %s is about periods", name, child);
	if (key->row_security && key->action == 'n')
		PROBLEM(judge, "row-level security applies to you on %s", child);
	if (skip && (key->action == 'a' || key->action == 'r' || key->action == 'd'))
		PROBLEM(judge,
			"--skip-ri: foreign key %s of %s is ON DELETE %s: only CASCADE and SET NULL can be "
			"done without its trigger",
			name, child, pgm_purge_action_name(key->action));
}

/* Parents before children; a table whose keys form a cycle with other tables cannot be placed. */
static void sort_tables(struct judge *judge)
{
	struct pgm_purge *purge = judge->purge;
	bool *placed = PGM_NEW_ARRAY(judge->arena, bool, purge->table_count);
	size_t count = 0;
	purge->order = PGM_NEW_ARRAY(judge->arena, struct pgm_purge_table *, purge->table_count);
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < purge->table_count; i++) {
			struct pgm_purge_table *table = &purge->tables[i];
			bool ready = !placed[i];
			for (size_t u = 0; u < table->up_count && ready; u++) {
				const struct pgm_purge_table *parent = table->up[u]->parent;
				ready = parent == table || placed[parent - purge->tables];
				if (ready && parent != table && table->depth <= parent->depth)
					table->depth = parent->depth + 1;
			}
			if (!ready)
				continue;
			placed[i] = moved = true;
			table->number = (int)count + 1;
			purge->order[count++] = table;
		}
	}
	if (count == purge->table_count)
		return;
	purge->cyclic = true;
	if (purge->options->atomic)
		return;
	struct pgm_buf names;
	pgm_buf_init(&names, judge->arena);
	for (size_t i = 0; i < purge->table_count; i++) {
		if (placed[i])
			continue;
		pgm_buf_printf(&names, "%s%s", names.length ? ", " : "", purge->tables[i].quoted);
		purge->order[count++] = &purge->tables[i];
	}
	PROBLEM(judge, "foreign keys form a cycle: %s", names.text);
}

bool pgm_purge_has_pass(const struct pgm_purge *purge, const struct pgm_purge_table *table)
{
	return table == &purge->tables[0] || table->key_count > 0;
}

static bool judge_root(struct judge *judge, struct pgm_error *err)
{
	const struct pgm_purge_table *root = &judge->purge->tables[0];
	if (root->system)
		return pgm_error_set(err, PGM_ERR_USAGE, "%s belongs to the system", root->quoted);
	if (root->kind != 'r' && root->kind != 'p')
		return pgm_error_set(err, PGM_ERR_USAGE, "%s is no table", root->quoted);
	if (root->persistence == 't')
		return pgm_error_set(err, PGM_ERR_USAGE, "%s is a temporary table", root->quoted);
	return true;
}

static bool judge_superuser(struct judge *judge, struct pgm_error *err)
{
	char *may;
	if (!judge->purge->options->skip_ri)
		return true;
	if (!pgm_conn_value(
		    judge->conn, judge->arena,
		    "SELECT r.rolsuper OR (pg_catalog.current_setting('server_version_num')::integer >= "
		    "150000 AND (pg_catalog.to_jsonb(ARRAY(SELECT a.privilege_type FROM "
		    "pg_catalog.pg_parameter_acl AS p, LATERAL pg_catalog.aclexplode(p.paracl) AS a WHERE "
		    "p.parname = 'session_replication_role' AND (a.grantee = 0 OR "
		    "pg_catalog.pg_has_role(a.grantee, 'USAGE')))) ? 'SET')) FROM pg_catalog.pg_roles AS r "
		    "WHERE r.rolname = current_user",
		    0, NULL, &may, err)) {
		/* Before 15 there is no pg_parameter_acl. */
		if (err && strcmp(err->sqlstate, "42P01") != 0)
			return false;
		if (!pgm_conn_value(judge->conn, judge->arena,
				    "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
				    0, NULL, &may, err))
			return false;
	}
	if (may && *may == 't')
		return true;
	pgm_error_set(err, PGM_ERR_RIGHTS,
		      "--skip-ri sets session_replication_role, which needs a superuser");
	return pgm_error_hint(err, "Leave --skip-ri out, or (since PostgreSQL 15) GRANT SET ON PARAMETER "
				   "session_replication_role TO the role.");
}

bool pgm_purge_judge(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
		     struct pgm_error *err)
{
	struct judge judge = {.conn = conn, .arena = arena, .purge = purge};
	if (!judge_root(&judge, err) || !judge_rights(&judge, err) || !judge_where(&judge, err) ||
	    !judge_superuser(&judge, err))
		return false;
	sort_tables(&judge);
	if (!purge->options->atomic) {
		for (size_t i = 0; i < purge->table_count; i++)
			judge_table(&judge, &purge->tables[i]);
		for (size_t i = 0; i < purge->key_count; i++)
			judge_key(&judge, &purge->keys[i]);
	} else if (purge->tables[0].row_security) {
		*pgm_vec_add(arena, &judge.notes) =
			"row-level security applies to you: only rows that you may "
			"see are deleted, and all that references them";
	}
	for (size_t i = 0; i < purge->key_count; i++)
		purge->missing_count += !purge->keys[i].indexed;
	purge->problems = judge.problems.items;
	purge->problem_count = judge.problems.count;
	purge->notes = judge.notes.items;
	purge->note_count = judge.notes.count;
	return true;
}
