/*
 * The lint of migrations: what the statements of SQL files would do to a live database. What they lock, what
 * they read or rewrite under that lock, and, with a session, for how long by the sizes of the tables.
 *
 * Nothing of the files is ever run, and nothing is read from the database but catalogs and statistics.
 *
 * To add a rule: a row in rules.c with its enum member here, its judgement in one of the judge_*.c files, a
 * case that it finds and one that it must not in tests/integration/test_lint.py, and docs/lint-rules.md made
 * anew ("pgmend lint --rules --format=markdown").
 *
 * Everything lives in the arena that was given. One thread at a time. Nothing here prints.
 */
#ifndef PGM_LINT_LINT_H
#define PGM_LINT_LINT_H

#include "change/finding.h"
#include "pg/conn.h"

#define PGM_LINT_SCHEMA		"pgmend.lint/1" /* of the JSON; docs/lint.md describes it */
#define PGM_LINT_FILE_MAX_BYTES (64 << 20)

enum pgm_lint_rule_id {
	PGM_LINT_CREATE_INDEX,
	PGM_LINT_DROP_INDEX,
	PGM_LINT_REINDEX,
	PGM_LINT_IN_TRANSACTION,
	PGM_LINT_IF_NOT_EXISTS,
	PGM_LINT_NO_LOCK_TIMEOUT,
	PGM_LINT_LOCK_TIMEOUT_CONCURRENTLY,
	PGM_LINT_SEVERAL_LOCKS,
	PGM_LINT_WORK_UNDER_LOCK,
	PGM_LINT_VOLATILE_DEFAULT,
	PGM_LINT_STORED_GENERATED,
	PGM_LINT_NOT_NULL_WITHOUT_DEFAULT,
	PGM_LINT_SET_NOT_NULL,
	PGM_LINT_CHANGE_TYPE,
	PGM_LINT_CONSTRAINT_NOT_VALID,
	PGM_LINT_VALIDATE_SAME_TRANSACTION,
	PGM_LINT_UNIQUE_USING_INDEX,
	PGM_LINT_EXCLUSION,
	PGM_LINT_FK_WITHOUT_INDEX,
	PGM_LINT_RENAME,
	PGM_LINT_DROP_COLUMN,
	PGM_LINT_DROP_TABLE,
	PGM_LINT_TRUNCATE,
	PGM_LINT_UNBOUNDED,
	PGM_LINT_VACUUM_FULL,
	PGM_LINT_REWRITE_TABLE,
	PGM_LINT_ENUM_VALUE,
	PGM_LINT_ATTACH,
	PGM_LINT_DETACH,
	PGM_LINT_REFRESH,
	PGM_LINT_DISABLE_TRIGGER,
	PGM_LINT_LOCK_TABLE,
	PGM_LINT_INT4_KEY,
	PGM_LINT_TIMESTAMP,
	PGM_LINT_CHAR,
	PGM_LINT_CODE_BLOCK,
	PGM_LINT_CATALOG,
	PGM_LINT_RULES,
};

struct pgm_lint_rule {
	const char *id;		    /* "create-index-without-concurrently" */
	enum pgm_severity severity; /* where a case does not say otherwise */
	const char *title;
	const char *why;     /* what happens, in a few sentences */
	const char *instead; /* what to do, often SQL */
};

extern const struct pgm_lint_rule pgm_lint_rules[PGM_LINT_RULES];

/* PGM_LINT_RULES where there is none; err (PGM_ERR_USAGE) then names the nearest. */
enum pgm_lint_rule_id pgm_lint_rule_find(const char *id, struct pgm_error *err);

