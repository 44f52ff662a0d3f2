/** How far a copy is: one line for a terminal. */
import { bytes, count, duration } from '../units.ts';

export interface CopyCounts {
  /** Complete, and known so far. */
  readonly files: number;
  readonly found: number;
  readonly bytes: number;
  readonly total: number;
  /** Bytes per second of late; null while nobody can say. */
  readonly rate: number | null;
}

const BAR = 20;
const NARROW = 60;

export function copyProgress({ files, found, bytes: now, total, rate }: CopyCounts, width: number): string {
  const share = total === 0 ? 0 : Math.min(1, now / total);
  const filled = Math.round(share * BAR);
  const left = rate === null || rate <= 0 ? null : Math.max(0, total - now) / rate;
  const parts = [
    ...(found > 1 ? [`${count(files)}/${count(found)} files`] : []),
    ...(width < NARROW ? [] : [`${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`]),
    `${Math.floor(share * 100)} %`,
    `${bytes(now)} of ${bytes(total)}`,
    ...(rate === null ? [] : [`${bytes(rate)}/s`]),
    ...(left === null ? [] : [`${duration(left * 1e6)} left`]),
  ];
  return parts.join('  ').slice(0, width - 1);
}

export interface CopySum {
  readonly files: number;
  readonly folders: number;
  readonly links: number;
  /** That went over the network. */
  readonly bytes: number;
  /** That were there from an earlier attempt. */
  readonly resumed: number;
  readonly failed: number;
  readonly seconds: number;
}

export function copySummary({
  files,
  folders,
  links,
  bytes: moved,
  resumed,
  failed,
  seconds,
}: CopySum): string {
  const things = [
    plural(files, 'file'),
    ...(folders > 0 ? [plural(folders, 'folder')] : []),
    ...(links > 0 ? [plural(links, 'link')] : []),
  ];
  const speed = seconds > 0 ? `, ${bytes(moved / seconds)}/s` : '';
  const before = resumed > 0 ? `; ${bytes(resumed)} were there already` : '';
  const missing = failed > 0 ? `; ${count(failed)} failed` : '';
  return `${things.join(', ')}, ${bytes(moved)} in ${duration(seconds * 1e6)}${speed}${before}${missing}`;
}

function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Bytes per second over the last seconds: a pause shows soon, a single slow moment hardly. */
export class CopyMeter {
  readonly #samples: { readonly ms: number; readonly bytes: number }[] = [];

  at(ms: number, bytes: number): number | null {
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && this.#samples[0]!.ms < ms - SPAN_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0]!;
    return ms - first.ms < LEAST_MS ? null : ((bytes - first.bytes) * 1000) / (ms - first.ms);
  }
}

const SPAN_MS = 5000;
const LEAST_MS = 300;
