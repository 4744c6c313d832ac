/* The statements of a time range, and one of them with all that is known of it. */
import {el} from "../dom.js";
import {post, of} from "../api.js";
import * as f from "../format.js";
import {begin, isOver} from "../job.js";
import {badge, dataTable, nothing, tile, tiles, meter} from "../table.js";
import {sparkline} from "../charts.js";
import {copyButton} from "../findings.js";
import {proposals} from "../proposals.js";

const hits = (r) => (r.blocks_hit + r.blocks_read > 0 ? r.blocks_hit / (r.blocks_hit + r.blocks_read) : null);
const burst = (r) => r.n_plus_one && r.n_plus_one.bursts > 0;

function columns(ctx) {
	return [
		{key: "query", title: "Statement", className: "query", plain: true, value: (r) => r.query,
			render: (r) => r.others ? el("span", {class: "soft"}, "all others") : [el("a", {class: "clip mono", href: ctx.link("queries", r.id), "data-key": "query-" + r.id}, f.oneLine(r.query)), burst(r) && badge("N+1", "warning")]},
		{key: "spark", title: "Trend", plain: true, optional: true, value: () => null, render: (r) => (r.spark && sparkline(r.spark)) || ""},
		{key: "total", title: "Share", hint: "of the time of all statements", numeric: true, value: (r) => r.total_ms, render: (r) => [f.percent(r.share), el("span", {class: "optional"}, meter(r.share))]},
		{key: "calls", title: "Calls", numeric: true, optional: true, value: (r) => r.calls, render: (r) => f.count(r.calls)},
		{key: "mean", title: "Mean", numeric: true, value: (r) => r.mean_ms, render: (r) => f.ms(r.mean_ms)},
		{key: "p95", title: "P95", numeric: true, optional: true, value: (r) => r.p95_ms, render: (r) => f.ms(r.p95_ms)},
		{key: "p99", title: "P99", numeric: true, optional: true, plain: true, value: (r) => r.p99_ms, render: (r) => f.ms(r.p99_ms)},
		{key: "rows", title: "Rows", hint: "a call", numeric: true, optional: true, value: (r) => r.rows, render: (r) => f.count(r.calls > 0 ? r.rows / r.calls : null)},
	];
}

async function list(ctx) {
	const sort = ctx.params.get("sort") || "total";
	const data = await ctx.ranged("/statements", {sort, limit: 200});
	const rows = data.statements || [];
	return [
		el("div", {class: "head"}, el("h1", null, "Queries"), el("p", null, `${f.plural(rows.length, "statement")} of ${ctx.range.name}`, data.source ? `, by ${data.source}` : "")),
		dataTable({key: "queries-" + ctx.db, caption: "Statements", rows, sort, down: true, columns: columns(ctx), filter: (r) => r.query, filterLabel: "Filter statements",
			onSort: (key) => ctx.go(ctx.link("queries", null, {sort: key})),
			empty: nothing("No statement was seen in this time", "Choose a longer time. Statements come from pg_stat_statements (", el("code", null, "CREATE EXTENSION pg_stat_statements"), ", with it in shared_preload_libraries), or from the pooler.")})];
}

function figures(r) {
	return tiles(
		r.share > 0 && tile("Share of all time", f.percent(r.share)),
		tile("Calls", f.count(r.calls)),
		tile("Mean", f.ms(r.mean_ms), {note: typeof r.max_ms === "number" ? `longest ${f.ms(r.max_ms)}` : ""}),
		typeof r.p50_ms === "number" && tile("P50", f.ms(r.p50_ms)),
		typeof r.p95_ms === "number" && tile("P95", f.ms(r.p95_ms), {note: typeof r.p99_ms === "number" ? `P99 ${f.ms(r.p99_ms)}` : ""}),
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
		el("div", {class: "scroll"}, el("table", null, el("caption", {class: "sr"}, "Calls by how long they took"),
			el("thead", null, el("tr", null, el("th", {scope: "col"}, "up to"), el("th", {scope: "col", class: "r"}, "calls"), el("th", {scope: "col"}, el("span", {class: "sr"}, "bar")))),
			el("tbody", null, bins.map(([upper, n]) => el("tr", null, el("th", {scope: "row"}, f.ms(upper)), el("td", {class: "r"}, f.count(n)), el("td", null, meter(n / most, false))))))));
}

function text(title, body) {
	return body ? el("section", {class: "card", "aria-label": title}, el("div", {class: "bar"}, el("h2", null, title), el("span", {class: "push"}, copyButton(body))), el("pre", null, body)) : null;
}

function advice(ctx, id) {
	if (!ctx.canOperate)
		return el("span", {class: "soft small"}, "An operator can ask for advice on this one.");
	return el("button", {class: "primary", "data-key": "advise-one", onclick: async () => {
		const job = await begin("queries", () => post(of(ctx.db, "/advice"), {statement: id}), (end) => {
			if (isOver(end))
				ctx.refresh();
		});
		if (job)
			ctx.refresh();
	}}, "Advise on this one");
}

function nPlusOne(r) {
	if (!burst(r))
		return null;
	return el("div", {class: "banner warn"}, el("h2", null, "N+1: run again and again"),
		el("p", null, `One client ran it 10 times or more in a row, ${f.plural(r.n_plus_one.bursts, "time")} in this time${r.n_plus_one.longest ? `, up to ${f.count(r.n_plus_one.longest)} in a row` : ""}. One statement with `, el("code", null, "= ANY($1)"), " or a join would do."));
}

async function one(ctx) {
	const [r, found] = await Promise.all([ctx.ranged("/statements/" + encodeURIComponent(ctx.id)), ctx.get("/advice").catch(() => null)]);
	return [
		el("div", {class: "head"}, el("h1", null, "Statement"), el("p", null, el("a", {href: ctx.link("queries")}, "All queries")), el("div", {class: "actions"}, advice(ctx, ctx.id))),
		el("section", {class: "card", "aria-label": "Its text"}, el("div", {class: "bar"}, el("h2", null, r.user ? "As " + r.user : "Its text"), el("span", {class: "push"}, copyButton(r.query || ""))), el("pre", null, r.query)),
		nPlusOne(r), figures(r),
		found && found.advice && proposals(ctx, found, (effect) => effect.fingerprint === r.id || effect.fingerprint === r.fingerprint || f.oneLine(effect.statement) === f.oneLine(r.query)),
		charts(ctx, r), histogram(r), text("Plan", r.plan),
		(r.samples || []).length > 0 && el("section", {class: "card", "aria-label": "Samples"}, el("h2", null, "As it was run"), r.samples.map((s) => el("pre", null, typeof s === "string" ? s : s.query)))];
}

export default {name: "queries", title: "Queries", load: (ctx) => (ctx.id ? one(ctx) : list(ctx))};
