#include "partition/design.h"

#include "partition/look.h"
#include "pg/quote.h"
#include "util/format.h"

#include <string.h>

#define FAR_STEPS 12 /* a greatest key that is further than this many steps away is no ordinary one */

char *pgm_partition_quoted(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const char *name)
{
	return pgm_quote_qualified(arena, design->schema, name);
}

static bool was_given(const struct pgm_partition_design *design, const char *name)
{
	for (size_t i = 0; i < design->taken.count; i++)
		if (strcmp(design->taken.items[i], name) == 0)
			return true;
	return false;
}

bool pgm_partition_free_name(struct pgm_conn *conn, struct pgm_arena *arena,
			     struct pgm_partition_design *design, const char *base, const char *suffix,
			     const char **name, struct pgm_error *err)
{
	for (int n = 1; n < 1000; n++) {
		char *found;
		const char *end = n == 1 ? suffix : pgm_sprintf(arena, "%s_%d", suffix, n);
		const char *params[] = {design->schema, pgm_bounds_name(arena, base, end)};
		if (!pgm_conn_value(
			    conn, arena,
			    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relname = $2 "
			    "AND c.relnamespace = n.oid) OR EXISTS (SELECT FROM pg_catalog.pg_type AS y "
			    "WHERE y.typname = $2 AND y.typnamespace = n.oid) "
			    "FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1",
			    2, params, &found, err))
			return pgm_error_context(err, "looking for a free name");
		if (found && *found == 'f' && !was_given(design, params[1])) {
			*name = params[1];
			*pgm_vec_add(arena, &design->taken) = *name;
			return true;
		}
	}
	return pgm_error_set(err, PGM_ERR_STATE, "no free name like %s_%s", base, suffix);
}

/* "Col" in quotes is taken without them, anything else as it is; then in lower case, as SQL would. */
static const struct pgm_partition_column *find_column(struct pgm_arena *arena,
						      const struct pgm_partition_design *design,
						      const char *by)
{
	size_t length = strlen(by);
	char *bare = pgm_strdup(arena, by);
	if (length > 2 && by[0] == '"' && by[length - 1] == '"') {
		size_t out = 0;
		for (size_t i = 1; i + 1 < length; i++) {
			bare[out++] = by[i];
			if (by[i] == '"' && by[i + 1] == '"' && i + 2 < length)
				i++;
		}
		bare[out] = '\0';
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < design->column_count; i++)
			if (strcmp(design->columns[i].name, bare) == 0)
				return &design->columns[i];
		for (char *p = bare; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	}
	return NULL;
}

static bool choose_key(struct pgm_arena *arena, struct pgm_partition_design *design, struct pgm_error *err)
{
	const struct pgm_partition_options *options = &design->options;
	const char *table = pgm_partition_quoted(arena, design, design->name);
	design->key = find_column(arena, design, options->by);
	if (!design->key) {
		pgm_error_set(err, PGM_ERR_USAGE, "--by: table %s has no column \"%s\"", table, options->by);
		return pgm_error_hint(err, "Its columns are listed by psql's \\d %s.", table);
	}
	if (!pgm_interval_parse(arena, options->interval, design->key->type, options->timezone,
				&design->interval, err))
		return pgm_error_context(err, "column %s", pgm_quote_ident(arena, design->key->name));
	if (design->key->generated)
		pgm_partition_say(arena, &design->refusals,
				  "column %s is generated: PostgreSQL takes no such column as the key of "
				  "partitions; take one that it is computed from",
				  pgm_quote_ident(arena, design->key->name));
	return true;
}

static int64_t premade_by_default(const struct pgm_interval *interval)
{
	if (strcmp(interval->unit, "day") == 0)
		return 14;
	return strcmp(interval->unit, "week") == 0 ? 8 : strcmp(interval->unit, "year") == 0 ? 2 : 4;
}

/* A greatest key far above now is "never" or a mistake: a first partition that reaches there would be no
 * help. */
static bool refuse_far(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		       struct pgm_error *err)
{
	const struct pgm_partition_options *options = &design->options;
	const char *soonest;
	bool near;
	struct pgm_range *ranges;
	size_t count;
	if (options->cut || !design->newest || design->interval.kind == PGM_KEY_INTEGER)
		return true;
	if (!pgm_bounds_cut(conn, arena, &design->interval, NULL, NULL, &soonest, &near, err) ||
	    !pgm_bounds_ranges(conn, arena, &design->interval, soonest, NULL, FAR_STEPS, &ranges, &count,
			       err))
		return false;
	const char *params[] = {design->cut, count ? ranges[count - 1].to : soonest};
	char *far;
	const char *sql =
		pgm_sprintf(arena, "SELECT $1::%s > $2::%s", design->interval.type, design->interval.type);
	if (!pgm_conn_value(conn, arena, sql, 2, params, &far, err))
		return false;
	if (far && *far == 't')
		pgm_partition_say(arena, &design->refusals,
				  "the greatest %s is %s: the first partition would have to reach beyond it. "
				  "Mend such rows, or say --cut if that is meant",
				  pgm_quote_ident(arena, design->key->name), design->newest);
	return true;
}

