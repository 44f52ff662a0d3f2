/** The DNS server itself: over UDP and TCP alike, with a line for each query. */
import { rcodeName, typeName } from '../../../wire/app/dns-names.ts';
import type { RawHouse, RawService } from '../kind.ts';
import { type Answer, REFUSED } from './answer.ts';
import { readForeign } from './foreign.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { keyOf, shortName } from './name.ts';
import type { DnsPlan } from './plan.ts';
import { FLAG_CD, FLAG_RD, type Query, type Question, readQuery } from './query.ts';
import {
  cutShort,
  limitFor,
  type Manners,
  MOST_TCP,
  refusal,
  respond,
  type Said,
  SERVFAIL,
  sayAnswer,
} from './respond.ts';
import { DnsTalk } from './talk.ts';
import { writeMessage } from './write.ts';
import { zoneOf } from './zone.ts';

/** Where a query came from, and how it is answered. `send` gives what was sent, or -errno. */
interface Asker {
  readonly client: string;
  readonly from: string;
  readonly tcp: boolean;
  send(bytes: Uint8Array | null, length: number): number;
}

export function dnsService(house: RawHouse, plan: DnsPlan): RawService {
  const manners: Manners = {
    zones: new Map(plan.zones.map((zone) => [keyOf(zone.origin), zoneOf(zone)])),
    forwards: plan.forward !== null,
    udpSize: plan.udpSize,
  };
  const forwarder = plan.forward === null ? null : createForwarder(house.reactor, plan.forward);
  for (const warning of plan.warnings) {
    house.say(warning);
  }

  const asked = (bytes: Uint8Array, asker: Asker): void => {
    const began = house.now();
    const query = readQuery(bytes, 0, bytes.length);
    if (query === null) {
      asker.send(null, 0);
      return;
    }
    const allowed = house.allows(asker.client);
    const said = allowed ? respond(query, asker.tcp, manners) : refusal(query, REFUSED, asker.tcp, manners);
    if ('begun' in said) {
      const open = { bytes, query: query as Known, asker, began };
      if (said.begun === null) {
        forward(house, forwarder!, plan, manners, open);
      } else {
        follow(house, forwarder!, plan, manners, open, said.begun);
      }
      return;
    }
    const { truncated, length } = said.written;
    const sent = asker.send(said.written.bytes, length);
    tell(house, query, asker, began, bytes.length, sent, said, [
      allowed ? '' : 'asked too often (--rate)',
      said.note,
      truncated ? 'truncated' : '',
    ]);
  };

  return {
    datagram(from, bytes, length, answer) {
      const host = from.kind === 'unix' ? from.path : from.host;
      const port = from.kind === 'unix' ? 0 : from.port;
      asked(bytes.subarray(0, length), {
        client: host,
        from: placed(host, port),
        tcp: false,
        send: (bytes, length) => (bytes === null ? 0 : answer(bytes, 0, length)),
      });
    },
    visit: (stream, visit) =>
      new DnsTalk(stream, visit, (bytes, { client, peer }, send) =>
        asked(bytes, { client, from: peer, tcp: true, send }),
      ),
    close: () => forwarder?.close(),
  };
}

type Known = Query & { readonly question: Question };

interface Open {
  readonly bytes: Uint8Array;
  readonly query: Known;
  readonly asker: Asker;
  readonly began: number;
}

function forward(house: RawHouse, to: Forwarder, plan: DnsPlan, manners: Manners, open: Open): void {
  const { bytes, query, asker, began } = open;
  const received = bytes.length;
  const limit = limitFor(query, asker.tcp, manners);
  to.ask(bytes, query, asker.tcp ? 0 : limit, (answer, why) => {
    const upstream = `forwarded to ${placed(plan.forward!.host, plan.forward!.port)}`;
    if (answer === null) {
      const said = refusal(query, SERVFAIL, asker.tcp, manners);
      const sent = asker.send(said.written.bytes, said.written.length);
      tell(house, query, asker, began, received, sent, said, [`${upstream}: ${why}`]);
      return;
    }
    const written = answer.length > limit ? cutShort(query, answer, limit, manners) : null;
    const sent = asker.send(written?.bytes ?? answer, written?.length ?? answer.length);
    const said = { rcode: answer[3]! & 15, answers: (answer[6]! << 8) | answer[7]! };
    tell(house, query, asker, began, received, sent, said, [
      upstream,
      written !== null || (answer[2]! & 2) !== 0 ? 'truncated' : '',
    ]);
  });
}

/** Our own answer ends with an alias of a name that is not ours: the upstream's answer about that one is put behind it. */
function follow(
  house: RawHouse,
  to: Forwarder,
  plan: DnsPlan,
  manners: Manners,
  open: Open,
  begun: Answer,
): void {
  const { bytes, query, asker, began } = open;
  const received = bytes.length;
  const question = { ...query.question, name: begun.leads! };
  const written = writeMessage(
    {
      id: 0,
      flags: query.flags & (FLAG_RD | FLAG_CD),
      rcode: 0,
      question,
      edns: { size: plan.udpSize, dnssec: false },
      answers: [],
      authority: [],
      additional: [],
      glue: false,
    },
    MOST_TCP,
  );
  const message = written.bytes.slice(0, written.length);
  const asked = { ...readQuery(message, 0, message.length)!, question };
  to.ask(message, asked, 0, (answer, why) => {
    const theirs = answer === null ? null : readForeign(answer);
    const whole =
      theirs === null || answer === null
        ? refusal(query, SERVFAIL, asker.tcp, manners)
        : sayAnswer(
            query,
            {
              ...begun,
              rcode: answer[3]! & 15,
              answers: [...begun.answers, ...theirs.answers],
              authority: [...theirs.authority],
            },
            asker.tcp,
            manners,
          );
    const sent = asker.send(whole.written.bytes, whole.written.length);
    const problem = answer === null ? `: ${why}` : theirs === null ? ': its answer cannot be read' : '';
    tell(house, query, asker, began, received, sent, whole, [
      `${shortName(question.name)} forwarded to ${placed(plan.forward!.host, plan.forward!.port)}${problem}`,
      whole.written.truncated ? 'truncated' : '',
    ]);
  });
}

function tell(
  house: RawHouse,
  query: Query,
  asker: Asker,
  began: number,
  received: number,
  sent: number,
  { rcode, answers }: Pick<Said, 'rcode' | 'answers'>,
  notes: readonly string[],
): void {
  const now = house.now();
  const fine = rcode !== SERVFAIL && sent >= 0;
  if (!house.wantsLines) {
    house.counted(now - began, received, Math.max(0, sent), fine);
    return;
  }
  const { question } = query;
  house.access({
    at: began,
    from: asker.from,
    what: question === null ? 'no question' : `${typeName(question.type)} ${shortName(question.name)}`,
    result: rcode === 0 ? `NOERROR ${answers}` : rcodeName(rcode),
    fine,
    took: now - began,
    received,
    sent: Math.max(0, sent),
    note: [asker.tcp ? 'tcp' : 'udp', ...notes.filter((note) => note !== '')].join(', '),
  });
}

function placed(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
