/** What the lab's screens need to know of an experiment and of its outcome. */
import type { Event } from '../../session/events.ts';

export interface Told {
  readonly name: string;
  readonly theme: string;
  readonly asks: string;
  readonly question: string;
  readonly answers: Readonly<Record<string, string>>;
  readonly answer: string;
  readonly seconds: number;
  readonly shortened?: string;
  readonly knobs: Readonly<Record<string, number | boolean>>;
  readonly explanation: string;
  readonly remedy: string;
  readonly references: readonly string[];
  readonly twin: { readonly title: string };
}

export interface Judged {
  readonly how: 'passed' | 'failed' | 'skipped' | 'broken';
  readonly why?: string;
  readonly checks: readonly { readonly claim: string; readonly ok: boolean; readonly seen: string }[];
  readonly moment?: Event;
  readonly because?: readonly { readonly why: string; readonly event: Event }[];
  readonly tookMs: number;
  readonly missing: readonly string[];
  readonly tracing: { readonly on: true } | { readonly on: false; readonly why: string };
}
