#include "change/emit/parts.h"

#include <string.h>

static const struct pgm_emit_tool tools[] = {
	{.name = "flyway", .command = "flyway migrate", .make = pgm_emit_make_flyway},
	{.name = "golang-migrate", .command = "migrate up", .make = pgm_emit_make_golang_migrate},
	{.name = "alembic",
	 .command = "alembic upgrade head",
	 .whole = true,
	 .check_after = pgm_emit_alembic_after,
	 .make = pgm_emit_make_alembic},
	{.name = "rails", .command = "rails db:migrate", .whole = true, .make = pgm_emit_make_rails},
	{.name = "django",
	 .command = "manage.py migrate",
	 .whole = true,
	 .check_after = pgm_emit_django_after,
	 .make = pgm_emit_make_django},
	{.name = "knex", .command = "knex migrate:latest", .whole = true, .make = pgm_emit_make_knex},
	{.name = "prisma", .command = "prisma migrate deploy", .make = pgm_emit_make_prisma},
	{.name = "dbmate", .command = "dbmate up", .make = pgm_emit_make_dbmate},
};

static const struct pgm_emit_tool plans = {
	.name = "plans", .command = "pgmend apply", .whole = true, .make = pgm_emit_make_plans};

const struct pgm_emit_tool *pgm_emit_tool_find(const char *name, struct pgm_error *err)
{
	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (strcmp(tools[i].name, name) == 0)
			return &tools[i];
	pgm_error_set(err, PGM_ERR_USAGE, "--emit: there is no tool \"%s\"", name);
	pgm_error_hint(err, "The tools are flyway, golang-migrate, alembic, rails, django, knex, prisma and "
			    "dbmate.");
	return NULL;
}

const struct pgm_emit_tool *pgm_emit_plans(void)
{
	return &plans;
}

const char *pgm_emit_tool_name(const struct pgm_emit_tool *tool)
{
	return tool->name;
}

const char *pgm_emit_tool_command(const struct pgm_emit_tool *tool)
{
	return tool->command;
}

bool pgm_emit_check(const struct pgm_emit_options *options, struct pgm_error *err)
{
	if (options->tool->check_after)
		return options->tool->check_after(options->after, err);
	if (!options->after)
		return true;
	return pgm_error_set(err, PGM_ERR_USAGE, "--after is for alembic and django: %s sorts by version",
			     options->tool->name);
}

void pgm_emit_file(struct pgm_emit *emit, const char *path, const char *text)
{
	*pgm_vec_add(emit->arena, &emit->files) = (struct pgm_emit_file){.path = path, .text = text};
}

bool pgm_emit_render(struct pgm_arena *arena, const struct pgm_plan *plan,
		     const struct pgm_emit_options *options, struct pgm_emit_files *files,
		     struct pgm_error *err)
{
	struct pgm_emit emit = {.arena = arena, .plan = plan, .options = options, .err = err};
	if (!pgm_emit_check(options, err) || !pgm_emit_migrations(&emit, err) || !options->tool->make(&emit))
		return false;
	*files = (struct pgm_emit_files){.items = emit.files.items, .count = emit.files.count};
	return true;
}
