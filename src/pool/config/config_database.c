/*
 * The lines of [databases], [users] and [peers]: key=value pairs with blanks between, values bare or in
 * single quotes with '' for a quote, as in PgBouncer's loader.c. Where that takes "10 apples" for 10, this
 * does not. In these lines 0 of a user's timeout and of server_lifetime means "not set", as there.
 */
#include "pool/config/config_parts.h"
#include "pool/config/settings.h"

#include <ctype.h>

enum pair_type {
	PAIR_TEXT,
	PAIR_INT,
	PAIR_SECONDS,	     /* 0 is a value; -1: not set */
	PAIR_SECONDS_OR_NOT, /* 0: not set */
	PAIR_POOL_MODE,
	PAIR_LOAD_BALANCE,
};

struct pair_key {
	const char *name;
	enum pair_type type;
	size_t offset;
	int64_t min, max; /* of PAIR_INT */
	bool secret;
};

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))
#define PAIRS_MAX   64

#define AT(member) offsetof(struct pgm_config_database, member)
static const struct pair_key database_keys[] = {
	{"dbname", PAIR_TEXT, AT(dbname), 0, 0, false},
	{"host", PAIR_TEXT, AT(host), 0, 0, false},
	{"port", PAIR_INT, AT(port), 1, 65535, false},
	{"user", PAIR_TEXT, AT(user), 0, 0, false},
	{"password", PAIR_TEXT, AT(password), 0, 0, true},
	{"auth_user", PAIR_TEXT, AT(auth_user), 0, 0, false},
	{"auth_query", PAIR_TEXT, AT(auth_query), 0, 0, false},
	{"auth_dbname", PAIR_TEXT, AT(auth_dbname), 0, 0, false},
	{"client_encoding", PAIR_TEXT, AT(client_encoding), 0, 0, false},
	{"datestyle", PAIR_TEXT, AT(datestyle), 0, 0, false},
	{"timezone", PAIR_TEXT, AT(timezone), 0, 0, false},
	{"application_name", PAIR_TEXT, AT(application_name), 0, 0, false},
	{"connect_query", PAIR_TEXT, AT(connect_query), 0, 0, false},
	{"pool_mode", PAIR_POOL_MODE, AT(pool_mode), 0, 0, false},
	{"pool_size", PAIR_INT, AT(pool_size), 0, INT32_MAX, false},
	{"min_pool_size", PAIR_INT, AT(min_pool_size), 0, INT32_MAX, false},
	{"reserve_pool_size", PAIR_INT, AT(reserve_pool_size), 0, INT32_MAX, false},
	{"reserve_pool", PAIR_INT, AT(reserve_pool_size), 0, INT32_MAX, false}, /* its old name */
	{"max_db_connections", PAIR_INT, AT(max_db_connections), 0, INT32_MAX, false},
	{"max_db_client_connections", PAIR_INT, AT(max_db_client_connections), 0, INT32_MAX, false},
	{"server_lifetime", PAIR_SECONDS_OR_NOT, AT(server_lifetime_ms), 0, 0, false},
	{"query_timeout", PAIR_SECONDS_OR_NOT, AT(query_timeout_ms), 0, 0, false},
	{"query_wait_timeout", PAIR_SECONDS, AT(query_wait_timeout_ms), 0, 0, false},
	{"load_balance_hosts", PAIR_LOAD_BALANCE, AT(load_balance_round_robin), 0, 0, false},
};
#undef AT

