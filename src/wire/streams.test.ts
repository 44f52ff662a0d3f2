import { describe, expect, it } from 'vitest';
import { CLIENT, headersOf, type Packet, play, SERVER, script } from '../../test/fixtures/tcp-script.ts';
import { createStreams } from './streams.ts';

const HANDSHAKE = `
  0 C S ws=7
  1 S SA ack=1 ws=7
  2 C A seq=1 ack=1 win=512`;

/** Notes of the last `count` packets. */
function lastNotes(text: string, count = 1): string[] {
  return play(script(text)).notes.slice(-count);
}

function udp(at: number, from = CLIENT, to = SERVER, length = 5): Packet {
  return { at: at * 1e9, from, to, payload: new Uint8Array(length) };
}

describe('a connection from SYN to FIN', () => {
  const whole = play(
    script(`${HANDSHAKE}
      3 C PA seq=1 ack=1 "GET /"
      4 S A seq=1 ack=6
      5 S PA seq=1 ack=6 "200 OK"
      6 C A seq=6 ack=7
      7 C FA seq=6 ack=7
      8 S FA seq=7 ack=7
      9 C A seq=7 ack=8`),
  );

  it('hands over both streams, both ends and one closing, and makes no notes', () => {
    expect(whole.events).toEqual(['opened', 'C 5', 'S 6', 'C ended', 'S ended', 'closed fin']);
    expect(whole.notes.join('')).toBe('');
    expect(new TextDecoder().decode(Uint8Array.from(whole.bytes.S))).toBe('200 OK');
  });

  it('counts packets, bytes and times per end', () => {
    const [client, server] = whole.flows[0]!.ends;
    expect([client.packets, client.payload, client.repeated]).toEqual([6, 5, 0]);
    expect([server.packets, server.payload, server.repeated]).toEqual([4, 6, 0]);
    expect([client.first, client.last, server.first, server.last]).toEqual([0, 9e6, 1e6, 8e6]);
  });

  it('measures the handshake and says who closed first', () => {
    const flow = whole.flows[0]!;
    expect(flow.handshakeNs).toBe(2e6);
    expect([flow.finBy, flow.resetBy, flow.state, flow.midStream]).toEqual([0, -1, 'closed', false]);
  });

  it('counts late packets of a closed connection without opening another', () => {
    const later = play(
      script(`${HANDSHAKE}
      7 C FA seq=1 ack=1
      8 S FA seq=1 ack=2
      9 C A seq=2 ack=2
      300 S FA seq=1 ack=2
      301 C A seq=2 ack=2`),
    );
    expect(later.flows.length).toBe(1);
    expect(later.notes.slice(-2)).toEqual(['retransmission', 'dup-ack']);
    expect(later.events.at(-1)).toBe('closed fin');
    expect(later.flows[0]!.ends[1].packets).toBe(3);
  });
});

describe('numbers', () => {
  it('are relative to the SYNs, and windows scaled by both options', () => {
    const { streams } = play(script(HANDSHAKE));
    expect([streams.relativeSeq, streams.relativeAck, streams.window, streams.sender]).toEqual([
      1, 1, 65_536, 0,
    ]);
  });

  it('start at 1 in the middle of a stream, and the window is not known', () => {
    const { streams, notes, flows } = play(script('0 S A seq=5000 ack=300 "x"'));
    expect([streams.relativeSeq, streams.relativeAck, streams.window]).toEqual([1, 1, -1]);
    expect(notes).toEqual(['mid-stream']);
    expect(flows[0]!.clientEnd).toBe(1);
  });

  it('have no acknowledgement in a SYN', () => {
    expect(play(script('0 C S')).streams.relativeAck).toBe(-1);
  });

  it('are not scaled when one SYN has no option, nor in a SYN', () => {
    const { streams } = play(script('0 C S ws=7 win=100\n1 S SA ack=1 win=200\n2 C A seq=1 ack=1 win=300'));
    expect(streams.window).toBe(300);
    expect(play(script('0 C S ws=7 win=100')).streams.window).toBe(100);
  });

  it('run over the end of 32 bits inside a stream', () => {
    const over = play(
      script(
        `${HANDSHAKE}
        3 C PA seq=1 ack=1 len=100
        4 C PA seq=201 ack=1 len=100
        5 C PA seq=101 ack=1 len=100
        6 S A seq=1 ack=301`,
        { clientIsn: 0xffff_ffa0, serverIsn: 0xffff_ffff },
      ),
    );
    expect(over.events.slice(1)).toEqual(['C 100', 'C 100', 'C 100']);
    expect(over.notes.slice(3)).toEqual(['', 'gap-before', 'out-of-order', '']);
    expect(over.streams.relativeAck).toBe(301);
  });
});

