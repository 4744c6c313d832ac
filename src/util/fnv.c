/* Apart from the map, because libpgmend, which has no arena, uses it. */
#include "util/hash.h"

#include <string.h>

uint64_t pgm_hash_bytes(uint64_t seed, const void *data, size_t length)
{
	const unsigned char *bytes = data;
	uint64_t hash = seed ^ 0xcbf29ce484222325u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

uint64_t pgm_hash_string(const char *text)
{
	return pgm_hash_bytes(0, text, strlen(text));
}
