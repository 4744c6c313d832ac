/*
 * What libpq answered, turned into our rows and errors. Inside pg/ only.
 */
#ifndef PGM_PG_RESULT_H
#define PGM_PG_RESULT_H

#include "pg/conn.h"

#include <libpq-fe.h>

bool pgm_result_check(PGconn *pq, const PGresult *result, struct pgm_error *err);
bool pgm_result_connection_error(PGconn *pq, struct pgm_error *err); /* always false */
void pgm_result_copy(const PGresult *result, struct pgm_arena *arena, struct pgm_rows *rows);
PGconn *pgm_conn_pq(struct pgm_conn *conn); /* of conn.c */

/* The arguments of PQconnectdbParams(): how many; there is room for two more and the NULL that ends them. */
#define PGM_CONN_KEYWORDS 16
size_t pgm_conn_keywords(const struct pgm_conn_options *options, bool console, const char **keys,
			 const char **values);
void pgm_result_ignore_notice(void *arg, const char *message);

#endif
