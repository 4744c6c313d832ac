/*
 * The delivery thread: it writes what fires and resolves to the file, then sends it. Each receiver has a
 * queue, sent in order; one that fails is tried again, later and later, and holds up nobody else's.
 */
#include "serve/alert/parts.h"
#include "serve/history/growth.h"
#include "util/clock.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS		   10e3
#define FORECAST_EVERY_MS  3600e3
#define CONNECT_TIMEOUT_MS 5000L
#define SEND_TIMEOUT_MS	   15000L
#define BACKOFF_MS	   1e3
#define BACKOFF_MAX_MS	   300e3
#define REFUSALS_MAX	   5 /* answers that say that the message itself is of no use */
#define SENT_AT_ONCE	   20

static void say(struct pgm_alerts *alerts, enum pgm_alert_severity severity, const char *line)
{
	if (alerts->say)
		alerts->say(alerts->data, severity, line);
}

struct pgm_alert_delivery *pgm_alert_delivery_new(const char *id, const char *key, const char *payload,
						  int64_t made_ms)
{
	struct pgm_alert_delivery *delivery = pgm_alert_memory(sizeof(*delivery));
	delivery->id = pgm_alert_copy(id);
	delivery->key = pgm_alert_copy(key);
	delivery->payload = pgm_alert_copy(payload);
	delivery->made_ms = made_ms;
	return delivery;
}

void pgm_alert_delivery_free(struct pgm_alert_delivery *delivery)
{
	free(delivery->id);
	free(delivery->key);
	free(delivery->payload);
	free(delivery);
}

void pgm_alert_queue_add(struct pgm_alert_queue *queue, struct pgm_alert_delivery *delivery)
{
	*queue->last = delivery;
	queue->last = &delivery->next;
	queue->waiting++;
}

/* The first of a queue: sent, or given up. Its record goes; one that stays is sent once more after a restart.
 */
static void take_first(struct pgm_alerts *alerts, size_t receiver)
{
	struct pgm_alert_queue *queue = &alerts->queues[receiver];
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_delivery *delivery = queue->first;
	queue->first = delivery->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->waiting--;
	pthread_mutex_unlock(&alerts->lock);
	struct pgm_error err = {0};
	if (alerts->history && !pgm_history_record_delete(alerts->history, "delivery", delivery->id, &err))
		say(alerts, PGM_ALERT_WARNING, err.message);
	pgm_alert_delivery_free(delivery);
}

static void give_up(struct pgm_alerts *alerts, size_t receiver, const char *why)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	say(alerts, PGM_ALERT_WARNING,
	    pgm_sprintf(arena, "alert %s could not be delivered to %s: %s; it is given up",
			alerts->queues[receiver].first->key, alerts->settings.receivers[receiver].address,
			why));
	take_first(alerts, receiver);
}

/* ---- from events to deliveries ---- */

static void queue_delivery(struct pgm_alerts *alerts, size_t receiver, const struct pgm_alert_event *event)
{
	const struct pgm_alert_receiver_settings *to = &alerts->settings.receivers[receiver];
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *key = pgm_alert_key(event), *payload = pgm_alert_message(to->form, event);
	char *id = pgm_sprintf(arena, "%s|%s%s", to->key, key, event->renewal ? "|renewed" : "");
	struct pgm_alert_delivery *delivery = pgm_alert_delivery_new(id, key, payload, pgm_clock_wall_ms());
	struct pgm_error err = {0};
	free(key);
	free(payload);
	if (!event->renewal && !pgm_alert_save_delivery(alerts, receiver, delivery, &err))
		say(alerts, PGM_ALERT_WARNING, err.message);
	if (alerts->queues[receiver].waiting >= PGM_ALERT_WAITING_MAX)
		give_up(alerts, receiver, "too many wait");
	pthread_mutex_lock(&alerts->lock);
	pgm_alert_queue_add(&alerts->queues[receiver], delivery);
	pthread_mutex_unlock(&alerts->lock);
}

