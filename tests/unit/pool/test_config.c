#include "../cmocka_all.h"

#include "pool/config/config_parts.h"
#include "pool/config/hba.h"
#include "pool/config/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct state {
	char folder[64];
	char cwd[512];
	struct pgm_config_problems problems;
};

static void write_file(const struct state *state, const char *name, const char *text, size_t length)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", state->folder, name);
	FILE *stream = fopen(path, "wb");
	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, length, stream), length);
	fclose(stream);
	assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **out)
{
	struct state *state = calloc(1, sizeof(*state));
	assert_non_null(getcwd(state->cwd, sizeof(state->cwd)));
	strcpy(state->folder, "/tmp/pgmend-config-XXXXXX");
	assert_non_null(mkdtemp(state->folder));
	assert_int_equal(chdir(state->folder), 0);
	write_file(state, "users", "\"ann\" \"secret\"\n", 15);
	pgm_config_problems_init(&state->problems);
	*out = state;
	return 0;
}

static int teardown(void **out)
{
	struct state *state = *out;
	char command[128];
	pgm_config_problems_done(&state->problems);
	assert_int_equal(chdir(state->cwd), 0);
	snprintf(command, sizeof(command), "rm -rf %s", state->folder);
	assert_int_equal(system(command), 0);
	free(state);
	return 0;
}

static struct pgm_pool_config *read_text(struct state *state, const char *text)
{
	write_file(state, "pool.ini", text, strlen(text));
	pgm_config_problems_done(&state->problems);
	pgm_config_problems_init(&state->problems);
	return pgm_pool_config_read("pool.ini", &state->problems);
}

static const char *said(struct state *state)
{
	char *all = pgm_strdup(state->problems.arena, "");
	for (size_t i = 0; i < state->problems.count; i++) {
		const struct pgm_config_problem *problem = &state->problems.items[i];
		all = pgm_sprintf(state->problems.arena, "%s%s%s%s\n", all,
				  pgm_config_problem_text(&state->problems, problem),
				  problem->hint ? " | " : "", problem->hint ? problem->hint : "");
	}
	return all;
}

static struct pgm_pool_config *read_ok(struct state *state, const char *text)
{
	struct pgm_pool_config *config = read_text(state, text);
	if (!config)
		fail_msg("%s", said(state));
	return config;
}

/* The text is refused, and among what is said is each of the expected. */
static void refuses(struct state *state, const char *text, const char *expected)
{
	struct pgm_pool_config *config = read_text(state, text);
	const char *all = said(state);
	if (config)
		fail_msg("accepted:\n%s\n%s", text, all);
	if (!strstr(all, expected))
		fail_msg("of:\n%s\nis said:\n%s\nnot: %s", text, all, expected);
}

#define MAIN "[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_file = users\n"

static void test_defaults(void **data)
{
	struct pgm_pool_config *config = read_ok(*data, MAIN);
	assert_int_equal(config->listen_port, 6432);
	assert_int_equal(config->pool_mode, PGM_POOL_SESSION);
	assert_int_equal(config->auth_type, PGM_AUTH_MD5);
	assert_int_equal(config->max_client_conn, 100);
	assert_int_equal(config->default_pool_size, 20);
	assert_int_equal(config->server_lifetime_ms, 3600000);
	assert_int_equal(config->query_wait_timeout_ms, 120000);
	assert_int_equal(config->unix_socket_mode, 0777);
	assert_int_equal(config->server_tls.mode, PGM_SSL_PREFER);
	assert_int_equal(config->client_tls.mode, PGM_SSL_DISABLE);
	assert_int_equal(config->slow_query_ms, 50);
	assert_true(config->profile);
	assert_false(config->strict);
	assert_string_equal(config->server_reset_query, "DISCARD ALL");
	assert_string_equal(config->server_check_query, "<empty>");
	assert_string_equal(config->track_extra_parameters, "IntervalStyle");
	assert_null(config->auth_user);
	assert_null(config->logfile);
	assert_string_equal(pgm_config_secret_find(config, "ann"), "secret");
	assert_null(pgm_config_secret_find(config, "bob"));
	pgm_pool_config_free(config);
}

