/*
 * What a statement may do, judged token by token: the second half of the scan. Inside pool/scan*.c only.
 */
#ifndef PGM_POOL_SCAN_FLAGS_H
#define PGM_POOL_SCAN_FLAGS_H

#include "pool/scan/scan_lex.h"

/* Where a statement is in the part of it that decides. */
enum pgm_judge_phase {
	PGM_PHASE_IDLE = 0,  /* nothing more to decide but by the words that count anywhere */
	PGM_PHASE_VERB,	     /* the command's word comes next, perhaps after parentheses */
	PGM_PHASE_SECOND,    /* the word after the command's */
	PGM_PHASE_SET_LOCAL, /* SET LOCAL, SET TRANSACTION...: a dot makes it a setting's name */
	PGM_PHASE_MODIFIERS, /* CREATE OR REPLACE LOCAL TEMP... */
	PGM_PHASE_EXPLAIN,   /* the options of EXPLAIN; then another verb */
	PGM_PHASE_PREPARE,   /* PREPARE TRANSACTION: a string makes it two-phase commit's */
	PGM_PHASE_BODY,	     /* PREPARE name AS, DECLARE name ... FOR: another verb comes */
	PGM_PHASE_END,	     /* COMMIT, ROLLBACK: PREPARED and TO make it something else */
};

struct pgm_judge {
	uint32_t flags;
	enum pgm_judge_phase phase;
	enum pgm_word verb;    /* of the statement, or of what it explains or prepares */
	enum pgm_word command; /* the first */
	bool any;	       /* a statement was there before */
	bool ends;	       /* COMMIT or ROLLBACK */
	bool creates_routine;
	bool creates_schema;
	bool updates;	/* UPDATE was seen */
	bool settings;	/* pg_settings was seen */
	bool temp_name; /* pg_temp was seen, in a statement that only reads so far */
	uint32_t depth;
	uint32_t atomic; /* within BEGIN ATOMIC ... END, how deep with CASE */
	/* set_config(name, value, is_local) that is open */
	uint32_t config_depth; /* 0: none */
	uint32_t config_argument;
	uint32_t config_tokens; /* of this argument */
	bool config_named;	/* its name is one plain literal */
	bool config_true;	/* this argument begins with the word true */
	/* the token before */
	enum pgm_scan_kind before_kind;
	enum pgm_word before_word;
	char before_self;
};

void pgm_judge_step(struct pgm_judge *judge, const struct pgm_scan_token *token);
void pgm_judge_end(struct pgm_judge *judge, bool broken);

/* One token; the greater part of them, plain names and values, say nothing. */
static inline void pgm_judge_token(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	if (judge->phase != PGM_PHASE_IDLE || token->word || token->kind == PGM_SCAN_SELF ||
	    judge->config_depth || token->kind == PGM_SCAN_IDENT)
		pgm_judge_step(judge, token);
	judge->before_kind = token->kind;
	judge->before_word = token->word;
	judge->before_self = token->kind == PGM_SCAN_SELF ? *token->at : '\0';
}

/* Whether names are mere labels in the statement: savepoints'. */
static inline bool pgm_judge_labels(const struct pgm_judge *judge)
{
	return judge->command == PGM_W_SAVEPOINT || judge->command == PGM_W_RELEASE ||
	       judge->command == PGM_W_ROLLBACK;
}

#endif
