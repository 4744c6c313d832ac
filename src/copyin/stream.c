/*
 * The fast way: the rows go to the server in COPY's own formats. A CSV or TSV file is sent as it is, cut
 * between two rows where a transaction ends; NDJSON, and files of which columns are left out, as COPY's text.
 */
#include "copyin/load.h"

#include "pg/copy.h"
#include "pg/quote.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

#define SEND_BYTES     ((size_t)256 << 10)
#define LINE_MAX_BYTES ((size_t)0x3fffffff) /* of COPY: a server's string is no longer */

struct stream {
	struct pgm_copyin_load *load;
	struct pgm_copyin_input *input;
	bool raw; /* rows go as they are */
	struct pgm_copyin_row row;
	unsigned char *shape; /* the columns of this COPY */
	struct pgm_place_lines lines;

	char *out; /* what is sent next */
	size_t out_length, out_capacity;

	int64_t transaction_bytes; /* of the file, since the transaction began */
	bool ended;		   /* there are no more rows */
	bool full;		   /* this COPY is to end */
	int64_t copied;		   /* rows of this COPY */
	struct pgm_arena *scratch;
};

static bool reserve(struct stream *stream, size_t more, struct pgm_error *err)
{
	size_t needed = stream->out_length + more;
	if (needed <= stream->out_capacity)
		return true;
	char *grown = realloc(stream->out, needed);
	if (!grown)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "no memory for a row of %zu bytes", more);
	stream->out = grown;
	stream->out_capacity = needed;
	return true;
}

static void put(struct stream *stream, const char *data, size_t length)
{
	memcpy(stream->out + stream->out_length, data, length);
	stream->out_length += length;
}

/*
 * How many lines COPY counts in a row: newlines within quotes as the file ends its lines, which it does not
 * know in its first row (it looks for \r then); those of TSV, behind a backslash, not at all.
 */
static int64_t lines_counted(const struct stream *stream, const struct pgm_frame_record *record)
{
	bool first = stream->lines.count == 0;
	char newline = first || *pgm_framer_line_end(stream->input->framer) == '\r' ? '\r' : '\n';
	const char *at = record->data, *end = at + record->length;
	int64_t count = 1;
	if ((record->lines == 1 && !first) || stream->input->dialect.format != PGM_COPYIN_CSV)
		return 1;
	for (; at < end && (at = memchr(at, newline, (size_t)(end - at))) != NULL; at++)
		count++;
	return count;
}

static bool put_raw(struct stream *stream, const struct pgm_frame_record *record, struct pgm_error *err)
{
	const char *end = pgm_framer_line_end(stream->input->framer);
	char quote = stream->input->dialect.quote;
	if (!reserve(stream, record->length + 4, err))
		return false;
	/* In CSV it is a value, but servers before 18 take it for the end of the data where it is not quoted.
	 */
	if (pgm_copyin_is_end_mark(record)) {
		put(stream, &quote, 1);
		put(stream, record->data, record->length);
		put(stream, &quote, 1);
	} else {
		put(stream, record->data, record->length);
	}
	put(stream, end, strlen(end));
	pgm_place_sent(&stream->lines, record->line, record->lines, lines_counted(stream, record));
	return true;
}

static bool put_values(struct stream *stream, const struct pgm_frame_record *record, struct pgm_error *err)
{
	const struct pgm_copyin_row *row = &stream->row;
	size_t before = stream->out_length;
	bool first = true;
	if (!reserve(stream, 2 * record->length + 3 * row->column_count + 1, err))
		return false;
	for (size_t c = 0; c < row->column_count; c++) {
		if (!row->present[c])
			continue;
		if (!first)
			put(stream, "\t", 1);
		first = false;
		const struct pgm_field *value = &row->values[c];
		if (!value->text) {
			put(stream, value->length == PGM_FIELD_DEFAULT ? "\\D" : "\\N", 2);
			continue;
		}
		char *at = stream->out + stream->out_length;
		stream->out_length += (size_t)(pgm_copy_text_escape(at, value->text, value->length) - at);
	}
	put(stream, "\n", 1);
	pgm_place_sent(&stream->lines, record->line, record->lines, 1);
	return stream->out_length - before <= LINE_MAX_BYTES ||
	       pgm_error_set(err, PGM_ERR_INPUT, "the row is longer than 1 GB");
}

