/*
 * HypoPG: hypothetical indexes live in our session's memory alone. Where the extension is installed we use
 * it; where it is only available we create it in a transaction that is rolled back, so that the database
 * stays as it was.
 */
#include "advise/whatif.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

#define PLANNING_TIMEOUT_MS 10000

/* After each look: whoever waits for a lock of ours would make all others wait behind. */
static const char release_sql[] = "ROLLBACK TO SAVEPOINT pgmend";

struct hypothetical {
	const struct pgm_candidate *candidate;
	unsigned oid;
};

struct hypopg {
	struct pgm_arena *arena;
	struct pgm_arena *scratch; /* of one call */
	struct pgm_conn *conn;
	const char *schema; /* quoted */
	PGM_VEC(struct hypothetical) present;
	struct pgm_whatif whatif;
};

static bool available(struct pgm_conn *conn, struct pgm_arena *arena, char **installed_in, char **version,
		      struct pgm_error *err)
{
	struct pgm_rows rows;
	if (!pgm_conn_query(
		    conn, arena,
		    "SELECT COALESCE(e.extversion, a.default_version), n.nspname "
		    "FROM pg_catalog.pg_available_extensions a "
		    "LEFT JOIN pg_catalog.pg_extension e ON e.extname = a.name "
		    "LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE a.name = 'hypopg'",
		    0, NULL, &rows, err))
		return false;
	if (rows.count == 0) {
		pgm_error_set(err, PGM_ERR_STATE,
			      "the server has no HypoPG, which asks its planner what an index would do");
		return pgm_error_hint(
			err,
			"Install it on the server (Debian: apt-get install postgresql-%d-hypopg); no "
			"restart is needed.",
			pgm_conn_version(conn) / 10000);
	}
	*version = pgm_rows_get(&rows, 0, 0);
	*installed_in = pgm_rows_get(&rows, 0, 1);
	return true;
}

static bool create_for_now(struct pgm_conn *conn, struct pgm_error *err)
{
	if (pgm_conn_is_standby(conn)) {
		pgm_error_set(err, PGM_ERR_RIGHTS,
			      "HypoPG is not installed, and a standby takes no CREATE EXTENSION");
		return pgm_error_hint(err, "Run CREATE EXTENSION hypopg on the primary, or advise there.");
	}
	if (pgm_conn_exec(conn,
			  PGM_CONN_MARKER
			  "BEGIN READ WRITE; CREATE SCHEMA pgmend_whatif; CREATE EXTENSION hypopg SCHEMA "
			  "pgmend_whatif",
			  err))
		return true;
	pgm_conn_exec_quietly(conn, "ROLLBACK");
	if (err && err->kind == PGM_ERR_RIGHTS)
		return pgm_error_hint(
			err, "Let a superuser run CREATE EXTENSION hypopg; in the database: advise then "
			     "needs no more than SELECT.");
	return pgm_error_context(err, "creating HypoPG in a transaction");
}

static bool plan(void *self, const char *sql, struct pgm_candidate *const *set, size_t count,
		 struct pgm_whatif_result *result, struct pgm_error *err);
static bool plan_generic(void *self, const char *text, size_t param_count, struct pgm_candidate *const *set,
			 size_t count, struct pgm_whatif_result *result, struct pgm_error *err);
static bool accept(void *self, const struct pgm_candidate *candidate, double *size_bytes,
		   struct pgm_error *err);

static void close_hypopg(void *self)
{
	struct hypopg *hypopg = self;
	struct pgm_error ignored;
	struct pgm_rows rows;
	if (pgm_conn_alive(hypopg->conn)) {
		char *reset = pgm_sprintf(hypopg->arena, "SELECT %s.hypopg_reset()", hypopg->schema);
		if (!pgm_conn_query(hypopg->conn, hypopg->arena, reset, 0, NULL, &rows, &ignored))
			rows.count = 0;
		pgm_conn_exec_quietly(hypopg->conn, PGM_CONN_MARKER "ROLLBACK");
	}
	pgm_arena_free(hypopg->scratch);
}

static const struct pgm_whatif_ops hypopg_ops = {accept, plan, plan_generic, close_hypopg};

/* The statements see the names that the application's own search_path gives them. */
static bool prepare_session(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_error *err)
{
	/* What we ask need not show up in the statistics; only a superuser may say so. */
	if (!pgm_conn_exec(conn, PGM_CONN_MARKER "SAVEPOINT pgmend", err))
		return false;
	pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "SET LOCAL pg_stat_statements.track = 'none'");
	if (pgm_conn_in_failed_transaction(conn))
		pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend");
	struct pgm_rows rows;
	const char *path = pgm_conn_search_path(conn);
	return pgm_conn_query(conn, arena, "SELECT pg_catalog.set_config('search_path', $1, true)", 1, &path,
			      &rows, err) &&
	       pgm_conn_exec(conn,
			     pgm_sprintf(arena,
					 PGM_CONN_MARKER "SET LOCAL statement_timeout = %d; SAVEPOINT pgmend",
					 PLANNING_TIMEOUT_MS),
			     err);
}

