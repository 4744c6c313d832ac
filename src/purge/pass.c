/*
 * The SQL of one pass: the batches that delete the rows of one table, and what goes with them. Each batch
 * takes the next keys of the table of keys along as arrays ($4 and so on; $3: how many), asks once more
 * whether their rows still meet the condition (those that do not are counted as kept), and then, by the
 * children:
 *
 *	cascade	deletes the rows; the foreign keys' triggers do the rest. They fire for each row whatever is
 *		there, so to take the children before them saves nothing.
 *	lock	where a row can have more children than a batch holds: locks the rows, deletes so many of the
 *		children, again and again, and the rows last.
 *	skip	deletes the rows without triggers, then the children set by set. Who inserts a child needs a
 *		lock on its parent, so it came before and is seen by the second statement, or waits and then
 *		fails.
 *
 * Integers that follow one another go as runs in cascade and skip.
 */
#include "purge/parts.h"

#include "pg/quote.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>

/* From this many children of one parent on, a batch takes no more than fits it of them. */
#define MANY_CHILDREN 1000

#define ROW	     "pgmend_t"
#define GONE	     "pgmend_gone"
#define GONE_IN_RUNS "pgmend_gone_in_runs"

#define FIRST_KEY 4 /* the parameter that holds the first column of the keys */

/*
 * Runs of keys take one descent of an index from the first to the last key, where an array takes one for each
 * of them; rows between two runs are read in vain. So these must be long on average, and close.
 */
#define LONG_RUNS                                           \
	"count(*) * 4 <= sum(r.hi::bigint - r.lo + 1) AND " \
	"sum(r.hi::bigint - r.lo + 1) * 2 > max(r.hi)::float8 - min(r.lo)::float8"

enum shape { CASCADE, LOCK, SKIP };

struct column {
	const char *name;
	const char *array; /* type of an array of it */
};

struct pass {
	struct pgm_buf sql;
	const struct pgm_purge *purge;
	const char *prefix;
	const struct pgm_purge_table *table;
	const char *keys;
	enum shape shape;
	bool asks;	 /* the condition has queries of its own, for which the planner shall be free */
	const char *row; /* its alias */
	PGM_VEC(struct column) columns; /* of the rows that go: the identity, and what children refer to */
	size_t first_gone;		/* the parameter that holds the first of these; before it: how many */
	const char *run_array;		/* type of arrays of the ends of runs; NULL: this pass has none */
	size_t key_runs;     /* the parameter that holds where runs of keys begin; then: where they end. The
				array of the keys is NULL where there are runs, and these where there is one */
	size_t gone_runs;    /* likewise, of the rows that went, with the array of their keys; 0: none */
	const char *deleted; /* query for the number of rows deleted until now; CASCADE */
};

static const char *column_of(const struct pass *pass, const char *alias, const char *column)
{
	return pgm_sprintf(pass->sql.arena, "%s.%s", alias, pgm_quote_ident(pass->sql.arena, column));
}

static void still(struct pgm_buf *sql, const struct pgm_purge *purge, const char *prefix,
		  const struct pgm_purge_table *table, const char *row, int *number);

/* A parent of the row goes: it stands in the table of keys, and is still one that goes. */
static void still_by_key(struct pgm_buf *sql, const struct pgm_purge *purge, const char *prefix,
			 const struct pgm_purge_key *key, const char *row, int *number)
{
	int n = ++*number;
	const char *up = pgm_sprintf(sql->arena, "pgmend_u%d", n);
	const char *parent = pgm_sprintf(sql->arena, "pgmend_p%d", n);
	if (key->parent == key->child) {
		pgm_buf_add(sql, "EXISTS (SELECT FROM ");
		pgm_purge_parents(sql, key, prefix, up, parent);
		pgm_buf_add(sql, " WHERE ");
		pgm_purge_child_join(sql, key, up, parent, row);
		pgm_buf_char(sql, ')');
		return;
	}
	pgm_buf_printf(sql, "EXISTS (SELECT FROM %s AS %s, %s AS %s WHERE ",
		       pgm_purge_keys_name(sql->arena, prefix, key->parent), up, key->parent->quoted, parent);
	pgm_purge_identity_join(sql, key->parent, parent, up);
	pgm_buf_add(sql, " AND ");
	pgm_purge_join(sql, key, parent, row);
	pgm_buf_add(sql, " AND ");
	still(sql, purge, prefix, key->parent, parent, number);
	pgm_buf_char(sql, ')');
}

