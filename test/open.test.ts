/** `sockscope open` as a whole program, on a small capture made by hand. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { speaksTheVocabulary } from '../src/session/events.contract.ts';
import type { Entry } from '../src/session/events.ts';
import { decode } from '../src/session/ndjson.ts';
import { isHeaderField } from '../src/view/wire/header-fields.ts';
import { decoders, vocabulary } from '../src/wire/app/decoders.ts';
import { emptyOut } from '../src/wire/bytes-out.ts';
import { LINK } from '../src/wire/headers.ts';
import { writeInterface, writePacket, writeSection } from '../src/wire/pcapng-writer.ts';
import { type Place, packetBytes } from './fixtures/tcp-script.ts';
import { needs } from './needs.ts';

const program = new URL('../dist/cli.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'sockscope-open-'));
const at = (name: string): string => join(folder, name);
const REDIS: Place = { address: [10, 0, 0, 2], port: 6379 };
const WEB: Place = { address: [10, 0, 0, 2], port: 80 };
const client = (port: number): Place => ({ address: [10, 0, 0, 1], port });
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16] as const;

const AUTH = '*2\r\n$4\r\nAUTH\r\n$8\r\ns3cretpw\r\n';
const GET = '*2\r\n$3\r\nGET\r\n$6\r\nuser:7\r\n';
const ASK = 'GET /users?id=7 HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer tok3n-abc\r\n\r\n';
const REPLY =
  'HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nboom\n';

interface Said {
  readonly by: 'client' | 'server';
  readonly text: string;
}

interface Made {
  readonly bytes: Uint8Array;
  readonly ns: number;
  readonly comments?: string[];
  readonly device?: number;
}

/** A connection from its SYN on, a packet every 100 µs from `start` on; `end` says who closes and how. */
function talk(
  from: Place,
  to: Place,
  start: number,
  said: readonly Said[],
  end: 'client FIN' | 'server RST' | 'open',
): Made[] {
  const made: Made[] = [];
  const next = { client: 1000, server: 5000 };
  const send = (by: Said['by'], flags: number, text = ''): void => {
    const other = by === 'client' ? 'server' : 'client';
    const payload = new TextEncoder().encode(text);
    const ends = by === 'client' ? { from, to } : { from: to, to: from };
    const tcp = { seq: next[by], ack: (flags & ACK) === 0 ? 0 : next[other], flags };
    made.push({ bytes: packetBytes({ at: 0, ...ends, tcp, payload }), ns: start + made.length * 100_000 });
    next[by] += payload.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1);
  };
  send('client', SYN);
  send('server', SYN | ACK);
  send('client', ACK);
  for (const { by, text } of said) {
    send(by, PSH | ACK, text);
  }
  if (end === 'client FIN') {
    send('client', FIN | ACK);
    send('server', FIN | ACK);
    send('client', ACK);
  } else if (end === 'server RST') {
    send('server', RST | ACK);
  }
  return made;
}

function file(name: string, packets: readonly Made[], devices: readonly string[] = ['eth0']): string {
  const out = emptyOut();
  writeSection(out, { application: 'test', os: '', hardware: '' });
  for (const device of devices) {
    writeInterface(out, { linkType: LINK.raw, snapLength: 0, name: device });
  }
  for (const { bytes, ns, comments, device } of packets) {
    writePacket(out, device ?? 0, 1_700_000_000, ns, bytes, 0, bytes.length, bytes.length, comments);
  }
  writeFileSync(at(name), out.bytes.subarray(0, out.length));
  return at(name);
}

function run(words: readonly string[], options: { input?: Uint8Array; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'open', ...words], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, TZ: 'UTC', NO_COLOR: '1', ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  return { status, stdout, stderr };
}

const redis = talk(
  client(40_000),
  REDIS,
  0,
  [
    { by: 'client', text: AUTH },
    { by: 'server', text: '+OK\r\n' },
    { by: 'client', text: GET },
    { by: 'server', text: '$5\r\nhello\r\n' },
  ],
  'client FIN',
);
redis[0] = { ...redis[0]!, comments: ['client 10.0.0.1:40000 is redis-cli pid 77'] };
const web = talk(
  client(40_001),
  WEB,
  50_000_000,
  [
    { by: 'client', text: ASK },
    { by: 'server', text: REPLY },
  ],
  'server RST',
);
const refused = talk(client(40_002), WEB, 60_000_000, [], 'server RST').filter((_, i) => i === 0 || i === 3);
const open = talk(client(40_003), REDIS, 70_000_000, [], 'open');
const all = [...redis, ...web, ...refused, ...open];

