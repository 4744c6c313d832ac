#include "change/plan_file.h"

#include <ctype.h>
#include <string.h>

enum pgm_plan_marker pgm_plan_marker_of(const char *line, size_t length, const char **rest)
{
	static const struct {
		const char *word;
		enum pgm_plan_marker marker;
	} words[] = {{"migrate:up", PGM_MARK_UP},
		     {"migrate:down", PGM_MARK_DOWN},
		     {"pgmend:plan", PGM_MARK_PLAN},
		     {"pgmend:change", PGM_MARK_CHANGE},
		     {"pgmend:statement", PGM_MARK_STATEMENT},
		     {"pgmend:undo", PGM_MARK_UNDO}};
	const char *end = line + length;
	const char *p = line + 2;
	if (length < 2 || line[0] != '-' || line[1] != '-')
		return PGM_MARK_NONE;
	while (p < end && isspace((unsigned char)*p))
		p++;
	size_t left = (size_t)(end - p);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i].word);
		if (left < n || memcmp(p, words[i].word, n) != 0 ||
		    (left > n && !isspace((unsigned char)p[n])))
			continue;
		*rest = p + n;
		return words[i].marker;
	}
	*rest = p;
	bool ours =
		(left >= 7 && memcmp(p, "pgmend:", 7) == 0) || (left >= 8 && memcmp(p, "migrate:", 8) == 0);
	return ours ? PGM_MARK_UNKNOWN : PGM_MARK_NONE;
}

const char *pgm_plan_join(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	for (size_t i = 0; i < count; i++)
		pgm_buf_printf(&out, "%s;\n", sqls[i].text);
	return out.text;
}

/* One CREATE INDEX, perhaps with ANALYZE; or ON ONLY first, then the children and ATTACH. */
static bool creates_one_index(const struct pgm_plan_sql *sqls, size_t count)
{
	if (sqls[0].ddl.kind != PGM_DDL_CREATE_INDEX)
		return false;
	for (size_t i = 1; i < count; i++) {
		enum pgm_ddl_kind kind = sqls[i].ddl.kind;
		bool part =
			sqls[0].ddl.only && (kind == PGM_DDL_CREATE_INDEX || kind == PGM_DDL_ATTACH_INDEX);
		if (!part && kind != PGM_DDL_ANALYZE)
			return false;
	}
	return true;
}

static bool drops_one_index(const struct pgm_plan_sql *sqls, size_t count)
{
	return count == 1 && sqls[0].ddl.kind == PGM_DDL_DROP_INDEX && sqls[0].ddl.objects == 1;
}

static bool all_transactional(const struct pgm_plan_sql *sqls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!sqls[i].ddl.transactional)
			return false;
	return true;
}

bool pgm_plan_is_one_change(const struct pgm_plan_sql *sqls, size_t count)
{
	return count == 1 || creates_one_index(sqls, count) || all_transactional(sqls, count);
}

static const char *lock_of(const struct pgm_plan_sql *sqls, size_t count)
{
	const struct pgm_ddl *first = &sqls[0].ddl;
	if (first->kind == PGM_DDL_CREATE_INDEX)
		return first->concurrently ? "SHARE UPDATE EXCLUSIVE" : "SHARE";
	if (first->kind == PGM_DDL_DROP_INDEX)
		return first->concurrently ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE";
	if (first->kind == PGM_DDL_REINDEX_INDEX && first->concurrently)
		return "SHARE UPDATE EXCLUSIVE";
	bool light = true;
	for (size_t i = 0; i < count; i++)
		light &= sqls[i].ddl.kind == PGM_DDL_ANALYZE;
	return light ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE";
}

static const char *first_words(struct pgm_arena *arena, const char *sql)
{
	size_t length = strcspn(sql, "\r\n");
	bool cut = sql[length] != '\0' || length > 60;
	if (length > 60)
		for (length = 60; length && ((unsigned char)sql[length] & 0xC0) == 0x80;)
			length--;
	return pgm_sprintf(arena, "%.*s%s", (int)length, sql, cut ? "..." : "");
}

void pgm_plan_describe(struct pgm_arena *arena, const struct pgm_plan_sql *sqls, size_t count,
		       struct pgm_change *change)
{
	const struct pgm_ddl *first = &sqls[0].ddl;
	bool creates = creates_one_index(sqls, count);
	bool drops = !creates && drops_one_index(sqls, count);
	bool rebuilds = count == 1 && first->kind == PGM_DDL_REINDEX_INDEX && first->concurrently;
	*change = (struct pgm_change){
		.kind = creates	   ? PGM_CHANGE_CREATE_INDEX
			: drops	   ? PGM_CHANGE_DROP_INDEX
			: rebuilds ? PGM_CHANGE_REINDEX
				   : PGM_CHANGE_SQL,
		.schema = drops || rebuilds ? first->index_schema : first->schema,
		.relation = first->relation,
		.index = creates || drops || rebuilds ? first->index : NULL,
		.sql_up = pgm_plan_join(arena, sqls, count),
		.sql_down = "",
		.transactional = all_transactional(sqls, count),
		.lock = lock_of(sqls, count),
		.size_bytes = -1,
		.build_ms = -1,
		.write_overhead = -1,
	};
	if (creates)
		change->title = pgm_sprintf(arena, "create index %s on %s", first->index, first->relation);
	else if (drops)
		change->title = pgm_sprintf(arena, "drop index %s", first->index);
	else if (rebuilds)
		change->title = pgm_sprintf(arena, "rebuild index %s", first->index);
	else
		change->title = first_words(arena, sqls[0].text);
}
