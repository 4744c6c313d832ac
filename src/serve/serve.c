#include "serve/serve.h"

#include "serve/parts.h"

#include "pool/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ROUND_MS 5000

void pgm_serve_wake(struct pgm_serve *serve)
{
	uint64_t one = 1;
	ssize_t written = write(serve->wake, &one, sizeof(one));
	(void)written;
}

/* systemd asks for a sign of life at least this often; half of it, to be sure (sd_watchdog_enabled(3)). */
static int round_ms(bool *watched)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long half_ms = usec ? strtoll(usec, NULL, 10) / 2000 : 0;
	*watched = half_ms > 0 && (!pid || strtoll(pid, NULL, 10) == (long long)getpid());
	return *watched && half_ms < ROUND_MS ? (int)half_ms : ROUND_MS;
}

static const char *signal_name(int number)
{
	return number == SIGINT ? "SIGINT" : number == SIGQUIT ? "SIGQUIT" : "SIGTERM";
}

/* True: everything is to end now. With a pooler, when it has let its clients go. */
static bool on_signal(struct pgm_serve *serve, int number)
{
	switch (number) {
	case SIGHUP:
		pgm_serve_reload(serve);
		return false;
	case SIGUSR1:
	case SIGUSR2:
		if (serve->pooler)
			pgm_pooler_signal(serve->pooler, number);
		return false;
	case SIGINT:
	case SIGTERM:
	case SIGQUIT:
		pgm_notify_service("STOPPING=1");
		if (!serve->pooler)
			pgm_log(PGM_LOG_NOTICE, "got %s, shutting down", signal_name(number));
		else
			pgm_pooler_signal(serve->pooler, number);
		return !serve->pooler;
	default:
		return false;
	}
}

static bool read_signals(struct pgm_serve *serve, int fd)
{
	struct signalfd_siginfo info;
	bool end = false;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		end |= on_signal(serve, (int)info.ssi_signo);
	return end;
}

static void run(struct pgm_serve *serve, int signals)
{
	bool watched;
	int timeout = round_ms(&watched);
	for (;;) {
		struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
				       {.fd = serve->wake, .events = POLLIN}};
		uint64_t count;
		poll(fds, 2, timeout);
		if (watched)
			pgm_notify_service("WATCHDOG=1");
		while (read(serve->wake, &count, sizeof(count)) == (ssize_t)sizeof(count))
			;
		if (read_signals(serve, signals) || atomic_load(&serve->pooler_ended) ||
		    atomic_load(&serve->alerted))
			return;
	}
}

static void say_ready(const struct pgm_serve *serve)
{
	char url[128];
	const struct pgm_serve_config *config = serve->config;
	bool six = strchr(config->listen, ':') != NULL;
	snprintf(url, sizeof(url), "%s://%s%s%s:%d/", config->tls_cert_file ? "https" : "http",
		 six ? "[" : "", config->listen, six ? "]" : "", pgm_http_port(serve->http));
	pgm_log(PGM_LOG_NOTICE, "pgmend " PGM_VERSION " serves %s, watching %zu database%s%s", url,
		config->target_count, config->target_count == 1 ? "" : "s",
		config->has_pool ? ", with a pooler" : "");
	if (!config->tokens && serve->options->token_file)
		pgm_log(PGM_LOG_NOTICE, "there is no file of tokens: one was made for now, in %s",
			serve->options->token_file);
	if (serve->options->ready)
		serve->options->ready(serve->options->data, url, *serve->token ? serve->token : NULL);
	pgm_notify_service("READY=1");
}

int pgm_serve_main(struct pgm_serve_config *config, const struct pgm_serve_options *options,
		   struct pgm_error *err)
{
	struct pgm_serve serve = {.config = config, .options = options};
	sigset_t set;
	int code = -1;
	pgm_pooler_block_signals(&set);
	int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	serve.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signals < 0 || serve.wake < 0) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "cannot wait for signals: %s", strerror(errno));
	} else if (pgm_serve_start_parts(&serve, err)) {
		say_ready(&serve);
		run(&serve, signals);
		pgm_notify_service("STOPPING=1");
		code = atomic_load(&serve.alerted);
	}
	pgm_serve_stop_parts(&serve);
	pgm_serve_config_free(serve.latest);
	pgm_serve_config_free(serve.config);
	if (signals >= 0)
		close(signals);
	if (serve.wake >= 0)
		close(serve.wake);
	return code;
}
