#include "sql/fingerprint.h"

#include <pg_query.h>

static bool fail(const PgQueryError *error, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "%s", error->message);
}

bool pgm_sql_fingerprint(struct pgm_arena *arena, const char *sql, char **fingerprint, struct pgm_error *err)
{
	PgQueryFingerprintResult result = pg_query_fingerprint(sql);
	bool ok = !result.error;
	if (ok)
		*fingerprint = pgm_strdup(arena, result.fingerprint_str);
	else
		fail(result.error, err);
	pg_query_free_fingerprint_result(result);
	return ok;
}

bool pgm_sql_normalize(struct pgm_arena *arena, const char *sql, char **normalized, struct pgm_error *err)
{
	PgQueryNormalizeResult result = pg_query_normalize(sql);
	bool ok = !result.error;
	if (ok)
		*normalized = pgm_strdup(arena, result.normalized_query);
	else
		fail(result.error, err);
	pg_query_free_normalize_result(result);
	return ok;
}
