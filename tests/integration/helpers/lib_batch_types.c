/* Each type, from typed values and from text, by each method, against what the server makes of the text. */
#include "lib_batch.h"

struct sample {
	const char *type;
	int held;
	const void *value;
	size_t length;
	const char *literal; /* the same value as the server reads it */
};

#define VALUE(ctype, ...) (const ctype[]){__VA_ARGS__}, PGMEND_NTS
#define BYTES(text)	  text, sizeof(text) - 1

static const double doubles[] = {1.5, -2.25, 3, 4.125, 5, 6};
static const struct pgmend_points three_points = {doubles, 3, 1}, open_points = {doubles, 2, 0};
static const int32_t ints[] = {1, -2, 3};
static const int64_t longs[] = {10, 20};
static const char *const words[] = {"a", NULL, "c,d \"e\" \xc3\xa4", ""};
static const size_t word_lengths[] = {1, 0, 10, 0};
static const unsigned char middle_null[] = {0, 1, 0};
static const int32_t ten = 10, twenty = 20;
static const int64_t noon_2000 = INT64_C(946728000000000);

static const struct pgmend_array int_array = {PGMEND_INT32, 3, ints, NULL, NULL};
static const struct pgmend_array null_array = {PGMEND_INT32, 3, ints, NULL, middle_null};
static const struct pgmend_array no_array = {PGMEND_INT32, 0, NULL, NULL, NULL};
static const struct pgmend_array long_array = {PGMEND_INT64, 2, longs, NULL, NULL};
static const struct pgmend_array word_array = {PGMEND_TEXT, 4, words, word_lengths, NULL};
static const struct pgmend_array point_array = {PGMEND_POINT, 2, doubles, NULL, NULL};
static const struct pgmend_range int_range = {PGMEND_INT32, &ten, &twenty, 0, 0, 1, 0, 0};
static const struct pgmend_range open_range = {PGMEND_INT32, NULL, &twenty, 0, 0, 0, 0, 0};
static const struct pgmend_range empty_range = {PGMEND_INT32, NULL, NULL, 0, 0, 0, 0, 1};
static const struct pgmend_range all_range = {PGMEND_INT32, NULL, NULL, 0, 0, 0, 0, 0};
static const struct pgmend_range time_range = {PGMEND_TIMESTAMP, &noon_2000, NULL, 0, 0, 0, 0, 0};
static const struct pgmend_range number_range = {PGMEND_INT32, &ten, &twenty, 0, 0, 0, 1, 0};

