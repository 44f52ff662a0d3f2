/** `--match`: tells what a regular expression finds in the stream, across its pieces, and changes nothing. */
import { Seeker } from './rewrite-seek.ts';
import type { Stage, StageOut } from './stage.ts';

/** Of a match this much is told. */
const SHOWN = 200;
const SLICE = 16_384;
/** Nanoseconds: as for `--replace`. */
const QUIET = 20_000_000;

class Teller {
  readonly seeker: Seeker;
  private out: StageOut | null = null;

  constructor(pattern: string) {
    this.seeker = new Seeker(pattern, '');
  }

  feed(text: string, moment: 'more' | 'pause' | 'end', out: StageOut): void {
    this.out = out;
    this.seeker.feed(text, moment, this);
    this.out = null;
  }

  plain(): void {}

  match([found]: RegExpExecArray): void {
    if (found !== '') {
      this.out?.say(`match ${shown(found)}`);
    }
  }
}

function shown(found: string): string {
  const text = Buffer.from(found.slice(0, SHOWN), 'latin1').toString('utf8');
  return `${JSON.stringify(text)}${found.length > SHOWN ? ` … ${found.length} B` : ''}`;
}

/** The patterns are valid: `patternError` was asked, and `asBytes` has made bytes of them. */
export function createMatch(patterns: readonly string[]): Stage {
  const tellers = patterns.map((one) => new Teller(one));
  const told = (text: string, moment: 'more' | 'pause' | 'end', out: StageOut): void => {
    for (const teller of tellers) {
      teller.feed(text, moment, out);
    }
  };
  return {
    /** Nothing waits here: what is looked at again is a copy. */
    held: 0,
    data(bytes, readAt, out) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      out.pass(bytes, readAt);
      for (let at = 0; at < text.length; at += SLICE) {
        told(text.slice(at, at + SLICE), 'more', out);
      }
      const waits = tellers.some(({ seeker }) => seeker.kept > 0);
      out.wake(waits ? out.now + QUIET : Number.POSITIVE_INFINITY);
    },
    end(out) {
      told('', 'end', out);
      out.wake(Number.POSITIVE_INFINITY);
      out.end();
    },
    timer(out) {
      told('', 'pause', out);
    },
  };
}
