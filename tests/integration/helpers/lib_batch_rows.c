/* What becomes of rows: bad ones, duplicates, conflicts, what RETURNING gives. */
#include "lib_batch.h"

static const struct pgmend_batch_column id_note[] = {{"id", PGMEND_INT64}, {"note", PGMEND_TEXT}};
static const char *const id_key[] = {"id", NULL};

static void make_table(PGconn *conn)
{
	lib_exec(conn, "DROP TABLE IF EXISTS item; CREATE TABLE item (id bigint PRIMARY KEY, note text,"
		       " CONSTRAINT no_bad CHECK (note <> 'bad'))");
}

#define ROWS_MAX 6000
static int64_t ids[ROWS_MAX];
static const char *notes[ROWS_MAX];
static const struct pgmend_column item_columns[] = {{ids, NULL, NULL, 0}, {notes, NULL, NULL, 0}};

static void fill(int count)
{
	for (int i = 0; i < count; i++) {
		ids[i] = i;
		notes[i] = i % 7 ? "fine" : NULL;
	}
}

/* A violated constraint in the middle, by each method and in each mode. */
static void test_bad_rows(PGconn *conn)
{
	enum { COUNT_ROWS = 5000 };
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		for (int mode = 0; mode < 4; mode++) {
			make_table(conn);
			lib_exec(conn, "INSERT INTO item VALUES (4000, 'was there')");
			fill(COUNT_ROWS);
			notes[17] = "bad";
			notes[18] = "bad";
			notes[2500] = "not UTF-8: \xff";
			notes[4999] = "bad";
			ids[3000] = 2999;
			struct pgmend_batch_options options = lib_options("item", id_note, 2);
			options.method = method;
			options.transaction = mode & 1;
			options.bad_rows = mode >> 1;
			options.chunk_rows = 1500;
			bool ok;
			struct pgmend_batch *batch = lib_write(conn, &options, item_columns, COUNT_ROWS, &ok);
			struct pgmend_batch_result result = lib_result(batch);
			CHECK_INT(result.method, method);
			if (options.bad_rows == PGMEND_BAD_ROWS_SKIP) {
				static const struct {
					int position;
					const char *sqlstate, *constraint;
				} bad[] = {{17, "23514", "no_bad"},	 {18, "23514", "no_bad"},
					   {2500, "22021", ""},		 {3000, "23505", "item_pkey"},
					   {4000, "23505", "item_pkey"}, {4999, "23514", "no_bad"}};
				CHECK(ok);
				CHECK_INT(pgmend_batch_bad_count(batch), COUNT(bad));
				for (int i = 0; i < COUNT(bad); i++) {
					const struct pgmend_bad_row *row =
						pgmend_batch_bad_row(batch, (size_t)i);
					CHECK_INT(row->position, bad[i].position);
					CHECK_TEXT(row->sqlstate, bad[i].sqlstate);
					CHECK_TEXT(row->constraint, bad[i].constraint);
					CHECK(row->message[0]);
				}
				CHECK_INT(result.rows_written, COUNT_ROWS - COUNT(bad));
				CHECK_INT(result.rows_committed, COUNT_ROWS - COUNT(bad));
				CHECK_INT(result.end, PGMEND_END_COMMITTED);
				CHECK_INT(result.committed_to, COUNT_ROWS);
				CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"),
					  COUNT_ROWS - COUNT(bad) + 1);
			} else {
				CHECK(!ok);
				CHECK_INT(lib_err.row, 17);
				CHECK_TEXT(lib_err.sqlstate, "23514");
				CHECK_TEXT(lib_err.constraint, "no_bad");
				CHECK_INT(result.end, PGMEND_END_UNDONE);
				CHECK_INT(result.rows_committed, 0);
				CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 1);
			}
			pgmend_batch_close(batch);
			CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
		}
	}
	/* A chunk that is committed stays, where a later one ends the batch. */
	make_table(conn);
	fill(3000);
	notes[2100] = "bad";
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.transaction = PGMEND_TRANSACTION_CHUNK;
	options.bad_rows = PGMEND_BAD_ROWS_STOP;
	options.chunk_rows = 1000;
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 3000, &ok);
	CHECK(!ok);
	CHECK_INT(lib_err.row, 2100);
	CHECK_INT(lib_result(batch).end, PGMEND_END_PARTLY);
	CHECK_INT(lib_result(batch).committed_to, 2000);
	CHECK_INT(lib_result(batch).rows_committed, 2000);
	CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 2000);
	CHECK(!pgmend_batch_add_columns(batch, item_columns, 1, &lib_err));
	CHECK_INT(lib_err.code, PGMEND_ERR_STATE);
	pgmend_batch_close(batch);
}

