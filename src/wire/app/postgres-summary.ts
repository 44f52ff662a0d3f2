/** PostgreSQL's messages in a line. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { asLiteral, oneLine } from './sql.ts';
import { shortened } from './text.ts';

export function summary(message: Message, fields: Values): string {
  return shortened(oneLine(summarised(message, fields)), 200);
}

function summarised({ name }: Message, fields: Values): string {
  if (fields['error.message'] !== undefined) {
    const detail = fields['error.detail'] === undefined ? '' : ` (${fields['error.detail']})`;
    return `${fields['error.severity'] ?? 'ERROR'} ${fields['error.code'] ?? ''} ${fields['error.message']}${detail}`;
  }
  if (fields['notice.message'] !== undefined) {
    return `${fields['notice.severity'] ?? 'NOTICE'} ${fields['notice.code'] ?? ''} ${fields['notice.message']}`;
  }
  if (typeof fields.query === 'string') {
    const verb = name === 'Parse' || name === 'Bind' || name === 'Describe' ? `${name}: ` : '';
    return `${verb}${shortened(fields.query, 400)}${parameters(fields.parameters)}`;
  }
  switch (name) {
    case 'Startup':
      return `Startup${named(fields, ['user', 'database', 'application_name', 'parameter.replication'])}`;
    case 'Ready':
      return `Ready: PostgreSQL ${fields['parameter.server_version'] ?? '?'}, process ${fields['backend.pid'] ?? '?'}`;
    case 'Authentication':
      return `Authentication ${fields.authentication}${Array.isArray(fields.mechanisms) ? ` ${fields.mechanisms.join(' ')}` : ''}`;
    case 'SASLInitialResponse':
      return `SASLInitialResponse ${fields.mechanism}`;
    case 'Skipped':
      return 'skipped: an earlier request of the group failed';
    case 'TransactionFailed':
      return 'the transaction has failed: only ROLLBACK is obeyed';
    case 'Notification':
      return `Notification ${fields.channel} ${asLiteral(fields.payload)} from process ${fields.process}`;
    case 'Close':
      return fields.portal === undefined
        ? `Close statement ${fields.statement}`
        : `Close portal ${fields.portal}`;
    case 'CopyFail':
      return `CopyFail: ${fields.reason}`;
    case 'CopyDone':
      return `CopyDone: ${fields['copy.bytes']} B`;
    case 'CancelRequest':
      return `CancelRequest for process ${fields.process}`;
    case 'ParameterStatus':
      return `ParameterStatus${named(fields, Object.keys(fields))}`;
    case 'NegotiateProtocolVersion':
      return `NegotiateProtocolVersion: at most ${fields.protocol}`;
    case 'Suspended':
      return `Suspended: more rows wait${rows(fields)}`;
    default:
      return `${typeof fields.tag === 'string' ? fields.tag : name}${copied(fields)}${rows(fields)}`;
  }
}

function named(fields: Values, names: readonly string[]): string {
  return names
    .filter((name) => fields[name] !== undefined)
    .map((name) => ` ${name.replace(/^parameter\./, '')}=${fields[name]}`)
    .join('');
}

function parameters(values: Value | undefined): string {
  return Array.isArray(values) && values.length > 0
    ? ` [${values
        .slice(0, 8)
        .map((value, i) => `$${i + 1}=${asLiteral(value)}`)
        .join(', ')}]`
    : '';
}

function copied(fields: Values): string {
  return fields.copy === undefined ? '' : ` (${fields['copy.bytes']} B copied)`;
}

/** The first row, with names; the columns when there is no row. */
function rows(fields: Values): string {
  const { columns, rows: kept } = fields;
  if (!Array.isArray(columns)) {
    return '';
  }
  const first: Value | undefined = Array.isArray(kept) ? kept[0] : undefined;
  if (!Array.isArray(first)) {
    return ` (${columns.slice(0, 12).join(', ')})`;
  }
  const cells = first.slice(0, 8).map((value, i) => `${columns[i] ?? i}=${asLiteral(value)}`);
  const more = typeof fields.count === 'number' && fields.count > 1 ? ', …' : '';
  return ` (${cells.join(' ')}${more})`;
}
