#include "serve/http/parts.h"

#include "util/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define IDLE_MAX_MS 60000

void pgm_links_notify(void *data, struct MHD_Connection *connection, void **slot,
		      enum MHD_ConnectionNotificationCode code)
{
	struct pgm_http *http = data;
	struct pgm_link *link = *slot;
	pthread_mutex_lock(&http->links_lock);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		*slot = link = calloc(1, sizeof(*link));
		if (link) {
			link->fd = info ? info->connect_fd : -1;
			link->since_ms = pgm_clock_ms();
			link->next = http->links;
			if (link->next)
				link->next->previous = link;
			http->links = link;
		}
	} else if (link) {
		*(link->previous ? &link->previous->next : &http->links) = link->next;
		if (link->next)
			link->next->previous = link->previous;
		free(link);
		*slot = NULL;
	}
	pthread_mutex_unlock(&http->links_lock);
}

void pgm_links_mark(struct pgm_http *http, struct pgm_link *link, enum pgm_link_state state)
{
	if (!link)
		return;
	pthread_mutex_lock(&http->links_lock);
	link->served |= state == PGM_LINK_ANSWERING;
	link->state = state;
	link->since_ms = pgm_clock_ms();
	pthread_mutex_unlock(&http->links_lock);
}

/* Nothing was sent yet for this request, and over TLS nothing can be: it is closed then. */
void pgm_links_refuse(struct pgm_http *http, const struct pgm_link *link, const char *status)
{
	char body[160], answer[320];
	if (!link || link->fd < 0)
		return;
	snprintf(body, sizeof(body),
		 "{\"success\":false,\"error\":{\"code\":\"refused\",\"message\":\"%s\"}}", status + 4);
	int length = snprintf(answer, sizeof(answer),
			      "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
			      "Content-Length: %zu\r\n\r\n%s",
			      status, strlen(body), body);
	if (!http->certificates)
		send(link->fd, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(link->fd, SHUT_RDWR);
}

/* libmicrohttpd's own time-out begins anew with each byte; here it is the whole request that counts. */
void pgm_links_reap(struct pgm_http *http)
{
	double now = pgm_clock_ms();
	pthread_mutex_lock(&http->links_lock);
	for (struct pgm_link *link = http->links; link; link = link->next) {
		double age = now - link->since_ms;
		bool waits = link->state == PGM_LINK_IDLE && link->fd >= 0;
		if (link->state == PGM_LINK_READING && age > http->options.request_timeout_ms)
			pgm_links_refuse(http, link, "408 Request Timeout");
		else if (waits && age > (link->served ? IDLE_MAX_MS : http->options.request_timeout_ms))
			shutdown(link->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&http->links_lock);
}
