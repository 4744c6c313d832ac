/*
 * When a chore is due: "hourly", "hourly :15", "daily 03:00", "weekly sun 04:00", "every 10min", with the
 * name of a time zone behind it where that is not UTC ("daily 03:00 Europe/Berlin").
 *
 * A time that a day leaves out (the clock goes forward) is the first moment after the gap; one that it has
 * twice is the first of both. Plain data; any thread may use it.
 */
#ifndef PGM_SERVE_CHORE_TIMETABLE_H
#define PGM_SERVE_CHORE_TIMETABLE_H

#include "util/error.h"

#include <stddef.h>
#include <stdint.h>

#define PGM_TIMETABLE_ZONE_MAX	  64
#define PGM_TIMETABLE_CHANGES_MAX 2048 /* of a zone's offset */

enum pgm_timetable_kind { PGM_EVERY, PGM_HOURLY, PGM_DAILY, PGM_WEEKLY };

/* Offsets of a time zone from UTC, by the moment from which each holds. */
struct pgm_zone {
	size_t count;
	int64_t from_s[PGM_TIMETABLE_CHANGES_MAX];
	int32_t offset_s[PGM_TIMETABLE_CHANGES_MAX];
	int32_t first_s; /* before the first */
};

struct pgm_timetable {
	enum pgm_timetable_kind kind;
	int64_t every_s;
	int weekday; /* 0: Sunday */
	int hour, minute;
	struct pgm_zone zone;
};

/* zone: where text names none; NULL: UTC. PGM_ERR_INPUT. */
bool pgm_timetable_parse(const char *text, const char *zone, struct pgm_timetable *timetable,
			 struct pgm_error *err) PGM_MUST_CHECK;

/* The first time that is due after that moment; seconds since 1970. */
int64_t pgm_timetable_next(const struct pgm_timetable *timetable, int64_t after_s);

/* By the name of a file of the system's time zones; PGM_ERR_INPUT. */
bool pgm_zone_read(const char *name, struct pgm_zone *zone, struct pgm_error *err) PGM_MUST_CHECK;
int32_t pgm_zone_offset(const struct pgm_zone *zone, int64_t at_s);

#endif
