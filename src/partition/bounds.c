#include "partition/bounds.h"

#include "pg/quote.h"
#include "util/embedded.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *type;
	enum pgm_key_kind kind;
} key_types[] = {
	{"timestamp with time zone", PGM_KEY_TIMESTAMPTZ},
	{"timestamp without time zone", PGM_KEY_TIMESTAMP},
	{"date", PGM_KEY_DATE},
	{"smallint", PGM_KEY_INTEGER},
	{"integer", PGM_KEY_INTEGER},
	{"bigint", PGM_KEY_INTEGER},
};

static const char *const units[] = {"day", "week", "month", "quarter", "year"};

/* "timestamp(3) with time zone" is the type without its precision. */
static const char *without_modifier(struct pgm_arena *arena, const char *type)
{
	const char *open = strchr(type, '(');
	const char *shut = open ? strchr(open, ')') : NULL;
	if (!shut)
		return type;
	return pgm_sprintf(arena, "%.*s%s", (int)(open - type), type, shut + 1);
}

static bool parse_step(const char *text, const char *type, int64_t *step, struct pgm_error *err)
{
	char *end;
	errno = 0;
	long long number = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : 0;
	if (number > 0 && !*end && !errno)
		return *step = number, true;
	pgm_error_set(err, PGM_ERR_USAGE, "--interval: \"%s\" is no number of keys, and the key is %s", text,
		      type);
	return pgm_error_hint(err, "Say how many keys a partition holds, as --interval 1000000.");
}

bool pgm_interval_parse(struct pgm_arena *arena, const char *text, const char *type, const char *timezone,
			struct pgm_interval *interval, struct pgm_error *err)
{
	const char *base = without_modifier(arena, type);
	*interval = (struct pgm_interval){.step = 1, .timezone = timezone, .unit = "integer"};
	size_t i = 0, count = sizeof(key_types) / sizeof(*key_types);
	while (i < count && strcmp(key_types[i].type, base) != 0)
		i++;
	if (i == count) {
		pgm_error_set(err, PGM_ERR_STATE, "a key of type %s cannot be cut into ranges", type);
		return pgm_error_hint(err, "It may be timestamp with or without time zone, date, smallint, "
					   "integer or bigint.");
	}
	interval->kind = key_types[i].kind;
	interval->type = key_types[i].type;
	if (interval->kind == PGM_KEY_INTEGER)
		return parse_step(text, type, &interval->step, err);
	for (size_t u = 0; u < sizeof(units) / sizeof(*units); u++)
		if (strcmp(units[u], text) == 0)
			return interval->unit = units[u], true;
	pgm_error_set(err, PGM_ERR_USAGE, "--interval: there is no interval \"%s\"", text);
	return pgm_error_hint(err, "It is day, week, month, quarter or year.");
}

/* want: "cut", "floor", "ranges". */
static bool ask(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		const char *want, const char *value, const char *until, size_t count, const char *newest,
		struct pgm_rows *rows, struct pgm_error *err)
{
	const char *limit = pgm_sprintf(arena, "%zu", count);
	const char *step = pgm_sprintf(arena, "%lld", (long long)interval->step);
	const char *times[] = {interval->type, interval->timezone, interval->unit, want, value, until, limit,
			       newest};
	const char *integers[] = {interval->type, step, want, value, until, limit, newest};
	bool integer = interval->kind == PGM_KEY_INTEGER;
	const char *sql = pgm_embedded_text(integer ? "partition/sql/bounds_integer.sql"
						    : "partition/sql/bounds_time.sql");
	char *zone;
	/* Values without a zone are read in the session's. */
	if (!pgm_conn_value(conn, arena, "SELECT pg_catalog.current_setting('TimeZone')", 0, NULL, &zone,
			    err))
		return false;
	struct pgm_rows ignored;
	if (!pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('TimeZone', $1, false)", 1,
			    &interval->timezone, &ignored, err)) {
		if (err)
			err->kind = PGM_ERR_USAGE;
		return pgm_error_context(err, "--timezone");
	}
	bool ok = pgm_conn_query(conn, arena, sql, integer ? 7 : 8, integer ? integers : times, rows, err);
	struct pgm_error second;
	const char *old = zone;
	if (!pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('TimeZone', $1, false)", 1, &old,
			    &ignored, ok ? err : &second))
		return false;
	return ok || pgm_error_context(err, "computing bounds");
}

