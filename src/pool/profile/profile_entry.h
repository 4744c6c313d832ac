/*
 * What a profile holds. Inside pool/profile*.c only.
 */
#ifndef PGM_POOL_PROFILE_ENTRY_H
#define PGM_POOL_PROFILE_ENTRY_H

#include "pool/profile/profile.h"

/* One call's values as they came: decoded when somebody reads the profile, not when they are noted. */
struct pgm_profile_sample {
	uint8_t *data; /* sql_length bytes of text, if it isn't the entry's; type_count numbers; Bind's bytes
			*/
	uint32_t sql_length; /* 0: the entry's text */
	uint32_t type_count;
	uint32_t bind_length; /* 0: the text has its values */
};

struct pgm_profile_slow {
	uint64_t us;
	int64_t unix_us;
	struct pgm_profile_sample sample;
	bool has_sample;
};

struct pgm_profile_entry {
	struct pgm_profile_entry *chained; /* of the same hash bucket */
	struct pgm_profile_entry *newer, *older;
	uint64_t fingerprint;
	const char *database, *user;
	char *sql;
	uint32_t sql_length;
	bool cut; /* the statement is longer than that */
	bool standard_strings;
	bool others;
	uint64_t calls, errors, rows, bytes_out;
	struct pgm_histogram server, wait;
	uint64_t bursts;
	uint32_t burst_max;
	struct pgm_profile_sqlstate sqlstates[PGM_PROFILE_SQLSTATES];
	uint64_t next_look; /* the call whose values are looked at next */
	uint64_t looked;
	struct pgm_profile_sample samples[PGM_PROFILE_SAMPLES];
	uint32_t sample_count;
	struct pgm_profile_slow slowest[PGM_PROFILE_SLOWEST];
	struct pgm_profile_values *values[PGM_PROFILE_VALUES]; /* made when the first value is seen there */
};

struct pgm_profile_session {
	struct pgm_profile_session *chained;
	const char *database, *user; /* NULL: all others */
	struct pgm_histogram total, idle;
};

#define PGM_PROFILE_SESSIONS_MAX     1024
#define PGM_PROFILE_SESSION_BUCKETS  256
#define PGM_PROFILE_SAMPLE_BYTES_MAX 4096

struct pgm_profile {
	size_t entries_max, entry_count;
	struct pgm_profile_entry **buckets;
	size_t bucket_count; /* a power of two */
	struct pgm_profile_entry *newest, *oldest;
	struct pgm_profile_entry *others;
	struct pgm_profile_session *sessions[PGM_PROFILE_SESSION_BUCKETS];
	size_t session_count;
	uint64_t generation;
	uint64_t random;
	int64_t since_unix_us;
};

int64_t pgm_profile_now_us(void);
uint64_t pgm_profile_random(struct pgm_profile *profile);

/* profile_values.c */
void pgm_profile_look(struct pgm_profile *profile, struct pgm_profile_entry *entry,
		      const struct pgm_profile_call *call);
void pgm_profile_note_slow(struct pgm_profile_entry *entry, const struct pgm_profile_call *call);
void pgm_profile_drop_values(struct pgm_profile_entry *entry);
/* A sample as SQL; NULL where it can't be written. */
char *pgm_profile_sample_sql(struct pgm_arena *arena, const struct pgm_profile_entry *entry,
			     const struct pgm_profile_sample *sample);
/* Count a value count times, with an error already in it. */
void pgm_profile_count_value(struct pgm_profile_values *values, const char *literal, uint32_t count,
			     uint32_t error);

#endif
