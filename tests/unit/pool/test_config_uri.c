#include "../cmocka_all.h"

#include "pool/config/config_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pgm_config_problems problems;
static char folder[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
	assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
	char path[128];
	(void)state;
	strcpy(folder, "/tmp/pgmend-uri-XXXXXX");
	assert_non_null(mkdtemp(folder));
	static const char *const unset[] = {"PGHOST",	 "PGPORT",    "PGUSER",	   "PGDATABASE", "PGPASSWORD",
					    "PGSERVICE", "PGSSLMODE", "PGAPPNAME", "PGOPTIONS"};
	for (size_t i = 0; i < sizeof(unset) / sizeof(*unset); i++)
		unsetenv(unset[i]);
	setenv("HOME", folder, 1);
	snprintf(path, sizeof(path), "%s/pgpass", folder);
	setenv("PGPASSFILE", path, 1);
	snprintf(path, sizeof(path), "%s/services", folder);
	setenv("PGSERVICEFILE", path, 1);
	write_file("pgpass", "db1:5433:shop:ann:from pgpass\n");
	write_file("services",
		   "[billing]\nhost=db9\nport=7777\nuser=svc\ndbname=bills\npassword=from service\n");
	pgm_config_problems_init(&problems);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	pgm_config_problems_done(&problems);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct pgm_pool_config *config_for(const char *conninfo)
{
	pgm_config_problems_done(&problems);
	pgm_config_problems_init(&problems);
	struct pgm_pool_config *config = pgm_pool_config_for(conninfo, 0, NULL, &problems);
	if (!config)
		fail_msg("%s: %s", conninfo, pgm_config_problem_text(&problems, &problems.items[0]));
	return config;
}

static void refuses(const char *conninfo, const char *expected)
{
	pgm_config_problems_done(&problems);
	pgm_config_problems_init(&problems);
	struct pgm_pool_config *config = pgm_pool_config_for(conninfo, 0, NULL, &problems);
	assert_null(config);
	const char *said = pgm_config_problem_text(&problems, &problems.items[0]);
	if (!strstr(said, expected))
		fail_msg("of %s is said: %s", conninfo, said);
	assert_null(strstr(said, "hunter2"));
}

static void test_defaults(void **state)
{
	(void)state;
	struct pgm_pool_config *config =
		config_for("postgresql://ann:hunter2@localhost:5433/shop?application_name=app");
	const struct pgm_config_database *database = pgm_config_database_find(config, "shop");
	assert_int_equal(problems.count, 0);
	assert_string_equal(database->host, "localhost");
	assert_int_equal(database->port, 5433);
	assert_string_equal(database->dbname, "shop");
	assert_string_equal(database->user, "ann");
	assert_string_equal(database->password, "hunter2");
	assert_string_equal(database->application_name, "app");
	assert_null(pgm_config_database_find(config, "other"));
	assert_string_equal(config->listen_addr, "127.0.0.1");
	assert_int_equal(config->listen_port, 6432);
	assert_null(config->unix_socket_dir);
	assert_int_equal(config->pool_mode, PGM_POOL_TRANSACTION);
	assert_int_equal(config->auth_type, PGM_AUTH_SCRAM);
	assert_string_equal(pgm_config_secret_find(config, "ann"), "hunter2");
	assert_true(pgm_config_in_list(config->admin_users, "ann"));
	assert_int_equal(config->default_pool_size, 2 * sysconf(_SC_NPROCESSORS_ONLN) + 5);
	assert_true(config->reserve_pool_size > 0);
	assert_int_equal(config->server_lifetime_ms, 3600000);
	assert_int_equal(config->server_check_delay_ms, 30000);
	assert_int_equal(config->server_tls.mode, PGM_SSL_PREFER);
	assert_null(config->path);
	pgm_pool_config_free(config);
}

static void test_where_values_come_from(void **state)
{
	(void)state;
	struct pgm_pool_config *config =
		config_for("host=db1 port=5433 user=ann dbname=shop sslmode=require");
	assert_string_equal(config->databases->password, "from pgpass");
	assert_int_equal(config->default_pool_size, 20);
	assert_int_equal(config->server_tls.mode, PGM_SSL_REQUIRE);
	pgm_pool_config_free(config);

	config = config_for("service=billing user=other");
	assert_string_equal(config->databases->name, "bills");
	assert_string_equal(config->databases->host, "db9");
	assert_int_equal(config->databases->port, 7777);
	assert_string_equal(config->databases->user, "other");
	assert_string_equal(config->databases->password, "from service");
	pgm_pool_config_free(config);

	setenv("PGHOST", "/run/pg", 1);
	setenv("PGUSER", "envuser", 1);
	setenv("PGPASSWORD", "from env", 1);
	setenv("PGCONNECT_TIMEOUT", "7", 1);
	config = config_for("shop");
	assert_string_equal(config->databases->dbname, "shop");
	assert_string_equal(config->databases->host, "/run/pg");
	assert_int_equal(config->databases->port, 5432);
	assert_string_equal(config->databases->user, "envuser");
	assert_string_equal(config->databases->password, "from env");
	assert_int_equal(config->server_connect_timeout_ms, 7000);
	unsetenv("PGCONNECT_TIMEOUT");
	pgm_pool_config_free(config);
}

static void test_without_a_password(void **state)
{
	(void)state;
	struct pgm_pool_config *config = config_for("postgresql://bob@db1/shop");
	assert_int_equal(config->auth_type, PGM_AUTH_TRUST);
	assert_null(config->databases->password);
	assert_string_equal(pgm_config_secret_find(config, "bob"), "");
	assert_int_equal(problems.count, 1);
	assert_true(problems.items[0].warning);
	pgm_pool_config_free(config);
}

static void test_several_hosts(void **state)
{
	(void)state;
	struct pgm_pool_config *config = config_for("postgresql://ann:x@db1:5433,db2:5433/shop");
	assert_string_equal(config->databases->host, "db1,db2");
	assert_int_equal(config->databases->port, 5433);
	pgm_pool_config_free(config);
	refuses("postgresql://ann:x@db1:5433,db2:5434/shop", "different ports");
}

static void test_refused(void **state)
{
	(void)state;
	refuses("postgresql://ann:hunter2@db1:port/shop", "port");
	refuses("postgresql://ann:hunter2@[::1/shop", "cannot be read");
	refuses("hosst=db1", "invalid connection option \"hosst\"");
	refuses("service=nix", "definition of service \"nix\" not found");
	refuses("postgresql://ann:hunter2@db1/pgbouncer", "is the console");
	refuses("postgresql://ann:hunter2@db1/x?sslmode=verify-full", "server_tls_ca_file is not set");
	refuses("postgresql://ann:hunter2@db1/x?sslmode=loud", "sslmode: \"loud\" is no mode");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_values_come_from, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_password, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
