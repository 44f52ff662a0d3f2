/** `sockscope dial http -I URL URL…`: a look at many addresses at once. */
import { setMaxListeners } from 'node:events';
import { createHttpClient, type HttpEar } from '../make/dial/http.ts';
import { painter, wantsColour } from '../view/colour.ts';
import { type Checked, checkLine, checkSummary } from '../view/make/http-check.ts';
import { type HttpFlags, readHttpPlan, readUrl } from './dial-http-flags.ts';
import { fileText, usage } from './dial-http-values.ts';
import type { DialIo } from './dial-io.ts';

const AT_ONCE = 16;
const NOBODY: HttpEar = { head() {}, body() {}, exchange() {} };

/** A line each; empty ones and those with `#` in front are none. */
function listed(path: string): string[] {
  return fileText('--urls', path)
    .toString()
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The exit code: 1 when one of them failed, by the network or with a status from 400 on. */
export async function runHttpCheck(typed: readonly string[], flags: HttpFlags, io: DialIo): Promise<number> {
  if (flags.head !== true) {
    throw usage('Several addresses are looked at with -I.', 'sockscope dial http -I URL URL…');
  }
  if (flags.output !== undefined || flags.repeat !== undefined) {
    throw usage('-o and --repeat are for one address.', 'Leave them out, or give one address.');
  }
  const addresses = [...typed, ...(flags.urls === undefined ? [] : listed(flags.urls))];
  const [first] = addresses;
  if (first === undefined) {
    throw usage(`${flags.urls} has no addresses in it.`, 'It has one on each line.');
  }
  // All of them are read before the first is asked.
  const urls = addresses.map(readUrl);
  const plan = await readHttpPlan(first, flags, io.input);
  const paint = painter(wantsColour(io.output.isTTY === true, process.env));
  const client = createHttpClient(plan);
  const cancel = new AbortController();
  setMaxListeners(AT_ONCE, cancel.signal);
  const silence = io.onInterrupt(() => cancel.abort());
  const all: Checked[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < urls.length && !cancel.signal.aborted) {
      const at = next++;
      const facts = await client.request(NOBODY, cancel.signal, { url: urls[at]! });
      const checked = { url: addresses[at]!, facts, ok: facts.failure === null && facts.status < 400 };
      all.push(checked);
      io.output.write(
        flags.json === true
          ? `${JSON.stringify({ v: 1, type: 'check', ok: checked.ok, ...facts })}\n`
          : `${checkLine(checked, paint)}\n`,
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, urls.length) }, work));
  } finally {
    silence();
    client.close();
  }
  const failed = all.filter(({ ok }) => !ok).length;
  if (flags.json === true) {
    const slowest = all.reduce((most, one) => (one.facts.total > most.facts.total ? one : most), all[0]!);
    io.output.write(
      `${JSON.stringify({ v: 1, type: 'summary', ok: all.length - failed, failed, slowest: slowest.url })}\n`,
    );
  } else if (flags.silent !== true) {
    io.errors.write(`${checkSummary(all, paint)}\n`);
  }
  return failed === 0 && all.length === urls.length ? 0 : 1;
}
