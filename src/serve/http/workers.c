#include "serve/http/parts.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 15

void pgm_http_give_way(void)
{
	static _Thread_local bool given;
	/* On Linux both are the thread's, not the process's. A batch thread that wakes up takes no processor
	 * from one that runs. */
	if (!given) {
		sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
		setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	}
	given = true;
}

static struct pgm_exchange *take(struct pgm_workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->ending)
		pthread_cond_wait(&workers->work, &workers->lock);
	struct pgm_exchange *exchange = workers->first;
	if (exchange) {
		workers->first = exchange->next;
		if (!workers->first)
			workers->last = &workers->first;
		workers->waiting--;
	}
	pthread_mutex_unlock(&workers->lock);
	return exchange;
}

static void *work(void *data)
{
	struct pgm_workers *workers = data;
	pgm_http_give_way();
	for (struct pgm_exchange *exchange; (exchange = take(workers)) != NULL;) {
		struct MHD_Connection *connection = exchange->connection;
		if (pgm_params_check(exchange))
			exchange->request.route->handler(&exchange->request, &exchange->reply);
		pgm_reply_finish(&exchange->reply);
		exchange->state = PGM_EXCHANGE_ANSWERED;
		/* from here on it is no longer ours */
		MHD_resume_connection(connection);
	}
	return NULL;
}

bool pgm_workers_start(struct pgm_workers *workers, struct pgm_http *http, int count, int waiting_max,
		       struct pgm_error *err)
{
	*workers = (struct pgm_workers){.http = http, .waiting_max = waiting_max};
	workers->last = &workers->first;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	workers->threads = calloc((size_t)count, sizeof(*workers->threads));
	if (!workers->threads)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "out of memory");
	for (; workers->count < count; workers->count++)
		if (pthread_create(&workers->threads[workers->count], NULL, work, workers) != 0)
			return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot start a thread");
	return true;
}

bool pgm_workers_give(struct pgm_workers *workers, struct pgm_exchange *exchange)
{
	pthread_mutex_lock(&workers->lock);
	bool taken = workers->waiting < workers->waiting_max && !workers->ending;
	if (taken) {
		exchange->next = NULL;
		*workers->last = exchange;
		workers->last = &exchange->next;
		workers->waiting++;
		pthread_cond_signal(&workers->work);
	}
	pthread_mutex_unlock(&workers->lock);
	return taken;
}

void pgm_workers_stop(struct pgm_workers *workers)
{
	if (!workers->http)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	free(workers->threads);
	workers->threads = NULL;
	workers->count = 0;
}

void pgm_workers_free(struct pgm_workers *workers)
{
	if (!workers->http)
		return;
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	workers->http = NULL;
}