static void test_every_default_is_read_back(void **data)
{
	struct pgm_pool_config *config = read_ok(*data, MAIN);
	PGM_AUTO_ARENA arena = pgm_arena_new(0);
	for (size_t i = 0; i < pgm_setting_count; i++) {
		const struct pgm_setting *setting = &pgm_settings[i];
		struct pgm_error err = {0};
		const char *shown = pgm_setting_show(setting, config, arena);
		if (i)
			assert_true(strcmp(pgm_settings[i - 1].name, setting->name) < 0);
		if (!shown)
			continue;
		assert_true(pgm_setting_parse(setting, config, shown, &err));
		assert_string_equal(pgm_setting_show(setting, config, arena), shown);
	}
	pgm_pool_config_free(config);
}

static void test_databases(void **data)
{
	struct pgm_pool_config *config = read_ok(
		*data, MAIN
		"[databases]\n"
		"foodb =\n"
		"bardb = host=localhost dbname=bazdb\n"
		"forcedb = host=localhost port=300 user=baz password='it''s a \"b\"' client_encoding=UNICODE "
		"datestyle=ISO connect_query='SELECT 1'\n"
		"'Odd name' = pool_size = 5   pool_mode=Transaction reserve_pool=3 "
		"load_balance_hosts=disable\n"
		"\"say \"\"x\"\"\" = host=a,b server_lifetime=1.5 query_wait_timeout=-1\n"
		"* = host=/run/postgresql\tmin_pool_size=2\n");
	const struct pgm_config_database *found = pgm_config_database_find(config, "foodb");
	assert_string_equal(found->dbname, "foodb");
	assert_null(found->host);
	assert_int_equal(found->port, 5432);
	assert_int_equal(found->pool_size, PGM_UNSET);
	assert_int_equal(found->pool_mode, PGM_POOL_MODE_UNSET);
	found = pgm_config_database_find(config, "bardb");
	assert_string_equal(found->dbname, "bazdb");
	found = pgm_config_database_find(config, "forcedb");
	assert_int_equal(found->port, 300);
	assert_string_equal(found->password, "it's a \"b\"");
	assert_string_equal(found->connect_query, "SELECT 1");
	found = pgm_config_database_find(config, "Odd name");
	assert_int_equal(found->pool_size, 5);
	assert_int_equal(found->pool_mode, PGM_POOL_TRANSACTION);
	assert_int_equal(found->reserve_pool_size, 3);
	assert_false(found->load_balance_round_robin);
	found = pgm_config_database_find(config, "say \"x\"");
	assert_int_equal(found->server_lifetime_ms, 1500);
	assert_int_equal(found->query_wait_timeout_ms, PGM_UNSET);
	assert_int_equal(found->line, 9);
	found = pgm_config_database_find(config, "no such");
	assert_string_equal(found->name, "*");
	assert_null(found->dbname);
	assert_string_equal(found->host, "/run/postgresql");
	assert_int_equal(found->min_pool_size, 2);
	pgm_pool_config_free(config);
}

static void test_users_and_peers(void **data)
{
	struct pgm_pool_config *config = read_ok(
		*data,
		MAIN "peer_id = 1\n[users]\nann = pool_mode=session max_user_connections=3 query_timeout=0\n"
		     "[peers]\n1 = host=/tmp/1\n2 = host=b port=7000 pool_size=4\n");
	const struct pgm_config_user *user = pgm_config_user_find(config, "ann");
	assert_int_equal(user->pool_mode, PGM_POOL_SESSION);
	assert_int_equal(user->max_user_connections, 3);
	assert_int_equal(user->query_timeout_ms, PGM_UNSET);
	assert_null(pgm_config_user_find(config, "bob"));
	assert_int_equal(config->peer_count, 2);
	assert_int_equal(config->peers[0].port, 6432);
	assert_int_equal(config->peers[1].id, 2);
	assert_int_equal(config->peers[1].pool_size, 4);
	pgm_pool_config_free(config);
}

