/**
 * The kernel's trace of state changes is the whole machine's and knows no network namespaces, and every stage has the same addresses.
 * So a traced change is ours only when its ends have also been met by a witness that sees nothing but this stage: a frame on its
 * wire, a call of its programs, a look at its hosts. A connecting socket changes just before its SYN is seen. It waits for it,
 * also where its ends have been met before: only the SYN tells whether they are used again. Pure.
 */
import { endpointText, plainAddress } from '../../session/connection.ts';
import type { RawState, RawTuple } from './protocol.ts';

type Ends = Pick<RawTuple, 'local' | 'peer'>;

export interface Ours {
  /** Somebody here has met these ends; what waits for that is let through. */
  witness(ends: Ends): void;
  /** Whether it is known to be ours; if not yet, it is kept until it is, or for a while. */
  told(state: RawState): boolean;
}

/** Longer than a frame of a connecting socket can be behind its change of state. */
const PATIENCE_NS = 1e9;
const MOST_WAITING = 10_000;

export function createOurs(through: (state: RawState) => void): Ours {
  const met = new Set<string>();
  let waiting: RawState[] = [];

  function witness(ends: Ends): void {
    const key = keyOf(ends);
    met.add(key);
    if (waiting.length > 0) {
      const free = waiting.filter((one) => keyOf(one.tuple) === key);
      waiting = waiting.filter((one) => !free.includes(one));
      free.forEach(through);
    }
  }

  return {
    witness,
    told(state) {
      const unsure = state.socket === '' && (state.to === 'SYN-SENT' || !met.has(keyOf(state.tuple)));
      if (!unsure) {
        // Only a look knows its cookie.
        witness(state.tuple);
        return true;
      }
      waiting = waiting.filter(({ at }) => state.at - at < PATIENCE_NS).slice(-MOST_WAITING);
      waiting.push(state);
      return false;
    },
  };
}

/** Of either side. */
function keyOf({ local, peer }: Ends): string {
  const [one, other] = [textOf(local), textOf(peer)];
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

const textOf = ({ address, port }: Ends['local']): string =>
  endpointText({ address: plainAddress(address), port });
