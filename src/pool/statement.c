#include "pool/statement.h"

#include "util/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX	"PGM_"
#define BUCKETS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the buckets, ids and every refs */
static struct pgm_prepared *buckets[BUCKETS];
static uint32_t last_id;
static size_t live; /* under the lock, too */
static _Atomic uint32_t epoch;

void pgm_prepared_new_epoch(void)
{
	atomic_fetch_add(&epoch, 1);
}

bool pgm_prepared_is_ours(const char *name, size_t length)
{
	return length > strlen(PREFIX) && memcmp(name, PREFIX, strlen(PREFIX)) == 0;
}

struct pgm_prepared *pgm_prepared_of(const void *scope, const uint8_t *body, size_t length, size_t sql_length,
				     const struct pgm_pairs *settings, bool standard_strings)
{
	uint32_t now = atomic_load(&epoch);
	uint64_t hash = pgm_hash_bytes((uint64_t)(uintptr_t)settings + (uint64_t)(uintptr_t)scope * 31 + now,
				       body, length);
	pthread_mutex_lock(&lock);
	struct pgm_prepared **bucket = &buckets[hash % BUCKETS], *found = *bucket;
	while (found && (found->hash != hash || found->epoch != now || found->settings != settings ||
			 found->scope != scope || found->body_length != length ||
			 memcmp(found->body, body, length) != 0))
		found = found->next;
	if (found) {
		found->refs++;
	} else if ((found = malloc(sizeof(*found) + length))) {
		*found = (struct pgm_prepared){.next = *bucket,
					       .hash = hash,
					       .refs = 1,
					       .id = ++last_id,

					       .epoch = now,
					       .scope = scope,
					       .settings = pgm_pairs_hold(settings),
					       .sql_length = sql_length,
					       .body_length = length};
		snprintf(found->name, sizeof(found->name), PREFIX "%u", found->id);
		memcpy(found->body, body, length);
		pgm_scan_sql((const char *)body, sql_length, standard_strings, &found->scan);
		*bucket = found;
		live++;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

struct pgm_prepared *pgm_prepared_hold(struct pgm_prepared *prepared)
{
	pthread_mutex_lock(&lock);
	prepared->refs++;
	pthread_mutex_unlock(&lock);
	return prepared;
}

void pgm_prepared_drop(struct pgm_prepared *prepared)
{
	if (!prepared)
		return;
	pthread_mutex_lock(&lock);
	if (--prepared->refs > 0) {
		pthread_mutex_unlock(&lock);
		return;
	}
	struct pgm_prepared **link = &buckets[prepared->hash % BUCKETS];
	while (*link != prepared)
		link = &(*link)->next;
	*link = prepared->next;
	live--;
	pthread_mutex_unlock(&lock);
	pgm_pairs_drop(prepared->settings);
	free(prepared);
}

size_t pgm_prepared_live(void)
{
	pthread_mutex_lock(&lock);
	size_t count = live;
	pthread_mutex_unlock(&lock);
	return count;
}

/* ---- a client's names ---- */

struct pgm_named {
	char *name; /* NULL: free */
	struct pgm_prepared *prepared;
};

static size_t name_slot(const struct pgm_names *names, const char *name)
{
	size_t at = pgm_hash_string(name) & (names->capacity - 1);
	while (names->slots[at].name && strcmp(names->slots[at].name, name) != 0)
		at = (at + 1) & (names->capacity - 1);
	return at;
}

struct pgm_prepared *pgm_names_get(const struct pgm_names *names, const char *name)
{
	return names->count ? names->slots[name_slot(names, name)].prepared : NULL;
}

static bool grow_names(struct pgm_names *names)
{
	struct pgm_names grown = {.capacity = names->capacity ? names->capacity * 2 : 8};
	grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	for (size_t i = 0; i < names->capacity; i++)
		if (names->slots[i].name)
			grown.slots[name_slot(&grown, names->slots[i].name)] = names->slots[i];
	free(names->slots);
	names->slots = grown.slots;
	names->capacity = grown.capacity;
	return true;
}

bool pgm_names_put(struct pgm_names *names, const char *name, struct pgm_prepared *prepared)
{
	if ((names->count + 1) * 4 > names->capacity * 3 && !grow_names(names))
		return false;
	struct pgm_named *slot = &names->slots[name_slot(names, name)];
	if (slot->name) {
		names->bytes -= slot->prepared->body_length;
		pgm_prepared_drop(slot->prepared);
	} else {
		slot->name = strdup(name);
		if (!slot->name)
			return false;
		names->count++;
		names->bytes += strlen(name);
	}
	names->bytes += prepared->body_length;
	slot->prepared = prepared;
	return true;
}

void pgm_names_remove(struct pgm_names *names, const char *name)
{
	if (!names->count)
		return;
	size_t at = name_slot(names, name), mask = names->capacity - 1;
	if (!names->slots[at].name)
		return;
	names->bytes -= strlen(name) + names->slots[at].prepared->body_length;
	free(names->slots[at].name);
	pgm_prepared_drop(names->slots[at].prepared);
	names->slots[at] = (struct pgm_named){0};
	names->count--;
	/* those behind it may have been put there because it was taken */
	for (size_t next = (at + 1) & mask; names->slots[next].name; next = (next + 1) & mask) {
		struct pgm_named moved = names->slots[next];
		names->slots[next] = (struct pgm_named){0};
		names->slots[name_slot(names, moved.name)] = moved;
	}
}

void pgm_names_clear(struct pgm_names *names)
{
	for (size_t i = 0; i < names->capacity; i++) {
		free(names->slots[i].name);
		pgm_prepared_drop(names->slots[i].prepared);
	}
	free(names->slots);
	*names = (struct pgm_names){0};
}

uint32_t pgm_name_tag(const char *name)
{
	return (uint32_t)pgm_hash_string(name) | 1;
}

const char *pgm_names_of(const struct pgm_names *names, const char *ours, size_t length, uint32_t tag)
{
	const char *found = NULL;
	for (size_t i = 0; i < names->capacity; i++) {
		const char *name = names->slots[i].name;
		if (!name || strlen(names->slots[i].prepared->name) != length ||
		    memcmp(names->slots[i].prepared->name, ours, length) != 0)
			continue;
		if (!found || pgm_name_tag(name) == tag)
			found = name;
	}
	return found;
}

/* ---- what a server holds ---- */

struct pgm_held {
	struct pgm_prepared *prepared; /* NULL: free */
	uint64_t used;
};

static size_t held_slot(const struct pgm_holding *holding, const struct pgm_prepared *prepared)
{
	size_t at = prepared->id * 2654435761u & (holding->capacity - 1);
	while (holding->slots[at].prepared && holding->slots[at].prepared != prepared)
		at = (at + 1) & (holding->capacity - 1);
	return at;
}

bool pgm_holding_touch(struct pgm_holding *holding, struct pgm_prepared *prepared)
{
	if (!holding->count)
		return false;
	struct pgm_held *slot = &holding->slots[held_slot(holding, prepared)];
	if (!slot->prepared)
		return false;
	slot->used = ++holding->clock;
	return true;
}

bool pgm_holding_add(struct pgm_holding *holding, struct pgm_prepared *prepared)
{
	if ((holding->count + 1) * 2 > holding->capacity) {
		struct pgm_holding grown = {.capacity = holding->capacity ? holding->capacity * 2 : 16};
		grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
		if (!grown.slots)
			return false;
		for (size_t i = 0; i < holding->capacity; i++)
			if (holding->slots[i].prepared)
				grown.slots[held_slot(&grown, holding->slots[i].prepared)] =
					holding->slots[i];
		free(holding->slots);
		holding->slots = grown.slots;
		holding->capacity = grown.capacity;
	}
	struct pgm_held *slot = &holding->slots[held_slot(holding, prepared)];
	if (!slot->prepared) {
		slot->prepared = pgm_prepared_hold(prepared);
		holding->count++;
	}
	slot->used = ++holding->clock;
	return true;
}

void pgm_holding_remove(struct pgm_holding *holding, struct pgm_prepared *prepared)
{
	if (!holding->count)
		return;
	size_t at = held_slot(holding, prepared), mask = holding->capacity - 1;
	if (!holding->slots[at].prepared)
		return;
	holding->slots[at].prepared = NULL;
	holding->count--;
	for (size_t next = (at + 1) & mask; holding->slots[next].prepared; next = (next + 1) & mask) {
		struct pgm_held moved = holding->slots[next];
		holding->slots[next].prepared = NULL;
		holding->slots[held_slot(holding, moved.prepared)] = moved;
	}
	pgm_prepared_drop(prepared);
}

void pgm_holding_clear(struct pgm_holding *holding)
{
	for (size_t i = 0; i < holding->capacity; i++)
		pgm_prepared_drop(holding->slots[i].prepared);
	free(holding->slots);
	*holding = (struct pgm_holding){.clock = holding->clock};
}

struct pgm_prepared *pgm_holding_oldest(const struct pgm_holding *holding, uint64_t since)
{
	const struct pgm_held *oldest = NULL;
	for (size_t i = 0; i < holding->capacity; i++) {
		const struct pgm_held *slot = &holding->slots[i];
		if (slot->prepared && slot->used <= since && (!oldest || slot->used < oldest->used))
			oldest = slot;
	}
	return oldest ? oldest->prepared : NULL;
}
