/** Runs `sockscope dial rpc ADDRESS Method [JSON…]`. */
import type { Readable } from 'node:stream';
import { SockscopeError } from '../errors.ts';
import { type RpcCall, type RpcVersion, readCall, readParams } from '../make/dial/rpc/message.ts';
import { openRpc, type RpcClient, type RpcOutcome, type RpcPlan } from '../make/dial/rpc.ts';
import { duration } from '../view/units.ts';
import { readDialWish } from './dial-flags.ts';
import { readHttpPlan } from './dial-http-flags.ts';
import { fileText, timeOf, whole } from './dial-http-values.ts';
import type { DialIo } from './dial-io.ts';

export interface RpcFlags {
  readonly v1?: boolean;
  readonly v2?: boolean;
  readonly notify?: boolean;
  readonly batch?: string;
  readonly timeout?: string;
  readonly repeat?: string;
  readonly insecure?: boolean;
  readonly cacert?: string;
  readonly json?: boolean;
  readonly silent?: boolean;
}

const USUAL_PATIENCE_NS = 10e9;
const MOST_REPEATS = 1_000_000;
const NS_PER_US = 1000;

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('RPC_USAGE', message, hint, 2);
}

async function planOf(address: string, flags: RpcFlags, input: Readable): Promise<RpcPlan> {
  const { v1, v2, insecure, cacert, timeout } = flags;
  if (v1 === true && v2 === true) {
    throw usage(
      '--v1 and --v2 exclude each other.',
      '1.0 is the usual one over a stream, 2.0 over HTTP and WebSocket.',
    );
  }
  const patience = timeOf('--timeout', timeout) ?? USUAL_PATIENCE_NS;
  const version = (usual: RpcVersion): RpcVersion => (v2 === true ? 2 : v1 === true ? 1 : usual);
  const tls = { ...(insecure === true ? { insecure } : {}) };
  if (/^https?:\/\//i.test(address)) {
    const http = { ...tls, jsonBody: '', ...(cacert === undefined ? {} : { cacert }) };
    const plan = await readHttpPlan(address, http, input);
    return { to: { kind: 'http', plan }, where: plan.url.href, version: version(2), patience };
  }
  const dial = { ...tls, ...(cacert === undefined ? {} : { ca: cacert }) };
  const wish = readDialWish([address], dial, null);
  const plan = { ...wish.plan, patience };
  const { scheme, host, port, path } = plan;
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (scheme) {
    case 'tcp':
    case 'tls':
      return { to: { kind: 'stream', plan }, where: place, version: version(1), patience };
    case 'unix':
      return { to: { kind: 'stream', plan }, where: path, version: version(1), patience };
    case 'ws':
    case 'wss':
      return {
        to: { kind: 'ws', plan },
        where: `${scheme}://${place}${path || '/'}`,
        version: version(2),
        patience,
      };
    default:
      throw usage(
        `JSON-RPC is not spoken over ${scheme}.`,
        'localhost:1234, unix:/x.sock, tls://…, http://…, https://…, ws://… or wss://….',
      );
  }
}

async function linesOf(file: string, input: Readable): Promise<readonly string[]> {
  if (file !== '-') {
    return fileText('--batch', file).toString().split('\n');
  }
  const chunks: Buffer[] = [];
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk as Uint8Array));
  }
  return Buffer.concat(chunks).toString().split('\n');
}

async function callsOf(words: readonly string[], { batch }: RpcFlags, input: Readable): Promise<RpcCall[]> {
  const [method, ...params] = words;
  if (batch === undefined) {
    if (method === undefined) {
      throw usage('Which method?', 'sockscope dial rpc :1234 Arith.Multiply \'{"A":7,"B":8}\'');
    }
    const call = readParams(method, params);
    if (typeof call === 'string') {
      throw usage(`${call}.`, `Each argument is JSON: '{"A":7}', 5, '"text"' with its quotation marks.`);
    }
    return [call];
  }
  if (method !== undefined) {
    throw usage('--batch has its methods in the file.', 'Leave the method out.');
  }
  const calls = (await linesOf(batch, input)).flatMap((line, index): RpcCall[] => {
    if (line.trim() === '' || line.startsWith('#')) {
      return [];
    }
    const call = readCall(line);
    if (typeof call === 'string') {
      throw usage(
        `${batch}:${index + 1}: ${call}.`,
        'A line is a method and its arguments: Arith.Add {"A":1,"B":2}',
      );
    }
    return [call];
  });
  if (calls.length === 0) {
    throw usage(
      `${batch} has no calls in it.`,
      'A line is a method and its arguments: Arith.Add {"A":1,"B":2}',
    );
  }
  return calls;
}

