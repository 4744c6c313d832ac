/* Figures for people. Each returns "-" for what is not known, and a narrow space before the unit. */
const NONE = "\u2013";
const THIN = "\u202f";

const known = (value) => typeof value === "number" && Number.isFinite(value);

function digits(value, significant) {
	const size = Math.abs(value);
	if (size >= 100 || Number.isInteger(value))
		return Math.round(value).toLocaleString("en-US");
	const decimals = Math.max(0, significant - 1 - Math.floor(Math.log10(size || 1)));
	return value.toLocaleString("en-US", {maximumFractionDigits: Math.min(decimals, 3)});
}

export function number(value) {
	return known(value) ? digits(value, 3) : NONE;
}

export function count(value) {
	if (!known(value))
		return NONE;
	for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
		if (Math.abs(value) >= limit)
			return digits(value / (unit === "k" ? 1e3 : limit), 3) + THIN + unit;
	return digits(value, 3);
}

export function bytes(value) {
	if (!known(value))
		return NONE;
	let size = Math.abs(value), unit = 0;
	while (size >= 1024 && unit < 5) {
		size /= 1024;
		unit++;
	}
	return (value < 0 ? "-" : "") + digits(size, 3) + THIN + ["B", "kB", "MB", "GB", "TB", "PB"][unit];
}

export function ms(value) {
	if (!known(value))
		return NONE;
	if (value === 0)
		return "0" + THIN + "ms";
	if (value < 1)
		return digits(value * 1000, 3) + THIN + "\u00b5s";
	if (value < 1000)
		return digits(value, 3) + THIN + "ms";
	return seconds(value / 1000);
}

export function seconds(value) {
	if (!known(value))
		return NONE;
	if (value < 1)
		return value <= 0 ? "0" + THIN + "s" : ms(value * 1000);
	if (value < 90)
		return digits(value, 3) + THIN + "s";
	if (value < 5400)
		return digits(Math.round(value / 60), 3) + THIN + "min";
	if (value < 48 * 3600)
		return digits(value / 3600, 2) + THIN + "h";
	return digits(value / 86400, 3) + THIN + "days";
}

export function percent(share) {
	if (!known(share))
		return NONE;
	const value = share * 100;
	const decimals = value === 0 || value === 100 ? 0 : value > 99 || value < 1 ? 2 : 1;
	return value.toFixed(decimals) + THIN + "%";
}

export const rate = (value) => (known(value) ? count(value) + THIN + "/s" : NONE);
export const byteRate = (value) => (known(value) ? bytes(value) + "/s" : NONE);

/* A moment as ISO 8601 text or as seconds, in milliseconds since 1970; NaN where it is none. */
export function moment(value) {
	if (known(value))
		return value * 1000;
	return typeof value === "string" ? Date.parse(value.includes("T") ? value : value.replace(" ", "T")) : NaN;
}

export function when(value) {
	const at = moment(value);
	if (!Number.isFinite(at))
		return NONE;
	const date = new Date(at), pad = (n) => String(n).padStart(2, "0");
	const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
	return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

export function ago(value) {
	const at = moment(value);
	if (!Number.isFinite(at))
		return NONE;
	const passed = (Date.now() - at) / 1000;
	return passed < 2 ? "now" : passed < 0 ? when(value) : seconds(Math.round(passed)) + " ago";
}

export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + "s"}`;

/* Names stay as they are. */
export const sentence = (text) => String(text ?? "").replace(/^(?!pgmend|\w+_)./, (c) => c.toUpperCase());

/* A statement on one line. */
export const oneLine = (text) => String(text ?? "").replace(/\s+/g, " ").trim();

export const unit = {number, count, bytes, ms, seconds, percent, rate, byteRate};
