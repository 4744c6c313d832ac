#include "cli/check_saved.h"

#include "util/buf.h"
#include "util/vec.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name as one part of a path: what is not plain is written as %XX. */
static char *path_part(struct pgm_arena *arena, const char *name)
{
	struct pgm_buf part;
	pgm_buf_init(&part, arena);
	pgm_buf_add(&part, "");
	for (const unsigned char *p = (const unsigned char *)name; *p && part.length < 150; p++) {
		if (isalnum(*p) || (strchr("_-", *p) != NULL) || (*p == '.' && part.length))
			pgm_buf_char(&part, (char)*p);
		else
			pgm_buf_printf(&part, "%%%02X", *p);
	}
	return part.text;
}

char *pgm_check_saved_folder(struct pgm_arena *arena, struct pgm_conn *conn, struct pgm_error *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *identity = NULL;
	/* The XDG specification: a path that is not absolute does not count. */
	if (!state || *state != '/')
		state = home && *home == '/' ? pgm_sprintf(arena, "%s/.local/state", home) : NULL;
	if (!state) {
		pgm_error_set(err, PGM_ERR_SYSTEM,
			      "there is no HOME and no XDG_STATE_HOME to keep reports in");
		pgm_error_hint(err, "Name a file: --save=FILE, --since=FILE.");
		return NULL;
	}
	struct pgm_error refused = {0};
	if (!pgm_conn_value(conn, arena,
			    "SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()",
			    0, NULL, &identity, &refused) ||
	    !identity)
		identity = pgm_sprintf(arena, "%s-%s", pgm_conn_host(conn), pgm_conn_port(conn));
	return pgm_sprintf(arena, "%s/pgmend/%s-%s", state, path_part(arena, pgm_conn_database(conn)),
			   path_part(arena, identity));
}

/* Each folder of the path that is missing, for nobody but us. */
static bool make_folder(struct pgm_arena *arena, const char *folder, struct pgm_error *err)
{
	char *path = pgm_strdup(arena, folder);
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", path, strerror(errno));
		if (!slash)
			return true;
		*slash = '/';
	}
}

char *pgm_check_masked(struct pgm_arena *arena, const char *text)
{
	char *copy = pgm_strdup(arena, text);
	for (char *at = strcasestr(copy, "password"); at; at = strcasestr(at, "password")) {
		at += strlen("password");
		char *value = at + strspn(at, " \t\n=:");
		/* E'...' and '...'; in a conninfo the word alone */
		if (*value == 'E' && value[1] == '\'')
			value++;
		bool quoted = *value == '\'';
		for (char *p = value + quoted; *p && (quoted ? *p != '\'' : !isspace((unsigned char)*p)); p++)
			if (quoted || value[-1] == '=')
				*p = '*';
	}
	for (char *at = strstr(copy, "://"); at; at = strstr(at + 3, "://")) {
		size_t length = strcspn(at + 3, "/ '\"\n");
		char *sign = memchr(at + 3, '@', length);
		char *colon = sign ? memchr(at + 3, ':', (size_t)(sign - at - 3)) : NULL;
		for (char *p = colon ? colon + 1 : sign; colon && p < sign; p++)
			*p = '*';
	}
	return copy;
}

static json_t *masked_json(struct pgm_arena *arena, json_t *value)
{
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		return strcasestr(text, "password") || strstr(text, "://")
			       ? json_string(pgm_check_masked(arena, text))
			       : json_incref(value);
	}
	if (json_is_array(value)) {
		json_t *copy = json_array();
		for (size_t i = 0; i < json_array_size(value); i++)
			json_array_append_new(copy, masked_json(arena, json_array_get(value, i)));
		return copy;
	}
	if (json_is_object(value)) {
		json_t *copy = json_object(), *item;
		const char *key;
		json_object_foreach(value, key, item)
			json_object_set_new(copy, key, masked_json(arena, item));
		return copy;
	}
	return json_incref(value);
}

/* Whole or not at all: a file beside it takes its place when it is on disk. */
static bool write_file(struct pgm_arena *arena, const char *path, json_t *report, struct pgm_error *err)
{
	char *temporary = pgm_sprintf(arena, "%s.%d.tmp", path, (int)getpid());
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", temporary, strerror(errno));
	json_t *copy = masked_json(arena, report);
	bool ok = json_dumpfd(copy, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
	json_decref(copy);
	ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
	if (!ok) {
		pgm_error_set(err, PGM_ERR_SYSTEM, "%s: %s", path, strerror(errno));
		unlink(temporary);
	}
	return ok;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_report(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0 && *entry->d_name != '.';
}

/* Names of the folder's reports, oldest first: they begin with the time. */
static size_t list_reports(struct pgm_arena *arena, const char *folder, char ***paths)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_report, by_name);
	if (count < 0)
		return 0;
	*paths = PGM_NEW_ARRAY(arena, char *, count + 1);
	for (int i = 0; i < count; i++) {
		(*paths)[i] = pgm_sprintf(arena, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return (size_t)count;
}

char *pgm_check_saved_last(struct pgm_arena *arena, const char *folder)
{
	char **paths;
	size_t count = list_reports(arena, folder, &paths);
	return count ? paths[count - 1] : NULL;
}

bool pgm_check_save(struct pgm_arena *arena, const char *folder, const char *path, json_t *report,
		    const char *taken_at, char **written, struct pgm_error *err)
{
	if (*path) {
		*written = pgm_strdup(arena, path);
		return write_file(arena, path, report, err);
	}
	if (!make_folder(arena, folder, err))
		return false;
	/* 20261121T101801Z-001.json: names in the order of time */
	struct pgm_buf stamp;
	pgm_buf_init(&stamp, arena);
	for (const char *p = taken_at; *p; p++)
		if (isalnum((unsigned char)*p))
			pgm_buf_char(&stamp, *p);
	for (int copy = 1; copy == 1 || (access(*written, F_OK) == 0 && copy < 1000); copy++)
		*written = pgm_sprintf(arena, "%s/%s-%03d.json", folder, stamp.text, copy);
	if (!write_file(arena, *written, report, err))
		return false;
	char **paths;
	size_t count = list_reports(arena, folder, &paths);
	for (size_t i = 0; i + PGM_CHECK_SAVED_MAX < count; i++)
		unlink(paths[i]);
	return true;
}

json_t *pgm_check_saved_read(const char *path, struct pgm_error *err)
{
	struct stat status;
	FILE *file = fopen(path, "r");
	json_error_t problem;
	if (!file || fstat(fileno(file), &status) != 0) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", path, strerror(errno));
		if (file)
			fclose(file);
		return NULL;
	}
	json_t *report = NULL;
	if (S_ISDIR(status.st_mode))
		pgm_error_set(err, PGM_ERR_INPUT, "%s: it is a folder", path);
	else if (status.st_size > PGM_CHECK_SAVED_BYTES_MAX)
		pgm_error_set(err, PGM_ERR_INPUT, "%s: larger than %d MB", path,
			      PGM_CHECK_SAVED_BYTES_MAX >> 20);
	else if (!(report = json_loadf(file, JSON_REJECT_DUPLICATES, &problem)))
		pgm_error_set(err, PGM_ERR_INPUT, "%s:%d: %s", path, problem.line, problem.text);
	fclose(file);
	return report;
}