/* How a file is run: what PostgreSQL sees as one transaction depends on it. */
enum pgm_lint_tool {
	PGM_LINT_AUTO,		 /* told from the file's name and text */
	PGM_LINT_PLAIN,		 /* as psql runs it: each statement alone, but for BEGIN and COMMIT */
	PGM_LINT_DBMATE,	 /* -- migrate:up [transaction:false] */
	PGM_LINT_GOLANG_MIGRATE, /* one message: several statements are one transaction */
	PGM_LINT_FLYWAY,	 /* a transaction, unless executeInTransaction=false */
	PGM_LINT_ALEMBIC,	 /* offline SQL, with BEGIN and COMMIT written out */
	PGM_LINT_DIESEL,	 /* up.sql in a folder: a transaction, unless metadata.toml says otherwise */
	PGM_LINT_GOOSE,		 /* -- +goose Up, in a transaction unless -- +goose NO TRANSACTION */
	PGM_LINT_PRISMA,	 /* migration.sql in a folder: one message */
	PGM_LINT_SQL_MIGRATE,	 /* -- +migrate Up [notransaction] */
};

const char *pgm_lint_tool_name(enum pgm_lint_tool tool);
bool pgm_lint_tool_parse(const char *name, enum pgm_lint_tool *tool);

enum pgm_lint_work { PGM_LINT_NO_WORK, PGM_LINT_SCANS, PGM_LINT_BUILDS, PGM_LINT_REWRITES };
const char *pgm_lint_work_name(enum pgm_lint_work work); /* "none", "scan", "index", "rewrite" */

/* What one statement does to one relation. */
struct pgm_lint_effect {
	const char *relation; /* quoted, and qualified where the schema is known */
	int lock;	      /* 1 ACCESS SHARE to 8 ACCESS EXCLUSIVE */
	enum pgm_lint_work work;
	bool is_new;	    /* made earlier in the file: nobody waits for it */
	bool unknown;	    /* the table of an index that nobody told of; relation says so */
	double bytes;	    /* of what is read or written; -1: not known */
	double rows;	    /* -1: not known */
	double estimate_ms; /* of the work; -1: not known */
};
const char *pgm_lint_lock_name(int lock); /* "ACCESS EXCLUSIVE" */

struct pgm_lint_statement {
	const char *text;
	int line;
	size_t transaction;		 /* the same number: the same transaction; 0: alone */
	struct pgm_lint_effect *effects; /* the strongest lock first */
	size_t effect_count;
};

struct pgm_lint_finding {
	const struct pgm_lint_rule *rule;
	enum pgm_severity severity;
	size_t file;		    /* in the report */
	int line, column, end_line; /* from 1; columns count characters */
	const char *relation;	    /* "" where there is none */
	const char *message;	    /* what happens here, a sentence or two */
	const char *remedy;	    /* what to write instead, or "" */
	const char *fingerprint;    /* stable as long as the statement and what is wrong with it stay */
};

struct pgm_lint_file {
	const char *path;
	enum pgm_lint_tool tool;
	const char *skipped; /* NULL, or why nothing of it was read */
	struct pgm_lint_statement *statements;
	size_t statement_count;
	size_t ignored; /* findings that a comment hid */
};

struct pgm_lint_problem { /* what could not be understood: "file.sql:3: syntax error..." */
	const char *message;
	const char *hint;
};

struct pgm_lint_options {
	enum pgm_lint_tool tool;
	bool in_transaction; /* plain files run in one transaction each */
	const char
		*since; /* NULL, or the first path that has not run: those before it are known, not judged */
	bool run_rules[PGM_LINT_RULES];
};

struct pgm_lint_report {
	struct pgm_lint_file *files;
	size_t file_count;
	struct pgm_lint_finding *findings; /* by file and line */
	size_t finding_count;
	size_t counts[3]; /* by severity */
	size_t ignored;
	struct pgm_lint_problem *problems;
	size_t problem_count;
	const char *database; /* NULL without a session */
	const char *server_version;
};

/*
 * Lint the files in the order given. conn may be NULL. What is wrong inside a file becomes a problem of the
 * report and the rest goes on; fails where a file cannot be read (PGM_ERR_INPUT), or the server refuses.
 */
bool pgm_lint_run(struct pgm_arena *arena, const char *const *paths, size_t count,
		  const struct pgm_lint_options *options, struct pgm_conn *conn,
		  struct pgm_lint_report *report, struct pgm_error *err) PGM_MUST_CHECK;

/* A new reference to the report as JSON (PGM_LINT_SCHEMA). */
json_t *pgm_lint_report_json(const struct pgm_lint_report *report);

#endif
