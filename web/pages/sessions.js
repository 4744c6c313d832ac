/* Who is connected, who waits for whom, and the way to end one. */
import {ask, el, toast} from "../dom.js";
import {of, post} from "../api.js";
import * as f from "../format.js";
import {badge, dataTable, nothing, tile, tiles} from "../table.js";

const named = (s) => (s.pid ? String(s.pid) : s.prepared || s.id);
const who = (s) => [s.user, s.application].filter(Boolean).join(", ") || s.backend_type || "?";
const state = (s) => (s.hidden ? "hidden" : s.state || s.backend_type || "");
const tone = (s) => (s.waits ? "warning" : s.idle_in_transaction ? (s.long ? "critical" : "warning") : s.state === "active" ? "running" : "plain");

async function end(ctx, session, action) {
	const word = action === "cancel" ? "Cancel its statement" : "End the session";
	const yes = await ask({title: word + "?", danger: true, yes: word,
		body: [el("p", null, `Session ${named(session)} of ${who(session)}${session.database ? " in " + session.database : ""}.`),
			session.query && el("pre", null, session.query.slice(0, 600)),
			el("p", {class: "soft"}, action === "cancel" ? "The statement ends with an error; its session stays." : "Its open transaction is rolled back, and its connection closed.")]});
	if (!yes)
		return;
	try {
		const data = await post(of(ctx.db, "/sessions/" + action), {id: session.id});
		const one = (data.sessions || [])[0];
		toast(one ? [one.outcome, one.message].filter(Boolean).join(": ") || "Asked." : "It was gone already.");
	} catch (error) {
		toast(error.message + (error.hint ? ". " + error.hint : ""), true);
	}
	ctx.refresh();
}

function buttons(ctx, s) {
	if (!ctx.canOperate || s.own || !s.pid || s.backend_type && s.backend_type !== "client backend")
		return "";
	return el("span", {class: "counts"},
		s.state === "active" && el("button", {class: "slim", "data-key": "cancel-" + s.id, onclick: () => end(ctx, s, "cancel"), "aria-label": `Cancel the statement of ${named(s)}`}, "Cancel"),
		el("button", {class: "slim", "data-key": "end-" + s.id, onclick: () => end(ctx, s, "terminate"), "aria-label": `End session ${named(s)}`}, "End"));
}

function node(ctx, s, below) {
	const w = s.waits;
	return el("li", null, el("div", {class: "node"},
		el("b", null, s.pid ? "" + s.pid : named(s)), badge(state(s), tone(s)), el("span", null, who(s)),
		w ? el("span", {class: "soft"}, `waits ${f.seconds(w.seconds)} for ${w.mode || "a lock"} on ${w.on || "?"}${w.deadlock ? " (deadlock)" : ""}`)
			: el("span", {class: "soft"}, `holds up ${f.plural(s.blocks, "session")}${s.transaction_s >= 0 && s.transaction_s !== null ? ", in a transaction for " + f.seconds(s.transaction_s) : ""}`),
		buttons(ctx, s), s.query && el("code", null, f.oneLine(s.query).slice(0, 300))),
		below.length > 0 && el("ul", null, below));
}

function tree(ctx, all) {
	const key = (x) => (x ? x.pid || x.prepared : null);
	const children = new Map();
	for (const s of all)
		if (s.waits) {
			const parent = key(s.waits.below || (s.waits.blocked_by || [])[0]);
			children.set(parent, [...(children.get(parent) || []), s]);
		}
	const seen = new Set();
	const draw = (s) => {
		seen.add(s);
		return node(ctx, s, (children.get(key(s)) || []).filter((c) => !seen.has(c)).map(draw));
	};
	const roots = all.filter((s) => !s.waits && children.has(key(s)));
	const drawn = roots.map(draw);
	/* A circle has no root: begin anywhere. */
	for (const s of all)
		if (s.waits && !seen.has(s))
			drawn.push(draw(s));
	return el("section", {class: "card", "aria-label": "Who waits for whom"}, el("h2", null, "Who waits for whom"),
		drawn.length ? el("ul", {class: "tree"}, drawn) : nothing("Nobody waits for a lock"));
}

function table(ctx, all) {
	const clients = all.filter((s) => !s.backend_type || s.backend_type === "client backend");
	return dataTable({key: "sessions", caption: "Sessions", rows: clients, sort: "transaction", filter: (s) => `${named(s)} ${who(s)} ${s.database} ${s.query}`, filterLabel: "Filter sessions",
		empty: nothing("Nobody is connected"),
		columns: [
			{key: "pid", title: "Session", value: (s) => s.pid, render: (s) => el("b", null, named(s))},
			{key: "who", title: "Who", value: who, className: "name-cell"},
			{key: "state", title: "State", value: state, render: (s) => [badge(state(s), tone(s)), s.orphan && [" ", badge("client gone", "warning")]]},
			{key: "transaction", title: "Transaction", numeric: true, optional: true, value: (s) => s.transaction_s, render: (s) => f.seconds(s.transaction_s)},
			{key: "statement", title: "Statement", numeric: true, optional: true, value: (s) => s.statement_s, render: (s) => f.seconds(s.state === "active" ? s.statement_s : s.state_s)},
			{key: "wait", title: "Waits for", optional: true, value: (s) => s.wait_event, render: (s) => [s.wait_event_type, s.wait_event].filter(Boolean).join(": ") || "\u2013"},
			{key: "query", title: "Query", className: "query optional", plain: true, value: (s) => s.query, render: (s) => el("span", {class: "clip mono", title: s.query}, f.oneLine(s.query).slice(0, 400))},
			...(ctx.canOperate ? [{key: "end", title: "", plain: true, value: () => "", render: (s) => buttons(ctx, s)}] : []),
		]});
}

export default {
	name: "sessions",
	title: "Sessions",
	async load(ctx) {
		const data = await ctx.get("/sessions", {all: true});
		const all = data.sessions || [];
		const clients = all.filter((s) => !s.backend_type || s.backend_type === "client backend");
		const waiting = all.filter((s) => s.waits), idle = clients.filter((s) => s.idle_in_transaction);
		return [el("div", {class: "head"}, el("h1", null, "Sessions"), el("p", null, `of ${ctx.db}'s server, ${f.ago(data.at)}`)),
			tiles(tile("Clients", f.count(clients.length)), tile("Active", f.count(clients.filter((s) => s.state === "active").length)),
				tile("Waiting for locks", f.count(waiting.length), {tone: waiting.length ? "warn" : ""}),
				tile("Idle in transaction", f.count(idle.length), {tone: idle.some((s) => s.long) ? "bad" : "", note: idle.length ? "longest " + f.seconds(Math.max(...idle.map((s) => s.state_s || 0))) : ""})),
			data.hidden > 0 && el("div", {class: "banner warn"}, `What ${f.plural(data.hidden, "session")} of other users do cannot be seen: grant pg_read_all_stats to pgmend's role.`),
			tree(ctx, all), table(ctx, all)];
	},
};
