/*
 * Prepared statements of the protocol, in transaction mode. A client names its statements as it likes; a
 * server knows each text under one name of ours, "PGM_17", whoever asked for it first. So there are three
 * maps: texts to statements (one for the process, under a lock, asked at Parse alone), a client's names to
 * statements, and the statements that a server holds, the least recently used of which is closed first.
 */
#ifndef PGM_POOL_STATEMENT_H
#define PGM_POOL_STATEMENT_H

#include "pool/pairs.h"
#include "pool/scan/scan.h"

#include <stdint.h>

#define PGM_STATEMENT_NAME_BYTES 16
#define PGM_STATEMENT_PROXY	 "PGM_proxy" /* lives as long as its Parse takes; no client can name it */

struct pgm_prepared {
	struct pgm_prepared *next; /* of its bucket */
	uint64_t hash;
	uint32_t refs; /* under the table's lock */
	uint32_t id;
	uint32_t epoch;
	const void *scope;		  /* whose servers it is for: a pool */
	_Atomic bool proven;		  /* a server has taken it */
	const struct pgm_pairs *settings; /* of the session that prepared it: they may shape its meaning */
	struct pgm_scan scan;
	char name[PGM_STATEMENT_NAME_BYTES];
	size_t sql_length;  /* without its NUL */
	size_t body_length; /* of Parse after the name: text, NUL, number of types, types */
	uint8_t body[];
};

/*
 * The statement of this Parse body (after the name), made where it is new; NULL: out of memory. Owned: end
 * with pgm_prepared_drop(). epoch: see pgm_prepared_new_epoch().
 */
struct pgm_prepared *pgm_prepared_of(const void *scope, const uint8_t *body, size_t length, size_t sql_length,
				     const struct pgm_pairs *settings, bool standard_strings);
struct pgm_prepared *pgm_prepared_hold(struct pgm_prepared *prepared);
void pgm_prepared_drop(struct pgm_prepared *prepared); /* NULL is fine */

size_t pgm_prepared_live(void); /* statements that somebody holds: tests look for what nobody drops */

/*
 * From now on the same text is another statement: DDL ran, or a server said that a plan changed its result,
 * so who prepares anew must get what the server makes of the text today.
 */
void pgm_prepared_new_epoch(void);

/* Whether a name may be one of ours. */
bool pgm_prepared_is_ours(const char *name, size_t length);

/* A client's names. Embedded; zeroed is empty. */
struct pgm_names {
	struct pgm_named *slots;
	size_t capacity, count;
	size_t bytes; /* of names and texts: bounded by the caller */
};
struct pgm_prepared *pgm_names_get(const struct pgm_names *names, const char *name); /* or NULL; not held */
/* Takes over a held statement, replacing one of that name. False: out of memory (nothing taken). */
bool pgm_names_put(struct pgm_names *names, const char *name, struct pgm_prepared *prepared);
void pgm_names_remove(struct pgm_names *names, const char *name);
void pgm_names_clear(struct pgm_names *names);
/*
 * The name under which a client knows one of ours, "PGM_17"; NULL: it does not. Of several, that with this
 * tag.
 */
const char *pgm_names_of(const struct pgm_names *names, const char *ours, size_t length, uint32_t tag);
uint32_t pgm_name_tag(const char *name);

/* What a server holds. Embedded; zeroed is empty. */
struct pgm_holding {
	struct pgm_held *slots; /* a table of open addressing */
	size_t capacity, count;
	uint64_t clock;
};
bool pgm_holding_touch(struct pgm_holding *holding,
		       struct pgm_prepared *prepared); /* false: it does not hold it */
bool pgm_holding_add(struct pgm_holding *holding, struct pgm_prepared *prepared); /* false: out of memory */
void pgm_holding_remove(struct pgm_holding *holding, struct pgm_prepared *prepared);
void pgm_holding_clear(struct pgm_holding *holding);
/* The one that was not used for longest, and not since `since` (pgm_holding.clock); NULL: none. */
struct pgm_prepared *pgm_holding_oldest(const struct pgm_holding *holding, uint64_t since);

#endif
