/*
 * How many distinct values a column really has, and where in its range.
 *
 * ANALYZE estimates n_distinct from a sample (Haas and Stokes' Duj1, analyze.c compute_scalar_stats). Where
 * some values are rare and others are not it comes out far too low: 62,000 of 180,000 user ids. So we turn
 * the estimator round: which number of values would have made ANALYZE print what it prints? Integers also
 * say how many values can lie between two bounds of the histogram, hence where the rare ones are.
 */
#ifndef PGM_CATALOG_DISTINCT_H
#define PGM_CATALOG_DISTINCT_H

#include "catalog/catalog.h"

/* Fill column->ranges from its other statistics. rows: of the table; sample_rows: that were looked at. */
void pgm_column_find_ranges(struct pgm_arena *arena, struct pgm_column *column, double rows,
			    double sample_rows);

/* Duj1: distinct values among rows, of which sample_rows gave distinct values, once_count of them once. */
double pgm_distinct_extrapolate(double distinct, double once_count, double sample_rows, double rows);

/* Distinct values that occur, of a column with ranges, without null. */
double pgm_column_distinct_values(const struct pgm_column *column, double rows);

#endif