static const struct sample typed[] = {
	{"boolean", PGMEND_BOOL, VALUE(unsigned char, 1), "true"},
	{"boolean", PGMEND_BOOL, VALUE(unsigned char, 0), "false"},
	{"smallint", PGMEND_INT16, VALUE(int16_t, -32768), "-32768"},
	{"smallint", PGMEND_INT64, VALUE(int64_t, 32767), "32767"},
	{"integer", PGMEND_INT16, VALUE(int16_t, -7), "-7"},
	{"integer", PGMEND_INT32, VALUE(int32_t, INT32_MIN), "-2147483648"},
	{"integer", PGMEND_INT64, VALUE(int64_t, 2147483647), "2147483647"},
	{"bigint", PGMEND_INT16, VALUE(int16_t, -7), "-7"},
	{"bigint", PGMEND_INT32, VALUE(int32_t, 70000), "70000"},
	{"bigint", PGMEND_INT64, VALUE(int64_t, INT64_MIN), "-9223372036854775808"},
	{"oid", PGMEND_INT64, VALUE(int64_t, 4294967295), "4294967295"},
	{"real", PGMEND_INT32, VALUE(int32_t, 3), "3"},
	{"real", PGMEND_FLOAT32, VALUE(float, 1.1f), "1.1"},
	{"real", PGMEND_FLOAT64, VALUE(double, 0.25), "0.25"},
	{"double precision", PGMEND_INT64, VALUE(int64_t, -5), "-5"},
	{"double precision", PGMEND_FLOAT32, VALUE(float, 0.5f), "0.5"},
	{"double precision", PGMEND_FLOAT64, VALUE(double, 1.1), "1.1"},
	{"double precision", PGMEND_FLOAT64, VALUE(double, -__builtin_inf()), "-Infinity"},
	{"double precision", PGMEND_FLOAT64, VALUE(double, __builtin_nan("")), "NaN"},
	{"numeric", PGMEND_INT16, VALUE(int16_t, -1), "-1"},
	{"numeric", PGMEND_INT32, VALUE(int32_t, 0), "0"},
	{"numeric", PGMEND_INT64, VALUE(int64_t, INT64_MIN), "-9223372036854775808"},
	{"numeric", PGMEND_INT64, VALUE(int64_t, 10000), "10000"},
	{"numeric", PGMEND_INT64, VALUE(int64_t, 100010000), "100010000"},
	{"numeric", PGMEND_FLOAT32, VALUE(float, 1.5f), "1.5"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, 0.1), "0.1"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, -1234567.25), "-1234567.25"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, 1e20), "100000000000000000000"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, 1e-10), "0.0000000001"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, 0), "0"},
	{"numeric", PGMEND_FLOAT64, VALUE(double, __builtin_nan("")), "NaN"},
	{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){12345, 2}, 0, "123.45"},
	{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){-5, 7}, 0, "-0.0000005"},
	{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){0, 3}, 0, "0.000"},
	{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){100, 2}, 0, "1.00"},
	{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){123456789, 5}, 0, "1234.56789"},
	{"numeric(6,1)", PGMEND_DECIMAL, &(const struct pgmend_decimal){12345, 2}, 0, "123.5"},
	{"money", PGMEND_INT64, VALUE(int64_t, 12345), "123.45"},
	{"bytea", PGMEND_BYTES, BYTES("\0\1\377x"), "\\x0001ff78"},
	{"bytea", PGMEND_BYTES, BYTES(""), ""},
	{"uuid", PGMEND_UUID, BYTES("\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0"),
	 "12345678-9abc-def0-1234-56789abcdef0"},
	{"date", PGMEND_DATE, VALUE(int32_t, 0), "1970-01-01"},
	{"date", PGMEND_DATE, VALUE(int32_t, 19782), "2024-02-29"},
	{"date", PGMEND_DATE, VALUE(int32_t, -1000000), "0769-02-04 BC"},
	{"date", PGMEND_DATE, VALUE(int32_t, INT32_MAX), "infinity"},
	{"date", PGMEND_DATE, VALUE(int32_t, INT32_MIN), "-infinity"},
	{"time", PGMEND_TIME, VALUE(int64_t, 45296789012), "12:34:56.789012"},
	{"time(3)", PGMEND_TIME, VALUE(int64_t, 45296789912), "12:34:56.790"},
	{"timestamp", PGMEND_TIMESTAMP, &noon_2000, 0, "2000-01-01 12:00:00"},
	{"timestamp", PGMEND_TIMESTAMP, VALUE(int64_t, -1), "1969-12-31 23:59:59.999999"},
	{"timestamp", PGMEND_TIMESTAMP, VALUE(int64_t, INT64_MAX), "infinity"},
	{"timestamptz", PGMEND_TIMESTAMP, &noon_2000, 0, "2000-01-01 12:00:00+00"},
	{"timestamptz", PGMEND_TIMESTAMP, VALUE(int64_t, INT64_MIN), "-infinity"},
	{"timetz", PGMEND_TIMETZ, &(const struct pgmend_timetz){3600000000, 5400}, 0, "01:00:00+01:30"},
	{"interval", PGMEND_INTERVAL, &(const struct pgmend_interval){-1500000, 3, 14}, 0,
	 "1 year 2 mons 3 days -1.5 s"},
	{"inet", PGMEND_INET, &(const struct pgmend_inet){{192, 168, 0, 1}, 0, 32}, 0, "192.168.0.1"},
	{"inet", PGMEND_INET, &(const struct pgmend_inet){{192, 168, 0, 1}, 0, 24}, 0, "192.168.0.1/24"},
	{"cidr", PGMEND_INET, &(const struct pgmend_inet){{10}, 0, 8}, 0, "10.0.0.0/8"},
	{"inet", PGMEND_INET, &(const struct pgmend_inet){{0x20, 1, 0xd, 0xb8, [15] = 1}, 1, 64}, 0,
	 "2001:db8::1/64"},
	{"macaddr", PGMEND_MACADDR, BYTES("\x08\x00\x2b\x01\x02\x03"), "08:00:2b:01:02:03"},
	{"macaddr8", PGMEND_MACADDR8, BYTES("\x08\x00\x2b\x01\x02\x03\x04\x05"), "08:00:2b:01:02:03:04:05"},
	{"bit(5)", PGMEND_BITS, "\xAF", 5, "10101"},
	{"varbit", PGMEND_BITS, "\xAA\x80", 9, "101010101"},
	{"varbit", PGMEND_BITS, "", 0, ""},
	{"point", PGMEND_POINT, doubles, 0, "(1.5,-2.25)"},
	{"line", PGMEND_LINE, doubles, 0, "{1.5,-2.25,3}"},
	{"lseg", PGMEND_LSEG, doubles, 0, "[(1.5,-2.25),(3,4.125)]"},
	{"box", PGMEND_BOX, doubles, 0, "(3,4.125),(1.5,-2.25)"},
	{"circle", PGMEND_CIRCLE, doubles, 0, "<(1.5,-2.25),3>"},
	{"path", PGMEND_PATH, &three_points, 0, "((1.5,-2.25),(3,4.125),(5,6))"},
	{"path", PGMEND_PATH, &open_points, 0, "[(1.5,-2.25),(3,4.125)]"},
	{"polygon", PGMEND_POLYGON, &three_points, 0, "((1.5,-2.25),(3,4.125),(5,6))"},
	{"integer[]", PGMEND_ARRAY, &int_array, 0, "{1,-2,3}"},
	{"integer[]", PGMEND_ARRAY, &null_array, 0, "{1,NULL,3}"},
	{"integer[]", PGMEND_ARRAY, &no_array, 0, "{}"},
	{"bigint[]", PGMEND_ARRAY, &int_array, 0, "{1,-2,3}"},
	{"numeric[]", PGMEND_ARRAY, &long_array, 0, "{10,20}"},
	{"text[]", PGMEND_ARRAY, &word_array, 0, "{a,NULL,\"c,d \\\"e\\\" \xc3\xa4\",\"\"}"},
	{"point[]", PGMEND_ARRAY, &point_array, 0, "{\"(1.5,-2.25)\",\"(3,4.125)\"}"},
	{"positive[]", PGMEND_ARRAY, &long_array, 0, "{10,20}"},
	{"int4range", PGMEND_RANGE, &int_range, 0, "[10,20)"},
	{"int4range", PGMEND_RANGE, &open_range, 0, "(,20)"},
	{"int4range", PGMEND_RANGE, &empty_range, 0, "empty"},
	{"int4range", PGMEND_RANGE, &all_range, 0, "(,)"},
	{"int8range", PGMEND_RANGE, &int_range, 0, "[10,20)"},
	{"numrange", PGMEND_RANGE, &number_range, 0, "(10,20]"},
	{"tsrange", PGMEND_RANGE, &time_range, 0, "(2000-01-01 12:00:00,)"},
	{"positive", PGMEND_INT32, VALUE(int32_t, 5), "5"},
	{"deeper", PGMEND_INT64, VALUE(int64_t, 6), "6"},
	{"text", PGMEND_BINARY, BYTES("raw"), "raw"},
	{"integer", PGMEND_BINARY, BYTES("\0\0\1\0"), "256"},
	{"integer[]", PGMEND_BINARY, BYTES("\0\0\0\1\0\0\0\0\0\0\0\27\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\7"),
	 "{7}"},
	{"pair", PGMEND_BINARY, BYTES("\0\0\0\2\0\0\0\27\0\0\0\4\0\0\0\7\0\0\0\31\0\0\0\1x"), "(7,x)"},
};

