/*
 * What archiving a table and loading it again share. Inside change/ only.
 */
#ifndef PGM_CHANGE_COPYING_H
#define PGM_CHANGE_COPYING_H

#include "change/archive.h"
#include "change/run.h"

/* So that the same rows always give the same bytes, and none is hidden. Inside a transaction. */
#define PGM_COPY_SETTINGS                                                                                    \
	"SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; " \
	"SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = "    \
	"hex; "                                                                                              \
	"SET LOCAL lc_monetary = 'C'; SET LOCAL row_security = off; SET LOCAL synchronize_seqscans = off"

/* The columns that COPY takes (not those that are generated), in their order; and their names, quoted. */
bool pgm_copy_columns(struct pgm_run *run, const char *oid, struct pgm_archive_column **columns,
		      size_t *count, const char **list, struct pgm_error *err) PGM_MUST_CHECK;

/* How far a long COPY is: tells it now and then, and ends it when the run's time is up. */
struct pgm_copy_progress {
	struct pgm_run *run;
	const char *what;
	double last_ms;
	int64_t bytes;
};
bool pgm_copy_went_on(struct pgm_copy_progress *progress, size_t bytes, struct pgm_error *err) PGM_MUST_CHECK;

/*
 * Archive the table into path, read back and synced; *sum is what it holds. In a transaction that keeps
 * writers away, after PGM_COPY_SETTINGS.
 */
bool pgm_copy_archive(struct pgm_run *run, const char *oid, const char *quoted, bool partitioned,
		      const char *path, struct pgm_archive_info *info, struct pgm_error *err) PGM_MUST_CHECK;

#endif
