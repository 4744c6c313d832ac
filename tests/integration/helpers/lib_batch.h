/*
 * The cases of test_lib_batch.py: programs of libpgmend, by its public header alone. A case that fails says
 * where and ends the program with 1.
 */
#ifndef LIB_BATCH_H
#define LIB_BATCH_H

#include <libpq-fe.h>
#include <pgmend/pgmend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)       ((condition) ? (void)0 : lib_fail(__FILE__, __LINE__, #condition))
#define CHECK_INT(is, should)  lib_check_int(__FILE__, __LINE__, #is, (long long)(is), (long long)(should))
#define CHECK_TEXT(is, should) lib_check_text(__FILE__, __LINE__, #is, (is), (should))
#define COUNT(array)	       ((int)(sizeof(array) / sizeof(*(array))))

struct lib_case {
	const char *name;
	void (*run)(PGconn *conn);
};
extern const struct lib_case lib_type_cases[], lib_row_cases[], lib_fault_cases[], lib_upsert_cases[];

extern struct pgmend_error lib_err;

_Noreturn void lib_fail(const char *file, int line, const char *what);
void lib_check_int(const char *file, int line, const char *what, long long is, long long should);
void lib_check_text(const char *file, int line, const char *what, const char *is, const char *should);

/* A statement that must succeed; and its first value, which lives until the next call. */
void lib_exec(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *lib_scalar(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops what it is given: what the server notes is not looked at. */
void lib_ignore_notice(void *context, const char *message);
long long lib_number(PGconn *conn, const char *sql);

/* Another session like it. */
PGconn *lib_second(PGconn *conn);

/* Options for a table with these columns. */
struct pgmend_batch_options lib_options(const char *table, const struct pgmend_batch_column *columns,
					int count);

/* Opens, adds the rows, finishes: whether that succeeded. The batch is given back open for questions. */
struct pgmend_batch *lib_write(PGconn *conn, const struct pgmend_batch_options *options,
			       const struct pgmend_column *columns, size_t rows, bool *ok);
struct pgmend_batch_result lib_result(const struct pgmend_batch *batch);

#endif
