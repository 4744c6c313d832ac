/*
 * The fingerprint and the normal form: one engine, so that they can't disagree. Tokens are mixed into a hash
 * one after the other; values all count as one token. Lists (IN (...), ARRAY[...], rows of VALUES) are hashed
 * item by item, and an item that looks like the one before it counts, and is written, once.
 */
#include "pool/scan/scan.h"

#include "pool/scan/scan_flags.h"

#define VALUE_HASH 0x1d8e4e27c47d124fu
#define ITEM_SEED  0x5851f42d4c957f2du
#define LISTS_MAX  12 /* lists within lists; deeper ones are hashed as they stand */

enum list_kind { LIST_BRACKETS, LIST_ROWS };

struct list {
	enum list_kind kind;
	uint32_t depth;	   /* of what is between the items */
	uint64_t outer;	   /* the hash up to here, with the items that were kept */
	uint64_t previous; /* the last item's */
	size_t item_start; /* where the item begins in what is written */
	bool item_full;
	unsigned item_number;
	bool comma; /* rows: another one comes */
};

enum writing { WRITE_NOTHING, WRITE_MARKS, WRITE_NUMBERS, WRITE_VALUES };

struct engine {
	struct pgm_scan_lexer lexer;
	struct pgm_scan_token token;
	enum writing writing;
	uint64_t hash;
	uint32_t depth;
	uint32_t list_count;
	struct list lists[LISTS_MAX];
	/* of the token before */
	enum pgm_word before_word;
	bool before_dot;
	bool operand;	 /* it ended one, so that a minus is an operator */
	bool list_opens; /* IN or ARRAY or VALUES: a list may come */
	bool minus;	 /* held back: a sign if a number comes */
	bool minus_space;
	bool separator; /* a semicolon that counts only if more comes */
	/* what is written */
	char *out;
	size_t size, length;
	bool full;
	unsigned number;
	void (*each)(void *data, unsigned number, const char *at, size_t length);
	void *each_data;
	const char *minus_at;
};

/* Written as far as there is room, cut at a character's boundary. */
static void put(struct engine *engine, const char *text, size_t length, bool space)
{
	if (engine->writing == WRITE_VALUES)
		return;
	size_t blank = space && engine->length > 0;
	size_t room = engine->full ? 0 : engine->size - 1 - engine->length;
	if (blank + length > room) {
		engine->full = true;
		if (room <= blank)
			return;
		length = room - blank;
		while (length && ((uint8_t)text[length] & 0xc0) == 0x80)
			length--;
		if (length == 0)
			return;
	}
	if (blank)
		engine->out[engine->length++] = ' ';
	memcpy(engine->out + engine->length, text, length);
	engine->length += length;
}

static void put_value(struct engine *engine, bool space)
{
	if (engine->writing == WRITE_VALUES) {
		const char *at = engine->minus_at ? engine->minus_at : engine->token.at;
		engine->each(engine->each_data, ++engine->number, at, (size_t)(engine->token.end - at));
		return;
	}
	char number[16] = "?";
	size_t length = 1;
	if (engine->writing == WRITE_NUMBERS) {
		unsigned value = ++engine->number;
		char digits[12];
		size_t count = 0;
		for (; value; value /= 10)
			digits[count++] = (char)('0' + value % 10);
		number[0] = '$';
		for (length = 1; count; length++)
			number[length] = digits[--count];
	}
	put(engine, number, length, space);
}

/* The end of a list's item: kept unless it looks like the one before. */
static void end_item(struct engine *engine, struct list *list)
{
	if (engine->hash == list->previous && engine->hash != ITEM_SEED) {
		engine->length = list->item_start;
		engine->full = list->item_full;
		engine->number = list->item_number;
	} else {
		list->outer = pgm_scan_mix(list->outer, engine->hash);
		list->previous = engine->hash;
	}
}

static void begin_item(struct engine *engine, struct list *list)
{
	engine->hash = ITEM_SEED;
	list->item_start = engine->length;
	list->item_full = engine->full;
	list->item_number = engine->number;
	list->comma = false;
}

static void open_list(struct engine *engine, enum list_kind kind, uint32_t depth)
{
	if (engine->list_count == LISTS_MAX)
		return;
	struct list *list = &engine->lists[engine->list_count++];
	*list = (struct list){.kind = kind, .depth = depth, .outer = engine->hash};
	begin_item(engine, list);
}

static struct list *innermost(struct engine *engine)
{
	return engine->list_count ? &engine->lists[engine->list_count - 1] : NULL;
}

/* A list turned out to be a query, or ended: what was hashed apart joins the rest. */
static void close_list(struct engine *engine)
{
	struct list *list = innermost(engine);
	engine->hash = list->outer;
	engine->list_count--;
}

