/** RFC 9111 as claims. A step that says → changes what the origin answers from then on. */
import { describe, expect, it } from 'vitest';
import { World } from './cache-fixture.ts';
import { fieldOf } from './fields.ts';

type Told = readonly [step: string, came: string];
type Row = readonly [claim: string, origin: string, ...steps: Told[]];

function run(rows: readonly Row[], settings = {}): void {
  it.each(rows)('%s', (...row) => {
    const [, origin, ...steps] = row as unknown as Row;
    const world = new World(origin, settings);
    expect(steps.map(([step]) => world.step(step).came)).toEqual(steps.map(([, came]) => came));
  });
}

describe('what is stored (RFC 9111, section 3)', () => {
  const once = (claim: string, origin: string, came: string, step = 'GET /a'): Row => [
    claim,
    origin,
    [step, came],
    [step, came],
  ];
  run([
    [
      'max-age makes an answer a hit',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['GET /a', 'hit 200'],
    ],
    once('no-store is not stored', '200 Cache-Control: max-age=10, no-store', 'miss 200'),
    once('private is not stored', '200 Cache-Control: private, max-age=10', 'miss 200'),
    once('private="x-field" counts as private', '200 Cache-Control: private="x", max-age=10', 'miss 200'),
    once('nothing that says how long, and nothing to ask with, is not stored', '200 X: y', 'miss 200'),
    once(
      'an answer to Authorization is not stored',
      '200 Cache-Control: max-age=10',
      'miss 200',
      'GET /a Authorization: Basic eA==',
    ),
    [
      '… unless it is public',
      '200 Cache-Control: max-age=10, public',
      ['GET /a Authorization: x', 'miss 200 stored'],
      ['GET /a', 'hit 200'],
    ],
    [
      '… or has s-maxage',
      '200 Cache-Control: s-maxage=10',
      ['GET /a Authorization: x', 'miss 200 stored'],
      ['GET /a', 'hit 200'],
    ],
    [
      '… or must-revalidate',
      '200 Cache-Control: max-age=10, must-revalidate',
      ['GET /a Authorization: x', 'miss 200 stored'],
      ['GET /a', 'hit 200'],
    ],
    once('Vary: * is not stored', '200 Cache-Control: max-age=10 ¦ Vary: Accept, *', 'miss 200'),
    once('a POST is not stored', '200 Cache-Control: max-age=10', 'bypass 200', 'POST /a'),
    once(
      'a request that says no-store is not stored',
      '200 Cache-Control: max-age=10',
      'bypass 200',
      'GET /a Cache-Control: no-store',
    ),
    once(
      '206 is not stored',
      '206 Cache-Control: max-age=10 ¦ Content-Range: bytes 0-3/9',
      'miss 206',
      'GET /a Range: bytes=0-3',
    ),
    once('302 without lifetime is not stored', '302 ETag: "1"', 'miss 302'),
    [
      '302 with max-age is stored',
      '302 Cache-Control: max-age=10',
      ['GET /a', 'miss 302 stored'],
      ['GET /a', 'hit 302'],
    ],
    [
      '404 with max-age is stored',
      '404 Cache-Control: max-age=10',
      ['GET /a', 'miss 404 stored'],
      ['GET /a', 'hit 404'],
    ],
    [
      'an unknown status with max-age is stored',
      '299 Cache-Control: max-age=10',
      ['GET /a', 'miss 299 stored'],
      ['GET /a', 'hit 299'],
    ],
    once('… but not with must-understand', '299 Cache-Control: max-age=10, must-understand', 'miss 299'),
    [
      'must-understand makes no-store beside it void where the status is understood',
      '200 Cache-Control: max-age=10, must-understand, no-store',
      ['GET /a', 'miss 200 stored'],
      ['GET /a', 'hit 200'],
    ],
    once("a cookie without a lifetime is nobody else's", '200 Set-Cookie: a=b ¦ ETag: "1"', 'miss 200'),
    once(
      'a body shorter than its Content-Length is not stored',
      '200 Cache-Control: max-age=10 ¦ Content-Length: 9',
      'miss 200 stored',
    ),
    [
      'HEAD is answered from a stored GET',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['HEAD /a', 'hit 200'],
    ],
    [
      'an answer to HEAD is not stored',
      '200 Cache-Control: max-age=10',
      ['HEAD /a', 'miss 200'],
      ['GET /a', 'miss 200 stored'],
    ],
  ]);
});