/* Whether the row is still one that goes: it meets the condition, or a parent of it goes. */
static void still(struct pgm_buf *sql, const struct pgm_purge *purge, const char *prefix,
		  const struct pgm_purge_table *table, const char *row, int *number)
{
	struct pgm_arena *arena = sql->arena;
	bool root = table == &purge->tables[0];
	pgm_buf_char(sql, '(');
	if (root) {
		/* By its own name, as the condition calls it. */
		const char *name = pgm_quote_ident(arena, table->name);
		pgm_buf_printf(sql, "EXISTS (SELECT FROM %s WHERE ", table->quoted);
		for (size_t i = 0; i < table->identity_count; i++) {
			const char *column = pgm_quote_ident(arena, table->identity[i]);
			pgm_buf_printf(sql, "%s.%s = %s.%s AND ", name, column, row, column);
		}
		pgm_buf_printf(sql, "(%s\n) IS TRUE)", purge->options->where);
	}
	for (size_t i = 0; i < table->up_count; i++) {
		pgm_buf_add(sql, root || i ? " OR " : "");
		still_by_key(sql, purge, prefix, table->up[i], row, number);
	}
	pgm_buf_char(sql, ')');
}

/* "ROWS FROM (unnest($4::bigint[]), ...) AS pgmend_k (r1, ...)" of the columns from that parameter on. */
static const char *unnest(const struct pass *pass, const struct column *columns, size_t count, size_t param)
{
	struct pgm_buf from;
	pgm_buf_init(&from, pass->sql.arena);
	pgm_buf_add(&from, "ROWS FROM (");
	for (size_t i = 0; i < count; i++)
		pgm_buf_printf(&from, "%spg_catalog.unnest(($%zu::%s))", i ? ", " : "", param + i,
			       columns[i].array);
	pgm_buf_add(&from, ") AS " PGM_PURGE_KEYS);
	return from.text;
}

/*
 * "= ANY (array)" of a parameter. By way of a query: the planner would else ask the statistics about each
 * element.
 */
static void any_param(struct pgm_buf *sql, const char *array, size_t param)
{
	pgm_buf_printf(sql, " = ANY (ARRAY(SELECT pg_catalog.unnest(($%zu::%s))))", param, array);
}

/* The row is one of those whose identity the parameters hold. */
static void given(struct pass *pass, size_t param)
{
	const struct pgm_purge_table *table = pass->table;
	struct pgm_buf *sql = &pass->sql;
	if (table->identity_count == 1) {
		pgm_buf_add(sql, column_of(pass, pass->row, table->identity[0]));
		any_param(sql, table->identity_arrays[0], param);
		return;
	}
	for (size_t i = 0; i < table->identity_count; i++)
		pgm_buf_printf(sql, "%s%s", i ? ", " : "(", column_of(pass, pass->row, table->identity[i]));
	pgm_buf_printf(sql, ") IN (SELECT * FROM %s)",
		       unnest(pass, pass->columns.items, table->identity_count, param));
}