/* Rows end where something else than a comma follows a row. */
static void end_rows(struct engine *engine)
{
	struct list *list;
	while ((list = innermost(engine)) && list->kind == LIST_ROWS && list->depth == engine->depth &&
	       list->previous && !list->comma && !pgm_scan_is(&engine->token, ','))
		close_list(engine);
}

static void add(struct engine *engine, uint64_t hash, bool space)
{
	engine->hash = pgm_scan_mix(engine->hash, hash);
	if (engine->writing)
		put(engine, engine->token.at, (size_t)(engine->token.end - engine->token.at), space);
}

static void add_value(struct engine *engine)
{
	engine->hash = pgm_scan_mix(engine->hash, VALUE_HASH);
	if (engine->writing)
		put_value(engine, engine->token.space);
	engine->operand = true;
}

static void flush_minus(struct engine *engine)
{
	static const char minus[] = "-";
	engine->minus = false;
	engine->minus_at = NULL;
	engine->hash = pgm_scan_mix(engine->hash, pgm_scan_hash(PGM_SCAN_OP, minus, minus + 1));
	if (engine->writing)
		put(engine, "-", 1, engine->minus_space);
}

static void open_bracket(struct engine *engine)
{
	bool round = *engine->token.at == '(';
	bool rows = engine->list_opens && round && engine->before_word == PGM_W_VALUES;
	bool listed = engine->list_opens && !rows && round == (engine->before_word == PGM_W_IN);
	if (rows)
		open_list(engine, LIST_ROWS, engine->depth);
	add(engine, engine->token.hash, engine->token.space);
	engine->depth++;
	if (listed)
		open_list(engine, LIST_BRACKETS, engine->depth);
	engine->operand = false;
}

static void close_bracket(struct engine *engine)
{
	struct list *list = innermost(engine);
	while (list && list->depth == engine->depth) {
		if (list->kind == LIST_BRACKETS || engine->hash != ITEM_SEED)
			end_item(engine, list);
		close_list(engine);
		list = innermost(engine);
	}
	if (engine->depth)
		engine->depth--;
	add(engine, engine->token.hash, engine->token.space);
	engine->operand = true;
	list = innermost(engine);
	if (list && list->kind == LIST_ROWS && list->depth == engine->depth) {
		end_item(engine, list);
		begin_item(engine, list);
	}
}

static void comma(struct engine *engine)
{
	struct list *list = innermost(engine);
	engine->operand = false;
	if (!list || list->depth != engine->depth) {
		add(engine, engine->token.hash, engine->token.space);
		return;
	}
	/* Between items: not hashed, and written with the item that it begins. */
	if (list->kind == LIST_BRACKETS) {
		end_item(engine, list);
		begin_item(engine, list);
	}
	list->comma = true;
	if (engine->writing)
		put(engine, ",", 1, engine->token.space);
}

static void self(struct engine *engine)
{
	switch (*engine->token.at) {
	case '(':
	case '[':
		open_bracket(engine);
		break;
	case ')':
	case ']':
		close_bracket(engine);
		break;
	case ',':
		comma(engine);
		break;
	default:
		add(engine, engine->token.hash, engine->token.space);
		engine->operand = false;
		break;
	}
}

static bool is_value_word(const struct engine *engine, enum pgm_word word)
{
	return (word == PGM_W_TRUE || word == PGM_W_FALSE || word == PGM_W_NULL) && !engine->operand &&
	       !engine->before_dot;
}

static void word(struct engine *engine, bool labels)
{
	enum pgm_word word = engine->token.kind == PGM_SCAN_WORD ? engine->token.word : PGM_W_NONE;
	struct list *list = innermost(engine);
	if (is_value_word(engine, word) || (labels && word == PGM_W_NONE)) {
		add_value(engine);
		return;
	}
	/* IN (SELECT ...) is no list. */
	if (list && list->kind == LIST_BRACKETS && list->depth == engine->depth &&
	    engine->hash == ITEM_SEED && !list->previous &&
	    (word == PGM_W_SELECT || word == PGM_W_WITH || word == PGM_W_VALUES || word == PGM_W_TABLE))
		close_list(engine);
	add(engine, engine->token.hash, engine->token.space);
	engine->operand = engine->before_dot || !pgm_scan_word_before_value(word);
}

static void operator(struct engine *engine)
{
	const struct pgm_scan_token *token = &engine->token;
	if (!engine->operand && *token->at == '-' && token->end == token->at + 1) {
		engine->minus = true;
		engine->minus_space = token->space;
		engine->minus_at = token->at;
		return;
	}
	add(engine, token->hash, token->space);
	/* A type comes after a cast; a star may be all columns. */
	engine->operand = *token->at == ':' && token->end == token->at + 2 && token->at[1] == ':';
}

