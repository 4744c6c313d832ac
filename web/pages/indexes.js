/* Which indexes are missing, which are of no use, and all of them. */
import {el} from "../dom.js";
import {of, post} from "../api.js";
import * as f from "../format.js";
import {begin} from "../job.js";
import {badge, breakable, dataTable, nothing, staleNote} from "../table.js";
import {findingsList} from "../findings.js";
import {proposals} from "../proposals.js";

const OF_INDEXES = ["duplicate_index", "overlapping_index", "unused_index", "invalid_index", "index_bloat", "low_selectivity_index", "mostly_null_index", "fk_without_index"];

function adviseButton(ctx) {
	return ctx.canOperate && el("button", {class: "primary", "data-key": "advise", onclick: async () => {
		if (await begin("indexes", () => post(of(ctx.db, "/advice"), {}), () => ctx.refresh()))
			ctx.refresh();
	}}, "Find missing indexes");
}

function advice(ctx, found) {
	const all = (found && found.advice && found.advice.proposals) || [];
	if (all.length)
		return proposals(ctx, found);
	const asked = found && found.advice;
	return el("section", {class: "card", "aria-label": "Proposals"}, el("h2", null, "Proposals"),
		asked ? nothing("No index would pay", `The planner was asked about ${f.plural(found.advice.candidates ?? 0, "candidate")} for ${f.plural(found.advice.statements ?? 0, "statement")}.`)
			: nothing("Nobody has asked yet", ctx.canOperate ? "\"Find missing indexes\" asks the planner what each possible index would change. Nothing is built." : "An operator can ask which indexes are missing."));
}

function problems(data) {
	const some = (data.findings || []).filter((x) => OF_INDEXES.includes(x.check || x.check_id || x.id || ""));
	if (!some.length)
		return null;
	return el("section", {class: "card", "aria-label": "Findings about indexes"}, el("h2", null, "Missing, unused, duplicate, invalid"), findingsList(some, 8));
}

function marks(r) {
	return [r.valid === false && badge("invalid", "critical"), r.primary && badge("primary key", "plain"), r.unique && !r.primary && badge("unique", "plain"),
		r.scans === 0 && !r.unique && !r.primary && badge("unused", "warning")].filter(Boolean).flatMap((b) => [b, " "]);
}

function table(data) {
	const rows = data.indexes || [];
	return dataTable({key: "indexes", caption: "All indexes", rows, note: staleNote(data), sort: "size", filter: (r) => `${r.schema}.${r.table} ${r.name}`, filterLabel: "Filter indexes",
		empty: nothing("This database has no index", "As soon as a table with one is there, it shows up here within a minute."),
		columns: [
			{key: "name", title: "Index", value: (r) => r.name, className: "name-cell", render: (r) => [el("span", {title: r.definition}, breakable(r.name)), " ", marks(r)]},
			{key: "table", title: "Table", value: (r) => `${r.schema}.${r.table}`, className: "name-cell optional"},
			{key: "size", title: "Size", numeric: true, value: (r) => r.size_bytes, render: (r) => f.bytes(r.size_bytes)},
			{key: "scans", title: "Scans", hint: "since the statistics began", numeric: true, value: (r) => r.scans, render: (r) => f.count(r.scans)},
			{key: "rows", title: "Rows read", numeric: true, optional: true, value: (r) => r.rows_read, render: (r) => f.count(r.rows_read)},
			{key: "last", title: "Last used", numeric: true, optional: true, value: (r) => f.moment(r.last_scan) || null, render: (r) => f.ago(r.last_scan)},
		]});
}

export default {
	name: "indexes",
	title: "Indexes",
	async load(ctx) {
		const [proposed, wrong, all] = await Promise.all([
			ctx.part("Proposals", ctx.get("/advice").catch((error) => {
				if (error.status === 404)
					return null;
				throw error;
			}), (d) => advice(ctx, d)),
			ctx.part("Findings about indexes", ctx.get("/findings"), problems),
			ctx.part("All indexes", ctx.get("/indexes"), table)]);
		return [el("div", {class: "head"}, el("h1", null, "Indexes"), el("p", null, "of " + ctx.db), el("div", {class: "actions"}, adviseButton(ctx))), proposed, wrong, all];
	},
};
