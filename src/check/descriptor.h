/*
 * The descriptor of a check: the comment at the head of checks/<id>.sql.
 *
 *	-- id: fk_without_index
 *	-- title: Foreign key without an index
 *	-- family: indexes
 *	-- severity: warning			unless a row says otherwise
 *	-- versions: 13-			or 13-16; of the server
 *	-- needs: primary			not judged on a standby
 *	-- needs: extension pg_stat_statements	:pg_stat_statements_schema in the SQL is where it lives
 *	-- needs: column pg_stat_statements.total_exec_time	of that extension's view; without an extension
 *						of a system catalog that not everyone may read
 *	-- threshold: small_rows 10000 | what it means	:small_rows in the SQL, sent as a parameter
 *	-- probe: enforced pg_constraint.conenforced ? c.conenforced : true
 *						:enforced in the SQL; the first text where that column exists
 *	--
 *	-- What it means, in paragraphs.
 *	SELECT ...
 *
 * Words that every check may use, such as :statement_texts, are in words.h.
 *
 * The ":name" words are psql's variables: a check runs in psql after the \set lines that --explain prints.
 * Plain data in the arena that was given.
 */
#ifndef PGM_CHECK_DESCRIPTOR_H
#define PGM_CHECK_DESCRIPTOR_H

#include "change/finding.h"
#include "util/arena.h"
#include "util/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PGM_CHECK_THRESHOLDS_MAX 8
#define PGM_CHECK_PROBES_MAX	 8
#define PGM_CHECK_NEEDS_MAX	 4

struct pgm_check_threshold {
	const char *name;
	const char *value; /* a number */
	const char *meaning;
};

struct pgm_check_probe {
	const char *name;
	const char *relation; /* of pg_catalog */
	const char *column;
	const char *present; /* SQL where the column exists */
	const char *absent;  /* SQL where it does not */
};

struct pgm_check_column { /* of a view of the extension that the check needs, or of pg_catalog */
	const char *relation;
	const char *column;
};

struct pgm_check {
	const char *id;
	const char *title;
	const char *family;
	const char *description;
	enum pgm_severity severity;
	int oldest; /* major versions; newest 0: no end */
	int newest;
	bool needs_primary;
	const char *extension; /* or NULL */
	struct pgm_check_column columns[PGM_CHECK_NEEDS_MAX];
	size_t column_count;
	struct pgm_check_threshold thresholds[PGM_CHECK_THRESHOLDS_MAX];
	size_t threshold_count;
	struct pgm_check_probe probes[PGM_CHECK_PROBES_MAX];
	size_t probe_count;
	const char *sql; /* without the header and the last semicolon */
};

/* Read one file; name stands for it in errors, and must be "<id>.sql" or end so. Fails with PGM_ERR_INPUT. */
bool pgm_check_describe(struct pgm_arena *arena, const char *name, const char *text, struct pgm_check *check,
			struct pgm_error *err) PGM_MUST_CHECK;

/*
 * The SQL with each :name replaced by what value() gives for it; NULL leaves it as it stands. Quoted texts
 * and comments are passed over, as psql does.
 */
const char *pgm_check_expand(struct pgm_arena *arena, const char *sql,
			     const char *(*value)(const char *name, void *arg), void *arg);

#endif
