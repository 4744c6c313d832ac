/*
 * What a statement of a Plan is: which index it makes or drops, which relation it is about, and whether it
 * may run in a transaction. Names are as PostgreSQL reads them (unquoted, cut to 63 bytes); they live in
 * the arena.
 */
#ifndef PGM_SQL_DDL_H
#define PGM_SQL_DDL_H

#include "util/arena.h"
#include "util/error.h"

enum pgm_ddl_kind {
	PGM_DDL_CREATE_INDEX,
	PGM_DDL_DROP_INDEX,
	PGM_DDL_ATTACH_INDEX,	     /* ALTER INDEX ... ATTACH PARTITION */
	PGM_DDL_REINDEX_INDEX,	     /* of one index */
	PGM_DDL_ANALYZE,	     /* without VACUUM */
	PGM_DDL_TRANSACTION_CONTROL, /* BEGIN, COMMIT, SAVEPOINT, PREPARE TRANSACTION... */
	PGM_DDL_COPY_CLIENT,	     /* COPY FROM STDIN or TO STDOUT */
	PGM_DDL_OTHER,
};

struct pgm_ddl {
	enum pgm_ddl_kind kind;
	const char *node;	  /* libpg_query's name: "IndexStmt" */
	const char *schema;	  /* of the relation; "" where the SQL does not say */
	const char *relation;	  /* the table; "" where there is none or several */
	const char *index_schema; /* of a dropped or rebuilt index, an ATTACH's parent index; "" likewise */
	const char *index;	  /* "" where a CREATE INDEX gives no name */
	const char *child_schema; /* ATTACH: the index that is attached */
	const char *child;
	const char *method; /* CREATE INDEX: "btree" */
	size_t objects;	    /* how many a DROP INDEX names */
	bool concurrently;
	bool only; /* CREATE INDEX ... ON ONLY */
	bool unique;
	bool if_exists;	    /* IF EXISTS or IF NOT EXISTS */
	bool transactional; /* may run in a transaction block */
};

/* Exactly one statement; PGM_ERR_INPUT "line N: ..." where it is none, counted from first_line. */
bool pgm_ddl_parse(struct pgm_arena *arena, const char *sql, int first_line, struct pgm_ddl *ddl,
		   struct pgm_error *err) PGM_MUST_CHECK;

#endif
