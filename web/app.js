/*
 * The frame: signing in, which page, database and time range the address says, and what is fetched again.
 *
 * The address is #/PAGE/ID?db=NAME&range=1h (or from= and to= in seconds), so that a link says what one sees.
 */
import {announce, ask, byId, el, refill, toast} from "./dom.js";
import {api, ApiError, of, query, setToken, startSession} from "./api.js";
import {chart, recolor, withGaps} from "./charts.js";
import {when} from "./format.js";
import {started, startedOn} from "./job.js";
import {nothing} from "./table.js";
import overview from "./pages/overview.js";
import queries from "./pages/queries.js";
import indexes from "./pages/indexes.js";
import tables from "./pages/tables.js";
import sessions from "./pages/sessions.js";
import pool from "./pages/pool.js";
import changes from "./pages/changes.js";
import alerts from "./pages/alerts.js";

const PAGES = [overview, queries, indexes, tables, sessions, pool, changes, alerts];
const RANGES = [["15m", "15 minutes", 900], ["1h", "hour", 3600], ["6h", "6 hours", 21600], ["24h", "24 hours", 86400], ["7d", "7 days", 604800], ["30d", "30 days", 2592000]];
const REFRESH_MS = 10000;

const app = {who: null, databases: [], at: null, turn: 0, loaded: null, timer: null, noHistoryUntil: 0};

/* ---- the address ---- */

function parse() {
	const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?");
	const [page, ...rest] = path.split("/");
	return {page: PAGES.find((p) => p.name === page) || overview, id: rest.length ? decodeURIComponent(rest.join("/")) : null, params: new URLSearchParams(text)};
}

/* The address of a page: database and range come along, what is given is set, null removes. */
function link(page, id, changes = {}) {
	const params = new URLSearchParams();
	const now = parse().params;
	for (const name of ["db", "range", "from", "to"])
		if (now.get(name))
			params.set(name, now.get(name));
	for (const [name, value] of Object.entries(changes))
		if (value === null)
			params.delete(name);
		else
			params.set(name, value);
	const text = params.toString();
	return `#/${page}${id === null || id === undefined ? "" : "/" + encodeURIComponent(id)}${text ? "?" + text : ""}`;
}

function rangeOf(params) {
	const from = Number(params.get("from")), to = Number(params.get("to"));
	if (from > 0 && to > from)
		return {from, to, fixed: true, name: `${when(from)} to ${when(to)}`, step: Math.max(10, Math.ceil((to - from) / 300))};
	const [key, name, length] = RANGES.find((r) => r[0] === params.get("range")) || RANGES[1];
	const now = Math.floor(Date.now() / 1000);
	return {key, name: "the last " + name, from: now - length, to: now, fixed: false, step: Math.max(10, Math.ceil(length / 300 / 10) * 10)};
}

/* ---- what pages get ---- */

class Context {
	constructor({page, id, params}, signal) {
		this.page = page;
		this.id = id;
		this.params = params;
		this.signal = signal;
		this.range = rangeOf(params);
		this.databases = app.databases;
		this.db = params.get("db") || (app.databases[0] && app.databases[0].name) || null;
		this.database = app.databases.find((d) => d.name === this.db) || null;
		this.canOperate = ["operator", "admin"].includes(app.who.role);
		this.link = link;
		this.refresh = () => load(false);
	}

	/* Of the chosen database. */
	get(rest, parameters) {
		return api(of(this.db, rest) + (parameters ? query(parameters) : ""), {signal: this.signal});
	}

	ranged(rest, parameters) {
		return this.get(rest, {from: this.range.from, to: this.range.to, ...parameters});
	}

	/* Series of a metric, of this database or another target; none where there is no history. */
	async series(metric, db = this.db) {
		if (Date.now() < app.noHistoryUntil)
			return [];
		try {
			const data = await api(of(db, "/series") + query({metric, from: this.range.from, to: this.range.to, step: this.range.step}), {signal: this.signal});
			return (data.series || []).map((s) => ({...s, points: withGaps(s.points)}));
		} catch (error) {
			if (!(error instanceof ApiError) || ![400, 404, 503].includes(error.status))
				throw error;
			/* Where nothing is kept there is no use in asking for each metric, each time. */
			if (error.status === 503 || error.code === "no_history")
				app.noHistoryUntil = Date.now() + 60000;
			return [];
		}
	}

	chart(key, spec) {
		return chart(key, {from: this.range.from, to: this.range.to, ...spec}, (from, to) => go(link(this.page.name, this.id, {from, to, range: null})));
	}

	/* What the page can do without: null where it cannot be had. */
	async maybe(promise) {
		try {
			return await promise;
		} catch (error) {
			if (error.name === "AbortError" || error.status === 401)
				throw error;
			return null;
		}
	}

