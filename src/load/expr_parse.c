/*
 * pgbench's expressions by recursive descent; precedence as in exprparse.y: OR, AND, NOT, IS, comparisons,
 * | #, &, << >>, + -, * / %, unary.
 */
#include "load/expr_node.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANY_COUNT -1

static const struct {
	const char *name;
	enum pgm_expr_op op;
	int min, max;
} functions[] = {
	{"abs", PGM_EXPR_ABS, 1, 1},
	{"debug", PGM_EXPR_DEBUG, 1, 1},
	{"double", PGM_EXPR_TO_DOUBLE, 1, 1},
	{"exp", PGM_EXPR_EXP, 1, 1},
	{"greatest", PGM_EXPR_GREATEST, 1, ANY_COUNT},
	{"hash", PGM_EXPR_HASH_MURMUR2, 1, 2},
	{"hash_fnv1a", PGM_EXPR_HASH_FNV1A, 1, 2},
	{"hash_murmur2", PGM_EXPR_HASH_MURMUR2, 1, 2},
	{"int", PGM_EXPR_TO_INT, 1, 1},
	{"least", PGM_EXPR_LEAST, 1, ANY_COUNT},
	{"ln", PGM_EXPR_LN, 1, 1},
	{"mod", PGM_EXPR_MODULO, 2, 2},
	{"permute", PGM_EXPR_PERMUTE, 2, 3},
	{"pi", PGM_EXPR_PI, 0, 0},
	{"pow", PGM_EXPR_POWER, 2, 2},
	{"power", PGM_EXPR_POWER, 2, 2},
	{"random", PGM_EXPR_RANDOM, 2, 2},
	{"random_exponential", PGM_EXPR_RANDOM_EXPONENTIAL, 3, 3},
	{"random_gaussian", PGM_EXPR_RANDOM_GAUSSIAN, 3, 3},
	{"random_zipfian", PGM_EXPR_RANDOM_ZIPFIAN, 3, 3},
	{"sqrt", PGM_EXPR_SQRT, 1, 1},
};

struct parser {
	struct pgm_arena *arena;
	struct pgm_variables *variables;
	const char *at;
	int depth;
	struct pgm_error *err;
};

static struct pgm_expr *parse_or(struct parser *parser);

static struct pgm_expr *fail(struct parser *parser, const char *what)
{
	pgm_error_set(parser->err, PGM_ERR_INPUT, "%s, at \"%.40s\"", what, parser->at);
	return NULL;
}

