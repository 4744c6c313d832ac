#include "partition/split.h"

#include "partition/look.h"
#include "pg/quote.h"
#include "util/embedded.h"
#include "util/format.h"

#include <string.h>

#define SWAP_PIECE_MS  1.5 /* an estimate: what one piece adds to the time of the swap */
#define SWAP_TARGET_MS 50

static const char *table_name(struct pgm_arena *arena, const struct pgm_split *split)
{
	return pgm_quote_qualified(arena, split->schema, split->name);
}

static bool read_table(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
		       const char **key_type, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/split_table.sql"), 1, &split->oid,
			    &rows, err))
		return pgm_error_context(err, "looking at the table");
	if (rows.count == 0)
		return pgm_error_set(err, PGM_ERR_STATE, "the table has just gone");
	split->schema = pgm_rows_text(&rows, 0, 0);
	split->name = pgm_rows_text(&rows, 0, 1);
	split->owner = pgm_rows_text(&rows, 0, 3);
	split->key = pgm_rows_text(&rows, 0, 8);
	split->checks = pgm_rows_text(&rows, 0, 13);
	split->indexes = pgm_rows_text(&rows, 0, 14);
	split->plain_indexes = (int)pgm_rows_int(&rows, 0, 15);
	*key_type = pgm_rows_text(&rows, 0, 9);
	const char *name = table_name(arena, split);
	if (*pgm_rows_text(&rows, 0, 2) != 'p') {
		pgm_error_set(err, PGM_ERR_STATE, "%s is not partitioned", name);
		return pgm_error_hint(err,
				      "Make its rows the first partition: pgmend partition %s --by COLUMN "
				      "--interval month",
				      name);
	}
	if (!pgm_rows_bool(&rows, 0, 4))
		return pgm_look_refuse_owner(arena, name, split->owner, err);
	if (!pgm_rows_bool(&rows, 0, 5))
		return pgm_look_refuse_schema(arena, split->schema, err);
	if (*pgm_rows_text(&rows, 0, 6) != 'r' || pgm_rows_int(&rows, 0, 7) != 1 || !*split->key)
		pgm_partition_say(arena, &split->refusals, "it is not partitioned by ranges of one column");
	if (pgm_rows_bool(&rows, 0, 11))
		pgm_partition_say(arena, &split->refusals, "it is a partition of another table");
	if (!pgm_rows_bool(&rows, 0, 12))
		return true;
	pgm_partition_say(arena, &split->refusals,
			  "foreign keys refer to it, and a partition with rows that they refer to cannot be "
			  "taken away: drop them before, and make them anew afterwards. The statements for "
			  "that are below");
	return pgm_look_incoming(conn, arena, split->oid, split->key, &split->incoming, err);
}

static bool read_old(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
		     struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/split_first.sql"), 1, &split->oid,
			    &rows, err))
		return pgm_error_context(err, "looking at the partitions");
	if (rows.count != 1) {
		pgm_partition_say(arena, &split->refusals,
				  "it has no partition without a lower bound: there is nothing to split");
		return true;
	}
	split->old_oid = pgm_rows_text(&rows, 0, 0);
	split->old_schema = pgm_rows_text(&rows, 0, 1);
	split->old_name = pgm_rows_text(&rows, 0, 2);
	split->until = pgm_rows_text(&rows, 0, 5);
	split->rows = pgm_rows_double(&rows, 0, 6);
	split->bytes = pgm_rows_int(&rows, 0, 7);
	split->replica_identity = *pgm_rows_text(&rows, 0, 8);
	split->old_tablespace = pgm_rows_get(&rows, 0, 9);
	split->old_options = pgm_rows_get(&rows, 0, 10);
	const char *name = pgm_quote_ident(arena, split->old_name);
	if (*pgm_rows_text(&rows, 0, 3) != 'r')
		pgm_partition_say(arena, &split->refusals, "its first partition %s is no plain table", name);
	if (*pgm_rows_text(&rows, 0, 4) != 'p')
		pgm_partition_say(arena, &split->refusals,
				  "its first partition %s is unlogged: a crash would empty it", name);
	if (strcmp(split->until, "MAXVALUE") == 0)
		pgm_partition_say(arena, &split->refusals, "its first partition %s has no upper bound", name);
	if (split->replica_identity == 'i')
		pgm_partition_say(arena, &split->refusals,
				  "the replica identity of %s is an index, which is not carried over", name);
	if (!pgm_rows_bool(&rows, 0, 11))
		return pgm_look_refuse_owner(arena,
					     pgm_quote_qualified(arena, split->old_schema, split->old_name),
					     pgm_rows_text(&rows, 0, 12), err);
	return true;
}

