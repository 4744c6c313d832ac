/*
 * Values for the parameters of statements whose source (pg_stat_statements) keeps none: drawn from column
 * statistics, so that the planner sees what the application probably asks for.
 */
#include "advise/query.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define SAMPLE_PAGES	50.0
#define USUAL_PAGE_ROWS 20.0

/* A typical value, as text, or NULL: nth (0, 1, ...) gives different ones where there are. */
static const char *typical_value(const struct pgm_column *column, size_t nth)
{
	/* With a histogram most values are rare: one of its bounds is typical. Else the middle common one. */
	size_t count = column->histogram_count;
	if (count > 2)
		return column->histogram[(count / 2 + nth * (count / 7 + 1)) % count];
	if (column->common_count)
		return column->common_values[(column->common_count / 2 + nth) % column->common_count];
	return count ? column->histogram[nth % count] : NULL;
}

static const char *quantile(const struct pgm_column *column, double share)
{
	size_t count = column->histogram_count;
	if (count > 1)
		return column->histogram[(size_t)lround(share * (double)(count - 1))];
	return typical_value(column, 0);
}

struct filler {
	struct pgm_arena *arena;
	struct pgm_conn *conn;
	struct pgm_query *query;
	size_t variant; /* 0, 1, ...: draws other values */
	bool common;	/* draw the most common value where there is one */
};

static const struct pgm_query_atom *atom_of(const struct filler *filler, const struct pgm_param *param)
{
	const struct pgm_query *query = filler->query;
	if (param->atom < 0)
		return NULL;
	for (size_t i = 0; i < query->atom_count; i++)
		if (query->atoms[i].atom == &query->statement->shape.atoms[param->atom])
			return &query->atoms[i];
	return NULL;
}

/* How many atoms bound the same column's range: with both ends, the values lie close together. */
static bool has_other_end(const struct filler *filler, const struct pgm_query_atom *atom)
{
	const struct pgm_query *query = filler->query;
	for (size_t i = 0; i < query->atom_count; i++) {
		const struct pgm_query_atom *other = &query->atoms[i];
		if (other != atom && other->column == atom->column && other->occurrence == atom->occurrence &&
		    other->atom->kind == PGM_ATOM_RANGE && other->atom->op[0] != atom->atom->op[0])
			return true;
	}
	return false;
}

static const char *range_value(const struct filler *filler, const struct pgm_query_atom *atom)
{
	bool above = atom->atom->op[0] == '>';
	if (has_other_end(filler, atom))
		return quantile(atom->column, above ? 0.5 : 0.6);
	return quantile(atom->column, above ? 0.9 : 0.1);
}

/* "{a}" */
static const char *array_of(const struct filler *filler, const char *element)
{
	struct pgm_buf buf;
	pgm_quote_array_begin(&buf, filler->arena);
	pgm_quote_array_add(&buf, element);
	return pgm_quote_array_end(&buf);
}

/* "{a,b,c}" of typical values, for = ANY ($1). */
static const char *array_value(const struct filler *filler, const struct pgm_column *column)
{
	struct pgm_buf buf;
	pgm_quote_array_begin(&buf, filler->arena);
	for (size_t i = 0; i < 5; i++) {
		const char *value = typical_value(column, i + filler->variant);
		if (!value)
			return NULL;
		pgm_quote_array_add(&buf, value);
	}
	return pgm_quote_literal(filler->arena, pgm_quote_array_end(&buf));
}

/*
 * A document of the table for @>. One of the histogram would not do: the planner estimates by trying the
 * value on that same histogram, where it would match itself and look a hundred times more common than it is.
 */
static const char *document_value(const struct filler *filler, const struct pgm_query_atom *atom)
{
	const struct pgm_table *table = filler->query->occurrences[atom->occurrence].table;
	struct pgm_arena *arena = filler->arena;
	struct pgm_error ignored;
	char *value = NULL, *column = pgm_quote_ident(arena, atom->column->name);
	double percent = fmin(100 * SAMPLE_PAGES / fmax(table->pages, 1), 100);
	char *sql = pgm_sprintf(
		arena,
		"SELECT %s FROM %s TABLESAMPLE SYSTEM (%g) REPEATABLE (%zu) WHERE %s IS NOT NULL AND "
		"%s NOT IN ('{}', '[]') LIMIT 1",
		column, pgm_quote_qualified(arena, table->schema, table->name), percent, filler->variant + 1,
		column, column);
	if (!pgm_conn_value(filler->conn, arena, sql, 0, NULL, &value, &ignored))
		return NULL;
	return value ? pgm_quote_literal(arena, value) : NULL;
}

