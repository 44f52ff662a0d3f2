/** Everything known about one socket, as lines. */
import type { Socket, TcpInfo } from '../session/socket.ts';
import { protocolWord } from '../view/socket-rows.ts';
import { type Sample, sparkline, spread } from '../view/sparkline.ts';
import { bytes, count, duration, rate, several } from '../view/units.ts';
import { distinctOwners, gapText, localText, peerText, queuesSpan, stateText, stateTone } from './cells.ts';
import type { History, Track } from './history.ts';
import type { ProcessStory } from './options.ts';
import { clip, exactly, type Line, pad, printable, span, wrap } from './spans.ts';

export interface Detail {
  /** As last seen. */
  socket: Socket;
  history: History;
  /** On the caller's clock; null while the socket is there. */
  goneSince: number | null;
  stories: ReadonlyMap<number, ProcessStory | null>;
  scroll: number;
}

const LABEL = 14;
const COMMAND_LINES = 3;
const UNSET_SSTHRESH = 0x7fff_ffff;

function field(label: string, value: string, width: number): Line[] {
  return wrap(printable(value), Math.max(10, width - LABEL)).map((text, index) => [
    span(pad(index === 0 ? label : '', LABEL), 'dim'),
    span(text),
  ]);
}

function heading(text: string): Line[] {
  return [[], [span(text, 'bold')]];
}

export function titleLine(socket: Socket): Line {
  const peer = peerText(socket);
  return [
    span(protocolWord(socket), 'bold'),
    span('  '),
    span(stateText(socket), stateTone(stateText(socket))),
    span('  '),
    span(localText(socket), 'bold'),
    ...(peer === '*' ? [] : [span(' → ', 'dim'), span(peer, 'bold')]),
  ];
}

/** A command line may be a whole script: its start says what it is, and the figures below stay in sight. */
function commandLines(command: string, width: number): Line[] {
  const lines = field('  command', command, width);
  const more = lines.length - COMMAND_LINES;
  return more <= 0
    ? lines
    : [
        ...lines.slice(0, COMMAND_LINES),
        [span(pad('', LABEL)), span(`and ${several(more, 'more line')}`, 'dim')],
      ];
}

function ownerLines(detail: Detail, width: number): Line[] {
  const { owners } = detail.socket;
  if (owners.length === 0) {
    const why =
      detail.socket.ownerGap === 'none'
        ? 'none: the kernel holds this socket by itself'
        : detail.socket.ownerGap === 'not visible'
          ? "not visible: another user's process, or one that just ended; root sees it"
          : `${gapText(detail.socket)}: many descriptors are open here; \`ls -p --watch\` reads them all`;
    return field('process', why, width);
  }
  return distinctOwners(owners).flatMap((owner) => {
    const descriptors = owners.filter(({ pid }) => pid === owner.pid).map(({ fd }) => fd);
    const story = detail.stories.get(owner.pid) ?? null;
    const who = story?.user === undefined ? '' : `  as ${story.user}`;
    const lines = field(
      'process',
      `${owner.name}  pid ${owner.pid}  fd ${descriptors.join(', ')}${who}`,
      width,
    );
    if (story === null) {
      return lines;
    }
    lines.push(...commandLines(story.command ?? 'not visible', width));
    lines.push(...field('  directory', story.cwd ?? 'not visible', width));
    if (story.container !== undefined) {
      lines.push(...field('  container', story.container, width));
    }
    if (story.parents.length > 0) {
      lines.push(
        ...field('  started by', story.parents.map(({ name, pid }) => `${name} ${pid}`).join(' ← '), width),
      );
    }
    return lines;
  });
}

interface Plot {
  track: Track;
  label: string;
  unit: (value: number) => string;
}

