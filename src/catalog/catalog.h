/*
 * The Catalog: one consistent snapshot of a database's relations, read by a handful of set-based queries in
 * one REPEATABLE READ transaction. Everything lives in the arena it was read into and never changes. System
 * schemas, temporary tables and our own schema are left out.
 */
#ifndef PGM_CATALOG_CATALOG_H
#define PGM_CATALOG_CATALOG_H

#include "pg/conn.h"
#include "util/hash.h"

#define PGM_PAGE_BYTES 8192

/* Values between two bounds of a histogram. */
struct pgm_value_range {
	double share;  /* of the rows */
	double values; /* that these rows are drawn from, as if at random; INFINITY: each has its own */
};

struct pgm_column {
	int attnum;
	const char *name;
	const char *type_name; /* of a domain: its base type; "int4", "_text" */
	char type_category;    /* pg_type.typcategory: 'S' for text, 'A' for arrays... */
	int length_bytes;      /* attlen: -1 for variable */
	char align;	       /* attalign: c, s, i, d */
	bool not_null;
	unsigned collation; /* oid; 0: none */
	bool btree;	    /* has a default btree operator class */
	bool equal_image;   /* equal values are equal byte for byte: btree may deduplicate them */

	/* After pgm_catalog_load_statistics(), where there are any. */
	bool has_statistics;
	double null_fraction;
	double width_bytes;
	double distinct;    /* number of distinct values, estimated (never negative here) */
	double correlation; /* of physical and logical order, -1 to 1 */
	char **common_values;
	double *common_fractions;
	size_t common_count;
	char **histogram;
	size_t histogram_count;
	char **common_elements; /* of arrays and tsvector */
	size_t element_count;
	double *common_widths; /* bytes, of a column of variable length: of each common value */
	double *other_widths;  /* and of some of the others: see widths.h */
	size_t other_width_count;
	struct pgm_value_range *ranges; /* the values that are not common ones, in order: see distinct.h */
	size_t range_count;
};

struct pgm_table;

struct pgm_index {
	unsigned oid;
	const char *name;
	const struct pgm_table *table;
	const char *method; /* "btree" */
	bool unique, primary, valid, ready, replica_identity, constraint, partitioned;
	size_t key_count;
	size_t column_count;	 /* keys first, then INCLUDE */
	int *attnums;		 /* 0 for an expression */
	int *options;		 /* of each key: 1 descending, 2 nulls first */
	char **opclasses;	 /* of each key, as SQL; NULL for the type's default one */
	unsigned *collations;	 /* of each key */
	const char *expressions; /* NULL or all of them, as PostgreSQL prints them */
	const char *predicate;	 /* NULL or as PostgreSQL prints it */
	double pages;
	double tuples;
	int64_t scans;
};

struct pgm_foreign_key {
	const char *name;
	struct pgm_table *child;
	struct pgm_table *parent;
	size_t column_count;
	int *child_attnums;
	int *parent_attnums;
	char on_delete; /* a no action, r restrict, c cascade, n set null, d set default */
};

struct pgm_table {
	unsigned oid;
	const char *schema;
	const char *name;
	char kind; /* relkind: r, p, m, f, v */
	char persistence;
	bool is_partition;
	unsigned parent_oid; /* of a partition or an inheritance child; 0: none */
	struct pgm_table **children;
	size_t child_count;
	double pages; /* of a partitioned table: of its leaves together */
	double tuples;
	double all_visible_pages;
	int64_t inserts, updates, hot_updates, deletes; /* rows, since the statistics were reset */
	bool readable;
	double toast_pages;
	struct pgm_column *columns; /* by attnum, dropped ones left out */
	size_t column_count;
	struct pgm_index **indexes;
	size_t index_count;
	bool statistics_loaded;
};

struct pgm_catalog {
	struct pgm_arena *arena;
	int version; /* server_version_num */
	struct pgm_table *tables;
	size_t table_count;
	struct pgm_index *indexes;
	size_t index_count;
	struct pgm_foreign_key *foreign_keys;
	size_t foreign_key_count;
	struct pgm_map tables_by_name; /* key "schema\001name" */
	struct pgm_map tables_by_oid;  /* key: the oid in decimal */
	const char **search_path;      /* schemas, in order, of the user's own search_path */
	size_t search_path_count;
	struct pgm_map extensions; /* name -> schema */
};

/* Read it. The arena must outlive the catalog. Runs its own transaction unless one is open. */
struct pgm_catalog *pgm_catalog_read(struct pgm_arena *arena, struct pgm_conn *conn,
				     struct pgm_error *err) PGM_MUST_CHECK;

/* Column statistics of these tables, from pg_stats; what the role may not read stays without. */
bool pgm_catalog_load_statistics(struct pgm_catalog *catalog, struct pgm_conn *conn,
				 struct pgm_table **tables, size_t count,
				 struct pgm_error *err) PGM_MUST_CHECK;

/* NULL where there is none. schema NULL: along the search_path, then wherever the name is unique. */
struct pgm_table *pgm_catalog_table(const struct pgm_catalog *catalog, const char *schema, const char *name);
struct pgm_table *pgm_catalog_table_by_oid(const struct pgm_catalog *catalog, unsigned oid);
struct pgm_column *pgm_table_column(const struct pgm_table *table, const char *name);
struct pgm_column *pgm_table_column_by_attnum(const struct pgm_table *table, int attnum);
const char *pgm_catalog_extension(const struct pgm_catalog *catalog,
				  const char *name); /* its schema, or NULL */

#endif
