/*
 * Values for parameters of which nobody kept any: by the statistics of the columns that they are compared
 * with.
 */
#include "load/source_parts.h"

#include "pg/quote.h"
#include "util/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	struct pgm_arena *arena;
	struct pgm_catalog *catalog;
	struct pgm_conn *conn;
	const struct pgm_shape *shape;
};

static void add_text(struct maker *maker, struct pgm_load_column *column, const char *text, double share)
{
	if (!column->texts) {
		column->texts = PGM_NEW_ARRAY(maker->arena, const char *, SOURCE_TEXTS_MAX);
		column->upto = PGM_NEW_ARRAY(maker->arena, double, SOURCE_TEXTS_MAX);
	}
	if (column->text_count == SOURCE_TEXTS_MAX)
		return;
	double before = column->text_count ? column->upto[column->text_count - 1] : 0;
	column->texts[column->text_count] = text;
	column->upto[column->text_count++] = before + share;
}

/* The shares added up become parts of 1. */
static void finish_texts(struct pgm_load_column *column)
{
	double all = column->text_count ? column->upto[column->text_count - 1] : 1;
	for (size_t i = 0; i < column->text_count; i++)
		column->upto[i] /= all;
}

static void set_range(struct maker *maker, struct pgm_load_column *column, int64_t low, int64_t high)
{
	column->bounds = PGM_NEW_ARRAY(maker->arena, int64_t, 2);
	column->bounds[0] = low;
	column->bounds[1] = high;
	column->bound_count = 2;
}

static bool is_integer_type(const char *type)
{
	return strcmp(type, "int2") == 0 || strcmp(type, "int4") == 0 || strcmp(type, "int8") == 0;
}

/* The histogram of an integer column: its buckets hold as many rows each, and any number within one will do.
 */
static bool read_bounds(struct maker *maker, struct pgm_load_column *column, const struct pgm_column *source)
{
	if (!is_integer_type(source->type_name) || source->histogram_count < 2)
		return false;
	column->bounds = PGM_NEW_ARRAY(maker->arena, int64_t, source->histogram_count);
	for (size_t i = 0; i < source->histogram_count; i++) {
		char *end;
		errno = 0;
		column->bounds[i] = strtoll(source->histogram[i], &end, 10);
		if (errno || *end || (i && column->bounds[i] < column->bounds[i - 1]))
			return false;
	}
	column->bound_count = source->histogram_count;
	return true;
}

static void by_statistics(struct maker *maker, struct pgm_load_column *column,
			  const struct pgm_column *source)
{
	double common = 0;
	bool bounds = read_bounds(maker, column, source);
	for (size_t i = 0; i < source->common_count; i++) {
		common += source->common_fractions[i];
		add_text(maker, column, source->common_values[i], source->common_fractions[i]);
	}
	double others = 1 - source->null_fraction - common;
	for (size_t i = 0; !bounds && i < source->histogram_count; i++)
		add_text(maker, column, source->histogram[i],
			 (others > 0 ? others : 0.01) / (double)source->histogram_count);
	column->text_share = common / (common + (others > 0.001 ? others : 0.001));
}

/* Without statistics: what lies at the table's beginning. */
static void by_rows(struct maker *maker, struct pgm_load_column *column, const struct pgm_table *table,
		    const struct pgm_column *source)
{
	struct pgm_error ignored;
	struct pgm_rows rows;
	const char *name = pgm_quote_ident(maker->arena, source->name);
	char *sql = pgm_sprintf(maker->arena, "SELECT %s FROM %s WHERE %s IS NOT NULL LIMIT %d", name,
				pgm_quote_qualified(maker->arena, table->schema, table->name), name,
				SOURCE_TEXTS_MAX);
	if (!pgm_conn_query(maker->conn, maker->arena, sql, 0, NULL, &rows, &ignored))
		return;
	for (size_t i = 0; i < rows.count; i++)
		add_text(maker, column, pgm_rows_text(&rows, i, 0), 1);
}

static const struct pgm_table *table_of(struct maker *maker, const struct pgm_colref *reference,
					const struct pgm_column **column)
{
	const struct pgm_shape *shape = maker->shape;
	for (int scope = reference->scope; scope >= 0; scope = shape->scopes[scope].parent)
		for (size_t i = 0; i < shape->table_count; i++) {
			const struct pgm_shape_table *entry = &shape->tables[i];
			if (entry->scope != scope || entry->subscope >= 0 || !*entry->name ||
			    (reference->qualifier && strcmp(entry->alias, reference->qualifier) != 0))
				continue;
			struct pgm_table *table =
				pgm_catalog_table(maker->catalog, entry->schema, entry->name);
			*column = table ? pgm_table_column(table, reference->name) : NULL;
			if (!*column)
				continue;
			struct pgm_error ignored;
			if (!table->statistics_loaded &&
			    !pgm_catalog_load_statistics(maker->catalog, maker->conn, &table, 1, &ignored))
				return NULL;
			return table;
		}
	return NULL;
}

