/*
 * What a run of the advisor may be told.
 */
#ifndef PGM_ADVISE_OPTIONS_H
#define PGM_ADVISE_OPTIONS_H

#include "catalog/catalog.h"

struct pgm_advise_options {
	int64_t budget_bytes;	  /* 0: none */
	size_t max_width;	  /* key columns */
	size_t max_include_bytes; /* average width of the INCLUDE columns together */
	const char **tables;	  /* only these, "name" or "schema.name"; none: all */
	size_t table_count;
	const char *fingerprint; /* only this statement, as pgm_statement_is() has it; NULL: all */
	size_t top;		 /* statements of pg_stat_statements */
	double min_gain; /* share that an index must save of some statement, or a fiftieth of that of all */
	bool drop_redundant; /* propose to drop what the proposals make needless */
	bool hypopg_sizes;   /* count the budget in HypoPG's sizes, to compare with other tools */
	void (*progress)(void *arg, const char *what, double fraction);
	void *progress_arg;
};

void pgm_advise_defaults(struct pgm_advise_options *options);

/* Whether advice is wanted for the table. */
bool pgm_advise_wants_table(const struct pgm_advise_options *options, const struct pgm_table *table);

/* A name that no table has is a slip of the pen: to advise nothing would hide it. PGM_ERR_USAGE. */
bool pgm_advise_check_tables(const struct pgm_advise_options *options, const struct pgm_catalog *catalog,
			     const char *database, struct pgm_error *err) PGM_MUST_CHECK;

#endif
