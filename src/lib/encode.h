/*
 * Values as PostgreSQL's binary receive functions take them (src/backend/utils/adt, the ..._recv functions).
 *
 * An encoder appends the bytes of one value that is not NULL, without the length before it. False: the value
 * can't be sent, and `refusal` says why; or the buffer has failed, for want of memory, and refusal is empty.
 * What it appended until then is the caller's to cut off. Encoders have no state and may run in any thread.
 */
#ifndef PGM_LIB_ENCODE_H
#define PGM_LIB_ENCODE_H

#include "lib/bytes.h"
#include "pgmend/pgmend.h"

/* Values of types of PostgreSQL itself never change their numbers: pg_type.dat. */
enum pgm_oid {
	PGM_OID_BOOL = 16,
	PGM_OID_BYTEA = 17,
	PGM_OID_INT8 = 20,
	PGM_OID_INT2 = 21,
	PGM_OID_INT4 = 23,
	PGM_OID_TEXT = 25,
	PGM_OID_OID = 26,
	PGM_OID_JSON = 114,
	PGM_OID_POINT = 600,
	PGM_OID_LSEG = 601,
	PGM_OID_PATH = 602,
	PGM_OID_BOX = 603,
	PGM_OID_POLYGON = 604,
	PGM_OID_LINE = 628,
	PGM_OID_CIDR = 650,
	PGM_OID_FLOAT4 = 700,
	PGM_OID_FLOAT8 = 701,
	PGM_OID_CIRCLE = 718,
	PGM_OID_MACADDR8 = 774,
	PGM_OID_MONEY = 790,
	PGM_OID_MACADDR = 829,
	PGM_OID_INET = 869,
	PGM_OID_TEXT_ARRAY = 1009,
	PGM_OID_BPCHAR = 1042,
	PGM_OID_VARCHAR = 1043,
	PGM_OID_DATE = 1082,
	PGM_OID_TIME = 1083,
	PGM_OID_TIMESTAMP = 1114,
	PGM_OID_TIMESTAMPTZ = 1184,
	PGM_OID_INTERVAL = 1186,
	PGM_OID_TIMETZ = 1266,
	PGM_OID_BIT = 1560,
	PGM_OID_VARBIT = 1562,
	PGM_OID_NUMERIC = 1700,
	PGM_OID_UUID = 2950,
	PGM_OID_JSONB = 3802,
	PGM_OID_JSONPATH = 4072
};

/* A field is at most 1 GB less one byte long (MaxAllocSize). */
#define PGM_FIELD_BYTES_MAX ((size_t)0x3fffffff)

struct pgm_refusal {
	const char *sqlstate; /* static; NULL: nothing was refused */
	char message[200];
};

struct pgm_type;

typedef bool (*pgm_encoder)(struct pgm_bytes *out, const struct pgm_type *type, const void *data,
			    size_t length, struct pgm_refusal *refusal);

/*
 * The encoder for values that the program holds as `held` (enum pgmend_type) and that go into this type; for
 * a domain, pass what it is made from. NULL: there is none; PGMEND_TEXT has one only for types whose text
 * form is their binary form, or nearly so.
 */
pgm_encoder pgm_encoder_find(int held, const struct pgm_type *type);

/* Says no; false. */
bool pgm_refuse(struct pgm_refusal *refusal, const char *sqlstate, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The size of the C type that values of this kind are packed with in arrays; 0: there is no such kind. */
size_t pgm_held_size(int held);
/* Whether values are pointers with a length beside them: TEXT, BYTES, BITS and BINARY. */
bool pgm_held_by_pointer(int held);

/* PGMEND_TEXT and the like for messages. */
const char *pgm_held_name(int held);

/* A text that ends after length bytes, or with its NUL where that is PGMEND_NTS: checked, and appended. */
bool pgm_encode_text(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		     struct pgm_refusal *refusal);

/* Numbers into numeric. */
bool pgm_encode_numeric_int64(struct pgm_bytes *out, int64_t value, int32_t scale,
			      struct pgm_refusal *refusal);
bool pgm_encode_numeric_double(struct pgm_bytes *out, double value, int digits, struct pgm_refusal *refusal);

/* Arrays and ranges of other values (encode_nested.c). */
bool pgm_encode_array(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		      struct pgm_refusal *refusal);
bool pgm_encode_range(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		      struct pgm_refusal *refusal);

#endif
