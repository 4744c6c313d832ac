#include "util/safe_text.h"

#include "util/buf.h"
#include "util/term.h"

#include <string.h>

#define TEXT_WIDTH_MAX 110

/* Names are the database's: none of them may steer a terminal. Newlines are kept where the text is SQL. */
char *pgm_safe_text(struct pgm_arena *arena, const char *text, bool keep_newlines)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* U+0080 to U+009F steer some terminals too. */
		bool c1 = p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0;
		if (c1) {
			pgm_buf_printf(&out, "\\u%04x", p[1]);
			p++;
		} else if ((*p < ' ' && !(keep_newlines && (*p == '\n' || *p == '\t'))) || *p == 127) {
			pgm_buf_add(&out, *p == '\n' ? "\\n" : *p == '\t' ? " " : "");
			if (*p != '\n' && *p != '\t')
				pgm_buf_printf(&out, "\\x%02x", *p);
		} else {
			pgm_buf_char(&out, (char)*p);
		}
	}
	return out.text;
}

/* Words in lines of the terminal's width, each after the indent. */
void pgm_print_wrapped(struct pgm_arena *arena, const char *text, int indent, FILE *stream)
{
	int width = pgm_term_width(stream);
	size_t room = (size_t)((width > TEXT_WIDTH_MAX ? TEXT_WIDTH_MAX : width) - indent);
	size_t used = 0;
	fprintf(stream, "%*s", indent, "");
	while (*text) {
		size_t length = strcspn(text, " \n");
		char *word = pgm_strndup(arena, text, length);
		size_t cells = pgm_term_cells(word);
		if (used && used + 1 + cells > room) {
			fprintf(stream, "\n%*s", indent, "");
			used = 0;
		}
		fprintf(stream, "%s%s", used ? " " : "", word);
		used += cells + (used ? 1 : 0);
		text += length;
		while (*text == ' ' || *text == '\n')
			text++;
	}
	fputc('\n', stream);
}

/* Markdown would take these for marks; a backslash keeps them as they are. */
const char *pgm_safe_markdown(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	for (const char *p = pgm_safe_text(arena, text, false); *p; p++) {
		if (strchr("\\`*_[]<>#|~", *p))
			pgm_buf_char(&out, '\\');
		pgm_buf_char(&out, *p);
	}
	return out.text ? out.text : "";
}

/* A fence longer than any run of backticks in the text. */
char *pgm_safe_fenced(struct pgm_arena *arena, const char *text)
{
	size_t fence = 3, run = 0;
	for (const char *p = text; *p; p++) {
		run = *p == '`' ? run + 1 : 0;
		if (run >= fence)
			fence = run + 1;
	}
	char *marks = pgm_arena_alloc(arena, fence + 1);
	memset(marks, '`', fence);
	char *body = pgm_safe_text(arena, text, true);
	size_t length = strlen(body);
	return pgm_sprintf(arena, "%ssql\n%s%s%s\n", marks, body,
			   length && body[length - 1] == '\n' ? "" : "\n", marks);
}

void pgm_print_fenced(struct pgm_arena *arena, const char *text, FILE *stream)
{
	fprintf(stream, "\n%s", pgm_safe_fenced(arena, text));
}

const char *pgm_safe_html(struct pgm_arena *arena, const char *text)
{
	struct pgm_buf out;
	pgm_buf_init(&out, arena);
	pgm_buf_add(&out, "");
	for (const char *p = pgm_safe_text(arena, text, true); *p; p++) {
		switch (*p) {
		case '&':
			pgm_buf_add(&out, "&amp;");
			break;
		case '<':
			pgm_buf_add(&out, "&lt;");
			break;
		case '>':
			pgm_buf_add(&out, "&gt;");
			break;
		case '"':
			pgm_buf_add(&out, "&quot;");
			break;
		case '\'':
			pgm_buf_add(&out, "&#39;");
			break;
		default:
			pgm_buf_char(&out, *p);
		}
	}
	return out.text;
}