bool pgm_bounds_cut(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		    const char *asked, const char *newest, const char **cut, bool *near,
		    struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!ask(conn, arena, interval, "cut", asked, NULL, 1, newest, &rows, err)) {
		if (asked && err && err->kind == PGM_ERR_QUERY)
			err->kind = PGM_ERR_USAGE;
		return asked ? pgm_error_context(err, "--cut") : false;
	}
	if (rows.count == 0)
		return pgm_error_set(err, PGM_ERR_STATE,
				     "there is no room above the greatest key: the type %s ends",
				     interval->type);
	*cut = pgm_rows_text(&rows, 0, 0);
	*near = pgm_rows_bool(&rows, 0, 3);
	return true;
}

bool pgm_bounds_floor(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		      const char *value, const char **bound, struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!ask(conn, arena, interval, "floor", value, NULL, 1, NULL, &rows, err))
		return false;
	*bound = pgm_rows_text(&rows, 0, 0);
	return true;
}

bool pgm_bounds_ranges(struct pgm_conn *conn, struct pgm_arena *arena, const struct pgm_interval *interval,
		       const char *from, const char *until, size_t count, struct pgm_range **ranges,
		       size_t *range_count, struct pgm_error *err)
{
	struct pgm_rows rows;
	size_t limit = until ? PGM_RANGES_MAX : count + 1;
	*range_count = 0;
	if (!ask(conn, arena, interval, "ranges", from, until, limit, NULL, &rows, err))
		return false;
	if (until && rows.count > PGM_RANGES_MAX) {
		pgm_error_set(err, PGM_ERR_USAGE, "more than %d partitions from %s to %s", PGM_RANGES_MAX,
			      from, until);
		return pgm_error_hint(err, "Take a longer --interval.");
	}
	*ranges = PGM_NEW_ARRAY(arena, struct pgm_range, rows.count + 1);
	for (size_t i = 0; i + 1 < rows.count; i++)
		(*ranges)[(*range_count)++] = (struct pgm_range){
			.from = pgm_rows_text(&rows, i, 0),
			.to = pgm_rows_text(&rows, i + 1, 0),
			.local = pgm_rows_text(&rows, i, 1),
			.suffix = pgm_rows_text(&rows, i, 2),
		};
	return true;
}

char *pgm_bounds_name(struct pgm_arena *arena, const char *table, const char *suffix)
{
	size_t room = PGM_NAME_MAX - strlen(suffix) - 1;
	return pgm_sprintf(arena, "%s_%s", pgm_quote_truncate(arena, table, room), suffix);
}

char *pgm_bounds_for_values(struct pgm_arena *arena, const struct pgm_range *range)
{
	const char *from = range->from ? pgm_quote_literal(arena, range->from) : "MINVALUE";
	const char *to = range->to ? pgm_quote_literal(arena, range->to) : "MAXVALUE";
	return pgm_sprintf(arena, "FOR VALUES FROM (%s) TO (%s)", from, to);
}

bool pgm_bounds_keep(struct pgm_range *ranges, size_t *count, int64_t keep)
{
	if (keep < 1 || *count <= (size_t)keep + 1)
		return false;
	size_t older = *count - (size_t)keep;
	ranges[0].to = ranges[older - 1].to;
	ranges[0].suffix = "old";
	memmove(&ranges[1], &ranges[older], (size_t)keep * sizeof(*ranges));
	*count = (size_t)keep + 1;
	return true;
}
