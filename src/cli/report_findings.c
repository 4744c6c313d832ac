#include "check/check.h"
#include "cli/check_saved.h"
#include "cli/report_parts.h"
#include "util/format.h"

static const struct {
	enum pgm_severity severity;
	const char *heading;
	enum pgm_doc_mark mark;
} severities[] = {
	{PGM_SEVERITY_CRITICAL, "Critical", PGM_DOC_BAD},
	{PGM_SEVERITY_WARNING, "Warning", PGM_DOC_PLAIN},
	{PGM_SEVERITY_INFO, "Info", PGM_DOC_GOOD},
};
#define SEVERITIES (sizeof(severities) / sizeof(*severities))

static void add_finding(struct pgm_doc *doc, const struct pgm_finding *finding, enum pgm_doc_mark mark)
{
	struct pgm_doc_block *card = pgm_doc_add(
		doc, PGM_DOC_CARD, pgm_sprintf(doc->arena, "%s: %s", finding->object, finding->title));
	card->mark = mark;
	pgm_doc_item(doc, card, "", pgm_check_masked(doc->arena, finding->detail), "", PGM_DOC_PLAIN);
	if (*finding->remedy)
		card->code = pgm_check_masked(doc->arena, finding->remedy);
}

static void add_not_judged(struct pgm_doc *doc, const struct pgm_check_report *report)
{
	if (report->judged == report->result_count)
		return;
	pgm_doc_heading(doc, 3, "Could not check");
	struct pgm_doc_block *list = pgm_doc_add(doc, PGM_DOC_LIST, "");
	for (size_t i = 0; i < report->result_count; i++) {
		const struct pgm_check_result *result = &report->results[i];
		if (result->reason)
			pgm_doc_item(doc, list, "",
				     pgm_sprintf(doc->arena, "%s: %s. %s", result->check->title,
						 result->reason, result->hint),
				     "", PGM_DOC_PLAIN);
	}
}

bool pgm_report_findings(struct pgm_report_part *part, struct pgm_error *err)
{
	struct pgm_doc *doc = part->doc;
	struct pgm_check_options options = {0};
	struct pgm_check_report report;
	if (!pgm_check_run(part->conn, doc->arena, &options, &report, err))
		return false;
	pgm_doc_heading(doc, 2, "What is wrong");
	if (!report.finding_count)
		pgm_doc_add(doc, PGM_DOC_BANNER, "Nothing was found.")->mark = PGM_DOC_GOOD;
	for (size_t s = 0; s < SEVERITIES; s++) {
		if (!report.counts[severities[s].severity])
			continue;
		pgm_doc_heading(doc, 3, severities[s].heading);
		for (size_t i = 0; i < report.finding_count; i++)
			if (report.findings[i]->severity == severities[s].severity)
				add_finding(doc, report.findings[i], severities[s].mark);
	}
	add_not_judged(doc, &report);
	pgm_doc_item(doc, part->tiles, "findings", pgm_format_count(doc->arena, (double)report.finding_count),
		     pgm_sprintf(doc->arena, "%zu critical, %zu warning",
				 report.counts[PGM_SEVERITY_CRITICAL], report.counts[PGM_SEVERITY_WARNING]),
		     report.counts[PGM_SEVERITY_CRITICAL] ? PGM_DOC_BAD : PGM_DOC_PLAIN);
	pgm_check_report_done(&report);
	return true;
}
