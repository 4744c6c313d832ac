#include "pg/quote.h"

#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/*
 * Keywords that quote_ident() quotes: every one that is not "unreserved" in PostgreSQL 18's kwlist.h
 * (an older server accepts the needless quotes). Sorted.
 */
static const char *const keywords[] = {
	"all",
	"analyse",
	"analyze",
	"and",
	"any",
	"array",
	"as",
	"asc",
	"asymmetric",
	"authorization",
	"between",
	"bigint",
	"binary",
	"bit",
	"boolean",
	"both",
	"case",
	"cast",
	"char",
	"character",
	"check",
	"coalesce",
	"collate",
	"collation",
	"column",
	"concurrently",
	"constraint",
	"create",
	"cross",
	"current_catalog",
	"current_date",
	"current_role",
	"current_schema",
	"current_time",
	"current_timestamp",
	"current_user",
	"dec",
	"decimal",
	"default",
	"deferrable",
	"desc",
	"distinct",
	"do",
	"else",
	"end",
	"except",
	"exists",
	"extract",
	"false",
	"fetch",
	"float",
	"for",
	"foreign",
	"freeze",
	"from",
	"full",
	"grant",
	"greatest",
	"group",
	"grouping",
	"having",
	"ilike",
	"in",
	"initially",
	"inner",
	"inout",
	"int",
	"integer",
	"intersect",
	"interval",
	"into",
	"is",
	"isnull",
	"join",
	"json",
	"json_array",
	"json_arrayagg",
	"json_exists",
	"json_object",
	"json_objectagg",
	"json_query",
	"json_scalar",
	"json_serialize",
	"json_table",
	"json_value",
	"lateral",
	"leading",
	"least",
	"left",
	"like",
	"limit",
	"localtime",
	"localtimestamp",
	"merge_action",
	"national",
	"natural",
	"nchar",
	"none",
	"normalize",
	"not",
	"notnull",
	"null",
	"nullif",
	"numeric",
	"offset",
	"on",
	"only",
	"or",
	"order",
	"out",
	"outer",
	"overlaps",
	"overlay",
	"placing",
	"position",
	"precision",
	"primary",
	"real",
	"references",
	"returning",
	"right",
	"row",
	"select",
	"session_user",
	"setof",
	"similar",
	"smallint",
	"some",
	"substring",
	"symmetric",
	"system_user",
	"table",
	"tablesample",
	"then",
	"time",
	"timestamp",
	"to",
	"trailing",
	"treat",
	"trim",
	"true",
	"union",
	"unique",
	"user",
	"using",
	"values",
	"varchar",
	"variadic",
	"verbose",
	"when",
	"where",
	"window",
	"with",
	"xmlattributes",
	"xmlconcat",
	"xmlelement",
	"xmlexists",
	"xmlforest",
	"xmlnamespaces",
	"xmlparse",
	"xmlpi",
	"xmlroot",
	"xmlserialize",
	"xmltable",
};

static int compare_keyword(const void *key, const void *entry)
{
	return strcmp(key, *(const char *const *)entry);
}

static bool is_plain(const char *name)
{
	if (!((*name >= 'a' && *name <= 'z') || *name == '_'))
		return false;
	for (const char *p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return false;
	return !bsearch(name, keywords, sizeof(keywords) / sizeof(*keywords), sizeof(*keywords),
			compare_keyword);
}

char *pgm_quote_ident(struct pgm_arena *arena, const char *name)
{
	if (is_plain(name))
		return pgm_strdup(arena, name);
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_char(&buf, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '"')
			pgm_buf_char(&buf, '"');
		pgm_buf_char(&buf, *p);
	}
	pgm_buf_char(&buf, '"');
	return buf.text;
}

char *pgm_quote_qualified(struct pgm_arena *arena, const char *schema, const char *name)
{
	return pgm_sprintf(arena, "%s.%s", pgm_quote_ident(arena, schema), pgm_quote_ident(arena, name));
}

char *pgm_quote_literal(struct pgm_arena *arena, const char *value)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, arena);
	pgm_buf_add(&buf, strchr(value, '\\') ? "E'" : "'");
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '\\')
			pgm_buf_char(&buf, *p);
		pgm_buf_char(&buf, *p);
	}
	pgm_buf_char(&buf, '\'');
	return buf.text;
}

char *pgm_quote_truncate(struct pgm_arena *arena, const char *name, size_t max_bytes)
{
	size_t length = strlen(name);
	if (length > max_bytes) {
		length = max_bytes;
		while (length && ((unsigned char)name[length] & 0xC0) == 0x80)
			length--;
	}
	return pgm_strndup(arena, name, length);
}

void pgm_quote_array_begin(struct pgm_buf *buf, struct pgm_arena *arena)
{
	pgm_buf_init(buf, arena);
	pgm_buf_char(buf, '{');
}

char *pgm_quote_array_end(struct pgm_buf *buf)
{
	pgm_buf_char(buf, '}');
	return buf->text;
}

void pgm_quote_array_add(struct pgm_buf *buf, const char *value)
{
	if (buf->length > 1)
		pgm_buf_char(buf, ',');
	if (!value) {
		pgm_buf_add(buf, "NULL");
		return;
	}
	pgm_buf_char(buf, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			pgm_buf_char(buf, '\\');
		pgm_buf_char(buf, *value);
	}
	pgm_buf_char(buf, '"');
}
