/* What is wrong between settings that are each right. */
#include "serve/config/config.h"

#include "pool/config/config_parts.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#define INTERVAL_MIN_MS 1000

static struct pgm_config_place whole(const struct pgm_serve_config *config)
{
	return (struct pgm_config_place){config->path, 0, 0};
}

/* On the loopback alone. */
static bool listens_locally(const struct pgm_serve_config *config)
{
	struct in_addr four;
	struct in6_addr six;
	if (inet_pton(AF_INET, config->listen, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, config->listen, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static void check_listening(const struct pgm_serve_config *config, struct pgm_config_problems *problems)
{
	struct in6_addr any;
	if (!config->tls_cert_file != !config->tls_key_file)
		pgm_config_error(problems, whole(config), NULL, "%s is set without %s",
				 config->tls_cert_file ? "tls_cert_file" : "tls_key_file",
				 config->tls_cert_file ? "tls_key_file" : "tls_cert_file");
	if (inet_pton(AF_INET, config->listen, &any) != 1 && inet_pton(AF_INET6, config->listen, &any) != 1) {
		pgm_config_error(problems, whole(config),
				 "Write an address: 127.0.0.1, ::1, 0.0.0.0 for all of IPv4, :: for all.",
				 "listen: \"%.100s\" is no address", config->listen);
		return;
	}
	if (listens_locally(config))
		return;
	if (!config->tls_cert_file)
		pgm_config_error(problems, whole(config),
				 "Set tls_cert_file and tls_key_file, or listen on 127.0.0.1 behind a proxy "
				 "that speaks TLS.",
				 "listen = %s is open to others, and tokens would go over it in clear text",
				 config->listen);
	if (!config->tokens)
		pgm_config_error(
			problems, whole(config),
			"Make one with \"pgmend serve --new-token NAME --role admin --tokens FILE\", "
			"and set tokens.",
			"listen = %s is open to others, and there is no file of tokens", config->listen);
}

static void check_interval(const struct pgm_serve_config *config, const char *name, int64_t ms, bool may_be_0,
			   struct pgm_config_problems *problems)
{
	if (ms < INTERVAL_MIN_MS && !(may_be_0 && ms == 0))
		pgm_config_error(problems, whole(config), NULL, "%s is below one second", name);
}

void pgm_serve_config_check(const struct pgm_serve_config *config, struct pgm_config_problems *problems)
{
	check_listening(config, problems);
	check_interval(config, "watch_interval", config->watch_interval_ms, false, problems);
	check_interval(config, "tables_interval", config->tables_interval_ms, false, problems);
	check_interval(config, "findings_interval", config->findings_interval_ms, true, problems);
	check_interval(config, "request_timeout", config->request_timeout_ms, false, problems);
	if (!config->target_count && !config->has_pool)
		pgm_config_error(problems, whole(config),
				 "Add a line to [watch]: NAME = postgresql://USER@HOST/DATABASE",
				 "there is nothing to watch and nothing to pool");
	if (config->target_count > PGM_SERVE_TARGETS_MAX)
		pgm_config_error(problems, whole(config), NULL, "more than %d databases are to be watched",
				 PGM_SERVE_TARGETS_MAX);
	if (!config->history && config->alert_count)
		pgm_config_warning(problems, whole(config), "Set history in [serve].",
				   "without a history, silences and alerts that wait for delivery are lost "
				   "with a restart");
}
