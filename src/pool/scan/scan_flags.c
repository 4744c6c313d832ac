#include "pool/scan/scan_flags.h"

#include "pool/scan/scan.h"

/* What a command says by itself; PGM_SCAN_WRITES where it isn't known. */
static uint32_t verb_flags(enum pgm_word verb)
{
	switch (verb) {
	case PGM_W_SELECT:
	case PGM_W_VALUES:
	case PGM_W_TABLE:
	case PGM_W_WITH:
	case PGM_W_FETCH:
	case PGM_W_EXPLAIN:
	case PGM_W_SAVEPOINT:
	case PGM_W_RELEASE:
	case PGM_W_SET:
	case PGM_W_PREPARE:
	case PGM_W_DEALLOCATE:
	case PGM_W_DECLARE:
	case PGM_W_DISCARD:
	case PGM_W_COMMIT: /* unless TO or PREPARED comes, they end the transaction: end_statement() */
	case PGM_W_ROLLBACK:
		return 0;
	case PGM_W_BEGIN:
	case PGM_W_START:
		return PGM_SCAN_BEGINS;
	case PGM_W_END:
		return PGM_SCAN_ENDS;
	case PGM_W_RESET:
		return PGM_SCAN_SETS;
	case PGM_W_CLOSE:
		return PGM_SCAN_HOLDS;
	case PGM_W_LISTEN:
		return PGM_SCAN_WRITES | PGM_SCAN_LISTENS;
	case PGM_W_COPY:
		return PGM_SCAN_COPY;
	case PGM_W_INSERT:
	case PGM_W_MERGE:
		return PGM_SCAN_WRITES | PGM_SCAN_SEQUENCE_WRITE;
	case PGM_W_LOAD:
	case PGM_W_DO:
	case PGM_W_CALL:
	case PGM_W_EXECUTE:
		return PGM_SCAN_WRITES | PGM_SCAN_LOADS;
	case PGM_W_CREATE:
	case PGM_W_ALTER:
	case PGM_W_TRUNCATE:
	case PGM_W_DDL:
		return PGM_SCAN_WRITES | PGM_SCAN_DDL;
	case PGM_W_REPLICATION:
		return PGM_SCAN_WRITES | PGM_SCAN_REPLICATION;
	default:
		return PGM_SCAN_WRITES;
	}
}

static enum pgm_judge_phase phase_after(enum pgm_word verb)
{
	switch (verb) {
	case PGM_W_SET:
	case PGM_W_DISCARD:
	case PGM_W_DEALLOCATE:
	case PGM_W_PREPARE:
		return PGM_PHASE_SECOND;
	case PGM_W_CREATE:
		return PGM_PHASE_MODIFIERS;
	case PGM_W_EXPLAIN:
		return PGM_PHASE_EXPLAIN;
	case PGM_W_DECLARE:
		return PGM_PHASE_BODY;
	case PGM_W_COMMIT:
	case PGM_W_ROLLBACK:
		return PGM_PHASE_END;
	default:
		return PGM_PHASE_IDLE;
	}
}

static bool reads_only(enum pgm_word verb)
{
	return verb == PGM_W_SELECT || verb == PGM_W_WITH || verb == PGM_W_VALUES || verb == PGM_W_TABLE ||
	       verb == PGM_W_FETCH;
}

static void begin_verb(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	enum pgm_word verb = token->kind == PGM_SCAN_WORD ? token->word : PGM_W_NONE;
	if (!judge->command) {
		if (judge->any)
			judge->flags |= PGM_SCAN_MULTI;
		judge->any = true;
		judge->command = verb ? verb : PGM_W_VALUE;
	}
	judge->verb = verb;
	judge->flags |= verb_flags(verb);
	judge->phase = phase_after(verb);
	judge->ends = judge->phase == PGM_PHASE_END;
	judge->updates |= verb == PGM_W_UPDATE;
}

