/*
 * What the console's files share. Nobody else includes this.
 *
 * A client of the console lives on a worker, which reads its queries and writes the answers. A query goes to
 * the control thread as a request (a letter to pooler->control), is run there, and comes back with its
 * answer. Everything below but struct pgm_console_client belongs to the control thread.
 */
#ifndef PGM_POOL_CONSOLE_PARTS_H
#define PGM_POOL_CONSOLE_PARTS_H

#include "pool/console/console.h"
#include "pool/console/console_words.h"
#include "pool/session.h"

#define PGM_CONSOLE_INPUT_MAX  ((size_t)64 << 10)  /* bytes of one message */
#define PGM_CONSOLE_ANSWER_MAX ((size_t)256 << 20) /* bytes; what would be longer is an error */
#define PGM_CONSOLE_NAME       "pgbouncer"	   /* the database's name in every answer, as PgBouncer's */

/* ---- answers: messages for the client, put together on the control thread ---- */

struct pgm_answer {
	uint8_t *bytes; /* malloc'ed */
	size_t length, capacity;
	size_t row;	/* where the row begins that is being written */
	uint16_t cells; /* of it */
	bool in_row;
	bool failed; /* out of memory, or too long */
};

/* Names with their types: "database cl_active:i total_sent:n"; i int4, q int8, n numeric, b bytea, else text.
 */
void pgm_answer_columns(struct pgm_answer *answer, const char *names);
/* A row, cell by cell. */
void pgm_answer_row(struct pgm_answer *answer);
void pgm_answer_text(struct pgm_answer *answer, const char *text); /* NULL: SQL NULL */
void pgm_answer_number(struct pgm_answer *answer, int64_t number);
void pgm_answer_format(struct pgm_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pgm_answer_notice(struct pgm_answer *answer, const char *message,
		       const char *detail); /* detail or NULL */
/* Ends the answer. */
void pgm_answer_done(struct pgm_answer *answer, const char *tag);
/* What was written before is thrown away; ends the answer. */
void pgm_answer_error(struct pgm_answer *answer, const char *sqlstate, const char *hint, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));

/* ---- the worker's side ---- */

struct pgm_console_client {
	bool admin;    /* else it may only look */
	bool waits;    /* a request is with the control thread */
	bool skipping; /* to the next Sync */
	char *user;
	uint8_t *input;
	size_t length, capacity;
};

/* ---- requests ---- */

enum pgm_console_wait {
	PGM_CONSOLE_WAIT_NOTHING,
	PGM_CONSOLE_WAIT_PAUSE,	  /* until the paused pools have no server */
	PGM_CONSOLE_WAIT_CLOSE,	  /* until no server has to be closed */
	PGM_CONSOLE_WAIT_SUSPEND, /* until nothing is half-way through */
	PGM_CONSOLE_WAIT_END,	  /* of the process */
};

struct pgm_console_request {
	struct pgm_letter letter;
	struct pgm_console_request *next; /* of those that wait */
	struct pgm_worker *worker;	  /* whose client asks */
	uint64_t client_id;
	bool admin;
	const char *verb; /* of the command that waits */
	enum pgm_console_wait wait;
	struct pgm_database *database; /* NULL: all */
	uint64_t since_us;
	struct pgm_answer answer;
	char sql[];
};

enum pgm_console_rights {
	PGM_CONSOLE_LOOK,  /* admin_users and stats_users */
	PGM_CONSOLE_ADMIN, /* admin_users alone */
};

/* Ends the answer, or sets request->wait. argument: "" where there is none. */
typedef void pgm_console_function(struct pgm_pooler *pooler, struct pgm_console_request *request,
				  const char *argument);

