/** What the main thread says to an engine, and what it answers: plain data, so that the engine may live in a thread of its own. */
import type { Address } from '../reactor/reactor.ts';
import type { Command } from '../wire/statistics.ts';
import type { Verdict } from './control.ts';
import type { Counts, Engine, Wants } from './engine.ts';
import type { PlannedFault } from './fault.ts';
import type { Resolved, TapPlan } from './plan.ts';
import type { TlsKit } from './tls/kit.ts';

export type Order =
  | {
      readonly order: 'open';
      readonly plan: TapPlan;
      readonly listen: Address;
      readonly target: Resolved;
      /** Never crosses threads: TLS is done in Node's loop. */
      readonly kit: TlsKit | null;
    }
  | { readonly order: 'open led'; readonly plan: TapPlan }
  | { readonly order: 'dial'; readonly tap: string; readonly id: number; readonly target: Address }
  | { readonly order: 'adopt'; readonly tap: string; readonly id: number; readonly fd: number }
  | { readonly order: 'abandon'; readonly tap: string; readonly id: number }
  | {
      readonly order: 'publish';
      readonly tap: string;
      readonly at: readonly { readonly host: string; readonly port: number }[];
    }
  | { readonly order: 'entered'; readonly question: number; readonly fd: number }
  | { readonly order: 'close'; readonly tap: string }
  /** All faults that the tap shall have from now on. */
  | { readonly order: 'faults'; readonly tap: string; readonly faults: readonly PlannedFault[] }
  | { readonly order: 'release'; readonly held: number; readonly verdict: Verdict }
  | { readonly order: 'resolved'; readonly question: number; readonly addresses: Resolved }
  | { readonly order: 'wants'; readonly wants: Wants }
  | { readonly order: 'report' }
  | { readonly order: 'end' };

export interface Report {
  readonly taps: readonly Counts[];
  readonly commands: readonly Command[];
}

/** Of an `open`: where it listens, or -errno. Of a `dial`: 0 or -errno. Of a `report`: the report. Of everything else: null. */
export type Answer = Address | number | Report | null;

export function obey(engine: Engine, order: Order, answer: (answer: Answer) => void): void {
  if (order.order === 'dial') {
    engine.dial(order.tap, order.id, order.target, answer);
    return;
  }
  answer(obeyNow(engine, order));
}

function obeyNow(engine: Engine, order: Exclude<Order, { order: 'dial' }>): Answer {
  switch (order.order) {
    case 'open':
      return engine.open(order.plan, {
        listen: order.listen,
        target: order.target,
        kit: order.kit,
      });
    case 'open led':
      engine.openLed(order.plan);
      return null;
    case 'adopt':
      engine.adopt(order.tap, order.id, order.fd);
      return null;
    case 'abandon':
      engine.abandon(order.tap, order.id);
      return null;
    case 'close':
      engine.close(order.tap);
      return null;
    case 'faults':
      engine.faults(order.tap, order.faults);
      return null;
    case 'release':
      engine.release(order.held, order.verdict);
      return null;
    case 'publish':
      engine.publish(order.tap, order.at);
      return null;
    case 'resolved':
    case 'entered':
      // The thread that asked takes it before the engine hears of it.
      return null;
    case 'wants':
      Object.assign(engine.wants, order.wants);
      return null;
    case 'report':
      return { taps: engine.counts(), commands: engine.commands() };
    case 'end':
      engine.closeAll();
      return null;
  }
}
