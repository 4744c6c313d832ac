/*
 * What the reader and the writer of Plan files share. Inside change/ only.
 */
#ifndef PGM_CHANGE_PLAN_FILE_H
#define PGM_CHANGE_PLAN_FILE_H

#include "change/plan.h"
#include "sql/ddl.h"
#include "sql/split.h"
#include "util/buf.h"

#include <jansson.h>

#define PGM_PLAN_VERSION   1
#define PGM_PLAN_MAX_BYTES ((size_t)64 << 20)
#define PGM_PLAN_MAX_STEPS 1000000

enum pgm_plan_marker {
	PGM_MARK_NONE, /* a line of SQL, a comment or nothing */
	PGM_MARK_UP,
	PGM_MARK_DOWN,
	PGM_MARK_PLAN,
	PGM_MARK_CHANGE,
	PGM_MARK_STATEMENT,
	PGM_MARK_UNDO,
	PGM_MARK_UNKNOWN, /* "-- pgmend:" or "-- migrate:" with another word */
};

/* What a line (without its newline) marks; *rest is what follows the mark. */
enum pgm_plan_marker pgm_plan_marker_of(const char *line, size_t length, const char **rest);

/* The SQL under one pgmend:change or pgmend:undo, or that stands under none. */
struct pgm_plan_block {
	bool down;
	json_t *json; /* of the marker, owned by the reader; NULL where there is none */
	int line;     /* of the marker */
	int sql_line; /* of the first line of sql */
	struct pgm_buf sql;
	const char **evidence; /* the comment lines before the marker */
	size_t evidence_count;
};

/* A statement with what it is. */
struct pgm_plan_sql {
	const char *text;
	int line;
	struct pgm_ddl ddl;
};

/* Whether the statements can be one Change: one index, or SQL that fits into one transaction. */
bool pgm_plan_is_one_change(const struct pgm_plan_sql *sqls, size_t count);

/* Fill in what the SQL says of a Change: kind, names, lock, transactional, sql_up and a title. */
void pgm_plan_describe(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count,
		       struct pgm_change *change);

/* The statements, each ended by ";\n". */
const char *pgm_plan_join(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count);

#endif
