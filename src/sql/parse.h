/*
 * libpg_query's parse tree as JSON, and its errors as ours. Inside sql/ only.
 */
#ifndef PGM_SQL_PARSE_H
#define PGM_SQL_PARSE_H

#include "util/error.h"

#include <jansson.h>

/*
 * The list of {"stmt": {...}} of the text; the caller owns the reference. NULL with PGM_ERR_INPUT
 * "line 3: syntax error at or near ..." where first_line is the line number of the text's first line.
 */
json_t *pgm_sql_parse(const char *text, int first_line, struct pgm_error *err) PGM_MUST_CHECK;

/* Fill err for an error that libpg_query reports at a character position (from 1; 0: none). False. */
bool pgm_sql_parse_error(const char *text, int first_line, const char *message, int position,
			 struct pgm_error *err);

#endif