/* The column is in one of the runs that two parameters hold. */
static void within_runs(struct pass *pass, const char *column, size_t param)
{
	struct pgm_arena *arena = pass->sql.arena;
	const char *lo = pgm_sprintf(arena, "($%zu::%s)", param, pass->run_array);
	const char *hi = pgm_sprintf(arena, "($%zu::%s)", param + 1, pass->run_array);
	pgm_buf_printf(
		&pass->sql,
		"%s >= %s[1] AND %s <= %s[pg_catalog.cardinality%s] AND (pg_catalog.cardinality%s = 1 OR "
		"%s <= %s[pg_catalog.width_bucket(%s::bigint, %s::bigint[])])",
		column, lo, column, hi, hi, hi, column, hi, column, lo);
}

/* "public.t AS pgmend_t"; the root alone goes by its own name, so that the condition can stand beside it. */
static const char *row_item(const struct pass *pass)
{
	bool root = pass->table == &pass->purge->tables[0] && pass->table->up_count == 0;
	return root ? pass->table->quoted : pgm_sprintf(pass->sql.arena, "%s AS " ROW, pass->table->quoted);
}

/* "IS TRUE" keeps the planner from going by an index of the condition's instead of the keys. */
static void still_meant(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	int number = 0;
	if (pass->purge->volatile_where)
		return;
	pgm_buf_add(sql, " AND ");
	if (pass->table->up_count)
		still(sql, pass->purge, pass->prefix, pass->table, pass->row, &number);
	else
		pgm_buf_printf(sql, "(%s\n) IS TRUE", pass->purge->options->where);
}

/* "t.id AS r1, ..." */
static void row_columns(struct pass *pass)
{
	for (size_t i = 0; i < pass->columns.count; i++)
		pgm_buf_printf(&pass->sql, "%s%s AS r%zu", i ? ", " : "",
			       column_of(pass, pass->row, pass->columns.items[i].name), i + 1);
}

static void arrays(struct pass *pass)
{
	for (size_t i = 0; i < pass->columns.count; i++)
		pgm_buf_printf(&pass->sql, ", pg_catalog.array_agg(r%zu) AS r%zu", i + 1, i + 1);
}

static size_t column_place(const struct pass *pass, const char *name)
{
	size_t i = 0;
	while (i < pass->columns.count && strcmp(pass->columns.items[i].name, name) != 0)
		i++;
	return i;
}

/* Its parents' identity tells the children: by their runs in one statement, by the array in another. */
static bool by_identity(const struct pass *pass, const struct pgm_purge_key *key)
{
	return key->plain && strcmp(key->parent_columns[0], pass->table->identity[0]) == 0;
}

/*
 * What a statement about children needs behind its table (*from, "" for none) and as its condition. The child
 * has the alias of a child.
 */
static const char *of_parents(const struct pass *pass, const struct pgm_purge_key *key, const char *child,
			      const char **from)
{
	struct pgm_arena *arena = pass->sql.arena;
	struct pgm_buf condition, items;
	pgm_buf_init(&condition, arena);
	pgm_buf_init(&items, arena);
	*from = "";
	if (key->plain) {
		size_t at = column_place(pass, key->parent_columns[0]);
		pgm_buf_add(&condition, column_of(pass, child, key->columns[0]));
		any_param(&condition, key->parent_arrays[0], pass->first_gone + at);
		return condition.text;
	}
	for (size_t i = 0; i < key->column_count; i++) {
		size_t at = column_place(pass, key->parent_columns[i]);
		pgm_buf_printf(&condition, "%s" PGM_PURGE_KEYS ".r%zu %s %s", i ? " AND " : "", i + 1,
			       key->operators[i], column_of(pass, child, key->columns[i]));
		pgm_buf_printf(&items, "%spg_catalog.unnest(($%zu::%s))", i ? ", " : "",
			       pass->first_gone + at, key->parent_arrays[i]);
	}
	*from = pgm_sprintf(arena, "ROWS FROM (%s) AS " PGM_PURGE_KEYS " (", items.text);
	for (size_t i = 0; i < key->column_count; i++)
		*from = pgm_sprintf(arena, "%s%sr%zu", *from, i ? ", " : "", i + 1);
	*from = pgm_sprintf(arena, "%s)", *from);
	return condition.text;
}