describe('notes', () => {
  it('retransmission: sent again after a timeout, not acknowledged yet', () => {
    expect(lastNotes(`${HANDSHAKE}\n3 C PA seq=1 ack=1 len=10\n300 C PA seq=1 ack=1 len=10`)).toEqual([
      'retransmission',
    ]);
  });

  it('retransmission: a SYN or FIN again', () => {
    expect(lastNotes('0 C S\n1000 C S')).toEqual(['retransmission']);
    expect(lastNotes(`${HANDSHAKE}\n3 C FA seq=1 ack=1\n300 C FA seq=1 ack=1`)).toEqual(['retransmission']);
  });

  it('retransmission: the very same packet captured twice, as on two interfaces', () => {
    expect(lastNotes(`${HANDSHAKE}\n3 C PA seq=1 ack=1 len=10\n3 C PA seq=1 ack=1 len=10`)).toEqual([
      'retransmission',
    ]);
  });

  it('spurious retransmission: it was acknowledged already', () => {
    expect(
      lastNotes(`${HANDSHAKE}\n3 C PA seq=1 ack=1 len=10\n4 S A seq=1 ack=11\n5 C PA seq=1 ack=1 len=10`),
    ).toEqual(['retransmission spurious-retransmission']);
  });

  const LOSS = `${HANDSHAKE}
    3 C A seq=1 ack=1 len=100
    3 C A seq=201 ack=1 len=100
    4 S A seq=1 ack=101
    5 S A seq=1 ack=101
    6 S A seq=1 ack=101`;

  it('duplicate acknowledgements and a gap before what came after the loss', () => {
    expect(lastNotes(LOSS, 5)).toEqual(['', 'gap-before', '', 'dup-ack', 'dup-ack']);
  });

  it('fast retransmission: within 20 ms of two duplicate acknowledgements', () => {
    expect(lastNotes(`${LOSS}\n10 C A seq=101 ack=1 len=100`)).toEqual([
      'retransmission fast-retransmission',
    ]);
    expect(lastNotes(`${LOSS}\n30 C A seq=101 ack=1 len=100`)).toEqual(['retransmission']);
  });

  it('out of order: within the round trip of the handshake of what came first', () => {
    const reordered = `${HANDSHAKE}\n3 C A seq=101 ack=1 len=100`;
    expect(
      lastNotes(`${HANDSHAKE}\n3 C A seq=1 ack=1 len=9\n4 C A seq=30 ack=1 len=9\n5 C A seq=10 ack=1 len=20`),
    ).toEqual(['out-of-order']);
    expect(lastNotes(`${reordered}\n4 C A seq=1 ack=1 len=100`)).toEqual(['out-of-order']);
    expect(lastNotes(`${reordered}\n5.5 C A seq=1 ack=1 len=100`)).toEqual(['retransmission']);
  });

  it('overlap: part of the bytes came before', () => {
    const played = play(script(`${HANDSHAKE}\n3 C A seq=1 ack=1 len=100\n300 C A seq=51 ack=1 len=100`));
    expect(played.notes.at(-1)).toBe('retransmission overlap');
    expect(played.events.slice(1)).toEqual(['C 100', 'C 50']);
    const [client] = played.flows[0]!.ends;
    expect([client.payload, client.repeated]).toEqual([150, 50]);
  });

  it('acknowledges bytes nobody saw: once for each hole', () => {
    expect(
      lastNotes(
        `${HANDSHAKE}
        3 C A seq=1 ack=1 len=100
        4 C A seq=201 ack=1 len=100
        5 S A seq=1 ack=301
        6 C A seq=301 ack=1 len=100
        7 S A seq=1 ack=401
        8 S A seq=1 ack=501`,
        6,
      ),
    ).toEqual(['', 'gap-before', 'acks-unseen', '', '', 'acks-unseen']);
  });

  const CLOSED_WINDOW = `${HANDSHAKE}
    3 S PA seq=1 ack=1 len=200
    4 C A seq=1 ack=201 win=0`;

  it('zero window, the probe of it and the answer', () => {
    expect(
      lastNotes(`${CLOSED_WINDOW}\n300 S A seq=201 ack=1 len=1\n301 C A seq=1 ack=201 win=0`, 3),
    ).toEqual(['zero-window', 'window-probe', 'zero-window window-probe-ack']);
  });

  it('a probe whose byte is accepted leaves no gap behind', () => {
    const played = play(
      script(`${CLOSED_WINDOW}
      300 S A seq=201 ack=1 len=1
      301 C A seq=1 ack=202 win=512
      302 S A seq=202 ack=1 len=100`),
    );
    expect(played.notes.slice(-3)).toEqual(['window-probe', '', '']);
    expect(played.bytes.S.length).toBe(301);
  });

  it('a probe whose byte is refused is followed by the same byte with more, which is no retransmission', () => {
    const played = play(
      script(`${CLOSED_WINDOW}
      300 S A seq=201 ack=1 len=1
      301 C A seq=1 ack=201 win=0
      400 C A seq=1 ack=201 win=512
      401 S A seq=201 ack=1 len=100`),
    );
    expect(played.notes.slice(-2)).toEqual(['window-update', '']);
    expect(played.events.slice(1)).toEqual(['S 200', 'S 1', 'S 99']);
  });

  it('window full: exactly to the edge; out of window: beyond it', () => {
    const small = '0 C S ws=0 win=100\n1 S SA ack=1 ws=0\n2 C A seq=1 ack=1 win=100';
    expect(lastNotes(`${small}\n3 S A seq=1 ack=1 len=100`)).toEqual(['window-full']);
    expect(lastNotes(`${small}\n3 S A seq=1 ack=1 len=101`)).toEqual(['out-of-window']);
    expect(lastNotes(`${small}\n3 S A seq=1 ack=1 len=99`)).toEqual(['']);
  });

  it('a window that shrinks does not put what was allowed outside', () => {
    expect(
      lastNotes(
        `0 C S ws=0\n1 S SA ack=1 ws=0\n2 C A seq=1 ack=1 win=100\n3 C A seq=1 ack=1 win=50\n4 S A seq=1 ack=1 len=90`,
      ),
    ).toEqual(['']);
  });

  it('an acknowledgement older than any window is out of window', () => {
    const far = `0 C S ws=0\n1 S SA ack=1 ws=0\n2 C A seq=1 ack=1 win=100
      3 S A seq=1 ack=1 len=100\n4 C A seq=1 ack=101 win=100\n5 S A seq=101 ack=1 len=100\n6 C A seq=1 ack=201 win=100`;
    expect(lastNotes(`${far}\n7 C A seq=1 ack=50 win=100`)).toEqual(['out-of-window']);
    expect(lastNotes(`${far}\n7 C A seq=1 ack=101 win=100`)).toEqual(['']);
  });

  it.each([0, 1])('keep-alive with %i bytes, and its answer', (length) => {
    const played = play(
      script(`${HANDSHAKE}
      3 C PA seq=1 ack=1 len=10
      4 S A seq=1 ack=11
      9000 C A seq=10 ack=1 len=${length}
      9001 S A seq=1 ack=11`),
    );
    expect(played.notes.slice(-2)).toEqual(['keep-alive', 'keep-alive-ack']);
    expect(played.bytes.C.length).toBe(10);
  });

  it('a capture that begins with a keep-alive of an idle connection misses nothing', () => {
    const played = play(
      script(`0 C A seq=99 ack=5\n1 S A seq=5 ack=100\n50 C PA seq=100 ack=5 "hello"\n51 S A seq=5 ack=105`),
    );
    expect(played.notes).toEqual(['mid-stream', '', '', '']);
    expect(played.events).toEqual(['opened', 'C 5']);
    expect(played.streams.lost).toBe(0);
  });
});

