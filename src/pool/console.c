#include "pool/console.h"

#include <string.h>

bool pgm_console_is(const char *database)
{
	return strcmp(database, "pgbouncer") == 0 || strcmp(database, "pgmend") == 0;
}

struct pgm_database *pgm_console_database(struct pgm_pooler *pooler)
{
	static const struct pgm_config_database config = {.name = "pgbouncer", .dbname = "pgbouncer"};
	static struct pgm_database database = {.name = "pgbouncer", .config = &config};
	(void)pooler;
	return &database;
}

void pgm_console_adopt(struct pgm_client *client, const char *user)
{
	(void)user;
	pgm_client_end(client, "0A000", "the console is not there yet");
}

void pgm_console_tick(struct pgm_pooler *pooler)
{
	(void)pooler;
}
