/*
 * The OpenAPI 3.1 document, made of the route tables. docs/openapi.json is the same, held to it by a test.
 */
#include "serve/api/api.h"

#include <ctype.h>
#include <string.h>

static json_t *schema_of(const struct pgm_param *param)
{
	json_t *schema = json_object(), *names;
	switch (param->type) {
	case PGM_PARAM_TEXT:
		json_object_set_new(schema, "type", json_string("string"));
		json_object_set_new(schema, "maxLength", json_integer(param->max > 0 ? param->max : 1000));
		break;
	case PGM_PARAM_INT:
		json_object_set_new(schema, "type", json_string("integer"));
		if (param->min || param->max) {
			json_object_set_new(schema, "minimum", json_integer(param->min));
			json_object_set_new(schema, "maximum", json_integer(param->max));
		}
		break;
	case PGM_PARAM_NUMBER:
		json_object_set_new(schema, "type", json_string("number"));
		break;
	case PGM_PARAM_BOOL:
		json_object_set_new(schema, "type", json_string("boolean"));
		break;
	case PGM_PARAM_TIME:
		json_object_set_new(schema, "type", json_pack("[s, s]", "string", "number"));
		json_object_set_new(schema, "examples",
				    json_pack("[s, s, i]", "-1h", "2026-01-31T12:00:00Z", 1769860800));
		break;
	case PGM_PARAM_ENUM:
		names = json_array();
		for (const char *const *name = param->names; *name; name++)
			json_array_append_new(names, json_string(*name));
		json_object_set_new(schema, "type", json_string("string"));
		json_object_set_new(schema, "enum", names);
		break;
	case PGM_PARAM_TEXTS:
		json_object_set_new(schema, "type", json_string("array"));
		json_object_set_new(schema, "items", json_pack("{s:s}", "type", "string"));
		break;
	}
	return schema;
}

static json_t *path_params(const char *path)
{
	json_t *list = json_array();
	for (const char *at = strchr(path, '{'); at; at = strchr(at, '{')) {
		size_t length = strcspn(++at, "}");
		json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", at, length, "in",
						      "path", "required", 1, "schema", "type", "string"));
	}
	return list;
}

static void add_query_params(json_t *list, const struct pgm_route *route)
{
	const struct pgm_param *param = route->params;
	for (; param && param->name; param++)
		if (param->where == PGM_IN_QUERY)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", param->name, "in",
						"query", "required", param->required, "description",
						param->help ? param->help : "", "schema", schema_of(param)));
}

static json_t *body_of(const struct pgm_route *route)
{
	json_t *members = json_object(), *required = json_array();
	const struct pgm_param *param = route->params;
	for (; param && param->name; param++) {
		if (param->where != PGM_IN_BODY)
			continue;
		json_t *schema = schema_of(param);
		json_object_set_new(schema, "description", json_string(param->help ? param->help : ""));
		json_object_set_new(members, param->name, schema);
		if (param->required)
			json_array_append_new(required, json_string(param->name));
	}
	bool needed = json_array_size(required) > 0;
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", members,
				   "additionalProperties", 0);
	if (needed)
		json_object_set(schema, "required", required);
	json_decref(required);
	return json_pack("{s:b, s:{s:{s:o}}}", "required", needed, "content", "application/json", "schema",
			 schema);
}

static json_t *answer(const char *description, const char *type, const char *schema)
{
	if (!schema)
		return json_pack("{s:s, s:{s:{}}}", "description", description, "content", type);
	return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", description, "content", type, "schema",
			 "$ref", schema);
}

