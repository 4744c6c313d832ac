/*
 * A pipeline of pgm_conn whose error comes with the answer to its Sync, and one after it.
 *
 *	pipeline_end CONNINFO
 *
 * Prints the error's SQLSTATE, and what the second one returned.
 */
#include "pg/conn.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	struct pgm_error err = {0};
	struct pgm_rows rows[2] = {0};
	struct pgm_conn_options options = {.conninfo = argc > 1 ? argv[1] : ""};
	/* Outside of a transaction block it is the Sync that commits, and so asks deferred constraints. */
	const char *const deferred[] = {"SELECT 1", "INSERT INTO public.once VALUES (1), (1)"};
	const char *const after[] = {"SELECT 'in'", "SELECT 'step'"};
	struct pgm_conn *conn = pgm_conn_open(&options, &err);
	if (!conn) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	bool committed = pgm_conn_pipeline(conn, arena, 2, deferred, rows, NULL, &err);
	printf("%s\n", committed ? "committed" : err.sqlstate);
	if (!pgm_conn_pipeline(conn, arena, 2, after, rows, NULL, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	printf("%s %s\n", pgm_rows_text(&rows[0], 0, 0), pgm_rows_text(&rows[1], 0, 0));
	pgm_conn_close(conn);
	return 0;
}