/* A row that cannot be sent. */
static bool refuse(struct stream *stream, const struct pgm_frame_record *record, const char *fault,
		   const char *sqlstate, const char *column, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_INPUT, "%s", fault);
	memcpy(err->sqlstate, sqlstate, 6);
	return pgm_copyin_at(err, stream->input, record->line, column);
}

static bool read_row(struct stream *stream, const struct pgm_frame_record *record, struct pgm_error *err)
{
	const char *sqlstate, *column;
	pgm_arena_reset(stream->scratch);
	const char *fault = pgm_copyin_row_read(&stream->row, stream->load, stream->input, record,
						stream->scratch, &sqlstate, &column);
	return !fault || refuse(stream, record, fault, sqlstate, column, err);
}

static bool take(struct stream *stream, const struct pgm_frame_record *record, struct pgm_error *err)
{
	if (stream->raw && record->fault) {
		const char *sqlstate, *column;
		const char *fault = pgm_copyin_row_read(&stream->row, stream->load, stream->input, record,
							stream->scratch, &sqlstate, &column);
		return refuse(stream, record, fault, sqlstate, column, err);
	}
	if (!stream->raw) {
		if (!read_row(stream, record, err))
			return false;
		if (memcmp(stream->row.present, stream->shape, stream->row.column_count) != 0) {
			pgm_framer_again(stream->input->framer);
			stream->full = true;
			return true;
		}
	}
	if (!(stream->raw ? put_raw(stream, record, err) : put_values(stream, record, err)))
		return pgm_copyin_at(err, stream->input, record->line, NULL);
	stream->copied++;
	stream->load->rows_sent++;
	stream->transaction_bytes += record->end - record->offset;
	stream->load->result->bytes += record->end - record->offset;
	stream->input->current.position = record->end;
	stream->input->current.line = record->line + record->lines;
	/* A transaction of all is many COPYs too: an error is seen at the end of each. */
	stream->full = stream->transaction_bytes >= stream->load->options->commit_bytes;
	return true;
}

/* pgm_copy_source */
static bool give(void *arg, const char **data, size_t *length, struct pgm_error *err)
{
	struct stream *stream = arg;
	stream->out_length = 0;
	while (!stream->full && !stream->ended && stream->out_length < SEND_BYTES) {
		struct pgm_frame_record record;
		bool got;
		if (!pgm_copyin_next(stream->input, &record, &got, err))
			return false;
		if (!got)
			stream->ended = true;
		else if (!take(stream, &record, err))
			return false;
	}
	*data = stream->out;
	*length = stream->out_length;
	pgm_copyin_show(stream->load, stream->input);
	return true;
}

/* Look at the next row, which says which columns a COPY is to have. */
static bool look_ahead(struct stream *stream, struct pgm_error *err)
{
	struct pgm_frame_record record;
	bool got;
	if (!pgm_copyin_next(stream->input, &record, &got, err))
		return false;
	stream->ended = !got;
	if (!got)
		return true;
	if (!stream->raw) {
		if (!read_row(stream, &record, err))
			return false;
		memcpy(stream->shape, stream->row.present, stream->row.column_count);
	}
	pgm_framer_again(stream->input->framer);
	return true;
}

static char *columns_of(const struct stream *stream)
{
	const struct pgm_copyin_load *load = stream->load;
	struct pgm_buf list;
	if (stream->raw)
		return pgm_copyin_map_list(stream->scratch, &load->table, &stream->input->map);
	pgm_buf_init(&list, stream->scratch);
	for (size_t c = 0; c < load->table.column_count; c++)
		if (stream->shape[c])
			pgm_buf_printf(&list, "%s%s", list.length ? ", " : "",
				       pgm_quote_ident(stream->scratch, load->table.columns[c].name));
	return list.text;
}

