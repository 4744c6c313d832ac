/*
 * What advise proposes, with its proof, and the way to apply it: a Plan is one thing, applied as a whole. The
 * same on the page of the indexes and on that of one statement.
 */
import {ask, el, toast} from "./dom.js";
import {of, post} from "./api.js";
import * as f from "./format.js";
import {begin} from "./job.js";
import {badge} from "./table.js";
import {copyButton} from "./findings.js";

const ratio = (before, after) => (after > 0 && before > 0 ? before / after : null);

function effect(e) {
	const times = ratio(e.cost_before, e.cost_after);
	return el("div", {class: "effect"},
		el("p", {class: "mono small"}, f.oneLine(e.statement)),
		el("p", {class: "gain small"}, el("span", null, "cost ", el("b", null, f.count(e.cost_before)), " \u2192 ", el("b", null, f.count(e.cost_after))),
			times > 1.05 && el("span", {class: "ratio"}, f.number(times) + " times cheaper"), e.calls > 0 && el("span", null, f.plural(e.calls, "call"))),
		el("pre", null, `before: ${e.plan_before}\nafter:  ${e.plan_after}`));
}

/* Of a Plan with several steps, one as a Plan of its own. */
async function applyOne(ctx, plan, p) {
	const step = (plan.steps || []).find((s) => s.index === p.index);
	const part = await post(of(ctx.db, `/plans/${encodeURIComponent(plan.id)}/part`), {step: step.step}).catch((error) => toast(error.message, true));
	if (part)
		await apply(ctx, part.plan || part, 1);
}

function alone(ctx, found, p) {
	const steps = (found.plan && found.plan.steps) || [];
	if (!ctx.canOperate || steps.length < 2 || !steps.some((s) => s.index === p.index) || ENDED[found.plan.state])
		return null;
	return el("p", null, el("button", {class: "slim", "data-key": "alone-" + p.index, onclick: () => applyOne(ctx, found.plan, p), "aria-label": `Apply ${p.index} alone`}, "Apply this one alone"));
}

function proposal(ctx, found, p) {
	const effects = p.statements || [];
	const before = effects.reduce((n, e) => n + e.cost_before * e.calls, 0), after = effects.reduce((n, e) => n + e.cost_after * e.calls, 0);
	const times = ratio(before, after);
	return el("article", {class: "proposal", "data-index": p.index},
		el("h3", null, "Index on ", p.table, " ", el("span", {class: "soft"}, p.index)),
		el("pre", null, p.sql),
		el("p", {class: "gain"},
			times > 1.05 && el("span", {class: "ratio"}, f.number(times) + " times cheaper"),
			el("span", null, f.plural(effects.length, "statement"), effects.length === 1 ? " gains" : " gain"),
			el("span", null, el("b", null, f.bytes(p.size_bytes)), " on disk"),
			el("span", null, "about ", el("b", null, f.ms(p.build_ms)), " to build"),
			p.write_overhead > 0 && el("span", null, "writes cost ", el("b", null, f.percent(p.write_overhead)), " more")),
		(p.redundant || []).length > 0 && el("p", {class: "small soft"}, "It makes needless: ", p.redundant.join(", ")),
		effects.length > 0 && el("details", {"data-key": "proof-" + p.index}, el("summary", null, "The proof"), effects.map(effect)),
		alone(ctx, found, p));
}

async function apply(ctx, plan, count) {
	const yes = await ask({title: `Build ${f.plural(count, "index", "indexes")}?`,
		body: [el("p", null, "They are built with CREATE INDEX CONCURRENTLY: the tables stay readable and writable. The statements are measured before and after."),
			el("p", {class: "soft"}, "It is recorded in the Ledger with your name, and can be rolled back.")], yes: "Apply the Plan"});
	if (!yes)
		return;
	if (await begin(ctx.page.name, () => post(of(ctx.db, `/plans/${encodeURIComponent(plan.id)}/apply`), {verify: true}), () => ctx.refresh()))
		ctx.refresh();
}

const ENDED = {done: "The Plan was applied.", undone: "The Plan was rolled back.", running: "The Plan is being applied.", undoing: "The Plan is being rolled back.", failed: "Applying it failed: see Changes.", canceled: "Applying it was canceled: see Changes."};

function actions(ctx, found, shown) {
	const plan = found.plan;
	if (!plan)
		return null;
	if (ENDED[plan.state])
		return [el("span", {class: "soft small"}, ENDED[plan.state], " "), el("a", {href: ctx.link("changes")}, "Changes")];
	if (!ctx.canOperate)
		return el("span", {class: "soft small"}, "An operator can apply it.");
	return el("button", {class: "primary", "data-key": "apply", onclick: () => apply(ctx, plan, shown)}, "Apply");
}

/* found: what /advice answers. wanted: which effects concern the page; none: all. */
export function proposals(ctx, found, wanted) {
	const all = (found.advice && found.advice.proposals) || [];
	const some = wanted ? all.filter((p) => (p.statements || []).some(wanted)) : all;
	if (wanted && !some.length)
		return null;
	const rest = all.length - some.length;
	return el("section", {class: "card", id: "proposals", "aria-label": "Proposals"},
		el("div", {class: "bar"}, el("h2", null, wanted ? "What would help" : "Proposals"), found.at && el("span", {class: "soft small"}, "of " + f.ago(found.at)), found.plan && found.plan.state && badge(found.plan.state),
			el("span", {class: "push"}, actions(ctx, found, all.length))),
		some.map((p) => proposal(ctx, found, p)),
		rest > 0 && el("p", {class: "soft small"}, `The same Plan holds ${f.plural(rest, "more index", "more indexes")}: `, el("a", {href: ctx.link("indexes")}, "see all")),
		found.plan && found.plan.sql && !wanted && el("details", {"data-key": "plan-sql"}, el("summary", null, "The Plan file"), copyButton(found.plan.sql), el("pre", null, found.plan.sql)));
}