static void where_in_runs(struct pass *pass, const struct pgm_purge_key *key)
{
	pgm_buf_add(&pass->sql, " WHERE ");
	within_runs(pass, column_of(pass, PGM_PURGE_CHILD, key->columns[0]), pass->gone_runs);
	pgm_buf_add(&pass->sql, ";\n");
}

static void delete_children(struct pass *pass, const struct pgm_purge_key *key)
{
	const char *from, *condition = of_parents(pass, key, PGM_PURGE_CHILD, &from);
	pgm_buf_printf(&pass->sql, "DELETE FROM %s AS " PGM_PURGE_CHILD "%s%s WHERE %s;\n", key->child_quoted,
		       *from ? " USING " : "", from, condition);
	if (!pass->gone_runs || !by_identity(pass, key))
		return;
	pgm_buf_printf(&pass->sql, "DELETE FROM %s AS " PGM_PURGE_CHILD, key->child_quoted);
	where_in_runs(pass, key);
}

/*
 * No more of them than fit the batch; then the same batch again. The condition stands twice: a row that
 * somebody changes meanwhile is looked at again, and may belong to another parent by then.
 */
static void delete_some_children(struct pass *pass, const struct pgm_purge_key *key)
{
	const char *from, *condition = of_parents(pass, key, PGM_PURGE_CHILD, &from);
	const char *inner_from, *inner = of_parents(pass, key, "pgmend_x", &inner_from);
	pgm_buf_printf(&pass->sql,
		       "WITH gone AS (DELETE FROM %s AS " PGM_PURGE_CHILD "%s%s WHERE " PGM_PURGE_CHILD
		       ".ctid = ANY (ARRAY(SELECT pgmend_x.ctid FROM %s AS pgmend_x%s%s WHERE %s LIMIT "
		       "$1::bigint)) AND %s RETURNING 1)\n"
		       "SELECT count(*) >= $1::bigint AS again, count(*) AS handled FROM gone;\n",
		       key->child_quoted, *from ? " USING " : "", from, key->child_quoted,
		       *inner_from ? ", " : "", inner_from, inner, condition);
}

static void set_clause(struct pass *pass, const struct pgm_purge_key *key)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_printf(sql, "UPDATE %s AS " PGM_PURGE_CHILD " SET ", key->child_quoted);
	for (size_t i = 0; i < key->set_count; i++)
		pgm_buf_printf(sql, "%s%s = NULL", i ? ", " : "",
			       pgm_quote_ident(sql->arena, key->set_columns[i]));
}

static void set_null(struct pass *pass, const struct pgm_purge_key *key)
{
	const char *from, *condition = of_parents(pass, key, PGM_PURGE_CHILD, &from);
	set_clause(pass, key);
	pgm_buf_printf(&pass->sql, "%s%s WHERE %s;\n", *from ? " FROM " : "", from, condition);
	if (!pass->gone_runs || !by_identity(pass, key))
		return;
	set_clause(pass, key);
	where_in_runs(pass, key);
}

/* A child with a pass of its own is gone by now, but for rows that came since. */
static bool has_many(const struct pgm_purge_table *table, const struct pgm_purge_key *key)
{
	return key->action == 'c' && key->child != table && !key->child->key_count &&
	       !key->child_partitioned && fmax(key->average, key->most) > MANY_CHILDREN;
}

/* Children that go, or change, by a statement of ours; the foreign keys' own triggers do the others. */
static bool ours(const struct pass *pass, const struct pgm_purge_key *key)
{
	/* Those that may be hard to set were looked for: of one that came since PostgreSQL decides. */
	if (pass->shape == SKIP)
		return key->action == 'c' || key->action == 'n';
	return pass->shape == LOCK && has_many(pass->table, key);
}

