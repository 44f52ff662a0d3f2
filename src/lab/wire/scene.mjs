/**
 * Two hosts with a wire between them, for thread.test.ts: run in `unshare -Urnm` with a tmpfs on /run. Plays the chapter that each line
 * of its input names, and prints what was seen. The second argument is the folder with the bundled code.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { MessageChannel, Worker } from 'node:worker_threads';

const [, , folder] = process.argv;
const { SEGMENTATION, TX_CHECKSUM, createWake, enterNamespace, namespaceHere } = await import(
  `${folder}/tools.js`
);
const { controlSocket, linkIndex, openSockDiag, segmentFrame, startClock, switchOff, wake } = await import(
  `${folder}/tools.js`
);

const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' });
const hosts = {
  a: { mac: '02:00:00:00:00:01', address: '10.9.0.1' },
  b: { mac: '02:00:00:00:00:02', address: '10.9.0.2' },
};

/** A process on a host that does what it is told, a line of JSON at a time. */
const AGENT = `
const net = require('node:net'), dgram = require('node:dgram'), { createHash } = require('node:crypto'), { readFileSync } = require('node:fs');
const finished = [], awaited = [];
const done = (one) => awaited.length ? awaited.shift()(one) : finished.push(one);
const sockets = new Set();
const verbs = {
  listen: ({ port }) => new Promise((ok) => net.createServer((socket) => {
    const hash = createHash('sha1'); let bytes = 0, first = 0;
    socket.on('data', (chunk) => { first ||= performance.now(); bytes += chunk.length; hash.update(chunk); });
    socket.on('error', () => {}).on('close', () => done({ bytes, sha: hash.digest('hex'), ms: performance.now() - first }));
  }).listen(port, '0.0.0.0', () => ok(true))),
  ended: () => finished.length ? finished.shift() : new Promise((ok) => awaited.push(ok)),
  connect: ({ host, port }) => new Promise((ok) => {
    const began = performance.now();
    const socket = net.connect(port, host, () => { ok(performance.now() - began); socket.end(); }).on('error', (e) => ok(e.code)).resume();
  }),
  send: ({ host, port, bytes, pieces = 1 }) => new Promise((ok) => {
    const all = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 255));
    const socket = net.connect({ host, port, noDelay: true }, () => next(0)).on('error', (e) => ok(e.code)).resume();
    const size = Math.ceil(bytes / pieces);
    const next = (at) => at >= bytes ? socket.end() : socket.write(all.subarray(at, at + size), () => setTimeout(next, 2, at + size));
    socket.on('close', () => ok(createHash('sha1').update(all).digest('hex')));
    sockets.add(socket);
  }),
  start: ({ host, port, bytes }) => { verbs.send({ host, port, bytes }); return true; },
  stop: () => { for (const s of sockets) s.destroy(); sockets.clear(); return true; },
  datagrams: ({ host, port, count, each }) => new Promise((ok) => {
    const socket = dgram.createSocket('udp4'); let sent = 0;
    const more = () => {
      for (let i = 0; i < each && sent < count; i++, sent++) socket.send(Buffer.alloc(100), port, host);
      sent < count ? setTimeout(more, 1) : setTimeout(() => { socket.close(); ok(sent); }, 5);
    };
    socket.bind(0, more);
  }),
  counter: ({ line, name }) => {
    const [names, values] = [...readFileSync('/proc/self/net/snmp', 'utf8').split('\\n'), ...readFileSync('/proc/self/net/netstat', 'utf8').split('\\n')].filter((l) => l.startsWith(line + ':')).map((l) => l.split(' '));
    return Number(values[names.indexOf(name)]);
  },
};
require('node:readline').createInterface({ input: process.stdin }).on('line', async (text) => {
  const order = JSON.parse(text);
  console.log(JSON.stringify({ id: order.id, value: await verbs[order.verb](order) }));
});
process.stdin.on('end', () => process.exit());
`;

