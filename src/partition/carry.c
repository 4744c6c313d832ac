#include "partition/carry.h"

#include "pg/quote.h"
#include "sql/index_sql.h"
#include "util/embedded.h"

#include <string.h>

/* The place after the word ON of a CREATE TRIGGER: no quoted name before it is mistaken for it. */
static const char *after_on(const char *sql)
{
	bool quoted = false;
	for (const char *p = sql; *p; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (!quoted && strncmp(p, " ON ", 4) == 0)
			return p + 4;
	}
	return NULL;
}

static bool read_triggers(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			  struct pgm_carry *carry, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/triggers.sql"), 1, &design->oid,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *create = pgm_rows_text(&rows, r, 1);
		const char *rest = after_on(create);
		if (!rest || strncmp(rest, table, strlen(table)) != 0)
			return pgm_error_set(err, PGM_ERR_STATE, "cannot read the definition: %s", create);
		*pgm_vec_add(arena, &carry->triggers) = (struct pgm_carry_trigger){
			.name = pgm_rows_text(&rows, r, 0),
			.create = create,
			.staged = pgm_sprintf(arena, "%.*s%s%s", (int)(rest - create), create,
					      pgm_partition_quoted(arena, design, design->staging),
					      rest + strlen(table)),
			.row = pgm_rows_bool(&rows, r, 2),
			.enabled = *pgm_rows_text(&rows, r, 3),
			.comment = pgm_rows_get(&rows, r, 4),
		};
		if (pgm_rows_bool(&rows, r, 2))
			pgm_partition_say(arena, &design->changes,
					  "trigger %s is run by the partitions: TG_TABLE_NAME is the "
					  "partition's name, TG_RELID its oid",
					  pgm_quote_ident(arena, pgm_rows_text(&rows, r, 0)));
	}
	return true;
}

static bool read_views(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		       struct pgm_carry *carry, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/views.sql"), 1, &design->oid, &rows,
			    err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *name =
			pgm_quote_qualified(arena, pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r, 1));
		*pgm_vec_add(arena, &carry->views) =
			(struct pgm_carry_view){.quoted = name, .create = pgm_rows_text(&rows, r, 2)};
		if (pgm_rows_bool(&rows, r, 3))
			pgm_partition_say(arena, &design->notes,
					  "view %s is made anew in the swap, so that it reads the new table",
					  name);
		else
			pgm_partition_say(
				arena, &design->refusals,
				"view %s has to be made anew, and belongs to a role whose rights we "
				"do not have",
				name);
	}
	return true;
}

static bool read_publications(struct pgm_conn *conn, struct pgm_arena *arena,
			      struct pgm_partition_design *design, struct pgm_carry *carry,
			      struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/publications.sql"), 1, &design->oid,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *name = pgm_quote_ident(arena, pgm_rows_text(&rows, r, 0));
		const char *filter = pgm_rows_text(&rows, r, 4);
		*pgm_vec_add(arena, &carry->publications) = (struct pgm_carry_publication){
			.name = name,
			.details = pgm_sprintf(arena, "%s%s", pgm_rows_text(&rows, r, 3), filter)};
		if (!pgm_rows_bool(&rows, r, 2))
			pgm_partition_say(arena, &design->refusals,
					  "publication %s belongs to a role whose rights we do not have",
					  name);
		if (pgm_rows_bool(&rows, r, 1))
			continue;
		const char *remedy = pgm_sprintf(
			arena, "ALTER PUBLICATION %s SET (publish_via_partition_root = true) first", name);
		if (*filter)
			pgm_partition_say(
				arena, &design->refusals,
				"publication %s has a row filter, which a partitioned table keeps only "
				"with publish_via_partition_root: %s",
				name, remedy);
		else
			pgm_partition_say(
				arena, &design->changes,
				"publication %s sends rows under the names of the partitions, which "
				"its subscribers must have then; if they shall see %s: %s",
				name, pgm_partition_quoted(arena, design, design->name), remedy);
	}
	return true;
}

