#include "partition/upkeep_parts.h"

#include "change/archive.h"
#include "pg/quote.h"
#include "util/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORD_MAX 64 /* bytes of a name in a file's name */

static void add_detach(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		       const struct pgm_upkeep_part *part, pgm_changes *changes)
{
	const char *name = pgm_quote_qualified(arena, part->schema, part->name);
	/* A DEFAULT partition, and PostgreSQL 13, leave only the short but strong lock. */
	bool concurrently = pgm_conn_version(conn) >= 140000 && !table->default_oid;
	const char *how = part->pending ? " FINALIZE" : concurrently ? " CONCURRENTLY" : "";
	const char *low = part->low ? pgm_quote_literal(arena, part->low) : "MINVALUE";
	const char *high = part->high ? pgm_quote_literal(arena, part->high) : "MAXVALUE";
	struct pgm_change *change = pgm_change_add(
		arena, changes, table->schema, table->name, pgm_sprintf(arena, "detach %s", name),
		concurrently ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE");
	change->kind = PGM_CHANGE_DETACH;
	change->transactional = false;
	change->oid = part->oid;
	change->sql_up =
		pgm_sprintf(arena, "ALTER TABLE %s DETACH PARTITION %s%s;\n", table->quoted, name, how);
	change->sql_down =
		pgm_sprintf(arena, "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s);\n",
			    table->quoted, name, low, high);
}

static void add_drop(struct pgm_arena *arena, const struct pgm_upkeep_part *part, const char *file,
		     pgm_changes *changes)
{
	const char *name = pgm_quote_qualified(arena, part->schema, part->name);
	struct pgm_change *change = pgm_change_add(arena, changes, part->schema, part->name,
						   file ? pgm_sprintf(arena, "archive %s, then drop it", name)
							: pgm_sprintf(arena, "drop %s", name),
						   "ACCESS EXCLUSIVE");
	change->kind = PGM_CHANGE_DROP_TABLE;
	change->oid = part->oid;
	change->file = file;
	change->sql_up = pgm_sprintf(arena, "DROP TABLE %s;\n", name);
}

static void add_move(struct pgm_arena *arena, const struct pgm_upkeep_part *part, const char *schema,
		     pgm_changes *changes)
{
	const char *from = pgm_quote_qualified(arena, part->schema, part->name);
	const char *to = pgm_quote_qualified(arena, schema, part->name);
	struct pgm_change *change = pgm_change_add(
		arena, changes, part->schema, part->name,
		pgm_sprintf(arena, "move %s to schema %s", from, pgm_quote_ident(arena, schema)),
		"ACCESS EXCLUSIVE");
	change->sql_up =
		pgm_sprintf(arena, "ALTER TABLE %s SET SCHEMA %s;\n", from, pgm_quote_ident(arena, schema));
	change->sql_down = pgm_sprintf(arena, "ALTER TABLE %s SET SCHEMA %s;\n", to,
				       pgm_quote_ident(arena, part->schema));
}

/* What a file's name takes as it is; at most a limit of it, so that the whole fits. */
static const char *file_word(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf word;
	pgm_buf_init(&word, arena);
	for (const char *p = text; *p && word.length < WORD_MAX; p++) {
		unsigned char c = (unsigned char)*p;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     c == '_' || c == '-';
		if (plain)
			pgm_buf_char(&word, (char)c);
		else
			pgm_buf_printf(&word, "%%%02X", c);
	}
	return word.text;
}

/* DIR/database.schema.partition.TIME.copy.gz: with the time, so that a partition can be archived twice. */
static bool archive_file(struct pgm_conn *conn, struct pgm_arena *arena,
			 const struct pgm_upkeep_settings *settings, const struct pgm_upkeep_part *part,
			 const char **file, struct pgm_error *err)
{
	char now[32];
	char *folder;
	time_t seconds = time(NULL);
	struct tm utc;
	if (!settings->archive_dir)
		return pgm_error_set(err, PGM_ERR_USAGE, "to archive needs --archive-dir");
	folder = realpath(settings->archive_dir, NULL);
	if (!folder) {
		pgm_error_set(err, PGM_ERR_USAGE, "--archive-dir: %s: %s", settings->archive_dir,
			      strerror(errno));
		return pgm_error_hint(err, "It is to be a folder on this machine.");
	}
	strftime(now, sizeof(now), "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &utc));
	*file = pgm_sprintf(arena, "%s/%s.%s.%s.%s" PGM_ARCHIVE_SUFFIX, folder,
			    file_word(arena, pgm_conn_database(conn)), file_word(arena, part->schema),
			    file_word(arena, part->name), now);
	free(folder);
	return true;
}

static bool retire(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		   const struct pgm_upkeep_part *part, bool old, struct pgm_error *err)
{
	const struct pgm_upkeep_settings *settings = &table->settings;
	pgm_changes changes = {0};
	const char *name = pgm_quote_ident(arena, part->name);
	bool drops = old && settings->retire != PGM_RETIRE_KEEP;
	bool moves = old && !drops && settings->retention_schema;
	if (drops && part->kind == 'f') {
		pgm_upkeep_note(arena, table, true, "%s is a foreign table: it is not dropped here", name);
		drops = false;
	}
	const char *file = NULL;
	if (drops && settings->retire == PGM_RETIRE_ARCHIVE &&
	    !archive_file(conn, arena, settings, part, &file, err))
		return false;
	const char *what = pgm_sprintf(arena, "%s %s", old ? "retire" : "end the detach of", name);
	add_detach(conn, arena, table, part, &changes);
	if (drops)
		add_drop(arena, part, file, &changes);
	else if (moves)
		add_move(arena, part, settings->retention_schema, &changes);
	pgm_upkeep_add_plan(conn, arena, table, what, &changes, true);
	return true;
}

/* The oldest first. A detach that someone began is ended whatever its age: until then no other can begin. */
bool pgm_upkeep_plan_retire(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			    struct pgm_error *err)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < table->part_count; i++) {
			const struct pgm_upkeep_part *part = &table->parts[i];
			bool old = part->high && part->high_pos <= table->cutoff_pos;
			if (part->pending != (pass == 0) || (!old && !part->pending))
				continue;
			if (!retire(conn, arena, table, part, old, err))
				return false;
		}
	return true;
}