static void handle_event(struct pgm_alerts *alerts, const struct pgm_alert_event *event)
{
	struct pgm_error err = {0};
	char *line = pgm_alert_line(event);
	if (event->log)
		say(alerts, event->resolved ? PGM_ALERT_INFO : event->severity, line);
	/* deliveries first: after a crash in between they are made again, with the same keys */
	for (size_t i = 0; i < alerts->settings.receiver_count; i++) {
		enum pgm_alert_form form = alerts->settings.receivers[i].form;
		if (event->tell && event->severity >= alerts->settings.send_from &&
		    (!event->renewal || form == PGM_ALERT_ALERTMANAGER))
			queue_delivery(alerts, i, event);
	}
	if (event->save && !pgm_alert_save_state(alerts, event, &err))
		say(alerts, PGM_ALERT_WARNING, err.message);
	if (!event->resolved && event->log && pgm_alert_rule_settings(alerts, event->rule)->leave &&
	    alerts->leave && !alerts->left) {
		alerts->left = true;
		alerts->leave(alerts->data, line);
	}
	free(line);
}

static void handle_events(struct pgm_alerts *alerts)
{
	pthread_mutex_lock(&alerts->lock);
	struct pgm_alert_event *event = alerts->events;
	alerts->events = NULL;
	alerts->last_event = &alerts->events;
	pthread_mutex_unlock(&alerts->lock);
	while (event) {
		struct pgm_alert_event *next = event->next;
		handle_event(alerts, event);
		pgm_alert_event_free(event);
		event = next;
	}
}

/* ---- sending ---- */

static size_t ignore_body(char *bytes, size_t size, size_t count, void *data)
{
	(void)bytes;
	(void)data;
	return size * count;
}

static int stop_when_closing(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct pgm_alerts *alerts = data;
	(void)a, (void)b, (void)c, (void)d;
	pthread_mutex_lock(&alerts->lock);
	bool closing = alerts->closing;
	pthread_mutex_unlock(&alerts->lock);
	return closing;
}

static struct curl_slist *headers_of(struct pgm_alerts *alerts, size_t receiver,
				     const struct pgm_alert_delivery *delivery)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	char *key = pgm_strdup(arena, delivery->key);
	for (char *c = key; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '_';
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
	list = curl_slist_append(list, "Expect:");
	list = curl_slist_append(list, pgm_sprintf(arena, "Idempotency-Key: %s", key));
	if (alerts->settings.header && alerts->settings.receivers[receiver].form == PGM_ALERT_JSON)
		list = curl_slist_append(list, alerts->settings.header);
	return list;
}

/* The HTTP status, or 0 with what went wrong in words (never the address). */
static long post(struct pgm_alerts *alerts, CURL *curl, size_t receiver,
		 const struct pgm_alert_delivery *delivery, char *why, size_t size)
{
	struct curl_slist *headers = headers_of(alerts, receiver, delivery);
	long status = 0;
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, alerts->settings.receivers[receiver].url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, SEND_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "pgmend/" PGM_VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, delivery->payload);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_when_closing);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, alerts);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		snprintf(why, size, "%s", curl_easy_strerror(code));
	else
		snprintf(why, size, "it answered %ld", status);
	curl_slist_free_all(headers);
	return status;
}

/* The message itself is wrong, whoever asks and whenever: 408, 425 and 429 say that it is too early. */
static bool is_refusal(long status)
{
	return status == 400 || status == 413 || status == 414 || status == 415 || status == 422;
}

/* Whether the queue's first went. */
static bool send_first(struct pgm_alerts *alerts, CURL *curl, size_t receiver)
{
	struct pgm_alert_queue *queue = &alerts->queues[receiver];
	struct pgm_alert_delivery *delivery = queue->first;
	char why[120] = "";
	long status = post(alerts, curl, receiver, delivery, why, sizeof(why));
	bool taken = status >= 200 && status < 300;
	pthread_mutex_lock(&alerts->lock);
	queue->sent += taken;
	queue->failed += !taken;
	snprintf(queue->last_error, sizeof(queue->last_error), "%s", taken ? "" : why);
	pthread_mutex_unlock(&alerts->lock);
	if (taken) {
		take_first(alerts, receiver);
		return true;
	}
	delivery->attempts++;
	if ((is_refusal(status) && delivery->attempts >= REFUSALS_MAX) ||
	    pgm_clock_wall_ms() - delivery->made_ms > PGM_ALERT_KEPT_MS) {
		give_up(alerts, receiver, why);
		return true;
	}
	if (delivery->attempts == 1) {
		PGM_AUTO_ARENA arena = pgm_arena_new(0);
		say(alerts, PGM_ALERT_WARNING,
		    pgm_sprintf(arena, "alert %s is not delivered to %s yet: %s; it will be tried again",
				delivery->key, alerts->settings.receivers[receiver].address, why));
	}
	delivery->due_mono_ms =
		pgm_clock_ms() + pgm_clock_backoff_ms(delivery->attempts - 1, BACKOFF_MS, BACKOFF_MAX_MS);
	return false;
}

