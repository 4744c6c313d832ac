#include "copyin/frame.h"

#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

#define START_BYTES ((size_t)512 << 10)
#define BOM	    "\xef\xbb\xbf"

enum line_end { END_UNKNOWN, END_LF, END_CRLF, END_CR };

struct pgm_framer {
	const char *name;
	size_t max_bytes; /* of a row */
	const struct pgm_copyin_dialect *dialect;
	pgm_copy_source *source;
	void *arg;

	/* What is read and not given out: buffer[start, end). The row that is looked for begins at start. */
	char *buffer;
	size_t start, end, capacity;
	bool ended;	      /* the source has no more */
	int64_t offset, line; /* of start */
	enum line_end line_end;

	/* How far it is looked through, and in what state. */
	size_t at;
	bool in_quote, escaped;
	bool quoted;	  /* it has quotes or escaped newlines, so it may take several lines */
	size_t quote_at;  /* the last quote that opened */
	size_t newline;	  /* the next newline is not before this */
	bool newline_set; /* and it is there */

	bool again;
	size_t next_start; /* behind the row given out last */
	struct pgm_frame_record last;
};

struct pgm_framer *pgm_framer_new(const char *name, const struct pgm_copyin_dialect *dialect,
				  int64_t max_bytes, pgm_copy_source *source, void *arg, int64_t offset,
				  int64_t line)
{
	struct pgm_framer *framer = calloc(1, sizeof(*framer));
	if (!framer || !(framer->buffer = malloc(START_BYTES)))
		abort();
	framer->capacity = START_BYTES;
	framer->name = name;
	framer->max_bytes = (size_t)max_bytes;
	framer->dialect = dialect;
	framer->source = source;
	framer->arg = arg;
	framer->offset = offset;
	framer->line = line;
	return framer;
}

void pgm_framer_free(struct pgm_framer *framer)
{
	if (!framer)
		return;
	free(framer->buffer);
	free(framer);
}

static int64_t newlines_in(const struct pgm_framer *framer, size_t from, size_t to)
{
	char newline = framer->line_end == END_CR ? '\r' : '\n';
	int64_t count = 0;
	const char *p = framer->buffer + from, *end = framer->buffer + to;
	while (p < end && (p = memchr(p, newline, (size_t)(end - p))) != NULL) {
		count++;
		p++;
	}
	return count;
}

static bool too_long(struct pgm_framer *framer, struct pgm_error *err)
{
	pgm_error_set(err, PGM_ERR_INPUT, "%s line %lld: the row that begins here is longer than %zu MB",
		      framer->name, (long long)framer->line, framer->max_bytes >> 20);
	if (framer->in_quote)
		return pgm_error_hint(
			err, "The quote of line %lld may never be closed.",
			(long long)(framer->line + newlines_in(framer, framer->start, framer->quote_at)));
	return pgm_error_hint(err, "Is this the right file? --max-row sets the limit; PostgreSQL's is 1 GB.");
}

/* Room for a piece, behind what is not given out yet. */
static bool make_room(struct pgm_framer *framer, size_t length, struct pgm_error *err)
{
	size_t held = framer->end - framer->start;
	if (framer->end + length <= framer->capacity)
		return true;
	memmove(framer->buffer, framer->buffer + framer->start, held);
	framer->at -= framer->start;
	framer->quote_at -= framer->quote_at < framer->start ? framer->quote_at : framer->start;
	framer->newline_set &= framer->newline >= framer->start;
	framer->newline -= framer->newline < framer->start ? framer->newline : framer->start;
	framer->start = 0;
	framer->end = held;
	if (held + length <= framer->capacity)
		return true;
	/* What is held is shorter than a row may be. */
	size_t capacity = framer->capacity * 2;
	while (capacity < held + length)
		capacity *= 2;
	if (capacity > framer->max_bytes + length && framer->max_bytes > held)
		capacity = framer->max_bytes + length;
	char *grown = realloc(framer->buffer, capacity);
	if (!grown)
		return pgm_error_set(err, PGM_ERR_SYSTEM, "%s line %lld: no memory for a row of %zu bytes",
				     framer->name, (long long)framer->line, held);
	framer->buffer = grown;
	framer->capacity = capacity;
	return true;
}

