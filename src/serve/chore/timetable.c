#include "serve/chore/timetable.h"

#include "util/format.h"

#include <string.h>
#include <strings.h>

#define DAY_S 86400

static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static bool bad(const char *text, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_INPUT, "\"%.100s\" is no timetable", text);
	return pgm_error_hint(
		err, "Write it like hourly, daily 03:00, weekly sun 04:00 Europe/Berlin or every 10min.");
}

/* The next word of *text, at most size bytes with its end; false: there is none, or it is too long. */
static bool take_word(const char **text, char *word, size_t size)
{
	*text += strspn(*text, " \t");
	size_t length = strcspn(*text, " \t");
	if (!length || length >= size)
		return false;
	memcpy(word, *text, length);
	word[length] = '\0';
	*text += length;
	return true;
}

static bool two_digits(const char *text, int max, int *value)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return false;
	*value = (text[0] - '0') * 10 + text[1] - '0';
	return *value <= max;
}

static bool take_time(const char **text, struct pgm_timetable *timetable)
{
	char word[8];
	return take_word(text, word, sizeof(word)) && strlen(word) == 5 && word[2] == ':' &&
	       two_digits(word, 23, &timetable->hour) && two_digits(word + 3, 59, &timetable->minute);
}

static bool take_every(const char **text, struct pgm_timetable *timetable)
{
	char word[24];
	int64_t ms;
	struct pgm_error ignored;
	if (!take_word(text, word, sizeof(word)) || !pgm_parse_duration_ms(word, &ms, &ignored) ||
	    ms < 1000 || ms > (int64_t)366 * DAY_S * 1000)
		return false;
	timetable->every_s = ms / 1000;
	return true;
}

static bool take_weekday(const char **text, struct pgm_timetable *timetable)
{
	char word[16];
	if (!take_word(text, word, sizeof(word)))
		return false;
	for (int i = 0; i < 7; i++)
		if (strcasecmp(word, weekdays[i]) == 0)
			return timetable->weekday = i, true;
	return false;
}

/* ":15" behind hourly; anything else is the zone. */
static bool take_minute(const char **text, struct pgm_timetable *timetable)
{
	char word[8];
	*text += strspn(*text, " \t");
	return **text != ':' || (take_word(text, word, sizeof(word)) && strlen(word) == 3 &&
				 two_digits(word + 1, 59, &timetable->minute));
}

bool pgm_timetable_parse(const char *text, const char *zone, struct pgm_timetable *timetable,
			 struct pgm_error *err)
{
	char word[16], named[PGM_TIMETABLE_ZONE_MAX];
	const char *at = text;
	bool ok = false;
	*timetable = (struct pgm_timetable){.kind = PGM_HOURLY};
	if (!take_word(&at, word, sizeof(word)))
		return bad(text, err);
	if (strcasecmp(word, "every") == 0) {
		timetable->kind = PGM_EVERY;
		ok = take_every(&at, timetable);
	} else if (strcasecmp(word, "hourly") == 0) {
		ok = take_minute(&at, timetable);
	} else if (strcasecmp(word, "daily") == 0) {
		timetable->kind = PGM_DAILY;
		ok = take_time(&at, timetable);
	} else if (strcasecmp(word, "weekly") == 0) {
		timetable->kind = PGM_WEEKLY;
		ok = take_weekday(&at, timetable) && take_time(&at, timetable);
	}
	if (!ok)
		return bad(text, err);
	bool has_zone = take_word(&at, named, sizeof(named));
	at += strspn(at, " \t");
	if (*at)
		return bad(text, err);
	return pgm_zone_read(has_zone ? named : zone && *zone ? zone : "UTC", &timetable->zone, err);
}

/* The moment at which the zone's clocks show that time; after a gap, the first moment that there is. */
static int64_t to_utc(const struct pgm_zone *zone, int64_t local_s)
{
	/* Offsets change by some hours at most: what holds a day before and after are all that there are. */
	int32_t before = pgm_zone_offset(zone, local_s - DAY_S - 43200);
	int32_t after = pgm_zone_offset(zone, local_s + DAY_S + 43200);
	int64_t early = local_s - (before > after ? before : after);
	int64_t late = local_s - (before > after ? after : before);
	if (early + pgm_zone_offset(zone, early) == local_s)
		return early;
	if (late + pgm_zone_offset(zone, late) == local_s)
		return late;
	/* Left out: the clock jumps between the two. */
	while (late - early > 1) {
		int64_t middle = early + (late - early) / 2;
		if (middle + pgm_zone_offset(zone, middle) < local_s)
			early = middle;
		else
			late = middle;
	}
	return late;
}

static int64_t floor_to(int64_t value, int64_t unit)
{
	int64_t rest = value % unit;
	return value - (rest < 0 ? rest + unit : rest);
}

int64_t pgm_timetable_next(const struct pgm_timetable *timetable, int64_t after_s)
{
	if (timetable->kind == PGM_EVERY)
		return floor_to(after_s, timetable->every_s) + timetable->every_s;
	int64_t local = after_s + pgm_zone_offset(&timetable->zone, after_s);
	if (timetable->kind == PGM_HOURLY) {
		/* Hours are everywhere an hour after the last one: only where in them differs by zone. */
		int64_t due = floor_to(local, 3600) + timetable->minute * 60 - (local - after_s);
		return due > after_s ? due : due + 3600;
	}
	int64_t day = floor_to(local, DAY_S) - DAY_S;
	for (int i = 0; i < 10; i++, day += DAY_S) {
		/* 1970 began on a Thursday */
		int weekday = (int)(((day / DAY_S + 4) % 7 + 7) % 7);
		if (timetable->kind == PGM_WEEKLY && weekday != timetable->weekday)
			continue;
		int64_t due = to_utc(&timetable->zone, day + timetable->hour * 3600 + timetable->minute * 60);
		if (due > after_s)
			return due;
	}
	return after_s + 7 * DAY_S;
}
