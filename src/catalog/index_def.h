/*
 * The definition of an index that may or may not exist: what advise proposes and Changes create. Plain
 * data; the catalog and the arena that it points into must outlive it.
 */
#ifndef PGM_CATALOG_INDEX_DEF_H
#define PGM_CATALOG_INDEX_DEF_H

#include "catalog/catalog.h"

#define PGM_INDEX_KEYS_MAX    32 /* INDEX_MAX_KEYS */
#define PGM_INDEX_INCLUDE_MAX 16

struct pgm_index_key {
	const struct pgm_column *column;  /* NULL for an expression */
	const char *expression;		  /* SQL, without the parentheses that an index needs around it */
	const struct pgm_column *sampled; /* of an expression: its type and statistics; NULL: not known */
	bool descending;
	bool nulls_first;
	const char *opclass; /* NULL: the default one; may hold parameters and is SQL already */
};

struct pgm_index_def {
	struct pgm_table *table;
	const char *method; /* "btree" */
	bool unique;
	struct pgm_index_key keys[PGM_INDEX_KEYS_MAX];
	size_t key_count;
	const struct pgm_column *include[PGM_INDEX_INCLUDE_MAX];
	size_t include_count;
	const char *predicate;	/* SQL, or NULL */
	double predicate_share; /* of the rows that the predicate lets in; 1 without one */
};

/* "(user_id, created_at DESC) INCLUDE (role) WHERE ..."; with " USING gin" before it for other methods. */
char *pgm_index_def_body(struct pgm_arena *arena, const struct pgm_index_def *def);

/* "CREATE INDEX [CONCURRENTLY] name ON schema.table (...)", without a semicolon. name NULL: none. */
char *pgm_index_def_create(struct pgm_arena *arena, const struct pgm_index_def *def, const char *name,
			   bool concurrently);

/* As PostgreSQL would call it, "orders_user_id_created_at_idx", made unique against the catalog and taken. */
char *pgm_index_def_name(struct pgm_arena *arena, const struct pgm_index_def *def,
			 const struct pgm_catalog *catalog, struct pgm_map *taken);

/* As a key or in INCLUDE. */
bool pgm_index_def_has_column(const struct pgm_index_def *def, const struct pgm_column *column);

bool pgm_index_def_equal(const struct pgm_index_def *a, const struct pgm_index_def *b);

/*
 * Whether what a serves, b serves too: a's keys are the first of b's (same order, or all reversed, for a
 * btree), a's columns are all in b, and the predicates are the same. Equal ones cover each other.
 */
bool pgm_index_def_covers(const struct pgm_index_def *b, const struct pgm_index_def *a);

/*
 * The definition of an existing index; false for one that cannot be told exactly: expressions (the catalog
 * keeps them as one text) and collations other than the columns' own.
 */
bool pgm_index_def_of(const struct pgm_index *index, struct pgm_index_def *def);

#endif