static json_t *responses_of(const struct pgm_route *route)
{
	json_t *all = json_object();
	bool json = !(route->flags & (PGM_ROUTE_STREAM | PGM_ROUTE_TEXT));
	const char *type = route->flags & PGM_ROUTE_STREAM ? "text/event-stream"
			   : json			   ? "application/json"
							   : "text/plain";
	json_object_set_new(all, route->flags & PGM_ROUTE_ACCEPTED ? "202" : "200",
			    answer(route->flags & PGM_ROUTE_ACCEPTED ? "a job was queued" : "done", type,
				   json ? "#/components/schemas/Success" : NULL));
	json_object_set_new(all, "default",
			    answer("refused or failed", "application/json", "#/components/schemas/Failure"));
	return all;
}

/* "get_databases_db_summary": for generators of clients. */
static json_t *operation_id(const struct pgm_route *route)
{
	char id[256];
	size_t length = 0;
	for (const char *at = pgm_method_name(route->method); *at; at++)
		id[length++] = (char)tolower((unsigned char)*at);
	const char *path = strncmp(route->path, "/api/v1", 7) == 0 ? route->path + 7 : route->path;
	for (; *path && length < sizeof(id) - 1; path++)
		if (isalnum((unsigned char)*path))
			id[length++] = *path;
		else if (id[length - 1] != '_')
			id[length++] = '_';
	while (id[length - 1] == '_')
		length--;
	return json_stringn(id, length);
}

static json_t *operation_of(const struct pgm_route *route)
{
	json_t *params = path_params(route->path);
	add_query_params(params, route);
	json_t *operation = json_pack("{s:o, s:s, s:[s], s:o}", "operationId", operation_id(route), "summary",
				      route->summary, "tags", route->tag ? route->tag : "other", "responses",
				      responses_of(route));
	if (json_array_size(params))
		json_object_set(operation, "parameters", params);
	json_decref(params);
	if (route->method == PGM_POST || route->method == PGM_PUT)
		json_object_set_new(operation, "requestBody", body_of(route));
	json_object_set_new(operation, "x-role", json_string(pgm_role_name(route->role)));
	if (route->role == PGM_ROLE_NONE)
		json_object_set_new(operation, "security", json_array());
	return operation;
}

static json_t *paths(void)
{
	static const char *const names[] = {"get", "post", "put", "delete"};
	json_t *all = json_object();
	for (const struct pgm_route *const *table = pgm_api_tables; *table; table++)
		for (const struct pgm_route *route = *table; route->path; route++) {
			json_t *path = json_object_get(all, route->path);
			if (!path) {
				path = json_object();
				json_object_set_new(all, route->path, path);
			}
			json_object_set_new(path, names[route->method], operation_of(route));
		}
	return all;
}

static json_t *components(void)
{
	json_t *error = json_pack("{s:s, s:[s, s], s:{s:{s:s}, s:{s:s}, s:{s:s}}}", "type", "object",
				  "required", "code", "message", "properties", "code", "type", "string",
				  "message", "type", "string", "hint", "type", "string");
	json_t *success = json_pack("{s:s, s:[s, s], s:{s:{s:b}, s:{}}}", "type", "object", "required",
				    "success", "data", "properties", "success", "const", 1, "data");
	json_t *failure = json_pack("{s:s, s:[s, s], s:{s:{s:b}, s:o}}", "type", "object", "required",
				    "success", "error", "properties", "success", "const", 0, "error", error);
	return json_pack("{s:{s:{s:s, s:s}}, s:{s:o, s:o}}", "securitySchemes", "token", "type", "http",
			 "scheme", "bearer", "schemas", "Success", success, "Failure", failure);
}

json_t *pgm_api_openapi(void)
{
	return json_pack(
		"{s:s, s:{s:s, s:s, s:s}, s:[{s:[]}], s:o, s:o}", "openapi", "3.1.0", "info", "title",
		"pgmend serve", "version", PGM_VERSION, "description",
		"Every answer of JSON is {\"success\": true, \"data\": ...} or {\"success\": false, "
		"\"error\": "
		"{\"code\", \"message\", \"hint\"}}. Tokens go into the header Authorization: Bearer TOKEN. "
		"x-role is the least role that may ask.",
		"security", "token", "paths", paths(), "components", components());
}
