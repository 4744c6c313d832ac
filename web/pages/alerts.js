/* What fires, what is silenced, and the rules. */
import {ask, el, toast} from "../dom.js";
import {api, query} from "../api.js";
import * as f from "../format.js";
import {badge, dataTable, nothing} from "../table.js";

async function change(ctx, alert, options) {
	try {
		await api(`/alerts/${encodeURIComponent(alert.id)}/silence` + query({database: alert.database}), options);
	} catch (error) {
		toast(error.message + (error.hint ? ". " + error.hint : ""), true);
	}
	ctx.refresh();
}

async function silence(ctx, alert) {
	const given = await ask({title: "Silence this alert", yes: "Silence",
		body: el("p", null, alert.summary || alert.id, alert.database ? ` (${alert.database})` : ""),
		fields: [{name: "minutes", label: "For how many minutes", type: "number", value: "60", min: 1, max: 43200, required: true}, {name: "why", label: "Why", value: "", required: true}]});
	if (given)
		await change(ctx, alert, {method: "POST", body: {minutes: Number(given.minutes), why: given.why}});
}

function one(ctx, a) {
	return el("li", {class: "sentence " + (a.silence ? "" : a.severity)},
		el("div", {class: "head"}, el("h3", null, badge(a.severity), " ", f.sentence(a.summary || a.id), " ", a.database && el("span", null, a.database), " ", a.state === "pending" && badge("pending")),
			el("span", {class: "actions"}, ctx.canOperate && (a.silence ? el("button", {class: "slim", "data-key": `speak-${a.id}-${a.database}`, onclick: () => change(ctx, a, {method: "DELETE"})}, "End the silence")
				: el("button", {class: "slim", "data-key": `silence-${a.id}-${a.database}`, onclick: () => silence(ctx, a)}, "Silence")))),
		el("p", null, [a.since && "since " + f.ago(a.since), a.value !== undefined && a.value !== null && `now ${typeof a.value === "number" ? f.number(a.value) : a.value}`, a.threshold !== undefined && a.threshold !== null && `limit ${typeof a.threshold === "number" ? f.number(a.threshold) : a.threshold}`].filter(Boolean).join(", ")),
		a.advice && el("p", null, a.advice),
		a.silence && el("p", null, `Silenced until ${f.when(a.silence.until)} by ${a.silence.who || "?"}: ${a.silence.why || "no reason given"}`));
}

function group(ctx, title, alerts, empty) {
	if (!alerts.length && !empty)
		return null;
	return el("section", {class: "card", "aria-label": title}, el("h2", null, title), alerts.length ? el("ul", {class: "sentences"}, alerts.map((a) => one(ctx, a))) : empty);
}

function rules(all) {
	if (!all.length)
		return null;
	return dataTable({key: "rules", caption: "Rules", rows: all, sort: "id", down: false, filter: (r) => `${r.id} ${r.summary}`, filterLabel: "Filter rules",
		columns: [
			{key: "id", title: "Rule", value: (r) => r.id, className: "name-cell"},
			{key: "severity", title: "Severity", value: (r) => r.severity, render: (r) => badge(r.severity)},
			{key: "threshold", title: "Limit", numeric: true, value: (r) => r.threshold, render: (r) => (typeof r.threshold === "number" ? f.number(r.threshold) : r.threshold ?? "\u2013")},
			{key: "for", title: "For", numeric: true, optional: true, value: (r) => r.for_s, render: (r) => f.seconds(r.for_s)},
			{key: "summary", title: "What it says", optional: true, plain: true, value: (r) => f.sentence(r.summary), className: "name-cell"},
		]});
}

export default {
	name: "alerts",
	title: "Alerts",
	async load(ctx) {
		const data = await api("/alerts", {signal: ctx.signal});
		const all = data.alerts || [];
		const order = (a) => ["critical", "warning", "info"].indexOf(a.severity);
		const some = (test) => all.filter(test).sort((a, b) => order(a) - order(b));
		return [el("div", {class: "head"}, el("h1", null, "Alerts"), el("p", null, "of all databases")),
			group(ctx, "Firing", some((a) => a.state === "firing" && !a.silence), nothing("Nothing fires", "Each rule is within its limit.")),
			group(ctx, "Pending", some((a) => a.state === "pending" && !a.silence)),
			group(ctx, "Silenced", some((a) => a.silence)),
			rules(data.rules || [])];
	},
};