static int bad_seen;
static void count_bad(void *context, const struct pgmend_bad_row *row)
{
	CHECK(context == &bad_seen && row->position == bad_seen);
	bad_seen++;
}

static void test_limits(PGconn *conn)
{
	make_table(conn);
	fill(300);
	for (int i = 0; i < 300; i++)
		notes[i] = "bad";
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.max_bad_rows = 100;
	options.chunk_rows = 50;
	options.on_bad_row = count_bad;
	options.context = &bad_seen;
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 300, &ok);
	CHECK(!ok);
	CHECK_INT(lib_err.code, PGMEND_ERR_LIMIT);
	CHECK_INT(bad_seen, 150);
	CHECK_INT(lib_result(batch).end, PGMEND_END_UNDONE);
	pgmend_batch_close(batch);
	/* A statement has no more than 4 MB, also where rows are sent again: one that has a long row has no
	 * other. */
	char *large = malloc((3 << 20) + 1);
	memset(large, 'x', 3 << 20);
	large[3 << 20] = '\0';
	for (int i = 0; i < 3; i++)
		notes[i] = large;
	options = lib_options("item", id_note, 2);
	options.method = PGMEND_METHOD_UNNEST;
	batch = lib_write(conn, &options, item_columns, 3, &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).statements, 3);
	pgmend_batch_close(batch);
	free(large);
}

/* 65,535 parameters are the limit of a statement, and a table has up to 1,600 columns. */
static void test_parameters(PGconn *conn)
{
	enum { WIDE = 1500, ROWS = 100 };
	static struct pgmend_batch_column columns[WIDE];
	static struct pgmend_column values[WIDE];
	static char names[WIDE][8];
	static int16_t numbers[ROWS];
	char *sql = malloc(WIDE * 24), *at = sql;
	at += sprintf(at, "CREATE TABLE wide (");
	for (int i = 0; i < WIDE; i++) {
		sprintf(names[i], "c%d", i);
		at += sprintf(at, "%s%s smallint", i ? ", " : "", names[i]);
		columns[i] = (struct pgmend_batch_column){names[i], PGMEND_INT16};
		values[i] = (struct pgmend_column){numbers, NULL, NULL, 0};
	}
	strcpy(at, ")");
	lib_exec(conn, "%s", sql);
	free(sql);
	for (int i = 0; i < ROWS; i++)
		numbers[i] = (int16_t)i;
	bool ok;
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		struct pgmend_batch_options options = lib_options("wide", columns, WIDE);
		options.method = method;
		lib_exec(conn, "TRUNCATE wide");
		pgmend_batch_close(lib_write(conn, &options, values, ROWS, &ok));
		CHECK(ok);
		CHECK_TEXT(
			lib_scalar(conn, "SELECT count(*) || ' ' || sum(c0) || ' ' || sum(c1499) FROM wide"),
			"100 4950 4950");
	}
	/* The most rows that one statement can have, and one more. */
	make_table(conn);
	static int64_t many[32768 + 1];
	static const char *texts[32768 + 1];
	static const struct pgmend_column more[] = {{many, NULL, NULL, 0}, {texts, NULL, NULL, 0}};
	for (int i = 0; i < COUNT(many); i++)
		many[i] = i;
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.method = PGMEND_METHOD_VALUES;
	options.chunk_rows = COUNT(many);
	struct pgmend_batch *batch = lib_write(conn, &options, more, COUNT(many), &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).statements, 2); /* 32,767 rows, and the last two */
	CHECK_INT(lib_result(batch).rows_written, COUNT(many));
	pgmend_batch_close(batch);
	CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), COUNT(many));
}

