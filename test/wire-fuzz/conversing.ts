/** Turns of talks, put wrong in many ways, straight into a conversation. */
import type { Turn } from '../../src/wire/app/decoder.contract.ts';
import type { Decoder, Side } from '../../src/wire/app/decoder.ts';
import { mutated } from './mutate.ts';
import type { Random } from './random.ts';
import type { Clock, Target } from './run.ts';
import { decoders } from './spoken.ts';
import type { Talk } from './talks.ts';
import { watchedConversation } from './watched.ts';

const LONGEST_TURN = 6000;
const MOST_TURNS = 12;

/** One decoder hears talks of its own, and sometimes those of others. */
export function conversations(decoder: Decoder, talks: readonly Talk[]): Target {
  const own = talks.filter(({ protocol }) => protocol === decoder.name);
  return {
    name: decoder.name,
    batch(random, clock) {
      const cases = 100;
      for (let i = 0; i < cases; i++) {
        const talk = own.length === 0 || random.oneIn(8) ? random.pick(talks) : random.pick(own);
        const turns = wronged(talk, random.pick(talks), random);
        try {
          converse(decoder, talk, turns, random, clock);
        } catch (error) {
          const said = turns.map(
            ({ side, bytes }) => `${side} ${Buffer.from(bytes.subarray(0, 400)).toString('hex')}`,
          );
          throw new Error(`case ${i} (${talk.protocol}): ${(error as Error).stack}\n${said.join('\n')}`);
        }
      }
      return cases;
    },
  };
}

function wronged(talk: Talk, other: Talk, random: Random): Turn[] {
  const first = random.oneIn(4) ? random.below(talk.turns.length) : 0;
  const turns = talk.turns.slice(first, first + MOST_TURNS).map(({ side, bytes }) => ({
    side,
    bytes: bytes.length > LONGEST_TURN ? bytes.subarray(0, LONGEST_TURN) : bytes,
  }));
  for (let times = random.small(3); times > 0; times--) {
    const at = random.below(turns.length);
    switch (random.below(5)) {
      case 0:
        turns.splice(at, 1, turns[at]!, turns[at]!);
        break;
      case 1:
        turns.splice(at, 1);
        break;
      case 2:
        turns.splice(at, 0, random.pick(turns));
        break;
      case 3:
        turns[at] = { ...turns[at]!, side: random.pick<Side>(['client', 'server']) };
        break;
      default:
        turns.splice(at, 0, { ...random.pick(other.turns) });
    }
    if (turns.length === 0) {
      return turns;
    }
  }
  for (let times = 1 + random.small(2); times > 0; times--) {
    const at = random.below(turns.length);
    const { side, bytes } = turns[at]!;
    turns[at] = {
      side,
      bytes: mutated(bytes, random, random.pick(other.turns).bytes).subarray(0, 2 * LONGEST_TURN),
    };
  }
  return turns;
}

function converse(decoder: Decoder, talk: Talk, turns: readonly Turn[], random: Random, clock: Clock): void {
  const transport = decoder.transports.includes(talk.transport) ? talk.transport : decoder.transports[0]!;
  const beginner = decoders.find(({ name }) => name === talk.begins) ?? decoder;
  const start = {
    transport,
    clientPort: 40_000,
    serverPort: random.oneIn(4) ? random.below(65_536) : talk.port,
    midStream: random.oneIn(5),
  };
  const conversation = watchedConversation(start, random.oneIn(2) ? beginner : undefined, (text) =>
    occurrences(turns, text),
  );
  const how = random.below(3);
  let at = 0;
  for (const { side, bytes } of turns) {
    if (transport === 'udp') {
      clock.start();
      conversation.datagram(side, bytes, 0, bytes.length, ++at);
      clock.stop();
      continue;
    }
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(
        bytes.length,
        from + (how === 0 ? bytes.length : how === 1 ? 1 + random.small(200) : 1448),
      );
      // Lent: nobody may look at it later.
      const lent = bytes.slice(from, to);
      clock.start();
      conversation.feed(side, lent, 0, lent.length, ++at);
      clock.stop();
      lent.fill(0xa5);
      from = to;
      if (random.oneIn(60)) {
        conversation.gap(side, random.pick([1, 100, 2 ** 31]), at);
      }
    }
  }
  conversation.end(random.oneIn(2) ? 'client' : 'server', ++at);
  conversation.end('client', ++at);
  conversation.end('server', ++at);
}

const latin = new TextDecoder('latin1');

/** Also where it stands in two pieces' meeting: then it counts as often. */
function occurrences(turns: readonly Turn[], text: string): number {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const all = ['client', 'server'].map((side) =>
    turns
      .filter((turn) => turn.side === side)
      .map((turn) => latin.decode(turn.bytes))
      .join(''),
  );
  return all.reduce((sum, one) => sum + one.split(bytes).length - 1, 0);
}
