#include "advise/note.h"

void pgm_advise_notes_init(struct pgm_advise_notes *notes, struct pgm_arena *arena)
{
	*notes = (struct pgm_advise_notes){.arena = arena};
	pgm_map_init(&notes->by_object, arena);
}

void pgm_advise_notes_add(struct pgm_advise_notes *notes, const char *object, const char *reason)
{
	if (pgm_map_get(&notes->by_object, object))
		return;
	object = pgm_strdup(notes->arena, object);
	pgm_map_set(&notes->by_object, object, notes);
	*pgm_vec_add(notes->arena, &notes->list) =
		(struct pgm_advise_note){object, pgm_strdup(notes->arena, reason)};
}
