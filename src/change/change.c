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
	[PGM_CHANGE_SWAP] = "swap",
};

static const char *const severity_names[] = {
	[PGM_SEVERITY_INFO] = "info",
	[PGM_SEVERITY_WARNING] = "warning",
	[PGM_SEVERITY_CRITICAL] = "critical",
};

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
