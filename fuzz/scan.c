/*
 * The scan of statements: whatever the text is, it ends; space before and after changes nothing; the normal
 * form fits its buffer and holds no string's content.
 */
#include "pool/scan/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *each, const char *name)
{
	assert(strchr(name, '.') && ++*(int *)each < 1000);
}

static void check_normal(const char *sql, size_t length, bool standard)
{
	char whole[8192], cut[64], scratch[64];
	size_t written = pgm_scan_normalize(sql, length, standard, whole, sizeof(whole));
	assert(written < sizeof(whole) && strlen(whole) == written);
	if (!memchr(sql, '"', length))
		assert(!memchr(whole, '\'', written));
	size_t part = pgm_scan_normalize(sql, length, standard, cut, sizeof(cut));
	assert(part < sizeof(cut) && memcmp(whole, cut, part) == 0);
	written = pgm_scan_parameterize(sql, length, standard, whole, sizeof(whole));
	assert(written < sizeof(whole) && strlen(whole) == written);
	int names = 0;
	pgm_scan_custom_settings(sql, length, standard, scratch, sizeof(scratch), count, &names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of its own length, so that a read past it is seen. */
	char *sql = malloc(size + 1), *padded = malloc(size + 4);
	if (!sql || !padded)
		abort();
	memcpy(sql, data, size);
	memcpy(padded + 1, data, size);
	padded[0] = padded[size + 1] = '\n';
	for (int standard = 0; standard < 2; standard++) {
		struct pgm_scan scan, again;
		char *exact = malloc(size ? size : 1);
		memcpy(exact, data, size);
		pgm_scan_sql(exact, size, standard, &scan);
		pgm_scan_sql(padded, size + 2, standard, &again);
		if (!(scan.flags & PGM_SCAN_UNKNOWN))
			assert(scan.fingerprint == again.fingerprint && scan.flags == again.flags);
		check_normal(exact, size, standard);
		free(exact);
	}
	pgm_scan_tag_rows(sql, size);
	free(sql);
	free(padded);
	return 0;
}
