#include "pool/config/hba.h"

#include <netinet/in.h>
#include <string.h>

static bool names_match(const struct pgm_hba_names *names, const char *name, const char *user)
{
	if (names->all || (names->sameuser && strcmp(name, user) == 0))
		return true;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

static bool address_matches(const struct pgm_hba_rule *rule, const struct sockaddr *address)
{
	const uint8_t *bytes;
	int family = address->sa_family;
	if (rule->any_address)
		return true;
	if (family == AF_INET) {
		bytes = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
	} else if (family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
		bytes = (const uint8_t *)six;
		if (IN6_IS_ADDR_V4MAPPED(six)) {
			bytes += 12;
			family = AF_INET;
		}
	} else {
		return false;
	}
	if (family != rule->family)
		return false;
	size_t length = family == AF_INET ? 4 : 16;
	for (size_t i = 0; i < length; i++)
		if ((bytes[i] ^ rule->address[i]) & rule->mask[i])
			return false;
	return true;
}

static bool connection_matches(const struct pgm_hba_rule *rule, const struct pgm_hba_client *client)
{
	bool local = client->address->sa_family == AF_UNIX;
	switch (rule->type) {
	case PGM_HBA_LOCAL:
		return local;
	case PGM_HBA_HOST:
		return !local && address_matches(rule, client->address);
	case PGM_HBA_HOSTSSL:
		return !local && client->tls && address_matches(rule, client->address);
	case PGM_HBA_HOSTNOSSL:
		return !local && !client->tls && address_matches(rule, client->address);
	}
	return false;
}

const struct pgm_hba_rule *pgm_hba_match(const struct pgm_hba *hba, const struct pgm_hba_client *client)
{
	for (size_t i = 0; i < hba->count; i++) {
		const struct pgm_hba_rule *rule = &hba->rules[i];
		bool database = client->physical_replication
					? rule->databases.replication
					: names_match(&rule->databases, client->database, client->user);
		if (database && connection_matches(rule, client) &&
		    names_match(&rule->users, client->user, client->user))
			return rule;
	}
	return NULL;
}

bool pgm_hba_maps(const struct pgm_hba_rule *rule, const char *system_user, const char *database_user)
{
	if (!rule->map)
		return strcmp(system_user, database_user) == 0;
	for (size_t i = 0; i < rule->map->count; i++) {
		const struct pgm_hba_mapping *mapping = &rule->map->mappings[i];
		if (strcmp(mapping->system_user, system_user) == 0 &&
		    (!mapping->database_user || strcmp(mapping->database_user, database_user) == 0))
			return true;
	}
	return false;
}
