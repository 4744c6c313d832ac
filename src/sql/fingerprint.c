#include "sql/fingerprint.h"

#include "sql/lex.h"
#include "util/hash.h"

#include <ctype.h>
#include <pg_query.h>
#include <string.h>

static bool fail(const PgQueryError *error, struct pgm_error *err)
{
	return pgm_error_set(err, PGM_ERR_INPUT, "%s", error->message);
}

/*
 * libpg_query takes names of tables that differ in digits alone (log_2023, log_2024) for one. To us they are
 * tables of their own, so names with digits become part of the fingerprint; false: there is none.
 */
static bool hash_numbered_names(const char *sql, uint64_t *hash)
{
	struct pgm_lex lex;
	struct pgm_token token;
	bool any = false;
	pgm_lex_init(&lex, sql, strlen(sql));
	while ((token = pgm_lex_next(&lex)).kind != PGM_TOKEN_END) {
		bool word = token.kind == PGM_TOKEN_WORD && !isdigit((unsigned char)*token.text);
		bool digits = false;
		if (!word && token.kind != PGM_TOKEN_IDENT)
			continue;
		for (size_t i = 0; i < token.length; i++)
			digits |= isdigit((unsigned char)token.text[i]) != 0;
		if (!digits)
			continue;
		for (size_t i = 0; i < token.length; i++) {
			unsigned char c = (unsigned char)token.text[i];
			if (word)
				c = (unsigned char)tolower(c);
			*hash = pgm_hash_bytes(*hash, &c, 1);
		}
		*hash = pgm_hash_bytes(*hash, " ", 1);
		any = true;
	}
	return any;
}

bool pgm_sql_fingerprint(struct pgm_arena *arena, const char *sql, char **fingerprint, struct pgm_error *err)
{
	PgQueryFingerprintResult result = pg_query_fingerprint(sql);
	bool ok = !result.error;
	if (ok)
		*fingerprint = pgm_strdup(arena, result.fingerprint_str);
	uint64_t hash = ok ? result.fingerprint : 0;
	if (ok && hash_numbered_names(sql, &hash))
		*fingerprint = pgm_sprintf(arena, "%016llx", (unsigned long long)hash);
	if (!ok)
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