/* Types and their text forms, for PGMEND_TEXT. */
static const char *const texts[][2] = {
	{"boolean", "yes"},
	{"\"char\"", "x"},
	{"name", "a name"},
	{"smallint", " -12 "},
	{"integer", "2147483647"},
	{"bigint", "9223372036854775807"},
	{"real", "1e-3"},
	{"double precision", "-Infinity"},
	{"numeric", "123456789012345678901234567890.000100"},
	{"numeric(5,2)", "123.456"},
	{"money", "$1,234.50"},
	{"text", "t\tab \\ back\nline \xf0\x9f\x98\x80"},
	{"text", ""},
	{"text", "\\N"},
	{"varchar", "v"},
	{"varchar(5)", "abc  "},
	{"char(5)", "abc"},
	{"bytea", "\\xDEADbeef"},
	{"bytea", "abc\\000"},
	{"uuid", "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}"},
	{"date", "January 8, 1999"},
	{"time", "04:05:06.789 PM"},
	{"timetz", "04:05:06-08:00"},
	{"timestamp", "epoch"},
	{"timestamptz", "2004-10-19 10:23:54+02"},
	{"interval", "P1Y2M3DT4H5M6S"},
	{"inet", "::1/64"},
	{"cidr", "10.1/16"},
	{"macaddr", "08002b010203"},
	{"macaddr8", "08:00:2b:01:02:03:04:05"},
	{"bit(3)", "101"},
	{"bit varying(5)", "10101"},
	{"json", "{\"a\" : [1, 2, null]}"},
	{"jsonb", "{\"b\": 1, \"a\": \"\\u00e4\"}"},
	{"jsonpath", "$.a[*] ? (@ > 1)"},
	{"xml", "<a>b</a>"},
	{"point", "1,2"},
	{"line", "{1,2,3}"},
	{"lseg", "[(1,2),(3,4)]"},
	{"box", "(1,2),(3,4)"},
	{"path", "[(1,2),(3,4)]"},
	{"polygon", "((1,2),(3,4),(5,0))"},
	{"circle", "<(1,2),3>"},
	{"tsvector", "a:1 b:2A"},
	{"tsquery", "a & !b"},
	{"int4range", "[1,5]"},
	{"numrange", "(1.5,)"},
	{"daterange", "[2024-01-01,2024-02-01)"},
	{"tstzrange", "empty"},
	{"pg_lsn", "16/B374D848"},
	{"oid", "12"},
	{"regclass", "pg_catalog.pg_class"},
	{"regtype", "integer"},
	{"xid", "17"},
	{"cid", "3"},
	{"tid", "(1,2)"},
	{"pg_snapshot", "10:20:10,14"},
	{"int2vector", "1 2 3"},
	{"integer[]", "{{1,2},{3,NULL}}"},
	{"integer[]", "[0:1]={1,2}"},
	{"text[]", "{\"a b\",NULL,\"\",c}"},
	{"varchar(3)[]", "{abc,de}"},
	{"jsonb[]", "{\"{\\\"a\\\": 1}\"}"},
	{"mood", "so so"},
	{"mood[]", "{happy,\"so so\"}"},
	{"positive", "7"},
	{"deeper", "8"},
	{"short", "abc"},
	{"pair", "(1,\"a b\")"},
	{"pair[]", "{\"(1,a)\",NULL}"},
};