/* What is due, some of each receiver. Returns when the next one is. */
static double send_due(struct pgm_alerts *alerts, CURL *curl)
{
	double next = INFINITY;
	for (size_t i = 0; i < alerts->settings.receiver_count; i++) {
		struct pgm_alert_queue *queue = &alerts->queues[i];
		bool going = true;
		for (int sent = 0; going && queue->first && sent < SENT_AT_ONCE; sent++)
			going = queue->first->due_mono_ms <= pgm_clock_ms() &&
				!stop_when_closing(alerts, 0, 0, 0, 0) && send_first(alerts, curl, i);
		if (queue->first)
			next = fmin(next, queue->first->due_mono_ms);
	}
	return next;
}

/* ---- forecasts ---- */

double pgm_alert_days_left(struct pgm_alerts *alerts, const char *target)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_growth_item *items;
	struct pgm_error err;
	size_t count;
	double now = 0, slope = 0, disk = pgm_alert_settings_disk(&alerts->settings, target);
	if (!isfinite(disk) || !alerts->history ||
	    !pgm_history_growth(alerts->history, target, "pg_database_size_bytes", 1000, arena, &items,
				&count, &err))
		return NAN;
	for (size_t i = 0; i < count; i++) {
		if (!items[i].growth.known)
			return NAN;
		now += items[i].growth.now;
		slope += items[i].growth.slope_per_day;
	}
	if (!count)
		return NAN;
	double days = pgm_growth_days_to(now, slope, disk);
	return days < 0 ? 1e6 : days;
}

static void forecast(struct pgm_alerts *alerts)
{
	pthread_mutex_lock(&alerts->lock);
	/* targets are only added, and never move */
	size_t count = alerts->target_count;
	pthread_mutex_unlock(&alerts->lock);
	for (size_t i = 0; i < count; i++) {
		struct pgm_alert_target *target = alerts->targets[i];
		double mono_ms = pgm_clock_ms();
		if (!isfinite(pgm_alert_settings_disk(&alerts->settings, target->name)))
			continue;
		if (target->forecast_mono_ms && mono_ms - target->forecast_mono_ms < FORECAST_EVERY_MS)
			continue;
		target->forecast_mono_ms = mono_ms;
		double days = pgm_alert_days_left(alerts, target->name);
		pthread_mutex_lock(&alerts->lock);
		target->disk_days = days;
		pthread_mutex_unlock(&alerts->lock);
	}
}

/* ---- the thread ---- */

static bool wait_until(struct pgm_alerts *alerts, double mono_ms)
{
	struct timespec until = pgm_clock_moment(mono_ms);
	pthread_mutex_lock(&alerts->lock);
	while (!alerts->closing && !alerts->events && !alerts->next &&
	       pthread_cond_timedwait(&alerts->wake, &alerts->lock, &until) == 0)
		;
	bool closing = alerts->closing;
	pthread_mutex_unlock(&alerts->lock);
	return !closing;
}

void *pgm_alert_deliver(void *data)
{
	struct pgm_alerts *alerts = data;
	CURL *curl = curl_easy_init();
	double tick_ms = 0;
	bool going = curl != NULL;
	while (going) {
		if (pgm_clock_ms() >= tick_ms) {
			forecast(alerts);
			tick_ms = pgm_clock_ms() + TICK_MS;
			pthread_mutex_lock(&alerts->lock);
			pgm_alert_tick(alerts, pgm_clock_wall_ms(), pgm_clock_ms());
			pthread_mutex_unlock(&alerts->lock);
		}
		handle_events(alerts);
		pgm_alert_adopt(alerts);
		going = wait_until(alerts, fmin(tick_ms, send_due(alerts, curl)));
	}
	handle_events(alerts); /* written, and sent after the next start */
	curl_easy_cleanup(curl);
	return NULL;
}
