/*
 * batch_bench CONNINFO SHAPE METHOD ROWS: writes rows to the table five or thirty (made by bench/batch) and
 * prints how many seconds that took, without connecting and without making the values.
 */
#include <libpq-fe.h>
#include <pgmend/pgmend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 30

struct data {
	int columns;
	int rows;
	struct pgmend_batch_column names[COLUMNS_MAX];
	struct pgmend_column values[COLUMNS_MAX];
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "batch_bench: %s: %s\n", what, why);
	exit(1);
}

static void *make(size_t size, int rows)
{
	void *values = calloc((size_t)rows + 1, size);
	if (!values)
		fail("memory", "none");
	return values;
}

static uint64_t noise(uint64_t n)
{
	n = (n ^ (n >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
	n = (n ^ (n >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
	return n ^ (n >> 32);
}

/* The values of one column, told by its type; NULLs in every fifth row or so where `nulls`. */
static void fill(struct data *data, const char *name, int type, bool nulls, bool json)
{
	static const size_t sizes[] = {[PGMEND_TEXT] = sizeof(char *),
				       [PGMEND_BOOL] = 1,
				       [PGMEND_INT32] = 4,
				       [PGMEND_INT64] = 8,
				       [PGMEND_FLOAT64] = 8,
				       [PGMEND_UUID] = 16,
				       [PGMEND_TIMESTAMP] = 8,
				       [PGMEND_DECIMAL] = sizeof(struct pgmend_decimal)};
	int at = data->columns++;
	char *values = make(sizes[type], data->rows);
	unsigned char *null = nulls ? make(1, data->rows) : NULL;
	size_t *lengths = type == PGMEND_TEXT ? make(sizeof(size_t), data->rows) : NULL;
	for (int i = 0; i < data->rows; i++) {
		uint64_t random = noise((uint64_t)i * COLUMNS_MAX + (uint64_t)at);
		void *value = values + sizes[type] * (size_t)i;
		if (nulls)
			null[i] = random % 5 == 0;
		if (type == PGMEND_TEXT) {
			char *text = make(1, 80);
			if (json)
				sprintf(text, "{\"kind\": \"k%d\", \"size\": %d, \"tags\": [\"a\", \"b%d\"]}",
					(int)(random % 9), (int)(random >> 40), (int)(random % 100));
			else
				sprintf(text, "name %d of %.*s", (int)(random % 100000), (int)(random % 24),
					"abcdefghijklmnopqrstuvwxyz");
			memcpy(value, &text, sizeof(text));
			lengths[i] = strlen(text);
		} else if (at == 0) {
			memcpy(value, &(int64_t){i}, 8);
		} else if (type == PGMEND_BOOL) {
			*(unsigned char *)value = random & 1;
		} else if (type == PGMEND_FLOAT64) {
			memcpy(value, &(double){(double)(random % 1000000) / 64}, 8);
		} else if (type == PGMEND_TIMESTAMP) {
			memcpy(value,
			       &(int64_t){INT64_C(1700000000000000) + (int64_t)(random % 1000000000000)}, 8);
		} else if (type == PGMEND_DECIMAL) {
			memcpy(value, &(struct pgmend_decimal){(int64_t)(random % 100000000), 2},
			       sizes[type]);
		} else {
			memcpy(value, &random, sizes[type] < 8 ? sizes[type] : 8);
		}
	}
	data->names[at] = (struct pgmend_batch_column){name, type};
	data->values[at] = (struct pgmend_column){values, lengths, null, 0};
}

static void make_five(struct data *data)
{
	fill(data, "id", PGMEND_INT64, false, false);
	fill(data, "n", PGMEND_INT32, false, false);
	fill(data, "name", PGMEND_TEXT, false, false);
	fill(data, "amount", PGMEND_FLOAT64, false, false);
	fill(data, "at", PGMEND_TIMESTAMP, false, false);
}

static void make_thirty(struct data *data)
{
	static const struct {
		char name[4];
		int type;
		int count;
	} kinds[] = {{"t", PGMEND_TEXT, 8},  {"j", PGMEND_TEXT, 3},    {"i", PGMEND_INT32, 5},
		     {"b", PGMEND_INT64, 3}, {"f", PGMEND_FLOAT64, 3}, {"s", PGMEND_TIMESTAMP, 3},
		     {"o", PGMEND_BOOL, 2},  {"u", PGMEND_UUID, 1},    {"d", PGMEND_DECIMAL, 1}};
	fill(data, "id", PGMEND_INT64, false, false);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		for (int i = 0; i < kinds[k].count; i++) {
			char *name = make(1, 16);
			snprintf(name, 16, "%.2s%d", kinds[k].name, i + 1);
			fill(data, name, kinds[k].type, true, kinds[k].name[0] == 'j');
		}
	}
}

static void check(PGconn *conn, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN)
		fail("libpq", PQerrorMessage(conn));
	PQclear(result);
}

/* The values in binary, as one would write it by hand for one table. Returns the bytes; negative: NULL. */
static int put_binary(const struct data *data, int column, int row, unsigned char *to)
{
	const struct pgmend_column *values = &data->values[column];
	if (values->nulls && values->nulls[row])
		return -1;
	switch (data->names[column].type) {
	case PGMEND_TEXT: {
		bool json = data->names[column].name[0] == 'j';
		const char *text = ((const char *const *)values->values)[row];
		size_t length = values->lengths[row];
		if (json)
			*to = 1;
		memcpy(to + json, text, length);
		return (int)length + json;
	}
	case PGMEND_BOOL:
		*to = ((const unsigned char *)values->values)[row];
		return 1;
	case PGMEND_INT32: {
		uint32_t value = __builtin_bswap32(((const uint32_t *)values->values)[row]);
		memcpy(to, &value, 4);
		return 4;
	}
	case PGMEND_UUID:
		memcpy(to, (const char *)values->values + (size_t)row * 16, 16);
		return 16;
	case PGMEND_DECIMAL: { /* at most eight digits, two of them after the point */
		const struct pgmend_decimal *value = (const struct pgmend_decimal *)values->values + row;
		uint16_t groups[] = {(uint16_t)(value->unscaled / 1000000),
				     (uint16_t)(value->unscaled / 100 % 10000),
				     (uint16_t)(value->unscaled % 100 * 100)};
		uint16_t head[7] = {3, 1, 0, 2, groups[0], groups[1], groups[2]};
		for (int i = 0; i < 7; i++)
			head[i] = __builtin_bswap16(head[i]);
		memcpy(to, head, sizeof(head));
		return sizeof(head);
	}
	default: {
		uint64_t value;
		memcpy(&value, (const char *)values->values + (size_t)row * 8, 8);
		if (data->names[column].type == PGMEND_TIMESTAMP)
			value -= UINT64_C(946684800000000);
		value = __builtin_bswap64(value);
		memcpy(to, &value, 8);
		return 8;
	}
	}
}

static void copy_binary(PGconn *conn, const char *table, const struct data *data)
{
	static unsigned char buffer[(64 << 10) + (4 << 10)];
	char sql[64];
	snprintf(sql, sizeof(sql), "COPY %s FROM STDIN (FORMAT binary)", table);
	check(conn, PQexec(conn, sql));
	memcpy(buffer, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
	size_t length = 19;
	for (int row = 0; row < data->rows; row++) {
		uint16_t columns = __builtin_bswap16((uint16_t)data->columns);
		memcpy(buffer + length, &columns, 2);
		length += 2;
		for (int column = 0; column < data->columns; column++) {
			int size = put_binary(data, column, row, buffer + length + 4);
			uint32_t field = __builtin_bswap32((uint32_t)size);
			memcpy(buffer + length, &field, 4);
			length += 4 + (size_t)(size > 0 ? size : 0);
		}
		if (length >= 64 << 10) {
			if (PQputCopyData(conn, (char *)buffer, (int)length) != 1)
				fail("COPY", PQerrorMessage(conn));
			length = 0;
		}
	}
	memcpy(buffer + length, "\377\377", 2);
	if (PQputCopyData(conn, (char *)buffer, (int)length + 2) != 1 || PQputCopyEnd(conn, NULL) != 1)
		fail("COPY", PQerrorMessage(conn));
	for (PGresult *result; (result = PQgetResult(conn)) != NULL;)
		check(conn, result);
}

static void single(PGconn *conn, const char *table, const struct data *data)
{
	char sql[512];
	int at = snprintf(sql, sizeof(sql), "INSERT INTO %s VALUES (", table);
	for (int i = 0; i < data->columns; i++)
		at += snprintf(sql + at, sizeof(sql) - (size_t)at, "%s$%d", i ? ", " : "", i + 1);
	snprintf(sql + at, sizeof(sql) - (size_t)at, ")");
	check(conn, PQprepare(conn, "one", sql, 0, NULL));
	for (int row = 0; row < data->rows; row++) {
		static unsigned char buffers[COLUMNS_MAX][200];
		const char *values[COLUMNS_MAX];
		int lengths[COLUMNS_MAX], formats[COLUMNS_MAX];
		for (int i = 0; i < data->columns; i++) {
			lengths[i] = put_binary(data, i, row, buffers[i]);
			values[i] = lengths[i] < 0 ? NULL : (const char *)buffers[i];
			formats[i] = 1;
		}
		check(conn, PQexecPrepared(conn, "one", data->columns, values, lengths, formats, 1));
	}
}

static bool ignore_returned(void *context, const struct pgmend_returned *rows)
{
	*(int64_t *)context += rows->count;
	return true;
}

/* The library: the method is told, or its choice; each row by itself; with RETURNING or as an upsert. */
static void library(PGconn *conn, const char *table, struct data *data, const char *method)
{
	static const char *const id[] = {"id", NULL};
	struct pgmend_error err;
	int64_t returned = 0;
	struct pgmend_batch_options options = {sizeof(options)};
	options.table = table;
	options.columns = data->names;
	options.column_count = data->columns;
	options.bad_rows = PGMEND_BAD_ROWS_SKIP;
	if (getenv("CHUNK_ROWS"))
		options.chunk_rows = atoi(getenv("CHUNK_ROWS"));
	if (strcmp(method, "copy") == 0)
		options.method = PGMEND_METHOD_COPY;
	else if (strcmp(method, "unnest") == 0)
		options.method = PGMEND_METHOD_UNNEST;
	else if (strcmp(method, "values") == 0)
		options.method = PGMEND_METHOD_VALUES;
	bool returning = strcmp(method, "returning") == 0, upsert = strncmp(method, "upsert", 6) == 0;
	if (returning) {
		options.returning = id;
		options.on_returning = ignore_returned;
		options.context = &returned;
	}
	if (upsert) {
		options.on_conflict = PGMEND_CONFLICT_UPDATE;
		options.conflict_key = id;
	}
	if (strcmp(method, "chunks") == 0)
		options.transaction = PGMEND_TRANSACTION_CHUNK;
	struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &err);
	if (!batch)
		fail(method, err.message);
	bool ok = true;
	if (strcmp(method, "rows") == 0) {
		for (int row = 0; ok && row < data->rows; row++) {
			struct pgmend_value values[COLUMNS_MAX];
			for (int i = 0; i < data->columns; i++) {
				static const size_t sizes[] = {[PGMEND_BOOL] = 1,
							       [PGMEND_INT32] = 4,
							       [PGMEND_UUID] = 16,
							       [PGMEND_DECIMAL] =
								       sizeof(struct pgmend_decimal)};
				const struct pgmend_column *column = &data->values[i];
				int type = data->names[i].type;
				size_t size =
					type == PGMEND_TEXT ||
							(size_t)type >= sizeof(sizes) / sizeof(*sizes) ||
							!sizes[type]
						? 8
						: sizes[type];
				const void *at = (const char *)column->values + size * (size_t)row;
				values[i].data = type == PGMEND_TEXT ? *(const char *const *)at : at;
				values[i].length = column->lengths ? column->lengths[row] : 0;
				if (column->nulls && column->nulls[row])
					values[i].data = NULL;
			}
			ok = pgmend_batch_add(batch, values, &err);
		}
	} else {
		ok = pgmend_batch_add_columns(batch, data->values, (size_t)data->rows, &err);
	}
	if (!ok || !pgmend_batch_finish(batch, &err))
		fail(method, err.message);
	if (pgmend_batch_bad_count(batch) || (returning && returned != data->rows))
		fail(method, "not all rows were written");
	pgmend_batch_close(batch);
}

static double own_cpu(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In clock ticks, which are short beside 100,000 rows. */
static double server_cpu(const PGconn *conn)
{
	char path[64];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", PQbackendPID(conn));
	FILE *stream = fopen(path, "r");
	if (stream) {
		if (fscanf(stream, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			   &system) != 2)
			user = system = 0;
		fclose(stream);
	}
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: batch_bench CONNINFO SHAPE METHOD ROWS\n");
		return 2;
	}
	struct data data = {.rows = atoi(argv[4])};
	if (strcmp(argv[2], "five") == 0)
		make_five(&data);
	else
		make_thirty(&data);
	PGconn *conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
		fail("connect", PQerrorMessage(conn));
	struct timespec from, to;
	double own = own_cpu(), server = server_cpu(conn);
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (strcmp(argv[3], "single") == 0)
		single(conn, argv[2], &data);
	else if (strcmp(argv[3], "hand") == 0)
		copy_binary(conn, argv[2], &data);
	else
		library(conn, argv[2], &data, argv[3]);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f %.6f %.6f\n",
	       (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9, own_cpu() - own,
	       server_cpu(conn) - server);
	PQfinish(conn);
	return 0;
}
