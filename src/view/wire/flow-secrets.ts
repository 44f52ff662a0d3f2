/** The secrets that a connection's messages have told so far: what is shown of its bytes shows stars there. */
import type { Spoken } from '../../wire/conversation.ts';
import type { Flow } from '../../wire/flows.ts';
import { secretsOf } from '../../wire/secrets.ts';

/** Per connection; the newest are kept. */
const MOST = 64;
const NONE: readonly Uint8Array[] = [];

export interface FlowSecrets {
  hear(spoken: Spoken, flow: Flow): void;
  of(flow: Flow | null): readonly Uint8Array[];
}

export function flowSecrets(reveal: boolean): FlowSecrets {
  const known = new WeakMap<Flow, Uint8Array[]>();
  return {
    hear(spoken, flow) {
      if (reveal || spoken.decoder.secrets.length === 0) {
        return;
      }
      const found = secretsOf(spoken);
      if (found.length === 0) {
        return;
      }
      const before = known.get(flow) ?? [];
      const fresh = found.filter((one) => !before.some((other) => isSame(one, other)));
      known.set(flow, [...before, ...fresh].slice(-MOST));
    },
    of: (flow) => (flow === null ? NONE : (known.get(flow) ?? NONE)),
  };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