static bool check_front(struct pgm_framer *framer, struct pgm_error *err)
{
	const char *data = framer->buffer;
	if (framer->end >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0)) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s is UTF-16", framer->name);
		return pgm_error_hint(err, "Convert it: iconv -f UTF-16 -t UTF-8.");
	}
	return true;
}

static bool refill(struct pgm_framer *framer, struct pgm_error *err)
{
	const char *data;
	size_t length;
	if (!framer->source(framer->arg, &data, &length, err))
		return false;
	framer->ended = length == 0;
	if (!make_room(framer, length, err))
		return false;
	if (length > 0)
		memcpy(framer->buffer + framer->end, data, length);
	framer->end += length;
	return true;
}

/* At the front of the file: a byte order mark. */
static bool begin(struct pgm_framer *framer, struct pgm_error *err)
{
	while (framer->end < 3 && !framer->ended)
		if (!refill(framer, err))
			return false;
	if (!check_front(framer, err))
		return false;
	if (framer->end >= 3 && memcmp(framer->buffer, BOM, 3) == 0) {
		framer->start = framer->at = 3;
		framer->offset = 3;
	}
	return true;
}

/* One byte of CSV, as CopyReadLineText sees it. */
static void step(struct pgm_framer *framer, char c)
{
	const struct pgm_copyin_dialect *dialect = framer->dialect;
	bool own_escape = dialect->escape != dialect->quote;
	if (own_escape && framer->in_quote && c == dialect->escape)
		framer->escaped = !framer->escaped;
	if (c == dialect->quote && !framer->escaped) {
		framer->in_quote = !framer->in_quote;
		framer->quoted = true;
		if (framer->in_quote)
			framer->quote_at = framer->at;
	}
	if (!own_escape || c != dialect->escape)
		framer->escaped = false;
}

/* Until the first line ending is seen, byte by byte. A \r at the end of what is there has to wait. */
static bool find_first_end(struct pgm_framer *framer)
{
	bool csv = framer->dialect->format == PGM_COPYIN_CSV;
	for (; framer->at < framer->end; framer->at++) {
		char c = framer->buffer[framer->at];
		if (csv)
			step(framer, c);
		else if (framer->dialect->format == PGM_COPYIN_TSV && framer->escaped) {
			framer->escaped = false;
			framer->quoted |= c == '\n' || c == '\r';
			continue;
		} else if (framer->dialect->format == PGM_COPYIN_TSV && c == '\\') {
			framer->escaped = true;
			continue;
		}
		if (framer->in_quote || (c != '\n' && c != '\r'))
			continue;
		if (c == '\n') {
			framer->line_end = END_LF;
			return true;
		}
		if (framer->at + 1 == framer->end && !framer->ended)
			return false;
		framer->line_end = framer->at + 1 < framer->end && framer->buffer[framer->at + 1] == '\n'
					   ? END_CRLF
					   : END_CR;
		framer->at += framer->line_end == END_CRLF;
		return true;
	}
	return false;
}

/* The next newline at or behind the place, looked for once; framer->end where there is none. */
static size_t next_newline(struct pgm_framer *framer)
{
	if (framer->newline_set && framer->newline >= framer->at)
		return framer->newline;
	size_t from = !framer->newline_set && framer->newline > framer->at ? framer->newline : framer->at;
	const char *found =
		memchr(framer->buffer + from, framer->line_end == END_CR ? '\r' : '\n', framer->end - from);
	framer->newline_set = found != NULL;
	framer->newline = found ? (size_t)(found - framer->buffer) : framer->end;
	return framer->newline;
}

static bool find_csv_end(struct pgm_framer *framer)
{
	const struct pgm_copyin_dialect *dialect = framer->dialect;
	while (framer->at < framer->end) {
		size_t limit = framer->in_quote ? framer->end : next_newline(framer);
		if (framer->in_quote && dialect->escape != dialect->quote) {
			step(framer, framer->buffer[framer->at]);
			framer->at++;
			continue;
		}
		const char *from = framer->buffer + framer->at;
		const char *quote = memchr(from, dialect->quote, limit - framer->at);
		framer->at = quote ? (size_t)(quote - framer->buffer) : limit;
		if (quote) {
			step(framer, *quote);
			framer->at++;
		} else if (!framer->in_quote && limit < framer->end) {
			return true;
		}
	}
	return false;
}

