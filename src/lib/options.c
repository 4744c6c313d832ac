#include "lib/options.h"

#include "lib/error.h"

#include <string.h>

/* No struct will ever be longer: what says so was not set. */
#define SIZE_MAX_KNOWN 65536

bool pgm_lib_options_copy(void *into, size_t size, const void *options, struct pgmend_error *err)
{
	memset(into, 0, size);
	if (!options)
		return true;
	size_t given;
	memcpy(&given, options, sizeof(given));
	if (given < sizeof(given) || given > SIZE_MAX_KNOWN)
		return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
					 "struct_size of the options is not set: it must be their sizeof");
	for (size_t i = size; i < given; i++)
		if (((const unsigned char *)options)[i])
			return pgm_lib_error_set(err, PGMEND_ERR_USAGE,
						 "the program sets an option that libpgmend %s does not know",
						 pgmend_version());
	memcpy(into, options, given < size ? given : size);
	return true;
}

void pgm_lib_result_copy(void *into, const void *result, size_t size)
{
	size_t given;
	memcpy(&given, into, sizeof(given));
	if (given < sizeof(given))
		return;
	if (given > size)
		memset((unsigned char *)into + size, 0, given - size);
	memcpy(into, result, given < size ? given : size);
	memcpy(into, &given, sizeof(given));
}
