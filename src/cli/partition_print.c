#include "cli/partition_print.h"

#include "pg/quote.h"
#include "util/format.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <math.h>
#include <string.h>

#define LINE_MAX_CHARS 100

static const char *safe(struct pgm_arena *arena, const char *text)
{
	return pgm_safe_text(arena, text, false);
}

static void heading(FILE *stream, const char *text)
{
	fprintf(stream, "\n%s%s%s\n", pgm_term_on(stream, PGM_BOLD), text, pgm_term_off(stream));
}

/* An item of a list, its lines broken between words. */
static void print_item(struct pgm_arena *arena, FILE *stream, const char *text)
{
	const char *mark = "  - ";
	for (const char *p = safe(arena, text); *p;) {
		size_t length = strlen(p);
		if (length > LINE_MAX_CHARS) {
			length = LINE_MAX_CHARS;
			while (length > 20 && p[length] != ' ')
				length--;
			if (p[length] != ' ')
				length = strcspn(p, " ");
		}
		fprintf(stream, "%s%.*s\n", mark, (int)length, p);
		p += length + strspn(p + length, " ");
		mark = "    ";
	}
}

void pgm_partition_print_list(struct pgm_arena *arena, FILE *stream, const char *title, const char **items,
			      size_t count)
{
	if (count == 0)
		return;
	heading(stream, title);
	for (size_t i = 0; i < count; i++)
		print_item(arena, stream, items[i]);
}

/* For people to copy: as they are, not broken into lines. */
void pgm_partition_print_incoming(struct pgm_arena *arena, const pgm_partition_statements *list, FILE *stream)
{
	const struct pgm_partition_statement *items = list->items;
	for (size_t i = 0; i < list->count; i++) {
		if (items[i].first)
			heading(stream, pgm_sprintf(arena, "Statements for foreign key %s of %s",
						    safe(arena, pgm_quote_ident(arena, items[i].foreign_key)),
						    safe(arena, items[i].table)));
		if (items[i].first || items[i - 1].after != items[i].after)
			fprintf(stream, "  -- %s the conversion\n", items[i].after ? "after" : "before");
		fprintf(stream, "  %s\n", safe(arena, items[i].sql));
	}
	if (list->count)
		fputs("  Set lock_timeout first (SET lock_timeout = '100ms'), and repeat what it stops. Run "
		      "an "
		      "UPDATE of\n  many rows in parts. Between DROP CONSTRAINT and ADD CONSTRAINT nothing "
		      "checks these references.\n",
		      stream);
}

static void print_parts(struct pgm_arena *arena, const struct pgm_partition_design *design, FILE *stream)
{
	const char *zone = design->interval.kind == PGM_KEY_INTEGER
				   ? ""
				   : pgm_sprintf(arena, ", bounds in %s", design->interval.timezone);
	heading(stream,
		pgm_sprintf(arena, "Partitions (%s%s)",
			    design->interval.kind == PGM_KEY_INTEGER
				    ? pgm_sprintf(arena, "%lld keys each", (long long)design->interval.step)
				    : pgm_sprintf(arena, "one a %s", design->interval.unit),
			    zone));
	fprintf(stream, "  %s  below %s: the table of today, no row is copied\n", safe(arena, design->legacy),
		design->cut);
	for (size_t i = 0; i < design->range_count; i++)
		fprintf(stream, "  %s  from %s to %s\n", safe(arena, design->range_names[i]),
			design->ranges[i].from, design->ranges[i].to);
	if (design->range_count)
		fprintf(stream, "  Rows at or above %s are refused until there is a partition for them.\n",
			design->ranges[design->range_count - 1].to);
}

static void print_cost(struct pgm_arena *arena, const struct pgm_plan *plan, FILE *stream)
{
	double bytes = 0, ms = 0;
	for (size_t i = 0; i < plan->change_count; i++) {
		bytes += plan->changes[i].size_bytes > 0 ? (double)plan->changes[i].size_bytes : 0;
		ms += fmax(plan->changes[i].build_ms, 0);
	}
	heading(stream, "What it takes");
	fprintf(stream, "  time   about %s, most of it without a lock that holds up readers or writers\n",
		pgm_format_ms(arena, fmax(ms, 1000)));
	fprintf(stream, "  disk   %s\n",
		bytes > 0 ? pgm_sprintf(arena, "about %s more at the peak", pgm_format_bytes(arena, bytes))
			  : "nothing but empty partitions");
	for (size_t i = 0; i < plan->change_count; i++) {
		const struct pgm_change *change = &plan->changes[i];
		fprintf(stream, "  %2d. %s: %s\n", change->step, safe(arena, change->title), change->lock);
	}
	fputs("  ACCESS EXCLUSIVE is tried for 50 ms, again and again, and held for milliseconds.\n", stream);
}