let capture = '';
beforeAll(() => {
  capture = file('capture.pcapng', all);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('open shows', () => {
  it('packets, and under the segment that completes a message, the message', () => {
    const { stdout, stderr, status } = run([capture, '-c', '5']);
    expect(stdout).toBe(`\
22:13:20.000000  10.0.0.1:40000 redis-cli[77] → 10.0.0.2:6379  TCP  SYN  seq 0  win 65535
22:13:20.000100  10.0.0.2:6379 → 10.0.0.1:40000 redis-cli[77]  TCP  SYN ACK  seq 0  ack 1  win 65535
22:13:20.000200  10.0.0.1:40000 redis-cli[77] → 10.0.0.2:6379  TCP  ACK  seq 1  ack 1  win 65535
22:13:20.000300  10.0.0.1:40000 redis-cli[77] → 10.0.0.2:6379  TCP  PSH ACK  seq 1:29  ack 1  win 65535  28 B
                 redis  AUTH ******
22:13:20.000400  10.0.0.2:6379 → 10.0.0.1:40000 redis-cli[77]  TCP  PSH ACK  seq 1:6  ack 29  win 65535  5 B
                 redis  OK  100 µs after AUTH
`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('messages, each with the time its answer took', () => {
    expect(run([capture, '--messages']).stdout).toBe(`\
22:13:20.000300  10.0.0.1:40000 redis-cli[77] → 10.0.0.2:6379  redis  AUTH ******
22:13:20.000400  10.0.0.1:40000 redis-cli[77] ← 10.0.0.2:6379  redis  OK  100 µs after AUTH
22:13:20.000500  10.0.0.1:40000 redis-cli[77] → 10.0.0.2:6379  redis  GET user:7
22:13:20.000600  10.0.0.1:40000 redis-cli[77] ← 10.0.0.2:6379  redis  "hello"  100 µs after GET
22:13:20.050300  10.0.0.1:40001 → 10.0.0.2:80  http  GET /users?id=7
22:13:20.050400  10.0.0.1:40001 ← 10.0.0.2:80  http  500 Internal Server Error text/plain 5 B  100 µs after GET
`);
  });

  it('connections: who closed and how, who refused, and what was still open at the end', () => {
    const lines = run([capture, '--connections']).stdout.split('\n');
    expect(lines.map((line) => [/#\d/.exec(line)?.[0], line.split('  ').at(-1)])).toEqual([
      ['#0', 'closed by the client'],
      ['#1', 'reset by the server'],
      ['#2', 'refused by the server'],
      ['#3', 'still open'],
      [undefined, ''],
    ]);
    expect(lines[0]).toMatch(
      /^22:13:20\.000000 {2}#0 {2}10\.0\.0\.1:40000 redis-cli\[77\] → 10\.0\.0\.2:6379 {2}redis /,
    );
  });

  it('connections in which something that matches was said', () => {
    const { stdout } = run([capture, '--connections', 'http.status == 500']);
    expect(stdout.match(/#\d/g)).toEqual(['#1']);
  });

  it('statistics as tables and as one object', () => {
    const { stdout } = run([capture, '--stats']);
    expect(stdout).toMatch(/^21 packets, .* in 70\.2 ms/);
    expect(stdout).toMatch(/redis {2}GET +1 +1 +100 µs/);
    expect(stdout).toMatch(/http {3}GET +1 +1 +1 +100 µs/);
    const record = JSON.parse(run([capture, '--stats', '--json']).stdout) as {
      type: string;
      packets: number;
      messages: { protocol: string; name: string; failed: number }[];
    };
    expect(record).toMatchObject({ type: 'statistics', packets: 21 });
    expect(record.messages.find(({ protocol }) => protocol === 'http')).toMatchObject({
      name: 'GET',
      failed: 1,
    });
  });

  it('one connection as it was spoken, with its passwords as stars', () => {
    const { stdout } = run([capture, '--follow', '0', '-c', '2']);
    expect(stdout).toBe(`\
── 22:13:20.000300  10.0.0.1:40000 → 10.0.0.2:6379
*2
$4
AUTH
$8
********

── 22:13:20.000400  10.0.0.2:6379 → 10.0.0.1:40000
+OK

`);
    expect(run([capture, '--follow', '0', '--reveal']).stdout).toContain('s3cretpw');
  });

  it('a password that comes in two packets as stars when the connection is followed', () => {
    const half = AUTH.indexOf('cret');
    const split = talk(
      client(41_000),
      REDIS,
      0,
      [
        { by: 'client', text: AUTH.slice(0, half) },
        { by: 'client', text: AUTH.slice(half) },
        { by: 'server', text: '+OK\r\n' },
      ],
      'open',
    );
    const { stdout } = run([file('split.pcapng', split), '--follow', '0']);
    expect(stdout).toContain('********');
    expect(stdout).not.toMatch(/s3|cretpw/);
  });

  it('bytes in hex and as text, with stars where a message says there is a secret', () => {
    const hex = run([capture, '-X', 'redis.command == "AUTH"', '-c', '1']).stdout;
    expect(hex).toMatch(/\|AUTH\.\.\$8\.\.\*{6}\|\n.*\|\*\*\.\.\|\n/);
    expect(run([capture, '-X', '--reveal', '-c', '4']).stdout).toContain('|AUTH..$8..s3cret|');
    const text = run([capture, '-A', '-c', '4']).stdout;
    expect(text).toContain('\n                 ********\n');
    expect(text).not.toMatch(/ $/m);
    expect(run([capture, '-A', 'http', '-c', '1']).stdout).toContain('Authorization: ****************\n');
  });

  it('chosen fields between tabs', () => {
    const names = 'frame.time_epoch,ip.src,tcp.dstport,http.path,http.status,latency';
    expect(run([capture, '--fields', names, 'http']).stdout).toBe(
      '1700000000.050300000\t10.0.0.1\t80\t/users?id=7\t\t\n' +
        '1700000000.050400000\t10.0.0.2\t40001\t/users?id=7\t500\t100000\n',
    );
  });

  it('events that the session vocabulary holds, one JSON object per line', () => {
    for (const view of [[], ['--messages']]) {
      const lines = run([capture, '--json', ...view])
        .stdout.trimEnd()
        .split('\n');
      const events = lines.map((line) => decode(line));
      expect(events.filter((event) => !event.ok)).toEqual([]);
      speaksTheVocabulary(events.map((event) => (event as { event: Entry }).event));
      expect(lines.join('\n')).not.toContain('s3cretpw');
    }
  });

  it('the interface, where there are several', () => {
    const two = all.map((packet, index): Made => ({ ...packet, device: index % 2 }));
    const { stdout } = run([file('two.pcapng', two, ['eth0', 'lo']), '-c', '2']);
    expect(stdout.split('\n').map((line) => line.slice(17, 21).trim())).toEqual(['eth0', 'lo', '']);
  });
});

describe('open writes', () => {
  it('an HTTP Archive with every member that HAR 1.2 asks for, and no secret', () => {
    expect(run([capture, '--export', 'pages.har'])).toEqual({
      status: 0,
      stdout: '',
      stderr: '1 exchange written to pages.har\n',
    });
    const text = readFileSync(at('pages.har'), 'utf8');
    const { log } = JSON.parse(text) as { log: { entries: Record<string, object>[] } };
    expect(log).toMatchObject({ version: '1.2', creator: { name: 'sockscope' } });
    const [entry] = log.entries;
    const members: Record<string, string[]> = {
      '': ['startedDateTime', 'time', 'request', 'response', 'cache', 'timings'],
      request: [
        'method',
        'url',
        'httpVersion',
        'cookies',
        'headers',
        'queryString',
        'headersSize',
        'bodySize',
      ],
      response: [
        'status',
        'statusText',
        'httpVersion',
        'cookies',
        'headers',
        'content',
        'redirectURL',
        'headersSize',
        'bodySize',
      ],
      timings: ['send', 'wait', 'receive'],
    };
    for (const [of, names] of Object.entries(members)) {
      expect(Object.keys(of === '' ? entry! : entry![of]!)).toEqual(expect.arrayContaining(names));
    }
    expect(entry).toMatchObject({
      startedDateTime: '2023-11-14T22:13:20.050Z',
      request: { method: 'GET', url: 'http://a.test/users?id=7', queryString: [{ name: 'id', value: '7' }] },
      response: { status: 500, content: { size: 5, mimeType: 'text/plain', text: 'boom\n' } },
    });
    expect(text).not.toContain('tok3n');
  });

  it('the packets that match, with their comments, byte for byte', () => {
    expect(run([capture, '-w', 'some.pcapng', 'tcp.stream == 0']).stderr).toBe(
      '10 packets written to some.pcapng\n',
    );
    expect(run([at('some.pcapng')]).stdout).toBe(run([capture, 'tcp.stream == 0']).stdout);
  });

  it('to standard output, for a pipe', () => {
    const { stdout, status } = spawnSync(process.execPath, [program, 'open', capture, '-w', '-']);
    expect(status).toBe(0);
    expect(run(['-', '-m'], { input: stdout }).stdout).toBe(run([capture, '-m']).stdout);
  });

  it('never into the file it reads, and leaves nothing behind when there is nothing to write', () => {
    const before = readFileSync(capture);
    const { status, stderr } = run([capture, '-w', capture]);
    expect(stderr).toContain('is the file that is being read');
    expect(status).toBe(2);
    expect(readFileSync(capture).equals(before)).toBe(true);
    writeFileSync(at('words.txt'), 'these are words, not packets\n');
    expect(run(['words.txt', '-w', 'never.pcapng']).status).toBe(2);
    expect(existsSync(at('never.pcapng'))).toBe(false);
  });
});

describe('open says what is wrong', () => {
  it('with a file that is no capture, and ends with status 2', () => {
    writeFileSync(at('empty'), '');
    writeFileSync(at('words.txt'), 'these are words, not packets\n');
    writeFileSync(at('packed.gz'), gzipSync(readFileSync(capture)));
    const cases: [string[], RegExp][] = [
      [['empty'], /^sockscope: empty: the file is empty\.\n/],
      [['words.txt'], /the file is text, not a capture\./],
      [['packed.gz'], /compressed with gzip: unpack it first/],
      [['.'], /is a directory/],
      [['nowhere.pcapng'], /There is no file nowhere\.pcapng/],
    ];
    for (const [words, says] of cases) {
      const { status, stdout, stderr } = run(words);
      expect(stderr).toMatch(says);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    }
    const piped = run(['-'], { input: new Uint8Array(0) });
    expect(piped).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('standard input: the file is empty'),
    });
  });

  it.skipIf(needs('root', 'setpriv').missing)('with a file that may not be read', () => {
    chmodSync(folder, 0o755);
    writeFileSync(at('secret.pcapng'), readFileSync(capture), { mode: 0o600 });
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program];
    const { status, stderr } = spawnSync('setpriv', [...nobody, 'open', at('secret.pcapng')], {
      encoding: 'utf8',
    });
    expect(stderr).toContain('may not be read by you');
    expect(status).toBe(2);
  });

  it('with a file that ends inside a packet, after everything before it', () => {
    writeFileSync(at('cut.pcapng'), readFileSync(capture).subarray(0, 700));
    const { status, stdout, stderr } = run(['cut.pcapng']);
    expect(stdout.split('\n')[3]).toContain('28 B');
    expect(stderr).toMatch(/^cut\.pcapng: the file ends inside packet \d+ .*, at byte 700\n$/);
    expect(status).toBe(0);
  });

  it('with a connection number that does not exist: which there are', () => {
    const { status, stderr } = run([capture, '--follow', '9']);
    expect(stderr).toContain('There is no TCP connection #9.\nThey are #0 to #3;');
    expect(status).toBe(2);
    expect(run([capture, '--follow', '0', '--udp']).stderr).toContain('No UDP conversation was seen');
  });

  it('with a filter: a caret under the place, and what could stand there', () => {
    const { stderr } = run([capture, 'tcp.prot', '==', '1']);
    expect(stderr).toMatch(
      /There is no field 'tcp\.prot'\.\n {2}tcp\.prot == 1\n {2}\^{8}\nPossible here: tcp\.port/,
    );
    expect(run([capture, 'tcp.port', '==', 'abc']).stderr).toContain('\n              ^^^\n');
  });

  it('with a file that cannot be written: why', () => {
    expect(run([capture, '-w', '/nowhere/at/all.pcapng']).stderr).toContain(
      '/nowhere/at/all.pcapng cannot be written: its folder does not exist.',
    );
  });

  it('and takes what tcpdump would take for what it is', () => {
    expect(run([capture, '-m', 'port', '6379']).stdout.match(/redis/g)).not.toBeNull();
    expect(run([capture, 'port', '6379']).stdout).toBe(run([capture, 'tcp.port == 6379']).stdout);
    expect(run([capture, 'port', '1'])).toMatchObject({
      status: 0,
      stderr: 'None of 21 packets matches port 1.\n',
    });
  });
});

describe('the names of fields', () => {
  it('of headers are those that the sources put', () => {
    const found = spawnSync(
      'grep',
      [
        '-rhoE',
        '--include=*.ts',
        '--exclude=*.test.ts',
        "'[a-z0-9]+\\.[a-z0-9_.]+'",
        'link',
        'net',
        'transport',
      ],
      { encoding: 'utf8', cwd: new URL('../src/wire/', import.meta.url).pathname },
    );
    const names = [...new Set(found.stdout.replaceAll("'", '').trim().split('\n'))].filter((name) =>
      /^(eth|llc|vlan|sll|arp|ip|ipv6|ah|icmp|icmpv6|tcp|udp|null)\./.test(name),
    );
    expect(names.length).toBeGreaterThan(150);
    expect(names.filter((name) => !isHeaderField(name))).toEqual([]);
    expect(isHeaderField('tcp.nope')).toBe(false);
  });

  it('of protocols are those of the table in docs/display-filter.md', () => {
    const page = readFileSync(new URL('../docs/display-filter.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z0-9]+)` \| (.*) \|$/gm)].map(([, protocol, names]) => [
      protocol,
      [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    ]);
    expect(rows).toEqual([...vocabulary(decoders)].map(([protocol, names]) => [protocol, [...names]]));
  });
});
