#include "advise/size.h"

#include "advise/btree_tuple.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * What _bt_buildadd() (nbtsort.c) lets onto a page. Free space is counted after the page header, the special
 * space and the line pointers of the high key and of the next tuple; a page ends when it would leave less
 * than the fill factor asks for, and its last tuple then moves to the next page, leaving the high key.
 */
#define FREE_BYTES	  (PGM_PAGE_BYTES - 24.0 - 16.0 - 2 * PGM_LINE_POINTER_BYTES)
#define LEAF_LIMIT_BYTES  (FREE_BYTES - PGM_PAGE_BYTES * 10 / 100 + 0.0) /* BTREE_DEFAULT_FILLFACTOR 90 */
#define INNER_LIMIT_BYTES (FREE_BYTES - PGM_PAGE_BYTES * 30 / 100 + 0.0) /* BTREE_NONLEAF_FILLFACTOR 70 */
#define POSTING_MAX_BYTES (PGM_PAGE_BYTES * 10 / 100 / 8 * 8 - PGM_LINE_POINTER_BYTES) /* _bt_load() */
#define TID_BYTES	  6.0
#define HEAP_TID_BYTES	  8.0 /* in an inner tuple that no key column tells from its neighbour */
#define CLASSES_MAX	  512
#define PIECES_MAX	  208
#define POISSON_MEAN_MAX  60.0 /* larger groups are taken as all equal */
#define LONE_MEAN_MAX	  1e-4 /* smaller ones as lone rows */
#define ALIGN_BYTES	  8.0
#define RUN_MIN_LISTS	  18 /* full posting lists of one key: two pages of them */

