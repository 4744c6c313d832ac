/* lib_batch --list; lib_batch CASE CONNINFO */
#include "lib_batch.h"

#include <stdarg.h>

struct pgmend_error lib_err;

_Noreturn void lib_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\nlast error: %s %s: %s %s\n", file, line, what,
		pgmend_code_name(lib_err.code), lib_err.sqlstate, lib_err.message, lib_err.detail);
	exit(1);
}

void lib_check_int(const char *file, int line, const char *what, long long is, long long should)
{
	if (is == should)
		return;
	fprintf(stderr, "%lld, not %lld: ", is, should);
	lib_fail(file, line, what);
}

void lib_check_text(const char *file, int line, const char *what, const char *is, const char *should)
{
	if (is && strcmp(is, should) == 0)
		return;
	fprintf(stderr, "\"%s\", not \"%s\": ", is ? is : "(null)", should);
	lib_fail(file, line, what);
}

static PGresult *run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s\n%s", sql, PQerrorMessage(conn));
		exit(1);
	}
	return result;
}

static char *print(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static char *print(const char *format, va_list args)
{
	char *sql;
	if (vasprintf(&sql, format, args) < 0)
		abort();
	return sql;
}

void lib_exec(PGconn *conn, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *sql = print(format, args);
	va_end(args);
	PQclear(run(conn, sql));
	free(sql);
}

const char *lib_scalar(PGconn *conn, const char *format, ...)
{
	static char value[4096];
	va_list args;
	va_start(args, format);
	char *sql = print(format, args);
	va_end(args);
	PGresult *result = run(conn, sql);
	snprintf(value, sizeof(value), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "(no row)");
	PQclear(result);
	free(sql);
	return value;
}

long long lib_number(PGconn *conn, const char *sql)
{
	return atoll(lib_scalar(conn, "%s", sql));
}

PGconn *lib_second(PGconn *conn)
{
	static const char *const names[] = {"host", "port", "dbname", "user", NULL};
	const char *const values[] = {PQhost(conn), PQport(conn), PQdb(conn), PQuser(conn), NULL};
	PGconn *other = PQconnectdbParams(names, values, 0);
	CHECK(PQstatus(other) == CONNECTION_OK);
	PQsetNoticeProcessor(other, lib_ignore_notice, NULL);
	return other;
}

struct pgmend_batch_options lib_options(const char *table, const struct pgmend_batch_column *columns,
					int count)
{
	struct pgmend_batch_options options = {sizeof(options)};
	options.table = table;
	options.columns = columns;
	options.column_count = count;
	return options;
}

struct pgmend_batch *lib_write(PGconn *conn, const struct pgmend_batch_options *options,
			       const struct pgmend_column *columns, size_t rows, bool *ok)
{
	struct pgmend_batch *batch = pgmend_batch_open(conn, options, &lib_err);
	CHECK(batch != NULL);
	*ok = pgmend_batch_add_columns(batch, columns, rows, &lib_err) &&
	      pgmend_batch_finish(batch, &lib_err);
	return batch;
}

struct pgmend_batch_result lib_result(const struct pgmend_batch *batch)
{
	struct pgmend_batch_result result = {sizeof(result)};
	pgmend_batch_result(batch, &result);
	return result;
}

void lib_ignore_notice(void *context, const char *message)
{
	(void)context, (void)message;
}

int main(int argc, char **argv)
{
	const struct lib_case *lists[] = {lib_type_cases, lib_row_cases, lib_fault_cases, lib_upsert_cases};
	for (int i = 0; i < COUNT(lists); i++) {
		for (const struct lib_case *one = lists[i]; one->name; one++) {
			if (argc == 2) {
				puts(one->name);
				continue;
			}
			if (strcmp(one->name, argv[1]) != 0)
				continue;
			PGconn *conn = PQconnectdb(argv[2]);
			if (PQstatus(conn) != CONNECTION_OK)
				lib_fail(__FILE__, __LINE__, PQerrorMessage(conn));
			PQsetNoticeProcessor(conn, lib_ignore_notice, NULL);
			one->run(conn);
			PQfinish(conn);
			return 0;
		}
	}
	return argc != 2;
}
