#include "cli/cmd.h"

#include "util/buf.h"
#include "util/vec.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const struct pgm_option pgm_connection_options[] = {
	{'h', "host", "HOST", "database server host or socket directory"},
	{'p', "port", "PORT", "database server port"},
	{'U', "username", "NAME", "database user name"},
	{'d', "dbname", "DBNAME", "database name or connection string"},
	{0, NULL, NULL, NULL},
};

#define OPTIONS_MAX 64

struct parser {
	struct option longs[OPTIONS_MAX + 2];
	const struct pgm_option *rows[OPTIONS_MAX];
	char shorts[OPTIONS_MAX * 2 + 4];
	int count;
};

static void add_rows(struct parser *parser, const struct pgm_option *rows)
{
	for (const struct pgm_option *row = rows; row && row->long_name && parser->count < OPTIONS_MAX;
	     row++) {
		parser->longs[parser->count] = (struct option){row->long_name,
							       !row->argument	       ? no_argument
							       : *row->argument == '[' ? optional_argument
										       : required_argument,
							       NULL, 256 + parser->count};
		parser->rows[parser->count++] = row;
		if (row->short_name) {
			size_t length = strlen(parser->shorts);
			snprintf(parser->shorts + length, sizeof(parser->shorts) - length, "%c%s",
				 row->short_name, row->argument ? ":" : "");
		}
	}
}

static const struct pgm_option *row_of(const struct parser *parser, int code)
{
	if (code >= 256)
		return parser->rows[code - 256];
	for (int i = 0; i < parser->count; i++)
		if (parser->rows[i]->short_name == code)
			return parser->rows[i];
	return NULL;
}

static bool unknown_option(const struct pgm_cli *cli, char **argv, bool missing, struct pgm_error *err)
{
	const char *word = argv[optind - 1];
	if (missing)
		pgm_error_set(err, PGM_ERR_USAGE, "option %s needs a value", word);
	else if (optopt >= 256)
		pgm_error_set(err, PGM_ERR_USAGE, "option %.*s takes no value", (int)strcspn(word, "="),
			      word);
	else if (optopt)
		pgm_error_set(err, PGM_ERR_USAGE, "there is no option -%c", optopt);
	else
		pgm_error_set(err, PGM_ERR_USAGE, "there is no option %.*s", (int)strcspn(word, "="), word);
	return pgm_error_hint(err, "See \"pgmend %s --help\".", cli->cmd->name);
}

static bool is_file(const char *word)
{
	static const char *const endings[] = {".sql", ".csv", ".tsv", ".ndjson", ".jsonl", ".gz"};
	size_t length = strlen(word);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t ending = strlen(endings[i]);
		if (length > ending && strcasecmp(word + length - ending, endings[i]) == 0)
			return true;
	}
	return strcmp(word, "-") == 0 || access(word, R_OK) == 0;
}

/* Who starts us (pgmend serve) gives the connection so: no argument is taken for one then. */
static const char *given_conninfo(void)
{
	const char *conninfo = getenv("PGMEND_CONNINFO");
	return conninfo && *conninfo ? conninfo : NULL;
}

static bool take_files(struct pgm_cli *cli, int count, char **words)
{
	if (count > cli->cmd->operands_min && !given_conninfo() && !pgm_cli_flag(cli, "dbname") &&
	    !is_file(words[count - 1]))
		cli->connection.conninfo = words[--count];
	cli->operands = (const char **)words;
	cli->operand_count = (size_t)count;
	return true;
}

static bool take_operands(struct pgm_cli *cli, int count, char **words, struct pgm_error *err)
{
	const struct pgm_cmd *cmd = cli->cmd;
	bool connects = (cmd->flags & PGM_CMD_CONNECTS) && !given_conninfo();
	int needed = cmd->operands_needed ? cmd->operands_needed(cli) : cmd->operands_min;
	if (count < needed) {
		pgm_error_set(err, PGM_ERR_USAGE, "%s is missing", cmd->operands);
		return pgm_error_hint(err, "See \"pgmend %s --help\".", cmd->name);
	}
	if (cmd->flags & PGM_CMD_FILES)
		return take_files(cli, count, words);
	if (count > cmd->operands_max + connects) {
		pgm_error_set(err, PGM_ERR_USAGE, "\"%s\" is one argument too many", words[count - 1]);
		return pgm_error_hint(err, "See \"pgmend %s --help\".", cmd->name);
	}
	/* CONNINFO is always the last argument: it is there when there is more than the operands need. */
	bool named = cmd->operands_needed && pgm_cli_flag(cli, "dbname");
	if (connects && count > needed && !named)
		cli->connection.conninfo = words[--count];
	cli->operands = (const char **)words;
	cli->operand_count = (size_t)count;
	return true;
}

static void take_connection(struct pgm_cli *cli)
{
	cli->connection.host = pgm_cli_value(cli, "host");
	cli->connection.port = pgm_cli_value(cli, "port");
	cli->connection.user = pgm_cli_value(cli, "username");
	cli->connection.dbname = pgm_cli_value(cli, "dbname");
	if (!cli->connection.conninfo && (cli->cmd->flags & PGM_CMD_CONNECTS))
		cli->connection.conninfo = given_conninfo();
	if (!cli->connection.conninfo && cli->connection.dbname) {
		cli->connection.conninfo = cli->connection.dbname;
		cli->connection.dbname = NULL;
	}
}

