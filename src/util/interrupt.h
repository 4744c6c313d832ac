/*
 * Ctrl-C. The command line installs one handler; everything that waits looks at pgm_interrupted(), and
 * whoever has a statement under way registers a hook that cancels it. Hooks run inside the signal handler:
 * they must be async-signal-safe (PQcancel is). One thread only.
 */
#ifndef PGM_UTIL_INTERRUPT_H
#define PGM_UTIL_INTERRUPT_H

#include <stdbool.h>

#define PGM_INTERRUPT_HOOKS_MAX 16

void pgm_interrupt_install(void); /* SIGINT, SIGTERM and SIGHUP; a later second one ends the program */
bool pgm_interrupted(void);
void pgm_interrupt_reset(void); /* after it was handled and work (a clean-up) is to go on */

bool pgm_interrupt_hook(void (*hook)(void *), void *arg); /* false: the table is full */
void pgm_interrupt_unhook(void *arg);

#endif
