#include "partition/upkeep_parts.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <stdlib.h>
#include <string.h>

#define DERIVE_FROM \
	4 /* the last partitions: whoever changed the length once is not asked about the first ones */
#define ZONE_FROM 24 /* for finding a place by its daylight saving */

static bool time_zone(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		      struct pgm_error *err)
{
	char *zone;
	if (table->settings.timezone)
		return table->zone = table->settings.timezone, true;
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.current_setting('TimeZone')", 0, NULL, &zone,
			    err))
		return false;
	table->zone = zone;
	return true;
}

static bool read_clock(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		       struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {pgm_upkeep_class_name(table->class), table->zone, table->settings.now,
				table->settings.retention};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_clock.sql"), 4, params,
			    &rows, err))
		return pgm_error_context(err, "reading the clock (time zone, retention)");
	table->now_at = pgm_rows_text(&rows, 0, 0);
	table->now_pos = pgm_rows_int(&rows, 0, 1);
	if (table->settings.retention)
		table->cutoff_pos = pgm_rows_int(&rows, 0, 2);
	if (table->settings.retention && table->cutoff_pos >= table->now_pos)
		return pgm_error_set(err, PGM_ERR_USAGE, "a retention of %s would retire everything",
				     table->settings.retention);
	return true;
}

static bool read_parts(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		       struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {table->oid, pgm_upkeep_class_name(table->class),
				pgm_sprintf(arena, "%lld", (long long)table->settings.epoch_units)};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_partitions.sql"), 3, params,
			    &rows, err))
		return pgm_error_context(err, "reading the partitions");
	table->parts = PGM_NEW_ARRAY(arena, struct pgm_upkeep_part, rows.count + 1);
	table->part_count = rows.count;
	for (size_t r = 0; r < rows.count; r++) {
		struct pgm_upkeep_part *part = &table->parts[r];
		*part = (struct pgm_upkeep_part){
			.oid = pgm_rows_text(&rows, r, 0),
			.schema = pgm_rows_text(&rows, r, 1),
			.name = pgm_rows_text(&rows, r, 2),
			.kind = *pgm_rows_text(&rows, r, 3),
			.pending = pgm_rows_bool(&rows, r, 4),
			.low = pgm_rows_get(&rows, r, 6),
			.high = pgm_rows_get(&rows, r, 7),
			.low_at = pgm_rows_get(&rows, r, 8),
			.high_at = pgm_rows_get(&rows, r, 9),
			.size_bytes = pgm_rows_int(&rows, r, 12),
			.rows = pgm_rows_int(&rows, r, 13),
		};
		part->low_pos = part->low ? pgm_rows_int(&rows, r, 10) : INT64_MIN;
		part->high_pos = part->high ? pgm_rows_int(&rows, r, 11) : INT64_MAX;
		if (!pgm_rows_bool(&rows, r, 5))
			return pgm_error_set(err, PGM_ERR_STATE, "the bounds of %s are not understood",
					     pgm_quote_qualified(arena, part->schema, part->name));
	}
	return true;
}

/* How people say it. */
static const char *interval_text(struct pgm_arena *arena, const struct pgm_upkeep_table *table)
{
	int64_t n = table->months ? table->months : table->days ? table->days : table->seconds;
	const char *unit = table->months ? "month" : table->days ? "day" : "second";
	if (table->class == PGM_UPKEEP_INTEGER)
		return pgm_sprintf(arena, "%lld", (long long)table->step);
	if (table->months && n % 12 == 0)
		n /= 12, unit = "year";
	else if (table->days && n % 7 == 0)
		n /= 7, unit = "week";
	else if (table->seconds && n % 3600 == 0)
		n /= 3600, unit = "hour";
	else if (table->seconds && n % 60 == 0)
		n /= 60, unit = "minute";
	return pgm_sprintf(arena, "%lld %s%s", (long long)n, unit, n == 1 ? "" : "s");
}

