/*
 * What a row of samples or of statements holds, packed: numbers of series that grow, so differences in
 * variable length, and values as they are. Pure. A row that does not make sense is read up to where it does.
 */
#ifndef PGM_SERVE_HISTORY_CELLS_H
#define PGM_SERVE_HISTORY_CELLS_H

#include "util/arena.h"
#include "util/buf.h"
#include "util/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A series in an interval. */
struct pgm_cell {
	uint32_t series;
	uint32_t count; /* 0: only a reset */
	bool reset;
	double min, sum, max, last;
};

/* Add what came later to a cell. */
void pgm_cell_merge(struct pgm_cell *into, const struct pgm_cell *later);

struct pgm_cells {
	struct pgm_cell *items; /* by series, each once */
	size_t count;
};

/* later's to earlier's. Into the arena. */
struct pgm_cells pgm_cells_merge(struct pgm_arena *arena, const struct pgm_cells *earlier,
				 const struct pgm_cells *later);
/* Sorts, and merges those of one series in their order. */
void pgm_cells_sort(struct pgm_cells *cells);
void pgm_cells_pack(const struct pgm_cells *cells, struct pgm_buf *buf);
struct pgm_cells pgm_cells_unpack(struct pgm_arena *arena, const void *bytes, size_t length);
/* The cell of one series; false: it is not there. */
bool pgm_cells_find(const void *bytes, size_t length, uint32_t series, struct pgm_cell *cell);

/* A statement in an interval; number 0 is all the others. */
struct pgm_statement_cell {
	uint32_t statement;
	uint64_t calls, errors, rows;
	uint64_t total_us;
	uint64_t blocks_hit, blocks_read, blocks_temp;
	uint64_t bursts;
	struct pgm_histogram *histogram; /* NULL: not known */
};

struct pgm_statement_cells {
	struct pgm_statement_cell *items; /* by statement, each once */
	size_t count;
};

void pgm_statement_cell_merge(struct pgm_arena *arena, struct pgm_statement_cell *into,
			      const struct pgm_statement_cell *from);
struct pgm_statement_cells pgm_statement_cells_merge(struct pgm_arena *arena,
						     const struct pgm_statement_cells *a,
						     const struct pgm_statement_cells *b);
void pgm_statement_cells_pack(const struct pgm_statement_cells *cells, struct pgm_buf *buf);
struct pgm_statement_cells pgm_statement_cells_unpack(struct pgm_arena *arena, const void *bytes,
						      size_t length);
/* Call visit for each; the cell and its histogram are good during the call alone. */
void pgm_statement_cells_visit(const void *bytes, size_t length,
			       void (*visit)(void *data, const struct pgm_statement_cell *cell), void *data);

#endif