describe('how long it is fresh (section 4.2)', () => {
  const fresh = (claim: string, origin: string, seconds: number): Row => [
    claim,
    origin,
    ['GET /a', 'miss 200 stored'],
    [`+${seconds - 1} GET /a`, 'hit 200'],
    ['+1 GET /a', 'miss 200 stored'],
  ];
  run([
    fresh('max-age', '200 Cache-Control: max-age=10', 10),
    fresh('s-maxage wins over max-age', '200 Cache-Control: max-age=1, s-maxage=20', 20),
    fresh('max-age wins over Expires', '200 Cache-Control: max-age=10 ¦ Expires: +99', 10),
    fresh('Expires', '200 Expires: +30', 30),
    fresh('a tenth of the time since Last-Modified', '200 Last-Modified: -1000', 100),
    fresh('the guess ends with a day', '200 Last-Modified: -99999999', 86400),
    fresh('the Age it came with counts', '200 Cache-Control: max-age=100 ¦ Age: 90', 10),
    fresh('a Date in the past counts as age', '200 Cache-Control: max-age=100 ¦ Date: -60', 40),
    fresh('of two max-age the smaller one', '200 Cache-Control: max-age=10, max-age=99', 10),
    fresh('a quoted number is one', '200 Cache-Control: max-age="10"', 10),
    fresh('names in capitals', '200 Cache-Control: MAX-AGE=10', 10),
    [
      'Expires: 0 is stale at once',
      '200 Expires: 0 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['GET /a → 304', 'revalidated 200'],
    ],
    [
      'max-age that is no number is stale at once',
      '200 Cache-Control: max-age=x ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['GET /a → 304', 'revalidated 200'],
    ],
    [
      'a number too long for any clock is for ever',
      '200 Cache-Control: max-age=99999999999999999999',
      ['GET /a', 'miss 200 stored'],
      ['+999999999 GET /a', 'hit 200'],
    ],
  ]);

  it('Age grows, in whole seconds', () => {
    const world = new World('200 Cache-Control: max-age=100 ¦ Age: 3');
    world.step('GET /a');
    expect(fieldOf(world.step('+4.7 GET /a').fields, 'age')).toBe('7');
  });

  it('the time its way took counts as age', () => {
    const world = new World('200 Cache-Control: max-age=10');
    const verdict = world.cache.ask({ method: 'GET', uri: 'http://origin/a', fields: [] }, world.now);
    world.now += 6000;
    if (verdict.do === 'forward') {
      world.forward(verdict.question);
    }
    expect(world.step('+3 GET /a').came).toBe('hit 200');
    expect(world.step('+1 GET /a').came).toBe('miss 200 stored');
  });
});

describe('Vary (section 4.1)', () => {
  run([
    [
      'another value is another answer',
      '200 Cache-Control: max-age=10 ¦ Vary: Accept',
      ['GET /a Accept: x', 'miss 200 stored'],
      ['GET /a Accept: y', 'miss 200 stored'],
      ['GET /a Accept: x', 'hit 200'],
      ['GET /a Accept: y', 'hit 200'],
    ],
    [
      'a field that is absent is not one that is empty',
      '200 Cache-Control: max-age=10 ¦ Vary: Accept',
      ['GET /a', 'miss 200 stored'],
      ['GET /a Accept:', 'miss 200 stored'],
    ],
    [
      'white space around commas and the order of lines mean nothing',
      '200 Cache-Control: max-age=10 ¦ Vary: Accept',
      ['GET /a Accept: x,y', 'miss 200 stored'],
      ['GET /a Accept: x ¦ Accept: y', 'hit 200'],
    ],
    [
      'what Vary does not name means nothing',
      '200 Cache-Control: max-age=10 ¦ Vary: Accept',
      ['GET /a Cookie: x', 'miss 200 stored'],
      ['GET /a Cookie: y', 'hit 200'],
    ],
  ]);
});

