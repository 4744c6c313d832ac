/* The statements of a time range, and one of them with all that is known of it. */
import {el, refill} from "../dom.js";
import {api, post, of} from "../api.js";
import * as f from "../format.js";
import {begin, isOver} from "../job.js";
import {badge, dataTable, nothing, tile, tiles, meter} from "../table.js";
import {sparkline} from "../charts.js";
import {copyButton} from "../findings.js";
import {proposals} from "../proposals.js";

const hits = (r) => (r.blocks_hit + r.blocks_read > 0 ? r.blocks_hit / (r.blocks_hit + r.blocks_read) : null);
const burst = (r) => r.n_plus_one && r.n_plus_one.bursts > 0;

function columns(ctx, rows) {
	return [
		{key: "query", title: "Statement", className: "query", plain: true, value: (r) => r.query,
			render: (r) => r.others ? el("span", {class: "soft"}, "all others") : [el("a", {class: "clip mono", href: ctx.link("queries", r.id), "data-key": "query-" + r.id}, f.oneLine(r.query)), burst(r) && badge("N+1", "warning")]},
		{key: "spark", title: "Trend", plain: true, optional: true, value: () => null, render: (r) => sparkline(r.spark) || ""},
		{key: "total", title: "Share", hint: "of the time of all statements", numeric: true, value: (r) => r.total_ms, render: (r) => [f.percent(r.share), el("span", {class: "optional"}, meter(r.share))]},
		{key: "calls", title: "Calls", numeric: true, optional: true, value: (r) => r.calls, render: (r) => f.count(r.calls)},
		{key: "mean", title: "Mean", numeric: true, value: (r) => r.mean_ms, render: (r) => f.ms(r.mean_ms)},
		{key: "p95", title: "P95", numeric: true, optional: true, value: (r) => r.p95_ms, render: (r) => f.ms(r.p95_ms)},
		{key: "p99", title: "P99", numeric: true, optional: true, plain: true, value: (r) => r.p99_ms, render: (r) => f.ms(r.p99_ms)},
		{key: "rows", title: "Rows", hint: "a call; sorted by those of all calls", numeric: true, optional: true, value: (r) => r.rows, render: (r) => f.count(r.calls > 0 ? r.rows / r.calls : null)},
	].filter((c) => c.key !== "spark" || rows.some((r) => sparkline(r.spark)));
}

async function list(ctx) {
	const sort = ctx.params.get("sort") || "total";
	const data = await ctx.ranged("/statements", {sort, limit: 200});
	const rows = data.statements || [];
	return [
		el("div", {class: "head"}, el("h1", null, "Queries"), el("p", null, `${f.plural(rows.length, "statement")} of ${ctx.range.name}`, rows.length > 0 && `, by ${data.source}`)),
		dataTable({key: "queries-" + ctx.db, caption: "Statements", rows, sort, down: true, columns: columns(ctx, rows), filter: (r) => r.query, filterLabel: "Filter statements",
			onSort: (key) => ctx.go(ctx.link("queries", null, {sort: key})),
			empty: nothing("No statement was seen in this time", "They show up half a minute after pgmend has started: then it can compare. Otherwise choose a longer time. Statements come from pg_stat_statements (", el("code", null, "CREATE EXTENSION pg_stat_statements"), ", with it in shared_preload_libraries), or from the pooler.")})];
}

function figures(r) {
	return tiles(
		r.share > 0 && tile("Share of all time", f.percent(r.share)),
		tile("Calls", f.count(r.calls)),
		tile("Mean", f.ms(r.mean_ms), {note: typeof r.max_ms === "number" ? `longest ${f.ms(r.max_ms)}` : ""}),
		typeof r.p95_ms === "number" && tile("P95", f.ms(r.p95_ms), {note: `P50 ${f.ms(r.p50_ms)}, P99 ${f.ms(r.p99_ms)}`}),
		tile("Rows a call", f.count(r.calls > 0 ? r.rows / r.calls : null)),
		hits(r) !== null && tile("Cache hits", f.percent(hits(r)), {note: `${f.count((r.blocks_hit + r.blocks_read) / (r.calls || 1))} blocks a call`}),
		r.temp_blocks > 0 && tile("Spilled to disk", f.bytes(r.temp_blocks * 8192), {tone: "warn"}));
}

