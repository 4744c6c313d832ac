/*
 * The state of reading one Plan file. Inside change/ only: plan_blocks.c cuts the text, plan_json.c reads the
 * "-- pgmend:" lines, plan_read.c makes Changes of it all.
 */
#ifndef PGM_CHANGE_PLAN_READER_H
#define PGM_CHANGE_PLAN_READER_H

#include "change/plan_file.h"
#include "util/vec.h"

struct pgm_plan_reader {
	struct pgm_arena *arena;
	const char *name; /* of the file, for errors */
	json_t *objects;  /* every "-- pgmend:" object: owns them */
	struct pgm_plan *plan;
	struct pgm_error *err;

	bool seen_plan;
	bool seen_up;
	bool seen_down;
	PGM_VEC(struct pgm_plan_block) blocks;
	PGM_VEC(struct pgm_plan_statement) statements;
	PGM_VEC(const char *) comments; /* since the last line of another kind */
};

/* "FILE:LINE: message"; false. */
bool pgm_plan_fail(struct pgm_plan_reader *reader, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Cut the text into blocks; reads pgmend:plan and pgmend:statement on the way. */
bool pgm_plan_read_blocks(struct pgm_plan_reader *reader, const char *text) PGM_MUST_CHECK;

/* The object after a mark; NULL where it is malformed or has a key that the mark does not know. */
json_t *pgm_plan_read_json(struct pgm_plan_reader *reader, int line, enum pgm_plan_marker marker,
			   const char *text, size_t length) PGM_MUST_CHECK;
bool pgm_plan_take_header(struct pgm_plan_reader *reader, int line, const json_t *object) PGM_MUST_CHECK;
void pgm_plan_take_statement(struct pgm_plan_reader *reader, const json_t *object);

/* Copies in the arena; the fallback where the key is not there. */
const char *pgm_plan_text(struct pgm_arena *arena, const json_t *object, const char *key,
			  const char *fallback);
double pgm_plan_number(const json_t *object, const char *key, double fallback);

#endif