	/* A part of the page; where it cannot be had the rest is still shown. */
	async part(title, promise, render) {
		try {
			return render(await promise);
		} catch (error) {
			if (error.name === "AbortError" || error.status === 401)
				throw error;
			return problem(title, error);
		}
	}

	go(hash) {
		go(hash);
	}
}

function go(hash) {
	if (location.hash === hash)
		load(false);
	else
		location.hash = hash;
}

function problem(title, error) {
	if (!(error instanceof ApiError))
		console.error(error);
	return el("section", {class: "card", "aria-label": title}, el("h2", null, title),
		el("div", {class: "banner bad", role: "alert"}, el("b", null, error.message), error.hint && el("p", null, error.hint)));
}

/* ---- loading a page ---- */

let loading = null;

async function load(fresh) {
	const where = parse(), turn = ++app.turn;
	if (loading)
		loading.abort();
	loading = new AbortController();
	clearTimeout(app.timer);
	if (fresh)
		refill(byId("main"), el("div", {class: "head"}, el("h1", null, where.page.title)), el("p", {class: "loading"}, "Loading\u2026"));
	try {
		const [databases, firing] = await Promise.all([api("/databases", {signal: loading.signal}), firingCount(loading.signal)]);
		app.databases = Array.isArray(databases) ? databases : databases.databases || [];
		if (turn !== app.turn)
			return;
		frame(where, firing);
		const context = new Context(where, loading.signal);
		const content = context.db ? await where.page.load(context) : noDatabase();
		if (turn !== app.turn)
			return;
		refill(byId("main"), content, startedOn(where.page.name));
		/* What runs or ran here stands directly below the heading. */
		const head = byId("main").querySelector(".head");
		if (head)
			head.after(...startedOn(where.page.name));
		byId("freshness").textContent = context.range.fixed ? `Shows ${context.range.name}; not refreshed.` : `As of ${new Date().toLocaleTimeString()}, refreshed each 10 s.`;
		app.loaded = where;
	} catch (error) {
		if (error.name === "AbortError" || turn !== app.turn)
			return;
		if (error.status === 401)
			return;
		refill(byId("main"), el("div", {class: "head"}, el("h1", null, where.page.title)), problem("This page", error));
	}
	schedule();
}

function noDatabase() {
	return [el("div", {class: "head"}, el("h1", null, "No database is watched")),
		el("section", {class: "card"}, nothing("Nothing to show yet", "Start it with a database: ", el("code", null, "pgmend serve postgresql://me@host/shop"), ", or name some in the section [watch] of its file."))];
}

async function firingCount(signal) {
	try {
		const data = await api("/alerts", {signal});
		return (data.alerts || []).filter((a) => a.state === "firing" && a.severity !== "info" && !a.silence).length;
	} catch (error) {
		if (error.name === "AbortError" || error.status === 401)
			throw error;
		return 0;
	}
}

function schedule() {
	clearTimeout(app.timer);
	app.timer = setTimeout(() => {
		if (document.hidden || byId("dialog").open || parse().params.get("from"))
			schedule();
		else
			load(false);
	}, REFRESH_MS);
}

/* ---- the frame around it ---- */

function frame(where, firing) {
	const db = where.params.get("db") || (app.databases[0] && app.databases[0].name);
	refill(byId("nav"), el("ul", null, PAGES.map((page) => el("li", null,
		el("a", {href: link(page.name), "aria-current": page === where.page && "page", "data-key": "nav-" + page.name}, page.title,
			page === alerts && firing > 0 && el("span", {class: "count"}, firing, el("span", {class: "sr"}, " firing")))))));
	if (document.activeElement !== byId("database"))
		byId("database").replaceChildren(...app.databases.map((d) => el("option", {value: d.name, selected: d.name === db}, d.name + (d.state && d.state !== "up" ? ` (${d.state})` : ""))));
	const range = rangeOf(where.params);
	if (document.activeElement !== byId("range"))
		byId("range").replaceChildren(range.fixed && el("option", {value: "", selected: true}, range.name) || "",
			...RANGES.map(([key, name]) => el("option", {value: key, selected: key === range.key}, "Last " + name)));
	byId("who").textContent = `${app.who.name || app.who.user} (${app.who.role}), pgmend ${app.who.version || ""}`;
	document.title = [where.page.title, db, "pgmend"].filter(Boolean).join(" \u00b7 ");
}

function route() {
	if (location.hash.includes("token=")) {
		boot();
		return;
	}
	byId("nav").classList.remove("open");
	byId("menu").setAttribute("aria-expanded", "false");
	const where = parse();
	const other = !app.loaded || app.loaded.page !== where.page || app.loaded.id !== where.id || app.loaded.params.get("db") !== where.params.get("db");
	if (app.loaded && app.loaded.page !== where.page)
		started.delete(app.loaded.page.name);
	load(other).then(() => {
		if (other)
			announce(`${where.page.title} loaded`);
	});
	/* A page that has just been opened begins at its top, with the link past the menu. */
	if (other && app.loaded) {
		window.scrollTo(0, 0);
		byId("main").focus({preventScroll: true});
	}
}