/* Every row has what it got, in the order in which the rows were added. */
static void test_returning(PGconn *conn)
{
	static const char *const returning[] = {"serial", "id", NULL};
	lib_exec(conn,
		 "CREATE TABLE numbered (serial bigint GENERATED BY DEFAULT AS IDENTITY, id bigint UNIQUE,"
		 " note text, size integer GENERATED ALWAYS AS (length(note)) STORED)");
	for (int method = PGMEND_METHOD_UNNEST; method <= PGMEND_METHOD_VALUES; method++) {
		for (int transaction = 0; transaction < 2; transaction++) {
			lib_exec(conn, "TRUNCATE numbered RESTART IDENTITY");
			fill(5000);
			for (int i = 0; i < 5000; i++)
				ids[i] = (i * 7919L) % 5003;
			ids[100] = ids[50];
			struct pgmend_batch_options options = lib_options("numbered", id_note, 2);
			options.method = method;
			options.transaction = transaction;
			options.returning = returning;
			bool ok;
			struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 5000, &ok);
			CHECK(ok);
			CHECK_INT(pgmend_batch_bad_count(batch), 1);
			CHECK_INT(pgmend_batch_bad_row(batch, 0)->position, 100);
			CHECK_INT(pgmend_batch_returned_count(batch), 4999);
			long long last = 0;
			for (int64_t i = 0; i < 4999; i++) {
				int64_t position = pgmend_batch_returned_position(batch, i);
				CHECK_INT(position, i < 100 ? i : i + 1);
				CHECK_INT(atoll(pgmend_batch_returned_value(batch, i, 1, NULL)),
					  ids[position]);
				long long serial = atoll(pgmend_batch_returned_value(batch, i, 0, NULL));
				CHECK(serial > last);
				last = serial;
			}
			CHECK(!pgmend_batch_returned_value(batch, 4999, 0, NULL));
			CHECK_INT(pgmend_batch_returned_position(batch, 4999), -1);
			pgmend_batch_close(batch);
		}
	}
}

struct seen {
	int64_t rows, sum;
};

static bool take_returned(void *context, const struct pgmend_returned *rows)
{
	struct seen *seen = context;
	CHECK_INT(rows->columns, 1);
	for (int i = 0; i < rows->count; i++) {
		CHECK_INT(atoll(PQgetvalue(rows->result, i, 0)), ids[rows->positions[i]]);
		seen->sum += rows->positions[i];
	}
	seen->rows += rows->count;
	return true;
}

/* Rows that RETURNING does not give: those that were there, and those that a trigger leaves out. */
static void test_returning_gaps(PGconn *conn)
{
	struct seen seen = {0};
	make_table(conn);
	lib_exec(conn, "INSERT INTO item SELECT i, 'old' FROM generate_series(0, 999, 3) i");
	fill(1000);
	ids[500] = 499;
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.on_conflict = PGMEND_CONFLICT_NOTHING;
	options.returning = id_key;
	options.on_returning = take_returned;
	options.context = &seen;
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 1000, &ok);
	CHECK(ok);
	CHECK_INT(seen.rows, 665);
	CHECK_INT(lib_result(batch).rows_written, 665);
	CHECK_INT(lib_result(batch).rows_conflicting, 335);
	pgmend_batch_close(batch);

	lib_exec(conn, "TRUNCATE item;"
		       "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS"
		       " 'BEGIN IF NEW.id %% 10 = 3 THEN RETURN NULL; END IF; RETURN NEW; END';"
		       "CREATE TRIGGER odd BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION odd()");
	for (int transaction = 0; transaction < 2; transaction++) {
		seen = (struct seen){0};
		lib_exec(conn, "TRUNCATE item");
		fill(1000);
		options.transaction = transaction;
		options.on_conflict = PGMEND_CONFLICT_ERROR;
		batch = lib_write(conn, &options, item_columns, 1000, &ok);
		CHECK(ok);
		CHECK_INT(seen.rows, 900);
		CHECK_INT(lib_result(batch).rows_written, 900);
		pgmend_batch_close(batch);
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 900);
	}
}

