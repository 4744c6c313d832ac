#include "../cmocka_all.h"

#include "pool/config/config_parts.h"
#include "pool/config/hba.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pgm_config_problems problems;
static struct pgm_arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = pgm_arena_new(0);
	pgm_config_problems_init(&problems);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pgm_config_problems_done(&problems);
	pgm_arena_free(arena);
	return 0;
}

static struct pgm_config_text text_of(const char *path, char *bytes)
{
	return (struct pgm_config_text){.path = path, .bytes = bytes, .length = strlen(bytes)};
}

static struct pgm_hba *read_rules(const char *rules, const char *maps)
{
	struct pgm_config_text hba = text_of("hba", pgm_strdup(arena, rules));
	struct pgm_config_text ident = text_of("ident", pgm_strdup(arena, maps ? maps : ""));
	return pgm_hba_read(arena, &hba, maps ? &ident : NULL, true, &problems);
}

static struct pgm_hba *read_ok(const char *rules, const char *maps)
{
	struct pgm_hba *hba = read_rules(rules, maps);
	for (size_t i = 0; i < problems.count; i++)
		fail_msg("%s", pgm_config_problem_text(&problems, &problems.items[i]));
	return hba;
}

/* The line of the rule that matches; 0: none. An address without . and : is a Unix socket. */
static int line_for(const struct pgm_hba *hba, const char *address, bool tls, const char *database,
		    const char *user)
{
	struct sockaddr_storage storage = {.ss_family = AF_UNIX};
	if (strchr(address, ':')) {
		storage.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, address, &((struct sockaddr_in6 *)&storage)->sin6_addr),
				 1);
	} else if (strchr(address, '.')) {
		storage.ss_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, address, &((struct sockaddr_in *)&storage)->sin_addr), 1);
	}
	struct pgm_hba_client client = {(struct sockaddr *)&storage, tls, false, database, user};
	const struct pgm_hba_rule *rule = pgm_hba_match(hba, &client);
	return rule ? rule->line : 0;
}

static void test_matching(void **state)
{
	(void)state;
	struct pgm_hba *hba = read_ok("# comment\n"
				      "local all all peer # more\n"
				      "host all monitor 10.0.0.0/8 reject\r\n"
				      "hostssl shop,billing ann, bob 0.0.0.0/0 scram-sha-256\n"
				      "hostnossl sameuser all 192.168.1.0 255.255.255.0 md5\n"
				      "host \"all\" \"od\"\"d\" 2001:db8::/33 password\n"
				      "host all carl all trust",
				      NULL);
	assert_int_equal(hba->count, 6);
	assert_int_equal(line_for(hba, "unix", false, "x", "y"), 2);
	assert_int_equal(line_for(hba, "10.255.0.1", true, "x", "monitor"), 3);
	assert_int_equal(line_for(hba, "11.0.0.1", true, "x", "monitor"), 0);
	assert_int_equal(line_for(hba, "::ffff:10.1.1.1", false, "x", "monitor"), 3);
	assert_int_equal(line_for(hba, "1.2.3.4", true, "billing", "bob"), 4);
	assert_int_equal(line_for(hba, "1.2.3.4", false, "billing", "bob"), 0);
	assert_int_equal(line_for(hba, "1.2.3.4", true, "other", "bob"), 0);
	assert_int_equal(line_for(hba, "192.168.1.77", false, "zoe", "zoe"), 5);
	assert_int_equal(line_for(hba, "192.168.1.77", true, "zoe", "zoe"), 0);
	assert_int_equal(line_for(hba, "192.168.2.77", false, "zoe", "zoe"), 0);
	assert_int_equal(line_for(hba, "2001:db8:7fff::1", false, "all", "od\"d"), 6);
	assert_int_equal(line_for(hba, "2001:db8:8000::1", false, "all", "od\"d"), 0);
	assert_int_equal(line_for(hba, "2001:db8::1", false, "x", "od\"d"), 0);
	assert_int_equal(line_for(hba, "9.9.9.9", false, "x", "carl"), 7);
	assert_int_equal(line_for(hba, "::1", false, "x", "carl"), 7);
	assert_int_equal(hba->rules[0].method, PGM_AUTH_PEER);
	assert_int_equal(hba->rules[1].method, PGM_AUTH_REJECT);
	assert_int_equal(hba->rules[2].method, PGM_AUTH_SCRAM);
	assert_int_equal(hba->rules[3].method, PGM_AUTH_MD5);
	assert_int_equal(hba->rules[4].method, PGM_AUTH_PLAIN);
}

static void test_replication(void **state)
{
	(void)state;
	struct pgm_hba *hba = read_ok("host all all all md5\nhost replication rep all trust\n", NULL);
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct pgm_hba_client client = {(struct sockaddr *)&address, false, true, "", "rep"};
	assert_int_equal(pgm_hba_match(hba, &client)->line, 2);
	client.user = "ann";
	assert_null(pgm_hba_match(hba, &client));
}

