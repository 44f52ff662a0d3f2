import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { emptyOut } from './bytes-out.ts';
import { type Heard, hear } from './pcapng-fixture.ts';
import {
  writeInterface,
  writeJournal,
  writeNames,
  writePacket,
  writeSecrets,
  writeSection,
  writeStatistics,
} from './pcapng-writer.ts';

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-pcap-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function run(program: string, ...args: string[]): { stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  });
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${status} ${error?.message ?? ''} ${stderr}`);
  }
  // tshark says so for root only, whatever the file.
  return { stdout, stderr: stderr.replace(/^Running as user "root".*\n/m, '') };
}

function fields(file: string, names: string[], ...options: string[]): string[][] {
  const wanted = names.flatMap((name) => ['-e', name]);
  const { stdout, stderr } = run('tshark', '-r', file, ...options, '-T', 'fields', ...wanted);
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

/** What tshark reads in a file's packets, in the words of a reader's packets. */
function tsharkPackets(file: string): object[] {
  const rows = fields(file, ['frame.time_epoch', 'frame.len', 'frame.interface_id']);
  const raw = JSON.parse(run('tshark', '-r', file, '-T', 'jsonraw').stdout) as {
    _source: { layers: { frame_raw: [string, ...number[]] } };
  }[];
  expect(raw).toHaveLength(rows.length);
  return rows.map(([time, length, index], i) => ({
    data: raw[i]!._source.layers.frame_raw[0],
    wireLength: Number(length),
    seconds: Number(time!.split('.')[0]),
    nanoseconds: Number(time!.split('.')[1]),
    // Of a classic file too tshark says 0.
    interfaceIndex: Number(index),
  }));
}

function plain(heard: Heard): object[] {
  return heard.packets.map(({ flags: _flags, comments: _comments, ...rest }) => rest);
}

function readFile(name: string): Heard {
  const heard = hear(readFileSync(at(name)), [100, 1, 33]);
  expect(heard.trouble).toEqual([]);
  return heard;
}

function reject(name: string): string {
  return hear(readFileSync(at(name))).trouble[0]?.[1] ?? '';
}

// A captor in a network of its own, and datagrams to it until it has had enough. It is not root there: tcpdump as root
// gives up its rights and cannot, since the namespace maps no other user.
const CAPTURE = `
ip link set lo up
"$@" & captor=$!
for turn in {1..500}; do
  kill -0 $captor 2>/dev/null || break
  echo "a datagram" > /dev/udp/127.0.0.1/9
  read -t 0.02 nothing <> <(:)
