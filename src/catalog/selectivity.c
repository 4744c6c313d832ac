#include "catalog/selectivity.h"

#include "pg/quote.h"
#include "sql/shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_DEFAULT_SHARE   (1.0 / 3) /* DEFAULT_INEQ_SEL of selfuncs.h */
#define UNKNOWN_SHARE	      0.5
#define EITHER_DEFAULT_VALUES 5.0

double pgm_column_value_share(const struct pgm_column *column, const struct pgm_table *table,
			      const char *value)
{
	if (strcmp(column->type_name, "bool") == 0) /* statistics say t where SQL says true */
		value = *value == 't' ? "t" : "f";
	for (size_t i = 0; i < column->common_count; i++)
		if (column->common_values[i] && strcmp(column->common_values[i], value) == 0)
			return column->common_fractions[i];
	double rest = 1 - column->null_fraction;
	for (size_t i = 0; i < column->common_count; i++)
		rest -= column->common_fractions[i];
	double distinct = fmax(column->distinct - (double)column->common_count, 1);
	return column->has_statistics ? fmax(rest, 0) / distinct : 1 / fmax(fmin(200, table->tuples), 1);
}

/* Numbers by value; dates and times as the server prints them (ISO) sort by their text, and so do others. */
static double compare_values(const struct pgm_column *column, const char *a, const char *b)
{
	if (column->type_category == 'N')
		return strtod(a, NULL) - strtod(b, NULL);
	return strcmp(a, b);
}

/* The share of the histogram below the value, with the position inside its bin for numbers. */
static double histogram_below(const struct pgm_column *column, const char *value)
{
	char **bounds = column->histogram;
	size_t bins = column->histogram_count - 1, bin = 0;
	if (compare_values(column, value, bounds[0]) <= 0)
		return 0;
	while (bin < bins && compare_values(column, value, bounds[bin + 1]) > 0)
		bin++;
	if (bin == bins)
		return 1;
	double inside = 0.5;
	if (column->type_category == 'N') {
		double low = strtod(bounds[bin], NULL), high = strtod(bounds[bin + 1], NULL);
		inside = high > low ? (strtod(value, NULL) - low) / (high - low) : 0.5;
	}
	return ((double)bin + inside) / (double)bins;
}

/* Of "column op value", op one of <, <=, >, >=. */
static double range_share(const struct pgm_column *column, const char *op, const char *value)
{
	double present = 1 - column->null_fraction, common = 0, matching = 0;
	bool below = *op == '<', or_equal = op[0] && op[1] == '=';
	if (!column->has_statistics)
		return RANGE_DEFAULT_SHARE;
	for (size_t i = 0; i < column->common_count; i++) {
		if (!column->common_values[i])
			continue;
		double order = compare_values(column, column->common_values[i], value);
		common += column->common_fractions[i];
		if (order == 0 ? or_equal : (order < 0) == below)
			matching += column->common_fractions[i];
	}
	double rest = fmax(present - common, 0), share = RANGE_DEFAULT_SHARE;
	if (column->histogram_count > 1) {
		share = histogram_below(column, value);
		if (!below)
			share = 1 - share;
	}
	return matching + rest * share;
}

char *pgm_literal_bare(struct pgm_arena *arena, const char *literal)
{
	while (*literal == '(')
		literal++;
	if (*literal != '\'')
		return pgm_strndup(arena, literal, strcspn(literal, ":)"));
	char *value = pgm_strdup(arena, literal + 1), *to = value;
	for (const char *from = value; *from; from++) {
		if (*from == '\'' && *++from != '\'')
			break;
		*to++ = *from;
	}
	*to = '\0';
	return value;
}

static double atom_share(struct pgm_arena *arena, const struct pgm_table *table, const struct pgm_atom *atom)
{
	const struct pgm_column *column = atom->left.column.name && !atom->left.expression
						  ? pgm_table_column(table, atom->left.column.name)
						  : NULL;
	const char *value = atom->value.kind == PGM_VALUE_LITERAL && atom->value.text
				    ? pgm_literal_bare(arena, atom->value.text)
				    : NULL;
	if (!column)
		return UNKNOWN_SHARE;
	switch (atom->kind) {
	case PGM_ATOM_NULL:
		return column->null_fraction;
	case PGM_ATOM_NOT_NULL:
		return 1 - column->null_fraction;
	case PGM_ATOM_TRUE:
		return pgm_column_value_share(column, table, "t");
	case PGM_ATOM_FALSE:
		return pgm_column_value_share(column, table, "f");
	case PGM_ATOM_EQ:
		return value ? pgm_column_value_share(column, table, value) : UNKNOWN_SHARE;
	case PGM_ATOM_IN: {
		double each = 1 / fmax(column->distinct, 1);
		return fmin(each * (atom->in_count ? (double)atom->in_count : EITHER_DEFAULT_VALUES), 1);
	}
	case PGM_ATOM_RANGE:
		return value ? range_share(column, atom->op, value) : RANGE_DEFAULT_SHARE;
	default:
		return UNKNOWN_SHARE;
	}
}

double pgm_predicate_share(struct pgm_arena *arena, const struct pgm_table *table, const char *predicate)
{
	struct pgm_shape shape;
	struct pgm_error ignored;
	if (!predicate)
		return 1;
	char *sql = pgm_sprintf(arena, "SELECT 1 FROM %s WHERE %s",
				pgm_quote_qualified(arena, table->schema, table->name), predicate);
	if (!pgm_sql_shape(arena, sql, &shape, &ignored) || shape.atom_count == 0)
		return UNKNOWN_SHARE;
	double all = 1, none_of_either = 1;
	for (size_t i = 0; i < shape.atom_count; i++) {
		double share = atom_share(arena, table, &shape.atoms[i]);
		if (shape.atoms[i].under_or)
			none_of_either *= 1 - share;
		else
			all *= share;
	}
	return none_of_either < 1 ? all * (1 - none_of_either) : all;
}
