/** One conversation as it was spoken: the client's bytes and the server's, in order, in turns, its secrets as stars. */
import { SockscopeError } from '../../errors.ts';
import type { Side } from '../../wire/app/decoder.ts';
import type { Flow } from '../../wire/flows.ts';
import { blotted } from '../../wire/secrets.ts';
import { flowSecrets } from './flow-secrets.ts';
import { hexLines } from './hexdump.ts';
import { append, type WireContext, type WireView } from './view.ts';

export interface FollowOptions {
  /** tcp or udp, and the number that --connections shows. */
  readonly protocol: 6 | 17;
  readonly stream: number;
  readonly hex: boolean;
}

/** Of a turn so much waits for its end. A secret that lies across two such pieces is not found. */
const MOST_WAITING = 1 << 20;

export function followView(context: WireContext, options: FollowOptions): WireView {
  const { out, paint, clock } = context;
  const secrets = flowSecrets(context.reveal);
  let speaker: Side | null = null;
  let followed: Flow | null = null;
  let turns = 0;
  let numbers = 0;
  let atLineStart = true;
  /** What is said in this turn and not yet shown: a secret is known when its message is complete. */
  let waiting: Uint8Array[] = [];
  let size = 0;
  /** Bytes of each side so far: what came, what messages were made of, what was shown. */
  const came = { client: 0, server: 0 };
  const understood = { client: 0, server: 0 };
  const shownOf = { client: 0, server: 0 };
  const decoder = { client: new TextDecoder(), server: new TextDecoder() };

  const isFollowed = (flow: Flow): boolean =>
    flow.protocol === options.protocol && flow.stream === options.stream;
  const isDone = (): boolean => context.limit !== null && turns > context.limit;

  function show(): void {
    if (speaker === null || size === 0) {
      return;
    }
    const whole = waiting.length === 1 ? waiting[0]! : joined(waiting, size);
    const bytes = blotted(whole, 0, size, secrets.of(followed));
    const colour = speaker === 'client' ? paint.cyan : paint.green;
    if (options.hex) {
      append(out, `${hexLines(bytes, 0, size, '', shownOf[speaker]).map(colour).join('\n')}\n`);
    } else {
      const text = visible(decoder[speaker].decode(bytes, { stream: true }));
      append(out, colour(text));
      atLineStart = text.endsWith('\n');
    }
    shownOf[speaker] += size;
    waiting = [];
    size = 0;
  }

  function heading(flow: Flow, side: Side, at: number): string {
    const client = flow.ends[flow.clientEnd].text;
    const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
    const ends = side === 'client' ? `${client} → ${server}` : `${server} → ${client}`;
    return `${turns > 1 ? (atLineStart ? '\n' : '\n\n') : ''}${paint.bold(`── ${clock.text(at)}  ${ends}`)}\n`;
  }

  return {
    get done() {
      return isDone();
    },
    packet({ flow }) {
      if (flow !== null && flow.protocol === options.protocol) {
        numbers = Math.max(numbers, flow.stream + 1);
        if (flow.stream === options.stream) {
          followed = flow;
        }
      }
    },
    message(spoken, flow) {
      if (isFollowed(flow)) {
        secrets.hear(spoken, flow);
        understood[spoken.side] += spoken.message.bytes;
      }
    },
    trouble() {},
    closed(flow) {
      if (isFollowed(flow) && !isDone()) {
        show();
      }
    },
    bytes(flow, side, bytes, from, to, at) {
      if (!isFollowed(flow) || isDone()) {
        return;
      }
      followed = flow;
      if (side !== speaker) {
        show();
        turns++;
        speaker = side;
        if (isDone()) {
          return;
        }
        append(out, heading(flow, side, at));
      }
      came[side] += to - from;
      waiting.push(bytes.slice(from, to));
      size += to - from;
      // Everything belongs to a complete message: there is no secret still to be told.
      if (size >= MOST_WAITING || understood[side] === came[side]) {
        show();
      }
    },
    finish() {
      if (!isDone()) {
        show();
      }
      if (turns > 0) {
        append(out, atLineStart ? '\n' : '\n\n');
      } else if (followed !== null) {
        const [one, other] = followed.ends;
        append(out, `Neither ${one.text} nor ${other.text} said anything.\n`);
      }
    },
    complaint: () => (followed === null ? nothingFollowed(options, numbers) : null),
  };
}

function nothingFollowed({ protocol, stream }: FollowOptions, numbers: number): SockscopeError {
  const what = protocol === 6 ? 'TCP connection' : 'UDP conversation';
  const has =
    numbers === 0
      ? `No ${what} was seen`
      : numbers === 1
        ? 'The only one is #0'
        : `They are #0 to #${numbers - 1}`;
  return new SockscopeError(
    'FOLLOW',
    `There is no ${what} #${stream}.`,
    `${has}; --connections lists them${protocol === 6 ? ', and --udp follows a UDP conversation' : ''}.`,
    2,
  );
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Line ends stay; whatever else could move a cursor becomes a mark. */
function visible(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(/[^\P{Cc}\n\t]|[\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
