#include "check/check.h"

#include "change/definition.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "util/hash.h"
#include "util/vec.h"

#include <string.h>

struct mends {
	struct pgm_arena *arena;
	struct pgm_map seen; /* by SQL */
	/* Indexes as findings name them: those that the Plan drops -> the one in its place, or ""... */
	struct pgm_map dropped;
	struct pgm_map kept; /* ...and those in their place */
	pgm_changes changes;
	size_t left_out;
};

/*
 * A redundant index may go because another one serves in its place; that other one may be redundant too, or
 * unused, but not all of them may go. What is left out is found again by the next check.
 */
static bool may_drop(struct mends *mends, const struct pgm_finding *finding)
{
	const char *other = json_string_value(json_object_get(finding->evidence, "same_as"));
	if (!other)
		other = json_string_value(json_object_get(finding->evidence, "contained_in"));
	if (!other && pgm_map_get(&mends->kept, finding->object))
		return false;
	/* Where the other is dropped too, what takes its own place takes both. */
	const char *next;
	for (size_t hops = 0; other && (next = pgm_map_get(&mends->dropped, other)) != NULL; hops++) {
		if (!*next || hops > mends->changes.count)
			return false;
		other = next;
	}
	if (other && strcmp(other, finding->object) == 0)
		return false;
	other = pgm_strdup(mends->arena, other ? other : "");
	pgm_map_set(&mends->dropped, finding->object, (void *)other);
	if (*other)
		pgm_map_set(&mends->kept, other, mends);
	return true;
}

static bool add_change(struct mends *mends, struct pgm_conn *conn, const struct pgm_finding *finding,
		       const struct pgm_change *change, struct pgm_error *err)
{
	/* Two foreign keys over the same columns want the same index. */
	if (pgm_map_get(&mends->seen, change->sql_up))
		return true;
	if (change->kind == PGM_CHANGE_DROP_INDEX && !may_drop(mends, finding))
		return true;
	struct pgm_change mend = *change;
	if (!mend.sql_down && mend.kind == PGM_CHANGE_DROP_INDEX) {
		if (!pgm_index_definition(conn, mends->arena, change->schema, change->index, &mend.sql_down,
					  err))
			return false;
		if (!mend.sql_down) {
			mends->left_out++;
			return true;
		}
	}
	if (!mend.sql_down)
		mend.sql_down = "";
	const char **evidence = PGM_NEW_ARRAY(mends->arena, const char *, 2);
	evidence[0] = finding->detail;
	evidence[1] = pgm_sprintf(mends->arena, "Found by pgmend check: %s", finding->ignore_key);
	mend.evidence = evidence;
	mend.evidence_count = 2;
	mend.step = (int)mends->changes.count + 1;
	*pgm_vec_add(mends->arena, &mends->changes) = mend;
	pgm_map_set(&mends->seen, change->sql_up, mends);
	return true;
}

bool pgm_check_plan(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_check_report *report,
		    bool allow_drops, struct pgm_plan *plan, size_t *left_out, struct pgm_error *err)
{
	struct mends mends = {.arena = arena};
	pgm_map_init(&mends.seen, arena);
	pgm_map_init(&mends.dropped, arena);
	pgm_map_init(&mends.kept, arena);
	for (size_t i = 0; i < report->finding_count; i++)
		for (size_t c = 0; c < report->findings[i]->change_count; c++) {
			const struct pgm_change *change = &report->findings[i]->changes[c];
			if (change->kind == PGM_CHANGE_DROP_INDEX && !allow_drops)
				continue;
			if (!add_change(&mends, conn, report->findings[i], change, err))
				return false;
		}
	*plan = pgm_plan_of(arena, report->database,
			    pgm_sprintf(arena, "What pgmend check found in %s", report->database),
			    &mends.changes);
	*left_out = mends.left_out;
	return true;
}
