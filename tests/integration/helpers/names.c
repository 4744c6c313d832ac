/*
 * A name server for test_pool_hosts.py, to be preloaded: names that end with ".test" are those of the file
 * that PGMT_NAMES names, with lines "NAME ADDRESS...". A name without addresses is not found; one whose first
 * address is "?" gets no answer until the file says something else.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* What the file says of it, after the name; false: nothing. */
static int read_line(const char *name, char line[1024])
{
	FILE *file = fopen(getenv("PGMT_NAMES"), "re");
	size_t length = strlen(name);
	int found = 0;
	while (file && !found && fgets(line, 1024, file))
		found = strncmp(line, name, length) == 0 && line[length] == ' ';
	if (file)
		fclose(file);
	if (found)
		memmove(line, line + length, strlen(line + length) + 1);
	return found;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
	const char *end = name ? strrchr(name, '.') : NULL;
	char line[1024], *rest = line;
	if (!end || strcmp(end, ".test") != 0 || (hints && hints->ai_flags & AI_NUMERICHOST))
		return real(name, service, hints, list);
	struct addrinfo only_numbers = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST},
			**last = list;
	int found;
	while ((found = read_line(name, line)) && strchr(line, '?'))
		usleep(20000);
	*list = NULL;
	for (char *address; found && (address = strtok_r(rest, " \n", &rest));) {
		if (real(address, service, &only_numbers, last) != 0)
			abort();
		while (*last)
			last = &(*last)->ai_next;
	}
	return *list ? 0 : EAI_NONAME;
}
