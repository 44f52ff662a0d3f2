/** PostgreSQL itself, with psql, pgbench and a client of our own as its clients. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Turn } from './decoder.contract.ts';
import { decoder } from './postgres.ts';
import { decoder as tls } from './tls.ts';

const run = promisify(execFile);
const versions = '/usr/lib/postgresql';
const folders = existsSync(versions) ? readdirSync(versions).map((name) => join(versions, name, 'bin')) : [];
process.env.PATH = [process.env.PATH, ...folders].join(':');

const setting = { serverPort: 5432 };
const encoder = new TextEncoder();

/** The server refuses to run as root. */
const asPostgres =
  process.getuid?.() === 0
    ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--clear-groups', '--']
    : [];

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

describe.skipIf(needs('psql', 'initdb', 'postgres', 'pgbench', 'openssl').missing !== null)(
  'a real server',
  () => {
    let folder = '';
    let port = 0;
    let stop = async () => {};

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sockscope-pg-'));
      if (asPostgres.length > 0) {
        const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
        chownSync(folder, id('-u'), id('-g'));
      }
      const data = join(folder, 'data');
      const [program, ...words] = [...asPostgres, 'initdb'];
      await run(
        program!,
        [...words, '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8'],
        {
          cwd: folder,
        },
      );
      writeFileSync(
        join(data, 'pg_hba.conf'),
        'host all ann 127.0.0.1/32 scram-sha-256\nhost all carl 127.0.0.1/32 password\nhost all all 127.0.0.1/32 trust\n',
      );
      // A key of its own to the server's user, as the server insists.
      const [openssl, ...more] = [...asPostgres, 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes'];
      const files = [
        '-keyout',
        join(data, 'server.key'),
        '-out',
        join(data, 'server.crt'),
        '-subj',
        '/CN=db',
      ];
      await run(openssl!, [...more, ...files], { cwd: folder });
      port = await freePort();
      const [first, ...rest] = [...asPostgres, 'postgres'];
      const options = ['-D', data, '-k', folder, '-p', `${port}`, '-h', '127.0.0.1', '-F', '-l'];
      const child = spawn(first!, [...rest, ...options], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      stop = async () => {
        child.kill('SIGINT');
        await gone;
      };
      let log = '';
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', (chunk) => {
          log += chunk;
          if (log.includes('ready to accept connections')) {
            resolve();
          }
        });
        child.once('exit', () => reject(new Error(log)));
      });
    });

    afterAll(async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function turns(user: string, talk: (port: number, env: NodeJS.ProcessEnv) => Promise<void>) {
      const env = {
        ...process.env,
        PGUSER: user,
        PGDATABASE: 'postgres',
        PGHOST: '127.0.0.1',
        PGSSLMODE: 'disable',
      };
      return (await recorded(port, (relay) => talk(relay, { ...env, PGPORT: `${relay}` }))) as Turn[][];
    }

    async function psql(user: string, commands: string[], more: NodeJS.ProcessEnv = {}) {
      const words = ['-X', '-q', ...commands.flatMap((command) => ['-c', command])];
      const [only] = await turns(user, async (_, env) => {
        await run('psql', words, { env: { ...env, ...more }, cwd: folder }).catch(() => {});
      });
      return only!;
    }

    it('psql asks, fails, copies in and out', async () => {
      const file = join(folder, 'rows.tsv');
      writeFileSync(file, Array.from({ length: 2000 }, (_, i) => `${i}\tname ${i}\n`).join(''));
      const heardTurns = await psql('postgres', [
        'CREATE TABLE t (id int PRIMARY KEY, name text)',
        `\\copy t FROM '${file}'`,
        'SELECT * FROM t ORDER BY id',
        "SELECT 1 AS one; INSERT INTO t VALUES (-1, 'x')",
        "INSERT INTO t VALUES (-1, 'y')",
        'SELECT * FROM nowhere',
        "DO $$ BEGIN RAISE NOTICE 'look'; END $$",
        `\\copy t TO '${file}.out'`,
        "CREATE ROLE ann LOGIN PASSWORD 'hunter2'; CREATE ROLE carl LOGIN PASSWORD 'hunter2'",
        'LISTEN jobs',
        "NOTIFY jobs, 'one'",
      ]);
      const { said, troubles } = hear(decoder, heardTurns, setting);
      expect(troubles).toEqual([]);
      expect(said.map((one) => [one.kind, one.name, one.summary])).toEqual([
        [
          'request',
          'Startup',
          expect.stringMatching(/^Startup user=postgres database=postgres application_name=psql/),
        ],
        ['reply', 'Ready', expect.stringMatching(/^Ready: PostgreSQL \d+.*, process \d+$/)],
        ['request', 'CREATE', 'CREATE TABLE t (id int PRIMARY KEY, name text)'],
        ['reply', 'CREATE', 'CREATE TABLE'],
        ['request', 'COPY', 'COPY t FROM STDIN'],
        ['notice', 'CopyDone', expect.stringMatching(/^CopyDone: \d+ B$/)],
        ['reply', 'COPY', expect.stringMatching(/^COPY 2000 \(\d+ B copied\)$/)],
        ['request', 'SELECT', 'SELECT * FROM t ORDER BY id'],
        ['reply', 'SELECT', "SELECT 2000 (id='0' name='name 0', …)"],
        ['request', 'SELECT', "SELECT 1 AS one; INSERT INTO t VALUES (-1, 'x')"],
        ['reply', 'SELECT', "SELECT 1 (one='1')"],
        ['reply', 'INSERT', 'INSERT 0 1'],
        ['request', 'INSERT', "INSERT INTO t VALUES (-1, 'y')"],
        [
          'reply',
          'Error',
          'ERROR 23505 duplicate key value violates unique constraint "t_pkey" (Key (id)=(-1) already exists.)',
        ],
        ['request', 'SELECT', 'SELECT * FROM nowhere'],
        ['reply', 'Error', 'ERROR 42P01 relation "nowhere" does not exist'],
        ['request', 'DO', "DO $$ BEGIN RAISE NOTICE 'look'; END $$"],
        ['notice', 'Notice', 'NOTICE 00000 look'],
        ['reply', 'DO', 'DO'],
        ['request', 'COPY', 'COPY t TO STDOUT'],
        ['reply', 'COPY', expect.stringMatching(/^COPY 2001 \(\d+ B copied\)$/)],
        [
          'request',
          'CREATE',
          "CREATE ROLE ann LOGIN PASSWORD '******'; CREATE ROLE carl LOGIN PASSWORD '******'",
        ],
        ['reply', 'CREATE', 'CREATE ROLE'],
        ['reply', 'CREATE', 'CREATE ROLE'],
        ['request', 'LISTEN', 'LISTEN jobs'],
        ['reply', 'LISTEN', 'LISTEN'],
        ['request', 'NOTIFY', "NOTIFY jobs, 'one'"],
        ['notice', 'Notification', expect.stringMatching(/^Notification jobs 'one' from process \d+$/)],
        ['reply', 'NOTIFY', 'NOTIFY'],
        ['notice', 'Terminate', 'Terminate'],
      ]);
      const copied = said.find((one) => one.name === 'CopyDone');
      expect(copied?.fields).toMatchObject({
        'copy.bytes': Array.from({ length: 2000 }, (_, i) => `${i}\tname ${i}\n`).join('').length,
      });
      expect(said.find((one) => one.summary.includes('t_pkey'))?.fields).toMatchObject({
        'error.table': 't',
        'error.constraint': 't_pkey',
      });
      expect(said.filter((one) => one.kind === 'reply').every((one) => one.asked !== null)).toBe(true);
      anySplitGivesTheSame(decoder, heardTurns, setting, 3);
    });

    it('passwords by SCRAM and in clear, right and wrong', async () => {
      const heardTurns = await psql('ann', ['SELECT 1'], { PGPASSWORD: 'hunter2' });
      const { said, troubles } = hear(decoder, heardTurns, setting);
      expect(troubles).toEqual([]);
      expect(said.map((one) => one.summary)).toEqual([
        expect.stringContaining('Startup user=ann'),
        'Authentication SASL SCRAM-SHA-256',
        'SASLInitialResponse SCRAM-SHA-256',
        'Authentication SASLContinue',
        'SASLResponse',
        'Authentication SASLFinal',
        expect.stringContaining('Ready: PostgreSQL'),
        'SELECT 1',
        "SELECT 1 (?column?='1')",
        'Terminate',
      ]);
      anySplitGivesTheSame(decoder, heardTurns, setting, 5);
      const clear = hear(decoder, await psql('carl', ['SELECT 1'], { PGPASSWORD: 'hunter2' }), setting).said;
      expect(clear[1]?.summary).toBe('Authentication CleartextPassword');
      expect(clear[2]).toMatchObject({
        name: 'Password',
        fields: { password: 'hunter2' },
        summary: 'Password',
      });
      const wrong = hear(decoder, await psql('carl', ['SELECT 1'], { PGPASSWORD: 'guess' }), setting).said;
      expect(wrong.at(-1)).toMatchObject({
        failed: true,
        asked: 'Password',
        summary: 'FATAL 28P01 password authentication failed for user "carl"',
      });
    });

    it('psql asks for TLS and both sides go on in it', async () => {
      const heardTurns = await psql('postgres', ['SELECT 1'], {
        PGSSLMODE: 'require',
        PGGSSENCMODE: 'disable',
      });
      const { said, troubles } = hear(decoder, heardTurns, { ...setting, others: [tls] });
      expect(troubles).toEqual([]);
      // The server's curve is P-256 unless told otherwise (ssl_ecdh_curve), and the client guesses another: a retry may come.
      const names = said
        .map((one) => `${one.protocol} ${one.name}`)
        .filter((name) => !name.endsWith('ApplicationData'));
      expect(names.slice(0, 3)).toEqual(['postgres SSLRequest', 'postgres Accepted', 'tls ClientHello']);
      expect(names.slice(-2)).toEqual(['tls ServerHello', 'tls Encrypted']);
      anySplitGivesTheSame(decoder, heardTurns, { ...setting, others: [tls] }, 5);
    });

    it.each(['extended', 'prepared'])('pgbench -M %s', async (mode) => {
      const script = join(folder, `${mode}.sql`);
      writeFileSync(script, '\\set a 7\nSELECT :a + 1 AS b;\nSELECT oid FROM pg_class LIMIT :a;\n');
      // Its first connection only looks at the database.
      const [, heardTurns] = await turns('postgres', async (_, env) => {
        await run('pgbench', ['-n', '-M', mode, '-t', '3', '-f', script], { env, cwd: folder });
      });
      const { said, troubles } = hear(decoder, heardTurns!, setting);
      expect(troubles).toEqual([]);
      const asked = said.filter((one) => one.kind === 'request' && one.name === 'SELECT');
      const answers = said.filter((one) => one.kind === 'reply' && one.asked === 'SELECT');
      expect(asked.length).toBe(6);
      expect(answers.length).toBe(6);
      expect(asked[0]?.summary).toBe("SELECT $1 + 1 AS b; [$1='7']");
      expect(answers[0]?.fields).toMatchObject({ tag: 'SELECT 1', count: 1 });
      expect(answers[1]?.fields).toMatchObject({ tag: 'SELECT 7', count: 7 });
      expect(said.filter((one) => one.name === 'Parse' && one.kind === 'request').length).toBe(
        mode === 'prepared' ? 2 : 0,
      );
      anySplitGivesTheSame(decoder, heardTurns!, setting, 5);
    });

    it('a pipeline with an error in it, a suspended portal and binary values, by hand', async () => {
      const int32 = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
      const bytes = (text: string) => [...encoder.encode(text)];
      const message = (type: string, ...body: number[][]) => [
        ...bytes(type),
        ...int32(body.flat().length + 4),
        ...body.flat(),
      ];
      const settings = bytes('user\0postgres\0database\0postgres\0\0');
      const parse = (name: string, sql: string) => message('P', bytes(`${name}\0${sql}\0`), [0, 0]);
      const bind = (portal: string, name: string, ...values: number[][]) =>
        message(
          'B',
          bytes(`${portal}\0${name}\0`),
          [0, 1, 0, 1],
          [0, values.length],
          ...values.map((value) => [...int32(value.length), ...value]),
          [0, 1, 0, 1],
        );
      const execute = (portal: string, limit = 0) => message('E', bytes(`${portal}\0`), int32(limit));
      const sync = message('S');
      const steps = [
        [...int32(8 + settings.length), ...int32(196608), ...settings],
        [...parse('double', 'SELECT $1::int * 2 AS twice'), ...message('D', bytes('Sdouble\0')), ...sync],
        [
          ...[...bind('', 'double', int32(21)), ...execute('')],
          ...[...parse('', 'SELECT 1/$1::int'), ...bind('', '', int32(0)), ...execute('')],
          ...[...bind('', 'double', int32(5)), ...execute(''), ...sync],
          ...[...bind('', 'double', int32(6)), ...execute(''), ...sync],
        ],
        [
          ...[
            ...parse('', 'SELECT generate_series(1, $1::int)'),
            ...bind('c', '', int32(3)),
            ...message('D', bytes('Pc\0')),
          ],
          ...[...execute('c', 2), ...execute('c', 2), ...sync],
        ],
        message('X'),
      ];
      const [heardTurns] = await turns('postgres', async (relay) => {
        const socket = createConnection({ host: '127.0.0.1', port: relay });
        let readies = 0;
        const after = [1, 2, 4, 5];
        await new Promise<void>((resolve, reject) => {
          const next = () => socket.write(Uint8Array.from(steps.shift() ?? []));
          socket.once('connect', next);
          socket.on('data', (chunk) => {
            for (let at = chunk.indexOf('Z\0\0\0\x05'); at >= 0; at = chunk.indexOf('Z\0\0\0\x05', at + 1)) {
              if (++readies === after[0]) {
                after.shift();
                next();
              }
            }
          });
          socket.once('close', () => resolve());
          socket.once('error', reject);
        });
      });
      const { said, troubles } = hear(decoder, heardTurns!, setting);
      expect(troubles).toEqual([]);
      expect(said.slice(2).map((one) => [one.kind, one.summary, one.asked])).toEqual([
        ['request', 'Parse: SELECT $1::int * 2 AS twice', null],
        ['reply', 'Parse (twice)', 'Parse'],
        ['request', 'SELECT $1::int * 2 AS twice [$1=21]', null],
        ['request', "SELECT 1/$1::int [$1='\\x00000000']", null],
        ['request', 'SELECT $1::int * 2 AS twice [$1=5]', null],
        ['request', 'SELECT $1::int * 2 AS twice [$1=6]', null],
        ['reply', 'SELECT 1 (twice=42)', 'SELECT'],
        ['reply', 'ERROR 22012 division by zero', 'SELECT'],
        ['reply', 'skipped: an earlier request of the group failed', 'SELECT'],
        ['reply', 'SELECT 1 (twice=12)', 'SELECT'],
        ['request', "SELECT generate_series(1, $1::int) [$1='\\x00000003']", null],
        ['request', "SELECT generate_series(1, $1::int) [$1='\\x00000003']", null],
        ['reply', 'Suspended: more rows wait (generate_series=1, …)', 'SELECT'],
        ['reply', 'SELECT 1 (generate_series=3)', 'SELECT'],
        ['notice', 'Terminate', null],
      ]);
      anySplitGivesTheSame(decoder, heardTurns!, setting, 10);
    });
  },
);
