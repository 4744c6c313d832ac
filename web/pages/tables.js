/* Sizes, growth and its forecast, dead rows, and partitions. */
import {ask, el} from "../dom.js";
import {of, post} from "../api.js";
import * as f from "../format.js";
import {begin} from "../job.js";
import {METRICS, sum} from "../metrics.js";
import {badge, breakable, dataTable, meter, nothing, staleNote, tile, tiles} from "../table.js";

const days = (n) => (typeof n === "number" ? f.seconds(n * 86400) : "\u2013");

function forecast(growth) {
	const d = growth.database;
	if (!d)
		return null;
	return tiles(
		tile("Size", f.bytes(d.size_bytes)),
		tile("Growth", typeof d.bytes_per_day === "number" ? f.bytes(d.bytes_per_day) : "\u2013", {note: typeof d.bytes_per_day === "number" ? "a day" : "known after a while of watching"}),
		tile("Last 24 hours", f.bytes(d.bytes_in_last_day), {note: typeof d.bytes_in_last_day === "number" ? "more" : "known after a day of watching"}),
		tile("Doubles in", days(d.doubles_in_days), {note: d.method ? "by " + d.method : ""}));
}

const deadShare = (r) => (r.rows + r.dead_rows > 0 ? r.dead_rows / (r.rows + r.dead_rows) : null);

/* Names in findings are quoted as SQL wants them, key words too. */
const plain = (name) => String(name).replace(/"((?:[^"]|"")*)"/g, (_, inner) => inner.replaceAll('""', '"'));
const nameOf = (r) => `${r.schema}.${r.name}`;

/* What the check table_bloat estimates, by the names of the tables: of those that are beyond its limits. */
function bloated(found) {
	return new Map(((found && found.findings) || []).filter((x) => x.check === "table_bloat" && x.evidence)
		.map((x) => [plain(x.object), {bytes: x.evidence.size_bytes - x.evidence.needed_bytes, share: x.evidence.empty_share}]));
}

function table(data, growth, bloat, parts) {
	const rows = data.tables || [];
	const partitions = new Map(((parts && parts.tables) || []).map((t) => [plain(t.table), t.partitions]));
	const empty = (r) => bloat.get(nameOf(r));
	const growing = new Map((growth.tables || []).map((g) => [`${g.schema}.${g.name}`, g]));
	const of = (r) => growing.get(`${r.schema}.${r.name}`) || {};
	const perDay = (r) => of(r).bytes_per_day ?? of(r).bytes_in_last_day;
	const largest = Math.max(1, ...rows.map((r) => r.size_bytes || 0));
	const shown = (c) => c.key !== "doubles" || rows.some((r) => typeof of(r).doubles_in_days === "number");
	return dataTable({key: "tables", caption: "Tables", rows, note: staleNote(data), sort: "size", filter: (r) => `${r.schema}.${r.name}`, filterLabel: "Filter tables",
		empty: nothing("This database has no table", "As soon as there is one, it shows up here within a minute."),
		columns: [
			{key: "name", title: "Table", className: "name-cell", value: (r) => `${r.schema}.${r.name}`,
				render: (r) => [el("span", {class: "soft"}, breakable(r.schema + ".")), breakable(r.name), " ", r.kind !== "table" && badge(partitions.has(nameOf(r)) ? f.plural(partitions.get(nameOf(r)), "partition") : r.kind, "plain")]},
			{key: "size", title: "Size", numeric: true, value: (r) => r.size_bytes, render: (r) => [f.bytes(r.size_bytes), el("span", {class: "optional"}, meter(r.size_bytes / largest))]},
			{key: "indexes", title: "Indexes", numeric: true, optional: true, value: (r) => r.index_bytes, render: (r) => f.bytes(r.index_bytes)},
			{key: "rows", title: "Rows", numeric: true, value: (r) => r.rows, render: (r) => f.count(r.rows)},
			{key: "growth", title: "Growth", hint: "a day; known after five days of watching, before that of the last 24 hours", numeric: true, optional: true, value: perDay, render: (r) => (typeof perDay(r) === "number" ? f.bytes(perDay(r)) + "/day" : "\u2013")},
			{key: "doubles", title: "Doubles in", numeric: true, optional: true, value: (r) => of(r).doubles_in_days, render: (r) => days(of(r).doubles_in_days)},
			{key: "dead", title: "Dead", hint: "rows that VACUUM has not taken yet", numeric: true, optional: true, value: deadShare, render: (r) => f.percent(deadShare(r))},
			{key: "bloat", title: "Bloat", hint: "empty space, as the check table_bloat estimates it: of tables from 100 MB of which 30 % or more is empty", numeric: true, optional: true, value: (r) => (empty(r) ? empty(r).bytes : 0), render: (r) => (empty(r) ? `${f.bytes(empty(r).bytes)} (${f.percent(empty(r).share)})` : "\u2013")},
			{key: "seq", title: "Full scans", numeric: true, optional: true, value: (r) => r.seq_scans, render: (r) => f.count(r.seq_scans)},
			{key: "vacuum", title: "Vacuumed", numeric: true, optional: true, value: (r) => f.moment(r.last_vacuum) || null, render: (r) => f.ago(r.last_vacuum)},
		].filter(shown)});
}

