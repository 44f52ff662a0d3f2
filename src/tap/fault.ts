/** The contract of a fault: one kind of trouble in one file of faults/, named in faults.ts. */
import type { DatagramStage, Link, Stage } from './stage.ts';

export type Attributes = Readonly<Record<string, number | string | boolean>>;

/** An attribute's name carries its unit: `delayMs`, `rateBytes`, `share`. */
export interface Attribute {
  readonly name: string;
  readonly kind: 'duration' | 'size' | 'rate' | 'count' | 'share' | 'word' | 'yes';
  readonly about: string;
  /** Absent: it must be given. */
  readonly otherwise?: number | string | boolean;
  /** The words there are, of a `word`. */
  readonly words?: readonly string[];
}

/** What becomes of a connection before a byte has crossed it. */
export interface Admission {
  /** Nanoseconds before the tap goes on with it. */
  readonly delay: number;
  /** `swallow`: the connection stands and nothing ever comes of it. */
  readonly outcome: 'go on' | 'reset' | 'close' | 'swallow';
}

export interface Fault {
  readonly name: string;
  /** One sentence for `--help` and the docs. */
  readonly about: string;
  /** In the order in which they may be written without their names. */
  readonly attributes: readonly Attribute[];
  stream?(attributes: Attributes, link: Link): Stage;
  datagram?(attributes: Attributes, link: Link): DatagramStage;
  /** Asked when a client was accepted and nothing was dialled, and again (`dialled`) when the target has answered. */
  admit?(attributes: Attributes, link: Link, moment: 'accepted' | 'dialled'): Admission;
  /** While such a fault is planned (and its toxicity is 1), the listener is closed: clients are refused. */
  readonly refuses?: true;
}

/** A fault as somebody ordered it. Plain data: it crosses threads, configuration files and the control API. */
export interface PlannedFault {
  /** Unique on its tap. */
  readonly name: string;
  /** A name from faults.ts. */
  readonly fault: string;
  readonly attributes: Attributes;
  /** Whose bytes: upstream is what the client sends, downstream what the server sends. */
  readonly stream: 'upstream' | 'downstream' | 'both';
  /** 0 to 1: the share of connections (of links, one roll each) that it touches. */
  readonly toxicity: number;
  /** Only clients from there: an address or a prefix `10.0.0.0/8`. */
  readonly client?: string;
  /** Only these connections, counted from 1: `3`, `2-5`, `10-`. */
  readonly connections?: string;
  /** Nanoseconds after the tap began (or the fault was added), and for how long. */
  readonly at?: number;
  readonly lasts?: number;
  /** Only when a decoded message matches. */
  readonly when?: When;
}

export interface When {
  /** A display filter: `redis.command == "SET" and redis.key ~ "user:*"`. */
  readonly filter: string;
  /** Only the nth match (of all connections of the tap together). */
  readonly nth?: number;
  /** Each nth match. */
  readonly every?: number;
  /** Nanoseconds after a first match during which every match counts; afterwards none does. */
  readonly lasts?: number;
}