static double fan_out(const struct pgm_purge_table *table)
{
	double rows = 1;
	for (size_t i = 0; i < table->key_count; i++) {
		const struct pgm_purge_key *key = table->keys[i];
		if (key->action == 'n' || (key->action == 'c' && !key->child->key_count))
			rows += fmax(key->average, 1);
	}
	return fmin(fmax(round(rows), 1), 1e9);
}

/* Batches that can run beside each other: no order among them matters, and nobody's trigger sees one. */
static bool apart(const struct pass *pass)
{
	if (pass->shape == LOCK || pass->table->self)
		return false;
	for (size_t i = 0; i < pass->purge->table_count; i++)
		if (pass->purge->tables[i].other_triggers)
			return false;
	for (size_t i = 0; i < pass->table->key_count; i++)
		if (pass->table->keys[i]->action != 'c')
			return false;
	return true;
}

static void joins_off(struct pass *pass)
{
	pgm_buf_add(&pass->sql, "SET LOCAL enable_hashjoin = off;\nSET LOCAL enable_mergejoin = off;\n");
}

/*
 * How many rows the session has deleted in all these tables, those that triggers took too, as the server
 * counts them: since it last reported them, which it does between transactions.
 */
static const char *deleted(const struct pass *pass)
{
	struct pgm_arena *arena = pass->sql.arena;
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	pgm_buf_printf(&sql,
		       "SELECT coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_deleted(coalesce(p.relid, "
		       "t.oid))), 0) FROM (VALUES (%s::pg_catalog.regclass)",
		       pgm_quote_literal(arena, pass->table->quoted));
	for (size_t i = 0; i < pass->table->key_count; i++)
		if (pass->table->keys[i]->action == 'c')
			pgm_buf_printf(&sql, " UNION VALUES (%s::pg_catalog.regclass)",
				       pgm_quote_literal(arena, pass->table->keys[i]->child_quoted));
	pgm_buf_add(&sql,
		    ") AS t (oid) LEFT JOIN LATERAL pg_catalog.pg_partition_tree(t.oid) AS p ON p.isleaf");
	return sql.text;
}

/* The keys of the batch, each in a row. Children of a self-reference come after their parents, and go before
 * them. */
static const char *next_keys(const struct pass *pass)
{
	bool down = pass->table->self;
	return pgm_sprintf(
		pass->sql.arena,
		"SELECT *%s FROM %s WHERE seq %s ORDER BY seq%s LIMIT greatest(1, $1::bigint / %.0f)",
		pass->run_array ? ", k1 AS k" : "", pass->keys,
		down ? "< coalesce($2::bigint, 9223372036854775807)" : "> coalesce($2::bigint, 0)",
		down ? " DESC" : "", fan_out(pass->table));
}

/*
 * The same of a table that has runs: (seq, lo, hi), the first and the last one cut to what the batch takes.
 * $2 is the number of the last key before it. Batches beside one another become smaller at the end, so that
 * the sessions end at the same time.
 */
static const char *next_runs(const struct pass *pass)
{
	struct pgm_arena *arena = pass->sql.arena;
	const char *type = pass->table->identity_types[0];
	const char *size = pgm_sprintf(arena, "greatest(1, $1::bigint / %.0f)", fan_out(pass->table));
	if (apart(pass))
		size = pgm_sprintf(arena,
				   "least(%s, greatest(1, $1::bigint / %.0f, ((SELECT max(seq) FROM %s) - "
				   "coalesce($2::bigint, 0)) / 2))",
				   size, fan_out(pass->table) * 8, pass->keys);
	return pgm_sprintf(
		arena,
		"SELECT least(seq, goal) AS seq, (lo + greatest(past + 1 - (seq - (hi::bigint - lo)), "
		"0))::%s "
		"AS lo, (hi - greatest(seq - goal, 0))::%s AS hi FROM (SELECT past, goal, coalesce((SELECT "
		"min(seq) FROM %s WHERE seq >= goal), 9223372036854775807) AS stop FROM (SELECT "
		"coalesce($2::bigint, 0) AS past, coalesce($2::bigint, 0) + %s AS goal OFFSET 0) AS g OFFSET "
		"0) AS g, %s WHERE seq > past AND seq <= stop",
		type, type, pass->keys, size, pass->keys);
}

