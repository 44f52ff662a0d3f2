import { describe, expect, it } from 'vitest';
import type { AddrReport } from '../see/addr.ts';
import { painter } from '../view/colour.ts';
import { addrText } from './addr-text.ts';

const report: AddrReport = {
  name: 'localhost',
  port: 3000,
  numeric: false,
  hosts: [{ line: 2, address: '::1', family: 6, names: ['localhost', 'ip6-localhost'] }],
  resolver: {
    modules: [
      { name: 'files', actions: [] },
      { name: 'dns', actions: [] },
    ],
    modulesConfigured: true,
    resolvConf: {
      nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'],
      search: ['a.test'],
      ndots: 5,
      options: [],
    },
    gai: [{ line: 7, kind: 'precedence', network: '::ffff:0:0/96', value: 100 }],
  },
  nodeOrder: 'ipv4first',
  answers: [
    { address: '::1', family: 6, here: true, listeners: [] },
    { address: '192.0.2.9', family: 4, here: false, listeners: [] },
  ],
  interfaces: [
    { index: 1, name: 'lo', loopback: true, up: false, mtu: 65536, addresses: [], ipv6Disabled: true },
  ],
  conclusions: [{ kind: 'finding', code: 'NOBODY', text: 'Nobody listens.' }],
  notes: ['owners of 3 sockets not visible'],
};

const text = (changed: Partial<AddrReport> = {}): string =>
  addrText({ ...report, ...changed }, painter(false), 100);

describe('the report as text', () => {
  it('puts the conclusion first, then the answers in their order', () => {
    expect(text().split('\n').slice(0, 6)).toEqual([
      'localhost:3000',
      '',
      '✗ Nobody listens.',
      '',
      'what programs get (getaddrinfo, in this order)',
      '  1  ::1        nobody listens on port 3000',
    ]);
    expect(text()).toContain('2  192.0.2.9  not an address of this machine');
  });
  it('names file, line, servers beyond the third, and every change of the order', () => {
    expect(text()).toContain('/etc/hosts:2  ::1 localhost ip6-localhost');
    expect(text()).toContain(
      'not asked, files has it: nameserver 192.0.2.1, 192.0.2.2, 192.0.2.3, search a.test, ndots:5',
    );
    expect(text()).toContain('not used, being beyond the third: 192.0.2.4');
    expect(text()).toContain('/etc/gai.conf:7: precedence ::ffff:0:0/96 100');
    expect(text()).toContain('ipv4first, which changes this order');
    expect(text()).toContain('lo  down  no address  IPv6 off (disable_ipv6)');
    expect(text()).toContain('owners of 3 sockets not visible');
  });
  it('DNS is asked when the hosts file does not name it, or files goes on', () => {
    expect(text({ hosts: [] })).not.toContain('not asked');
    const modules = [
      { name: 'files', actions: ['SUCCESS=merge'] },
      { name: 'dns', actions: [] },
    ];
    expect(text({ resolver: { ...report.resolver, modules } })).not.toContain('not asked');
  });
  it('for an address nobody is asked, and IPv6 stands in brackets', () => {
    expect(text({ name: '::1', numeric: true })).toMatch(/^\[::1\]:3000\n/);
    expect(text({ name: '::1', numeric: true })).not.toContain('who is asked');
  });
});
