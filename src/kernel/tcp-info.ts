/** struct tcp_info (linux/tcp.h). It grows with each kernel: a field beyond the length given is absent, a longer struct is read as far as we know it. */
import { u16, u32, u64 } from './sockdiag-format.ts';

const CA_STATES = ['open', 'disorder', 'cwr', 'recovery', 'loss'];
const OPTIONS: readonly [bit: number, word: string][] = [
  [1, 'ts'],
  [2, 'sack'],
  [4, 'wscale'],
  [8, 'ecn'],
  [16, 'ecnseen'],
  [32, 'fastopen'],
];
const SMALLEST = 104;
/** All ones, which a double rounds up. */
const UNLIMITED = 2 ** 64;

/** The fields that later kernels added, in the order of the struct. */
const LATER = [
  ['pacingRate', 104, 8],
  ['maxPacingRate', 112, 8],
  ['bytesAcked', 120, 8],
  ['bytesReceived', 128, 8],
  ['segsOut', 136, 4],
  ['segsIn', 140, 4],
  ['notsentBytes', 144, 4],
  ['minRttUs', 148, 4],
  ['dataSegsIn', 152, 4],
  ['dataSegsOut', 156, 4],
  ['deliveryRate', 160, 8],
  ['busyTimeUs', 168, 8],
  ['rwndLimitedUs', 176, 8],
  ['sndbufLimitedUs', 184, 8],
  ['delivered', 192, 4],
  ['deliveredCe', 196, 4],
  ['bytesSent', 200, 8],
  ['bytesRetrans', 208, 8],
  ['dsackDups', 216, 4],
  ['reordSeen', 220, 4],
  ['rcvOoopack', 224, 4],
  ['sndWnd', 228, 4],
  ['rcvWnd', 232, 4],
  ['rehash', 236, 4],
  ['totalRto', 240, 2],
  ['totalRtoRecoveries', 242, 2],
  ['totalRtoTimeMs', 244, 4],
] as const;

type LaterField = (typeof LATER)[number][0];

/** Null when the struct is shorter than the oldest one that Linux ≥ 5.10 can send. */
export function readTcpInfo(b: Uint8Array, at: number, length: number) {
  if (length < SMALLEST || at + length > b.length) {
    return null;
  }
  const options = b[at + 5]!;
  const later: Partial<Record<LaterField, number>> = {};
  for (const [name, offset, size] of LATER) {
    if (offset + size > length) {
      break;
    }
    const value = size === 8 ? u64(b, at + offset) : size === 4 ? u32(b, at + offset) : u16(b, at + offset);
    if (!(size === 8 && value >= UNLIMITED)) {
      later[name] = value;
    }
  }
  return {
    options: OPTIONS.filter(([bit]) => options & bit).map(([, word]) => word),
    caState: CA_STATES[b[at + 1]!] ?? `state ${b[at + 1]}`,
    retransmits: b[at + 2]!,
    probes: b[at + 3]!,
    backoff: b[at + 4]!,
    sndWscale: b[at + 6]! & 15,
    rcvWscale: b[at + 6]! >> 4,
    appLimited: (b[at + 7]! & 1) === 1,
    rtoUs: u32(b, at + 8),
    atoUs: u32(b, at + 12),
    sndMss: u32(b, at + 16),
    rcvMss: u32(b, at + 20),
    unacked: u32(b, at + 24),
    sacked: u32(b, at + 28),
    lost: u32(b, at + 32),
    retrans: u32(b, at + 36),
    lastDataSentMs: u32(b, at + 44),
    lastDataReceivedMs: u32(b, at + 52),
    lastAckReceivedMs: u32(b, at + 56),
    pmtu: u32(b, at + 60),
    rcvSsthresh: u32(b, at + 64),
    rttUs: u32(b, at + 68),
    rttvarUs: u32(b, at + 72),
    sndSsthresh: u32(b, at + 76),
    sndCwnd: u32(b, at + 80),
    advMss: u32(b, at + 84),
    reordering: u32(b, at + 88),
    rcvRttUs: u32(b, at + 92),
    rcvSpace: u32(b, at + 96),
    totalRetrans: u32(b, at + 100),
    ...later,
  };
}
