/*
 * The API. The token is kept for the browser's tab and goes in a header, never in an address. Every reply is
 * {"success": true, "data": ...} or {"success": false, "error": {code, message, hint}}.
 */
const KEY = "pgmend.token";
let token = null;
let onRefused = () => {};

export class ApiError extends Error {
	constructor(status, error) {
		super(error.message || "the server answered " + status);
		this.status = status;
		this.code = error.code || "";
		this.hint = error.hint || "";
	}
}

export function startSession(refused) {
	onRefused = refused;
	const given = new URLSearchParams(location.hash.slice(1)).get("token");
	try {
		if (given)
			sessionStorage.setItem(KEY, given);
		token = given || sessionStorage.getItem(KEY);
	} catch {
		token = given;
	}
	if (given)
		history.replaceState(null, "", location.pathname + "#/overview");
	return token !== null;
}

export function setToken(value) {
	token = value;
	try {
		if (value === null)
			sessionStorage.removeItem(KEY);
		else
			sessionStorage.setItem(KEY, value);
	} catch {
		/* no storage: until the page is loaded again */
	}
}

async function send(path, {method = "GET", body, signal, accept = "application/json", headers = {}} = {}) {
	const all = {Accept: accept, ...headers};
	if (token !== null)
		all.Authorization = "Bearer " + token;
	if (body !== undefined)
		all["Content-Type"] = "application/json";
	let reply;
	try {
		reply = await fetch("api/v1" + path, {method, headers: all, signal, cache: "no-store", redirect: "error",
			body: body === undefined ? undefined : JSON.stringify(body)});
	} catch (error) {
		if (error.name === "AbortError")
			throw error;
		throw new ApiError(0, {message: "pgmend does not answer", hint: "Is \"pgmend serve\" still running? This page tries again by itself."});
	}
	if (reply.ok)
		return reply;
	let error = {};
	try {
		error = (await reply.json()).error || {};
	} catch {
		/* not ours: the status must do */
	}
	if (reply.status === 401)
		onRefused();
	throw new ApiError(reply.status, error);
}

/* The data of a reply. */
export async function api(path, options) {
	const reply = await (await send(path, options)).json();
	return reply.data;
}

export const post = (path, body = {}) =>
	api(path, {method: "POST", body, headers: {"Idempotency-Key": key()}});

function key() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/* The path of something of a database. */
export const of = (db, rest) => `/databases/${encodeURIComponent(db)}${rest}`;

export function query(parameters) {
	const text = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== null && v !== undefined)).toString();
	return text ? "?" + text : "";
}

/*
 * Server-Sent Events by fetch, which can send the token: calls back with (event, data) and returns at the
 * stream's end.
 */
export async function events(path, callback, signal) {
	const reply = await send(path, {accept: "text/event-stream", signal});
	const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "", name = "message", data = [];
	const line = (text) => {
		if (text === "") {
			if (data.length) {
				let value = data.join("\n");
				try {
					value = JSON.parse(value);
				} catch {
					/* plain text */
				}
				callback(name, value);
			}
			name = "message";
			data = [];
		} else if (text.startsWith("event:")) {
			name = text.slice(6).trim();
		} else if (text.startsWith("data:")) {
			data.push(text.slice(5).replace(/^ /, ""));
		}
	};
	for (;;) {
		const {value, done} = await reader.read();
		if (done)
			return;
		const lines = (rest + value).split(/\r?\n/);
		rest = lines.pop();
		lines.forEach(line);
	}
}