function charts(ctx, r) {
	const points = r.points || [];
	const mean = points.map(([t, calls, ms]) => [t, calls > 0 ? ms / calls : null]);
	const p95 = points.map((p) => [p[0], p[4] ?? null]);
	const known = p95.some((p) => p[1] !== null);
	const step = points.length > 1 ? points[1][0] - points[0][0] : ctx.range.step;
	const calls = points.map(([t, n]) => [t, typeof n === "number" ? n / step : null]);
	return el("div", {class: "grid"},
		ctx.chart("query-mean", {title: "Latency", note: known ? "" : "mean of the calls", unit: "ms", series: [{label: "mean", points: mean}, ...(known ? [{label: "P95", points: p95}] : [])]}),
		ctx.chart("query-calls", {title: "Calls", note: "a second", unit: "count", series: [{label: "calls", points: calls}]}));
}

function histogram(r) {
	const bins = r.histogram || [];
	if (!bins.length)
		return null;
	const most = Math.max(...bins.map((b) => b[1]));
	return el("section", {class: "card", "aria-label": "How long calls took"}, el("h2", null, "How long calls took"),
		el("div", {class: "scroll bins"}, el("table", null, el("caption", {class: "sr"}, "Calls by how long they took"),
			el("thead", null, el("tr", null, el("th", {scope: "col"}, "up to"), el("th", {scope: "col", class: "r"}, "calls"), el("th", {scope: "col"}, el("span", {class: "sr"}, "bar")))),
			el("tbody", null, bins.map(([upper, n]) => el("tr", null, el("th", {scope: "row"}, f.ms(upper)), el("td", {class: "r"}, f.count(n)), el("td", null, meter(n / most, true))))))));
}

/* What the planner said, as a promise: not each refresh of the page asks it again. */
const plans = new Map();
const PLAN_S = 30;

function planOf(ctx, again) {
	const key = ctx.db + "\n" + ctx.id;
	const at = Date.now() / 1000, known = plans.get(key);
	if (again || !known || at - known.at > PLAN_S)
		plans.set(key, {at, said: api(of(ctx.db, `/statements/${encodeURIComponent(ctx.id)}/plan`)).then((p) => ({...p, at}), (error) => ({error}))});
	return plans.get(key).said;
}

const KINDS = {generic: "for values that are not known (generic)", sample: "for one of the samples below: without values the server does not plan it"};

function plan(ctx) {
	const card = el("section", {class: "card", id: "plan", "aria-label": "Plan"}, el("h2", null, "Plan"),
		el("p", {class: "soft small"}, ctx.canOperate ? "Asking the planner\u2026" : "An operator can see how the server would run it."));
	const show = (p) => refill(card,
		el("div", {class: "bar"}, el("h2", null, "Plan"), !p.error && el("span", {class: "soft small"}, `${KINDS[p.kind]}, asked ${f.ago(p.at)}`),
			el("span", {class: "push"}, el("button", {class: "slim quiet", "data-key": "plan-again", onclick: () => planOf(ctx, true).then(show)}, "Ask again"), p.text && copyButton(p.text))),
		p.error ? el("div", {class: "banner warn"}, el("b", null, f.sentence(p.error.message)), p.error.hint && el("p", null, p.error.hint)) : el("pre", null, p.text));
	if (ctx.canOperate)
		planOf(ctx).then(show);
	return card;
}

/* How often which value came at each place, as far as one came often. */
function places(s) {
	/* What is sure of it: the count may be too high by its error. */
	const share = (v, t) => (t.count - t.error) / v.looked;
	const rows = (s.values || []).filter((v) => v.looked >= 10).flatMap((v) => v.top.filter((t) => share(v, t) >= 0.1).slice(0, 3).map((t, i) => [v, t, i]));
	return rows.length > 0 && el("div", {class: "scroll"}, el("table", null, el("caption", null, "Values that come often"),
		el("thead", null, el("tr", null, el("th", {scope: "col"}, "Place"), el("th", {scope: "col"}, "Value"), el("th", {scope: "col", class: "r"}, "Share of the calls looked at"))),
		el("tbody", null, rows.map(([v, t, i]) => el("tr", null, el("th", {scope: "row", class: "mono"}, i ? "" : "$" + v.number), el("td", {class: "mono"}, t.value ?? "hidden"), el("td", {class: "r"}, f.percent(share(v, t)), " ", meter(share(v, t))))))));
}

