/*
 * A Workload from a file of SQL statements.
 */
#include "util/file.h"
#include "sql/split.h"
#include "workload/statement.h"

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

bool pgm_workload_from_file(struct pgm_arena *arena, const char *path, struct pgm_workload *workload,
			    struct pgm_error *err)
{
	char *text = NULL;
	return pgm_file_read(arena, path, PGM_WORKLOAD_FILE_MAX, &text, err) &&
	       pgm_workload_from_text(arena, path, text, workload, err);
}
