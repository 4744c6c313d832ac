#include "lint/lint_run.h"

#include "lint/effect.h"

#include <string.h>

static struct pgm_op_name no_relation(void)
{
	return (struct pgm_op_name){"", ""};
}

/* Why a statement is in a transaction. */
static const char *transaction_reason(const struct pgm_judge *judge)
{
	const struct pgm_script *script = judge->script;
	if (judge->begun)
		return "it stands between BEGIN and COMMIT";
	switch (script->tool) {
	case PGM_LINT_DBMATE:
		return "dbmate runs the block in a transaction, or as one message, which is one too";
	case PGM_LINT_GOLANG_MIGRATE:
		return "golang-migrate sends the file as one message, which PostgreSQL runs as one "
		       "transaction";
	case PGM_LINT_PRISMA:
		return "Prisma sends the file as one message, which PostgreSQL runs as one transaction";
	case PGM_LINT_DIESEL:
		return "Diesel runs the file in a transaction, or as one message, which is one too";
	case PGM_LINT_GOOSE:
	case PGM_LINT_SQL_MIGRATE:
		return "the tool runs what goes up in a transaction, or its StatementBegin block as one "
		       "message, which is one too";
	case PGM_LINT_FLYWAY:
		return "Flyway runs the file in a transaction, and refuses one that mixes it with others";
	default:
		return "the file is run in one transaction";
	}
}

static bool timeout_active(const struct pgm_judge *judge)
{
	bool role = judge->facts && judge->facts->lock_timeout && !judge->timeout_cleared;
	return judge->timeout_set || judge->timeout_local || role;
}

static void judge_concurrently(struct pgm_judge *judge, const struct pgm_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++)
		if (ops->no_transaction && ops->items[i].concurrently && !judge->in_transaction &&
		    timeout_active(judge))
			pgm_judge_say(judge, PGM_LINT_LOCK_TIMEOUT_CONCURRENTLY, &ops->items[i],
				      no_relation(),
				      "A lock_timeout holds here%s: if it strikes, what is left is invalid "
				      "and in the way.",
				      judge->timeout_set ? "" : ", from the role or the database");
}

/* The effect beside a lock that the transaction took before. */
static void judge_held(struct pgm_judge *judge, const struct pgm_lint_effect *effect,
		       const struct pgm_held *held, bool fails)
{
	bool same = strcmp(held->relation, effect->relation) == 0;
	bool strong = PGM_LOCK_IS_STRONG(effect->lock);
	bool light = effect->estimate_ms >= 0 && effect->estimate_ms < PGM_LINT_SMALL_MS;
	/* An index whose table is not known may be of either. */
	bool known = !effect->unknown && !held->unknown;
	if (!same && strong && known && !judge->several_said) {
		judge->several_said = true;
		pgm_judge_say(judge, PGM_LINT_SEVERAL_LOCKS, NULL, no_relation(),
			      "%s on %s, while the transaction holds %s on %s since line %d.",
			      pgm_lint_lock_name(effect->lock), effect->relation,
			      pgm_lint_lock_name(held->lock), held->relation, held->line);
	}
	/* Work under a strong lock of its own has a rule of its own. */
	if (effect->work == PGM_LINT_NO_WORK || (same && strong) || light || fails || judge->work_said)
		return;
	judge->work_said = true;
	pgm_judge_say(judge, PGM_LINT_WORK_UNDER_LOCK, NULL, no_relation(),
		      "%s on %s, taken on line %d, is held while this works through %s.",
		      pgm_lint_lock_name(held->lock), held->relation, held->line, effect->relation);
}

static void judge_waiting(struct pgm_judge *judge, const struct pgm_lint_effect *effect)
{
	if (!PGM_LOCK_IS_STRONG(effect->lock) || timeout_active(judge) || judge->said_lock_timeout)
		return;
	judge->said_lock_timeout = true;
	struct pgm_lint_finding *finding =
		pgm_judge_say(judge, PGM_LINT_NO_LOCK_TIMEOUT, NULL, no_relation(),
			      "%s on %s is waited for without a limit, and everyone else waits behind it.",
			      pgm_lint_lock_name(effect->lock), effect->relation);
	if (finding)
		finding->remedy =
			judge->in_transaction ? "SET LOCAL lock_timeout = '1s';" : "SET lock_timeout = '1s';";
}

/* Rows copied from a table: that takes as long as it is large, and the locks of before are held. */
static void judge_copies(struct pgm_judge *judge, const struct pgm_op *op)
{
	if (!op->copies || !judge->in_transaction || !judge->held.count || judge->work_said)
		return;
	const struct pgm_held *held = &judge->held.items[0];
	judge->work_said = true;
	pgm_judge_say(judge, PGM_LINT_WORK_UNDER_LOCK, op, no_relation(),
		      "%s on %s, taken on line %d, is held while this fills %s from other tables.",
		      pgm_lint_lock_name(held->lock), held->relation, held->line,
		      pgm_judge_name(judge, op->relation));
}

