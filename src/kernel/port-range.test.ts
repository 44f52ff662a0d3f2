import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { ephemeralPorts, parsePortRange } from './port-range.ts';

const linux = needs('linux');

it('two numbers are a range, anything else is none', () => {
  expect(parsePortRange('32768\t60999\n')).toEqual({ from: 32768, to: 60999 });
  expect(parsePortRange('32768\n')).toBeNull();
  expect(parsePortRange('')).toBeNull();
  expect(parsePortRange('a b')).toBeNull();
});

it.skipIf(linux.missing)('the range is the one the running kernel shows', () => {
  const [from, to] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
    .trim()
    .split(/\s+/)
    .map(Number);
  expect(ephemeralPorts()).toEqual({ from, to });
});
