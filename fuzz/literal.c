/*
 * Parameters as literals: a Bind's body of any bytes, with types of any kind, gives no text or one that the
 * scan takes for whole, with no parameter left.
 */
#include "pool/profile/literal.h"
#include "pool/scan/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t kinds[] = {0,    16,   17,   20,	 21,   23,   25,   26,	 114,  700,  701,  1042,
				 1043, 1082, 1114, 1184, 1700, 2950, 3802, 1000, 1001, 1005, 1007, 1009,
				 1015, 1016, 1021, 1022, 1115, 1182, 1185, 1231, 2951, 199,  3807, 600};

/* The first byte says how many types, those bytes which; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char sql[] = "SELECT $1,$2,$3 FROM t WHERE a=$1AND b=-$2";
	struct pgm_bind_values values;
	struct pgm_scan scan;
	uint32_t types[4];
	char text[16384];
	if (size < 1)
		return 0;
	size_t count = data[0] % 5;
	if (size < 1 + count)
		return 0;
	for (size_t i = 0; i < count; i++)
		types[i] = kinds[data[1 + i] % (sizeof(kinds) / sizeof(*kinds))];
	size_t length = size - 1 - count;
	uint8_t *body = malloc(length ? length : 1);
	memcpy(body, data + 1 + count, length);
	if (pgm_bind_values(body, length, types, count, &values)) {
		assert(values.count <= PGM_BIND_VALUES_MAX);
		size_t written = pgm_bind_text(sql, strlen(sql), true, &values, text, sizeof(text));
		assert(written < sizeof(text));
		if (written) {
			text[written] = '\0';
			pgm_scan_sql(text, written, true, &scan);
			assert(strlen(text) == written &&
			       !(scan.flags & (PGM_SCAN_UNKNOWN | PGM_SCAN_MULTI)));
		}
	}
	free(body);
	return 0;
}
