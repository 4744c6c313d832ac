/*
 * What the catalogs say of a step's relation and indexes. Inside change/ only.
 */
#ifndef PGM_CHANGE_TARGET_H
#define PGM_CHANGE_TARGET_H

#include "change/run.h"

struct pgm_target {
	bool there;
	const char *oid;
	const char *schema;
	const char *name;
	char kind; /* pg_class.relkind */
	bool temporary;
	const char *owner;
	bool may_own;	 /* we have the owner's rights */
	bool may_create; /* in its schema */
	bool system;	 /* a schema where nobody makes indexes */
	bool is_partition;
	int64_t foreign_partitions;
	bool no_statistics; /* it was never analysed */
};

struct pgm_target_index {
	bool there; /* a relation of that name */
	const char *oid;
	const char *schema;
	const char *name;
	char kind; /* i, I (partitioned); anything else is no index */
	const char *relation_oid;
	const char *relation;
	const char *relation_schema;
	bool valid;
	const char *definition; /* NULL where it is no index */
	bool may_own;
	const char *owner;
	int64_t size_bytes; /* -1: of many */
	bool expressions;
	const char *parent_oid; /* of a partitioned index; "0" */
};

/* schema "": by the user's search_path. */
bool pgm_target_relation(struct pgm_run *run, const char *schema, const char *name, struct pgm_target *target,
			 struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_target_index(struct pgm_run *run, const char *schema, const char *name,
		      struct pgm_target_index *index, struct pgm_error *err) PGM_MUST_CHECK;

struct pgm_target_server {
	const char *schema;
	const char *name;
	const char *oid;
	bool valid;
};

/*
 * Which indexes of the relation are what the CREATE INDEX would make: the statement is tried on an empty copy
 * in a transaction that is taken back. For a unique index *duplicates becomes a query that finds the rows in
 * its way, else NULL. Where we may not make a temporary table there is no answer: none.
 */
bool pgm_target_servers(struct pgm_run *run, const struct pgm_target *target, const char *create_sql,
			const char *index, struct pgm_target_server **servers, size_t *count,
			const char **duplicates, struct pgm_error *err) PGM_MUST_CHECK;

/* Quoted "schema.name" for SQL and messages. */
const char *pgm_target_quoted(struct pgm_run *run, const struct pgm_target *target);
const char *pgm_target_index_quoted(struct pgm_run *run, const struct pgm_target_index *index);

#endif
