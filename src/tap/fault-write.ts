/** A planned fault as the text that `readFault` reads as the same fault. */

import { durationText } from '../session/quantities.ts';
import type { PlannedFault } from './fault.ts';
import { shortName, valueText } from './fault-attributes.ts';
import { faultWritten, usualName, usualStream } from './fault-names.ts';
import { quote, quoteIfNeeded } from './fault-tokens.ts';

const STREAMS = { upstream: 'up', downstream: 'down', both: 'both' } as const;

export function faultText(planned: PlannedFault): string {
  const clauses = clausesText(planned);
  const parts =
    planned.fault === 'reply'
      ? [replyText(planned, clauses.length > 0)]
      : [planned.fault, ...attributesText(planned)];
  parts.push(...clauses);
  const { when } = planned;
  if (when !== undefined) {
    parts.push('when', when.filter);
    if (when.nth !== undefined) {
      parts.push('nth', `${when.nth}`);
    }
    if (when.every !== undefined) {
      parts.push('every', `${when.every}`);
    }
    if (when.lasts !== undefined) {
      parts.push('for', durationText(when.lasts));
    }
  }
  return parts.join(' ');
}

function attributesText(planned: PlannedFault): string[] {
  const texts: string[] = [];
  const known = faultWritten(planned.fault)?.attributes ?? [];
  for (const attribute of known) {
    const value = planned.attributes[attribute.name];
    if (value === undefined || value === attribute.otherwise) {
      continue;
    }
    const short = shortName(attribute);
    const clear = known.filter((one) => shortName(one) === short).length === 1;
    texts.push(`${clear ? short : attribute.name}=${quoteIfNeeded(valueText(attribute, value))}`);
  }
  return texts;
}

function clausesText(planned: PlannedFault): string[] {
  const texts: string[] = [];
  if (planned.stream !== usualStream(planned.fault, planned.when !== undefined)) {
    texts.push(STREAMS[planned.stream]);
  }
  if (planned.toxicity !== 1) {
    texts.push('toxicity', `${planned.toxicity}`);
  }
  if (planned.client !== undefined) {
    texts.push('client', planned.client);
  }
  if (planned.connections !== undefined) {
    texts.push('connection', planned.connections);
  }
  if (planned.at !== undefined) {
    texts.push('at', durationText(planned.at));
  }
  if (planned.lasts !== undefined) {
    texts.push('for', durationText(planned.lasts));
  }
  if (planned.name !== usualName(planned.fault, planned.stream)) {
    texts.push(`name=${quoteIfNeeded(planned.name)}`);
  }
  return texts;
}

/** Without quotes, all up to `when` is the text of a reply; so quotes are needed when more follows. */
function replyText({ attributes }: PlannedFault, moreFollows: boolean): string {
  const text = `${attributes.text ?? ''}`;
  const plain = /^[^\s"'\\=](?:[^"'\\=\n\r\t]*[^\s"'\\=])?$/.test(text) && !/(?:^|\s)when(?:\s|$)/.test(text);
  return `reply ${quoteIfNeeded(`${attributes.protocol ?? ''}`)} ${plain && !moreFollows ? text : quote(text)}`;
}
