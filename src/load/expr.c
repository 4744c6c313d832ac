#include "load/expr.h"

#include "load/expr_node.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pgm_variables_init(struct pgm_variables *variables, struct pgm_arena *arena)
{
	memset(variables, 0, sizeof(*variables));
	variables->arena = arena;
	pgm_map_init(&variables->map, arena);
}

bool pgm_variable_find(const struct pgm_variables *variables, const char *name, size_t *slot)
{
	const char *found = pgm_map_get(&variables->map, name);
	if (found)
		*slot = (size_t)(uintptr_t)found - 1;
	return found != NULL;
}

size_t pgm_variable_slot(struct pgm_variables *variables, const char *name)
{
	size_t slot;
	if (pgm_variable_find(variables, name, &slot))
		return slot;
	slot = variables->names.count;
	*pgm_vec_add(variables->arena, &variables->names) = pgm_strdup(variables->arena, name);
	/* The map holds pointers: a slot is kept as one, and NULL is none. */
	pgm_map_set(&variables->map, variables->names.items[slot], (void *)(uintptr_t)(slot + 1));
	return slot;
}

static bool fail(struct pgm_eval *eval, const char *format, const char *name)
{
	snprintf(eval->problem, sizeof(eval->problem), format, name);
	return false;
}

static struct pgm_load_value of_int(int64_t integer)
{
	return (struct pgm_load_value){PGM_LOAD_INT, {.integer = integer}};
}

static struct pgm_load_value of_double(double number)
{
	return (struct pgm_load_value){PGM_LOAD_DOUBLE, {.number = number}};
}

static struct pgm_load_value of_bool(bool boolean)
{
	return (struct pgm_load_value){PGM_LOAD_BOOL, {.boolean = boolean}};
}

static bool is_number(const struct pgm_load_value *value)
{
	return value->kind == PGM_LOAD_INT || value->kind == PGM_LOAD_DOUBLE;
}

/* What a text from \gset or -D is: NULL, a boolean, an integer or a number. */
static bool read_text(struct pgm_eval *eval, const char *name, const char *text,
		      struct pgm_load_value *result)
{
	char *end;
	errno = 0;
	int64_t integer = strtoll(text, &end, 10);
	if (*text && !*end && errno == 0) {
		*result = of_int(integer);
		return true;
	}
	double number = strtod(text, &end);
	if (*text && !*end) {
		*result = of_double(number);
		return true;
	}
	bool yes = !strcasecmp(text, "t") || !strcasecmp(text, "true") || !strcasecmp(text, "on") ||
		   !strcasecmp(text, "yes");
	if (yes || !strcasecmp(text, "f") || !strcasecmp(text, "false") || !strcasecmp(text, "off") ||
	    !strcasecmp(text, "no")) {
		*result = of_bool(yes);
		return true;
	}
	if (strcasecmp(text, "null") == 0) {
		result->kind = PGM_LOAD_NULL;
		return true;
	}
	return fail(eval, "the variable \"%s\" is neither a number nor a boolean", name);
}

static bool eval_variable(const struct pgm_expr *expr, struct pgm_eval *eval, struct pgm_load_value *result)
{
	*result = eval->values[expr->slot];
	if (result->kind == PGM_LOAD_UNSET)
		return fail(eval, "the variable \"%s\" has no value", expr->name);
	return result->kind != PGM_LOAD_TEXT || read_text(eval, expr->name, result->text, result);
}

bool pgm_load_value_true(const struct pgm_load_value *value)
{
	switch (value->kind) {
	case PGM_LOAD_BOOL:
		return value->boolean;
	case PGM_LOAD_INT:
		return value->integer != 0;
	case PGM_LOAD_DOUBLE:
		return value->number != 0;
	default:
		return false;
	}
}

/* Three-valued AND and OR, which look at their second argument only where they must. */
static bool eval_logic(const struct pgm_expr *expr, struct pgm_eval *eval, struct pgm_load_value *result)
{
	struct pgm_load_value left, right;
	bool or = expr->op == PGM_EXPR_OR;
	if (!pgm_expr_eval(expr->args[0], eval, &left))
		return false;
	if (left.kind != PGM_LOAD_NULL && pgm_load_value_true(&left) == or) {
		*result = of_bool(or);
		return true;
	}
	if (!pgm_expr_eval(expr->args[1], eval, &right))
		return false;
	if (right.kind != PGM_LOAD_NULL && pgm_load_value_true(&right) == or)
		*result = of_bool(or);
	else if (left.kind == PGM_LOAD_NULL || right.kind == PGM_LOAD_NULL)
		result->kind = PGM_LOAD_NULL;
	else
		*result = of_bool(! or);
	return true;
}

