/* What is asked of a configuration that has been read: lookups, its life, and SET. */
#include "pool/config/config_parts.h"
#include "pool/config/settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pgm_pool_config *pgm_pool_config_defaults(void)
{
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_pool_config *config = PGM_NEW(arena, struct pgm_pool_config);
	config->arena = arena;
	atomic_init(&config->references, 1);
	pgm_setting_defaults(pgm_settings, pgm_setting_count, config, arena);
	return config;
}

static void wipe(const char *secret)
{
	if (secret)
		explicit_bzero((char *)secret, strlen(secret));
}

static void release(struct pgm_pool_config *config)
{
	if (atomic_fetch_sub(&config->references, 1) != 1)
		return;
	struct pgm_pool_config *root = config->root;
	if (!root)
		for (size_t i = 0; i < config->database_count; i++)
			wipe(config->databases[i].password);
	if (!root || root->secrets != config->secrets)
		for (size_t i = 0; i < config->secret_count; i++)
			wipe(config->secrets[i].secret);
	pgm_arena_free(config->arena);
	if (root)
		release(root);
}

void pgm_pool_config_free(struct pgm_pool_config *config)
{
	if (config)
		release(config);
}

/* Databases, users and secrets are sorted, and each begins with its name. */
static const void *find_sorted(const void *items, size_t count, size_t size, const char *name)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const void *item = (const char *)items + middle * size;
		int order = strcmp(*(const char *const *)item, name);
		if (order == 0)
			return item;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static_assert(offsetof(struct pgm_config_database, name) == 0, "find_sorted() reads it");
static_assert(offsetof(struct pgm_config_user, name) == 0, "find_sorted() reads it");
static_assert(offsetof(struct pgm_config_secret, user) == 0, "find_sorted() reads it");

const struct pgm_config_database *pgm_config_database_find(const struct pgm_pool_config *config,
							   const char *name)
{
	const void *found =
		find_sorted(config->databases, config->database_count, sizeof(*config->databases), name);
	return found ? found
		     : find_sorted(config->databases, config->database_count, sizeof(*config->databases),
				   "*");
}

const struct pgm_config_user *pgm_config_user_find(const struct pgm_pool_config *config, const char *name)
{
	return find_sorted(config->users, config->user_count, sizeof(*config->users), name);
}

const char *pgm_config_secret_find(const struct pgm_pool_config *config, const char *user)
{
	const struct pgm_config_secret *found =
		find_sorted(config->secrets, config->secret_count, sizeof(*config->secrets), user);
	return found ? found->secret : NULL;
}

bool pgm_config_in_list(const char *list, const char *name)
{
	size_t length = strlen(name);
	while (list && *list && length) {
		while (*list == ',' || isspace((unsigned char)*list))
			list++;
		const char *end = list + strcspn(list, ",");
		const char *last = end;
		while (last > list && isspace((unsigned char)last[-1]))
			last--;
		if ((size_t)(last - list) == length && memcmp(list, name, length) == 0)
			return true;
		list = end;
	}
	return false;
}

/* Texts move into the copy's own arena, so that it needs no other than the root's. */
static struct pgm_pool_config *copy_settings(const struct pgm_pool_config *config)
{
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_pool_config *copy = PGM_NEW(arena, struct pgm_pool_config);
	*copy = *config;
	copy->arena = arena;
	/* The configuration itself does not change by being shared. */
	copy->root = config->root ? config->root : (struct pgm_pool_config *)config;
	atomic_init(&copy->references, 1);
	atomic_fetch_add(&copy->root->references, 1);
	for (size_t i = 0; i < pgm_setting_count; i++)
		if (pgm_settings[i].type == PGM_SETTING_TEXT) {
			const char **text = (const char **)((char *)copy + pgm_settings[i].offset);
			*text = pgm_strdup(arena, *text);
		}
	return copy;
}

/* Whether users and HBA must be read anew: the setting is about them, or they are not the root's. */
static bool changes_users(const struct pgm_setting *setting, const struct pgm_pool_config *copy)
{
	return strncmp(setting->name, "auth_", 5) == 0 || copy->secrets != copy->root->secrets ||
	       copy->hba != copy->root->hba;
}

struct pgm_pool_config *pgm_pool_config_with(const struct pgm_pool_config *config, const char *key,
					     const char *value, struct pgm_error *err)
{
	const struct pgm_setting *setting = pgm_setting_named(key, err);
	if (!setting)
		return NULL;
	if (setting->flags & PGM_SETTING_FIXED) {
		pgm_error_set(err, PGM_ERR_INPUT, "\"%s\" can't be changed without a restart", key);
		return NULL;
	}
	struct pgm_pool_config *copy = copy_settings(config);
	if (!pgm_setting_parse(setting, copy, value, err)) {
		pgm_error_context(err, "%s", key);
		pgm_pool_config_free(copy);
		return NULL;
	}
	struct pgm_config_problems problems;
	pgm_config_problems_init(&problems);
	/* A configuration of a connection string has its users from there. */
	if (changes_users(setting, copy) && copy->path)
		pgm_config_read_auth_files(copy, &problems);
	pgm_config_check(copy, &problems);
	const struct pgm_config_problem *first = problems.items;
	while (problems.errors && first->warning && first < problems.items + problems.count - 1)
		first++;
	if (problems.errors) {
		pgm_error_set(err, PGM_ERR_INPUT, "%s", pgm_config_problem_text(&problems, first));
		if (first->hint)
			pgm_error_hint(err, "%s", first->hint);
		pgm_pool_config_free(copy);
		copy = NULL;
	}
	pgm_config_problems_done(&problems);
	return copy;
}