/* ---- signing in and out ---- */

function showLogin(message) {
	clearTimeout(app.timer);
	app.turn++;
	app.who = null;
	app.loaded = null;
	byId("main").replaceChildren();
	byId("app").hidden = true;
	byId("login").hidden = false;
	byId("login-error").textContent = message || "";
	byId("token").value = "";
	byId("token").focus();
}

async function boot() {
	if (!startSession(() => {
		setToken(null);
		showLogin("That token is not valid here (any more). Sign in again.");
	})) {
		showLogin("");
		return;
	}
	try {
		app.who = await api("/whoami");
		byId("login").hidden = true;
		byId("app").hidden = false;
		route();
	} catch (error) {
		if (error.status !== 401) {
			showLogin(error.message + (error.hint ? ". " + error.hint : ""));
			if (error.status === 0)
				setTimeout(boot, 3000);
		}
	}
}

function signOut() {
	setToken(null);
	location.hash = "";
	showLogin("You are signed out.");
}

/* ---- theme and keys ---- */

function dark() {
	const chosen = document.documentElement.dataset.theme;
	return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function store(name, value) {
	try {
		localStorage.setItem(name, value);
	} catch {
		/* for this page alone */
	}
}

function switchTheme() {
	const theme = dark() ? "light" : "dark";
	document.documentElement.dataset.theme = theme;
	store("pgmend.theme", theme);
	recolor();
	announce(theme + " theme");
}

function shiftRange(by) {
	const {page, id, params} = parse();
	const at = RANGES.findIndex((r) => r[0] === (params.get("range") || "1h"));
	const next = RANGES[Math.max(0, Math.min(RANGES.length - 1, at + by))];
	go(link(page.name, id, {...Object.fromEntries(params), range: next[0], from: null, to: null}));
	toast("Last " + next[1]);
}

function keysOff() {
	try {
		return localStorage.getItem("pgmend.keys") === "off";
	} catch {
		return false;
	}
}

function showKeys() {
	const rows = [["1 \u2026 8", "the pages, in their order"], ["/", "filter the table"], ["[ ]", "a shorter, a longer time"], ["r", "refresh"], ["t", "light or dark"], ["?", "this list"], ["Esc", "close what is open"]];
	const box = el("input", {type: "checkbox", id: "keys-on", onchange: (e) => store("pgmend.keys", e.target.checked ? "on" : "off")});
	box.checked = !keysOff();
	ask({title: "Keyboard shortcuts", body: [el("dl", {class: "facts"}, rows.map(([k, what]) => [el("dt", null, el("kbd", null, k)), el("dd", null, what)])),
		el("p", null, box, " ", el("label", {for: "keys-on"}, "Single keys are shortcuts")),
		el("p", {class: "soft"}, "Drag across a chart to look at that time alone. Tab and Enter reach everything.")]});
}

function onKey(event) {
	if (!app.who || event.ctrlKey || event.metaKey || event.altKey || byId("dialog").open || keysOff() && event.key !== "?")
		return;
	if (event.target.closest("input, select, textarea"))
		return;
	const page = PAGES[Number(event.key) - 1];
	if (page)
		go(link(page.name));
	else if (event.key === "/") {
		const filter = document.querySelector("main input.filter");
		if (filter)
			filter.focus();
	} else if (event.key === "[" || event.key === "]")
		shiftRange(event.key === "[" ? -1 : 1);
	else if (event.key === "r")
		load(false);
	else if (event.key === "t")
		switchTheme();
	else if (event.key === "?")
		showKeys();
	else
		return;
	event.preventDefault();
}

function listen() {
	byId("login-form").addEventListener("submit", (event) => {
		event.preventDefault();
		setToken(byId("token").value.trim());
		boot();
	});
	byId("skip").addEventListener("click", (event) => {
		event.preventDefault();
		byId("main").focus();
	});
	byId("menu").addEventListener("click", () => {
		byId("menu").setAttribute("aria-expanded", byId("nav").classList.toggle("open"));
	});
	byId("database").addEventListener("change", (event) => {
		event.target.blur();
		go(link(parse().page.name, null, {db: event.target.value}));
	});
	byId("range").addEventListener("change", (event) => {
		const {page, id, params} = parse();
		event.target.blur();
		go(link(page.name, id, {...Object.fromEntries(params), range: event.target.value || null, from: null, to: null}));
	});
	byId("refresh").addEventListener("click", () => load(false));
	byId("theme").addEventListener("click", switchTheme);
	byId("keys").addEventListener("click", showKeys);
	byId("sign-out").addEventListener("click", signOut);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
	document.addEventListener("keydown", onKey);
	window.addEventListener("hashchange", () => (app.who || location.hash.includes("token=") ? route() : null));
}

listen();
boot();
