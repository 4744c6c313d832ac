#include "partition/upkeep_parts.h"

#include "pg/quote.h"
#include "util/embedded.h"
#include "util/vec.h"

#include <stdarg.h>
#include <string.h>

const char *pgm_upkeep_class_name(enum pgm_upkeep_class class)
{
	static const char *const names[] = {
		[PGM_UPKEEP_OTHER] = "other",	      [PGM_UPKEEP_DATE] = "date",
		[PGM_UPKEEP_TIMESTAMP] = "timestamp", [PGM_UPKEEP_TIMESTAMPTZ] = "timestamptz",
		[PGM_UPKEEP_EPOCH] = "epoch",	      [PGM_UPKEEP_INTEGER] = "integer",
	};
	return names[class];
}

static enum pgm_upkeep_class class_of(const char *type)
{
	static const struct {
		const char *type;
		enum pgm_upkeep_class class;
	} classes[] = {
		{"date", PGM_UPKEEP_DATE},
		{"timestamp", PGM_UPKEEP_TIMESTAMP},
		{"timestamptz", PGM_UPKEEP_TIMESTAMPTZ},
		{"int2", PGM_UPKEEP_INTEGER},
		{"int4", PGM_UPKEEP_INTEGER},
		{"int8", PGM_UPKEEP_INTEGER},
	};
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strcmp(classes[i].type, type) == 0)
			return classes[i].class;
	return PGM_UPKEEP_OTHER;
}

void pgm_upkeep_note(struct pgm_arena *arena, struct pgm_upkeep_table *table, bool problem,
		     const char *format, ...)
{
	if (table->note_count == table->note_room) {
		const char **old = table->notes;
		table->note_room = table->note_room ? table->note_room * 2 : 8;
		table->notes = PGM_NEW_ARRAY(arena, const char *, table->note_room);
		if (table->note_count)
			memcpy(table->notes, old, table->note_count * sizeof(*old));
	}
	va_list args;
	va_start(args, format);
	table->notes[table->note_count++] = pgm_vsprintf(arena, format, args);
	va_end(args);
	table->problems += problem;
}

const char *pgm_upkeep_title(struct pgm_arena *arena, const struct pgm_upkeep_table *table)
{
	return pgm_sprintf(arena, "upkeep of %s: ", table->quoted);
}

void pgm_upkeep_add_plan(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			 const char *what, const pgm_changes *changes, bool retires)
{
	if (table->plan_count == table->plan_room) {
		struct pgm_upkeep_plan *old = table->plans;
		table->plan_room = table->plan_room ? table->plan_room * 2 : 8;
		table->plans = PGM_NEW_ARRAY(arena, struct pgm_upkeep_plan, table->plan_room);
		if (table->plan_count)
			memcpy(table->plans, old, table->plan_count * sizeof(*old));
	}
	struct pgm_upkeep_plan *made = &table->plans[table->plan_count++];
	made->retires = retires;
	made->plan = pgm_plan_of(arena, pgm_conn_database(conn),
				 pgm_sprintf(arena, "%s%s", pgm_upkeep_title(arena, table), what), changes);
}

/* The oids of the tables with these names, as an array's text. */
static bool find_names(struct pgm_conn *conn, struct pgm_arena *arena, const char *const *names, size_t count,
		       const char **oids, struct pgm_error *err)
{
	const char *path = pgm_conn_search_path(conn);
	char *list = pgm_strdup(arena, "{");
	struct pgm_rows rows;
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN", err))
		return false;
	bool ok = pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, true)", 1,
				 &path, &rows, err);
	for (size_t i = 0; ok && i < count; i++) {
		char *oid;
		ok = pgm_conn_value(conn, arena, "SELECT pg_catalog.to_regclass($1)::oid", 1, &names[i], &oid,
				    err);
		if (ok && !oid) {
			ok = pgm_error_set(err, PGM_ERR_USAGE, "there is no table %s", names[i]);
			pgm_error_hint(err, "The last argument is the database, unless -d names it.");
		}
		list = pgm_sprintf(arena, "%s%s%s", list, i ? "," : "", ok ? oid : "");
	}
	pgm_conn_exec_quietly(conn, "ROLLBACK");
	*oids = pgm_sprintf(arena, "%s}", list);
	return ok;
}

static void read_table(struct pgm_arena *arena, const struct pgm_rows *rows, size_t r,
		       struct pgm_upkeep_table *table)
{
	*table = (struct pgm_upkeep_table){
		.oid = pgm_rows_text(rows, r, 0),
		.schema = pgm_rows_text(rows, r, 1),
		.name = pgm_rows_text(rows, r, 2),
		.quoted = pgm_quote_qualified(arena, pgm_rows_text(rows, r, 1), pgm_rows_text(rows, r, 2)),
		.key_count = pgm_rows_int(rows, r, 3),
		.key = pgm_rows_get(rows, r, 4),
		.class = class_of(pgm_rows_text(rows, r, 5)),
		.key_type = pgm_rows_text(rows, r, 6),
		.default_oid = pgm_rows_get(rows, r, 7),
		.default_kind = *pgm_rows_text(rows, r, 10),
		.may_own = pgm_rows_bool(rows, r, 11),
		.owner = pgm_rows_text(rows, r, 12),
		.referenced = pgm_rows_bool(rows, r, 13),
		.by_range = pgm_rows_bool(rows, r, 14),
		.settings = {.premake = -1},
		.cutoff_pos = INT64_MIN,
		.default_rows = -1,
	};
	if (table->default_oid)
		table->default_quoted =
			pgm_quote_qualified(arena, pgm_rows_text(rows, r, 8), pgm_rows_text(rows, r, 9));
}