/* The keys of the batch in arrays: as the ends of runs, where these are long, and else one by one. */
static void key_arrays(struct pass *pass, bool in_runs)
{
	struct pgm_buf *sql = &pass->sql;
	const struct pgm_purge_table *table = pass->table;
	pgm_buf_printf(sql, "%s AS keys", in_runs ? "coalesce(sum(r.hi::bigint - r.lo + 1), 0)" : "count(*)");
	for (size_t i = 0; i < table->identity_count && !in_runs; i++)
		pgm_buf_printf(sql, ", pg_catalog.array_agg(r.k%zu) AS k%zu", i + 1, i + 1);
	if (!in_runs)
		return;
	pgm_buf_printf(sql,
		       ", CASE WHEN %s THEN NULL ELSE ARRAY(SELECT " PGM_PURGE_RUN_KEYS
		       "::%s FROM b AS r) END AS k1",
		       pass->run_array ? LONG_RUNS : "false", table->identity_types[0]);
	for (int i = 0; i < 2 && pass->run_array; i++)
		pgm_buf_printf(sql,
			       ", CASE WHEN " LONG_RUNS
			       " THEN pg_catalog.array_agg(r.%s ORDER BY r.%s) END AS %s",
			       i ? "hi" : "lo", i ? "hi" : "lo", i ? "hi" : "lo");
}

/* Each batch finds its few rows by indexes, whatever the statistics say of a table that shrinks. */
static void range(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	bool down = pass->table->self, in_runs = pgm_purge_in_runs(pass->table);
	const char *end = down ? "min" : "max";
	pgm_buf_add(sql, "SET LOCAL enable_seqscan = off;\nSET LOCAL extra_float_digits = 1;\n");
	if (!pass->asks)
		joins_off(pass);
	pgm_buf_add(sql, "WITH b AS MATERIALIZED (");
	if (!in_runs && pass->run_array)
		pgm_purge_runs(sql, next_keys(pass), pgm_sprintf(sql->arena, "%s(seq)", end));
	else
		pgm_buf_add(sql, in_runs ? next_runs(pass) : next_keys(pass));
	pgm_buf_printf(sql,
		       ")\nSELECT %s(r.seq) AS cursor, %s%s(r.seq)::float8 / (SELECT max(seq) FROM %s) AS "
		       "fraction%s, ",
		       end, down ? "1 - " : "", end, pass->keys, apart(pass) ? ", true AS apart" : "");
	key_arrays(pass, in_runs || pass->run_array);
	if (pass->shape == CASCADE)
		pgm_buf_printf(sql, ", (%s) AS deleted", pass->deleted);
	pgm_buf_add(sql, " FROM b AS r;\n");
}

/* " AS (DELETE ...)" of the rows whose keys are at hand and that are still meant; in_runs: those of the runs.
 */
static void delete_rows(struct pass *pass, bool in_runs)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_printf(sql, " AS (DELETE FROM %s WHERE ", row_item(pass));
	if (in_runs)
		within_runs(pass, column_of(pass, pass->row, pass->table->identity[0]), pass->key_runs);
	else
		given(pass, FIRST_KEY);
	still_meant(pass);
	pgm_buf_add(sql, " RETURNING ");
	if (pass->shape == CASCADE)
		pgm_buf_char(sql, '1');
	else
		row_columns(pass);
	pgm_buf_char(sql, ')');
}

