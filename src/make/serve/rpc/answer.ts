/**
 * One JSON text in, its answer out: JSON-RPC 2.0 where the request says so, and otherwise 1.0 as Go's net/rpc/jsonrpc speaks it, down
 * to the order of the members and the words of its errors.
 */
import { type Call, INTERNAL, type Methods, type Problem } from './methods.ts';

/** Of a request, for the access line. */
export interface Asked {
  readonly what: string;
  readonly fine: boolean;
  readonly result: string;
}

export interface Answering {
  readonly methods: Methods;
  readonly later: Call['later'];
  /** One for each request of a text. */
  asked(asked: Asked): void;
}

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const NOT_FOUND = -32601;
const MOST_BATCH = 10_000;

/** `done` gets the answer without its line end; empty: there is none (notifications). */
export function answerTo(text: string, answering: Answering, done: (answer: string) => void): void {
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (error) {
    answering.asked({ what: 'not JSON', fine: true, result: String(PARSE_ERROR) });
    done(failure(null, { code: PARSE_ERROR, message: `this is not JSON: ${(error as Error).message}` }));
    return;
  }
  if (!Array.isArray(request)) {
    one(request, answering, done);
    return;
  }
  if (request.length === 0 || request.length > MOST_BATCH) {
    answering.asked({ what: 'batch', fine: true, result: String(INVALID_REQUEST) });
    const message = request.length === 0 ? 'an empty batch' : `a batch of more than ${MOST_BATCH}`;
    done(failure(null, { code: INVALID_REQUEST, message }));
    return;
  }
  const answers: string[] = [];
  let left = request.length;
  for (const each of request) {
    one(each, answering, (answer) => {
      if (answer !== '') {
        answers.push(answer);
      }
      if (--left === 0) {
        done(answers.length === 0 ? '' : `[${answers.join(',')}]`);
      }
    });
  }
}

function one(request: unknown, answering: Answering, done: (answer: string) => void): void {
  const { jsonrpc, method, params, id } = (
    typeof request === 'object' && request !== null ? request : {}
  ) as Readonly<Record<string, unknown>>;
  if (jsonrpc !== undefined || Array.isArray(request) || typeof request !== 'object') {
    second({ jsonrpc, method, params, id, silent: id === undefined }, answering, done);
  } else {
    first(method, params, id, answering, done);
  }
}

interface Second {
  readonly jsonrpc: unknown;
  readonly method: unknown;
  readonly params: unknown;
  readonly id: unknown;
  /** A notification: nothing is answered, not even an error. */
  readonly silent: boolean;
}

function second(
  { jsonrpc, method, params, id, silent }: Second,
  { methods, later, asked }: Answering,
  done: (answer: string) => void,
): void {
  const goodId = id === null || typeof id === 'string' || typeof id === 'number';
  const badParams = params !== undefined && (typeof params !== 'object' || params === null);
  if (jsonrpc !== '2.0' || typeof method !== 'string' || badParams || !(silent || goodId)) {
    asked({ what: 'invalid request', fine: true, result: String(INVALID_REQUEST) });
    const message = 'a request has jsonrpc "2.0", a method, and params that are a list or an object';
    done(failure(goodId ? id : null, { code: INVALID_REQUEST, message }));
    return;
  }
  const run = methods.find(method);
  const finish = (result: unknown, problem: Problem | null): void => {
    asked({
      what: method,
      fine: problem?.code !== INTERNAL,
      result: problem === null ? (silent ? 'notified' : 'ok') : String(problem.code),
    });
    if (silent) {
      done('');
    } else {
      done(
        problem === null
          ? `{"jsonrpc":"2.0","result":${JSON.stringify(result)},"id":${JSON.stringify(id)}}`
          : failure(id, problem),
      );
    }
  };
  if (run === undefined) {
    finish(null, { code: NOT_FOUND, message: `there is no method ${method}` });
  } else {
    run({ params, later }, finish);
  }
}

function failure(id: unknown, error: Problem): string {
  return `{"jsonrpc":"2.0","error":${JSON.stringify(error)},"id":${JSON.stringify(id)}}`;
}

function first(
  method: unknown,
  params: unknown,
  id: unknown,
  { methods, later, asked }: Answering,
  done: (answer: string) => void,
): void {
  const name = typeof method === 'string' ? method : '';
  const answer = (result: unknown, error: string | null): void => {
    asked({ what: name === '' ? 'invalid request' : name, fine: true, result: error ?? 'ok' });
    done(
      `{"id":${JSON.stringify(id ?? null)},"result":${JSON.stringify(result)},"error":${JSON.stringify(error)}}`,
    );
  };
  const dot = name.lastIndexOf('.');
  const run = methods.find(name);
  if (run !== undefined) {
    if (params === undefined || params === null) {
      answer(null, 'jsonrpc: request body missing params');
    } else {
      run({ params, later }, (result, problem) =>
        answer(problem === null ? result : null, problem?.message ?? null),
      );
    }
  } else if (dot < 0) {
    answer(null, `rpc: service/method request ill-formed: ${name}`);
  } else {
    const service = name.slice(0, dot);
    const known = methods.names().some((each) => each.startsWith(`${service}.`));
    answer(null, known ? `rpc: can't find method ${name}` : `rpc: can't find service ${name}`);
  }
}
