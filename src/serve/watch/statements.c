/*
 * Statements from pg_stat_statements. Counters are read without texts; a text is asked for once, and only
 * when there is a number whose text is not known. Ours are left out.
 */
#include "serve/watch/parts.h"

#include "pg/quote.h"
#include "util/clock.h"
#include "util/embedded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN "<insufficient privilege>"

/* ---- texts ---- */

/* A new collection where the old one is full; snapshots keep the one that their texts are in. */
static struct pgm_texts *texts_of(struct pgm_look *look)
{
	if (look->texts && look->texts->bytes < PGM_LOOK_TEXTS_MAX)
		return look->texts;
	if (look->texts)
		pgm_part_release(&look->texts->part);
	look->texts = pgm_part_new(sizeof(*look->texts));
	pgm_map_init(&look->texts->map, look->texts->part.arena);
	look->texts_next_ms = 0;
	return look->texts;
}

static void keep_text(struct pgm_texts *texts, const char *id, const char *text)
{
	struct pgm_arena *arena = texts->part.arena;
	bool ours = strstr(text, PGM_CONN_MARKER) || strcmp(text, HIDDEN) == 0;
	char *copy = pgm_strdup(arena, ours ? "" : text);
	pgm_map_set(&texts->map, pgm_strdup(arena, id), copy);
	texts->bytes += strlen(copy) + strlen(id) + 64;
}

/* The texts of what is in rows and not yet known. A failure is not the look's: they come with the next. */
static void learn_texts(struct pgm_look *look, struct pgm_arena *arena, const struct pgm_rows *rows)
{
	struct pgm_texts *texts = texts_of(look);
	struct pgm_buf list;
	struct pgm_rows found;
	struct pgm_error err;
	bool any = false;
	double began = pgm_clock_ms();
	if (began < look->texts_next_ms)
		return;
	pgm_quote_array_begin(&list, arena);
	for (size_t r = 0; r < rows->count; r++) {
		const char *id = pgm_rows_get(rows, r, 0);
		if (!id || pgm_map_get(&texts->map, id))
			continue;
		any = true;
		pgm_quote_array_add(&list, id);
	}
	const char *params[] = {look->database_oid, pgm_quote_array_end(&list)};
	char *sql = pgm_sprintf(arena, pgm_embedded_text("serve/watch/sql/statement_texts.sql"),
				look->statements_schema);
	if (!any)
		return;
	bool ok = pgm_look_query(look, arena, sql, 2, params, &found, &err);
	double took = pgm_clock_ms() - began;
	/* the server reads the whole file of texts for this, however few are wanted */
	look->texts_next_ms = pgm_clock_ms() + took / PGM_LOOK_SHARE * (ok ? 1 : 2);
	for (size_t r = 0; ok && r < found.count; r++)
		keep_text(texts, pgm_rows_text(&found, r, 0), pgm_rows_text(&found, r, 1));
}

/* ---- rows ---- */

static const struct {
	const char *column;
	size_t offset;
} figures[] = {
	{"calls", offsetof(struct pgm_statement_row, calls)},
	{"rows", offsetof(struct pgm_statement_row, rows)},
	{"total_ms", offsetof(struct pgm_statement_row, total_ms)},
	{"hit_blocks", offsetof(struct pgm_statement_row, hit_blocks)},
	{"read_blocks", offsetof(struct pgm_statement_row, read_blocks)},
	{"temp_blocks", offsetof(struct pgm_statement_row, temp_blocks)},
	{"read_ms", offsetof(struct pgm_statement_row, read_ms)},
	{"write_ms", offsetof(struct pgm_statement_row, write_ms)},
};
#define FIGURES (sizeof(figures) / sizeof(*figures))

static void read_rows(struct pgm_look *look, const struct pgm_rows *rows, struct pgm_statements_part *made)
{
	struct pgm_arena *arena = made->part.arena;
	struct pgm_statements *statements = &made->statements;
	struct pgm_statement_row *list = PGM_NEW_ARRAY(arena, struct pgm_statement_row, rows->count + 1);
	size_t columns[FIGURES], user = pgm_rows_column(rows, "username");
	for (size_t f = 0; f < FIGURES; f++)
		columns[f] = pgm_rows_column(rows, figures[f].column);
	bool unknown = false;
	for (size_t r = 0; r < rows->count; r++) {
		const char *id = pgm_rows_get(rows, r, 0);
		const char *text = id ? pgm_map_get(&look->texts->map, id) : NULL;
		unknown |= id && !text;
		if (!text || !*text) /* ours, or not known yet */
			continue;
		struct pgm_statement_row *row = &list[statements->count++];
		row->id = (uint64_t)strtoll(id, NULL, 10);
		row->text = text;
		row->user = pgm_strdup(arena, pgm_rows_text(rows, r, user));
		for (size_t f = 0; f < FIGURES; f++)
			*(double *)((char *)row + figures[f].offset) = pgm_rows_double(rows, r, columns[f]);
	}
	statements->rows = list;
	/* what is left out may have been there for long: nobody is to take it for new */
	statements->cut = unknown || rows->count > PGM_LOOK_STATEMENTS_MAX;
}

/* ---- samples ---- */

