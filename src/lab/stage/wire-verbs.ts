/** The wire as a story speaks with it. */
import { SockscopeError } from '../../errors.ts';
import type { Act, Match, Rule, Wire } from '../api.ts';
import { segmentFrame } from '../wire/craft.ts';
import type { Common } from './common.ts';
import type { WireWish } from './wire-link.ts';
import { ACTS, MATCH, mustBeOf, mustBeOneOf, PATH } from './wish.ts';

export function createWireVerbs(common: Common): Wire {
  async function order(wish: WireWish): Promise<number> {
    return Number(await common.wire.order(wish));
  }

  function known(...names: readonly (string | undefined)[]): void {
    for (const name of names) {
      if (name !== undefined && !common.plan.hosts.some((host) => host.name === name)) {
        throw new SockscopeError(
          'LAB_HOST',
          `There is no host ${name} on this stage.`,
          `Its hosts are ${common.plan.hosts.map(({ name: known }) => known).join(', ')}.`,
          2,
        );
      }
    }
  }

  async function rule(act: Act, match: Match = {}): Promise<Rule> {
    known(match.from, match.to);
    mustBeOneOf('An act', act.do, ACTS);
    mustBeOf('A match', match, MATCH);
    const id = await order({ do: 'rule', act, match });
    return {
      id,
      hits: () => order({ do: 'hits', rule: id }),
      release: (count) => order({ do: 'release', rule: id, count: count ?? null }),
      remove: async () => void (await order({ do: 'unrule', rule: id })),
    };
  }

  return {
    async path(path, between = {}) {
      known(between.from, between.to);
      mustBeOf('The path of a wire', path, PATH);
      await order({ do: 'path', path, ...between });
    },
    rule,
    drop: (match) => rule({ do: 'drop' }, match),
    hold: (match) => rule({ do: 'hold' }, match),
    async cut(host) {
      known(host);
      await order({ do: 'cut', host });
    },
    async plug(host) {
      known(host);
      await order({ do: 'plug', host });
    },
    async inject(segment) {
      const frame = segmentFrame(segment, { from: macOf(segment.from), to: macOf(segment.to) });
      if (typeof frame === 'string') {
        throw new SockscopeError(
          'LAB_SEGMENT',
          `That segment cannot be made: ${frame}.`,
          'See docs/lab.md.',
          2,
        );
      }
      await order({ do: 'inject', frame });
    },
  };

  /** The link address behind `ADDRESS:PORT`; of nobody's address, nobody's. */
  function macOf(endpoint: string): string {
    const address = endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    for (const host of common.plan.hosts) {
      for (const device of host.devices) {
        if (device.addresses.includes(address) || device.address6 === address) {
          return device.mac;
        }
      }
    }
    return '02:00:00:00:ff:ff';
  }
}
