/* Other settings while alerts run: read by whoever says so, taken by the delivery thread. */
#include "serve/alert/parts.h"

#include <stdlib.h>
#include <string.h>

void pgm_alert_settings_done(struct pgm_alert_settings *settings)
{
	for (size_t i = 0; i < settings->receiver_count; i++)
		explicit_bzero(settings->receivers[i].url, strlen(settings->receivers[i].url));
	if (settings->header)
		explicit_bzero(settings->header, strlen(settings->header));
	pgm_arena_free(settings->arena);
}

static void replace_next(struct pgm_alerts *alerts, struct pgm_alert_settings *next)
{
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_settings *old = alerts->next;
	alerts->next = next;
	pthread_cond_signal(&alerts->wake);
	pthread_mutex_unlock(&alerts->lock);
	if (old)
		pgm_alert_settings_done(old);
	free(old);
}

bool pgm_alerts_reload(struct pgm_alerts *alerts, const struct pgm_serve_line *settings, size_t setting_count,
		       struct pgm_error *err)
{
	struct pgm_alert_settings *next = pgm_alert_memory(sizeof(*next));
	bool right = pgm_alert_settings_read(next, settings, setting_count, err);
	if (right) {
		replace_next(alerts, next);
	} else {
		pgm_alert_settings_done(next);
		free(next);
	}
	return right;
}

static void init_queue(struct pgm_alert_queue *queue)
{
	*queue = (struct pgm_alert_queue){0};
	queue->last = &queue->first;
}

/* Those of receivers that stay keep what waits; the others' are left in old. */
static void sort_queues(struct pgm_alerts *alerts, const struct pgm_alert_settings *next,
			struct pgm_alert_queue old[PGM_ALERT_RECEIVERS_MAX])
{
	memcpy(old, alerts->queues, sizeof(alerts->queues));
	for (size_t i = 0; i < PGM_ALERT_RECEIVERS_MAX; i++)
		init_queue(&alerts->queues[i]);
	for (size_t i = 0; i < next->receiver_count; i++)
		for (size_t j = 0; j < alerts->settings.receiver_count; j++) {
			if (strcmp(next->receivers[i].key, alerts->settings.receivers[j].key) != 0)
				continue;
			alerts->queues[i] = old[j];
			if (!alerts->queues[i].first)
				alerts->queues[i].last = &alerts->queues[i].first;
			init_queue(&old[j]);
			break;
		}
}

/* Nobody is there to take them any more. */
static void drop_queue(struct pgm_alerts *alerts, struct pgm_alert_queue *queue)
{
	while (queue->first) {
		struct pgm_alert_delivery *delivery = queue->first;
		struct pgm_error ignored = {0};
		queue->first = delivery->next;
		/* a record that stays is dropped by the next start */
		bool deleted = !alerts->history ||
			       pgm_history_record_delete(alerts->history, "delivery", delivery->id, &ignored);
		(void)deleted;
		pgm_alert_delivery_free(delivery);
	}
}

void pgm_alert_adopt(struct pgm_alerts *alerts)
{
	struct pgm_alert_queue old[PGM_ALERT_RECEIVERS_MAX];
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_settings *next = alerts->next;
	alerts->next = NULL;
	if (next) {
		struct pgm_alert_settings before = alerts->settings;
		sort_queues(alerts, next, old);
		alerts->settings = *next;
		*next = before;
	}
	pthread_mutex_unlock(&alerts->lock);
	if (!next)
		return;
	for (size_t i = 0; i < PGM_ALERT_RECEIVERS_MAX; i++)
		drop_queue(alerts, &old[i]);
	pgm_alert_settings_done(next);
	free(next);
}
