/* Rows that were refused. */
#include "lib/batch.h"

#include "lib/error.h"

#include <stdlib.h>

#define KEPT_MAX 100000

bool pgm_bad_add(struct pgmend_batch *b, int64_t position, const struct pgmend_error *why)
{
	struct pgm_bad_rows *bad = &b->bad;
	b->result.rows_bad++;
	/* Those of the chunk that are not reported yet are needed, however many are kept. */
	if (bad->count == bad->capacity) {
		size_t capacity = bad->capacity ? bad->capacity * 2 : 64;
		struct pgmend_bad_row *rows = realloc(bad->rows, capacity * sizeof(*rows));
		if (!rows)
			return false;
		bad->rows = rows;
		bad->capacity = capacity;
	}
	const char *fields[] = {why->message, why->detail, why->column, why->constraint};
	size_t sizes[4], total = 0;
	for (int i = 0; i < 4; i++)
		total += sizes[i] = strlen(fields[i]) + 1;
	char *texts = malloc(total);
	if (!texts)
		return false;
	struct pgmend_bad_row *row = &bad->rows[bad->count++];
	*row = (struct pgmend_bad_row){.position = position};
	const char **to[] = {&row->message, &row->detail, &row->column, &row->constraint};
	memcpy(row->sqlstate, why->sqlstate, sizeof(row->sqlstate));
	for (int i = 0; i < 4; i++) {
		*to[i] = memcpy(texts, fields[i], sizes[i]);
		texts += sizes[i];
	}
	return true;
}

static void free_texts(struct pgmend_bad_row *row)
{
	free((char *)(uintptr_t)row->message); /* the others stand behind it */
}

static int compare(const void *left, const void *right)
{
	const struct pgmend_bad_row *a = left, *b = right;
	return (a->position > b->position) - (a->position < b->position);
}

void pgm_bad_report(struct pgmend_batch *b)
{
	struct pgm_bad_rows *bad = &b->bad;
	if (bad->reported == bad->count)
		return;
	qsort(bad->rows + bad->reported, bad->count - bad->reported, sizeof(*bad->rows), compare);
	for (; bad->reported < bad->count; bad->reported++)
		if (b->options.on_bad_row)
			b->options.on_bad_row(b->options.context, &bad->rows[bad->reported]);
	while (bad->count > KEPT_MAX)
		free_texts(&bad->rows[--bad->count]);
	bad->reported = bad->count;
}

void pgm_bad_done(struct pgm_bad_rows *bad)
{
	for (size_t i = 0; i < bad->count; i++)
		free_texts(&bad->rows[i]);
	free(bad->rows);
	*bad = (struct pgm_bad_rows){0};
}

size_t pgmend_batch_bad_count(const struct pgmend_batch *b)
{
	return b->bad.count;
}

const struct pgmend_bad_row *pgmend_batch_bad_row(const struct pgmend_batch *b, size_t index)
{
	return index < b->bad.count ? &b->bad.rows[index] : NULL;
}
