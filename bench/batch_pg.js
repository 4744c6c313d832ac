// batch_pg.js MODULES SOCKETDIR DATABASE TABLE FILE: the usual way of node-postgres, a multi-row INSERT with
// parameters, 1,000 rows a statement (or as many as 65,535 parameters allow), in one transaction. Prints the seconds.
const [, , modules, host, database, table, file] = process.argv;
const { Client } = require(`${modules}/pg`);
const fs = require('fs');

const unescape = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' };
const field = (text) => (text === '\\N' ? null : text.replace(/\\(.)/g, (_, c) => unescape[c] ?? c));
const rows = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => line.split('\t').map(field));

(async () => {
	const client = new Client({ host, database, user: 'postgres', port: 5432 });
	await client.connect();
	const size = Math.min(1000, Math.floor(65535 / rows[0].length));
	const begin = process.hrtime.bigint();
	await client.query('BEGIN');
	for (let at = 0; at < rows.length; at += size) {
		const part = rows.slice(at, at + size);
		const places = part.map((row, r) => `(${row.map((_, c) => `$${r * row.length + c + 1}`).join(', ')})`);
		await client.query(`INSERT INTO ${table} VALUES ${places.join(', ')}`, part.flat());
	}
	await client.query('COMMIT');
	console.log(Number(process.hrtime.bigint() - begin) / 1e9);
	await client.end();
})();
