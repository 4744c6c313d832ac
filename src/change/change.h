/*
 * A Change: one step that mends something, with its way back. Plain data; everything it points to lives in
 * the arena of whoever made it. Made by check, advise, partition and purge; carried out by engine.h alone.
 */
#ifndef PGM_CHANGE_CHANGE_H
#define PGM_CHANGE_CHANGE_H

#include "util/vec.h"

#include <stdbool.h>
#include <stdint.h>

enum pgm_change_kind {
	PGM_CHANGE_CREATE_INDEX, /* CREATE INDEX, or on a partitioned table ON ONLY, the children, ATTACH */
	PGM_CHANGE_DROP_INDEX,
	PGM_CHANGE_SQL,	       /* anything else that can run in a transaction */
	PGM_CHANGE_BATCHES,    /* run again and again, each time in a transaction of its own: batches.h */
	PGM_CHANGE_DETACH,     /* ALTER TABLE relation DETACH PARTITION, of the partition with that oid */
	PGM_CHANGE_DROP_TABLE, /* DROP TABLE of the table with that oid, once its rows are in file */
	PGM_CHANGE_LOAD,       /* COPY relation FROM STDIN, from file, and verify it */
	PGM_CHANGE_REINDEX,    /* REINDEX INDEX CONCURRENTLY, of one index */
	PGM_CHANGE_SWAP,       /* the end of a copy: drained, compared, put in its source's place: swap.h */
};

struct pgm_change {
	enum pgm_change_kind kind;
	int step;	       /* 1, 2, ... in its Plan */
	const char *title;     /* one line, for people */
	const char *schema;    /* of the relation */
	const char *relation;  /* the table it is about; "" for SQL about none */
	const char *index;     /* the index it creates, drops or rebuilds (same schema); NULL for SQL */
	const char *sql_up;    /* statements, each ended by ";\n" */
	const char *sql_down;  /* the way back, likewise; "" where there is none */
	bool transactional;    /* may run in a transaction block */
	const char *lock;      /* the strongest lock it takes on the relation: "SHARE UPDATE EXCLUSIVE" */
	int64_t size_bytes;    /* estimate of what it adds; -1: not known */
	double build_ms;       /* estimate; -1: not known */
	double write_overhead; /* estimate: share that each row written to the relation costs more; -1 */
	const char **evidence; /* lines of plain text: why, and what proves it */
	size_t evidence_count;
	const char *oid;  /* of the partition or table that a DETACH or DROP_TABLE is about; NULL elsewhere */
	const char *file; /* on this machine: where a DROP_TABLE archives the rows first, a LOAD gets them */
};

typedef PGM_VEC(struct pgm_change) pgm_changes;

/*
 * Begin the next Change of a list: SQL of its own transaction about schema.relation ("" for none), without a
 * way back and with nothing estimated. The maker overwrites what differs.
 */
struct pgm_change *pgm_change_add(struct pgm_arena *arena, pgm_changes *list, const char *schema,
				  const char *relation, const char *title, const char *lock);

/* Add a line to its evidence. */
void pgm_change_evidence(struct pgm_arena *arena, struct pgm_change *change, const char *line);

const char *pgm_change_kind_name(enum pgm_change_kind kind); /* "create_index" */
bool pgm_change_kind_parse(const char *name, enum pgm_change_kind *kind);

#endif