static void print_table(struct pgm_arena *arena, const struct pgm_partition_design *design, FILE *stream)
{
	const char *by = design->key ? pgm_sprintf(arena, " by ranges of %s",
						   pgm_quote_ident(arena, design->key->name))
				     : "";
	fprintf(stream, "%s%s%s%s: about %s rows, %s", pgm_term_on(stream, PGM_BOLD),
		safe(arena, pgm_quote_qualified(arena, design->schema, design->name)), safe(arena, by),
		pgm_term_off(stream), pgm_format_count(arena, design->rows),
		pgm_format_bytes(arena, (double)design->bytes));
	if (design->index_bytes)
		fprintf(stream, " and %s of indexes", pgm_format_bytes(arena, (double)design->index_bytes));
	fputc('\n', stream);
	if (design->oldest)
		fprintf(stream, "%s is from %s to %s\n", safe(arena, design->key->name), design->oldest,
			design->newest);
}

void pgm_partition_print(struct pgm_arena *arena, const struct pgm_partition_design *design,
			 const struct pgm_plan *plan, const char *path, FILE *stream)
{
	print_table(arena, design, stream);
	pgm_partition_print_list(arena, stream, "It cannot be done", design->refusals.items,
				 design->refusals.count);
	pgm_partition_print_incoming(arena, &design->incoming, stream);
	if (plan->change_count)
		print_parts(arena, design, stream);
	pgm_partition_print_list(arena, stream, "What changes for who uses it", design->changes.items,
				 design->changes.count);
	pgm_partition_print_list(arena, stream, "Worth knowing", design->notes.items, design->notes.count);
	if (plan->change_count == 0)
		return;
	print_cost(arena, plan, stream);
	heading(stream, pgm_sprintf(arena, "Plan %s, %zu steps", plan->id, plan->change_count));
	if (path && strcmp(path, "-") != 0)
		fprintf(stream, "  Written to %s. Review it, then: pgmend apply %s\n", path, path);
	else if (!path)
		fputs("  --out PLAN.sql writes it, for review; --apply carries it out. The way back: pgmend "
		      "rollback.\n",
		      stream);
}

static json_t *text_list(const char **items, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(items[i]) ?: json_null());
	return list;
}

static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;
	return value ? value : json_null();
}

json_t *pgm_partition_incoming_json(const pgm_partition_statements *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->count; i++) {
		const struct pgm_partition_statement *item = &list->items[i];
		json_array_append_new(array, json_pack("{s:o, s:o, s:s, s:o}", "foreign_key",
						       text_or_null(item->foreign_key), "table",
						       text_or_null(item->table), "when",
						       item->after ? "after" : "before", "sql",
						       text_or_null(item->sql)));
	}
	return array;
}

json_t *pgm_partition_json(const struct pgm_partition_design *design, const struct pgm_plan *plan,
			   const char *path)
{
	json_t *parts = json_array();
	for (size_t i = 0; i < design->range_count; i++)
		json_array_append_new(parts, json_pack("{s:o, s:o, s:o}", "name",
						       text_or_null(design->range_names[i]), "from",
						       text_or_null(design->ranges[i].from), "to",
						       text_or_null(design->ranges[i].to)));
	json_t *steps = json_array();
	for (size_t i = 0; i < plan->change_count; i++)
		json_array_append_new(steps, json_pack("{s:i, s:o, s:s}", "step", plan->changes[i].step,
						       "title", text_or_null(plan->changes[i].title), "lock",
						       plan->changes[i].lock));
	json_t *object =
		json_pack("{s:i, s:o, s:o, s:o, s:o, s:f, s:I, s:o, s:o, s:o, s:o}", "version", 1, "schema",
			  text_or_null(design->schema), "table", text_or_null(design->name), "key",
			  text_or_null(design->key ? design->key->name : NULL), "timezone",
			  text_or_null(design->interval.timezone), "rows", design->rows, "size_bytes",
			  (json_int_t)design->bytes, "oldest", text_or_null(design->oldest), "newest",
			  text_or_null(design->newest), "cut", text_or_null(design->cut), "legacy",
			  text_or_null(design->legacy));
	json_object_set_new(object, "partitions", parts);
	json_object_set_new(object, "refusals", text_list(design->refusals.items, design->refusals.count));
	json_object_set_new(object, "incoming", pgm_partition_incoming_json(&design->incoming));
	json_object_set_new(object, "changes", text_list(design->changes.items, design->changes.count));
	json_object_set_new(object, "notes", text_list(design->notes.items, design->notes.count));
	json_object_set_new(object, "steps", steps);
	json_object_set_new(object, "plan", plan->change_count ? json_string(plan->id) : json_null());
	json_object_set_new(object, "plan_file", text_or_null(path));
	return object;
}
