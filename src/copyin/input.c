#include "copyin/load.h"

#include "util/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* By the name's ending (".gz" left out): PGM_COPYIN_CSV where it says nothing. */
static enum pgm_copyin_format format_of(const char *name)
{
	static const struct {
		const char *ending;
		enum pgm_copyin_format format;
	} endings[] = {
		{".tsv", PGM_COPYIN_TSV},	{".tab", PGM_COPYIN_TSV},      {".copy", PGM_COPYIN_TSV},
		{".ndjson", PGM_COPYIN_NDJSON}, {".jsonl", PGM_COPYIN_NDJSON}, {".json", PGM_COPYIN_NDJSON},
	};
	size_t length = strlen(name);
	if (length > 3 && strcasecmp(name + length - 3, ".gz") == 0)
		length -= 3;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t ending = strlen(endings[i].ending);
		if (length > ending && strncasecmp(name + length - ending, endings[i].ending, ending) == 0)
			return endings[i].format;
	}
	return PGM_COPYIN_CSV;
}

static bool choose_dialect(const struct pgm_copyin_options *options, struct pgm_copyin_input *input,
			   struct pgm_error *err)
{
	struct pgm_copyin_dialect *dialect = &input->dialect;
	const char *format = options->format;
	dialect->format = !format			  ? format_of(input->path)
			  : strcmp(format, "tsv") == 0	  ? PGM_COPYIN_TSV
			  : strcmp(format, "ndjson") == 0 ? PGM_COPYIN_NDJSON
							  : PGM_COPYIN_CSV;
	bool csv = dialect->format == PGM_COPYIN_CSV;
	dialect->delimiter = options->delimiter ? options->delimiter : csv ? ',' : '\t';
	dialect->quote = options->quote ? options->quote : '"';
	dialect->escape = options->escape ? options->escape : dialect->quote;
	dialect->null_text = options->null_text ? options->null_text : csv ? "" : "\\N";
	if (dialect->format == PGM_COPYIN_NDJSON &&
	    (options->delimiter || options->quote || options->escape || options->null_text))
		return pgm_error_set(err, PGM_ERR_USAGE,
				     "%s is NDJSON: --delimiter, --quote, --escape and --null are not for it",
				     input->name);
	if (dialect->format == PGM_COPYIN_TSV && (options->quote || options->escape))
		return pgm_error_set(err, PGM_ERR_USAGE,
				     "%s is TSV, which has no quotes: --quote and --escape are for CSV",
				     input->name);
	if (csv && dialect->delimiter == dialect->quote)
		return pgm_error_set(err, PGM_ERR_USAGE, "--delimiter and --quote are the same");
	return true;
}

static const struct pgm_field *listed(struct pgm_copyin_load *load)
{
	const struct pgm_copyin_options *options = load->options;
	struct pgm_field *names = PGM_NEW_ARRAY(load->arena, struct pgm_field, options->column_count + 1);
	for (size_t i = 0; i < options->column_count; i++)
		names[i] = (struct pgm_field){options->columns[i], strlen(options->columns[i])};
	return names;
}

/* Without a header: --columns, or all. */
static bool map_listed(struct pgm_copyin_load *load, struct pgm_copyin_map *map, struct pgm_error *err)
{
	if (load->options->column_count)
		return pgm_copyin_map_names(load->arena, &load->table, "--columns", listed(load),
					    load->options->column_count, false, map, err);
	pgm_copyin_map_all(load->arena, &load->table, map);
	return true;
}

static bool must_match(struct pgm_copyin_load *load, const char *where, const struct pgm_fields *names,
		       const struct pgm_copyin_map *map, struct pgm_error *err)
{
	bool same = names->count == map->count;
	for (size_t i = 0; same && i < map->count; i++) {
		const char *wanted = load->table.columns[map->columns[i]].name;
		const struct pgm_field *name = &names->items[i];
		same = name->text && name->length == strlen(wanted) &&
		       memcmp(name->text, wanted, name->length) == 0;
	}
	if (same)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT, "%s: the header does not match", where);
	return pgm_error_hint(err, "It is to be: %s.", pgm_copyin_map_list(load->arena, &load->table, map));
}

