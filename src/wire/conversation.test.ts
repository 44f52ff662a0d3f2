import { describe, expect, test } from 'vitest';
import { become, type Decoder, decoderOf, type Message, malformed, need, ok, skip } from './app/decoder.ts';
import { Conversation, MAX_OUTSTANDING, MAX_PENDING } from './conversation.ts';

/**
 * A small protocol: `LTTT…` where L is a digit, the length of the text. `*` skips nine bytes and then says "skipped",
 * `!` becomes the other decoder, `?` is malformed. Requests and replies pair in order.
 */
function digits(name: string, certain: number): Decoder {
  const say = (state: State, side: 'client' | 'server', text: string, bytes: number): Message => ({
    protocol: name,
    kind: side === 'client' ? 'request' : 'reply',
    name: text,
    bytes,
    pair: side === 'client' ? state.asked++ : state.answered++,
    fields: () => ({ text }),
  });
  interface State {
    asked: number;
    answered: number;
    skipped: boolean;
  }
  const step = (side: 'client' | 'server') => (bytes: Uint8Array, from: number, to: number, state: State) => {
    if (state.skipped) {
      state.skipped = false;
      return ok([say(state, side, 'skipped', 10)], 0);
    }
    if (from >= to) {
      return need(1);
    }
    const first = String.fromCharCode(bytes[from]!);
    if (first === '*') {
      if (to - from < 1) {
        return need(1);
      }
      state.skipped = true;
      return skip(10);
    }
    if (first === '!') {
      return become('other', [say(state, side, 'become', 1)], 1);
    }
    if (first === '?') {
      return malformed(0, 'a question mark');
    }
    const length = Number(first);
    if (to - from < 1 + length) {
      return need(1 + length);
    }
    const text = new TextDecoder().decode(bytes.subarray(from + 1, from + 1 + length));
    return ok([say(state, side, text, 1 + length)], 1 + length);
  };
  return decoderOf<State>({
    name,
    transports: ['tcp', 'udp'],
    secrets: [],
    speaks: { [name]: ['text'] },
    recognises: (_hint, bytes, from, to) =>
      from < to && /[0-9*!]/.test(String.fromCharCode(bytes[from]!)) ? certain : 0,
    begin: () => ({ asked: 0, answered: 0, skipped: false }),
    client: step('client'),
    server: step('server'),
    summary: (message) => message.name,
  });
}

function listening(decoders: readonly Decoder[], midStream = false) {
  const said: string[] = [];
  const conversation = new Conversation(
    { transport: 'tcp', clientPort: 40000, serverPort: 7, midStream },
    decoders,
    {
      message: ({ side, message, decoder, asked, at, began }) =>
        said.push(
          `${decoder.name} ${side} ${message.name}${asked === null ? '' : ` after ${asked.name} ${at - asked.at}/${asked.firstReply - asked.at}`} ${began}-${at}`,
        ),
      trouble: ({ side, why }) => said.push(`trouble ${side} ${why}`),
    },
  );
  const bytes = (text: string) => new TextEncoder().encode(text);
  return {
    said,
    conversation,
    client: (text: string, at: number) => conversation.feed('client', bytes(text), 0, text.length, at),
    server: (text: string, at: number) => conversation.feed('server', bytes(text), 0, text.length, at),
  };
}