static void test_duplicates(PGconn *conn)
{
	for (int method = PGMEND_METHOD_AUTO; method <= PGMEND_METHOD_VALUES; method++) {
		if (method == PGMEND_METHOD_COPY)
			continue;
		for (int duplicates = 0; duplicates < 3; duplicates++) {
			make_table(conn);
			lib_exec(conn, "INSERT INTO item VALUES (2, 'old')");
			fill(5000);
			for (int i = 0; i < 5000; i++)
				notes[i] = "x";
			ids[1] = ids[4] = ids[4500] = 2;
			notes[1] = "one", notes[2] = "two", notes[4] = "four", notes[4500] = "far";
			struct pgmend_batch_options options = lib_options("item", id_note, 2);
			options.method = method;
			options.on_conflict = PGMEND_CONFLICT_UPDATE;
			options.conflict_key = id_key;
			options.duplicates = duplicates;
			bool ok;
			struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 5000, &ok);
			struct pgmend_batch_result result = lib_result(batch);
			CHECK(ok);
			CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 4997);
			CHECK_TEXT(lib_scalar(conn, "SELECT note FROM item WHERE id = 2"),
				   duplicates == PGMEND_DUPLICATES_LAST ? "far" : "one");
			if (duplicates == PGMEND_DUPLICATES_LAST)
				CHECK_INT(result.rows_written + result.rows_duplicate, 5000);
			else if (duplicates == PGMEND_DUPLICATES_FIRST)
				CHECK_INT(result.rows_duplicate, 3);
			else
				CHECK_INT(result.rows_bad, 3);
			pgmend_batch_close(batch);
		}
	}
	/* The last one of a key is refused: the one before counts, as it would alone. */
	make_table(conn);
	fill(10);
	ids[3] = ids[7] = 3;
	notes[3] = "good";
	notes[7] = "bad";
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = id_key;
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 10, &ok);
	CHECK(ok);
	CHECK_INT(pgmend_batch_bad_row(batch, 0)->position, 7);
	CHECK_INT(lib_result(batch).rows_duplicate, 0);
	CHECK_TEXT(lib_scalar(conn, "SELECT note FROM item WHERE id = 3"), "good");
	pgmend_batch_close(batch);
}

