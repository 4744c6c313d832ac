/*
 * A run at work. Between run.c and session.c alone.
 *
 * A lane is a queue of transactions that are due, in the order of their times. With users each has a lane of
 * its own, which its session alone serves; with a rate a target has one, and its sessions take turns.
 */
#ifndef PGM_LOAD_ENGINE_H
#define PGM_LOAD_ENGINE_H

#include "load/run.h"
#include "load/tally.h"
#include "load/timers.h"
#include "pg/async.h"

#define EAGER_PREPARES_MAX 32 /* with more statements than that each is prepared when it is first run */

struct engine;
struct target;
struct session;

struct lane {
	struct target *target;
	struct pgm_timer timer; /* on the target's own time: the next transaction is due */
	double until_ms;	/* nothing is due from then on */
	struct pgm_random random;
	double *due_ms; /* a ring, in the time of pgm_clock_ms() */
	size_t first, count, capacity;
	struct session *idle, *idle_last; /* sessions that wait for something to do, the longest first */
};

enum session_state {
	SESSION_AWAY,	    /* not in play; JOIN makes it CONNECTING */
	SESSION_DOWN,	    /* waits for the time to connect again; then CONNECTING */
	SESSION_CONNECTING, /* then GUARDING, PREPARING or IDLE; DOWN where it fails */
	SESSION_GUARDING,   /* waits for SET default_transaction_read_only; then as above */
	SESSION_PREPARING,  /* one statement after the other; then IDLE */
	SESSION_IDLE,	    /* on its lane's list; then RUNNING, or AWAY when its time has come */
	SESSION_RUNNING,    /* waits for the answer to a command of its script; then IDLE */
	SESSION_NAMING,	    /* the same while the command is prepared first; then RUNNING */
	SESSION_SLEEPING,   /* \sleep; then RUNNING */
	SESSION_UNDOING,    /* waits for ROLLBACK after a failure; then IDLE */
};

struct session {
	struct target *target;
	struct lane *lane;
	uint32_t user;
	enum session_state state;
	struct pgm_timer presence; /* on the target's own time: to join, then to leave */
	struct pgm_timer timer;	   /* to connect again, or the end of \sleep */
	bool in_play, leaving;
	struct pgm_async *async;
	int fd; /* as epoll knows it; -1: none */
	unsigned events;
	bool tried;	   /* has been connected, or refused, once */
	int attempts;	   /* to connect, since it was connected last */
	double connect_ms; /* when it began to */
	struct pgm_load_value *values;
	struct pgm_random random;
	bool *prepared;
	size_t preparing; /* the number of the statement that is */
	struct session *next_idle;
	/* the transaction under way */
	const struct pgm_script *script; /* NULL: none */
	size_t at;			 /* the command */
	size_t steps;			 /* commands run, so that no script loops */
	double due_ms, started_ms, sent_ms;
};

struct target {
	struct engine *engine;
	size_t place;
	const struct pgm_load_connect *connect;
	struct pgm_load_target *result;
	struct pgm_tally tally;
	struct session *sessions;
	uint32_t session_count;
	struct lane *lanes;
	uint32_t lane_count;
	struct pgm_timers timers; /* on its own time */
	double local_ms;	  /* its own time where it stands still */
	double offset_ms;	  /* pgm_clock_ms() minus its own time, while it goes on */
	uint32_t connected, in_play;
	uint64_t backlog, under_way; /* due and not begun; begun and not ended */
	double second_ms;	     /* when the second began that is counted */
	const char *guard_options;   /* for the startup of sessions; NULL: none */
	bool guard_set;		     /* by SET, once connected */
	uint64_t late;		     /* not begun when its last slice was over */
	bool broken;		     /* a ramp's last step */
};

struct engine {
	const struct pgm_load_options *options;
	struct pgm_arena *arena;   /* the result's */
	struct pgm_arena *scratch; /* of what is being sent */
	struct pgm_load_result *result;
	int epoll_fd;
	struct pgm_timers timers;
	struct target *targets;
	double began_ms;
	double cpu_second_ms; /* this thread's processor time when the second began */
	bool ending;	      /* nothing is begun any more */
};

/* session.c */
void session_init(struct session *session, struct target *target, struct lane *lane, uint32_t user);
void session_done(struct session *session);
void session_join(struct session *session);
void session_leave(struct session *session);		    /* as soon as it has nothing to do */
void session_gone(struct session *session);		    /* closes it */
void session_ready(struct session *session, double now_ms); /* its socket may be */

/* lane.c */
void lane_init(struct lane *lane, struct target *target, uint64_t seed);
void lane_done(struct lane *lane);
void lane_open(struct lane *lane, double from_ms, double until_ms); /* the target's own time */
void lane_close(struct lane *lane);
bool lane_take(struct lane *lane, double *due_ms); /* the earliest that is due */
void lane_wait(struct lane *lane, struct session *session);
void lane_forget(struct lane *lane, struct session *session);
/* All that is due fails. */
void lane_fail(struct lane *lane, const char *code, const char *message);

/* session_run.c */
void session_work(struct session *session, double now_ms); /* it is connected and has nothing under way */
void session_answered(struct session *session, const struct pgm_async_outcome *outcome, double now_ms);
void session_woken(struct session *session, double now_ms);
void session_fail(struct session *session, const char *code, const char *message); /* what is under way */
bool session_watch(struct session *session); /* tell epoll what to wait for */

#endif
