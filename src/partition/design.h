/*
 * The design of a partitioned table: what the table that shall become one is like, where it is cut, what its
 * parts will be called, what changes for those who use it, and what stands in the way. Read from the catalogs
 * (and, for the range of the key, from the table) and changed nowhere; each method (adopt.h and others) makes
 * a Plan of it.
 *
 * Plain data in the caller's arena. Names are as PostgreSQL has them, unquoted, but where it says "quoted".
 */
#ifndef PGM_PARTITION_DESIGN_H
#define PGM_PARTITION_DESIGN_H

#include "partition/bounds.h"
#include "util/vec.h"

enum pgm_partition_method {
	PGM_PARTITION_ADOPT,  /* the table becomes the first partition: no row is copied */
	PGM_PARTITION_SPLIT,  /* then its rows are cut into partitions in the background */
	PGM_PARTITION_SHADOW, /* a copy is filled and kept up to date, then swapped in */
};

struct pgm_partition_options {
	const char *table;    /* as it is typed: NAME or SCHEMA.NAME, quoted or not */
	const char *by;	      /* the key column, quoted or not */
	const char *interval; /* day, week, month, quarter, year, or N for an integer key */
	const char *timezone; /* NULL: UTC */
	const char *cut;      /* NULL: the next bound that leaves time enough; tomorrow; or a value */
	int64_t premade;      /* partitions above the cut; -1: as many as suit the interval */
	int64_t keep;	      /* the last N of history get partitions, the older one: TABLE_old; -1: all */
	bool widen_unique;    /* let unique constraints other than the primary key take the key in */
	enum pgm_partition_method method;
};

#define PGM_PARTITION_OPTIONS             \
	{                                 \
		.premade = -1, .keep = -1 \
	}

struct pgm_partition_column {
	const char *name;
	const char *type;
	bool not_null;
	char identity;	/* pg_attribute.attidentity; '\0': none */
	char generated; /* pg_attribute.attgenerated; '\0': none */
	/* The sequence that belongs to an identity or serial column; NULL: none. */
	const char *sequence_schema;
	const char *sequence;
	const char *sequence_options; /* "START WITH 1 INCREMENT BY 1 ..." */
	const char *sequence_cache;
	const char *sequence_staging; /* identity: the name of the new one until the swap */
};

/* An index of the table, and what becomes of it. */
struct pgm_partition_index {
	const char *oid;
	const char *name;
	const char *definition; /* pg_get_indexdef() */
	const char *constraint; /* its name; NULL: none */
	const char *constraint_definition;
	char constraint_type; /* p, u; '\0' */
	bool unique, primary, has_key, replica_identity, deferrable, deferred;
	const char *columns;  /* quoted key columns; NULL where there are expressions */
	const char *includes; /* quoted, without the key; NULL: none */
	const char *tablespace;
	const char *options; /* "fillfactor='70'"; NULL: none */
	const char *comment;
	const char *constraint_comment;
	int64_t size_bytes;

	bool widened;		 /* takes the key in: wide_definition is built, and replaces it */
	const char *wide;	 /* name of the new index while it is built */
	const char *way_back;	 /* name of the index that a rollback builds */
	const char *staging;	 /* name of the parent's index until the swap */
	const char *legacy_name; /* name of the old table's index after the swap */
};

/* About a foreign key that refers to the table: to be run by people, before the conversion or afterwards. */
struct pgm_partition_statement {
	const char *foreign_key;
	const char *table; /* that has it; quoted */
	bool has_key;	   /* of the partitions */
	bool first;	   /* of this foreign key */
	bool after;
	const char *sql; /* with ";" */
};

/* Those of a foreign key stand together, in order. */
typedef PGM_VEC(struct pgm_partition_statement) pgm_partition_statements;

struct pgm_partition_design {
	struct pgm_partition_options options;
	enum pgm_partition_method method;
	int server_version;

	const char *oid;
	const char *schema;
	const char *name;
	const char *owner;
	const char *tablespace;	     /* NULL: the database's */
	const char *storage_options; /* for WITH (...), toast's too; NULL: none */
	char replica_identity;	     /* pg_class.relreplident */
	bool unlogged;
	double rows;	     /* estimate */
	int64_t bytes;	     /* estimate, without indexes */
	int64_t index_bytes; /* estimate */

	struct pgm_partition_column *columns;
	size_t column_count;
	const struct pgm_partition_column *key;
	struct pgm_interval interval;
	bool looked;	    /* the range of the key is known */
	const char *oldest; /* least and greatest key; NULL: no row, or not looked */
	const char *newest;

	const char *cut; /* rows below it stay where they are */
	bool cut_near;
	const char *legacy;	  /* what the old table is called afterwards */
	const char *staging;	  /* what the new one is called before */
	const char *check;	  /* the constraint that proves that all rows are below the cut */
	bool begun;		  /* it is there already: a conversion was begun and has not ended */
	struct pgm_range *ranges; /* premade, above the cut */
	const char **range_names;
	size_t range_count;

	struct pgm_partition_index *indexes;
	size_t index_count;

	PGM_VEC(const char *) refusals; /* why it cannot be done; a Plan is made only where there is none */
	pgm_partition_statements incoming;
	PGM_VEC(const char *) changes; /* what will be different for who uses the table */
	PGM_VEC(const char *) notes;   /* what is worth knowing */
	PGM_VEC(const char *) taken;   /* names that were given */
};

/*
 * Look at the table. True with design->refusals where there are reasons against it; false with err where it
 * could not be looked at, or where the options make no sense (PGM_ERR_USAGE).
 */
bool pgm_partition_design(struct pgm_conn *conn, struct pgm_arena *arena,
			  const struct pgm_partition_options *options, struct pgm_partition_design *design,
			  struct pgm_error *err) PGM_MUST_CHECK;

/* A line for one of the lists. */
#define pgm_partition_say(arena, list, ...) \
	(*pgm_vec_add((arena), (list)) = pgm_sprintf((arena), __VA_ARGS__))

/* "schema.name", quoted, of the table and of what stands beside it. */
char *pgm_partition_quoted(struct pgm_arena *arena, const struct pgm_partition_design *design,
			   const char *name);

/* A name that nothing in the schema has, nor an earlier call for this design gave: base_suffix, cut to fit.
 */
bool pgm_partition_free_name(struct pgm_conn *conn, struct pgm_arena *arena,
			     struct pgm_partition_design *design, const char *base, const char *suffix,
			     const char **name, struct pgm_error *err) PGM_MUST_CHECK;

#endif