/* In ARRAY[...] a bare literal would be a text, whatever it is compared with. */
static const char *element_literal(const struct filler *filler, const struct pgm_column *column,
				   const char *value)
{
	static const char *const types[] = {
		"int2", "int4", "int8", "numeric",   "float4",	    "float8", "text", "varchar",
		"bool", "uuid", "date", "timestamp", "timestamptz", "bpchar", "inet", "name"};
	const char *type = column->type_name + (*column->type_name == '_');
	const char *literal = pgm_quote_literal(filler->arena, value);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i], type) == 0)
			return pgm_sprintf(filler->arena, "%s::pg_catalog.%s", literal, type);
	return literal;
}

/* A word that no parser of tsquery stumbles over. */
static const char *plain_word(const char *element)
{
	for (const char *p = element; p && *p; p++)
		if (!isalnum((unsigned char)*p) && (unsigned char)*p < 0x80)
			return "word";
	return element && *element ? element : "word";
}

static const char *contained_value(const struct filler *filler, const struct pgm_query_atom *atom, bool part)
{
	const struct pgm_column *column = atom->column;
	struct pgm_arena *arena = filler->arena;
	const char *element =
		column->element_count
			? column->common_elements[(column->element_count / 2 + filler->variant) %
						  column->element_count]
			: NULL;
	if (strcmp(column->type_name, "tsvector") == 0)
		return pgm_quote_literal(arena, plain_word(element));
	if (column->type_category == 'A' && element)
		return part ? element_literal(filler, column, element)
			    : pgm_quote_literal(arena, array_of(filler, element));
	if (atom->atom->op[0] == '?') /* a key of a jsonb; ?| and ?& take arrays */
		return atom->atom->op[1] ? "'{key}'" : "'key'";
	if (strcmp(atom->atom->op, "@@") == 0)
		return "'word'";
	if (strcmp(column->type_name, "jsonb") == 0)
		return document_value(filler, atom);
	const char *value = typical_value(column, filler->variant);
	return value ? pgm_quote_literal(arena, value) : NULL;
}

static const char *pattern_value(const struct filler *filler, const struct pgm_column *column)
{
	const char *value = typical_value(column, filler->variant);
	if (!value || strlen(value) < 3)
		return NULL;
	size_t start = strlen(value) > 8 ? 2 : 0;
	char *piece = pgm_strndup(filler->arena, value + start, strnlen(value + start, 5));
	for (char *p = piece; *p; p++)
		if (strchr("%_\\", *p) || (unsigned char)*p >= 0x80)
			*p = '_';
	return pgm_quote_literal(filler->arena, pgm_sprintf(filler->arena, "%%%s%%", piece));
}

/* The age of the column's 90th percentile, so that "> now() - interval $1" lets a tenth of the rows in. */
static const char *interval_value(const struct filler *filler, const struct pgm_query_atom *atom)
{
	const char *bound = atom ? quantile(atom->column, 0.9) : NULL;
	struct pgm_error ignored;
	char *age = NULL;
	if (bound && strncmp(atom->column->type_name, "timestamp", 9) == 0) {
		const char *params[] = {bound};
		if (!pgm_conn_value(
			    filler->conn, filler->arena,
			    "SELECT GREATEST(1, pg_catalog.round(EXTRACT(epoch FROM pg_catalog.now() - "
			    "$1::pg_catalog.timestamptz)))::pg_catalog.text || ' s'",
			    1, params, &age, &ignored))
			age = NULL;
	}
	return age ? pgm_quote_literal(filler->arena, age) : "'7 days'";
}

/*
 * What the table itself has there: for expressions, which have no statistics before they have an index, and
 * for columns without any. Read only: the expression may call what the application wrote.
 */
