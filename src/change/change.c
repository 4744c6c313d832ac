#include "change/change.h"

#include "change/finding.h"

#include <string.h>

static const char *const kind_names[] = {
	[PGM_CHANGE_CREATE_INDEX] = "create_index",
	[PGM_CHANGE_DROP_INDEX] = "drop_index",
	[PGM_CHANGE_SQL] = "sql",
	[PGM_CHANGE_BATCHES] = "batches",
	[PGM_CHANGE_DETACH] = "detach",
	[PGM_CHANGE_DROP_TABLE] = "drop_table",
	[PGM_CHANGE_LOAD] = "load",
	[PGM_CHANGE_REINDEX] = "reindex",
	[PGM_CHANGE_SWAP] = "swap",
};

static const char *const severity_names[] = {
	[PGM_SEVERITY_INFO] = "info",
	[PGM_SEVERITY_WARNING] = "warning",
	[PGM_SEVERITY_CRITICAL] = "critical",
};

struct pgm_change *pgm_change_add(struct pgm_arena *arena, pgm_changes *list, const char *schema,
				  const char *relation, const char *title, const char *lock)
{
	struct pgm_change *change = pgm_vec_add(arena, list);
	*change = (struct pgm_change){
		.kind = PGM_CHANGE_SQL,
		.step = (int)list->count,
		.title = title,
		.schema = schema,
		.relation = relation,
		.sql_up = "",
		.sql_down = "",
		.transactional = true,
		.lock = lock,
		.size_bytes = -1,
		.build_ms = -1,
		.write_overhead = -1,
	};
	return change;
}

void pgm_change_evidence(struct pgm_arena *arena, struct pgm_change *change, const char *line)
{
	const char **lines = PGM_NEW_ARRAY(arena, const char *, change->evidence_count + 1);
	if (change->evidence_count)
		memcpy(lines, change->evidence, change->evidence_count * sizeof(*lines));
	lines[change->evidence_count++] = line;
	change->evidence = lines;
}

const char *pgm_change_kind_name(enum pgm_change_kind kind)
{
	return kind_names[kind];
}

bool pgm_change_kind_parse(const char *name, enum pgm_change_kind *kind)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++)
		if (strcmp(kind_names[i], name) == 0)
			return *kind = (enum pgm_change_kind)i, true;
	return false;
}

const char *pgm_severity_name(enum pgm_severity severity)
{
	return severity_names[severity];
}

bool pgm_severity_parse(const char *name, enum pgm_severity *severity)
{
	for (size_t i = 0; i < sizeof(severity_names) / sizeof(*severity_names); i++)
		if (strcmp(severity_names[i], name) == 0)
			return *severity = (enum pgm_severity)i, true;
	return false;
}
