#include "catalog/widths.h"

#include <math.h>
#include <string.h>

#define OTHER_WIDTHS_MIN                                                                  \
	8 /* of values whose texts tell nothing: one step of alignment around the average \
	   */

/* numeric's own format (numeric.c, NumericShort): two bytes and two for each four digits. */
static double numeric_bytes(const char *text)
{
	const char *point = strchr(text, '.');
	size_t whole = strspn(text + strcspn(text, "123456789."), "0123456789");
	size_t fraction = point ? strspn(point + 1, "0123456789") : 0;
	while (fraction && point[fraction] == '0')
		fraction--; /* trailing zeros are not stored */
	return 1 + 2 + 2 * (ceil((double)whole / 4) + ceil((double)fraction / 4));
}

static bool text_tells(const struct pgm_column *column)
{
	return column->type_category == 'S' || strcmp(column->type_name, "numeric") == 0;
}

/* With its header. */
static double width_of(const struct pgm_column *column, const char *text)
{
	if (!text || !text_tells(column))
		return column->width_bytes;
	if (strcmp(column->type_name, "numeric") == 0)
		return numeric_bytes(text);
	double length = (double)strlen(text);
	return length + 1 <= PGM_SHORT_VALUE_MAX_BYTES ? length + 1 : length + 4;
}

/*
 * Shift whole bytes here and there, so that their average is the one that ANALYZE found in far more values
 * (it cuts the average to an integer: stawidth).
 */
static void centre(double *widths, size_t count, double average)
{
	double sum = 0, carry = 0;
	for (size_t i = 0; i < count; i++)
		sum += widths[i];
	double own = sum / (double)count;
	double shift = fmin(fmax(own, average), average + 1) - own;
	for (size_t i = 0; i < count; i++) {
		carry += shift;
		double step = rint(carry);
		carry -= step;
		widths[i] = fmax(widths[i] + step, 1);
	}
}

void pgm_column_find_widths(struct pgm_arena *arena, struct pgm_column *column)
{
	double common = 0, total = 0, present = 1 - column->null_fraction;
	if (column->length_bytes >= 0)
		return;
	column->common_widths = PGM_NEW_ARRAY(arena, double, column->common_count);
	for (size_t i = 0; i < column->common_count; i++) {
		column->common_widths[i] = width_of(column, column->common_values[i]);
		common += column->common_fractions[i];
		total += column->common_fractions[i] * column->common_widths[i];
	}
	double rest = present - common;
	double average =
		rest > 0.01 ? fmax((column->width_bytes * present - total) / rest, 1) : column->width_bytes;
	bool tells = text_tells(column) && column->histogram_count > 1;
	column->other_width_count = tells ? column->histogram_count : OTHER_WIDTHS_MIN;
	column->other_widths = PGM_NEW_ARRAY(arena, double, column->other_width_count);
	for (size_t i = 0; i < column->other_width_count; i++)
		column->other_widths[i] = tells ? width_of(column, column->histogram[i])
						: average + 0.5 + (double)i - (OTHER_WIDTHS_MIN - 1) / 2.0;
	centre(column->other_widths, column->other_width_count, average);
}
