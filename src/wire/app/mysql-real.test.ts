/** MariaDB itself, with its own client and a client of our own for the binary protocol. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, survivesAnything, type Turn } from './decoder.contract.ts';
import { decoder } from './mysql.ts';
import { decoder as tls } from './tls.ts';

const run = promisify(execFile);
const setting = { serverPort: 3306 };
const text = (value: string) => [...new TextEncoder().encode(value)];

/** The server refuses to run as root without being told whom to be instead. */
const asMysql = process.getuid?.() === 0 ? ['--user=mysql'] : [];

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

describe.skipIf(needs('mariadbd', 'mariadb', 'mariadb-install-db', 'openssl').missing !== null)(
  'a real server',
  () => {
    let folder = '';
    let port = 0;
    let stop = async () => {};

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sockscope-my-'));
      if (asMysql.length > 0) {
        const id = (flag: string) => Number(spawnSync('id', [flag, 'mysql'], { encoding: 'utf8' }).stdout);
        chownSync(folder, id('-u'), id('-g'));
      }
      const data = join(folder, 'data');
      await run('mariadb-install-db', [
        '--no-defaults',
        ...asMysql,
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--innodb-flush-log-at-trx-commit=0',
      ]);
      const [key, certificate] = [join(data, 'server.key'), join(data, 'server.crt')];
      const files = ['-keyout', key, '-out', certificate, '-subj', '/CN=db'];
      await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files]);
      chmodSync(key, 0o644);
      port = await freePort();
      const options = [
        ...[`--ssl-key=${key}`, `--ssl-cert=${certificate}`],
        ...[
          `--datadir=${data}`,
          `--socket=${join(folder, 's')}`,
          `--port=${port}`,
          '--bind-address=127.0.0.1',
        ],
        ...[
          '--skip-networking=0',
          '--local-infile=1',
          '--innodb-flush-log-at-trx-commit=0',
          `--pid-file=${join(folder, 'pid')}`,
        ],
      ];
      const child = spawn(findProgram('mariadbd')!, ['--no-defaults', ...asMysql, ...options], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      stop = async () => {
        child.kill('SIGTERM');
        await gone;
      };
      let log = '';
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', (chunk) => {
          log += chunk;
          if (log.includes('ready for connections')) {
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

    async function mariadb(sql: string, ...more: string[]): Promise<Turn[]> {
      const [turns] = await recorded(port, async (relay) => {
        const words = ['--no-defaults', '--protocol=TCP', '--ssl=0', '-h127.0.0.1', `-P${relay}`, '--force'];
        const talking = run('mariadb', [...words, ...more], { cwd: folder });
        talking.child.stdin?.end(sql);
        await talking.catch(() => {});
      });
      return turns as Turn[];
    }

    it('the client asks, fails, loads a file, and is told apart from its password', async () => {
      const file = join(folder, 'rows.tsv');
      writeFileSync(file, Array.from({ length: 3000 }, (_, i) => `${i + 1}\tname ${i}\n`).join(''));
      const turns = await mariadb(
        [
          'CREATE DATABASE shop',
          'USE shop',
          'CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, name varchar(40))',
          "INSERT INTO t (name) VALUES ('ann'), ('ben')",
          'SELECT * FROM t',
          'SELECT * FROM nowhere',
          'SELECT 1 FROM t WHERE 0',
          "SELECT CAST('x1' AS int)",
          'DELETE FROM t',
          `LOAD DATA LOCAL INFILE '${file}' INTO TABLE t`,
          'SELECT id, name FROM t',
          'ALTER TABLE t ENGINE=Aria',
          "CREATE USER bob@'127.0.0.1' IDENTIFIED BY 'hunter2'",
          "PREPARE s FROM 'SELECT ? + 1 AS next'",
          'SET @a = 41',
          'EXECUTE s USING @a',
          '',
        ].join(';\n'),
        '-uroot',
        '--local-infile=1',
      );
      const { said, troubles } = hear(decoder, turns, setting);
      expect(troubles).toEqual([]);
      expect(said[0]?.summary).toMatch(/^Greeting .*MariaDB.*, connection \d+$/);
      expect(said[1]?.summary).toMatch(/^Login user=root/);
      expect(said[1]?.fields).toMatchObject({
        'attribute._client_name': 'libmariadb',
        plugin: 'mysql_native_password',
      });
      const start = said.findIndex((one) => one.name === 'CREATE');
      expect(said.slice(start).map((one) => [one.kind, one.summary, one.asked])).toEqual([
        ['request', 'CREATE DATABASE shop', null],
        ['reply', 'OK CREATE, 1 affected', 'CREATE'],
        ['request', 'SELECT DATABASE()', null],
        ['reply', '1 row (DATABASE()=NULL)', 'SELECT'],
        ['request', 'InitDB database=shop', null],
        ['reply', 'OK InitDB', 'InitDB'],
        ['request', 'CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, name varchar(40))', null],
        ['reply', 'OK CREATE', 'CREATE'],
        ['request', "INSERT INTO t (name) VALUES ('ann'), ('ben')", null],
        ['reply', 'OK INSERT, 2 affected, id 1 (Records: 2 Duplicates: 0 Warnings: 0)', 'INSERT'],
        ['request', 'SELECT * FROM t', null],
        ['reply', "2 rows (id='1' name='ann', …)", 'SELECT'],
        ['request', 'SELECT * FROM nowhere', null],
        ['reply', "ERROR 1146 (42S02) Table 'shop.nowhere' doesn't exist", 'SELECT'],
        ['request', 'SELECT 1 FROM t WHERE 0', null],
        ['reply', '0 rows (1)', 'SELECT'],
        ['request', "SELECT CAST('x1' AS int)", null],
        ['reply', "1 row (CAST('x1' AS int)='0'), 1 warning", 'SELECT'],
        ['request', 'DELETE FROM t', null],
        ['reply', 'OK DELETE, 2 affected', 'DELETE'],
        ['request', `LOAD DATA LOCAL INFILE '${file}' INTO TABLE t`, null],
        ['reply', `LocalInfile: the server asks for the file '${file}'`, 'LOAD'],
        ['notice', expect.stringMatching(/^LocalData \d+ B$/), null],
        ['reply', expect.stringMatching(/^OK LOAD, 3000 affected.*\(Records: 3000 /), 'LOAD'],
        ['request', 'SELECT id, name FROM t', null],
        ['reply', expect.stringMatching(/^3000 rows \(id='\d+' name='name \d+', …\)$/), 'SELECT'],
        ['request', 'ALTER TABLE t ENGINE=Aria', null],
        ['reply', expect.stringMatching(/^OK ALTER, 3000 affected/), 'ALTER'],
        ['request', "CREATE USER bob@'127.0.0.1' IDENTIFIED BY '******'", null],
        ['reply', 'OK CREATE', 'CREATE'],
        ['request', "PREPARE s FROM 'SELECT ? + 1 AS next'", null],
        ['reply', expect.stringMatching(/^OK PREPARE/), 'PREPARE'],
        ['request', 'SET @a = 41', null],
        ['reply', 'OK SET', 'SET'],
        ['request', 'EXECUTE s USING @a', null],
        ['reply', "1 row (next='42')", 'EXECUTE'],
        ['notice', 'Quit', null],
      ]);
      anySplitGivesTheSame(decoder, turns, setting, 3);
      survivesAnything(decoder, turns, setting, 30);
    });

    it('a right and a wrong password', async () => {
      await mariadb("CREATE USER carl@'%' IDENTIFIED BY 'hunter2';", '-uroot');
      const right = hear(decoder, await mariadb('SELECT 1;', '-ucarl', '-phunter2'), setting);
      expect(right.troubles).toEqual([]);
      expect(right.said.at(-2)?.summary).toBe("1 row (1='1')");
      const wrong = hear(decoder, await mariadb('SELECT 1;', '-ucarl', '-pguess'), setting);
      expect(wrong.troubles).toEqual([]);
      expect(wrong.said.at(-1)).toMatchObject({
        asked: 'Login',
        failed: true,
        summary: expect.stringMatching(/^ERROR 1045 \(28000\) Access denied for user 'carl'/),
      });
    });

    it('a compressed connection is said to be one', async () => {
      const { troubles } = hear(decoder, await mariadb('SELECT 1;', '-uroot', '--compress'), setting);
      expect(troubles).toEqual([
        'client: the connection is compressed (CLIENT_COMPRESS), which is not read',
        'server: the connection is compressed (CLIENT_COMPRESS), which is not read',
      ]);
    });

    it('with TLS both sides go on in it', async () => {
      const turns = await mariadb('SELECT 1;', '-uroot', '--ssl=1');
      const { said, troubles } = hear(decoder, turns, { ...setting, others: [tls] });
      expect(troubles).toEqual([]);
      expect(said.slice(0, 5).map((one) => [one.protocol, one.name])).toEqual([
        ['mysql', 'Greeting'],
        ['mysql', 'SSLRequest'],
        ['tls', 'ClientHello'],
        ['tls', 'ServerHello'],
        ['tls', 'Encrypted'],
      ]);
      anySplitGivesTheSame(decoder, turns, { ...setting, others: [tls] }, 5);
    });

    const int16 = (value: number) => [value & 255, (value >> 8) & 255];
    const int32 = (value: number) => [...int16(value), ...int16(value >>> 16)];
    const packet = (sequence: number, ...parts: (number[] | string)[]) => {
      const body = parts.flatMap((part) => (typeof part === 'string' ? text(part) : part));
      return [...int16(body.length), body.length >> 16, sequence, ...body];
    };

    /** 4.1, secure auth, plugin auth, several statements and results; and, asked for, no EOF. */
    it.each([
      ['with EOF', 0],
      ['without EOF', 1 << 24],
    ])('prepared statements in binary, %s', async (_, deprecateEof) => {
      const can = 0x0008a201 | (1 << 16) | (1 << 17) | (1 << 18) | deprecateEof;
      const login = packet(
        1,
        int32(can),
        int32(1 << 24),
        [45],
        Array(23).fill(0),
        'root\0',
        [0],
        'mysql_native_password\0',
      );
      /** The server counts statements for all connections together. */
      const steps = (id: number[]) => [
        packet(0, [3], 'SELECT 1; SELECT 2, 3; DO 0'),
        packet(
          0,
          [22],
          "SELECT ? AS n, ? AS s, CAST('2026-01-02 03:04:05.5' AS datetime(3)) AS d, NULL AS z, CAST(-3 AS int) AS m",
        ),
        packet(0, [23], id, [0], int32(1), [0, 1, 8, 0, 253, 0], [42, 0, 0, 0, 0, 0, 0, 0], [2], 'hi'),
        packet(0, [23], id, [1], int32(1), [2, 0], [43, 0, 0, 0, 0, 0, 0, 0]),
        packet(0, [28], id, int32(5)),
        packet(0, [26], id),
        [...packet(0, [25], id), ...packet(0, [14])],
        packet(0, [9]),
        packet(0, [22], 'SELECT * FROM nowhere.nothing'),
        packet(0, [31]),
        packet(0, [27], int16(1)),
        packet(0, [1]),
      ];
      // A step follows when the decoder itself has heard the answer to the one before.
      const [turns] = await recorded(port, async (relay) => {
        const socket = createConnection({ host: '127.0.0.1', port: relay });
        const sent: Turn[] = [];
        let answers = 0;
        let step = 0;
        const tell = (bytes: number[]) => {
          sent.push({ side: 'client', bytes: Uint8Array.from(bytes) });
          socket.write(Uint8Array.from(bytes));
        };
        await new Promise<void>((resolve, reject) => {
          socket.on('data', (chunk) => {
            sent.push({ side: 'server', bytes: Uint8Array.from(chunk) });
            if (sent.length === 1) {
              tell(login);
              return;
            }
            const { said } = hear(decoder, sent, { ...setting, end: false });
            const heard = said.filter((one) => one.kind === 'reply').length;
            // The first step has three answers.
            const done = heard - Math.min(2, Math.max(0, heard - 2));
            if ((heard === 1 || heard >= 4) && done > answers) {
              answers = done;
              const prepared = said.find((one) => one.kind === 'reply' && one.name === 'Prepare');
              tell(steps(int32(Number(prepared?.fields.statement ?? 0)))[step++] ?? []);
            }
          });
          socket.once('close', () => resolve());
          socket.once('error', reject);
        });
      });
      const { said, troubles } = hear(decoder, turns as Turn[], setting);
      expect(troubles).toEqual([]);
      const query =
        "SELECT ? AS n, ? AS s, CAST('2026-01-02 03:04:05.5' AS datetime(3)) AS d, NULL AS z, CAST(-3 AS int) AS m";
      const told = said
        .slice(3)
        .map((one) => [one.kind, one.summary.replace(/statement[ =]\d+/, 'statement N'), one.asked]);
      expect(told).toEqual([
        ['request', 'SELECT 1; SELECT 2, 3; DO 0', null],
        ['reply', "1 row (1='1')", 'SELECT'],
        ['reply', "1 row (2='2' 3='3')", 'SELECT'],
        ['reply', 'OK SELECT', 'SELECT'],
        ['request', `Prepare: ${query}`, null],
        ['reply', 'Prepare: statement N, 2 parameters', 'Prepare'],
        ['request', `${query} [42, 'hi']`, null],
        ['reply', "1 row (n=42 s='hi' d='2026-01-02 03:04:05.500000' z=NULL m=-3)", 'SELECT'],
        ['request', `${query} [43, NULL]`, null],
        ['reply', '0 rows (n, s, d, z, m)', 'SELECT'],
        ['request', 'Fetch statement N', null],
        ['reply', "1 row (n=43 s=NULL d='2026-01-02 03:04:05.500000' z=NULL m=-3)", 'Fetch'],
        ['request', 'ResetStatement statement N', null],
        ['reply', 'OK ResetStatement', 'ResetStatement'],
        ['notice', 'CloseStatement statement N', null],
        ['request', 'Ping', null],
        ['reply', 'OK Ping', 'Ping'],
        ['request', 'Statistics', null],
        ['reply', expect.stringMatching(/^Uptime: /), 'Statistics'],
        ['request', 'Prepare: SELECT * FROM nowhere.nothing', null],
        ['reply', expect.stringMatching(/^ERROR 1146 /), 'Prepare'],
        ['request', 'ResetConnection', null],
        ['reply', 'OK ResetConnection', 'ResetConnection'],
        ['request', 'SetOption option=multi-statements-off', null],
        ['reply', 'OK SetOption', 'SetOption'],
        ['notice', 'Quit', null],
      ]);
      anySplitGivesTheSame(decoder, turns as Turn[], setting, 10);
    });
  },
);
