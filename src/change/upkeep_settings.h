/*
 * Settings of partition upkeep, stored in the Ledger's schema as one JSON object a table.
 */
#ifndef PGM_CHANGE_UPKEEP_SETTINGS_H
#define PGM_CHANGE_UPKEEP_SETTINGS_H

#include "pg/conn.h"

/* Put them over what is stored of the table; makes the Ledger where there is none. */
bool pgm_upkeep_settings_save(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
			      const char *table, const char *json, struct pgm_error *err) PGM_MUST_CHECK;

/* Forget them; nothing to forget is fine. */
bool pgm_upkeep_settings_forget(struct pgm_conn *conn, struct pgm_arena *arena, const char *schema,
				const char *table, struct pgm_error *err) PGM_MUST_CHECK;

#endif
