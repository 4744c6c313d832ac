/*
 * From "who waits for whom" to a tree. A session can wait for several: it hangs below one that holds the
 * lock, rather than below one that only stands before it in the queue, and below the deepest of these, so
 * that the whole chain shows. Whoever waits for nobody is a root.
 */
#include "sessions/sessions.h"

#include <string.h>

struct walk {
	struct pgm_sessions *sessions;
	bool *seen; /* scratch of one walk */
	size_t *stack;
};

/* Marks everyone that a session waits for, directly or not; whether it comes back to itself. */
static bool mark_blockers(struct walk *walk, size_t from)
{
	const struct pgm_sessions *sessions = walk->sessions;
	size_t depth = 0;
	bool circle = false;
	memset(walk->seen, 0, sessions->count * sizeof(bool));
	walk->stack[depth++] = from;
	while (depth) {
		const struct pgm_session *at = &sessions->items[walk->stack[--depth]];
		for (size_t e = 0; e < at->edge_count; e++) {
			size_t blocker = at->edges[e].blocker;
			circle |= blocker == from;
			if (walk->seen[blocker])
				continue;
			walk->seen[blocker] = true;
			walk->stack[depth++] = blocker;
		}
	}
	return circle;
}

/* How many sessions stand above it, by the parents that are known so far. */
static size_t depth_of(const struct pgm_sessions *sessions, size_t index)
{
	size_t depth = 0;
	for (; sessions->items[index].parent != PGM_SESSION_NONE && depth < sessions->count; depth++)
		index = sessions->items[index].parent;
	return depth;
}

static bool is_above(const struct pgm_sessions *sessions, size_t above, size_t index)
{
	for (size_t steps = 0; index != PGM_SESSION_NONE && steps <= sessions->count; steps++) {
		if (index == above)
			return true;
		index = sessions->items[index].parent;
	}
	return false;
}

/* Whether each that it waits for has its place; a circle is broken at its first member. */
static bool blockers_placed(const struct pgm_sessions *sessions, const bool *placed, size_t index)
{
	const struct pgm_session *session = &sessions->items[index];
	for (size_t e = 0; e < session->edge_count; e++)
		if (!placed[session->edges[e].blocker])
			return false;
	return true;
}

static void place(const struct pgm_sessions *sessions, const bool *placed, size_t index)
{
	struct pgm_session *session = &sessions->items[index];
	size_t best_depth = 0;
	for (size_t e = 0; e < session->edge_count; e++) {
		const struct pgm_session_edge *edge = &session->edges[e];
		if (!placed[edge->blocker] || is_above(sessions, index, edge->blocker))
			continue;
		size_t depth = depth_of(sessions, edge->blocker);
		bool better = session->parent == PGM_SESSION_NONE ||
			      (edge->queue == session->below_queue ? depth > best_depth : !edge->queue);
		if (!better)
			continue;
		session->parent = edge->blocker;
		session->below_queue = edge->queue;
		best_depth = depth;
	}
}

void pgm_sessions_build_tree(struct pgm_sessions *sessions, struct pgm_arena *arena)
{
	struct walk walk = {sessions, PGM_NEW_ARRAY(arena, bool, sessions->count + 1),
			    PGM_NEW_ARRAY(arena, size_t, sessions->count + 1)};
	bool *placed = PGM_NEW_ARRAY(arena, bool, sessions->count + 1);
	for (size_t i = 0; i < sessions->count; i++) {
		struct pgm_session *waiter = &sessions->items[i];
		if (!waiter->edge_count)
			continue;
		waiter->deadlock = mark_blockers(&walk, i);
		for (size_t b = 0; b < sessions->count; b++) {
			struct pgm_session *blocker = &sessions->items[b];
			if (!walk.seen[b] || b == i)
				continue;
			blocker->blocks++;
			if (waiter->wait_s > blocker->blocks_s)
				blocker->blocks_s = waiter->wait_s;
		}
		for (size_t e = 0; e < waiter->edge_count; e++)
			sessions->items[waiter->edges[e].blocker].blocks_direct++;
	}
	for (size_t left = sessions->count; left;) {
		size_t before = left, first = PGM_SESSION_NONE;
		for (size_t i = 0; i < sessions->count; i++) {
			if (placed[i])
				continue;
			if (!blockers_placed(sessions, placed, i)) {
				/* Of a circle only: what hangs below one is placed after it. */
				if (first == PGM_SESSION_NONE && sessions->items[i].deadlock)
					first = i;
				continue;
			}
			place(sessions, placed, i);
			placed[i] = true;
			left--;
		}
		if (left == before) {
			if (first == PGM_SESSION_NONE)
				return;
			place(sessions, placed, first);
			placed[first] = true;
			left--;
		}
	}
}