struct pgm_whatif *pgm_whatif_hypopg_open(struct pgm_arena *arena, struct pgm_conn *conn,
					  struct pgm_error *err)
{
	char *schema = NULL, *version = NULL;
	if (!available(conn, arena, &schema, &version, err))
		return NULL;
	bool installed = schema != NULL;
	if (installed ? !pgm_conn_exec(conn, PGM_CONN_MARKER "BEGIN", err) : !create_for_now(conn, err))
		return NULL;
	if (!prepare_session(conn, arena, err)) {
		pgm_conn_exec_quietly(conn, PGM_CONN_MARKER "ROLLBACK");
		return NULL;
	}
	struct hypopg *hypopg = PGM_NEW(arena, struct hypopg);
	hypopg->arena = arena;
	hypopg->scratch = pgm_arena_new(0);
	hypopg->conn = conn;
	hypopg->schema = installed ? pgm_quote_ident(arena, schema) : "pgmend_whatif";
	hypopg->whatif.ops = &hypopg_ops;
	hypopg->whatif.self = hypopg;
	hypopg->whatif.name = pgm_sprintf(arena, "HypoPG %s%s", version,
					  installed ? "" : ", created in a transaction that is rolled back");
	return &hypopg->whatif;
}

void pgm_whatif_close(struct pgm_whatif *whatif)
{
	if (whatif)
		whatif->ops->close(whatif->self);
}

static void recover(struct hypopg *hypopg)
{
	pgm_conn_exec_quietly(hypopg->conn, PGM_CONN_MARKER "ROLLBACK TO SAVEPOINT pgmend");
}

static const char *create_call(struct hypopg *hypopg, const struct pgm_candidate *candidate)
{
	struct pgm_arena *scratch = hypopg->scratch;
	char *ddl = pgm_index_def_create(scratch, &candidate->def, NULL, false);
	return pgm_sprintf(scratch, "SELECT indexrelid FROM %s.hypopg_create_index(%s)", hypopg->schema,
			   pgm_quote_literal(scratch, ddl));
}

static bool accept(void *self, const struct pgm_candidate *candidate, double *size_bytes,
		   struct pgm_error *err)
{
	struct hypopg *hypopg = self;
	pgm_arena_reset(hypopg->scratch);
	char *sql = pgm_sprintf(
		hypopg->scratch,
		"SELECT indexrelid, %s.hypopg_relation_size(indexrelid) FROM %s.hypopg_create_index(%s)",
		hypopg->schema, hypopg->schema,
		pgm_quote_literal(hypopg->scratch,
				  pgm_index_def_create(hypopg->scratch, &candidate->def, NULL, false)));
	const char *sqls[] = {sql, release_sql};
	struct pgm_rows rows[2];
	if (!pgm_conn_pipeline(hypopg->conn, hypopg->scratch, 2, sqls, rows, NULL, err)) {
		recover(hypopg);
		return false;
	}
	if (rows[0].count == 0)
		return pgm_error_set(err, PGM_ERR_STATE, "HypoPG made no index");
	*size_bytes = pgm_rows_double(&rows[0], 0, 1);
	*pgm_vec_add(hypopg->arena, &hypopg->present) =
		(struct hypothetical){candidate, (unsigned)pgm_rows_int(&rows[0], 0, 0)};
	return true;
}

static bool wanted(const struct pgm_candidate *candidate, struct pgm_candidate *const *set, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (set[i] == candidate)
			return true;
	return false;
}

static bool is_present(const struct hypopg *hypopg, const struct pgm_candidate *candidate)
{
	for (size_t i = 0; i < hypopg->present.count; i++)
		if (hypopg->present.items[i].candidate == candidate)
			return true;
	return false;
}

/* One round trip: drop what is too much, create what lacks, and the statement itself. */
static bool run(struct hypopg *hypopg, const char *statement, struct pgm_candidate *const *set, size_t count,
		struct pgm_rows *answer, struct pgm_error *err)
{
	struct pgm_arena *scratch = hypopg->scratch;
	PGM_VEC(const char *) sqls = {0};
	PGM_VEC(const struct pgm_candidate *) created = {0};
	size_t kept = 0;
	for (size_t i = 0; i < hypopg->present.count; i++) {
		struct hypothetical *have = &hypopg->present.items[i];
		if (wanted(have->candidate, set, count))
			hypopg->present.items[kept++] = *have;
		else
			*pgm_vec_add(scratch, &sqls) = pgm_sprintf(scratch, "SELECT %s.hypopg_drop_index(%u)",
								   hypopg->schema, have->oid);
	}
	hypopg->present.count = kept;
	size_t drops = sqls.count;
	for (size_t i = 0; i < count; i++) {
		if (is_present(hypopg, set[i]))
			continue;
		*pgm_vec_add(scratch, &created) = set[i];
		*pgm_vec_add(scratch, &sqls) = create_call(hypopg, set[i]);
	}
	*pgm_vec_add(scratch, &sqls) = statement;
	*pgm_vec_add(scratch, &sqls) = release_sql;
	struct pgm_rows *rows = PGM_NEW_ARRAY(scratch, struct pgm_rows, sqls.count);
	size_t failed = 0;
	bool ok = pgm_conn_pipeline(hypopg->conn, scratch, sqls.count, sqls.items, rows, &failed, err);
	/* What was created before a failure is there: hypothetical indexes know no transaction. */
	size_t done = ok ? sqls.count : failed;
	for (size_t i = drops; i < done && i < drops + created.count; i++)
		if (rows[i].count)
			*pgm_vec_add(hypopg->arena, &hypopg->present) = (struct hypothetical){
				created.items[i - drops], (unsigned)pgm_rows_int(&rows[i], 0, 0)};
	hypopg->whatif.explain_count++;
	if (!ok) {
		recover(hypopg);
		return false;
	}
	*answer = rows[sqls.count - 2];
	return true;
}

