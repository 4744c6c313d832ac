/*
 * What a load run tells people: its verdicts, figures over time, what it was bound by, and beside another
 * run's. It becomes a document; pgm_doc_html() or pgm_doc_markdown() writes it. Nothing is printed here.
 */
#ifndef PGM_LOAD_REPORT_H
#define PGM_LOAD_REPORT_H

#include "load/document.h"
#include "load/result.h"

#define PGM_LOAD_REPORT_VIEWS_MAX 8 /* targets of all results together; further ones are left out */

struct pgm_load_report_part {
	const char *label; /* "before"; "" where there is one result alone */
	const struct pgm_load_result *result;
};

/*
 * A document of one result, or of several side by side: those after the first are compared with it, target
 * with target of the same name. Several targets of one run are compared with the first of them. The parts
 * must live as long as the document.
 */
void pgm_load_report(struct pgm_arena *arena, const struct pgm_load_report_part *parts, size_t count,
		     struct pgm_doc *doc);

#endif
