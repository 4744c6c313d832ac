/*
 * Parameters against the route's rows: what is not in a row is refused, so that a mistyped name is never
 * passed over in silence.
 */
#include "serve/http/parts.h"

#include "util/nearest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX  1000
#define TEXTS_MAX 1000
#define NAMES_MAX 64

static const struct pgm_param *find(const struct pgm_route *route, const char *name)
{
	for (const struct pgm_param *param = route->params; param && param->name; param++)
		if (strcmp(param->name, name) == 0)
			return param;
	return NULL;
}

static const struct pgm_param *row_of(const struct pgm_request *request, const char *name)
{
	const struct pgm_param *param = find(request->route, name);
	if (!param)
		abort();
	return param;
}

static const char *query_value(const struct pgm_request *request, const char *name)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (strcmp(request->query[i].name, name) == 0)
			return request->query[i].value;
	return NULL;
}

static bool parse_int(const char *text, int64_t *number)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (end == text || *end || errno || strchr(" \t\n+", *text))
		return false;
	*number = value;
	return true;
}

static bool parse_number(const char *text, double *number)
{
	char *end;
	if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
		return false;
	*number = strtod(text, &end);
	return !*end && isfinite(*number);
}

static bool parse_bool(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

/* "-15m": so long ago. */
static bool parse_ago(const char *text, double *at)
{
	static const struct {
		char unit;
		double seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	char *end;
	if (*text != '-' || text[1] < '0' || text[1] > '9')
		return false;
	double count = strtod(text + 1, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (*end == units[i].unit && !end[1]) {
			*at = (double)time(NULL) - count * units[i].seconds;
			return true;
		}
	return false;
}

static bool parse_time(const char *text, double *at)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (rest && !*rest) {
		*at = (double)timegm(&parts);
		return true;
	}
	if (strcmp(text, "now") == 0) {
		*at = (double)time(NULL);
		return true;
	}
	return parse_ago(text, at) || (parse_number(text, at) && fabs(*at) < 1e12);
}

static bool is_named(const struct pgm_param *param, const char *text)
{
	for (const char *const *name = param->names; *name; name++)
		if (strcmp(*name, text) == 0)
			return true;
	return false;
}

static bool in_range(const struct pgm_param *param, int64_t number)
{
	return (!param->min && !param->max) || (number >= param->min && number <= param->max);
}

/* A body's text may have lines; a NUL is not in any. */
static bool is_text(const struct pgm_param *param, const char *text)
{
	size_t max = param->max > 0 ? (size_t)param->max : TEXT_MAX;
	if (strlen(text) > max)
		return false;
	for (; *text; text++)
		if (((unsigned char)*text < ' ' || *text == 0x7f) &&
		    !(param->where == PGM_IN_BODY && (*text == '\n' || *text == '\t' || *text == '\r')))
			return false;
	return true;
}

static bool query_is_right(const struct pgm_param *param, const char *text)
{
	int64_t number;
	double real;
	bool yes;
	switch (param->type) {
	case PGM_PARAM_TEXT:
		return is_text(param, text);
	case PGM_PARAM_INT:
		return parse_int(text, &number) && in_range(param, number);
	case PGM_PARAM_NUMBER:
		return parse_number(text, &real);
	case PGM_PARAM_BOOL:
		return parse_bool(text, &yes);
	case PGM_PARAM_TIME:
		return parse_time(text, &real);
	case PGM_PARAM_ENUM:
		return is_named(param, text);
	case PGM_PARAM_TEXTS:
		break;
	}
	return false;
}

static bool texts_are_right(const struct pgm_param *param, const json_t *array)
{
	size_t index;
	json_t *item;
	if (!json_is_array(array) || json_array_size(array) > TEXTS_MAX)
		return false;
	json_array_foreach(array, index, item) if (!json_is_string(item) ||
						   !is_text(param, json_string_value(item))) return false;
	return true;
}

static bool body_is_right(const struct pgm_param *param, const json_t *value)
{
	const char *text = json_string_value(value);
	double at;
	switch (param->type) {
	case PGM_PARAM_TEXT:
		return text && is_text(param, text);
	case PGM_PARAM_INT:
		return json_is_integer(value) && in_range(param, json_integer_value(value));
	case PGM_PARAM_NUMBER:
		return json_is_number(value);
	case PGM_PARAM_BOOL:
		return json_is_boolean(value);
	case PGM_PARAM_TIME:
		return json_is_number(value) || (text && parse_time(text, &at));
	case PGM_PARAM_ENUM:
		return text && is_named(param, text);
	case PGM_PARAM_TEXTS:
		return texts_are_right(param, value);
	}
	return false;
}

static const char *wanted(const struct pgm_param *param, struct pgm_arena *arena)
{
	switch (param->type) {
	case PGM_PARAM_TEXT:
		return pgm_sprintf(arena, "a text of at most %lld bytes without control characters",
				   (long long)(param->max > 0 ? param->max : TEXT_MAX));
	case PGM_PARAM_INT:
		return param->min || param->max ? pgm_sprintf(arena, "a whole number from %lld to %lld",
							      (long long)param->min, (long long)param->max)
						: "a whole number";
	case PGM_PARAM_NUMBER:
		return "a number";
	case PGM_PARAM_BOOL:
		return "true or false";
	case PGM_PARAM_TIME:
		return "a time: seconds since 1970, 2026-01-31T12:00:00Z, now, -15m, -2h or -7d";
	case PGM_PARAM_TEXTS:
		return "an array of texts";
	case PGM_PARAM_ENUM:
		break;
	}
	const char *list = "";
	for (const char *const *name = param->names; *name; name++)
		list = pgm_sprintf(arena, "%s%s%s", list, *list ? ", " : "one of ", *name);
	return list;
}

static bool refuse(struct pgm_exchange *exchange, const char *format, const char *name)
{
	pgm_reply_error(&exchange->reply, 400, "bad_parameter", format, name);
	return false;
}

static bool refuse_unknown(struct pgm_exchange *exchange, enum pgm_param_where where, const char *name)
{
	const char *names[NAMES_MAX];
	size_t count = 0;
	const struct pgm_param *param = exchange->request.route->params;
	for (; param && param->name; param++)
		if (param->where == where && count < NAMES_MAX)
			names[count++] = param->name;
	refuse(exchange,
	       where == PGM_IN_QUERY ? "there is no parameter \"%.100s\""
				     : "the body has a member \"%.100s\", which is not known",
	       name);
	const char *nearest = pgm_nearest(name, names, count);
	if (nearest)
		pgm_reply_hint(&exchange->reply, "Did you mean \"%s\"?", nearest);
	return false;
}

static bool refuse_value(struct pgm_exchange *exchange, const struct pgm_param *param)
{
	refuse(exchange, "the value of \"%s\" is of no use", param->name);
	pgm_reply_hint(&exchange->reply, "It must be %s.", wanted(param, exchange->request.arena));
	return false;
}

static bool check_query(struct pgm_exchange *exchange)
{
	const struct pgm_request *request = &exchange->request;
	for (size_t i = 0; i < request->query_count; i++) {
		const struct pgm_http_query *pair = &request->query[i];
		const struct pgm_param *param = find(request->route, pair->name);
		if (!param || param->where != PGM_IN_QUERY)
			return refuse_unknown(exchange, PGM_IN_QUERY, pair->name);
		if (query_value(request, pair->name) != pair->value)
			return refuse(exchange, "the parameter \"%s\" is there twice", pair->name);
		if (!query_is_right(param, pair->value))
			return refuse_value(exchange, param);
	}
	return true;
}

static bool check_members(struct pgm_exchange *exchange)
{
	const char *name;
	json_t *value;
	json_object_foreach(exchange->request.body, name, value)
	{
		const struct pgm_param *param = find(exchange->request.route, name);
		if (!param || param->where != PGM_IN_BODY)
			return refuse_unknown(exchange, PGM_IN_BODY, name);
		if (!json_is_null(value) && !body_is_right(param, value))
			return refuse_value(exchange, param);
	}
	return true;
}

static json_t *member(const struct pgm_request *request, const char *name)
{
	json_t *value = json_object_get(request->body, name);
	return json_is_null(value) ? NULL : value;
}

static bool check_required(struct pgm_exchange *exchange)
{
	const struct pgm_param *param = exchange->request.route->params;
	for (; param && param->name; param++) {
		bool given = param->where == PGM_IN_QUERY
				     ? query_value(&exchange->request, param->name) != NULL
				     : member(&exchange->request, param->name) != NULL;
		if (!param->required || given)
			continue;
		refuse(exchange,
		       param->where == PGM_IN_QUERY ? "the parameter \"%s\" is missing"
						    : "the body has no member \"%s\"",
		       param->name);
		pgm_reply_hint(&exchange->reply, "It must be %s.", wanted(param, exchange->request.arena));
		return false;
	}
	return true;
}

bool pgm_params_check(struct pgm_exchange *exchange)
{
	struct pgm_request *request = &exchange->request;
	struct pgm_error err = {0};
	request->query_count = exchange->url.query_count;
	memcpy(request->query, exchange->url.query, sizeof(request->query));
	if (exchange->body_length) {
		request->body = pgm_body_parse(exchange->body, exchange->body_length, &err);
		if (!request->body) {
			pgm_reply_error(&exchange->reply, 400, "bad_json", "%s", err.message);
			return false;
		}
	}
	return check_query(exchange) && check_members(exchange) && check_required(exchange);
}

/* Reading them. */

static const char *given_text(const struct pgm_request *request, const char *name)
{
	return row_of(request, name)->where == PGM_IN_QUERY ? query_value(request, name)
							    : json_string_value(member(request, name));
}

const char *pgm_request_text(const struct pgm_request *request, const char *name, const char *fallback)
{
	const char *text = given_text(request, name);
	return text ? text : fallback;
}

/* What was given: a value of the body or a text of the query; neither: nothing. */
struct given {
	const json_t *value;
	const char *text;
};

static struct given given(const struct pgm_request *request, const char *name)
{
	if (row_of(request, name)->where == PGM_IN_BODY)
		return (struct given){.value = member(request, name)};
	return (struct given){.text = query_value(request, name)};
}

int64_t pgm_request_int(const struct pgm_request *request, const char *name, int64_t fallback)
{
	const struct given it = given(request, name);
	int64_t number = it.value ? json_integer_value(it.value) : fallback;
	return it.text && !parse_int(it.text, &number) ? fallback : number;
}

double pgm_request_number(const struct pgm_request *request, const char *name, double fallback)
{
	const struct given it = given(request, name);
	double number = it.value ? json_number_value(it.value) : fallback;
	return it.text && !parse_number(it.text, &number) ? fallback : number;
}

bool pgm_request_bool(const struct pgm_request *request, const char *name, bool fallback)
{
	const struct given it = given(request, name);
	bool yes = it.value ? json_is_true(it.value) : fallback;
	return it.text && !parse_bool(it.text, &yes) ? fallback : yes;
}

double pgm_request_time(const struct pgm_request *request, const char *name, double fallback)
{
	const json_t *value = row_of(request, name)->where == PGM_IN_BODY ? member(request, name) : NULL;
	const char *text = given_text(request, name);
	double at = json_is_number(value) ? json_number_value(value) : fallback;
	if (text && !parse_time(text, &at))
		return fallback;
	return at;
}

size_t pgm_request_texts(const struct pgm_request *request, const char *name, const char ***texts)
{
	const json_t *array = row_of(request, name)->where == PGM_IN_BODY ? member(request, name) : NULL;
	size_t count = json_array_size(array);
	*texts = PGM_NEW_ARRAY(request->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++)
		(*texts)[i] = json_string_value(json_array_get(array, i));
	return count;
}
