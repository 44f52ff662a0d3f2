/** A line per packet, and under the segment that completed a message, the message. */
import { type Heard, heard } from '../../wire/heard.ts';
import type { Lane } from '../../wire/lane.ts';
import { layers } from '../../wire/layers.ts';
import { printable } from '../../wire/printable.ts';
import { blotted } from '../../wire/secrets.ts';
import { flowSecrets } from './flow-secrets.ts';
import { asciiLines, hexLines } from './hexdump.ts';
import { messageText } from './message-line.ts';
import { packetLines } from './packet-line.ts';
import { append, judge, ownerText, type WireContext, type WireView } from './view.ts';

export interface PacketsOptions {
  readonly quiet: boolean;
  /** Every header's fields below the line. */
  readonly verbose: boolean;
  readonly bytes: 'none' | 'hex' | 'hex and text' | 'text';
}

const INDENT = ' '.repeat(17);

export function packetsView(context: WireContext, options: PacketsOptions): WireView {
  const { out, paint } = context;
  const matches = judge(context);
  const lines = packetLines({
    clock: context.clock,
    paint,
    device: context.device,
    quiet: options.quiet,
    owner: (flow, end) => ownerText(context.owner(flow, end)),
  });
  const secrets = flowSecrets(context.reveal);
  const room = (context.width ?? Number.POSITIVE_INFINITY) - INDENT.length;
  let pending: Heard[] = [];
  let troubles: string[] = [];
  let shown = 0;

  function write(text: string): void {
    append(out, text);
  }

  function below(lane: Lane): void {
    const { headers } = lane;
    if (options.verbose) {
      for (const layer of layers(headers)) {
        const fields = layer.fields.map(
          (field) =>
            `${paint.dim(field.name.slice(layer.name.length + 1) || field.name)} ${printable(field.text)}`,
        );
        write(`${INDENT}${paint.bold(layer.title)}  ${fields.join('  ')}\n`);
      }
    }
    if (options.bytes !== 'none') {
      const start = headers.netAt >= 0 ? headers.netAt : headers.from;
      const end = headers.reassembled ? headers.netEnd : headers.to;
      const from = options.bytes === 'text' && headers.payloadAt >= 0 ? headers.payloadAt : start;
      const bytes = blotted(headers.bytes, from, end, secrets.of(lane.flow));
      const all =
        options.bytes === 'text'
          ? asciiLines(bytes, 0, bytes.length, INDENT)
          : hexLines(bytes, 0, bytes.length, INDENT);
      for (const line of all) {
        write(`${options.bytes === 'hex' ? line.slice(0, line.lastIndexOf(' |')).trimEnd() : line}\n`);
      }
    }
  }

  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet(lane) {
      if (!this.done && matches(lane, lane.flow, pending)) {
        shown++;
        lines.write(out, lane);
        if (!options.quiet) {
          for (const message of pending) {
            write(INDENT);
            write(messageText(message, paint, room));
            write('\n');
          }
          for (const trouble of troubles) {
            write(`${INDENT}${paint.yellow(trouble)}\n`);
          }
        }
        if (options.verbose || options.bytes !== 'none') {
          below(lane);
        }
      }
      if (pending.length > 0) {
        pending = [];
      }
      if (troubles.length > 0) {
        troubles = [];
      }
    },
    message(spoken, flow) {
      if (options.bytes !== 'none') {
        secrets.hear(spoken, flow);
      }
      if (!options.quiet || context.filter?.needsMessages === true) {
        pending.push(heard(spoken, context.reveal, context.filter === null));
      }
    },
    trouble({ decoder, side, why }) {
      troubles.push(`${decoder.name}: ${printable(why)} (from the ${side})`);
    },
    closed() {},
    finish() {},
  };
}
