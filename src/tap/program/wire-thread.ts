/** The thread that carries frames between the two namespaces and speaks with the parent. It blocks in poll(2): it has no event loop. */
import { parentPort } from 'node:worker_threads';
import { receiveMessage, sendMessage } from '../../kernel/fd-passing.ts';
import { unsettledAndListening } from '../../kernel/listeners.ts';
import { openPacketPort, type PacketPort } from '../../kernel/packet-port.ts';
import { ownerBelow } from '../../kernel/program-owner.ts';
import { linkIndex } from '../../kernel/rtnetlink.ts';
import { openSockDiag } from '../../kernel/sockdiag.ts';
import { lookupSocket } from '../../kernel/socket-lookup.ts';
import {
  beginConnect,
  closeSocket,
  connectResult,
  controlSocket,
  drainBytes,
  enterNamespace,
  listenEverywhere,
  ringBell,
  take,
  type Waiting,
  waitingFor,
} from '../../kernel/transparent.ts';

import { decode, type Endpoint, encode, encodeDatagram, type FromStage, type ToStage } from './messages.ts';
import { addressBytes, type Step } from './sides.ts';
import { createWire, endpointOf, type Surroundings, type Talker, type Wire } from './wire.ts';

export interface WireOrder {
  /** Descriptors: the two namespaces, the parent, the bell that wakes it, and an eventfd that wakes us. */
  readonly programSide: number;
  readonly farSide: number;
  readonly parent: number;
  readonly bell: number;
  readonly wake: number;
  readonly own: readonly string[];
  /** [pid of the program, what is wanted of us]. */
  readonly shared: Int32Array;
}

export const PROGRAM = 0;
export const WISH = 1;
/** The program has ended: carry what is still on its way, then end too. */
export const FINISH = 1;

export type FromWire =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly step: Step }
  | { readonly type: 'kill'; readonly signal: NodeJS.Signals }
  /** The parent is gone. */
  | { readonly type: 'alone' }
  | { readonly type: 'finished' };

/** Frames of one side before the other gets its turn. */
const TURN = 64;
const TICK_MS = 250;
/** How long what the program has written may still take to reach us once it has ended. */
const LAST_BYTES_MS = 5000;
/** Messages that wait for the parent; datagrams are not kept, as no network keeps them. */
const MOST_WAITING = 65_536;
const EAGAIN = 11;

interface Waits {
  readonly bytes: Buffer;
  readonly fd: number;
}

interface Entering {
  readonly id: number;
  readonly fd: number;
}

export function runWireThread(order: WireOrder): void {
  const tellStage = (message: FromWire): void => parentPort?.postMessage(message);
  const opened = openPorts(order);
  if ('step' in opened) {
    tellStage({ type: 'failed', step: opened });
    return;
  }
  tellStage({ type: 'ready' });
  carry(order, opened, tellStage);
  tellStage({ type: 'finished' });
}

interface Ports {
  readonly program: PacketPort;
  readonly far: PacketPort;
  readonly loopback: number;
  readonly diag: number;
}

/** Leaves this thread on the far side. */
function openPorts(order: WireOrder): Ports | Step {
  const there = enterNamespace(order.programSide);
  const control = controlSocket();
  const loopback = linkIndex(control, 'lo');
  const program = there < 0 ? there : openPacketPort(loopback);
  const diag = openSockDiag();
  closeSocket(control);
  const back = enterNamespace(order.farSide);
  const farControl = controlSocket();
  const far = back < 0 ? back : openPacketPort(linkIndex(farControl, 'lo'));
  closeSocket(farControl);
  if (typeof program === 'number' || typeof far === 'number') {
    return { step: 'the wire', errno: -(typeof program === 'number' ? program : Number(far)) };
  }
  return { program, far, loopback, diag };
}