const PLOTS: readonly Plot[] = [
  { track: 'rtt', label: 'round trip', unit: duration },
  { track: 'cwnd', label: 'cwnd', unit: count },
  { track: 'delivery', label: 'delivery rate', unit: rate },
  { track: 'sent', label: 'acknowledged', unit: rate },
  { track: 'received', label: 'received', unit: rate },
  { track: 'retransmits', label: 'retransmits', unit: (value) => `+${count(value)}` },
  { track: 'unacked', label: 'in flight', unit: (value) => several(value, 'segment') },
  { track: 'recvQueue', label: 'recv queue', unit: bytes },
  { track: 'sendQueue', label: 'send queue', unit: bytes },
  { track: 'accept', label: 'accept queue', unit: count },
];

const FIGURE = 13;
const PLOT_LEAST = 8;

function plotLine(plot: Plot, samples: readonly Sample[], width: number): Line[] {
  const figures = spread(samples);
  if (figures === null) {
    return [];
  }
  const now = figures.last === null ? 'unknown' : plot.unit(figures.last);
  const range =
    figures.min === figures.max ? 'steady' : `${plot.unit(figures.min)} – ${plot.unit(figures.max)}`;
  const room = Math.max(PLOT_LEAST, Math.min(60, width - LABEL - FIGURE - 26));
  return [
    [
      span(pad(plot.label, LABEL), 'dim'),
      span(exactly(now, FIGURE), 'bold'),
      // Grows to the right until the room is full, then moves left.
      span(
        pad(sparkline(samples, Math.min(room, samples.length)), room),
        plot.track === 'retransmits' && figures.max > 0 ? 'bad' : 'accent',
      ),
      span(`  ${range}`, 'dim'),
    ],
  ];
}

function plotLines(history: History, width: number): Line[] {
  const lines = PLOTS.flatMap((plot) => plotLine(plot, history.samples[plot.track], width));
  const taken = history.samples.rtt.length;
  return lines.length === 0 ? [] : [...heading(`over the last ${several(taken, 'reading')}`), ...lines];
}

type Fact = readonly [label: string, value: string];

function optional(label: string, value: number | undefined, text: (value: number) => string): Fact[] {
  return value === undefined ? [] : [[label, text(value)]];
}

function ago(milliseconds: number): string {
  return `${duration(milliseconds * 1000)} ago`;
}

function tcpFacts(t: TcpInfo): Fact[] {
  return [
    ['rtt', `${duration(t.rttUs)} ±${duration(t.rttvarUs)}`],
    ...optional('least rtt', t.minRttUs, duration),
    ['rto', duration(t.rtoUs)],
    ['cwnd', `${count(t.sndCwnd)} segments`],
    ['ssthresh', t.sndSsthresh >= UNSET_SSTHRESH ? 'not set' : count(t.sndSsthresh)],
    ['mss', `${count(t.sndMss)} out, ${count(t.rcvMss)} in`],
    ['path mtu', count(t.pmtu)],
    ['recovery', t.caState],
    ['options', t.options.join(' ') || 'none'],
    ['window scale', `${t.sndWscale} out, ${t.rcvWscale} in`],
    ...optional('peer window', t.sndWnd, bytes),
    ...optional('our window', t.rcvWnd, bytes),
    ['retransmitted', `${count(t.retrans)} now, ${count(t.totalRetrans)} ever`],
    ['lost', count(t.lost)],
    ['reordering', count(t.reordering)],
    ...optional('sent', t.bytesSent, bytes),
    ...optional('acknowledged', t.bytesAcked, bytes),
    ...optional('received', t.bytesReceived, bytes),
    ...optional('sent again', t.bytesRetrans, bytes),
    ...optional('not yet sent', t.notsentBytes, bytes),
    ...optional('segments out', t.segsOut, count),
    ...optional('segments in', t.segsIn, count),
    ...optional('delivery rate', t.deliveryRate, rate),
    ...optional('pacing rate', t.pacingRate, rate),
    ...optional('busy', t.busyTimeUs, duration),
    ...optional('held by peer', t.rwndLimitedUs, duration),
    ...optional('held by sndbuf', t.sndbufLimitedUs, duration),
    ['limited by', t.appLimited ? 'the program' : 'the network or the peer'],
    ['last sent', ago(t.lastDataSentMs)],
    ['last received', ago(t.lastDataReceivedMs)],
    ['last ack', ago(t.lastAckReceivedMs)],
  ];
}

