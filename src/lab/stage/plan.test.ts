import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SockscopeError } from '../../errors.ts';
import type { HostWish, StageWish } from '../api.ts';
import { planStage } from './plan.ts';

const SEGMENTS = ['lan', 'office', 'field'];
const host: fc.Arbitrary<HostWish> = fc.record(
  {
    on: fc.uniqueArray(fc.constantFrom(...SEGMENTS), { minLength: 1, maxLength: 3 }),
    router: fc.boolean(),
    mtu: fc.integer({ min: 1280, max: 9000 }),
  },
  { requiredKeys: [] },
);
const hosts = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/), host, { minKeys: 1, maxKeys: 12 });

function refusal(wish: unknown): string {
  try {
    planStage(wish as StageWish);
    return 'none';
  } catch (error) {
    const { code, exit, message } = error as SockscopeError;
    return `${code} ${exit}: ${message}`;
  }
}

describe('the plan of a stage', () => {
  it('has client and server on one segment when nothing is said', () => {
    const { hosts: planned, names } = planStage({});
    expect(planned.map(({ name, devices }) => [name, devices.map(({ addresses }) => addresses)])).toEqual([
      ['client', [['10.9.0.1']]],
      ['server', [['10.9.0.2']]],
    ]);
    expect(names).toMatchObject({ client: '10.9.0.1', server: '10.9.0.2' });
  });

  it('gives every device an address, a link address and a name of its own, whatever the hosts are', () => {
    fc.assert(
      fc.property(hosts, (wished) => {
        const planned = planStage({ hosts: wished }).hosts;
        const devices = planned.flatMap((one) => one.devices);
        for (const of of [
          devices.flatMap(({ addresses }) => addresses),
          devices.map(({ address6 }) => address6),
          devices.map(({ mac }) => mac),
          devices.map(({ here }) => here),
        ]) {
          expect(new Set(of).size).toBe(of.length);
        }
        expect(planned.map(({ name }) => name)).toEqual(Object.keys(wished));
      }),
    );
  });

  it('puts hosts of one segment into one network, and no others', () => {
    fc.assert(
      fc.property(hosts, (wished) => {
        const networks = new Map<string, string>();
        for (const device of planStage({ hosts: wished }).hosts.flatMap((one) => one.devices)) {
          const network = device.addresses[0]!.split('.').slice(0, 3).join('.');
          expect(networks.get(device.segment) ?? network).toBe(network);
          networks.set(device.segment, network);
        }
        expect(new Set(networks.values()).size).toBe(networks.size);
      }),
    );
  });

  it('lets the wish of the whole stage win over that of a host, and both over what is usual', () => {
    const wish = {
      hosts: { a: { sysctl: { tcp_retries2: 3, tcp_syn_retries: 1 } } },
      sysctl: { tcp_retries2: 7, 'net.ipv4.tcp_no_metrics_save': 0 },
    };
    expect(planStage(wish).hosts[0]!.sysctl).toMatchObject({
      tcp_retries2: 7,
      tcp_syn_retries: 1,
      'net.ipv4.tcp_no_metrics_save': 0,
      'net.ipv4.tcp_congestion_control': 'reno',
    });
  });

  it('finds the gateway on the segment that both are on', () => {
    const planned = planStage({
      hosts: {
        a: { gateway: 'r' },
        r: { on: ['lan', 'office'], router: true },
        b: { on: ['office'], gateway: 'r' },
      },
    }).hosts;
    expect(planned.map(({ gateway }) => gateway?.address)).toEqual(['10.9.0.2', undefined, '10.8.0.2']);
    expect(planned[1]!.sysctl).toMatchObject({ 'net.ipv4.ip_forward': 1 });
  });

  it('gives further addresses that nobody else has, or says how many there is room for', () => {
    const [first] = planStage({ hosts: { a: { more: 3 }, b: {} } }).hosts;
    expect(first!.devices[0]!.addresses).toEqual(['10.9.0.1', '10.9.0.10', '10.9.0.11', '10.9.0.12']);
    expect(refusal({ hosts: { a: { more: 300 } } })).toMatch(/^STAGE_WISH 2: .* from 0 to 245, not 300/);
  });

  it('refuses with exit 2 what cannot be built, and names it', () => {
    expect(refusal({ hosts: { 'B!': {} } })).toBe('STAGE_WISH 2: A host cannot be called "B!".');
    expect(refusal({ hosts: { a: { gateway: 'b' } } })).toMatch(/gateway of a is b/);
    expect(refusal({ hosts: { a: { gateway: 'b' }, b: { on: ['office'] } } })).toMatch(
      /^STAGE_WISH 2: b is on no/,
    );
    expect(refusal({ hosts: { a: { on: ['a', 'b', 'c', 'd'] } } })).toMatch(/room for 4 segments/);
    const many = Object.fromEntries(Array.from({ length: 26 }, (_, index) => [`h${index}`, {}]));
    expect(refusal({ hosts: many })).toMatch(/room for 25 hosts/);
  });

  it('answers anything at all with a plan or a sentence', () => {
    fc.assert(
      fc.property(fc.anything(), (wish) => {
        expect(refusal(wish)).toMatch(/^(none|STAGE_WISH 2: .+)$/s);
      }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b'), fc.anything()), (some) => {
        expect(refusal({ hosts: some })).toMatch(/^(none|STAGE_WISH 2: .+)$/s);
      }),
    );
  });
});