static void make_types(PGconn *conn)
{
	lib_exec(conn, "CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy')");
	lib_exec(conn, "CREATE DOMAIN positive AS integer CHECK (value > 0)");
	lib_exec(conn, "CREATE DOMAIN deeper AS positive CHECK (value < 1000)");
	lib_exec(conn, "CREATE DOMAIN short AS varchar(5) NOT NULL DEFAULT 'none'");
	lib_exec(conn, "CREATE TYPE pair AS (a integer, b text)");
	lib_exec(conn, "SET lc_monetary = 'C'");
}

static bool can_unnest(const struct sample *sample)
{
	size_t length = strlen(sample->type);
	bool array = length > 2 && strcmp(sample->type + length - 2, "[]") == 0;
	return sample->held == PGMEND_TEXT || (!array && strcmp(sample->type, "pair") != 0);
}

static void try_sample(PGconn *conn, const struct sample *sample, int method)
{
	struct pgmend_batch_column column = {"v", sample->held};
	struct pgmend_batch_options options = lib_options("sample", &column, 1);
	options.method = method;
	bool null_possible = strcmp(sample->type, "short") != 0;
	lib_exec(conn, "TRUNCATE sample");
	struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &lib_err);
	if (!batch)
		fprintf(stderr, "%s as %d by method %d: ", sample->type, sample->held, method);
	CHECK(batch != NULL);
	struct pgmend_value value = {sample->value, sample->length}, null = {NULL, 0};
	CHECK(pgmend_batch_add(batch, &value, &lib_err));
	CHECK(!null_possible || pgmend_batch_add(batch, &null, &lib_err));
	CHECK(pgmend_batch_add(batch, &value, &lib_err));
	CHECK(pgmend_batch_finish(batch, &lib_err));
	const struct pgmend_bad_row *bad = pgmend_batch_bad_row(batch, 0);
	if (bad)
		fprintf(stderr, "%s as %d by method %d: %s %s\n", sample->type, sample->held, method,
			bad->sqlstate, bad->message);
	CHECK(!bad);
	pgmend_batch_close(batch);
	char *literal = PQescapeLiteral(conn, sample->literal, strlen(sample->literal));
	const char *found =
		lib_scalar(conn,
			   "SELECT count(*) FILTER (WHERE v::text = (%s::%s)::text) || ' ' ||"
			   " count(*) FILTER (WHERE v IS NULL) || ' ' || coalesce(max(v::text), '')"
			   " FROM sample",
			   literal, sample->type);
	if (strncmp(found, null_possible ? "2 1 " : "2 0 ", 4) != 0) {
		fprintf(stderr, "%s as %d by method %d: %s, should be %s: ", sample->type, sample->held,
			method, found, literal);
		CHECK(!"the same value");
	}
	PQfreemem(literal);
}