describe('resets', () => {
  it('end their sender and close the connection', () => {
    const played = play(script(`${HANDSHAKE}\n3 C A seq=1 ack=1 len=5\n4 S RA seq=1 ack=6`));
    expect(played.events).toEqual(['opened', 'C 5', 'S ended', 'closed reset']);
    expect(played.notes.at(-1)).toBe('reset');
    expect(played.flows[0]!.resetBy).toBe(1);
  });

  it('refuse a SYN', () => {
    const played = play(script('0 C S', {}).concat(script('1 S RA ack=1', { serverIsn: 0 })));
    expect(played.events).toEqual(['opened', 'S ended', 'closed reset']);
    expect(played.notes).toEqual(['', 'reset']);
    expect(played.streams.relativeSeq).toBe(1);
  });

  it('that do not answer the SYN do not close', () => {
    const played = play(script('0 C S', {}).concat(script('1 S RA ack=77', { serverIsn: 0 })));
    expect(played.notes[1]).toBe('out-of-window reset');
    expect(played.events).toEqual(['opened']);
  });

  it('outside the window are noted and ignored', () => {
    const played = play(script(`${HANDSHAKE}\n3 S R seq=900000\n4 S PA seq=1 ack=1 "still here"`));
    expect(played.notes.slice(-2)).toEqual(['out-of-window reset', '']);
    expect(played.events).toEqual(['opened', 'S 10']);
    expect(played.flows[0]!.resetBy).toBe(-1);
  });

  it('carry text for people, not for the stream (RFC 9293 section 3.10.7.4 lets them)', () => {
    const played = play(script(`${HANDSHAKE}\n3 S R seq=1 "go away"`));
    expect(played.bytes.S).toEqual([]);
  });

  it('let go what waited behind a hole, after saying that there was one', () => {
    const played = play(script(`${HANDSHAKE}\n3 C A seq=11 ack=1 len=5\n4 S RA seq=1 ack=1`));
    expect(played.events.slice(1)).toEqual(['C gap 10', 'C 5', 'S ended', 'closed reset']);
    expect(played.streams.lost).toBe(10);
  });

  it('after the end are counted and change nothing', () => {
    const played = play(
      script(`${HANDSHAKE}\n7 C FA seq=1 ack=1\n8 S FA seq=1 ack=2\n9 C A seq=2 ack=2\n10 C R seq=2`),
    );
    expect(played.events.filter((event) => event.startsWith('closed'))).toEqual(['closed fin']);
  });
});