static bool read_lines(struct pgm_conn *conn, struct pgm_arena *arena,
		       const struct pgm_partition_design *design, struct pgm_carry *carry,
		       struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *names;
	char *array;
	const char *as_array = pgm_sprintf(arena, "SELECT %s", pgm_carry_own_names(arena, design));
	if (!pgm_conn_value(conn, arena, as_array, 0, NULL, &array, err))
		return false;
	names = array;
	const char *params[] = {design->oid, pgm_partition_quoted(arena, design, design->staging), names};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/carry.sql"), 3, params, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		const char *place = pgm_rows_text(&rows, r, 0), *line = pgm_rows_text(&rows, r, 1);
		if (strcmp(place, "parent") == 0)
			*pgm_vec_add(arena, &carry->parent) = line;
		else if (strcmp(place, "column") == 0)
			*pgm_vec_add(arena, &carry->column) = line;
		else if (strcmp(place, "sequence") == 0)
			*pgm_vec_add(arena, &carry->sequence) = line;
		else
			*pgm_vec_add(arena, &carry->after) = line;
	}
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/references.sql"), 1, &design->oid,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		*pgm_vec_add(arena, &carry->references) = (struct pgm_carry_table){
			.quoted = pgm_quote_qualified(arena, pgm_rows_text(&rows, r, 0),
						      pgm_rows_text(&rows, r, 1)),
			.may_lock = pgm_rows_bool(&rows, r, 2)};
	return true;
}

static bool read_fingerprint(struct pgm_conn *conn, struct pgm_arena *arena,
			     const struct pgm_partition_design *design, struct pgm_carry *carry,
			     struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_carry_fingerprint_sql(arena, design), 0, NULL, &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		*pgm_vec_add(arena, &carry->fingerprint) = pgm_sprintf(
			arena, "('%s', '%s')", pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r, 1));
	return true;
}

bool pgm_carry_read(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		    struct pgm_carry *carry, struct pgm_error *err)
{
	*carry = (struct pgm_carry){0};
	return (read_lines(conn, arena, design, carry, err) &&
		read_triggers(conn, arena, design, carry, err) &&
		read_views(conn, arena, design, carry, err) &&
		read_publications(conn, arena, design, carry, err) &&
		read_fingerprint(conn, arena, design, carry, err)) ||
	       pgm_error_context(err, "reading what has to be carried over");
}

char *pgm_carry_own_names(struct pgm_arena *arena, const struct pgm_partition_design *design)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "ARRAY[%s, %s", pgm_quote_literal(arena, design->check),
		       pgm_quote_literal(arena, design->key->name));
	for (size_t i = 0; i < design->index_count; i++)
		if (design->indexes[i].widened)
			pgm_buf_printf(&out, ", %s", pgm_quote_literal(arena, design->indexes[i].wide));
	pgm_buf_add(&out, "]::text[]");
	return out.text;
}

char *pgm_carry_fingerprint_sql(struct pgm_arena *arena, const struct pgm_partition_design *design)
{
	const char *sql = pgm_embedded_text("partition/sql/fingerprint.sql");
	const char *names = pgm_carry_own_names(arena, design);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	while (strncmp(sql, "--", 2) == 0)
		sql = strchr(sql, '\n') + 1;
	for (; *sql; sql++) {
		if (strncmp(sql, "$1::oid", 7) == 0) {
			pgm_buf_printf(&out, "%s::oid", design->oid);
			sql += 6;
		} else if (strncmp(sql, "$2::text[]", 10) == 0) {
			pgm_buf_add(&out, names);
			sql += 9;
		} else {
			pgm_buf_char(&out, *sql);
		}
	}
	return out.text;
}

char *pgm_carry_constraint(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const struct pgm_partition_index *index, const char *name)
{
	const char *key = pgm_quote_ident(arena, design->key->name);
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "CONSTRAINT %s ", pgm_quote_ident(arena, name));
	if (!index->widened) {
		pgm_buf_add(&out, index->constraint_definition);
		return out.text;
	}
	pgm_buf_printf(&out, "%s%s (%s, %s)", index->primary ? "PRIMARY KEY" : "UNIQUE",
		       strstr(index->constraint_definition, "UNIQUE NULLS NOT DISTINCT")
			       ? " NULLS NOT DISTINCT"
			       : "",
		       index->columns, key);
	if (index->includes)
		pgm_buf_printf(&out, " INCLUDE (%s)", index->includes);
	if (index->deferrable)
		pgm_buf_printf(&out, " DEFERRABLE%s", index->deferred ? " INITIALLY DEFERRED" : "");
	return out.text;
}

