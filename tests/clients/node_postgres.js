// node-postgres at a pooler: URL names it.
const { Pool, Client } = require('pg');
const assert = require('assert');
(async () => {
  const pool = new Pool({ connectionString: process.env.URL, max: 10 });
  await pool.query('CREATE TABLE n (id int PRIMARY KEY, v text)');
  await Promise.all([...Array(200).keys()].map(i => pool.query('INSERT INTO n VALUES ($1, $2)', [i, 'v' + i])));
  await Promise.all([...Array(400).keys()].map(async i => {
    const r = await pool.query({ name: 'q' + i % 5, text: `SELECT v, ${i % 5} AS n FROM n WHERE id = $1`, values: [i % 200] });
    assert.deepStrictEqual(r.rows, [{ v: 'v' + i % 200, n: i % 5 }]);
  }));
  await assert.rejects(pool.query('SELECT 1/0'), { code: '22012' });
  await assert.rejects(pool.query('INSERT INTO n VALUES (1)'), { code: '23505' });
  const c = await pool.connect();
  await c.query('BEGIN'); await c.query('DELETE FROM n'); await c.query('ROLLBACK');
  assert.equal((await c.query('SELECT count(*)::int AS c FROM n')).rows[0].c, 200);
  assert.equal((await c.query('SELECT 1 AS a; SELECT 2 AS b')).length, 2);
  c.release();
  const listener = new Client({ connectionString: process.env.URL });
  await listener.connect();
  const heard = new Promise(done => listener.on('notification', done));
  await listener.query('LISTEN news');
  await pool.query("NOTIFY news, 'node'");
  assert.equal((await heard).payload, 'node');
  await listener.end();
  const set = new Client({ connectionString: process.env.URL, statement_timeout: 12345, application_name: 'nodeapp',
                           options: '-c work_mem=88kB' });
  await set.connect();
  const shown = (await set.query("SELECT current_setting('statement_timeout') AS t, current_setting('application_name') AS a, "
                                 + "current_setting('work_mem') AS w")).rows[0];
  assert.deepStrictEqual(shown, { t: '12345ms', a: 'nodeapp', w: '88kB' });
  await set.end();
  await pool.end();
  console.log('done');
})().catch(e => { console.error(e); process.exit(1); });