static double align8(double bytes)
{
	return ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

/* ---- which keys there are: classes of rows that are alike ---- */

struct piece { /* of one column */
	double share;
	double values; /* that the rows are drawn from */
	int value;     /* PGM_VALUE_IS_... or a common one */
};

struct pieces {
	struct piece items[PIECES_MAX];
	size_t count;
};

struct class {
	double share;
	double values;
	int value[PGM_INDEX_KEYS_MAX];
};

struct classes {
	struct class items[CLASSES_MAX];
	size_t count;
};

static void add_piece(struct pieces *pieces, double share, double values, int value)
{
	if (share > 1e-9 && pieces->count < PIECES_MAX)
		pieces->items[pieces->count++] = (struct piece){share, values, value};
}

/* Null, the most common values one by one, the other common ones together, ranges put together as asked. */
static void pieces_of(const struct pgm_column *column, double rows, size_t common_max, size_t ranges_max,
		      struct pieces *pieces)
{
	pieces->count = 0;
	if (!column || !column->has_statistics) {
		add_piece(pieces, 1, rows, PGM_VALUE_IS_ANY);
		return;
	}
	double others = 0;
	add_piece(pieces, column->null_fraction, 1, PGM_VALUE_IS_NULL);
	for (size_t i = 0; i < column->common_count; i++) {
		if (i < common_max)
			add_piece(pieces, column->common_fractions[i], 1, (int)i);
		else
			others += column->common_fractions[i];
	}
	if (others > 0)
		add_piece(pieces, others, (double)(column->common_count - common_max), PGM_VALUE_IS_ANY);
	size_t step = (column->range_count + ranges_max - 1) / ranges_max;
	for (size_t i = 0; i < column->range_count; i += step) {
		double share = 0, values = 0;
		for (size_t r = i; r < i + step && r < column->range_count; r++) {
			share += column->ranges[r].share;
			values += column->ranges[r].values;
		}
		add_piece(pieces, share, values, PGM_VALUE_IS_ANY);
	}
}

/* Every combination, columns taken as independent; what does not fit is put together. */
static void multiply(struct classes *all, const struct pieces *by, size_t key)
{
	static _Thread_local struct classes product;
	struct class rest = {.values = 0};
	for (size_t i = 0; i < PGM_INDEX_KEYS_MAX; i++)
		rest.value[i] = PGM_VALUE_IS_ANY;
	product.count = 0;
	for (size_t i = 0; i < all->count; i++)
		for (size_t j = 0; j < by->count; j++) {
			struct class both = all->items[i];
			both.share *= by->items[j].share;
			both.values *= by->items[j].values;
			both.value[key] = by->items[j].value;
			if (product.count < CLASSES_MAX - 1) {
				product.items[product.count++] = both;
			} else {
				rest.share += both.share;
				rest.values += both.values;
			}
		}
	if (rest.share > 0)
		product.items[product.count++] = rest;
	*all = product;
}

static void find_classes(const struct pgm_index_def *def, double rows, struct classes *classes)
{
	static _Thread_local struct pieces pieces;
	size_t each = def->key_count == 1 ? 100 : def->key_count == 2 ? 10 : def->key_count == 3 ? 3 : 1;
	classes->count = 1;
	classes->items[0] = (struct class){.share = 1, .values = 1};
	for (size_t i = 0; i < def->key_count; i++) {
		pieces_of(pgm_index_key_column(&def->keys[i]), rows, each, each, &pieces);
		multiply(classes, &pieces, i);
	}
}

/* ---- the tuples of equal keys ---- */

/* Tuples as they go onto pages, with their line pointers: sums over them. */
struct tuples {
	double count;
	double bytes;
	double square_bytes;
	double posting_bytes; /* of posting lists: what the high key would leave out */
	double smallest, largest;
};

static void add_tuples(struct tuples *tuples, double count, double tuple, double rows_each)
{
	bool posting = rows_each >= 2;
	double size = align8(posting ? tuple + rows_each * TID_BYTES : tuple) + PGM_LINE_POINTER_BYTES;
	if (count <= 0)
		return;
	tuples->count += count;
	tuples->bytes += count * size;
	tuples->square_bytes += count * size * size;
	tuples->posting_bytes += posting ? count * (size - PGM_LINE_POINTER_BYTES - tuple) : 0;
	tuples->smallest = tuples->smallest > 0 ? fmin(tuples->smallest, size) : size;
	tuples->largest = fmax(tuples->largest, size);
}

/* Tuples of one class: full posting lists in runs of many pages, and what is of several sizes. */
struct stream {
	struct tuples runs, mixed;
};

/* So many groups of n equal keys (_bt_dedup_save_htid() ends a posting list that would grow too large). */
static void add_groups(struct stream *stream, double groups, double n, double tuple)
{
	struct tuples *tuples = &stream->mixed;
	double largest = floor((floor(POSTING_MAX_BYTES / ALIGN_BYTES) * ALIGN_BYTES - tuple) / TID_BYTES);
	if (n < 2 || largest < 2) {
		add_tuples(tuples, groups * n, tuple, 1);
		return;
	}
	double full = floor(n / largest), left = n - full * largest;
	add_tuples(full >= RUN_MIN_LISTS ? &stream->runs : tuples, groups * full, tuple, largest);
	if (left >= 1)
		add_tuples(tuples, groups, tuple, left);
	else if (left > 0)
		add_tuples(tuples, groups * left, tuple, 1);
}

/* Rows thrown at random onto values: the sizes of groups follow a Poisson distribution. */
static void add_class(struct stream *stream, double rows, double values, double tuple)
{
	double mean = rows / fmax(values, 1);
	if (mean < LONE_MEAN_MAX) {
		add_groups(stream, rows, 1, tuple);
		return;
	}
	if (mean > POISSON_MEAN_MAX) {
		add_groups(stream, fmax(values, 1), mean, tuple);
		return;
	}
	double probability = exp(-mean);
	for (int n = 1; n < 4 * POISSON_MEAN_MAX; n++) {
		probability *= mean / n;
		add_groups(stream, values * probability, n, tuple);
		if (n > mean && probability < 1e-9)
			break;
	}
}

/*
 * Pages that hold them. Tuples of one size fit a whole number of times; of several sizes, the space left at
 * a page's end is, by renewal theory, half of a tuple drawn in proportion to its size, less half a step of
 * alignment. A last tuple with a posting list fills the page further, as its high key will not hold the list.
 */
static double pages_of(const struct tuples *tuples, double limit_bytes)
{
	if (tuples->count <= 0)
		return 0;
	double mean = tuples->bytes / tuples->count;
	double limit = limit_bytes + tuples->posting_bytes / tuples->count;
	if (tuples->largest - tuples->smallest < 1)
		return tuples->count / fmax(floor(fmin(limit, FREE_BYTES) / mean), 1);
	double wasted = tuples->square_bytes / tuples->bytes / 2 - ALIGN_BYTES / 2;
	return tuples->bytes / fmax(limit - wasted, mean);
}

/* ---- the tree ---- */

/* _bt_allequalimage(), and what a build deduplicates at all. */
static bool deduplicates(const struct pgm_index_def *def)
{
	if (def->include_count || def->unique)
		return false;
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_column *column = pgm_index_key_column(&def->keys[i]);
		if (!column || !column->equal_image)
			return false;
	}
	return true;
}