static char *copy_sql(const struct stream *stream)
{
	struct pgm_arena *arena = stream->scratch;
	const struct pgm_copyin_dialect *dialect = &stream->input->dialect;
	char letters[3][2] = {{dialect->delimiter}, {dialect->quote}, {dialect->escape}};
	struct pgm_buf sql;
	pgm_buf_init(&sql, arena);
	pgm_buf_printf(&sql, "COPY " PGM_CONN_MARKER "%s (%s) FROM STDIN", stream->load->target,
		       columns_of(stream));
	if (!stream->raw) {
		pgm_buf_add(&sql, stream->load->has_default_mark ? " WITH (DEFAULT '\\D')" : "");
		return sql.text;
	}
	bool csv = dialect->format == PGM_COPYIN_CSV;
	pgm_buf_printf(&sql, " WITH (FORMAT %s, DELIMITER %s, NULL %s", csv ? "csv" : "text",
		       pgm_quote_literal(arena, letters[0]), pgm_quote_literal(arena, dialect->null_text));
	if (csv)
		pgm_buf_printf(&sql, ", QUOTE %s, ESCAPE %s", pgm_quote_literal(arena, letters[1]),
			       pgm_quote_literal(arena, letters[2]));
	pgm_buf_char(&sql, ')');
	return sql.text;
}

/* What the server says of a row, told in the file's lines. */
static void say_where(const struct stream *stream, const char *context, struct pgm_error *err)
{
	const struct pgm_copyin_load *load = stream->load;
	const char *relation = load->options->dry_run ? load->target : load->table.name;
	int64_t sent;
	int column;
	if (!*context)
		return;
	pgm_place_read(context, relation, &load->table, &sent, &column);
	int64_t line = pgm_place_line(&stream->lines, sent);
	if (line > 0)
		pgm_copyin_at(err, stream->input, line,
			      column >= 0 ? load->table.columns[column].name : NULL);
}

static bool copy_once(struct stream *stream, struct pgm_error *err)
{
	char context[2048] = "";
	int64_t rows;
	stream->full = false;
	stream->copied = 0;
	pgm_place_reset(&stream->lines);
	pgm_arena_reset(stream->scratch);
	char *sql = strdup(copy_sql(stream)); /* scratch is used for rows */
	if (!sql)
		abort();
	bool ok = pgm_conn_copy_in_context(stream->load->conn, sql, give, stream, &rows, context,
					   sizeof(context), err);
	free(sql);
	if (!ok) {
		say_where(stream, context, err);
		return false;
	}
	stream->input->current.rows += rows;
	return true;
}

static bool run(struct stream *stream, struct pgm_error *err)
{
	while (!stream->ended) {
		if (!look_ahead(stream, err))
			return false;
		if (stream->ended)
			break;
		if (!pgm_copyin_begin(stream->load, stream->input, err) || !copy_once(stream, err))
			return false;
		if (stream->transaction_bytes < stream->load->options->commit_bytes)
			continue; /* other columns, or the end */
		if (!stream->ended && !pgm_copyin_commit(stream->load, stream->input, false, err))
			return false;
		stream->transaction_bytes = 0;
	}
	return pgm_copyin_commit(stream->load, stream->input, true, err);
}

bool pgm_copyin_stream(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	struct stream stream = {
		.load = load,
		.input = input,
		.raw = input->dialect.format != PGM_COPYIN_NDJSON && !input->map.skips,
		.scratch = pgm_arena_new(0),
	};
	pgm_copyin_row_init(&stream.row, load);
	stream.shape = calloc(load->table.column_count + 1, 1);
	if (!stream.shape)
		abort();
	bool ok = run(&stream, err);
	pgm_copyin_row_done(&stream.row);
	pgm_place_free(&stream.lines);
	pgm_arena_free(stream.scratch);
	free(stream.shape);
	free(stream.out);
	return ok;
}