static void test_odd_forms_are_read(void **data)
{
	struct pgm_pool_config *config = read_ok(
		*data, "; a comment\r\n\r\n[pgbouncer] # more\r\n  listen_addr=*\r\nauth_file = users\r\n"
		       "max_client_conn = 0x64  \r\nlog_connections=off\r\nquery_timeout = "
		       "0.0001\r\nlisten_port=7000");
	assert_string_equal(config->listen_addr, "*");
	assert_int_equal(config->max_client_conn, 100);
	assert_false(config->log_connections);
	assert_int_equal(config->query_timeout_ms, 1);
	assert_int_equal(config->listen_port, 7000);
	pgm_pool_config_free(config);
}

static void test_wrong_settings(void **data)
{
	refuses(*data, MAIN "default_pool_sze = 3\n",
		"pool.ini:4:1: there is no setting \"default_pool_sze\" | Did you mean "
		"\"default_pool_size\"?");
	refuses(*data, MAIN "pool_sze = 3\n",
		"pool.ini:4:1: there is no setting \"pool_sze\" | Did you mean");
	refuses(*data, MAIN "listen_port = 10 apples\n",
		"pool.ini:4:15: listen_port: \"10 apples\" is no whole number");
	refuses(*data, MAIN "listen_port = -1\n", "pool.ini:4:15: listen_port: -1 is out of range");
	refuses(*data, MAIN "listen_port = 70000\n", "from 1 to 65535");
	refuses(*data, MAIN "max_client_conn = 99999999999999999999\n", "out of range");
	refuses(*data, MAIN "max_client_conn = 5 ; five\n", "is no whole number");
	refuses(*data, MAIN "max_client_conn =\n", "a whole number is missing");
	refuses(*data, MAIN "query_timeout = -0.5\n", "-0.5 seconds are out of range");
	refuses(*data, MAIN "query_timeout = 1e3\n", "is no number of seconds");
	refuses(*data, MAIN "query_timeout = inf\n", "is no number of seconds");
	refuses(*data, MAIN "query_timeout = 10s\n", "is no number of seconds");
	refuses(*data, MAIN "stats_period = 1.5\n", "is no whole number of seconds");
	refuses(*data, MAIN "pool_mode = transactional\n",
		"\"transactional\" is no value of pool_mode | It is one of: session, transaction, "
		"statement.");
	refuses(*data, MAIN "auth_type = pam\n", "PgBouncer's pam is not supported");
	refuses(*data, MAIN "log_connections = maybe\n", "is neither 0 nor 1");
	refuses(*data, MAIN "listen_port = 1\nlisten_port = 2\n",
		"pool.ini:5:1: \"listen_port\" is set twice | It is set before at pool.ini:4.");
}

static void test_wrong_lines(void **data)
{
	refuses(*data, MAIN "[database]\nx = host=y\n",
		"pool.ini:4:2: there is no section [database] | Did you mean \"databases\"?");
	refuses(*data, MAIN "[databases\n", "pool.ini:4:1: the section's name does not end in ]");
	refuses(*data, "listen_port = 1\n" MAIN,
		"pool.ini:1:1: \"listen_port\" stands before the first section");
	refuses(*data, "[databases]\nx = host=y\n", "pool.ini: there is no section [pgbouncer]");
	refuses(*data, MAIN "listen_port\n", "pool.ini:4:12: \"listen_port\" has no value: = is missing");
	refuses(*data, MAIN "  !x = 3\n", "pool.ini:4:3: a key is expected here");
	refuses(*data, MAIN "[databases]\na b = host=c\n", "pool.ini:5:3: = is expected here, after \"a\"");
	refuses(*data, MAIN "[databases]\n'a = host=c\n", "pool.ini:5:1: the quoted name does not end");
	refuses(*data, MAIN "[databases]\nx = hosst=y\n",
		"pool.ini:5:5: there is no parameter \"hosst\" | Did you mean \"host\"?");
	refuses(*data, MAIN "[databases]\nx = host=y pool_size=10apples\n",
		"pool.ini:5:22: pool_size: \"10apples\" is no whole number");
	refuses(*data, MAIN "[databases]\nx = host=y port=0\n", "port: 0 is out of range");
	refuses(*data, MAIN "[databases]\nx = host=y host=z\n", "pool.ini:5:12: \"host\" is set twice");
	refuses(*data, MAIN "[databases]\nx = host='y\n", "pool.ini:5:10: the quoted value does not end");
	refuses(*data, MAIN "[databases]\nx = host='y'port=1\n", "a blank is missing after the quoted value");
	refuses(*data, MAIN "[databases]\nx = host= port=3\n",
		"pool.ini:5:11: a value is missing before port=");
	refuses(*data, MAIN "[databases]\nx = host=''\n", "the value is empty");
	refuses(*data, MAIN "[databases]\nx = host=a,,b\n", "the list has an empty host");
	refuses(*data, MAIN "[databases]\npgbouncer = host=y\n", "is the console");
	refuses(*data, MAIN "[databases]\nx = host=y\nx = host=z\n", "pool.ini:6:1: \"x\" is set twice");
	refuses(*data, MAIN "[users]\nann = pool_mod=session\n", "Did you mean \"pool_mode\"?");
	refuses(*data, MAIN "[peers]\nx = host=y\n", "the peer's id");
	refuses(*data, MAIN "[peers]\n1 = port=6000\n", "the peer has no host");
}