/* Leaf pages of one class. Where lengths vary, its rows are dealt out to as many tuples as are drawn. */
static double class_pages(const struct pgm_index_def *def, const struct class *class, double rows, bool equal)
{
	int draws = pgm_btree_tuple_varies(def, class->value) ? PGM_TUPLE_DRAWS : 1;
	struct stream stream = {0};
	for (int draw = 0; draw < draws; draw++) {
		double tuple = pgm_btree_tuple_bytes(def, class->value, def->key_count, true, draw);
		double share = 1.0 / draws;
		if (!equal)
			add_tuples(&stream.mixed, rows * share, tuple, 1);
		else if (class->values * share >= 1 || draws == 1)
			add_class(&stream, rows * share, class->values * share, tuple);
		else /* fewer values than draws: each draw is one of them for a part of the rows */
			add_class(&stream, rows * share, 1, tuple);
	}
	return pages_of(&stream.runs, LEAF_LIMIT_BYTES) + pages_of(&stream.mixed, LEAF_LIMIT_BYTES);
}

static double leaf_pages(const struct pgm_index_def *def, double rows)
{
	static _Thread_local struct classes classes;
	bool equal = deduplicates(def);
	double pages = 0;
	find_classes(def, rows, &classes);
	for (size_t i = 0; i < classes.count; i++)
		pages += class_pages(def, &classes.items[i], rows * classes.items[i].share, equal);
	return pages;
}

/*
 * How many key columns an inner tuple keeps: _bt_truncate() leaves out those that are not needed to tell two
 * neighbours apart, which is most often when there are about as many values as rows. key_count + 1: all, and
 * the heap TID.
 */
static size_t inner_columns(const struct pgm_index_def *def, double rows)
{
	double values = 1;
	for (size_t i = 0; i < def->key_count; i++) {
		const struct pgm_column *column = pgm_index_key_column(&def->keys[i]);
		double own = rows;
		if (column && column->has_statistics) {
			own = (double)column->common_count + (column->null_fraction > 0);
			for (size_t r = 0; r < column->range_count; r++)
				own += column->ranges[r].values;
		}
		values *= own;
		if (values >= rows / 2)
			return i + 1;
	}
	return def->key_count + 1;
}

static double inner_tuple_bytes(const struct pgm_index_def *def, double rows)
{
	size_t columns = inner_columns(def, rows);
	bool with_tid = columns > def->key_count;
	double bytes = 0;
	for (int draw = 0; draw < PGM_TUPLE_DRAWS; draw++)
		bytes += pgm_btree_tuple_bytes(def, NULL, with_tid ? def->key_count : columns, false, draw);
	return bytes / PGM_TUPLE_DRAWS + (with_tid ? HEAP_TID_BYTES : 0) + PGM_LINE_POINTER_BYTES;
}

static double btree_bytes(const struct pgm_index_def *def, double rows)
{
	double pages = fmax(ceil(leaf_pages(def, rows)), 1), total = pages;
	double fanout = fmax(floor(INNER_LIMIT_BYTES / inner_tuple_bytes(def, rows)), 2);
	while (pages > 1) {
		pages = ceil(pages / fanout);
		total += pages;
	}
	return (total + 1) * PGM_PAGE_BYTES; /* and the metapage */
}

double pgm_size_tuple_bytes(const struct pgm_index_def *def)
{
	double bytes = 0;
	for (int draw = 0; draw < PGM_TUPLE_DRAWS; draw++)
		bytes += pgm_btree_tuple_bytes(def, NULL, def->key_count, true, draw);
	return bytes / PGM_TUPLE_DRAWS + PGM_LINE_POINTER_BYTES;
}

/* One summary for 128 pages of the table: a tuple of two values, by brin's own layout; and its map. */
static double brin_bytes(const struct pgm_index_def *def)
{
	double ranges = ceil(def->table->pages / 128);
	double value = pgm_btree_tuple_bytes(def, NULL, def->key_count, false, 0) - ALIGN_BYTES;
	double tuple = align8(8 + 2 * value) + PGM_LINE_POINTER_BYTES;
	double map_pages = ceil(ranges * TID_BYTES / FREE_BYTES);
	return (1 + map_pages + ceil(ranges * tuple / FREE_BYTES)) * PGM_PAGE_BYTES;
}

double pgm_size_estimate(const struct pgm_index_def *def)
{
	if (strcmp(def->method, "brin") == 0)
		return brin_bytes(def);
	return btree_bytes(def, def->table->tuples * (def->predicate ? def->predicate_share : 1));
}
