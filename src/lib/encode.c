#include "lib/encode.h"

#include "lib/target.h"
#include "util/utf8.h"

#include <stdarg.h>
#include <stdio.h>

/* PostgreSQL counts from 2000-01-01. */
#define EPOCH_DAYS 10957
#define EPOCH_US   (INT64_C(10957) * 86400 * 1000000)

bool pgm_refuse(struct pgm_refusal *refusal, const char *sqlstate, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(refusal->message, sizeof(refusal->message), format, args);
	va_end(args);
	refusal->sqlstate = sqlstate;
	return false;
}

#define ENCODER(name)                                                                          \
	static bool name(struct pgm_bytes *out, const struct pgm_type *type, const void *data, \
			 size_t length, struct pgm_refusal *refusal)
#define UNUSED (void)type, (void)length, (void)refusal

static bool check_length(size_t length, struct pgm_refusal *refusal)
{
	if (length <= PGM_FIELD_BYTES_MAX)
		return true;
	return pgm_refuse(refusal, "54000", "a value of %zu bytes is longer than PostgreSQL's limit of 1 GB",
			  length);
}

bool pgm_encode_text(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		     struct pgm_refusal *refusal)
{
	(void)type;
	if (length == PGMEND_NTS)
		length = strlen(data);
	if (!check_length(length, refusal))
		return false;
	size_t sound = pgm_utf8_sound(data, length);
	if (sound < length)
		return pgm_refuse(refusal, "22021",
				  "invalid byte sequence for encoding \"UTF8\": 0x%02x at byte %zu",
				  ((const unsigned char *)data)[sound], sound);
	pgm_bytes_add(out, data, length);
	return !out->failed;
}

/* jsonb and jsonpath: a version, then the text. */
ENCODER(versioned_text)
{
	pgm_bytes_byte(out, 1);
	return pgm_encode_text(out, type, data, length, refusal);
}

ENCODER(raw_bytes)
{
	(void)type;
	if (!check_length(length, refusal))
		return false;
	pgm_bytes_add(out, data, length);
	return !out->failed;
}

ENCODER(bits)
{
	(void)type;
	if (length > INT32_MAX)
		return pgm_refuse(refusal, "54000",
				  "a bit string of %zu bits is longer than PostgreSQL's limit", length);
	size_t size = (length + 7) / 8;
	pgm_bytes_int32(out, (int32_t)length);
	unsigned char *at = pgm_bytes_extend(out, size);
	if (!at)
		return false;
	if (size)
		memcpy(at, data, size);
	if (length % 8)
		at[size - 1] &= (unsigned char)(0xFF << (8 - length % 8));
	return true;
}

ENCODER(boolean)
{
	UNUSED;
	pgm_bytes_byte(out, *(const unsigned char *)data != 0);
	return !out->failed;
}

static bool put_integer(struct pgm_bytes *out, const struct pgm_type *type, int64_t value,
			struct pgm_refusal *refusal)
{
	switch (type->oid) {
	case PGM_OID_INT2:
		if (value < INT16_MIN || value > INT16_MAX)
			return pgm_refuse(refusal, "22003", "value %lld is out of range for type smallint",
					  (long long)value);
		pgm_bytes_int16(out, (int16_t)value);
		break;
	case PGM_OID_INT4:
		if (value < INT32_MIN || value > INT32_MAX)
			return pgm_refuse(refusal, "22003", "value %lld is out of range for type integer",
					  (long long)value);
		pgm_bytes_int32(out, (int32_t)value);
		break;
	case PGM_OID_OID:
		if (value < 0 || value > UINT32_MAX)
			return pgm_refuse(refusal, "22003", "value %lld is out of range for type oid",
					  (long long)value);
		pgm_bytes_int32(out, (int32_t)(uint32_t)value);
		break;
	case PGM_OID_FLOAT4:
	case PGM_OID_FLOAT8: {
		double wide = (double)value;
		float narrow = (float)value;
		uint64_t wide_bits;
		uint32_t narrow_bits;
		memcpy(&wide_bits, &wide, 8);
		memcpy(&narrow_bits, &narrow, 4);
		if (type->oid == PGM_OID_FLOAT8)
			pgm_bytes_int64(out, (int64_t)wide_bits);
		else
			pgm_bytes_int32(out, (int32_t)narrow_bits);
		break;
	}
	case PGM_OID_NUMERIC:
		return pgm_encode_numeric_int64(out, value, 0, refusal);
	default: /* bigint, money */
		pgm_bytes_int64(out, value);
	}
	return !out->failed;
}

ENCODER(int16)
{
	(void)length;
	int16_t value;
	memcpy(&value, data, sizeof(value));
	return put_integer(out, type, value, refusal);
}