static bool choose_cut(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
		       struct pgm_error *err)
{
	struct pgm_partition_options *options = &design->options;
	const char *by = pgm_quote_ident(arena, design->key->name);
	char *above;
	if (!pgm_bounds_cut(conn, arena, &design->interval, options->cut, design->newest, &design->cut,
			    &design->cut_near, err) ||
	    !refuse_far(conn, arena, design, err))
		return false;
	if (design->newest) {
		const char *params[] = {design->newest, design->cut};
		const char *sql = pgm_sprintf(arena, "SELECT $1::%s >= $2::%s", design->interval.type,
					      design->interval.type);
		if (!pgm_conn_value(conn, arena, sql, 2, params, &above, err))
			return false;
		if (above && *above == 't')
			pgm_partition_say(arena, &design->refusals,
					  "rows are at or above the cut %s (the greatest %s is %s): give a "
					  "later --cut",
					  design->cut, by, design->newest);
	}
	if (design->cut_near)
		pgm_partition_say(arena, &design->refusals,
				  "the cut %s is too near: from the first step to the swap, rows at or above "
				  "it are refused",
				  design->cut);
	if (options->premade < 0)
		options->premade = premade_by_default(&design->interval);
	if (options->premade < 1 || options->premade > 1000)
		return pgm_error_set(err, PGM_ERR_USAGE, "--premake: from 1 to 1000");
	return pgm_bounds_ranges(conn, arena, &design->interval, design->cut, NULL, (size_t)options->premade,
				 &design->ranges, &design->range_count, err);
}

/* The one name that is the same each time: it tells of a conversion that was begun. */
static bool choose_check(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_error *err)
{
	char *found;
	design->check = pgm_bounds_name(arena, design->name, "pgmend_cut");
	const char *params[] = {design->oid, design->check};
	if (!pgm_conn_value(
		    conn, arena,
		    "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1::oid "
		    "AND k.conname = $2)",
		    2, params, &found, err))
		return false;
	design->begun = found && *found == 't';
	if (design->begun)
		pgm_partition_say(
			arena, &design->refusals,
			"constraint %s is there: a conversion was begun. Go on with it (--apply, or "
			"pgmend apply with its Plan), or take it back (pgmend rollback)",
			pgm_quote_ident(arena, design->check));
	return true;
}

static bool choose_names(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_partition_design *design,
			 struct pgm_error *err)
{
	const char *name = design->name;
	if (!pgm_partition_free_name(conn, arena, design, name, "legacy", &design->legacy, err) ||
	    !pgm_partition_free_name(conn, arena, design, name, "pgmend_new", &design->staging, err))
		return false;
	design->range_names = PGM_NEW_ARRAY(arena, const char *, design->range_count + 1);
	for (size_t i = 0; i < design->range_count; i++)
		if (!pgm_partition_free_name(conn, arena, design, name, design->ranges[i].suffix,
					     &design->range_names[i], err))
			return false;
	for (size_t i = 0; i < design->column_count; i++) {
		struct pgm_partition_column *column = &design->columns[i];
		if (column->identity && column->sequence &&
		    !pgm_partition_free_name(conn, arena, design, column->sequence, "pgmend_new",
					     &column->sequence_staging, err))
			return false;
	}
	for (size_t i = 0; i < design->index_count; i++) {
		struct pgm_partition_index *index = &design->indexes[i];
		if (!pgm_partition_free_name(conn, arena, design, index->name, "pgmend_new", &index->staging,
					     err) ||
		    !pgm_partition_free_name(conn, arena, design, index->name, "legacy", &index->legacy_name,
					     err))
			return false;
		if (index->widened &&
		    (!pgm_partition_free_name(conn, arena, design, index->name, "wide", &index->wide, err) ||
		     !pgm_partition_free_name(conn, arena, design, index->name, "back", &index->way_back,
					      err)))
			return false;
	}
	return true;
}

bool pgm_partition_design(struct pgm_conn *conn, struct pgm_arena *arena,
			  const struct pgm_partition_options *options, struct pgm_partition_design *design,
			  struct pgm_error *err)
{
	*design = (struct pgm_partition_design){
		.options = *options, .method = options->method, .server_version = pgm_conn_version(conn)};
	if (!options->timezone)
		design->options.timezone = "UTC";
	if (!pgm_look_table(conn, arena, design, err) || !choose_check(conn, arena, design, err))
		return false;
	if (design->begun)
		return true; /* what its steps made so far is not to be judged */
	if (!pgm_look_columns(conn, arena, design, err) || !choose_key(arena, design, err) ||
	    !pgm_look_indexes(conn, arena, design, err) || !pgm_look_obstacles(conn, arena, design, err))
		return false;
	/* What cannot be at all needs no look at the rows. */
	if (design->refusals.count)
		return true;
	return pgm_look_range(conn, arena, design, err) &&
	       (design->refusals.count || choose_cut(conn, arena, design, err)) &&
	       (design->refusals.count || choose_names(conn, arena, design, err));
}
