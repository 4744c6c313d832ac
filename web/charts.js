/*
 * Charts over time by uPlot, and sparklines as SVG. A chart is kept by its key and only gets new data at a
 * refresh, so that what the mouse points at stays.
 */
import {el, svg} from "./dom.js";
import {unit as units, when} from "./format.js";

const YOUNG_S = 180;
const kept = new Map();

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function sparkline(values) {
	const points = values.map((v, i) => [i, v]).filter(([, v]) => typeof v === "number");
	if (points.length < 2)
		return null;
	const all = points.map(([, v]) => v), low = Math.min(0, ...all), high = Math.max(...all);
	const span = high - low || 1, width = values.length - 1 || 1;
	const d = points.map(([i, v], n) => `${n ? "L" : "M"}${((i / width) * 100).toFixed(1)} ${(23 - ((v - low) / span) * 21).toFixed(1)}`).join("");
	const first = ((points[0][0] / width) * 100).toFixed(1), last = ((points.at(-1)[0] / width) * 100).toFixed(1);
	return svg("svg", {class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true"},
		svg("path", {class: "under", d: `${d}L${last} 24L${first} 24Z`}), svg("path", {d}));
}

/* Where readings are missing the line ends: a moment without a value is put in. */
export function withGaps(points) {
	const steps = points.slice(1).map((p, i) => p[0] - points[i][0]).sort((a, b) => a - b);
	const usual = steps[Math.floor(steps.length / 2)] || Infinity;
	return points.flatMap((p, i) => (i && p[0] - points[i - 1][0] > 3.5 * usual ? [[points[i - 1][0] + usual, null], p] : [p]));
}

/* Series with moments of their own on one axis. */
function join(series) {
	const times = [...new Set(series.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
	const place = new Map(times.map((t, i) => [t, i]));
	return [times, ...series.map((s) => {
		const values = new Array(times.length).fill(undefined);
		for (const [t, v] of s.points)
			values[place.get(t)] = v;
		return values;
	})];
}

/* From nothing up, but for shares that are nearly whole. */
function span(unit, low, high) {
	if (unit === "percent")
		return [low > 0.8 ? Math.floor((low - 0.02) * 20) / 20 : 0, 1];
	return [Math.min(0, low ?? 0), (high || 0) > 0 ? high * 1.08 : 1];
}

function clock(t, step) {
	const [day, time] = when(t).split(" ");
	if (step < 60)
		return `${time}:${String(Math.floor(t) % 60).padStart(2, "0")}`;
	return step >= 86400 || time === "00:00" ? day.slice(5) : time;
}

/* Series are read at different moments: of each its last value. */
function showLast(plot) {
	const last = (values) => values.findLastIndex((v) => typeof v === "number");
	plot.setLegend({idxs: plot.data.map((values) => Math.max(0, last(values)))}, false);
}

function options(chart, width) {
	const spec = chart.spec;
	const show = units[spec.unit] || units.number;
	const axis = {stroke: color("--soft"), font: "12px system-ui, sans-serif", grid: {stroke: color("--line"), width: 1}, ticks: {stroke: color("--line"), width: 1, size: 4}};
	return {
		width, height: 190,
		padding: [10, 6, 0, 0],
		cursor: {drag: {x: true, y: false, setScale: false}, points: {size: 6}},
		legend: {live: true},
		scales: {x: {time: true, range: () => [chart.spec.from, chart.spec.to]}, y: {range: (_, low, high) => span(spec.unit, low, high)}},
		/* Bytes have round numbers of their own. */
		axes: [{...axis, size: 34, space: 70, values: (_, all, __, ___, step) => all.map((t) => clock(t, step))}, {...axis, size: 68, incrs: spec.unit === "bytes" ? Array.from({length: 55}, (_, i) => 2 ** i) : undefined, values: (_, all) => all.map((v) => show(v))}],
		series: [{label: "at", value: (_, t) => (t ? when(t) : "\u2013")},
			...spec.series.map((s, i) => ({label: s.label, stroke: color(s.color || `--c${i % 6}`), width: 1.8, spanGaps: false, dash: s.dashed ? [5, 4] : undefined,
				points: {show: s.points.length < 3}, value: (_, v) => show(v),
				fill: spec.series.length === 1 ? color(s.color || "--c0") + "1c" : undefined}))],
		hooks: {
			/* Without the mouse the legend says how it is now. */
			setCursor: [(plot) => plot.cursor.idx === null && showLast(plot)],
			setSelect: [(plot) => {
				if (plot.select.width < 8)
					return;
				const from = plot.posToVal(plot.select.left, "x"), to = plot.posToVal(plot.select.left + plot.select.width, "x");
				plot.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
				chart.onZoom(Math.floor(from), Math.ceil(to));
			}],
		},
	};
}

/* What a chart says, for those who do not see it. */
function inWords(spec) {
	const show = units[spec.unit] || units.number;
	return spec.title + ": " + spec.series.map((s) => {
		const values = s.points.map((p) => p[1]).filter((v) => typeof v === "number");
		if (!values.length)
			return `${s.label} not known`;
		return `${s.label} now ${show(values.at(-1))}, from ${show(Math.min(...values))} to ${show(Math.max(...values))}`;
	}).join("; ");
}

const hasFigures = (spec) => spec.series.some((s) => s.points.some((p) => typeof p[1] === "number"));

/* A young history: the axis begins with the first figure rather than with an empty hour. */
function begin(spec) {
	if (!hasFigures(spec))
		return spec.from;
	const first = Math.min(...spec.series.flatMap((s) => s.points.filter((p) => typeof p[1] === "number").map((p) => p[0])));
	if (!(first > spec.from + 0.6 * (spec.to - spec.from)))
		return spec.from;
	return Math.max(spec.from, Math.min(first, spec.to - YOUNG_S) - 0.03 * (spec.to - first));
}

class Chart {
	constructor(key) {
		this.key = key;
		this.plot = null;
		this.box = el("div", {class: "plot", role: "img"});
		this.title = el("figcaption");
		this.figure = el("figure", {class: "card chart"}, this.title, this.box);
		new ResizeObserver(() => this.fit()).observe(this.box);
	}

	fit() {
		const width = this.box.clientWidth;
		if (!width || !this.spec)
			return;
		if (!this.plot)
			this.draw();
		else if (Math.abs(this.plot.width - width) > 1)
			this.plot.setSize({width, height: 190});
	}

	show(spec, onZoom) {
		const shape = JSON.stringify([spec.unit, spec.series.map((s) => s.label)]);
		this.spec = {...spec, from: begin(spec)};
		this.onZoom = onZoom;
		this.title.replaceChildren(spec.title, ...(spec.note ? [el("small", null, spec.note)] : []));
		this.box.setAttribute("aria-label", inWords(spec));
		if (shape !== this.shape || !this.plot || !hasFigures(spec)) {
			this.shape = shape;
			this.clear();
			this.fit();
		} else {
			this.plot.setData(join(spec.series));
			showLast(this.plot);
		}
		return this.figure;
	}

	clear() {
		if (this.plot)
			this.plot.destroy();
		this.plot = null;
		this.box.replaceChildren();
	}

	draw() {
		const spec = this.spec;
		if (!hasFigures(spec)) {
			this.box.replaceChildren(el("p", {class: "nothing"}, spec.nothing || "No figures of this time yet."));
			this.shape = null;
			return;
		}
		this.box.replaceChildren();
		this.plot = new window.uPlot(options(this, this.box.clientWidth), join(spec.series), this.box);
		showLast(this.plot);
	}
}

/* spec: {title, note, unit, from, to, nothing, series: [{label, points: [[t, v]...], color, dashed}]} */
export function chart(key, spec, onZoom) {
	if (!kept.has(key))
		kept.set(key, new Chart(key));
	return kept.get(key).show(spec, onZoom);
}

/* Other colours: draw all anew. */
export function recolor() {
	for (const each of kept.values()) {
		each.clear();
		each.fit();
	}
}
