/** A question to DNS servers, one after the other: over UDP, over TCP when the answer was cut, again when nothing came. */
import { randomInt } from 'node:crypto';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import type { Reactor } from '../../reactor/reactor.ts';
import { durationText } from '../../session/quantities.ts';
import { rcodeName } from '../../wire/app/dns-names.ts';
import type { Name } from '../serve/dns/name.ts';
import { FLAG_RD } from '../serve/dns/query.ts';
import { writeMessage } from '../serve/dns/write.ts';
import { exchangeTcp, exchangeUdp, type Heard } from './dns/exchange.ts';
import { mismatch } from './dns/match.ts';
import { type Reply, readReply } from './dns/reply.ts';
import type { DnsServer } from './dns/servers.ts';

export interface DnsAsk {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly servers: readonly DnsServer[];
  /** TCP from the start. */
  readonly tcp: boolean;
  readonly recurse: boolean;
  /** What we take over UDP, as EDNS says it; null: without EDNS. */
  readonly bufferSize: number | null;
  readonly patienceNs: number;
  readonly tries: number;
}

export interface DnsAnswer {
  readonly reply: Reply;
  readonly server: DnsServer;
  readonly over: 'udp' | 'tcp';
  /** Of the exchange that gave this answer. */
  readonly tookNs: number;
  readonly size: number;
}

const ETIMEDOUT = -110;
const MOST = 0xffff;
/** With these another server may know better: SERVFAIL, NOTIMP, REFUSED. */
const UNWILLING = [2, 4, 5];

/** Null: nobody answered. `told` hears of everything that did not go well, as it happens. */
export async function askDns(
  reactor: Reactor,
  ask: DnsAsk,
  told: (sentence: string) => void,
): Promise<DnsAnswer | null> {
  let last: DnsAnswer | null = null;
  for (const [i, server] of ask.servers.entries()) {
    const answer = await askServer(reactor, ask, server, told);
    const rcode = answer === null ? '' : answer.reply.status;
    if (answer !== null && !UNWILLING.some((code) => rcodeName(code) === rcode)) {
      return answer;
    }
    last = answer ?? last;
    const next = ask.servers[i + 1];
    if (next !== undefined) {
      told(`${answer === null ? '' : `${placeOf(server)} says ${rcode}; `}asking ${placeOf(next)}`);
    }
  }
  return last;
}

async function askServer(
  reactor: Reactor,
  ask: DnsAsk,
  server: DnsServer,
  told: (sentence: string) => void,
): Promise<DnsAnswer | null> {
  const place = placeOf(server);
  for (let tried = 1; tried <= ask.tries; tried++) {
    const over = ask.tcp ? 'tcp' : 'udp';
    const { answer, errno } = await exchange(reactor, ask, server, over, told);
    if (answer !== null) {
      if (over === 'tcp' || !answer.reply.flags.includes('tc')) {
        return answer;
      }
      told(`${place} cut its answer over UDP (${answer.size} B); asking again over TCP`);
      const whole = await exchange(reactor, ask, server, 'tcp', told);
      if (whole.answer === null) {
        told(`${place} over TCP: ${trouble(whole.errno, ask)}; this is what came over UDP`);
      }
      return whole.answer ?? answer;
    }
    const again = ask.tries > 1 && errno === ETIMEDOUT ? ` (try ${tried} of ${ask.tries})` : '';
    told(`${place} over ${over.toUpperCase()}: ${trouble(errno, ask)}${again}`);
    if (errno !== ETIMEDOUT) {
      break;
    }
  }
  return null;
}

function exchange(
  reactor: Reactor,
  ask: DnsAsk,
  server: DnsServer,
  over: 'udp' | 'tcp',
  told: (sentence: string) => void,
): Promise<{ readonly answer: DnsAnswer | null; readonly errno: number }> {
  const id = randomInt(0x10000);
  const { name, type, class: klass } = ask;
  const written = writeMessage(
    {
      id,
      flags: ask.recurse ? FLAG_RD : 0,
      rcode: 0,
      question: { name, type, class: klass },
      edns: ask.bufferSize === null ? null : { size: ask.bufferSize, dnssec: false },
      answers: [],
      authority: [],
      additional: [],
      glue: false,
    },
    MOST,
  );
  return new Promise((resolve) => {
    const done = ({ bytes, errno, tookNs, ignored }: Heard): void => {
      for (const [why, times] of counted(ignored)) {
        told(`${placeOf(server)} sent ${why}${times > 1 ? `, ${times} times` : ''}: ignored`);
      }
      const reply = bytes === null ? null : readReply(bytes);
      resolve({
        answer: reply === null ? null : { reply, server, over, tookNs, size: bytes!.length },
        errno,
      });
    };
    (over === 'udp' ? exchangeUdp : exchangeTcp)(reactor, {
      server,
      message: written.bytes.slice(0, written.length),
      patienceNs: ask.patienceNs,
      refuse: (bytes, length) => mismatch(bytes, length, { id, name, type, class: klass }),
      done,
    });
  });
}

function counted(ignored: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const why of ignored) {
    times.set(why, (times.get(why) ?? 0) + 1);
  }
  return times;
}

function trouble(errno: number, { patienceNs }: DnsAsk): string {
  return errno === ETIMEDOUT
    ? `no answer within ${durationText(patienceNs)}`
    : `${errnoName(-errno)}, ${errnoMeaning(-errno)}`;
}

export function placeOf({ host, port }: DnsServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
