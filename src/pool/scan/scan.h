/*
 * What the pooler must know of a statement's text, in one pass over it, without parsing or allocating: its
 * fingerprint (the same for texts that differ only in values, parameters' numbers, the lengths of IN lists,
 * of ARRAY[...] and of VALUES, space, comments, the case of keywords and plain names, and savepoints' names),
 * and whether it may leave something behind in the session.
 *
 * It errs to one side: it may say that state is touched where it is not (that costs a look at the server),
 * never the other way round for anything that is written out in the text. What a function does inside is out
 * of its sight (see `strict` in docs/pool.md).
 */
#ifndef PGM_POOL_SCAN_H
#define PGM_POOL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pgm_scan_flags {
	PGM_SCAN_SETS = 1 << 0,	    /* SET (not LOCAL, not CONSTRAINTS, not TRANSACTION), RESET, set_config(),
				       DISCARD ALL, SET ROLE */
	PGM_SCAN_LISTENS = 1 << 1,  /* LISTEN, UNLISTEN */
	PGM_SCAN_TEMP = 1 << 2,	    /* CREATE TEMP..., SELECT INTO TEMP, pg_temp. as a target, DISCARD TEMP */
	PGM_SCAN_PREPARES = 1 << 3, /* PREPARE name (not TRANSACTION), DEALLOCATE name */
	PGM_SCAN_LOCKS = 1 << 4,    /* pg_advisory_lock, pg_try_advisory_lock, ..._shared, unlocks */
	PGM_SCAN_HOLDS = 1 << 5,    /* DECLARE ... WITH HOLD, CLOSE */
	PGM_SCAN_SEQUENCE_READ = 1 << 6,  /* lastval(), currval() */
	PGM_SCAN_SEQUENCE_WRITE = 1 << 7, /* nextval(), setval(), INSERT, COPY FROM, MERGE */
	PGM_SCAN_LOADS = 1 << 8, /* LOAD, and DO, CALL, EXECUTE, query_to_xml()...: what they do to the
				    session is not written out */
	PGM_SCAN_DEALLOCATE_ALL = 1 << 9, /* DEALLOCATE ALL, DISCARD ALL: protocol-level statements go too */
	PGM_SCAN_DDL = 1 << 10, /* CREATE, ALTER, DROP, TRUNCATE...: cached plans may change their result */
	PGM_SCAN_WRITES = 1 << 11, /* may change data: what is not SELECT, SHOW, VALUES, EXPLAIN..., and
				      SELECT ... FOR UPDATE */
	PGM_SCAN_BEGINS = 1 << 12, /* BEGIN, START TRANSACTION */
	PGM_SCAN_ENDS = 1 << 13,   /* COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION */
	PGM_SCAN_COPY = 1 << 14,
	PGM_SCAN_MULTI = 1 << 15, /* more than one statement */
	PGM_SCAN_DISCARD_ALL = 1 << 16,
	PGM_SCAN_CUSTOM_SETTING = 1 << 17, /* set_config() whose name is not a plain literal */
	PGM_SCAN_UNKNOWN = 1 << 18,	   /* the text is broken (unterminated quote): judge nothing by it */
	PGM_SCAN_REPLICATION = 1 << 19,	   /* IDENTIFY_SYSTEM, START_REPLICATION... */
	PGM_SCAN_SETS_LOCAL = 1 << 20,	   /* SET LOCAL, TRANSACTION or CONSTRAINTS, set_config(..., true) */
};

/* What may leave something behind that a look at the server finds. */
#define PGM_SCAN_STATE                                                                           \
	(PGM_SCAN_SETS | PGM_SCAN_LISTENS | PGM_SCAN_TEMP | PGM_SCAN_PREPARES | PGM_SCAN_LOCKS | \
	 PGM_SCAN_HOLDS | PGM_SCAN_LOADS | PGM_SCAN_DISCARD_ALL | PGM_SCAN_UNKNOWN)

/* After which, in the same transaction, the same text may mean something else. */
#define PGM_SCAN_MEANING                                                                       \
	(PGM_SCAN_SETS | PGM_SCAN_SETS_LOCAL | PGM_SCAN_TEMP | PGM_SCAN_DDL | PGM_SCAN_LOADS | \
	 PGM_SCAN_UNKNOWN)

struct pgm_scan {
	uint64_t fingerprint;
	uint32_t flags;
};

/*
 * standard_strings: false where a backslash escapes in plain strings (standard_conforming_strings = off).
 * length is without a NUL; a NUL inside ends the text.
 */
void pgm_scan_sql(const char *sql, size_t length, bool standard_strings, struct pgm_scan *scan);

/*
 * The text with ? for each literal, lists cut to one, space and comments made one blank: what the profile
 * and the log show. Returns the length written (NUL-terminated, cut to size at a character's boundary).
 */
size_t pgm_scan_normalize(const char *sql, size_t length, bool standard_strings, char *out, size_t size);

/* The same with $1, $2... for the literals (and parameters, as they come): what a parser understands. */
size_t pgm_scan_parameterize(const char *sql, size_t length, bool standard_strings, char *out, size_t size);

/*
 * Calls each for each value, with its number in pgm_scan_parameterize()'s text (the items of a list that is
 * cut have one's numbers) and the token: a literal, a number with its sign, or $n.
 */
void pgm_scan_values(const char *sql, size_t length, bool standard_strings,
		     void (*each)(void *data, unsigned number, const char *at, size_t length), void *data);

/*
 * The custom settings ("app.tenant": a name with a dot) that the text sets, each once, lower case:
 * SET x.y, set_config('x.y', ...); not those for the transaction alone. Calls each; names are in scratch, and
 * what does not fit there is left out.
 */
void pgm_scan_custom_settings(const char *sql, size_t length, bool standard_strings, char *scratch,
			      size_t scratch_size, void (*each)(void *data, const char *name), void *data);

/*
 * The same for what stands in the text's strings: the body of a DO block, a text that it executes. False:
 * some name there cannot be known.
 */
bool pgm_scan_hidden_settings(const char *sql, size_t length, bool standard_strings,
			      void (*each)(void *data, const char *name), void *data);

/* The command tag's row count: "INSERT 0 5", "SELECT 3", "COPY 7"; 0 where it has none. */
uint64_t pgm_scan_tag_rows(const char *tag, size_t length);

#endif
