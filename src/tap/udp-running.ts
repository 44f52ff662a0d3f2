/** A UDP tap as the engine runs it: its flows are decoded, counted and told like connections. */
import type { Address } from '../reactor/reactor.ts';
import { createRandom } from '../session/random.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { Conversation } from '../wire/conversation.ts';
import { appliesTo } from './applies.ts';
import type { PlannedFault } from './fault.ts';
import { faultNamed } from './faults.ts';
import { faultRule, holdRule, type Rule } from './gate.ts';
import { createDatagramGate, type DatagramGate } from './gate-datagrams.ts';
import type { TapHost } from './host.ts';
import type { Resolved, TapPlan } from './plan.ts';
import type { DatagramStage } from './stage.ts';
import type { RunningTap } from './tap.ts';
import { createUdpTap, type UdpFlow, type UdpTap } from './udp.ts';

const words = vocabulary(decoders);

function isRule(made: Rule | { readonly why: string }): made is Rule {
  return 'action' in made;
}

interface Placed {
  readonly from: 'client' | 'server';
  readonly stage: DatagramStage;
}

interface About {
  conversation: Conversation | null;
  /** Judges datagrams, when there are rules. */
  gate: DatagramGate | null;
  /** By the fault's name. */
  readonly placed: Map<string, Placed[]>;
}

