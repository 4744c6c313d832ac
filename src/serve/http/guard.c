#include "serve/http/parts.h"

#include "util/clock.h"
#include "util/hash.h"

/* Two addresses that share a slot take it from each other: forgetting is harmless, tokens cannot be guessed;
 * this keeps those who try from filling the log and the processor. */
bool pgm_guard_failed(struct pgm_guard *guard, const char *remote)
{
	uint64_t address = pgm_hash_string(remote);
	double now = pgm_clock_ms();
	size_t slot = address % PGM_GUARD_SLOTS;
	if (guard->slots[slot].address != address) {
		guard->slots[slot].address = address;
		guard->slots[slot].level = 0;
		guard->slots[slot].at_ms = now;
	}
	double level = guard->slots[slot].level - (now - guard->slots[slot].at_ms) * PGM_GUARD_SECOND / 1000;
	level = level < 0 ? 0 : level;
	bool full = level + 1 > PGM_GUARD_SECOND;
	guard->slots[slot].level = full ? level : level + 1;
	guard->slots[slot].at_ms = now;
	return full;
}
