#include "pool/profile/queries.h"

#include "pool/scan/scan.h"

#include <string.h>

const char *const pgm_queries_columns[PGM_QUERIES_COLUMNS] = {
	"database", "user",	   "fingerprint",   "calls",	  "errors", "rows",
	"bytes",    "total_ms",	   "mean_ms",	    "p50_ms",	  "p95_ms", "p99_ms",
	"max_ms",   "wait_p95_ms", "wait_total_ms", "n_plus_one", "query",
};

static const char *count(struct pgm_arena *arena, uint64_t number)
{
	return pgm_sprintf(arena, "%llu", (unsigned long long)number);
}

static const char *ms(struct pgm_arena *arena, uint64_t us)
{
	return pgm_sprintf(arena, "%.3f", (double)us / 1000);
}

static const char *normal_form(struct pgm_arena *arena, const char *query)
{
	size_t length = strlen(query);
	char *text = pgm_arena_alloc(arena, length + 1);
	pgm_scan_normalize(query, length, true, text, length + 1);
	return text;
}

void pgm_queries_cells(struct pgm_arena *arena, const struct pgm_profile_row *row,
		       const char *cells[PGM_QUERIES_COLUMNS])
{
	const struct pgm_histogram *server = &row->server;
	size_t at = 0;
	cells[at++] = row->database ? row->database : "";
	cells[at++] = row->user ? row->user : "";
	cells[at++] = pgm_sprintf(arena, "%016llx", (unsigned long long)row->fingerprint);
	cells[at++] = count(arena, row->calls);
	cells[at++] = count(arena, row->errors);
	cells[at++] = count(arena, row->rows);
	cells[at++] = count(arena, row->bytes_out);
	cells[at++] = ms(arena, server->sum_us);
	cells[at++] = ms(arena, server->count ? server->sum_us / server->count : 0);
	cells[at++] = ms(arena, pgm_histogram_percentile_us(server, 50));
	cells[at++] = ms(arena, pgm_histogram_percentile_us(server, 95));
	cells[at++] = ms(arena, pgm_histogram_percentile_us(server, 99));
	cells[at++] = ms(arena, server->max_us);
	cells[at++] = ms(arena, pgm_histogram_percentile_us(&row->wait, 95));
	cells[at++] = ms(arena, row->wait.sum_us);
	cells[at++] = count(arena, row->bursts);
	cells[at++] = row->database ? normal_form(arena, row->query) : "(others)";
}