ENCODER(int32)
{
	(void)length;
	int32_t value;
	memcpy(&value, data, sizeof(value));
	return put_integer(out, type, value, refusal);
}

ENCODER(int64)
{
	(void)length;
	int64_t value;
	memcpy(&value, data, sizeof(value));
	return put_integer(out, type, value, refusal);
}

static bool put_double(struct pgm_bytes *out, double value)
{
	uint64_t image;
	memcpy(&image, &value, 8);
	pgm_bytes_int64(out, (int64_t)image);
	return !out->failed;
}

static bool put_float(struct pgm_bytes *out, float value)
{
	uint32_t image;
	memcpy(&image, &value, 4);
	pgm_bytes_int32(out, (int32_t)image);
	return !out->failed;
}

ENCODER(float32)
{
	(void)length;
	float value;
	memcpy(&value, data, sizeof(value));
	if (type->oid == PGM_OID_NUMERIC)
		return pgm_encode_numeric_double(out, value, 6, refusal);
	return type->oid == PGM_OID_FLOAT4 ? put_float(out, value) : put_double(out, value);
}

ENCODER(float64)
{
	(void)length;
	double value;
	memcpy(&value, data, sizeof(value));
	if (type->oid == PGM_OID_NUMERIC)
		return pgm_encode_numeric_double(out, value, 15, refusal);
	if (type->oid == PGM_OID_FLOAT8)
		return put_double(out, value);
	float narrow = (float)value;
	if (__builtin_isinf(narrow) && !__builtin_isinf(value))
		return pgm_refuse(refusal, "22003", "value %g is out of range for type real", value);
	if (narrow == 0 && value != 0)
		return pgm_refuse(refusal, "22003", "value %g is out of range for type real", value);
	return put_float(out, narrow);
}

ENCODER(sixteen_bytes)
{
	UNUSED;
	pgm_bytes_add(out, data, 16);
	return !out->failed;
}

ENCODER(eight_bytes)
{
	UNUSED;
	pgm_bytes_add(out, data, 8);
	return !out->failed;
}

ENCODER(six_bytes)
{
	UNUSED;
	pgm_bytes_add(out, data, 6);
	return !out->failed;
}

ENCODER(date)
{
	UNUSED;
	int32_t days;
	memcpy(&days, data, sizeof(days));
	bool infinite = days == INT32_MAX || days == INT32_MIN;
	if (!infinite && days < INT32_MIN + EPOCH_DAYS + 1)
		return pgm_refuse(refusal, "22008", "date out of range");
	pgm_bytes_int32(out, infinite ? days : days - EPOCH_DAYS);
	return !out->failed;
}

ENCODER(time_of_day)
{
	UNUSED;
	int64_t us;
	memcpy(&us, data, sizeof(us));
	pgm_bytes_int64(out, us);
	return !out->failed;
}

ENCODER(timestamp)
{
	UNUSED;
	int64_t us;
	memcpy(&us, data, sizeof(us));
	bool infinite = us == INT64_MAX || us == INT64_MIN;
	if (!infinite && us < INT64_MIN + EPOCH_US + 1)
		return pgm_refuse(refusal, "22008", "timestamp out of range");
	pgm_bytes_int64(out, infinite ? us : us - EPOCH_US);
	return !out->failed;
}

ENCODER(timetz)
{
	UNUSED;
	struct pgmend_timetz value;
	memcpy(&value, data, sizeof(value));
	if (value.utc_offset_s <= -86400 || value.utc_offset_s >= 86400)
		return pgm_refuse(refusal, "22009", "time zone displacement out of range");
	pgm_bytes_int64(out, value.us);
	pgm_bytes_int32(out, -value.utc_offset_s);
	return !out->failed;
}

ENCODER(interval)
{
	UNUSED;
	struct pgmend_interval value;
	memcpy(&value, data, sizeof(value));
	pgm_bytes_int64(out, value.us);
	pgm_bytes_int32(out, value.days);
	pgm_bytes_int32(out, value.months);
	return !out->failed;
}

ENCODER(decimal)
{
	UNUSED;
	struct pgmend_decimal value;
	memcpy(&value, data, sizeof(value));
	return pgm_encode_numeric_int64(out, value.unscaled, value.scale, refusal);
}

/* network_recv() in network.c; its families are 2 and 3 on every system. */
ENCODER(inet)
{
	(void)length;
	const struct pgmend_inet *value = data;
	unsigned char size = value->is_ipv6 ? 16 : 4;
	if (value->prefix > size * 8)
		return pgm_refuse(refusal, "22P03", "invalid bits %d in an address", value->prefix);
	unsigned char head[4] = {value->is_ipv6 ? 3 : 2, value->prefix, type->oid == PGM_OID_CIDR, size};
	pgm_bytes_add(out, head, sizeof(head));
	pgm_bytes_add(out, value->address, size);
	return !out->failed;
}

