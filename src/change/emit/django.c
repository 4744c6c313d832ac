/*
 * Django: a RunSQL whose statements are a list, so that nothing splits them or looks for parameters.
 */
#include "change/emit/parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_DIGITS_MAX 6

bool pgm_emit_django_after(const char *after, struct pgm_error *err)
{
	bool ok = after && (isalpha((unsigned char)*after) || *after == '_');
	size_t dots = 0;
	for (const char *p = after; ok && *p; p++) {
		dots += *p == '.';
		ok = isalnum((unsigned char)*p) || *p == '_' || (*p == '.' && p[1] && dots == 1);
	}
	if (ok)
		return true;
	if (!after)
		pgm_error_set(err, PGM_ERR_USAGE, "--emit=django needs --after=APP.MIGRATION");
	else
		pgm_error_set(err, PGM_ERR_USAGE, "--after: \"%s\" is no migration of an app", after);
	return pgm_error_hint(err, "Name the app's newest migration, as --after=shop.0041_order_note; or the "
				   "app alone, as --after=shop, where it has none.");
}

/* "0041_order_note" -> 41. */
static unsigned long number_of(const char *name)
{
	size_t digits = name ? strspn(name, "0123456789") : 0;
	return digits && digits <= NUMBER_DIGITS_MAX ? strtoul(name, NULL, 10) : 0;
}

static void add_list(struct pgm_buf *out, const char *name, const struct pgm_emit_step *steps, size_t count)
{
	pgm_buf_printf(out, "            %s=[\n", name);
	for (size_t i = 0; i < count; i++) {
		pgm_buf_add(out, "                ");
		pgm_emit_python(out, pgm_emit_step_sql(out->arena, &steps[i]));
		pgm_buf_add(out, ",\n");
	}
	pgm_buf_add(out, "            ],\n");
}

bool pgm_emit_make_django(struct pgm_emit *emit)
{
	const char *dot = strchr(emit->options->after, '.');
	const char *after = dot ? dot + 1 : NULL;
	size_t app_length = dot ? (size_t)(dot - emit->options->after) : strlen(emit->options->after);
	const char *app = pgm_strndup(emit->arena, emit->options->after, app_length);
	for (size_t i = 0; i < emit->count; i++) {
		const struct pgm_emit_migration *m = &emit->migrations[i];
		const char *name = pgm_sprintf(emit->arena, "%04lu_%s", number_of(after) + 1, m->name);
		struct pgm_buf out;
		pgm_buf_init(&out, emit->arena);
		pgm_emit_header(&out, "#", emit, m);
		pgm_buf_add(&out, "from django.db import migrations\n\n\n"
				  "class Migration(migrations.Migration):\n"
				  "    atomic = False\n\n");
		if (after)
			pgm_buf_printf(&out, "    dependencies = [(\"%s\", \"%s\")]\n\n", app, after);
		else
			pgm_buf_add(&out, "    dependencies = []\n\n");
		pgm_buf_add(&out, "    operations = [\n        migrations.RunSQL(\n");
		add_list(&out, "sql", m->up, m->up_count);
		if (m->down_count)
			add_list(&out, "reverse_sql", m->down, m->down_count);
		else if (!m->irreversible)
			pgm_buf_add(&out, "            reverse_sql=migrations.RunSQL.noop,\n");
		pgm_buf_add(&out, "        ),\n    ]\n");
		pgm_emit_file(emit, pgm_sprintf(emit->arena, "%s.py", name), out.text);
		after = name;
	}
	return true;
}