describe('what a request may ask of the cache (section 5.2.1)', () => {
  const cached = (claim: string, step: string, came: string): Row => [
    claim,
    '200 Cache-Control: max-age=100 ¦ ETag: "1"',
    ['GET /a', 'miss 200 stored'],
    [`+20 ${step}`, came],
  ];
  run([
    cached('no-cache asks the origin', 'GET /a Cache-Control: no-cache → 304', 'revalidated 200'),
    cached('Pragma: no-cache is the same', 'GET /a Pragma: no-cache → 304', 'revalidated 200'),
    cached(
      '… but not beside Cache-Control',
      'GET /a Pragma: no-cache ¦ Cache-Control: max-age=99',
      'hit 200',
    ),
    cached('max-age below the age asks', 'GET /a Cache-Control: max-age=10 → 304', 'revalidated 200'),
    cached('max-age above the age does not', 'GET /a Cache-Control: max-age=30', 'hit 200'),
    cached('min-fresh that is not left asks', 'GET /a Cache-Control: min-fresh=81 → 304', 'revalidated 200'),
    cached('min-fresh that is left does not', 'GET /a Cache-Control: min-fresh=80', 'hit 200'),
    cached('only-if-cached is answered when it is', 'GET /a Cache-Control: only-if-cached', 'hit 200'),
    cached('only-if-cached is 504 when it is not', 'GET /b Cache-Control: only-if-cached', '504'),
    cached(
      'max-stale takes a stale one',
      '+85 GET /a Cache-Control: max-stale=5'.replace('+85 ', ''),
      'hit 200',
    ),
    [
      'max-stale=5 takes what is 5 s too old and no more',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['+15 GET /a Cache-Control: max-stale=5', 'stale 200 max-stale'],
      ['+1 GET /a Cache-Control: max-stale=5', 'miss 200 stored'],
    ],
    [
      'max-stale without a number takes any',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['+9999 GET /a Cache-Control: max-stale', 'stale 200 max-stale'],
    ],
    [
      'must-revalidate is stronger than max-stale',
      '200 Cache-Control: max-age=10, must-revalidate',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a Cache-Control: max-stale', 'miss 200 stored'],
    ],
    [
      'proxy-revalidate too',
      '200 Cache-Control: max-age=10, proxy-revalidate',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a Cache-Control: max-stale', 'miss 200 stored'],
    ],
    [
      'and s-maxage',
      '200 Cache-Control: s-maxage=10',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a Cache-Control: max-stale', 'miss 200 stored'],
    ],
    [
      'If-Match goes to the origin',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['GET /a If-Match: "1" → 412', 'bypass 412'],
    ],
  ]);
});