bool pgm_upkeep_tables(struct pgm_conn *conn, struct pgm_arena *arena, const char *const *names, size_t count,
		       struct pgm_upkeep_table **tables, size_t *table_count, struct pgm_error *err)
{
	const char *oids = NULL;
	struct pgm_rows rows;
	if (count && !find_names(conn, arena, names, count, &oids, err))
		return false;
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_tables.sql"), 1, &oids,
			    &rows, err))
		return pgm_error_context(err, "reading the partitioned tables");
	*tables = PGM_NEW_ARRAY(arena, struct pgm_upkeep_table, rows.count + 1);
	*table_count = rows.count;
	for (size_t r = 0; r < rows.count; r++)
		read_table(arena, &rows, r, &(*tables)[r]);
	if (count && rows.count == 0) {
		pgm_error_set(err, PGM_ERR_USAGE, "%s is not a partitioned table", names[0]);
		return pgm_error_hint(
			err, "To make one of it: pgmend partition TABLE --by COLUMN --interval month");
	}
	return true;
}

static const char *const retire_names[] = {
	[PGM_RETIRE_UNSET] = "",
	[PGM_RETIRE_KEEP] = "keep",
	[PGM_RETIRE_DROP] = "drop",
	[PGM_RETIRE_ARCHIVE] = "archive",
};

enum pgm_retire pgm_upkeep_retire_parse(const char *word)
{
	for (size_t i = 1; i < sizeof(retire_names) / sizeof(*retire_names); i++)
		if (strcmp(retire_names[i], word) == 0)
			return (enum pgm_retire)i;
	return PGM_RETIRE_UNSET;
}

const char *pgm_upkeep_retire_name(enum pgm_retire retire)
{
	return retire_names[retire];
}

#define PREFER(field, unset)        \
	if (from->field != (unset)) \
	to->field = from->field

void pgm_upkeep_prefer(const struct pgm_upkeep_settings *from, struct pgm_upkeep_settings *to)
{
	PREFER(interval, NULL);
	PREFER(retention, NULL);
	PREFER(timezone, NULL);
	PREFER(archive_dir, NULL);
	PREFER(retention_schema, NULL);
	PREFER(now, NULL);
	PREFER(premake, -1);
	PREFER(retire, PGM_RETIRE_UNSET);
	to->fill_gaps |= from->fill_gaps;
	to->fix_default |= from->fix_default;
}

static void complete_settings(const struct pgm_upkeep_settings *given, struct pgm_upkeep_table *table)
{
	pgm_upkeep_prefer(given, &table->settings);
	if (table->settings.premake < 0)
		table->settings.premake = PGM_UPKEEP_PREMAKE;
	if (table->settings.retire == PGM_RETIRE_UNSET)
		table->settings.retire = PGM_RETIRE_KEEP;
	if (table->settings.epoch_units > 0 && table->class == PGM_UPKEEP_INTEGER)
		table->class = PGM_UPKEEP_EPOCH;
}

static bool refuse(struct pgm_arena *arena, const struct pgm_upkeep_table *table, struct pgm_error *err)
{
	if (!table->by_range)
		return pgm_error_set(err, PGM_ERR_STATE, "it is not partitioned by range");
	if (table->key_count != 1 || !table->key)
		return pgm_error_set(err, PGM_ERR_STATE, "it is partitioned by %s: upkeep needs one column",
				     table->key ? "several columns" : "an expression");
	if (table->class == PGM_UPKEEP_OTHER)
		return pgm_error_set(
			err, PGM_ERR_STATE,
			"its key %s is of type %s: upkeep knows date, timestamp, timestamptz and "
			"integers",
			pgm_quote_ident(arena, table->key), table->key_type);
	if (!table->may_own) {
		const char *owner = pgm_quote_ident(arena, table->owner);
		pgm_error_set(err, PGM_ERR_RIGHTS, "it belongs to role %s, and only its owner may do this",
			      owner);
		return pgm_error_hint(err, "Connect as %s, or as a member of that role.", owner);
	}
	return true;
}

static void note_gaps(struct pgm_arena *arena, struct pgm_upkeep_table *table)
{
	for (size_t i = 1; i < table->part_count; i++) {
		const struct pgm_upkeep_part *before = &table->parts[i - 1], *part = &table->parts[i];
		if (before->high_pos < part->low_pos && !table->settings.fill_gaps)
			pgm_upkeep_note(arena, table, true,
					"no partition for %s to %s (between %s and %s): --fill-gaps makes it",
					before->high, part->low, pgm_quote_ident(arena, before->name),
					pgm_quote_ident(arena, part->name));
		if (part->pending)
			pgm_upkeep_note(arena, table, false, "a detach of %s was begun and not ended",
					pgm_quote_ident(arena, part->name));
	}
}

bool pgm_upkeep_design(struct pgm_conn *conn, struct pgm_arena *arena,
		       const struct pgm_upkeep_settings *given, struct pgm_upkeep_table *table,
		       struct pgm_error *err)
{
	struct pgm_upkeep_range *ranges;
	size_t count;
	complete_settings(given, table);
	if (!refuse(arena, table, err) || !pgm_upkeep_look(conn, arena, table, err))
		return false;
	note_gaps(arena, table);
	/* New partitions first: they cannot wait. */
	if (!pgm_upkeep_missing(conn, arena, table, &ranges, &count, err) ||
	    (count && (!pgm_upkeep_names(conn, arena, table, ranges, count, err) ||
		       !pgm_upkeep_plan_new(conn, arena, table, ranges, count, err))))
		return false;
	return pgm_upkeep_plan_retire(conn, arena, table, err);
}
