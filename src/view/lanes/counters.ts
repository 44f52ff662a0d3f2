/** What the kernels counted, at the end: `server: ListenOverflows +3`. */
import type { Gauge } from '../../session/events.ts';
import type { Painter } from '../colour.ts';
import type { Glyphs } from './glyphs.ts';
import type { Layout } from './layout.ts';
import { clean, paintLine, piece, wrap } from './text.ts';

/** Of one host: more is no summary. */
const MOST = 10;
/** Traffic as such, which the drawing shows. */
const PLAIN =
  /^(Ip|IpExt|Ip6|Icmp6)\.|Octets|(In|Out)(Segs|Datagrams|Msgs|Type\d+)$|(Active|Passive)Opens|PureAcks|HPHits|HPAcks|OrigDataSent|TCPDelivered$|TCPAutoCorking|CurrEstab|HystartTrain/;

export function counterLines(
  gauges: readonly Gauge[],
  layout: Layout,
  paint: Painter,
  glyphs: Glyphs,
  ascii: boolean,
): string[] {
  const bySubject = new Map<string, string[]>();
  for (const { subject, name, value } of gauges) {
    if (value === 0 || PLAIN.test(name)) {
      continue;
    }
    const list = bySubject.get(subject) ?? [];
    bySubject.set(subject, list);
    list.push(`${clean(name.slice(name.lastIndexOf('.') + 1), ascii)} ${value > 0 ? '+' : ''}${value}`);
  }
  const lines: string[] = [];
  for (const [subject, said] of bySubject) {
    const more = said.length > MOST ? `, ${glyphs.ellipsis} and ${said.length - MOST} more` : '';
    const text = `${clean(subject, ascii)}: ${said.slice(0, MOST).join(', ')}${more}`;
    lines.push(...wrap([piece(text, 'dim')], layout.columns).map((line) => paintLine(line, paint)));
  }
  return lines;
}
