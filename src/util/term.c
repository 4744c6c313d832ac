#include "util/term.h"

#include "util/buf.h"
#include "util/vec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool pgm_term_is_tty(FILE *stream)
{
	return isatty(fileno(stream)) == 1;
}

int pgm_term_width(FILE *stream)
{
	struct winsize size;
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
		return size.ws_col;
	return 80;
}

static bool colours(FILE *stream)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	return !(no && *no) && !(term && strcmp(term, "dumb") == 0) && pgm_term_is_tty(stream);
}

const char *pgm_term_on(FILE *stream, enum pgm_style style)
{
	static const char *const codes[] = {
		[PGM_PLAIN] = "",	 [PGM_BOLD] = "\033[1m",   [PGM_DIM] = "\033[2m",
		[PGM_RED] = "\033[31m",	 [PGM_GREEN] = "\033[32m", [PGM_YELLOW] = "\033[33m",
		[PGM_CYAN] = "\033[36m",
	};
	return colours(stream) ? codes[style] : "";
}

const char *pgm_term_off(FILE *stream)
{
	return colours(stream) ? "\033[0m" : "";
}

size_t pgm_term_cells(const char *text)
{
	size_t cells = 0;
	for (; *text; text++)
		cells += ((unsigned char)*text & 0xC0) != 0x80;
	return cells;
}

struct pgm_table {
	struct pgm_arena *arena;
	size_t columns;
	const char *aligns;
	const char *const *headers;
	PGM_VEC(char **) rows;
};

struct pgm_table *pgm_table_new(struct pgm_arena *arena, const char *aligns, const char *const *headers)
{
	struct pgm_table *table = PGM_NEW(arena, struct pgm_table);
	table->arena = arena;
	table->columns = strlen(aligns);
	table->aligns = aligns;
	table->headers = headers;
	return table;
}

void pgm_table_row(struct pgm_table *table, const char *const *cells)
{
	char **row = PGM_NEW_ARRAY(table->arena, char *, table->columns);
	for (size_t i = 0; i < table->columns; i++)
		row[i] = pgm_strdup(table->arena, cells[i] ? cells[i] : "");
	*pgm_vec_add(table->arena, &table->rows) = row;
}

static void print_row(const struct pgm_table *table, const char *const *cells, const size_t *widths,
		      FILE *stream)
{
	for (size_t i = 0; i < table->columns; i++) {
		int pad = (int)(widths[i] - pgm_term_cells(cells[i]));
		bool last = i + 1 == table->columns;
		if (table->aligns[i] == 'r')
			fprintf(stream, "%*s%s", pad, "", cells[i]);
		else
			fprintf(stream, "%s%*s", cells[i], last ? 0 : pad, "");
		fputs(last ? "\n" : "  ", stream);
	}
}

void pgm_table_print(const struct pgm_table *table, FILE *stream)
{
	size_t *widths = PGM_NEW_ARRAY(table->arena, size_t, table->columns);
	for (size_t i = 0; i < table->columns; i++)
		widths[i] = pgm_term_cells(table->headers[i]);
	for (size_t r = 0; r < table->rows.count; r++)
		for (size_t i = 0; i < table->columns; i++)
			if (pgm_term_cells(table->rows.items[r][i]) > widths[i])
				widths[i] = pgm_term_cells(table->rows.items[r][i]);

	fputs(pgm_term_on(stream, PGM_BOLD), stream);
	print_row(table, table->headers, widths, stream);
	fputs(pgm_term_off(stream), stream);
	for (size_t r = 0; r < table->rows.count; r++)
		print_row(table, (const char *const *)table->rows.items[r], widths, stream);
}

static void print_markdown_cell(const char *cell, FILE *stream)
{
	for (; *cell; cell++) {
		if (*cell == '|')
			fputs("\\|", stream);
		else
			fputc(*cell == '\n' ? ' ' : *cell, stream);
	}
}

static void print_markdown_row(const struct pgm_table *table, const char *const *cells, FILE *stream)
{
	for (size_t i = 0; i < table->columns; i++) {
		fputs(i ? " | " : "| ", stream);
		print_markdown_cell(cells[i], stream);
	}
	fputs(" |\n", stream);
}

void pgm_table_print_markdown(const struct pgm_table *table, FILE *stream)
{
	print_markdown_row(table, table->headers, stream);
	for (size_t i = 0; i < table->columns; i++)
		fputs(table->aligns[i] == 'r' ? "| ---: " : "| --- ", stream);
	fputs("|\n", stream);
	for (size_t r = 0; r < table->rows.count; r++)
		print_markdown_row(table, (const char *const *)table->rows.items[r], stream);
}

static bool progress_shown;

void pgm_progress_show(const char *label, double fraction, const char *detail)
{
	if (!pgm_term_is_tty(stderr))
		return;
	char bar[21];
	int filled = fraction < 0 ? 0 : fraction > 1 ? 20 : (int)(fraction * 20);
	for (int i = 0; i < 20; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[20] = '\0';
	int room = pgm_term_width(stderr) - 32;
	char line[512];
	snprintf(line, sizeof(line), "%s%s%s", label, detail && *detail ? "  " : "", detail ? detail : "");
	if (fraction < 0)
		fprintf(stderr, "\r\033[K[   working...     ]       %.*s", room, line);
	else
		fprintf(stderr, "\r\033[K[%s] %3.0f %%  %.*s", bar, fraction * 100, room, line);
	fflush(stderr);
	progress_shown = true;
}

void pgm_progress_clear(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}