/* SET [SESSION | LOCAL] ..., DISCARD ..., DEALLOCATE ..., PREPARE ... */
static void second_word(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	enum pgm_word word = token->kind == PGM_SCAN_WORD ? token->word : PGM_W_NONE;
	judge->phase = PGM_PHASE_IDLE;
	switch (judge->verb) {
	case PGM_W_SET:
		if (word == PGM_W_LOCAL || word == PGM_W_TRANSACTION || word == PGM_W_CONSTRAINTS)
			judge->phase = PGM_PHASE_SET_LOCAL;
		else
			judge->flags |= PGM_SCAN_SETS;
		break;
	case PGM_W_DISCARD:
		if (word == PGM_W_ALL)
			judge->flags |= PGM_SCAN_DISCARD_ALL | PGM_SCAN_DEALLOCATE_ALL | PGM_SCAN_SETS;
		else if (word == PGM_W_TEMP)
			judge->flags |= PGM_SCAN_TEMP;
		else if (word == PGM_W_SEQUENCES)
			judge->flags |= PGM_SCAN_SEQUENCE_WRITE;
		break;
	case PGM_W_DEALLOCATE:
		if (word == PGM_W_PREPARE)
			judge->phase = PGM_PHASE_SECOND;
		else if (word == PGM_W_ALL)
			judge->flags |= PGM_SCAN_DEALLOCATE_ALL;
		judge->flags |= PGM_SCAN_PREPARES;
		break;
	default:
		judge->phase = word == PGM_W_TRANSACTION ? PGM_PHASE_PREPARE : PGM_PHASE_BODY;
		if (word != PGM_W_TRANSACTION)
			judge->flags |= PGM_SCAN_PREPARES;
		break;
	}
}

static void modifier(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	enum pgm_word word = token->kind == PGM_SCAN_WORD ? token->word : PGM_W_NONE;
	switch (word) {
	case PGM_W_TEMP:
		judge->flags |= PGM_SCAN_TEMP;
		break;
	case PGM_W_LOCAL:
	case PGM_W_GLOBAL:
	case PGM_W_MODIFIER:
	case PGM_W_DEFAULT:
	case PGM_W_VALUE: /* OR */
		break;
	default:
		judge->creates_routine = word == PGM_W_ROUTINE;
		judge->creates_schema = word == PGM_W_SCHEMA;
		judge->phase = PGM_PHASE_IDLE;
		break;
	}
}

/* The phases that a token ends or carries on. True where the token is the verb and says no more. */
static bool advance(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	switch (judge->phase) {
	case PGM_PHASE_VERB:
		if (pgm_scan_is(token, '('))
			return false;
		begin_verb(judge, token);
		return true;
	case PGM_PHASE_SECOND:
		second_word(judge, token);
		break;
	case PGM_PHASE_SET_LOCAL:
		if (*token->at == '.' || *token->at == '=' ||
		    (token->kind == PGM_SCAN_WORD && token->word == PGM_W_TO))
			judge->flags |= PGM_SCAN_SETS;
		else
			judge->flags |= PGM_SCAN_SETS_LOCAL;
		judge->phase = PGM_PHASE_IDLE;
		break;
	case PGM_PHASE_MODIFIERS:
		modifier(judge, token);
		break;
	case PGM_PHASE_EXPLAIN:
		if (judge->depth == 0 && token->kind == PGM_SCAN_WORD && token->word != PGM_W_ANALYZE &&
		    token->word != PGM_W_VERBOSE) {
			begin_verb(judge, token);
			return true;
		}
		/* Within parentheses there are options, or a query. */
		if (token->kind == PGM_SCAN_WORD && reads_only(token->word)) {
			begin_verb(judge, token);
			return true;
		}
		break;
	case PGM_PHASE_PREPARE:
		judge->flags |= token->kind == PGM_SCAN_STRING ? PGM_SCAN_ENDS : PGM_SCAN_PREPARES;
		judge->phase = token->kind == PGM_SCAN_STRING ? PGM_PHASE_IDLE : PGM_PHASE_BODY;
		if (token->kind == PGM_SCAN_WORD && token->word == PGM_W_AS)
			judge->phase = PGM_PHASE_VERB;
		break;
	case PGM_PHASE_BODY:
		if (judge->depth == 0 && token->kind == PGM_SCAN_WORD &&
		    token->word == (judge->verb == PGM_W_DECLARE ? PGM_W_FOR : PGM_W_AS))
			judge->phase = PGM_PHASE_VERB;
		break;
	case PGM_PHASE_END:
		if (token->kind == PGM_SCAN_WORD &&
		    (token->word == PGM_W_TO || token->word == PGM_W_PREPARED)) {
			judge->ends = false;
			judge->flags |= token->word == PGM_W_PREPARED ? PGM_SCAN_WRITES : 0;
		}
		break;
	default:
		break;
	}
	return false;
}

