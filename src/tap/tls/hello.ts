/** Reads a client's first flight as far as its ClientHello (RFC 8446, sections 4.1.2 and 5.1), however it was cut into pieces. */
import { numbers, protocols, readHello, serverName, u16, u24 } from '../../wire/app/tls-hello.ts';

export interface ClientHello {
  /** As the client wrote it; null without one. */
  readonly sni: string | null;
  /** Each byte one character (latin1): the names need not be text (RFC 7301, section 6). */
  readonly alpn: readonly string[];
  /** 0x0304 is TLS 1.3; GREASE included. */
  readonly versions: readonly number[];
}

export type HelloStep =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'not tls'; readonly why: string };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const LONGEST_RECORD = 16_384;
/** OpenSSL refuses beyond 128 KiB; real ones have 200 to 2000 bytes. */
export const LONGEST_HELLO = 64 * 1024;
const SUPPORTED_VERSIONS = 43;

const MORE: HelloStep = { kind: 'more' };

export interface HelloReader {
  /** Takes the next bytes. After `hello` or `not tls` the answer stays. The bytes are not kept. */
  take(bytes: Uint8Array): HelloStep;
}

export function helloReader(): HelloReader {
  const header = new Uint8Array(RECORD_HEADER);
  let headed = 0;
  let rest = 0;
  let message = new Uint8Array(MESSAGE_HEADER);
  let have = 0;
  let answer = MORE;

  /** Null while all is well. */
  function recordHeader(): string | null {
    if (header[0] !== HANDSHAKE || (headed > 1 && header[1] !== 3) || (headed > 2 && header[2]! > 4)) {
      return 'no TLS record';
    }
    if (headed < RECORD_HEADER) {
      return null;
    }
    rest = u16(header, 3);
    return rest === 0 || rest > LONGEST_RECORD ? `a TLS record of ${rest} bytes` : null;
  }

  function content(bytes: Uint8Array, from: number, to: number): number {
    const whole = have < MESSAGE_HEADER ? MESSAGE_HEADER : MESSAGE_HEADER + u24(message, 1);
    const taken = Math.min(whole - have, to - from, rest);
    if (have + taken > message.length) {
      const larger = new Uint8Array(Math.max(have + taken, Math.min(whole, 2 * message.length)));
      larger.set(message.subarray(0, have));
      message = larger;
    }
    message.set(bytes.subarray(from, from + taken), have);
    have += taken;
    rest -= taken;
    if (rest === 0) {
      headed = 0;
    }
    return taken;
  }

  function messageSoFar(): HelloStep {
    if (message[0] !== CLIENT_HELLO) {
      return no('a TLS record that holds no ClientHello');
    }
    if (have < MESSAGE_HEADER) {
      return MORE;
    }
    const length = u24(message, 1);
    if (length > LONGEST_HELLO) {
      return no(`a ClientHello of ${length} bytes`);
    }
    return have < MESSAGE_HEADER + length ? MORE : read(message.subarray(MESSAGE_HEADER, have));
  }

  return {
    take(bytes) {
      for (let at = 0; at < bytes.length && answer === MORE; ) {
        if (headed < RECORD_HEADER) {
          header[headed++] = bytes[at++]!;
          const why = recordHeader();
          if (why !== null) {
            answer = no(why);
          }
        } else {
          at += content(bytes, at, bytes.length);
          answer = messageSoFar();
        }
      }
      return answer;
    },
  };
}

function read(body: Uint8Array): HelloStep {
  const hello = readHello(body, true);
  if (hello === null) {
    return no('a ClientHello whose lengths do not fit');
  }
  const versions = numbers(hello, SUPPORTED_VERSIONS, 1);
  return {
    kind: 'hello',
    hello: {
      sni: serverName(hello),
      alpn: protocols(hello)
        .filter((name) => name.length > 0)
        .map((name) => Buffer.from(name).toString('latin1')),
      versions: versions.length > 0 ? versions : [hello.version],
    },
  };
}

const no = (why: string): HelloStep => ({ kind: 'not tls', why });
