/*
 * The values that statements were called with: samples drawn at random, the slowest calls, and how often
 * which value came. Not every call is looked at: all of the first, then about every 16th.
 */
#include "pool/profile/literal.h"
#include "pool/profile/profile_entry.h"
#include "pool/scan/scan.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AT_ALL	64
#define LOOK_EVERY	16
#define SAMPLE_TEXT_MAX (PGM_PROFILE_TEXT_MAX + 4 * PGM_PROFILE_SAMPLE_BYTES_MAX)

/* Space-saving (Metwally, Agrawal, El Abbadi 2005): a new value takes the place, and count, of the rarest. */
void pgm_profile_count_value(struct pgm_profile_values *values, const char *literal, uint32_t count,
			     uint32_t error)
{
	struct pgm_profile_top *least = &values->top[0];
	for (size_t i = 0; i < PGM_PROFILE_TOP; i++) {
		struct pgm_profile_top *top = &values->top[i];
		if (top->count && strcmp(top->literal, literal) == 0) {
			top->count += count;
			top->error += error;
			return;
		}
		if (top->count < least->count)
			least = top;
	}
	least->error = least->count + error;
	least->count += count;
	strcpy(least->literal, literal);
}

struct counting {
	struct pgm_profile_entry *entry;
	const struct pgm_bind_values *bind;
	bool open; /* a parameter whose value is not known */
};

/* A value of the text, or the parameter's that stands there. */
static void count_value(void *data, unsigned number, const char *at, size_t length)
{
	struct counting *counting = data;
	char literal[PGM_PROFILE_VALUE_MAX];
	bool parameter_token = *at == '$' && length > 1 && at[1] >= '0' && at[1] <= '9';
	counting->open |= parameter_token && !counting->bind;
	if (number == 0 || number > PGM_PROFILE_VALUES)
		return;
	struct pgm_profile_values **values = &counting->entry->values[number - 1];
	if (!*values)
		*values = calloc(1, sizeof(**values));
	if (!*values)
		return;
	(*values)->looked++;
	if (parameter_token) {
		unsigned long parameter = strtoul(at + 1, NULL, 10);
		if (!counting->bind || parameter == 0 || parameter > counting->bind->count ||
		    !pgm_bind_literal(&counting->bind->items[parameter - 1], literal, sizeof(literal)))
			return;
	} else {
		if (length >= sizeof(literal))
			return;
		memcpy(literal, at, length);
		literal[length] = '\0';
	}
	pgm_profile_count_value(*values, literal, 1, 0);
}

static void drop(struct pgm_profile_sample *sample)
{
	free(sample->data);
	*sample = (struct pgm_profile_sample){0};
}

/* Keep the call's values as they are; false where they are too large, or there is nothing to keep. */
static bool keep(struct pgm_profile_sample *sample, const struct pgm_profile_entry *entry,
		 const struct pgm_profile_call *call)
{
	size_t length = call->sql ? strnlen(call->sql, call->sql_length) : 0;
	bool same = length == entry->sql_length && (!length || memcmp(call->sql, entry->sql, length) == 0);
	size_t text = same || !call->sql ? 0 : length;
	size_t types = call->bind ? call->parameter_type_count : 0;
	size_t bind = call->bind ? call->bind_length : 0;
	if (types > PGM_BIND_VALUES_MAX)
		types = PGM_BIND_VALUES_MAX;
	size_t size = text + types * sizeof(uint32_t) + bind;
	if (bind > PGM_PROFILE_SAMPLE_BYTES_MAX || text > PGM_PROFILE_TEXT_MAX || entry->cut)
		return false;
	uint8_t *data = malloc(size ? size : 1);
	if (!data)
		return false;
	drop(sample);
	*sample = (struct pgm_profile_sample){.data = data,
					      .sql_length = (uint32_t)text,
					      .type_count = (uint32_t)types,
					      .bind_length = (uint32_t)bind};
	if (text)
		memcpy(data, call->sql, text);
	if (types)
		memcpy(data + text, call->parameter_types, types * sizeof(uint32_t));
	if (bind)
		memcpy(data + text + types * sizeof(uint32_t), call->bind, bind);
	return true;
}