static bool put_doubles(struct pgm_bytes *out, const double *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_double(out, values[i]);
	return !out->failed;
}

ENCODER(point)
{
	UNUSED;
	return put_doubles(out, data, 2);
}

ENCODER(three_doubles)
{
	UNUSED;
	return put_doubles(out, data, 3);
}

ENCODER(four_doubles)
{
	UNUSED;
	return put_doubles(out, data, 4);
}

ENCODER(points)
{
	(void)length;
	const struct pgmend_points *value = data;
	if (value->count < 0 || (size_t)value->count > PGM_FIELD_BYTES_MAX / 16)
		return pgm_refuse(refusal, "54000", "invalid number of points: %d", (int)value->count);
	if (type->oid == PGM_OID_PATH)
		pgm_bytes_byte(out, value->closed != 0);
	pgm_bytes_int32(out, value->count);
	return put_doubles(out, value->xy, (size_t)value->count * 2);
}

static const struct {
	int held;
	uint32_t oid;
	pgm_encoder encoder;
} encoders[] = {
	{PGMEND_TEXT, PGM_OID_JSONB, versioned_text},
	{PGMEND_TEXT, PGM_OID_JSONPATH, versioned_text},
	{PGMEND_BOOL, PGM_OID_BOOL, boolean},
	{PGMEND_INT16, PGM_OID_INT2, int16},
	{PGMEND_INT16, PGM_OID_INT4, int16},
	{PGMEND_INT16, PGM_OID_INT8, int16},
	{PGMEND_INT16, PGM_OID_OID, int16},
	{PGMEND_INT16, PGM_OID_FLOAT4, int16},
	{PGMEND_INT16, PGM_OID_FLOAT8, int16},
	{PGMEND_INT16, PGM_OID_NUMERIC, int16},
	{PGMEND_INT16, PGM_OID_MONEY, int16},
	{PGMEND_INT32, PGM_OID_INT2, int32},
	{PGMEND_INT32, PGM_OID_INT4, int32},
	{PGMEND_INT32, PGM_OID_INT8, int32},
	{PGMEND_INT32, PGM_OID_OID, int32},
	{PGMEND_INT32, PGM_OID_FLOAT4, int32},
	{PGMEND_INT32, PGM_OID_FLOAT8, int32},
	{PGMEND_INT32, PGM_OID_NUMERIC, int32},
	{PGMEND_INT32, PGM_OID_MONEY, int32},
	{PGMEND_INT64, PGM_OID_INT2, int64},
	{PGMEND_INT64, PGM_OID_INT4, int64},
	{PGMEND_INT64, PGM_OID_INT8, int64},
	{PGMEND_INT64, PGM_OID_OID, int64},
	{PGMEND_INT64, PGM_OID_FLOAT4, int64},
	{PGMEND_INT64, PGM_OID_FLOAT8, int64},
	{PGMEND_INT64, PGM_OID_NUMERIC, int64},
	{PGMEND_INT64, PGM_OID_MONEY, int64},
	{PGMEND_FLOAT32, PGM_OID_FLOAT4, float32},
	{PGMEND_FLOAT32, PGM_OID_FLOAT8, float32},
	{PGMEND_FLOAT32, PGM_OID_NUMERIC, float32},
	{PGMEND_FLOAT64, PGM_OID_FLOAT4, float64},
	{PGMEND_FLOAT64, PGM_OID_FLOAT8, float64},
	{PGMEND_FLOAT64, PGM_OID_NUMERIC, float64},
	{PGMEND_BYTES, PGM_OID_BYTEA, raw_bytes},
	{PGMEND_UUID, PGM_OID_UUID, sixteen_bytes},
	{PGMEND_DATE, PGM_OID_DATE, date},
	{PGMEND_TIME, PGM_OID_TIME, time_of_day},
	{PGMEND_TIMESTAMP, PGM_OID_TIMESTAMP, timestamp},
	{PGMEND_TIMESTAMP, PGM_OID_TIMESTAMPTZ, timestamp},
	{PGMEND_TIMETZ, PGM_OID_TIMETZ, timetz},
	{PGMEND_INTERVAL, PGM_OID_INTERVAL, interval},
	{PGMEND_DECIMAL, PGM_OID_NUMERIC, decimal},
	{PGMEND_INET, PGM_OID_INET, inet},
	{PGMEND_INET, PGM_OID_CIDR, inet},
	{PGMEND_MACADDR, PGM_OID_MACADDR, six_bytes},
	{PGMEND_MACADDR8, PGM_OID_MACADDR8, eight_bytes},
	{PGMEND_BITS, PGM_OID_BIT, bits},
	{PGMEND_BITS, PGM_OID_VARBIT, bits},
	{PGMEND_POINT, PGM_OID_POINT, point},
	{PGMEND_LINE, PGM_OID_LINE, three_doubles},
	{PGMEND_LSEG, PGM_OID_LSEG, four_doubles},
	{PGMEND_BOX, PGM_OID_BOX, four_doubles},
	{PGMEND_CIRCLE, PGM_OID_CIRCLE, three_doubles},
	{PGMEND_PATH, PGM_OID_PATH, points},
	{PGMEND_POLYGON, PGM_OID_POLYGON, points},
};

