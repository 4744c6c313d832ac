#include "cli/load_reports.h"

#include "util/file.h"
#include "util/safe_text.h"
#include "util/term.h"

#include <string.h>

static char *report_text(const struct pgm_cli *cli, const struct pgm_load_report_part *parts, size_t count,
			 bool html)
{
	struct pgm_doc doc;
	struct pgm_buf out;
	pgm_load_report(cli->arena, parts, count, &doc);
	pgm_buf_init(&out, cli->arena);
	if (html)
		pgm_doc_html(&doc, &out);
	else
		pgm_doc_markdown(&doc, &out);
	return out.text;
}

bool pgm_load_write_reports(const struct pgm_cli *cli, const struct pgm_load_report_part *parts, size_t count,
			    struct pgm_error *err)
{
	const char *html = pgm_cli_value(cli, "html"), *markdown = pgm_cli_value(cli, "markdown");
	return (!html || pgm_file_replace(cli->arena, html, report_text(cli, parts, count, true), err)) &&
	       (!markdown ||
		pgm_file_replace(cli->arena, markdown, report_text(cli, parts, count, false), err));
}

/* The whole report onto standard output: PGM_FORMAT_MARKDOWN or PGM_FORMAT_HTML. */
static void print_report(const struct pgm_cli *cli, const struct pgm_load_report_part *parts, size_t count,
			 enum pgm_format format)
{
	fputs(report_text(cli, parts, count, format == PGM_FORMAT_HTML), stdout);
	fflush(stdout);
}

/* The first table of the report that has a column for each run: the figures side by side. */
static void print_side_by_side(const struct pgm_cli *cli, const struct pgm_load_report_part *parts,
			       size_t count)
{
	struct pgm_doc doc;
	bool below = false;
	pgm_load_report(cli->arena, parts, count, &doc);
	for (size_t i = 0; i < doc.blocks.count; i++) {
		const struct pgm_doc_block *block = doc.blocks.items[i];
		below = below || (block->kind == PGM_DOC_HEADING && strcmp(block->text, "Side by side") == 0);
		if (!below || block->kind != PGM_DOC_TABLE)
			continue;
		const struct pgm_doc_table *table = &block->table;
		const char **headers = PGM_NEW_ARRAY(cli->arena, const char *, table->column_count);
		const char **cells = PGM_NEW_ARRAY(cli->arena, const char *, table->column_count);
		for (size_t c = 0; c < table->column_count; c++)
			headers[c] = pgm_safe_text(cli->arena, table->headers[c], false);
		struct pgm_table *printed = pgm_table_new(cli->arena, table->columns, headers);
		for (size_t r = 0; r < table->row_count; r++) {
			for (size_t c = 0; c < table->column_count; c++) {
				const struct pgm_doc_cell *cell = &table->cells[r * table->column_count + c];
				cells[c] = *cell->ratio ? pgm_sprintf(cli->arena, "%s (%s)", cell->text,
								      cell->ratio)
							: cell->text;
			}
			pgm_table_row(printed, cells);
		}
		pgm_table_print(printed, stdout);
		return;
	}
}

struct files {
	const char **names;
	size_t count;
};

/* The option's own, the operands, and what stands where other runs have CONNINFO. */
static struct files files_of(const struct pgm_cli *cli)
{
	struct files files = {.names = PGM_NEW_ARRAY(cli->arena, const char *, cli->operand_count + 2)};
	files.names[files.count++] = pgm_cli_value(cli, "compare");
	for (size_t i = 0; i < cli->operand_count; i++)
		files.names[files.count++] = cli->operands[i];
	if (cli->connection.conninfo)
		files.names[files.count++] = cli->connection.conninfo;
	return files;
}

/* A file's name without its folder and ending; where another holds it too, as it was given. */
static const char *label_of(const struct pgm_cli *cli, const struct files *files, size_t place)
{
	if (files->count == 2)
		return place == 0 ? "before" : "after";
	const char *name = strrchr(files->names[place], '/');
	char *label = pgm_strdup(cli->arena, name ? name + 1 : files->names[place]);
	char *ending = strrchr(label, '.');
	if (ending && ending != label)
		*ending = '\0';
	for (size_t i = 0; i < files->count; i++)
		if (i != place && strstr(files->names[i], label))
			return files->names[place];
	return label;
}

int pgm_load_compare(const struct pgm_cli *cli)
{
	struct pgm_error err = {0};
	enum pgm_format format;
	unsigned formats = 1u << PGM_FORMAT_TEXT | 1u << PGM_FORMAT_MARKDOWN | 1u << PGM_FORMAT_HTML;
	struct files files = files_of(cli);
	if (!pgm_cli_format_among(cli, formats, &format, &err))
		return pgm_cli_fail(cli, &err);
	if (files.count < 2) {
		pgm_error_set(&err, PGM_ERR_USAGE, "--compare needs a second result beside %s",
			      files.names[0]);
		pgm_error_hint(&err, "Give files that --out wrote: --compare BEFORE.json AFTER.json.");
		return pgm_cli_fail(cli, &err);
	}
	struct pgm_load_report_part *parts =
		PGM_NEW_ARRAY(cli->arena, struct pgm_load_report_part, files.count);
	for (size_t i = 0; i < files.count; i++) {
		struct pgm_load_result *result = PGM_NEW(cli->arena, struct pgm_load_result);
		if (!pgm_load_result_read(cli->arena, files.names[i], result, &err))
			return pgm_cli_fail(cli, &err);
		parts[i] = (struct pgm_load_report_part){.label = label_of(cli, &files, i), .result = result};
	}
	if (!pgm_load_write_reports(cli, parts, files.count, &err))
		return pgm_cli_fail(cli, &err);
	if (format == PGM_FORMAT_TEXT)
		print_side_by_side(cli, parts, files.count);
	else
		print_report(cli, parts, files.count, format);
	return pgm_load_result_held(parts[files.count - 1].result) ? PGM_EXIT_OK : PGM_EXIT_FOUND;
}
