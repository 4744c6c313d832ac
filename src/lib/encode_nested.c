/* Arrays (array_recv() in arrayfuncs.c) and ranges (range_recv() in rangetypes.c) of typed values. */
#include "lib/encode.h"

#include "lib/target.h"

#define RANGE_EMPTY  0x01
#define RANGE_LB_INC 0x02
#define RANGE_UB_INC 0x04
#define RANGE_LB_INF 0x08
#define RANGE_UB_INF 0x10

/* The encoder of an element or a bound; NULL and a refusal if there is none. */
static pgm_encoder inner(int held, const struct pgm_type *type, const char *what, struct pgm_refusal *refusal)
{
	pgm_encoder encoder =
		held == PGMEND_ARRAY || held == PGMEND_RANGE ? NULL : pgm_encoder_find(held, type->base);
	if (!encoder)
		pgm_refuse(refusal, "42804", "%s of type %s can't be given as %s", what, type->name,
			   pgm_held_name(held));
	return encoder;
}

/* The value with its length before it. */
static bool put_field(struct pgm_bytes *out, const struct pgm_type *type, pgm_encoder encoder,
		      const void *data, size_t length, struct pgm_refusal *refusal)
{
	size_t at = out->length;
	pgm_bytes_int32(out, 0);
	if (!encoder(out, type->base, data, length, refusal))
		return false;
	if (out->failed)
		return false;
	pgm_put32(out->data + at, (uint32_t)(out->length - at - 4));
	return true;
}

bool pgm_encode_array(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		      struct pgm_refusal *refusal)
{
	(void)length;
	const struct pgmend_array *array = data;
	const struct pgm_type *element = type->element;
	pgm_encoder encoder = inner(array->type, element, "an array's elements", refusal);
	if (!encoder)
		return false;
	if (array->count < 0)
		return pgm_refuse(refusal, "2202E", "an array of %d elements", (int)array->count);
	bool pointers = pgm_held_by_pointer(array->type);
	size_t begin = out->length, size = pgm_held_size(array->type);
	bool any_null = false;
	pgm_bytes_int32(out, array->count ? 1 : 0);
	pgm_bytes_int32(out, 0); /* whether there are NULLs: set below */
	pgm_bytes_int32(out, (int32_t)element->oid);
	if (array->count) {
		pgm_bytes_int32(out, array->count);
		pgm_bytes_int32(out, 1);
	}
	for (int32_t i = 0; i < array->count; i++) {
		const void *value = (const char *)array->values + (size_t)i * size;
		if (pointers)
			memcpy(&value, value, sizeof(value));
		if (!value || (array->nulls && array->nulls[i])) {
			any_null = true;
			pgm_bytes_int32(out, -1);
			continue;
		}
		size_t value_length = pointers && array->lengths ? array->lengths[i] : PGMEND_NTS;
		if (pointers && array->type != PGMEND_TEXT && !array->lengths)
			return pgm_refuse(refusal, "42804", "an array's values have no lengths");
		if (!put_field(out, element, encoder, value, value_length, refusal))
			return false;
		if (out->length - begin > PGM_FIELD_BYTES_MAX)
			return pgm_refuse(refusal, "54000",
					  "an array is longer than PostgreSQL's limit of 1 GB");
	}
	if (out->failed)
		return false;
	pgm_put32(out->data + begin + 4, any_null);
	return true;
}

bool pgm_encode_range(struct pgm_bytes *out, const struct pgm_type *type, const void *data, size_t length,
		      struct pgm_refusal *refusal)
{
	(void)length;
	const struct pgmend_range *range = data;
	pgm_encoder encoder = inner(range->type, type->subtype, "a range's bounds", refusal);
	if (!encoder)
		return false;
	unsigned char flags = 0;
	if (range->empty) {
		flags = RANGE_EMPTY;
	} else {
		flags |= !range->lower ? RANGE_LB_INF : range->lower_inclusive ? RANGE_LB_INC : 0;
		flags |= !range->upper ? RANGE_UB_INF : range->upper_inclusive ? RANGE_UB_INC : 0;
	}
	pgm_bytes_byte(out, flags);
	if (range->empty)
		return !out->failed;
	if (range->lower &&
	    !put_field(out, type->subtype, encoder, range->lower, range->lower_length, refusal))
		return false;
	if (range->upper &&
	    !put_field(out, type->subtype, encoder, range->upper, range->upper_length, refusal))
		return false;
	return !out->failed;
}
