/*
 * What the workers share: the databases, the pools (one for each database and user), how many connections
 * each may have, and who may be cancelled. A pool of N is N in all workers together: `servers` is one atomic
 * count, and a worker that has more servers than work hands one over to a worker whose clients wait.
 *
 * Locks, always taken in this order: pgm_pooler.admin_lock, a worker's lock, pgm_pooler.lock, a pool's lock.
 * The texts and objects here live as long as the process; a pool or database that the configuration no longer
 * has is only marked.
 */
#ifndef PGM_POOL_POOL_H
#define PGM_POOL_POOL_H

#include "loop/loop.h"
#include "loop/tls.h"
#include "pool/auth/auth.h"
#include "pool/config/config.h"
#include "pool/log.h"
#include "pool/pairs.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define PGM_POOL_WORKERS_MAX 64
#define PGM_POOL_HOSTS_MAX   16

/* Where a database's servers are: one address of one host. */
struct pgm_address {
	struct sockaddr_storage address;
	socklen_t length;
	char host[256]; /* as configured: for TLS and SHOW */
	int port;
};

struct pgm_database {
	const char *name;
	unsigned index;
	const struct pgm_config_database *config; /* NULL: gone from the configuration */
	char *server_name;			  /* the database's name at the server */
	_Atomic int connections;		  /* servers, of all its pools */
	_Atomic int clients;
	_Atomic bool paused, disabled;
	_Atomic uint64_t reconnect; /* servers of an older number are closed when they are released */
	_Atomic unsigned moved; /* how often an address was lost: then servers look whether it was theirs */
	pthread_mutex_t lock;	/* of the addresses */
	struct pgm_address addresses[PGM_POOL_HOSTS_MAX];
	size_t address_count;
	uint64_t resolved_at_us, unresolved_at_us; /* when they were found, or not */
	bool by_name; /* a name server was asked, and is again after dns_max_ttl */
	bool resolving;
	_Atomic unsigned place; /* how often the configuration changed it: lookups from before are void */
	_Atomic unsigned next_address;	/* the one to use; round robin: then the next */
	_Atomic unsigned asked_address; /* the number of the one where auth_query was last answered */
	_Atomic uint64_t used_us;	/* when somebody last asked for it or had a connection */
	_Atomic bool forgotten;		/* of "*", and unused for long: the console does not show it */
};

/* Who logs in to us. */
struct pgm_user {
	const char *name;
	_Atomic int clients;
};

/* Login failures that a client is told of. */
struct pgm_login_failure {
	char sqlstate[6];
	char message[512];
	uint64_t at_us; /* 0: the last one succeeded */
	bool final;	/* waiting will not mend it: wrong password, no such database */
};

struct pgm_pool {
	struct pgm_database *database;
	const char *user; /* as the client logged in, or whom the database forces */
	unsigned index;	  /* its place in every worker's table */
	/* from the configuration; change under all workers' locks */
	enum pgm_pool_mode mode;
	int size, min_size, reserve;
	int64_t server_lifetime_us, query_timeout_ms;
	const struct pgm_config_user *user_config; /* or NULL */

	_Atomic bool
		sequences_read; /* a client has read lastval() or currval(): its like must not meet others' */
	_Atomic int servers;	/* connecting ones included */
	_Atomic int clients;	/* logged in */
	_Atomic uint64_t used_us;
	_Atomic bool forgotten; /* unused for long: its secrets are gone, and the console does not show it */
	_Atomic uint64_t outlived_us; /* when one was last closed for its age */
	_Atomic int waiting;	      /* clients, in all workers */
	_Atomic unsigned failures;    /* to connect, one after the other */
	struct {
		_Atomic uint64_t
			oldest_wait_us; /* when the client at the head of this worker's queue came; 0: none */
		_Atomic int idle;	/* servers that this worker could hand over */
	} at[PGM_POOL_WORKERS_MAX];

