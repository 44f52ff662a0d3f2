/** A client for JSON-RPC: calls that wait for the answers with their ids. */
import { SockscopeError } from '../../errors.ts';
import { durationText } from '../../session/quantities.ts';
import { firstBytes } from './http/failure.ts';
import type { HttpPlan } from './http/plan.ts';
import type { DialPlan } from './kind.ts';
import { type RpcAnswer, type RpcCall, type RpcVersion, readAnswer, requestText } from './rpc/message.ts';
import { failed, httpWay, type RpcWay, streamWay, webSocketWay } from './rpc/way.ts';

export interface RpcPlan {
  readonly to:
    | { readonly kind: 'stream' | 'ws'; readonly plan: DialPlan }
    | { readonly kind: 'http'; readonly plan: HttpPlan };
  /** As people write it. */
  readonly where: string;
  readonly version: RpcVersion;
  /** Nanoseconds for each call. */
  readonly patience: number;
}

export interface RpcOutcome {
  readonly call: RpcCall;
  readonly id: number;
  /** Nanoseconds from the call to its answer. */
  readonly ns: number;
  readonly answer: Exclude<RpcAnswer, { kind: 'strange' }> | SockscopeError;
}

export interface RpcClient {
  call(call: RpcCall): Promise<RpcOutcome>;
  /** In 2.0 one text with all of them; in 1.0, which has no batches, one after the other without waiting. In the order of the calls. */
  batch(calls: readonly RpcCall[]): Promise<RpcOutcome[]>;
  /** Nothing comes back. */
  notify(calls: readonly RpcCall[]): Promise<SockscopeError | null>;
  close(): void;
}

interface Pending {
  readonly settle: (answer: RpcOutcome['answer']) => void;
}

export async function openRpc(plan: RpcPlan, cancelled: AbortSignal): Promise<RpcClient | SockscopeError> {
  const { where, version, patience, to } = plan;
  const pending = new Map<number, Pending>();
  let next = 1;
  let ended: SockscopeError | null = null;

  const settle = (id: number, answer: RpcOutcome['answer']): void => {
    pending.get(id)?.settle(answer);
    pending.delete(id);
  };
  const settleAll = (why: SockscopeError): void => {
    for (const id of [...pending.keys()]) {
      settle(id, why);
    }
  };
  const heard = (value: unknown, text: string): void => {
    const answer = readAnswer(value);
    const [oldest] = pending.keys();
    if (oldest === undefined) {
      return;
    }
    if (answer.kind === 'strange') {
      const shown = firstBytes(Buffer.from(text));
      settle(
        oldest,
        failed(
          'STRANGE',
          `What ${where} answered is no answer of JSON-RPC: ${answer.why}: ${shown}.`,
          'Look at what it speaks.',
        ),
      );
    } else if (typeof answer.id === 'number' && pending.has(answer.id)) {
      settle(answer.id, answer);
    } else if (answer.kind === 'error' && answer.id === null) {
      // It could not even read the id of what it refuses.
      settle(oldest, answer);
    } else {
      const ids = [...pending.keys()].slice(0, 5).join(', ');
      settle(
        oldest,
        failed(
          'OTHER_ID',
          `${where} answered with the id ${JSON.stringify(answer.id)}, and not ${ids}.`,
          'It has to repeat the id of the request.',
        ),
      );
    }
  };
  const ear = {
    text(text: string): void {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        const shown = firstBytes(Buffer.from(text));
        settleAll(
          failed(
            'NOT_JSON',
            `What ${where} answered is not JSON: ${shown}.`,
            'It may speak another protocol.',
          ),
        );
        return;
      }
      for (const one of Array.isArray(value) && value.length > 0 ? value : [value]) {
        heard(one, text);
      }
    },
    ended(why: SockscopeError): void {
      ended ??= why;
      settleAll(why);
    },
  };
  const way: RpcWay | SockscopeError =
    to.kind === 'http'
      ? httpWay(to.plan, where, ear, cancelled)
      : to.kind === 'ws'
        ? await webSocketWay(to.plan, where, ear, cancelled)
        : await streamWay(to.plan, where, ear, cancelled);
  if (way instanceof SockscopeError) {
    return way;
  }
  const interrupt = (): void =>
    settleAll(
      failed(
        'INTERRUPTED',
        'Interrupted before the answer came.',
        'The call may have been done all the same.',
      ),
    );
  cancelled.addEventListener('abort', interrupt, { once: true });

  function waitFor(call: RpcCall, id: number): Promise<RpcOutcome> {
    const began = process.hrtime.bigint();
    return new Promise((resolve) => {
      const limit = setTimeout(() => {
        settle(
          id,
          failed(
            'TIMEOUT',
            `${where} did not answer ${call.method} within ${durationText(patience)}.`,
            '--timeout 60s waits longer; the call may be done all the same.',
          ),
        );
      }, patience / 1e6);
      pending.set(id, {
        settle(answer) {
          clearTimeout(limit);
          resolve({ call, id, ns: Number(process.hrtime.bigint() - began), answer });
        },
      });
      if (ended !== null) {
        settle(id, ended);
      }
    });
  }

  const callOne = (call: RpcCall): Promise<RpcOutcome> => {
    const id = next++;
    const outcome = waitFor(call, id);
    way.send(requestText(call, version, id), true);
    return outcome;
  };

  return {
    call: callOne,
    batch(calls) {
      if (version === 1) {
        return Promise.all(calls.map(callOne));
      }
      const first = next;
      next += calls.length;
      const outcomes = calls.map((call, index) => waitFor(call, first + index));
      way.send(`[${calls.map((call, index) => requestText(call, version, first + index)).join(',')}]`, true);
      return Promise.all(outcomes);
    },
    async notify(calls) {
      const texts = calls.map((call) => requestText(call, version, null));
      if (version === 1) {
        for (const text of texts) {
          way.send(text, false);
        }
      } else {
        way.send(texts.length === 1 ? texts[0]! : `[${texts.join(',')}]`, false);
      }
      await way.drained();
      return ended;
    },
    close() {
      cancelled.removeEventListener('abort', interrupt);
      way.close();
    },
  };
}