function upkeepButton(ctx, due) {
	return ctx.canOperate && due > 0 && el("button", {"data-key": "upkeep", onclick: async () => {
		const yes = await ask({title: "Keep partitions in order?", yes: "Do it",
			body: el("p", null, `Makes the partitions that will be needed next, without blocking, and retires old ones where a retention is stored for the table. ${f.plural(due, "Plan")} would run.`)});
		if (yes && await begin("tables", () => post(of(ctx.db, "/partitions/upkeep")), () => ctx.refresh()))
			ctx.refresh();
	}}, "Keep in order");
}

function notes(t) {
	const texts = (t.notes || []).map((n) => (typeof n === "string" ? n : n.text || n.message || ""));
	if (t.error && t.error.message)
		texts.unshift(t.error.message);
	for (const plan of t.plans || [])
		texts.push("due: " + plan.title);
	return texts.filter(Boolean).map((text) => el("p", {class: "small soft"}, text));
}

function partitioned(ctx, data) {
	const rows = data.tables || [];
	if (!rows.length)
		return null;
	const due = rows.reduce((n, t) => n + (t.plans || []).length, 0);
	return dataTable({key: "partitions", caption: "Partitioned tables", rows, sort: "table", down: false, actions: upkeepButton(ctx, due),
		columns: [
			{key: "table", title: "Table", value: (t) => t.table, className: "name-cell", render: (t) => [t.table, " ", t.problems > 0 && badge(f.plural(t.problems, "problem"), "warning"), notes(t)]},
			{key: "partitions", title: "Partitions", numeric: true, value: (t) => t.partitions, render: (t) => f.count(t.partitions)},
			{key: "ahead", title: "Ahead", hint: "made for the time to come", numeric: true, value: (t) => t.ahead, render: (t) => f.count(t.ahead)},
			{key: "interval", title: "Each", optional: true, value: (t) => t.interval},
			{key: "retention", title: "Kept", optional: true, value: (t) => t.retention, render: (t) => (t.retention ? `${t.retention}, then ${t.retention_action}` : "for ever")},
		]});
}

export default {
	name: "tables",
	title: "Tables",
	async load(ctx) {
		const split = ctx.get("/partitions");
		const [growth, found, rows] = await Promise.all([ctx.maybe(ctx.ranged("/growth")), ctx.maybe(ctx.get("/findings")), ctx.maybe(split)]);
		const [size, all, parts] = await Promise.all([
			ctx.series(METRICS.size),
			ctx.part("Tables", ctx.get("/tables"), (d) => table(d, growth || {}, bloated(found), rows)),
			ctx.part("Partitioned tables", split, (d) => partitioned(ctx, d))]);
		return [el("div", {class: "head"}, el("h1", null, "Tables"), el("p", null, "of " + ctx.db)), forecast(growth || {}),
			ctx.chart("tables-size", {title: "Size of the database", unit: "bytes", series: [{label: "size", points: sum(size)}]}), all, parts];
	},
};
