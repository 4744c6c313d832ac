/* A doubly linked list whose links are members of its items. A zeroed list is not empty: pgm_list_init()
 * first. */
#ifndef PGM_POOL_LIST_H
#define PGM_POOL_LIST_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct pgm_link {
	struct pgm_link *next, *prev;
};

struct pgm_list {
	struct pgm_link head;
	size_t count;
};

static inline void pgm_list_init(struct pgm_list *list)
{
	list->head.next = list->head.prev = &list->head;
	list->count = 0;
}

static inline void pgm_list_insert_(struct pgm_list *list, struct pgm_link *after, struct pgm_link *link)
{
	link->prev = after;
	link->next = after->next;
	after->next->prev = link;
	after->next = link;
	list->count++;
}

static inline void pgm_list_push(struct pgm_list *list, struct pgm_link *link) /* to the front */
{
	pgm_list_insert_(list, &list->head, link);
}

static inline void pgm_list_append(struct pgm_list *list, struct pgm_link *link)
{
	pgm_list_insert_(list, list->head.prev, link);
}

static inline void pgm_list_remove(struct pgm_list *list, struct pgm_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
	list->count--;
}

static inline struct pgm_link *pgm_list_first(const struct pgm_list *list) /* NULL: empty */
{
	return list->count ? list->head.next : NULL;
}

static inline struct pgm_link *pgm_list_last(const struct pgm_list *list)
{
	return list->count ? list->head.prev : NULL;
}

/* The body may remove the item itself. */
#define pgm_list_each(list, item, type, member)                                                \
	for (struct pgm_link *link_ = (list)->head.next, *next_ = link_->next;                 \
	     link_ != &(list)->head && ((item) = pgm_container_of(link_, type, member), true); \
	     link_ = next_, next_ = link_->next)

#endif
