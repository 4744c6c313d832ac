/*
 * Which rows of an upsert have the same key: by two hashes of 64 bits of the encoded key, with random seeds,
 * so that no input can be made to collide. Keys that are equal for the server and differ in their bytes
 * (citext, other text forms of the same value) are not seen here; the server refuses their statement with
 * 21000, and batch_chunk.c sends them apart.
 */
#include "lib/batch.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void hash_bytes(uint64_t hash[2], const unsigned char *data, size_t length)
{
	size_t left = length;
	for (; left >= 8; left -= 8, data += 8) {
		uint64_t word;
		memcpy(&word, data, 8);
		hash[0] = mix(hash[0] ^ word, UINT64_C(0x9E3779B97F4A7C15));
		hash[1] = mix(hash[1] ^ word, UINT64_C(0xD6E8FEB86659FD93));
	}
	uint64_t word = (uint64_t)length << 56;
	if (left)
		memcpy(&word, data, left); /* at most seven bytes: the length stays in the eighth */
	hash[0] = mix(hash[0] ^ word, UINT64_C(0xE7037ED1A0B428DB));
	hash[1] = mix(hash[1] ^ word, UINT64_C(0x8EBC6AF09C88C6E3));
}

/* Values that are equal with other bytes: trailing spaces of char(n), digits shown of numeric, a negative
 * zero. */
static void hash_field(uint64_t hash[2], const struct pgm_batch_column *column, const unsigned char *field)
{
	static const unsigned char zeroes[8];
	size_t length = pgm_get32(field);
	const unsigned char *data = field + 4;
	if (column->as_text) {
		hash_bytes(hash, data, length);
		return;
	}
	switch (column->type->oid) {
	case PGM_OID_BPCHAR:
		while (length && data[length - 1] == ' ')
			length--;
		break;
	case PGM_OID_NUMERIC:
		if (length >= 8) {
			hash_bytes(hash, data, 6);
			data += 8;
			length -= 8;
		}
		break;
	case PGM_OID_FLOAT4:
	case PGM_OID_FLOAT8:
		if (length && data[0] == 0x80 && memcmp(data + 1, zeroes, length - 1) == 0)
			data = zeroes;
		break;
	default:
		break;
	}
	hash_bytes(hash, data, length);
}

static bool grow(struct pgm_keys *keys)
{
	size_t capacity = keys->capacity ? keys->capacity * 2 : 4096;
	struct pgm_key_slot *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return false;
	if (!keys->capacity) {
		keys->generation = 1;
		if (getrandom(keys->seed, sizeof(keys->seed), 0) != sizeof(keys->seed)) {
			free(slots);
			return false;
		}
	}
	for (size_t i = 0; i < keys->capacity; i++) {
		struct pgm_key_slot *old = &keys->slots[i];
		if (old->generation != keys->generation)
			continue;
		size_t at = old->hash[0] & (capacity - 1);
		while (slots[at].generation)
			at = (at + 1) & (capacity - 1);
		slots[at] = *old;
	}
	free(keys->slots);
	keys->slots = slots;
	keys->capacity = capacity;
	return true;
}

bool pgm_keys_check(struct pgmend_batch *b, const size_t *fields, bool *taken_away)
{
	struct pgm_keys *keys = &b->keys;
	struct pgm_rows *rows = &b->rows;
	uint32_t row = (uint32_t)(rows->count - 1);
	if ((keys->used + 1) * 2 > keys->capacity && !grow(keys))
		return false;
	uint64_t hash[2] = {keys->seed[0], keys->seed[1]};
	for (int i = 0; i < b->column_count; i++) {
		if (!b->columns[i].key)
			continue;
		const unsigned char *field = rows->bytes.data + fields[b->columns[i].key - 1];
		if (pgm_get32(field) == UINT32_MAX)
			return true; /* NULL conflicts with nothing */
		hash_field(hash, &b->columns[i], field);
	}
	/* A slot of an older statement is as good as an empty one: nothing of this statement was put behind
	 * it. */
	size_t at = hash[0] & (keys->capacity - 1);
	struct pgm_key_slot *slot = &keys->slots[at];
	while (slot->generation == keys->generation &&
	       (slot->hash[0] != hash[0] || slot->hash[1] != hash[1])) {
		at = (at + 1) & (keys->capacity - 1);
		slot = &keys->slots[at];
	}
	if (slot->generation != keys->generation) {
		*slot = (struct pgm_key_slot){{hash[0], hash[1]}, keys->generation, row};
		keys->used++;
		return true;
	}
	if (b->options.duplicates == PGMEND_DUPLICATES_LAST) {
		rows->rows[slot->row].left_out = true;
		rows->rows[row].earlier = slot->row + 1;
		slot->row = row;
		b->result.rows_duplicate++;
		return true;
	}
	rows->bytes.length = rows->rows[row].begin;
	rows->count--;
	*taken_away = true;
	if (b->options.duplicates == PGMEND_DUPLICATES_FIRST)
		b->result.rows_duplicate++;
	return true;
}

void pgm_keys_cut(struct pgmend_batch *b)
{
	struct pgm_keys *keys = &b->keys;
	if (b->options.duplicates != PGMEND_DUPLICATES_LAST || !keys->capacity)
		return; /* the others look at the whole batch */
	keys->used = 0;
	if (++keys->generation == 0) {
		memset(keys->slots, 0, keys->capacity * sizeof(*keys->slots));
		keys->generation = 1;
	}
}

void pgm_keys_done(struct pgm_keys *keys)
{
	free(keys->slots);
	*keys = (struct pgm_keys){0};
}
