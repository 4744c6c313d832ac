/*
 * The settings of [pgbouncer] as one table, in the order of SHOW CONFIG (by name). Parsing, defaults, SHOW
 * CONFIG, SET, --show-config and docs/pool-config.md are made of it or checked against it.
 *
 * To add one: a field in struct pgm_pool_config, a row in settings_table.c, a row in docs/pool-config.md.
 */
#ifndef PGM_POOL_SETTINGS_H
#define PGM_POOL_SETTINGS_H

#include "pool/config/config.h"

enum pgm_setting_type {
	PGM_SETTING_BOOL,    /* bool; 0 or 1 */
	PGM_SETTING_INT,     /* int64_t from min to max; 0x and leading 0 count, as in C */
	PGM_SETTING_SECONDS, /* int64_t of milliseconds, written as seconds: 1.5 */
	PGM_SETTING_ENUM,    /* int, one of names */
	PGM_SETTING_TEXT,    /* const char *; NULL where empty and without a default */
	PGM_SETTING_BYTES,   /* int64_t from min to max, written as a size: 500MB */
};

enum pgm_setting_flags {
	PGM_SETTING_FIXED = 1 << 0, /* needs a restart: no SET */
	PGM_SETTING_INERT = 1 << 1, /* PgBouncer acts on it, we do not: a warning where it is set */
	PGM_SETTING_OURS = 1 << 2,  /* PgBouncer does not know it */
	PGM_SETTING_FILE = 1 << 3,  /* TEXT that names a file which must be readable */
	PGM_SETTING_WHOLE = 1 << 4, /* SECONDS without a fraction */
};

struct pgm_setting {
	const char *name;
	enum pgm_setting_type type;
	unsigned flags;
	size_t offset;		  /* in its struct */
	const char *standard;	  /* the default as written; NULL: none */
	int64_t min, max;	  /* of INT */
	const char *const *names; /* of ENUM, by value; NULL in between: no such value; ends with "" */
	const char *help;	  /* one line, no full stop */
};

extern const struct pgm_setting pgm_settings[];
extern const size_t pgm_setting_count;

const struct pgm_setting *pgm_setting_find(const char *name); /* job_name for service_name; or NULL */
const char *pgm_setting_nearest(const char *typed);	      /* or NULL */
const struct pgm_setting *pgm_setting_named(const char *key,
					    struct pgm_error *err); /* the same, or an error */

/* Set it; texts are copied into the configuration's arena. False with message and hint in err. */
bool pgm_setting_parse(const struct pgm_setting *setting, struct pgm_pool_config *config, const char *value,
		       struct pgm_error *err) PGM_MUST_CHECK;

/* The same for any table, as of [serve]: base is what offset counts from, texts are copied into arena. */
const struct pgm_setting *pgm_setting_find_in(const struct pgm_setting *rows, size_t count, const char *name);
const char *pgm_setting_nearest_in(const struct pgm_setting *rows, size_t count, const char *typed);
void pgm_setting_defaults(const struct pgm_setting *rows, size_t count, void *base, struct pgm_arena *arena);
bool pgm_setting_parse_into(const struct pgm_setting *setting, void *base, struct pgm_arena *arena,
			    const char *value, struct pgm_error *err) PGM_MUST_CHECK;
const char *pgm_setting_show_of(const struct pgm_setting *setting, const void *base, struct pgm_arena *arena);

/* As it would be written; NULL where it has no value. */
const char *pgm_setting_show(const struct pgm_setting *setting, const struct pgm_pool_config *config,
			     struct pgm_arena *arena);

/* Values of enumerations, for [databases], [users] and connection strings; -1: none of them. */
int pgm_pool_mode_parse(const char *text);
int pgm_sslmode_parse(const char *text);

/* Numbers as settings are written. */
bool pgm_setting_int(const char *value, int64_t min, int64_t max, int64_t *number,
		     struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_setting_seconds(const char *value, int64_t *ms, struct pgm_error *err) PGM_MUST_CHECK;

#endif
