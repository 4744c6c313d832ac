#include "serve/http/origin.h"

#include "pool/config/config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 256

/* The name without brackets, port and a last dot, in small letters; false: that is no host. */
static bool take_name(const char *host, char name[HOST_MAX])
{
	const char *start = host, *end;
	if (*host == '[') {
		start++;
		end = strchr(start, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
	} else {
		end = host + strcspn(host, ":");
	}
	const char *port = *end == ']' ? end + 1 : end;
	if (*port == ':' && strspn(port + 1, "0123456789") != strlen(port + 1))
		return false;
	size_t length = (size_t)(end - start);
	if (length > 1 && start[length - 1] == '.')
		length--;
	if (length == 0 || length >= HOST_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		name[i] = (char)tolower((unsigned char)start[i]);
	name[length] = '\0';
	return true;
}

bool pgm_origin_host_allowed(const char *host, const char *allowed)
{
	char name[HOST_MAX];
	struct in6_addr address;
	if (!host || !take_name(host, name))
		return false;
	if (strcmp(name, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, name, &address) == 1)
		return *host != '[';
	if (inet_pton(AF_INET6, name, &address) == 1)
		return *host == '[';
	return pgm_config_in_list(allowed, name);
}

/* What browsers leave out of both. */
static bool same_port(const char *one, const char *other, bool tls)
{
	const char *standard = tls ? "443" : "80";
	const char *a = *one == ':' && one[1] ? one + 1 : standard;
	const char *b = *other == ':' && other[1] ? other + 1 : standard;
	return strcmp(a, b) == 0;
}

static const char *port_of(const char *host)
{
	const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
	const char *from = bracket ? bracket + 1 : host;
	return from + strcspn(from, ":");
}

bool pgm_origin_matches(const char *origin, const char *host, bool tls)
{
	char one[HOST_MAX], other[HOST_MAX];
	const char *scheme = tls ? "https://" : "http://";
	size_t length = strlen(scheme);
	/* Behind a proxy that speaks TLS, the page is of https and we are not. */
	if (!tls && strncasecmp(origin, "https://", 8) == 0) {
		length = 8;
		tls = true;
	} else if (strncasecmp(origin, scheme, length) != 0) {
		return false;
	}
	origin += length;
	return take_name(origin, one) && take_name(host, other) && strcmp(one, other) == 0 &&
	       same_port(port_of(origin), port_of(host), tls);
}
