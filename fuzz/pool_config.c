/*
 * The pooler's files: whatever the bytes are, reading ends with problems that name a place in them, or with a
 * configuration whose settings are read back from what is shown of them, and whose lists are sorted. The
 * first byte says which file it is: u userlist, h HBA, m HBA with a map before the first empty line, others
 * ini.
 */
#include "pool/config/config_parts.h"
#include "pool/config/hba.h"
#include "pool/config/settings.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pgm_config_text text_of(const char *path, const uint8_t *data, size_t size)
{
	struct pgm_config_text text = {.path = path, .bytes = malloc(size + 1), .length = size};
	assert(text.bytes);
	memcpy(text.bytes, data, size);
	text.bytes[size] = '\0';
	return text;
}

static void check_problems(const struct pgm_config_problems *problems, size_t size)
{
	size_t errors = 0;
	for (size_t i = 0; i < problems->count; i++) {
		const struct pgm_config_problem *problem = &problems->items[i];
		assert(problem->line >= 0 && (size_t)problem->line <= size + 1);
		assert(problem->column >= 0 && (size_t)problem->column <= size + 1);
		assert((problem->line > 0) == (problem->column > 0));
		assert(*pgm_config_problem_text(problems, problem));
		errors += !problem->warning;
	}
	assert(errors == problems->errors || problems->count == PGM_CONFIG_PROBLEMS_MAX);
}

static void check_settings(struct pgm_pool_config *config)
{
	for (size_t i = 0; i < pgm_setting_count; i++) {
		struct pgm_error err = {0};
		const char *shown = pgm_setting_show(&pgm_settings[i], config, config->arena);
		if (!shown)
			continue;
		bool parsed = pgm_setting_parse(&pgm_settings[i], config, shown, &err);
		assert(parsed);
		assert(strcmp(pgm_setting_show(&pgm_settings[i], config, config->arena), shown) == 0);
	}
}

static void check_databases(const struct pgm_pool_config *config)
{
	for (size_t i = 0; i < config->database_count; i++) {
		const struct pgm_config_database *database = &config->databases[i];
		assert(*database->name && database->port >= 1 && database->port <= 65535);
		assert(database->dbname || strcmp(database->name, "*") == 0);
		assert(i == 0 || strcmp(config->databases[i - 1].name, database->name) < 0);
		assert(pgm_config_database_find(config, database->name) == database);
	}
	for (size_t i = 0; i < config->user_count; i++)
		assert(pgm_config_user_find(config, config->users[i].name) == &config->users[i]);
}

static void read_ini(struct pgm_pool_config *config, struct pgm_config_text *text,
		     struct pgm_config_problems *problems)
{
	struct pgm_config_reader reader;
	pgm_config_reader_init(&reader, config, problems);
	reader.may_include = false;
	pgm_config_read_ini(&reader, text);
	pgm_config_reader_finish(&reader);
	pgm_config_check(config, problems);
	check_settings(config);
	check_databases(config);
}

static void read_users(struct pgm_pool_config *config, const struct pgm_config_text *text,
		       struct pgm_config_problems *problems)
{
	pgm_config_read_userlist(config, text, problems);
	for (size_t i = 0; i < config->secret_count; i++) {
		const struct pgm_config_secret *secret = &config->secrets[i];
		assert(*secret->user && strlen(secret->user) <= PGM_CONFIG_USER_MAX);
		assert(strlen(secret->secret) <= PGM_CONFIG_SECRET_MAX);
		assert(i == 0 || strcmp(config->secrets[i - 1].user, secret->user) < 0);
		assert(pgm_config_secret_find(config, secret->user) == secret->secret);
	}
}

static void read_rules(struct pgm_pool_config *config, const struct pgm_config_text *rules,
		       const struct pgm_config_text *maps, struct pgm_config_problems *problems)
{
	struct pgm_hba *hba = pgm_hba_read(config->arena, rules, maps, false, problems);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct pgm_hba_client client = {(struct sockaddr *)&six, true, false, "a", "b"};
	const struct pgm_hba_rule *found = pgm_hba_match(hba, &client);
	assert(!found || (found->type != PGM_HBA_LOCAL && found->type != PGM_HBA_HOSTNOSSL));
	for (size_t i = 0; i < hba->count; i++) {
		const struct pgm_hba_rule *rule = &hba->rules[i];
		assert(rule->line > 0);
		assert(!rule->map || rule->method == PGM_AUTH_CERT || rule->method == PGM_AUTH_PEER);
		for (size_t b = 0; b < 16; b++)
			assert((rule->address[b] & ~rule->mask[b]) == 0);
		pgm_hba_maps(rule, "a", "b");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	struct pgm_config_problems problems;
	pgm_config_problems_init(&problems);
	struct pgm_pool_config *config = pgm_pool_config_defaults();
	struct pgm_config_text text = text_of("fuzz", data + 1, size - 1);
	if (!pgm_config_text_check(&text, &problems)) {
		assert(problems.errors == 1);
	} else if (*data == 'u') {
		read_users(config, &text, &problems);
	} else if (*data == 'h') {
		read_rules(config, &text, NULL, &problems);
	} else if (*data == 'm') {
		const char *gap = strstr(text.bytes, "\n\n");
		size_t length = gap ? (size_t)(gap - text.bytes) : text.length;
		struct pgm_config_text maps = text_of("maps", data + 1, length);
		struct pgm_config_text rules = text_of("rules", data + 1 + length, text.length - length);
		read_rules(config, &rules, &maps, &problems);
		pgm_config_text_wipe(&maps);
		pgm_config_text_wipe(&rules);
	} else {
		read_ini(config, &text, &problems);
	}
	check_problems(&problems, size);
	pgm_config_text_wipe(&text);
	pgm_pool_config_free(config);
	pgm_config_problems_done(&problems);
	return 0;
}
