/*
 * What active backends waited for: locks, reading and writing, the server's own locks.
 */
#include "load/analysis_parts.h"

#include "util/format.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_SHARE 0.2 /* of the active backends, from which a kind of wait bounds a run */
#define LOOKS_MIN  3   /* fewer say nothing */

void pgm_load_sum_waits(struct pgm_arena *arena, struct pgm_load_wait_sums *sums,
			const struct pgm_load_sample *sample)
{
	for (size_t w = 0; w < sample->wait_count; w++) {
		const struct pgm_load_wait *wait = &sample->waits[w];
		size_t at = 0;
		if (!(wait->backends > 0))
			continue;
		while (at < sums->items.count && (strcmp(sums->items.items[at].type, wait->type) != 0 ||
						  strcmp(sums->items.items[at].event, wait->event) != 0))
			at++;
		if (at == sums->items.count)
			*pgm_vec_add(arena, &sums->items) = *wait;
		else
			sums->items.items[at].backends += wait->backends;
		sums->all += wait->backends;
	}
}

static int compare_waits(const void *a, const void *b)
{
	const struct pgm_load_wait *left = a, *right = b;
	return (left->backends < right->backends) - (left->backends > right->backends);
}

void pgm_load_sort_waits(struct pgm_load_wait_sums *sums)
{
	if (sums->items.count)
		qsort(sums->items.items, sums->items.count, sizeof(*sums->items.items), compare_waits);
}

static double share_of(const struct pgm_load_wait_sums *events, const char *type, const char *const *names)
{
	double sum = 0;
	for (size_t i = 0; i < events->items.count; i++) {
		bool named = !names;
		for (size_t n = 0; names && names[n] && !named; n++)
			named = strcmp(events->items.items[i].event, names[n]) == 0;
		if (named && strcmp(events->items.items[i].type, type) == 0)
			sum += events->items.items[i].backends;
	}
	return events->all > 0 ? sum / events->all : 0;
}

/* "transactionid 31 %, tuple 12 %": the three most frequent. */
static char *list_events(struct pgm_arena *arena, const struct pgm_load_wait_sums *events, const char *type)
{
	char *list = pgm_strdup(arena, "");
	size_t listed = 0;
	for (size_t i = 0; i < events->items.count && listed < 3; i++) {
		if (strcmp(events->items.items[i].type, type) != 0)
			continue;
		list = pgm_sprintf(arena, "%s%s%s %.0f %%", list, listed ? ", " : "",
				   events->items.items[i].event,
				   events->items.items[i].backends / events->all * 100);
		listed++;
	}
	return list;
}

static char *hit_text(const struct pgm_load_view *view)
{
	double blocks = view->means.hit + view->means.read;
	if (blocks < 1)
		return pgm_strdup(view->arena, "");
	return pgm_sprintf(view->arena, " %.1f %% of the blocks were found in shared_buffers.",
			   view->means.hit / blocks * 100);
}

static void find_locks(struct pgm_load_view *view, const struct pgm_load_wait_sums *events)
{
	double share = share_of(events, "Lock", NULL);
	if (share < WAIT_SHARE)
		return;
	pgm_load_add_cause(
		view, PGM_LOAD_BY_LOCKS,
		pgm_sprintf(view->arena, "Of the active backends %.0f %% waited for locks (%s).", share * 100,
			    list_events(view->arena, events, "Lock")),
		"Make the transactions shorter that hold them, and change rows that many want in one "
		"order and late. \"pgmend sessions\" shows during a run who blocks whom. A larger pool "
		"or more connections would only wait with them.");
}

static const char *io_advice(const struct pgm_load_wait_sums *events, double share)
{
	static const char *const commits[] = {"WALSync", "WALWrite", "WalSync", "WalWrite", NULL};
	static const char *const spills[] = {"BufFileRead", "BufFileWrite", NULL};
	static const char *const reads[] = {"DataFileRead", "DataFilePrefetch", NULL};
	if (share_of(events, "IO", commits) > share / 2)
		return "It is the WAL that transactions wait for when they commit: put more rows into each, "
		       "or its "
		       "files on faster storage; synchronous_commit = off where losing the last of them is "
		       "allowed.";
	if (share_of(events, "IO", spills) > share / 2)
		return "Sorts and hashes spill to temporary files: raise work_mem for these statements, or "
		       "give "
		       "them indexes (\"pgmend advise\").";
	if (share_of(events, "IO", reads) > share / 2)
		return "Let the statements read less (\"pgmend advise\"), or give the server more memory "
		       "(shared_buffers).";
	return "Faster storage, or fewer blocks written and read.";
}

static void find_io(struct pgm_load_view *view, const struct pgm_load_wait_sums *events)
{
	double share = share_of(events, "IO", NULL);
	if (share < WAIT_SHARE)
		return;
	pgm_load_add_cause(view, PGM_LOAD_BY_IO,
			   pgm_sprintf(view->arena,
				       "Of the active backends %.0f %% waited for reading or writing (%s).%s",
				       share * 100, list_events(view->arena, events, "IO"), hit_text(view)),
			   io_advice(events, share));
}

static void find_lwlocks(struct pgm_load_view *view, const struct pgm_load_wait_sums *events)
{
	static const char *const wal[] = {"WALWrite", "WALInsert", "WALWriteLock", "WALInsertLock", NULL};
	static const char *const managers[] = {"LockManager", "lock_manager", "LockFastPath", NULL};
	double share = share_of(events, "LWLock", NULL);
	const char *advice = "Fewer connections at a time (a smaller pool) make these waits shorter.";
	if (share < WAIT_SHARE)
		return;
	if (share_of(events, "LWLock", wal) > share / 2)
		advice =
			"They write the same log: put more rows into each transaction, so that fewer commit.";
	else if (share_of(events, "LWLock", managers) > share / 2)
		advice = "Statements that touch many partitions or indexes fill the table of locks: let each "
			 "name "
			 "its partition, drop unused indexes, use prepared statements.";
	pgm_load_add_cause(
		view, PGM_LOAD_BY_LWLOCKS,
		pgm_sprintf(view->arena,
			    "Of the active backends %.0f %% waited for the server's internal locks (%s).",
			    share * 100, list_events(view->arena, events, "LWLock")),
		advice);
}

void pgm_load_find_waits(struct pgm_load_view *view)
{
	struct pgm_load_wait_sums events = {0};
	if (view->means.servers < LOOKS_MIN)
		return;
	for (size_t i = 0; i < view->target->sample_count; i++) {
		const struct pgm_load_sample *sample = &view->target->samples[i];
		if (sample->has_server && pgm_load_sample_counts(view, sample))
			pgm_load_sum_waits(view->arena, &events, sample);
	}
	/* Less than one backend at a time: nothing bounds such a run from inside the server. */
	if (events.all < (double)view->means.servers)
		return;
	pgm_load_sort_waits(&events);
	find_locks(view, &events);
	find_io(view, &events);
	find_lwlocks(view, &events);
}