describe('holes', () => {
  const HOLE = `${HANDSHAKE}\n3 C A seq=1 ack=1 len=100\n4 C A seq=201 ack=1 len=100`;

  it('are waited for while the other side waits too', () => {
    expect(play(script(`${HOLE}\n5000 S A seq=1 ack=101`)).events.slice(1)).toEqual(['C 100']);
  });

  it('are given up when the other side has the bytes and they do not turn up', () => {
    expect(play(script(`${HOLE}\n5 S A seq=1 ack=301\n50 S A seq=1 ack=301`)).events.slice(1)).toEqual([
      'C 100',
    ]);
    const later = play(script(`${HOLE}\n5 S A seq=1 ack=301\n106 S A seq=1 ack=301`));
    expect(later.events.slice(1)).toEqual(['C 100', 'C gap 100', 'C 100']);
    expect(later.streams.lost).toBe(100);
    expect(later.streams.kept).toBe(0);
  });

  it('are given up by the clock alone', () => {
    const played = play(script(`${HOLE}\n5 S A seq=1 ack=301`));
    played.streams.tick(200e6);
    expect(played.events.slice(1)).toEqual(['C 100', 'C gap 100', 'C 100']);
  });

  it('that nobody acknowledges are given up after half a minute', () => {
    const played = play(script(HOLE));
    played.streams.tick(29e9);
    expect(played.events.length).toBe(2);
    played.streams.tick(31e9);
    expect(played.events.slice(1)).toEqual(['C 100', 'C gap 100', 'C 100']);
  });

  it('are filled by a late packet while there is patience: captures of several queues reorder', () => {
    const played = play(script(`${HOLE}\n5 S A seq=1 ack=301\n6 C A seq=101 ack=1 len=100`));
    expect(played.events.slice(1)).toEqual(['C 100', 'C 100', 'C 100']);
    expect(played.streams.lost).toBe(0);
  });

  it('only that part is given up which was acknowledged', () => {
    const played = play(script(`${HOLE}\n5 S A seq=1 ack=151\n300 S A seq=1 ack=151`));
    expect(played.events.slice(1)).toEqual(['C 100', 'C gap 50']);
    played.feed(script('301 C A seq=151 ack=1 len=50'));
    expect(played.events.slice(3)).toEqual(['C 50', 'C 100']);
  });

  it('before a FIN keep the end waiting', () => {
    const fin = `${HANDSHAKE}\n3 C FA seq=11 ack=1`;
    expect(play(script(`${fin}\n4 C A seq=1 ack=1 len=10`)).events.slice(1)).toEqual(['C 10', 'C ended']);
    expect(play(script(`${fin}\n4 S A seq=1 ack=12\n200 S A seq=1 ack=12`)).events.slice(1)).toEqual([
      'C gap 10',
      'C ended',
    ]);
  });

  it('are bounded per direction by segments', () => {
    const played = play(script(HANDSHAKE), { keptSegments: 4 });
    played.feed([0, 1, 2, 3, 4].flatMap((i) => script(`10 C A seq=${11 + 20 * i} ack=1 len=10`)));
    expect(played.events.slice(1)).toEqual(['C gap 10', 'C 10']);
  });

  it('are bounded in total, and the one that waits longest goes first', () => {
    const played = play(script(HANDSHAKE), { keptInTotal: 2000 });
    played.feed(script('3 C A seq=11 ack=1 len=1000'));
    played.feed(script('4 S A seq=11 ack=1 len=1000'));
    expect(played.events.slice(1)).toEqual(['C gap 10', 'C 1000']);
    expect(played.streams.kept).toBeLessThan(2000);
  });

  it('of more than a window that could be are jumped over where the other side is', () => {
    const far = 3_000_000_000;
    const played = play(
      script(`${HANDSHAKE}
      3 C A seq=1 ack=1 len=10
      900 S A seq=1 ack=${far}
      901 C A seq=${far} ack=1 len=10
      902 C A seq=${far + 10} ack=1 len=10
      903 C A seq=${far + 30} ack=1 len=10
      1500 S A seq=1 ack=${far + 20}`),
    );
    expect(played.events.slice(1)).toEqual(['C 10', `C gap ${far - 11}`, 'C 10', 'C 10']);
    played.feed(script(`1501 C A seq=${far + 20} ack=1 len=10`));
    expect(played.events.slice(-2)).toEqual(['C 10', 'C 10']);
  });

  it('are not made by a packet from nowhere', () => {
    const played = play(
      script(
        `${HANDSHAKE}\n3 C A seq=1 ack=1 len=10\n4 C A seq=2000000000 ack=1 len=10\n5 C A seq=11 ack=1 len=10`,
      ),
    );
    expect(played.events.slice(1)).toEqual(['C 10', 'C 10']);
    expect(played.streams.kept).toBe(0);
  });
});

