/*
 * A small PostgreSQL: one backend without a database behind it. It reads messages and answers them as
 * PostgreSQL would (postgres.c, prepare.c, copyfromparse.c): errors, skipping to Sync, implicit transactions,
 * portals, COPY, settings that a rollback takes back, and what a session holds beyond a transaction. A fuzz
 * target feeds the same bytes to one that the pooler's server is, and to one that its client has alone, and
 * compares what comes back.
 *
 * Only statements that are written exactly as in model_sql.c do something; all others are SELECTs of one row
 * ("1"), but those beginning with '!', which cannot be parsed. A simple query may have several, with
 * MODEL_BETWEEN between them.
 */
#ifndef FUZZ_POOLER_MODEL_H
#define FUZZ_POOLER_MODEL_H

#include "harness.h"

#define MODEL_NAMES   64 /* statements or portals at once; one more is an error */
#define MODEL_VALUE   32
#define MODEL_BETWEEN "; /**/ "

enum model_setting {
	MODEL_APPLICATION_NAME,
	MODEL_WORK_MEM,
	MODEL_TENANT,
	MODEL_ROLE,
	MODEL_SETTINGS,
};

/* What a rollback takes back. "" is unset. */
struct model_session {
	char settings[MODEL_SETTINGS][MODEL_VALUE];
	bool listens, temp, holds;
};

enum model_kind {
	MODEL_SELECT, /* and all that is not known */
	MODEL_ROWS,   /* two of them */
	MODEL_BIG,
	MODEL_SHOW,
	MODEL_EMPTY,
	MODEL_FAILS,
	MODEL_BEGIN,
	MODEL_COMMIT,
	MODEL_ROLLBACK,
	MODEL_SET,
	MODEL_RESET,
	MODEL_RESET_ALL,
	MODEL_FLAG, /* LISTEN, CREATE TEMP TABLE and the like: switches something on or off */
	MODEL_PREPARE,
	MODEL_DEALLOCATE,
	MODEL_EXECUTE,
	MODEL_DISCARD,
	MODEL_DISCARD_SEQUENCES,
	MODEL_NEXTVAL,
	MODEL_LASTVAL,
	MODEL_COPY_IN,
	MODEL_COPY_OUT,
	MODEL_CREATE,
	MODEL_OURS, /* a statement of the pooler's own */
	MODEL_SYNTAX,
};

struct model_statement {
	enum model_kind kind;
	const char *tag;
	enum model_setting setting;
	const char *value;
	size_t flag; /* offset in struct model */
	bool on;
	char name[256];
};

struct model_prepared {
	char *name; /* NULL: free */
	char *sql;
};

struct model_portal {
	char *name;
	char *sql;
	size_t row;
	bool done;
};

struct model {
	bool pooled;  /* the pooler's: it must get nothing that is not a message */
	bool doubted; /* somebody else answers for it, too: the pooler may be wrong about who is linked */
	bool started;
	uint32_t pid;
	uint32_t secret;
	struct harness_bytes in;
	struct harness_bytes out;  /* what the peer may see by now */
	struct harness_bytes held; /* not flushed yet */
	size_t flushed;	 /* so much of out was said to be sent; more may be there by model_show_all() */
	bool closed;	 /* said its last */
	bool holds_back; /* reads nothing for the time being */
	bool dies, fails_ours, cancel;
	/* its startup packet set something; and that was reset: the pooler sets it again when the transaction
	 * is over, and not at once */
	bool has_start, reset_start;
	char status;
	bool skip_to_sync, extended, copying;
	bool several; /* the simple query has more than one statement */
	char *rest;   /* of a simple query, behind the COPY that runs */
	struct model_session session, saved;
	char reported[MODEL_VALUE]; /* application_name, as the peer was told */
	bool locked, sequence;
	uint64_t sequence_client; /* whose nextval() it was */
	struct model_prepared prepared[MODEL_NAMES];
	struct model_portal portals[MODEL_NAMES];
	char *unnamed;	   /* NULL: there is no unnamed statement */
	bool sql_prepared; /* by PREPARE */
};

void model_init(struct model *model, bool pooled, bool started, uint32_t pid);
void model_done(struct model *model);
/* Take what is in model->in, as far as there are whole messages. True: something was taken. */
bool model_run(struct model *model);
/* Whether the bytes that came so far end within a message. */
bool model_is_within(const struct model *model);
/* Of the pooler's: between two clients nothing is left but what the pooler knows of. */
void model_check_clean(const struct model *model, const struct pgm_server *server);

/* model_sql.c */
void model_read(const char *sql, struct model_statement *statement);
bool model_has_rows(const char *sql);
/* Run a statement, or what is left of a portal, up to most rows (0: all). False: it failed. */
bool model_execute(struct model *model, const char *sql, struct model_portal *portal, uint32_t most);
void model_abort(struct model *model);	/* of a transaction, by an error */
void model_commit(struct model *model); /* at the end of an implicit one */

/* model.c: answers */
void model_send(struct model *model, char type, const void *body, size_t length);
bool model_error(struct model *model, const char *sqlstate, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void model_fatal(struct model *model, const char *sqlstate, const char *message);
void model_flush(struct model *model);
/* What is not flushed yet may be seen, too: the pooler asks for it sometimes. */
void model_show_all(struct model *model);
void model_drop_portals(struct model *model);
void model_drop_prepared(struct model *model);
struct model_prepared *model_find(struct model *model, const char *name);
void model_remove(struct model_prepared *prepared);

#endif