/* Keys that only the server knows to be equal. */
static void test_equal_keys(PGconn *conn)
{
	static const struct pgmend_batch_column columns[] = {{"k", PGMEND_TEXT}, {"v", PGMEND_INT32}};
	static const char *const keys[] = {"1.0", "2", "1.00", "3", "1", NULL, "2.0", NULL};
	static const int32_t values[] = {0, 1, 2, 3, 4, 5, 6, 7};
	static const char *const key[] = {"k", NULL};
	const struct pgmend_column data[] = {{keys, NULL, NULL, 0}, {values, NULL, NULL, 0}};
	lib_exec(conn, "CREATE TABLE equal (k numeric UNIQUE, v integer)");
	struct pgmend_batch_options options = lib_options("equal", columns, 2);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = key;
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, data, COUNT(values), &ok);
	CHECK(ok);
	CHECK_INT(pgmend_batch_bad_count(batch), 0);
	CHECK_TEXT(lib_scalar(conn, "SELECT string_agg(coalesce(trim_scale(k)::text, '-') || '=' || v, ' '"
				    " ORDER BY k, v) FROM equal"),
		   "1=4 2=6 3=3 -=5 -=7");
	pgmend_batch_close(batch);

	static const struct pgmend_batch_column typed[] = {{"k", PGMEND_DECIMAL}, {"v", PGMEND_INT32}};
	static const struct pgmend_decimal decimals[] = {{10, 1}, {100, 2}, {-10, 1}, {0, 0}, {0, 5}};
	const struct pgmend_column more[] = {{decimals, NULL, NULL, 0}, {values, NULL, NULL, 0}};
	lib_exec(conn, "TRUNCATE equal");
	options.columns = typed;
	options.duplicates = PGMEND_DUPLICATES_FIRST;
	batch = lib_write(conn, &options, more, COUNT(decimals), &ok);
	CHECK(ok);
	CHECK_INT(lib_result(batch).rows_duplicate, 2);
	CHECK_TEXT(
		lib_scalar(conn, "SELECT string_agg(trim_scale(k) || '=' || v, ' ' ORDER BY k) FROM equal"),
		"-1=2 0=3 1=0");
	pgmend_batch_close(batch);
}

static void test_upsert_choices(PGconn *conn)
{
	static const struct pgmend_batch_column columns[] = {
		{"id", PGMEND_INT64}, {"note", PGMEND_TEXT}, {"n", PGMEND_INT32}};
	static const int32_t n[] = {1, 2};
	static const char *const only_n[] = {"n", NULL};
	const struct pgmend_column data[] = {
		{ids, NULL, NULL, 0}, {notes, NULL, NULL, 0}, {n, NULL, NULL, 0}};
	lib_exec(conn, "CREATE TABLE choice (id bigint PRIMARY KEY, note text, n integer)");
	lib_exec(conn, "INSERT INTO choice VALUES (0, 'old', 9)");
	fill(2);
	notes[0] = "new";
	struct pgmend_batch_options options = lib_options("choice", columns, 3);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = id_key;
	options.update_columns = only_n;
	bool ok;
	pgmend_batch_close(lib_write(conn, &options, data, 2, &ok));
	CHECK(ok);
	CHECK_TEXT(lib_scalar(conn, "SELECT note || n FROM choice WHERE id = 0"), "old1");
	/* Nothing but the key. */
	options = lib_options("choice", columns, 1);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = id_key;
	pgmend_batch_close(lib_write(conn, &options, data, 2, &ok));
	CHECK(ok);
	options.returning = id_key;
	struct pgmend_batch *batch = lib_write(conn, &options, data, 2, &ok);
	CHECK(ok);
	CHECK_INT(pgmend_batch_returned_count(batch), 2);
	pgmend_batch_close(batch);
	/* No such constraint: the statement is wrong, not its rows. */
	static const char *const note_key[] = {"note", NULL};
	options = lib_options("choice", columns, 3);
	options.on_conflict = PGMEND_CONFLICT_UPDATE;
	options.conflict_key = note_key;
	lib_exec(conn, "TRUNCATE choice");
	for (int method = PGMEND_METHOD_AUTO; method <= PGMEND_METHOD_VALUES; method++) {
		if (method == PGMEND_METHOD_COPY)
			continue;
		options.method = method;
		batch = lib_write(conn, &options, data, 2, &ok);
		CHECK(!ok);
		CHECK_TEXT(lib_err.sqlstate, "42P10");
		CHECK_INT(pgmend_batch_bad_count(batch), 0);
		pgmend_batch_close(batch);
	}
}