/* The rows of the batch go: "pgmend_n" has how many (n). */
static void delete_batch(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_add(sql, "WITH " GONE);
	delete_rows(pass, false);
	if (pass->run_array) {
		pgm_buf_add(sql, ",\n" GONE_IN_RUNS);
		delete_rows(pass, true);
	}
	pgm_buf_printf(sql, ",\npgmend_n AS MATERIALIZED (SELECT (SELECT count(*) FROM " GONE ")%s AS n)\n",
		       pass->run_array ? " + (SELECT count(*) FROM " GONE_IN_RUNS ")" : "");
}

static void cascade(struct pass *pass)
{
	delete_batch(pass);
	pgm_buf_printf(&pass->sql,
		       "SELECT n AS gone FROM pgmend_n;\nSELECT (%s) - $%zu::bigint AS handled;\n",
		       pass->deleted, pass->first_gone - 2);
}

/* Where the whole batch went, and it has runs, these tell the children as well. */
static void skip(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	const char *more = pass->run_array ? " UNION ALL TABLE " GONE_IN_RUNS : "";
	const char *whole = pass->gone_runs
				    ? pgm_sprintf(sql->arena, "n = $3::bigint AND $%zu::%s IS NOT NULL",
						  pass->key_runs, pass->run_array)
				    : NULL;
	pgm_buf_add(sql, "SET LOCAL session_replication_role = replica;\n");
	delete_batch(pass);
	pgm_buf_add(sql, "SELECT n AS handled, n AS gone");
	for (size_t i = 0; i < pass->columns.count; i++) {
		const char *array = pgm_sprintf(
			sql->arena, "ARRAY(SELECT a.r%zu FROM (TABLE " GONE "%s) AS a)", i + 1, more);
		if (i == 0 && whole)
			pgm_buf_printf(sql, ", CASE WHEN %s THEN NULL ELSE %s END AS r1", whole, array);
		else
			pgm_buf_printf(sql, ", %s AS r%zu", array, i + 1);
	}
	for (size_t i = 0; i < 2 && whole; i++)
		pgm_buf_printf(sql, ", CASE WHEN %s THEN $%zu::%s END AS %s", whole, pass->key_runs + i,
			       pass->run_array, i ? "hi" : "lo");
	pgm_buf_add(sql, " FROM pgmend_n;\nSET LOCAL session_replication_role = origin;\n");
	pgm_buf_add(sql, pgm_purge_guard_sql(sql->arena, pass->table));
}

static void lock(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_add(sql, "SELECT count(*) AS gone");
	arrays(pass);
	pgm_buf_add(sql, " FROM (SELECT ");
	row_columns(pass);
	pgm_buf_printf(sql, " FROM %s WHERE ", row_item(pass));
	given(pass, FIRST_KEY);
	still_meant(pass);
	pgm_buf_add(sql, " ORDER BY ");
	for (size_t i = 0; i < pass->table->identity_count; i++)
		pgm_buf_printf(sql, "%s%s", i ? ", " : "",
			       column_of(pass, pass->row, pass->table->identity[i]));
	pgm_buf_add(sql, " FOR UPDATE) AS l;\n");
}

static void children(struct pass *pass)
{
	if (pass->asks)
		joins_off(pass);
	for (size_t i = 0; i < pass->table->key_count; i++) {
		const struct pgm_purge_key *key = pass->table->keys[i];
		if (!ours(pass, key))
			continue;
		if (key->action == 'n') {
			set_null(pass, key);
		} else if (pass->shape == LOCK) {
			delete_some_children(pass, key);
		} else {
			delete_children(pass, key);
		}
	}
}

static enum shape shape_of(const struct pass *pass)
{
	if (pass->purge->options->skip_ri && pass->table->key_count)
		return SKIP;
	for (size_t i = 0; i < pass->table->key_count; i++)
		if (has_many(pass->table, pass->table->keys[i]))
			return LOCK;
	return CASCADE;
}