static void test_all_problems_at_once(void **data)
{
	struct state *state = *data;
	refuses(state, MAIN "listen_prt = 1\npool_mode = x\n[databases]\na = prt=3\n[nothing]\nb = 1\n",
		"listen_port");
	assert_int_equal(state->problems.errors, 4);
	assert_int_equal(state->problems.items[0].line, 4);
	assert_int_equal(state->problems.items[3].line, 8);
}

static void test_no_password_is_shown(void **data)
{
	refuses(*data, MAIN "[databases]\nx = port=5432password=hunter2\n", "port: the value is wrong");
	assert_null(strstr(said(*data), "hunter2"));
	refuses(*data, MAIN "[databases]\nx = password='hunter2\n", "does not end");
	assert_null(strstr(said(*data), "hunter2"));
	refuses(*data, MAIN "[databases]\nx = password=hunter2 prt=3\n", "no parameter");
	assert_null(strstr(said(*data), "hunter2"));
}

static void refuses_bytes(struct state *state, const char *bytes, size_t length, const char *expected)
{
	write_file(state, "pool.ini", bytes, length);
	pgm_config_problems_done(&state->problems);
	pgm_config_problems_init(&state->problems);
	assert_null(pgm_pool_config_read("pool.ini", &state->problems));
	if (!strstr(said(state), expected))
		fail_msg("is said: %s not: %s", said(state), expected);
}

static void test_bad_files(void **data)
{
	struct state *state = *data;
	static const char bom[] = "\xEF\xBB\xBF" MAIN, nul[] = "[pgbouncer]\nab\0c\n",
			  utf16[] = "\xFF\xFE[\0p\0";
	refuses_bytes(state, bom, sizeof(bom) - 1, "pool.ini:1:1: the file begins with a byte order mark");
	refuses_bytes(state, nul, sizeof(nul) - 1, "pool.ini:2:3: the file holds a NUL byte");
	refuses_bytes(state, utf16, sizeof(utf16) - 1, "UTF-16");
	size_t length = (size_t)10 << 20;
	char *big = malloc(length);
	memset(big, ';', length);
	refuses_bytes(state, big, length, "pool.ini: the file is longer than 4 MB");
	memset(big, 'x', length);
	refuses_bytes(state, big, (size_t)1 << 20, "has no value: = is missing");
	free(big);
	assert_null(pgm_pool_config_read("nowhere.ini", &state->problems));
	assert_non_null(strstr(said(state), "nowhere.ini: cannot read the file: No such file or directory"));
	assert_null(pgm_pool_config_read("/tmp", &state->problems));
	assert_non_null(strstr(said(state), "/tmp: cannot read the file: Is a directory"));
}