static bool cannot_derive(struct pgm_error *err, const char *why)
{
	pgm_error_set(err, PGM_ERR_STATE, "how long a partition is cannot be seen: %s", why);
	return pgm_error_hint(err,
			      "Say it: --interval '1 month' (or 1 day, 1 week, 3 months, a number for an "
			      "integer key).");
}

/* "month" and "quarter" besides what PostgreSQL takes for an interval. */
static bool given_interval(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			   struct pgm_error *err)
{
	const char *text = table->settings.interval;
	struct pgm_rows rows;
	static const char *const words[][2] = {
		{"hour", "1 hour"},	{"day", "1 day"},	 {"daily", "1 day"},
		{"week", "7 days"},	{"weekly", "7 days"},	 {"month", "1 month"},
		{"monthly", "1 month"}, {"quarter", "3 months"}, {"quarterly", "3 months"},
		{"year", "1 year"},	{"yearly", "1 year"}};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i][0], text) == 0)
			text = words[i][1];
	if (table->class == PGM_UPKEEP_INTEGER) {
		char *end;
		table->step = strtoll(text, &end, 10);
		return (table->step > 0 && !*end) ||
		       pgm_error_set(err, PGM_ERR_USAGE, "an interval of \"%s\" does not fit an integer key",
				     text);
	}
	if (!pgm_conn_query(
		    conn, arena,
		    "SELECT EXTRACT(year FROM i)::bigint * 12 + EXTRACT(month FROM i)::bigint, "
		    "EXTRACT(day FROM i)::bigint, (EXTRACT(hour FROM i) * 3600 + EXTRACT(minute FROM i) * "
		    "60 + EXTRACT(second FROM i))::bigint FROM (SELECT $1::interval AS i) AS given",
		    1, &text, &rows, err))
		return pgm_error_context(err, "--interval");
	table->months = pgm_rows_int(&rows, 0, 0);
	table->days = pgm_rows_int(&rows, 0, 1);
	table->seconds = pgm_rows_int(&rows, 0, 2);
	if ((table->months > 0) + (table->days > 0) + (table->seconds > 0) == 1 && table->months >= 0 &&
	    table->days >= 0 && table->seconds >= 0)
		return true;
	return pgm_error_set(
		err, PGM_ERR_USAGE,
		"an interval is a number of years and months, of weeks and days, or of hours and "
		"less: \"%s\" is not",
		text);
}

/* The last partitions that have both bounds. */
static size_t last_finite(const struct pgm_upkeep_table *table, const struct pgm_upkeep_part **last)
{
	size_t count = 0;
	for (size_t i = table->part_count; i-- > 0 && count < ZONE_FROM;)
		if (table->parts[i].low && table->parts[i].high)
			last[count++] = &table->parts[i];
	return count;
}

static bool derive_step(struct pgm_upkeep_table *table, const struct pgm_upkeep_part **last, size_t count,
			struct pgm_error *err)
{
	for (size_t i = 0; i < count && i < DERIVE_FROM; i++) {
		int64_t step;
		if (__builtin_sub_overflow(last[i]->high_pos, last[i]->low_pos, &step))
			return cannot_derive(err, "the last ones are too long");
		if (i && step != table->step)
			return cannot_derive(err, "the last ones differ");
		table->step = step;
	}
	return true;
}

static const char *time_array(struct pgm_arena *arena, const struct pgm_upkeep_part **parts, size_t count,
			      bool low)
{
	struct pgm_buf text;
	pgm_buf_init(&text, arena);
	for (size_t i = 0; i < count; i++)
		pgm_buf_printf(&text, "%s\"%s\"", i ? "," : "{", low ? parts[i]->low_at : parts[i]->high_at);
	pgm_buf_char(&text, '}');
	return text.text;
}

struct length {
	const char *zone;
	int64_t months, days, seconds;
	int64_t rank; /* of upkeep_interval.sql; RANK_MIDNIGHT and less: months or days from midnight on */
};

#define RANK_MIDNIGHT 2

