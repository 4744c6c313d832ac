#include "cli/purge_print.h"

#include "util/safe_text.h"
#include "util/term.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct printer {
	struct pgm_arena *arena;
	const struct pgm_purge *purge;
	struct pgm_table *table;
	bool *shown;
};

static double bytes_of(double rows, double tuples, double pages)
{
	if (tuples <= 0)
		return rows > 0 ? pages * 8192 : 0;
	return fmin(fmax(rows, 0) / tuples, 1) * pages * 8192;
}

static const char *count_text(struct pgm_arena *arena, double rows, bool estimated)
{
	return rows < 0
		       ? "?"
		       : pgm_sprintf(arena, "%s%s", estimated ? "about " : "", pgm_format_count(arena, rows));
}

static const char *meaning(const struct pgm_purge_key *key)
{
	switch (key->action) {
	case 'c':
		return "they go";
	case 'n':
		return key->set_problem ? "must be none" : "they stay, their reference becomes NULL";
	default:
		return "must be none";
	}
}

static void print_key(struct printer *printer, const struct pgm_purge_key *key, int depth);

static void print_children(struct printer *printer, const struct pgm_purge_table *table, int depth)
{
	for (size_t i = 0; i < table->key_count; i++)
		print_key(printer, table->keys[i], depth);
}

static void print_key(struct printer *printer, const struct pgm_purge_key *key, int depth)
{
	struct pgm_arena *arena = printer->arena;
	const struct pgm_purge_table *child = key->child;
	bool self = child == key->parent;
	bool again = child && (self || printer->shown[child - printer->purge->tables]);
	double rows = child && !self && child->up_count == 1 ? child->rows : key->rows;
	bool estimated = child && child->up_count == 1 ? child->rows_estimated : key->rows_estimated;
	double bytes = bytes_of(rows, key->tuples, key->pages + key->index_pages);
	const char *const cells[] = {
		pgm_sprintf(arena, "%*s%s%s", depth * 2, "", pgm_safe_text(arena, key->child_quoted, false),
			    self    ? " (rows below)"
			    : again ? " (as above)"
				    : ""),
		count_text(arena, rows, estimated),
		rows < 0 ? "" : pgm_format_bytes(arena, bytes),
		pgm_sprintf(arena, "ON DELETE %s", pgm_purge_action_name(key->action)),
		key->indexed ? "yes" : "MISSING",
		meaning(key),
	};
	pgm_table_row(printer->table, cells);
	if (!child || again)
		return;
	printer->shown[child - printer->purge->tables] = true;
	print_children(printer, child, depth + 1);
}

static void print_tree(const struct pgm_cli *cli, const struct pgm_purge *purge)
{
	static const char *const headers[] = {"table",	     "rows",  "size",
					      "foreign key", "index", "rows that refer"};
	const struct pgm_purge_table *root = &purge->tables[0];
	struct pgm_arena *arena = cli->arena;
	struct printer printer = {.arena = arena,
				  .purge = purge,
				  .table = pgm_table_new(arena, "lrrlll", headers),
				  .shown = PGM_NEW_ARRAY(arena, bool, purge->table_count)};
	const char *const cells[] = {
		pgm_safe_text(arena, root->quoted, false),
		count_text(arena, root->rows, root->rows_estimated),
		pgm_format_bytes(arena, bytes_of(root->rows, root->tuples, root->pages + root->index_pages)),
		"",
		"",
		"",
	};
	printer.shown[0] = true;
	pgm_table_row(printer.table, cells);
	print_children(&printer, root, 1);
	pgm_table_print(printer.table, stdout);
}

