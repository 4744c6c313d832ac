#include "cli/load_request.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE_MS 60000

/* What a scenario is where nothing else is said. */
static const struct {
	int64_t users, duration_ms;
} defaults[PGM_LOAD_SCENARIOS] = {
	[PGM_LOAD_STEADY] = {10, MINUTE_MS},	     [PGM_LOAD_SPIKE] = {200, 3 * MINUTE_MS},
	[PGM_LOAD_ENDURANCE] = {50, 60 * MINUTE_MS}, [PGM_LOAD_RAMP] = {200, 100000},
	[PGM_LOAD_RATE] = {32, MINUTE_MS},
};

#define THINK_DEFAULT_MS 100
#define STEP_DEFAULT_MS	 10000
#define SLICE_DEFAULT_MS 5000
#define DRAIN_DEFAULT_MS 10000
#define RATE_MAX	 1000000

static bool usage(struct pgm_error *err, const char *message, const char *hint)
{
	pgm_error_set(err, PGM_ERR_USAGE, "%s", message);
	return pgm_error_hint(err, "%s", hint);
}

/* A number with or without a unit behind it, which may be %. */
static bool read_number(const struct pgm_cli *cli, const char *name, double min, double max, double *result,
			struct pgm_error *err)
{
	const char *text = pgm_cli_value(cli, name);
	char *end;
	if (!text)
		return true;
	double number = strtod(text, &end);
	if (end != text && *end == '%')
		end++;
	if (end == text || *end || !(number >= min && number <= max))
		return pgm_error_set(err, PGM_ERR_USAGE, "--%s: \"%s\" is no number from %g to %g", name,
				     text, min, max);
	*result = number;
	return true;
}

static bool choose_scenario(const struct pgm_cli *cli, struct pgm_schedule *schedule, struct pgm_error *err)
{
	int chosen = 0;
	schedule->scenario = pgm_cli_value(cli, "rate") ? PGM_LOAD_RATE : PGM_LOAD_STEADY;
	for (int scenario = PGM_LOAD_SPIKE; scenario <= PGM_LOAD_RAMP; scenario++)
		if (pgm_cli_value(cli, pgm_load_scenarios[scenario])) {
			schedule->scenario = (enum pgm_load_scenario)scenario;
			chosen++;
		}
	return chosen <= 1 ||
	       usage(err, "--spike, --endurance and --ramp are different scenarios", "Give one of them.");
}

static bool read_schedule(const struct pgm_cli *cli, struct pgm_load_options *options, struct pgm_error *err)
{
	struct pgm_schedule *schedule = &options->schedule;
	if (!choose_scenario(cli, schedule, err) ||
	    !read_number(cli, "rate", 0.01, RATE_MAX, &schedule->rate, err))
		return false;
	bool spike = schedule->scenario == PGM_LOAD_SPIKE, ramp = schedule->scenario == PGM_LOAD_RAMP;
	int64_t users = defaults[schedule->rate > 0 ? PGM_LOAD_RATE : schedule->scenario].users, base = 0;
	int64_t length_ms = defaults[schedule->scenario].duration_ms, think_ms = THINK_DEFAULT_MS;
	int64_t climb_ms = MINUTE_MS, step_ms = STEP_DEFAULT_MS, slice_ms = SLICE_DEFAULT_MS;
	int64_t drain_ms = DRAIN_DEFAULT_MS;
	const char *climb = pgm_cli_value(cli, "spike");
	if (!pgm_cli_int(cli, "users", 1, PGM_LOAD_USERS_MAX, &users, err) ||
	    !pgm_cli_int(cli, "base", 0, PGM_LOAD_USERS_MAX, &base, err) ||
	    !pgm_cli_duration_ms(cli, "think", &think_ms, err) ||
	    !pgm_cli_duration_ms(cli, "step", &step_ms, err) ||
	    !pgm_cli_duration_ms(cli, "slice", &slice_ms, err) ||
	    !pgm_cli_duration_ms(cli, "drain", &drain_ms, err) ||
	    (climb && *climb && !pgm_parse_duration_ms(climb, &climb_ms, err)))
		return false;
	if (spike)
		length_ms = 3 * climb_ms;
	if (!pgm_cli_duration_ms(cli, "duration", &length_ms, err))
		return false;
	if (length_ms < 100 || think_ms < 1 || step_ms < 100 || slice_ms < 100 || climb_ms < 1)
		return usage(err, "a duration is too short", "Steps, slices and runs last 100 ms at least.");
	if (spike && 2 * climb_ms > length_ms)
		return usage(err, "the spike's way up and down takes longer than the run",
			     "Give a longer --duration or a shorter --spike.");
	if (base >= users)
		return usage(err, "--base must be below --users", "");
	schedule->users = (uint32_t)users;
	schedule->base = spike ? (uint32_t)base : 0;
	schedule->length_ms = (double)length_ms;
	schedule->think_ms = (double)think_ms;
	schedule->climb_ms = (double)climb_ms;
	schedule->even = pgm_cli_flag(cli, "even");
	schedule->steps = ramp && length_ms >= step_ms ? (uint32_t)(length_ms / step_ms) : 1;
	if (ramp && schedule->rate <= 0 && schedule->steps > schedule->users)
		schedule->steps = schedule->users;
	options->slice_ms = (double)slice_ms;
	options->drain_ms = (double)drain_ms;
	return true;
}