/** What a server says of a call, as our own errors are said. */
function refusalOf({ call, answer }: RpcOutcome): SockscopeError | null {
  if (answer instanceof SockscopeError) {
    return answer;
  }
  if (answer.kind === 'result') {
    return null;
  }
  const code = answer.code === null ? '' : ` (${answer.code})`;
  const data = answer.data === undefined ? '' : `, ${JSON.stringify(answer.data)}`;
  const what = `${call.method} answered an error${code}: ${answer.message}${data}`;
  return new SockscopeError(
    'RPC_ERROR',
    `${what}.`,
    'That is what the server says; its log may say more.',
    1,
  );
}

function jsonOf(outcome: RpcOutcome): string {
  const { call, id, ns, answer } = outcome;
  const said =
    answer instanceof SockscopeError
      ? { failure: { code: answer.code, message: answer.message } }
      : answer.kind === 'result'
        ? { result: answer.result }
        : {
            error: {
              code: answer.code,
              message: answer.message,
              ...(answer.data === undefined ? {} : { data: answer.data }),
            },
          };
  return `${JSON.stringify({ v: 1, type: 'answer', method: call.method, id, ns, ...said })}\n`;
}

/** The exit code: 1 when a call of a batch failed. A single one that failed is thrown. */
export async function runRpc(words: readonly string[], flags: RpcFlags, io: DialIo): Promise<number> {
  const [address, ...rest] = words;
  if (address === undefined) {
    throw usage('Which address?', 'sockscope dial rpc :1234 Arith.Multiply \'{"A":7,"B":8}\'');
  }
  const plan = await planOf(address, flags, io.input);
  const times = whole('--repeat', flags.repeat ?? '1', 1, MOST_REPEATS);
  if (times > 1 && (flags.batch !== undefined || flags.notify === true)) {
    throw usage('--repeat is for one call that is answered.', 'Leave out --batch and --notify.');
  }
  const calls = await callsOf(rest, flags, io.input);
  const cancel = new AbortController();
  const silence = io.onInterrupt(() => cancel.abort());
  try {
    const client = await openRpc(plan, cancel.signal);
    if (client instanceof SockscopeError) {
      throw client;
    }
    try {
      return await (flags.notify === true ? notify(client, calls) : ask(client, calls, times, flags, io));
    } finally {
      client.close();
    }
  } finally {
    silence();
  }
}

async function notify(client: RpcClient, calls: readonly RpcCall[]): Promise<number> {
  const failure = await client.notify(calls);
  if (failure !== null) {
    throw failure;
  }
  return 0;
}

async function ask(
  client: RpcClient,
  calls: readonly RpcCall[],
  times: number,
  flags: RpcFlags,
  io: DialIo,
): Promise<number> {
  const show = (outcome: RpcOutcome): void => {
    const { answer } = outcome;
    if (flags.json === true) {
      io.output.write(jsonOf(outcome));
    } else if (!(answer instanceof SockscopeError) && answer.kind === 'result') {
      io.output.write(`${JSON.stringify(answer.result, null, io.output.isTTY === true ? 2 : 0)}\n`);
    }
  };
  if (calls.length > 1 || flags.batch !== undefined) {
    const outcomes = await client.batch(calls);
    const refusals = outcomes.map((outcome) => {
      show(outcome);
      const refusal = refusalOf(outcome);
      if (refusal !== null) {
        io.errors.write(`error: ${refusal.message}\n`);
      }
      return refusal;
    });
    return refusals.every((each) => each === null) ? 0 : 1;
  }
  const took: number[] = [];
  for (let index = 0; index < times; index++) {
    const outcome = await client.call(calls[0]!);
    if (index === 0 || outcome.answer instanceof SockscopeError) {
      show(outcome);
    }
    const refusal = refusalOf(outcome);
    if (refusal !== null) {
      throw refusal;
    }
    took.push(outcome.ns);
  }
  if (times > 1) {
    tellTimes(took, flags, io);
  }
  return 0;
}

function tellTimes(took: readonly number[], { json, silent }: RpcFlags, io: DialIo): void {
  const sorted = [...took].sort((a, b) => a - b);
  const [min, median, max] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  if (json === true) {
    io.output.write(
      `${JSON.stringify({ v: 1, type: 'repeat', calls: took.length, first: took[0], min, median, max })}\n`,
    );
  } else if (silent !== true) {
    const text = (ns: number): string => duration(ns / NS_PER_US);
    io.errors.write(
      `${took.length} calls: first ${text(took[0]!)}, min ${text(min)}, median ${text(median)}, max ${text(max)}\n`,
    );
  }
}
