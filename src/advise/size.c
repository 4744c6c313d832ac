#include "advise/size.h"

#include <math.h>
#include <string.h>

#define LINE_POINTER_BYTES  4.0
#define TUPLE_HEADER_BYTES  8.0
#define TID_BYTES	    6.0
#define PAGE_USABLE_BYTES   (PGM_PAGE_BYTES - 24.0 - 16.0) /* page header, btree's special space */
#define LEAF_FILL_BYTES	    (PAGE_USABLE_BYTES - PGM_PAGE_BYTES * 0.10) /* BTREE_DEFAULT_FILLFACTOR 90 */
#define INNER_FILL_BYTES    (PAGE_USABLE_BYTES - PGM_PAGE_BYTES * 0.30) /* BTREE_NONLEAF_FILLFACTOR 70 */
#define POSTING_MAX_BYTES   (PGM_PAGE_BYTES * 10 / 100 / 8 * 8 - LINE_POINTER_BYTES) /* nbtsort.c */
#define UNKNOWN_WIDTH_BYTES 32.0
#define CLASSES_MAX	    512
#define COMMON_VALUES_MAX   24 /* of one column that are told apart; the others are taken as uniform */

static double align8(double bytes)
{
	return ceil(bytes / 8) * 8;
}

struct layout {
	double offset_bytes; /* of the data so far */
	double null_share;   /* probability that some column is null */
	bool nullable;
};

static double alignment_of(char align)
{
	return align == 'd' ? 8 : align == 'i' ? 4 : align == 's' ? 2 : 1;
}

static void put_value(struct layout *layout, double width, double align, double null_fraction)
{
	double present = 1 - null_fraction;
	layout->offset_bytes +=
		present * (ceil(layout->offset_bytes / align) * align - layout->offset_bytes + width);
	layout->null_share = 1 - (1 - layout->null_share) * present;
	layout->nullable |= null_fraction > 0;
}

static void put_column(struct layout *layout, const struct pgm_column *column)
{
	double width = column->length_bytes > 0 ? column->length_bytes
		       : column->has_statistics ? column->width_bytes
						: UNKNOWN_WIDTH_BYTES;
	/* A short variable-length value has a one-byte header and no alignment (varattrib_1b). */
	bool unaligned = column->length_bytes <= 0 && width <= 126;
	put_value(layout, width, unaligned ? 1 : alignment_of(column->align), column->null_fraction);
}

/* The tuple without its line pointer: of the keys alone, or with INCLUDE. */
static double tuple_bytes(const struct pgm_index_def *def, bool with_include)
{
	struct layout layout = {0};
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_index_key *key = &def->keys[i];
		if (key->column)
			put_column(&layout, key->column);
		else
			put_value(&layout,
				  key->expression_width_bytes > 0 ? key->expression_width_bytes
								  : UNKNOWN_WIDTH_BYTES,
				  1, 0);
	}
	for (size_t i = 0; with_include && i < def->include_count; i++)
		put_column(&layout, def->include[i]);
	/* With a null the header is followed by a bitmap of 4 bytes, aligned to 8. */
	double header = TUPLE_HEADER_BYTES + (layout.nullable ? layout.null_share * 8 : 0);
	/*
	 * Lengths that vary are rounded up one by one: on average that costs half a step, where
	 * rounding the average costs anything between nothing and a whole one.
	 */
	bool varies = false;
	for (size_t i = 0; i < def->key_count; i++)
		varies |= !def->keys[i].column || def->keys[i].column->length_bytes <= 0;
	for (size_t i = 0; with_include && i < def->include_count; i++)
		varies |= def->include[i]->length_bytes <= 0;
	return header + (varies ? layout.offset_bytes + 3.5 : align8(layout.offset_bytes));
}

/* ---- groups of equal keys ---- */

struct class {
	double share;	 /* of the rows */
	double distinct; /* keys among them */
};

struct classes {
	struct class items[CLASSES_MAX];
	size_t count;
};

static void classes_of_column(const struct pgm_column *column, double rows, struct classes *classes)
{
	classes->count = 0;
	if (!column->has_statistics) {
		classes->items[classes->count++] = (struct class){1, rows};
		return;
	}
	double rest = 1 - column->null_fraction, rest_distinct = column->distinct;
	if (column->null_fraction > 0)
		classes->items[classes->count++] = (struct class){column->null_fraction, 1};
	for (size_t i = 0; i < column->common_count && i < COMMON_VALUES_MAX; i++) {
		classes->items[classes->count++] = (struct class){column->common_fractions[i], 1};
		rest -= column->common_fractions[i];
		rest_distinct -= 1;
	}
	if (rest > 1e-6)
		classes->items[classes->count++] = (struct class){rest, fmax(rest_distinct, 1)};
}