export function openUdpTap(
  host: TapHost,
  plan: TapPlan,
  places: { readonly listen: Address; readonly target: Resolved },
): RunningTap | number {
  const { reactor } = host;
  const hearing = host.hearingFor(plan.name);
  const shared = new Map<string, Record<string, unknown>>();
  let planned: readonly PlannedFault[] = plan.faults;
  let since = reactor.now();
  let opened = 0;
  let fromClient = 0;
  let fromServer = 0;

  function on(flow: UdpFlow): { at: number; tap: string; connection: number } {
    return { at: host.now(), tap: plan.name, connection: flow.number };
  }

  function aboutOf(flow: UdpFlow): About {
    flow.owner ??= { conversation: null, gate: null, placed: new Map() } satisfies About;
    return flow.owner as About;
  }

  /** The stages of one fault on one flow; none where it does not apply. */
  function stagesOf(fault: PlannedFault, flow: UdpFlow): Placed[] {
    const kind = faultNamed(fault.fault);
    if (kind?.datagram === undefined || fault.when !== undefined) {
      return [];
    }
    const sides = (['client', 'server'] as const).filter(
      (from) => fault.stream === 'both' || (fault.stream === 'upstream') === (from === 'client'),
    );
    const client = flow.client.kind === 'unix' ? '' : flow.client.host;
    return sides
      .filter((from) =>
        appliesTo(
          fault,
          { client, connection: flow.number, at: reactor.now() - since },
          createRandom(host.seed, 'roll', fault.name, flow.number, from === 'client' ? 'up' : 'down'),
        ),
      )
      .map((from) => ({
        from,
        stage: kind.datagram!(fault.attributes, {
          from,
          connection: flow.number,
          random: createRandom(host.seed, fault.name, flow.number, from === 'client' ? 'up' : 'down'),
          shared: sharedOf(fault.name),
        }),
      }));
  }

  function sharedOf(name: string): Record<string, unknown> {
    let one = shared.get(name);
    if (one === undefined) {
      one = {};
      shared.set(name, one);
    }
    return one;
  }

  function listenTo(flow: UdpFlow): Conversation {
    return new Conversation(
      {
        transport: 'udp',
        clientPort: flow.client.kind === 'unix' ? 0 : flow.client.port,
        serverPort: plan.target.port,
        midStream: false,
      },
      hearing.decoders,
      {
        message(spoken) {
          hearing.statistics.message(spoken);
          if (hearing.wants.messages) {
            hearing.tell(hearing.said(spoken, flow.number));
          }
        },
        trouble: ({ side, why }) => hearing.trouble(side, why, flow.number),
      },
      hearing.decoders.find(({ name }) => name === plan.decode),
      hearing.budget,
    );
  }

  const rules = new Map<string, Rule>();
  const standing = plan.holds.map((text) => holdRule(text, words)).filter(isRule);

  /** Kept while their fault stays as it is: an `nth` goes on counting. */
  function ruleOf(fault: PlannedFault): Rule | null {
    const key = JSON.stringify(fault);
    const rule = rules.get(key) ?? faultRule(fault, words);
    if (!isRule(rule)) {
      return null;
    }
    rules.set(key, rule);
    return rule;
  }

  function gateOf(flow: UdpFlow): DatagramGate | null {
    const client = flow.client.kind === 'unix' ? '' : flow.client.host;
    const broken = planned
      .filter((fault) => fault.when !== undefined)
      .filter((fault) =>
        appliesTo(
          fault,
          { client, connection: flow.number, at: reactor.now() - since },
          createRandom(host.seed, 'roll', fault.name, flow.number, 'message'),
        ),
      )
      .map(ruleOf)
      .filter((rule) => rule !== null);
    if (standing.length + broken.length === 0) {
      return null;
    }
    const fixed = hearing.decoders.find(({ name }) => name === plan.decode);
    return createDatagramGate({
      start: {
        transport: 'udp',
        clientPort: flow.client.kind === 'unix' ? 0 : flow.client.port,
        serverPort: plan.target.port,
        midStream: false,
      },
      candidates: hearing.decoders,
      ...(fixed === undefined ? {} : { fixed }),
      rules: [...standing, ...broken],
      reveal: host.wants.reveal,
      now: () => host.now(),
      held(heard, bytes) {
        const id = host.nextHeld();
        host.tell({ type: 'held', ...on(flow), id, heard, bytes });
        return id;
      },
      forgotten: (id) => host.tell({ type: 'released', ...on(flow), id, verdict: 'gone' }),
      handOver(fault, from) {
        const about = aboutOf(flow);
        const kind = faultNamed(fault.fault);
        const name = `when ${fault.name} ${from}`;
        if (kind?.datagram === undefined || about.placed.has(name)) {
          return;
        }
        const way = from === 'client' ? 'up' : 'down';
        const stage = kind.datagram(fault.attributes, {
          from,
          connection: flow.number,
          random: createRandom(host.seed, fault.name, flow.number, way),
          shared: sharedOf(fault.name),
        });
        about.placed.set(name, [{ from, stage }]);
        opening.tap?.addStage(flow, from, stage);
      },
      stir: (from) => opening.tap?.stir(flow, from),
    });
  }

  /** Gates of flows speak to the tap that is being made here. */
  const opening: { tap: UdpTap | null } = { tap: null };
  const tap = createUdpTap(
    reactor,
    { listen: places.listen, target: places.target },
    {
      stages(flow) {
        const about = aboutOf(flow);
        for (const fault of planned) {
          about.placed.set(fault.name, stagesOf(fault, flow));
        }
        const all = [...about.placed.values()].flat();
        about.gate = gateOf(flow);
        if (about.gate !== null) {
          all.unshift(
            { from: 'client', stage: about.gate.client },
            { from: 'server', stage: about.gate.server },
          );
        }
        return {
          up: all.filter(({ from }) => from === 'client').map(({ stage }) => stage),
          down: all.filter(({ from }) => from === 'server').map(({ stage }) => stage),
        };
      },
      opened(flow) {
        opened++;
        if (host.wants.connections) {
          host.tell({ type: 'opened', ...on(flow), client: flow.client, entered: flow.entered });
        }
      },
      datagram(flow, from, bytes, length) {
        if (plan.decode !== 'none') {
          const about = aboutOf(flow);
          about.conversation ??= listenTo(flow);
          about.conversation.datagram(from, bytes, 0, length, host.now());
        }
        if (hearing.wants.bytes) {
          hearing.bytes(from, bytes.subarray(0, length), flow.number);
        }
      },
      ended(flow, how) {
        aboutOf(flow).gate?.close();
        fromClient += flow.fromClient;
        fromServer += flow.fromServer;
        if (host.wants.connections) {
          host.tell({
            type: 'ended',
            ...on(flow),
            how: how === 'closed' ? 'tap closed' : 'timeout',
            by: null,
            fromClient: flow.fromClient,
            fromServer: flow.fromServer,
            took: reactor.now() - flow.opened,
          });
        }
      },
      refused(flow, errno) {
        host.tell({
          type: 'dial-failed',
          ...on(flow),
          target: `${plan.target.host}:${plan.target.port}`,
          errno,
          took: 0,
          told: 'silence',
        });
      },
      lost(flow, from, errno) {
        host.tell({
          type: 'trouble',
          of: 'udp',
          ...on(flow),
          from,
          why: `a datagram was lost (errno ${-errno})`,
        });
      },
      said(flow, from, what) {
        host.tell({ type: 'fault', ...on(flow), what, from });
      },
    },
  );
  if (typeof tap === 'number') {
    return tap;
  }
  opening.tap = tap;
  host.tell({
    type: 'standing',
    at: host.now(),
    tap: plan.name,
    listens: tap.address,
    state: 'listening',
    why: '',
  });
  let closed = false;

  return {
    plan,
    address: tap.address,
    get open() {
      return tap.flowCount;
    },
    get opened() {
      return opened;
    },
    get fromClient() {
      return [...tap.flows].reduce((sum, flow) => sum + flow.fromClient, fromClient);
    },
    get fromServer() {
      return [...tap.flows].reduce((sum, flow) => sum + flow.fromServer, fromServer);
    },
    faults(faults) {
      const before = new Map(planned.map((fault) => [fault.name, JSON.stringify(fault)]));
      planned = faults;
      since = reactor.now();
      for (const flow of [...tap.flows]) {
        const { placed } = aboutOf(flow);
        for (const [name, stages] of [...placed]) {
          if (name.startsWith('when ')) {
            continue;
          }
          const now = faults.find((fault) => fault.name === name);
          if (now === undefined || JSON.stringify(now) !== before.get(name)) {
            for (const { from, stage } of stages) {
              tap.removeStage(flow, from, stage);
            }
            placed.delete(name);
          }
        }
        for (const fault of faults) {
          if (!placed.has(fault.name)) {
            const stages = stagesOf(fault, flow);
            placed.set(fault.name, stages);
            for (const { from, stage } of stages) {
              tap.addStage(flow, from, stage);
            }
          }
        }
      }
    },
    release: (id, verdict) =>
      [...tap.flows].some((flow) => aboutOf(flow).gate?.release(id, verdict) === true),
    close() {
      if (!closed) {
        closed = true;
        tap.close();
      }
    },
  };
}
