/*
 * What the emitters share. Inside change/emit/ only.
 */
#ifndef PGM_CHANGE_EMIT_PARTS_H
#define PGM_CHANGE_EMIT_PARTS_H

#include "change/emit/emit.h"
#include "util/buf.h"
#include "util/vec.h"

/* How long what takes a strong lock may queue for it, since everybody else queues behind. */
#define PGM_EMIT_LOCK_TIMEOUT "2s"

/* What a tool sends in one go. */
struct pgm_emit_step {
	const char **statements; /* without semicolons; control characters are escapes */
	size_t count;
	bool alone;   /* one statement that PostgreSQL refuses in a transaction */
	bool strong;  /* waits for a lock that stops others: under a lock_timeout */
	bool lasting; /* leaves something that would have to be taken back */
};

/* One file (or folder, or pair of files) of the tool. */
struct pgm_emit_migration {
	const struct pgm_change *change;
	size_t change_number; /* from 0 */
	size_t part;	      /* from 1, of parts: a Change may need several */
	size_t parts;
	const char *name;    /* "create_orders_user_id_idx": [a-z0-9_], unlike any other of the Plan */
	const char *version; /* "20260101120000", rising */
	struct pgm_emit_step *up;
	size_t up_count;
	struct pgm_emit_step *down; /* in the order in which they run */
	size_t down_count;
	bool irreversible;	/* there is something to take back, and no way */
	const char *drop_first; /* DROP of the index that an interrupted build leaves behind, or NULL */
};

struct pgm_emit {
	struct pgm_arena *arena;
	const struct pgm_plan *plan;
	const struct pgm_emit_options *options;
	struct pgm_emit_migration *migrations;
	size_t count;
	PGM_VEC(struct pgm_emit_file) files;
	struct pgm_error *err;
};

typedef bool pgm_emit_maker(struct pgm_emit *emit);

struct pgm_emit_tool {
	const char *name;
	const char *command;
	bool whole; /* runs the statements of one file one by one: a Change is one file */
	bool (*check_after)(const char *after, struct pgm_error *err); /* NULL: takes no --after */
	pgm_emit_maker *make;
};

pgm_emit_maker pgm_emit_make_plans, pgm_emit_make_dbmate, pgm_emit_make_flyway, pgm_emit_make_golang_migrate,
	pgm_emit_make_prisma, pgm_emit_make_alembic, pgm_emit_make_django, pgm_emit_make_rails,
	pgm_emit_make_knex;
bool pgm_emit_alembic_after(const char *after, struct pgm_error *err);
bool pgm_emit_django_after(const char *after, struct pgm_error *err);

/* Fill in emit->migrations from its plan. */
bool pgm_emit_migrations(struct pgm_emit *emit, struct pgm_error *err) PGM_MUST_CHECK;

void pgm_emit_file(struct pgm_emit *emit, const char *path, const char *text);

/* The step as one text for the simple query protocol; alone, or with a lock_timeout of its own before it. */
const char *pgm_emit_step_sql(struct pgm_arena *arena, const struct pgm_emit_step *step);

/* The text on one line, in UTF-8: what a terminal or a parser could take for more is an escape. */
char *pgm_emit_line(struct pgm_arena *arena, const char *text);

/* One comment line; what could end the line is an escape. prefix: "--", "#", "//". */
void pgm_emit_comment(struct pgm_buf *out, const char *prefix, const char *text);

/* Who wrote it, what it does, why. The first two lines hold no text of the database's. */
void pgm_emit_header(struct pgm_buf *out, const char *prefix, const struct pgm_emit *emit,
		     const struct pgm_emit_migration *migration);

/* Literals of other languages that mean exactly this text. */
void pgm_emit_python(struct pgm_buf *out, const char *text);   /* """...""" */
void pgm_emit_template(struct pgm_buf *out, const char *text); /* JavaScript: `...` */
/* Ruby: <<~'SQL' and the lines, each indented; ends with a newline. */
void pgm_emit_heredoc(struct pgm_buf *out, const char *text, const char *indent);

/* Lower-case letters, digits and single underscores, at most max_bytes; "" where nothing is left. */
char *pgm_emit_slug(struct pgm_arena *arena, const char *text, size_t max_bytes);

/* As ActiveSupport's camelize: "create_orders_2x" -> "CreateOrders2x". */
char *pgm_emit_camel(struct pgm_arena *arena, const char *slug);

#endif