function slowest(s) {
	const rows = s.slowest || [];
	return rows.length > 0 && el("div", {class: "scroll"}, el("table", null, el("caption", null, "The slowest calls"),
		el("thead", null, el("tr", null, el("th", {scope: "col", class: "r"}, "Took"), el("th", {scope: "col", class: "r"}, "When"), el("th", {scope: "col"}, "As it was run"))),
		el("tbody", null, rows.map((c) => el("tr", null, el("td", {class: "r"}, f.ms(c.ms)), el("td", {class: "r"}, f.ago(c.at)), el("td", {class: "query"}, el("span", {class: "mono"}, c.query === null ? "\u2013" : f.oneLine(c.query))))))));
}

/* What the pooler of this process kept of it. */
function sampled(ctx, r) {
	const s = r.sampled;
	if (!s)
		return null;
	const errors = Object.entries(s.errors || {});
	return el("section", {class: "card", id: "samples", "aria-label": "Samples"},
		el("div", {class: "bar"}, el("h2", null, "As it was run"), el("span", {class: "soft small"}, "by the pooler, since " + f.when(s.since))),
		!s.values_shown && el("p", {class: "soft small"}, "Values are hidden", ctx.canOperate ? [": ", el("code", null, "show_values = 1"), " in [serve] lets operators see them."] : " from viewers."),
		s.wait && s.wait.max_ms >= 1 && el("p", null, "Calls waited for a server for ", el("b", null, f.ms(s.wait.p95_ms)), " at P95, ", el("b", null, f.ms(s.wait.max_ms)), " at most."),
		errors.length > 0 && el("p", null, "Failed: ", errors.map(([code, n]) => `${f.plural(n, "time")} with SQLSTATE ${code}`).join(", "), "."),
		slowest(s), places(s),
		(s.samples || []).length > 0 && el("details", {"data-key": "samples"}, el("summary", null, f.plural(s.samples.length, "sample")), s.samples.map((text) => el("pre", null, text))));
}

function adviseButton(ctx, r) {
	if (!ctx.canOperate)
		return el("span", {class: "soft small"}, "An operator can ask for advice on this one.");
	return !r.others && el("button", {class: "primary", "data-key": "advise-one", onclick: async () => {
		const job = await begin("queries", () => post(of(ctx.db, "/advice"), {statement: ctx.id}), (end) => {
			if (isOver(end))
				ctx.refresh();
		});
		if (job)
			ctx.refresh();
	}}, "Advise on this one");
}

/* Advice on this one; where nobody asked for that, what the advice on all has for it. */
function advice(ctx, r, own, all) {
	if (own && own.advice) {
		if ((own.advice.proposals || []).length)
			return proposals(ctx, own, () => true);
		return el("section", {class: "card", "aria-label": "Proposals"}, el("h2", null, "What would help"),
			nothing("No index would pay for it", `The planner was asked about ${f.plural(own.advice.candidates ?? 0, "candidate")} ${f.ago(own.at)}.`));
	}
	return all && all.advice && proposals(ctx, all, (effect) => f.oneLine(effect.statement) === f.oneLine(r.query));
}

function nPlusOne(r) {
	if (!burst(r))
		return null;
	return el("div", {class: "banner warn"}, el("h2", null, "N+1: run again and again"),
		el("p", null, `One client ran it 10 times or more in a row, ${f.plural(r.n_plus_one.bursts, "time")} in this time${r.n_plus_one.longest ? `, up to ${f.count(r.n_plus_one.longest)} in a row since the pooler started` : ""}. One statement with `, el("code", null, "= ANY($1)"), " or a join would do."));
}

async function one(ctx) {
	const [r, own, all] = await Promise.all([ctx.ranged("/statements/" + encodeURIComponent(ctx.id)),
		ctx.maybe(ctx.get("/advice", {statement: ctx.id})), ctx.maybe(ctx.get("/advice"))]);
	return [
		el("div", {class: "head"}, el("h1", null, "Statement"), el("p", null, el("a", {href: ctx.link("queries")}, "All queries")), el("div", {class: "actions"}, adviseButton(ctx, r))),
		el("section", {class: "card", "aria-label": "Its text"}, el("div", {class: "bar"}, el("h2", null, r.user ? "As " + r.user : "Its text"), el("span", {class: "push"}, copyButton(r.query || ""))), el("pre", null, r.query)),
		nPlusOne(r), figures(r), advice(ctx, r, own, all), charts(ctx, r), plan(ctx), histogram(r), sampled(ctx, r)];
}

export default {name: "queries", title: "Queries", load: (ctx) => (ctx.id ? one(ctx) : list(ctx))};