function socketFacts(s: Socket): Fact[] {
  const facts: Fact[] = [
    ['uid', String(s.uid)],
    ['inode', s.inode === 0 ? 'none' : String(s.inode)],
    ['cookie', s.cookie.replace(/^0+(?=.)/, '')],
  ];
  const shut = [s.shutdown?.receive && 'receiving', s.shutdown?.send && 'sending']
    .filter(Boolean)
    .join(' and ');
  const add = (label: string, value: string | undefined | false): void => {
    if (value !== undefined && value !== false && value !== '') {
      facts.push([label, value]);
    }
  };
  add('congestion', s.congestion);
  add('interface', s.device);
  add('cgroup', s.cgroup);
  add('shut down', shut);
  add('IPv6', s.v6only === undefined ? undefined : s.v6only ? 'only' : 'and IPv4');
  add('mark', s.mark ? `0x${s.mark.toString(16)}` : undefined);
  add('tos', s.tos ? `0x${s.tos.toString(16)}` : undefined);
  add('class', s.classId ? `0x${s.classId.toString(16)}` : undefined);
  add(
    'timer',
    s.timer && `${s.timer.kind} in ${duration(s.timer.expiresMs * 1000)}, ${s.timer.retransmits} sent again`,
  );
  const m = s.memory;
  if (m !== undefined) {
    facts.push(['recv memory', `${bytes(m.receiveAllocated)} of ${bytes(m.receiveLimit)}`]);
    facts.push(['send memory', `${bytes(m.transmitAllocated)} of ${bytes(m.transmitLimit)}`]);
    facts.push(['dropped', count(m.drops)]);
  }
  return facts;
}

const FACT_LABEL = 15;
const FACT_WIDTH = 40;

/** Two or three to a line where the screen allows; a long value takes a line of its own. */
function grid(facts: readonly Fact[], width: number): Line[] {
  const across = Math.max(1, Math.floor(width / FACT_WIDTH));
  const wide = Math.floor(width / across);
  const lines: Line[] = [];
  let row: Line = [];
  let cells = 0;
  const flush = (): void => {
    if (cells > 0) {
      lines.push(row);
    }
    row = [];
    cells = 0;
  };
  for (const [label, value] of facts) {
    const text = printable(value);
    if (text.length > wide - FACT_LABEL - 1) {
      flush();
      lines.push([span(pad(label, FACT_LABEL), 'dim'), span(exactly(text, width - FACT_LABEL).trimEnd())]);
      continue;
    }
    row = [...row, span(pad(label, FACT_LABEL), 'dim'), span(exactly(text, wide - FACT_LABEL))];
    cells += 1;
    if (cells === across) {
      flush();
    }
  }
  flush();
  return lines;
}

export function detailLines(detail: Detail, now: number, width: number): Line[] {
  const { socket, history, goneSince } = detail;
  const lines: Line[] = [titleLine(socket)];
  if (goneSince !== null) {
    const text = `gone for ${duration(Math.max(0, now - goneSince) * 1000)}; this is what was last seen`;
    lines.push([span(text, 'bad')]);
  }
  lines.push([]);
  lines.push(...ownerLines(detail, width));
  const queues = queuesSpan(socket);
  lines.push([span(pad('queues', LABEL), 'dim'), queues.text === '-' ? span('both empty') : queues]);
  lines.push(...plotLines(history, width));
  if (socket.tcp !== undefined && socket.accept === undefined) {
    lines.push(...heading('tcp, now'), ...grid(tcpFacts(socket.tcp), width));
  }
  lines.push(...heading('socket'), ...grid(socketFacts(socket), width));
  return lines.map((line) => clip(line, width));
}
