/*
 * A Plan: an ordered list of Changes, and the statements that shall gain by them, in one SQL file that
 * people review and commit. The file is a dbmate migration ("-- migrate:up transaction:false", "-- migrate:
 * down ..."): each Change's SQL stands there as plain SQL, its evidence as comments; lines that begin with
 * "-- pgmend:" hold, as JSON, what the program needs beside the SQL. The SQL is the truth: whoever edits it
 * changes what is run, and a file without any "-- pgmend:" line is a Plan too.
 *
 * Plain data; everything lives in the arena given to the function that made it.
 */
#ifndef PGM_CHANGE_PLAN_H
#define PGM_CHANGE_PLAN_H

#include "change/change.h"
#include "util/error.h"

#include <stdio.h>

/* A statement that verify measures before and after: ready to run, with sampled values in its place. */
struct pgm_plan_statement {
	const char *id;	    /* fingerprint: 16 hex digits */
	const char *sql;    /* with literals; one statement, without a semicolon */
	const char *text;   /* as the workload has it, with $1 in place of literals */
	double calls;	    /* how often the workload ran it */
	double cost_before; /* planner's estimates; -1: none */
	double cost_after;
	const char **indexes; /* the Plan's indexes that it is expected to use */
	size_t index_count;
	bool reads; /* a SELECT that changes nothing: may be executed to measure it */
};

struct pgm_plan {
	const char *id; /* 12 hex digits, from the SQL of the Changes: the same text has the same id */
	const char *title;
	const char *database;	/* that it was made for; "" where the file does not say */
	const char *created_at; /* ISO 8601, UTC */
	const char *path;	/* the file it was read from, or NULL */
	const char *text;	/* the whole file as it was read, or NULL */
	struct pgm_change *changes;
	size_t change_count;
	struct pgm_plan_statement *statements;
	size_t statement_count;
};

/* The id of a Plan made of these Changes. */
const char *pgm_plan_id(struct pgm_arena *arena, const struct pgm_change *changes, size_t count);

/* A Plan of them for that database, made now. The title and the database's name are not copied. */
struct pgm_plan pgm_plan_of(struct pgm_arena *arena, const char *database, const char *title,
			    const pgm_changes *changes);

/* One Change of the Plan, by its place from 0, and the statements that gain by its index, as a Plan. */
void pgm_plan_part(struct pgm_arena *arena, const struct pgm_plan *plan, size_t index, struct pgm_plan *part);

/* Write the Plan file. Fails with PGM_ERR_SYSTEM where the stream does. */
bool pgm_plan_write(const struct pgm_plan *plan, FILE *stream, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Read a Plan file; PGM_ERR_INPUT names the file and the line. path "-" reads standard input.
 */
bool pgm_plan_read(struct pgm_arena *arena, const char *path, struct pgm_plan *plan,
		   struct pgm_error *err) PGM_MUST_CHECK;

/* The same from memory; name stands for the file in errors. */
bool pgm_plan_parse(struct pgm_arena *arena, const char *name, const char *text, struct pgm_plan *plan,
		    struct pgm_error *err) PGM_MUST_CHECK;

#endif