describe('captures cut short', () => {
  it('give what is there and a gap for the rest', () => {
    const played = play(script(`${HANDSHAKE}\n3 C A seq=1 ack=1 len=100 cap=40\n4 C A seq=101 ack=1 len=10`));
    expect(played.events.slice(1)).toEqual(['C 40', 'C gap 60', 'C 10']);
    expect(played.streams.lost).toBe(60);
  });

  it('do so behind a hole too, and where only the end of a segment is new', () => {
    const played = play(
      script(`${HANDSHAKE}
      3 C A seq=11 ack=1 len=100 cap=40
      4 C A seq=1 ack=1 len=10
      5 C A seq=101 ack=1 len=20 cap=15
      6 C A seq=111 ack=1 len=20 cap=4`),
    );
    expect(played.events.slice(1)).toEqual(['C 10', 'C 40', 'C gap 60', 'C 5', 'C gap 5', 'C gap 10']);
  });
});

describe('odd beginnings and endings', () => {
  it('data in the SYN (RFC 7413) is the beginning of the stream', () => {
    const played = play(script('0 C S len=10\n1 S SA ack=11\n2 C A seq=11 ack=1\n3 C A seq=11 ack=1 len=5'));
    expect(played.events.slice(1)).toEqual(['C 10', 'C 5']);
    expect(played.notes.join('')).toBe('');
  });

  it('a simultaneous open is one connection', () => {
    const played = play(
      script(`0 C S\n0 S S\n1 C SA ack=1\n1 S SA ack=1\n2 C A seq=1 ack=1 len=5\n3 S A seq=1 ack=6 len=7`),
    );
    expect(played.flows.length).toBe(1);
    expect(played.events).toEqual(['opened', 'C 5', 'S 7']);
  });

  it('a half-closed connection goes on the other way', () => {
    const played = play(
      script(`${HANDSHAKE}\n3 C FA seq=1 ack=1\n4 S A seq=1 ack=2 len=50\n5 S A seq=51 ack=2 len=50`),
    );
    expect(played.events.slice(1)).toEqual(['C ended', 'S 50', 'S 50']);
    expect(played.flows[0]!.state).toBe('half-closed');
  });

  it('a FIN that comes before its data waits for them', () => {
    const played = play(script(`${HANDSHAKE}\n3 C FA seq=11 ack=1 len=10\n4 C A seq=1 ack=1 len=10`));
    expect(played.events.slice(1)).toEqual(['C 10', 'C 10', 'C ended']);
  });

  it('what comes behind a FIN is not part of the stream', () => {
    const played = play(
      script(
        `${HANDSHAKE}\n3 C A seq=21 ack=1 len=10\n3 C FA seq=11 ack=1\n4 C A seq=1 ack=1 len=10\n5 C A seq=11 ack=1 len=10`,
      ),
    );
    expect(played.events.slice(1)).toEqual(['C 10', 'C ended']);
    expect(played.streams.kept).toBe(0);
  });

  it('urgent data stays where it is (RFC 6093)', () => {
    expect(play(script(`${HANDSHAKE}\n3 C PAU seq=1 ack=1 len=10`)).events.slice(1)).toEqual(['C 10']);
  });

  it('a SYN-ACK whose SYN was not seen is a beginning: the numbers of both ends are known', () => {
    const played = play(
      script('1 S SA ack=1\n2 C A seq=1 ack=1\n3 C A seq=11 ack=1 len=5\n4 C A seq=1 ack=1 len=10'),
    );
    expect(played.flows[0]!.midStream).toBe(false);
    expect(played.events).toEqual(['opened', 'C 10', 'C 5']);
  });

  it('a second SYN-ACK with another number replaces the first, as a server without memory gives', () => {
    const played = play(
      script('0 C S\n1 S SA ack=1').concat(
        script('1000 C S\n1001 S SA ack=1\n1002 C A seq=1 ack=1\n1003 S A seq=1 ack=1 len=9', {
          serverIsn: 55,
        }),
      ),
    );
    expect(played.flows.length).toBe(1);
    expect(played.events).toEqual(['opened', 'S 9']);
  });

  it('a connection in its middle starts with the first segment of each end', () => {
    const played = play(
      script('0 C A seq=501 ack=900 len=10\n1 S A seq=900 ack=511 len=20\n2 C A seq=511 ack=920'),
    );
    expect(played.events).toEqual(['opened', 'C 10', 'S 20']);
    expect(played.notes).toEqual(['mid-stream', '', '']);
  });
});