	pthread_mutex_t lock;		 /* of what follows */
	const struct pgm_pairs *reports; /* of the newest server; NULL: none yet */
	char *secret;			 /* plain or md5, of the client or the configuration; NULL: none */
	bool have_keys;
	struct pgm_scram_keys keys;
	struct pgm_scram_cache scram_cache;
	struct pgm_login_failure failure;
	/* what servers reported for a client's startup settings: pairs of sets */
	struct {
		const struct pgm_pairs *settings, *reports;
	} welcomes[16];
	size_t welcome_count;
};

struct pgm_worker;
struct pgm_hosts;
struct pgm_secrets;
struct pgm_console;

enum pgm_pooler_state {
	PGM_POOLER_RUNNING,
	PGM_POOLER_SUSPENDED,
	PGM_POOLER_WAIT_CLIENTS, /* SHUTDOWN WAIT_FOR_CLIENTS: new ones are refused */
	PGM_POOLER_WAIT_SERVERS, /* SHUTDOWN WAIT_FOR_SERVERS: as PAUSE, then end */
	PGM_POOLER_ENDING,
};

/* The process, or a part of it. */
struct pgm_pooler {
	bool guest;			/* of pgmend serve, which talks to systemd and has the log */
	struct pgm_pool_config *config; /* changes under admin_lock and all workers' locks */
	uint64_t started_us;
	int64_t started_at;	    /* seconds since 1970 */
	pthread_mutex_t admin_lock; /* whoever reads or changes all workers */
	struct pgm_worker *workers[PGM_POOL_WORKERS_MAX];
	unsigned worker_count;
	_Atomic int state; /* enum pgm_pooler_state */
	_Atomic bool paused;
	_Atomic int client_count;
	_Atomic uint64_t next_client_id, next_server_id;
	struct pgm_tls_context *client_tls, *server_tls; /* NULL: off */
	int *listeners; /* listen.c; the control thread's, but for workers' copies of the descriptors */
	size_t listener_count;	     /* that of the Unix socket, if there is one, comes last */
	_Atomic uint64_t drained_us; /* since then no clients come in, but the console's; 0: they do;
					UINT64_MAX: nor do those */
	uint64_t unix_socket_inode;  /* 0: none, or an abstract one */
	uint64_t steered_us, steered_clients;
	unsigned steer_step;
	struct pgm_hosts *hosts;
	struct pgm_secrets *secrets;
	struct pgm_loop control; /* the main thread's: signals and the console */
	struct pgm_console *console;

	pthread_mutex_t lock; /* of the tables below */
	struct pgm_database **databases;
	size_t database_count;
	struct pgm_pool **pools;
	size_t pool_count;
	struct pgm_user **users;
	size_t user_count, user_capacity; /* a power of two: an open-addressed table */
	struct pgm_peer **peers;	  /* peers.h, by number; changes under all workers' locks */
	size_t peer_count;
	struct pgm_cancel_slot *cancel_slots;
	size_t cancel_capacity, cancel_count;
};

/*
 * Run until it is told to end: 0, or -1 and an error where it could not start. Takes config over. ready_fd
 * (or -1) gets a byte when it listens. Once in a process.
 */
int pgm_pool_main(struct pgm_pool_config *config, int ready_fd, struct pgm_error *err);

/*
 * The same on threads of its own, beside other parts of a program that reads the signals. All threads of the
 * process have them blocked (pgm_pooler_block_signals() before the first one starts). NULL: it could not
 * start, and the process is to end. ended() is called on the control thread when it was told to end, by a
 * signal or on the console, and has.
 */