static void test_maps(void **state)
{
	(void)state;
	struct pgm_hba *hba =
		read_ok("local all all peer map=staff\nhostssl all all all cert map=b\nlocal x x peer\n",
			"# map\nstaff root all\nstaff  joe  \"joe smith\"\nb cn ann\n");
	assert_true(pgm_hba_maps(&hba->rules[0], "root", "anyone"));
	assert_true(pgm_hba_maps(&hba->rules[0], "joe", "joe smith"));
	assert_false(pgm_hba_maps(&hba->rules[0], "joe", "joe"));
	assert_false(pgm_hba_maps(&hba->rules[0], "cn", "ann"));
	assert_true(pgm_hba_maps(&hba->rules[1], "cn", "ann"));
	assert_true(pgm_hba_maps(&hba->rules[2], "joe", "joe"));
	assert_false(pgm_hba_maps(&hba->rules[2], "joe", "ann"));
}

static void test_name_files(void **state)
{
	(void)state;
	char folder[] = "/tmp/pgmend-hba-XXXXXX", rules[192], path[128];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/names", folder);
	FILE *stream = fopen(path, "w");
	fputs("ann bob,\"all\"\n# x\nzoe\n", stream);
	fclose(stream);
	snprintf(rules, sizeof(rules), "host all @%s,carl all md5\n", path);
	struct pgm_hba *hba = read_ok(rules, NULL);
	assert_int_equal(line_for(hba, "::1", false, "x", "bob"), 1);
	assert_int_equal(line_for(hba, "::1", false, "x", "zoe"), 1);
	assert_int_equal(line_for(hba, "::1", false, "x", "all"), 1);
	assert_int_equal(line_for(hba, "::1", false, "x", "carl"), 1);
	assert_int_equal(line_for(hba, "::1", false, "x", "other"), 0);
	stream = fopen(path, "w");
	fputs("@names\n", stream);
	fclose(stream);
	read_rules(rules, NULL);
	assert_int_equal(problems.errors, 1);
	assert_non_null(strstr(problems.items[0].message, "nested too deep"));
	unlink(path);
	rmdir(folder);
}

static void refuses(const char *rules, const char *expected)
{
	pgm_config_problems_done(&problems);
	pgm_config_problems_init(&problems);
	read_rules(rules, "m a b\n");
	const char *said =
		problems.count ? pgm_config_problem_text(&problems, &problems.items[0]) : "nothing";
	if (problems.errors != 1 || strcmp(said, expected) != 0)
		fail_msg("of %s is said: %s\nnot: %s", rules, said, expected);
}

static void test_wrong_lines(void **state)
{
	(void)state;
	refuses("hosts all all all md5\n", "hba:1:1: there is no connection type \"hosts\"");
	refuses("host all\n", "hba:1:9: the line ends where a name should stand");
	refuses("host all all\n", "hba:1:13: the line ends where an address should stand");
	refuses("host all all all\n", "hba:1:17: the line ends where the method should stand");
	refuses("host all all 10.0.0.1 md5\n", "hba:1:23: \"md5\" is no mask");
	refuses("host all all 10.0.0.1/33 md5\n", "hba:1:14: \"/33\" is no prefix length");
	refuses("host all all ::1/-1 md5\n", "hba:1:14: \"/-1\" is no prefix length");
	refuses("host all all 10.0.0.1/8 md5\n", "hba:1:14: the address has bits outside its mask");
	refuses("host all all samehost md5\n", "hba:1:14: \"samehost\" is no address");
	refuses("host all all all md6\n", "hba:1:18: there is no method \"md6\" here");
	refuses("host all all all ldap x=y\n", "hba:1:18: there is no method \"ldap\" here");
	refuses("host samerole all all md5\n", "hba:1:6: samerole and samegroup are not supported");
	refuses("host all +g all md5\n", "hba:1:10: groups (+name) are not supported");
	refuses("host all , , a all md5\n", "hba:1:12: a name is missing before the comma");
	refuses("host, all all all md5\n", "hba:1:1: \"host\" can't be part of a list");
	refuses("host all all 10.0.0.1/32, 10.0.0.2/32 md5\n",
		"hba:1:14: \"10.0.0.1/32\" can't be part of a list");
	refuses("host all \"a all md5\n", "hba:1:10: the quoted name does not end");
	refuses("host all all all peer\n", "hba:1:18: peer goes with local alone");
	refuses("local all all cert\n", "hba:1:15: cert needs TLS: hostssl or host");
	refuses("local all all md5 map=m\n", "hba:1:19: map= goes with cert and peer alone");
	refuses("local all all peer map=x\n", "hba:1:20: there is no map \"x\"");
	refuses("local all all peer x=m\n", "hba:1:20: there is no option \"x=m\"; only map=NAME is");
	refuses("host all @/nowhere all md5\n",
		"hba:1:10: cannot read \"/nowhere\": No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_matching, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replication, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_lines, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