static void print_forecast(const struct pgm_cli *cli, const struct pgm_purge *purge)
{
	struct pgm_arena *arena = cli->arena;
	printf("\nIn all %s rows, %s. About %s, and %s of WAL.", pgm_format_count(arena, purge->rows),
	       pgm_format_bytes(arena, purge->bytes), pgm_format_ms(arena, purge->time_ms),
	       pgm_format_bytes(arena, purge->wal_bytes));
	printf(" One plain DELETE: about %s.\n", pgm_format_ms(arena, purge->plain_ms));
	if (!purge->missing_count)
		return;
	printf("%zu foreign key%s %s no index: each deleted parent reads all of the child. ",
	       purge->missing_count, purge->missing_count == 1 ? "" : "s",
	       purge->missing_count == 1 ? "has" : "have");
	if (purge->options->build_index)
		printf("Building %s first takes about %s.\n", purge->missing_count == 1 ? "it" : "them",
		       pgm_format_ms(arena, purge->index_ms));
	else if (purge->index_pays)
		printf("It pays to build %s first, in about %s: --build-index\n",
		       purge->missing_count == 1 ? "it" : "them", pgm_format_ms(arena, purge->index_ms));
	else
		printf("For so few rows that is as fast as building one.\n");
}

void pgm_purge_print(const struct pgm_cli *cli, const struct pgm_purge *purge)
{
	struct pgm_arena *arena = cli->arena;
	print_tree(cli, purge);
	print_forecast(cli, purge);
	for (size_t i = 0; i < purge->note_count; i++)
		printf("%sNote:%s %s.\n", pgm_term_on(stdout, PGM_YELLOW), pgm_term_off(stdout),
		       pgm_safe_text(arena, purge->notes[i], false));
	for (size_t i = 0; i < purge->problem_count; i++)
		printf("%sNot in batches:%s %s.\n", pgm_term_on(stdout, PGM_RED), pgm_term_off(stdout),
		       pgm_safe_text(arena, purge->problems[i], false));
	if (purge->problem_count)
		printf("\n--atomic does it in one transaction, as DELETE does. Nothing was changed.\n");
	else if (purge->options->atomic)
		printf("\nOne transaction (--atomic). Nothing was changed; --apply deletes.\n");
	else
		printf("\nIn batches of about 100 ms, children first: not atomic as a whole. Nothing was "
		       "changed; "
		       "--apply deletes.\n");
}

static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;
	return value ? value : json_null();
}

static json_t *number_or_null(double value)
{
	return value >= 0 ? json_real(value) : json_null();
}

static json_t *texts(const char **items, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, text_or_null(items[i]));
	return list;
}

void pgm_purge_print_json(const struct pgm_cli *cli, const struct pgm_purge *purge)
{
	(void)cli;
	json_t *tables = json_array(), *keys = json_array();
	for (size_t i = 0; i < purge->table_count; i++) {
		const struct pgm_purge_table *table = &purge->tables[i];
		json_array_append_new(
			tables,
			json_pack("{s:o, s:o, s:b, s:f}", "table", text_or_null(table->quoted), "rows",
				  number_or_null(table->rows), "estimated", table->rows_estimated, "bytes",
				  bytes_of(table->rows, table->tuples, table->pages + table->index_pages)));
	}
	for (size_t i = 0; i < purge->key_count; i++) {
		const struct pgm_purge_key *key = &purge->keys[i];
		json_array_append_new(keys, json_pack("{s:o, s:o, s:o, s:s, s:b, s:o}", "name",
						      text_or_null(key->name), "child",
						      text_or_null(key->child_quoted), "parent",
						      text_or_null(key->parent->quoted), "on_delete",
						      pgm_purge_action_name(key->action), "indexed",
						      key->indexed, "rows", number_or_null(key->rows)));
	}
	json_t *object =
		json_pack("{s:i, s:b, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:o, s:o}", "version", 1,
			  "dry_run", true, "tables", tables, "foreign_keys", keys, "rows", purge->rows,
			  "bytes", purge->bytes, "wal_bytes", purge->wal_bytes, "time_ms", purge->time_ms,
			  "plain_delete_ms", purge->plain_ms, "index_ms", purge->index_ms, "index_pays",
			  purge->index_pays, "notes", texts(purge->notes, purge->note_count), "problems",
			  texts(purge->problems, purge->problem_count));
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}