static void try_methods(PGconn *conn, const struct sample *sample)
{
	lib_exec(conn, "DROP TABLE IF EXISTS sample; CREATE TABLE sample (v %s)", sample->type);
	try_sample(conn, sample, PGMEND_METHOD_COPY);
	try_sample(conn, sample, PGMEND_METHOD_VALUES);
	if (can_unnest(sample))
		try_sample(conn, sample, PGMEND_METHOD_UNNEST);
}

static void test_typed(PGconn *conn)
{
	make_types(conn);
	lib_exec(conn, "SET synchronous_commit = off");
	for (int i = 0; i < COUNT(typed); i++)
		try_methods(conn, &typed[i]);
}

static void test_text(PGconn *conn)
{
	make_types(conn);
	lib_exec(conn, "SET synchronous_commit = off");
	for (int i = 0; i < COUNT(texts); i++) {
		struct sample sample = {texts[i][0], PGMEND_TEXT, texts[i][1], PGMEND_NTS, texts[i][1]};
		try_methods(conn, &sample);
	}
	static const char *const extensions[][3] = {
		{"hstore", "hstore", "\"a\"=>\"1\", \"b\"=>NULL"},
		{"citext", "citext", "MiXed"},
		{"ltree", "ltree", "a.b.c"},
		{"cube", "cube", "(1, 2),(3, 4)"},
	};
	for (int i = 0; i < COUNT(extensions); i++) {
		const char *const *row = extensions[i];
		if (strcmp(lib_scalar(conn, "SELECT count(*) FROM pg_available_extensions WHERE name = '%s'",
				      row[0]),
			   "1") != 0)
			continue;
		lib_exec(conn, "CREATE EXTENSION %s", row[0]);
		struct sample sample = {row[1], PGMEND_TEXT, row[2], PGMEND_NTS, row[2]};
		try_methods(conn, &sample);
	}
}

/* Values that their type does not take: refused before they are sent, or by the server; never another value.
 */