static const char *sampled_value(const struct filler *filler, const struct pgm_query_atom *atom)
{
	const struct pgm_table *table = filler->query->occurrences[atom->occurrence].table;
	struct pgm_arena *arena = filler->arena;
	struct pgm_error ignored;
	char *value = NULL;
	const char *expression =
		atom->expression ? atom->expression : pgm_quote_ident(arena, atom->column->name);
	double percent = fmin(100 * SAMPLE_PAGES / fmax(table->pages, 1), 100);
	char *sql = pgm_sprintf(arena,
				"SELECT (%s)::pg_catalog.text FROM %s TABLESAMPLE SYSTEM (%g) REPEATABLE "
				"(%zu) WHERE (%s) IS NOT "
				"NULL LIMIT 1",
				expression, pgm_quote_qualified(arena, table->schema, table->name), percent,
				filler->variant + 1, expression);
	if (!pgm_conn_exec(filler->conn, PGM_CONN_MARKER "BEGIN READ ONLY", &ignored))
		return NULL;
	if (!pgm_conn_value(filler->conn, arena, sql, 0, NULL, &value, &ignored))
		value = NULL;
	pgm_conn_exec_quietly(filler->conn, PGM_CONN_MARKER "ROLLBACK");
	return value;
}

static bool takes_one_value(const struct pgm_atom *atom)
{
	return atom->kind == PGM_ATOM_EQ || atom->kind == PGM_ATOM_RANGE ||
	       (atom->kind == PGM_ATOM_IN && atom->in_count > 0);
}

static const char *compared_value(const struct filler *filler, const struct pgm_param *param)
{
	const struct pgm_query_atom *atom = atom_of(filler, param);
	const char *value = NULL;
	if (!atom)
		return NULL;
	if (takes_one_value(atom->atom) && (atom->expression || !atom->column->has_statistics)) {
		value = sampled_value(filler, atom);
		return value ? pgm_quote_literal(filler->arena, value) : NULL;
	}
	if (atom->expression && atom->atom->kind != PGM_ATOM_CONTAIN)
		return NULL;
	const struct pgm_column *column = atom->column;
	switch (atom->atom->kind) {
	case PGM_ATOM_EQ:
		value = filler->common && column->common_count ? column->common_values[0]
							       : typical_value(column, filler->variant);
		break;
	case PGM_ATOM_IN:
		if (atom->atom->in_count == 0 && !param->element)
			return array_value(filler, column);
		value = typical_value(column, filler->variant + (size_t)param->number);
		break;
	case PGM_ATOM_RANGE:
		value = range_value(filler, atom);
		break;
	case PGM_ATOM_CONTAIN:
		return contained_value(filler, atom, param->element);
	case PGM_ATOM_PREFIX:
	case PGM_ATOM_PATTERN:
		return pattern_value(filler, column);
	default:
		return NULL;
	}
	if (value && param->element)
		return element_literal(filler, column, value);
	return value ? pgm_quote_literal(filler->arena, value) : NULL;
}

/*
 * Where each call returned the same number of rows, that was its LIMIT. Otherwise it was no less than the
 * average, and few rows say little of it.
 */
static const char *limit_value(const struct filler *filler)
{
	const struct pgm_statement *statement = filler->query->statement;
	double rows = statement->calls > 0 ? statement->rows / statement->calls : 0;
	if (rows < 1 || rows != floor(rows))
		rows = fmax(ceil(rows), USUAL_PAGE_ROWS);
	return pgm_sprintf(filler->arena, "%.0f", rows);
}

static bool ends_with(const char *text, size_t length, const char *word)
{
	while (length && strchr(" (", text[length - 1]))
		length--;
	size_t size = strlen(word);
	return length >= size && strncmp(text + length - size, word, size) == 0;
}

static const char *other_value(const char *text, size_t offset)
{
	/* The field of date_trunc and extract, the key of -> and ->>: any will do, none would not parse. */
	if (ends_with(text, offset, "extract") || ends_with(text, offset, "date_trunc") ||
	    ends_with(text, offset, "date_part"))
		return "'day'";
	if (ends_with(text, offset, "to_tsquery"))
		return "'simple'";
	if (ends_with(text, offset, "->") || ends_with(text, offset, "->>"))
		return "'key'";
	return NULL;
}