describe('asking whether it is still true (section 4.3)', () => {
  run([
    [
      'no-cache is stored and always asked about',
      '200 Cache-Control: no-cache, max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['GET /a → 304', 'revalidated 200'],
      ['GET /a', 'revalidated 200'],
    ],
    [
      'a 304 makes it fresh again',
      '200 Cache-Control: max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a → 304 Cache-Control: max-age=50', 'revalidated 200'],
      ['+49 GET /a', 'hit 200'],
    ],
    [
      'a 200 replaces it',
      '200 Cache-Control: max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a → 200 Cache-Control: max-age=10 ¦ ETag: "2"', 'miss 200 stored'],
      ['GET /a If-None-Match: "2"', 'hit 304'],
    ],
    [
      'a 304 that says no-store ends it',
      '200 Cache-Control: max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a → 304 Cache-Control: no-store', 'revalidated 200'],
      ['GET /a → 200', 'miss 200'],
    ],
    [
      'a 304 about another ETag is asked again without ours',
      '200 Cache-Control: max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['+11 GET /a → 304 ETag: "2"', 'miss 304'],
    ],
    [
      'If-None-Match of a client is answered here',
      '200 Cache-Control: max-age=10 ¦ ETag: "1"',
      ['GET /a', 'miss 200 stored'],
      ['GET /a If-None-Match: "0", W/"1"', 'hit 304'],
      ['GET /a If-None-Match: "2"', 'hit 200'],
      ['GET /a If-None-Match: *', 'hit 304'],
    ],
    [
      'If-Modified-Since too, and only without If-None-Match',
      '200 Cache-Control: max-age=99 ¦ Last-Modified: -50',
      ['GET /a', 'miss 200 stored'],
      ['GET /a If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT', 'hit 304'],
      ['GET /a If-Modified-Since: Wed, 31 Dec 2025 00:00:00 GMT', 'hit 200'],
      ['GET /a If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT ¦ If-None-Match: "x"', 'hit 200'],
    ],
    [
      "a client's 304 for something not stored goes through",
      '304 ETag: "1"',
      ['GET /a If-None-Match: "1"', 'miss 304'],
    ],
  ]);

  it('it asks with both validators and without the range of the client', () => {
    const world = new World('200 Cache-Control: max-age=1 ¦ ETag: "1" ¦ Last-Modified: -60');
    world.step('GET /a');
    const { forwarded } = world.step('+2 GET /a If-None-Match: "0" ¦ Range: bytes=0-0 ¦ X: y');
    expect(forwarded).toEqual([
      'X',
      'y',
      'If-None-Match',
      '"1"',
      'If-Modified-Since',
      'Wed, 31 Dec 2025 23:59:00 GMT',
    ]);
  });

  it('a 304 replaces fields, keeps the others, and leaves what describes the body', () => {
    const world = new World(
      '200 Cache-Control: max-age=1 ¦ ETag: "1" ¦ X: old ¦ X: older ¦ Y: kept ¦ Content-Type: a/b',
    );
    world.step('GET /a');
    const { fields } = world.step('+2 GET /a → 304 X: new ¦ Content-Type: c/d ¦ Content-Length: 0');
    expect(['x', 'y', 'content-type', 'content-length'].map((name) => fieldOf(fields, name))).toEqual([
      'new',
      'kept',
      'a/b',
      '4',
    ]);
  });
});

describe('changes make it untrue (section 4.4)', () => {
  const kept: [string, string][] = [
    ['GET /a', 'miss 200 stored'],
    ['GET /b', 'miss 200 stored'],
  ];
  run([
    [
      'a POST forgets the URI',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['POST /a → 204', 'bypass 204'],
      ['GET /a → 200', 'miss 200'],
      ['GET /b', 'hit 200'],
    ],
    [
      'an unknown method does too',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['FROB /a → 200', 'bypass 200'],
      ['GET /a', 'miss 200'],
    ],
    [
      'a POST that fails forgets nothing',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['POST /a → 500', 'bypass 500'],
      ['GET /a', 'hit 200'],
    ],
    [
      'OPTIONS forgets nothing',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['OPTIONS /a → 200', 'bypass 200'],
      ['GET /a', 'hit 200'],
    ],
    [
      'Location and Content-Location are forgotten',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['POST /c → 201 Location: /a ¦ Content-Location: http://origin/b', 'bypass 201'],
      ['GET /a → 200', 'miss 200'],
      ['GET /b', 'miss 200'],
    ],
    [
      'not on another host',
      '200 Cache-Control: max-age=99',
      ...kept,
      ['POST /c → 201 Location: http://other/a', 'bypass 201'],
      ['GET /a', 'hit 200'],
    ],
  ]);
});