static bool eval_case(const struct pgm_expr *expr, struct pgm_eval *eval, struct pgm_load_value *result)
{
	for (size_t i = 0; i + 1 < expr->arg_count; i += 2) {
		struct pgm_load_value condition;
		if (!pgm_expr_eval(expr->args[i], eval, &condition))
			return false;
		if (pgm_load_value_true(&condition))
			return pgm_expr_eval(expr->args[i + 1], eval, result);
	}
	return pgm_expr_eval(expr->args[expr->arg_count - 1], eval, result);
}

static double number_of(const struct pgm_load_value *value)
{
	return value->kind == PGM_LOAD_DOUBLE ? value->number
	       : value->kind == PGM_LOAD_INT  ? (double)value->integer
					      : value->boolean;
}

static bool to_int(struct pgm_eval *eval, const struct pgm_load_value *value, int64_t *integer)
{
	if (value->kind != PGM_LOAD_DOUBLE) {
		*integer = value->kind == PGM_LOAD_INT ? value->integer : value->boolean;
		return true;
	}
	double rounded = rint(value->number);
	if (!(rounded >= -0x1.0p63 && rounded < 0x1.0p63))
		return fail(eval, "a double is out of %s's range", "bigint");
	*integer = (int64_t)rounded;
	return true;
}

static bool compare(enum pgm_expr_op op, const struct pgm_load_value *a, const struct pgm_load_value *b)
{
	if (a->kind == PGM_LOAD_INT && b->kind == PGM_LOAD_INT)
		return op == PGM_EXPR_LT   ? a->integer < b->integer
		       : op == PGM_EXPR_LE ? a->integer <= b->integer
					   : (a->integer == b->integer) == (op == PGM_EXPR_EQ);
	double x = number_of(a), y = number_of(b);
	return op == PGM_EXPR_LT ? x < y : op == PGM_EXPR_LE ? x <= y : (x == y) == (op == PGM_EXPR_EQ);
}

static bool divide(struct pgm_eval *eval, bool modulo, int64_t a, int64_t b, struct pgm_load_value *result)
{
	if (b == 0)
		return fail(eval, "division by zero%s", "");
	if (b == -1 && !modulo && a == INT64_MIN)
		return fail(eval, "%s out of range", "bigint");
	*result = of_int(b == -1 ? (modulo ? 0 : -a) : modulo ? a % b : a / b);
	return true;
}

static bool integer_arithmetic(enum pgm_expr_op op, struct pgm_eval *eval, int64_t a, int64_t b,
			       struct pgm_load_value *result)
{
	int64_t out;
	bool overflow = false;
	switch (op) {
	case PGM_EXPR_ADD:
		overflow = __builtin_add_overflow(a, b, &out);
		break;
	case PGM_EXPR_SUBTRACT:
		overflow = __builtin_sub_overflow(a, b, &out);
		break;
	case PGM_EXPR_MULTIPLY:
		overflow = __builtin_mul_overflow(a, b, &out);
		break;
	default:
		return divide(eval, op == PGM_EXPR_MODULO, a, b, result);
	}
	if (overflow)
		return fail(eval, "%s out of range", "bigint");
	*result = of_int(out);
	return true;
}

static bool arithmetic(enum pgm_expr_op op, struct pgm_eval *eval, const struct pgm_load_value *args,
		       struct pgm_load_value *result)
{
	if (op == PGM_EXPR_MODULO || (args[0].kind != PGM_LOAD_DOUBLE && args[1].kind != PGM_LOAD_DOUBLE)) {
		int64_t a, b;
		return to_int(eval, &args[0], &a) && to_int(eval, &args[1], &b) &&
		       integer_arithmetic(op, eval, a, b, result);
	}
	double a = number_of(&args[0]), b = number_of(&args[1]);
	*result = of_double(op == PGM_EXPR_ADD	      ? a + b
			    : op == PGM_EXPR_SUBTRACT ? a - b
			    : op == PGM_EXPR_MULTIPLY ? a * b
						      : a / b);
	return true;
}

static bool bits(enum pgm_expr_op op, struct pgm_eval *eval, const struct pgm_load_value *args,
		 struct pgm_load_value *result)
{
	int64_t a, b;
	if (!to_int(eval, &args[0], &a) || !to_int(eval, &args[1], &b))
		return false;
	unsigned shift = (unsigned)b & 63;
	*result = of_int(op == PGM_EXPR_BITOR	 ? a | b
			 : op == PGM_EXPR_BITXOR ? a ^ b
			 : op == PGM_EXPR_BITAND ? a & b
			 : op == PGM_EXPR_LEFT	 ? (int64_t)((uint64_t)a << shift)
						 : a >> shift);
	return true;
}

