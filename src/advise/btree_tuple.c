#include "advise/btree_tuple.h"

#include "catalog/widths.h"

#include <math.h>

#define HEADER_BYTES	    8.0
#define NULL_HEADER_BYTES   16.0 /* with a bitmap of 4 bytes, rounded up to 8 */
#define UNKNOWN_WIDTH_BYTES 32.0

static double round_up(double bytes, double step)
{
	return ceil(bytes / step) * step;
}

static double alignment_of(char align)
{
	return align == 'd' ? 8 : align == 'i' ? 4 : align == 's' ? 2 : 1;
}

const struct pgm_column *pgm_index_key_column(const struct pgm_index_key *key)
{
	return key->column ? key->column : key->sampled;
}

/* A fixed permutation for each place, so that the lengths of two columns are not drawn in step. */
static size_t pick(size_t count, size_t place, int draw)
{
	static const size_t steps[] = {1, 5, 11, 13, 19, 23, 29};
	size_t shuffled = ((size_t)draw * steps[place % 7] + place) % PGM_TUPLE_DRAWS;
	return (shuffled * count + count / 2) / PGM_TUPLE_DRAWS % count;
}

/* A value that is none of the common ones (or any, where all are common). */
static double drawn_width(const struct pgm_column *column, size_t place, int draw)
{
	if (column->length_bytes > 0)
		return column->length_bytes;
	if (column->range_count == 0 && column->common_count)
		return column->common_widths[pick(column->common_count, place, draw)];
	if (column->other_width_count)
		return column->other_widths[pick(column->other_width_count, place, draw)];
	return column->has_statistics ? column->width_bytes : UNKNOWN_WIDTH_BYTES;
}

struct layout {
	double offset_bytes;
	bool has_null;
};

static void put(struct layout *layout, const struct pgm_column *column, int value, size_t place, int draw)
{
	double width = UNKNOWN_WIDTH_BYTES, align = 1;
	if (value == PGM_VALUE_IS_NULL) {
		layout->has_null = true;
		return;
	}
	if (column) {
		bool common = value >= 0 && (size_t)value < column->common_count && column->common_widths;
		width = common ? column->common_widths[value] : drawn_width(column, place, draw);
		/* A short value of variable length is not aligned. */
		if (column->length_bytes > 0 || width > PGM_SHORT_VALUE_MAX_BYTES)
			align = alignment_of(column->align);
	}
	layout->offset_bytes = round_up(layout->offset_bytes, align) + width;
}

/* Of a column that is not a key, nothing says which rows have a null: as many draws as are null. */
static int drawn_null(const struct pgm_column *column, size_t place, int draw)
{
	size_t at = pick(PGM_TUPLE_DRAWS, place + 3, draw);
	return (double)at + 0.5 < column->null_fraction * PGM_TUPLE_DRAWS ? PGM_VALUE_IS_NULL
									  : PGM_VALUE_IS_ANY;
}

double pgm_btree_tuple_bytes(const struct pgm_index_def *def, const int *values, size_t key_count,
			     bool include, int draw)
{
	struct layout layout = {0};
	for (size_t i = 0; i < key_count; i++)
		put(&layout, pgm_index_key_column(&def->keys[i]), values ? values[i] : PGM_VALUE_IS_ANY, i,
		    draw);
	for (size_t i = 0; include && i < def->include_count; i++)
		put(&layout, def->include[i], drawn_null(def->include[i], key_count + i, draw), key_count + i,
		    draw);
	return round_up((layout.has_null ? NULL_HEADER_BYTES : HEADER_BYTES) + layout.offset_bytes, 8);
}

bool pgm_btree_tuple_varies(const struct pgm_index_def *def, const int *values)
{
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_column *column = pgm_index_key_column(&def->keys[i]);
		if (column && column->length_bytes < 0 && (!values || values[i] == PGM_VALUE_IS_ANY))
			return true;
	}
	for (size_t i = 0; i < def->include_count; i++)
		if (def->include[i]->length_bytes < 0 || def->include[i]->null_fraction > 0)
			return true;
	return false;
}
