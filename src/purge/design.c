#include "purge/parts.h"

#include "pg/quote.h"
#include "util/format.h"
#include "util/hash.h"
#include "util/vec.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct design {
	struct pgm_conn *conn;
	struct pgm_arena *arena;
	const struct pgm_purge *purge;
	const char *prefix;
	pgm_changes changes;
};

/* One purge's tables of keys are not those of another. */
static const char *new_prefix(struct pgm_arena *arena)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed[3] = {(uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)getpid()};
	return pgm_sprintf(arena, "pgmend.purge_%08x_", (unsigned)pgm_hash_bytes(0, seed, sizeof(seed)));
}

static struct pgm_change *add(struct design *design, enum pgm_change_kind kind, const char *title,
			      const char *up, const char *down)
{
	struct pgm_change *change =
		pgm_change_add(design->arena, &design->changes, "", "", title, "ROW EXCLUSIVE");
	change->kind = kind;
	change->sql_up = up;
	change->sql_down = down;
	return change;
}

/* A name that nothing in the schema has. */
static bool index_name(struct design *design, const struct pgm_purge_key *key, const char **name,
		       struct pgm_error *err)
{
	struct pgm_buf base;
	pgm_buf_init(&base, design->arena);
	pgm_buf_add(&base, key->child_name);
	for (size_t i = 0; i < key->column_count; i++)
		pgm_buf_printf(&base, "_%s", key->columns[i]);
	for (int i = 0;; i++) {
		char *taken;
		const char *end = i ? pgm_sprintf(design->arena, "_idx%d", i) : "_idx";
		*name = pgm_sprintf(design->arena, "%s%s",
				    pgm_quote_truncate(design->arena, base.text, PGM_NAME_MAX - strlen(end)),
				    end);
		const char *params[] = {pgm_quote_qualified(design->arena, key->child_schema, *name)};
		if (!pgm_conn_value(design->conn, design->arena, "SELECT pg_catalog.to_regclass($1)", 1,
				    params, &taken, err))
			return false;
		if (!taken)
			return true;
	}
}

static bool add_index(struct design *design, const struct pgm_purge_key *key, struct pgm_error *err)
{
	struct pgm_arena *arena = design->arena;
	const char *name;
	struct pgm_buf up;
	if (!index_name(design, key, &name, err))
		return false;
	pgm_buf_init(&up, arena);
	pgm_buf_printf(&up, "CREATE INDEX %s%s ON %s%s (", key->child_partitioned ? "" : "CONCURRENTLY ",
		       pgm_quote_ident(arena, name), key->child_partitioned ? "ONLY " : "",
		       key->child_quoted);
	for (size_t i = 0; i < key->column_count; i++)
		pgm_buf_printf(&up, "%s%s", i ? ", " : "", pgm_quote_ident(arena, key->columns[i]));
	pgm_buf_add(&up, ");\n");
	struct pgm_change *change =
		add(design, PGM_CHANGE_CREATE_INDEX,
		    pgm_sprintf(arena, "create index %s on %s", name, key->child_quoted), up.text,
		    pgm_sprintf(arena, "DROP INDEX %s%s;\n", key->child_partitioned ? "" : "CONCURRENTLY ",
				pgm_quote_qualified(arena, key->child_schema, name)));
	change->schema = key->child_schema;
	change->relation = key->child_name;
	change->index = name;
	change->transactional = false;
	change->lock = "SHARE UPDATE EXCLUSIVE";
	change->size_bytes = (int64_t)(key->tuples * 18);
	pgm_change_evidence(
		design->arena, change,
		pgm_sprintf(
			arena,
			"Without it, each deleted row of %s reads all of %s (about %s rows, foreign key %s)",
			key->parent->quoted, key->child_quoted, pgm_format_count(arena, key->tuples),
			key->name));
	return true;
}

static bool same_columns(const struct pgm_purge_key *a, const struct pgm_purge_key *b)
{
	if (strcmp(a->child_quoted, b->child_quoted) != 0 || a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++)
		if (strcmp(a->columns[i], b->columns[i]) != 0)
			return false;
	return true;
}

