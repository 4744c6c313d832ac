/*
 * Words that any check's SQL may use beside its own thresholds and probes. Inside check/ only.
 *
 *	:host_memory_bytes	memory that the server may use, double precision; NULL: not known
 *	:host_seeks		1 or 0, whether the disk of the data directory seeks; NULL: not known
 *	:statement_texts	a row source (queryid, verb, text) for statements of this database; needs the
 *				extension pg_stat_statements. pgmend's own statements are not in it, quoted
 *				texts are blanked, verb is the first word in lower case
 *	:masked_query		an expression: column query without its literals, on one line, cut
 */
#ifndef PGM_CHECK_WORDS_H
#define PGM_CHECK_WORDS_H

#include "check/host.h"
#include "check/run.h"

/* What :masked_query is. */
extern const char pgm_check_masked_query[];

/* :statement_texts over the parameter of that number, which holds what pgm_check_texts_read() gave. */
const char *pgm_check_texts_source(struct pgm_arena *arena, size_t param);

/* Read the texts as a JSON array. Costs what one look at all of pg_stat_statements costs. */
bool pgm_check_texts_read(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema, char **texts,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* The value of a word where it is known of the machine; NULL for other words. */
const char *pgm_check_host_word(struct pgm_arena *arena, const struct pgm_check_host *host, const char *name);

/* The \set lines for psql of those of these words that the SQL uses, in out. */
struct pgm_buf;
void pgm_check_words_explain(struct pgm_arena *arena, const char *sql, struct pgm_buf *out);

/* One \set line, quoted as psql wants it. */
void pgm_check_set_line(struct pgm_buf *out, const char *name, const char *value);

#endif
