#include "cli/emit_run.h"

#include <string.h>

bool pgm_cli_emit_options(const struct pgm_cli *cli, struct pgm_emit_options *options, struct pgm_error *err)
{
	const char *name = pgm_cli_value(cli, "emit");
	*options = (struct pgm_emit_options){
		.folder = pgm_cli_value(cli, "out"),
		.after = pgm_cli_value(cli, "after"),
	};
	if (!name && options->after)
		return pgm_error_set(err, PGM_ERR_USAGE, "--after is for --emit alone");
	if (!name)
		return true;
	options->tool = pgm_emit_tool_find(name, err);
	if (!options->tool)
		return false;
	if (!options->folder || !*options->folder || strcmp(options->folder, "-") == 0) {
		pgm_error_set(err, PGM_ERR_USAGE, "--emit needs --out FOLDER/");
		return pgm_error_hint(err, "Name the folder in which %s looks for migrations.", name);
	}
	return pgm_emit_check(options, err);
}

bool pgm_cli_emit(const struct pgm_cli *cli, const struct pgm_plan *plan,
		  const struct pgm_emit_options *options, struct pgm_error *err)
{
	struct pgm_emit_options at = *options;
	struct pgm_emit_files files;
	if (plan->change_count == 0) {
		fprintf(stderr, "There is no change to make: nothing was written to %s\n", at.folder);
		return true;
	}
	at.now = pgm_emit_first_version(at.folder, time(NULL));
	if (!pgm_emit_render(cli->arena, plan, &at, &files, err) ||
	    !pgm_emit_write(cli->arena, at.folder, &files, err))
		return pgm_error_context(err, "writing files for %s", pgm_emit_tool_name(at.tool));
	fprintf(stderr, "%zu file%s written to %s; review %s, then: %s\n", files.count,
		files.count == 1 ? "" : "s", at.folder, files.count == 1 ? "it" : "them",
		pgm_emit_tool_command(at.tool));
	return true;
}
