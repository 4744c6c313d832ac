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
void pgm_result_ignore_notice(void *arg, const char *message);

#endif
