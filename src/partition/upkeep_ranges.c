#include "partition/upkeep_parts.h"

#include "pg/quote.h"
#include "util/buf.h"
#include "util/embedded.h"

#include <stdlib.h>
#include <string.h>

#define NAME_FROM 4 /* siblings whose names are looked at */

struct list {
	struct pgm_upkeep_range *ranges;
	size_t count, room;
};

static struct pgm_upkeep_range *add(struct pgm_arena *arena, struct list *list)
{
	if (list->count == list->room) {
		struct pgm_upkeep_range *old = list->ranges;
		list->room = list->room ? list->room * 2 : 16;
		list->ranges = PGM_NEW_ARRAY(arena, struct pgm_upkeep_range, list->room);
		if (list->count)
			memcpy(list->ranges, old, list->count * sizeof(*old));
	}
	return &list->ranges[list->count++];
}

/* From a time on: what begins by now and ahead more; or, with until, up to there. */
static bool time_ranges(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			const char *from, const char *until, int64_t ahead, struct list *list,
			struct pgm_error *err)
{
	struct pgm_rows rows;
#define NUMBER(value) pgm_sprintf(arena, "%lld", (long long)(value))
	const char *params[] = {
		from,
		table->class == PGM_UPKEEP_DATE || table->class == PGM_UPKEEP_TIMESTAMP ? "UTC" : table->zone,
		NUMBER(table->months),
		NUMBER(table->days),
		NUMBER(table->seconds),
		table->now_at,
		NUMBER(ahead),
		NUMBER(PGM_UPKEEP_NEW_MAX + 1),
		pgm_upkeep_class_name(table->class),
		NUMBER(table->settings.epoch_units),
		until};
#undef NUMBER
	if (!pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_ranges.sql"), 11, params,
			    &rows, err))
		return pgm_error_context(err, "computing the next bounds");
	for (size_t r = 0; r < rows.count && list->count < PGM_UPKEEP_NEW_MAX; r++)
		*add(arena, list) = (struct pgm_upkeep_range){.low = pgm_rows_text(&rows, r, 0),
							      .high = pgm_rows_text(&rows, r, 1),
							      .local = pgm_rows_text(&rows, r, 2)};
	return true;
}

static bool integer_ranges(struct pgm_arena *arena, struct pgm_upkeep_table *table, int64_t from,
			   const int64_t *until, int64_t ahead, struct list *list, struct pgm_error *err)
{
	while (list->count < PGM_UPKEEP_NEW_MAX &&
	       (until ? from < *until : from <= table->now_pos || ahead > 0)) {
		int64_t to;
		if (__builtin_add_overflow(from, table->step, &to))
			return pgm_error_set(err, PGM_ERR_STATE, "there is no room for a bound above %lld",
					     (long long)from);
		if (until && to > *until)
			to = *until;
		if (!until && from > table->now_pos)
			ahead--;
		*add(arena, list) = (struct pgm_upkeep_range){
			.low = pgm_sprintf(arena, "%lld", (long long)from),
			.high = pgm_sprintf(arena, "%lld", (long long)to),
			.local = pgm_sprintf(arena, "%lld", (long long)from),
		};
		from = to;
	}
	return true;
}

/* Where the first partition of a table that has none begins. */
static bool first_bound(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			const char **from, struct pgm_error *err)
{
	char *bound;
	const char *zone =
		table->class == PGM_UPKEEP_DATE || table->class == PGM_UPKEEP_TIMESTAMP ? "UTC" : table->zone;
	const char *unit = table->months % 12 == 0 && table->months ? "year"
			   : table->months == 3			    ? "quarter"
			   : table->months			    ? "month"
			   : table->days % 7 == 0 && table->days    ? "week"
			   : table->days			    ? "day"
								    : "hour";
	const char *params[] = {unit, table->now_at, zone};
	if (!pgm_conn_value(
		    conn, arena,
		    "SELECT pg_catalog.date_trunc($1, $2::timestamptz AT TIME ZONE $3) AT TIME ZONE $3", 3,
		    params, &bound, err))
		return false;
	*from = bound;
	return true;
}

static bool after_last(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		       struct list *list, struct pgm_error *err)
{
	const struct pgm_upkeep_part *last = table->part_count ? &table->parts[table->part_count - 1] : NULL;
	int64_t ahead = table->settings.premake - (int64_t)table->ahead;
	const char *from = last ? last->high_at : NULL;
	if (last && !last->high) {
		pgm_upkeep_note(arena, table, false, "%s has no upper bound: nothing can follow it",
				pgm_quote_ident(arena, last->name));
		return true;
	}
	if (ahead < 0)
		ahead = 0;
	if (table->class == PGM_UPKEEP_INTEGER)
		return integer_ranges(arena, table, last ? last->high_pos : 0, NULL, ahead, list, err);
	if (!from && !first_bound(conn, arena, table, &from, err))
		return false;
	return time_ranges(conn, arena, table, from, NULL, ahead, list, err);
}

