/** Runs `sockscope dial http URL`: the body to standard output, how it went to standard error. */
import { SockscopeError } from '../errors.ts';
import type { Head } from '../make/dial/http/exchange.ts';
import type { HttpPlan } from '../make/dial/http/plan.ts';
import { createHttpClient, type HttpClient } from '../make/dial/http.ts';
import type { HttpExchangeFacts } from '../session/http-exchange.ts';
import { painter, wantsColour } from '../view/colour.ts';
import { exchangeLines, redirectLine, repeatLines, repeatTimes } from '../view/make/http-phases.ts';
import { runHttpCheck } from './dial-http-check.ts';
import { type HttpFlags, readHttpPlan } from './dial-http-flags.ts';
import { type BodySink, fileSink, streamSink } from './dial-http-output.ts';
import { usage, whole } from './dial-http-values.ts';
import type { DialIo } from './dial-io.ts';
import { optionLines, optionsAsMade } from './options-made.ts';

const MOST_REPEATS = 100_000;

/** The exit code: 0, or 1 with --fail and a status from 400 on. What could not be done is thrown. */
export async function runHttp(urls: readonly string[], flags: HttpFlags, io: DialIo): Promise<number> {
  if (urls.length > 1 || flags.urls !== undefined) {
    return runHttpCheck(urls, flags, io);
  }
  const [address] = urls;
  if (address === undefined) {
    throw usage('Which address?', 'sockscope dial http http://localhost:8080/');
  }
  const plan = await readHttpPlan(address, flags, io.input);
  const times = whole('--repeat', flags.repeat ?? '1', 1, MOST_REPEATS);
  if (flags.http2 === true && plan.url.protocol === 'http:' && flags.silent !== true) {
    io.errors.write('http:// has no TLS to agree on HTTP/2 in: --http2-prior-knowledge begins with it.\n');
  }
  const toFile = flags.output !== undefined && flags.output !== '-';
  const sink = toFile ? fileSink(flags.output) : streamSink(io.output, flags.output === '-');
  const cancel = new AbortController();
  const silence = io.onInterrupt(() => cancel.abort());
  const client = createHttpClient(plan);
  try {
    const last = await runAll(client, { plan, flags, io, sink, times, toFile }, cancel.signal);
    if (last.failure !== null) {
      const { code, message, hint } = last.failure;
      throw new SockscopeError(code, message, hint, code === 'HTTP_TLS_FILES' ? 2 : 1);
    }
    const refused = flags.fail === true && last.status >= 400;
    if (refused) {
      sink.drop();
    } else {
      sink.keep();
    }
    return refused ? 1 : 0;
  } finally {
    sink.drop();
    silence();
    client.close();
  }
}

interface Run {
  readonly plan: HttpPlan;
  readonly flags: HttpFlags;
  readonly io: DialIo;
  readonly sink: BodySink;
  readonly times: number;
  readonly toFile: boolean;
}

/** What was asked last: the first that failed, or the last of all. */
async function runAll(client: HttpClient, run: Run, cancelled: AbortSignal): Promise<HttpExchangeFacts> {
  const { plan, flags, io, times } = run;
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  const onTerminal = (io.errors as { readonly isTTY?: boolean }).isTTY === true;
  const paint = painter(wantsColour(onTerminal, { NO_COLOR, FORCE_COLOR, TERM }));
  const say = (lines: readonly string[]): void => {
    if (flags.silent !== true && flags.json !== true) {
      io.errors.write(`${lines.join('\n')}\n`);
    }
  };
  const options = optionLines(optionsAsMade(plan.sockopt, 'tcp'));
  if (options.length > 0) {
    say(options.map(paint.dim));
  }
  const body = bodyOf(run);
  const all: HttpExchangeFacts[] = [];
  for (let index = 0; ; index++) {
    const shows = index === 0;
    const last = await client.request(
      {
        head: (head) => (shows ? body.head(head) : undefined),
        body: (bytes) => (shows ? body.write(bytes) : undefined),
        exchange(facts) {
          if (flags.json === true) {
            io.output.write(`${JSON.stringify({ v: 1, type: 'exchange', ...facts })}\n`);
            return;
          }
          if (facts.redirect !== null) {
            say([redirectLine(facts, facts.redirect, paint)]);
          }
          if ((shows && facts.redirect?.followed !== true) || flags.verbose === true) {
            body.endLine();
            say(exchangeLines(facts, paint));
          }
        },
      },
      cancelled,
    );
    all.push(last);
    if (last.failure !== null || index + 1 >= times) {
      const sum = times === 1 ? null : repeatTimes(all, client.opened);
      if (sum !== null && flags.json === true) {
        io.output.write(`${JSON.stringify({ v: 1, type: 'repeat', url: plan.url.href, ...sum })}\n`);
      } else if (sum !== null) {
        say(repeatLines(sum));
      }
      return last;
    }
  }
}

interface Body {
  head(head: Head): void;
  write(bytes: Uint8Array): Promise<void> | void;
  /** What follows on the same terminal begins on a line of its own. */
  endLine(): void;
}

const LF = 10;

function bodyOf({ flags, io, sink, toFile }: Run): Body {
  let last = LF;
  let muted = false;
  const isMuted = (): boolean => muted || (flags.json === true && !toFile);
  return {
    head({ status, version, statusText, fields }) {
      muted = flags.fail === true && status >= 400;
      if (flags.head === true || flags.include === true) {
        const lines = [
          `${version} ${status} ${statusText}`.trimEnd(),
          ...fields.map(([name, value]) => `${name}: ${value}`),
        ];
        if (!isMuted()) {
          void sink.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
        }
      }
    },
    write(bytes) {
      if (isMuted()) {
        return;
      }
      const taken = sink.write(bytes);
      last = bytes.at(-1) ?? last;
      return taken;
    },
    endLine() {
      if (last !== LF && io.output.isTTY === true && flags.output === undefined) {
        io.output.write('\n');
        last = LF;
      }
    },
  };
}