static bool add_indexes(struct design *design, struct pgm_error *err)
{
	const struct pgm_purge *purge = design->purge;
	for (size_t i = 0; i < purge->key_count; i++) {
		const struct pgm_purge_key *key = &purge->keys[i];
		bool again = key->indexed;
		for (size_t k = 0; k < i && !again; k++)
			again = !purge->keys[k].indexed && same_columns(&purge->keys[k], key);
		if (!again && purge->options->build_index && !add_index(design, key, err))
			return false;
		if (again || purge->options->build_index || !pgm_purge_needs_index(key))
			continue;
		pgm_error_set(
			err, PGM_ERR_STATE,
			"foreign key %s of %s has no index: each of about %s rows of %s would read all of it",
			key->name, key->child_quoted, pgm_format_count(design->arena, key->parent->rows),
			key->parent->quoted);
		return pgm_error_hint(
			err, "Give --build-index: it is built concurrently first, which takes about %s.",
			pgm_format_ms(design->arena, purge->index_ms));
	}
	return true;
}

static void add_collecting(struct design *design)
{
	struct pgm_arena *arena = design->arena;
	const struct pgm_purge *purge = design->purge;
	for (size_t i = 0; i < purge->table_count; i++) {
		const struct pgm_purge_table *table = purge->order[i];
		if (!pgm_purge_has_pass(purge, table))
			continue;
		const char *keys = pgm_purge_keys_name(arena, design->prefix, table);
		struct pgm_change *change = add(design, PGM_CHANGE_SQL,
						pgm_sprintf(arena, "collect the keys of %s", table->quoted),
						pgm_purge_collect_sql(arena, purge, design->prefix, table),
						pgm_sprintf(arena, "DROP TABLE IF EXISTS %s;\n", keys));
		change->lock = "ACCESS SHARE";
		if (!table->self)
			continue;
		bool cascades = false;
		for (size_t k = 0; k < table->up_count; k++)
			cascades |= table->up[k]->parent == table;
		if (cascades)
			add(design, PGM_CHANGE_BATCHES,
			    pgm_sprintf(arena, "collect the keys below them in %s", table->quoted),
			    pgm_purge_expand_sql(arena, design->prefix, table), "");
	}
	const char *check = pgm_purge_check_sql(arena, purge, design->prefix);
	if (*check)
		add(design, PGM_CHANGE_SQL, PGM_PURGE_CHECK_TITLE, check, "")->lock = "ACCESS SHARE";
}

static void add_passes(struct design *design)
{
	struct pgm_arena *arena = design->arena;
	const struct pgm_purge *purge = design->purge;
	struct pgm_buf drop;
	pgm_buf_init(&drop, arena);
	for (size_t i = purge->table_count; i-- > 0;) {
		const struct pgm_purge_table *table = purge->order[i];
		if (!pgm_purge_has_pass(purge, table))
			continue;
		struct pgm_change *change =
			add(design, PGM_CHANGE_BATCHES,
			    pgm_sprintf(arena, "delete from %s%s", table->quoted,
					table->key_count ? " and what references it" : ""),
			    pgm_purge_pass_sql(arena, purge, design->prefix, table), "");
		change->schema = table->schema;
		change->relation = table->name;
		pgm_buf_printf(&drop, "DROP TABLE %s;\n", pgm_purge_keys_name(arena, design->prefix, table));
	}
	add(design, PGM_CHANGE_SQL, "drop the tables of keys", drop.text, "")->lock = "";
}

/* The very statement that the user would give; the name makes this Plan another than that of last time. */
static void add_atomic(struct design *design)
{
	const struct pgm_purge_table *root = &design->purge->tables[0];
	struct pgm_change *change =
		add(design, PGM_CHANGE_SQL,
		    pgm_sprintf(design->arena, "delete from %s in one transaction", root->quoted),
		    pgm_sprintf(design->arena,
				"SET LOCAL application_name = '%s';\nSET LOCAL lock_timeout = 0;\nDELETE "
				"FROM %s WHERE "
				"(%s\n);\n",
				design->prefix, root->quoted, design->purge->options->where),
		    "");
	change->schema = root->schema;
	change->relation = root->name;
}

bool pgm_purge_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_purge *purge,
		    struct pgm_plan *plan, struct pgm_error *err)
{
	struct design design = {.conn = conn, .arena = arena, .purge = purge, .prefix = new_prefix(arena)};
	if (purge->problem_count) {
		pgm_error_set(err, PGM_ERR_STATE, "batches cannot do what DELETE does here: %s",
			      purge->problems[0]);
		return pgm_error_hint(err, "--atomic deletes in one transaction, as PostgreSQL does it.");
	}
	if (!purge->options->atomic)
		add_collecting(&design);
	if (!add_indexes(&design, err))
		return false;
	if (purge->options->atomic)
		add_atomic(&design);
	else
		add_passes(&design);
	*plan = pgm_plan_of(arena, pgm_conn_database(conn), pgm_purge_title(arena, purge), &design.changes);
	return true;
}
