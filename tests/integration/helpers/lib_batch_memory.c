/*
 * lib_batch_memory CONNINFO: batches, over and over, and each time another allocation of the library fails,
 * until none does. Each must end as it says: with PGMEND_ERR_MEMORY and nothing written, and a connection
 * that goes on. Linked with --wrap for malloc and its like.
 */
#include "lib_batch.h"

static long countdown = -1; /* allocations until one fails; below 0: none does */
static bool failed;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	failed = true;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

const struct lib_case lib_type_cases[] = {{NULL, NULL}}, lib_row_cases[] = {{NULL, NULL}},
		      lib_upsert_cases[] = {{NULL, NULL}};

enum { ROWS = 2500 };

static bool write_once(PGconn *conn, const struct pgmend_batch_options *options,
		       const struct pgmend_column *columns)
{
	struct pgmend_batch *batch = pgmend_batch_open(conn, options, &lib_err);
	bool ok = batch && pgmend_batch_add_columns(batch, columns, ROWS, &lib_err) &&
		  pgmend_batch_finish(batch, &lib_err);
	countdown = -1;
	if (ok) {
		CHECK_INT(pgmend_batch_bad_count(batch), 1);
		CHECK_INT(pgmend_batch_returned_count(batch), options->returning ? ROWS - 1 : 0);
	}
	pgmend_batch_close(batch);
	return ok;
}

static void test_memory(PGconn *conn)
{
	static const struct pgmend_batch_column names[] = {{"id", PGMEND_INT64}, {"note", PGMEND_TEXT}};
	static const char *const key[] = {"id", NULL};
	static int64_t ids[ROWS];
	static const char *notes[ROWS];
	const struct pgmend_column columns[] = {{ids, NULL, NULL, 0}, {notes, NULL, NULL, 0}};
	for (int i = 0; i < ROWS; i++) {
		ids[i] = i;
		notes[i] = i == 1200 ? "bad" : "some note or other";
	}
	lib_exec(conn, "CREATE TABLE item (id bigint PRIMARY KEY, note text, CHECK (note <> 'bad'))");
	lib_exec(conn, "SET synchronous_commit = off");
	long failures = 0;
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		bool copies = method == PGMEND_METHOD_COPY;
		ids[9] = copies ? 9 : 8;
		struct pgmend_batch_options options = lib_options("item", names, 2);
		options.method = method;
		options.on_conflict = copies ? PGMEND_CONFLICT_ERROR : PGMEND_CONFLICT_UPDATE;
		options.conflict_key = key;
		options.returning = copies ? NULL : key;
		options.chunk_rows = 2000;
		for (long at = 0;; at++) {
			failed = false;
			countdown = at;
			bool ok = write_once(conn, &options, columns);
			CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
			CHECK_INT(PQpipelineStatus(conn), PQ_PIPELINE_OFF);
			if (!failed) {
				CHECK(ok);
				break;
			}
			CHECK(!ok);
			CHECK_INT(lib_err.code, PGMEND_ERR_MEMORY);
			CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 0);
			failures++;
		}
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), copies ? ROWS - 1 : ROWS - 2);
		lib_exec(conn, "TRUNCATE item");
	}
	printf("%ld failures\n", failures);
	CHECK(failures > 50);
}

const struct lib_case lib_fault_cases[] = {{"memory", test_memory}, {NULL, NULL}};