char *pgm_carry_wide_index(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const struct pgm_partition_index *index, const char *name, const char *table,
			   bool concurrently)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_printf(&out, "CREATE UNIQUE INDEX %s%s ON %s (%s, %s)", concurrently ? "CONCURRENTLY " : "",
		       pgm_quote_ident(arena, name), table, index->columns,
		       pgm_quote_ident(arena, design->key->name));
	if (index->includes)
		pgm_buf_printf(&out, " INCLUDE (%s)", index->includes);
	if (strstr(index->definition, ") NULLS NOT DISTINCT"))
		pgm_buf_add(&out, " NULLS NOT DISTINCT");
	if (index->options)
		pgm_buf_printf(&out, " WITH (%s)", index->options);
	if (index->tablespace)
		pgm_buf_printf(&out, " TABLESPACE %s", pgm_quote_ident(arena, index->tablespace));
	return out.text;
}

char *pgm_carry_identity(struct pgm_arena *arena, const struct pgm_partition_column *column,
			 const char *sequence)
{
	return pgm_sprintf(
		arena, "ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)",
		pgm_quote_ident(arena, column->name), column->identity == 'a' ? "ALWAYS" : "BY DEFAULT",
		pgm_quote_qualified(arena, column->sequence_schema, sequence), column->sequence_options);
}

char *pgm_carry_trigger_state(struct pgm_arena *arena, const struct pgm_carry_trigger *trigger,
			      const char *table)
{
	const char *state = trigger->enabled == 'D'   ? "DISABLE"
			    : trigger->enabled == 'R' ? "ENABLE REPLICA"
			    : trigger->enabled == 'A' ? "ENABLE ALWAYS"
						      : NULL;
	return state ? pgm_sprintf(arena, "ALTER TABLE %s %s TRIGGER %s", table, state,
				   pgm_quote_ident(arena, trigger->name))
		     : NULL;
}

static void create_indexes(struct pgm_buf *out, const struct pgm_partition_design *design, const char *parent)
{
	struct pgm_arena *arena = out->arena;
	for (size_t i = 0; i < design->index_count; i++) {
		const struct pgm_partition_index *index = &design->indexes[i];
		const char *staging = pgm_partition_quoted(arena, design, index->staging);
		if (index->constraint) {
			pgm_buf_printf(out, "ALTER TABLE %s ADD %s;\n", parent,
				       pgm_carry_constraint(arena, design, index, index->staging));
		} else if (index->widened) {
			pgm_buf_printf(
				out, "%s;\n",
				pgm_carry_wide_index(arena, design, index, index->staging, parent, false));
		} else {
			struct pgm_index_rewrite how = {.index = pgm_quote_ident(arena, index->staging),
							.relation = parent,
							.tablespace = index->tablespace};
			const char *sql = pgm_index_sql_rewrite(arena, index->definition, &how);
			pgm_buf_printf(out, "%s;\n", sql ? sql : index->definition);
		}
		if (index->comment)
			pgm_buf_printf(out, "COMMENT ON INDEX %s IS %s;\n", staging,
				       pgm_quote_literal(arena, index->comment));
		if (index->constraint && index->constraint_comment)
			pgm_buf_printf(out, "COMMENT ON CONSTRAINT %s ON %s IS %s;\n",
				       pgm_quote_ident(arena, index->staging), parent,
				       pgm_quote_literal(arena, index->constraint_comment));
		if (index->replica_identity && design->replica_identity == 'i')
			pgm_buf_printf(out, "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s;\n", parent,
				       pgm_quote_ident(arena, index->staging));
	}
}

static void replica_identity(struct pgm_buf *out, const struct pgm_partition_design *design,
			     const char *table)
{
	if (design->replica_identity == 'f' || design->replica_identity == 'n')
		pgm_buf_printf(out, "ALTER TABLE %s REPLICA IDENTITY %s;\n", table,
			       design->replica_identity == 'f' ? "FULL" : "NOTHING");
}

