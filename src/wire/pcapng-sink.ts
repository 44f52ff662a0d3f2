/** What a reader of capture files tells its caller. All but packets and trouble may be left out. */
export interface Sink {
  /**
   * One packet: bytes[from, to), borrowed until the call returns. `wireLength` is never less than to - from.
   * `interfaceIndex` counts over the whole file, through all sections. `flags` is epb_flags (bits 0–1: 1 in, 2 out),
   * 0 without. A simple packet block carries no time: seconds and nanoseconds are then 0.
   */
  packet(
    bytes: Uint8Array,
    from: number,
    to: number,
    wireLength: number,
    seconds: number,
    nanoseconds: number,
    interfaceIndex: number,
    flags: number,
  ): void;
  /**
   * Comes before the packet it is about, once for each comment. Without it, options of packets are not looked at:
   * `flags` is then 0 and `dropped` is not called.
   */
  comment?(text: string): void;
  /** Comes before a packet: so many were lost between it and the interface's packet before. */
  dropped?(interfaceIndex: number, count: number): void;
  section?(about: SectionAbout): void;
  interface?(index: number, about: InterfaceAbout): void;
  /** `address` has 4 bytes (IPv4), 16 (IPv6), 6 (EUI-48) or 8 (EUI-64). */
  name?(address: Uint8Array, names: string[]): void;
  statistics?(interfaceIndex: number, about: Statistics): void;
  secret?(type: number, bytes: Uint8Array): void;
  /** One entry in the journal's export format: see `readJournal`. */
  journal?(entry: Uint8Array): void;
  /** The last call for a file, at most once: what comes after `offset` cannot be read. The sentence names the offset. */
  trouble(offset: number, sentence: string): void;
}

export interface SectionAbout {
  hardware: string | null;
  os: string | null;
  application: string | null;
  comment: string | null;
}

export interface InterfaceAbout {
  linkType: number;
  /** 0: no limit. */
  snapLength: number;
  /** Bytes of frame check sequence behind each frame, 0 when the file does not say. */
  checkLength: number;
  name: string | null;
  description: string | null;
  filter: string | null;
  os: string | null;
}

/** What the capture's interface counted; null where the file does not say. Beyond 2^53 the numbers are rounded. */
export interface Statistics {
  received: number | null;
  dropped: number | null;
  accepted: number | null;
  osDropped: number | null;
  delivered: number | null;
}

/** TLS key log lines (SSLKEYLOGFILE): the type that `secret` gets with them. */
export const SECRET_TLS_KEY_LOG = 0x544c534b;