static void test_include(void **data)
{
	struct state *state = *data;
	static const char inner[] = "[databases]\nx = host=y\n[pgbouncer]\nlisten_port = 7000\n";
	static const char wrong[] = "\nlisten_prt = 3\n", loop[] = "%include pool.ini\n";
	write_file(state, "inner.ini", inner, sizeof(inner) - 1);
	write_file(state, "wrong.ini", wrong, sizeof(wrong) - 1);
	write_file(state, "loop.ini", loop, sizeof(loop) - 1);
	struct pgm_pool_config *config =
		read_ok(state, MAIN "listen_port=1\n%include inner.ini\nmax_client_conn = 7\n");
	assert_int_equal(config->listen_port, 7000);
	assert_int_equal(config->max_client_conn, 7);
	assert_string_equal(pgm_config_database_find(config, "x")->host, "y");
	assert_int_equal(state->problems.count, 1);
	assert_non_null(strstr(said(state),
			       "inner.ini:4:1: warning: \"listen_port\" is set again, and this one counts | "
			       "It is set before at pool.ini:4."));
	pgm_pool_config_free(config);
	refuses(state, MAIN "%include  wrong.ini\n", "wrong.ini:2:1: there is no setting");
	refuses(state, MAIN "%include nowhere.ini\n", "pool.ini:4:10: cannot read \"nowhere.ini\"");
	refuses(state, MAIN "%include\n", "%include needs a file's name");
	refuses(state, MAIN "%include loop.ini\n", "loop.ini:1:10: \"pool.ini\" includes itself");
	refuses(state, MAIN "%include pool.ini\n", "includes itself");
}

static void test_between_settings(void **data)
{
	refuses(*data, "[pgbouncer]\nunix_socket_dir=\nauth_file=users\n", "there is nowhere to listen");
	refuses(*data, MAIN "auth_type = hba\n", "auth_hba_file is not set");
	refuses(*data, MAIN "auth_type = cert\n", "needs client_tls_sslmode verify-full");
	refuses(*data, MAIN "client_tls_sslmode = require\n", "needs client_tls_key_file");
	refuses(*data, MAIN "server_tls_sslmode = verify-full\n", "server_tls_ca_file is not set");
	refuses(*data, MAIN "server_tls_ca_file = nowhere.pem\n", "cannot read \"nowhere.pem\"");
	refuses(*data, MAIN "server_tls_protocols = tlsv9\n", "is no list of TLS versions");
	refuses(*data, MAIN "auth_type = any\n[databases]\nx = host=y\n",
		"pool.ini:6:1: auth_type any needs user=");
	refuses(*data, "[pgbouncer]\nauth_file = nowhere\n", "nowhere: cannot read the file");
	pgm_pool_config_free(read_ok(*data, MAIN "sbuf_loopcnt = 5\nresolv_conf = /etc/x\n"));
	assert_non_null(strstr(said(*data), "pool.ini:5:1: warning: \"resolv_conf\" has no effect here"));
	pgm_pool_config_free(read_ok(*data, MAIN));
}

static void test_permissions(void **data)
{
	struct state *state = *data;
	pgm_pool_config_free(read_ok(state, MAIN "[databases]\nx = host=y\n"));
	assert_int_equal(state->problems.count, 0);
	assert_int_equal(chmod("users", 0644), 0);
	pgm_pool_config_free(read_ok(state, MAIN "[databases]\nx = host=y\n"));
	assert_string_equal(said(state),
			    "users: warning: the file holds passwords, and everyone on this machine can "
			    "read it | chmod o-rwx users\n");
	assert_int_equal(chmod("pool.ini", 0666), 0);
	pgm_config_problems_done(&state->problems);
	pgm_config_problems_init(&state->problems);
	pgm_pool_config_free(pgm_pool_config_read("pool.ini", &state->problems));
	assert_non_null(
		strstr(said(state), "pool.ini: warning: everyone on this machine can change the file"));
	assert_null(strstr(said(state), "pool.ini: warning: the file holds passwords"));
}

static void users_say(struct state *state, const char *users, const char *expected)
{
	write_file(state, "users", users, strlen(users));
	struct pgm_pool_config *config = read_text(state, MAIN);
	if (!strstr(said(state), expected))
		fail_msg("of %s is said: %s", users, said(state));
	assert_null(strstr(said(state), "hunter2"));
	pgm_pool_config_free(config);
}

