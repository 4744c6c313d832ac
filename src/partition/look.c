#include "partition/look.h"

#include "pg/quote.h"
#include "util/embedded.h"
#include "util/format.h"

#include <string.h>

/* As SQL would find it, else by its bare name: nobody should have to quote for two shells. */
bool pgm_look_find(struct pgm_conn *conn, struct pgm_arena *arena, const char *name, const char **found,
		   struct pgm_error *err)
{
	const char *path = pgm_conn_search_path(conn);
	struct pgm_rows rows;
	char *oid = NULL;
	static const char set_path[] = "SELECT pg_catalog.set_config('search_path', $1, false)";
	const char *ours = "pg_catalog";
	if (!pgm_conn_query(conn, arena, set_path, 1, &path, &rows, err))
		return false;
	bool ok = pgm_conn_query(
		conn, arena,
		"SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relname = $1 "
		"AND c.relkind NOT IN ('i', 'I', 't') AND pg_catalog.pg_table_is_visible(c.oid)",
		1, &name, &rows, err);
	if (ok && rows.count)
		oid = pgm_rows_get(&rows, 0, 0);
	struct pgm_error syntax;
	if (ok && !oid &&
	    !pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass($1)::oid", 1, &name, &oid, &syntax))
		oid = NULL;
	if (!pgm_conn_query(conn, arena, set_path, 1, &ours, &rows, ok ? err : &syntax) || !ok)
		return false;
	*found = oid;
	if (oid)
		return true;
	pgm_error_set(err, PGM_ERR_USAGE, "there is no table %s", name);
	return pgm_error_hint(err, "Give it as SCHEMA.NAME, with double quotes around names that need them.");
}

static const char *kind_of(char kind)
{
	switch (kind) {
	case 'p':
		return "is partitioned already";
	case 'v':
		return "is a view";
	case 'm':
		return "is a materialized view";
	case 'f':
		return "is a foreign table";
	case 'S':
		return "is a sequence";
	default:
		return "is no table";
	}
}

bool pgm_look_refuse_owner(struct pgm_arena *arena, const char *table, const char *owner,
			   struct pgm_error *err)
{
	const char *role = pgm_quote_ident(arena, owner);
	pgm_error_set(err, PGM_ERR_RIGHTS, "%s belongs to role %s", table, role);
	return pgm_error_hint(err, "Connect as that role, or as a member of it: GRANT %s TO ...", role);
}

bool pgm_look_refuse_schema(struct pgm_arena *arena, const char *schema, struct pgm_error *err)
{
	const char *quoted = pgm_quote_ident(arena, schema);
	pgm_error_set(err, PGM_ERR_RIGHTS, "no right to create tables in schema %s", quoted);
	return pgm_error_hint(err, "GRANT CREATE ON SCHEMA %s TO ...;", quoted);
}

static bool refuse_kind(struct pgm_arena *arena, const struct pgm_partition_design *design,
			const struct pgm_rows *rows, struct pgm_error *err)
{
	const char *name = pgm_partition_quoted(arena, design, design->name);
	char kind = *pgm_rows_text(rows, 0, 2);
	if (kind != 'r')
		return pgm_error_set(err, PGM_ERR_STATE, "%s %s", name, kind_of(kind));
	if (pgm_rows_bool(rows, 0, 7) || *pgm_rows_text(rows, 0, 3) == 't')
		return pgm_error_set(err, PGM_ERR_STATE, "%s %s", name,
				     pgm_rows_bool(rows, 0, 7) ? "belongs to the system"
							       : "is a temporary table of one session");
	if (!pgm_rows_bool(rows, 0, 5))
		return pgm_look_refuse_owner(arena, name, design->owner, err);
	return pgm_rows_bool(rows, 0, 6) || pgm_look_refuse_schema(arena, design->schema, err);
}

bool pgm_look_table(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_look_find(conn, arena, design->options.table, &design->oid, err))
		return false;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/table.sql"), 1, &design->oid, &rows,
			    err))
		return pgm_error_context(err, "looking at table %s", design->options.table);
	if (rows.count == 0)
		return pgm_error_set(err, PGM_ERR_STATE, "table %s has just gone", design->options.table);
	design->schema = pgm_rows_text(&rows, 0, 0);
	design->name = pgm_rows_text(&rows, 0, 1);
	design->owner = pgm_rows_text(&rows, 0, 4);
	design->unlogged = *pgm_rows_text(&rows, 0, 3) == 'u';
	design->rows = pgm_rows_double(&rows, 0, 12);
	design->bytes = pgm_rows_int(&rows, 0, 13);
	design->tablespace = pgm_rows_get(&rows, 0, 14);
	design->storage_options = pgm_rows_get(&rows, 0, 15);
	design->replica_identity = *pgm_rows_text(&rows, 0, 16);
	if (!refuse_kind(arena, design, &rows, err))
		return false;
	if (pgm_rows_bool(&rows, 0, 8))
		pgm_partition_say(arena, &design->refusals, "it is a partition of another table");
	else if (pgm_rows_bool(&rows, 0, 9))
		pgm_partition_say(arena, &design->refusals, "it has an inheritance parent or children");
	if (pgm_rows_bool(&rows, 0, 10))
		pgm_partition_say(arena, &design->refusals, "it is a table OF a type");
	if (strcmp(pgm_rows_text(&rows, 0, 11), "heap") != 0)
		pgm_partition_say(arena, &design->refusals, "its access method is %s, not heap",
				  pgm_rows_text(&rows, 0, 11));
	if (pgm_rows_get(&rows, 0, 19))
		pgm_partition_say(arena, &design->refusals, "it belongs to extension %s",
				  pgm_rows_text(&rows, 0, 19));
	return true;
}