struct pgm_pooler_guest;
struct pgm_pooler_guest *pgm_pooler_start(struct pgm_pool_config *config, void (*ended)(void *data),
					  void *data, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_pooler_block_signals(sigset_t *set);
/* As if the process had got it: SIGHUP reloads, SIGINT, SIGTERM and SIGQUIT end... Any thread, also after its
 * end. */
void pgm_pooler_signal(struct pgm_pooler_guest *guest, int number);
void pgm_pooler_join(struct pgm_pooler_guest *guest); /* waits for its end, and frees it; NULL is fine */

/* The control thread alone; all workers are between two rounds of their loops while it holds the locks. */
void pgm_pooler_lock_all(struct pgm_pooler *pooler);
void pgm_pooler_unlock_all(struct pgm_pooler *pooler);
/* Read the file again; where it has an error, the old configuration stays whole. */
bool pgm_pooler_reload(struct pgm_pooler *pooler, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_pooler_use(struct pgm_pooler *pooler, struct pgm_pool_config *config); /* takes it over */
/* Both sides' contexts as the settings say; NULL: off. Theirs who calls. */
bool pgm_pooler_make_tls(const struct pgm_pool_config *config, struct pgm_tls_context **client,
			 struct pgm_tls_context **server, struct pgm_error *err) PGM_MUST_CHECK;
void pgm_pooler_free_tables(struct pgm_pooler *pooler);
void pgm_notify_service(const char *state);

/* The database that clients call name; NULL: none. Made from "*" where the configuration has that. */
struct pgm_database *pgm_pooler_database(struct pgm_pooler *pooler, const char *name);
struct pgm_pool *pgm_pooler_pool(struct pgm_pooler *pooler, struct pgm_database *database, const char *user);
struct pgm_user *pgm_pooler_user(struct pgm_pooler *pooler, const char *name); /* NULL: out of memory */
/* Make the pools that keep a minimum before anybody has come; the control thread. */
void pgm_pooler_warm(struct pgm_pooler *pooler);
/* Now and then, by the control thread: what was unused for longer than autodb_idle_timeout or
 * pool_idle_timeout is forgotten until somebody asks for it again. */
void pgm_pooler_forget(struct pgm_pooler *pooler);
/* Settings of databases and pools after the configuration changed from old; the caller holds all workers'
 * locks. */
void pgm_pooler_configure(struct pgm_pooler *pooler, const struct pgm_pool_config *old);

/* Take one connection of the budget: false where the pool, its database or its user has all it may have.
 * starving: a client waits for longer than reserve_pool_timeout. */
bool pgm_pool_take(struct pgm_pooler *pooler, struct pgm_pool *pool, bool starving);
void pgm_pool_give_back(struct pgm_pool *pool);
/* Why those who wait for one of its servers have none, in words for them and for the console. */
void pgm_pool_explain_wait(const struct pgm_pooler *pooler, struct pgm_pool *pool, char *out, size_t size);
#define PGM_POOL_EXPLAIN_BYTES 640
/* How many it keeps open: min_pool_size, where it has clients or one user for all that may come. */
int pgm_pool_minimum(const struct pgm_pool *pool);
/* One more, if that is at most `most`. */
bool pgm_take_below(_Atomic int *count, int64_t most);

/*
 * Cancel keys. A key is the pid and secret that a client was told; wherever it is asked for, the client's
 * worker is found by it. Secrets come from getrandom, and a key that is gone is gone. With peer_id set a key
 * is of PgBouncer's form (peers.h): four bytes of secret, and a pid of our own invention.
 */
#define PGM_CANCEL_SECRET_BYTES 32
struct pgm_cancel_key {
	uint32_t pid;
	uint8_t length; /* 4 in protocol 3.0 */
	uint8_t secret[PGM_CANCEL_SECRET_BYTES];
};
/* Makes a key that no other client has (pid 0: invents one). */
bool pgm_cancel_register(struct pgm_pooler *pooler, struct pgm_cancel_key *key, uint32_t pid,
			 bool long_secret, unsigned worker, uint64_t client_id);
void pgm_cancel_forget(struct pgm_pooler *pooler, const struct pgm_cancel_key *key);
void pgm_cancel_move(struct pgm_pooler *pooler, const struct pgm_cancel_key *key, unsigned worker);
bool pgm_cancel_find(struct pgm_pooler *pooler, uint32_t pid, const uint8_t *secret, size_t length,
		     unsigned *worker, uint64_t *client_id);

#endif
