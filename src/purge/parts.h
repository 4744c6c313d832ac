/*
 * What the files of the purge share. Inside purge/ only.
 */
#ifndef PGM_PURGE_PARTS_H
#define PGM_PURGE_PARTS_H

#include "purge/purge.h"
#include "util/buf.h"

/* Fill in problems, notes and order. */
bool pgm_purge_judge(struct pgm_conn *conn, struct pgm_arena *arena, struct pgm_purge *purge,
		     struct pgm_error *err) PGM_MUST_CHECK;

/* Whether the table gets a table of keys and a pass of its own: something references it, or it is the root.
 */
bool pgm_purge_has_pass(const struct pgm_purge *purge, const struct pgm_purge_table *table);

/* Whether deleting would take too long without an index for the key. */
bool pgm_purge_needs_index(const struct pgm_purge_key *key);

/* Whether its rows are told apart by one integer. */
bool pgm_purge_by_integer(const struct pgm_purge_table *table);

/*
 * Whether its table of keys holds them as runs of integers that follow one another (lo to hi; seq: how many
 * keys there are up to its end); else each has a row (k1 and so on; seq: its number).
 */
bool pgm_purge_in_runs(const struct pgm_purge_table *table);

/* A query for the runs (seq, lo, hi) of the keys k that a query gives. end: an aggregate of its rows, seq. */
void pgm_purge_runs(struct pgm_buf *sql, const char *query, const char *end);

/* The keys of a run r, one by one, in a list of columns. */
#define PGM_PURGE_RUN_KEYS "pg_catalog.generate_series(r.lo::bigint, r.hi::bigint)"

/* Pieces of SQL; prefix is that of the tables of keys: "pgmend.purge_12ab34cd_". */
const char *pgm_purge_keys_name(struct pgm_arena *arena, const char *prefix,
				const struct pgm_purge_table *table);
const char *pgm_purge_collect_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
				  const struct pgm_purge_table *table);
const char *pgm_purge_expand_sql(struct pgm_arena *arena, const char *prefix,
				 const struct pgm_purge_table *table);
/* What refuses before the first row goes; "" where there is nothing to check. */
const char *pgm_purge_check_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix);
const char *pgm_purge_pass_sql(struct pgm_arena *arena, const struct pgm_purge *purge, const char *prefix,
			       const struct pgm_purge_table *table);

/* Aliases that no table of the user's has: the condition names the root by its own name. */
#define PGM_PURGE_KEYS	 "pgmend_k"
#define PGM_PURGE_PARENT "pgmend_p"
#define PGM_PURGE_CHILD	 "pgmend_c"

/* "t.id = k.k1 AND ...": a row of the table and its row in the table of keys. */
void pgm_purge_identity_join(struct pgm_buf *sql, const struct pgm_purge_table *table, const char *alias,
			     const char *keys_alias);

/* "FROM" items that stand for the parents, behind the child's: the keys, and the table where it is needed. */
void pgm_purge_parents(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *prefix,
		       const char *keys_alias, const char *parent_alias);
/* The condition that joins a child with them. */
void pgm_purge_child_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *keys_alias,
			  const char *parent_alias, const char *child_alias);

/* "parent.a = child.x AND ..." */
void pgm_purge_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *parent_alias,
		    const char *child_alias);

/* One query under the user's own search_path, in a read-only transaction; timeout_ms 0: the session's. */
bool pgm_purge_query(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, int64_t timeout_ms,
		     struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

/* A DO statement of these PL/pgSQL statements. */
const char *pgm_purge_block(struct pgm_arena *arena, const char *body);
/*
 * What stops a batch that deletes rows of the table without triggers, behind that DELETE, where others would
 * have to fire than those of the foreign keys that it knows: its lock keeps more from coming.
 */
const char *pgm_purge_guard_sql(struct pgm_arena *arena, const struct pgm_purge_table *table);

#endif
