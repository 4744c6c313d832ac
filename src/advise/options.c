#include "advise/options.h"

#include "pg/quote.h"
#include "workload/workload.h"

#include <string.h>

void pgm_advise_defaults(struct pgm_advise_options *options)
{
	*options = (struct pgm_advise_options){
		.max_width = 5,
		.max_include_bytes = 400,
		.top = PGM_WORKLOAD_DEFAULT_TOP,
		.min_gain = 0.2,
	};
}

static bool is_table(const char *wanted, const struct pgm_table *table)
{
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	return strcmp(wanted, table->name) == 0 ||
	       strcmp(wanted, pgm_quote_qualified(scratch, table->schema, table->name)) == 0 ||
	       strcmp(wanted, pgm_sprintf(scratch, "%s.%s", table->schema, table->name)) == 0;
}

bool pgm_advise_wants_table(const struct pgm_advise_options *options, const struct pgm_table *table)
{
	for (size_t i = 0; i < options->table_count; i++)
		if (is_table(options->tables[i], table))
			return true;
	return options->table_count == 0;
}

bool pgm_advise_check_tables(const struct pgm_advise_options *options, const struct pgm_catalog *catalog,
			     const char *database, struct pgm_error *err)
{
	for (size_t i = 0; i < options->table_count; i++) {
		bool found = false;
		for (size_t t = 0; t < catalog->table_count && !found; t++)
			found = is_table(options->tables[i], &catalog->tables[t]);
		if (!found)
			return pgm_error_set(err, PGM_ERR_USAGE,
					     "--table: there is no table %s in database \"%s\"",
					     options->tables[i], database);
	}
	return true;
}
