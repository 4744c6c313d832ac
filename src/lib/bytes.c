#include "lib/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are swapped to network order: written for little-endian machines"
#endif

void pgm_bytes_done(struct pgm_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct pgm_bytes){0};
}

bool pgm_bytes_grow(struct pgm_bytes *bytes, size_t more)
{
	if (bytes->failed)
		return false;
	size_t needed = bytes->length + more;
	size_t capacity = bytes->capacity + bytes->capacity / 2;
	if (capacity < needed)
		capacity = needed;
	if (capacity < 256)
		capacity = 256;
	unsigned char *data = needed < more ? NULL : realloc(bytes->data, capacity);
	if (!data) {
		bytes->failed = true;
		return false;
	}
	bytes->data = data;
	bytes->capacity = capacity;
	return true;
}

void pgm_bytes_text(struct pgm_bytes *bytes, const char *text)
{
	pgm_bytes_add(bytes, text, strlen(text));
}

void pgm_bytes_printf(struct pgm_bytes *bytes, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	if (length >= 0 &&
	    (bytes->capacity - bytes->length > (size_t)length || pgm_bytes_grow(bytes, (size_t)length + 1))) {
		vsnprintf((char *)bytes->data + bytes->length, (size_t)length + 1, format, again);
		bytes->length += (size_t)length;
	}
	va_end(again);
	va_end(args);
}

void pgm_bytes_ident(struct pgm_bytes *bytes, const char *name)
{
	pgm_bytes_byte(bytes, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '"')
			pgm_bytes_byte(bytes, '"');
		pgm_bytes_byte(bytes, (unsigned char)*p);
	}
	pgm_bytes_byte(bytes, '"');
}

const char *pgm_bytes_string(struct pgm_bytes *bytes)
{
	pgm_bytes_byte(bytes, '\0');
	if (bytes->failed)
		return NULL;
	bytes->length--;
	return (const char *)bytes->data;
}
