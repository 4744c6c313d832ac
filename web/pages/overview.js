/* How the database is: a row of figures, charts, and what is wrong as sentences. */
import {el} from "../dom.js";
import {api} from "../api.js";
import * as f from "../format.js";
import {METRICS, over, plus, sum, tail} from "../metrics.js";
import {findingsList, findingCounts} from "../findings.js";
import {badge, dataTable, nothing, tile, tiles} from "../table.js";

async function figures(ctx) {
	const names = ["commits", "rollbacks", "hit", "read", "active", "idle", "blocked", "connections", "oldest", "lag", "calls", "time"];
	const all = await Promise.all(names.map((name) => ctx.series(METRICS[name])));
	return Object.fromEntries(names.map((name, i) => [name, sum(all[i])]));
}

function uptime(s) {
	return [s.server_version && "PostgreSQL " + s.server_version, s.standby && "standby", s.size_bytes && f.bytes(s.size_bytes), s.started_at && "up since " + f.when(s.started_at)].filter(Boolean).join(", ");
}

function down(ctx, s) {
	if (!s.state || s.state === "up")
		return null;
	return el("div", {class: "banner bad", role: "alert"}, el("h2", null, `${ctx.db} does not answer`), el("p", null, s.why || "pgmend tries again by itself."),
		el("p", {class: "soft"}, "What you see below is what was known before."));
}

/* What the watch could read before, and can't now. */
function stale(s) {
	if (!(s.stale || []).length)
		return null;
	return el("div", {class: "banner warn"}, el("h2", null, "Not all can be read"),
		el("p", null, "What is shown of it, if anything, is older: ", s.stale.map((x) => `${x.collector} (last read ${f.ago(x.seen_at)})`).join(", "), "."));
}

const pick = (...values) => values.find((v) => typeof v === "number");
const last = (points) => [...points].reverse().map((p) => p[1]).find((v) => typeof v === "number");

function latencyTile(s, mean) {
	if (typeof s.p95_ms === "number")
		return tile("Latency P95", f.ms(s.p95_ms), {note: `P50 ${f.ms(s.p50_ms)}, P99 ${f.ms(s.p99_ms)}`, spark: tail(mean), href: null});
	return tile("Mean latency", f.ms(pick(s.mean_ms, last(mean))), {note: "of all statements", spark: tail(mean)});
}

function lagTile(s, series) {
	const standbys = s.replication || [];
	if (!standbys.length && !s.standby)
		return tile("Replication", "\u2013", {note: "no standby is connected"});
	const worst = Math.max(...standbys.map((r) => r.lag_s || 0), s.standby ? last(series.lag) || 0 : 0);
	return tile("Replication lag", f.seconds(worst), {note: s.standby ? "behind its primary" : f.plural(standbys.length, "standby", "standbys"), spark: tail(series.lag), tone: worst > 60 ? "bad" : worst > 10 ? "warn" : ""});
}

function row(ctx, s, series) {
	const mean = over(series.time, series.calls, 1000), hit = over(series.hit, plus(series.hit, series.read));
	const used = s.max_connections ? s.connections / s.max_connections : null;
	const errors = pick(s.rollbacks_per_s, last(series.rollbacks)), commits = pick(s.tps, last(series.commits));
	const share = errors > 0 && commits > 0 ? errors / commits : 0;
	return tiles(
		tile("Transactions", f.rate(commits), {spark: tail(series.commits)}),
		tile("Statements", f.rate(pick(s.queries_per_s, last(series.calls))), {spark: tail(series.calls), href: ctx.link("queries")}),
		latencyTile(s, mean),
		tile("Rollbacks", f.rate(errors), {note: share > 0 ? f.percent(share) + " of transactions" : "", spark: tail(series.rollbacks), tone: share > 0.1 ? "bad" : ""}),
		tile("Connections", f.count(s.connections), {note: s.max_connections ? `of ${f.count(s.max_connections)}, ${f.count(s.active ?? null)} active` : "", spark: used === null ? tail(series.connections) : null, share: used, tone: used > 0.95 ? "bad" : used > 0.8 ? "warn" : "", href: ctx.link("sessions")}),
		tile("Cache hits", f.percent(pick(s.cache_hit_ratio, last(hit))), {note: "blocks found in memory", spark: tail(hit)}),
		tile("Longest transaction", f.seconds(s.longest_transaction_s), {spark: tail(series.oldest), note: s.idle_in_transaction ? f.plural(s.idle_in_transaction, "idle in transaction", "idle in transaction") : "", tone: s.longest_transaction_s > 300 ? "warn" : ""}),
		lagTile(s, series));
}

