/*
 * The profile's file: docs/profile.md.
 */
#include "pool/profile/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORMAT_VERSION 1

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

/* Texts come from clients: what is no UTF-8 is written as ? for each byte. */
static json_t *text(const char *value)
{
	if (!value)
		return json_null();
	json_t *string = json_string(value);
	if (string)
		return string;
	char *copy = strdup(value);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		if (*c & 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static json_t *moment(int64_t unix_us)
{
	char buffer[64];
	time_t seconds = (time_t)(unix_us / 1000000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	size_t length = strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buffer + length, sizeof(buffer) - length, ".%03dZ", (int)(unix_us / 1000 % 1000));
	return json_string(buffer);
}

static json_t *histogram(const struct pgm_histogram *from)
{
	json_t *buckets = json_array();
	for (int i = 0; i < PGM_HISTOGRAM_BUCKETS; i++)
		if (from->counts[i])
			json_array_append_new(buckets, json_pack("[iI]", i, (json_int_t)from->counts[i]));
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "count", (json_int_t)from->count, "total_ms",
			 ms(from->sum_us), "p50_ms", ms(pgm_histogram_percentile_us(from, 50)), "p95_ms",
			 ms(pgm_histogram_percentile_us(from, 95)), "p99_ms",
			 ms(pgm_histogram_percentile_us(from, 99)), "max_ms", ms(from->max_us), "buckets",
			 buckets);
}

static json_t *sqlstates(const struct pgm_profile_row *row)
{
	json_t *object = json_object();
	for (size_t i = 0; i < PGM_PROFILE_SQLSTATES && *row->sqlstates[i].code; i++)
		json_object_set_new(object, row->sqlstates[i].code,
				    json_integer((json_int_t)row->sqlstates[i].count));
	return object;
}

void pgm_profile_values_json(json_t *object, const struct pgm_profile_row *row)
{
	json_t *samples = json_array(), *slowest = json_array(), *values = json_array();
	for (size_t i = 0; i < row->sample_count; i++)
		json_array_append_new(samples, text(row->samples[i]));
	for (size_t i = 0; i < PGM_PROFILE_SLOWEST && row->slowest[i].us; i++)
		json_array_append_new(slowest, json_pack("{s:f, s:o, s:o}", "ms", ms(row->slowest[i].us),
							 "at", moment(row->slowest[i].unix_us), "query",
							 text(row->slowest[i].sql)));
	for (size_t i = 0; i < PGM_PROFILE_VALUES; i++) {
		const struct pgm_profile_values *from = &row->values[i];
		if (from->looked == 0)
			continue;
		json_t *top = json_array();
		for (size_t j = 0; j < PGM_PROFILE_TOP && from->top[j].count; j++)
			json_array_append_new(top, json_pack("{s:o, s:I, s:I}", "value",
							     text(from->top[j].literal), "count",
							     (json_int_t)from->top[j].count, "error",
							     (json_int_t)from->top[j].error));
		json_array_append_new(values, json_pack("{s:i, s:I, s:o}", "number", (int)i + 1, "looked",
							(json_int_t)from->looked, "top", top));
	}
	json_object_set_new(object, "samples", samples);
	json_object_set_new(object, "slowest", slowest);
	json_object_set_new(object, "values", values);
}

static json_t *statement(const struct pgm_profile_row *row, bool log_values)
{
	char fingerprint[24];
	snprintf(fingerprint, sizeof(fingerprint), "%016llx", (unsigned long long)row->fingerprint);
	json_t *object = json_pack(
		"{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:{s:I, s:I}}", "fingerprint",
		fingerprint, "database", text(row->database), "user", text(row->user), "query",
		text(row->query), "calls", (json_int_t)row->calls, "errors", (json_int_t)row->errors, "rows",
		(json_int_t)row->rows, "bytes_out", (json_int_t)row->bytes_out, "server",
		histogram(&row->server), "wait", histogram(&row->wait), "sqlstates", sqlstates(row),
		"n_plus_one", "bursts", (json_int_t)row->bursts, "longest", (json_int_t)row->burst_max);
	if (object && log_values)
		pgm_profile_values_json(object, row);
	return object;
}

static json_t *profile_json(const struct pgm_profile_snapshot *snapshot, bool log_values)
{
	json_t *statements = json_array(), *transactions = json_array(), *others = json_null();
	for (size_t i = 0; i < snapshot->row_count; i++) {
		json_t *row = statement(snapshot->rows[i], log_values && snapshot->rows[i]->database);
		if (snapshot->rows[i]->database)
			json_array_append_new(statements, row);
		else
			others = row;
	}
	for (size_t i = 0; i < snapshot->transaction_count; i++) {
		const struct pgm_profile_transactions *item = &snapshot->transactions[i];
		json_array_append_new(transactions,
				      json_pack("{s:o, s:o, s:o, s:o}", "database", text(item->database),
						"user", text(item->user), "total", histogram(&item->total),
						"idle", histogram(&item->idle)));
	}
	return json_pack("{s:i, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "pgmend_profile", FORMAT_VERSION,
			 "pgmend", PGM_VERSION, "since", moment(snapshot->since_unix_us), "taken",
			 moment(snapshot->taken_unix_us), "values", log_values, "statements", statements,
			 "others", others, "transactions", transactions);
}

static bool write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(fd, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		length -= (size_t)written;
	}
	return fsync(fd) == 0;
}

static int write_some(const char *buffer, size_t size, void *data)
{
	return fwrite(buffer, 1, size, data) == size ? 0 : -1;
}

bool pgm_profile_save(const struct pgm_profile_snapshot *snapshot, const char *path, bool log_values,
		      struct pgm_error *err)
{
	char beside[4096], *bytes = NULL;
	size_t length = 0;
	json_t *json = profile_json(snapshot, log_values);
	FILE *memory = open_memstream(&bytes, &length);
	bool ok = json && memory && json_dump_callback(json, write_some, memory, JSON_INDENT(1)) == 0;
	if (memory)
		ok = fclose(memory) == 0 && ok;
	json_decref(json);
	if (!ok) {
		free(bytes);
		return pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write the profile: out of memory");
	}
	int named = snprintf(beside, sizeof(beside), "%s.%ld.tmp", path, (long)getpid());
	int fd = named < 0 || (size_t)named >= sizeof(beside)
			 ? (errno = ENAMETOOLONG, -1)
			 : open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, bytes, length);
	free(bytes);
	int problem = errno;
	if (fd >= 0 && close(fd) != 0 && ok) {
		ok = false;
		problem = errno;
	}
	if (ok && rename(beside, path) != 0) {
		ok = false;
		problem = errno;
	}
	if (!ok && fd >= 0)
		unlink(beside);
	return ok || pgm_error_set(err, PGM_ERR_SYSTEM, "cannot write %s: %s", path, strerror(problem));
}