/* "{a,b,c}" of what was drawn for one element. */
static void make_arrays(struct maker *maker, struct pgm_load_column *column)
{
	struct pgm_random random;
	struct pgm_load_column arrays = {0};
	char number[PGM_LOAD_NUMBER_MAX];
	pgm_random_seed(&random, 1);
	for (int n = 0; n < SOURCE_TEXTS_MAX / 2; n++) {
		struct pgm_buf buf;
		pgm_quote_array_begin(&buf, maker->arena);
		for (int i = 0; i <= n % 5; i++)
			pgm_quote_array_add(&buf, pgm_load_column_draw(column, &random, number));
		add_text(maker, &arrays, pgm_quote_array_end(&buf), 1);
	}
	*column = arrays;
}

/* Of the type as such, where no row depends on it, or nothing better is known. */
static bool by_type(struct maker *maker, struct pgm_load_column *column, const struct source_type *type)
{
	static const struct {
		char category;
		const char *name, *text; /* name NULL: any of the category */
	} texts[] = {
		{'D', "timestamp", "now"},
		{'D', "timestamptz", "now"},
		{'D', "date", "today"},
		{'D', "time", "12:00"},
		{'T', NULL, "1 day"},
		{'B', NULL, "true"},
		{'U', "jsonb", "{}"},
		{'U', "json", "{}"},
		{'U', "bytea", "\\x00"},
		{'A', NULL, "{}"},
		{'S', NULL, "pgmend"},
		{'I', NULL, "127.0.0.1"},
		{'U', "uuid", "00000000-0000-4000-8000-000000000000"},
	};
	if (type->category == 'N') {
		set_range(maker, column, 1, 1000);
		return true;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i].category == type->category &&
		    (!texts[i].name || strcmp(texts[i].name, type->name) == 0)) {
			add_text(maker, column, texts[i].text, 1);
			return true;
		}
	return false;
}

static const struct pgm_param *param_of(const struct pgm_shape *shape, size_t number)
{
	for (size_t i = 0; i < shape->param_count; i++)
		if ((size_t)shape->params[i].number == number)
			return &shape->params[i];
	return NULL;
}

static bool make_column(struct maker *maker, struct pgm_load_column *column, size_t number,
			const struct source_type *type, const char **why)
{
	const struct pgm_param *param = param_of(maker->shape, number);
	const struct pgm_column *source = NULL;
	const struct pgm_table *table = NULL;
	const struct pgm_atom *atom = param && param->atom >= 0 && param->role == PGM_PARAM_COMPARED
					      ? &maker->shape->atoms[param->atom]
					      : NULL;
	if (param && param->role == PGM_PARAM_LIMIT)
		add_text(maker, column, "10", 1);
	else if (param && param->role == PGM_PARAM_OFFSET)
		add_text(maker, column, "0", 1);
	/* An expression over a column has other values than the column. */
	if (atom && !atom->left.expression && atom->left.column.name && maker->catalog)
		table = table_of(maker, &atom->left.column, &source);
	bool same_kind = source && (source->type_category == type->category || type->category == 'A');
	if (table && same_kind) {
		by_statistics(maker, column, source);
		if (!column->text_count && !column->bound_count)
			by_rows(maker, column, table, source);
		bool elements = type->category == 'A' && source->type_category != 'A';
		if (elements && (column->text_count || column->bound_count)) {
			finish_texts(column);
			make_arrays(maker, column);
		}
	}
	if (!column->text_count && !column->bound_count && !by_type(maker, column, type)) {
		*why = pgm_sprintf(maker->arena, "$%zu is a %s, of which no value is known", number,
				   type->name);
		return false;
	}
	finish_texts(column);
	return true;
}

bool source_from_statistics(struct pgm_arena *arena, struct pgm_catalog *catalog, struct pgm_conn *conn,
			    const struct pgm_shape *shape, const struct source_type *types, size_t type_count,
			    struct pgm_load_values *values, const char **why)
{
	struct maker maker = {arena, catalog, conn, shape};
	struct pgm_load_column *columns = PGM_NEW_ARRAY(arena, struct pgm_load_column, type_count + 1);
	for (size_t i = 0; i < type_count; i++)
		if (!make_column(&maker, &columns[i], i + 1, &types[i], why))
			return false;
	values->columns = columns;
	values->column_count = type_count;
	return true;
}
