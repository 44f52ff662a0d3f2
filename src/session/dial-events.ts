/** What happens in a conversation that this program begins: `make/dial` tells it, the faces show it. Times are nanoseconds since it began. */

export type Side = 'you' | 'peer';

/** `fin`: no more will be sent, in this direction; `close`: WebSocket's own good-bye. */
export type Ending = 'fin' | 'rst' | 'close' | 'idle' | 'interrupt' | 'quit' | 'error';

export interface PeerCertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601 */
  readonly expires: string;
}

export interface DialSummary {
  readonly type: 'summary';
  readonly sent: number;
  readonly received: number;
  /** Messages or datagrams; null for a stream of bytes. */
  readonly sentPieces: number | null;
  readonly receivedPieces: number | null;
  readonly ns: number;
  /** Who ended first, and how; null while nobody did. */
  readonly first: { readonly by: Side; readonly how: Ending } | null;
}

export type DialEvent =
  | {
      readonly type: 'resolved';
      readonly name: string;
      readonly addresses: readonly string[];
      readonly ns: number;
    }
  | { readonly type: 'try'; readonly address: string; readonly ns: number }
  /** `took` is the time of this attempt alone. `state` is the kernel's, where it could be asked. */
  | {
      readonly type: 'failed';
      readonly address: string;
      readonly error: string;
      readonly meaning: string;
      readonly state: string | null;
      readonly syns: number;
      readonly took: number;
      readonly ns: number;
    }
  /** Another address was faster. */
  | { readonly type: 'dropped'; readonly address: string; readonly took: number; readonly ns: number }
  | {
      readonly type: 'connected';
      readonly address: string;
      readonly name: string;
      readonly local: string;
      readonly took: number;
      readonly ns: number;
    }
  /** A datagram socket is connected without a packet: nobody was asked. */
  | {
      readonly type: 'ready';
      readonly address: string;
      readonly name: string;
      readonly local: string;
      readonly ns: number;
    }
  | {
      readonly type: 'option';
      readonly name: string;
      readonly wanted: number;
      /** What the kernel says now; below zero and `error` when it does not say. */
      readonly got: number;
      readonly error: string | null;
      readonly unit: string;
    }
  | {
      readonly type: 'secured';
      readonly protocol: string;
      readonly cipher: string;
      readonly alpn: string | null;
      readonly certificate: PeerCertificateFacts | null;
      /** Why it would not have been trusted, under --insecure; null when it is. */
      readonly distrust: string | null;
      readonly took: number;
      readonly ns: number;
    }
  | {
      readonly type: 'upgraded';
      readonly url: string;
      readonly subprotocol: string;
      readonly took: number;
      readonly ns: number;
    }
  /** Telnet: `sent` or `got`, as `DO ECHO`. */
  | { readonly type: 'negotiated'; readonly by: Side; readonly text: string; readonly ns: number }
  | { readonly type: 'mode'; readonly character: boolean; readonly echo: boolean; readonly ns: number }
  | { readonly type: 'latency'; readonly took: number; readonly ns: number }
  | { readonly type: 'half-closed'; readonly by: Side; readonly ns: number }
  | { readonly type: 'reset'; readonly by: Side; readonly ns: number }
  | {
      readonly type: 'closing';
      readonly by: Side;
      readonly code: number;
      readonly reason: string;
      readonly ns: number;
    }
  /** An error of a conversation that stood. */
  | { readonly type: 'broken'; readonly error: string; readonly meaning: string; readonly ns: number }
  | { readonly type: 'idle'; readonly ns: number }
  | { readonly type: 'note'; readonly text: string; readonly ns: number }
  | DialSummary;
