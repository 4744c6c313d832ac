/*
 * By first letter. The lists are short, and one comparison rules out nearly all of its list.
 */
#include "pool/scan/scan_words.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

struct word {
	char text[46];	/* with zeroes behind it, so that its first eight can be read as a number */
	uint8_t length; /* 0 ends a list */
	uint8_t word;
};

#define WORD(text, id)                             \
	{                                          \
		text, sizeof(text) - 1, PGM_W_##id \
	}

static const struct word words_a[] = {
	WORD("as", AS),
	WORD("all", ALL),
	WORD("and", WORK),
	WORD("any", VALUE),
	WORD("abort", ROLLBACK),
	WORD("alter", ALTER),
	WORD("array", ARRAY),
	WORD("atomic", ATOMIC),
	WORD("analyse", ANALYZE),
	WORD("analyze", ANALYZE),
	WORD("alter_replication_slot", REPLICATION),
	{.length = 0},
};
static const struct word words_b[] = {
	WORD("by", VALUE), WORD("begin", BEGIN), WORD("between", VALUE), WORD("base_backup", REPLICATION),
	{.length = 0},
};
static const struct word words_c[] = {
	WORD("call", CALL),
	WORD("case", CASE),
	WORD("copy", COPY),
	WORD("chain", WORK),
	WORD("close", CLOSE),
	WORD("commit", COMMIT),
	WORD("create", CREATE),
	WORD("comment", DDL),
	WORD("currval", CURRVAL),
	WORD("crosstab", HIDDEN),
	WORD("connectby", HIDDEN),
	WORD("crosstab2", HIDDEN),
	WORD("crosstab3", HIDDEN),
	WORD("crosstab4", HIDDEN),
	WORD("crosstabn", HIDDEN),
	WORD("constraint", MODIFIER),
	WORD("constraints", CONSTRAINTS),
	WORD("characteristics", CHARACTERISTICS),
	WORD("create_replication_slot", REPLICATION),
	{.length = 0},
};
static const struct word words_d[] = {
	WORD("do", DO),
	WORD("drop", DDL),
	WORD("delete", DELETE),
	WORD("declare", DECLARE),
	WORD("default", DEFAULT),
	WORD("discard", DISCARD),
	WORD("distinct", VALUE),
	WORD("deallocate", DEALLOCATE),
	WORD("dblink_connect", HIDDEN),
	WORD("dblink_connect_u", HIDDEN),
	WORD("dblink_disconnect", HIDDEN),
	WORD("drop_replication_slot", REPLICATION),
	{.length = 0},
};
static const struct word words_e[] = {
	WORD("end", END),	  WORD("else", VALUE),	    WORD("escape", VALUE),
	WORD("execute", EXECUTE), WORD("explain", EXPLAIN), {.length = 0},
};
static const struct word words_f[] = {
	WORD("for", FOR),	   WORD("from", FROM),	      WORD("false", FALSE), WORD("fetch", FETCH),
	WORD("foreign", MODIFIER), WORD("function", ROUTINE), {.length = 0},
};
static const struct word words_g[] = {
	WORD("grant", DDL),
	WORD("global", GLOBAL),
	{.length = 0},
};
static const struct word words_h[] = {
	WORD("hold", HOLD),
	WORD("having", VALUE),
	{.length = 0},
};
static const struct word words_i[] = {
	WORD("in", IN),	     WORD("into", INTO),     WORD("ilike", VALUE),
	WORD("import", DDL), WORD("insert", INSERT), WORD("identify_system", REPLICATION),
	{.length = 0},
};
static const struct word words_k[] = {
	WORD("key", KEY),
	{.length = 0},
};
static const struct word words_l[] = {
	WORD("like", VALUE),	WORD("load", LOAD),	  WORD("limit", VALUE), WORD("local", LOCAL),
	WORD("listen", LISTEN), WORD("lastval", CURRVAL), {.length = 0},
};
static const struct word words_m[] = {
	WORD("move", FETCH),
	WORD("merge", MERGE),
	WORD("materialized", MODIFIER),
	{.length = 0},
};
static const struct word words_n[] = {
	WORD("no", NO),
	WORD("null", NULL),
	WORD("nextval", NEXTVAL),
	{.length = 0},
};
static const struct word words_o[] = {
	WORD("on", VALUE),
	WORD("or", VALUE),
	WORD("offset", VALUE),
	{.length = 0},
};
static const struct word words_p[] = {
	WORD("pg_temp", PG_TEMP),
	WORD("prepare", PREPARE),
	WORD("prepared", PREPARED),
	WORD("procedure", ROUTINE),
	WORD("procedural", MODIFIER),
	WORD("pg_settings", PG_SETTINGS),
	WORD("pg_backup_start", HIDDEN),
	WORD("pg_start_backup", HIDDEN),
	WORD("pg_advisory_lock", ADVISORY),
	WORD("pg_advisory_unlock", ADVISORY),
	WORD("pg_try_advisory_lock", ADVISORY),
	WORD("pg_advisory_unlock_all", ADVISORY),
	WORD("pg_advisory_lock_shared", ADVISORY),
	WORD("pg_advisory_unlock_shared", ADVISORY),
	WORD("pg_try_advisory_lock_shared", ADVISORY),
	WORD("pg_replication_origin_session_reset", HIDDEN),
	WORD("pg_replication_origin_session_setup", HIDDEN),
	{.length = 0},
};
static const struct word words_q[] = {
	WORD("query_to_xml", HIDDEN),
	WORD("query_to_xmlschema", HIDDEN),
	WORD("query_to_xml_and_xmlschema", HIDDEN),
	{.length = 0},
};
static const struct word words_r[] = {
	WORD("reset", RESET),
	WORD("return", VALUE),
	WORD("revoke", DDL),
	WORD("refresh", DDL),
	WORD("release", RELEASE),
	WORD("replace", MODIFIER),
	WORD("reassign", DDL),
	WORD("rollback", ROLLBACK),
	WORD("recursive", MODIFIER),
	WORD("returning", VALUE),
	WORD("read_replication_slot", REPLICATION),
	{.length = 0},
};
static const struct word words_s[] = {
	WORD("set", SET),
	WORD("show", FETCH),
	WORD("some", VALUE),
	WORD("share", SHARE),
	WORD("start", START),
	WORD("schema", SCHEMA),
	WORD("select", SELECT),
	WORD("setval", NEXTVAL),
	WORD("session", SESSION),
	WORD("setseed", HIDDEN),
	WORD("security", DDL),
	WORD("savepoint", SAVEPOINT),
	WORD("sequences", SEQUENCES),
	WORD("set_limit", SET_LIMIT),
	WORD("symmetric", VALUE),
	WORD("set_config", SET_CONFIG),
	WORD("start_replication", REPLICATION),
	{.length = 0},
};
static const struct word words_t[] = {
	WORD("to", TO),
	WORD("temp", TEMP),
	WORD("then", VALUE),
	WORD("true", TRUE),
	WORD("table", TABLE),
	WORD("trusted", MODIFIER),
	WORD("ts_stat", HIDDEN),
	WORD("truncate", TRUNCATE),
	WORD("temporary", TEMP),
	WORD("ts_rewrite", HIDDEN),
	WORD("transaction", TRANSACTION),
	WORD("timeline_history", REPLICATION),
	{.length = 0},
};
static const struct word words_u[] = {
	WORD("unique", MODIFIER),
	WORD("update", UPDATE),
	WORD("unlisten", LISTEN),
	WORD("unlogged", MODIFIER),
	WORD("upload_manifest", REPLICATION),
	{.length = 0},
};
static const struct word words_v[] = {
	WORD("values", VALUES),
	WORD("verbose", VERBOSE),
	{.length = 0},
};
static const struct word words_w[] = {
	WORD("when", VALUE), WORD("with", WITH), WORD("work", WORK), WORD("where", VALUE), {.length = 0},
};
static const struct word words_x[] = {
	WORD("xpath_table", HIDDEN),
	{.length = 0},
};

