/*
 * What is not proposed, and why.
 */
#ifndef PGM_ADVISE_NOTE_H
#define PGM_ADVISE_NOTE_H

#include "util/hash.h"
#include "util/vec.h"

/* Something that is not proposed, and why. */
struct pgm_advise_note {
	const char *object;
	const char *reason;
};

struct pgm_advise_notes {
	struct pgm_arena *arena;
	PGM_VEC(struct pgm_advise_note) list;
	struct pgm_map by_object;
};

void pgm_advise_notes_init(struct pgm_advise_notes *notes, struct pgm_arena *arena);

/* The first reason that is given for an object stays. Texts are copied. */
void pgm_advise_notes_add(struct pgm_advise_notes *notes, const char *object, const char *reason);

#endif
