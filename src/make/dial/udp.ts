/**
 * Datagrams over UDP. Nobody is asked when the socket connects, so of several addresses the first is used; when it answers with ICMP
 * before anything has come, what was sent goes to the next one.
 */
import { SockscopeError } from '../../errors.ts';
import { datagramDescriptor } from '../../kernel/dial-datagrams.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { datagramsNet, type NetDatagrams } from '../../kernel/net-datagrams.ts';
import { setOption } from '../../reactor/socket-options.ts';
import { addressesOf, addressText, type HostAddress } from './addresses.ts';
import { sourceFor, tellOptions } from './connect.ts';
import { Outgoing } from './datagrams.ts';
import type { Conversation, DialEar, DialKind, DialPlan } from './kind.ts';
import { notConnected, optionRefused } from './refusal.ts';

const EBADF = -9;
/** What is kept to be sent to the next address: the first words of a conversation. */
const MOST_KEPT = 64 * 1024;

class UdpConversation implements Conversation {
  readonly halfCloses = false;
  /** The kernel did not take it. */
  badOption: string | null = null;
  readonly #plan: DialPlan;
  readonly #ear: DialEar;
  readonly #addresses: HostAddress[];
  readonly #out: Outgoing;
  #socket: NetDatagrams | null = null;
  #received = 0;
  #readyAt = 0;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #held: Uint8Array[] | null = null;
  #over = false;

  constructor(plan: DialPlan, ear: DialEar, addresses: HostAddress[]) {
    this.#plan = plan;
    this.#ear = ear;
    this.#addresses = addresses;
    this.#out = new Outgoing(ear, (bytes) => this.#transmit(bytes));
  }

  get pieces(): { sent: number; received: number } {
    return { sent: this.#out.sent, received: this.#received };
  }

  /** 0, or -errno of the last address when none is left. */
  connect(): number {
    let failed = 0;
    for (let address = this.#addresses.shift(); address !== undefined; address = this.#addresses.shift()) {
      failed = this.#connectTo(address);
      if (failed === 0) {
        return 0;
      }
      this.#refused(address, failed);
    }
    return failed;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over) {
      return true;
    }
    if (this.#received === 0 && this.#addresses.length > 0 && this.#keptBytes < MOST_KEPT) {
      this.#kept.push(bytes);
      this.#keptBytes += bytes.length;
    }
    return this.#out.add(bytes);
  }

  finish(): void {}

  /** UDP holds nobody back; what comes meanwhile is kept here, as much as a socket would keep. */
  hold(on: boolean): void {
    const held = this.#held;
    this.#held = on ? (held ?? []) : null;
    if (!on && held !== null) {
      for (const bytes of held) {
        this.#ear.arrived(bytes);
      }
    }
  }

  reset(): void {
    void this.close();
  }

  close(): Promise<void> {
    this.#over = true;
    this.#out.stop();
    const socket = this.#socket;
    this.#socket = null;
    return new Promise((resolve) => {
      if (socket === null) {
        resolve();
      } else {
        socket.socket.once('close', () => resolve());
        socket.close();
      }
    });
  }

  #connectTo(address: HostAddress): number {
    const socket = datagramsNet(sourceFor(this.#plan, address), address, {
      datagram: (_from, bytes) => this.#datagram(bytes),
      error: (errno) => this.#failed(address, errno),
    });
    if (typeof socket === 'number') {
      return socket;
    }
    const fd = datagramDescriptor(socket.socket);
    for (const [name, value] of Object.entries(this.#plan.wishes)) {
      const result = fd < 0 ? EBADF : setOption(fd, name, value);
      if (result < 0) {
        socket.close();
        this.badOption = `${name}=${value}`;
        return result;
      }
    }
    this.#socket = socket;
    this.#readyAt = this.#ear.now();
    const local = addressText(socket.address);
    this.#ear.tell({
      type: 'ready',
      address: addressText(address),
      name: this.#plan.host,
      local,
      ns: this.#ear.now(),
    });
    tellOptions(this.#plan, fd, this.#ear);
    return 0;
  }

  #transmit(bytes: Uint8Array): number {
    return this.#socket?.send(bytes, 0, bytes.length, null) ?? EBADF;
  }

  #datagram(bytes: Uint8Array): void {
    this.#received += 1;
    this.#kept = [];
    const copy = bytes.slice();
    if (this.#held === null) {
      this.#ear.arrived(copy);
    } else if (this.#held.length < MOST_KEPT / 64) {
      this.#held.push(copy);
    }
  }

  #refused(address: HostAddress, errno: number): void {
    const [error, meaning, ns] = [errnoName(errno), errnoMeaning(errno), this.#ear.now()];
    this.#ear.tell({
      type: 'failed',
      address: addressText(address),
      error,
      meaning,
      state: null,
      syns: 0,
      took: ns - this.#readyAt,
      ns,
    });
  }

  #failed(address: HostAddress, errno: number): void {
    if (this.#over) {
      return;
    }
    if (this.#received === 0 && this.#addresses.length > 0) {
      this.#refused(address, errno);
      this.#socket?.close();
      this.#socket = null;
      if (this.connect() === 0) {
        const kept = this.#kept;
        this.#kept = [];
        this.#keptBytes = 0;
        for (const bytes of kept) {
          this.send(bytes);
        }
        return;
      }
    }
    this.#ear.tell({
      type: 'broken',
      error: errnoName(errno),
      meaning: errnoMeaning(errno),
      ns: this.#ear.now(),
    });
    // Somebody who types may start the server meanwhile.
    if (this.#plan.terminal === null) {
      this.#over = true;
      this.#ear.over(true);
    }
  }
}

export const kind: DialKind = {
  name: 'udp',
  schemes: ['udp'],
  about: 'datagrams over UDP',
  port: 0,
  async open(plan, ear) {
    const addresses = await addressesOf(plan, 'udp');
    if (addresses instanceof SockscopeError) {
      return addresses;
    }
    const conversation = new UdpConversation(plan, ear, addresses);
    const result = conversation.connect();
    if (conversation.badOption !== null && result !== 0) {
      return optionRefused(conversation.badOption, result);
    }
    return result === 0
      ? conversation
      : notConnected(plan, addressText({ kind: 'udp', host: plan.host, port: plan.port }), result, false);
  },
};