bool pgm_look_columns(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/columns.sql"), 1, &design->oid,
			    &rows, err))
		return pgm_error_context(err, "looking at the columns");
	design->columns = PGM_NEW_ARRAY(arena, struct pgm_partition_column, rows.count + 1);
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_partition_column *last =
			design->column_count ? &design->columns[design->column_count - 1] : NULL;
		/* A column may own two sequences: the one that the default draws from is not told apart. */
		if (last && strcmp(last->name, pgm_rows_text(&rows, r, 0)) == 0)
			continue;
		design->columns[design->column_count++] = (struct pgm_partition_column){
			.name = pgm_rows_text(&rows, r, 0),
			.type = pgm_rows_text(&rows, r, 1),
			.not_null = pgm_rows_bool(&rows, r, 2),
			.identity = *pgm_rows_text(&rows, r, 3),
			.generated = *pgm_rows_text(&rows, r, 4),
			.sequence_schema = pgm_rows_get(&rows, r, 5),
			.sequence = pgm_rows_get(&rows, r, 6),
			.sequence_options = pgm_rows_text(&rows, r, 7),
			.sequence_cache = pgm_rows_text(&rows, r, 8),
		};
	}
	return true;
}

static void take_index(const struct pgm_rows *rows, size_t r, struct pgm_partition_index *index)
{
	*index = (struct pgm_partition_index){
		.oid = pgm_rows_text(rows, r, 0),
		.name = pgm_rows_text(rows, r, 1),
		.unique = pgm_rows_bool(rows, r, 2),
		.primary = pgm_rows_bool(rows, r, 3),
		.replica_identity = pgm_rows_bool(rows, r, 6),
		.definition = pgm_rows_text(rows, r, 8),
		.constraint = pgm_rows_get(rows, r, 9),
		.constraint_type = *pgm_rows_text(rows, r, 10),
		.deferrable = pgm_rows_bool(rows, r, 11),
		.deferred = pgm_rows_bool(rows, r, 12),
		.has_key = pgm_rows_bool(rows, r, 13),
		.columns = pgm_rows_get(rows, r, 15),
		.includes = pgm_rows_get(rows, r, 16),
		.size_bytes = pgm_rows_int(rows, r, 17),
		.tablespace = pgm_rows_get(rows, r, 18),
		.comment = pgm_rows_get(rows, r, 19),
		.constraint_comment = pgm_rows_get(rows, r, 20),
		.constraint_definition = pgm_rows_get(rows, r, 21),
		.options = pgm_rows_get(rows, r, 22),
	};
}

