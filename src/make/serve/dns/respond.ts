/** What a query gets: an answer of ours, or the word that somebody else has to give it. */
import { ANY, type Answer, answerTo, NOERROR, REFUSED } from './answer.ts';
import { FLAG_AA, FLAG_CD, FLAG_QR, FLAG_RA, FLAG_RD, type Query } from './query.ts';
import { type Message, type Written, writeMessage } from './write.ts';
import type { Zones } from './zone.ts';

export const FORMERR = 1;
export const SERVFAIL = 2;
const NOTIMP = 4;
const BADVERS = 16;
const IN = 1;
const LEAST_UDP = 512;
export const MOST_TCP = 65_535;
/** AXFR, IXFR, MAILB and MAILA: not what a test server is for. Types from 128 on that are no records (RFC 6895 section 3.1). */
const IXFR = 251;
const MAILA = 254;

export interface Manners {
  readonly zones: Zones;
  readonly forwards: boolean;
  /** What we send over UDP at most, whatever the client takes. */
  readonly udpSize: number;
}

export interface Said {
  readonly rcode: number;
  readonly answers: number;
  /** '' or `referral`. */
  readonly note: string;
  readonly written: Written;
}

/** The upstream is to be asked: about the question, or about the name that our own answer leads to. */
export interface Onward {
  readonly begun: Answer | null;
}

/** How much of an answer the client can take. */
export function limitFor(query: Query, tcp: boolean, { udpSize }: Manners): number {
  return tcp ? MOST_TCP : Math.min(udpSize, Math.max(LEAST_UDP, query.edns?.size ?? 0));
}

export function respond(query: Query, tcp: boolean, manners: Manners): Said | Onward {
  const { question, opcode, edns } = query;
  if (query.broken) {
    return refusal({ ...query, question: null, edns: null }, FORMERR, tcp, manners);
  }
  if (opcode !== 0) {
    return refusal(query, NOTIMP, tcp, manners);
  }
  if (edns !== null && edns.version > 0) {
    return refusal(query, BADVERS, tcp, manners);
  }
  if (question === null) {
    return refusal(query, FORMERR, tcp, manners);
  }
  const { type } = question;
  if ((question.class !== IN && question.class !== ANY) || (type >= IXFR && type <= MAILA)) {
    return refusal(query, REFUSED, tcp, manners);
  }
  const answer = answerTo(manners.zones, question.name, type, tcp);
  const asks = manners.forwards && (query.flags & FLAG_RD) !== 0;
  if (asks && (answer === null || answer.leads !== null)) {
    return { begun: answer };
  }
  if (answer === null) {
    return refusal(query, REFUSED, tcp, manners);
  }
  return sayAnswer(query, answer, tcp, manners);
}

export function refusal(query: Query, rcode: number, tcp: boolean, manners: Manners): Said {
  return sayAnswer(query, { ...EMPTY, rcode }, tcp, manners);
}

const EMPTY: Answer = {
  rcode: NOERROR,
  authoritative: false,
  referral: false,
  leads: null,
  answers: [],
  authority: [],
  additional: [],
};

export function sayAnswer(query: Query, answer: Answer, tcp: boolean, manners: Manners): Said {
  // Nobody can speak for all classes (RFC 1034 section 3.7.1).
  const authoritative = answer.authoritative && query.question?.class === IN;
  const message: Message = {
    id: query.id,
    flags:
      FLAG_QR |
      (query.opcode << 11) |
      (query.flags & (FLAG_RD | FLAG_CD)) |
      (authoritative ? FLAG_AA : 0) |
      (manners.forwards ? FLAG_RA : 0),
    rcode: answer.rcode,
    question: query.question,
    edns: query.edns === null ? null : { size: manners.udpSize, dnssec: query.edns.dnssec },
    answers: answer.answers,
    authority: answer.authority,
    additional: answer.additional,
    glue: answer.referral,
  };
  return {
    rcode: answer.rcode,
    answers: answer.answers.reduce((sum, { data }) => sum + data.length, 0),
    note: answer.referral ? 'referral' : '',
    written: writeMessage(message, limitFor(query, tcp, manners)),
  };
}

/** An answer of the upstream that does not fit: its header with TC, so that the client asks again over TCP. */
export function cutShort(query: Query, answer: Uint8Array, limit: number, manners: Manners): Written {
  const TC = 0x0200;
  return writeMessage(
    {
      id: query.id,
      flags: ((((answer[2]! << 8) | answer[3]!) & 0xfff0) | TC) & 0xffff,
      rcode: answer[3]! & 15,
      question: query.question,
      edns: query.edns === null ? null : { size: manners.udpSize, dnssec: query.edns.dnssec },
      answers: [],
      authority: [],
      additional: [],
      glue: false,
    },
    limit,
  );
}