#define AT(member) offsetof(struct pgm_config_user, member)
static const struct pair_key user_keys[] = {
	{"pool_mode", PAIR_POOL_MODE, AT(pool_mode), 0, 0, false},
	{"pool_size", PAIR_INT, AT(pool_size), 0, INT32_MAX, false},
	{"reserve_pool_size", PAIR_INT, AT(reserve_pool_size), 0, INT32_MAX, false},
	{"max_user_connections", PAIR_INT, AT(max_user_connections), 0, INT32_MAX, false},
	{"max_user_client_connections", PAIR_INT, AT(max_user_client_connections), 0, INT32_MAX, false},
	{"query_timeout", PAIR_SECONDS_OR_NOT, AT(query_timeout_ms), 0, 0, false},
	{"query_wait_timeout", PAIR_SECONDS, AT(query_wait_timeout_ms), 0, 0, false},
	{"idle_transaction_timeout", PAIR_SECONDS_OR_NOT, AT(idle_transaction_timeout_ms), 0, 0, false},
	{"transaction_timeout", PAIR_SECONDS_OR_NOT, AT(transaction_timeout_ms), 0, 0, false},
	{"client_idle_timeout", PAIR_SECONDS_OR_NOT, AT(client_idle_timeout_ms), 0, 0, false},
};
#undef AT

#define AT(member) offsetof(struct pgm_config_peer, member)
static const struct pair_key peer_keys[] = {
	{"host", PAIR_TEXT, AT(host), 0, 0, false},
	{"port", PAIR_INT, AT(port), 1, 65535, false},
	{"pool_size", PAIR_INT, AT(pool_size), 0, INT32_MAX, false},
};
#undef AT

struct pairs {
	struct pgm_config_reader *reader;
	const struct pair_key *keys;
	size_t key_count;
	const char *start; /* of the value on its line, for columns */
	struct pgm_config_place place;
	uint64_t seen;
	bool ok;
};

static struct pgm_config_place place_at(const struct pairs *pairs, const char *at)
{
	struct pgm_config_place place = pairs->place;
	place.column += (int)(at - pairs->start);
	return place;
}

