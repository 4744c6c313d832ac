/*
 * The parts of "pgmend report": each reads one thing of a database and adds it to the document. What cannot
 * be had (no rights, no extension) becomes a sentence that says why; only a session that is lost fails. Used
 * by cmd_report.c; everything lives in the document's arena.
 */
#ifndef PGM_CLI_REPORT_PARTS_H
#define PGM_CLI_REPORT_PARTS_H

#include "load/document.h"
#include "pg/conn.h"

#include <stddef.h>

struct pgm_report_part {
	struct pgm_doc *doc;
	struct pgm_conn *conn;
	struct pgm_doc_block *tiles; /* the figures at the top: parts add theirs */
	size_t top;		     /* rows of a table, at most */
};

bool pgm_report_findings(struct pgm_report_part *part, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_report_workload(struct pgm_report_part *part, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_report_relations(struct pgm_report_part *part, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_report_sessions(struct pgm_report_part *part, struct pgm_error *err) PGM_MUST_CHECK;
bool pgm_report_changes(struct pgm_report_part *part, struct pgm_error *err) PGM_MUST_CHECK;

#endif
