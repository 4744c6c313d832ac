#include "serve/history/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static void put_number(struct pgm_buf *buf, uint64_t number)
{
	char bytes[10];
	size_t length = 0;
	while (number > 127) {
		bytes[length++] = (char)(number | 128);
		number >>= 7;
	}
	bytes[length++] = (char)number;
	pgm_buf_add_n(buf, bytes, length);
}

static uint64_t get_number(struct reader *reader)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		uint8_t byte = *reader->at++;
		number |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return number;
	}
	reader->bad = true;
	return 0;
}

static void put_double(struct pgm_buf *buf, double value)
{
	uint64_t bits;
	char bytes[8];
	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(bits >> (8 * i));
	pgm_buf_add_n(buf, bytes, sizeof(bytes));
}

static double get_double(struct reader *reader)
{
	uint64_t bits = 0;
	double value;
	if (reader->end - reader->at < 8) {
		reader->bad = true;
		return 0;
	}
	for (int i = 0; i < 8; i++)
		bits |= (uint64_t)*reader->at++ << (8 * i);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* ---- metrics ---- */

enum { FLAT = 1, RESET = 2 }; /* flat: one value says all of them */

void pgm_cell_merge(struct pgm_cell *into, const struct pgm_cell *later)
{
	into->reset |= later->reset;
	if (later->count == 0)
		return;
	into->min = into->count ? fmin(into->min, later->min) : later->min;
	into->max = into->count ? fmax(into->max, later->max) : later->max;
	into->sum += later->sum;
	into->last = later->last;
	into->count = into->count < UINT32_MAX - later->count ? into->count + later->count : UINT32_MAX;
}

static bool is_flat(const struct pgm_cell *cell)
{
	return cell->min == cell->max && cell->last == cell->min && cell->sum == cell->min * cell->count;
}

void pgm_cells_pack(const struct pgm_cells *cells, struct pgm_buf *buf)
{
	uint32_t before = 0;
	for (size_t i = 0; i < cells->count; i++) {
		const struct pgm_cell *cell = &cells->items[i];
		bool flat = is_flat(cell);
		put_number(buf, (uint64_t)(cell->series - before) << 2 | (flat ? FLAT : 0) |
					(cell->reset ? RESET : 0));
		put_number(buf, cell->count);
		before = cell->series;
		if (cell->count == 0)
			continue;
		put_double(buf, cell->min);
		if (flat)
			continue;
		put_double(buf, cell->sum);
		put_double(buf, cell->max);
		put_double(buf, cell->last);
	}
}

/* False at the end. *series: of the one before, then of this. */
static bool next_cell(struct reader *reader, uint32_t *series, struct pgm_cell *cell)
{
	if (reader->at == reader->end)
		return false;
	uint64_t head = get_number(reader), count = get_number(reader);
	*series += (uint32_t)(head >> 2);
	*cell = (struct pgm_cell){.series = *series, .count = (uint32_t)count, .reset = head & RESET};
	if (count) {
		cell->min = get_double(reader);
		cell->sum = cell->min * (double)cell->count;
		cell->max = cell->last = cell->min;
		if (!(head & FLAT)) {
			cell->sum = get_double(reader);
			cell->max = get_double(reader);
			cell->last = get_double(reader);
		}
	}
	return !reader->bad;
}

struct pgm_cells pgm_cells_unpack(struct pgm_arena *arena, const void *bytes, size_t length)
{
	struct reader reader = {bytes, (const uint8_t *)bytes + length, false};
	/* two bytes are the least that a cell takes */
	struct pgm_cells cells = {PGM_NEW_ARRAY(arena, struct pgm_cell, length / 2 + 1), 0};
	uint32_t series = 0;
	struct pgm_cell cell;
	while (next_cell(&reader, &series, &cell))
		cells.items[cells.count++] = cell;
	return cells;
}

bool pgm_cells_find(const void *bytes, size_t length, uint32_t series, struct pgm_cell *cell)
{
	struct reader reader = {bytes, (const uint8_t *)bytes + length, false};
	uint32_t at = 0;
	while (next_cell(&reader, &at, cell))
		if (at >= series)
			return at == series;
	return false;
}

struct pgm_cells pgm_cells_merge(struct pgm_arena *arena, const struct pgm_cells *earlier,
				 const struct pgm_cells *later)
{
	struct pgm_cells all = {PGM_NEW_ARRAY(arena, struct pgm_cell, earlier->count + later->count + 1), 0};
	size_t a = 0, b = 0;
	while (a < earlier->count || b < later->count) {
		bool take_a = a < earlier->count &&
			      (b == later->count || earlier->items[a].series <= later->items[b].series);
		bool both = take_a && b < later->count && earlier->items[a].series == later->items[b].series;
		struct pgm_cell *cell = &all.items[all.count++];
		*cell = take_a ? earlier->items[a++] : later->items[b++];
		if (both)
			pgm_cell_merge(cell, &later->items[b++]);
	}
	return all;
}

static int by_series(const void *a, const void *b)
{
	const struct pgm_cell *x = a, *y = b;
	return (x->series > y->series) - (x->series < y->series);
}

void pgm_cells_sort(struct pgm_cells *cells)
{
	size_t kept = 0;
	/* those of one series are the same look's: any order will do */
	if (cells->count)
		qsort(cells->items, cells->count, sizeof(*cells->items), by_series);
	for (size_t i = 0; i < cells->count; i++) {
		if (kept && cells->items[kept - 1].series == cells->items[i].series)
			pgm_cell_merge(&cells->items[kept - 1], &cells->items[i]);
		else
			cells->items[kept++] = cells->items[i];
	}
	cells->count = kept;
}

/* ---- statements ---- */

enum { HAS_HISTOGRAM = 1, HAS_BLOCKS = 2, HAS_FAULTS = 4 };

static void pack_histogram(const struct pgm_histogram *histogram, struct pgm_buf *buf)
{
	unsigned filled = 0, before = 0;
	for (unsigned i = 0; i < PGM_HISTOGRAM_BUCKETS; i++)
		filled += histogram->counts[i] != 0;
	put_number(buf, histogram->sum_us);
	put_number(buf, histogram->max_us);
	put_number(buf, filled);
	for (unsigned i = 0; i < PGM_HISTOGRAM_BUCKETS; i++) {
		if (!histogram->counts[i])
			continue;
		put_number(buf, i - before);
		put_number(buf, histogram->counts[i]);
		before = i;
	}
}

static void unpack_histogram(struct reader *reader, struct pgm_histogram *histogram)
{
	*histogram =
		(struct pgm_histogram){.sum_us = get_number(reader), .max_us = (uint32_t)get_number(reader)};
	uint64_t filled = get_number(reader), bucket = 0;
	for (uint64_t i = 0; i < filled && !reader->bad; i++) {
		bucket += get_number(reader);
		uint64_t count = get_number(reader);
		if (bucket >= PGM_HISTOGRAM_BUCKETS) {
			reader->bad = true;
			return;
		}
		histogram->counts[bucket] = (uint32_t)count;
		histogram->count += (uint32_t)count;
	}
}

void pgm_statement_cells_pack(const struct pgm_statement_cells *cells, struct pgm_buf *buf)
{
	uint32_t before = 0;
	for (size_t i = 0; i < cells->count; i++) {
		const struct pgm_statement_cell *cell = &cells->items[i];
		bool blocks = cell->blocks_hit || cell->blocks_read || cell->blocks_temp;
		bool faults = cell->errors || cell->bursts;
		put_number(buf, (uint64_t)(cell->statement - before) << 3 |
					(cell->histogram ? HAS_HISTOGRAM : 0) | (blocks ? HAS_BLOCKS : 0) |
					(faults ? HAS_FAULTS : 0));
		before = cell->statement;
		put_number(buf, cell->calls);
		put_number(buf, cell->rows);
		put_number(buf, cell->total_us);
		if (blocks) {
			put_number(buf, cell->blocks_hit);
			put_number(buf, cell->blocks_read);
			put_number(buf, cell->blocks_temp);
		}
		if (faults) {
			put_number(buf, cell->errors);
			put_number(buf, cell->bursts);
		}
		if (cell->histogram)
			pack_histogram(cell->histogram, buf);
	}
}

/* histogram: where it goes if there is one. */
static bool next_statement(struct reader *reader, uint32_t *statement, struct pgm_statement_cell *cell,
			   struct pgm_histogram *histogram)
{
	if (reader->at == reader->end)
		return false;
	uint64_t head = get_number(reader);
	*statement += (uint32_t)(head >> 3);
	*cell = (struct pgm_statement_cell){.statement = *statement};
	cell->calls = get_number(reader);
	cell->rows = get_number(reader);
	cell->total_us = get_number(reader);
	if (head & HAS_BLOCKS) {
		cell->blocks_hit = get_number(reader);
		cell->blocks_read = get_number(reader);
		cell->blocks_temp = get_number(reader);
	}
	if (head & HAS_FAULTS) {
		cell->errors = get_number(reader);
		cell->bursts = get_number(reader);
	}
	if (head & HAS_HISTOGRAM) {
		unpack_histogram(reader, histogram);
		cell->histogram = histogram;
	}
	return !reader->bad;
}

void pgm_statement_cells_visit(const void *bytes, size_t length,
			       void (*visit)(void *data, const struct pgm_statement_cell *cell), void *data)
{
	struct reader reader = {bytes, (const uint8_t *)bytes + length, false};
	struct pgm_statement_cell cell;
	struct pgm_histogram histogram;
	uint32_t statement = 0;
	while (next_statement(&reader, &statement, &cell, &histogram))
		visit(data, &cell);
}

struct unpacking {
	struct pgm_arena *arena;
	struct pgm_statement_cells *cells;
};

static void unpack_one(void *data, const struct pgm_statement_cell *cell)
{
	struct unpacking *unpacking = data;
	struct pgm_statement_cell *kept = &unpacking->cells->items[unpacking->cells->count++];
	*kept = *cell;
	if (!cell->histogram)
		return;
	kept->histogram = PGM_NEW(unpacking->arena, struct pgm_histogram);
	*kept->histogram = *cell->histogram;
}

struct pgm_statement_cells pgm_statement_cells_unpack(struct pgm_arena *arena, const void *bytes,
						      size_t length)
{
	/* four bytes are the least that a cell takes */
	struct pgm_statement_cells cells = {PGM_NEW_ARRAY(arena, struct pgm_statement_cell, length / 4 + 1),
					    0};
	struct unpacking unpacking = {arena, &cells};
	pgm_statement_cells_visit(bytes, length, unpack_one, &unpacking);
	return cells;
}

void pgm_statement_cell_merge(struct pgm_arena *arena, struct pgm_statement_cell *into,
			      const struct pgm_statement_cell *from)
{
	into->calls += from->calls;
	into->errors += from->errors;
	into->rows += from->rows;
	into->total_us += from->total_us;
	into->blocks_hit += from->blocks_hit;
	into->blocks_read += from->blocks_read;
	into->blocks_temp += from->blocks_temp;
	into->bursts += from->bursts;
	if (!from->histogram)
		return;
	if (!into->histogram)
		into->histogram = PGM_NEW(arena, struct pgm_histogram);
	pgm_histogram_merge(into->histogram, from->histogram);
}

struct pgm_statement_cells pgm_statement_cells_merge(struct pgm_arena *arena,
						     const struct pgm_statement_cells *a,
						     const struct pgm_statement_cells *b)
{
	struct pgm_statement_cells all = {
		PGM_NEW_ARRAY(arena, struct pgm_statement_cell, a->count + b->count + 1), 0};
	size_t i = 0, j = 0;
	while (i < a->count || j < b->count) {
		bool take_a =
			i < a->count && (j == b->count || a->items[i].statement <= b->items[j].statement);
		bool both = take_a && j < b->count && a->items[i].statement == b->items[j].statement;
		struct pgm_statement_cell *cell = &all.items[all.count++];
		*cell = take_a ? a->items[i++] : b->items[j++];
		if (both)
			pgm_statement_cell_merge(arena, cell, &b->items[j++]);
	}
	return all;
}
