/*
 * Building nodes. Whatever comes from a database reaches the page as text nodes and attributes alone: there
 * is no way from here to innerHTML, and none to an address outside of the page.
 */
const SVG = "http://www.w3.org/2000/svg";

function add(node, child) {
	if (child === null || child === undefined || child === false)
		return;
	if (Array.isArray(child))
		child.forEach((each) => add(node, each));
	else
		node.append(child instanceof Node ? child : String(child));
}

function set(node, name, value) {
	if (value === null || value === undefined || value === false)
		return;
	if (name.startsWith("on"))
		node.addEventListener(name.slice(2), value);
	else if (name === "href" && !String(value).startsWith("#"))
		throw new Error("links lead to pages of the dashboard alone");
	else
		node.setAttribute(name, value === true ? "" : String(value));
}

/* el("a", {class: "x", href: "#/y", onclick: f}, children...); the attributes may be left out as null. */
export function el(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {}))
		set(node, name, value);
	add(node, children);
	return node;
}

export function svg(tag, attributes, ...children) {
	const node = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes || {}))
		set(node, name, value);
	add(node, children);
	return node;
}

export const byId = (id) => document.getElementById(id);

/*
 * Put new content into a node, and keep what the user had there: the focus, and which details were open.
 * Nodes say who they are by data-key.
 */
export function refill(node, ...children) {
	const active = node.contains(document.activeElement) ? document.activeElement : null;
	const focused = active && active.closest("[data-key]");
	const key = focused && focused.dataset.key;
	const caret = active && active.matches("input[type=search], input[type=text]") ? active.selectionStart : null;
	const open = new Map([...node.querySelectorAll("details[data-key]")].map((d) => [d.dataset.key, d.open]));
	const scrolled = new Map([...node.querySelectorAll("[data-scroll]")].map((d) => [d.dataset.scroll, d.scrollLeft]));
	const fresh = document.createDocumentFragment();
	add(fresh, children);
	node.replaceChildren(fresh);
	for (const details of node.querySelectorAll("details[data-key]"))
		if (open.has(details.dataset.key))
			details.open = open.get(details.dataset.key);
	for (const box of node.querySelectorAll("[data-scroll]"))
		box.scrollLeft = scrolled.get(box.dataset.scroll) || 0;
	if (active && !active.isConnected && key) {
		const again = [...node.querySelectorAll("[data-key]")].find((n) => n.dataset.key === key);
		if (again) {
			again.focus({preventScroll: true});
			if (caret !== null)
				again.setSelectionRange(caret, caret);
		}
	}
}

let spoken = "";

/* For those who listen: said once, after what is being said. */
export function announce(text) {
	if (text === spoken)
		return;
	spoken = text;
	byId("live").textContent = text;
}

export function toast(text, bad) {
	const note = el("div", {class: bad ? "toast bad" : "toast"}, text);
	byId("toasts").append(note);
	setTimeout(() => note.remove(), bad ? 12000 : 6000);
}

/*
 * A question in the page's dialog. fields: [{name, label, value, type}]; resolves to their values, or to null
 * where it was closed.
 */
export function ask({title, body, fields = [], yes, danger}) {
	const dialog = byId("dialog");
	return new Promise((resolve) => {
		const inputs = fields.map((f) =>
			el("input", {name: f.name, id: "ask-" + f.name, type: f.type || "text", value: f.value, min: f.min,
				max: f.max, required: f.required, maxlength: 200}));
		const finish = (value) => {
			dialog.onclose = null;
			dialog.close();
			resolve(value);
		};
		const form = el("form", {method: "dialog",
			onsubmit: (event) => {
				event.preventDefault();
				finish(Object.fromEntries(inputs.map((input) => [input.name, input.value])));
			}},
			el("h2", {id: "dialog-title"}, title),
			body,
			fields.map((f, i) => el("p", {class: "field"}, el("label", {for: "ask-" + f.name}, f.label), inputs[i])),
			el("p", {class: "buttons"},
				yes && el("button", {type: "button", class: "quiet", onclick: () => finish(null)}, "Not now"),
				el("button", {type: "submit", class: danger ? "danger" : "primary"}, yes || "Close")));
		dialog.replaceChildren(form);
		dialog.onclose = () => resolve(null);
		dialog.showModal();
		(inputs[0] || form.querySelector("button[type=submit]")).focus();
	});
}