/* In a transaction of the caller's, which decides; what came before the batch stays. */
static void test_callers_transaction(PGconn *conn)
{
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		make_table(conn);
		fill(100);
		notes[40] = "bad";
		struct pgmend_batch_options options = lib_options("item", id_note, 2);
		options.method = method;
		options.transaction = PGMEND_TRANSACTION_CHUNK;
		lib_exec(conn, "BEGIN; INSERT INTO item VALUES (1000, 'mine')");
		bool ok;
		struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 100, &ok);
		CHECK(ok);
		CHECK_INT(lib_result(batch).end, PGMEND_END_CALLERS);
		CHECK_INT(lib_result(batch).rows_committed, 0);
		pgmend_batch_close(batch);
		CHECK_INT(PQtransactionStatus(conn), PQTRANS_INTRANS);
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 100);
		options.bad_rows = PGMEND_BAD_ROWS_STOP;
		for (int i = 0; i < 100; i++)
			ids[i] += 2000;
		batch = lib_write(conn, &options, item_columns, 100, &ok);
		CHECK(!ok);
		CHECK_INT(lib_result(batch).end, PGMEND_END_UNDONE);
		pgmend_batch_close(batch);
		CHECK_INT(PQtransactionStatus(conn), PQTRANS_INTRANS);
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 100);
		lib_exec(conn, "COMMIT");
		CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), 100);
	}
}

/* What is checked at COMMIT is checked with each chunk, so that the row is found; or undoes all. */
static void test_deferred(PGconn *conn)
{
	for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
		for (int mode = 0; mode < 4; mode++) {
			lib_exec(conn, "DROP TABLE IF EXISTS item;"
				       "CREATE TABLE item (id bigint PRIMARY KEY DEFERRABLE INITIALLY "
				       "DEFERRED, note text)");
			fill(200);
			ids[150] = 20;
			struct pgmend_batch_options options = lib_options("item", id_note, 2);
			options.method = method;
			options.transaction = mode & 1;
			options.bad_rows = mode >> 1;
			bool ok;
			struct pgmend_batch *batch = lib_write(conn, &options, item_columns, 200, &ok);
			bool skip = options.bad_rows == PGMEND_BAD_ROWS_SKIP;
			CHECK_INT(ok, skip);
			CHECK_INT(pgmend_batch_bad_count(batch), skip);
			if (skip)
				CHECK_INT(pgmend_batch_bad_row(batch, 0)->position, 150);
			else
				CHECK_TEXT(lib_err.sqlstate, "23505");
			pgmend_batch_close(batch);
			CHECK_INT(PQtransactionStatus(conn), PQTRANS_IDLE);
			CHECK_INT(lib_number(conn, "SELECT count(*) FROM item"), skip ? 199 : 0);
		}
	}
}

/* As one by one: rows at random, by each method and mode, against what a plain array says should be there. */
static uint64_t random_state = 1;
static int random_below(int limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (int)((random_state >> 33) % (uint64_t)limit);
}

enum { KEYS = 60, RANDOM_ROWS = 150 };
static const char *const model_notes[] = {"a", "b", "c", "bad", "\xff: \xff", NULL};

static void model_row(const char **model, const struct pgmend_batch_options *options, bool *in_batch, int row,
		      int *written, int *bad)
{
	int64_t id = ids[row];
	const char *note = notes[row];
	bool refused = note && (strcmp(note, "bad") == 0 || note[0] == '\xff');
	bool upsert = options->on_conflict == PGMEND_CONFLICT_UPDATE;
	bool unseen =
		!note || note[0] != '\xff'; /* what can't be sent is refused before its key is looked at */
	bool again = upsert && unseen && in_batch[id];
	in_batch[id] |= unseen;
	if (again && options->duplicates == PGMEND_DUPLICATES_FIRST)
		return;
	if (again && options->duplicates == PGMEND_DUPLICATES_ERROR)
		refused = true;
	else if (!refused && model[id] && options->on_conflict == PGMEND_CONFLICT_ERROR)
		refused = true;
	/* ON CONFLICT DO NOTHING looks at constraints first, as INSERT does. */
	*bad += refused;
	if (refused || (model[id] && options->on_conflict == PGMEND_CONFLICT_NOTHING))
		return;
	model[id] = note ? note : "(null)";
	(*written)++;
}

