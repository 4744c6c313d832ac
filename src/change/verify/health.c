#include "change/verify/indexes.h"
#include "change/verify/measure.h"

bool pgm_verify_health(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_plan *plan,
		       struct pgm_verify_report *report, struct pgm_error *err)
{
	struct pgm_measures *now = PGM_NEW(arena, struct pgm_measures);
	struct pgm_verify_options options = pgm_verify_defaults();
	const char *schemas;
	if (!pgm_measure_prepare(conn, arena, &plan, &schemas, err))
		return false;
	*report = (struct pgm_verify_report){.mode = PGM_VERIFY_HEALTH, .plan = plan, .after = now};
	if (!pgm_measure_all(conn, arena, plan, schemas, &options, false, now, err))
		return false;
	report->pair_count = now->count;
	report->pairs = PGM_NEW_ARRAY(arena, struct pgm_verify_pair, now->count);
	for (size_t i = 0; i < now->count; i++)
		report->pairs[i].after = &now->items[i];
	if (!pgm_indexes_read(conn, arena, plan, &report->indexes, &report->index_count, err))
		return false;
	pgm_indexes_count(report);
	pgm_indexes_judge(arena, report);
	return true;
}