struct naming {
	struct hypopg *hypopg;
	struct pgm_whatif_result *result;
};

/* HypoPG calls its indexes "<13543>btree_t_a". */
static void note_index(const struct pgm_explain_node *node, void *arg)
{
	struct naming *naming = arg;
	struct pgm_whatif_result *result = naming->result;
	if (!node->index || node->index[0] != '<')
		return;
	unsigned oid = (unsigned)strtoul(node->index + 1, NULL, 10);
	for (size_t i = 0; i < naming->hypopg->present.count; i++) {
		const struct hypothetical *have = &naming->hypopg->present.items[i];
		if (have->oid != oid)
			continue;
		((struct pgm_explain_node *)node)->index =
			have->candidate->name ? have->candidate->name : have->candidate->body;
		for (size_t u = 0; u < result->used_count; u++)
			if (result->used[u] == have->candidate->id)
				return;
		if (result->used_count < PGM_WHATIF_USED_MAX)
			result->used[result->used_count++] = have->candidate->id;
	}
}

/* HypoPG cuts names after so many bytes, also in the middle of a character, which JSON does not bear. */
static void mend_characters(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p;) {
		size_t length = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 0;
		size_t good = length > 0;
		while (good && good < length && (p[good] & 0xc0) == 0x80)
			good++;
		if (good == length && length)
			p += length;
		else
			*p++ = '?';
	}
}

static bool take_plan(struct hypopg *hypopg, const struct pgm_rows *answer, struct pgm_whatif_result *result,
		      struct pgm_error *err)
{
	*result = (struct pgm_whatif_result){0};
	if (answer->count)
		mend_characters(pgm_rows_get(answer, 0, 0));
	if (answer->count == 0 ||
	    !pgm_explain_parse(hypopg->scratch, pgm_rows_text(answer, 0, 0), &result->plan, err))
		return pgm_error_set(err, PGM_ERR_QUERY, "EXPLAIN printed no plan");
	struct naming naming = {hypopg, result};
	pgm_explain_visit(result->plan.root, note_index, &naming);
	return true;
}

static bool plan(void *self, const char *sql, struct pgm_candidate *const *set, size_t count,
		 struct pgm_whatif_result *result, struct pgm_error *err)
{
	struct hypopg *hypopg = self;
	struct pgm_rows answer;
	pgm_arena_reset(hypopg->scratch);
	char *statement = pgm_sprintf(hypopg->scratch, "EXPLAIN (FORMAT JSON) %s", sql);
	return run(hypopg, statement, set, count, &answer, err) && take_plan(hypopg, &answer, result, err);
}

static bool plan_generic(void *self, const char *text, size_t param_count, struct pgm_candidate *const *set,
			 size_t count, struct pgm_whatif_result *result, struct pgm_error *err)
{
	struct hypopg *hypopg = self;
	struct pgm_rows answer;
	pgm_arena_reset(hypopg->scratch);
	struct pgm_arena *scratch = hypopg->scratch;
	if (pgm_conn_version(hypopg->conn) >= 160000) {
		char *sql = pgm_sprintf(scratch, "EXPLAIN (GENERIC_PLAN, FORMAT JSON) %s", text);
		return run(hypopg, sql, set, count, &answer, err) && take_plan(hypopg, &answer, result, err);
	}
	struct pgm_buf sql;
	pgm_buf_init(&sql, scratch);
	pgm_buf_add(&sql, "EXPLAIN (FORMAT JSON) EXECUTE pgmend_generic");
	for (size_t i = 0; i < param_count; i++)
		pgm_buf_add(&sql, i ? ", NULL" : "(NULL");
	if (param_count)
		pgm_buf_char(&sql, ')');
	char *prepare = pgm_sprintf(scratch,
				    PGM_CONN_MARKER "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE "
						    "pgmend_generic AS %s",
				    text);
	if (!pgm_conn_exec(hypopg->conn, prepare, err)) {
		recover(hypopg);
		return false;
	}
	bool ok = run(hypopg, sql.text, set, count, &answer, err) && take_plan(hypopg, &answer, result, err);
	pgm_conn_exec_quietly(hypopg->conn,
			      PGM_CONN_MARKER "DEALLOCATE pgmend_generic; RESET plan_cache_mode");
	return ok;
}
