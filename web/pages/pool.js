/* The pooler, where this process is one. */
import {el} from "../dom.js";
import {api} from "../api.js";
import * as f from "../format.js";
import {METRICS, sum} from "../metrics.js";
import {badge, dataTable, nothing, tile, tiles} from "../table.js";

const total = (rows, key) => rows.reduce((n, r) => n + (r[key] || 0), 0);

function pools(rows) {
	return dataTable({key: "pools", caption: "Pools", rows, sort: "waiting", filter: (r) => `${r.database} ${r.user}`, filterLabel: "Filter pools",
		empty: nothing("No client has connected yet", "A pool begins with the first client of a database and user."),
		columns: [
			{key: "database", title: "Database", value: (r) => r.database, className: "name-cell"},
			{key: "user", title: "User", value: (r) => r.user, className: "name-cell"},
			{key: "mode", title: "Mode", optional: true, value: (r) => r.mode},
			{key: "active", title: "Clients", numeric: true, value: (r) => r.clients_active, render: (r) => f.count(r.clients_active)},
			{key: "waiting", title: "Waiting", numeric: true, value: (r) => r.clients_waiting, render: (r) => el("span", {class: r.clients_waiting > 0 ? "bad" : null}, f.count(r.clients_waiting))},
			{key: "wait", title: "Longest wait", numeric: true, optional: true, value: (r) => r.max_wait_s, render: (r) => f.seconds(r.max_wait_s)},
			{key: "servers", title: "Servers", hint: "active, idle", numeric: true, value: (r) => r.servers_active, render: (r) => `${f.count(r.servers_active)} + ${f.count(r.servers_idle)}`},
			{key: "used", title: "Used", numeric: true, optional: true, value: (r) => r.servers_used, render: (r) => f.count(r.servers_used)},
		]});
}

function databases(rows) {
	if (!rows.length)
		return null;
	return dataTable({key: "pool-databases", caption: "Databases of the pooler", rows, sort: "name", down: false,
		columns: [
			{key: "name", title: "Name", value: (r) => r.name, className: "name-cell", render: (r) => [r.name, " ", r.paused ? badge("paused", "warning") : ""]},
			{key: "host", title: "Server", value: (r) => (r.host ? [r.host, r.port].filter(Boolean).join(":") : "this process"), className: "name-cell"},
			{key: "size", title: "Pool size", numeric: true, value: (r) => r.pool_size, render: (r) => f.count(r.pool_size)},
			{key: "now", title: "Connections", numeric: true, value: (r) => r.current_connections, render: (r) => f.count(r.current_connections)},
		]});
}

export default {
	name: "pool",
	title: "Pool",
	async load(ctx) {
		const head = el("div", {class: "head"}, el("h1", null, "Pool"), el("p", null, "this process's own pooler"));
		const data = await api("/pool", {signal: ctx.signal}).catch((error) => {
			if (error.status === 404)
				return {enabled: false};
			throw error;
		});
		if (data.enabled === false)
			return [head, el("section", {class: "card"}, nothing("This process does not pool", "Name databases in the section [databases] of serve's file, as for ", el("code", null, "pgmend pool"), ", and it pools and times every statement that passes."))];
		const rows = data.pools || [], latency = data.latency || {}, totals = data.totals || {};
		const waiting = await ctx.series(METRICS.waiting, "pool");
		return [head,
			tiles(tile("Clients", f.count(total(rows, "clients_active")), {note: `${f.count(total(rows, "clients_waiting"))} more wait for a server`, tone: total(rows, "clients_waiting") ? "bad" : ""}),
				tile("Servers", f.count(total(rows, "servers_active") + total(rows, "servers_idle")), {note: `${f.count(total(rows, "servers_active"))} active`}),
				typeof totals.queries_per_s === "number" && tile("Statements", f.rate(totals.queries_per_s)),
				typeof latency.p95_ms === "number" && tile("Latency P95", f.ms(latency.p95_ms), {note: `P50 ${f.ms(latency.p50_ms)}, P99 ${f.ms(latency.p99_ms)}`})),
			pools(rows),
			waiting.length > 0 && ctx.chart("pool-waiting", {title: "Clients waiting for a server", unit: "count", series: [{label: "waiting", points: sum(waiting), color: "--c1"}]}),
			databases(data.databases || [])];
	},
};