static void list_columns(struct pass *pass)
{
	struct pgm_arena *arena = pass->sql.arena;
	const struct pgm_purge_table *table = pass->table;
	for (size_t i = 0; i < table->identity_count; i++)
		*pgm_vec_add(arena, &pass->columns) =
			(struct column){table->identity[i], table->identity_arrays[i]};
	for (size_t i = 0; i < table->key_count; i++) {
		const struct pgm_purge_key *key = table->keys[i];
		for (size_t c = 0; ours(pass, key) && c < key->column_count; c++)
			if (column_place(pass, key->parent_columns[c]) == pass->columns.count)
				*pgm_vec_add(arena, &pass->columns) =
					(struct column){key->parent_columns[c], key->parent_arrays[c]};
	}
}

/* Runs tell the children where each foreign key that goes by them can take them. */
static bool children_by_runs(const struct pass *pass)
{
	for (size_t i = 0; i < pass->table->key_count; i++) {
		const struct pgm_purge_key *key = pass->table->keys[i];
		for (size_t c = 0; ours(pass, key) && c < key->column_count; c++)
			if (column_place(pass, key->parent_columns[c]) == 0 && !by_identity(pass, key))
				return false;
	}
	return pass->shape == SKIP && pass->run_array;
}

static void use_runs(struct pass *pass)
{
	bool in_runs = pgm_purge_in_runs(pass->table);
	if (pass->shape == LOCK || !(in_runs || (pass->shape == SKIP && pgm_purge_by_integer(pass->table))))
		return;
	pass->run_array = pass->table->identity_arrays[0];
	pass->key_runs = FIRST_KEY + 1;
	pass->first_gone += 2;
}

/* Those of the batch that are still there are counted where not all of them went. */
static void count_kept(struct pass *pass)
{
	struct pgm_buf *sql = &pass->sql;
	pgm_buf_printf(sql, "SELECT CASE WHEN $3::bigint > $%zu::bigint THEN (SELECT count(*) FROM %s WHERE ",
		       pass->first_gone - 1, row_item(pass));
	given(pass, FIRST_KEY);
	if (pass->run_array) {
		pgm_buf_printf(sql, ") + (SELECT count(*) FROM %s WHERE ", row_item(pass));
		within_runs(pass, column_of(pass, pass->row, pass->table->identity[0]), pass->key_runs);
	}
	pgm_buf_add(sql, ") ELSE 0 END AS kept;\n");
}

const char *pgm_purge_pass_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
			       const struct pgm_purge_table *table)
{
	struct pass pass = {.purge = purge,
			    .prefix = prefix,
			    .table = table,
			    .keys = pgm_purge_keys_name(arena, prefix, table),
			    .asks = strcasestr(purge->options->where, "select") != NULL,
			    .row = table->up_count || table != &purge->tables[0]
					   ? ROW
					   : pgm_quote_ident(arena, table->name),
			    .first_gone = FIRST_KEY + table->identity_count + 1};
	struct pgm_buf *sql = &pass.sql;
	pgm_buf_init(sql, arena);
	pass.shape = shape_of(&pass);
	use_runs(&pass);
	if (pass.shape == CASCADE) {
		pass.deleted = deleted(&pass);
		pass.first_gone++;
	}
	list_columns(&pass);
	if (children_by_runs(&pass))
		pass.gone_runs = pass.first_gone + pass.columns.count;
	range(&pass);
	if (pass.shape == CASCADE)
		cascade(&pass);
	else if (pass.shape == SKIP)
		skip(&pass);
	else
		lock(&pass);
	if (pass.shape != CASCADE)
		children(&pass);
	if (pass.shape == LOCK) {
		pgm_buf_printf(sql, "DELETE FROM %s WHERE ", row_item(&pass));
		given(&pass, pass.first_gone);
		pgm_buf_add(sql, ";\n");
	}
	count_kept(&pass);
	return sql->text;
}