static bool ask_length(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_upkeep_part **last,
		       size_t count, const char *zones, struct length *length, struct pgm_error *err)
{
	struct pgm_rows rows;
	const char *params[] = {time_array(arena, last, count, true), time_array(arena, last, count, false),
				zones};
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_interval.sql"), 3, params,
			    &rows, err))
		return pgm_error_context(err, "reading how long the partitions are");
	*length = (struct length){.zone = pgm_rows_text(&rows, 0, 0),
				  .months = pgm_rows_int(&rows, 0, 1),
				  .days = pgm_rows_int(&rows, 0, 2),
				  .seconds = pgm_rows_int(&rows, 0, 3),
				  .rank = pgm_rows_int(&rows, 0, 4)};
	return true;
}

/* Of no use is a place that fits by chance: as many partitions as there are must have its midnights. */
static bool ask_everywhere(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			   const struct pgm_upkeep_part **last, size_t count, struct length *length,
			   struct pgm_error *err)
{
	char *zones;
	struct length other;
	size_t few = count < DERIVE_FROM ? count : DERIVE_FROM;
	if (!pgm_conn_value(
		    conn, arena,
		    "SELECT pg_catalog.array_agg(name ORDER BY name) FROM pg_catalog.pg_timezone_names "
		    "WHERE name ~ '^[A-Z][a-z]+/' AND name !~ '^(Etc|SystemV)/'",
		    0, NULL, &zones, err))
		return false;
	if (!zones)
		return true;
	if (!ask_length(conn, arena, last, count, zones, &other, err) ||
	    (other.rank > RANK_MIDNIGHT && !ask_length(conn, arena, last, few, zones, &other, err)))
		return false;
	if (other.rank > RANK_MIDNIGHT)
		return true;
	*length = other;
	pgm_upkeep_note(arena, table, false,
			"its bounds are midnights of time zone %s: --timezone says which one is meant",
			other.zone);
	return true;
}

/*
 * The zone in which the bounds are midnights: the user's own, UTC, or else any. Keys without a time zone have
 * their own clock, which is taken for UTC all the way.
 */
static bool derive_length(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			  const struct pgm_upkeep_part **last, size_t count, struct pgm_error *err)
{
	struct length length;
	bool zoned = table->class == PGM_UPKEEP_TIMESTAMPTZ || table->class == PGM_UPKEEP_EPOCH;
	size_t few = count < DERIVE_FROM ? count : DERIVE_FROM;
	const char *zones = !zoned		       ? "{UTC}"
			    : table->settings.timezone ? pgm_sprintf(arena, "{\"%s\"}", table->zone)
						       : pgm_sprintf(arena, "{\"%s\",UTC}", table->zone);
	if (!ask_length(conn, arena, last, few, zones, &length, err))
		return false;
	bool short_ones = length.seconds > 0 && length.seconds < 82800; /* hours: any zone will do */
	if (zoned && length.rank > RANK_MIDNIGHT && !short_ones && !table->settings.timezone &&
	    !ask_everywhere(conn, arena, table, last, count, &length, err))
		return false;
	if (!length.months && !length.days && !length.seconds)
		return cannot_derive(err, "the last ones differ");
	table->months = length.months;
	table->days = length.days;
	table->seconds = length.seconds;
	if (zoned)
		table->zone = length.zone;
	return true;
}

static bool derive(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		   struct pgm_error *err)
{
	const struct pgm_upkeep_part *last[ZONE_FROM];
	size_t count = last_finite(table, last);
	bool integer = table->class == PGM_UPKEEP_INTEGER;
	if (table->settings.interval && !given_interval(conn, arena, table, err))
		return false;
	if (!table->settings.interval && count == 0)
		return cannot_derive(err, "there is no partition with two bounds");
	if (!table->settings.interval && integer && !derive_step(table, last, count, err))
		return false;
	if (!integer && count) {
		/* Also with an interval that is given: for the time zone. */
		struct pgm_upkeep_table seen = *table;
		struct pgm_error ignored;
		if (!derive_length(conn, arena, &seen, last, count,
				   table->settings.interval ? &ignored : err) &&
		    !table->settings.interval)
			return false;
		if (!table->settings.interval)
			*table = seen;
		else if (seen.months || seen.days)
			table->zone = seen.zone;
	}
	if (table->class == PGM_UPKEEP_DATE && table->seconds)
		return pgm_error_set(err, PGM_ERR_USAGE, "a key of type date is cut into days at least");
	table->interval = interval_text(arena, table);
	return true;
}