/* A unique index without the key cannot be on a partitioned table: does it take the key in? */
static void judge_unique(struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_partition_index *index, bool partial, bool depended_on)
{
	const char *name = pgm_quote_ident(arena, index->name);
	const char *key = pgm_quote_ident(arena, design->key->name);
	const char *what = index->primary      ? "primary key"
			   : index->constraint ? "unique constraint"
					       : "unique index";
	if (!index->primary && !design->options.widen_unique) {
		pgm_partition_say(
			arena, &design->refusals,
			"%s %s%s%s%s does not hold the key %s, so PostgreSQL cannot keep it over all "
			"partitions. --widen-unique adds the key to it: then the same values may come "
			"again with another %s",
			what, name, index->columns ? " (" : "", index->columns ? index->columns : "",
			index->columns ? ")" : "", key, key);
		return;
	}
	if (!index->columns || partial || depended_on) {
		pgm_partition_say(arena, &design->refusals, "%s %s cannot take the key in: %s", what, name,
				  depended_on ? "a view groups by it"
				  : partial   ? "it has a WHERE clause"
					      : "it has expressions");
		return;
	}
	index->widened = true;
	pgm_partition_say(
		arena, &design->changes,
		"%s %s (%s) becomes (%s, %s): what is unique is the pair. INSERT ... ON CONFLICT (%s) no "
		"longer works, ON CONFLICT (%s, %s) does; nothing can refer to (%s) by a foreign key",
		what, name, index->columns, index->columns, key, index->columns, index->columns, key,
		index->columns);
}

/* The engine builds no index where one serves already, and the swap needs one of its own. */
static void refuse_twins(struct pgm_arena *arena, struct pgm_partition_design *design)
{
	for (size_t i = 0; i < design->index_count; i++)
		for (size_t k = 0; design->indexes[i].widened && k < design->index_count; k++) {
			const struct pgm_partition_index *other = &design->indexes[k];
			const char *wide = pgm_sprintf(arena, "%s, %s", design->indexes[i].columns,
						       pgm_quote_ident(arena, design->key->name));
			if (k != i && other->unique && other->columns && strcmp(other->columns, wide) == 0)
				pgm_partition_say(
					arena, &design->refusals,
					"unique index %s is on (%s), what %s becomes: drop it first",
					pgm_quote_ident(arena, other->name), wide,
					pgm_quote_ident(arena, design->indexes[i].name));
		}
}

bool pgm_look_indexes(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {design->oid, design->key->name};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/indexes.sql"), 2, params, &rows,
			    err))
		return pgm_error_context(err, "looking at the indexes");
	design->indexes = PGM_NEW_ARRAY(arena, struct pgm_partition_index, rows.count + 1);
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_partition_index *index = &design->indexes[design->index_count];
		take_index(&rows, r, index);
		const char *name = pgm_quote_ident(arena, index->name);
		if (!pgm_rows_bool(&rows, r, 5)) {
			pgm_partition_say(
				arena, &design->refusals,
				"index %s is invalid: drop it (DROP INDEX CONCURRENTLY), or build it "
				"again (REINDEX INDEX CONCURRENTLY)",
				name);
			continue;
		}
		if (pgm_rows_bool(&rows, r, 4)) {
			pgm_partition_say(arena, &design->refusals,
					  "exclusion constraint %s: partitioned tables have none", name);
			continue;
		}
		if (index->unique && !index->has_key)
			judge_unique(arena, design, index, pgm_rows_bool(&rows, r, 23),
				     pgm_rows_bool(&rows, r, 24));
		if (pgm_rows_bool(&rows, r, 7))
			pgm_partition_say(arena, &design->notes, "CLUSTER ON index %s is not carried over",
					  name);
		design->index_bytes += index->size_bytes;
		design->index_count++;
	}
	refuse_twins(arena, design);
	return true;
}

bool pgm_look_incoming(struct pgm_conn *conn, struct pgm_arena *arena, const char *oid, const char *key,
		       pgm_partition_statements *list, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {oid, key}, *last = "";
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/incoming.sql"), 2, params, &rows,
			    err))
		return pgm_error_context(err, "looking at foreign keys that refer to the table");
	for (size_t r = 0; r < rows.count; r++) {
		*pgm_vec_add(arena, list) = (struct pgm_partition_statement){
			.foreign_key = pgm_rows_text(&rows, r, 1),
			.table = pgm_rows_text(&rows, r, 2),
			.has_key = pgm_rows_bool(&rows, r, 3),
			.first = strcmp(pgm_rows_text(&rows, r, 0), last) != 0,
			.after = pgm_rows_bool(&rows, r, 4),
			.sql = pgm_rows_text(&rows, r, 5),
		};
		last = pgm_rows_text(&rows, r, 0);
	}
	return true;
}

