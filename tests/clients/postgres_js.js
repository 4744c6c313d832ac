// postgres.js at a pooler: URL names it.
const postgres = require('postgres');
const assert = require('assert');
(async () => {
  const sql = postgres(process.env.URL, { max: 10, onnotice: () => {} });
  await sql`CREATE TABLE p (id int PRIMARY KEY, v text)`;
  await sql`INSERT INTO p ${sql([...Array(200).keys()].map(i => ({ id: i, v: 'v' + i })))}`;
  await Promise.all([...Array(400).keys()].map(async i => {
    const r = await sql`SELECT v FROM p WHERE id = ${i % 200}`;
    assert.equal(r[0].v, 'v' + i % 200);
  }));
  await assert.rejects(sql`SELECT 1/0`, { code: '22012' });
  await sql.begin(async tx => { await tx`UPDATE p SET v = 'x' WHERE id = 1`; await tx`SELECT 1`; });
  await assert.rejects(sql.begin(async tx => { await tx`DELETE FROM p`; throw new Error('no'); }), /no/);
  assert.equal((await sql`SELECT count(*)::int AS c FROM p`)[0].c, 200);
  let seen = 0;
  await sql`SELECT id FROM p ORDER BY id`.cursor(50, rows => { seen += rows.length; });
  assert.equal(seen, 200);
  let payload;
  const heard = new Promise(done => { payload = done; });
  const { unlisten } = await sql.listen('news', payload);
  await sql.notify('news', 'js');
  assert.equal(await heard, 'js');
  await unlisten();
  const slow = sql`SELECT pg_sleep(100)`.execute();
  setTimeout(() => slow.cancel(), 300);
  await assert.rejects(slow, { code: '57014' });
  assert.deepStrictEqual([...(await sql.unsafe('SELECT 1 AS a; SELECT 2 AS b'))].map(r => Object.values(r[0])[0]), [1, 2]);
  await sql.end({ timeout: 5 });
  console.log('done');
})().catch(e => { console.error(e); process.exit(1); });
