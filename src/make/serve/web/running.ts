/** One request while it is answered: what the handler may know of it, and what becomes its access line. */
import { bodyBytes } from '../../../kernel/web-server.ts';
import type { NodeHouse } from '../kind.ts';
import { mayCarryBody } from './body.ts';
import type { Exchange, WebRequest, WebResponse } from './handler.ts';
import type { Line } from './line.ts';

export type HttpLine = Line<Running>;

export class Running implements Exchange {
  readonly began: number;
  readonly #house: NodeHouse;
  readonly line: HttpLine;
  readonly #what: string;
  /** Null once the connection is no longer HTTP: upgraded, or a tunnel. */
  readonly response: WebResponse | null;
  readonly request: WebRequest;
  #abort: AbortController | null = null;
  #why: Error | null = null;
  #acts: (() => void)[] = [];
  #notes: string;
  #received = 0;
  #result = 'gone';
  #over = false;

  constructor(house: NodeHouse, line: HttpLine, request: WebRequest, response: WebResponse | null) {
    this.#house = house;
    this.line = line;
    this.request = request;
    this.response = response;
    this.began = house.now();
    this.#what = house.wantsLines ? `${request.method} ${request.url}` : '';
    this.#notes = request.httpVersionMajor === 2 ? 'h2' : '';
    line.running.add(this);
    if (response !== null) {
      this.#countReceived(request);
    }
  }

  get peer(): string {
    return this.line.peer;
  }

  get client(): string {
    return this.line.client;
  }

  get secure(): boolean {
    return this.line.secure;
  }

  /** Made when somebody asks for it: most answers are complete before anybody could. */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#why !== null) {
        this.#abort.abort(this.#why);
      }
    }
    return this.#abort.signal;
  }

  get aborted(): boolean {
    return this.#why !== null;
  }

  whenGone(act: () => void): () => void {
    if (this.aborted) {
      act();
      return () => {};
    }
    this.#acts.push(act);
    return () => {
      this.#acts = this.#acts.filter((one) => one !== act);
    };
  }

  note(text: string): void {
    this.#notes = this.#notes === '' ? text : `${this.#notes}, ${text}`;
  }

  /** Nobody waits for the answer any more. */
  abort(why: string): void {
    if (this.#why === null) {
      this.#why = new Error(why);
      this.#abort?.abort(this.#why);
      for (const act of this.#acts.splice(0)) {
        act();
      }
    }
  }

  /** The answer ends here, and it is not the client's doing. */
  cut(why: string): void {
    this.#result = 'cut';
    this.note(why);
  }

  /** The connection has nothing more to say about this request. */
  over(result: string, fine: boolean, bytes: { received: number; sent: number } | null = null): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    this.line.running.delete(this);
    const house = this.#house;
    const took = house.now() - this.began;
    const received = bytes?.received ?? this.#received;
    const sent = bytes?.sent ?? this.#sent();
    if (!house.wantsLines) {
      house.counted(took, received, sent, fine);
      return;
    }
    house.access({
      at: this.began,
      from: this.peer,
      what: this.#what,
      result,
      fine,
      took,
      received,
      sent,
      note: this.#notes,
    });
  }

  /** The response was closed: complete, or not. */
  closed(complete: boolean): void {
    const status = this.response!.statusCode;
    if (complete) {
      this.over(String(status), status < 500);
    } else {
      this.abort('the client went away');
      this.over(this.#result, false);
    }
  }

  #sent(): number {
    return this.response === null || this.request.method === 'HEAD' ? 0 : bodyBytes(this.response);
  }

  #countReceived(request: WebRequest): void {
    if (mayCarryBody(request)) {
      // Both kinds of request are fed by `push`, and a listener for `data` would take the body from whoever reads it.
      const push = request.push.bind(request);
      request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
        this.#received += chunk?.length ?? 0;
        return push(chunk, encoding);
      };
    }
  }
}