static void test_userlist(void **data)
{
	struct state *state = *data;
	static const char users[] =
		"; comment\n\n  \"zoe\" \"a\"\"b\" \"rest\"\n\"o\"\"neil\"\t\"\" # rest\r\n"
		"\"ann\" \"1\"\n\"ann\" \"2\"";
	write_file(state, "users", users, sizeof(users) - 1);
	struct pgm_pool_config *config = read_ok(state, MAIN);
	assert_int_equal(config->secret_count, 3);
	assert_string_equal(pgm_config_secret_find(config, "zoe"), "a\"b");
	assert_string_equal(pgm_config_secret_find(config, "o\"neil"), "");
	assert_string_equal(pgm_config_secret_find(config, "ann"), "2");
	assert_non_null(strstr(said(state),
			       "users:6:1: warning: user \"ann\" is also on line 5; the last line counts"));
	pgm_pool_config_free(config);
	users_say(state, "\"a\" hunter2\n", "users:1:5: the secret in double quotes is expected here");
	users_say(state, "hunter2\n", "users:1:1: the user in double quotes is expected here");
	users_say(state, "\"a\" \"hunter2\n\"b\" \"x\"\n", "users:1:5: the quoted secret does not end");
	users_say(state, "\"a\"\n", "users:1:4: the secret in double quotes");
	users_say(state, "\"\" \"hunter2\"\n", "users:1:1: the user's name is empty");
	users_say(state, "# \"a\" \"hunter2\"\n", "a comment begins with ;");
	users_say(state, "\"a\" \"SCRAM-SHA-256$4096:abc\"\n",
		  "users:1:5: warning: this looks like a broken SCRAM");
	users_say(state, "\"a\" \"md545f2603610af569b6155c45067268c6X\"\n", "looks like a broken MD5 hash");
}

static void test_in_list(void **data)
{
	(void)data;
	assert_true(pgm_config_in_list("a, b ,c", "b"));
	assert_true(pgm_config_in_list("a, b ,c", "c"));
	assert_true(pgm_config_in_list("  x y", "x y"));
	assert_false(pgm_config_in_list("a, b ,c", "d"));
	assert_false(pgm_config_in_list("ab", "a"));
	assert_false(pgm_config_in_list("a,,", ""));
	assert_false(pgm_config_in_list(NULL, "a"));
}

static void test_set(void **data)
{
	struct pgm_error err = {0};
	struct pgm_pool_config *config = read_ok(*data, MAIN "admin_users = ann\n[databases]\nx = host=y\n");
	struct pgm_pool_config *first = pgm_pool_config_with(config, "max_client_conn", "7", &err);
	assert_non_null(first);
	struct pgm_pool_config *second = pgm_pool_config_with(first, "admin_users", "bob", &err);
	assert_int_equal(config->max_client_conn, 100);
	pgm_pool_config_free(first);
	pgm_pool_config_free(config);
	assert_int_equal(second->max_client_conn, 7);
	assert_string_equal(second->admin_users, "bob");
	assert_string_equal(pgm_config_database_find(second, "x")->host, "y");
	assert_string_equal(pgm_config_secret_find(second, "ann"), "secret");
	assert_null(pgm_pool_config_with(second, "listen_port", "7", &err));
	assert_string_equal(err.message, "\"listen_port\" can't be changed without a restart");
	assert_null(pgm_pool_config_with(second, "max_client_con", "7", &err));
	assert_string_equal(err.hint, "Did you mean \"max_client_conn\"?");
	assert_null(pgm_pool_config_with(second, "max_client_conn", "x", &err));
	assert_string_equal(err.message, "max_client_conn: \"x\" is no whole number");
	assert_null(pgm_pool_config_with(second, "auth_file", "nowhere", &err));
	write_file(*data, "others", "\"bob\" \"b\"\n", 10);
	struct pgm_pool_config *third = pgm_pool_config_with(second, "auth_file", "others", &err);
	assert_non_null(third);
	struct pgm_pool_config *fourth = pgm_pool_config_with(third, "verbose", "1", &err);
	pgm_pool_config_free(second);
	pgm_pool_config_free(third);
	assert_string_equal(pgm_config_secret_find(fourth, "bob"), "b");
	assert_null(pgm_config_secret_find(fourth, "ann"));
	pgm_pool_config_free(fourth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_default_is_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_databases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_users_and_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_forms_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_problems_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_password_is_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_include, setup, teardown),
		cmocka_unit_test_setup_teardown(test_between_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_userlist, setup, teardown),
		cmocka_unit_test(test_in_list),
		cmocka_unit_test_setup_teardown(test_set, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
