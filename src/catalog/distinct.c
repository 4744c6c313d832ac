#include "catalog/distinct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DENSITY_LOWEST	 1e-7
#define DENSITY_STEPS	 60
#define UNIQUE_SHARE	 0.99 /* of the rows: n_distinct this high means that each row has its own value */
#define DISTINCT_HIGHEST 1e4  /* values drawn from, for each row: more is as good as unique */

double pgm_distinct_extrapolate(double distinct, double once_count, double sample_rows, double rows)
{
	if (sample_rows >= rows)
		return distinct;
	double divisor = sample_rows - once_count + once_count * sample_rows / rows;
	double all = divisor > 0 ? sample_rows * distinct / divisor : rows;
	return fmin(fmax(distinct, all), rows);
}

static bool is_integer(const struct pgm_column *column)
{
	return strcmp(column->type_name, "int4") == 0 || strcmp(column->type_name, "int8") == 0 ||
	       strcmp(column->type_name, "int2") == 0;
}

/* Values seen once or more, and exactly once, when `hits` samples fall on `values` values at random. */
static void expect(double values, double hits, double *distinct, double *once)
{
	double mean = hits / fmax(values, 1e-9);
	*distinct += mean > 1e-9 ? values * -expm1(-mean) : hits;
	*once += hits * exp(-mean);
}

struct sampled {
	const struct pgm_column *column;
	double rows;	    /* that are not null */
	double sample_rows; /* likewise */
	double present;	    /* share of the rows that is not null */
};

/* What ANALYZE would print if each range drew from density times its width. */
static double expected_estimate(const struct sampled *sampled, const double *widths, double density)
{
	const struct pgm_column *column = sampled->column;
	double distinct = 0, once = 0;
	for (size_t i = 0; i < column->common_count; i++)
		expect(1, sampled->sample_rows * column->common_fractions[i] / sampled->present, &distinct,
		       &once);
	for (size_t i = 0; i < column->range_count; i++)
		expect(fmax(widths[i] * density, 1),
		       sampled->sample_rows * column->ranges[i].share / sampled->present, &distinct, &once);
	return pgm_distinct_extrapolate(distinct, once, sampled->sample_rows, sampled->rows);
}

/* The density that explains the printed estimate, by bisection of its logarithm. */
static double find_density(const struct sampled *sampled, const double *widths, double highest)
{
	double low = log(DENSITY_LOWEST), high = log(highest);
	if (expected_estimate(sampled, widths, highest) <= sampled->column->distinct)
		return highest;
	for (int step = 0; step < DENSITY_STEPS; step++) {
		double middle = (low + high) / 2;
		if (expected_estimate(sampled, widths, exp(middle)) < sampled->column->distinct)
			low = middle;
		else
			high = middle;
	}
	return exp(high);
}

static double width_between(const char *low, const char *high)
{
	return low && high ? fmax(strtod(high, NULL) - strtod(low, NULL), 1) : 1;
}

void pgm_column_find_ranges(struct pgm_arena *arena, struct pgm_column *column, double rows,
			    double sample_rows)
{
	double present = 1 - column->null_fraction, rest = present;
	bool by_bounds = is_integer(column) && column->histogram_count > 1;
	for (size_t i = 0; i < column->common_count; i++)
		rest -= column->common_fractions[i];
	column->range_count = 0;
	/* Without a histogram the common values are all that there are. */
	if (rest < 1e-6 || (column->common_count && !column->histogram_count &&
			    column->distinct <= (double)column->common_count))
		return;
	column->range_count = by_bounds ? column->histogram_count - 1 : 1;
	column->ranges = PGM_NEW_ARRAY(arena, struct pgm_value_range, column->range_count);
	double *widths = PGM_NEW_ARRAY(arena, double, column->range_count);
	for (size_t i = 0; i < column->range_count; i++) {
		column->ranges[i].share = rest / (double)column->range_count;
		widths[i] = by_bounds ? width_between(column->histogram[i], column->histogram[i + 1])
				      : fmax(rows, 1);
	}
	bool unique = column->distinct >= UNIQUE_SHARE * rows * present && column->common_count == 0;
	struct sampled sampled = {column, rows * present, fmin(sample_rows, rows) * present, present};
	/* There are no more integers than lie between the bounds; others may be anything. */
	double highest = by_bounds ? 1 : DISTINCT_HIGHEST;
	double density = unique ? 0 : find_density(&sampled, widths, highest);
	for (size_t i = 0; i < column->range_count; i++)
		column->ranges[i].values =
			unique || density >= DISTINCT_HIGHEST ? INFINITY : fmax(widths[i] * density, 1);
}

double pgm_column_distinct_values(const struct pgm_column *column, double rows)
{
	double values = (double)column->common_count;
	for (size_t i = 0; i < column->range_count; i++) {
		const struct pgm_value_range *range = &column->ranges[i];
		double hits = rows * range->share;
		values += isinf(range->values) ? hits : range->values * -expm1(-hits / range->values);
	}
	return values;
}