bool pgm_upkeep_missing(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			struct pgm_upkeep_range **ranges, size_t *count, struct pgm_error *err)
{
	struct list list = {0};
	for (size_t i = 1; i < table->part_count && table->settings.fill_gaps; i++) {
		const struct pgm_upkeep_part *before = &table->parts[i - 1], *part = &table->parts[i];
		if (before->high_pos >= part->low_pos)
			continue;
		if (!(table->class == PGM_UPKEEP_INTEGER
			      ? integer_ranges(arena, table, before->high_pos, &part->low_pos, 0, &list, err)
			      : time_ranges(conn, arena, table, before->high_at, part->low_at, 0, &list,
					    err)))
			return false;
	}
	if (!after_last(conn, arena, table, &list, err))
		return false;
	if (list.count >= PGM_UPKEEP_NEW_MAX)
		pgm_upkeep_note(arena, table, true,
				"more than %d partitions are missing: run it again for the rest",
				PGM_UPKEEP_NEW_MAX);
	*ranges = list.ranges;
	*count = list.count;
	return true;
}

/* Names */

/* A prefix that leaves room for the rest. */
static const char *join_name(struct pgm_arena *arena, const char *prefix, const char *rest)
{
	size_t length = strlen(rest);
	size_t room = length < PGM_NAME_MAX ? PGM_NAME_MAX - length : 0;
	return pgm_sprintf(arena, "%s%s", pgm_quote_truncate(arena, prefix, room), rest);
}

/* What people use; the longest that fits is taken, among equals the first. */
static const char *const formats =
	"{YYYY_MM_DD_HH24MISS,YYYYMMDD_HH24MISS,YYYYMMDDHH24MISS,YYYY_MM_DD_HH24MI,YYYY_MM_DD_HH24,"
	"YYYYMMDD_HH24MI,YYYYMMDDHH24MI,YYYYMMDD_HH24,YYYYMMDDHH24,\"\\\"y\\\"YYYY\\\"m\\\"MM\\\"d\\\"DD\","
	"\"\\\"y\\\"YYYY\\\"m\\\"MM\",\"YYYY\\\"m\\\"MM\",\"IYYY_\\\"w\\\"IW\",\"IYYY\\\"w\\\"IW\",\"IYYY_"
	"\\\"W\\\"IW\","
	"\"IYYY\\\"W\\\"IW\",\"IYYY-\\\"W\\\"IW\",IYYY_IW,\"YYYY_\\\"q\\\"Q\",\"YYYY\\\"q\\\"Q\",\"YYYY_"
	"\\\"Q\\\"Q\",\"YYYY\\\"Q\\\"Q\","
	"YYYY_MM_DD,YYYY-MM-DD,YYYYMMDD,YYYY_DDD,YYYYDDD,YYYY_mon,YYYYmon,mon_YYYY,monYYYY,MM_YYYY,YYYY_MM,"
	"YYYY-MM,"
	"YYYYMM,YYMMDD,YYMM,YYYY}";

/* How a partition is called where the siblings show nothing. */
static const char *default_format(const struct pgm_upkeep_table *table)
{
	if (table->settings.name_format)
		return table->settings.name_format;
	if (table->months && table->months % 12 == 0)
		return "YYYY";
	if (table->months == 3)
		return "YYYY\"q\"Q";
	if (table->months)
		return "YYYY_MM";
	return table->days ? "YYYY_MM_DD" : "YYYY_MM_DD_HH24MISS";
}

static bool siblings_names(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
			   const char *targets, struct pgm_rows *rows, struct pgm_error *err)
{
	struct pgm_buf names, lows;
	size_t found = 0;
	const char *zone =
		table->class == PGM_UPKEEP_DATE || table->class == PGM_UPKEEP_TIMESTAMP ? "UTC" : table->zone;
	pgm_quote_array_begin(&names, arena);
	pgm_quote_array_begin(&lows, arena);
	for (size_t i = table->part_count; i-- > 0 && found < NAME_FROM;) {
		const struct pgm_upkeep_part *part = &table->parts[i];
		const char *params[] = {part->low_at, zone};
		char *local;
		if (!part->low || !part->high)
			continue;
		if (!pgm_conn_value(conn, arena, "SELECT $1::timestamptz AT TIME ZONE $2", 2, params, &local,
				    err))
			return false;
		pgm_quote_array_add(&names, part->name);
		pgm_quote_array_add(&lows, local);
		found++;
	}
	rows->count = 0;
	if (!found)
		return true;
	const char *params[] = {pgm_quote_array_end(&names), pgm_quote_array_end(&lows), formats, targets};
	return pgm_conn_query(conn, arena, pgm_embedded_text("partition/sql/upkeep_names.sql"), 4, params,
			      rows, err);
}