/* A function's name stands before a parenthesis. */
static void call(struct pgm_judge *judge, enum pgm_word name)
{
	switch (name) {
	case PGM_W_SET_CONFIG:
		if (judge->config_depth) {
			judge->flags |= PGM_SCAN_SETS | PGM_SCAN_CUSTOM_SETTING;
			break;
		}
		judge->config_depth = judge->depth;
		judge->config_argument = judge->config_tokens = 0;
		judge->config_named = judge->config_true = false;
		break;
	case PGM_W_SET_LIMIT:
		judge->flags |= PGM_SCAN_SETS;
		break;
	case PGM_W_ADVISORY:
		judge->flags |= PGM_SCAN_LOCKS;
		break;
	case PGM_W_HIDDEN:
		judge->flags |= PGM_SCAN_LOADS;
		break;
	case PGM_W_NEXTVAL:
		judge->flags |= PGM_SCAN_SEQUENCE_WRITE | PGM_SCAN_WRITES;
		break;
	case PGM_W_CURRVAL:
		judge->flags |= PGM_SCAN_SEQUENCE_READ;
		break;
	default:
		break;
	}
}

/* The arguments of set_config(): what its name is, and whether the third is the word true. */
static void config_token(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	bool here = judge->depth == judge->config_depth;
	if (here && pgm_scan_is(token, ',')) {
		judge->config_argument++;
		judge->config_tokens = 0;
		judge->config_true = false;
		return;
	}
	judge->config_tokens++;
	if (token->kind == PGM_SCAN_STRING &&
	    memmem(token->at, (size_t)(token->end - token->at), "pg_temp", 7))
		judge->flags |= PGM_SCAN_TEMP;
	if (judge->config_argument == 0)
		judge->config_named =
			judge->config_tokens == 1 && token->kind == PGM_SCAN_STRING && token->plain;
	judge->config_true =
		judge->config_tokens == 1 && token->kind == PGM_SCAN_WORD && token->word == PGM_W_TRUE;
}

static void config_end(struct pgm_judge *judge)
{
	bool local = judge->config_argument == 2 && judge->config_true;
	judge->config_depth = 0;
	judge->flags |= local ? PGM_SCAN_SETS_LOCAL : PGM_SCAN_SETS;
	if (local)
		return;
	if (!judge->config_named)
		judge->flags |= PGM_SCAN_CUSTOM_SETTING;
}