static bool read_limits(const struct pgm_cli *cli, struct pgm_load_options *options, struct pgm_error *err)
{
	int64_t p95_ms = -1;
	double error_percent = -1;
	options->throughput = -1;
	if (!pgm_cli_duration_ms(cli, "p95", &p95_ms, err) ||
	    !read_number(cli, "error-rate", 0, 100, &error_percent, err) ||
	    !read_number(cli, "throughput", 0, 1e9, &options->throughput, err))
		return false;
	options->p95_ms = (double)p95_ms;
	options->error_rate = error_percent < 0 ? -1 : error_percent / 100;
	return true;
}

/* "NAME=CONNINFO"; a conninfo has "=" too, so a name is what stands before the first, without a space. */
static const char *split_name(struct pgm_arena *arena, const char *argument, const char **name)
{
	static const char *const keywords[] = {"host",	  "hostaddr",	     "port",	"dbname",
					       "user",	  "password",	     "service", "sslmode",
					       "options", "application_name"};
	size_t length = strcspn(argument, "= :/?");
	*name = NULL;
	if (argument[length] != '=' || length == 0)
		return argument;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (strlen(keywords[i]) == length && strncmp(keywords[i], argument, length) == 0)
			return argument;
	*name = pgm_strndup(arena, argument, length);
	return argument + length + 1;
}

static bool add_target(struct pgm_load_request *request, const char *name,
		       const struct pgm_conn_options *connection, struct pgm_error *err)
{
	static const char *const letters[PGM_LOAD_TARGETS_MAX] = {"a", "b", "c", "d"};
	size_t count = request->options.target_count;
	if (count == PGM_LOAD_TARGETS_MAX)
		return usage(err, "there are more than 4 targets", "Compare fewer of them in one run.");
	if (!name)
		name = letters[count];
	for (size_t i = 0; i < count; i++)
		if (strcmp(request->targets[i].name, name) == 0)
			return pgm_error_set(err, PGM_ERR_USAGE, "there are two targets \"%s\"", name);
	request->targets[count] = (struct pgm_load_connect){.name = name, .connection = *connection};
	request->options.target_count++;
	return true;
}

/* --server and --console: of the target that they name, else of the only one. */
static bool read_views(const struct pgm_cli *cli, struct pgm_load_request *request, const char *option,
		       struct pgm_conn_options **views, struct pgm_error *err)
{
	const char **given, *name;
	size_t count = pgm_cli_values(cli, option, &given);
	for (size_t i = 0; i < count; i++) {
		const char *conninfo = split_name(cli->arena, given[i], &name);
		size_t place = 0, targets = request->options.target_count;
		while (name && place < targets && strcmp(request->targets[place].name, name) != 0)
			place++;
		if (place == targets || (!name && targets > 1)) {
			pgm_error_set(err, PGM_ERR_USAGE, "--%s: there is no target \"%s\"", option,
				      name ? name : "");
			return pgm_error_hint(err, "Write --%s=NAME=CONNINFO with the name of a target.",
					      option);
		}
		views[place] = PGM_NEW(cli->arena, struct pgm_conn_options);
		views[place]->conninfo = conninfo;
	}
	return true;
}

static bool read_targets(const struct pgm_cli *cli, struct pgm_load_request *request, struct pgm_error *err)
{
	const char **given, *name;
	size_t count = pgm_cli_values(cli, "target", &given);
	if ((count == 0 || pgm_cli_names_database(cli)) && !add_target(request, NULL, &cli->connection, err))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct pgm_conn_options connection = {.conninfo = split_name(cli->arena, given[i], &name)};
		if (!add_target(request, name, &connection, err))
			return false;
	}
	request->options.targets = request->targets;
	return read_views(cli, request, "server", request->servers, err) &&
	       read_views(cli, request, "console", request->consoles, err);
}