static bool refuse_incoming(struct pgm_conn *conn, struct pgm_arena *arena,
			    struct pgm_partition_design *design, struct pgm_error *err)
{
	if (!pgm_look_incoming(conn, arena, design->oid, design->key->name, &design->incoming, err))
		return false;
	for (size_t i = 0; i < design->incoming.count; i++) {
		const struct pgm_partition_statement *line = &design->incoming.items[i];
		if (line->first)
			pgm_partition_say(
				arena, &design->refusals, "foreign key %s of %s refers to it: %s",
				pgm_quote_ident(arena, line->foreign_key), line->table,
				line->has_key
					? "as its columns hold the key it can be made anew. The statements "
					  "for that are below"
					: "what is unique afterwards has the key in it, which it does not "
					  "have. Drop it, or give that table a copy of the key, and a "
					  "foreign key of both afterwards: the statements for that are "
					  "below");
	}
	return true;
}

bool pgm_look_obstacles(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!refuse_incoming(conn, arena, design, err))
		return false;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/obstacles.sql"), 1, &design->oid,
			    &rows, err))
		return pgm_error_context(err, "looking for what depends on the table");
	for (size_t r = 0; r < rows.count; r++) {
		const char *kind = pgm_rows_text(&rows, r, 0), *line = pgm_rows_text(&rows, r, 1);
		const char *why = strcmp(kind, "constraint") == 0 ? ": validate or drop it first"
				  : strcmp(kind, "dependent") == 0
					  ? ", and would go on with the old table: drop it, and make it anew "
					    "afterwards"
					  : "";
		pgm_partition_say(arena, &design->refusals, "%s%s", line, why);
	}
	return true;
}

/* How many rows a WHERE finds, up to a limit. */
static bool refuse_rows(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			const char *where, const char *what, struct pgm_error *err)
{
	char *count;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *sql = pgm_sprintf(
		arena, "SELECT count(*) FROM (SELECT FROM ONLY %s WHERE %s LIMIT 100000) AS found", table,
		where);
	if (!pgm_conn_value(conn, arena, sql, 0, NULL, &count, err))
		return false;
	if (count && strcmp(count, "0") != 0)
		pgm_partition_say(arena, &design->refusals, "%s%s rows have %s %s: find them with WHERE %s",
				  strcmp(count, "100000") == 0 ? "at least " : "", count,
				  pgm_quote_ident(arena, design->key->name), what, where);
	return true;
}

static bool look_at_rows(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *key = pgm_quote_ident(arena, design->key->name);
	const char *table = pgm_partition_quoted(arena, design, design->name);
	const char *sql = pgm_sprintf(arena, "SELECT min(%s), max(%s) FROM ONLY %s", key, key, table);
	/* Rather an error than rows that a policy hides. */
	if (!pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('row_security', 'off', false)", 0,
			    NULL, &rows, err) ||
	    !pgm_conn_query(conn, arena, sql, 0, NULL, &rows, err))
		return false;
	design->oldest = pgm_rows_get(&rows, 0, 0);
	design->newest = pgm_rows_get(&rows, 0, 1);
	if (!design->key->not_null &&
	    !refuse_rows(conn, arena, design, pgm_sprintf(arena, "%s IS NULL", key), "NULL", err))
		return false;
	if (design->newest && strcmp(design->newest, "infinity") == 0)
		return refuse_rows(conn, arena, design, pgm_sprintf(arena, "%s = 'infinity'", key),
				   "infinity, which no bound is above", err);
	if (design->oldest && strcmp(design->oldest, "-infinity") == 0)
		pgm_partition_say(arena, &design->notes,
				  "rows with %s = -infinity stay in the first partition", key);
	return true;
}

bool pgm_look_range(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_error *err)
{
	struct pgm_error problem = {0};
	if (look_at_rows(conn, arena, design, &problem))
		return design->looked = true;
	bool hidden = strcmp(problem.sqlstate, "42501") == 0; /* row-level security is forced */
	if (!hidden && strcmp(problem.sqlstate, "57014") != 0) {
		if (err)
			*err = problem;
		return pgm_error_context(err, "looking at the range of the key");
	}
	pgm_partition_say(arena, &design->notes,
			  "the range of %s could not be read%s: whether every row is below the cut shows "
			  "when the constraint is validated",
			  pgm_quote_ident(arena, design->key->name),
			  hidden ? " (row-level security is forced)" : " in time");
	return true;
}
