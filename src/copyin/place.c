#include "copyin/place.h"

#include <stdlib.h>
#include <string.h>

void pgm_place_reset(struct pgm_place_lines *lines)
{
	lines->count = 0;
	lines->sent = 0;
	lines->line = 0;
}

void pgm_place_free(struct pgm_place_lines *lines)
{
	free(lines->jumps);
	*lines = (struct pgm_place_lines){0};
}

void pgm_place_sent(struct pgm_place_lines *lines, int64_t line, int64_t file_lines, int64_t sent_lines)
{
	bool simple = file_lines == 1 && sent_lines == 1;
	if (lines->count == 0 || line != lines->line || !simple) {
		if (lines->count == lines->capacity) {
			lines->capacity = lines->capacity ? lines->capacity * 2 : 16;
			lines->jumps = realloc(lines->jumps, lines->capacity * sizeof(*lines->jumps));
			if (!lines->jumps)
				abort();
		}
		lines->jumps[lines->count].sent = lines->sent + 1;
		lines->jumps[lines->count].line = line;
		lines->jumps[lines->count++].one_row = !simple;
	}
	lines->sent += sent_lines;
	lines->line = simple ? line + 1 : -1;
}

int64_t pgm_place_line(const struct pgm_place_lines *lines, int64_t sent)
{
	size_t low = 0, high = lines->count;
	if (sent < 1 || lines->count == 0)
		return 0;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (lines->jumps[middle].sent <= sent)
			low = middle;
		else
			high = middle;
	}
	return lines->jumps[low].line + (lines->jumps[low].one_row ? 0 : sent - lines->jumps[low].sent);
}

/* "COPY orders, line 17, column price: ...", among lines of functions and triggers. */
static const char *find_copy_line(const char *context, const char *relation)
{
	size_t length = strlen(relation);
	for (const char *at = context; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, "COPY ", 5) == 0 && strncmp(at + 5, relation, length) == 0 &&
		    at[5 + length] == ',')
			return at + 5 + length + 1;
	return NULL;
}

void pgm_place_read(const char *context, const char *relation, const struct pgm_copyin_table *table,
		    int64_t *sent, int *column)
{
	size_t longest = 0;
	*sent = 0;
	*column = -1;
	const char *at = find_copy_line(context, relation);
	if (!at)
		return;
	at += strcspn(at, "0123456789\n");
	char *end;
	*sent = strtoll(at, &end, 10);
	if (strncmp(end, ", ", 2) != 0)
		return;
	/* The word for "column", then the name. */
	at = strchr(end + 2, ' ');
	for (size_t i = 0; at && i < table->column_count; i++) {
		size_t length = strlen(table->columns[i].name);
		const char *behind = at + 1 + length;
		if (length > longest && strncmp(at + 1, table->columns[i].name, length) == 0 &&
		    (*behind == ':' || strncmp(behind, " :", 2) == 0)) {
			longest = length;
			*column = (int)i;
		}
	}
}