static int by_id(const void *a, const void *b)
{
	const struct pgm_statement_row *const *x = a, *const *y = b;
	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static const struct pgm_statement_row **sorted(const struct pgm_statements *statements)
{
	const struct pgm_statement_row **list = calloc(statements->count + 1, sizeof(*list));
	if (!list)
		abort();
	for (size_t i = 0; i < statements->count; i++)
		list[i] = &statements->rows[i];
	if (statements->count)
		qsort(list, statements->count, sizeof(*list), by_id);
	return list;
}

/*
 * What all statements grew by. A statement that was thrown away and came back begins at nothing, so the sums
 * of counters would fall now and then; what they grew by never does. Returns whether some counter fell.
 */
static bool grow_sums(struct pgm_look *look, const struct pgm_statements *now,
		      const struct pgm_statements *before)
{
	const struct pgm_statement_row **old = sorted(before);
	bool fell = false;
	for (size_t i = 0; i < now->count; i++) {
		const struct pgm_statement_row *row = &now->rows[i], *found = NULL, *key = row;
		static const struct pgm_statement_row nothing;
		const struct pgm_statement_row **at =
			before->count ? bsearch(&key, old, before->count, sizeof(*old), by_id) : NULL;
		if (!at && before->cut)
			continue;
		found = at ? *at : &nothing;
		if (row->calls < found->calls) {
			fell = true;
			found = &nothing;
		}
		look->sum_calls += row->calls - found->calls;
		look->sum_rows += row->rows > found->rows ? row->rows - found->rows : 0;
		look->sum_seconds +=
			row->total_ms > found->total_ms ? (row->total_ms - found->total_ms) / 1000 : 0;
	}
	free(old);
	return fell || now->count < before->count / 2; /* or most of them are gone */
}

static void add_row(struct pgm_samples_builder *builder, const char *database,
		    const struct pgm_statement_row *row)
{
	char id[24];
	const char *labels[] = {database, id};
	snprintf(id, sizeof(id), "%" PRId64, (int64_t)row->id);
	pgm_samples_add_named(builder, "pg_stat_statements_calls_total", labels, row->calls);
	pgm_samples_add_named(builder, "pg_stat_statements_seconds_total", labels, row->total_ms / 1000);
	pgm_samples_add_named(builder, "pg_stat_statements_rows_total", labels, row->rows);
	pgm_samples_add_named(builder, "pg_stat_statements_block_read_seconds_total", labels,
			      row->read_ms / 1000);
	pgm_samples_add_named(builder, "pg_stat_statements_block_write_seconds_total", labels,
			      row->write_ms / 1000);
}

/* Of look->statements, and of what it grew by since look->statements_before. */
static void add_samples(struct pgm_look *look, struct pgm_arena *arena)
{
	const struct pgm_statements *now = &look->statements->statements;
	struct pgm_samples_builder builder;
	if (look->statements_before && grow_sums(look, now, &look->statements_before->statements))
		look->statements_fell = true;
	pgm_samples_begin(&builder, PGM_COLLECT_STATEMENTS);
	pgm_samples_add_named(&builder, "pgmend_statements_calls_total", NULL, look->sum_calls);
	pgm_samples_add_named(&builder, "pgmend_statements_seconds_total", NULL, look->sum_seconds);
	pgm_samples_add_named(&builder, "pgmend_statements_rows_total", NULL, look->sum_rows);
	struct pgm_top_item *items = PGM_NEW_ARRAY(arena, struct pgm_top_item, now->count + 1);
	size_t *ranked = PGM_NEW_ARRAY(arena, size_t, look->options->top_statements + 1);
	for (size_t i = 0; i < now->count; i++)
		items[i] = (struct pgm_top_item){.id = now->rows[i].id, .counter = now->rows[i].total_ms};
	size_t count = pgm_top_choose(look->top_statements, items, now->count, ranked);
	for (size_t i = 0; i < count; i++)
		add_row(&builder, look->database, &now->rows[ranked[i]]);
	pgm_look_take(look, pgm_samples_end(&builder));
}

/* ---- both ---- */

bool pgm_look_statements(struct pgm_look *look, const char *file, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_rows rows;
	char *sql = pgm_sprintf(arena, pgm_embedded_text(file), look->statements_schema);
	const char *params[] = {look->database_oid, pgm_sprintf(arena, "%d", PGM_LOOK_STATEMENTS_MAX + 1)};
	if (!pgm_look_query(look, arena, sql, 2, params, &rows, err))
		return false;
	learn_texts(look, arena, &rows);
	if (look->lost)
		return pgm_error_set(err, PGM_ERR_CONNECT, "the session was lost");
	struct pgm_statements_part *made = pgm_part_new(sizeof(*made));
	made->part.base = pgm_part_keep(&look->texts->part);
	read_rows(look, &rows, made);
	made->statements.wall_ms = look->wall_ms;
	made->statements.mono_ms = pgm_clock_ms();
	made->statements.since_ms = (int64_t)(1000 * look->statements_since_s);
	if (look->statements_before)
		pgm_part_release(&look->statements_before->part);
	look->statements_before = look->statements;
	look->statements = made;
	look->fresh_statements = true;
	add_samples(look, arena);
	return true;
}