/* Finite ends: rows at -infinity belong to the first piece, which has no lower bound. */
static bool read_range(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
		       struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *key = pgm_quote_ident(arena, split->key);
	bool integer = split->interval.kind == PGM_KEY_INTEGER;
	const char *sql =
		pgm_sprintf(arena, "SELECT min(t.%s), max(t.%s) FROM %s AS t%s%s%s", key, key,
			    pgm_quote_qualified(arena, split->old_schema, split->old_name),
			    integer ? "" : " WHERE t.", integer ? "" : key, integer ? "" : " > '-infinity'");
	if (!pgm_conn_query(conn, arena, sql, 0, NULL, &rows, err)) {
		if (err && strcmp(err->sqlstate, "57014") == 0)
			pgm_error_hint(err,
				       "With an index it does not take long: CREATE INDEX CONCURRENTLY "
				       "ON %s (%s);",
				       pgm_quote_qualified(arena, split->old_schema, split->old_name), key);
		return pgm_error_context(err, "looking for the least and the greatest %s", key);
	}
	split->oldest = pgm_rows_get(&rows, 0, 0);
	split->newest = pgm_rows_get(&rows, 0, 1);
	if (!split->oldest)
		pgm_partition_say(arena, &split->refusals, "its first partition is empty");
	return true;
}

bool pgm_split_pieces(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *names,
		      const char *whole, struct pgm_split *split, struct pgm_error *err)
{
	const char *from;
	if (!pgm_bounds_floor(conn, arena, &split->interval, split->oldest, &from, err) ||
	    !pgm_bounds_ranges(conn, arena, &split->interval, from, split->until, 0, &split->ranges,
			       &split->count, err))
		return false;
	bool old = pgm_bounds_keep(split->ranges, &split->count, names->options.keep);
	if (split->count < 2)
		pgm_partition_say(arena, &split->refusals, "%s of one %s: there is nothing to split", whole,
				  split->interval.unit);
	if (split->count > PGM_SPLIT_PIECES_MAX)
		pgm_partition_say(
			arena, &split->refusals,
			"it would become %zu partitions, and %d are the most that are swapped at once: "
			"take a longer --interval",
			split->count, PGM_SPLIT_PIECES_MAX);
	if (split->refusals.count)
		return true;
	split->ranges[0].from = NULL;
	split->names = PGM_NEW_ARRAY(arena, const char *, split->count);
	for (size_t i = 0; i < split->count; i++)
		if (!pgm_partition_free_name(conn, arena, names, split->name, split->ranges[i].suffix,
					     &split->names[i], err))
			return false;
	if (old)
		pgm_partition_say(arena, &split->notes, PGM_SPLIT_OLD_NOTE, split->ranges[0].to,
				  pgm_quote_ident(arena, split->names[0]));
	split->check = pgm_bounds_name(arena, split->name, "pgmend_range");
	return pgm_partition_free_name(conn, arena, names, split->name, "pgmend_split", &split->staging, err);
}

/* What its swap will hold. */
static void note_lock(struct pgm_arena *arena, struct pgm_split *split)
{
	if ((double)split->count * SWAP_PIECE_MS > SWAP_TARGET_MS)
		pgm_partition_say(arena, &split->notes,
				  "%zu partitions: the swap will hold its lock for about %.0f ms; a longer "
				  "--interval makes it shorter",
				  split->count, (double)split->count * SWAP_PIECE_MS);
}

static bool read_references(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
			    struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {split->oid, split->old_oid};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/split_references.sql"), 2, params,
			    &rows, err))
		return pgm_error_context(err, "looking at the foreign keys");
	for (size_t r = 0; r < rows.count; r++) {
		*pgm_vec_add(arena, &split->references) =
			(struct pgm_split_reference){.name = pgm_rows_text(&rows, r, 0),
						     .definition = pgm_rows_text(&rows, r, 1),
						     .old_name = pgm_rows_text(&rows, r, 2),
						     .table = pgm_rows_text(&rows, r, 3)};
		if (!pgm_rows_bool(&rows, r, 4))
			pgm_partition_say(arena, &split->refusals,
					  "foreign key %s goes to %s, which belongs to a role whose rights "
					  "we do not have",
					  pgm_rows_text(&rows, r, 0), pgm_rows_text(&rows, r, 3));
	}
	return true;
}

