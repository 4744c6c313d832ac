#include "lint/effect.h"

#include <stdlib.h>
#include <string.h>

/*
 * Bytes a second, chosen on the slow side of what a server with network storage does, of the table for a scan
 * and an index build, of the table with its indexes for a rewrite. docs/lint.md says so.
 */
#define SCAN_RATE    200e6
#define BUILD_RATE   60e6
#define REWRITE_RATE 50e6

const char *pgm_lint_lock_name(int lock)
{
	static const char *const names[] = {
		"none",	 "ACCESS SHARE",	"ROW SHARE", "ROW EXCLUSIVE",	"SHARE UPDATE EXCLUSIVE",
		"SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
	return lock > 0 && lock <= 8 ? names[lock] : names[0];
}

const char *pgm_lint_work_name(enum pgm_lint_work work)
{
	static const char *const names[] = {"none", "scan", "index", "rewrite"};
	return names[work];
}

void pgm_effect_estimate(const struct pgm_judge *judge, struct pgm_op_name table, enum pgm_lint_work work,
			 double *bytes, double *rows, double *ms)
{
	const struct pgm_table *found = pgm_lint_table(judge->facts, table);
	*bytes = *rows = *ms = -1;
	if (!found || found->pages <= 0)
		return; /* without pages nobody has analyzed it yet */
	double pages = found->pages;
	for (size_t i = 0; work == PGM_LINT_REWRITES && i < found->index_count; i++)
		pages += found->indexes[i]->pages > 0 ? found->indexes[i]->pages : 0;
	if (work == PGM_LINT_REWRITES)
		pages += found->toast_pages;
	*bytes = pages * PGM_PAGE_BYTES;
	*rows = found->tuples;
	double rate = work == PGM_LINT_REWRITES ? REWRITE_RATE
		      : work == PGM_LINT_BUILDS ? BUILD_RATE
						: SCAN_RATE;
	if (work != PGM_LINT_NO_WORK)
		*ms = *bytes / rate * 1000;
}

struct effects {
	const struct pgm_judge *judge;
	PGM_VEC(struct pgm_lint_effect) found;
};

/* Several commands of an ALTER TABLE are one pass under the strongest of their locks. */
static void add(struct effects *effects, struct pgm_op_name name, int lock, enum pgm_lint_work work)
{
	const struct pgm_judge *judge = effects->judge;
	if (!*name.name)
		return;
	const char *shown = pgm_judge_name(judge, name);
	struct pgm_lint_effect *effect = NULL;
	for (size_t i = 0; i < effects->found.count; i++)
		if (strcmp(effects->found.items[i].relation, shown) == 0)
			effect = &effects->found.items[i];
	if (!effect) {
		effect = pgm_vec_add(judge->arena, &effects->found);
		effect->relation = shown;
		effect->is_new = pgm_judge_is_new(judge, name);
	}
	if (lock > effect->lock)
		effect->lock = lock;
	if (work > effect->work && !pgm_judge_is_truncated(judge, name))
		effect->work = work;
	pgm_effect_estimate(judge, name, effect->work, &effect->bytes, &effect->rows, &effect->estimate_ms);
}

/* ALTER TABLE and its like: the lock, and the work as far as the judge can tell. */
static void add_alter(struct effects *effects, const struct pgm_op *op)
{
	const struct pgm_judge *judge = effects->judge;
	enum pgm_lint_work work = PGM_LINT_NO_WORK;
	int lock = PGM_LOCK_ACCESS_EXCLUSIVE;
	switch (op->kind) {
	case PGM_OP_ADD_COLUMN:
		if (pgm_judge_column_is_there(judge, op))
			work = PGM_LINT_NO_WORK;
		else if (pgm_judge_column_rewrites(judge, op))
			work = PGM_LINT_REWRITES;
		else if (op->not_null && !op->has_default)
			work = PGM_LINT_SCANS;
		break;
	case PGM_OP_SET_NOT_NULL:
		if (pgm_judge_not_null_reads(judge, op))
			work = PGM_LINT_SCANS;
		break;
	case PGM_OP_CHANGE_TYPE:
		if (pgm_judge_type(judge, op) != PGM_TYPE_FREE)
			work = PGM_LINT_REWRITES;
		break;
	case PGM_OP_ADD_CONSTRAINT:
		work = pgm_judge_constraint_work(op);
		if (op->constraint == 'f') {
			lock = PGM_LOCK_SHARE_ROW_EXCLUSIVE;
			add(effects, op->other, lock, PGM_LINT_NO_WORK);
		}
		break;
	case PGM_OP_VALIDATE_CONSTRAINT:
		lock = PGM_LOCK_SHARE_UPDATE_EXCLUSIVE;
		work = PGM_LINT_SCANS;
		break;
	case PGM_OP_REWRITE_TABLE:
		work = PGM_LINT_REWRITES;
		break;
	case PGM_OP_ALTER_TRIGGER:
	case PGM_OP_CREATE_TRIGGER:
		lock = PGM_LOCK_SHARE_ROW_EXCLUSIVE;
		break;
	case PGM_OP_ALTER_LIGHT:
		lock = PGM_LOCK_SHARE_UPDATE_EXCLUSIVE;
		break;
	default:
		break;
	}
	add(effects, op->relation, lock, work);
	/* Triggers of a foreign key are on both tables. */
	for (size_t i = 0; i < judge->references.count; i++) {
		const struct pgm_op_name *partner = pgm_judge_partner(judge, op, i);
		if (partner)
			add(effects, *partner, PGM_LOCK_ACCESS_EXCLUSIVE, PGM_LINT_NO_WORK);
	}
}

static void add_partition(struct effects *effects, const struct pgm_op *op)
{
	const struct pgm_judge *judge = effects->judge;
	const struct pgm_table *parent = pgm_lint_table(judge->facts, op->relation);
	const struct pgm_table *fallback =
		parent ? pgm_map_get(&judge->facts->defaults, pgm_sprintf(judge->arena, "%u", parent->oid))
		       : NULL;
	if (op->kind == PGM_OP_DETACH_PARTITION) {
		int lock = op->concurrently ? PGM_LOCK_SHARE_UPDATE_EXCLUSIVE : PGM_LOCK_ACCESS_EXCLUSIVE;
		add(effects, op->relation, lock, PGM_LINT_NO_WORK);
		/* PostgreSQL 13 locks the partition itself less (ATExecDetachPartition() in tablecmds.c). */
		bool less = judge->facts && judge->facts->major < 14;
		add(effects, op->other, less ? PGM_LOCK_SHARE_UPDATE_EXCLUSIVE : PGM_LOCK_ACCESS_EXCLUSIVE,
		    PGM_LINT_NO_WORK);
		return;
	}
	bool attach = op->kind == PGM_OP_ATTACH_PARTITION;
	add(effects, op->relation, attach ? PGM_LOCK_SHARE_UPDATE_EXCLUSIVE : PGM_LOCK_ACCESS_EXCLUSIVE,
	    PGM_LINT_NO_WORK);
	if (attach)
		add(effects, op->other, PGM_LOCK_ACCESS_EXCLUSIVE, PGM_LINT_SCANS);
	if (fallback)
		add(effects, (struct pgm_op_name){fallback->schema, fallback->name},
		    PGM_LOCK_ACCESS_EXCLUSIVE, PGM_LINT_SCANS);
}

static void add_index(struct effects *effects, const struct pgm_op *op)
{
	struct pgm_op_name table = op->kind == PGM_OP_CREATE_INDEX || op->kind == PGM_OP_REINDEX_TABLE
					   ? op->relation
					   : pgm_judge_index_table(effects->judge, op);
	enum pgm_lint_work work =
		op->kind == PGM_OP_DROP_INDEX || op->only ? PGM_LINT_NO_WORK : PGM_LINT_BUILDS;
	if (op->kind == PGM_OP_CREATE_INDEX && pgm_judge_index_is_there(effects->judge, op))
		work = PGM_LINT_NO_WORK;
	int lock = op->concurrently		   ? PGM_LOCK_SHARE_UPDATE_EXCLUSIVE
		   : op->kind == PGM_OP_DROP_INDEX ? PGM_LOCK_ACCESS_EXCLUSIVE
						   : PGM_LOCK_SHARE;
	if (*table.name) {
		add(effects, table, lock, work);
	} else if (op->kind != PGM_OP_REINDEX_ALL) {
		/* The table cannot be told; the lock is there all the same. */
		struct pgm_lint_effect *effect = pgm_vec_add(effects->judge->arena, &effects->found);
		*effect = (struct pgm_lint_effect){
			.relation = pgm_sprintf(effects->judge->arena, "the table of %s", op->name),
			.lock = lock,
			.work = work,
			.bytes = -1,
			.rows = -1,
			.estimate_ms = -1,
			.unknown = true,
		};
	}
}

static void add_op(struct effects *effects, const struct pgm_op *op)
{
	switch (op->kind) {
	case PGM_OP_CREATE_INDEX:
	case PGM_OP_DROP_INDEX:
	case PGM_OP_REINDEX_INDEX:
	case PGM_OP_REINDEX_TABLE:
	case PGM_OP_REINDEX_ALL:
		add_index(effects, op);
		break;
	case PGM_OP_ATTACH_PARTITION:
	case PGM_OP_DETACH_PARTITION:
	case PGM_OP_PARTITION_OF:
		add_partition(effects, op);
		break;
	case PGM_OP_UPDATE:
	case PGM_OP_DELETE:
		add(effects, op->relation, PGM_LOCK_ROW_EXCLUSIVE,
		    op->where ? PGM_LINT_NO_WORK : PGM_LINT_REWRITES);
		break;
	case PGM_OP_INSERT:
		add(effects, op->relation, PGM_LOCK_ROW_EXCLUSIVE, PGM_LINT_NO_WORK);
		break;
	case PGM_OP_VACUUM:
		add(effects, op->relation, PGM_LOCK_SHARE_UPDATE_EXCLUSIVE, PGM_LINT_SCANS);
		break;
	case PGM_OP_VACUUM_FULL:
	case PGM_OP_CLUSTER:
		add(effects, op->relation, PGM_LOCK_ACCESS_EXCLUSIVE, PGM_LINT_REWRITES);
		break;
	case PGM_OP_REFRESH_MATVIEW:
		add(effects, op->relation, op->concurrently ? PGM_LOCK_EXCLUSIVE : PGM_LOCK_ACCESS_EXCLUSIVE,
		    PGM_LINT_REWRITES);
		break;
	case PGM_OP_LOCK_TABLE:
		add(effects, op->relation, op->lock_mode, PGM_LINT_NO_WORK);
		break;
	case PGM_OP_RENAME_INDEX:
	case PGM_OP_CREATE_TABLE:
	case PGM_OP_CREATE_MATVIEW:
	case PGM_OP_TABLE_COLUMN:
	case PGM_OP_ADD_ENUM_VALUE:
	case PGM_OP_DROP_SCHEMA:
		break;
	default:
		add_alter(effects, op);
	}
}

static int by_lock(const void *a, const void *b)
{
	const struct pgm_lint_effect *x = a, *y = b;
	int newer = x->is_new - y->is_new;
	int weaker = y->lock - x->lock;
	return newer ? newer : weaker ? weaker : strcmp(x->relation, y->relation);
}

void pgm_effects_of(const struct pgm_judge *judge, const struct pgm_ops *ops, struct pgm_lint_statement *out)
{
	struct effects effects = {.judge = judge};
	for (size_t i = 0; i < ops->count; i++)
		add_op(&effects, &ops->items[i]);
	out->effects = effects.found.items;
	out->effect_count = effects.found.count;
	if (out->effect_count)
		qsort(out->effects, out->effect_count, sizeof(*out->effects), by_lock);
}