describe('stale answers (RFC 5861)', () => {
  run([
    [
      'stale-while-revalidate',
      '200 Cache-Control: max-age=10, stale-while-revalidate=5',
      ['GET /a', 'miss 200 stored'],
      ['+15 GET /a', 'stale 200 stale-while-revalidate'],
      ['+1 GET /a', 'miss 200 stored'],
    ],
    [
      'stale-if-error for an origin that is gone',
      '200 Cache-Control: max-age=10, stale-if-error=5',
      ['GET /a', 'miss 200 stored'],
      ['+15 GET /a → down', 'stale 200 stale-if-error'],
      ['+1 GET /a', '502'],
    ],
    [
      'stale-if-error for 503',
      '200 Cache-Control: max-age=10, stale-if-error=5',
      ['GET /a', 'miss 200 stored'],
      ['+15 GET /a → 503', 'stale 200 stale-if-error'],
      ['+1 GET /a', 'miss 503'],
    ],
    [
      'not for 404',
      '200 Cache-Control: max-age=10, stale-if-error=5',
      ['GET /a', 'miss 200 stored'],
      ['+15 GET /a → 404', 'miss 404'],
    ],
    [
      'a client may allow it',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['+12 GET /a Cache-Control: stale-if-error=5 → down', 'stale 200 stale-if-error'],
    ],
    [
      'must-revalidate forbids it',
      '200 Cache-Control: max-age=10, stale-if-error=5, must-revalidate',
      ['GET /a', 'miss 200 stored'],
      ['+12 GET /a → down', '502'],
    ],
    [
      'without permission there is none',
      '200 Cache-Control: max-age=10',
      ['GET /a', 'miss 200 stored'],
      ['+12 GET /a → down', '502'],
    ],
  ]);
});

describe('--stale', () => {
  run(
    [
      [
        'serves while the origin is down whatever it said',
        '200 Cache-Control: max-age=10, must-revalidate',
        ['GET /a', 'miss 200 stored'],
        ['+9999 GET /a → down', 'stale 200 origin-down'],
        ['GET /a → 502', 'stale 200 origin-down'],
        ['GET /a → 404', 'miss 404 stored'],
      ],
      [
        'keeps what says nothing about itself',
        '200 X: y',
        ['GET /a', 'miss 200 stored'],
        ['GET /a', 'miss 200 stored'],
        ['GET /a → down', 'stale 200 origin-down'],
      ],
      [
        'does not keep what is private',
        '200 Cache-Control: private',
        ['GET /a', 'miss 200'],
        ['GET /a → down', '502'],
      ],
    ],
    { staleWhenDown: true },
  );
});

describe('ranges of a stored whole', () => {
  const text = '200 Cache-Control: max-age=10 ¦ ETag: "1" ¦ X-Body: 0123456789';
  it.each([
    ['bytes=2-4', 'hit 206', '234', 'bytes 2-4/10'],
    ['bytes=-3', 'hit 206', '789', 'bytes 7-9/10'],
    ['bytes=8-99', 'hit 206', '89', 'bytes 8-9/10'],
    ['bytes=10-', 'hit 416', '', 'bytes */10'],
    ['bytes=0-1,3-4', 'hit 200', '0123456789', undefined],
    ['bytes=4-2', 'hit 200', '0123456789', undefined],
    ['lines=1-2', 'hit 200', '0123456789', undefined],
    ['bytes=2-4 ¦ If-Range: "1"', 'hit 206', '234', 'bytes 2-4/10'],
    ['bytes=2-4 ¦ If-Range: W/"1"', 'hit 200', '0123456789', undefined],
    ['bytes=2-4 ¦ If-Range: "2"', 'hit 200', '0123456789', undefined],
  ])('Range: %s', (range, came, body, contentRange) => {
    const world = new World(text);
    world.step('GET /a');
    const step = world.step(`GET /a Range: ${range}`);
    expect([step.came, step.body, fieldOf(step.fields, 'content-range')]).toEqual([came, body, contentRange]);
  });
});
