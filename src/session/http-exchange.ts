/** What a request over HTTP was, and how long each part of it took: `make/dial` measures it, the faces show it. Times are nanoseconds. */

export type HttpPhaseName = 'resolve' | 'connect' | 'proxy' | 'tls' | 'send' | 'first byte' | 'body';

export interface HttpPhase {
  readonly name: HttpPhaseName;
  /** Since the request began. */
  readonly from: number;
  readonly ns: number;
  /** False: it failed or ran out of time there. */
  readonly done: boolean;
}

export interface HttpTry {
  readonly address: string;
  /** `connected`, `slower` (another one had won), or why not. */
  readonly outcome: string;
  readonly ns: number;
}

export interface HttpTlsFacts {
  readonly version: string;
  readonly cipher: string;
  readonly names: readonly string[];
  readonly issuer: string;
  /** ISO 8601 */
  readonly expires: string;
  /** Why the certificate would not have been taken without --insecure. */
  readonly distrust: string | null;
}

export interface HttpConnectionFacts {
  readonly local: string;
  readonly remote: string;
  /** How many requests went over it, this one included: 1 is a new one. */
  readonly use: number;
  /** Where the name led, in the order of the tries; empty for what needs no resolving. */
  readonly addresses: readonly string[];
  readonly tries: readonly HttpTry[];
  readonly proxy: string | null;
  readonly tls: HttpTlsFacts | null;
}

export interface HttpRedirect {
  readonly to: string;
  /** Null: it may be followed, or was. */
  readonly refused: string | null;
  readonly followed: boolean;
  readonly method: string;
  readonly kept: readonly string[];
  readonly stripped: readonly string[];
  readonly crossOrigin: boolean;
  /** From https to http. */
  readonly downgrade: boolean;
}

export interface HttpFailureFacts {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Where it failed. */
  readonly phase: HttpPhaseName | null;
}

export interface HttpExchangeFacts {
  readonly method: string;
  readonly url: string;
  readonly phases: readonly HttpPhase[];
  readonly total: number;
  readonly connection: HttpConnectionFacts | null;
  /** `HTTP/1.1`, `HTTP/2`; empty while nothing was answered. */
  readonly version: string;
  /** 0: no answer. */
  readonly status: number;
  readonly statusText: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly sent: number;
  /** As it came, and after `Content-Encoding` was undone. */
  readonly received: number;
  readonly decoded: number;
  readonly redirect: HttpRedirect | null;
  readonly failure: HttpFailureFacts | null;
  readonly notes: readonly string[];
}