/* The commands: parsing, rights, SHOW HELP and SHOW COMMANDS are made of this table. To add one: a row. */
struct pgm_console_command {
	const char *verb;
	const char *object; /* of SHOW; NULL: none */
	const char *syntax; /* of the argument: "", "<db>" where it must be, "[<db>]" where it may be */
	enum pgm_console_rights rights;
	pgm_console_function *run;
};
extern const struct pgm_console_command pgm_console_commands[];
extern const size_t pgm_console_command_count;

/* ---- the console as a whole ---- */

struct pgm_console_period {
	struct pgm_pool_stats older, newer; /* as they stood when a period before ended */
};

struct pgm_console {
	struct pgm_pooler *pooler;
	struct pgm_console_request *waiting;
	bool ended;
	uint64_t suspender;		    /* client whose SUSPEND counts; 0: none */
	struct pgm_console_period *periods; /* by pool->index */
	size_t period_count;
	uint64_t period_begin_us; /* when .older was taken */
	uint64_t period_last_us;  /* when .newer was */
	uint64_t saved_us;
};

/* Run a query; false: it waits. */
bool pgm_console_run(struct pgm_pooler *pooler, struct pgm_console_request *request);

/* console_admin.c: look at those that wait; answered ones are posted by post(). */
void pgm_console_look(struct pgm_pooler *pooler, void (*post)(struct pgm_console_request *request));
/* It asked for its waiting command to be given up; or it has gone. */
void pgm_console_give_up(struct pgm_pooler *pooler, struct pgm_console_request *waiting);
void pgm_console_resume(struct pgm_pooler *pooler);
pgm_console_function pgm_console_pause, pgm_console_resume_command, pgm_console_disable, pgm_console_enable,
	pgm_console_reconnect, pgm_console_kill, pgm_console_kill_client, pgm_console_suspend,
	pgm_console_reload, pgm_console_shutdown, pgm_console_wait_close;
void pgm_console_set(struct pgm_pooler *pooler, struct pgm_console_request *request, const char *key,
		     const char *value);
/* Servers that must be closed before a clean end of WAIT_CLOSE. */
bool pgm_console_must_close(struct pgm_server *server);

/* console_stats.c */
void pgm_console_stats_tick(struct pgm_pooler *pooler);
pgm_console_function pgm_console_show_stats, pgm_console_show_stats_totals, pgm_console_show_stats_averages,
	pgm_console_show_totals;

/* console_show.c */
pgm_console_function pgm_console_show_pools, pgm_console_show_peer_pools, pgm_console_show_databases,
	pgm_console_show_peers, pgm_console_show_users, pgm_console_show_lists, pgm_console_show_config,
	pgm_console_show_mem, pgm_console_show_state, pgm_console_show_version, pgm_console_show_dns_hosts,
	pgm_console_show_dns_zones;
/* The databases by name, those of the configuration that nobody used yet included; malloc'ed, or NULL. */
struct pgm_database **pgm_console_databases(struct pgm_pooler *pooler, size_t *count);
/* The pools by database and user; malloc'ed, or NULL. */
struct pgm_pool **pgm_console_pools(struct pgm_pooler *pooler, size_t *count);

/* console_sockets.c */
pgm_console_function pgm_console_show_clients, pgm_console_show_servers, pgm_console_show_sockets,
	pgm_console_show_active_sockets, pgm_console_show_fds;
bool pgm_console_is_tested(const struct pgm_server *server); /* runs what no client asked for */

/* console_profile.c */
/* All workers' profiles, merged; values: with the values that were seen. */
struct pgm_profile_snapshot *pgm_console_profile(struct pgm_pooler *pooler, struct pgm_arena *arena,
						 bool values);
/* The same of one statement, with values unless profile_values is off. */
struct pgm_profile_snapshot *pgm_console_profile_of(struct pgm_pooler *pooler, struct pgm_arena *arena,
						    uint64_t fingerprint);
void pgm_console_save_tick(struct pgm_pooler *pooler, bool now);
pgm_console_function pgm_console_show_queries, pgm_console_show_transactions, pgm_console_show_pinned,
	pgm_console_show_waits;

#endif
