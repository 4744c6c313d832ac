#include "pool/pairs.h"

#include "util/hash.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUCKETS 1024

struct pgm_pairs {
	struct pgm_pairs *next; /* of its bucket */
	uint64_t hash;
	size_t refs; /* under the lock */
	size_t count;
	struct pgm_pair items[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the buckets and every refs */
static struct pgm_pairs *buckets[BUCKETS];
static size_t live;			     /* under the lock, too */
static struct pgm_pairs empty = {.refs = 1}; /* never freed: a session without settings needs no memory */

static int by_name(const void *a, const void *b)
{
	const struct pgm_pair *const *x = a, *const *y = b;
	int order = strcasecmp((*x)->name, (*y)->name);
	return order ? order : (*x > *y) - (*x < *y);
}

static bool same(const struct pgm_pairs *set, const struct pgm_pair *const *items, size_t count)
{
	if (set->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(set->items[i].name, items[i]->name) != 0 ||
		    strcmp(set->items[i].value, items[i]->value) != 0)
			return false;
	return true;
}

static struct pgm_pairs *copy_of(const struct pgm_pair *const *items, size_t count, uint64_t hash)
{
	size_t size = sizeof(struct pgm_pairs) + count * sizeof(struct pgm_pair);
	for (size_t i = 0; i < count; i++)
		size += strlen(items[i]->name) + strlen(items[i]->value) + 2;
	struct pgm_pairs *set = malloc(size);
	if (!set)
		return NULL;
	char *text = (char *)&set->items[count];
	*set = (struct pgm_pairs){.hash = hash, .refs = 1, .count = count};
	for (size_t i = 0; i < count; i++) {
		set->items[i].name = text;
		text = stpcpy(text, items[i]->name) + 1;
		set->items[i].value = text;
		text = stpcpy(text, items[i]->value) + 1;
	}
	return set;
}

static const struct pgm_pairs *intern(const struct pgm_pair *const *items, size_t count)
{
	uint64_t hash = count;
	if (!count)
		return pgm_pairs_hold(&empty);
	for (size_t i = 0; i < count; i++) {
		for (const char *c = items[i]->name; *c; c++) {
			char lower = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
			hash = pgm_hash_bytes(hash, &lower, 1);
		}
		hash = pgm_hash_bytes(hash, items[i]->value, strlen(items[i]->value) + 1);
	}
	pthread_mutex_lock(&lock);
	struct pgm_pairs **bucket = &buckets[hash % BUCKETS], *set = *bucket;
	while (set && (set->hash != hash || !same(set, items, count)))
		set = set->next;
	if (set) {
		set->refs++;
	} else if ((set = copy_of(items, count, hash))) {
		set->next = *bucket;
		*bucket = set;
		live++;
	}
	pthread_mutex_unlock(&lock);
	return set;
}

const struct pgm_pairs *pgm_pairs_of(const struct pgm_pair *pairs, size_t count)
{
	if (!count)
		return pgm_pairs_hold(&empty);
	const struct pgm_pair **sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &pairs[i];
	qsort(sorted, count, sizeof(*sorted), by_name);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || strcasecmp(sorted[i]->name, sorted[i + 1]->name) != 0)
			sorted[kept++] = sorted[i];
	const struct pgm_pairs *set = intern(sorted, kept);
	free(sorted);
	return set;
}

const struct pgm_pairs *pgm_pairs_hold(const struct pgm_pairs *set)
{
	pthread_mutex_lock(&lock);
	((struct pgm_pairs *)(uintptr_t)set)->refs++;
	pthread_mutex_unlock(&lock);
	return set;
}

void pgm_pairs_drop(const struct pgm_pairs *set)
{
	if (!set)
		return;
	pthread_mutex_lock(&lock);
	struct pgm_pairs *mine = (struct pgm_pairs *)(uintptr_t)set;
	if (--mine->refs > 0) {
		pthread_mutex_unlock(&lock);
		return;
	}
	struct pgm_pairs **link = &buckets[mine->hash % BUCKETS];
	while (*link != mine)
		link = &(*link)->next;
	*link = mine->next;
	live--;
	pthread_mutex_unlock(&lock);
	free(mine);
}

const struct pgm_pairs *pgm_pairs_with(const struct pgm_pairs *set, const char *name, const char *value)
{
	const char *old = pgm_pairs_get(set, name);
	if ((old && value && strcmp(old, value) == 0) || (!old && !value))
		return pgm_pairs_hold(set);
	struct pgm_pair *items = malloc((set->count + 1) * sizeof(*items));
	if (!items)
		return NULL;
	size_t count = 0;
	for (size_t i = 0; i < set->count; i++)
		if (strcasecmp(set->items[i].name, name) != 0)
			items[count++] = set->items[i];
	if (value)
		items[count++] = (struct pgm_pair){name, value};
	const struct pgm_pairs *changed = pgm_pairs_of(items, count);
	free(items);
	return changed;
}

const char *pgm_pairs_get(const struct pgm_pairs *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcasecmp(set->items[i].name, name) == 0)
			return set->items[i].value;
	return NULL;
}

size_t pgm_pairs_count(const struct pgm_pairs *set)
{
	return set->count;
}

const struct pgm_pair *pgm_pairs_at(const struct pgm_pairs *set, size_t index)
{
	return &set->items[index];
}

size_t pgm_pairs_live(void)
{
	pthread_mutex_lock(&lock);
	size_t count = live;
	pthread_mutex_unlock(&lock);
	return count;
}