static void skip_space(struct parser *parser)
{
	for (;;) {
		parser->at += strspn(parser->at, " \t\r\n\f\v");
		if (parser->at[0] == '\\' && (parser->at[1] == '\n' || strncmp(parser->at, "\\\r\n", 3) == 0))
			parser->at += 2; /* the next line belongs to it */
		else
			return;
	}
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A symbol; not where a longer one begins with it. */
static bool accept(struct parser *parser, const char *symbol, const char *not_before)
{
	skip_space(parser);
	size_t length = strlen(symbol);
	if (strncmp(parser->at, symbol, length) != 0 ||
	    (parser->at[length] && strchr(not_before, parser->at[length])))
		return false;
	parser->at += length;
	return true;
}

static bool accept_word(struct parser *parser, const char *word)
{
	skip_space(parser);
	size_t length = strlen(word);
	if (strncasecmp(parser->at, word, length) != 0 || name_char(parser->at[length]))
		return false;
	parser->at += length;
	return true;
}

static struct pgm_expr *node(struct parser *parser, enum pgm_expr_op op, struct pgm_expr *a,
			     struct pgm_expr *b)
{
	struct pgm_expr *expr = PGM_NEW(parser->arena, struct pgm_expr);
	expr->op = op;
	expr->arg_count = (a != NULL) + (b != NULL);
	expr->args = PGM_NEW_ARRAY(parser->arena, struct pgm_expr *, 2);
	expr->args[0] = a;
	expr->args[1] = b;
	return expr;
}

static struct pgm_expr *constant(struct parser *parser, struct pgm_load_value value)
{
	struct pgm_expr *expr = node(parser, PGM_EXPR_CONSTANT, NULL, NULL);
	expr->constant = value;
	return expr;
}

static struct pgm_expr *boolean(struct parser *parser, bool value)
{
	return constant(parser, (struct pgm_load_value){PGM_LOAD_BOOL, {.boolean = value}});
}

static struct pgm_expr *parse_number(struct parser *parser)
{
	char *end;
	size_t digits = strspn(parser->at, "0123456789");
	bool integer = digits && parser->at[digits] != '.' && tolower(parser->at[digits]) != 'e';
	struct pgm_load_value value = {.kind = integer ? PGM_LOAD_INT : PGM_LOAD_DOUBLE};
	/* strtod() would take "0x1p3", "inf" and the locale's comma. */
	if (parser->at[0] == '0' && tolower(parser->at[1]) == 'x')
		return fail(parser, "a number cannot be read");
	errno = 0;
	if (integer)
		value.integer = strtoll(parser->at, &end, 10);
	else
		value.number = strtod(parser->at, &end);
	if (errno == ERANGE && integer && strncmp(parser->at, "9223372036854775808", 19) == 0 && digits == 19)
		value.integer = INT64_MIN; /* after a minus, which leaves it as it is */
	else if (errno == ERANGE)
		return fail(parser, "a number is out of range");
	if (end == parser->at || name_char(*end))
		return fail(parser, "a number cannot be read");
	parser->at = end;
	return constant(parser, value);
}

static struct pgm_expr *parse_variable(struct parser *parser)
{
	const char *name = ++parser->at;
	while (name_char(*parser->at))
		parser->at++;
	if (parser->at == name)
		return fail(parser, "a variable's name is missing after \":\"");
	struct pgm_expr *expr = node(parser, PGM_EXPR_VARIABLE, NULL, NULL);
	expr->name = pgm_strndup(parser->arena, name, (size_t)(parser->at - name));
	expr->slot = pgm_variable_slot(parser->variables, expr->name);
	return expr;
}

static struct pgm_expr *parse_case(struct parser *parser)
{
	struct pgm_expr *expr = node(parser, PGM_EXPR_CASE, NULL, NULL);
	PGM_VEC(struct pgm_expr *) parts = {0};
	while (accept_word(parser, "when")) {
		struct pgm_expr *condition = parse_or(parser);
		if (!condition)
			return NULL;
		if (!accept_word(parser, "then"))
			return fail(parser, "THEN is missing");
		struct pgm_expr *value = parse_or(parser);
		if (!value)
			return NULL;
		*pgm_vec_add(parser->arena, &parts) = condition;
		*pgm_vec_add(parser->arena, &parts) = value;
	}
	if (!parts.count)
		return fail(parser, "WHEN is missing");
	struct pgm_expr *otherwise = accept_word(parser, "else")
					     ? parse_or(parser)
					     : constant(parser, (struct pgm_load_value){PGM_LOAD_NULL, {0}});
	if (!otherwise)
		return NULL;
	if (!accept_word(parser, "end"))
		return fail(parser, "END is missing");
	*pgm_vec_add(parser->arena, &parts) = otherwise;
	expr->args = parts.items;
	expr->arg_count = parts.count;
	return expr;
}

static struct pgm_expr *parse_call(struct parser *parser, const char *name, size_t length)
{
	size_t found = 0, functions_count = sizeof(functions) / sizeof(*functions);
	while (found < functions_count && (strncasecmp(functions[found].name, name, length) != 0 ||
					   functions[found].name[length] != '\0'))
		found++;
	if (found == functions_count) {
		parser->at = name;
		return fail(parser, "there is no such function");
	}
	struct pgm_expr *expr = node(parser, functions[found].op, NULL, NULL);
	PGM_VEC(struct pgm_expr *) args = {0};
	while (!accept(parser, ")", "")) {
		if (args.count && !accept(parser, ",", ""))
			return fail(parser, "\",\" or \")\" is missing");
		struct pgm_expr *arg = parse_or(parser);
		if (!arg)
			return NULL;
		*pgm_vec_add(parser->arena, &args) = arg;
	}
	int count = (int)args.count;
	if (count < functions[found].min || count > PGM_EXPR_ARGS_MAX ||
	    (functions[found].max != ANY_COUNT && count > functions[found].max)) {
		parser->at = name;
		return fail(parser, "the number of arguments is wrong");
	}
	expr->args = args.items;
	expr->arg_count = args.count;
	return expr;
}

static struct pgm_expr *parse_primary(struct parser *parser)
{
	skip_space(parser);
	if (accept(parser, "(", "")) {
		struct pgm_expr *inner = parse_or(parser);
		if (inner && !accept(parser, ")", ""))
			return fail(parser, "\")\" is missing");
		return inner;
	}
	if (isdigit((unsigned char)*parser->at) ||
	    (*parser->at == '.' && isdigit((unsigned char)parser->at[1])))
		return parse_number(parser);
	if (*parser->at == ':')
		return parse_variable(parser);
	if (accept_word(parser, "null"))
		return constant(parser, (struct pgm_load_value){PGM_LOAD_NULL, {0}});
	if (accept_word(parser, "true"))
		return boolean(parser, true);
	if (accept_word(parser, "false"))
		return boolean(parser, false);
	if (accept_word(parser, "case"))
		return parse_case(parser);
	const char *name = parser->at;
	while (name_char(*parser->at))
		parser->at++;
	size_t length = (size_t)(parser->at - name);
	if (length && accept(parser, "(", ""))
		return parse_call(parser, name, length);
	parser->at = name;
	return fail(parser, *name ? "this is no expression" : "the expression ends too soon");
}

/* Recursion happens here and in parse_or(), so the depth is watched in both. */
static struct pgm_expr *parse_unary(struct parser *parser)
{
	struct pgm_expr *arg;
	if (++parser->depth > PGM_EXPR_DEPTH_MAX)
		return fail(parser, "the expression is nested too deeply");
	if (accept(parser, "-", ""))
		arg = parse_unary(parser), arg = arg ? node(parser, PGM_EXPR_NEGATE, arg, NULL) : NULL;
	else if (accept(parser, "+", ""))
		arg = parse_unary(parser);
	else if (accept(parser, "~", ""))
		arg = parse_unary(parser), arg = arg ? node(parser, PGM_EXPR_BITNOT, arg, NULL) : NULL;
	else
		arg = parse_primary(parser);
	parser->depth--;
	return arg;
}

/* The binary operators, the loosest first. A symbol is none where one of not_before follows. */
struct binary {
	const char *symbol, *not_before;
	enum pgm_expr_op op;
	bool swapped, word;
};

#define LEVELS 6
static const struct binary levels[LEVELS][5] = {
	{{"|", "", PGM_EXPR_BITOR}, {"#", "", PGM_EXPR_BITXOR}},
	{{"&", "", PGM_EXPR_BITAND}},
	{{"<<", "", PGM_EXPR_LEFT}, {">>", "", PGM_EXPR_RIGHT}},
	{{"+", "", PGM_EXPR_ADD}, {"-", "", PGM_EXPR_SUBTRACT}},
	{{"*", "", PGM_EXPR_MULTIPLY}, {"/", "", PGM_EXPR_DIVIDE}, {"%", "", PGM_EXPR_MODULO}},
};

static struct pgm_expr *parse_level(struct parser *parser, int level)
{
	if (level == LEVELS - 1)
		return parse_unary(parser);
	struct pgm_expr *left = parse_level(parser, level + 1);
	while (left) {
		const struct binary *found = levels[level];
		while (found->symbol && !accept(parser, found->symbol, found->not_before))
			found++;
		if (!found->symbol)
			break;
		struct pgm_expr *right = parse_level(parser, level + 1);
		left = right ? node(parser, found->op, left, right) : NULL;
	}
	return left;
}

static struct pgm_expr *parse_comparison(struct parser *parser)
{
	static const struct binary comparisons[] = {
		{"<=", "", PGM_EXPR_LE},       {">=", "", PGM_EXPR_LE, true},
		{"<>", "", PGM_EXPR_NE},       {"!=", "", PGM_EXPR_NE},
		{"=", "", PGM_EXPR_EQ},	       {"<", "<", PGM_EXPR_LT},
		{">", ">", PGM_EXPR_LT, true}, {NULL},
	};
	struct pgm_expr *left = parse_level(parser, 0);
	while (left) {
		const struct binary *found = comparisons;
		while (found->symbol && !accept(parser, found->symbol, found->not_before))
			found++;
		if (!found->symbol)
			break;
		struct pgm_expr *right = parse_level(parser, 0);
		if (!right)
			return NULL;
		left = found->swapped ? node(parser, found->op, right, left)
				      : node(parser, found->op, left, right);
	}
	return left;
}

static struct pgm_expr *parse_is(struct parser *parser)
{
	struct pgm_expr *left = parse_comparison(parser);
	const struct pgm_load_value null = {PGM_LOAD_NULL, {0}};
	while (left) {
		bool negated = false;
		struct pgm_expr *what;
		if (accept_word(parser, "isnull")) {
			what = constant(parser, null);
		} else if (accept_word(parser, "notnull")) {
			what = constant(parser, null);
			negated = true;
		} else if (accept_word(parser, "is")) {
			negated = accept_word(parser, "not");
			if (accept_word(parser, "null"))
				what = constant(parser, null);
			else if (accept_word(parser, "true"))
				what = boolean(parser, true);
			else if (accept_word(parser, "false"))
				what = boolean(parser, false);
			else
				return fail(parser, "NULL, TRUE or FALSE is missing after IS");
		} else {
			break;
		}
		left = node(parser, PGM_EXPR_IS, left, what);
		if (negated)
			left = node(parser, PGM_EXPR_NOT, left, NULL);
	}
	return left;
}

static struct pgm_expr *parse_not(struct parser *parser)
{
	if (!accept_word(parser, "not"))
		return parse_is(parser);
	if (++parser->depth > PGM_EXPR_DEPTH_MAX)
		return fail(parser, "the expression is nested too deeply");
	struct pgm_expr *arg = parse_not(parser);
	parser->depth--;
	return arg ? node(parser, PGM_EXPR_NOT, arg, NULL) : NULL;
}

static struct pgm_expr *parse_and(struct parser *parser)
{
	struct pgm_expr *left = parse_not(parser);
	while (left && accept_word(parser, "and")) {
		struct pgm_expr *right = parse_not(parser);
		left = right ? node(parser, PGM_EXPR_AND, left, right) : NULL;
	}
	return left;
}

static struct pgm_expr *parse_or(struct parser *parser)
{
	if (++parser->depth > PGM_EXPR_DEPTH_MAX)
		return fail(parser, "the expression is nested too deeply");
	struct pgm_expr *left = parse_and(parser);
	while (left && accept_word(parser, "or")) {
		struct pgm_expr *right = parse_and(parser);
		left = right ? node(parser, PGM_EXPR_OR, left, right) : NULL;
	}
	parser->depth--;
	return left;
}

struct pgm_expr *pgm_expr_parse(struct pgm_arena *arena, struct pgm_variables *variables, const char *text,
				struct pgm_error *err)
{
	struct parser parser = {.arena = arena, .variables = variables, .at = text, .err = err};
	struct pgm_expr *expr = parse_or(&parser);
	skip_space(&parser);
	if (expr && *parser.at)
		return fail(&parser, "something is left after the expression");
	return expr;
}
