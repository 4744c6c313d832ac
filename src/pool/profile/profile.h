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
#include "util/histogram.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pgm_profile;
struct pgm_profile_entry; /* opaque to the pooler: it keeps pointers only within pgm_profile_generation() */

struct pgm_profile *pgm_profile_new(size_t entries_max);
void pgm_profile_free(struct pgm_profile *profile);

/* Goes up whenever an entry is pushed out: pointers to entries that were found before may be another's then.
 */
uint64_t pgm_profile_generation(const struct pgm_profile *profile);

/*
 * The entry of a statement; made where it is new (sql is copied in normal form, and as an example). database
 * and user must be texts that live as long as the profile (interned by the pooler): compared by address.
 */
struct pgm_profile_entry *pgm_profile_find(struct pgm_profile *profile, uint64_t fingerprint,
					   const char *database, const char *user, const char *sql,
					   size_t length, bool standard_strings);

/* A statement as it was first seen, perhaps cut; for the row of all others "". In the entry's memory. */
const char *pgm_profile_text(const struct pgm_profile_entry *entry, size_t *length, bool *standard_strings);

/* One execution. */
struct pgm_profile_call {
	uint64_t wait_us;   /* in the queue for a server */
	uint64_t server_us; /* from the first byte sent to the server to the end of its answer */
	uint64_t rows;
	uint64_t bytes_out; /* to the client */
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
	uint32_t client_burst; /* how often in a row this client ran this fingerprint in this transaction or
				  burst */
};
void pgm_profile_add(struct pgm_profile *profile, struct pgm_profile_entry *entry,
		     const struct pgm_profile_call *call);

/* Whether a sample of values is wanted of this entry's next call (so that the caller keeps Bind's bytes). */
bool pgm_profile_wants_sample(const struct pgm_profile_entry *entry);

/* A transaction's end: its time, and how much of it the client idled. */
void pgm_profile_transaction(struct pgm_profile *profile, const char *database, const char *user,
			     uint64_t total_us, uint64_t idle_us);

/* ---- the reader's side ---- */

#define PGM_PROFILE_SAMPLES   16 /* texts with values, drawn at random from those that were looked at */
#define PGM_PROFILE_SLOWEST   3
#define PGM_PROFILE_SQLSTATES 8	   /* the first that came; others count in errors alone */
#define PGM_PROFILE_VALUES    8	   /* positions of values that are counted */
#define PGM_PROFILE_TOP	      8	   /* values that are told apart at one of them */
#define PGM_PROFILE_VALUE_MAX 48   /* bytes of a value as a literal; longer ones are not told apart */
#define PGM_PROFILE_TEXT_MAX  8192 /* bytes of a statement; what is longer is cut and has no samples */
#define PGM_PROFILE_BURST     10   /* so often in a row in one transaction or burst is N+1 */

struct pgm_profile_top {
	char literal[PGM_PROFILE_VALUE_MAX]; /* "'pending'", "12", "NULL" */
	uint32_t count;			     /* at most error too many */
	uint32_t error;
};

/* What was seen at one value of a statement: the number is that of $n in the row's query. */
struct pgm_profile_values {
	uint32_t looked; /* at so many values */
	struct pgm_profile_top top[PGM_PROFILE_TOP];
};

struct pgm_profile_example {
	uint64_t us;
	int64_t unix_us;
	const char *sql; /* with values; NULL: none */
};

struct pgm_profile_row {
	uint64_t fingerprint;
	const char *database; /* NULL in the row of all the others */
	const char *user;
	const char *query; /* with $1, $2... in the place of values; "" in the row of the others */
	uint64_t calls, errors, rows, bytes_out;
	struct pgm_histogram server, wait;
	uint64_t bursts; /* of PGM_PROFILE_BURST or more */
	uint32_t burst_max;
	struct pgm_profile_sqlstate {
		char code[6];
		uint64_t count;
	} sqlstates[PGM_PROFILE_SQLSTATES];
	const char *samples[PGM_PROFILE_SAMPLES];
	size_t sample_count;
	struct pgm_profile_example slowest[PGM_PROFILE_SLOWEST];
	struct pgm_profile_values values[PGM_PROFILE_VALUES];
};

struct pgm_profile_transactions {
	const char *database, *user;
	struct pgm_histogram total, idle;
};

struct pgm_profile_snapshot {
	int64_t since_unix_us; /* the oldest profile's begin */
	int64_t taken_unix_us;
	struct pgm_profile_row **rows; /* the most server time first; that of the others last */
	size_t row_count;
	struct pgm_profile_transactions *transactions; /* the most time first */
	size_t transaction_count;
};

/*
 * Merge the profiles of workers, one after the other, each while its worker's lock is held; everything lives
 * in the arena. values: with samples, examples and counted values (they cost the most). _end() sorts, without
 * any lock.
 */
struct pgm_profile_merge *pgm_profile_merge_begin(struct pgm_arena *arena, bool values);
/* Before the first profile: only this statement, of all databases and users; no transactions. */
void pgm_profile_merge_only(struct pgm_profile_merge *merge, uint64_t fingerprint);
/* Or transactions alone, of which there are few. */
void pgm_profile_merge_transactions(struct pgm_profile_merge *merge);
void pgm_profile_merge_add(struct pgm_profile_merge *merge, const struct pgm_profile *profile);
struct pgm_profile_snapshot *pgm_profile_merge_end(struct pgm_profile_merge *merge);

/* The same of profiles that nobody writes to just now. */
struct pgm_profile_snapshot *pgm_profile_snapshot(struct pgm_arena *arena,
						  struct pgm_profile *const *profiles, size_t count);

/*
 * Write a snapshot in the format of docs/profile.md: to a file beside it first, mode 0600, then renamed.
 * Values are left out unless log_values.
 */
bool pgm_profile_save(const struct pgm_profile_snapshot *snapshot, const char *path, bool log_values,
		      struct pgm_error *err) PGM_MUST_CHECK;

/* The members "samples", "slowest" and "values" of a row, as that file has them. */
void pgm_profile_values_json(json_t *object, const struct pgm_profile_row *row);

#endif