static bool match_header(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
			 const struct pgm_frame_record *record, struct pgm_error *err)
{
	struct pgm_arena *arena = load->arena;
	const struct pgm_copyin_options *options = load->options;
	const char *where = pgm_sprintf(arena, "%s line %lld", input->name, (long long)record->line);
	if (record->fault)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s: byte %lld of the file is %s", where,
				     (long long)record->fault_offset + 1, record->fault);
	struct pgm_fields names = {0};
	const char *fault = input->dialect.format == PGM_COPYIN_CSV
				    ? pgm_csv_split(&input->dialect, record->data, record->length, &names)
				    : pgm_tsv_split(&input->dialect, record->data, record->length, &names);
	bool ok = !fault || pgm_error_set(err, PGM_ERR_INPUT, "%s: %s", where, fault);
	if (ok && options->header == PGM_COPYIN_HEADER_YES && !options->column_count)
		ok = pgm_copyin_map_names(arena, &load->table, where, names.items, names.count,
					  options->ignore_unknown, &input->map, err);
	else
		ok = ok && map_listed(load, &input->map, err);
	if (ok && options->header == PGM_COPYIN_HEADER_MATCH)
		ok = must_match(load, where, &names, &input->map, err);
	else if (ok && names.count != input->map.count)
		ok = pgm_error_set(err, PGM_ERR_INPUT, "%s: the header has %zu names, --columns %zu", where,
				   names.count, input->map.count);
	pgm_fields_free(&names);
	input->header = pgm_strndup(arena, record->data, record->length);
	input->header_length = record->length;
	return ok;
}

/* The first object shows which keys there are. */
static bool match_keys(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
		       const struct pgm_frame_record *record, struct pgm_error *err)
{
	struct pgm_json_object object = {0};
	size_t at;
	if (load->options->reject || record->fault)
		return true; /* it is a row like others */
	if (!pgm_ndjson_read(record->data, record->length, &object, &at)) {
		struct pgm_copyin_map ignored;
		struct pgm_field *keys = PGM_NEW_ARRAY(load->arena, struct pgm_field, object.count + 1);
		for (size_t i = 0; i < object.count; i++)
			keys[i] = (struct pgm_field){object.members[i].key, object.members[i].key_length};
		const char *where =
			pgm_sprintf(load->arena, "%s line %lld", input->name, (long long)record->line);
		if (!pgm_copyin_map_names(load->arena, &load->table, where, keys, object.count,
					  load->options->ignore_unknown, &ignored, err)) {
			pgm_ndjson_free(&object);
			if (!*err->hint)
				pgm_error_hint(err, "--ignore-unknown leaves keys out that are no columns.");
			return false;
		}
	}
	pgm_ndjson_free(&object);
	return true;
}

/* At the file's front. */
static bool look_at_first_line(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
			       struct pgm_error *err)
{
	struct pgm_frame_record record;
	bool got;
	bool json = input->dialect.format == PGM_COPYIN_NDJSON;
	bool header = !json && load->options->header != PGM_COPYIN_HEADER_NO;
	if ((!header && !json) || (json && load->options->column_count)) {
		if (!map_listed(load, &input->map, err))
			return false;
	}
	if (!pgm_framer_next(input->framer, &record, &got, err))
		return false;
	if (got && header) {
		if (!match_header(load, input, &record, err))
			return false;
		input->saved.position = record.end;
		input->saved.line = record.line + record.lines;
	} else if (got) {
		if (json && !match_keys(load, input, &record, err))
			return false;
		pgm_framer_again(input->framer);
	} else if (header) {
		return map_listed(load, &input->map, err); /* an empty file */
	}
	return true;
}

static const char *describe(struct pgm_copyin_load *load, const struct pgm_copyin_input *input)
{
	static const char *const formats[] = {"csv", "tsv", "ndjson"};
	const struct pgm_copyin_dialect *dialect = &input->dialect;
	struct pgm_buf how;
	pgm_buf_init(&how, load->arena);
	pgm_buf_add(&how, formats[dialect->format]);
	if (dialect->format != PGM_COPYIN_NDJSON)
		pgm_buf_printf(&how, " delimiter %c null \"%s\" header %d", dialect->delimiter,
			       dialect->null_text, (int)load->options->header);
	if (dialect->format == PGM_COPYIN_CSV)
		pgm_buf_printf(&how, " quote %c escape %c", dialect->quote, dialect->escape);
	pgm_buf_add(&how, " columns");
	for (size_t i = 0; i < input->map.count; i++) {
		int column = input->map.columns[i];
		pgm_buf_printf(&how, " %s", column < 0 ? "-" : load->table.columns[column].name);
	}
	for (size_t i = 0; i < load->options->conflict_key_count; i++)
		pgm_buf_printf(&how, "%s %s",
			       i			   ? ""
			       : load->options->do_nothing ? " keep"
							   : " update",
			       load->options->conflict_key[i]);
	return how.text;
}

void pgm_copyin_input_close(struct pgm_copyin_input *input)
{
	pgm_framer_free(input->framer);
	pgm_source_close(input->source);
	input->framer = NULL;
	input->source = NULL;
}