/* Reservoir sampling (algorithm R) over the calls that are looked at. */
static void keep_sample(struct pgm_profile *profile, struct pgm_profile_entry *entry,
			const struct pgm_profile_call *call)
{
	uint64_t place = entry->looked;
	if (place >= PGM_PROFILE_SAMPLES)
		place = pgm_profile_random(profile) % (entry->looked + 1);
	if (place < PGM_PROFILE_SAMPLES && place <= entry->sample_count &&
	    keep(&entry->samples[place], entry, call) && place == entry->sample_count)
		entry->sample_count++;
	entry->looked++;
}

void pgm_profile_look(struct pgm_profile *profile, struct pgm_profile_entry *entry,
		      const struct pgm_profile_call *call)
{
	struct pgm_bind_values values;
	const char *sql = call->sql ? call->sql : entry->sql;
	size_t length = call->sql ? call->sql_length : entry->sql_length;
	uint64_t step =
		entry->calls < LOOK_AT_ALL ? 1 : 1 + pgm_profile_random(profile) % (2 * LOOK_EVERY - 1);
	entry->next_look = entry->calls + step;
	if (length > PGM_PROFILE_TEXT_MAX)
		return;
	bool bound = call->bind && pgm_bind_values(call->bind, call->bind_length, call->parameter_types,
						   call->parameter_type_count, &values);
	if (call->bind && !bound)
		return;
	struct counting counting = {.entry = entry, .bind = bound ? &values : NULL};
	pgm_scan_values(sql, length, entry->standard_strings, count_value, &counting);
	if (!counting.open)
		keep_sample(profile, entry, call);
}

void pgm_profile_note_slow(struct pgm_profile_entry *entry, const struct pgm_profile_call *call)
{
	size_t at = PGM_PROFILE_SLOWEST - 1;
	drop(&entry->slowest[at].sample);
	while (at > 0 && entry->slowest[at - 1].us < call->server_us) {
		entry->slowest[at] = entry->slowest[at - 1];
		at--;
	}
	struct pgm_profile_slow *slow = &entry->slowest[at];
	*slow = (struct pgm_profile_slow){.us = call->server_us, .unix_us = pgm_profile_now_us()};
	slow->has_sample = keep(&slow->sample, entry, call);
}

void pgm_profile_drop_values(struct pgm_profile_entry *entry)
{
	for (size_t i = 0; i < PGM_PROFILE_SAMPLES; i++)
		drop(&entry->samples[i]);
	for (size_t i = 0; i < PGM_PROFILE_SLOWEST; i++)
		drop(&entry->slowest[i].sample);
	for (size_t i = 0; i < PGM_PROFILE_VALUES; i++)
		free(entry->values[i]);
}

char *pgm_profile_sample_sql(struct pgm_arena *arena, const struct pgm_profile_entry *entry,
			     const struct pgm_profile_sample *sample)
{
	struct pgm_bind_values values;
	uint32_t types[PGM_BIND_VALUES_MAX];
	char text[SAMPLE_TEXT_MAX];
	const uint8_t *at = sample->data + sample->sql_length;
	const char *sql = sample->sql_length ? (const char *)sample->data : entry->sql;
	size_t length = sample->sql_length ? sample->sql_length : entry->sql_length;
	if (sample->type_count)
		memcpy(types, at, sample->type_count * sizeof(uint32_t));
	at += sample->type_count * sizeof(uint32_t);
	if (sample->bind_length &&
	    !pgm_bind_values(at, sample->bind_length, types, sample->type_count, &values))
		return NULL;
	length = pgm_bind_text(sql, length, entry->standard_strings, sample->bind_length ? &values : NULL,
			       text, sizeof(text));
	return length ? pgm_strndup(arena, text, length) : NULL;
}
