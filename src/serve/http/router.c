#include "serve/http/parts.h"

#include <stdlib.h>
#include <string.h>

static const char *const method_names[] = {"GET", "POST", "PUT", "DELETE"};

const char *pgm_method_name(enum pgm_method method)
{
	return method_names[method];
}

/* Whether the segments are those of the route's path; parts gets what stands for its {name}s. */
static bool matches(const char *path, const struct pgm_url *url, const char **parts)
{
	size_t segment = 0, part = 0;
	while (*path == '/' && path[1]) {
		path++;
		size_t length = strcspn(path, "/");
		if (segment == url->segment_count)
			return false;
		const char *given = url->segments[segment++];
		if (*path == '{') {
			if (part == PGM_HTTP_PARTS_MAX)
				abort();
			parts[part++] = given;
		} else if (strlen(given) != length || memcmp(given, path, length) != 0) {
			return false;
		}
		path += length;
	}
	return segment == url->segment_count;
}

/* A word goes before a {name} in its place: /jobs/all before /jobs/{id}. */
static bool is_plain(const char *path)
{
	return !strchr(path, '{');
}

const struct pgm_route *pgm_router_find(const struct pgm_route *const *tables, enum pgm_method method,
					const struct pgm_url *url, struct pgm_request *request,
					unsigned *methods)
{
	const struct pgm_route *found = NULL;
	*methods = 0;
	for (; *tables; tables++)
		for (const struct pgm_route *route = *tables; route->path; route++) {
			const char *parts[PGM_HTTP_PARTS_MAX] = {0};
			if (!matches(route->path, url, parts))
				continue;
			*methods |= 1u << route->method;
			if (route->method != method || (found && !is_plain(route->path)))
				continue;
			found = route;
			memcpy(request->parts, parts, sizeof(parts));
		}
	return found;
}

const char *pgm_request_part(const struct pgm_request *request, const char *name)
{
	size_t length = strlen(name), index = 0;
	for (const char *at = strchr(request->route->path, '{'); at; at = strchr(at + 1, '{'), index++)
		if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '}')
			return request->parts[index];
	abort();
}