bool pgm_cli_parse(struct pgm_cli *cli, int argc, char **argv, struct pgm_error *err)
{
	struct parser parser = {.shorts = ":"};
	static const struct pgm_option help[] = {{'?', "help", NULL, "show this help"},
						 {0, NULL, NULL, NULL}};
	add_rows(&parser, cli->cmd->options);
	if (cli->cmd->flags & PGM_CMD_CONNECTS)
		add_rows(&parser, pgm_connection_options);
	add_rows(&parser, help);

	PGM_VEC(struct pgm_option_value) values = {0};
	optind = 1;
	opterr = 0;
	for (;;) {
		optopt = 0;
		int code = getopt_long(argc, argv, parser.shorts, parser.longs, NULL);
		if (code == -1)
			break;
		if (code == ':' || (code == '?' && optopt != '?' && strcmp(argv[optind - 1], "-?") != 0))
			return unknown_option(cli, argv, code == ':', err);
		const struct pgm_option *row = row_of(&parser, code);
		*pgm_vec_add(cli->arena, &values) =
			(struct pgm_option_value){row->long_name, row->argument && optarg ? optarg : ""};
	}
	cli->values = values.items;
	cli->value_count = values.count;
	if (pgm_cli_flag(cli, "help"))
		return true;
	if (!take_operands(cli, argc - optind, argv + optind, err))
		return false;
	take_connection(cli);
	return true;
}

const char *pgm_cli_value(const struct pgm_cli *cli, const char *long_name)
{
	for (size_t i = cli->value_count; i-- > 0;)
		if (strcmp(cli->values[i].long_name, long_name) == 0)
			return cli->values[i].value;
	return NULL;
}

bool pgm_cli_flag(const struct pgm_cli *cli, const char *long_name)
{
	return pgm_cli_value(cli, long_name) != NULL;
}

size_t pgm_cli_values(const struct pgm_cli *cli, const char *long_name, const char ***values)
{
	PGM_VEC(const char *) found = {0};
	for (size_t i = 0; i < cli->value_count; i++)
		if (strcmp(cli->values[i].long_name, long_name) == 0)
			*pgm_vec_add(cli->arena, &found) = cli->values[i].value;
	*values = found.items;
	return found.count;
}

bool pgm_cli_bytes(const struct pgm_cli *cli, const char *long_name, int64_t *result, struct pgm_error *err)
{
	const char *value = pgm_cli_value(cli, long_name);
	return !value || pgm_parse_bytes(value, result, err) || pgm_error_context(err, "--%s", long_name);
}

bool pgm_cli_duration_ms(const struct pgm_cli *cli, const char *long_name, int64_t *result,
			 struct pgm_error *err)
{
	const char *value = pgm_cli_value(cli, long_name);
	return !value || pgm_parse_duration_ms(value, result, err) ||
	       pgm_error_context(err, "--%s", long_name);
}

bool pgm_cli_int(const struct pgm_cli *cli, const char *long_name, int64_t min, int64_t max, int64_t *result,
		 struct pgm_error *err)
{
	const char *value = pgm_cli_value(cli, long_name);
	if (!value)
		return true;
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (end == value || *end || errno || number < min || number > max) {
		pgm_error_set(err, PGM_ERR_USAGE, "--%s: \"%s\" is not a whole number from %lld to %lld",
			      long_name, value, (long long)min, (long long)max);
		return false;
	}
	*result = number;
	return true;
}

bool pgm_cli_format_among(const struct pgm_cli *cli, unsigned formats, enum pgm_format *format,
			  struct pgm_error *err)
{
	static const char *const names[PGM_FORMATS] = {"text", "json", "markdown", "sarif", "html"};
	const char *value = pgm_cli_value(cli, "format");
	struct pgm_buf list;
	size_t count = (size_t)__builtin_popcount(formats), at = 0;
	*format = PGM_FORMAT_TEXT;
	if (!value)
		return true;
	pgm_buf_init(&list, cli->arena);
	for (int i = 0; i < PGM_FORMATS; i++) {
		if (!(formats & 1u << i))
			continue;
		if (strcmp(names[i], value) == 0)
			return *format = (enum pgm_format)i, true;
		pgm_buf_printf(&list, "%s%s", at == 0 ? "" : at + 1 == count ? " and " : ", ", names[i]);
		at++;
	}
	pgm_error_set(err, PGM_ERR_USAGE, "--format: there is no format \"%s\"", value);
	return pgm_error_hint(err, "The formats are %s.", list.text);
}

bool pgm_cli_format(const struct pgm_cli *cli, enum pgm_format *format, struct pgm_error *err)
{
	return pgm_cli_format_among(
		cli, 1u << PGM_FORMAT_TEXT | 1u << PGM_FORMAT_JSON | 1u << PGM_FORMAT_MARKDOWN, format, err);
}

size_t pgm_cli_listed(const struct pgm_cli *cli, const char *long_name, const char ***items)
{
	PGM_VEC(const char *) found = {0};
	const char **values;
	size_t count = pgm_cli_values(cli, long_name, &values);
	for (size_t i = 0; i < count; i++) {
		const char *at = values[i];
		while (*at) {
			size_t length = strcspn(at, ", ");
			if (length)
				*pgm_vec_add(cli->arena, &found) = pgm_strndup(cli->arena, at, length);
			at += length;
			at += strspn(at, ", ");
		}
	}
	*items = found.items;
	return found.count;
}

bool pgm_cli_names_database(const struct pgm_cli *cli)
{
	const struct pgm_conn_options *options = &cli->connection;
	return options->conninfo || options->host || options->port || options->user || options->dbname;
}