static const char *value_of(const struct filler *filler, const struct pgm_param *param, bool *unknown)
{
	const char *value = NULL;
	switch (param->role) {
	case PGM_PARAM_COMPARED:
		value = compared_value(filler, param);
		break;
	case PGM_PARAM_INTERVAL:
		return interval_value(filler, atom_of(filler, param));
	case PGM_PARAM_LIMIT:
		return limit_value(filler);
	case PGM_PARAM_OFFSET:
		return "0";
	case PGM_PARAM_STORED:
		return "NULL";
	case PGM_PARAM_OTHER:
		value = other_value(filler->query->statement->text, param->offset);
		break;
	}
	*unknown |= !value;
	return value ? value : "NULL";
}

/* The number that a parameter without a value gets among those: the same for each place of it. */
static size_t generic_number(struct pgm_query *query, struct pgm_map *numbers, struct pgm_arena *arena,
			     int number)
{
	char *key = pgm_sprintf(arena, "%d", number);
	if (!pgm_map_get(numbers, key))
		pgm_map_set(numbers, key, (void *)(uintptr_t)++query->generic_params);
	return (size_t)(uintptr_t)pgm_map_get(numbers, key);
}

/* The text with a value for each parameter; and, where some have none, the text with just those left. */
static void fill(const struct filler *filler)
{
	struct pgm_query *query = filler->query;
	const struct pgm_shape *shape = &query->statement->shape;
	const char *text = query->statement->text;
	struct pgm_buf filled, generic;
	struct pgm_map numbers;
	size_t at = 0;
	pgm_buf_init(&filled, filler->arena);
	pgm_buf_init(&generic, filler->arena);
	pgm_map_init(&numbers, filler->arena);
	for (size_t i = 0; i < shape->param_count; i++) {
		const struct pgm_param *param = &shape->params[i];
		bool unknown = false;
		const char *value = value_of(filler, param, &unknown);
		pgm_buf_add_n(&filled, text + at, param->offset - at);
		pgm_buf_add_n(&generic, text + at, param->offset - at);
		pgm_buf_add(&filled, value);
		at = param->offset + param->length;
		if (unknown)
			pgm_buf_printf(&generic, "$%zu",
				       generic_number(query, &numbers, filler->arena, param->number));
		else
			pgm_buf_add(&generic, value);
	}
	pgm_buf_add(&filled, text + at);
	pgm_buf_add(&generic, text + at);
	query->variants[query->variant_count++] = filled.text;
	query->values_unknown = query->generic_params > 0;
	query->generic = query->values_unknown ? generic.text : NULL;
}

/* Whether some parameter is compared with a column that has common values beside rare ones. */
static bool compares_skewed_column(const struct pgm_query *query)
{
	for (size_t i = 0; i < query->atom_count; i++) {
		const struct pgm_query_atom *atom = &query->atoms[i];
		if (atom->atom->kind == PGM_ATOM_EQ && atom->atom->value.kind == PGM_VALUE_PARAM &&
		    !atom->expression && atom->column->common_count && atom->column->histogram_count > 2)
			return true;
	}
	return false;
}

void pgm_query_fill_values(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_query *query)
{
	const struct pgm_statement *statement = query->statement;
	if (statement->sample_count) {
		for (size_t i = 0; i < statement->sample_count && i < PGM_QUERY_VARIANTS_MAX; i++)
			query->variants[query->variant_count++] = statement->samples[i];
		query->values_note = "values from the workload";
		return;
	}
	struct filler filler = {.arena = arena, .conn = conn, .query = query};
	fill(&filler);
	/*
	 * Most values are rare, but most calls may ask for the common ones: the busiest user's page needs
	 * the order in the index that the average user's does not.
	 */
	if (compares_skewed_column(query) && !query->values_unknown) {
		filler.common = true;
		fill(&filler);
	}
	query->values_drawn = statement->shape.param_count > 0;
	query->values_note = !query->values_drawn ? "no parameters"
			     : query->values_unknown
				     ? "values drawn from statistics, those that are not known left open"
				     : "values drawn from statistics";
}
