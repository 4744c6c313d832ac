#include "cli/partition_split_print.h"

#include "cli/partition_print.h"
#include "pg/quote.h"
#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <string.h>

static const char *safe(struct pgm_arena *arena, const char *text)
{
	return pgm_safe_text(arena, text, false);
}

static void heading(FILE *stream, const char *text)
{
	fprintf(stream, "\n%s%s%s\n", pgm_term_on(stream, PGM_BOLD), text, pgm_term_off(stream));
}

static void print_pieces(struct pgm_arena *arena, const struct pgm_split *split, FILE *stream)
{
	heading(stream, pgm_sprintf(arena, "Partition %s becomes %zu",
				    safe(arena, pgm_quote_ident(arena, split->old_name)), split->count));
	for (size_t i = 0; i < split->count; i++)
		fprintf(stream, "  %s  %s%s below %s\n", safe(arena, split->names[i]),
			split->ranges[i].from ? "from " : "",
			split->ranges[i].from ? split->ranges[i].from : "all", split->ranges[i].to);
	fprintf(stream,
		"\n  About %s rows (%s) are copied while the table is in use; disk for the copy and its "
		"indexes\n"
		"  besides. %s stays as a table of its own, and a rollback loses nothing of what was\n"
		"  written since, until \"pgmend partition %s --finish\" drops it.\n",
		pgm_format_count(arena, split->rows), pgm_format_bytes(arena, (double)split->bytes),
		safe(arena, pgm_quote_ident(arena, split->old_name)),
		safe(arena, pgm_quote_qualified(arena, split->schema, split->name)));
}

void pgm_partition_print_split(struct pgm_arena *arena, const struct pgm_split *split,
			       const struct pgm_plan *plan, const char *path, FILE *stream)
{
	fprintf(stream, "%s%s by ranges of %s%s\n", pgm_term_on(stream, PGM_BOLD),
		safe(arena, pgm_quote_qualified(arena, split->schema, split->name)),
		safe(arena, pgm_quote_ident(arena, split->key)), pgm_term_off(stream));
	pgm_partition_print_list(arena, stream, "It cannot be split", split->refusals.items,
				 split->refusals.count);
	pgm_partition_print_incoming(arena, &split->incoming, stream);
	if (plan->change_count)
		print_pieces(arena, split, stream);
	pgm_partition_print_list(arena, stream, "Worth knowing", split->notes.items, split->notes.count);
	if (plan->change_count == 0)
		return;
	heading(stream, pgm_sprintf(arena, "Plan %s, %zu steps", plan->id, plan->change_count));
	for (size_t i = 0; i < plan->change_count; i++)
		fprintf(stream, "  %2d. %s: %s\n", plan->changes[i].step, safe(arena, plan->changes[i].title),
			plan->changes[i].lock);
	if (path && strcmp(path, "-") != 0)
		fprintf(stream, "  Written to %s. Review it, then: pgmend apply %s\n", path, path);
	else if (!path)
		fputs("  --out PLAN.sql writes it for review, --apply carries it out.\n", stream);
}

static json_t *list(const char *const *items, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}

json_t *pgm_partition_split_json(const struct pgm_split *split, const struct pgm_plan *plan, const char *path)
{
	json_t *pieces = json_array();
	for (size_t i = 0; i < split->count && plan->change_count; i++)
		json_array_append_new(pieces, json_pack("{s:s, s:s?, s:s?}", "name", split->names[i], "from",
							split->ranges[i].from, "to", split->ranges[i].to));
	return json_pack("{s:i, s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:s?, s:s?}", "version", 1,
			 "method", "split", "schema", split->schema, "table", split->name, "partition",
			 split->old_name, "key", split->key, "partitions", pieces, "refusals",
			 list(split->refusals.items, split->refusals.count), "incoming",
			 pgm_partition_incoming_json(&split->incoming), "notes",
			 list(split->notes.items, split->notes.count), "plan",
			 plan->change_count ? plan->id : NULL, "path", path);
}
