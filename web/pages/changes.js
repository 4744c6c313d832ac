/* What pgmend changed in this database (the Ledger), what it does now, and the way back. */
import {ask, el} from "../dom.js";
import {api, of, post, query} from "../api.js";
import * as f from "../format.js";
import {begin, isOver, jobPanel, jobTitle} from "../job.js";
import {badge, dataTable, nothing} from "../table.js";

const planOf = (run) => run.plan || run.id;
const mayUndo = (run) => ["done", "failed", "canceled"].includes(run.state);

async function rollback(ctx, run) {
	const yes = await ask({title: "Roll it back?", danger: true, yes: "Roll back",
		body: [el("p", null, `What the Plan "${run.title}" made is taken back, the last step first. Indexes are dropped without blocking.`), el("p", {class: "soft"}, "What was written to tables since stays.")]});
	if (yes && await begin("changes", () => post(of(ctx.db, `/plans/${encodeURIComponent(planOf(run))}/rollback`), {}), () => ctx.refresh()))
		ctx.refresh();
}

function steps(run) {
	return el("table", null, el("caption", {class: "sr"}, "Steps"),
		el("thead", null, el("tr", null, el("th", {scope: "col"}, "Step"), el("th", {scope: "col"}, "State"), el("th", {scope: "col", class: "r"}, "Took"), el("th", {scope: "col", class: "r optional"}, "Size"))),
		el("tbody", null, (run.step_list || []).map((s) => el("tr", null,
			el("th", {scope: "row", class: "name-cell"}, s.title, (s.error || s.note) && el("p", {class: s.error ? "bad small" : "soft small"}, s.error || s.note)),
			el("td", null, badge(s.state)), el("td", {class: "r"}, f.ms(s.elapsed_ms)), el("td", {class: "r optional"}, f.bytes(s.size_bytes))))));
}

async function one(ctx) {
	const data = await ctx.get("/changes/" + encodeURIComponent(ctx.id));
	const run = (data.runs || []).find((r) => planOf(r) === ctx.id) || (data.runs || [])[0];
	if (!run)
		return [el("div", {class: "head"}, el("h1", null, "The Ledger does not know this Plan"), el("p", null, el("a", {href: ctx.link("changes")}, "All changes")))];
	return [el("div", {class: "head"}, el("h1", null, run.title), badge(run.state), el("p", null, el("a", {href: ctx.link("changes")}, "All changes")),
		el("div", {class: "actions"}, ctx.canOperate && mayUndo(run) && el("button", {class: "danger", "data-key": "rollback", onclick: () => rollback(ctx, run)}, "Roll back"))),
	el("section", {class: "card", "aria-label": "The run"}, el("dl", {class: "facts"},
		[["Plan", planOf(run)], ["By", run.actor ? `${run.actor} (${run.applied_by})` : run.applied_by], ["Began", f.when(run.started_at)], ["Ended", run.finished_at ? f.when(run.finished_at) : "not yet"], ["Error", run.error]].filter(([, v]) => v).map(([k, v]) => [el("dt", null, k), el("dd", null, v)]))),
	(run.step_list || []).length > 0 && el("section", {class: "card", "aria-label": "Steps"}, el("h2", null, "Steps"), el("div", {class: "scroll"}, steps(run)))];
}

function ledger(ctx, data) {
	/* The latest run of a Plan alone can be taken back; the runs come latest first. */
	const latest = new Map([...(data.runs || [])].reverse().map((r) => [planOf(r), r]));
	return dataTable({key: "changes", caption: "The Ledger", rows: data.runs || [], sort: "began", filter: (r) => `${r.title} ${r.applied_by}`, filterLabel: "Filter changes",
		empty: nothing("No Plan was applied to this database", "What pgmend changes is recorded here first, with the way back. ", el("a", {href: ctx.link("indexes")}, "See what would help")),
		columns: [
			{key: "title", title: "Plan", value: (r) => r.title, className: "name-cell", render: (r) => el("a", {href: ctx.link("changes", planOf(r)), "data-key": `plan-${planOf(r)}-${r.started_at}`}, r.title || planOf(r))},
			{key: "state", title: "State", value: (r) => r.state, render: (r) => badge(r.state)},
			{key: "steps", title: "Steps", numeric: true, optional: true, value: (r) => r.steps, render: (r) => `${r.steps_done} of ${r.steps}`},
			{key: "began", title: "Began", numeric: true, down: true, value: (r) => f.moment(r.started_at) || null, render: (r) => el("span", {title: f.when(r.started_at)}, f.ago(r.started_at))},
			{key: "by", title: "By", optional: true, value: (r) => r.actor || r.applied_by, className: "name-cell"},
			...(ctx.canOperate ? [{key: "undo", title: "", plain: true, value: () => "", render: (r) => (latest.get(planOf(r)) === r && mayUndo(r)
				? el("button", {class: "slim", "data-key": "undo-" + planOf(r), onclick: () => rollback(ctx, r), "aria-label": "Roll back " + r.title}, "Roll back") : "")}] : []),
		]});
}

function running(ctx, data) {
	const jobs = (data.jobs || []).filter((j) => !isOver(j) && (!j.database || j.database === ctx.db));
	return jobs.map((job) => jobPanel(job, () => ctx.refresh()));
}

function jobs(ctx, data) {
	const over = (data.jobs || []).filter((j) => isOver(j) && (!j.database || j.database === ctx.db));
	if (!over.length)
		return null;
	return dataTable({key: "jobs", caption: "Jobs", rows: over, sort: "ended",
		columns: [
			{key: "title", title: "Job", value: jobTitle, className: "name-cell"},
			{key: "state", title: "State", value: (j) => j.state, render: (j) => badge(j.state)},
			{key: "ended", title: "Ended", numeric: true, value: (j) => f.moment(j.finished_at) || null, render: (j) => f.ago(j.finished_at)},
			{key: "who", title: "Asked by", optional: true, value: (j) => j.who, className: "name-cell"},
		]});
}

function audit(data) {
	const entries = data.entries || [];
	if (!entries.length)
		return null;
	return dataTable({key: "audit", caption: "Who changed what", rows: entries, sort: "at",
		columns: [
			{key: "what", title: "What", value: (e) => [e.action, e.detail || e.object, e.database].filter(Boolean).join(" "), className: "name-cell"},
			{key: "at", title: "When", numeric: true, value: (e) => f.moment(e.at) || null, render: (e) => f.ago(e.at)},
			{key: "who", title: "Who", value: (e) => e.who, className: "name-cell"},
			{key: "role", title: "Role", optional: true, value: (e) => e.role},
		]});
}

async function list(ctx) {
	const asked = api("/jobs", {signal: ctx.signal}).catch(() => ({}));
	const [now, runs, past, log] = await Promise.all([
		asked.then((d) => running(ctx, d)),
		ctx.part("The Ledger", ctx.get("/changes"), (d) => ledger(ctx, d)),
		asked.then((d) => jobs(ctx, d)),
		api("/audit" + query({database: ctx.db}), {signal: ctx.signal}).then(audit).catch(() => null)]);
	return [el("div", {class: "head"}, el("h1", null, "Changes"), el("p", null, "to " + ctx.db)), now, runs, past, log];
}

export default {name: "changes", title: "Changes", load: (ctx) => (ctx.id ? one(ctx) : list(ctx))};