static void random_batch(PGconn *conn, const char **model)
{
	struct pgmend_batch_options options = lib_options("item", id_note, 2);
	options.on_conflict = random_below(3);
	options.duplicates = random_below(3);
	options.conflict_key = id_key;
	options.method = random_below(4);
	if (options.on_conflict && options.method == PGMEND_METHOD_COPY)
		options.method = PGMEND_METHOD_AUTO;
	options.transaction = random_below(2);
	options.chunk_rows = random_below(3) ? 1 + random_below(60) : 0;
	options.returning = options.method != PGMEND_METHOD_COPY && random_below(2) ? id_key : NULL;
	bool in_batch[KEYS] = {false};
	int rows = random_below(RANDOM_ROWS), written = 0, bad = 0, dirt = random_below(4);
	for (int i = 0; i < rows; i++) {
		ids[i] = random_below(KEYS);
		notes[i] = model_notes[random_below(random_below(10) < dirt ? 6 : 3)];
		model_row(model, &options, in_batch, i, &written, &bad);
	}
	bool ok;
	struct pgmend_batch *batch = lib_write(conn, &options, item_columns, (size_t)rows, &ok);
	struct pgmend_batch_result result = lib_result(batch);
	CHECK(ok);
	if (options.on_conflict != PGMEND_CONFLICT_UPDATE || options.duplicates != PGMEND_DUPLICATES_LAST) {
		CHECK_INT(result.rows_bad, bad);
		CHECK_INT(result.rows_written, written);
	} else { /* a row that a later one replaces is not looked at, unless it must be */
		CHECK(result.rows_bad <= bad && result.rows_written <= written);
	}
	CHECK_INT(result.rows_added, rows);
	CHECK_INT(result.rows_written + result.rows_bad + result.rows_conflicting + result.rows_duplicate,
		  rows);
	if (options.returning)
		CHECK_INT(pgmend_batch_returned_count(batch), result.rows_written);
	for (int64_t i = 0; options.returning && i < result.rows_written; i++)
		CHECK_INT(atoll(pgmend_batch_returned_value(batch, i, 0, NULL)),
			  ids[pgmend_batch_returned_position(batch, i)]);
	pgmend_batch_close(batch);
}

static void test_random(PGconn *conn)
{
	lib_exec(conn, "SET synchronous_commit = off");
	make_table(conn);
	const char *model[KEYS] = {NULL};
	for (int i = 0; i < 150; i++) {
		random_batch(conn, model);
		PGresult *result = PQexec(conn, "SELECT id, coalesce(note, '(null)') FROM item");
		int count = 0;
		for (int k = 0; k < KEYS; k++)
			count += model[k] != NULL;
		CHECK_INT(PQntuples(result), count);
		for (int row = 0; row < count; row++)
			CHECK_TEXT(PQgetvalue(result, row, 1), model[atoi(PQgetvalue(result, row, 0))]);
		PQclear(result);
		if (i % 10 == 9) {
			lib_exec(conn, "TRUNCATE item");
			memset(model, 0, sizeof(model));
		}
	}
}

const struct lib_case lib_row_cases[] = {
	{"bad_rows", test_bad_rows},
	{"limits", test_limits},
	{"parameters", test_parameters},
	{"returning", test_returning},
	{"returning_gaps", test_returning_gaps},
	{"duplicates", test_duplicates},
	{"equal_keys", test_equal_keys},
	{"upsert_choices", test_upsert_choices},
	{"callers_transaction", test_callers_transaction},
	{"deferred", test_deferred},
	{"random", test_random},
	{NULL, NULL},
};
