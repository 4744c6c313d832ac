/*
 * A job that pgmend runs for us, followed by its events until it ends. Panels are kept by the job's id: a
 * refresh of the page does not lose the stream.
 */
import {announce, ask, el, toast} from "./dom.js";
import {api, ApiError, events, post} from "./api.js";
import {badge} from "./table.js";
import {moment, ms, number, oneLine, percent, seconds} from "./format.js";

const panels = new Map();
const OVER = ["done", "failed", "canceled", "interrupted"];
const WORDS = {queued: "waits for its turn", running: "is running", done: "is done", failed: "failed", canceled: "was canceled",
	interrupted: "was interrupted when pgmend stopped"};

export const isOver = (job) => OVER.includes(job.state);

export const jobTitle = (job) => job.title;

/* What apply --verify measured: each statement before and after. */
function measured(result) {
	const statements = (result && result.verify && result.verify.statements) || [];
	const time = (m) => (m && m.time_ms ? m.time_ms.median : null);
	if (!statements.length)
		return null;
	const tone = {faster: "done", slower: "critical"};
	return el("div", {class: "scroll measured"}, el("table", null, el("caption", {class: "sr"}, "Statements before and after"),
		el("thead", null, el("tr", null, [["Statement", "query"], ["Before", "r"], ["After", "r"], ["", "optional"]].map(([title, kind]) => el("th", {scope: "col", class: kind}, title)))),
		el("tbody", null, statements.map((s) => el("tr", {"data-verdict": s.verdict},
			el("th", {scope: "row", class: "query"}, el("span", {class: "clip mono"}, oneLine((s.after || s.before || {}).text))),
			el("td", {class: "r"}, ms(time(s.before))), el("td", {class: "r"}, ms(time(s.after))),
			el("td", {class: "optional"}, badge(s.ratio >= 1.1 ? number(s.ratio) + " times faster" : s.verdict || "?", tone[s.verdict] || "plain")))))));
}

class Panel {
	constructor(job, onEnd) {
		this.job = job;
		this.onEnd = onEnd;
		this.output = [];
		this.bar = el("progress", {"aria-label": "Progress"});
		this.line = el("p", {class: "line soft"});
		this.head = el("div", {class: "bar"});
		this.log = el("pre");
		this.details = el("details", null, el("summary", null, "What it printed"), this.log);
		this.node = el("section", {class: "card job", "aria-label": jobTitle(job)}, this.head, this.bar, this.line, this.details);
		this.proof = null;
		this.draw();
		this.follow();
	}

	draw() {
		const job = this.job, over = isOver(job);
		this.node.className = "card job " + job.state;
		const cancel = !over ? el("button", {class: "slim", onclick: () => this.cancel()}, "Cancel")
			: job.resumable && el("button", {class: "slim", onclick: () => this.resume()}, "Go on");
		const took = moment(job.finished_at) - moment(job.started_at);
		this.head.replaceChildren(el("h2", null, jobTitle(job)), badge(job.state),
			over && Number.isFinite(took) ? el("span", {class: "soft small"}, "in " + seconds(took / 1000)) : "",
			el("span", {class: "push"}, cancel || ""));
		this.bar.hidden = over;
		if (typeof job.fraction === "number" && job.fraction >= 0)
			this.bar.value = job.fraction;
		else
			this.bar.removeAttribute("value");
		this.details.hidden = !this.output.length;
		if (over && !this.proof && (this.proof = measured(job.result)))
			this.node.append(this.proof);
		if (over)
			this.line.textContent = this.ending();
		announce(`${jobTitle(job)} ${WORDS[job.state] || job.state}`);
	}

	/* The same command again, as a new job that is followed here. */
	async resume() {
		try {
			const data = await post(`/jobs/${encodeURIComponent(this.job.id)}/resume`);
			panels.delete(this.job.id);
			this.job = data.job;
			panels.set(this.job.id, this);
			this.output = [];
			this.draw();
			this.follow();
		} catch (error) {
			toast(error.message, true);
		}
	}

