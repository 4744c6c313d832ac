#include "partition/shadow.h"

#include "partition/adopt.h"
#include "pg/quote.h"

#include <string.h>

/* What the old table will be when it is the first partition: its oid stays. */
static struct pgm_split as_adopted(const struct pgm_partition_design *design)
{
	return (struct pgm_split){
		.oid = design->oid,
		.schema = design->schema,
		.name = design->name,
		.owner = design->owner,
		.key = design->key->name,
		.interval = design->interval,
		.old_oid = design->oid,
		.old_schema = design->schema,
		.old_name = design->legacy,
		.old_options = design->storage_options,
		.old_tablespace = design->tablespace,
		.replica_identity = design->replica_identity,
		.until = design->cut,
		.rows = design->rows,
		.bytes = design->bytes,
		.oldest = design->oldest,
		.newest = design->newest,
	};
}

static void refuse(struct pgm_arena *arena, struct pgm_partition_design *design)
{
	if (design->unlogged)
		pgm_partition_say(arena, &design->refusals, "it is unlogged: a crash would empty it");
	if (design->replica_identity == 'i')
		pgm_partition_say(arena, &design->refusals,
				  "its replica identity is an index, which is not carried over to a copy");
	if (!design->looked)
		pgm_partition_say(
			arena, &design->refusals,
			"the range of %s could not be read, and with it what partitions it takes: "
			"with an index that does not take long (CREATE INDEX CONCURRENTLY ON %s (%s))",
			pgm_quote_ident(arena, design->key->name),
			pgm_partition_quoted(arena, design, design->name),
			pgm_quote_ident(arena, design->key->name));
	else if (!design->oldest)
		pgm_partition_say(arena, &design->refusals,
				  "there is no row to copy: the method adopt does all there is to do");
}

static bool choose_pieces(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			  struct pgm_split *split, struct pgm_error *err)
{
	if (!pgm_split_pieces(conn, arena, design, "its rows are", split, err))
		return false;
	for (size_t i = 0; i < split->refusals.count; i++)
		pgm_partition_say(arena, &design->refusals, "%s", split->refusals.items[i]);
	for (size_t i = 0; i < split->notes.count; i++)
		pgm_partition_say(arena, &design->notes, "%s", split->notes.items[i]);
	return true;
}

/* The primary key takes the key of the partitions in at its end, as adopt builds it. */
static bool read_shape(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		       struct pgm_split *split, struct pgm_copy *shape, struct pgm_error *err)
{
	const char *key = pgm_quote_ident(arena, split->key);
	bool has_key = false;
	char *checks;
	if (!pgm_split_shape(conn, arena, split, shape, err) ||
	    !pgm_conn_value(conn, arena,
			    "SELECT count(*) FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1::oid "
			    "AND k.contype IN ('c', 'f')",
			    1, &design->oid, &checks, err))
		return false;
	split->checks = checks;
	split->indexes = pgm_sprintf(arena, "%zu", design->index_count);
	for (size_t i = 0; i < design->index_count; i++)
		split->plain_indexes += !design->indexes[i].unique;
	for (size_t i = 0; i < shape->keys.count; i++)
		has_key |= strcmp(shape->keys.items[i].name, key) == 0;
	if (shape->keys.count == 0)
		pgm_partition_say(arena, &design->refusals,
				  "it has no primary key, nor a unique index of columns that are NOT NULL: "
				  "changed rows could not be told apart");
	else if (!has_key)
		*pgm_vec_add(arena, &shape->keys) =
			(struct pgm_copy_key){.name = key, .type = split->interval.type, .ordered = true};
	/* Their names stay when the table becomes a partition. */
	for (size_t r = 0; r < split->references.count; r++)
		split->references.items[r].old_name = split->references.items[r].name;
	return true;
}

/* Both Plans' steps, one after the other. */
static void join(struct pgm_arena *arena, struct pgm_plan *plan, const struct pgm_plan *more)
{
	size_t count = plan->change_count + more->change_count;
	struct pgm_change *changes = PGM_NEW_ARRAY(arena, struct pgm_change, count);
	for (size_t i = 0; i < count; i++) {
		changes[i] =
			i < plan->change_count ? plan->changes[i] : more->changes[i - plan->change_count];
		changes[i].step = (int)i + 1;
	}
	plan->changes = changes;
	plan->change_count = count;
	plan->id = pgm_plan_id(arena, changes, count);
}

bool pgm_partition_shadow(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			  struct pgm_plan *plan, struct pgm_error *err)
{
	struct pgm_plan more;
	struct pgm_copy shape;
	*plan = (struct pgm_plan){.id = ""};
	if (design->refusals.count)
		return true;
	struct pgm_split split = as_adopted(design);
	refuse(arena, design);
	if (design->refusals.count)
		return true;
	if (!read_shape(conn, arena, design, &split, &shape, err) ||
	    !choose_pieces(conn, arena, design, &split, err))
		return false;
	if (design->refusals.count)
		return true;
	if (!pgm_partition_adopt(conn, arena, design, plan, err))
		return false;
	if (plan->change_count == 0)
		return true;
	pgm_split_directions(arena, &split, &shape);
	pgm_split_steps(arena, &split, &more);
	join(arena, plan, &more);
	pgm_partition_say(
		arena, &design->notes,
		"then its rows are copied into %zu partitions while the table is in use; partition %s "
		"stays as a table of its own until \"pgmend partition --finish\" drops it",
		split.count, pgm_quote_ident(arena, design->legacy));
	return true;
}
