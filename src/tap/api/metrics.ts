/** GET /metrics: Toxiproxy's proxy counters in Prometheus' text format, version 0.0.4. */
import type { TapState } from '../control.ts';
import { placeText } from '../place.ts';
import { listenPlace } from './places.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The tap counts each direction once, as it comes in; what a fault swallows is in both counters. */
const COUNTERS = [
  ['toxiproxy_proxy_received_bytes_total', 'Bytes that came in, by the direction in which they travel.'],
  [
    'toxiproxy_proxy_sent_bytes_total',
    'The same bytes on their way out; those that a toxic swallowed are counted too.',
  ],
] as const;

export function metricsText(states: readonly TapState[]): string {
  if (states.length === 0) {
    return '';
  }
  const lines: string[] = [];
  for (const [name, help] of COUNTERS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
    for (const state of states) {
      const where = `listener="${label(placeText(listenPlace(state)))}",proxy="${label(state.plan.name)}",upstream="${label(placeText(state.plan.target))}"`;
      lines.push(`${name}{direction="downstream",${where}} ${state.fromServer}`);
      lines.push(`${name}{direction="upstream",${where}} ${state.fromClient}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function label(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
