/**
 * What the scenes share. A scene is a program that plays real servers and clients on the loopback of a network and process
 * namespace of its own while tcpdump records it: `unshare -n -p -f --kill-child --mount-proc node SCENE.mjs FILE`.
 * Whatever it leaves behind ends with its process namespace.
 */
import { spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const folder = mkdtempSync(join(tmpdir(), 'sockscope-scene-'));
const started = [];
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Starts a program; `said()` is what it has written so far. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: folder, ...options });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  }
  child.stdin?.on('error', () => undefined);
  child.on('error', (error) => {
    said += error.message;
  });
  child.said = () => said;
  started.push(child);
  return child;
}

export async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) {
    await once(child, 'exit');
  }
  return child.exitCode;
}

/** Runs a client to its end. Null as `status` means that any will do. */
export async function run(command, args, { input = '', status = 0, ...options } = {}) {
  const child = start(command, args, options);
  child.stdin.end(input);
  await once(child, 'close');
  if (status !== null && child.exitCode !== status) {
    throw new Error(`${command} ${args.join(' ')} ended with ${child.exitCode}: ${child.said()}`);
  }
  return child.said();
}

export async function until(condition, what) {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${what()}`);
    }
    await pause(5);
  }
}

export function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** A server, and the moment from which it takes connections. */
export async function serve(port, command, args, options) {
  const child = start(command, args, options);
  await until(
    () => {
      if (child.exitCode !== null) {
        throw new Error(`${command} ended: ${child.said()}`);
      }
      return answers(port);
    },
    () => `${command}: ${child.said()}`,
  );
  return child;
}

/** Raises the loopback, records FILE while `play` runs, and ends everything. */
export async function scene(play, { mtu = 1500 } = {}) {
  const [file] = process.argv.slice(2);
  try {
    const up = spawnSync('ip', ['link', 'set', 'lo', 'up', 'mtu', String(mtu)], { encoding: 'utf8' });
    if (up.status !== 0) {
      throw new Error(up.stderr);
    }
    const tcpdump = await recorder(file, 'lo');
    await play();
    await marked(file);
    await stopped(tcpdump);
  } finally {
    await endAll();
  }
}

export async function recorder(file, device, inside = (command, ...words) => [command, words]) {
  const words = ['-i', device, '-w', file, '-s', '0', '-B', '65536', '-U', '--immediate-mode', '-Z', 'root'];
  const child = start(...inside('tcpdump', ...words, '--time-stamp-precision=nano'));
  await until(
    () => child.said().includes('listening'),
    () => `tcpdump: ${child.said()}`,
  );
  return child;
}

export async function stopped(tcpdump) {
  tcpdump.kill('SIGINT');
  await ended(tcpdump);
  if (!/\b0 packets dropped by kernel/.test(tcpdump.said())) {
    throw new Error(tcpdump.said());
  }
}

/** Sends a datagram and waits until it is in the file: then all before it are. Some that are still under way may follow. */
export async function marked(file) {
  const receiver = dgram.createSocket('udp4').bind(9, '127.0.0.1');
  await once(receiver, 'listening');
  const word = 'the scene is over';
  receiver.send(word, 9, '127.0.0.1');
  await until(
    () => tail(file, 65_536).includes(word),
    () => 'the last packet',
  );
  receiver.close();
}

function tail(file, length) {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes, 0, length, Math.max(fstatSync(fd).size - length, 0));
    return bytes.toString('latin1');
  } finally {
    closeSync(fd);
  }
}

export async function endAll() {
  for (const child of started) {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await ended(child);
    }
  }
  rmSync(folder, { recursive: true, force: true });
}
