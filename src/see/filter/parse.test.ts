import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../../errors.ts';
import { type Filter, namesStates, needsOwners } from './ast.ts';
import type { ParseOptions } from './context.ts';
import { evaluate } from './evaluate.ts';
import { filterError } from './fault.ts';
import { compileForKernel } from './kernel.ts';
import { parseFilter, parseLsof } from './parse.ts';

const SERVICES = new Map([
  ['ssh/tcp', 22],
  ['http/tcp', 80],
  ['https/tcp', 443],
  ['domain/udp', 53],
]);

const options: ParseOptions = {
  services: (name, protocol) => SERVICES.get(`${name}/${protocol}`),
  hosts: (name) => (name === 'two.test' ? ['10.0.0.1', '2001:db8::1'] : []),
  deviceIndex: (name) => (name === 'eth0' ? 2 : null),
  deviceName: (index) => (index === 2 ? 'eth0' : `if${index}`),
  cgroupId: (path) => (path === '/a' ? 7 : null),
  ephemeral: () => ({ from: 32768, to: 60999 }),
};

/** A filter as compact text, so that a table can say what was understood. */
function shown(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.of.map(shown).join(` ${filter.kind} `)})`;
    case 'not':
      return `!${shown(filter.of)}`;
    case 'port':
      return `${filter.side}:${filter.from === filter.to ? filter.from : `${filter.from}-${filter.to}`}`;
    case 'host':
      return `${filter.side}=${filter.bytes.join('.')}/${filter.prefix}`;
    case 'state':
      return `state:${filter.mask.toString(16)}`;
    default: {
      const { kind, ...rest } = filter;
      return [kind, ...Object.values(rest)].join(':');
    }
  }
}

function understood(text: string | string[]): string {
  const result = parseFilter(text, options);
  return result.ok
    ? result.filter === null
      ? 'nothing'
      : shown(result.filter)
    : `at ${result.at}: ${result.message}`;
}

const ONE = '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1';

describe('the grammar of ss', () => {
  it.each([
    ['', 'nothing'],
    ['sport = 22', 'local:22'],
    ['dport :80', 'peer:80'],
    ['dport 80', 'peer:80'],
    ['sport = :ssh', 'local:22'],
    ['sport = 0x16', 'local:22'],
    ['sport = :022', 'local:18'],
    ['sport eq 22', 'local:22'],
    ['sport == 22', 'local:22'],
    ['sport=:22', 'local:22'],
    ['sport != :22', '!local:22'],
    ['sport ne :22', '!local:22'],
    ['sport neq :22', '!local:22'],
    ['sport > :1024', '!local:0-1024'],
    ['sport gt :1024', '!local:0-1024'],
    ['sport >= :1024', 'local:1024-65535'],
    ['sport geq :1024', 'local:1024-65535'],
    ['sport < :1024', '!local:1024-65535'],
    ['sport lt 1024', '!local:1024-65535'],
    ['sport le 1024', 'local:0-1024'],
    ['sport = :*', 'everything'],
    ['src *', 'everything'],
    ['src any', 'everything'],
    ['src :80', 'local:80'],
    ['src *:80', 'local:80'],
    ['src 10.0.0.1', 'local=10.0.0.1/32'],
    ['src = 10.0.0.1', 'local=10.0.0.1/32'],
    ['src 10.0.0.1:80', '(local=10.0.0.1/32 and local:80)'],
    ['src 10.0.0.0/8:80', '(local=10.0.0.0/8 and local:80)'],
    ['dst 10/8', 'peer=10.0.0.0/8'],
    ['dst 10.0.0.0/255.0.0.0', 'peer=10.0.0.0/8'],
    ['dst [::1]:443', `(peer=${ONE}/128 and peer:443)`],
    ['dst ::1', `peer=${ONE}/128`],
    ['dst ::1:443', `(peer=${ONE}/128 and peer:443)`],
    ['dst [::1/64]', `peer=${ONE}/64`],
    ['dst two.test:80', '((peer=10.0.0.1/32 or peer=32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1/128) and peer:80)'],
    ['src inet:10.0.0.1', '(family:4 and (family:4 and local=10.0.0.1/32))'],
    ['src unix:/tmp/*', '(family:0 and path:local:/tmp/*)'],
    ['src /tmp/*', 'path:local:/tmp/*'],
    ['dev eth0', 'device:eth0'],
    ['dev = 2', 'device:eth0'],
    ['dev != 0', '!device:'],
    ['fwmark = 0x01/0xff', 'mark:1:255'],
    ['fwmark 3', 'mark:3:4294967295'],
    ['cgroup != /a', '!cgroup:/a'],
    ['autobound', 'autobound:32768:60999'],
    ['! autobound', '!autobound:32768:60999'],
    ['not not autobound', 'autobound:32768:60999'],
    ['sport :1 dport :2', '(local:1 and peer:2)'],
    ['sport :1 && dport :2 & dport :3', '(local:1 and peer:2 and peer:3)'],
    ['( dport = :ssh or sport = :ssh )', '(peer:22 or local:22)'],
    ['(dport = :ssh or sport = :ssh) and not(dst 10/8)', '((peer:22 or local:22) and !peer=10.0.0.0/8)'],
    ['state established', 'state:2'],
    ['state ESTABLISHED', 'state:2'],
    ['state established state time-wait', 'state:42'],
    ['exclude listening', 'state:3bff'],
    ['excl listening state listening', 'state:3fff'],
    ['state connected exclude established sport :1', '(state:1b7d and local:1)'],
    ['state syn-recv', 'state:1008'],
    ['state bucket', 'state:1048'],
  ])('%s', (text, meaning) => {
    expect(understood(text)).toBe(meaning);
  });

  it('and, or and juxtaposition bind equally and group from the left, as ss does it', () => {
    expect(understood('sport :1 or sport :2 and sport :3')).toBe('((local:1 or local:2) and local:3)');
    expect(understood('sport :1 or sport :2 sport :3')).toBe('((local:1 or local:2) and local:3)');
    expect(understood('sport :1 and sport :2 or sport :3')).toBe('((local:1 and local:2) or local:3)');
    expect(understood('not sport :1 or sport :2')).toBe('(!local:1 or local:2)');
  });

  it('words may come split, as a shell hands them on, or as one', () => {
    expect(understood(['(', 'sport', '=', ':ssh', ')'])).toBe('local:22');
    expect(understood(['( sport = :ssh )', 'dport', ':80'])).toBe('(local:22 and peer:80)');
  });
});

describe('the short words', () => {
  it.each([
    [':8080', 'either:8080'],
    [':8000-8100', 'either:8000-8100'],
    [':80,443', '(either:80 or either:443)'],
    [':http', 'either:80'],
    [':domain', 'either:53'],
    ['1234', 'either:1234'],
    ['80,8000-8100', '(either:80 or either:8000-8100)'],
    ['port:80', 'either:80'],
    ['node', 'program:node'],
    ['program:state', 'program:state'],
    ['\\state', 'program:state'],
    ['pid:1234', 'pid:1234'],
    ['pid:1,2', '(pid:1 or pid:2)'],
    ['user:www-data', 'user:www-data'],
    ['user:33', 'user:33'],
    ['uid:33', 'user:33'],
    ['close-wait', 'state:100'],
    ['CLOSE_WAIT', 'state:100'],
    ['listen', 'state:400'],
    ['estab', 'state:2'],
    ['close-wait time-wait', 'state:140'],
    ['not listen established', '(!state:400 and state:2)'],
    ['tcp', 'protocol:tcp'],
    ['10.0.0.0/8', 'either=10.0.0.0/8'],
    ['127.0.0.1:5432', '((local=127.0.0.1/32 and local:5432) or (peer=127.0.0.1/32 and peer:5432))'],
    ['[::1]:80', `((local=${ONE}/128 and local:80) or (peer=${ONE}/128 and peer:80))`],
    ['::1', `either=${ONE}/128`],
    ['*:80', 'either:80'],
    ['/run/*.sock', 'path:either:/run/*.sock'],
    ['node and :80 or not ( pid:7 )', '((program:node and either:80) or !pid:7)'],
    ['!node', '!program:node'],
  ])('%s', (text, meaning) => {
    expect(understood(text)).toBe(meaning);
  });

  it('a filter says whether it needs owners, and whether it names states', () => {
    const told = (text: string) => {
      const result = parseFilter(text, options);
      return result.ok && result.filter !== null
        ? [needsOwners(result.filter), namesStates(result.filter)]
        : null;
    };
    expect(told('not ( node or listen )')).toEqual([true, true]);
    expect(told('pid:1 :80')).toEqual([true, false]);
    expect(told('user:root state all')).toEqual([false, true]);
  });
});

describe('lsof specs', () => {
  const lsof = (...words: string[]): string => {
    const result = parseLsof(words, options);
    return result.ok
      ? result.filter === null
        ? 'nothing'
        : shown(result.filter)
      : `at ${result.at}: ${result.message}`;
  };
  const local = '(local=127.0.0.1/32 and (local:80 or local:443))';

  it.each([
    [['-i'], '!family:0'],
    [['-i4'], 'family:4'],
    [['-i6TCP'], '(family:6 and protocol:tcp)'],
    [['-itcp'], '(!family:0 and protocol:tcp)'],
    [['-i:8080'], '(!family:0 and either:8080)'],
    [['-i', ':8080'], '(!family:0 and either:8080)'],
    [
      ['-i', 'TCP:80', '-i', 'UDP'],
      '((!family:0 and protocol:tcp and either:80) or (!family:0 and protocol:udp))',
    ],
    [['-iTCP:1000-2000'], '(!family:0 and protocol:tcp and either:1000-2000)'],
    [
      ['-i4TCP@127.0.0.1:80,443'],
      `(family:4 and protocol:tcp and (${local} or ${local.replaceAll('local', 'peer')}))`,
    ],
    [['-i@[::1]'], `(!family:0 and either=${ONE}/128)`],
    [['-iUDP:domain'], '(!family:0 and protocol:udp and either:53)'],
    [['-iTCP', '-sTCP:LISTEN'], '((!family:0 and protocol:tcp) and protocol:tcp and state:400)'],
    [['-i', '-sTCP:^LISTEN'], '(!family:0 and !(protocol:tcp and state:400))'],
    [['-sTCP:LISTEN,^ESTABLISHED'], '(protocol:tcp and state:400)'],
    [['-s', 'TCP:FIN_WAIT1,CLOSE_WAIT'], '(protocol:tcp and state:110)'],
    [[], 'nothing'],
  ])('%j', (words, meaning) => {
    expect(lsof(...words)).toBe(meaning);
  });

  it.each([
    [['-iFOO'], "at 2: 'FOO' is no protocol or address of lsof -i"],
    [['-iTCP:nosuch'], "at 6: 'nosuch' is neither a port nor a service name"],
    [['-i@nosuch:80'], "at 2: 'nosuch' is no known host"],
    [['-sTCP:LISTEN,FOO'], "at 13: 'FOO' is no TCP state"],
    [['-sUDP:Idle'], 'at 2: only TCP has states for -s'],
    [['-iTCP', ':80'], "at 6: ':80' cannot stand here"],
  ])('%j is refused', (words, message) => {
    expect(lsof(...words)).toBe(message);
  });

  it('stand among other words', () => {
    expect(understood('-iTCP -sTCP:LISTEN or node')).toMatch(/^\(.* or program:node\)$/);
  });
});

describe('what is refused says where and what was possible', () => {
  it.each([
    ['state lisen', 6, "'lisen' is no state", 'listening'],
    ['sport = :22 or', 14, 'the filter ends too early', '('],
    ['sport', 5, 'the filter ends too early', '='],
    ['sport and', 6, "'and' cannot stand here", ':80'],
    ['( sport = :22', 13, "the '(' at column 1 is never closed", ')'],
    ['sport = :22 )', 12, "')' cannot stand here", 'and'],
    ['( )', 2, "')' cannot stand here", 'sport'],
    ['src > 1.2.3.4', 4, "'src' cannot be compared by '>'", '!='],
    ['dev > 1', 4, "'dev' cannot be compared by '>'", '='],
    ['src 10.0.0.0/33', 4, "'10.0.0.0/33' is neither an address nor a known host name", '10.0.0.0/8'],
    ['src 10.0.0.1:nosuch', 13, "'nosuch' is neither a port nor a service name", 'a service name'],
    ['src [::1', 4, "'[::1' has no closing bracket", '[::1]'],
    ['src inet6:10.0.0.1', 10, "'10.0.0.1' is not an IPv6 address", '[::1]'],
    ['sport = :70000', 9, 'port 70000 is above 65535', ':80'],
    ['sport > :*', 8, "'>' compares with one port", '8080'],
    ['dev nosuch', 4, "there is no interface 'nosuch'", 'an interface name'],
    ['cgroup /nosuch', 7, "there is no cgroup '/nosuch'", ''],
    ['fwmark 1/', 7, "'1/' is no mark", '0x01/0xff'],
    ['src link:eth0', 4, 'link sockets are not listed', 'inet:'],
    [':80,http,', 9, 'a port is missing', ':8080'],
    [':90-80', 1, 'the range 90-80 runs backwards', ':8000-8100'],
    ['pid:x', 4, "'x' is no process id", 'pid:1234'],
    ['foo:', 0, "'foo:' is no filter", 'pid:N'],
    ['10.1', 0, "'10.1' is not a whole address", '10.0.0.1'],
    ['-n', 0, "'-n' is no filter", ':PORT'],
    ['redis:6379', 0, "'redis' is neither an address nor a known host name", '127.0.0.1:80'],
  ])('%s', (text, at, message, possible) => {
    const result = parseFilter(text, options);
    expect(result).toMatchObject({ ok: false, at, message });
    expect(result.ok ? [] : result.expected.join('\n')).toContain(possible);
  });

  it('the error is one line, the filter, and carets under the fault', () => {
    const result = parseFilter('state  lisen and :80', options);
    const error = result.ok ? null : filterError(result);
    expect(error).toBeInstanceOf(SockscopeError);
    expect(error?.exit).toBe(2);
    expect(error?.message).toBe("'lisen' is no state\n  state  lisen and :80\n         ^^^^^");
    expect(error?.hint).toMatch(/^Possible here: listening, /);
  });

  it('a long filter is shown around its fault', () => {
    const result = parseFilter(
      `${'sport :1 or '.repeat(50)}state lisen ${'or sport :1 '.repeat(50)}`,
      options,
    );
    const [, text, carets] = (result.ok ? '' : filterError(result).message).split('\n');
    expect(text!.length).toBeLessThan(110);
    expect(text!.slice(carets!.indexOf('^'), carets!.lastIndexOf('^') + 1)).toBe('lisen');
  });
});

describe('nothing typed can hurt', () => {
  it('10 000 parentheses are refused, not a stack overflow', () => {
    expect(parseFilter(`${'('.repeat(10_000)}:80${')'.repeat(10_000)}`, options)).toMatchObject({
      ok: false,
      message: 'more than 200 levels of nesting',
    });
    expect(parseFilter('('.repeat(10_000), options).ok).toBe(false);
    expect(parseFilter(')'.repeat(10_000), options).ok).toBe(false);
  });

  it('10 000 nots are folded, 10 000 conditions are refused', () => {
    expect(understood(`${'not '.repeat(10_001)}:80`)).toBe('!either:80');
    expect(parseFilter(':80 or '.repeat(10_000), options).ok).toBe(false);
    expect(parseFilter(':80 or node and '.repeat(10_000), options)).toMatchObject({ ok: false });
  });

  it('the deepest filter that is taken can be judged and compiled', () => {
    const deep = parseFilter(
      `${'( '.repeat(199)}${':80 or node and '.repeat(500)}:80${' )'.repeat(199)}`,
      options,
    );
    expect(deep.ok).toBe(true);
    if (deep.ok && deep.filter !== null) {
      expect(compileForKernel(deep.filter).exact).toBe(false);
      expect(evaluate(deep.filter)).toBeTypeOf('function');
    }
  });

  it('any text gives a filter or an error whose caret is within it', () => {
    const pieces = fc.constantFrom(
      ...[
        '(',
        ')',
        '!',
        '=',
        '!=',
        '<',
        '>=',
        '&&',
        '|',
        'and',
        'or',
        'not',
        'state',
        'exclude',
        'src',
        'dst',
        'sport',
      ],
      ...[
        'dport',
        'dev',
        'fwmark',
        'cgroup',
        'autobound',
        ':80',
        '*',
        '[::1]',
        '[',
        ']',
        '10.0.0.1',
        '/8',
        '-i',
        '-sTCP:',
      ],
      ...[
        'pid:',
        'user:',
        'unix:',
        'inet6:',
        'listen',
        '\\',
        '\n',
        '\t',
        '\0',
        ',',
        '-',
        '::',
        '80',
        'node',
        'é',
        '𝄞',
        '\u2028',
      ],
    );
    const glued = fc
      .array(fc.tuple(pieces, fc.constantFrom('', ' ')), { maxLength: 30 })
      .map((parts) => parts.flat().join(''));
    fc.assert(
      fc.property(fc.oneof(glued, fc.string({ unit: 'binary', maxLength: 60 })), (text) => {
        const result = parseFilter(text, options);
        if (!result.ok) {
          expect(result.at).toBeGreaterThanOrEqual(0);
          expect(result.at).toBeLessThanOrEqual(text.length);
          expect(result.message).not.toContain('undefined');
          expect(result.expected.length).toBeGreaterThan(0);
          expect(filterError(result).message.split('\n').at(-1)).toMatch(/^ +\^+$/);
        }
      }),
      { numRuns: 20_000, seed: 11 },
    );
  });
});