static const struct {
	struct sample sample;
	const char *sqlstate;
} refused[] = {
	{{"smallint", PGMEND_INT32, VALUE(int32_t, 32768), ""}, "22003"},
	{{"integer", PGMEND_INT64, VALUE(int64_t, 2147483648), ""}, "22003"},
	{{"oid", PGMEND_INT64, VALUE(int64_t, -1), ""}, "22003"},
	{{"real", PGMEND_FLOAT64, VALUE(double, 1e300), ""}, "22003"},
	{{"date", PGMEND_DATE, VALUE(int32_t, INT32_MIN + 5), ""}, "22008"},
	{{"timestamp", PGMEND_TIMESTAMP, VALUE(int64_t, INT64_MIN + 5), ""}, "22008"},
	{{"time", PGMEND_TIME, VALUE(int64_t, -1), ""}, "22008"},
	{{"numeric", PGMEND_DECIMAL, &(const struct pgmend_decimal){1, -1}, 0, ""}, "22003"},
	{{"numeric(3,1)", PGMEND_INT32, VALUE(int32_t, 1000), ""}, "22003"},
	{{"text", PGMEND_TEXT, BYTES("a\0b"), ""}, "22021"},
	{{"text", PGMEND_TEXT, BYTES("\xc3"), ""}, "22021"},
	{{"text", PGMEND_TEXT, BYTES("\xed\xa0\x80"), ""}, "22021"},
	{{"text", PGMEND_TEXT, BYTES("0123456\xff"), ""}, "22021"},
	{{"date", PGMEND_TEXT, BYTES("\xff"), ""}, "22021"},
	{{"bytea", PGMEND_BYTES, "", (size_t)1 << 30, ""}, "54000"},
	{{"text", PGMEND_TEXT, "", (size_t)1 << 30, ""}, "54000"},
	{{"integer", PGMEND_TEXT, "1x", PGMEND_NTS, ""}, "22P02"},
	{{"varchar(3)", PGMEND_TEXT, "abcd", PGMEND_NTS, ""}, "22001"},
	{{"short", PGMEND_TEXT, "abcdef", PGMEND_NTS, ""}, "22001"},
	{{"varchar(3)[]", PGMEND_TEXT, "{abcd}", PGMEND_NTS, ""}, "22001"},
	{{"bit(3)", PGMEND_TEXT, "1011", PGMEND_NTS, ""}, "22026"},
	{{"mood", PGMEND_TEXT, "angry", PGMEND_NTS, ""}, "22P02"},
	{{"positive", PGMEND_INT32, VALUE(int32_t, -5), ""}, "23514"},
	{{"deeper", PGMEND_TEXT, "1000", PGMEND_NTS, ""}, "23514"},
	{{"jsonb", PGMEND_TEXT, "{", PGMEND_NTS, ""}, "22P02"},
	{{"json", PGMEND_TEXT, "{", PGMEND_NTS, ""}, "22P02"},
	{{"integer[]", PGMEND_ARRAY, &word_array, 0, ""}, "42804"},
	{{"integer", PGMEND_BINARY, BYTES("\0\0\1"), ""}, "08P01"},
};

static void test_refused(PGconn *conn)
{
	make_types(conn);
	for (int i = 0; i < COUNT(refused); i++) {
		const struct sample *sample = &refused[i].sample;
		lib_exec(conn, "DROP TABLE IF EXISTS sample; CREATE TABLE sample (v %s)", sample->type);
		for (int method = PGMEND_METHOD_COPY; method <= PGMEND_METHOD_VALUES; method++) {
			if (method == PGMEND_METHOD_UNNEST && !can_unnest(sample))
				continue;
			struct pgmend_batch_column column = {"v", sample->held};
			struct pgmend_batch_options options = lib_options("sample", &column, 1);
			options.method = method;
			struct pgmend_batch *batch = pgmend_batch_open(conn, &options, &lib_err);
			CHECK(batch != NULL);
			struct pgmend_value value = {sample->value, sample->length};
			CHECK(pgmend_batch_add(batch, &value, &lib_err) &&
			      pgmend_batch_finish(batch, &lib_err));
			const struct pgmend_bad_row *bad = pgmend_batch_bad_row(batch, 0);
			CHECK(bad != NULL);
			/* A COPY whose data is of the wrong length is refused in other words than a
			 * parameter. */
			bool protocol = strcmp(refused[i].sqlstate, "08P01") == 0;
			if (!protocol || strcmp(bad->sqlstate, "22P03") != 0)
				CHECK_TEXT(bad->sqlstate, refused[i].sqlstate);
			CHECK_INT(bad->position, 0);
			pgmend_batch_close(batch);
			CHECK_INT(lib_number(conn, "SELECT count(*) FROM sample"), 0);
		}
	}
}

const struct lib_case lib_type_cases[] = {
	{"types_typed", test_typed},
	{"types_text", test_text},
	{"types_refused", test_refused},
	{NULL, NULL},
};
