#include "change/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;
	return value ? value : json_null();
}

static json_t *to_json(const struct pgm_archive_info *info)
{
	json_t *columns = json_array();
	for (size_t i = 0; i < info->column_count; i++)
		json_array_append_new(columns, json_pack("{s:o, s:o, s:b}", "name",
							 text_or_null(info->columns[i].name), "type",
							 text_or_null(info->columns[i].type), "not_null",
							 info->columns[i].not_null));
	json_t *object =
		json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "format", "pgmend archive",
			  "version", PGM_ARCHIVE_VERSION, "database", text_or_null(info->database), "schema",
			  text_or_null(info->schema), "table", text_or_null(info->table), "parent_schema",
			  text_or_null(info->parent_schema), "parent", text_or_null(info->parent), "from",
			  text_or_null(info->low), "to", text_or_null(info->high));
	json_object_set_new(object, "columns", columns);
	json_object_set_new(object, "rows", json_integer(info->sum.rows));
	json_object_set_new(object, "bytes", json_integer(info->sum.bytes));
	json_object_set_new(object, "sha256", text_or_null(info->sum.sha256));
	json_object_set_new(object, "compressed_bytes", json_integer(info->compressed_bytes));
	json_object_set_new(object, "server_version", json_integer(info->server_version));
	json_object_set_new(object, "created_at", text_or_null(info->created_at));
	json_object_set_new(object, "oid", text_or_null(info->oid));
	json_object_set_new(object, "plan", text_or_null(info->plan));
	return object;
}

bool pgm_archive_info_write(const char *path, const struct pgm_archive_info *info, struct pgm_error *err)
{
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	const char *name = pgm_sprintf(arena, "%s.json", path);
	const char *part = pgm_sprintf(arena, "%s.json.part", path);
	json_t *object = to_json(info);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && json_dumpfd(object, fd, JSON_INDENT(2)) == 0 && write(fd, "\n", 1) == 1 &&
		  fsync(fd) == 0;
	int problem = errno;
	if (fd >= 0 && close(fd) != 0 && ok)
		ok = false, problem = errno;
	json_decref(object);
	if (ok && rename(part, name) != 0)
		ok = false, problem = errno;
	if (!ok)
		unlink(part);
	return ok || pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", name, strerror(problem));
}

static const char *text_of(struct pgm_arena *arena, const json_t *object, const char *key)
{
	return pgm_strdup(arena, json_string_value(json_object_get(object, key)));
}

static bool from_json(struct pgm_arena *arena, const json_t *object, struct pgm_archive_info *info)
{
	const char *format = json_string_value(json_object_get(object, "format"));
	const json_t *columns = json_object_get(object, "columns");
	const char *sha256 = json_string_value(json_object_get(object, "sha256"));
	if (!format || strcmp(format, "pgmend archive") != 0 || !json_is_array(columns) || !sha256 ||
	    json_integer_value(json_object_get(object, "version")) != PGM_ARCHIVE_VERSION)
		return false;
	*info = (struct pgm_archive_info){
		.database = text_of(arena, object, "database"),
		.schema = text_of(arena, object, "schema"),
		.table = text_of(arena, object, "table"),
		.parent_schema = text_of(arena, object, "parent_schema"),
		.parent = text_of(arena, object, "parent"),
		.low = text_of(arena, object, "from"),
		.high = text_of(arena, object, "to"),
		.oid = text_of(arena, object, "oid"),
		.plan = text_of(arena, object, "plan"),
		.created_at = text_of(arena, object, "created_at"),
		.server_version = json_integer_value(json_object_get(object, "server_version")),
		.compressed_bytes = json_integer_value(json_object_get(object, "compressed_bytes")),
		.column_count = json_array_size(columns),
		.sum = {.rows = json_integer_value(json_object_get(object, "rows")),
			.bytes = json_integer_value(json_object_get(object, "bytes"))},
	};
	snprintf(info->sum.sha256, sizeof(info->sum.sha256), "%s", sha256);
	info->columns = PGM_NEW_ARRAY(arena, struct pgm_archive_column, info->column_count + 1);
	for (size_t i = 0; i < info->column_count; i++) {
		const json_t *column = json_array_get(columns, i);
		info->columns[i] = (struct pgm_archive_column){
			.name = text_of(arena, column, "name"),
			.type = text_of(arena, column, "type"),
			.not_null = json_is_true(json_object_get(column, "not_null")),
		};
		if (!info->columns[i].name || !info->columns[i].type)
			return false;
	}
	return info->schema && info->table;
}

bool pgm_archive_info_read(struct pgm_arena *arena, const char *path, bool *there,
			   struct pgm_archive_info *info, struct pgm_error *err)
{
	const char *name = pgm_sprintf(arena, "%s.json", path);
	json_error_t problem;
	*there = access(name, F_OK) == 0 || access(path, F_OK) == 0;
	if (!*there)
		return true;
	json_t *object = json_load_file(name, JSON_REJECT_DUPLICATES, &problem);
	bool ok = object && from_json(arena, object, info);
	json_decref(object);
	return ok || pgm_error_set(err, PGM_ERR_INPUT, "%s does not say what the archive holds: %s", name,
				   object ? "it is not pgmend's, or of another version" : problem.text);
}