/* -D NAME=VALUE, and what pgbench defines of itself; only what some script uses. */
static bool read_defines(const struct pgm_cli *cli, struct pgm_load_request *request, struct pgm_error *err)
{
	const char **given;
	struct pgm_load_options *options = &request->options;
	size_t count = pgm_cli_values(cli, "define", &given), used = 0, slot;
	struct pgm_load_define *defines = PGM_NEW_ARRAY(cli->arena, struct pgm_load_define, count + 4);
	const char *seed = pgm_sprintf(cli->arena, "%lld", (long long)(options->seed >> 1));
	static const char *const seeds[] = {"random_seed", "default_seed"};
	for (size_t i = 0; i < 2; i++)
		if (pgm_variable_find(&request->scripts.variables, seeds[i], &slot))
			defines[used++] = (struct pgm_load_define){slot, seed};
	options->scale_slot = options->client_slot = SIZE_MAX;
	if (pgm_variable_find(&request->scripts.variables, "scale", &slot))
		options->scale_slot = slot;
	if (pgm_variable_find(&request->scripts.variables, "client_id", &slot))
		options->client_slot = slot;
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(given[i], '=');
		if (!equals || equals == given[i])
			return usage(err, "--define needs NAME=VALUE", "For example: -D scale=10.");
		char *name = pgm_strndup(cli->arena, given[i], (size_t)(equals - given[i]));
		if (!pgm_variable_find(&request->scripts.variables, name, &slot))
			return pgm_error_set(err, PGM_ERR_USAGE, "--define: no script uses a variable \"%s\"",
					     name);
		if (slot == options->scale_slot)
			options->scale_slot = SIZE_MAX;
		defines[used++] = (struct pgm_load_define){slot, equals + 1};
	}
	options->defines = defines;
	options->define_count = used;
	return true;
}

static bool read_scripts(const struct pgm_cli *cli, struct pgm_load_request *request, struct pgm_error *err)
{
	const char **given;
	struct pgm_scripts *scripts = &request->scripts;
	pgm_scripts_init(scripts, cli->arena);
	request->workload = pgm_cli_value(cli, "workload");
	size_t files = pgm_cli_values(cli, "file", &given);
	for (size_t i = 0; i < files; i++)
		if (!pgm_load_add_file(scripts, given[i], err))
			return false;
	size_t builtins = pgm_cli_values(cli, "builtin", &given);
	for (size_t i = 0; i < builtins; i++)
		if (!pgm_load_add_builtin(scripts, given[i], err))
			return false;
	if (request->workload && files + builtins)
		return usage(err, "--workload has its own statements, beside which no script can run",
			     "Give --workload, or --file and --builtin.");
	if (!request->workload && files + builtins == 0)
		return usage(
			err, "what is to be run?",
			"Give --file SCRIPT.sql, --builtin select-only or --workload (pg_stat_statements, a "
			"pooler's profile or a file of statements).");
	if (!pgm_load_check_writes(scripts, request->options.writes, err))
		return false;
	request->options.scripts = scripts;
	request->options.source = request->workload	 ? request->workload
				  : files + builtins > 1 ? "several scripts"
							 : scripts->items.items[0].name;
	return true;
}

static bool read_protocol(const struct pgm_cli *cli, struct pgm_load_options *options, struct pgm_error *err)
{
	const char *given = pgm_cli_value(cli, "protocol");
	for (int i = 0; i < PGM_LOAD_PROTOCOLS; i++)
		if (!given || strcmp(pgm_load_protocols[i], given) == 0) {
			options->protocol = (enum pgm_load_protocol)i;
			return true;
		}
	pgm_error_set(err, PGM_ERR_USAGE, "--protocol: there is no protocol \"%s\"", given);
	return pgm_error_hint(err, "It is prepared, extended or simple.");
}