/* A word that means something wherever it stands, unless it is a name after a dot or AS. */
static void anywhere(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	enum pgm_word last = judge->before_kind == PGM_SCAN_WORD ? judge->before_word : PGM_W_NONE;
	if (last == PGM_W_AS && token->word == PGM_W_EXECUTE && judge->command == PGM_W_CREATE)
		judge->flags |= PGM_SCAN_LOADS;
	if (judge->before_self == '.' || last == PGM_W_AS)
		return;
	switch (token->word) {
	case PGM_W_INSERT:
	case PGM_W_MERGE:
	case PGM_W_DELETE:
	case PGM_W_UPDATE:
		judge->updates |= token->word == PGM_W_UPDATE;
		/* FOR UPDATE; or part of a query: WITH x AS (DELETE ...) */
		if (last == PGM_W_FOR || last == PGM_W_KEY || judge->before_self == '(' ||
		    judge->verb == PGM_W_WITH)
			judge->flags |= verb_flags(token->word);
		break;
	case PGM_W_NO:
	case PGM_W_KEY:
	case PGM_W_SHARE:
		if (last == PGM_W_FOR)
			judge->flags |= PGM_SCAN_WRITES;
		break;
	case PGM_W_INTO:
		/* Or the INSERT INTO of a WITH, which writes too. */
		if (reads_only(judge->verb))
			judge->flags |= PGM_SCAN_WRITES | PGM_SCAN_DDL;
		break;
	case PGM_W_TEMP:
		if (last == PGM_W_INTO || last == PGM_W_LOCAL || last == PGM_W_GLOBAL ||
		    judge->creates_schema)
			judge->flags |= PGM_SCAN_TEMP;
		break;
	case PGM_W_HOLD:
		if (last == PGM_W_WITH && judge->verb == PGM_W_DECLARE)
			judge->flags |= PGM_SCAN_HOLDS;
		break;
	case PGM_W_FROM:
		if (judge->command == PGM_W_COPY && judge->depth == 0)
			judge->flags |= PGM_SCAN_WRITES | PGM_SCAN_SEQUENCE_WRITE;
		break;
	case PGM_W_DEFAULT:
		if (judge->updates)
			judge->flags |= PGM_SCAN_SEQUENCE_WRITE;
		break;
	case PGM_W_ATOMIC:
		if (last == PGM_W_BEGIN && judge->creates_routine && judge->depth == 0)
			judge->atomic = 1;
		break;
	case PGM_W_CASE:
		judge->atomic += judge->atomic > 0;
		break;
	case PGM_W_END:
		judge->atomic -= judge->atomic > 0;
		break;
	default:
		break;
	}
}

/* Names that count with or without quotes. */
static void name(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	if (token->word == PGM_W_PG_SETTINGS)
		judge->settings = true;
	else if (token->word == PGM_W_PG_TEMP)
		judge->temp_name = true;
	/* U&"set\005fconfig" is a name that nobody writes but to hide it. */
	if (token->kind == PGM_SCAN_IDENT && !token->plain)
		judge->flags |= PGM_SCAN_UNKNOWN;
}

static void end_statement(struct pgm_judge *judge)
{
	if (judge->ends)
		judge->flags |= PGM_SCAN_ENDS;
	if (judge->settings && judge->updates)
		judge->flags |= PGM_SCAN_SETS;
	if (judge->config_depth)
		judge->flags |= PGM_SCAN_SETS;
	judge->config_depth = 0;
	bool reads = !(judge->flags & (PGM_SCAN_WRITES | PGM_SCAN_DDL));
	if (judge->temp_name && (!reads || judge->command == PGM_W_SET))
		judge->flags |= PGM_SCAN_TEMP;
	judge->phase = PGM_PHASE_VERB;
	judge->verb = judge->command = PGM_W_NONE;
	judge->creates_routine = judge->creates_schema = false;
	judge->ends = judge->updates = judge->settings = judge->temp_name = false;
	judge->depth = judge->atomic = 0;
}

void pgm_judge_step(struct pgm_judge *judge, const struct pgm_scan_token *token)
{
	if (pgm_scan_is(token, ';') && judge->depth == 0 && judge->atomic == 0) {
		end_statement(judge);
		return;
	}
	bool is_verb = judge->phase != PGM_PHASE_IDLE && advance(judge, token);
	if (judge->config_depth && !(judge->depth == judge->config_depth && pgm_scan_is(token, ')')))
		config_token(judge, token);
	if (token->kind == PGM_SCAN_SELF) {
		if (*token->at == '(' || *token->at == '[') {
			judge->depth++;
			if (*token->at == '(')
				call(judge, judge->before_word);
		} else if ((*token->at == ')' || *token->at == ']') && judge->depth) {
			if (judge->config_depth == judge->depth)
				config_end(judge);
			judge->depth--;
		}
	} else if (token->kind == PGM_SCAN_WORD || token->kind == PGM_SCAN_IDENT) {
		name(judge, token);
		if (!is_verb && token->kind == PGM_SCAN_WORD && token->word)
			anywhere(judge, token);
	}
}

void pgm_judge_end(struct pgm_judge *judge, bool broken)
{
	end_statement(judge);
	if (broken)
		judge->flags |= PGM_SCAN_UNKNOWN;
}
