/** `serve --show-syscalls`: the same server once more as a traced program, so that what is shown is what the kernel was asked. */
import { constants } from 'node:os';
import { join } from 'node:path';
import { painter, wantsColour } from '../view/colour.ts';
import { callWords } from '../view/lanes/call-words.ts';
import { glyphsFor } from '../view/lanes/glyphs.ts';
import { paintLine } from '../view/lanes/text.ts';
import { forwardTo } from '../watch/syscalls/forward.ts';
import { type Exit, type TracedCall, traceProgram } from '../watch/syscalls/trace-program.ts';
import { warn } from './output.ts';

/** Calls that are about sockets by their name; reading, writing and closing only of what is a socket. */
const OF_SOCKETS =
  /^(socket|socketpair|bind|listen|accept4?|connect|getsockname|getpeername|[gs]etsockopt|shutdown|recv\w*|send\w*)$/;
const OF_ANYTHING = /^(read|readv|write|writev|close|splice|sendfile)$/;
const FLAG = '--show-syscalls';

export async function showSyscalls(): Promise<void> {
  const paint = painter(wantsColour(process.stderr.isTTY === true, process.env));
  const glyphs = glyphsFor(false);
  let exit: Exit | null = null;
  let gone: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    gone = resolve;
  });

  function show(call: TracedCall): void {
    const about = OF_SOCKETS.test(call.name) || (OF_ANYTHING.test(call.name) && call.tuple !== undefined);
    // A call that waits comes twice; what it came to is what counts.
    if (!about || call.took === null || call.errno === 'EAGAIN') {
      return;
    }
    const words = callWords({ ...call, host: '' }, false, glyphs);
    warn(
      `${paint.dim(`[${call.tid}]`)} ${paintLine([...words.head, { text: ' ', tone: 'plain' }, ...words.tail], paint)}`,
    );
  }

  const trace = traceProgram({
    command: process.execPath,
    args: process.argv.slice(1).filter((word) => word !== FLAG),
    env: process.env,
    stdio: ['inherit', 'inherit', 'inherit'],
    start: { monotonic: process.hrtime.bigint(), realtime: BigInt(Date.now()) * 1_000_000n },
    entry: join(__dirname, 'trace-worker.js'),
    onCalls: (batch) => batch.forEach(show),
    onExit(how) {
      exit = how;
    },
    onTrouble: warn,
    onGone: () => gone(),
  });
  const stopForwarding = forwardTo(trace, () => exit !== null);
  try {
    await trace.pid();
    await over;
  } finally {
    stopForwarding();
  }
  const how = exit as Exit | null;
  process.exitCode =
    how === null ? 0 : (how.code ?? 128 + (how.signal === null ? 0 : constants.signals[how.signal]));
}