static bool prepare_one(struct pgm_copyin_load *load, struct pgm_copyin_input *input, struct pgm_error *err)
{
	input->name = strcmp(input->path, "-") == 0 ? "standard input" : input->path;
	if (!choose_dialect(load->options, input, err) ||
	    !(input->source = pgm_source_open(input->path, err)))
		return false;
	input->identity = *pgm_source_identity(input->source);
	input->size_bytes = input->identity.size;
	input->saved = (struct pgm_copyin_record){.line = 1, .file = input->path};
	input->framer = pgm_framer_new(input->name, &input->dialect, load->options->max_row_bytes,
				       pgm_source_next, input->source, 0, 1);
	if (!look_at_first_line(load, input, err))
		return false;
	input->how = input->saved.how = describe(load, input);
	if (pgm_source_is_regular(input->source))
		pgm_copyin_input_close(input);
	return true;
}

static bool same_header(const struct pgm_copyin_input *a, const struct pgm_copyin_input *b)
{
	return a->header_length == b->header_length && !a->header == !b->header &&
	       (!a->header || memcmp(a->header, b->header, a->header_length) == 0);
}

bool pgm_copyin_prepare(struct pgm_copyin_load *load, struct pgm_error *err)
{
	const struct pgm_copyin_options *options = load->options;
	load->inputs = PGM_NEW_ARRAY(load->arena, struct pgm_copyin_input, options->file_count);
	load->input_count = options->file_count;
	for (size_t i = 0; i < load->input_count; i++) {
		struct pgm_copyin_input *input = &load->inputs[i];
		input->path = options->files[i];
		for (size_t k = 0; k < i; k++)
			if (strcmp(load->inputs[k].path, input->path) == 0)
				return pgm_error_set(err, PGM_ERR_USAGE, "%s is given twice", input->path);
		if (!prepare_one(load, input, err))
			return false;
		if (options->reject && !same_header(input, &load->inputs[0])) {
			pgm_error_set(err, PGM_ERR_INPUT, "%s has another header than %s", input->name,
				      load->inputs[0].name);
			return pgm_error_hint(err, "Rejected rows go to one file: load them one by one.");
		}
		if (input->size_bytes < 0)
			load->bytes_total = -1;
		else if (load->bytes_total >= 0)
			load->bytes_total += input->size_bytes;
	}
	return true;
}

bool pgm_copyin_is_end_mark(const struct pgm_frame_record *record)
{
	return record->length == 2 && memcmp(record->data, "\\.", 2) == 0;
}

bool pgm_copyin_next(struct pgm_copyin_input *input, struct pgm_frame_record *record, bool *got,
		     struct pgm_error *err)
{
	if (!pgm_framer_next(input->framer, record, got, err))
		return false;
	if (!*got || input->dialect.format != PGM_COPYIN_TSV || !pgm_copyin_is_end_mark(record))
		return true;
	int64_t line = record->line;
	input->current.position = record->end;
	input->current.line = line + 1;
	do
		if (!pgm_framer_next(input->framer, record, got, err))
			return false;
	while (*got && record->length == 0);
	if (!*got)
		return true;
	pgm_error_set(err, PGM_ERR_INPUT, "\"\\.\" ends the data, but rows follow");
	return pgm_copyin_at(err, input, line, NULL);
}

/* A stream can't be positioned: read it up to there. */
static bool pass_rows(struct pgm_copyin_input *input, int64_t position, struct pgm_error *err)
{
	struct pgm_frame_record record = {.end = input->saved.position};
	bool got = true;
	int64_t at = 0;
	while (got && at < position) {
		if (!pgm_framer_next(input->framer, &record, &got, err))
			return false;
		if (got && record.offset >= position) {
			pgm_framer_again(input->framer);
			return true;
		}
		at = record.end;
	}
	return got || at == position ||
	       pgm_error_set(err, PGM_ERR_INPUT, "%s ends before the row to go on with", input->name);
}

bool pgm_copyin_input_open(struct pgm_copyin_load *load, struct pgm_copyin_input *input,
			   struct pgm_error *err)
{
	int64_t position = input->current.position;
	(void)load;
	if (input->source)
		return input->current.id == 0 || pass_rows(input, position, err);
	if (!(input->source = pgm_source_open(input->path, err)))
		return false;
	const struct pgm_source_identity *now = pgm_source_identity(input->source);
	if (now->size != input->identity.size || strcmp(now->head, input->identity.head) != 0)
		return pgm_error_set(err, PGM_ERR_INPUT, "%s was changed since it was looked at",
				     input->name);
	if (!pgm_source_skip(input->source, position, err))
		return false;
	input->framer = pgm_framer_new(input->name, &input->dialect, load->options->max_row_bytes,
				       pgm_source_next, input->source, position, input->current.line);
	return true;
}
