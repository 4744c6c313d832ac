#include "load/values.h"

#include <inttypes.h>
#include <stdio.h>

static const char *draw_text(const struct pgm_load_column *column, struct pgm_random *random)
{
	double share = pgm_random_double(random);
	size_t i = 0;
	while (i + 1 < column->text_count && share >= column->upto[i])
		i++;
	return column->texts[i];
}

const char *pgm_load_column_draw(const struct pgm_load_column *column, struct pgm_random *random,
				 char buffer[PGM_LOAD_NUMBER_MAX])
{
	bool ranges = column->bound_count >= 2;
	if (!ranges && column->text_count == 0)
		return NULL;
	if (!ranges || (column->text_count && pgm_random_double(random) < column->text_share))
		return draw_text(column, random);
	size_t bucket = (size_t)pgm_random_range(random, 0, (int64_t)column->bound_count - 2);
	int64_t low = column->bounds[bucket], high = column->bounds[bucket + 1];
	snprintf(buffer, PGM_LOAD_NUMBER_MAX, "%" PRId64, pgm_random_range(random, low, high));
	return buffer;
}
