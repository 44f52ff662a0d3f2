/** A gate with both ends in a test's hands: what is said to it, what comes out, and when. */
import { decoders, vocabulary } from '../../wire/app/decoders.ts';
import type { Heard } from '../../wire/heard.ts';
import { createGate, faultRule, holdRule, type Rule, setRule } from '../gate.ts';
import type { TextError } from '../rewrite-text.ts';
import type { Stage, StageOut } from '../stage.ts';

const words = vocabulary(decoders);

function sure(rule: Rule | TextError): Rule {
  if ('why' in rule) {
    throw new Error(`${rule.why} at ${rule.at}`);
  }
  return rule;
}

export const holding = (text: string): Rule => sure(holdRule(text, words));
export const setting = (text: string): Rule => sure(setRule(text));
export const faulty = (fault: string, filter: string, attributes = {}, when = {}): Rule =>
  sure(
    faultRule(
      { name: fault, fault, attributes, stream: 'both', toxicity: 1, when: { filter, ...when } },
      words,
    ),
  );

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function gated(rules: readonly Rule[], decoder?: string, copies = true) {
  const fixed = decoder === undefined ? undefined : decoders.find(({ name }) => name === decoder)!;
  const state = {
    now: 0,
    /** What reached the other side. */
    toServer: '',
    toClient: '',
    said: [] as string[],
    held: [] as { id: number; heard: Heard; bytes: string }[],
    forgotten: [] as number[],
    over: [] as string[],
    ended: [] as string[],
    wakes: { client: Number.POSITIVE_INFINITY, server: Number.POSITIVE_INFINITY },
  };
  const stirred: ('client' | 'server')[] = [];
  const gate = createGate({
    start: { transport: 'tcp', clientPort: 40_000, serverPort: 1, midStream: false },
    candidates: decoders,
    ...(fixed === undefined ? {} : { fixed }),
    rules,
    reveal: true,
    now: () => state.now,
    held: (heard, bytes) => {
      state.held.push({ id: state.held.length + 1, heard, bytes: Buffer.from(bytes).toString('latin1') });
      return state.held.length;
    },
    forgotten: (id) => state.forgotten.push(id),
    handOver: (fault, from) => state.over.push(`${fault.name} ${from}`),
    stir: (from) => stirred.push(from),
  });
  const out = (side: 'client' | 'server'): StageOut => ({
    get now() {
      return state.now;
    },
    pass(bytes) {
      const text = Buffer.from(bytes).toString('latin1');
      if (side === 'client') {
        state.toServer += text;
      } else {
        state.toClient += text;
      }
      // They are given away: a later stage may write into them.
      bytes.fill(0);
    },
    end: () => state.ended.push(side),
    wake: (at) => {
      state.wakes[side] = at;
    },
    answer: () => state.ended.push('answer'),
    reset: () => state.ended.push('reset'),
    close: () => state.ended.push('close'),
    say: (what) => state.said.push(what),
  });
  const outs = { client: out('client'), server: out('server') };
  const stage = (side: 'client' | 'server'): Stage => gate[side];
  for (const side of ['client', 'server'] as const) {
    stage(side).timer(outs[side]);
  }
  const settle = () => {
    for (let side = stirred.shift(); side !== undefined; side = stirred.shift()) {
      stage(side).timer(outs[side]);
    }
  };
  const say = (side: 'client' | 'server', text: string) => {
    const bytes = bytesOf(text);
    stage(side).data(copies ? bytes.slice() : bytes, state.now, outs[side]);
    settle();
  };
  return {
    gate,
    state,
    client: (text: string) => say('client', text),
    server: (text: string) => say('server', text),
    end(side: 'client' | 'server') {
      stage(side).end(outs[side]);
      settle();
    },
    /** Time goes on, and the stages that asked for it are called. */
    wait(nanoseconds: number) {
      state.now += nanoseconds;
      for (const side of ['client', 'server'] as const) {
        if (state.wakes[side] <= state.now) {
          stage(side).timer(outs[side]);
        }
      }
      settle();
    },
    release(id: number, verdict: Parameters<typeof gate.release>[1]) {
      const found = gate.release(id, verdict);
      settle();
      return found;
    },
  };
}
