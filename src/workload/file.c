/*
 * A Workload from a file of SQL statements.
 */
#include "sql/split.h"
#include "workload/statement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number in the last comment "-- calls: N" between two places of the text; 1 without one. */
static double calls_before(const char *text, size_t from, size_t to)
{
	static const char word[] = "-- calls:";
	double calls = 1;
	for (size_t i = from; i + sizeof(word) <= to; i++)
		if (strncmp(text + i, word, sizeof(word) - 1) == 0) {
			double number = strtod(text + i + sizeof(word) - 1, NULL);
			if (number > 0 && number < 1e15)
				calls = number;
		}
	return calls;
}

bool pgm_workload_from_text(struct pgm_arena *arena, const char *name, const char *text,
			    struct pgm_workload *workload, struct pgm_error *err)
{
	struct pgm_workload_builder builder;
	struct pgm_sql_statements split;
	/* No SQL begins with a brace. */
	if (text[strspn(text, " \t\r\n")] == '{')
		return pgm_workload_from_profile(arena, name, text, workload, err);
	pgm_workload_builder_init(&builder, arena, workload);
	if (!pgm_sql_split(arena, text, &split, err))
		return pgm_error_context(err, "%s", name);
	size_t end = 0;
	for (size_t i = 0; i < split.count; i++) {
		const struct pgm_sql_statement *statement = &split.items[i];
		double calls = calls_before(text, end, statement->offset);
		/* A file tells neither times nor rows. */
		pgm_workload_add(&builder, statement->text, true, calls, 0, 0);
		end = statement->offset + statement->length;
	}
	pgm_workload_finish(&builder);
	workload->source = name;
	if (workload->statement_count == 0) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s: there is no query in it%s%s", name,
			      workload->left_out_example ? " that can be understood: " : "",
			      workload->left_out_example ? workload->left_out_example : "");
		return pgm_error_hint(err, "Write SQL statements, each ended by a semicolon.");
	}
	return true;
}

static bool read_file(struct pgm_arena *arena, const char *path, char **text, struct pgm_error *err)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	if (!stream)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
	size_t capacity = 1 << 16, length = 0;
	char *buffer = malloc(capacity);
	size_t got;
	while (buffer && (got = fread(buffer + length, 1, capacity - length, stream)) > 0) {
		length += got;
		if (length < capacity)
			continue;
		if (capacity >= PGM_WORKLOAD_FILE_MAX)
			break;
		capacity *= 2;
		char *bigger = realloc(buffer, capacity);
		if (!bigger)
			free(buffer);
		buffer = bigger;
	}
	bool failed = !buffer || ferror(stream), large = buffer && length >= PGM_WORKLOAD_FILE_MAX;
	int problem = errno;
	if (stream != stdin)
		fclose(stream);
	bool binary = !failed && !large && memchr(buffer, '\0', length);
	if (!failed && !large && !binary)
		*text = pgm_strndup(arena, buffer, length);
	free(buffer);
	if (failed)
		return pgm_error_set(err, PGM_ERR_INPUT, "cannot read %s: %s", path, strerror(problem));
	if (large)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s is larger than %u MB", path,
				     PGM_WORKLOAD_FILE_MAX >> 20);
	if (binary)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s is no text: there is a byte 0 in it", path);
	return true;
}

bool pgm_workload_from_file(struct pgm_arena *arena, const char *path, struct pgm_workload *workload,
			    struct pgm_error *err)
{
	char *text = NULL;
	return read_file(arena, path, &text, err) && pgm_workload_from_text(arena, path, text, workload, err);
}
