#include "serve/config/config.h"

#include "pool/config/config_parts.h"

#include "pg/conninfo.h"
#include "util/buf.h"
#include "util/utf8.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct pgm_serve_config *config;
	const struct pgm_serve_checks *checks;
	struct pgm_config_problems *problems;
	bool any; /* line was read */
	PGM_VEC(struct pgm_serve_target) targets;
	PGM_VEC(struct pgm_serve_line) alerts, chores;
};

static const struct pgm_setting *find_setting(const char *key)
{
	return pgm_setting_find_in(pgm_serve_settings, pgm_serve_setting_count, key);
}

static bool set(struct pgm_serve_config *config, const char *key, const char *value, struct pgm_error *err)
{
	const struct pgm_setting *setting = find_setting(key);
	if (setting)
		return pgm_setting_parse_into(setting, config, config->arena, value, err) ||
		       pgm_error_context(err, "%s", key);
	const char *nearest = pgm_setting_nearest_in(pgm_serve_settings, pgm_serve_setting_count, key);
	pgm_error_set(err, PGM_ERR_INPUT, "there is no setting \"%.100s\" in [serve]", key);
	return nearest && pgm_error_hint(err, "Did you mean \"%s\"?", nearest);
}

struct pgm_serve_config *pgm_serve_config_defaults(void)
{
	struct pgm_arena *arena = pgm_arena_new(0);
	struct pgm_serve_config *config = PGM_NEW(arena, struct pgm_serve_config);
	config->arena = arena;
	pgm_setting_defaults(pgm_serve_settings, pgm_serve_setting_count, config, arena);
	return config;
}

void pgm_serve_config_free(struct pgm_serve_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->target_count; i++) {
		char *conninfo = (char *)(uintptr_t)config->targets[i].conninfo;
		explicit_bzero(conninfo, strlen(conninfo));
	}
	pgm_pool_config_free(config->pool);
	pgm_arena_free(config->arena);
}

struct pgm_pool_config *pgm_serve_config_take_pool(struct pgm_serve_config *config)
{
	struct pgm_pool_config *pool = config->pool;
	config->pool = NULL;
	return pool;
}

/* What failed may hold a password: only the library's message, which does not, is said. */
static void add_problem(struct reading *reading, struct pgm_config_place place, const struct pgm_error *err)
{
	pgm_config_error(reading->problems, place, *err->hint ? err->hint : NULL, "%s", err->message);
}

static void read_target(struct reading *reading, const char *name, const char *value,
			struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_error err = {0};
	struct pgm_arena *arena = reading->config->arena;
	size_t length = strlen(name);
	if (length > PGM_CONFIG_NAME_MAX || pgm_utf8_sound((const unsigned char *)name, length) < length) {
		pgm_config_error(reading->problems, key_place, NULL, "a name is at most %d bytes of UTF-8",
				 PGM_CONFIG_NAME_MAX);
		return;
	}
	if (!*value) {
		pgm_config_error(reading->problems, value_place,
				 "Write NAME = postgresql://USER@HOST/DATABASE, or key=value pairs.",
				 "\"%.100s\" has no connection string", name);
		return;
	}
	if (!pgm_conninfo_check(value, &err)) {
		add_problem(reading, value_place, &err);
		return;
	}
	*pgm_vec_add(arena, &reading->targets) =
		(struct pgm_serve_target){.name = pgm_strdup(arena, name),
					  .conninfo = pgm_strdup(arena, value),
					  .file = pgm_strdup(arena, key_place.file),
					  .line = key_place.line};
}

static void read_setting(struct reading *reading, const char *key, const char *value,
			 struct pgm_config_place key_place, struct pgm_config_place value_place)
{
	struct pgm_error err = {0};
	bool known = find_setting(key) != NULL;
	if (!set(reading->config, key, value, &err))
		add_problem(reading, known ? value_place : key_place, &err);
}

static struct pgm_serve_line line_of(struct pgm_arena *arena, const char *key, const char *value,
				     struct pgm_config_place place)
{
	return (struct pgm_serve_line){pgm_strdup(arena, key), pgm_strdup(arena, value),
				       pgm_strdup(arena, place.file), place.line};
}

static void read_line(void *data, const char *section, const char *key, const char *value,
		      struct pgm_config_place key_place, struct pgm_config_place value_place,
		      bool *holds_secrets)
{
	struct reading *reading = data;
	struct pgm_arena *arena = reading->config->arena;
	const struct pgm_serve_checks *checks = reading->checks;
	struct pgm_error err = {0};
	reading->any = true;
	if (strcmp(section, "serve") == 0) {
		read_setting(reading, key, value, key_place, value_place);
	} else if (strcmp(section, "watch") == 0) {
		*holds_secrets |= strstr(value, "password") || (strstr(value, "://") && strchr(value, '@'));
		read_target(reading, key, value, key_place, value_place);
	} else if (strcmp(section, "alerts") == 0) {
		*pgm_vec_add(arena, &reading->alerts) = line_of(arena, key, value, key_place);
		if (checks && checks->alert && !checks->alert(key, value, &err))
			add_problem(reading, value_place, &err);
	} else {
		*pgm_vec_add(arena, &reading->chores) = line_of(arena, key, value, key_place);
		if (checks && checks->chore && !checks->chore(key, value, &err))
			add_problem(reading, value_place, &err);
	}
}

