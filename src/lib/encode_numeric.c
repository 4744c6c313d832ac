/*
 * numeric's binary form (numeric_recv() in numeric.c): digits to the base 10,000, the weight of the first
 * one, a sign, and how many decimal digits after the point are shown.
 */
#include "lib/encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NBASE_DIGITS	  4
#define NUMERIC_NEG	  0x4000
#define NUMERIC_NAN	  0xC000
#define NUMERIC_PINF	  0xD000
#define NUMERIC_NINF	  0xF000
#define NUMERIC_SCALE_MAX 16383

static bool put_head(struct pgm_bytes *out, int digits, int weight, int sign, int scale)
{
	pgm_bytes_int16(out, (int16_t)digits);
	pgm_bytes_int16(out, (int16_t)weight);
	pgm_bytes_int16(out, (int16_t)sign);
	pgm_bytes_int16(out, (int16_t)scale);
	return !out->failed;
}

/*
 * text: decimal digits without leading zeroes; the value is text / 10^scale, where scale may be negative.
 * shown is the display scale.
 */
static bool put_digits(struct pgm_bytes *out, const char *text, size_t count, int scale, int shown,
		       bool negative)
{
	while (count && text[count - 1] == '0')
		count--, scale--;
	if (!count)
		return put_head(out, 0, 0, 0, shown);
	/* Groups of four are counted from the point: the last one is filled up with zeroes. */
	int after = ((scale % NBASE_DIGITS) + NBASE_DIGITS) % NBASE_DIGITS;
	int filled = (NBASE_DIGITS - after) % NBASE_DIGITS;
	int total = (int)count + filled;
	int groups = (total + NBASE_DIGITS - 1) / NBASE_DIGITS;
	int weight = groups - 1 - (scale + filled) / NBASE_DIGITS;
	put_head(out, groups, weight, negative ? NUMERIC_NEG : 0, shown);
	int leading = groups * NBASE_DIGITS - total;
	for (int group = 0; group < groups; group++) {
		int value = 0;
		for (int i = 0; i < NBASE_DIGITS; i++) {
			int at = group * NBASE_DIGITS + i - leading;
			value = value * 10 + (at >= 0 && at < (int)count ? text[at] - '0' : 0);
		}
		pgm_bytes_int16(out, (int16_t)value);
	}
	return !out->failed;
}

bool pgm_encode_numeric_int64(struct pgm_bytes *out, int64_t value, int32_t scale,
			      struct pgm_refusal *refusal)
{
	if (scale < 0 || scale > NUMERIC_SCALE_MAX)
		return pgm_refuse(refusal, "22003", "numeric scale %d must be between 0 and 16383",
				  (int)scale);
	char text[24];
	int length = snprintf(text, sizeof(text), "%llu",
			      value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value);
	return put_digits(out, text, value ? (size_t)length : 0, scale, scale, value < 0);
}

/* As float8_numeric(): so many significant digits. */
bool pgm_encode_numeric_double(struct pgm_bytes *out, double value, int digits, struct pgm_refusal *refusal)
{
	(void)refusal;
	if (isnan(value))
		return put_head(out, 0, 0, NUMERIC_NAN, 0);
	if (isinf(value))
		return put_head(out, 0, 0, value > 0 ? NUMERIC_PINF : NUMERIC_NINF, 0);
	/* d.dddde[+-]xx; the point may be another character in another locale, so it is stepped over. */
	char text[40], mantissa[32];
	snprintf(text, sizeof(text), "%.*e", digits - 1, fabs(value));
	const char *e = strchr(text, 'e');
	size_t count = 0;
	for (const char *p = text; p < e; p++)
		if (*p >= '0' && *p <= '9')
			mantissa[count++] = *p;
	int exponent = atoi(e + 1);
	int scale = (int)count - 1 - exponent;
	while (count && mantissa[count - 1] == '0')
		count--, scale--;
	return put_digits(out, mantissa, count, scale, count && scale > 0 ? scale : 0,
			  signbit(value) && count);
}
