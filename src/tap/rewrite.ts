/**
 * `--replace`: regular expressions on a stream of bytes, each byte one character, whatever pieces it comes in. `^` and `$` are
 * the beginning and the end of the stream; with flag m, of its lines. Only bytes that may belong to a match that is not
 * complete are kept back, and those for QUIET at most.
 */
import type { Side } from '../wire/app/decoder.ts';
import type { Replacement } from './plan.ts';
import { type Moment, Seeker } from './rewrite-seek.ts';
import { type Filling, filled, filling } from './rewrite-text.ts';
import type { Stage, StageOut } from './stage.ts';

export { REWRITE_WINDOW } from './rewrite-seek.ts';
export { readReplacement, type TextError } from './rewrite-text.ts';

/** Nanoseconds. When nothing comes for so long, what has come is taken as it stands. */
export const REWRITE_QUIET = 20_000_000;
/** What one run of a pattern gets to see besides what was kept. */
const SLICE = 16_384;

/** One pattern and what it puts in a match's place. */
class Rewriter {
  readonly seeker: Seeker;
  hits = 0;
  private readonly filling: Filling;
  private out = '';

  constructor({ pattern, flags, text }: Replacement) {
    this.seeker = new Seeker(pattern, flags);
    this.filling = filling(text);
  }

  feed(text: string, moment: Moment): string {
    this.out = '';
    this.seeker.feed(text, moment, this);
    return this.out;
  }

  plain(text: string): void {
    this.out += text;
  }

  match(found: RegExpExecArray): void {
    this.hits++;
    this.out += filled(this.filling, found);
  }
}

/** Null when none of them is about what `from` sends. The patterns are valid: `readReplacement` made them. */
export function createRewrite(replacements: readonly Replacement[], from: Side): Stage | null {
  const mine = replacements.filter((one) => one.from === from || one.from === 'both');
  return mine.length === 0 ? null : new Rewrite(mine);
}

class Rewrite implements Stage {
  private readonly replacements: readonly Replacement[];
  private readonly rewriters: readonly Rewriter[];
  private readAt = 0;

  constructor(replacements: readonly Replacement[]) {
    this.replacements = replacements;
    this.rewriters = replacements.map((one) => new Rewriter(one));
  }

  get held(): number {
    let held = 0;
    for (const { seeker } of this.rewriters) {
      held += seeker.kept;
    }
    return held;
  }

  data(bytes: Uint8Array, readAt: number, out: StageOut): void {
    this.readAt = readAt;
    const untouched = this.held === 0;
    const before = this.hits();
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    let changed = '';
    for (let at = 0; at < text.length; at += SLICE) {
      changed += this.run(text.slice(at, at + SLICE), 'more', out);
    }
    const kept = this.held;
    if (untouched && this.hits() === before) {
      // The usual case: nothing found, and at most the end waits.
      this.emit(kept === 0 ? bytes : bytes.subarray(0, bytes.length - kept), out);
    } else {
      this.emit(Buffer.from(changed, 'latin1'), out);
    }
    out.wake(kept === 0 ? Number.POSITIVE_INFINITY : out.now + REWRITE_QUIET);
  }

  timer(out: StageOut): void {
    this.flush('pause', out);
  }

  end(out: StageOut): void {
    this.flush('end', out);
    out.wake(Number.POSITIVE_INFINITY);
    out.end();
  }

  removed(out: StageOut): void {
    this.flush('pause', out);
  }

  private flush(moment: Moment, out: StageOut): void {
    if (this.held > 0 || moment === 'end') {
      this.emit(Buffer.from(this.run('', moment, out), 'latin1'), out);
    }
  }

  private run(text: string, moment: Moment, out: StageOut): string {
    let next = text;
    for (let i = 0; i < this.rewriters.length; i++) {
      const rewriter = this.rewriters[i]!;
      const first = rewriter.hits === 0;
      next = rewriter.feed(next, moment);
      if (first && rewriter.hits > 0) {
        out.say(`replaced /${this.replacements[i]!.pattern}/`);
      }
    }
    return next;
  }

  private emit(bytes: Uint8Array, out: StageOut): void {
    if (bytes.length > 0) {
      out.pass(bytes, this.readAt);
    }
  }

  private hits(): number {
    let hits = 0;
    for (const rewriter of this.rewriters) {
      hits += rewriter.hits;
    }
    return hits;
  }
}
