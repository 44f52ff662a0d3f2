/** A request on its way through the cache to whoever can answer it, and back: the same for `proxy` and `forward`. */
import type { Cache, CacheRequest, FromCache, Outcome, Question } from '../../cache/cache.ts';
import type { Collapse, Signal } from '../../cache/collapse.ts';
import { endToEnd, type Fields, fieldOf } from '../../cache/fields.ts';
import type { Keeper } from '../../cache/keeper.ts';
import { type CacheWord, type Fate, statusText, withStatus, wordOf } from '../../cache/status.ts';
import type { Head } from '../../cache/stored.ts';
import type { Exchange, WebResponse } from '../web/handler.ts';
import type { Came } from './ask.ts';
import type { Refusal } from './failure.ts';
import { cut, plain, prepare, sendStream, sendWhole } from './reply.ts';

export interface Reached {
  readonly kind: 'reached';
  readonly came: Came;
  /** As the client is to have it. */
  readonly head: Head;
}

export interface NotReached {
  readonly kind: 'not reached';
  /** Null: the client is gone. */
  readonly refusal: Refusal | null;
  /** The origin is down, as far as anybody can tell. */
  readonly down: boolean;
}

export interface Job {
  readonly request: CacheRequest;
  readonly compress: boolean;
  /** `exchange` is null when nobody waits: a stale answer is asked about. */
  send(fields: Fields, exchange: Exchange | null): Promise<Reached | NotReached>;
}

export type Tally = Record<CacheWord, number>;

export interface Relay {
  /** Null: there is none, and nothing is said about it. */
  readonly cache: Cache | null;
  readonly collapse: Collapse;
  readonly tally: Tally;
}

/** From here on a status says nothing about what else will come. */
const FAILED = 500;
const NOTHING: Fate = { question: null, fwdStatus: null, from: null, stored: false, collapsed: false };

export async function relay(
  { cache, collapse, tally }: Relay,
  job: Job,
  response: WebResponse,
  exchange: Exchange,
): Promise<void> {
  const { request, compress } = job;
  const accept = fieldOf(request.fields, 'accept-encoding');
  const told = (head: Head, fate: Fate): Head => {
    if (cache === null) {
      return head;
    }
    const word = wordOf(fate);
    tally[word]++;
    exchange.note(word);
    return { ...head, fields: withStatus(head.fields, statusText(fate)) };
  };
  const fromCache = (from: FromCache, fate: Fate) => {
    const { answer } = from;
    sendWhole(response, prepare(told(answer, { ...fate, from }), compress, accept), answer.body);
    if (from.detail === 'stale-if-error' || from.detail === 'origin-down') {
      exchange.note(from.detail);
    }
  };

  let question: Question | null = null;
  let leads = false;
  for (let collapsed = false; question === null; ) {
    const verdict = cache?.ask(request, Date.now()) ?? null;
    if (verdict === null) {
      break;
    }
    if (verdict.do === 'refuse') {
      plain(response, 504, 'not in the cache, and only-if-cached was asked for');
      return;
    }
    if (verdict.do === 'answer') {
      fromCache(verdict, { ...NOTHING, collapsed });
      if (verdict.refresh !== null) {
        void refresh(cache!, collapse, job, verdict.refresh);
      }
      return;
    }
    const waits = verdict.question.shareable ? collapse.join(request.uri, Date.now()) : undefined;
    leads = waits === null;
    if (waits && (await patiently(waits)) === 'look') {
      if (exchange.aborted) {
        return;
      }
      collapsed = true;
    } else {
      question = verdict.question;
    }
  }

  const done = (signal: 'look' | 'ask') => {
    if (leads) {
      leads = false;
      collapse.done(request.uri, signal);
    }
  };
  try {
    let reached = await job.send(question?.fields ?? request.fields, exchange);
    let outcome: Outcome = { do: 'pass', keeper: null };
    if (question !== null && reached.kind === 'reached') {
      outcome = cache!.answered(question, reached.head, Date.now());
      if (outcome.do === 'again') {
        reached.came.message.resume();
        question = outcome.question;
        reached = await job.send(question.fields, exchange);
        outcome =
          reached.kind === 'reached'
            ? cache!.answered(question, reached.head, Date.now())
            : { do: 'pass', keeper: null };
      }
    }
    const fate: Fate = { ...NOTHING, question };
    if (reached.kind === 'not reached') {
      const { refusal, down } = reached;
      if (refusal === null) {
        done('look');
        // It may have closed its side only, and would hold the connection open for an answer that does not come.
        cut(response);
        return;
      }
      const instead = question !== null && down ? cache!.failed(question, Date.now()) : null;
      if (instead !== null) {
        exchange.note(refusal.text);
        fromCache(instead, fate);
      } else {
        exchange.note(refusal.text);
        plain(response, refusal.status, refusal.text);
      }
      return;
    }
    const { head, came } = reached;
    if (outcome.do === 'answer') {
      came.message.resume();
      done('look');
      fromCache(outcome, { ...fate, fwdStatus: head.status });
      return;
    }
    const keeper = outcome.do === 'pass' ? outcome.keeper : null;
    if (leads && keeper?.isForOthers !== true && head.status < FAILED) {
      leads = false;
      collapse.apart(request.uri, Date.now());
    } else if (keeper?.isForOthers !== true) {
      done('ask');
    }
    const shown = told(
      { ...head, fields: endToEnd(head.fields) },
      { ...fate, fwdStatus: head.status, stored: keeper !== null },
    );
    const body = prepare(shown, compress, accept);
    if (request.method === 'HEAD') {
      came.message.resume();
      sendWhole(response, body, null);
      return;
    }
    const flowing = fieldOf(head.fields, 'content-length') === undefined;
    const whole = await sendStream(response, body, came.message, flowing, (piece) => {
      came.beat();
      keeper?.add(piece);
      if (keeper?.keeping === false) {
        done('ask');
      }
    });
    keep(keeper, whole && came.message.complete);
    if (!whole) {
      exchange.note('cut off');
    }
    done('look');
  } finally {
    done('ask');
  }
}

/** Milliseconds: nobody waits longer for what somebody else asked for, whose client may be slow. */
const PATIENCE = 5000;

async function patiently(waits: Promise<Signal>): Promise<Signal> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Signal>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, 'ask');
  });
  const signal = await Promise.race([waits, late]);
  clearTimeout(timer);
  return signal;
}

function keep(keeper: Keeper | null, whole: boolean): void {
  if (whole) {
    keeper?.end();
  } else {
    keeper?.abandon();
  }
}

/** A stale answer has just been sent; the next one is to be fresh (RFC 5861, section 3). */
async function refresh(cache: Cache, collapse: Collapse, job: Job, question: Question): Promise<void> {
  const { uri } = question.request;
  if (!collapse.lead(uri)) {
    return;
  }
  try {
    const reached = await job.send(question.fields, null);
    if (reached.kind === 'reached') {
      const outcome = cache.answered(question, reached.head, Date.now());
      const { message, beat } = reached.came;
      const keeper = outcome.do === 'pass' ? outcome.keeper : null;
      message.on('data', (piece: Buffer) => {
        beat();
        keeper?.add(piece);
      });
      message.once('error', () => {});
      await new Promise((closed) => message.once('close', closed));
      keep(keeper, message.complete);
    }
  } finally {
    collapse.done(uri, 'look');
  }
}