/* What is wrong with the statement where it stands: beside the others of its transaction. */
static void judge_transaction(struct pgm_judge *judge, const struct pgm_ops *ops,
			      const struct pgm_lint_statement *out)
{
	judge_concurrently(judge, ops);
	for (size_t i = 0; i < ops->count; i++)
		judge_copies(judge, &ops->items[i]);
	for (size_t i = 0; i < out->effect_count; i++) {
		const struct pgm_lint_effect *effect = &out->effects[i];
		if (effect->is_new)
			continue;
		judge_waiting(judge, effect);
		for (size_t h = 0; judge->in_transaction && h < judge->held.count; h++)
			judge_held(judge, effect, &judge->held.items[h], ops->no_transaction);
	}
	for (size_t i = 0; judge->in_transaction && i < out->effect_count; i++) {
		const struct pgm_lint_effect *effect = &out->effects[i];
		if (!effect->is_new && PGM_LOCK_IS_STRONG(effect->lock))
			*pgm_vec_add(judge->arena, &judge->held) = (struct pgm_held){
				effect->relation, effect->lock, judge->statement->line, effect->unknown};
	}
}

static void begin(struct pgm_judge *judge, bool in_transaction)
{
	judge->in_transaction = in_transaction;
	judge->transaction = in_transaction ? ++judge->transactions : 0;
	judge->held.count = 0;
	judge->several_said = judge->work_said = judge->timeout_local = false;
	pgm_map_init(&judge->unvalidated, judge->arena);
}

/* What a statement does with many columns of a table is one thing to say. */
static void merge_columns(struct pgm_judge *judge, size_t first)
{
	static const enum pgm_lint_rule_id rules[] = {PGM_LINT_VOLATILE_DEFAULT, PGM_LINT_STORED_GENERATED,
						      PGM_LINT_TIMESTAMP, PGM_LINT_CHAR};
	for (size_t r = 0; r < sizeof(rules) / sizeof(*rules); r++) {
		struct pgm_lint_finding *kept = NULL;
		size_t more = 0, count = first;
		for (size_t i = first; i < judge->findings.count; i++) {
			struct pgm_lint_finding *finding = &judge->findings.items[i];
			bool mine = finding->rule == &pgm_lint_rules[rules[r]];
			if (mine && kept && strcmp(kept->relation, finding->relation) == 0) {
				more++;
				continue;
			}
			judge->findings.items[count] = *finding;
			if (mine)
				kept = &judge->findings.items[count];
			count++;
		}
		judge->findings.count = count;
		if (more)
			kept->message = pgm_sprintf(judge->arena,
						    "%s So it is with %zu more column%s of the "
						    "statement.",
						    kept->message, more, more == 1 ? "" : "s");
	}
}

static void judge_statement(struct pgm_judge *judge, const struct pgm_script_statement *statement,
			    struct pgm_lint_statement *out)
{
	const struct pgm_ops *ops = &statement->ops;
	enum pgm_op_kind first = ops->count ? ops->items[0].kind : PGM_OP_OTHER;
	size_t first_finding = judge->findings.count;
	judge->statement = statement;
	if (first == PGM_OP_BEGIN || first == PGM_OP_END) {
		judge->begun = first == PGM_OP_BEGIN;
		begin(judge, judge->begun || statement->block_transaction);
	} else if (!judge->in_transaction) {
		begin(judge, statement->block_transaction);
	}
	*out = (struct pgm_lint_statement){
		.text = statement->text, .line = statement->line, .transaction = judge->transaction};
	for (size_t i = 0; i < ops->count; i++)
		pgm_judge_note_before(judge, &ops->items[i]);
	pgm_effects_of(judge, ops, out);
	if (ops->no_transaction && judge->in_transaction)
		pgm_judge_say(judge, PGM_LINT_IN_TRANSACTION, ops->count ? &ops->items[0] : NULL,
			      no_relation(), "This fails in a transaction, and %s.",
			      transaction_reason(judge));
	judge_transaction(judge, ops, out);
	for (size_t i = 0; i < ops->count; i++)
		pgm_judge_op(judge, &ops->items[i]);
	pgm_judge_keys(judge, ops);
	merge_columns(judge, first_finding);
	for (size_t i = 0; i < ops->count; i++)
		pgm_judge_note_after(judge, &ops->items[i]);
	/* Outside of a transaction each statement gives its locks back at its end. */
	if (!judge->in_transaction)
		judge->held.count = 0;
}

void pgm_judge_script(struct pgm_judge *judge, size_t file, struct pgm_lint_file *out)
{
	const struct pgm_script *script = &judge->scripts[file];
	judge->file = file;
	judge->script = script;
	judge->ignored = 0;
	judge->said_lock_timeout = judge->begun = judge->in_transaction = false;
	judge->timeout_set = judge->timeout_cleared = judge->timeout_local = false;
	pgm_map_init(&judge->fingerprints, judge->arena);
	pgm_map_init(&judge->emptied, judge->arena);
	pgm_map_init(&judge->added, judge->arena);
	out->statements =
		PGM_NEW_ARRAY(judge->arena, struct pgm_lint_statement, script->statements.count + 1);
	size_t block = 0;
	for (size_t i = 0; i < script->statements.count; i++) {
		const struct pgm_script_statement *statement = &script->statements.items[i];
		if (statement->block != block && !judge->begun)
			begin(judge, statement->block_transaction);
		block = statement->block;
		judge_statement(judge, statement, &out->statements[i]);
	}
	out->statement_count = script->statements.count;
	out->ignored = judge->ignored;
}
