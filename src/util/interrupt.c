#include "util/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static volatile time_t interrupted_at;

static struct {
	void (*volatile hook)(void *);
	void *volatile arg;
} hooks[PGM_INTERRUPT_HOOKS_MAX];

static void on_signal(int number)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* A second Ctrl-C after a moment's thought means "now": the ledger knows what was under way. */
	if (interrupted && now.tv_sec > interrupted_at + 1)
		_exit(128 + number);
	if (!interrupted)
		interrupted_at = now.tv_sec;
	interrupted = 1;
	for (size_t i = 0; i < PGM_INTERRUPT_HOOKS_MAX; i++)
		if (hooks[i].hook)
			hooks[i].hook(hooks[i].arg);
}

void pgm_interrupt_install(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool pgm_interrupted(void)
{
	return interrupted != 0;
}

void pgm_interrupt_reset(void)
{
	interrupted = 0;
}

bool pgm_interrupt_hook(void (*hook)(void *), void *arg)
{
	for (size_t i = 0; i < PGM_INTERRUPT_HOOKS_MAX; i++) {
		if (hooks[i].hook)
			continue;
		hooks[i].arg = arg;
		hooks[i].hook = hook;
		return true;
	}
	return false;
}

void pgm_interrupt_unhook(void *arg)
{
	for (size_t i = 0; i < PGM_INTERRUPT_HOOKS_MAX; i++)
		if (hooks[i].hook && hooks[i].arg == arg)
			hooks[i].hook = NULL;
}