describe('a conversation', () => {
  test('times a reply from the request’s last byte to its own last and first', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('3ge', 10);
    talk.client('t', 11);
    talk.server('2o', 30);
    talk.server('k', 45);
    expect(talk.said).toEqual(['one client get 10-11', 'one server ok after get 34/19 30-45']);
  });

  test('pairs pipelined requests with their replies in order', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('1a1b', 1);
    talk.server('1x', 2);
    talk.server('1y', 4);
    expect(talk.said.slice(2)).toEqual(['one server x after a 1/1 2-2', 'one server y after b 3/3 4-4']);
  });

  test('waits while nobody is certain, and decides when the other side speaks', () => {
    const talk = listening([digits('maybe', 0.5)]);
    talk.client('1a', 1);
    expect(talk.said).toEqual([]);
    talk.server('1b', 2);
    expect(talk.said).toEqual(['maybe client a 1-1', 'maybe server b after a 1/1 2-2']);
  });

  test('decides at the latest when a side ends', () => {
    const talk = listening([digits('maybe', 0.5)]);
    talk.client('1a', 1);
    talk.conversation.end('client', 5);
    expect(talk.said).toEqual(['maybe client a 1-1']);
  });

  test('gives the word to whoever is surest', () => {
    const talk = listening([digits('unsure', 0.9), digits('sure', 1)]);
    talk.client('1a', 1);
    expect(talk.said).toEqual(['sure client a 1-1']);
  });

  test('passes a skipped body by, and lets the decoder speak as soon as it is over', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('*12345', 1);
    talk.client('678', 2);
    expect(talk.said).toEqual([]);
    talk.client('9', 3);
    expect(talk.said).toEqual(['one client skipped 1-3']);
  });

  test('does not mind bytes that are missing from a skipped body', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('*1', 1);
    talk.conversation.gap('client', 7, 2);
    talk.client('9', 3);
    talk.client('1a', 4);
    expect(talk.said).toEqual(['one client skipped 1-3', 'one client a 4-4']);
  });

  test('after missing bytes goes on where a decoder is certain again', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('1a', 1);
    talk.conversation.gap('client', 100, 2);
    talk.client('zz', 3);
    talk.client('1b', 4);
    expect(talk.said).toEqual([
      'one client a 1-1',
      'trouble client 100 bytes are missing from the capture',
      'one client b 4-4',
    ]);
  });

  test('a malformed message is told once, and the other side goes on', () => {
    const talk = listening([digits('one', 1)]);
    talk.client('1a?1b', 1);
    talk.client('zz', 2);
    talk.server('1x', 3);
    expect(talk.said).toEqual([
      'one client a 1-1',
      'trouble client a question mark',
      'one server x after a 2/2 3-3',
    ]);
  });

  test('changes the decoder of both directions, and what waits goes to the new one', () => {
    const talk = listening([digits('one', 1), digits('other', 0.1)]);
    talk.server('3x', 1);
    talk.client('!1a', 2);
    talk.server('1b', 3);
    expect(talk.said).toEqual([
      'one client become 2-2',
      'other client a 2-2',
      'other server x1b after a 1/-1 1-3',
    ]);
  });

  test('forgets the oldest request when too many are open, and counts it', () => {
    const talk = listening([digits('one', 1)]);
    for (let i = 0; i < MAX_OUTSTANDING + 4; i++) {
      talk.client('1a', i);
    }
    expect(talk.conversation.forgotten).toBe(3);
  });

  test('forgets in the order of asking, whatever was answered in between', () => {
    const talk = listening([digits('one', 1)]);
    for (let i = 0; i < MAX_OUTSTANDING + 1; i++) {
      talk.client('1a', i);
    }
    for (let i = 0; i < 10; i++) {
      talk.server('1b', 10_000);
    }
    for (let i = 0; i < 20; i++) {
      talk.client('1c', 20_000 + i);
    }
    expect(talk.conversation.forgotten).toBe(10);
    talk.said.length = 0;
    for (let i = 10; i < 23; i++) {
      talk.server('1b', 30_000);
    }
    // Requests 10 to 19 are the ones forgotten; the next three are still known.
    const known = talk.said.map((one) => one.includes(' after '));
    expect(known).toEqual([...Array(10).fill(false), true, true, true]);
  });

  test('a protocol in a protocol in a protocol comes to an end', () => {
    const talk = listening([digits('one', 1), digits('other', 0.1)]);
    talk.client('!'.repeat(50_000), 1);
    expect(talk.said.length).toBe(18);
    expect(talk.said.at(-1)).toBe('trouble client the protocol changed more than 16 times');
  });

  test('gives up when all conversations together keep too much', () => {
    const said: string[] = [];
    const budget = { pending: MAX_PENDING };
    const conversation = new Conversation(
      { transport: 'tcp', clientPort: 40000, serverPort: 7, midStream: false },
      [digits('one', 1)],
      { message: ({ message }) => said.push(message.name), trouble: ({ why }) => said.push(why) },
      undefined,
      budget,
    );
    const bytes = new TextEncoder().encode('3ge1a');
    conversation.feed('client', bytes, 0, 3, 1);
    expect(said).toEqual([expect.stringMatching(/^given up/)]);
    expect(budget.pending).toBe(MAX_PENDING);
    budget.pending = 0;
    conversation.feed('client', bytes, 3, 5, 2);
    expect(said[1]).toBe('a');
  });

  test('does not keep what it was lent', () => {
    const talk = listening([digits('one', 1)]);
    const lent = new TextEncoder().encode('3g');
    talk.conversation.feed('client', lent, 0, 2, 1);
    lent.fill(63);
    talk.client('et', 2);
    expect(talk.said).toEqual(['one client get 1-2']);
  });
});
