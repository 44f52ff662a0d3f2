/** For tests: a cache with a clock, and an origin that is written down. A transcript is what each step came to. */
import { Cache, type CacheSettings, type FromCache, type Question } from './cache.ts';
import type { Fields } from './fields.ts';
import { fieldOf } from './fields.ts';
import { dateText } from './http-date.ts';
import type { Head } from './stored.ts';

export const BEGIN = Date.UTC(2026, 0, 1);

/** `Cache-Control: no-cache ¦ Accept: x` */
export function fieldsFrom(text: string): string[] {
  return text
    .split('¦')
    .filter((one) => one.trim() !== '')
    .flatMap((one) => {
      const at = one.indexOf(':');
      return [one.slice(0, at).trim(), one.slice(at + 1).trim()];
    });
}

export interface Step {
  /** `miss 200 stored`, `hit 304`, `stale 200 stale-if-error`, `504`, `502`. */
  readonly came: string;
  readonly fields: Fields;
  readonly body: string;
  /** What the origin was asked with; null: it was not. */
  readonly forwarded: Fields | null;
}

export class World {
  readonly cache: Cache;
  now = BEGIN;
  #origin: string;

  constructor(origin: string, settings: Partial<CacheSettings> = {}) {
    this.cache = new Cache({ bytes: 1_000_000, staleWhenDown: false, ...settings });
    this.#origin = origin;
  }

  /** `+10 GET /a Accept: x ¦ Range: bytes=0-1 → 200 ETag: "1"`: seconds later, what is asked, and from now on the origin's answer. */
  step(text: string): Step {
    const [asks = '', answers] = text.split(' → ');
    if (answers !== undefined) {
      this.#origin = answers;
    }
    const found = /^(?:\+([\d.]+) )?([A-Z]+) (\S+) ?(.*)$/.exec(asks)!;
    this.now += Number(found[1] ?? 0) * 1000;
    const uri = `http://origin${found[3]!}`;
    const verdict = this.cache.ask({ method: found[2]!, uri, fields: fieldsFrom(found[4]!) }, this.now);
    if (verdict.do === 'refuse') {
      return { came: '504', fields: [], body: '', forwarded: null };
    }
    return verdict.do === 'answer' ? told(verdict, null) : this.forward(verdict.question);
  }

  forward(question: Question): Step {
    if (this.#origin === 'down') {
      const instead = this.cache.failed(question, this.now);
      return instead === null
        ? { came: '502', fields: [], body: '', forwarded: question.fields }
        : told(instead, question.fields);
    }
    const head = this.#head();
    const outcome = this.cache.answered(question, head, this.now);
    if (outcome.do === 'again') {
      return this.forward(outcome.question);
    }
    if (outcome.do === 'answer') {
      return told(outcome, question.fields);
    }
    const body = fieldOf(head.fields, 'x-body') ?? 'body';
    outcome.keeper?.add(Buffer.from(body));
    outcome.keeper?.end();
    const stored = outcome.keeper === null ? '' : ' stored';
    const word = question.why === 'method' || question.why === 'bypass' ? 'bypass' : 'miss';
    return {
      came: `${word} ${head.status}${stored}`,
      fields: head.fields,
      body,
      forwarded: question.fields,
    };
  }

  /** `200 Last-Modified: -100 ¦ ETag: "1"`; dates as seconds from now. */
  #head(): Head {
    const found = /^(\d+) ?(.*)$/.exec(this.#origin)!;
    const fields = fieldsFrom(found[2]!).map((value, i, all) =>
      /^(date|expires|last-modified)$/i.test(all[i - 1] ?? '') && /^[+-]\d+$/.test(value)
        ? dateText(this.now + Number(value) * 1000)
        : value,
    );
    const dated = fieldOf(fields, 'date') === undefined ? [...fields, 'Date', dateText(this.now)] : fields;
    return { status: Number(found[1]), message: '', fields: dated };
  }
}

function told({ how, answer, detail }: FromCache, forwarded: Fields | null): Step {
  return {
    came: `${how} ${answer.status}${detail === '' ? '' : ` ${detail}`}`,
    fields: answer.fields,
    body: String(answer.body ?? ''),
    forwarded,
  };
}