static char *skip_blanks(char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

static bool parse_pair(const struct pairs *pairs, const struct pair_key *key, const char *value, void *target,
		       struct pgm_error *err)
{
	int found;
	switch (key->type) {
	case PAIR_TEXT:
		*(const char **)target = pgm_strdup(pairs->reader->config->arena, value);
		return true;
	case PAIR_INT:
		return pgm_setting_int(value, key->min, key->max, target, err);
	case PAIR_SECONDS:
		if (strcmp(value, "-1") == 0) {
			*(int64_t *)target = PGM_UNSET;
			return true;
		}
		return pgm_setting_seconds(value, target, err);
	case PAIR_SECONDS_OR_NOT:
		if (!pgm_setting_seconds(value, target, err))
			return false;
		if (*(int64_t *)target == 0)
			*(int64_t *)target = PGM_UNSET;
		return true;
	case PAIR_POOL_MODE:
		found = pgm_pool_mode_parse(value);
		if (found < 0) {
			pgm_error_set(err, PGM_ERR_INPUT, "\"%.100s\" is no pool mode", value);
			return pgm_error_hint(err, "It is one of: session, transaction, statement.");
		}
		*(enum pgm_pool_mode *)target = (enum pgm_pool_mode)found;
		return true;
	case PAIR_LOAD_BALANCE:
		*(bool *)target = strcasecmp(value, "round-robin") == 0;
		if (*(bool *)target || strcasecmp(value, "disable") == 0)
			return true;
		pgm_error_set(err, PGM_ERR_INPUT, "\"%.100s\" is no way to balance load", value);
		return pgm_error_hint(err, "It is one of: round-robin, disable.");
	}
	return false;
}

static void take_pair(struct pairs *pairs, char *name, char *value, void *target)
{
	struct pgm_config_problems *problems = pairs->reader->problems;
	struct pgm_error err = {0};
	size_t i = 0;
	while (i < pairs->key_count && strcmp(pairs->keys[i].name, name) != 0)
		i++;
	if (i == pairs->key_count) {
		const char *names[PAIRS_MAX];
		for (size_t k = 0; k < pairs->key_count; k++)
			names[k] = pairs->keys[k].name;
		pgm_config_error(problems, place_at(pairs, name),
				 pgm_config_did_you_mean(problems, name, names, pairs->key_count),
				 "there is no parameter \"%.100s\"", name);
		pairs->ok = false;
		return;
	}
	const struct pair_key *key = &pairs->keys[i];
	if (pairs->seen & UINT64_C(1) << i) {
		pgm_config_error(problems, place_at(pairs, name), NULL, "\"%s\" is set twice", name);
		pairs->ok = false;
		return;
	}
	pairs->seen |= UINT64_C(1) << i;
	pairs->reader->holds_secrets |= key->secret;
	if (parse_pair(pairs, key, value, (char *)target + key->offset, &err))
		return;
	/* Where blanks are missing, the value may run into a password. */
	bool may_show = !strcasestr(value, "pass");
	pgm_config_error(problems, place_at(pairs, value), may_show && *err.hint ? err.hint : NULL, "%s: %s",
			 name, may_show ? err.message : "the value is wrong");
	pairs->ok = false;
}

static bool pairs_fail(struct pairs *pairs, const char *at, const char *message)
{
	pgm_config_error(pairs->reader->problems, place_at(pairs, at), NULL, "%s", message);
	return pairs->ok = false;
}

/* A value in place; *rest is after it. */
static char *read_value(struct pairs *pairs, char *at, char **rest)
{
	char *value = at, *start = at;
	if (*at != '\'') {
		while (*at && !isspace((unsigned char)*at))
			at++;
		*rest = *at ? at + 1 : at;
		*at = '\0';
	} else {
		char *out = value = ++at;
		for (; *at && (*at != '\'' || at[1] == '\''); at++) {
			*out++ = *at;
			at += *at == '\'';
		}
		if (!*at)
			return pairs_fail(pairs, start, "the quoted value does not end"), NULL;
		if (at[1] && !isspace((unsigned char)at[1]))
			return pairs_fail(pairs, at + 1, "a blank is missing after the quoted value"), NULL;
		*out = '\0';
		*rest = at + 1;
	}
	if (!*value)
		return pairs_fail(pairs, start, "the value is empty"), NULL;
	return value;
}

/* Whether "key=" of one of the keys begins here. */
static bool is_key(const struct pairs *pairs, const char *at)
{
	size_t length = strcspn(at, "= \t");
	for (size_t i = 0; at[length] == '=' && i < pairs->key_count; i++)
		if (strlen(pairs->keys[i].name) == length && memcmp(pairs->keys[i].name, at, length) == 0)
			return true;
	return false;
}

/* All pairs into target; false where one was wrong. A broken quote ends it: what follows can't be told. */
static bool read_pairs(struct pairs *pairs, char *at, void *target)
{
	pairs->ok = true;
	for (at = skip_blanks(at); *at; at = skip_blanks(at)) {
		char *name = at;
		while (*at && *at != '=' && !isspace((unsigned char)*at))
			at++;
		char *name_end = at;
		at = skip_blanks(at);
		if (*at != '=' || name_end == name)
			return pairs_fail(pairs, *at == '=' ? at : name,
					  name_end == name ? "a parameter's name is missing before ="
							   : "= is missing after a parameter's name");
		char *value = skip_blanks(at + 1);
		if (value > at + 1 && is_key(pairs, value)) {
			*strchr(value, '=') = '\0';
			pgm_config_error(pairs->reader->problems, place_at(pairs, value), NULL,
					 "a value is missing before %s=", value);
			return pairs->ok = false;
		}
		*name_end = '\0';
		value = read_value(pairs, value, &at);
		if (!value)
			return false;
		take_pair(pairs, name, value, target);
	}
	return pairs->ok;
}

static bool name_fits(struct pgm_config_reader *reader, const char *what, const char *name, size_t max,
		      struct pgm_config_place place)
{
	if (strlen(name) <= max)
		return true;
	pgm_config_error(reader->problems, place, NULL, "the name of the %s is longer than %zu bytes", what,
			 max);
	return false;
}

static bool list_has_gap(const char *list)
{
	return !*list || *list == ',' || strstr(list, ",,") || list[strlen(list) - 1] == ',';
}

void pgm_config_read_database(struct pgm_config_reader *reader, const char *name, char *value,
			      struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_config_database database = {
		PGM_CONFIG_DATABASE_UNSET,
		.port = 5432,
		.load_balance_round_robin = true,
		.line = key_place.line,
	};
	struct pairs pairs = {reader, database_keys, COUNT(database_keys), value, value_place, 0, true};
	struct pgm_arena *arena = reader->config->arena;
	if (strcmp(name, "pgbouncer") == 0) {
		pgm_config_error(reader->problems, key_place, NULL,
				 "the database \"pgbouncer\" is the console and can't be defined");
		return;
	}
	if (!name_fits(reader, "database", name, PGM_CONFIG_NAME_MAX, key_place) ||
	    !read_pairs(&pairs, value, &database))
		return;
	if (database.host && list_has_gap(database.host)) {
		pgm_config_error(reader->problems, value_place, NULL, "host: the list has an empty host");
		return;
	}
	if (database.password && !database.user)
		pgm_config_warning(reader->problems, value_place, "Add user=NAME, or use auth_file.",
				   "the password is not used without user");
	database.name = pgm_strdup(arena, name);
	database.file = pgm_strdup(arena, key_place.file);
	if (!database.dbname && strcmp(name, "*") != 0)
		database.dbname = database.name;
	for (size_t i = 0; reader->again && i < reader->databases.count; i++)
		if (strcmp(reader->databases.items[i].name, name) == 0) {
			reader->databases.items[i] = database;
			return;
		}
	*pgm_vec_add(arena, &reader->databases) = database;
}

void pgm_config_read_user(struct pgm_config_reader *reader, const char *name, char *value,
			  struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_config_user user = {
		.pool_mode = PGM_POOL_MODE_UNSET,
		.pool_size = PGM_UNSET,
		.reserve_pool_size = PGM_UNSET,
		.max_user_connections = PGM_UNSET,
		.max_user_client_connections = PGM_UNSET,
		.query_timeout_ms = PGM_UNSET,
		.query_wait_timeout_ms = PGM_UNSET,
		.idle_transaction_timeout_ms = PGM_UNSET,
		.transaction_timeout_ms = PGM_UNSET,
		.client_idle_timeout_ms = PGM_UNSET,
		.line = key_place.line,
	};
	struct pairs pairs = {reader, user_keys, COUNT(user_keys), value, value_place, 0, true};
	struct pgm_arena *arena = reader->config->arena;
	if (!name_fits(reader, "user", name, PGM_CONFIG_USER_MAX, key_place) ||
	    !read_pairs(&pairs, value, &user))
		return;
	user.name = pgm_strdup(arena, name);
	user.file = pgm_strdup(arena, key_place.file);
	for (size_t i = 0; reader->again && i < reader->users.count; i++)
		if (strcmp(reader->users.items[i].name, name) == 0) {
			reader->users.items[i] = user;
			return;
		}
	*pgm_vec_add(arena, &reader->users) = user;
}

void pgm_config_read_peer(struct pgm_config_reader *reader, const char *name, char *value,
			  struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_config_peer peer = {.port = 6432, .pool_size = PGM_UNSET, .line = key_place.line};
	struct pairs pairs = {reader, peer_keys, COUNT(peer_keys), value, value_place, 0, true};
	struct pgm_arena *arena = reader->config->arena;
	struct pgm_error err = {0};
	if (!pgm_setting_int(name, 1, 16383, &peer.id, &err)) {
		pgm_config_error(reader->problems, key_place, NULL, "the peer's id: %s", err.message);
		return;
	}
	if (!read_pairs(&pairs, value, &peer))
		return;
	if (!peer.host) {
		pgm_config_error(reader->problems, value_place, NULL, "the peer has no host");
		return;
	}
	peer.file = pgm_strdup(arena, key_place.file);
	for (size_t i = 0; reader->again && i < reader->peers.count; i++)
		if (reader->peers.items[i].id == peer.id) {
			reader->peers.items[i] = peer;
			return;
		}
	*pgm_vec_add(arena, &reader->peers) = peer;
}