function carry(order: WireOrder, ports: Ports, tellStage: (message: FromWire) => void): void {
  const waitingMessages: Waits[] = [];
  const listeners = new Map<string, { fd: number; version: 4 | 6 }>();
  const entering: Entering[] = [];
  let waiting: Waiting | null = null;
  let parentGone = false;
  let lastOwner: number | null = null;
  let listening = '[]';

  /** Takes the descriptor over. */
  function post(bytes: Buffer, fd = -1): void {
    const message = { bytes, fd };
    if (waitingMessages.length > 0 || !delivered(message)) {
      if (waitingMessages.length < MOST_WAITING) {
        waitingMessages.push(message);
        waiting = null;
      } else {
        closeSocket(fd);
      }
    }
    ringBell(order.bell);
  }
  const tell = (message: FromStage, fd?: number): void => post(encode(message), fd);

  /** False: no room now. Any other refusal (the parent is gone) will not go better next time. */
  function delivered({ bytes, fd }: Waits): boolean {
    const sent = sendMessage(order.parent, bytes, fd) !== -EAGAIN;
    if (sent && fd >= 0) {
      closeSocket(fd);
    }
    return sent;
  }

  function flush(): void {
    let sent = 0;
    while (sent < waitingMessages.length && delivered(waitingMessages[sent]!)) {
      sent++;
    }
    waitingMessages.splice(0, sent);
    waiting = null;
    ringBell(order.bell);
  }

  function owner(from: Talker, to: Talker, protocol: 6 | 17): { pid: number | null; name: string | null } {
    const root = Atomics.load(order.shared, PROGRAM);
    const socket = look(protocol, from, to);
    const found =
      socket === null || socket.inode === 0 || root === 0 ? null : ownerBelow(root, socket.inode, lastOwner);
    lastOwner = found?.pid ?? lastOwner;
    return { pid: found?.pid ?? null, name: found?.name ?? null };
  }

  function look(protocol: 6 | 17, local: Talker, peer: Talker) {
    // udp_diag.c, udp_dump_one: for UDP the two ends stand the other way round, "for historical reasons".
    return protocol === 6
      ? lookupSocket(ports.diag, 6, local.host, local.port, peer.host, peer.port)
      : lookupSocket(ports.diag, 17, peer.host, peer.port, local.host, local.port);
  }

  const around: Surroundings = {
    toProgram: (frame, from, to) => void ports.program.write(frame, from, to),
    toFar: (frame, from, to) => void ports.far.write(frame, from, to),
    has: (protocol, local, peer) => look(protocol, local, peer) !== null,
    listen(version, port) {
      const key = `${version}:${port}`;
      if (!listeners.has(key)) {
        const fd = listenEverywhere(version, port);
        if (fd < 0) {
          tell({ type: 'trouble', text: `port ${port} could not be opened on the far side (errno ${-fd})` });
          return false;
        }
        listeners.set(key, { fd, version });
        waiting = null;
      }
      return true;
    },
    now: () => performance.now(),
    dial(id, from, to) {
      tell({
        type: 'dial',
        id,
        family: to.version,
        ...endpointOf(to),
        from: endpointOf(from),
        ...owner(from, to, 6),
      });
    },
    abandoned: (id) => tell({ type: 'abandoned', id }),
    flow(id, from, to) {
      tell({
        type: 'flow',
        id,
        family: to.version,
        ...endpointOf(to),
        from: endpointOf(from),
        ...owner(from, to, 17),
      });
    },
    datagram(flow, payload) {
      if (waitingMessages.length === 0) {
        post(encodeDatagram(flow, payload));
      }
    },
    flowEnded: (id) => tell({ type: 'flowEnded', id }),
  };
  const own = new Set<string>(['::1', ...order.own].map(latin1));
  const wire = createWire(own, around);

  function hear(): void {
    for (;;) {
      const message = receiveMessage(order.parent);
      if (message === null || (typeof message === 'number' && message !== -EAGAIN)) {
        if (!parentGone) {
          parentGone = true;
          waiting = null;
          tellStage({ type: 'alone' });
        }
        return;
      }
      if (typeof message === 'number') {
        return;
      }
      obey(decode<ToStage>(message.bytes));
    }
  }

  function obey(message: ReturnType<typeof decode<ToStage>>): void {
    switch (message?.type) {
      case 'datagram':
        wire.send(message.flow, message.payload);
        break;
      case 'verdict':
        wire.verdict(message.id, message.verdict);
        break;
      case 'fail':
        wire.fail(message.id, message.failure);
        break;
      case 'enter':
        enter(message.id, message);
        break;
      case 'kill':
        tellStage({ type: 'kill', signal: message.signal });
        break;
    }
  }

  function enter(id: number, { host, port }: Endpoint): void {
    const address = addressBytes(host);
    enterNamespace(order.programSide);
    const fd = address === null ? -22 : beginConnect(address.version, address.bytes, port);
    enterNamespace(order.farSide);
    if (fd < 0) {
      tell({ type: 'entered', id, result: fd });
      return;
    }
    entering.push({ id, fd });
    waiting = null;
  }

  function entered(index: number): void {
    const { id, fd } = entering[index]!;
    entering.splice(index, 1);
    waiting = null;
    const result = connectResult(fd);
    if (result < 0) {
      closeSocket(fd);
    }
    tell({ type: 'entered', id, result }, result < 0 ? -1 : fd);
  }

  function acceptAll({ fd: listener, version }: { fd: number; version: 4 | 6 }): void {
    for (;;) {
      const taken = take(listener, version);
      if (typeof taken === 'number') {
        return;
      }
      const id = wire.accepted(
        { version, host: taken.peer, port: taken.peerPort },
        { version, host: taken.local, port: taken.localPort },
      );
      if (id === null) {
        closeSocket(taken.fd);
      } else {
        tell({ type: 'accepted', id }, taken.fd);
      }
    }
  }

  function tick(): { unsettled: number } {
    const seen = unsettledAndListening(ports.diag);
    const text = JSON.stringify(seen.listening);
    if (text !== listening) {
      listening = text;
      tell({ type: 'listening', at: seen.listening });
    }
    wire.tick();
    return seen;
  }

  const fixed = [order.wake, ports.program.fd, ports.far.fd];
  let nextTick = 0;
  let endAt = Number.POSITIVE_INFINITY;
  for (;;) {
    const now = performance.now();
    if (now >= nextTick) {
      nextTick = now + (endAt === Number.POSITIVE_INFINITY ? TICK_MS : 10);
      const { unsettled } = tick();
      if (endAt !== Number.POSITIVE_INFINITY && (unsettled === 0 || now >= endAt)) {
        return;
      }
    }
    waiting ??= prepareWaiting();
    waiting.wait(Math.max(0, Math.ceil(nextTick - now)));
    const over = serve(waiting);
    if (over && endAt === Number.POSITIVE_INFINITY) {
      endAt = performance.now() + LAST_BYTES_MS;
      nextTick = 0;
    }
  }

  function prepareWaiting(): Waiting {
    const fds = [...fixed, parentGone ? -1 : order.parent];
    const writable = new Set<number>();
    for (const { fd } of listeners.values()) {
      fds.push(fd);
    }
    for (const { fd } of entering) {
      writable.add(fds.length);
      fds.push(fd);
    }
    if (waitingMessages.length > 0 && !parentGone) {
      writable.add(fds.length);
      fds.push(order.parent);
    }
    return waitingFor(fds, writable);
  }

  /** True when the stage has said that the program is over. */
  function serve(ready: Waiting): boolean {
    let over = false;
    if (ready.ready(0)) {
      drainBytes(order.wake);
      over = Atomics.load(order.shared, WISH) === FINISH;
    }
    carryFrames(wire, ports);
    // Frames first: what they bring about may have changed what we wait for, and then the indexes mean something else.
    if (ready.ready(fixed.length)) {
      hear();
    }
    let index = fixed.length + 1;
    for (const listener of [...listeners.values()]) {
      if (index < ready.fds.length && ready.fds[index] === listener.fd && ready.ready(index)) {
        acceptAll(listener);
      }
      index++;
    }
    for (let i = entering.length - 1; i >= 0; i--) {
      const at = ready.fds.indexOf(entering[i]!.fd);
      if (at >= 0 && ready.ready(at)) {
        entered(i);
      }
    }
    if (waitingMessages.length > 0) {
      flush();
    }
    return over;
  }
}

function latin1(text: string): string {
  return Buffer.from(addressBytes(text)?.bytes ?? []).toString('latin1');
}

function carryFrames(wire: Wire, { program, far, loopback }: Ports): void {
  const fromProgram = (b: Buffer, from: number, to: number, ifindex: number, unfinished: boolean): void =>
    wire.fromProgram(b, from, to, ifindex === loopback && !isLoopback6(b, from, to), unfinished);
  const fromFar = (b: Buffer, from: number, to: number, _: number, unfinished: boolean): void =>
    wire.fromFar(b, from, to, unfinished);
  for (let turns = 0; turns < 16; turns++) {
    if (program.read(fromProgram, TURN) + far.read(fromFar, TURN) === 0) {
      return;
    }
  }
}

/** On `lo`, IPv6 to ::1 has been seen by nobody else (sides.ts); IPv4 (to 0.0.0.0) has been delivered already. */
function isLoopback6(b: Buffer, from: number, to: number): boolean {
  return to - from >= 54 && b[from + 12] === 0x86;
}