describe('ports used again', () => {
  const again = { clientIsn: 99, serverIsn: 5 };

  it('after a close make a new flow without a note', () => {
    const played = play(
      script(`${HANDSHAKE}\n3 C FA seq=1 ack=1\n4 S FA seq=1 ack=2\n5 C A seq=2 ack=2`).concat(
        script('100 C S\n101 S SA ack=1', again),
      ),
    );
    expect(played.notes.slice(-2)).toEqual(['', '']);
    expect(played.flows.map((flow) => flow.stream)).toEqual([0, 1]);
    expect(played.events.slice(-2)).toEqual(['closed fin', 'opened']);
  });

  it('while open close the old flow and are noted', () => {
    const played = play(script(HANDSHAKE).concat(script('100 C S', again)));
    expect(played.notes.at(-1)).toBe('tuple-reused');
    expect(played.events).toEqual(['opened', 'closed reused', 'opened']);
  });

  it('may change who is the client', () => {
    const played = play(script(HANDSHAKE).concat(script('100 S S', again)));
    expect(played.events).toEqual(['opened', 'closed reused', 'opened']);
    expect(played.flows[1]!.ends[played.flows[1]!.clientEnd].port).toBe(80);
  });

  it('by a late SYN-ACK to a SYN that was withdrawn are not', () => {
    const played = play(script('0 C S\n1 C R seq=1\n2 S SA ack=1'));
    expect(played.flows.length).toBe(1);
  });

  it('by a SYN-ACK to a SYN that was not seen are', () => {
    const played = play(script(`${HANDSHAKE}\n3 C R seq=1`).concat(script('100 S SA ack=1', again)));
    expect(played.flows.length).toBe(2);
  });

  it('after a minute are forgotten: a packet then is in the middle of something', () => {
    const played = play(script(`${HANDSHAKE}\n3 C R seq=1\n70000 S A seq=1 ack=1 len=5`));
    expect(played.flows.length).toBe(2);
    expect(played.notes.at(-1)).toBe('mid-stream');
  });
});

