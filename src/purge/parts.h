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

/* "parent.a = child.x AND ..." */
void pgm_purge_join(struct pgm_buf *sql, const struct pgm_purge_key *key, const char *parent_alias,
		    const char *child_alias);

/* One query under the user's own search_path, in a read-only transaction; timeout_ms 0: the session's. */
bool pgm_purge_query(struct pgm_conn *conn, struct pgm_arena *arena, const char *sql, int64_t timeout_ms,
		     struct pgm_rows *rows, struct pgm_error *err) PGM_MUST_CHECK;

#endif
