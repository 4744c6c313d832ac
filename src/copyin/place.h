/*
 * What a server says of where COPY failed, "COPY orders, line 17, column price: "abc"", told in the file's
 * own lines.
 */
#ifndef PGM_COPYIN_PLACE_H
#define PGM_COPYIN_PLACE_H

#include "copyin/table.h"

/*
 * Which line of a file a line of a COPY is: they run side by side, but for jumps (lines left out, rows of
 * several lines). Grows with the jumps; {0} begins, pgm_place_reset() begins anew.
 */
struct pgm_place_lines {
	struct {
		int64_t sent, line;
		bool one_row; /* all that follows, up to the next jump, is one row */
	} * jumps;
	size_t count, capacity;
	int64_t sent; /* lines so far */
	int64_t line; /* of the file, that comes next without a jump; -1: there must be one */
};

void pgm_place_reset(struct pgm_place_lines *lines);
void pgm_place_free(struct pgm_place_lines *lines);

/* A row that stands in the file from line on, for so many lines, and that COPY counts as so many. */
void pgm_place_sent(struct pgm_place_lines *lines, int64_t line, int64_t file_lines, int64_t sent_lines);

/* The file's line, where a row begins; 0: not known. */
int64_t pgm_place_line(const struct pgm_place_lines *lines, int64_t sent);

/*
 * Read a server's CONTEXT, in whatever language: *sent is the COPY's line, 0 where none is named, *column the
 * index of the table's column or -1. relation: the name as COPY calls it.
 */
void pgm_place_read(const char *context, const char *relation, const struct pgm_copyin_table *table,
		    int64_t *sent, int *column);

#endif
