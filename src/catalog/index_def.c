#include "catalog/index_def.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void put_key(struct pgm_buf *buf, const struct pgm_index_key *key, bool ordered)
{
	if (key->column)
		pgm_buf_add(buf, pgm_quote_ident(buf->arena, key->column->name));
	else
		pgm_buf_printf(buf, "(%s)", key->expression);
	if (key->opclass)
		pgm_buf_printf(buf, " %s", key->opclass);
	if (!ordered)
		return;
	if (key->descending)
		pgm_buf_add(buf, " DESC");
	if (key->nulls_first != key->descending)
		pgm_buf_add(buf, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

char *pgm_index_def_body(struct pgm_arena *arena, const struct pgm_index_def *def)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	bool btree = strcmp(def->method, "btree") == 0;
	if (!btree)
		pgm_buf_printf(&buf, "USING %s ", def->method);
	for (size_t i = 0; i < def->key_count; i++) {
		pgm_buf_add(&buf, i ? ", " : "(");
		put_key(&buf, &def->keys[i], btree);
	}
	pgm_buf_char(&buf, ')');
	for (size_t i = 0; i < def->include_count; i++) {
		pgm_buf_add(&buf, i ? ", " : " INCLUDE (");
		pgm_buf_add(&buf, pgm_quote_ident(arena, def->include[i]->name));
	}
	if (def->include_count)
		pgm_buf_char(&buf, ')');
	if (def->predicate)
		pgm_buf_printf(&buf, " WHERE %s", def->predicate);
	return buf.text;
}

char *pgm_index_def_create(struct pgm_arena *arena, const struct pgm_index_def *def, const char *name,
			   bool concurrently)
{
	return pgm_sprintf(arena, "CREATE %sINDEX %s%s%sON %s %s", def->unique ? "UNIQUE " : "",
			   concurrently ? "CONCURRENTLY " : "", name ? pgm_quote_ident(arena, name) : "",
			   name ? " " : "", pgm_quote_qualified(arena, def->table->schema, def->table->name),
			   pgm_index_def_body(arena, def));
}

static bool name_exists(const struct pgm_catalog *catalog, const struct pgm_table *table, const char *name)
{
	if (pgm_catalog_table(catalog, table->schema, name))
		return true;
	for (size_t i = 0; i < catalog->index_count; i++)
		if (strcmp(catalog->indexes[i].name, name) == 0 &&
		    strcmp(catalog->indexes[i].table->schema, table->schema) == 0)
			return true;
	return false;
}

/* What names an expression in an index's name: its letters, as far as they are plain. */
static void put_expression_name(struct pgm_buf *buf, const char *expression)
{
	size_t used = 0;
	bool gap = true;
	for (const char *p = expression; *p && used < 20; p++) {
		if (isalnum((unsigned char)*p)) {
			pgm_buf_char(buf, (char)tolower((unsigned char)*p));
			gap = false;
			used++;
		} else if (!gap) {
			pgm_buf_char(buf, '_');
			gap = true;
		}
	}
	if (gap && used)
		buf->text[--buf->length] = '\0';
	if (!used)
		pgm_buf_add(buf, "expr");
}

char *pgm_index_def_name(struct pgm_arena *arena, const struct pgm_index_def *def,
			 const struct pgm_catalog *catalog, struct pgm_map *taken)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, def->table->name);
	for (size_t i = 0; i < def->key_count; i++) {
		pgm_buf_char(&buf, '_');
		if (def->keys[i].column)
			pgm_buf_add(&buf, def->keys[i].column->name);
		else
			put_expression_name(&buf, def->keys[i].expression);
	}
	for (int number = 0;; number++) {
		char suffix[16] = "_idx";
		if (number)
			snprintf(suffix, sizeof(suffix), "_idx%d", number);
		char *stem = pgm_quote_truncate(arena, buf.text, PGM_NAME_MAX - strlen(suffix));
		char *name = pgm_sprintf(arena, "%s%s", stem, suffix);
		char *key = pgm_sprintf(arena, "%s\001%s", def->table->schema, name);
		if (pgm_map_get(taken, key) || name_exists(catalog, def->table, name))
			continue;
		pgm_map_set(taken, key, key);
		return name;
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_key(const struct pgm_index_key *a, const struct pgm_index_key *b, bool reversed)
{
	return a->column == b->column && same_text(a->expression, b->expression) &&
	       same_text(a->opclass, b->opclass) && (a->descending != b->descending) == reversed &&
	       (a->nulls_first != b->nulls_first) == reversed;
}

bool pgm_index_def_equal(const struct pgm_index_def *a, const struct pgm_index_def *b)
{
	if (a->table != b->table || a->key_count != b->key_count || a->include_count != b->include_count ||
	    strcmp(a->method, b->method) != 0 || !same_text(a->predicate, b->predicate))
		return false;
	for (size_t i = 0; i < a->key_count; i++)
		if (!same_key(&a->keys[i], &b->keys[i], false))
			return false;
	for (size_t i = 0; i < a->include_count; i++)
		if (a->include[i] != b->include[i])
			return false;
	return true;
}

bool pgm_index_def_has_column(const struct pgm_index_def *def, const struct pgm_column *column)
{
	for (size_t i = 0; i < def->key_count; i++)
		if (def->keys[i].column == column)
			return true;
	for (size_t i = 0; i < def->include_count; i++)
		if (def->include[i] == column)
			return true;
	return false;
}

static bool prefix_of(const struct pgm_index_def *a, const struct pgm_index_def *b, bool reversed)
{
	for (size_t i = 0; i < a->key_count; i++)
		if (!same_key(&a->keys[i], &b->keys[i], reversed))
			return false;
	return true;
}

bool pgm_index_def_covers(const struct pgm_index_def *b, const struct pgm_index_def *a)
{
	if (a->table != b->table || strcmp(a->method, b->method) != 0 ||
	    !same_text(a->predicate, b->predicate))
		return false;
	if (strcmp(a->method, "btree") != 0)
		return pgm_index_def_equal(a, b);
	if (a->key_count > b->key_count || (!prefix_of(a, b, false) && !prefix_of(a, b, true)))
		return false;
	for (size_t i = 0; i < a->include_count; i++)
		if (!pgm_index_def_has_column(b, a->include[i]))
			return false;
	return true;
}

bool pgm_index_def_of(const struct pgm_index *index, struct pgm_index_def *def)
{
	*def = (struct pgm_index_def){.table = (struct pgm_table *)index->table,
				      .method = index->method,
				      .unique = index->unique,
				      .predicate = index->predicate,
				      .predicate_share = 1};
	if (index->expressions || index->column_count - index->key_count > PGM_INDEX_INCLUDE_MAX ||
	    index->key_count > PGM_INDEX_KEYS_MAX)
		return false;
	for (size_t i = 0; i < index->column_count; i++) {
		const struct pgm_column *column = pgm_table_column_by_attnum(index->table, index->attnums[i]);
		if (!column)
			return false;
		if (i >= index->key_count) {
			def->include[def->include_count++] = column;
			continue;
		}
		/* An index in another collation serves neither the column's comparisons nor its order. */
		if (index->collations[i] != column->collation)
			return false;
		def->keys[def->key_count++] = (struct pgm_index_key){
			.column = column,
			.descending = index->options[i] & 1,
			.nulls_first = index->options[i] & 2,
			.opclass = index->opclasses[i],
		};
	}
	return true;
}
