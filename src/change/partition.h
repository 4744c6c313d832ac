/*
 * What the catalogs say of a partition that a step is about, by its oid: another table that has its name now
 * is never taken for it. Inside change/ only.
 */
#ifndef PGM_CHANGE_PARTITION_H
#define PGM_CHANGE_PARTITION_H

#include "change/run.h"

struct pgm_partition {
	bool there;
	bool attached;
	bool pending; /* a concurrent DETACH of it was begun and has not ended */
	const char *schema;
	const char *name;
	const char *quoted;
	const char *parent_oid; /* NULL where it is not attached, and so on */
	const char *parent;	/* quoted */
	bool may_own;
	const char *owner; /* of the parent, where there is one */
	int64_t size_bytes;
	char kind; /* pg_class.relkind */
};

bool pgm_partition_find(struct pgm_run *run, const char *oid, struct pgm_partition *partition,
			struct pgm_error *err) PGM_MUST_CHECK;

#endif
