/*
 * Scripts as pgbench has them: SQL commands that end with a semicolon, and \set, \sleep, \if, \elif, \else,
 * \endif and \gset. Parsed once into an arena; run by any number of sessions.
 */
#ifndef PGM_LOAD_SCRIPT_H
#define PGM_LOAD_SCRIPT_H

#include "load/expr.h"

#define PGM_SCRIPT_PARAMS_MAX	255 /* variables of one SQL command */
#define PGM_SCRIPT_COMMANDS_MAX 10000
#define PGM_SCRIPT_IF_DEPTH_MAX 64

enum pgm_command_kind {
	PGM_COMMAND_SQL,
	PGM_COMMAND_SET,
	PGM_COMMAND_SLEEP,
	PGM_COMMAND_JUMP_UNLESS, /* of \if and \elif: to target where the expression is not true */
	PGM_COMMAND_JUMP,	 /* before \elif, \else: over the rest, to target */
};

/* Text of a SQL command between two variables; slot is that of the one after it. */
struct pgm_script_piece {
	const char *text;
	size_t slot;
	bool has_slot;
};

/* Where a workload's statement has its values from, instead of variables; see load/values.h. */
struct pgm_load_values;

struct pgm_command {
	enum pgm_command_kind kind;
	int line;
	/* SQL */
	const char *text;		 /* as written, without the semicolon; names the command to people */
	const char *sql;		 /* with $1, $2... in place of variables */
	struct pgm_script_piece *pieces; /* the same for the simple protocol */
	size_t piece_count;
	size_t *slots; /* of $1, $2... */
	size_t param_count;
	const char *gset; /* the prefix of \gset's variables; NULL: there is none */
	bool writes;
	size_t number; /* among all SQL commands of the set */
	const struct pgm_load_values *values;
	/* SET, SLEEP, JUMP_UNLESS */
	size_t slot;
	struct pgm_expr *expr;
	double unit_ms; /* of SLEEP */
	size_t target;
};

struct pgm_script {
	const char *name;
	double weight;
	struct pgm_command *commands;
	size_t count;
};

/* All scripts of a run, with their variables. */
struct pgm_scripts {
	struct pgm_arena *arena;
	struct pgm_variables variables;
	PGM_VEC(struct pgm_script) items;
	size_t sql_count;
	double weight; /* of all */
};

void pgm_scripts_init(struct pgm_scripts *scripts, struct pgm_arena *arena);

/* Add one. Fails with PGM_ERR_INPUT: "load.sql: line 3: ...". */
bool pgm_script_parse(struct pgm_scripts *scripts, const char *name, const char *text, double weight,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* The SQL command of a number. */
const struct pgm_command *pgm_scripts_command(const struct pgm_scripts *scripts, size_t number);

/* pgbench's own: "select-only", "simple-update", "tpcb-like", and unique beginnings; NULL: there is none. */
const char *pgm_script_builtin(const char *name, const char **full_name);

#endif