/* For integers the present is the newest partition that holds a row, and the greatest key in it. */
static bool integer_clock(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			  struct pgm_error *err)
{
	for (size_t i = table->part_count; i-- > 0;) {
		const struct pgm_upkeep_part *part = &table->parts[i];
		const char *key = pgm_quote_ident(arena, table->key);
		const char *name = pgm_quote_qualified(arena, part->schema, part->name);
		struct pgm_rows rows;
		if (part->kind == 'f')
			continue;
		if (!pgm_conn_query(conn, arena, pgm_sprintf(arena, "SELECT max(%s) FROM %s", key, name), 0,
				    NULL, &rows, err))
			return pgm_error_context(err, "reading the greatest %s of %s", key, name);
		if (!pgm_rows_get(&rows, 0, 0))
			continue;
		table->now_pos = pgm_rows_int(&rows, 0, 0);
		table->now_at = pgm_rows_text(&rows, 0, 0);
		break;
	}
	if (!table->now_at) {
		table->now_pos = table->part_count ? table->parts[0].low_pos : 0;
		table->now_at = "no row yet";
	}
	if (!table->settings.retention)
		return true;
	char *end;
	int64_t retention = strtoll(table->settings.retention, &end, 10);
	if (retention <= 0 || *end)
		return pgm_error_set(err, PGM_ERR_USAGE, "a retention of \"%s\" does not fit an integer key",
				     table->settings.retention);
	if (__builtin_sub_overflow(table->now_pos, retention, &table->cutoff_pos))
		table->cutoff_pos = INT64_MIN;
	return true;
}

/* At most so many are counted: a DEFAULT partition may be the largest table there is. */
static bool count_default(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			  struct pgm_error *err)
{
	char *count;
	if (!table->default_oid || table->default_kind != 'r')
		return true;
	const char *sql = pgm_sprintf(arena, "SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT %d) AS found",
				      table->default_quoted, PGM_UPKEEP_DEFAULT_ROWS + 1);
	if (!pgm_conn_value(conn, arena, sql, 0, NULL, &count, err))
		return pgm_error_context(err, "counting the rows of %s", table->default_quoted);
	table->default_rows = count ? strtoll(count, NULL, 10) : 0;
	if (table->default_rows > 0 && !table->settings.fix_default)
		pgm_upkeep_note(
			arena, table, true,
			"%s%lld row%s in the DEFAULT partition %s: --fix-default moves those that have a "
			"partition to come",
			table->default_rows > PGM_UPKEEP_DEFAULT_ROWS ? "over " : "",
			(long long)(table->default_rows > PGM_UPKEEP_DEFAULT_ROWS ? PGM_UPKEEP_DEFAULT_ROWS
										  : table->default_rows),
			table->default_rows == 1 ? "" : "s", table->default_quoted);
	return true;
}

bool pgm_upkeep_look(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		     struct pgm_error *err)
{
	bool integer = table->class == PGM_UPKEEP_INTEGER;
	if (!time_zone(conn, arena, table, err) || (!integer && !read_clock(conn, arena, table, err)) ||
	    !read_parts(conn, arena, table, err) || (integer && !integer_clock(conn, arena, table, err)) ||
	    !derive(conn, arena, table, err) || !count_default(conn, arena, table, err))
		return false;
	for (size_t i = 0; i < table->part_count; i++)
		table->ahead += table->parts[i].low_pos > table->now_pos;
	return true;
}
