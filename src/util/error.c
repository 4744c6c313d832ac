#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool pgm_error_set(struct pgm_error *err, enum pgm_error_kind kind, const char *format, ...)
{
	if (!err)
		return false;
	char message[sizeof(err->message)]; /* an argument may be the old message */
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	*err = (struct pgm_error){.kind = kind};
	memcpy(err->message, message, sizeof(message));
	return false;
}

bool pgm_error_hint(struct pgm_error *err, const char *format, ...)
{
	if (!err)
		return false;
	char hint[sizeof(err->hint)];
	va_list args;
	va_start(args, format);
	vsnprintf(hint, sizeof(hint), format, args);
	va_end(args);
	memcpy(err->hint, hint, sizeof(hint));
	return false;
}

bool pgm_error_context(struct pgm_error *err, const char *format, ...)
{
	if (!err)
		return false;
	char message[sizeof(err->message)];
	va_list args;
	va_start(args, format);
	int used = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (used < 0 || (size_t)used >= sizeof(message) - 3)
		return false; /* a context as long as the message: keep the message */
	snprintf(message + used, sizeof(message) - (size_t)used, ": %.*s",
		 (int)(sizeof(message) - (size_t)used - 3), err->message);
	memcpy(err->message, message, sizeof(message));
	return false;
}

void pgm_error_clear(struct pgm_error *err)
{
	if (err)
		*err = (struct pgm_error){.kind = PGM_ERR_NONE};
}
