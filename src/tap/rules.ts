/** The rules of one tap: what is matched, rewritten, set, held, and broken when a message says so. */
import type { Reactor } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import type { Budget } from '../wire/conversation.ts';
import type { Heard } from '../wire/heard.ts';
import { createChain } from './chain.ts';
import { type Connection, chainOf, settle } from './connection.ts';
import type { Verdict } from './control.ts';
import type { PlannedFault } from './fault.ts';
import { createGate, faultRule, type Gate, holdRule, type Rule, setRule } from './gate.ts';
import { createMatch } from './match.ts';
import type { TapPlan } from './plan.ts';
import { createRewrite } from './rewrite.ts';
import { asBytes } from './rewrite-text.ts';
import type { Stage } from './stage.ts';

export interface RulesOptions {
  readonly reactor: Reactor;
  readonly plan: TapPlan;
  readonly budget: Budget;
  readonly connections: ReadonlySet<Connection>;
  reveals(): boolean;
  /** Nanoseconds of the session. */
  now(): number;
  /** A message waits for a person; the number under which it is released. */
  held(connection: Connection, heard: Heard, bytes: Uint8Array): number;
  forgotten(connection: Connection, id: number): void;
  /** By its client, its number, the time and a roll. */
  touches(connection: Connection, fault: PlannedFault): boolean;
  /** From here on this fault is on this connection. */
  impose(connection: Connection, fault: PlannedFault, from: Side): void;
}

export interface Rules {
  /** Faults with a `when`, as they are from now on. */
  set(faults: readonly PlannedFault[]): void;
  /** The connection is about to begin: its stages are put in. */
  begin(connection: Connection): void;
  /** False: nobody here waits under this number. */
  release(id: number, verdict: Verdict): boolean;
  over(connection: Connection): void;
}

interface Broken {
  readonly key: string;
  readonly planned: PlannedFault;
  readonly rule: Rule;
}

const words = vocabulary(decoders);

export function createRules(options: RulesOptions): Rules {
  const { reactor, plan } = options;
  const gates = new Map<Connection, Gate>();
  const standing: Rule[] = [
    ...plan.holds.map((text) => holdRule(text, words)),
    ...plan.sets.map((text) => setRule(text)),
  ].filter(isRule);
  /** Faults that wait for a message. Their rule is kept while they stay as they are: an `nth` goes on counting. */
  let broken: readonly Broken[] = [];

  /** Those that touch this connection. */
  function rulesFor(connection: Connection): Rule[] {
    const touching = broken.filter(({ planned }) => options.touches(connection, planned));
    return [...standing, ...touching.map(({ rule }) => rule)];
  }

  function insert(connection: Connection, way: 'up' | 'down', stage: Stage, place?: number): void {
    chainOf(connection, way, (sink) => createChain([], sink, () => reactor.now())).insert(stage, place);
  }

  function rewriting(way: 'up' | 'down'): Stage[] {
    const from: Side = way === 'up' ? 'client' : 'server';
    const rewrite = createRewrite(plan.replacements, from);
    return [
      ...(plan.matches.length > 0 ? [createMatch(plan.matches.map(asBytes))] : []),
      ...(rewrite === null ? [] : [rewrite]),
    ];
  }

  function gate(connection: Connection, midStream: boolean): void {
    const fixed = decoders.find(({ name }) => name === plan.decode);
    const made = createGate({
      start: { transport: 'tcp', clientPort: 0, serverPort: plan.target.port, midStream },
      candidates: decoders,
      ...(fixed === undefined ? {} : { fixed }),
      budget: options.budget,
      rules: rulesFor(connection),
      reveal: options.reveals(),
      now: options.now,
      held: (heard, bytes) => options.held(connection, heard, bytes),
      forgotten: (id) => options.forgotten(connection, id),
      handOver: (fault, from) => options.impose(connection, fault, from),
      stir(from) {
        const way = from === 'client' ? 'up' : 'down';
        reactor.soon(() => {
          connection[way].chain?.timer();
          settle(connection, way);
          settle(connection, way === 'up' ? 'down' : 'up');
        });
      },
    });
    gates.set(connection, made);
    // Before everything else, in both directions: a reply of its own goes the way of every reply.
    insert(connection, 'up', made.client, 0);
    insert(connection, 'down', made.server, 0);
  }

  /** Most taps have no rule at all. */
  function idle(): boolean {
    return standing.length + broken.length + plan.matches.length + plan.replacements.length === 0;
  }

  return {
    set(faults) {
      const before = new Map(broken.map((one) => [one.key, one]));
      broken = faults.flatMap((planned) => {
        if (planned.when === undefined) {
          return [];
        }
        const key = JSON.stringify(planned);
        const rule = before.get(key)?.rule ?? faultRule(planned, words);
        return isRule(rule) ? [{ key, planned, rule }] : [];
      });
      for (const [connection, made] of gates) {
        made.setRules(rulesFor(connection));
      }
      for (const connection of broken.length > 0 ? options.connections : []) {
        if (connection.relay.phase === 'open' && !gates.has(connection)) {
          gate(connection, true);
        }
      }
    },
    begin(connection) {
      if (idle()) {
        return;
      }
      if (standing.length + broken.length > 0) {
        gate(connection, false);
      }
      for (const way of ['up', 'down'] as const) {
        for (const stage of rewriting(way)) {
          insert(connection, way, stage);
        }
      }
    },
    release(id, verdict) {
      for (const made of gates.values()) {
        if (made.release(id, verdict)) {
          return true;
        }
      }
      return false;
    },
    over(connection) {
      gates.get(connection)?.close();
      gates.delete(connection);
    },
  };
}

function isRule(made: Rule | { readonly why: string }): made is Rule {
  return 'action' in made;
}
