/** A DNS answer as text: everything, as dig's long form, or its data alone. */
import type { Painter } from '../colour.ts';
import { duration, several } from '../units.ts';

export interface DnsRecordView {
  readonly name: string;
  readonly ttl: number;
  readonly class: string;
  readonly type: string;
  readonly data: string;
}

export interface DnsReplyView {
  readonly id: number;
  readonly opcode: string;
  readonly status: string;
  readonly flags: readonly string[];
  readonly question: { readonly name: string; readonly class: string; readonly type: string } | null;
  readonly answer: readonly DnsRecordView[];
  readonly authority: readonly DnsRecordView[];
  readonly additional: readonly DnsRecordView[];
  readonly edns: {
    readonly version: number;
    readonly udp: number;
    readonly dnssec: boolean;
    readonly options: readonly string[];
  } | null;
  readonly malformed: string;
}

export interface DnsAnswerView {
  readonly reply: DnsReplyView;
  /** `127.0.0.1:53` */
  readonly server: string;
  readonly over: 'udp' | 'tcp';
  readonly tookNs: number;
  readonly size: number;
}

/** The data of the answers, a line each. */
export function dnsShortText({ reply }: DnsAnswerView): string {
  return reply.answer.map(({ data }) => `${data}\n`).join('');
}

export function dnsAnswerText({ reply, server, over, tookNs, size }: DnsAnswerView, paint: Painter): string {
  const { question, edns } = reply;
  const paintStatus = reply.status === 'NOERROR' ? paint.green : paint.red;
  const counts = [
    several(reply.answer.length, 'answer'),
    `${reply.authority.length} authority`,
    `${reply.additional.length} additional`,
  ];
  const head = [
    `${paint.bold(paintStatus(reply.status))}  ${reply.opcode} ${reply.id}, ${counts.join(', ')}`,
    `flags ${reply.flags.join(' ')}${flagsText(reply.flags)}`,
  ];
  if (edns !== null) {
    const options = edns.options.map((option) => `, ${option}`).join('');
    head.push(
      `EDNS version ${edns.version}, takes ${edns.udp} B over UDP${edns.dnssec ? ', do' : ''}${options}`,
    );
  }
  const parts = [head.map((line) => `${line}\n`).join('')];
  if (question !== null) {
    parts.push(section('question', [`${question.name}  ${question.class}  ${question.type}`], paint));
  }
  const widest = widths([...reply.answer, ...reply.authority, ...reply.additional]);
  for (const title of ['answer', 'authority', 'additional'] as const) {
    parts.push(
      section(
        title,
        reply[title].map((record) => recordText(record, widest)),
        paint,
      ),
    );
  }
  if (reply.malformed !== '') {
    parts.push(`${paint.red(`malformed: ${reply.malformed}`)}\n`);
  }
  const about = `${duration(tookNs / 1000)}, ${over} ${server}, ${size} B`;
  return `${parts.filter((part) => part !== '').join('\n')}\n${paint.dim(about)}\n`;
}

/** What the two flags that people stumble over mean here. */
function flagsText(flags: readonly string[]): string {
  const cut = flags.includes('tc') ? ' (tc: it was cut)' : '';
  const refused =
    flags.includes('rd') && !flags.includes('ra') ? ' (no ra: this server asks nobody else)' : '';
  return `${cut}${refused}`;
}

interface Widths {
  readonly name: number;
  readonly ttl: number;
  readonly type: number;
}

/** Long names stand alone and do not push the others away. */
const WIDEST_NAME = 40;

function widths(records: readonly DnsRecordView[]): Widths {
  const most = (text: (record: DnsRecordView) => string): number =>
    Math.max(0, ...records.map((record) => text(record).length));
  return {
    name: Math.min(
      WIDEST_NAME,
      most(({ name }) => name),
    ),
    ttl: most(({ ttl }) => String(ttl)),
    type: most(({ type }) => type),
  };
}

function recordText(record: DnsRecordView, widest: Widths): string {
  const name = record.name.padEnd(widest.name);
  return `${name}  ${String(record.ttl).padStart(widest.ttl)}  ${record.class}  ${record.type.padEnd(widest.type)}  ${record.data}`;
}

function section(title: string, lines: readonly string[], paint: Painter): string {
  return lines.length === 0
    ? ''
    : `${paint.dim(title)}\n${lines.map((line) => `  ${line.trimEnd()}\n`).join('')}`;
}
