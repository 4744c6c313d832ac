/* Partitions and purges: looks and jobs. */
#include "serve/api/begin.h"

#define PARTITIONS_KEEP_MS 30000
#define LIST_DEFAULT	   50

static void get_partitions(struct pgm_request *request, struct pgm_reply *reply)
{
	static const char *const argv[] = {"partition", "--upkeep", "--dry-run", "--format=json", NULL};
	pgm_api_look(request, reply, argv, PARTITIONS_KEEP_MS);
}

static void add_engine_words(struct pgm_api_words *words)
{
	pgm_api_word(words, "--format=json");
	pgm_api_word(words, "--progress=json");
	pgm_api_word(words, "--yes");
}

/* Partitions ahead; what is stored for a table (retention) counts as well. */
static void post_upkeep(struct pgm_request *request, struct pgm_reply *reply)
{
	const char **tables;
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	pgm_api_word(&words, "partition");
	pgm_api_word(&words, "--upkeep");
	add_engine_words(&words);
	if (pgm_request_bool(request, "fill_gaps", false))
		pgm_api_word(&words, "--fill-gaps");
	int64_t premake = pgm_request_int(request, "premake", -1);
	if (premake >= 0)
		pgm_api_option(&words, "premake", pgm_sprintf(request->arena, "%lld", (long long)premake));
	size_t count = pgm_request_texts(request, "tables", &tables);
	for (size_t i = 0; i < count; i++)
		pgm_api_operand(&words, tables[i]);
	struct pgm_job_request job = {.database = database,
				      .kind = "partition",
				      .title = "Keep partitions in order",
				      .argv = words.items,
				      .changes = true,
				      .resumable = true};
	pgm_api_begin(request, reply, &job);
}

/* A Plan that makes a table a partitioned one; to be applied as any other. */
static void post_design(struct pgm_request *request, struct pgm_reply *reply)
{
	static const char *const options[] = {"by", "interval", "method", "timezone"};
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	const char *table = pgm_request_text(request, "table", "");
	pgm_api_word(&words, "partition");
	pgm_api_word(&words, "--format=json");
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		pgm_api_option(&words, options[i], pgm_request_text(request, options[i], NULL));
	pgm_api_operand(&words, table);
	struct pgm_job_request job = {.database = database,
				      .kind = "partition",
				      .title = pgm_sprintf(request->arena, "Design partitions of %s", table),
				      .argv = words.items,
				      .plan_option = "--out="};
	pgm_api_begin(request, reply, &job);
}

static void get_purges(struct pgm_request *request, struct pgm_reply *reply)
{
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	json_t *list = pgm_jobs_json(PGM_API(request)->jobs, database, NULL, "purge",
				     (size_t)pgm_request_int(request, "limit", LIST_DEFAULT));
	pgm_reply_data(reply, json_pack("{s:o}", "purges", list));
}

/* The condition is SQL, and rows that are deleted do not come back: for administrators alone. */
static void post_purge(struct pgm_request *request, struct pgm_reply *reply)
{
	struct pgm_api_words words = {.arena = request->arena};
	const char *database = pgm_api_database(request, reply);
	if (!database)
		return;
	bool apply = pgm_request_bool(request, "apply", false);
	const char *table = pgm_request_text(request, "table", "");
	pgm_api_word(&words, "purge");
	add_engine_words(&words);
	pgm_api_option(&words, "where", pgm_request_text(request, "where", ""));
	if (apply)
		pgm_api_word(&words, "--apply");
	if (pgm_request_bool(request, "build_index", false))
		pgm_api_word(&words, "--build-index");
	pgm_api_option(&words, "rest", pgm_request_text(request, "rest", NULL));
	pgm_api_option(&words, "batch-time", pgm_request_text(request, "batch_time", NULL));
	pgm_api_operand(&words, table);
	struct pgm_job_request job = {.database = database,
				      .kind = "purge",
				      .title = pgm_sprintf(request->arena, "%s %s",
							   apply ? "Purge" : "What a purge would delete from",
							   table),
				      .argv = words.items,
				      .changes = apply,
				      .resumable = apply};
	pgm_api_begin(request, reply, &job);
}

#define BODY(n, t, h)                                                 \
	{                                                             \
		.name = n, .where = PGM_IN_BODY, .type = t, .help = h \
	}
#define NEEDED(n, m, h)                                                                              \
	{                                                                                            \
		.name = n, .where = PGM_IN_BODY, .type = PGM_PARAM_TEXT, .required = true, .max = m, \
		.help = h                                                                            \
	}
#define SHORT(n, m, h)                                                                       \
	{                                                                                    \
		.name = n, .where = PGM_IN_BODY, .type = PGM_PARAM_TEXT, .max = m, .help = h \
	}

static const struct pgm_param upkeep_params[] = {
	BODY("tables", PGM_PARAM_TEXTS, "only these tables"),
	{.name = "premake",
	 .where = PGM_IN_BODY,
	 .type = PGM_PARAM_INT,
	 .max = 1000,
	 .help = "how many partitions there are to be ahead (4)"},
	BODY("fill_gaps", PGM_PARAM_BOOL, "make partitions for ranges between others, too"),
	{.name = NULL},
};
static const struct pgm_param design_params[] = {
	NEEDED("table", 200, "the table"),
	NEEDED("by", 63, "the key column"),
	NEEDED("interval", 40, "what a partition holds: day, week, month, quarter, year, or a number"),
	SHORT("method", 10, "adopt (default), split or shadow"),
	SHORT("timezone", 60, "in which days and months begin (UTC)"),
	{.name = NULL},
};
static const struct pgm_param purges_params[] = {
	{.name = "limit", .type = PGM_PARAM_INT, .help = "at most so many (50)", .min = 1, .max = 1000},
	{.name = NULL},
};
static const struct pgm_param purge_params[] = {
	NEEDED("table", 200, "the table"),
	NEEDED("where", 10000, "which rows, as behind WHERE"),
	BODY("apply", PGM_PARAM_BOOL, "delete; without it nothing is changed"),
	BODY("build_index", PGM_PARAM_BOOL, "first build the indexes that foreign keys miss"),
	SHORT("rest", 20, "pause after each transaction"),
	SHORT("batch_time", 20, "how long a transaction shall take (100ms)"),
	{.name = NULL},
};

#define JOB (PGM_ROUTE_SLOW | PGM_ROUTE_ACCEPTED)

const struct pgm_route pgm_api_tables_routes[] = {
	{PGM_GET, PGM_API_DATABASE "/partitions", PGM_ROLE_VIEWER, get_partitions,
	 "Partitioned tables, and what upkeep would do", NULL, PGM_ROUTE_SLOW, "tables"},
	{PGM_POST, PGM_API_DATABASE "/partitions/upkeep", PGM_ROLE_OPERATOR, post_upkeep,
	 "Make partitions ahead, and retire those whose stored retention says so", upkeep_params,
	 JOB | PGM_ROUTE_CHANGES, "tables"},
	{PGM_POST, PGM_API_DATABASE "/partitions/design", PGM_ROLE_OPERATOR, post_design,
	 "Make a Plan that partitions a live table", design_params, JOB, "tables"},
	{PGM_GET, PGM_API_DATABASE "/purges", PGM_ROLE_VIEWER, get_purges, "Purges, the latest first",
	 purges_params, 0, "tables"},
	{PGM_POST, PGM_API_DATABASE "/purges", PGM_ROLE_ADMIN, post_purge,
	 "Delete rows and what goes with them; without apply only look", purge_params,
	 JOB | PGM_ROUTE_CHANGES, "tables"},
	{.path = NULL},
};
