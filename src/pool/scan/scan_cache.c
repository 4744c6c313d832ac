#include "pool/scan/scan_cache.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS	 256
#define TEXT_MAX 1024

struct slot {
	uint64_t last; /* the hash of the text that came here last and is not the one that is kept */
	uint64_t hash;
	char *text; /* NULL: none */
	size_t length;
	bool standard_strings;
	struct pgm_scan scan;
};

struct pgm_scan_cache {
	struct slot slots[SLOTS];
};

struct pgm_scan_cache *pgm_scan_cache_new(void)
{
	return calloc(1, sizeof(struct pgm_scan_cache));
}

void pgm_scan_cache_free(struct pgm_scan_cache *cache)
{
	for (size_t i = 0; cache && i < SLOTS; i++)
		free(cache->slots[i].text);
	free(cache);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

/* Eight bytes a step. Who makes texts that meet in one slot gets them scanned, no more. */
static uint64_t hash_of(const char *text, size_t length, bool standard_strings)
{
	uint64_t hash = mix(length, standard_strings), word = 0;
	for (; length >= sizeof(word); text += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, text, length);
	return mix(hash, word);
}

/* Without memory it stays as it was. */
static void keep(struct slot *slot, uint64_t hash, const char *sql, size_t length, bool standard_strings,
		 const struct pgm_scan *scan)
{
	char *text = malloc(length ? length : 1);
	if (!text)
		return;
	free(slot->text);
	memcpy(text, sql, length);
	*slot = (struct slot){.hash = hash,
			      .text = text,
			      .length = length,
			      .standard_strings = standard_strings,
			      .scan = *scan};
}

void pgm_scan_again(struct pgm_scan_cache *cache, const char *sql, size_t length, bool standard_strings,
		    struct pgm_scan *scan)
{
	if (length > TEXT_MAX) {
		pgm_scan_sql(sql, length, standard_strings, scan);
		return;
	}
	uint64_t hash = hash_of(sql, length, standard_strings);
	struct slot *slot = &cache->slots[hash % SLOTS];
	if (slot->text && slot->hash == hash && slot->length == length &&
	    slot->standard_strings == standard_strings && memcmp(slot->text, sql, length) == 0) {
		*scan = slot->scan;
		return;
	}
	pgm_scan_sql(sql, length, standard_strings, scan);
	if (slot->last == hash)
		keep(slot, hash, sql, length, standard_strings, scan);
	else
		slot->last = hash;
}