bool pgm_load_request_read(struct pgm_cli *cli, struct pgm_load_request *request, struct pgm_error *err)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t seed = (int64_t)((uint64_t)now.tv_nsec * 2654435761u % 1000000007u);
	struct pgm_load_options *options = &request->options;
	request->top = PGM_WORKLOAD_DEFAULT_TOP;
	if (!pgm_cli_format_among(cli, 1u << PGM_FORMAT_TEXT | 1u << PGM_FORMAT_JSON, &request->format,
				  err) ||
	    !read_schedule(cli, options, err) || !read_limits(cli, options, err) ||
	    !read_protocol(cli, options, err) || !read_targets(cli, request, err) ||
	    !pgm_cli_int(cli, "seed", 0, INT64_MAX, &seed, err) ||
	    !pgm_cli_int(cli, "top", 1, PGM_LOAD_SCRIPTS_MAX, &request->top, err) ||
	    !read_number(cli, "scale", 1, 1e6, &request->scale, err))
		return false;
	options->seed = (uint64_t)seed;
	options->writes = pgm_cli_flag(cli, "writes");
	request->watch = !pgm_cli_flag(cli, "no-watch");
	request->out = pgm_cli_value(cli, "out");
	return read_scripts(cli, request, err) && read_defines(cli, request, err);
}

/* ---- what needs a connection ---- */

/* What looks at a target: past a pooler where we were told how. */
static const struct pgm_conn_options *view_of(const struct pgm_load_request *request, size_t place)
{
	return request->servers[place] ? request->servers[place] : &request->targets[place].connection;
}

static bool find_scale(struct pgm_cli *cli, struct pgm_load_request *request, struct pgm_error *err)
{
	struct pgm_load_options *options = &request->options;
	const char *scale = NULL;
	char *count = NULL;
	if (options->scale_slot == SIZE_MAX)
		return true;
	if (request->scale > 0) {
		scale = pgm_sprintf(cli->arena, "%.0f", request->scale);
	} else {
		PGM_AUTO_CONN conn = pgm_conn_open_as_is(view_of(request, 0), err);
		if (!conn)
			return false;
		if (!pgm_conn_value(conn, cli->arena, "SELECT pg_catalog.count(*) FROM pgbench_branches", 0,
				    NULL, &count, err)) {
			pgm_error_hint(err,
				       "Run pgbench -i there first, or give --scale N for scripts of your "
				       "own.");
			return pgm_error_context(err, "looking up the scale");
		}
		scale = count && strcmp(count, "0") != 0 ? count : "1";
	}
	struct pgm_load_define *defines =
		PGM_NEW_ARRAY(cli->arena, struct pgm_load_define, options->define_count + 1);
	if (options->define_count)
		memcpy(defines, options->defines, options->define_count * sizeof(*defines));
	defines[options->define_count] = (struct pgm_load_define){options->scale_slot, scale};
	options->defines = defines;
	options->define_count++;
	return true;
}

static bool add_workload(struct pgm_cli *cli, struct pgm_load_request *request,
			 struct pgm_load_left_out *left_out, struct pgm_error *err)
{
	struct pgm_workload workload = {0};
	PGM_AUTO_CONN conn = pgm_conn_open_as_is(view_of(request, 0), err);
	if (!conn)
		return false;
	bool server = strcmp(request->workload, "pg_stat_statements") == 0;
	if (server ? !pgm_workload_from_server(cli->arena, conn, (size_t)request->top, &workload, err)
		   : !pgm_workload_from_file(cli->arena, request->workload, &workload, err))
		return false;
	if (workload.statement_count > (size_t)request->top)
		workload.statement_count = (size_t)request->top;
	left_out->count = (uint32_t)(workload.left_out_count + workload.hidden_count);
	left_out->why = workload.left_out_count ? workload.left_out_example
			: workload.hidden_count ? "statements of other users cannot be read"
						: "";
	/* What is set on a pooled session would be left to others. */
	bool own = request->servers[0] || !request->targets[0].probe.pooled;
	return pgm_load_add_workload(&request->scripts, &workload, &request->targets[0],
				     own ? view_of(request, 0) : NULL, request->options.writes,
				     request->options.protocol == PGM_LOAD_SIMPLE, left_out, err);
}

bool pgm_load_request_probe(struct pgm_cli *cli, struct pgm_load_request *request,
			    struct pgm_load_left_out *left_out, struct pgm_error *err)
{
	*left_out = (struct pgm_load_left_out){.why = ""};
	for (size_t i = 0; i < request->options.target_count; i++)
		if (!pgm_load_probe(cli->arena, &request->targets[i], request->options.writes, err))
			return false;
	if (request->workload)
		return add_workload(cli, request, left_out, err);
	return find_scale(cli, request, err);
}
