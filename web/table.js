/*
 * Tables that sort by their headers and can be filtered. Which column sorts, the filter and how many rows are
 * shown outlive a refresh: they are kept by the table's key.
 */
import {el, refill} from "./dom.js";
import {ago, plural} from "./format.js";
import {sparkline} from "./charts.js";

const SHOWN = 100;
const states = new Map();

function compare(a, b) {
	const none = (v) => v === null || v === undefined || (typeof v === "number" && Number.isNaN(v));
	if (none(a) || none(b))
		return none(a) - none(b) || 0;
	return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function sorted(rows, columns, state) {
	const column = columns.find((c) => c.key === state.sort);
	if (!column)
		return rows;
	const missing = (row) => column.value(row) === null || column.value(row) === undefined;
	/* What is not known stands last, whichever way it is sorted. */
	return [...rows].sort((a, b) => missing(a) - missing(b) || (state.down ? -1 : 1) * compare(column.value(a), column.value(b)));
}

function classOf(column) {
	return [column.numeric ? "r" : "", column.optional ? "optional" : "", column.className || ""].join(" ").trim() || null;
}

/* A name that may go on in the next line after a dot or an underscore. */
export const breakable = (name) => String(name).split(/(?<=[._])/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));

function cell(column, row, first) {
	const content = column.render ? column.render(row) : column.value(row);
	const attributes = {class: classOf(column)};
	if (first)
		attributes.scope = "row";
	const shown = typeof content === "string" && (column.className || "").includes("name-cell") ? breakable(content) : content;
	return el(first ? "th" : "td", attributes, shown ?? "\u2013");
}

/*
 * spec: {key, caption, columns: [{key, title, value(row), render(row), numeric, optional, className, hint}], rows,
 * sort, down, empty, filter(row) -> text, filterLabel, onSort(key, down)}. A card with heading, filter and table.
 */
export function dataTable(spec) {
	if (!states.has(spec.key))
		states.set(spec.key, {sort: spec.sort, down: spec.down ?? true, text: "", shown: SHOWN});
	const state = states.get(spec.key);
	if (spec.onSort) {
		state.sort = spec.sort;
		state.down = spec.down ?? true;
	}
	const body = el("div", {class: "scroll", "data-scroll": spec.key});
	const tally = el("span", {class: "soft small"});
	const draw = () => refill(body, content(spec, state, tally, draw));
	const filter = spec.filter && spec.rows.length > 5 &&
		el("input", {type: "search", placeholder: spec.filterLabel || "Filter", "aria-label": spec.filterLabel || "Filter", value: state.text,
			"data-key": spec.key + "-filter", class: "filter",
			oninput: (event) => {
				state.text = event.target.value;
				draw();
			}});
	draw();
	return el("section", {class: "card", "aria-label": spec.caption},
		el("div", {class: "bar"}, el("h2", null, spec.caption), tally, (filter || spec.actions) && el("div", {class: "push"}, spec.actions, filter)), spec.note && el("p", {class: "soft small note"}, spec.note), body);
}

function header(spec, column, state, draw) {
	const active = column.key === state.sort;
	const turn = () => {
		state.down = active ? !state.down : column.numeric || column.down || false;
		state.sort = column.key;
		if (spec.onSort)
			spec.onSort(state.sort, state.down);
		else
			draw();
	};
	const label = column.plain ? column.title
		: el("button", {onclick: turn, "data-key": `${spec.key}-by-${column.key}`, title: column.hint}, column.title, active ? (state.down ? " \u2193" : " \u2191") : "");
	return el("th", {scope: "col", class: classOf(column), "aria-sort": active && !column.plain && (state.down ? "descending" : "ascending")}, label);
}

function content(spec, state, tally, draw) {
	const wanted = state.text.trim().toLowerCase();
	const matching = wanted && spec.filter ? spec.rows.filter((row) => spec.filter(row).toLowerCase().includes(wanted)) : spec.rows;
	tally.textContent = matching.length === spec.rows.length ? (spec.rows.length > 5 ? plural(spec.rows.length, "row") : "")
		: `${matching.length} of ${plural(spec.rows.length, "row")}`;
	if (!matching.length)
		return el("div", {class: "empty"}, wanted ? [el("b", null, "Nothing matches"), "Try another word, or empty the filter."] : spec.empty || "Nothing here.");
	const rows = (spec.onSort ? matching : sorted(matching, spec.columns, state)).slice(0, state.shown);
	const table = el("table", null, el("caption", {class: "sr"}, spec.caption),
		el("thead", null, el("tr", null, spec.columns.map((column) => header(spec, column, state, draw)))),
		el("tbody", null, rows.map((row) => el("tr", null, spec.columns.map((column, i) => cell(column, row, i === 0))))));
	const more = matching.length > rows.length && el("div", {class: "more"},
		el("button", {class: "quiet", "data-key": spec.key + "-more",
			onclick: () => {
				state.shown += 500;
				draw();
			}}, `Show more (${matching.length - rows.length} left)`));
	return [table, more];
}

/* Of a list that could not be read for a while: how old it is. */
export const staleNote = (data) => data.stale && `It could not be read for a while: this is of ${ago(data.at)}.`;

export const nothing = (title, ...what) => el("div", {class: "empty"}, el("b", null, title), ...what);

export function meter(share, wide) {
	const value = Math.max(0, Math.min(1, share || 0));
	const bar = el("i", {class: wide && (value >= 0.95 ? "bad" : value >= 0.8 ? "warn" : null)});
	bar.style.width = (value * 100).toFixed(1) + "%";
	return el("span", {class: wide ? "meter wide" : "meter", "aria-hidden": "true"}, bar);
}

/* tile("Connections", "12", {note, spark, tone, share}) */
export function tile(name, value, {note, spark, tone, share, href} = {}) {
	return el("div", {class: "tile"},
		el("dt", null, href ? el("a", {href}, name) : name),
		el("dd", {class: "value" + (tone ? " " + tone : "")}, value),
		el("dd", {class: "note"}, note || "", share !== undefined && share !== null && meter(share, true), spark && sparkline(spark)));
}

export const tiles = (...all) => el("dl", {class: "tiles"}, all);
export const badge = (text, tone) => el("span", {class: "badge " + (tone || text)}, text);