static bool find_tsv_end(struct pgm_framer *framer)
{
	while (framer->at < framer->end) {
		size_t newline = next_newline(framer);
		size_t back = newline;
		while (back > framer->start && framer->buffer[back - 1] == '\\')
			back--;
		framer->at = newline;
		if (newline == framer->end)
			return false;
		if ((newline - back) % 2 == 0)
			return true;
		framer->quoted = true;
		framer->at++;
	}
	return false;
}

static bool find_end(struct pgm_framer *framer)
{
	if (framer->line_end == END_UNKNOWN)
		return find_first_end(framer);
	if (framer->dialect->format == PGM_COPYIN_CSV)
		return find_csv_end(framer);
	if (framer->dialect->format == PGM_COPYIN_TSV)
		return find_tsv_end(framer);
	framer->at = next_newline(framer);
	return framer->at < framer->end;
}

static void give(struct pgm_framer *framer, bool terminated, struct pgm_frame_record *record)
{
	size_t length = framer->at - framer->start;
	const char *data = framer->buffer + framer->start;
	framer->next_start = framer->at + terminated;
	if (terminated && framer->line_end == END_CRLF && length > 0 && data[length - 1] == '\r')
		length--;
	*record = (struct pgm_frame_record){
		.data = data,
		.length = length,
		.line = framer->line,
		.lines = 1 + (framer->quoted ? newlines_in(framer, framer->start, framer->at) : 0),
		.offset = framer->offset,
		.end = framer->offset + (int64_t)(framer->next_start - framer->start),
	};
	size_t valid = pgm_utf8_sound((const unsigned char *)data, length);
	if (valid < length) {
		record->fault = data[valid] ? "not valid UTF-8" : "a NUL byte, which text can't hold";
		record->fault_offset = record->offset + (int64_t)valid;
	}
	framer->last = *record;
}

static void go_behind(struct pgm_framer *framer)
{
	framer->offset = framer->last.end;
	framer->line += framer->last.lines;
	framer->start = framer->at = framer->next_start;
	framer->in_quote = framer->escaped = framer->quoted = false;
	framer->last.data = NULL;
}

static bool never_closed(struct pgm_framer *framer, struct pgm_error *err)
{
	int64_t line = framer->line + newlines_in(framer, framer->start, framer->quote_at);
	pgm_error_set(err, PGM_ERR_INPUT, "%s line %lld: the quote that opens here is never closed",
		      framer->name, (long long)line);
	return pgm_error_hint(err, "Within quotes, a quote is written twice (or behind --escape).");
}

static bool is_blank(const struct pgm_frame_record *record)
{
	for (size_t i = 0; i < record->length; i++)
		if (!strchr(" \t\r", record->data[i]) || !record->data[i])
			return false;
	return true;
}

static bool next_record(struct pgm_framer *framer, struct pgm_frame_record *record, bool *got,
			struct pgm_error *err)
{
	if (framer->last.data)
		go_behind(framer);
	*got = false;
	while (!find_end(framer)) {
		if (framer->ended) {
			if (framer->start == framer->end)
				return true;
			if (framer->in_quote)
				return never_closed(framer, err);
			framer->at = framer->end;
			give(framer, false, record);
			*got = true;
			return true;
		}
		if (framer->end - framer->start >= framer->max_bytes)
			return too_long(framer, err);
		if (!refill(framer, err))
			return false;
	}
	if (framer->at - framer->start >= framer->max_bytes)
		return too_long(framer, err);
	give(framer, true, record);
	*got = true;
	return true;
}

bool pgm_framer_next(struct pgm_framer *framer, struct pgm_frame_record *record, bool *got,
		     struct pgm_error *err)
{
	if (framer->again) {
		framer->again = false;
		*record = framer->last;
		*got = true;
		return true;
	}
	if (framer->offset == 0 && framer->end == 0 && !begin(framer, err))
		return false;
	do
		if (!next_record(framer, record, got, err))
			return false;
	while (*got && framer->dialect->format == PGM_COPYIN_NDJSON && is_blank(record));
	return true;
}

void pgm_framer_again(struct pgm_framer *framer)
{
	framer->again = framer->last.data != NULL;
}

const char *pgm_framer_line_end(const struct pgm_framer *framer)
{
	return framer->line_end == END_CRLF ? "\r\n" : framer->line_end == END_CR ? "\r" : "\n";
}
