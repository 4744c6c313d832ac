/* Findings of the checks as sentences, the worst first. */
import {el, toast} from "./dom.js";
import {badge} from "./table.js";

const SEVERITIES = ["critical", "warning", "info"];

export function findingCounts(summary = {}) {
	return el("span", {class: "counts"}, SEVERITIES.filter((s) => summary[s] > 0).map((s) => badge(`${summary[s]} ${s}`, s)));
}

export function copyButton(text) {
	return el("button", {class: "slim quiet", onclick: async () => {
		try {
			await navigator.clipboard.writeText(text);
			toast("Copied.");
		} catch {
			toast("The browser does not let us copy: mark the text and copy it.", true);
		}
	}}, "Copy");
}

function sentence(finding) {
	const evidence = Object.entries(finding.evidence || {});
	const text = (v) => (typeof v === "object" ? JSON.stringify(v) : String(v));
	return el("li", {class: "sentence " + finding.severity},
		el("h3", null, badge(finding.severity), " ", finding.object, " ", el("span", null, finding.title)),
		el("p", null, finding.detail),
		(finding.remedy || evidence.length > 0) && el("details", {"data-key": "finding-" + finding.ignore_key}, el("summary", null, "What mends it"),
			finding.remedy && el("pre", null, finding.remedy), finding.remedy && copyButton(finding.remedy),
			evidence.length > 0 && el("dl", {class: "facts small"}, evidence.map(([k, v]) => [el("dt", null, k.replaceAll("_", " ")), el("dd", null, text(v))]))));
}

/* The first of them; the rest behind a summary. */
export function findingsList(findings, first) {
	const list = (some) => el("ul", {class: "sentences"}, some.map(sentence));
	return [list(findings.slice(0, first)), findings.length > first && el("details", {"data-key": "more-findings"}, el("summary", null, `${findings.length - first} more`), list(findings.slice(first)))];
}
