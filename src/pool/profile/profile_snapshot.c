#include "pool/profile/profile_entry.h"
#include "pool/scan/scan.h"
#include "util/hash.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>

struct pgm_profile_merge {
	struct pgm_arena *arena;
	struct pgm_profile_snapshot *snapshot;
	struct pgm_map rows, sessions;
	PGM_VEC(struct pgm_profile_row *) list;
	PGM_VEC(struct pgm_profile_transactions) transactions;
	struct pgm_profile_row *others;
	bool values;
	bool one; /* the statement of this fingerprint alone */
	uint64_t fingerprint;
	bool transactions_only;
};

struct pgm_profile_merge *pgm_profile_merge_begin(struct pgm_arena *arena, bool values)
{
	struct pgm_profile_merge *merge = PGM_NEW(arena, struct pgm_profile_merge);
	merge->arena = arena;
	merge->values = values;
	merge->snapshot = PGM_NEW(arena, struct pgm_profile_snapshot);
	merge->snapshot->since_unix_us = INT64_MAX;
	pgm_map_init(&merge->rows, arena);
	pgm_map_init(&merge->sessions, arena);
	return merge;
}

void pgm_profile_merge_only(struct pgm_profile_merge *merge, uint64_t fingerprint)
{
	merge->one = true;
	merge->fingerprint = fingerprint;
}

void pgm_profile_merge_transactions(struct pgm_profile_merge *merge)
{
	merge->transactions_only = true;
}

/* The text that the row shows: longer than the statement by its numbers. */
static const char *query_of(struct pgm_arena *arena, const struct pgm_profile_entry *entry)
{
	size_t size = entry->sql_length * 2 + 64;
	char *text = pgm_arena_alloc(arena, size);
	pgm_scan_parameterize(entry->sql, entry->sql_length, entry->standard_strings, text, size);
	return text;
}

static struct pgm_profile_row *row_of(struct pgm_profile_merge *merge, const struct pgm_profile_entry *entry)
{
	struct pgm_arena *arena = merge->arena;
	struct pgm_profile_row *row = merge->others;
	char *key = entry->others
			    ? NULL
			    : pgm_sprintf(arena, "%016llx %s\n%s", (unsigned long long)entry->fingerprint,
					  entry->database, entry->user);
	if (key)
		row = pgm_map_get(&merge->rows, key);
	if (row)
		return row;
	row = PGM_NEW(arena, struct pgm_profile_row);
	row->query = "";
	if (!key)
		return merge->others = row;
	row->fingerprint = entry->fingerprint;
	row->database = pgm_strdup(arena, entry->database);
	row->user = pgm_strdup(arena, entry->user);
	row->query = query_of(arena, entry);
	pgm_map_set(&merge->rows, key, row);
	*pgm_vec_add(arena, &merge->list) = row;
	return row;
}

static void add_sqlstates(struct pgm_profile_row *row, const struct pgm_profile_entry *entry)
{
	for (size_t i = 0; i < PGM_PROFILE_SQLSTATES && *entry->sqlstates[i].code; i++)
		for (size_t j = 0; j < PGM_PROFILE_SQLSTATES; j++) {
			struct pgm_profile_sqlstate *state = &row->sqlstates[j];
			if (*state->code && strcmp(state->code, entry->sqlstates[i].code) != 0)
				continue;
			strcpy(state->code, entry->sqlstates[i].code);
			state->count += entry->sqlstates[i].count;
			break;
		}
}

static void add_slowest(struct pgm_profile_merge *merge, struct pgm_profile_row *row,
			const struct pgm_profile_entry *entry)
{
	for (size_t i = 0; i < PGM_PROFILE_SLOWEST && entry->slowest[i].us; i++) {
		const struct pgm_profile_slow *slow = &entry->slowest[i];
		size_t at = PGM_PROFILE_SLOWEST - 1;
		if (slow->us <= row->slowest[at].us)
			break;
		for (; at > 0 && row->slowest[at - 1].us < slow->us; at--)
			row->slowest[at] = row->slowest[at - 1];
		row->slowest[at] = (struct pgm_profile_example){.us = slow->us, .unix_us = slow->unix_us};
		if (slow->has_sample)
			row->slowest[at].sql = pgm_profile_sample_sql(merge->arena, entry, &slow->sample);
	}
}

static void add_values(struct pgm_profile_merge *merge, struct pgm_profile_row *row,
		       const struct pgm_profile_entry *entry)
{
	for (size_t i = 0; i < entry->sample_count; i++) {
		char *sql = pgm_profile_sample_sql(merge->arena, entry, &entry->samples[i]);
		bool known = !sql;
		for (size_t j = 0; j < row->sample_count && !known; j++)
			known = strcmp(row->samples[j], sql) == 0;
		if (!known && row->sample_count < PGM_PROFILE_SAMPLES)
			row->samples[row->sample_count++] = sql;
	}
	for (size_t i = 0; i < PGM_PROFILE_VALUES; i++) {
		const struct pgm_profile_values *values = entry->values[i];
		if (!values)
			continue;
		row->values[i].looked += values->looked;
		for (size_t j = 0; j < PGM_PROFILE_TOP; j++)
			if (values->top[j].count)
				pgm_profile_count_value(&row->values[i], values->top[j].literal,
							values->top[j].count, values->top[j].error);
	}
	add_slowest(merge, row, entry);
}

