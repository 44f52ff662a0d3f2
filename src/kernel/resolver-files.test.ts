import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  familyOf,
  hostsLinesFor,
  parseGaiConf,
  parseHosts,
  parseNsswitch,
  parseResolvConf,
} from './resolver-files.ts';

const hostile = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        'hosts:',
        'nameserver',
        'search',
        'options',
        'ndots:',
        '[',
        ']',
        '=',
        '#',
        '\n',
        '\t',
        ' ',
        '::1',
        '127.0.0.1',
        'localhost',
        'precedence',
        '/96',
        '99',
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join('')),
);
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const blank = fc.stringMatching(/^[ \t]{1,3}$/);
const address = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fe80::1%lo', '2001:db8::7', '::ffff:10.0.0.1'));

describe('hosts', () => {
  it('what was written is read back with its line number, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(address, fc.array(name, { minLength: 1, maxLength: 4 }), blank, fc.boolean())),
        (entries) => {
          const text = entries
            .map(
              ([where, names, gap, noted]) =>
                `${noted ? `# ${where} commented\n` : ''}${gap}${where}${gap}${names.join(gap)} # x`,
            )
            .join('\n');
          const found = parseHosts(text);
          expect(found.map(({ address, names }) => [address, names])).toEqual(
            entries.map(([where, names]) => [where, names]),
          );
          for (const { line, address } of found) {
            expect(text.split('\n')[line - 1]).toContain(address);
          }
        },
      ),
    );
  });
  it('names are found without regard to case and a last dot, aliases too', () => {
    const lines = parseHosts(
      '127.0.0.1 localhost\n::1\tlocalhost ip6-LOCALHOST\n999.1.1.1 localhost\n10.0.0.1\n',
    );
    expect(hostsLinesFor(lines, 'LocalHost.').map(({ line }) => line)).toEqual([1, 2]);
    expect(hostsLinesFor(lines, 'ip6-localhost').map(({ family }) => family)).toEqual([6]);
    expect(hostsLinesFor(lines, 'local')).toEqual([]);
  });
});

describe('nsswitch', () => {
  it('modules keep their order and their actions', () => {
    expect(parseNsswitch('passwd: files\nhosts:\tfiles mdns4_minimal [NOTFOUND=return] dns # x\n')).toEqual([
      { name: 'files', actions: [] },
      { name: 'mdns4_minimal', actions: ['NOTFOUND=return'] },
      { name: 'dns', actions: [] },
    ]);
    expect(parseNsswitch('hosts: mymachines resolve[!UNAVAIL=return]files myhostname dns')).toEqual([
      { name: 'mymachines', actions: [] },
      { name: 'resolve', actions: ['!UNAVAIL=return'] },
      { name: 'files', actions: [] },
      { name: 'myhostname', actions: [] },
      { name: 'dns', actions: [] },
    ]);
  });
  it('no hosts line is null, an empty one is nobody', () => {
    expect(parseNsswitch('# hosts: files\npasswd: files\n')).toBeNull();
    expect(parseNsswitch('hosts:\n')).toEqual([]);
  });
});

describe('resolv.conf', () => {
  it('the last search wins, options add up, ndots is capped as glibc does', () => {
    const text =
      '; nameserver 1.1.1.1\nnameserver 10.0.0.1\n nameserver 10.0.0.9\nnameserver nonsense\nsearch a b\ndomain c.d e\noptions ndots:5 rotate\noptions edns0\n';
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['10.0.0.1'],
      search: ['c.d'],
      ndots: 5,
      options: ['ndots:5', 'rotate', 'edns0'],
    });
    expect(parseResolvConf('options ndots:99').ndots).toBe(15);
    expect(parseResolvConf('').ndots).toBe(1);
  });
});

describe('gai.conf', () => {
  it('rules are read with their line; comments and half lines are not', () => {
    expect(
      parseGaiConf(
        '#precedence ::1/128 50\nprecedence ::ffff:0:0/96  100\nlabel x 1\nscopev4 ::ffff:10.0.0.0/104\nreload yes\n',
      ),
    ).toEqual([{ line: 2, kind: 'precedence', network: '::ffff:0:0/96', value: 100 }]);
  });
});

describe('hostile text', () => {
  it('is a value in every parser, never a throw', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const { address, names, line } of parseHosts(text)) {
          expect(familyOf(address)).not.toBeNull();
          expect(names.length).toBeGreaterThan(0);
          expect(line).toBeGreaterThan(0);
        }
        expect(parseNsswitch(text)?.every(({ name }) => /^[^\s[]+$/.test(name)) ?? true).toBe(true);
        expect(parseResolvConf(text).ndots).toBeLessThanOrEqual(15);
        expect(parseGaiConf(text).every(({ value }) => Number.isSafeInteger(value))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
