/** `serve proxy` as it was typed, as a plan. */
import { randomBytes } from 'node:crypto';
import type { Typed } from '../kind.ts';
import { readConfig } from './config.ts';
import { CACHE_BYTES, DEFAULTS, HEALTH_EVERY, type ProxyPlan, type Target } from './plan.ts';
import { readTarget } from './target.ts';
import { absolute, accessOf, balanceOf, directory, millis, REALM, size, usage } from './values.ts';

export async function planFrom({ words, options }: Typed): Promise<ProxyPlan> {
  if (words.length === 0) {
    throw usage(
      'There is nothing to lead to.',
      'Name upstreams, `sockscope serve proxy localhost:3000`, or a file with them.',
    );
  }
  const id = `sockscope-${randomBytes(4).toString('hex')}`;
  const [first = ''] = words;
  if (words.length === 1 && isConfig(first)) {
    const typed = Object.keys(options).filter((name) => options[name] !== undefined);
    if (typed.length > 0) {
      throw usage(
        `With a file, --${dashed(typed[0]!)} is said in the file.`,
        'Write it there; docs/proxy.md has every name.',
      );
    }
    return readConfig(first, id);
  }
  const cacheBytes = options.cache === undefined ? CACHE_BYTES : size(String(options.cache));
  return {
    id,
    cacheBytes,
    stale: options.stale === true,
    status: options.status === true,
    routes: [
      {
        ...DEFAULTS,
        prefix: '/',
        targets: words.map(target),
        balance: balanceOf(String(options.balance ?? 'round-robin')),
        health:
          options.health === undefined
            ? null
            : { path: absolute(String(options.health), '--health'), everyMs: HEALTH_EVERY },
        tryFiles: options.tryFiles === undefined ? '' : directory(String(options.tryFiles)),
        access: accessOf(list(options.auth), list(options.bearer), REALM),
        compress: options.compress === true,
        timeoutMs: options.timeout === undefined ? DEFAULTS.timeoutMs : millis(String(options.timeout)),
      },
    ],
  };
}

function isConfig(word: string): boolean {
  return /\.(ya?ml|json)$/i.test(word) || (word.includes('/') && !word.includes(':'));
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function list(value: unknown): readonly string[] {
  return value === undefined ? [] : [value].flat().map(String);
}

function target(word: string): Target {
  const read = readTarget(word);
  if (typeof read === 'string') {
    throw usage(`${read}.`, 'Write 3000, localhost:3000, https://host/base or unix:/path.');
  }
  return read;
}
