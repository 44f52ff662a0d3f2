/** One conversation as it was spoken: the client's bytes and the server's, in order, in turns. */
import type { Side } from '../../wire/app/decoder.ts';
import { hexLines } from './hexdump.ts';
import { append, type WireContext, type WireView } from './view.ts';

export interface FollowOptions {
  /** tcp or udp, and the number that --connections shows. */
  readonly protocol: 6 | 17;
  readonly stream: number;
  readonly hex: boolean;
}

export function followView(context: WireContext, options: FollowOptions): WireView {
  const { out, paint, clock } = context;
  let speaker: Side | null = null;
  let found = false;
  const decoder = {
    client: new TextDecoder(),
    server: new TextDecoder(),
  };
  return {
    done: false,
    packet() {},
    message() {},
    trouble() {},
    closed() {},
    bytes(flow, side, bytes, from, to, at) {
      if (flow.protocol !== options.protocol || flow.stream !== options.stream) {
        return;
      }
      const colour = side === 'client' ? paint.cyan : paint.green;
      if (side !== speaker) {
        const client = flow.ends[flow.clientEnd].text;
        const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
        const heading = side === 'client' ? `${client} → ${server}` : `${server} → ${client}`;
        append(out, `${found ? '\n' : ''}${paint.bold(`── ${clock.text(at)}  ${heading}`)}\n`);
        speaker = side;
        found = true;
      }
      if (options.hex) {
        append(out, `${hexLines(bytes, from, to).map(colour).join('\n')}\n`);
      } else {
        append(out, colour(shown(decoder[side].decode(bytes.subarray(from, to), { stream: true }))));
      }
    },
    finish() {
      append(out, found ? '\n' : '');
    },
  };
}

/** Line ends stay; whatever else could move a cursor becomes a mark. */
function shown(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(/[^\P{Cc}\n\t]|[\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