/* Every combination of the classes of independent columns; the smallest are put together when too many. */
static void multiply(struct classes *all, const struct classes *by)
{
	static _Thread_local struct classes product;
	product.count = 0;
	struct class overflow = {0};
	for (size_t i = 0; i < all->count; i++)
		for (size_t j = 0; j < by->count; j++) {
			struct class both = {all->items[i].share * by->items[j].share,
					     all->items[i].distinct * by->items[j].distinct};
			if (product.count < CLASSES_MAX - 1) {
				product.items[product.count++] = both;
			} else {
				overflow.share += both.share;
				overflow.distinct += both.distinct;
			}
		}
	if (overflow.share > 0)
		product.items[product.count++] = overflow;
	*all = product;
}

/* Bytes of a group of n equal keys, with line pointers, once posting lists are made of it. */
static double group_bytes(double n, double tuple)
{
	double largest = floor((POSTING_MAX_BYTES - tuple) / TID_BYTES);
	if (n <= 1 || largest < 2)
		return n * (align8(tuple) + LINE_POINTER_BYTES);
	double full = floor(n / largest), left = n - full * largest;
	double bytes = full * (align8(tuple + largest * TID_BYTES) + LINE_POINTER_BYTES);
	if (left > 0)
		bytes += align8(left < 2 ? tuple : tuple + left * TID_BYTES) + LINE_POINTER_BYTES;
	return bytes;
}

/* rows thrown at random into distinct groups: sizes follow a Poisson distribution. */
static double class_bytes(double rows, double distinct, double tuple)
{
	double mean = rows / fmax(distinct, 1);
	if (rows < 1)
		return 0;
	if (mean > 60)
		return distinct * group_bytes(mean, tuple);
	double bytes = 0, probability = exp(-mean);
	for (int n = 1; n < 200; n++) {
		probability *= mean / n;
		bytes += probability * group_bytes(n, tuple);
		if (n > mean && probability < 1e-9)
			break;
	}
	return bytes * distinct;
}

/* Whether equal keys are equal byte for byte, which deduplication asks for (nbtutils.c _bt_allequalimage). */
static bool deduplicates(const struct pgm_index_def *def)
{
	static const char *const never[] = {"numeric", "float4", "float8", "jsonb", "bpchar"};
	if (def->include_count)
		return false;
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_column *column = def->keys[i].column;
		if (!column)
			continue;
		if (column->type_category == 'A' || column->type_category == 'R')
			return false;
		for (size_t n = 0; n < sizeof(never) / sizeof(*never); n++)
			if (strcmp(column->type_name, never[n]) == 0)
				return false;
	}
	return true;
}

static double leaf_bytes(const struct pgm_index_def *def, double rows)
{
	double tuple = tuple_bytes(def, true);
	if (!deduplicates(def))
		return rows *
		       (align8(tuple) == tuple ? tuple + LINE_POINTER_BYTES : tuple + LINE_POINTER_BYTES);
	static _Thread_local struct classes all, column_classes;
	all.count = 1;
	all.items[0] = (struct class){1, 1};
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_index_key *key = &def->keys[i];
		if (key->column) {
			classes_of_column(key->column, rows, &column_classes);
		} else {
			column_classes.count = 1;
			column_classes.items[0] = (struct class){
				1, key->expression_distinct > 0 ? key->expression_distinct : rows};
		}
		multiply(&all, &column_classes);
	}
	double bytes = 0;
	for (size_t i = 0; i < all.count; i++)
		bytes += class_bytes(rows * all.items[i].share, all.items[i].distinct, tuple);
	return bytes;
}

double pgm_size_tuple_bytes(const struct pgm_index_def *def)
{
	return tuple_bytes(def, true) + LINE_POINTER_BYTES;
}

static double btree_bytes(const struct pgm_index_def *def, double rows)
{
	double pages = ceil(leaf_bytes(def, rows) / LEAF_FILL_BYTES), total = pages;
	double fanout =
		fmax(floor(INNER_FILL_BYTES / (align8(tuple_bytes(def, false)) + LINE_POINTER_BYTES)), 2);
	while (pages > 1) {
		pages = ceil(pages / fanout);
		total += pages;
	}
	return (fmax(total, 1) + 1) * PGM_PAGE_BYTES; /* and the metapage */
}

/* One summary for 128 pages of the table: a tuple of two values, by brin's own layout; and its map. */
static double brin_bytes(const struct pgm_index_def *def)
{
	double ranges = ceil(def->table->pages / 128);
	double tuple = align8(8 + 2 * (tuple_bytes(def, false) - TUPLE_HEADER_BYTES)) + LINE_POINTER_BYTES;
	double map_pages = ceil(ranges * TID_BYTES / (PAGE_USABLE_BYTES - 8));
	return (1 + map_pages + ceil(ranges * tuple / PAGE_USABLE_BYTES)) * PGM_PAGE_BYTES;
}

double pgm_size_estimate(const struct pgm_index_def *def)
{
	if (strcmp(def->method, "brin") == 0)
		return brin_bytes(def);
	return btree_bytes(def, def->table->tuples * (def->predicate ? def->predicate_share : 1));
}