done
kill $captor 2>/dev/null
wait $captor`;

function capture(...command: string[]): void {
  run(
    'unshare',
    '--user',
    '--map-user=1000',
    '--keep-caps',
    '--net',
    'bash',
    '-c',
    CAPTURE,
    'capture',
    ...command,
  );
}

const tools = ['tcpdump', 'tshark', 'editcap', 'mergecap', 'ip', 'bash'];

describe.skipIf(needs('linux', 'namespace', ...tools).missing !== null)('files of other programs', () => {
  beforeAll(() => {
    capture('tcpdump', '-i', 'lo', '-c', '6', '--immediate-mode', '-w', at('micro.pcap'));
    capture(
      ...['tcpdump', '-i', 'any', '-c', '6', '--immediate-mode', '--time-stamp-precision=nano'],
      ...['-s', '40', '-w', at('nano.pcap')],
    );
    capture('tshark', '-i', 'lo', '-c', '6', '-f', 'udp or icmp', '-w', at('live.pcapng'));
    run('mergecap', '-w', at('merged.pcapng'), at('micro.pcap'), at('live.pcapng'), at('nano.pcap'));
    run('editcap', '-F', 'pcapng', '-a', '2:a remark', at('nano.pcap'), at('remark.pcapng'));
    for (const kind of ['pcap', 'nsecpcap', 'modpcap', 'pcapng']) {
      run('editcap', '-F', kind, at('live.pcapng'), at(`edited.${kind}`));
    }
  });

  test.each([
    ['micro.pcap', 6],
    ['nano.pcap', 6],
    ['live.pcapng', 6],
    ['edited.pcap', 6],
    ['edited.nsecpcap', 6],
    ['edited.modpcap', 6],
    ['edited.pcapng', 6],
    ['merged.pcapng', 18],
    ['remark.pcapng', 6],
  ])('%s has the packets, times and bytes that tshark reads in it', (name, count) => {
    const heard = readFile(name);
    expect(heard.packets).toHaveLength(count);
    expect(plain(heard)).toEqual(tsharkPackets(at(name)));
  });

  test('a live capture describes its interface and counts its packets', () => {
    const heard = readFile('live.pcapng');
    expect(heard.interfaces).toMatchObject([{ linkType: 1, name: 'lo', filter: 'udp or icmp' }]);
    expect(heard.interfaces[0]?.os).toMatch(/^Linux/);
    expect(heard.sections[0]?.application).toMatch(/Wireshark/);
    expect(heard.statistics).toMatchObject([[0, { received: expect.any(Number), dropped: 0 }]]);
  });

  test('merged files keep an interface for each', () => {
    const heard = readFile('merged.pcapng');
    expect(heard.interfaces.map((one) => one.linkType)).toEqual([1, 1, 276]);
  });

  test('packets cut by a snap length keep their length on the wire', () => {
    const heard = readFile('nano.pcap');
    expect(heard.interfaces).toMatchObject([{ linkType: 276, snapLength: 40 }]);
    for (const { data, wireLength } of heard.packets) {
      expect(data).toHaveLength(80);
      expect(wireLength).toBeGreaterThan(40);
    }
  });

  test('a comment that editcap added is read', () => {
    const comments = readFile('remark.pcapng').packets.map((one) => one.comments);
    expect(comments).toEqual([[], ['a remark'], [], [], [], []]);
  });

  test('a snoop file and what tcpdump prints are told', () => {
    run('editcap', '-F', 'snoop', at('micro.pcap'), at('micro.snoop'));
    expect(reject('micro.snoop')).toContain('snoop');
    for (const options of [['-n'], ['-ntt'], ['-ntttt']]) {
      writeFileSync(at('printed'), run('tcpdump', ...options, '-r', at('micro.pcap')).stdout);
      expect(reject('printed')).toContain('text that tcpdump');
    }
    writeFileSync(at('printed'), run('tshark', '-r', at('micro.pcap')).stdout);
    expect(reject('printed')).toContain('text that tcpdump');
  });
});

describe.skipIf(needs('tshark', 'capinfos', 'editcap').missing !== null)('a file written here', () => {
  // IPv4, UDP from 127.0.0.1:7 to 10.1.2.3:9 with four bytes.
  const frame = Uint8Array.from([
    ...[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 10, 1, 2, 3],
    ...[0, 7, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4],
  ]);
  const RAW = 101;
  const NULL = 0;
  const ours = 'ours.pcapng';
  const packets = [
    { index: 0, seconds: 1_763_700_000, nanoseconds: 123_456_789, to: 32, comments: ['naïve', 'second'] },
    { index: 0, seconds: 1_763_700_000, nanoseconds: 999_999_999, to: 29, comments: [] },
    { index: 1, seconds: 1_763_700_001, nanoseconds: 0, to: 32, comments: ['on the other'] },
    { index: 0, seconds: 4_102_444_800, nanoseconds: 1, to: 20, comments: [] },
  ];

  beforeAll(() => {
    const out = emptyOut();
    writeSection(out, { application: 'sockscope 1', os: 'Linux 6', hardware: 'x86_64', comment: 'a test' });
    writeInterface(out, { linkType: RAW, snapLength: 262_144, name: 'lo', filter: 'tcp or udp' });
    writeInterface(out, { linkType: NULL, snapLength: 0, name: 'tap é' });
    writeSecrets(out, `CLIENT_RANDOM ${'ab'.repeat(32)} ${'cd'.repeat(48)}\n`);
    writeNames(out, [
      { address: Uint8Array.of(10, 1, 2, 3), names: ['first.test', 'web.test'] },
      { address: new Uint8Array(16).fill(1), names: ['six.test'] },
    ]);
    for (const { index, seconds, nanoseconds, to, comments } of packets) {
      writePacket(out, index, seconds, nanoseconds, frame, 0, to, 32, comments, index === 0 ? 2 : 0);
    }
    writeJournal(out, 1_763_700_002, 500_000_000, [
      ['MESSAGE', 'something\nhappened'],
      ['PRIORITY', '6'],
      ['SOCKSCOPE_KIND', 'connect'],
    ]);
    writeStatistics(out, 0, 1_763_700_003, 0, { received: 3, dropped: 1 });
    writeFileSync(at(ours), out.bytes.subarray(0, out.length));
  });

  test('is read by tshark with the same interfaces, times, lengths, comments and directions', () => {
    const rows = fields(at(ours), [
      ...['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.interface_name', 'frame.comment'],
      'frame.packet_flags_direction',
    ]);
    expect(rows.slice(0, 4)).toEqual([
      ['1763700000.123456789', '32', '32', 'lo', 'naïve,second', '0x00000002'],
      ['1763700000.999999999', '32', '29', 'lo', '', '0x00000002'],
      ['1763700001.000000000', '32', '32', 'tap é', 'on the other', ''],
      ['4102444800.000000001', '32', '20', 'lo', '', '0x00000002'],
    ]);
  });

  test('has its journal entry dissected as one', () => {
    const rows = fields(
      at(ours),
      ['frame.protocols', 'frame.time_epoch', 'systemd_journal.message', 'systemd_journal.field.name'],
      '-Y',
      'systemd_journal',
    );
    expect(rows).toHaveLength(1);
    const [protocols, time, message, name] = rows[0]!;
    expect(protocols).toBe('systemd_journal');
    expect(time).toBe('1763700002.500000000');
    expect(message).toMatch(/^something\\nhappened$/);
    expect(name).toBe('SOCKSCOPE_KIND');
  });

  test('gives tshark the names of addresses, of which it shows the last', () => {
    const rows = fields(at(ours), ['ip.dst_host'], '-N', 'n', '-c', '1');
    expect(rows).toEqual([['web.test']]);
  });

  test('is described by capinfos as it was written', () => {
    const { stdout, stderr } = run('capinfos', '-M', at(ours));
    expect(stderr).toBe('');
    for (const said of [
      /Capture hardware: +x86_64/,
      /Capture oper-sys: +Linux 6/,
      /Capture application: +sockscope 1/,
      /Capture comment: +a test/,
      /Number of interfaces in file: 2/,
      /Name = tap é/,
      /Filter string = tcp or udp/,
      /Time resolution = 0x09/,
      /Number of stat entries = 1/,
      /Number of decryption secrets in file: 1/,
    ]) {
      expect(stdout).toMatch(said);
    }
  });

  test('keeps its secrets and packets through editcap', () => {
    run('editcap', at(ours), at('again.pcapng'));
    const [before, again] = [readFile(ours), readFile('again.pcapng')];
    expect(again.secrets).toEqual(before.secrets);
    expect(again.packets).toEqual(before.packets);
    expect(again.journal).toEqual(before.journal);
    expect(again.interfaces).toEqual(before.interfaces);
  });
});