function charts(ctx, s, series) {
	const mean = over(series.time, series.calls, 1000);
	const lines = [
		["traffic", {title: "Traffic", note: "a second", unit: "count", series: [{label: "transactions", points: series.commits}, {label: "statements", points: series.calls}]}],
		["latency", {title: "Latency", note: "mean of all statements", unit: "ms", series: [{label: "mean", points: mean}]}],
		["errors", {title: "Rollbacks", note: "a second", unit: "count", series: [{label: "rollbacks", points: series.rollbacks, color: "--critical"}]}],
		["cache", {title: "Cache hits", note: "share of blocks found in shared memory", unit: "percent", series: [{label: "hits", points: over(series.hit, plus(series.hit, series.read)), color: "--c2"}]}],
		["sessions", {title: "Sessions", unit: "count", series: [{label: "active", points: series.active}, {label: "idle in transaction", points: series.idle}, {label: "waiting for a lock", points: series.blocked}]}],
		["oldest", {title: "Longest transaction", unit: "seconds", series: [{label: "age", points: series.oldest, color: "--c3"}]}],
	];
	if (series.lag.length && (s.standby || (s.replication || []).length))
		lines.push(["lag", {title: "Replication lag", unit: "seconds", series: [{label: "lag", points: series.lag}]}]);
	return el("div", {class: "grid"}, lines.map(([key, spec]) => ctx.chart("overview-" + key, spec)));
}

function firing(ctx, data) {
	const alerts = (data.alerts || []).filter((a) => a.state === "firing" && !a.silence && (!a.database || a.database === ctx.db || a.database === "pool"));
	if (!alerts.length)
		return null;
	return el("section", {class: "card", "aria-label": "Alerts"}, el("div", {class: "bar"}, el("h2", null, "Firing now"), el("span", {class: "push"}, el("a", {href: ctx.link("alerts")}, "All alerts"))),
		el("ul", {class: "sentences"}, alerts.map((a) => el("li", {class: "sentence " + a.severity}, el("h3", null, f.sentence(a.summary || a.id), " ", badge(a.severity)), el("p", null, "since ", f.ago(a.since))))));
}

function findings(ctx, data) {
	const all = data.findings || [];
	return el("section", {class: "card", "aria-label": "Findings"},
		el("div", {class: "bar"}, el("h2", null, "What is wrong"), findingCounts(data.summary), el("span", {class: "push soft small"}, data.taken_at && "checked " + f.ago(data.taken_at))),
		all.length ? findingsList(all, 4) : nothing("Nothing was found", `${f.plural((data.summary || {}).judged ?? 0, "check")} looked, and each is content.`));
}

function slowest(ctx, data) {
	return dataTable({key: "overview-slow", caption: "Where the time goes", rows: (data.statements || []).slice(0, 6), sort: "share",
		actions: el("a", {href: ctx.link("queries")}, "All queries"),
		empty: nothing("No statement was seen in this time", "They show up half a minute after pgmend has started: then it can compare. Otherwise choose a longer time, or see whether pg_stat_statements is installed."),
		columns: [
			{key: "query", title: "Statement", className: "query", plain: true, value: (r) => r.query, render: (r) => r.others ? el("span", {class: "soft"}, "all others") : el("a", {class: "clip mono", href: ctx.link("queries", r.id), "data-key": "slow-" + r.id}, f.oneLine(r.query))},
			{key: "share", title: "Share", numeric: true, plain: true, value: (r) => r.share, render: (r) => f.percent(r.share)},
			{key: "mean", title: "Mean", numeric: true, plain: true, value: (r) => r.mean_ms, render: (r) => f.ms(r.mean_ms)},
			{key: "calls", title: "Calls", numeric: true, plain: true, optional: true, value: (r) => r.calls, render: (r) => f.count(r.calls)},
		]});
}

export default {
	name: "overview",
	title: "Overview",
	async load(ctx) {
		const [summary, series] = await Promise.all([ctx.get("/summary").catch((error) => {
			if (error.name === "AbortError" || error.status === 401 || error.status === 0)
				throw error;
			return {state: "unknown", why: error.message};
		}), figures(ctx)]);
		const [alerts, wrong, slow] = await Promise.all([
			ctx.part("Alerts", api("/alerts", {signal: ctx.signal}), (d) => firing(ctx, d)),
			ctx.part("What is wrong", ctx.get("/findings"), (d) => findings(ctx, d)),
			ctx.part("Where the time goes", ctx.ranged("/statements", {sort: "total", limit: 6}), (d) => slowest(ctx, d))]);
		return [el("div", {class: "head"}, el("h1", null, ctx.db), el("p", null, uptime(summary))), down(ctx, summary), stale(summary), row(ctx, summary, series), alerts, wrong,
			charts(ctx, summary, series), slow];
	},
};