describe('UDP', () => {
  it('hands over each datagram and keeps a flow until it was silent for two minutes', () => {
    const played = play([udp(0), udp(1, SERVER, CLIENT, 7), udp(100), udp(221)]);
    expect(played.events).toEqual(['opened', 'C 5*', 'S 7*', 'C 5*', 'closed idle', 'opened', 'C 5*']);
    expect(played.flows.map((flow) => [flow.stream, flow.midStream])).toEqual([
      [0, false],
      [1, false],
    ]);
  });

  it('says how much of a datagram the capture cut off', () => {
    const played = play([{ ...udp(0), captured: 2 }]);
    expect(played.events).toEqual(['opened', 'C 2*']);
    expect(played.streams.lost).toBe(3);
  });
});

describe('bounds and ends', () => {
  it('drop whoever has been silent longest when there are too many flows', () => {
    const from = (port: number, at: number): Packet => ({
      at,
      from: { ...CLIENT, port },
      to: SERVER,
      tcp: { seq: 1, flags: 2 },
    });
    const played = play([from(1, 0), from(2, 1), { ...from(1, 2), tcp: { seq: 2, flags: 16 } }, from(3, 3)], {
      flows: 2,
    });
    expect(played.events).toEqual(['opened', 'opened', 'closed evicted', 'opened']);
    expect(played.flows[1]!.state).toBe('closed');
    expect([played.streams.evicted, played.streams.open]).toEqual([1, 2]);
  });

  it('close everything at the end of the capture, TCP and UDP, and let go what waits', () => {
    const played = play(script(`${HANDSHAKE}\n3 C A seq=11 ack=1 len=5`));
    played.feed([udp(1)]);
    played.streams.finish(2e9);
    expect(played.events.slice(1)).toEqual([
      'opened',
      'C 5*',
      'C gap 10',
      'C 5',
      'closed end of capture',
      'closed end of capture',
    ]);
    expect(played.streams.open).toBe(0);
  });

  it('a connection whose last hole is given up at the end was closed by its FINs', () => {
    const played = play(script(`${HANDSHAKE}\n3 C FA seq=11 ack=1\n4 S FA seq=1 ack=1`));
    played.streams.finish(2e9);
    expect(played.events.slice(-3)).toEqual(['C gap 10', 'C ended', 'closed fin']);
  });

  it('nothing waits forever when the clock starts below zero or runs backwards', () => {
    const packets = script(`${HANDSHAKE}\n3 C A seq=11 ack=1 len=5`).map((one) => ({ ...one, at: -one.at }));
    const played = play(packets);
    played.streams.finish(-5e9);
    expect(played.events.slice(1)).toEqual(['C gap 10', 'C 5', 'closed end of capture']);
  });

  it('what is neither TCP nor UDP, or has no whole header, belongs to no flow', () => {
    const streams = createStreams({ data() {}, gap() {}, datagram() {}, ended() {}, closed() {} });
    const headers = headersOf(udp(0));
    headers.protocol = 1;
    expect(streams.packet(headers)).toBe(0);
    expect(streams.flow).toBe(null);
    headers.protocol = 17;
    headers.payloadAt = -1;
    expect(streams.packet(headers)).toBe(0);
    expect(streams.flow).toBe(null);
  });

  it('in-order bytes are borrowed from the packet, not copied', () => {
    const seen: Uint8Array[] = [];
    const streams = createStreams({
      data: (_flow, _sender, bytes) => seen.push(bytes),
      gap() {},
      datagram() {},
      ended() {},
      closed() {},
    });
    const headers = script(`${HANDSHAKE}\n3 C A seq=1 ack=1 len=5`).map(headersOf);
    for (const one of headers) {
      streams.packet(one);
    }
    expect(seen).toEqual([headers[3]!.bytes]);
    expect(seen[0]).toBe(headers[3]!.bytes);
  });
});
