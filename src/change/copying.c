#include "change/copying.h"

#include "pg/copy.h"
#include "pg/quote.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/format.h"

#include <string.h>

#define TELL_MS 500

bool pgm_copy_columns(struct pgm_run *run, const char *oid, struct pgm_archive_column **columns,
		      size_t *count, const char **list, struct pgm_error *err)
{
	struct pgm_rows rows;
	struct pgm_buf text;
	pgm_buf_init(&text, run->arena);
	if (!pgm_conn_query(
		    run->work, run->arena,
		    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull FROM "
		    "pg_catalog.pg_attribute AS a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT "
		    "a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
		    1, &oid, &rows, err))
		return pgm_error_context(err, "reading the columns");
	*columns = PGM_NEW_ARRAY(run->arena, struct pgm_archive_column, rows.count + 1);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++) {
		(*columns)[i] = (struct pgm_archive_column){.name = pgm_rows_text(&rows, i, 0),
							    .type = pgm_rows_text(&rows, i, 1),
							    .not_null = pgm_rows_bool(&rows, i, 2)};
		pgm_buf_printf(&text, "%s%s", i ? ", " : "", pgm_quote_ident(run->arena, (*columns)[i].name));
	}
	*list = text.text;
	return rows.count > 0 || pgm_error_set(err, PGM_ERR_STATE, "the table has no columns to copy");
}

bool pgm_copy_went_on(struct pgm_copy_progress *progress, size_t bytes, struct pgm_error *err)
{
	struct pgm_run *run = progress->run;
	double now = pgm_clock_ms();
	progress->bytes += (int64_t)bytes;
	if (now - progress->last_ms < TELL_MS)
		return true;
	progress->last_ms = now;
	PGM_AUTO_ARENA scratch = pgm_arena_new(0);
	pgm_run_tell(run, PGM_EVENT_PROGRESS,
		     pgm_sprintf(scratch, "%s: %s", progress->what,
				 pgm_format_bytes(scratch, (double)progress->bytes)));
	if (run->deadline_ms > 0 && now > run->deadline_ms)
		return pgm_error_set(err, PGM_ERR_TIMEOUT, "the time of this run is up (--timeout)");
	return true;
}

struct sink {
	struct pgm_archive_writer *writer;
	struct pgm_copy_progress progress;
};

static bool take(void *arg, const char *data, size_t length, struct pgm_error *err)
{
	struct sink *sink = arg;
	return pgm_archive_add(sink->writer, data, length, err) &&
	       pgm_copy_went_on(&sink->progress, length, err);
}

/* A file of that name is overwritten only where an earlier try of this very step made it. */
static bool refuse_other_file(struct pgm_run *run, const char *path, const struct pgm_archive_info *info,
			      struct pgm_error *err)
{
	struct pgm_archive_info found;
	bool there;
	if (!pgm_archive_info_read(run->arena, path, &there, &found, err))
		return false;
	if (!there || (found.oid && found.plan && strcmp(found.oid, info->oid) == 0 &&
		       strcmp(found.plan, info->plan) == 0))
		return true;
	pgm_error_set(err, PGM_ERR_STATE, "%s is there already and holds something else", path);
	return pgm_error_hint(err, "Move it away, or give another --archive-dir.");
}

bool pgm_copy_archive(struct pgm_run *run, const char *oid, const char *quoted, bool partitioned,
		      const char *path, struct pgm_archive_info *info, struct pgm_error *err)
{
	const char *list;
	int64_t rows;
	struct sink sink = {.progress = {.run = run, .what = "archiving"}};
	if (!refuse_other_file(run, path, info, err) ||
	    !pgm_copy_columns(run, oid, &info->columns, &info->column_count, &list, err))
		return false;
	const char *sql =
		partitioned ? pgm_sprintf(run->arena, "COPY (SELECT %s FROM %s) TO STDOUT", list, quoted)
			    : pgm_sprintf(run->arena, "COPY %s (%s) TO STDOUT", quoted, list);
	sink.writer = pgm_archive_create(path, err);
	if (!sink.writer)
		return false;
	bool ok = pgm_conn_copy_out(run->work, sql, take, &sink, &rows, err) &&
		  pgm_archive_finish(sink.writer, &info->sum, &info->compressed_bytes, err);
	if (ok && rows != info->sum.rows)
		ok = pgm_error_set(err, PGM_ERR_STATE, "the server sent %lld rows, and the file holds %lld",
				   (long long)rows, (long long)info->sum.rows);
	ok = ok && pgm_archive_publish(sink.writer, info, err);
	pgm_archive_free(sink.writer);
	return ok || pgm_error_context(err, "archiving %s", quoted);
}
