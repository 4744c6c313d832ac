#include "change/plan.h"

#include <string.h>

void pgm_plan_part(struct pgm_arena *arena, const struct pgm_plan *plan, size_t index, struct pgm_plan *part)
{
	struct pgm_change *change = PGM_NEW(arena, struct pgm_change);
	*change = plan->changes[index];
	change->step = 1;
	*part = *plan;
	part->changes = change;
	part->change_count = 1;
	part->title = change->title;
	part->id = pgm_plan_id(arena, change, 1);
	part->statements = PGM_NEW_ARRAY(arena, struct pgm_plan_statement, plan->statement_count);
	part->statement_count = 0;
	for (size_t i = 0; change->index && i < plan->statement_count; i++)
		for (size_t n = 0; n < plan->statements[i].index_count; n++) {
			if (strcmp(plan->statements[i].indexes[n], change->index) != 0)
				continue;
			struct pgm_plan_statement *statement = &part->statements[part->statement_count++];
			*statement = plan->statements[i];
			statement->indexes = &plan->statements[i].indexes[n];
			statement->index_count = 1;
			break;
		}
}
