#include "pool/profile/profile_entry.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVICTION_LOOKS 16 /* of the entries not seen for longest, the one with the least time goes */

int64_t pgm_profile_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* splitmix64 */
uint64_t pgm_profile_random(struct pgm_profile *profile)
{
	uint64_t z = profile->random += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct pgm_profile *pgm_profile_new(size_t entries_max)
{
	struct pgm_profile *profile = calloc(1, sizeof(*profile));
	if (!profile)
		return NULL;
	profile->entries_max = entries_max ? entries_max : 1;
	for (profile->bucket_count = 16; profile->bucket_count < profile->entries_max * 2;)
		profile->bucket_count *= 2;
	profile->buckets = calloc(profile->bucket_count, sizeof(*profile->buckets));
	profile->others = calloc(1, sizeof(*profile->others));
	if (!profile->buckets || !profile->others) {
		pgm_profile_free(profile);
		return NULL;
	}
	profile->others->others = true;
	profile->since_unix_us = pgm_profile_now_us();
	profile->random = (uint64_t)profile->since_unix_us;
	return profile;
}

static void free_entry(struct pgm_profile_entry *entry)
{
	if (!entry)
		return;
	pgm_profile_drop_values(entry);
	free(entry->sql);
	free(entry);
}

void pgm_profile_free(struct pgm_profile *profile)
{
	if (!profile)
		return;
	while (profile->oldest) {
		struct pgm_profile_entry *next = profile->oldest->newer;
		free_entry(profile->oldest);
		profile->oldest = next;
	}
	free_entry(profile->others);
	for (size_t i = 0; i < PGM_PROFILE_SESSION_BUCKETS; i++)
		while (profile->sessions[i]) {
			struct pgm_profile_session *next = profile->sessions[i]->chained;
			free(profile->sessions[i]);
			profile->sessions[i] = next;
		}
	free(profile->buckets);
	free(profile);
}

uint64_t pgm_profile_generation(const struct pgm_profile *profile)
{
	return profile->generation;
}

static uint64_t hash_of(uint64_t fingerprint, const char *database, const char *user)
{
	uint64_t hash = fingerprint ^ (uintptr_t)database * 0x9e3779b97f4a7c15u ^
			(uintptr_t)user * 0xc2b2ae3d27d4eb4fu;
	return hash ^ hash >> 32;
}

static struct pgm_profile_entry **bucket_of(struct pgm_profile *profile,
					    const struct pgm_profile_entry *entry)
{
	uint64_t hash = hash_of(entry->fingerprint, entry->database, entry->user);
	return &profile->buckets[hash & (profile->bucket_count - 1)];
}

static void unlink_age(struct pgm_profile *profile, struct pgm_profile_entry *entry)
{
	*(entry->newer ? &entry->newer->older : &profile->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &profile->oldest) = entry->newer;
}

static void link_newest(struct pgm_profile *profile, struct pgm_profile_entry *entry)
{
	entry->newer = NULL;
	entry->older = profile->newest;
	*(profile->newest ? &profile->newest->newer : &profile->oldest) = entry;
	profile->newest = entry;
}

static void count_sqlstate(struct pgm_profile_entry *entry, const char *code, uint64_t count)
{
	for (size_t i = 0; *code && i < PGM_PROFILE_SQLSTATES; i++) {
		struct pgm_profile_sqlstate *state = &entry->sqlstates[i];
		if (*state->code && strncmp(state->code, code, 5) != 0)
			continue;
		memcpy(state->code, code, strnlen(code, 5));
		state->count += count;
		return;
	}
}

/* Its counts stay, among those of all others. */
static void push_out(struct pgm_profile *profile)
{
	struct pgm_profile_entry *entry = profile->oldest, *least = entry, *others = profile->others;
	for (int i = 0; entry && i < EVICTION_LOOKS; i++, entry = entry->newer)
		if (entry->server.sum_us < least->server.sum_us)
			least = entry;
	others->calls += least->calls;
	others->errors += least->errors;
	others->rows += least->rows;
	others->bytes_out += least->bytes_out;
	others->bursts += least->bursts;
	if (least->burst_max > others->burst_max)
		others->burst_max = least->burst_max;
	pgm_histogram_merge(&others->server, &least->server);
	pgm_histogram_merge(&others->wait, &least->wait);
	for (size_t i = 0; i < PGM_PROFILE_SQLSTATES; i++)
		count_sqlstate(others, least->sqlstates[i].code, least->sqlstates[i].count);
	struct pgm_profile_entry **link = bucket_of(profile, least);
	while (*link != least)
		link = &(*link)->chained;
	*link = least->chained;
	unlink_age(profile, least);
	free_entry(least);
	profile->entry_count--;
	profile->generation++;
}

static struct pgm_profile_entry *new_entry(const char *sql, size_t length, bool standard_strings)
{
	struct pgm_profile_entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	length = strnlen(sql, length);
	entry->cut = length > PGM_PROFILE_TEXT_MAX;
	entry->sql_length = (uint32_t)(entry->cut ? PGM_PROFILE_TEXT_MAX : length);
	entry->sql = malloc(entry->sql_length + 1);
	if (!entry->sql) {
		free(entry);
		return NULL;
	}
	memcpy(entry->sql, sql, entry->sql_length);
	entry->sql[entry->sql_length] = '\0';
	entry->standard_strings = standard_strings;
	return entry;
}

struct pgm_profile_entry *pgm_profile_find(struct pgm_profile *profile, uint64_t fingerprint,
					   const char *database, const char *user, const char *sql,
					   size_t length, bool standard_strings)
{
	uint64_t hash = hash_of(fingerprint, database, user);
	struct pgm_profile_entry **bucket = &profile->buckets[hash & (profile->bucket_count - 1)];
	for (struct pgm_profile_entry *entry = *bucket; entry; entry = entry->chained)
		if (entry->fingerprint == fingerprint && entry->database == database && entry->user == user)
			return entry;
	if (profile->entry_count == profile->entries_max)
		push_out(profile);
	struct pgm_profile_entry *entry = new_entry(sql, length, standard_strings);
	if (!entry)
		return profile->others;
	entry->fingerprint = fingerprint;
	entry->database = database;
	entry->user = user;
	entry->chained = *bucket;
	*bucket = entry;
	link_newest(profile, entry);
	profile->entry_count++;
	return entry;
}

const char *pgm_profile_text(const struct pgm_profile_entry *entry, size_t *length, bool *standard_strings)
{
	*length = entry->others ? 0 : entry->sql_length;
	*standard_strings = entry->standard_strings;
	return *length ? entry->sql : "";
}

bool pgm_profile_wants_sample(const struct pgm_profile_entry *entry)
{
	return !entry->others && !entry->cut && entry->calls >= entry->next_look;
}

void pgm_profile_add(struct pgm_profile *profile, struct pgm_profile_entry *entry,
		     const struct pgm_profile_call *call)
{
	if (!entry->others && profile->newest != entry) {
		unlink_age(profile, entry);
		link_newest(profile, entry);
	}
	if (pgm_profile_wants_sample(entry) && !call->failed)
		pgm_profile_look(profile, entry, call);
	entry->calls++;
	entry->rows += call->rows;
	entry->bytes_out += call->bytes_out;
	pgm_histogram_add(&entry->server, call->server_us);
	pgm_histogram_add(&entry->wait, call->wait_us);
	if (call->failed) {
		entry->errors++;
		count_sqlstate(entry, call->sqlstate, 1);
	}
	entry->bursts += call->client_burst == PGM_PROFILE_BURST;
	if (call->client_burst > entry->burst_max)
		entry->burst_max = call->client_burst;
	if (!entry->others && call->server_us > entry->slowest[PGM_PROFILE_SLOWEST - 1].us)
		pgm_profile_note_slow(entry, call);
}

void pgm_profile_transaction(struct pgm_profile *profile, const char *database, const char *user,
			     uint64_t total_us, uint64_t idle_us)
{
	size_t bucket = hash_of(0, database, user) >> 4 & (PGM_PROFILE_SESSION_BUCKETS - 1);
	struct pgm_profile_session *session = profile->sessions[bucket];
	while (session && (session->database != database || session->user != user))
		session = session->chained;
	if (!session && profile->session_count < PGM_PROFILE_SESSIONS_MAX &&
	    (session = calloc(1, sizeof(*session))) != NULL) {
		session->database = database;
		session->user = user;
		session->chained = profile->sessions[bucket];
		profile->sessions[bucket] = session;
		profile->session_count++;
	}
	if (!session)
		return;
	pgm_histogram_add(&session->total, total_us);
	pgm_histogram_add(&session->idle, idle_us);
}
