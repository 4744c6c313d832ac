#include "../cmocka_all.h"

#include "serve/chore/timetable.h"

#include <string.h>
#include <time.h>

static int64_t at(const char *stamp)
{
	struct tm utc = {0};
	assert_non_null(strptime(stamp, "%Y-%m-%dT%H:%M:%SZ", &utc));
	return timegm(&utc);
}

static void due(const char *text, const char *after, const char *expected)
{
	struct pgm_timetable timetable;
	struct pgm_error err = {0};
	char found[32];
	if (!pgm_timetable_parse(text, NULL, &timetable, &err))
		fail_msg("%s: %s", text, err.message);
	time_t next = pgm_timetable_next(&timetable, at(after));
	struct tm utc;
	strftime(found, sizeof(found), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&next, &utc));
	assert_string_equal(found, expected);
}

static void test_times(void **state)
{
	(void)state;
	due("hourly", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z");
	due("hourly", "2026-03-01T10:59:59Z", "2026-03-01T11:00:00Z");
	due("hourly :15", "2026-03-01T10:14:59Z", "2026-03-01T10:15:00Z");
	due("hourly :15", "2026-03-01T10:15:00Z", "2026-03-01T11:15:00Z");
	due("daily 03:00", "2026-03-01T02:59:59Z", "2026-03-01T03:00:00Z");
	due("daily 03:00", "2026-03-01T03:00:00Z", "2026-03-02T03:00:00Z");
	due("daily 00:00", "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z");
	/* 2026-03-01 is a Sunday */
	due("weekly sun 04:00", "2026-03-01T03:00:00Z", "2026-03-01T04:00:00Z");
	due("weekly sun 04:00", "2026-03-01T04:00:00Z", "2026-03-08T04:00:00Z");
	due("Weekly SAT 23:59", "2026-03-01T04:00:00Z", "2026-03-07T23:59:00Z");
	due("every 10min", "2026-03-01T04:01:00Z", "2026-03-01T04:10:00Z");
	due("every 2s", "2026-03-01T04:01:01Z", "2026-03-01T04:01:02Z");
}

static void test_zones(void **state)
{
	(void)state;
	/* Winter is an hour before UTC there, summer two; both changes are in the night to a Sunday. */
	due("daily 03:00 Europe/Berlin", "2026-01-10T00:00:00Z", "2026-01-10T02:00:00Z");
	due("daily 03:00 Europe/Berlin", "2026-07-10T00:00:00Z", "2026-07-10T01:00:00Z");
	/* 02:30 is left out on 2026-03-29: the first moment after the gap */
	due("daily 02:30 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
	due("daily 02:30 Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
	/* and is there twice on 2026-10-25: the first of both, and once */
	due("daily 02:30 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
	due("daily 02:30 Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
	/* The weekday is the zone's, where it is Monday already. */
	due("weekly mon 05:00 Asia/Tokyo", "2026-03-01T12:00:00Z", "2026-03-01T20:00:00Z");
	due("hourly :00 Asia/Kolkata", "2026-03-01T12:00:00Z", "2026-03-01T12:30:00Z");
	due("daily 23:00 America/Los_Angeles", "2026-03-01T12:00:00Z", "2026-03-02T07:00:00Z");
}

static void test_every_minute_of_two_years_is_found_once(void **state)
{
	(void)state;
	struct pgm_timetable timetable;
	struct pgm_error err = {0};
	assert_true(pgm_timetable_parse("daily 02:30 Europe/Berlin", NULL, &timetable, &err));
	int64_t now = at("2026-01-01T00:00:00Z"), end = at("2028-01-01T00:00:00Z");
	int count = 0;
	while ((now = pgm_timetable_next(&timetable, now)) < end)
		count++;
	assert_int_equal(count, 730);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"often",
		"daily",
		"daily 3:00",
		"daily 24:00",
		"daily 03:60",
		"weekly 03:00",
		"weekly day 3:00",
		"every",
		"every 0",
		"every 10ms",
		"hourly :60",
		"hourly :5",
		"daily 03:00 Mars",
		"daily 03:00 ../../etc/passwd",
		"daily 03:00 UTC x",
		"every 9999d",
		"daily 03:00 /etc/passwd",
		"weekly sunn 03:00",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct pgm_timetable timetable;
		struct pgm_error err = {0};
		if (pgm_timetable_parse(wrong[i], NULL, &timetable, &err))
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_true(*err.message && *err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_every_minute_of_two_years_is_found_once),
		cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
