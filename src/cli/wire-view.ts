/** From what was asked to the view that shows it. */
import { hostname } from 'node:os';
import { connectionsView } from '../view/wire/connections.ts';
import { fieldsView } from '../view/wire/fields.ts';
import { followView } from '../view/wire/follow.ts';
import { harView } from '../view/wire/har.ts';
import { jsonView } from '../view/wire/json.ts';
import { messagesView } from '../view/wire/messages.ts';
import { packetsView } from '../view/wire/packets.ts';
import { statisticsView } from '../view/wire/statistics.ts';
import type { WireContext, WireView } from '../view/wire/view.ts';
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { version } from './version.ts';
import type { WireWish } from './wire-options.ts';

/** The moment that `at` counts from. */
export interface Began {
  readonly iso: string;
  readonly ns: bigint;
  readonly uncertaintyNs: number;
  readonly netns: number;
}

export function viewFor(wish: WireWish, context: WireContext, began: Began): WireView {
  if (wish.json && wish.what !== 'stats') {
    return jsonView(context, {
      what: wish.what === 'messages' || wish.what === 'connections' ? wish.what : 'packets',
      host: hostname(),
      netns: began.netns,
      startedAt: { iso: began.iso, ns: began.ns },
      uncertaintyNs: began.uncertaintyNs,
    });
  }
  switch (wish.what) {
    case 'messages':
      return messagesView(context, wish.verbose);
    case 'connections':
      return connectionsView(context);
    case 'stats':
      return statisticsView(context, wish.top, wish.json);
    case 'follow':
      return followView(context, {
        protocol: wish.followProtocol,
        stream: wish.follow,
        hex: wish.bytes !== 'none' && wish.bytes !== 'text',
      });
    case 'fields':
      return fieldsView(context, {
        names: wish.fields,
        vocabulary: vocabulary(decoders),
        startedAtNs: began.ns,
      });
    case 'har':
      return harView(context, { version, startedAtNs: began.ns });
    default:
      return packetsView(context, { quiet: wish.quiet, verbose: wish.verbose, bytes: wish.bytes });
  }
}
