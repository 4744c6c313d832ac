/*
 * The profile: for each fingerprint, database and user what the pooler saw of it. Each worker has one of its
 * own that only it writes; a reader locks the worker (pool/worker.h), so nothing here is atomic. Memory is
 * bounded: profile_max entries a worker; a new fingerprint beyond that pushes out the one with the least time
 * of those not seen for longest, and its counts go into the entry "others".
 *
 * No allocation on the hot path: an entry is made once, when its fingerprint is first seen.
 */
#ifndef PGM_POOL_PROFILE_H
#define PGM_POOL_PROFILE_H

#include "util/arena.h"
#include "util/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A histogram of microseconds: 8 buckets to each power of two up to 2^36 us, so at most 9 % off. */
#define PGM_HISTOGRAM_BUCKETS 272
struct pgm_histogram {
	uint32_t counts[PGM_HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t sum_us;
	uint32_t max_us;
};
void pgm_histogram_add(struct pgm_histogram *histogram, uint64_t us);
void pgm_histogram_merge(struct pgm_histogram *into, const struct pgm_histogram *from);
uint64_t pgm_histogram_percentile_us(const struct pgm_histogram *histogram, double percent); /* 50, 95, 99 */

struct pgm_profile;
struct pgm_profile_entry; /* opaque to the pooler: it keeps pointers only within pgm_profile_generation() */

struct pgm_profile *pgm_profile_new(size_t entries_max);
void pgm_profile_free(struct pgm_profile *profile);

/*
 * The entry of a statement; made where it is new (sql is copied in normal form, and as an example). database
 * and user must be texts that live as long as the profile (interned by the pooler): compared by address.
 */
struct pgm_profile_entry *pgm_profile_find(struct pgm_profile *profile, uint64_t fingerprint,
					   const char *database, const char *user, const char *sql,
					   size_t length, bool standard_strings);

/* One execution. */
struct pgm_profile_call {
	uint64_t wait_us;   /* in the queue for a server */
	uint64_t server_us; /* from the first byte sent to the server to the end of its answer */
	uint64_t rows;
	uint64_t bytes_out; /* to the client */
	uint64_t bytes_in;
	bool failed;
	char sqlstate[6]; /* where it failed */
	/* the parameters of an extended query, as they came: format codes and values (body of Bind after the
	 * names); NULL for a simple query, whose literals are in sql */
	const uint8_t *bind;
	size_t bind_length;
	const uint32_t *parameter_types; /* of Parse; may be fewer than there are; 0: unknown */
	size_t parameter_type_count;
	const char *sql; /* the text as it came */
	size_t sql_length;
	uint32_t client_burst; /* how often in a row this client ran this fingerprint in this transaction or burst */
};
void pgm_profile_add(struct pgm_profile *profile, struct pgm_profile_entry *entry,
		     const struct pgm_profile_call *call);

/* Whether a sample of values is wanted of this entry's next call (so that the caller keeps Bind's bytes). */
bool pgm_profile_wants_sample(const struct pgm_profile_entry *entry);

/* A transaction's end: its time, and how much of it the client idled. */
void pgm_profile_transaction(struct pgm_profile *profile, const char *database, const char *user,
			     uint64_t total_us, uint64_t idle_us);

#endif
