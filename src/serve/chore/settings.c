#include "serve/chore/parts.h"

#include "util/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *key, const char *value, int64_t max, int64_t *result, struct pgm_error *err)
{
	char *end;
	errno = 0;
	long long given = strtoll(value, &end, 10);
	if (end == value || *end || errno || given < 1 || given > max)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: \"%.50s\" is no number from 1 to %lld", key,
				     value, (long long)max);
	*result = given;
	return true;
}

/* Names with commas between them. */
static bool take_names(const char *value, char ***names)
{
	size_t count = 0, max = strlen(value) / 2 + 2;
	char **list = calloc(max + 1, sizeof(*list));
	for (const char *at = value; list && *at;) {
		at += strspn(at, ", \t");
		size_t length = strcspn(at, ",");
		size_t end = length;
		while (end && (at[end - 1] == ' ' || at[end - 1] == '\t'))
			end--;
		if (end && count < max)
			list[count++] = strndup(at, end);
		at += length;
	}
	*names = list;
	return list != NULL;
}

static bool replace_text(char **place, const char *value)
{
	free(*place);
	*place = strdup(value);
	return *place != NULL;
}

bool pgm_chore_setting(const char *key, const char *value, struct pgm_chore_options *options, bool *known,
		       struct pgm_error *err)
{
	struct pgm_zone zone;
	*known = true;
	if (strcmp(key, "analyze_max") == 0)
		return number(key, value, 1000, &options->analyze_max, err);
	if (strcmp(key, "reindex_max") == 0)
		return number(key, value, 1000, &options->reindex_max, err);
	if (strcmp(key, "reindex_min_size") == 0)
		return pgm_parse_bytes(value, &options->reindex_min_bytes, err) ||
		       pgm_error_context(err, "%s", key);
	if (strcmp(key, "reports_kept") == 0)
		return number(key, value, 1000, &options->reports_kept, err);
	if (strcmp(key, "time_limit") == 0)
		return pgm_parse_duration_ms(value, &options->time_limit_ms, err) ||
		       pgm_error_context(err, "%s", key);
	if (strcmp(key, "report_folder") == 0)
		return replace_text(&options->report_folder, value) ||
		       pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (strcmp(key, "databases") == 0)
		return take_names(value, &options->databases) ||
		       pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	if (strcmp(key, "timezone") == 0) {
		if (!pgm_zone_read(value, &zone, err))
			return false;
		snprintf(options->zone, sizeof(options->zone), "%s", value);
		return true;
	}
	if (strcmp(key, "missed") == 0) {
		options->make_up = strcmp(value, "run") == 0;
		return options->make_up || strcmp(value, "skip") == 0 ||
		       pgm_error_set(err, PGM_ERR_INPUT, "missed: run or skip, not \"%.50s\"", value);
	}
	return *known = false, true;
}

void pgm_chore_options_done(struct pgm_chore_options *options)
{
	for (char **name = options->databases; name && *name; name++)
		free(*name);
	free(options->databases);
	free(options->report_folder);
	options->databases = NULL;
	options->report_folder = NULL;
}

bool pgm_chore_check(const char *key, const char *value, struct pgm_error *err)
{
	struct pgm_chore_options options = {.make_up = true};
	struct pgm_timetable timetable;
	bool known;
	bool ok = pgm_chore_setting(key, value, &options, &known, err);
	pgm_chore_options_done(&options);
	if (known)
		return ok;
	for (int id = 0; id < PGM_CHORES; id++)
		if (strcmp(key, pgm_chore_name((enum pgm_chore_id)id)) == 0)
			return strcmp(value, "off") == 0 || pgm_timetable_parse(value, NULL, &timetable, err);
	pgm_error_set(err, PGM_ERR_INPUT, "there is no chore \"%.50s\"", key);
	return pgm_error_hint(
		err, "They are partitions, analyze, reindex and report; settings are timezone, databases, "
		     "analyze_max, reindex_max, reindex_min_size, time_limit, report_folder, reports_kept, "
		     "missed.");
}
