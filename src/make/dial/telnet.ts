/**
 * Telnet's network virtual terminal on a TCP connection (RFC 854). It never begins to negotiate: a server that does not is a text
 * service, and gets lines.
 */
import { SockscopeError } from '../../errors.ts';
import { connectTcp } from './connect.ts';
import type { Conversation, DialEar, DialKind, DialPlan, TerminalFacts } from './kind.ts';
import type { StreamConversation } from './stream.ts';
import { converse } from './tcp.ts';
import {
  createTelnetDecoder,
  createTelnetEncoder,
  optionBytes,
  subnegotiationBytes,
  type TelnetToken,
} from './telnet-codec.ts';
import { createOptionStates, DO, DONT, type Verb, WILL } from './telnet-options.ts';

const ECHO = 1;
const SUPPRESS_GO_AHEAD = 3;
const TERMINAL_TYPE = 24;
const WINDOW_SIZE = 31;
const IS = 0;
const SEND = 1;

/** Names of the options a server may well ask for (IANA telnet-options). */
const NAMES: Readonly<Record<number, string>> = {
  0: 'BINARY',
  1: 'ECHO',
  3: 'SGA',
  5: 'STATUS',
  6: 'TIMING-MARK',
  24: 'TERMINAL-TYPE',
  25: 'EOR',
  31: 'NAWS',
  32: 'TERMINAL-SPEED',
  33: 'FLOW-CONTROL',
  34: 'LINEMODE',
  35: 'X-DISPLAY',
  36: 'ENVIRON',
  37: 'AUTHENTICATION',
  38: 'ENCRYPT',
  39: 'NEW-ENVIRON',
};

function requestText(verb: Verb, option: number): string {
  const word = verb === DO ? 'DO' : verb === DONT ? 'DONT' : verb === WILL ? 'WILL' : 'WONT';
  return `${word} ${NAMES[option] ?? option}`;
}

export class TelnetConversation implements Conversation {
  readonly halfCloses = true;
  readonly pieces = null;
  readonly #ear: DialEar;
  readonly #decoder = createTelnetDecoder();
  readonly #encoder = createTelnetEncoder();
  readonly #options;
  readonly #under: StreamConversation;
  #terminal: TerminalFacts | null;
  #character = false;
  #echo = true;
  #heldByFace = false;
  /** Our answers wait: whoever asks without reading them is not read either. */
  #full = false;

  constructor(
    plan: DialPlan,
    ear: DialEar,
    over: (ear: DialEar, arrived: (bytes: Uint8Array) => void) => StreamConversation,
  ) {
    this.#ear = ear;
    this.#terminal = plan.terminal;
    const ours =
      plan.terminal === null ? [SUPPRESS_GO_AHEAD] : [SUPPRESS_GO_AHEAD, TERMINAL_TYPE, WINDOW_SIZE];
    this.#options = createOptionStates({
      us: new Set(ours),
      // In a pipe nobody types, so nobody's keys need an echo.
      him: new Set(plan.terminal === null ? [SUPPRESS_GO_AHEAD] : [SUPPRESS_GO_AHEAD, ECHO]),
    });
    const heard: DialEar = {
      now: ear.now,
      tell: ear.tell,
      arrived: ear.arrived,
      over: ear.over,
      room: () => {
        this.#full = false;
        this.#hold();
        ear.room();
      },
    };
    this.#under = over(heard, (bytes) => this.#decode(bytes));
  }

  send(bytes: Uint8Array): boolean {
    return this.#under.send(this.#character ? this.#encoder.keys(bytes) : this.#encoder.lines(bytes));
  }

  finish(): void {
    const waited = this.#encoder.end();
    if (waited.length > 0) {
      this.#under.send(waited);
    }
    this.#under.finish();
  }

  hold(on: boolean): void {
    this.#heldByFace = on;
    this.#hold();
  }

  reset(): void {
    this.#under.reset();
  }

  close(): Promise<void> {
    return this.#under.close();
  }

  resized(columns: number, rows: number): void {
    if (this.#terminal !== null) {
      this.#terminal = { ...this.#terminal, columns, rows };
      this.#sayWindow();
    }
  }

  #hold(): void {
    this.#under.hold(this.#heldByFace || this.#full);
  }

  #decode(bytes: Uint8Array): void {
    for (const token of this.#decoder.decode(bytes)) {
      this.#take(token);
    }
  }

  #take(token: TelnetToken): void {
    switch (token.type) {
      case 'data':
        this.#ear.arrived(token.bytes);
        break;
      case 'option':
        this.#option(token.verb, token.option);
        break;
      case 'subnegotiation':
        if (
          token.option === TERMINAL_TYPE &&
          token.bytes[0] === SEND &&
          this.#options.holds('us', TERMINAL_TYPE)
        ) {
          const name = new TextEncoder().encode(this.#terminal?.name ?? 'UNKNOWN');
          this.#say(subnegotiationBytes(TERMINAL_TYPE, Uint8Array.of(IS, ...name)));
        }
        break;
      case 'command':
        break;
    }
  }

  #option(verb: Verb, option: number): void {
    this.#ear.tell({ type: 'negotiated', by: 'peer', text: requestText(verb, option), ns: this.#ear.now() });
    const had = this.#options.holds('us', WINDOW_SIZE);
    const answer = this.#options.received(verb, option);
    if (answer !== null) {
      const text = requestText(answer.verb, answer.option);
      this.#ear.tell({ type: 'negotiated', by: 'you', text, ns: this.#ear.now() });
      this.#say(optionBytes(answer.verb, answer.option));
    }
    if (!had && this.#options.holds('us', WINDOW_SIZE)) {
      this.#sayWindow();
    }
    const echo = !this.#options.holds('him', ECHO);
    // RFC 858: with both, each key is sent as it is pressed; with the echo alone, whole lines that are not shown (a password).
    const character = !echo && this.#options.holds('him', SUPPRESS_GO_AHEAD);
    if (character !== this.#character || echo !== this.#echo) {
      this.#character = character;
      this.#echo = echo;
      this.#ear.tell({ type: 'mode', character, echo, ns: this.#ear.now() });
    }
  }

  #sayWindow(): void {
    const terminal = this.#terminal;
    if (terminal !== null && this.#options.holds('us', WINDOW_SIZE)) {
      const size = new Uint8Array(4);
      const view = new DataView(size.buffer);
      view.setUint16(0, Math.min(terminal.columns, 0xffff));
      view.setUint16(2, Math.min(terminal.rows, 0xffff));
      this.#say(subnegotiationBytes(WINDOW_SIZE, size));
    }
  }

  #say(bytes: Uint8Array): void {
    if (!this.#under.send(bytes) && !this.#full) {
      this.#full = true;
      this.#hold();
    }
  }
}

export const kind: DialKind = {
  name: 'telnet',
  schemes: ['telnet'],
  about: "telnet's network virtual terminal",
  port: 23,
  async open(plan, ear, cancelled) {
    const dialled = await connectTcp(plan, ear, cancelled);
    return dialled instanceof SockscopeError
      ? dialled
      : new TelnetConversation(plan, ear, (heard, arrived) => converse(dialled, heard, { arrived }));
  },
};