/* One token. The space before a sign is the number's. */
static inline void step(struct engine *engine, bool labels)
{
	struct pgm_scan_token *token = &engine->token;
	if (engine->minus) {
		if (token->kind == PGM_SCAN_NUMBER) {
			engine->minus = false;
			token->space = engine->minus_space;
		} else {
			flush_minus(engine);
		}
	} else {
		engine->minus_at = NULL;
	}
	if (engine->list_count)
		end_rows(engine);
	if (engine->separator) {
		engine->separator = false;
		engine->hash = pgm_scan_mix(engine->hash, ';');
		if (engine->writing)
			put(engine, ";", 1, false);
	}
	switch (token->kind) {
	case PGM_SCAN_WORD:
	case PGM_SCAN_IDENT:
		word(engine, labels);
		break;
	case PGM_SCAN_NUMBER:
	case PGM_SCAN_STRING:
	case PGM_SCAN_PARAM:
		add_value(engine);
		break;
	case PGM_SCAN_OP:
		operator(engine);
		break;
	default:
		self(engine);
		break;
	}
}

static inline void remember(struct engine *engine)
{
	const struct pgm_scan_token *token = &engine->token;
	enum pgm_word word = token->kind == PGM_SCAN_WORD ? token->word : PGM_W_NONE;
	engine->list_opens =
		(word == PGM_W_IN || word == PGM_W_ARRAY || word == PGM_W_VALUES) && !engine->before_dot;
	engine->before_word = word;
	engine->before_dot = pgm_scan_is(token, '.');
}

static void finish(struct engine *engine)
{
	if (engine->minus)
		flush_minus(engine);
	while (engine->list_count) {
		end_item(engine, innermost(engine));
		close_list(engine);
	}
}

/* With judge: its flags too. */
static void run(struct engine *engine, struct pgm_judge *judge)
{
	struct pgm_judge labels = {.phase = PGM_PHASE_VERB};
	struct pgm_judge *use = judge ? judge : &labels;
	engine->hash = VALUE_HASH;
	for (;;) {
		pgm_scan_next(&engine->lexer, &engine->token);
		if (engine->token.kind == PGM_SCAN_END)
			break;
		pgm_judge_token(use, &engine->token);
		if (pgm_scan_is(&engine->token, ';') && engine->depth == 0) {
			finish(engine);
			engine->separator = engine->hash != VALUE_HASH;
			engine->operand = engine->before_dot = engine->list_opens = false;
			continue;
		}
		step(engine, pgm_judge_labels(use));
		remember(engine);
	}
	finish(engine);
}

void pgm_scan_sql(const char *sql, size_t length, bool standard_strings, struct pgm_scan *scan)
{
	struct engine engine;
	struct pgm_judge judge = {.phase = PGM_PHASE_VERB};
	memset(&engine, 0, offsetof(struct engine, lists));
	memset(&engine.before_word, 0, sizeof(engine) - offsetof(struct engine, before_word));
	engine.lexer = pgm_scan_lexer_over(sql, length, standard_strings);
	run(&engine, &judge);
	pgm_judge_end(&judge, engine.lexer.broken);
	uint64_t hash = engine.hash ^ engine.hash >> 31;
	hash *= PGM_SCAN_PRIME;
	scan->fingerprint = hash ^ hash >> 32;
	scan->flags = judge.flags;
}

static size_t write_normal(const char *sql, size_t length, bool standard_strings, enum writing writing,
			   char *out, size_t size)
{
	if (size == 0)
		return 0;
	struct engine engine = {.writing = writing, .out = out, .size = size};
	engine.lexer = pgm_scan_lexer_over(sql, length, standard_strings);
	run(&engine, NULL);
	out[engine.length] = '\0';
	return engine.length;
}

size_t pgm_scan_normalize(const char *sql, size_t length, bool standard_strings, char *out, size_t size)
{
	return write_normal(sql, length, standard_strings, WRITE_MARKS, out, size);
}

size_t pgm_scan_parameterize(const char *sql, size_t length, bool standard_strings, char *out, size_t size)
{
	return write_normal(sql, length, standard_strings, WRITE_NUMBERS, out, size);
}

void pgm_scan_values(const char *sql, size_t length, bool standard_strings,
		     void (*each)(void *data, unsigned number, const char *at, size_t length), void *data)
{
	struct engine engine = {.writing = WRITE_VALUES, .each = each, .each_data = data};
	engine.lexer = pgm_scan_lexer_over(sql, length, standard_strings);
	run(&engine, NULL);
}

uint64_t pgm_scan_tag_rows(const char *tag, size_t length)
{
	uint64_t rows = 0, factor = 1;
	size_t at = length;
	while (at > 0 && tag[at - 1] == '\0')
		at--;
	size_t end = at;
	for (; at > 0 && tag[at - 1] >= '0' && tag[at - 1] <= '9' && end - at < 19; at--, factor *= 10)
		rows += (uint64_t)(tag[at - 1] - '0') * factor;
	return at < end && at > 0 && tag[at - 1] == ' ' ? rows : 0;
}