static void add_entry(struct pgm_profile_merge *merge, const struct pgm_profile_entry *entry)
{
	if (entry->calls == 0 || (merge->one && (entry->others || entry->fingerprint != merge->fingerprint)))
		return;
	struct pgm_profile_row *row = row_of(merge, entry);
	row->calls += entry->calls;
	row->errors += entry->errors;
	row->rows += entry->rows;
	row->bytes_out += entry->bytes_out;
	row->bursts += entry->bursts;
	if (entry->burst_max > row->burst_max)
		row->burst_max = entry->burst_max;
	pgm_histogram_merge(&row->server, &entry->server);
	pgm_histogram_merge(&row->wait, &entry->wait);
	add_sqlstates(row, entry);
	if (merge->values && !entry->others)
		add_values(merge, row, entry);
}

static void add_session(struct pgm_profile_merge *merge, const struct pgm_profile_session *session)
{
	char *key = pgm_sprintf(merge->arena, "%s\n%s", session->database, session->user);
	/* The place in the list, from 1: the list's items move when it grows. */
	size_t place = (size_t)(uintptr_t)pgm_map_get(&merge->sessions, key);
	if (place == 0) {
		*pgm_vec_add(merge->arena, &merge->transactions) = (struct pgm_profile_transactions){
			.database = pgm_strdup(merge->arena, session->database),
			.user = pgm_strdup(merge->arena, session->user)};
		place = merge->transactions.count;
		pgm_map_set(&merge->sessions, key, (void *)(uintptr_t)place);
	}
	pgm_histogram_merge(&merge->transactions.items[place - 1].total, &session->total);
	pgm_histogram_merge(&merge->transactions.items[place - 1].idle, &session->idle);
}

void pgm_profile_merge_add(struct pgm_profile_merge *merge, const struct pgm_profile *profile)
{
	if (!profile)
		return;
	if (profile->since_unix_us < merge->snapshot->since_unix_us)
		merge->snapshot->since_unix_us = profile->since_unix_us;
	if (!merge->transactions_only) {
		for (const struct pgm_profile_entry *entry = profile->newest; entry; entry = entry->older)
			add_entry(merge, entry);
		add_entry(merge, profile->others);
	}
	for (size_t i = 0; i < PGM_PROFILE_SESSION_BUCKETS && !merge->one; i++)
		for (const struct pgm_profile_session *session = profile->sessions[i]; session;
		     session = session->chained)
			add_session(merge, session);
}

static int compare_time(const void *a, const void *b)
{
	const struct pgm_profile_row *left = *(struct pgm_profile_row *const *)a;
	const struct pgm_profile_row *right = *(struct pgm_profile_row *const *)b;
	if (left->server.sum_us != right->server.sum_us)
		return left->server.sum_us < right->server.sum_us ? 1 : -1;
	return left->fingerprint < right->fingerprint ? -1 : left->fingerprint > right->fingerprint;
}

static int compare_transactions(const void *a, const void *b)
{
	const struct pgm_profile_transactions *left = a, *right = b;
	if (left->total.sum_us != right->total.sum_us)
		return left->total.sum_us < right->total.sum_us ? 1 : -1;
	int order = strcmp(left->database, right->database);
	return order ? order : strcmp(left->user, right->user);
}

static int compare_top(const void *a, const void *b)
{
	const struct pgm_profile_top *left = a, *right = b;
	return left->count < right->count   ? 1
	       : left->count > right->count ? -1
					    : strcmp(left->literal, right->literal);
}

struct pgm_profile_snapshot *pgm_profile_merge_end(struct pgm_profile_merge *merge)
{
	struct pgm_profile_snapshot *snapshot = merge->snapshot;
	snapshot->taken_unix_us = pgm_profile_now_us();
	if (snapshot->since_unix_us > snapshot->taken_unix_us)
		snapshot->since_unix_us = snapshot->taken_unix_us;
	for (size_t i = 0; i < merge->list.count; i++)
		for (size_t j = 0; j < PGM_PROFILE_VALUES; j++)
			qsort(merge->list.items[i]->values[j].top, PGM_PROFILE_TOP,
			      sizeof(struct pgm_profile_top), compare_top);
	if (merge->list.count)
		qsort(merge->list.items, merge->list.count, sizeof(*merge->list.items), compare_time);
	if (merge->transactions.count)
		qsort(merge->transactions.items, merge->transactions.count,
		      sizeof(*merge->transactions.items), compare_transactions);
	if (merge->others)
		*pgm_vec_add(merge->arena, &merge->list) = merge->others;
	snapshot->rows = merge->list.items;
	snapshot->row_count = merge->list.count;
	snapshot->transactions = merge->transactions.items;
	snapshot->transaction_count = merge->transactions.count;
	return snapshot;
}

struct pgm_profile_snapshot *pgm_profile_snapshot(struct pgm_arena *arena,
						  struct pgm_profile *const *profiles, size_t count)
{
	struct pgm_profile_merge *merge = pgm_profile_merge_begin(arena, true);
	for (size_t i = 0; i < count; i++)
		pgm_profile_merge_add(merge, profiles[i]);
	return pgm_profile_merge_end(merge);
}
