/** PostgreSQL: psql and pgbench, simple and extended queries, COPY, errors, notices and notifications. */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

const PORT = 5432;
const VERSIONS = '/usr/lib/postgresql';
const bin = join(VERSIONS, readdirSync(VERSIONS).sort().at(-1), 'bin');
const id = (flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
const owner = { uid: id('-u'), gid: id('-g') };

await scene(async () => {
  chmodSync(folder, 0o755);
  chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const file = join(folder, 'password');
  writeFileSync(file, 'hunter2\n', { mode: 0o644 });
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'owner', '--no-sync', '-A', 'scram-sha-256', '--pwfile', file],
    owner,
  );
  const settings = ['fsync=off', 'unix_socket_directories=', 'listen_addresses=127.0.0.1', `port=${PORT}`];
  await serve(PORT, join(bin, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], owner);
  const env = {
    ...process.env,
    ...{
      PGHOST: '127.0.0.1',
      PGPORT: String(PORT),
      PGUSER: 'owner',
      PGDATABASE: 'postgres',
      PGPASSWORD: 'hunter2',
    },
    ...{ PGSSLMODE: 'disable', PGGSSENCMODE: 'disable', PGAPPNAME: 'scene' },
  };
  const psql = (input, more = []) => run('psql', ['-X', '-q', ...more], { env, input, status: null });
  await psql(`
CREATE TABLE pets (id int PRIMARY KEY, name text, born date, weight numeric);
INSERT INTO pets VALUES (1, 'Ada', '2020-02-29', 4.25), (2, NULL, NULL, NULL), (3, 'Ørsted ☃', '1999-12-31', -0.5);
SELECT * FROM pets ORDER BY id;
SELECT count(*), sum(weight) AS total FROM pets WHERE name LIKE 'A%';
SELECT 1 AS one\\; SELECT 'two' AS two\\; UPDATE pets SET weight = 5 WHERE id < 3;
SELECT * FROM nothing;
INSERT INTO pets VALUES (1, 'twice', NULL, NULL);
SELECT 1/0;
BEGIN; DELETE FROM pets WHERE id = 2; SELECT broken; SELECT 1; ROLLBACK;
DO $$ BEGIN RAISE NOTICE 'a notice %', 7; RAISE WARNING 'a warning'; END $$;
COPY pets TO STDOUT;
COPY pets (id, name) FROM STDIN;
10	from copy
11	from copy too
\\.
LISTEN news; NOTIFY news, 'hello';
SELECT repeat('x', 100000) AS long;
;
SET search_path TO public; SHOW search_path;
`);
  const pgbench = (...more) => run('pgbench', ['-n', '-c', '2', '-t', '10', ...more], { env });
  await run('pgbench', ['-i', '-q', '-s', '1', '-I', 'dtp'], { env });
  await psql(`INSERT INTO pgbench_branches VALUES (1, 0);
INSERT INTO pgbench_tellers SELECT g, 1, 0 FROM generate_series(1, 10) g;
INSERT INTO pgbench_accounts SELECT g, 1, 0 FROM generate_series(1, 50) g;`);
  await pgbench('-M', 'simple');
  await pgbench('-M', 'extended');
  await pgbench('-M', 'prepared', '-S');
  await psql('SELECT 1;', ['-U', 'nobody']);
});
