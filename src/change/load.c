#include "change/copying.h"
#include "change/steps.h"

#include "pg/copy.h"
#include "pg/quote.h"
#include "util/buf.h"

struct load {
	const struct pgm_change *change;
	const char *quoted;
	struct pgm_archive_reader *reader;
	struct pgm_archive_digest *digest; /* of what is read out of the table again */
	struct pgm_copy_progress progress;
};

static bool give(void *arg, const char **data, size_t *length, struct pgm_error *err)
{
	struct load *load = arg;
	return pgm_archive_next(load->reader, data, length, err) &&
	       pgm_copy_went_on(&load->progress, *length, err);
}

static bool take(void *arg, const char *data, size_t length, struct pgm_error *err)
{
	struct load *load = arg;
	pgm_archive_digest_add(load->digest, data, length);
	return pgm_copy_went_on(&load->progress, length, err);
}

/* The table was made for this and is empty. TRUNCATE gives it a new file, so that its rows keep their order.
 */
static bool try_begin(struct pgm_run *run, void *arg, struct pgm_error *err)
{
	struct load *load = arg;
	char *filled = NULL;
	const char *begin = pgm_sprintf(run->arena, PGM_CONN_MARKER "BEGIN; SET LOCAL lock_timeout = %lld",
					(long long)run->options->lock_timeout_ms);
	bool ok =
		pgm_conn_exec(run->work, begin, err) &&
		pgm_run_watched(
			run, pgm_sprintf(run->arena, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", load->quoted),
			err) &&
		pgm_conn_exec(run->work, PGM_CONN_MARKER PGM_COPY_SETTINGS, err) &&
		pgm_conn_value(run->work, run->arena,
			       pgm_sprintf(run->arena, "SELECT EXISTS (SELECT FROM %s)", load->quoted), 0,
			       NULL, &filled, err);
	if (ok && filled && *filled == 't')
		ok = pgm_error_set(err, PGM_ERR_STATE, "%s holds rows already", load->quoted);
	ok = ok && pgm_run_watched(run, pgm_sprintf(run->arena, "TRUNCATE %s", load->quoted), err);
	if (!ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	return ok;
}

static bool fill(struct pgm_run *run, struct load *load, const struct pgm_archive_info *info, int64_t *rows,
		 struct pgm_error *err)
{
	struct pgm_archive_sum again;
	struct pgm_buf list;
	int64_t sent;
	pgm_buf_init(&list, run->arena);
	for (size_t i = 0; i < info->column_count; i++)
		pgm_buf_printf(&list, "%s%s", i ? ", " : "",
			       pgm_quote_ident(run->arena, info->columns[i].name));
	load->progress = (struct pgm_copy_progress){.run = run, .what = "loading"};
	if (!pgm_conn_copy_in(run->work,
			      pgm_sprintf(run->arena, "COPY %s (%s) FROM STDIN", load->quoted, list.text),
			      give, load, rows, err))
		return pgm_error_context(err, "loading %s", load->change->file);
	/* What counts is not what was sent but what the table says. */
	load->progress = (struct pgm_copy_progress){.run = run, .what = "verifying"};
	if (!pgm_conn_copy_out(run->work,
			       pgm_sprintf(run->arena, "COPY %s (%s) TO STDOUT", load->quoted, list.text),
			       take, load, &sent, err))
		return pgm_error_context(err, "verifying %s", load->quoted);
	pgm_archive_digest_end(load->digest, &again);
	if (pgm_archive_same(&again, &info->sum) && *rows == info->sum.rows)
		return true;
	pgm_error_set(err, PGM_ERR_STATE,
		      "%s says %lld rows, checksum %.12s; the table now says %lld rows, %.12s",
		      load->change->file, (long long)info->sum.rows, info->sum.sha256, (long long)again.rows,
		      again.sha256);
	return pgm_error_hint(err,
			      "Nothing was loaded. Is the file damaged, or is a column of another type now?");
}

bool pgm_load_table(struct pgm_run *run, const struct pgm_change *change, const char **note,
		    struct pgm_error *err)
{
	struct pgm_archive_info info;
	struct load load = {.change = change,
			    .quoted = pgm_quote_qualified(run->arena, change->schema, change->relation)};
	int64_t rows = 0;
	bool there;
	*note = NULL;
	if (!pgm_archive_info_read(run->arena, change->file, &there, &info, err))
		return false;
	if (!there)
		return pgm_error_set(err, PGM_ERR_INPUT, "there is no file %s", change->file);
	load.reader = pgm_archive_open(change->file, err);
	if (!load.reader)
		return false;
	load.digest = pgm_archive_digest_new();
	bool begun = pgm_run_tries(run, try_begin, &load, NULL, err);
	bool ok = begun && fill(run, &load, &info, &rows, err);
	if (ok)
		*note = pgm_sprintf(run->arena, "%lld rows, checksum verified", (long long)rows);
	struct pgm_ledger_update update = {.state = "done", .note = *note, .size_bytes = -1};
	ok = ok && pgm_ledger_set_step(run->work, run->arena, run->seq, run->step, &update, err) &&
	     pgm_conn_exec(run->work, PGM_CONN_MARKER "COMMIT", err);
	if (begun && !ok)
		pgm_conn_exec_quietly(run->work, "ROLLBACK");
	pgm_archive_digest_free(load.digest);
	pgm_archive_close(load.reader);
	return ok;
}