bool pgm_split_shape(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_split *split,
		     struct pgm_copy *copy, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf columns;
	const char *key = pgm_quote_ident(arena, split->key);
	*copy = (struct pgm_copy){.arena = arena, .part_key = key, .part_type = split->interval.type};
	pgm_buf_init(&columns, arena);
	if (!read_references(conn, arena, split, err) ||
	    !pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/copy_columns.sql"), 1, &split->oid,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++) {
		*pgm_vec_add(arena, &copy->compared) = pgm_rows_text(&rows, r, 0);
		if (!pgm_rows_bool(&rows, r, 2))
			pgm_buf_printf(&columns, "%s%s", columns.length ? ", " : "",
				       pgm_rows_text(&rows, r, 0));
	}
	copy->columns = columns.text;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/copy_keys.sql"), 1, &split->oid,
			    &rows, err))
		return false;
	for (size_t r = 0; r < rows.count; r++)
		*pgm_vec_add(arena, &copy->keys) = (struct pgm_copy_key){.name = pgm_rows_text(&rows, r, 0),
									 .type = pgm_rows_text(&rows, r, 1),
									 .ordered = true};
	return true;
}

/* Every unique index of a partitioned table has its key. */
static void refuse_keyless(struct pgm_arena *arena, struct pgm_split *split, const struct pgm_copy *shape)
{
	if (shape->keys.count == 0)
		pgm_partition_say(arena, &split->refusals,
				  "it has no primary key, nor a unique index of columns that are NOT NULL: "
				  "changed rows could not be told apart");
}

void pgm_split_directions(struct pgm_arena *arena, struct pgm_split *split, const struct pgm_copy *shape)
{
	const char *table = table_name(arena, split);
	const char *old = pgm_quote_qualified(arena, split->old_schema, split->old_name);
	for (int back = 0; back < 2; back++) {
		struct pgm_copy *copy = back ? &split->back : &split->forward;
		const char *way = back ? "back" : "log";
		*copy = *shape;
		copy->log = pgm_sprintf(arena, "pgmend.copy_%s_%s", split->old_oid, way);
		copy->triggers = pgm_sprintf(arena, "pgmend_copy_%s_%s", split->old_oid, way);
		copy->source = back ? table : old;
		copy->copy = back ? old : pgm_quote_qualified(arena, split->schema, split->staging);
		copy->parts.items = NULL;
		copy->parts.count = copy->parts.capacity = 0;
		for (size_t i = 0; i < split->count; i++) {
			const char *piece = pgm_quote_qualified(arena, split->schema, split->names[i]);
			*pgm_vec_add(arena, &copy->parts) =
				(struct pgm_copy_part){.name = split->names[i],
						       .table = piece,
						       .from = split->ranges[i].from,
						       .to = split->ranges[i].to};
			if (back)
				*pgm_vec_add(arena, &copy->captured) = piece;
		}
	}
	*pgm_vec_add(arena, &split->forward.captured) = old;
	split->forward.in_parts = true;
	split->back.within =
		pgm_sprintf(arena, "s.%s < %s", shape->part_key, pgm_quote_literal(arena, split->until));
}

bool pgm_partition_split(struct pgm_conn *conn, struct pgm_arena *arena,
			 const struct pgm_partition_options *options, struct pgm_split *split,
			 struct pgm_plan *plan, struct pgm_error *err)
{
	struct pgm_copy shape;
	const char *key_type = NULL;
	*split = (struct pgm_split){0};
	*plan = (struct pgm_plan){.id = ""};
	if (!pgm_look_find(conn, arena, options->table, &split->oid, err) ||
	    !read_table(conn, arena, split, &key_type, err))
		return false;
	if (options->by && strcmp(options->by, split->key) != 0)
		return pgm_error_set(err, PGM_ERR_USAGE, "--by: %s is partitioned by %s",
				     table_name(arena, split), pgm_quote_ident(arena, split->key));
	if (!split->refusals.count && !read_old(conn, arena, split, err))
		return false;
	if (split->refusals.count)
		return true;
	if (!pgm_interval_parse(arena, options->interval, key_type,
				options->timezone ? options->timezone : "UTC", &split->interval, err) ||
	    !read_range(conn, arena, split, err) || !pgm_split_shape(conn, arena, split, &shape, err))
		return false;
	refuse_keyless(arena, split, &shape);
	if (split->refusals.count)
		return true;
	struct pgm_partition_design names = {.schema = split->schema, .options = *options};
	if (!pgm_split_pieces(conn, arena, &names,
			      pgm_sprintf(arena, "the rows of partition %s are",
					  pgm_quote_ident(arena, split->old_name)),
			      split, err))
		return false;
	if (split->refusals.count)
		return true;
	note_lock(arena, split);
	pgm_split_directions(arena, split, &shape);
	pgm_split_steps(arena, split, plan);
	plan->database = pgm_strdup(arena, pgm_conn_database(conn));
	return true;
}
