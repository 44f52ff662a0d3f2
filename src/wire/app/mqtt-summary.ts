/** One line about a packet of MQTT. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { oneLine } from './lines-shown.ts';

const MAX_PAYLOAD = 150;
const MAX_LISTED = 20;

export function summary(message: Message, fields: Values): string {
  const { packet, topic, reason, id } = fields;
  const number = id === undefined ? '' : ` #${String(id)}`;
  switch (packet) {
    case 'CONNECT': {
      const user = fields.user === undefined ? '' : ` as ${String(fields.user)}`;
      return oneLine(
        `CONNECT ${String(fields.client_id) || '(no id)'}${user}, MQTT ${String(fields.version)}`,
      );
    }
    case 'PUBLISH': {
      const how = [
        fields.qos === 0 ? null : `qos ${String(fields.qos)}`,
        fields.retain === true ? 'retain' : null,
        fields.dup === true ? 'dup' : null,
      ].filter((word) => word !== null);
      return oneLine(['PUBLISH', String(topic), ...how, quoted(fields.payload)].join(' '));
    }
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      return oneLine(`${packet} ${list(fields.topics)}`);
    case 'SUBACK':
    case 'UNSUBACK':
      return oneLine(`${packet}${number} ${list(fields.reasons)}`.trim());
    default: {
      const why = reason === undefined || reason === 'success' ? '' : ` ${String(reason)}`;
      const detail = fields['property.reason'] === undefined ? '' : `: ${String(fields['property.reason'])}`;
      return oneLine(`${message.name}${number}${why}${detail}`);
    }
  }
}

function list(value: Value | undefined): string {
  return Array.isArray(value) ? (value as readonly Value[]).slice(0, MAX_LISTED).join('; ') : '';
}

/** JSON has quotes enough. */
function quoted(payload: Value | undefined): string {
  const text = String(payload ?? '').slice(0, MAX_PAYLOAD);
  return text.includes('"') ? text : `"${text}"`;
}