pgm_encoder pgm_encoder_find(int held, const struct pgm_type *type)
{
	if (held == PGMEND_BINARY)
		return raw_bytes;
	if (held == PGMEND_ARRAY)
		return type->element ? pgm_encode_array : NULL;
	if (held == PGMEND_RANGE)
		return type->subtype ? pgm_encode_range : NULL;
	if (held == PGMEND_TEXT && type->receives_text)
		return pgm_encode_text;
	for (size_t i = 0; i < sizeof(encoders) / sizeof(*encoders); i++)
		if (encoders[i].held == held && encoders[i].oid == type->oid)
			return encoders[i].encoder;
	return NULL;
}

static const struct {
	const char *name;
	size_t size;
} helds[] = {
	[PGMEND_TEXT] = {"PGMEND_TEXT", sizeof(char *)},
	[PGMEND_BOOL] = {"PGMEND_BOOL", 1},
	[PGMEND_INT16] = {"PGMEND_INT16", 2},
	[PGMEND_INT32] = {"PGMEND_INT32", 4},
	[PGMEND_INT64] = {"PGMEND_INT64", 8},
	[PGMEND_FLOAT32] = {"PGMEND_FLOAT32", 4},
	[PGMEND_FLOAT64] = {"PGMEND_FLOAT64", 8},
	[PGMEND_BYTES] = {"PGMEND_BYTES", sizeof(char *)},
	[PGMEND_UUID] = {"PGMEND_UUID", 16},
	[PGMEND_DATE] = {"PGMEND_DATE", 4},
	[PGMEND_TIME] = {"PGMEND_TIME", 8},
	[PGMEND_TIMESTAMP] = {"PGMEND_TIMESTAMP", 8},
	[PGMEND_TIMETZ] = {"PGMEND_TIMETZ", sizeof(struct pgmend_timetz)},
	[PGMEND_INTERVAL] = {"PGMEND_INTERVAL", sizeof(struct pgmend_interval)},
	[PGMEND_DECIMAL] = {"PGMEND_DECIMAL", sizeof(struct pgmend_decimal)},
	[PGMEND_INET] = {"PGMEND_INET", sizeof(struct pgmend_inet)},
	[PGMEND_MACADDR] = {"PGMEND_MACADDR", 6},
	[PGMEND_MACADDR8] = {"PGMEND_MACADDR8", 8},
	[PGMEND_BITS] = {"PGMEND_BITS", sizeof(char *)},
	[PGMEND_POINT] = {"PGMEND_POINT", 2 * sizeof(double)},
	[PGMEND_LINE] = {"PGMEND_LINE", 3 * sizeof(double)},
	[PGMEND_LSEG] = {"PGMEND_LSEG", 4 * sizeof(double)},
	[PGMEND_BOX] = {"PGMEND_BOX", 4 * sizeof(double)},
	[PGMEND_CIRCLE] = {"PGMEND_CIRCLE", 3 * sizeof(double)},
	[PGMEND_PATH] = {"PGMEND_PATH", sizeof(struct pgmend_points)},
	[PGMEND_POLYGON] = {"PGMEND_POLYGON", sizeof(struct pgmend_points)},
	[PGMEND_ARRAY] = {"PGMEND_ARRAY", sizeof(struct pgmend_array)},
	[PGMEND_RANGE] = {"PGMEND_RANGE", sizeof(struct pgmend_range)},
	[PGMEND_BINARY] = {"PGMEND_BINARY", sizeof(char *)},
};

size_t pgm_held_size(int held)
{
	return held > 0 && (size_t)held < sizeof(helds) / sizeof(*helds) ? helds[held].size : 0;
}

const char *pgm_held_name(int held)
{
	return pgm_held_size(held) ? helds[held].name : "an unknown kind";
}

bool pgm_held_by_pointer(int held)
{
	return held == PGMEND_TEXT || held == PGMEND_BYTES || held == PGMEND_BITS || held == PGMEND_BINARY;
}