/* key='value' with what libpq needs escaped; nothing where there is no value. */
static void add_pair(struct pgm_buf *buf, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	pgm_buf_printf(buf, "%s%s='", buf->length ? " " : "", key);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			pgm_buf_char(buf, '\\');
		pgm_buf_char(buf, *value);
	}
	pgm_buf_char(buf, '\'');
}

/* As the pooler itself would reach it. A stored verifier is no password. */
static const char *conninfo_of(const struct pgm_serve_config *config,
			       const struct pgm_config_database *database)
{
	struct pgm_buf buf;
	pgm_buf_init(&buf, config->arena);
	const char *user = database->user	? database->user
			   : config->watch_user ? config->watch_user
						: config->pool->auth_user;
	const char *password = database->password;
	if (!password && user) {
		password = pgm_config_secret_find(config->pool, user);
		if (password && (strncmp(password, "md5", 3) == 0 || strncmp(password, "SCRAM-", 6) == 0))
			password = NULL;
	}
	add_pair(&buf, "host", database->host);
	if (database->port != PGM_UNSET && database->port > 0)
		add_pair(&buf, "port", pgm_sprintf(config->arena, "%lld", (long long)database->port));
	add_pair(&buf, "dbname", database->dbname ? database->dbname : database->name);
	add_pair(&buf, "user", user);
	add_pair(&buf, "password", password);
	return buf.text;
}

static struct pgm_serve_target *find_target(struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->targets.count; i++)
		if (strcmp(reading->targets.items[i].name, name) == 0)
			return &reading->targets.items[i];
	return NULL;
}

/* A line of [watch] says how a pooled database of that name is reached for watching. */
static void add_pooled(struct reading *reading)
{
	struct pgm_serve_config *config = reading->config;
	for (size_t i = 0; i < config->pool->database_count; i++) {
		const struct pgm_config_database *database = &config->pool->databases[i];
		struct pgm_serve_target *target = find_target(reading, database->name);
		if (strcmp(database->name, "*") == 0)
			continue;
		if (!target) {
			target = pgm_vec_add(config->arena, &reading->targets);
			*target = (struct pgm_serve_target){.name = pgm_strdup(config->arena, database->name),
							    .conninfo = conninfo_of(config, database),
							    .file = pgm_strdup(config->arena, database->file),
							    .line = database->line};
		}
		target->pooled = true;
	}
}

static int compare_targets(const void *a, const void *b)
{
	return strcmp(((const struct pgm_serve_target *)a)->name, ((const struct pgm_serve_target *)b)->name);
}

static void finish(struct reading *reading)
{
	struct pgm_serve_config *config = reading->config;
	config->targets = reading->targets.items;
	config->target_count = reading->targets.count;
	config->alerts = reading->alerts.items;
	config->alert_count = reading->alerts.count;
	config->chores = reading->chores.items;
	config->chore_count = reading->chores.count;
	if (config->target_count)
		qsort(config->targets, config->target_count, sizeof(*config->targets), compare_targets);
}

static void override(struct reading *reading, const struct pgm_serve_override *overrides)
{
	struct pgm_error err = {0};
	for (; overrides && overrides->key; overrides++)
		if (!set(reading->config, overrides->key, overrides->value, &err))
			add_problem(reading, (struct pgm_config_place){0}, &err);
}

struct pgm_serve_config *pgm_serve_config_read(const char *path, const struct pgm_serve_override *overrides,
					       const struct pgm_serve_checks *checks,
					       struct pgm_config_problems *problems)
{
	size_t errors = problems->errors;
	struct reading reading = {
		.config = pgm_serve_config_defaults(), .checks = checks, .problems = problems};
	struct pgm_serve_config *config = reading.config;
	struct pgm_config_others others = {&reading, read_line};
	bool has_pool = false;
	config->path = pgm_strdup(config->arena, path);
	struct pgm_pool_config *pool = pgm_pool_config_read_with(path, &others, &has_pool, problems);
	if (pool && has_pool)
		config->pool = pool;
	else
		pgm_pool_config_free(pool);
	config->has_pool = has_pool;
	if (config->pool)
		add_pooled(&reading);
	finish(&reading);
	override(&reading, overrides);
	if (pool || has_pool || reading.any)
		pgm_serve_config_check(config, problems);
	if (problems->errors == errors)
		return config;
	pgm_serve_config_free(config);
	return NULL;
}

struct pgm_serve_config *pgm_serve_config_for(const char *conninfo,
					      const struct pgm_serve_override *overrides,
					      struct pgm_config_problems *problems)
{
	struct pgm_error err = {0};
	size_t errors = problems->errors;
	struct pgm_conninfo info;
	struct pgm_serve_config *config = pgm_serve_config_defaults();
	struct reading reading = {.config = config, .problems = problems};
	if (!pgm_conninfo_resolve(conninfo, config->arena, &info, &err) || !info.dbname) {
		add_problem(&reading, (struct pgm_config_place){0}, &err);
		pgm_serve_config_free(config);
		return NULL;
	}
	/* the password, which resolving found, stays where it came from: libpq will find it again */
	if (info.password)
		explicit_bzero(info.password, strlen(info.password));
	*pgm_vec_add(config->arena, &reading.targets) = (struct pgm_serve_target){
		.name = info.dbname, .conninfo = pgm_strdup(config->arena, conninfo)};
	finish(&reading);
	override(&reading, overrides);
	pgm_serve_config_check(config, problems);
	if (problems->errors == errors)
		return config;
	pgm_serve_config_free(config);
	return NULL;
}
