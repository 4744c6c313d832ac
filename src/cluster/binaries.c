#include "cluster/binaries.h"

#include "cluster/process.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_program(struct pgm_arena *arena, const char *folder, const char *program)
{
	return access(pgm_sprintf(arena, "%s/%s", folder, program), X_OK) == 0;
}

static bool has_server(struct pgm_arena *arena, const char *folder)
{
	return has_program(arena, folder, "initdb") && has_program(arena, folder, "postgres");
}

/* The first folder of PATH that holds the program. */
static char *search_path(struct pgm_arena *arena, const char *program)
{
	const char *path = getenv("PATH");
	while (path && *path) {
		size_t length = strcspn(path, ":");
		char *folder = pgm_strndup(arena, path, length);
		if (*folder == '/' && has_program(arena, folder, program))
			return folder;
		path += length + (path[length] == ':');
	}
	return NULL;
}

/* It may come with libpq alone: then the folder that it names has no server. */
static char *ask_pg_config(struct pgm_arena *arena)
{
	char *folder = search_path(arena, "pg_config");
	if (!folder)
		return NULL;
	char *program = pgm_sprintf(arena, "%s/pg_config", folder);
	struct pgm_process process = {.argv = (const char *const[]){program, "--bindir", NULL}};
	char *output;
	if (!pgm_process_run(arena, &process, &output, NULL))
		return NULL;
	return has_server(arena, output) ? output : NULL;
}

static double version_in(const char *path)
{
	const char *digits = strpbrk(path, "0123456789");
	return digits ? strtod(digits, NULL) : 0;
}

static char *newest_of(struct pgm_arena *arena, const char *pattern)
{
	glob_t found;
	char *best = NULL;
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (has_server(arena, found.gl_pathv[i]) &&
			    (!best || version_in(found.gl_pathv[i]) > version_in(best)))
				best = pgm_strdup(arena, found.gl_pathv[i]);
	globfree(&found);
	return best;
}

char *pgm_binaries_find(struct pgm_arena *arena, struct pgm_error *err)
{
	const char *given = getenv("PGMEND_PG_BIN");
	if (given && *given) {
		if (has_server(arena, given))
			return pgm_strdup(arena, given);
		pgm_error_set(err, PGM_ERR_SYSTEM, "there is no initdb and postgres in \"%s\"", given);
		pgm_error_hint(err, "PGMEND_PG_BIN names the folder of PostgreSQL's server programs.");
		return NULL;
	}
	char *folder = ask_pg_config(arena);
	static const char *const patterns[] = {
		"/usr/lib/postgresql/*/bin", /* Debian, Ubuntu */
		"/usr/pgsql-*/bin",	     /* the RPMs of postgresql.org */
		"/usr/libexec/postgresql*",  /* Alpine */
		"/usr/local/pgsql/bin",	     /* built from source */
	};
	for (size_t i = 0; !folder && i < sizeof(patterns) / sizeof(*patterns); i++)
		folder = newest_of(arena, patterns[i]);
	if (!folder) {
		folder = search_path(arena, "initdb");
		if (folder && !has_server(arena, folder))
			folder = NULL;
	}
	if (!folder) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "PostgreSQL's server programs are not installed");
		pgm_error_hint(err,
			       "On Debian or Ubuntu: apt-get install postgresql postgresql-contrib. Where "
			       "they are elsewhere, name their folder in PGMEND_PG_BIN.");
	}
	return folder;
}
