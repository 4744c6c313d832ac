/* Rows that RETURNING gave: held until their chunk is accepted, then given to the callback or kept. */
#include "lib/batch.h"

#include <stdlib.h>

bool pgm_returned_add(struct pgmend_batch *b, PGresult *result, size_t from, size_t to)
{
	struct pgm_returned *returned = &b->returned;
	size_t rows = (size_t)PQntuples(result);
	if (returned->count == returned->capacity) {
		size_t capacity = returned->capacity ? returned->capacity * 2 : 64;
		struct pgm_returned_block *blocks = realloc(returned->blocks, capacity * sizeof(*blocks));
		if (!blocks)
			goto fail;
		returned->blocks = blocks;
		returned->capacity = capacity;
	}
	int64_t *positions = malloc((rows + 1) * sizeof(*positions));
	if (!positions)
		goto fail;
	size_t at = 0;
	for (size_t i = from; i < to && at < rows; i++)
		if (!b->rows.rows[i].left_out || b->attempt.piece)
			positions[at++] = b->rows.rows[i].position;
	int64_t before = 0;
	if (returned->count) {
		struct pgm_returned_block *last = &returned->blocks[returned->count - 1];
		before = last->before + (last->result ? PQntuples(last->result) : 0);
	}
	returned->blocks[returned->count++] = (struct pgm_returned_block){result, positions, before};
	return true;
fail:
	PQclear(result);
	return false;
}

static void free_block(struct pgm_returned_block *block)
{
	PQclear(block->result);
	free(block->positions);
	block->result = NULL;
	block->positions = NULL;
}

void pgm_returned_forget(struct pgm_returned *returned, size_t count)
{
	while (returned->count > count)
		free_block(&returned->blocks[--returned->count]);
}

bool pgm_returned_deliver(struct pgmend_batch *b)
{
	struct pgm_returned *returned = &b->returned;
	bool go_on = true;
	if (!b->options.on_returning) {
		returned->delivered = returned->count;
		return true;
	}
	for (size_t i = 0; i < returned->count; i++) {
		struct pgm_returned_block *block = &returned->blocks[i];
		struct pgmend_returned rows = {
			.result = block->result,
			.positions = block->positions,
			.count = PQntuples(block->result),
			.columns = b->returning_count,
		};
		if (go_on && rows.count)
			go_on = b->options.on_returning(b->options.context, &rows);
	}
	pgm_returned_forget(returned, 0);
	return go_on;
}

void pgm_returned_done(struct pgm_returned *returned)
{
	pgm_returned_forget(returned, 0);
	free(returned->blocks);
	*returned = (struct pgm_returned){0};
}

/* The block that the row with this index is in; NULL beyond the last. */
static const struct pgm_returned_block *find(const struct pgmend_batch *b, int64_t index, int *row)
{
	const struct pgm_returned *returned = &b->returned;
	size_t low = 0, high = returned->delivered;
	while (low < high) { /* the first one that begins behind index */
		size_t middle = low + (high - low) / 2;
		if (returned->blocks[middle].before > index)
			high = middle;
		else
			low = middle + 1;
	}
	if (index < 0 || !low)
		return NULL;
	const struct pgm_returned_block *block = &returned->blocks[low - 1];
	if (index - block->before >= PQntuples(block->result))
		return NULL;
	*row = (int)(index - block->before);
	return block;
}

int64_t pgmend_batch_returned_count(const struct pgmend_batch *b)
{
	if (!b->returned.delivered)
		return 0;
	const struct pgm_returned_block *last = &b->returned.blocks[b->returned.delivered - 1];
	return last->before + PQntuples(last->result);
}

int64_t pgmend_batch_returned_position(const struct pgmend_batch *b, int64_t index)
{
	int row;
	const struct pgm_returned_block *block = find(b, index, &row);
	return block ? block->positions[row] : -1;
}

const char *pgmend_batch_returned_value(const struct pgmend_batch *b, int64_t index, int column,
					size_t *length)
{
	int row;
	const struct pgm_returned_block *block = find(b, index, &row);
	bool null = !block || column < 0 || column >= b->returning_count ||
		    PQgetisnull(block->result, row, column);
	if (length)
		*length = null ? 0 : (size_t)PQgetlength(block->result, row, column);
	return null ? NULL : PQgetvalue(block->result, row, column);
}