static bool time_names(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		       struct pgm_upkeep_range *ranges, size_t count, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf array;
	pgm_quote_array_begin(&array, arena);
	for (size_t i = 0; i < count; i++)
		pgm_quote_array_add(&array, ranges[i].local);
	const char *targets = pgm_quote_array_end(&array);
	bool told = table->settings.name_format != NULL;
	if (!told && !siblings_names(conn, arena, table, targets, &rows, err))
		return pgm_error_context(err, "reading how the partitions are named");
	bool like = !told && rows.count == count;
	const char *params[] = {default_format(table), targets};
	if (!like &&
	    !pgm_conn_query(conn, arena,
			    "SELECT '', '_p' || pg_catalog.to_char(t.at, $1) FROM "
			    "pg_catalog.unnest($2::timestamp[]) WITH ORDINALITY AS t(at, n) ORDER BY t.n",
			    2, params, &rows, err))
		return false;
	for (size_t i = 0; i < count; i++)
		ranges[i].name = join_name(arena, like ? pgm_rows_text(&rows, i, 0) : table->name,
					   pgm_rows_text(&rows, i, 1));
	return true;
}

/* "log_p100" for 100, or "log_7" for 700 where a partition is 100 long, perhaps with leading zeros. */
static bool number_in_name(struct pgm_arena *arena, const struct pgm_upkeep_part *part, int64_t number,
			   const char **prefix, int *width)
{
	const char *end = part->name + strlen(part->name);
	const char *digits = end;
	while (digits > part->name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (digits == end || end - digits > 18 || strtoll(digits, NULL, 10) != number)
		return false;
	*prefix = pgm_strndup(arena, part->name, (size_t)(digits - part->name));
	*width = *digits == '0' && end - digits > 1 ? (int)(end - digits) : 1;
	return true;
}

static void integer_names(struct pgm_arena *arena, struct pgm_upkeep_table *table,
			  struct pgm_upkeep_range *ranges, size_t count)
{
	const struct pgm_upkeep_part *sibling = NULL;
	const char *prefix = pgm_sprintf(arena, "%s_p", table->name);
	int width = 1;
	int64_t divisor = 1, shift = 0;
	for (size_t i = table->part_count; i-- > 0 && !sibling;)
		if (table->parts[i].low && table->parts[i].high && table->parts[i].low_pos >= 0)
			sibling = &table->parts[i];
	if (sibling && !number_in_name(arena, sibling, sibling->low_pos, &prefix, &width)) {
		int64_t ordinal = sibling->low_pos / table->step;
		for (shift = 0; shift < 2; shift++)
			if (number_in_name(arena, sibling, ordinal + shift, &prefix, &width))
				break;
		if (shift < 2)
			divisor = table->step;
		else
			shift = 0;
	}
	for (size_t i = 0; i < count; i++) {
		long long low = strtoll(ranges[i].low, NULL, 10);
		ranges[i].name =
			join_name(arena, prefix,
				  low < 0 ? pgm_sprintf(arena, "m%lld", -low)
					  : pgm_sprintf(arena, "%0*lld", width,
							low / (long long)divisor + (long long)shift));
	}
}

/* The name must be free, here and among the new ones. */
static bool check_names(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_upkeep_table *table,
			const struct pgm_upkeep_range *ranges, size_t count, struct pgm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		char *taken;
		const char *params[] = {table->schema, ranges[i].name};
		if (!pgm_conn_value(
			    conn, arena,
			    "SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON "
			    "n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
			    2, params, &taken, err))
			return false;
		bool twice = i && strcmp(ranges[i - 1].name, ranges[i].name) == 0;
		if (!taken && !twice)
			continue;
		pgm_error_set(err, PGM_ERR_STATE, "the partition for %s to %s would be called %s, and %s",
			      ranges[i].low, ranges[i].high,
			      pgm_quote_qualified(arena, table->schema, ranges[i].name),
			      twice ? "so would the one before it" : "there is something of that name");
		return pgm_error_hint(err, "Rename it, drop it, or attach it if it is that partition.");
	}
	return true;
}

bool pgm_upkeep_names(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_upkeep_table *table,
		      struct pgm_upkeep_range *ranges, size_t count, struct pgm_error *err)
{
	if (table->class == PGM_UPKEEP_INTEGER)
		integer_names(arena, table, ranges, count);
	else if (!time_names(conn, arena, table, ranges, count, err))
		return false;
	return check_names(conn, arena, table, ranges, count, err);
}