static bool random_number(enum pgm_expr_op op, struct pgm_eval *eval, const struct pgm_load_value *args,
			  struct pgm_load_value *result)
{
	int64_t low, high;
	double parameter = op == PGM_EXPR_RANDOM ? 0 : number_of(&args[2]);
	if (!to_int(eval, &args[0], &low) || !to_int(eval, &args[1], &high))
		return false;
	if (low > high)
		return fail(eval, "the range of %s is empty", "random()");
	if (op == PGM_EXPR_RANDOM) {
		*result = of_int(pgm_random_range(eval->random, low, high));
	} else if (op == PGM_EXPR_RANDOM_EXPONENTIAL) {
		if (!(parameter > 0))
			return fail(eval, "the parameter of %s must be above 0", "random_exponential()");
		*result = of_int(pgm_random_exponential(eval->random, low, high, parameter));
	} else if (op == PGM_EXPR_RANDOM_GAUSSIAN) {
		if (!(parameter >= PGM_GAUSSIAN_MIN))
			return fail(eval, "the parameter of %s must be at least 2", "random_gaussian()");
		*result = of_int(pgm_random_gaussian(eval->random, low, high, parameter));
	} else {
		if (!(parameter >= PGM_ZIPFIAN_MIN && parameter <= PGM_ZIPFIAN_MAX))
			return fail(eval, "the parameter of %s must be from 1.001 to 1000",
				    "random_zipfian()");
		*result = of_int(pgm_random_zipfian(eval->random, low, high, parameter));
	}
	return true;
}

static bool hashed(const struct pgm_expr *expr, struct pgm_eval *eval, const struct pgm_load_value *args,
		   struct pgm_load_value *result)
{
	int64_t value, second = 0, seed = eval->default_seed;
	bool permute = expr->op == PGM_EXPR_PERMUTE;
	size_t seed_at = permute ? 2 : 1;
	if (!to_int(eval, &args[0], &value) || (permute && !to_int(eval, &args[1], &second)) ||
	    (expr->arg_count > seed_at && !to_int(eval, &args[seed_at], &seed)))
		return false;
	if (permute && second <= 0)
		return fail(eval, "the size of %s must be above 0", "permute()");
	*result = of_int(permute			   ? pgm_permute(value, second, seed)
			 : expr->op == PGM_EXPR_HASH_FNV1A ? pgm_hash_fnv1a(value, seed)
							   : pgm_hash_murmur2(value, seed));
	return true;
}

static void extreme(const struct pgm_expr *expr, const struct pgm_load_value *args,
		    struct pgm_load_value *result)
{
	bool doubles = false;
	*result = args[0];
	for (size_t i = 0; i < expr->arg_count; i++) {
		doubles |= args[i].kind == PGM_LOAD_DOUBLE;
		if (expr->op == PGM_EXPR_LEAST ? compare(PGM_EXPR_LT, &args[i], result)
					       : compare(PGM_EXPR_LT, result, &args[i]))
			*result = args[i];
	}
	if (doubles)
		*result = of_double(number_of(result));
}

static bool one_number(const struct pgm_expr *expr, struct pgm_eval *eval, const struct pgm_load_value *arg,
		       struct pgm_load_value *result)
{
	int64_t integer;
	double number = number_of(arg);
	switch (expr->op) {
	case PGM_EXPR_NEGATE:
	case PGM_EXPR_ABS:
		if (arg->kind == PGM_LOAD_DOUBLE)
			*result = of_double(expr->op == PGM_EXPR_ABS ? fabs(number) : -number);
		else if (arg->integer == INT64_MIN && expr->arg_count &&
			 expr->args[0]->op == PGM_EXPR_CONSTANT)
			*result = *arg; /* -9223372036854775808 */
		else if (arg->integer == INT64_MIN)
			return fail(eval, "%s out of range", "bigint");
		else
			*result = of_int(expr->op == PGM_EXPR_ABS && arg->integer > 0 ? arg->integer
										      : -arg->integer);
		return true;
	case PGM_EXPR_TO_INT:
	case PGM_EXPR_BITNOT:
		if (!to_int(eval, arg, &integer))
			return false;
		*result = of_int(expr->op == PGM_EXPR_BITNOT ? ~integer : integer);
		return true;
	case PGM_EXPR_EXP:
		*result = of_double(exp(number));
		return true;
	case PGM_EXPR_LN:
		*result = of_double(log(number));
		return true;
	case PGM_EXPR_SQRT:
		*result = of_double(sqrt(number));
		return true;
	default:
		*result = of_double(number);
		return true;
	}
}

static bool power(const struct pgm_load_value *args, struct pgm_load_value *result)
{
	*result = of_double(pow(number_of(&args[0]), number_of(&args[1])));
	return true;
}