	ending() {
		const job = this.job;
		if (job.state === "done" && job.exit_code === 1)
			return "It ran to its end, and found something: what it printed says what.";
		if (job.state === "done")
			return "Done.";
		if (job.state === "interrupted")
			return "pgmend was stopped while it ran." + (job.resumable ? " \"Go on\" goes on where it stopped." : "");
		if (job.state === "canceled")
			return "Canceled." + (job.resumable ? " \"Go on\" goes on where it stopped." : "");
		if (job.error)
			return job.error + (job.hint ? ". " + job.hint : "");
		return this.output.at(-1) || `It ended with exit code ${job.exit_code}.`;
	}

	progress({fraction, text, title, step, steps}) {
		this.job.fraction = fraction;
		this.line.textContent = [steps > 0 && `Step ${step} of ${steps}`, title, text].filter(Boolean).join(": ");
		if (typeof fraction === "number" && fraction >= 0) {
			this.bar.value = fraction;
			/* Each tenth is told to those who listen. */
			announce(`${jobTitle(this.job)}: ${percent(Math.floor(fraction * 10) / 10)}`);
		} else {
			this.bar.removeAttribute("value");
		}
	}

	add(text) {
		for (const line of String(text).split("\n"))
			if (line.trim())
				this.output.push(line);
		if (this.output.length > 2000)
			this.output.splice(0, this.output.length - 2000);
		this.log.textContent = this.output.join("\n");
		this.details.hidden = false;
		if (!isOver(this.job) && this.output.length)
			this.line.textContent = this.output.at(-1);
	}

	async cancel() {
		if (!await ask({title: "Cancel it?", body: el("p", null, "It stops where it can do so safely. What it has done so far stays, and the same command goes on from there."), yes: "Cancel the job", danger: true}))
			return;
		try {
			await api(`/jobs/${encodeURIComponent(this.job.id)}`, {method: "DELETE"});
		} catch (error) {
			toast(error.message, true);
		}
	}

	take(job) {
		this.job = {...this.job, ...job};
		this.draw();
	}

	/* The stream may break (a proxy, a restart of serve): then ask for the state and go on. */
	async follow() {
		const path = `/jobs/${encodeURIComponent(this.job.id)}`;
		for (let failures = 0; !isOver(this.job) && failures < 20;) {
			try {
				await events(path + "/events", (name, data) => {
					failures = 0;
					if (name === "state")
						this.take(data);
					else if (name === "progress")
						this.progress(data);
					else if (name === "output")
						this.add(data.text);
				});
				if (!isOver(this.job))
					this.take(await api(path));
			} catch (error) {
				if (error instanceof ApiError && (error.status === 401 || error.status === 404))
					break;
			}
			failures++;
			if (!isOver(this.job))
				await new Promise((resolve) => setTimeout(resolve, Math.min(500 * failures, 5000)));
		}
		await api(path).then((job) => this.take(job)).catch(() => {});
		for (const tell of [this.onEnd].flat())
			if (tell)
				tell(this.job);
	}
}

/* The panel of a job, made once. onEnd(job) is called when it ends. */
export function jobPanel(job, onEnd) {
	if (!panels.has(job.id))
		panels.set(job.id, new Panel(job, onEnd));
	return panels.get(job.id).node;
}

/* Panels of the jobs of a page that began here, the latest first: they stay until the page is left. */
export const started = new Map();

export function startedOn(page) {
	return (started.get(page) || []).map((id) => panels.get(id).node);
}

/* Begin one: POST, then its panel on that page. */
export async function begin(page, request, onEnd) {
	try {
		const {job} = await request();
		jobPanel(job, onEnd);
		started.set(page, [job.id, ...(started.get(page) || []).filter((id) => id !== job.id)].slice(0, 3));
		return job;
	} catch (error) {
		toast(error.message + (error.hint ? ". " + error.hint : ""), true);
		return null;
	}
}