static const struct word *const by_letter[32] = {
	['a' - '`'] = words_a, ['b' - '`'] = words_b, ['c' - '`'] = words_c, ['d' - '`'] = words_d,
	['e' - '`'] = words_e, ['f' - '`'] = words_f, ['g' - '`'] = words_g, ['h' - '`'] = words_h,
	['i' - '`'] = words_i, ['k' - '`'] = words_k, ['l' - '`'] = words_l, ['m' - '`'] = words_m,
	['n' - '`'] = words_n, ['o' - '`'] = words_o, ['p' - '`'] = words_p, ['q' - '`'] = words_q,
	['r' - '`'] = words_r, ['s' - '`'] = words_s, ['t' - '`'] = words_t, ['u' - '`'] = words_u,
	['v' - '`'] = words_v, ['w' - '`'] = words_w, ['x' - '`'] = words_x,
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same(const char *word, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (word[i] != lower(text[i]))
			return false;
	return true;
}

/* pg_temp_3 is a name of what pg_temp stands for. */
static bool numbered_temp(const char *text, size_t length)
{
	if (length < 9 || !same("pg_temp_", text, 8))
		return false;
	for (size_t i = 8; i < length; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static uint64_t letters_of(const char text[8])
{
	uint64_t letters;
	memcpy(&letters, text, sizeof(letters));
	return le64toh(letters);
}

enum pgm_word pgm_scan_word_of(uint64_t letters, const char *text, size_t length)
{
	unsigned first = (unsigned)(letters & 0xff);
	if ((first & 0xe0) != 0x60)
		return PGM_W_NONE;
	const struct word *word = by_letter[first & 0x1f];
	if (!word)
		return PGM_W_NONE;
	for (; word->length; word++)
		if (letters_of(word->text) == letters && word->length == length &&
		    (length <= 8 || same(word->text + 8, text + 8, length - 8)))
			return (enum pgm_word)word->word;
	return first == 'p' && numbered_temp(text, length) ? PGM_W_PG_TEMP : PGM_W_NONE;
}

enum pgm_word pgm_scan_word(const char *text, size_t length)
{
	char letters[8] = {0};
	for (size_t i = 0; i < length && i < sizeof(letters); i++)
		letters[i] = lower(text[i]);
	return pgm_scan_word_of(letters_of(letters), text, length);
}