function agent(host) {
  const child = spawn('ip', ['netns', 'exec', host, process.execPath, '-e', AGENT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting = new Map();
  let ids = 0;
  createInterface({ input: child.stdout }).on('line', (text) => {
    const { id, value } = JSON.parse(text);
    waiting.get(id)(value);
    waiting.delete(id);
  });
  const ask = (verb, order = {}) =>
    new Promise((resolve) => {
      waiting.set(++ids, resolve);
      child.stdin.write(`${JSON.stringify({ id: ids, verb, ...order })}\n`);
    });
  return { child, ask };
}

const home = namespaceHere();
const control = controlSocket();
const ports = {};
const sampled = {};
for (const [host, { mac, address }] of Object.entries(hosts)) {
  ip('netns', 'add', host);
  ip('link', 'add', `w${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'address', mac, 'netns', host);
  // Otherwise the wire's own namespace would speak on it.
  writeFileSync(`/proc/sys/net/ipv6/conf/w${host}/disable_ipv6`, '1');
  ip('link', 'set', `w${host}`, 'up');
  const there = openSync(`/run/netns/${host}`, 'r');
  enterNamespace(there);
  const inside = controlSocket();
  for (const feature of [TX_CHECKSUM, ...SEGMENTATION]) {
    switchOff(inside, 'eth0', feature);
  }
  writeFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'reno');
  sampled[host] = {
    host,
    diag: openSockDiag(),
    netstat: openSync('/proc/thread-self/net/netstat', 'r'),
    snmp: openSync('/proc/thread-self/net/snmp', 'r'),
  };
  enterNamespace(home);
  closeSync(there);
  closeSync(inside);
  ip('-n', host, 'link', 'set', 'lo', 'up');
  ip('-n', host, 'link', 'set', 'eth0', 'up');
  ip('-n', host, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ports[host] = { host, segment: 'lan', ifindex: linkIndex(control, `w${host}`), device: `w${host}`, mac };
}
const agents = { a: agent('a'), b: agent('b') };

const clock = startClock();
const bell = createWake();
const start = { realtime: clock.startedAt.ns, monotonic: process.hrtime.bigint() - BigInt(clock.now()) };
const { port1: link, port2: port } = new MessageChannel();
const worker = new Worker(`${folder}/lab-wire.js`, {
  workerData: { start, seed: 7, wake: bell, path: {}, port },
  transferList: [port],
});
const gone = new Promise((resolve) => worker.on('exit', resolve));
let events = [];
const answers = new Map();
let orders = 0;
const ready = new Promise((resolve) => {
  link.on('message', (message) => {
    if (message.type === 'batch') {
      events.push(...message.events);
    } else if (message.type === 'done') {
      answers.get(message.id)(message);
    } else {
      resolve(message);
    }
  });
});
worker.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
const order = (what) =>
  new Promise((resolve) => {
    answers.set(++orders, resolve);
    link.postMessage({ id: orders, ...what });
    wake(bell);
  });
const value = async (what) => (await order(what)).value;
const { a, b } = agents;
const toB = { host: hosts.b.address, port: 80 };
const seconds = (many) => new Promise((resolve) => setTimeout(resolve, many * 1000));

async function until(holds) {
  for (const end = Date.now() + 8000; !holds() && Date.now() < end; ) {
    await order({ do: 'sample' });
    await seconds(0.005);
  }
}

/** What was done to the wire is undone; what was seen is given away. */
async function clean() {
  await order({ do: 'path', path: { delayMs: 0, loss: 0, bitsPerSecond: 1e12 } });
  await order({ do: 'sample' });
  const seen = events;
  events = [];
  return seen;
}

const fates = (seen, what) => seen.filter((event) => event.type === 'fate' && (!what || event.what === what));

async function transfer(bytes, pieces) {
  const [sent, got] = await Promise.all([a.ask('send', { ...toB, bytes, pieces }), b.ask('ended')]);
  return { bytes: got.bytes, same: sent === got.sha, ms: got.ms };
}

const chapters = {
  async delay() {
    await order({ do: 'path', path: { delayMs: 50 } });
    const ms = await a.ask('connect', toB);
    await b.ask('ended');
    const seen = await clean();
    const arp = seen.filter(
      ({ type, frame }) => type === 'packet' && frame[12] === 8 && frame[13] === 6,
    ).length;
    const states = seen.filter(({ type, host }) => type === 'state' && host === 'a').map(({ to }) => to);
    return { ms, arp, states };
  },
  async loss() {
    await order({ do: 'path', path: { loss: 0.05 } });
    const result = await transfer(100_000, 1);
    const seen = await clean();
    return { ...result, lost: fates(seen, 'dropped').length, why: fates(seen, 'dropped')[0]?.why };
  },
  async third() {
    const match = { from: 'a', data: true, nth: 3 };
    const rule = await value({ do: 'rule', act: { do: 'drop' }, match });
    const result = await transfer(6000, 6);
    const hits = await value({ do: 'hits', rule });
    await order({ do: 'unrule', rule });
    const seen = await clean();
    const [dropped] = fates(seen, 'dropped');
    const text = (id) => {
      const { frame } = seen.find((event) => event.type === 'packet' && event.id === id);
      return Buffer.from(frame.subarray(38, 42)).toString('hex');
    };
    const sequence = text(dropped.packet);
    const again = fates(seen, 'delivered').filter(
      ({ host, packet }) => host === 'b' && text(packet) === sequence,
    );
    const faults = seen.filter(({ type }) => type === 'fault').map(({ what }) => what);
    return { ...result, hits, why: dropped.why, again: again.length, faults: faults.slice(0, 2) };
  },
  async cut() {
    await a.ask('start', { ...toB, bytes: 1_000_000 });
    await until(() => fates(events, 'delivered').length > 100);
    await order({ do: 'cut', host: 'b' });
    const before = fates(events, 'delivered').length;
    await until(() => fates(events, 'dropped').length > 2);
    const after = fates(events, 'delivered').length;
    const link = ip('-n', 'a', 'link', 'show', 'eth0');
    const why = fates(events, 'dropped').map((fate) => fate.why);
    await order({ do: 'plug', host: 'b' });
    const { bytes } = await b.ask('ended');
    await clean();
    return { before, after, carrier: link.includes('LOWER_UP'), whys: [...new Set(why)], bytes };
  },
  async mess() {
    const double = await value({ do: 'rule', act: { do: 'duplicate' }, match: { chance: 0.2 } });
    const late = await value({
      do: 'rule',
      act: { do: 'delay', ms: 60 },
      match: { data: true, chance: 0.1 },
    });
    const result = await transfer(100_000, 1);
    await order({ do: 'unrule', rule: double });
    await order({ do: 'unrule', rule: late });
    const seen = await clean();
    const order2 = fates(seen, 'delivered').filter(({ host }) => host === 'b');
    const overtaken = order2.filter(({ packet }, i) => i > 0 && packet < order2[i - 1].packet).length;
    return { ...result, copies: fates(seen).filter(({ why }) => why?.includes('a copy')).length, overtaken };
  },
  async corrupt() {
    const before = await b.ask('counter', { line: 'Tcp', name: 'InCsumErrors' });
    const match = { from: 'a', data: true, nth: [2, 4] };
    const rule = await value({ do: 'rule', act: { do: 'corrupt' }, match });
    const result = await transfer(6000, 6);
    await order({ do: 'unrule', rule });
    const errors = (await b.ask('counter', { line: 'Tcp', name: 'InCsumErrors' })) - before;
    const seen = await clean();
    return {
      ...result,
      errors,
      whys: fates(seen).flatMap(({ why }) => (why?.includes('flipped') ? [why] : [])),
    };
  },
  async rate() {
    await order({ do: 'path', path: { bitsPerSecond: 2_000_000 }, from: 'a', to: 'b' });
    const result = await transfer(200_000, 1);
    await order({ do: 'path', path: { bitsPerSecond: 1e12 }, from: 'a', to: 'b' });
    const arrivals = fates(await clean(), 'delivered').filter(({ host }) => host === 'b');
    return { ...result, spanMs: (arrivals.at(-1).at - arrivals[0].at) / 1e6 };
  },
  async hold() {
    const rule = await value({ do: 'rule', act: { do: 'hold' }, match: { flags: 'S', most: 1 } });
    const connected = a.ask('connect', toB);
    await until(() => fates(events, 'held').length > 0);
    await seconds(0.1);
    const released = await value({ do: 'release', rule, count: null });
    const ms = await connected;
    await b.ask('ended');
    await order({ do: 'unrule', rule });
    const whys = fates(await clean()).flatMap(({ why }) => (why?.startsWith('held') ? [why] : []));
    return { released, ms, whys };
  },
  async inject() {
    const macs = { from: '02:00:00:00:00:77', to: hosts.b.mac };
    const segment = { from: `${hosts.a.address}:1234`, to: `${hosts.b.address}:80`, flags: 'S', seq: 1000 };
    await order({ do: 'inject', frame: segmentFrame(segment, macs) });
    // It takes the SYN for a's, whose kernel knows nothing of it and refuses what answers it.
    const of = ({ type, frame }) =>
      type === 'packet' && [34, 36].some((at) => frame[at] === 4 && frame[at + 1] === 210);
    await until(() => events.filter(of).length >= 3);
    return (await clean()).filter(of).map(({ host, frame }) => `${host} ${frame[47]}`);
  },
  async lateness(count = 1000, each = 5) {
    await order({ do: 'path', path: { delayMs: 50 } });
    await a.ask('datagrams', { host: hosts.b.address, port: 9, count, each });
    await until(() => fates(events, 'delivered').filter(({ host }) => host === 'b').length >= count);
    const seen = await clean();
    const datagram = ({ type, host, frame }) =>
      type === 'packet' && host === 'a' && frame[12] === 8 && frame[23] === 17;
    const at = new Map(seen.filter(datagram).map((event) => [event.id, event.at]));
    const known = fates(seen, 'delivered').filter(({ packet }) => at.has(packet));
    const late = known.map((fate) => (fate.at - at.get(fate.packet)) / 1e6 - 50);
    late.sort((x, y) => x - y);
    const share = (part) => Number(late[Math.floor(part * (late.length - 1))].toFixed(4));
    return { frames: late.length, least: share(0), p50: share(0.5), p99: share(0.99), most: share(1) };
  },
  async refusals() {
    const rule = (match) => order({ do: 'rule', act: { do: 'drop' }, match });
    const answered = [await rule({ filter: 'tcp prt 80' }), await rule({ flags: 'SX' })];
    answered.push(await order({ do: 'path', path: { loss: 2 } }), await order({ do: 'hits', rule: 99 }));
    await clean();
    return answered.map(({ value, why }) => ({ value, why }));
  },
};

const first = await ready;
if (first.type !== 'ready') {
  console.error(JSON.stringify(first));
  process.exit(1);
}
await order({ do: 'add', ports: [ports.a], sampled: sampled.a });
await order({ do: 'add', ports: [ports.b], sampled: sampled.b });
await b.ask('listen', { port: 80 });
console.log(JSON.stringify({ up: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(await chapters[name](...given)));
}
await order({ do: 'finish' });
await gone;
link.close();
for (const { child } of Object.values(agents)) {
  child.stdin.end();
}