void pgm_carry_create_parent(struct pgm_buf *out, const struct pgm_partition_design *design,
			     const struct pgm_carry *carry)
{
	struct pgm_arena *arena = out->arena;
	const char *parent = pgm_partition_quoted(arena, design, design->staging);
	const char *key = pgm_quote_ident(arena, design->key->name);
	pgm_buf_printf(
		out,
		"CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS EXCLUDING "
		"IDENTITY)\n    PARTITION BY RANGE (%s)",
		parent, pgm_partition_quoted(arena, design, design->name), key);
	if (design->tablespace)
		pgm_buf_printf(out, " TABLESPACE %s", pgm_quote_ident(arena, design->tablespace));
	pgm_buf_add(out, ";\n");
	for (size_t i = 0; i < design->column_count; i++)
		if (design->columns[i].identity)
			pgm_buf_printf(out, "ALTER TABLE %s %s;\n", parent,
				       pgm_carry_identity(arena, &design->columns[i],
							  design->columns[i].sequence_staging));
	for (size_t i = 0; i < carry->column.count; i++)
		pgm_buf_printf(out, "ALTER TABLE %s %s;\n", parent, carry->column.items[i]);
	create_indexes(out, design, parent);
	replica_identity(out, design, parent);
	for (size_t i = 0; i < carry->parent.count; i++)
		pgm_buf_printf(out, "%s;\n", carry->parent.items[i]);
	for (size_t i = 0; i < carry->triggers.count; i++) {
		const struct pgm_carry_trigger *trigger = &carry->triggers.items[i];
		pgm_buf_printf(out, "%s;\n", trigger->staged);
		if (trigger->comment)
			pgm_buf_printf(out, "COMMENT ON TRIGGER %s ON %s IS %s;\n",
				       pgm_quote_ident(arena, trigger->name), parent,
				       pgm_quote_literal(arena, trigger->comment));
	}
}

void pgm_carry_create_partition(struct pgm_buf *out, const struct pgm_partition_design *design,
				const struct pgm_carry *carry, const char *parent, const char *name,
				const struct pgm_range *range)
{
	struct pgm_arena *arena = out->arena;
	const char *quoted = pgm_partition_quoted(arena, design, name);
	pgm_buf_printf(out, "CREATE %sTABLE %s PARTITION OF %s\n    %s", design->unlogged ? "UNLOGGED " : "",
		       quoted, parent, pgm_bounds_for_values(arena, range));
	if (design->storage_options)
		pgm_buf_printf(out, " WITH (%s)", design->storage_options);
	if (design->tablespace)
		pgm_buf_printf(out, " TABLESPACE %s", pgm_quote_ident(arena, design->tablespace));
	pgm_buf_add(out, ";\n");
	for (size_t i = 0; i < carry->column.count; i++)
		pgm_buf_printf(out, "ALTER TABLE %s %s;\n", quoted, carry->column.items[i]);
	replica_identity(out, design, quoted);
	pgm_buf_printf(out, "ALTER TABLE %s OWNER TO %s;\n", quoted, pgm_quote_ident(arena, design->owner));
}

char *pgm_carry_replica_identities(struct pgm_arena *arena, const struct pgm_partition_design *design,
				   const struct pgm_partition_index *index)
{
	const char *staging = pgm_quote_literal(arena, pgm_partition_quoted(arena, design, index->staging));
	return pgm_sprintf(
		arena,
		"DO $pgmend$\n"
		"DECLARE\n"
		"    pgmend_part record;\n"
		"BEGIN\n"
		"    FOR pgmend_part IN SELECT x.indrelid::pg_catalog.regclass AS name, c.relname\n"
		"                         FROM pg_catalog.pg_inherits AS i\n"
		"                         JOIN pg_catalog.pg_index AS x ON x.indexrelid = i.inhrelid\n"
		"                         JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid\n"
		"                        WHERE i.inhparent = %s::pg_catalog.regclass LOOP\n"
		"        EXECUTE pg_catalog.format('ALTER TABLE %%s REPLICA IDENTITY USING INDEX %%I',\n"
		"            pgmend_part.name, pgmend_part.relname);\n"
		"    END LOOP;\n"
		"END\n"
		"$pgmend$;\n",
		staging);
}
