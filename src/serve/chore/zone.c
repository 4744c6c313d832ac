/*
 * The system's time zone files (RFC 8536), read by ourselves: tzset() is the whole process's, and the
 * environment must not change while other threads run.
 */
#include "serve/chore/timetable.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER	   "/usr/share/zoneinfo"
#define FILE_MAX   ((size_t)256 << 10)
#define HEADER	   44
#define TYPE_BYTES 6

struct header {
	uint32_t isut, isstd, leap, times, types, chars;
};

static uint32_t word(const unsigned char *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static int64_t long_word(const unsigned char *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof(value));
	return (int64_t)be64toh(value);
}

static bool read_header(const unsigned char *bytes, size_t length, struct header *header)
{
	if (length < HEADER || memcmp(bytes, "TZif", 4) != 0 || bytes[4] < '2')
		return false;
	*header = (struct header){word(bytes + 20), word(bytes + 24), word(bytes + 28),
				  word(bytes + 32), word(bytes + 36), word(bytes + 40)};
	return header->times <= 100000 && header->types <= 256 && header->chars <= 4096 &&
	       header->leap <= 1000 && header->isut <= 256 && header->isstd <= 256;
}

static size_t data_size(const struct header *header, size_t time_bytes)
{
	return header->times * (time_bytes + 1) + header->types * TYPE_BYTES + header->chars +
	       header->leap * (time_bytes + 4) + header->isstd + header->isut;
}

static bool parse(const unsigned char *bytes, size_t length, struct pgm_zone *zone)
{
	struct header first, header;
	if (!read_header(bytes, length, &first))
		return false;
	size_t skip = HEADER + data_size(&first, 4);
	if (skip >= length || !read_header(bytes + skip, length - skip, &header) || header.types == 0)
		return false;
	bytes += skip + HEADER;
	length -= skip + HEADER;
	if (data_size(&header, 8) > length)
		return false;
	const unsigned char *times = bytes, *kinds = times + (size_t)header.times * 8;
	const unsigned char *types = kinds + header.times;
	zone->first_s = (int32_t)word(types);
	size_t from = header.times > PGM_TIMETABLE_CHANGES_MAX ? header.times - PGM_TIMETABLE_CHANGES_MAX : 0;
	for (size_t i = from; i < header.times; i++) {
		if (kinds[i] >= header.types)
			return false;
		zone->from_s[zone->count] = long_word(times + i * 8);
		zone->offset_s[zone->count++] = (int32_t)word(types + (size_t)kinds[i] * TYPE_BYTES);
	}
	/* What holds after the last change is a rule behind the data; only one without summer time is known.
	 */
	const unsigned char *rule = bytes + data_size(&header, 8);
	size_t left = length - data_size(&header, 8);
	bool summer = left > 0 && memchr(rule, ',', left) != NULL;
	return !summer || (zone->count && zone->from_s[zone->count - 1] > (int64_t)2000000000);
}

static bool is_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	return *name && *name != '/' && strlen(name) < PGM_TIMETABLE_ZONE_MAX &&
	       strspn(name, letters) == strlen(name) && !strstr(name, "//");
}

bool pgm_zone_read(const char *name, struct pgm_zone *zone, struct pgm_error *err)
{
	char path[sizeof(FOLDER) + PGM_TIMETABLE_ZONE_MAX + 1];
	*zone = (struct pgm_zone){.count = 0};
	if (strcmp(name, "UTC") == 0)
		return true;
	if (!is_name(name)) {
		pgm_error_set(err, PGM_ERR_INPUT, "\"%.100s\" is no time zone", name);
		return pgm_error_hint(err, "Use UTC, or a name like Europe/Berlin.");
	}
	snprintf(path, sizeof(path), FOLDER "/%s", name);
	FILE *file = fopen(path, "re");
	unsigned char *bytes = file ? malloc(FILE_MAX) : NULL;
	size_t length = bytes ? fread(bytes, 1, FILE_MAX, file) : 0;
	bool known = length > 0 && length < FILE_MAX && parse(bytes, length, zone);
	if (file)
		fclose(file);
	free(bytes);
	if (known)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT,
		      length ? "time zone %s: its file is of a kind that pgmend cannot read"
			     : "there is no time zone %s",
		      name);
	return pgm_error_hint(err, "Use UTC, or a name like Europe/Berlin (package tzdata).");
}

int32_t pgm_zone_offset(const struct pgm_zone *zone, int64_t at_s)
{
	size_t low = 0, high = zone->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (zone->from_s[middle] <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? zone->offset_s[low - 1] : zone->first_s;
}
