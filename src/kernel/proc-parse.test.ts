import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseCommand,
  parseCounters,
  parseNumbers,
  parseOpenFilesLimit,
  parseSockstat,
  parseStat,
  statusField,
  statusNumber,
} from './proc-parse.ts';

const REST = 'S 17 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2000 18446744073709551615';
const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 unlimited            files     
Max locked memory         8388608              8388608              bytes     
`;
const NETSTAT = `TcpExt: ListenOverflows ListenDrops TCPTimeWaitOverflow
TcpExt: 3 5 18446744073709551615
IpExt: InNoRoutes InOctets
IpExt: 0 77
`;
const SNMP = 'Tcp: RtoAlgorithm MaxConn InSegs\nTcp: 1 -1 12\nUdp: InDatagrams RcvbufErrors\nUdp: 4 195\n';

describe('/proc/PID/stat', () => {
  it('ends the name at the last closing parenthesis, whatever the name holds', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), (name) => {
        const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
        expect(parseStat(`42 (${escaped}) ${REST}\n`)).toEqual({
          pid: 42,
          name,
          state: 'S',
          ppid: 17,
          startTicks: 987654,
        });
      }),
    );
  });

  it('is not fooled by a name that looks like the rest of the line', () => {
    expect(parseStat(`42 (a) R 1 1 (b) ${REST}`)).toMatchObject({ name: 'a) R 1 1 (b', ppid: 17 });
  });

  it('that is cut short is null or the same answer, never an error', () => {
    const text = `42 (node) ${REST}`;
    const whole = parseStat(text);
    for (let length = 0; length < text.length; length++) {
      const part = parseStat(text.slice(0, length));
      expect(part === null || (part.pid === 42 && part.name === 'node' && part.ppid === whole?.ppid)).toBe(
        true,
      );
    }
  });
});

describe('hostile text', () => {
  it('gives a value or null from every parser, never an exception', () => {
    const parsers = [
      parseStat,
      parseCommand,
      parseCounters,
      parseNumbers,
      parseOpenFilesLimit,
      parseSockstat,
    ];
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.constantFrom('TcpExt:', 'a', '1', '-1', '\n', ' ', '(', ')', '\0', 'Max open files'), {
          maxLength: 60,
        })
        .map((words) => words.join(' ')),
      fc.nat({ max: LIMITS.length }).map((end) => LIMITS.slice(0, end)),
      fc.nat({ max: NETSTAT.length }).map((end) => NETSTAT.slice(0, end)),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        for (const parse of parsers) {
          expect(() => parse(text)).not.toThrow();
        }
        expect(statusField(text, 'Uid') === null || text.includes('Uid:')).toBe(true);
      }),
    );
  });
});

describe('/proc/PID/cmdline', () => {
  it('keeps empty arguments and drops the padding at the end', () => {
    expect(parseCommand('node\0-e\0\0last\0')).toEqual(['node', '-e', '', 'last']);
    expect(parseCommand('nginx: worker process\0\0\0\0')).toEqual(['nginx: worker process']);
    expect(parseCommand('')).toEqual([]);
  });
});

describe('/proc/PID/status and limits', () => {
  it('give the real uid and the two limits', () => {
    expect(statusNumber('Name:\tx\nUid:\t1000\t1001\t1002\t1003\n', 'Uid')).toBe(1000);
    expect(statusNumber('Name:\tx\n', 'Uid')).toBeNull();
    expect(parseOpenFilesLimit(LIMITS)).toEqual({ soft: 1024, hard: null });
    expect(parseOpenFilesLimit('Max processes  1 1 processes')).toBeNull();
  });
});

describe('counters', () => {
  it('are named by group and keep 64 bits', () => {
    const counters = parseCounters(NETSTAT);
    expect(counters.get('TcpExt.ListenDrops')).toBe(5n);
    expect(counters.get('TcpExt.TCPTimeWaitOverflow')).toBe(18446744073709551615n);
    expect(counters.get('IpExt.InOctets')).toBe(77n);
    expect(counters.size).toBe(5);
  });

  it('may be negative, as MaxConn of snmp is', () => {
    expect(parseCounters(SNMP).get('Tcp.MaxConn')).toBe(-1n);
    expect(parseCounters(SNMP).get('Udp.RcvbufErrors')).toBe(195n);
  });

  it('of a cut text are those that are whole, and never another one’s value', () => {
    const whole = parseCounters(NETSTAT);
    fc.assert(
      fc.property(fc.nat({ max: NETSTAT.length }), (end) => {
        const text = NETSTAT.slice(0, end);
        for (const [name, value] of parseCounters(text)) {
          // The last figure may itself be cut, like any text's end.
          expect(value === whole.get(name) || text.endsWith(String(value))).toBe(true);
        }
      }),
    );
  });

  it('of sockstat are pairs of name and figure', () => {
    const figures = parseSockstat(
      'sockets: used 9\nTCP: inuse 1 orphan 288 tw 4 alloc 7 mem 506\nRAW: inuse\n',
    );
    expect([...figures]).toEqual([
      ['sockets.used', 9],
      ['TCP.inuse', 1],
      ['TCP.orphan', 288],
      ['TCP.tw', 4],
      ['TCP.alloc', 7],
      ['TCP.mem', 506],
    ]);
  });

  it('of a sysctl are whole numbers or nothing', () => {
    expect(parseNumbers('287898\t383867\t575796\n')).toEqual([287898, 383867, 575796]);
    expect(parseNumbers('max\n')).toBeNull();
    expect(parseNumbers('')).toBeNull();
  });
});