/* What takes numbers alone and has all of them. */
static bool eval_call(const struct pgm_expr *expr, struct pgm_eval *eval, const struct pgm_load_value *args,
		      struct pgm_load_value *result)
{
	switch (expr->op) {
	case PGM_EXPR_LT:
	case PGM_EXPR_LE:
	case PGM_EXPR_EQ:
	case PGM_EXPR_NE:
		*result = of_bool(compare(expr->op, &args[0], &args[1]));
		return true;
	case PGM_EXPR_ADD:
	case PGM_EXPR_SUBTRACT:
	case PGM_EXPR_MULTIPLY:
	case PGM_EXPR_DIVIDE:
	case PGM_EXPR_MODULO:
		return arithmetic(expr->op, eval, args, result);
	case PGM_EXPR_BITOR:
	case PGM_EXPR_BITXOR:
	case PGM_EXPR_BITAND:
	case PGM_EXPR_LEFT:
	case PGM_EXPR_RIGHT:
		return bits(expr->op, eval, args, result);
	case PGM_EXPR_RANDOM:
	case PGM_EXPR_RANDOM_EXPONENTIAL:
	case PGM_EXPR_RANDOM_GAUSSIAN:
	case PGM_EXPR_RANDOM_ZIPFIAN:
		return random_number(expr->op, eval, args, result);
	case PGM_EXPR_HASH_FNV1A:
	case PGM_EXPR_HASH_MURMUR2:
	case PGM_EXPR_PERMUTE:
		return hashed(expr, eval, args, result);
	case PGM_EXPR_LEAST:
	case PGM_EXPR_GREATEST:
		extreme(expr, args, result);
		return true;
	case PGM_EXPR_POWER:
		return power(args, result);
	case PGM_EXPR_PI:
		*result = of_double(M_PI);
		return true;
	default:
		return one_number(expr, eval, &args[0], result);
	}
}

static bool eval_args(const struct pgm_expr *expr, struct pgm_eval *eval, struct pgm_load_value *result)
{
	struct pgm_load_value args[PGM_EXPR_ARGS_MAX] = {0};
	bool may_be_bool = expr->op == PGM_EXPR_EQ || expr->op == PGM_EXPR_NE || expr->op == PGM_EXPR_TO_INT;
	for (size_t i = 0; i < expr->arg_count; i++)
		if (!pgm_expr_eval(expr->args[i], eval, &args[i]))
			return false;
	if (expr->op == PGM_EXPR_DEBUG) {
		*result = args[0];
		return true;
	}
	for (size_t i = 0; i < expr->arg_count; i++) {
		if (args[i].kind == PGM_LOAD_NULL) {
			result->kind = PGM_LOAD_NULL;
			return true;
		}
		if (!is_number(&args[i]) && !may_be_bool)
			return fail(eval, "a number is needed where there is a %s", "boolean");
	}
	return eval_call(expr, eval, args, result);
}

bool pgm_expr_eval(const struct pgm_expr *expr, struct pgm_eval *eval, struct pgm_load_value *result)
{
	struct pgm_load_value value;
	switch (expr->op) {
	case PGM_EXPR_CONSTANT:
		*result = expr->constant;
		return true;
	case PGM_EXPR_VARIABLE:
		return eval_variable(expr, eval, result);
	case PGM_EXPR_OR:
	case PGM_EXPR_AND:
		return eval_logic(expr, eval, result);
	case PGM_EXPR_CASE:
		return eval_case(expr, eval, result);
	case PGM_EXPR_NOT:
		if (!pgm_expr_eval(expr->args[0], eval, &value))
			return false;
		*result = value.kind == PGM_LOAD_NULL ? value : of_bool(!pgm_load_value_true(&value));
		return true;
	case PGM_EXPR_IS:
		if (!pgm_expr_eval(expr->args[0], eval, &value))
			return false;
		*result = of_bool(
			value.kind == expr->args[1]->constant.kind &&
			(value.kind != PGM_LOAD_BOOL || value.boolean == expr->args[1]->constant.boolean));
		return true;
	default:
		return eval_args(expr, eval, result);
	}
}

const char *pgm_load_value_sql(const struct pgm_load_value *value, char *buffer, size_t size)
{
	switch (value->kind) {
	case PGM_LOAD_BOOL:
		return value->boolean ? "true" : "false";
	case PGM_LOAD_INT:
		snprintf(buffer, size, "%" PRId64, value->integer);
		return buffer;
	case PGM_LOAD_DOUBLE:
		snprintf(buffer, size, "%.15g", value->number);
		return buffer;
	case PGM_LOAD_TEXT:
		return value->text;
	default:
		return NULL;
	}
}
