/*
 * What the demo's last part changes: the table that gets partitions and what is asked of it, and the parent
 * that goes with all its children.
 */
#ifndef PGM_DEMO_BIG_H
#define PGM_DEMO_BIG_H

#define PGM_DEMO_BIG_QUERIES 3

struct pgm_demo_big {
	const char *table, *key; /* key: of its partitions */
	struct {
		const char *title, *sql;
	} queries[PGM_DEMO_BIG_QUERIES]; /* the first reads the last 30 days */
	const char *parent, *where;
};

extern const struct pgm_demo_big pgm_demo_big;

#endif
