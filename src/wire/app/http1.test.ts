import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Conversation } from '../conversation.ts';
import {
  anySplitGivesTheSame,
  client,
  hear,
  type Said,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { type Decoder, decoderOf, ok } from './decoder.ts';
import { decoder } from './http1.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** All that was said, which must not be affected by how the bytes are cut. */
function said(...turns: Turn[]): Said[] {
  const heard = hear(decoder, turns);
  expect(heard.troubles).toEqual([]);
  anySplitGivesTheSame(decoder, turns, {}, 5);
  spoken(heard.said);
  return heard.said;
}

/** What a filter may ask for is all there is. */
function spoken(all: Said[]): void {
  const known = decoder.speaks.http!;
  for (const name of all.flatMap((one) => Object.keys(one.fields))) {
    expect(
      known.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)),
      name,
    ).toBe(true);
  }
}

function trouble(...turns: Turn[]): string {
  const heard = hear(decoder, turns);
  anySplitGivesTheSame(decoder, turns, {}, 5);
  return heard.troubles.join();
}

/** What the last one in the turns said. */
function last(...turns: Turn[]): Said {
  return said(...turns).at(-1)!;
}

const get = client('GET / HTTP/1.1\r\nHost: a\r\n\r\n');

describe('heads', () => {
  it('gives a request and its reply', () => {
    const [request, reply] = said(
      client('GET /users?id=7 HTTP/1.1\r\nHost: a.test:80\r\nAccept: a\r\nACCEPT: b\r\n\r\n'),
      server('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a": 1}\n'),
    );
    expect(request).toMatchObject({ side: 'client', kind: 'request', name: 'GET', bytes: 67 });
    expect(request!.fields).toEqual({
      method: 'GET',
      path: '/users?id=7',
      host: 'a.test:80',
      version: '1.1',
      'request.header.host': 'a.test:80',
      'request.header.accept': 'a, b',
    });
    expect(request!.summary).toBe('GET /users?id=7');
    expect(reply).toMatchObject({ side: 'server', kind: 'reply', name: '200', bytes: 79, asked: 'GET' });
    expect(reply!.fields).toEqual({
      method: 'GET',
      path: '/users?id=7',
      host: 'a.test:80',
      version: '1.1',
      status: 200,
      reason: 'OK',
      'response.header.content-type': 'application/json',
      'response.header.content-length': '9',
      length: 9,
      'body.bytes': 9,
      body: '{"a": 1}\n',
    });
    expect(reply!.summary).toBe('200 OK application/json 9 B');
  });

  it('reads a status line without a reason, and one without its space', () => {
    for (const line of ['HTTP/1.0 404 ', 'HTTP/1.0 404']) {
      const reply = last(get, server(`${line}\r\nContent-Length: 0\r\n\r\n`));
      expect(reply).toMatchObject({ name: '404', failed: true, fields: { reason: '', version: '1.0' } });
    }
  });

  it('makes one header of a folded one, and says so', () => {
    const request = last(
      client('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\t chunked\r\nX: 1\r\n 2\r\n\r\n0\r\n\r\n'),
    );
    expect(request.fields).toMatchObject({
      'request.header.transfer-encoding': 'chunked',
      'request.header.x': '1   2',
      warning: 'a header is folded over lines',
      length: 0,
    });
  });

  it('ignores empty lines before a message (RFC 9112 2.2)', () => {
    expect(
      said(client('\r\n\r\nGET /1 HTTP/1.1\r\n\r\n\nGET /2 HTTP/1.1\r\n\r\n')).map((one) => one.bytes),
    ).toEqual([19, 19]);
  });

  it('reads lines that end with LF alone, and says so', () => {
    const request = last(client('GET / HTTP/1.1\nHost: b\n\n'));
    expect(request.fields).toMatchObject({ host: 'b', warning: 'lines end without CR' });
  });

  it('takes the host from an absolute target', () => {
    const [proxied, tunnel] = said(
      client('GET http://u:pw@b.test:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n'),
      server('HTTP/1.1 204 No Content\r\n\r\n'),
      client('CONNECT c.test:443 HTTP/1.1\r\nHost: a\r\n\r\n'),
    ).filter((one) => one.kind === 'request');
    expect(proxied!.fields).toMatchObject({
      host: 'b.test:81',
      path: 'http://u:******@b.test:81/x?y',
      'path.raw': 'http://u:pw@b.test:81/x?y',
    });
    expect(tunnel!.fields).toMatchObject({ host: 'c.test:443', path: 'c.test:443' });
  });

  it('accepts methods nobody knows, up to 32 characters', () => {
    expect(last(client('BREW /pot HTTP/1.1\r\n\r\n')).name).toBe('BREW');
    expect(trouble(client(`${'B'.repeat(33)} / HTTP/1.1\r\n\r\n`))).toBe('client: not a request line');
  });

  it('keeps a target with a space in it', () => {
    expect(last(client('GET /a b HTTP/1.1\r\n\r\n')).fields.path).toBe('/a b');
  });

  it.each([
    ['\x16\x03\x01\x00', 'neither a request nor a status line'],
    ['GET /\r\n\r\n', 'not a request line'],
    ['GET / HTTP/2.0\r\n\r\n', 'not a request line'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'not a request line'],
    ['HTTP/1.1 200 OK\r\n\r\n', 'a reply from the client'],
  ])('does not read %j', (text, why) => {
    const heard = hear(decoder, [client(text)]);
    expect(heard).toEqual({ said: [], troubles: [`client: ${why}`] });
    expect(
      hear(decoder, [client(text)], {}, (turn) => [turn.bytes.subarray(0, 9), turn.bytes.subarray(9)]),
    ).toEqual(heard);
  });

  it.each([
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 2x0 OK\r\n\r\n',
    'HTTP/1.1  200\r\n\r\n',
    'HTTP/1.1 2000\r\n\r\n',
  ])('does not take %j for a status line', (text) => {
    expect(trouble(server(text))).toBe('server: not a status line');
  });

  it('gives up on a head without an end', () => {
    expect(hear(decoder, [client(`GET / HTTP/1.1\r\nA: ${'a'.repeat(70_000)}\r\n\r\n`)]).troubles).toEqual([
      'client: a head of more than 65536 bytes',
    ]);
  });

  it('reads a head of 60 kB, of which the first 16 kB are shown', () => {
    const request = last(client(`GET / HTTP/1.1\r\nFirst: 1\r\nA: ${'a'.repeat(60_000)}\r\nLast: 1\r\n\r\n`));
    expect(request.fields).toHaveProperty(['request.header.first'], '1');
    expect(request.fields).not.toHaveProperty(['request.header.last']);
  });
});

describe('how a body ends', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('a reply to %s without a body: %j', (method, reply) => {
    const replies = said(
      client(`${method} /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n`),
      server(reply, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    ).slice(2);
    expect(replies.map((one) => [one.fields.path, one.fields.body])).toEqual([
      ['/1', undefined],
      ['/2', 'ok'],
    ]);
  });

  it('with the connection, without a length', () => {
    const reply = last(get, server('HTTP/1.0 200 OK\r\n\r\nso', ' long'));
    expect(reply).toMatchObject({ asked: 'GET', fields: { body: 'so long', length: 7, 'body.bytes': 7 } });
    expect(reply.fields).not.toHaveProperty('warning');
  });

  it('too early: then nobody knows its length', () => {
    for (const rest of ['Content-Length: 100000\r\n\r\nhal', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhal']) {
      const reply = last(get, server(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${rest}`));
      expect(reply.fields).toMatchObject({ body: 'hal', warning: 'the connection ended inside the message' });
      expect(reply.fields).not.toHaveProperty('length');
    }
  });

  it('with chunks, extensions and trailers (RFC 9112 7.1)', () => {
    const reply = last(
      get,
      server(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n',
        '4;name="a;b"\r\nWiki\r\n00006 ; x\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0;last\r\nX-Sum: 12\r\nSet-Cookie: s=1\r\n\r\n',
      ),
    );
    expect(reply.fields).toMatchObject({
      body: 'Wikipedia in \r\n\r\nchunks.',
      length: 24,
      'trailer.x-sum': '12',
    });
    expect(reply.fields).not.toHaveProperty('warning');
    expect(reply.summary).not.toContain('s=1');
  });

  it.each([
    ['0x5\r\nhello', 'not a chunk size'],
    ['\r\n', 'not a chunk size'],
    ['-1\r\n', 'not a chunk size'],
    ['00000000000001\r\n', 'a chunk size of too many digits'],
    ['FFFFFFFFFFFFFFFFF\r\n', 'a chunk size of too many digits'],
    ['2\r\nabc\r\n', 'a chunk that is longer than its size'],
  ])('not with the chunk %j', (chunk, why) => {
    expect(trouble(get, server(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`))).toBe(
      `server: ${why}`,
    );
  });

  it('chunk lines that end with LF alone are read, and noted', () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    for (const body of ['2\nok\r\n0\r\n\r\n', '2;x\nok\r\n0\r\n\r\n', '2\r\nok\n0\r\n\r\n']) {
      expect(last(get, server(head + body)).fields).toMatchObject({
        body: 'ok',
        warning: 'lines end without CR',
      });
    }
  });

  it('long: the prefix is kept and the rest passed by, whichever way it is framed', () => {
    const body = `${'x'.repeat(99_999)}y`;
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
    const next = 'HTTP/1.1 204 No Content\r\n\r\n';
    for (const rest of [
      `Content-Length: 100000\r\n\r\n${body}`,
      `Transfer-Encoding: chunked\r\n\r\n186A0\r\n${body}\r\n0\r\n\r\n`,
    ]) {
      const turns = [client('GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n'), server(head + rest + next)];
      const whole = hear(decoder, turns);
      expect(whole.troubles).toEqual([]);
      const [, , long, after] = whole.said;
      expect(long).toMatchObject({
        fields: { length: 100_000, 'body.bytes': 100_000 },
        bytes: head.length + rest.length,
      });
      expect(long!.fields.body).toBe(body.slice(0, 16_384));
      expect(after).toMatchObject({ name: '204', asked: 'GET' });
      for (const size of [1460, 16_384, 50_000]) {
        const cut = (turn: Turn) =>
          Array.from({ length: Math.ceil(turn.bytes.length / size) }, (_, i) =>
            turn.bytes.subarray(i * size, (i + 1) * size),
          );
        expect(hear(decoder, turns, {}, cut)).toEqual(whole);
      }
    }
  });
});

describe('the shapes of request smuggling', () => {
  const warned = (head: string) =>
    last(client(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n0\r\n\r\n`)).fields.warning;

  it('Transfer-Encoding beats Content-Length, and is noted (RFC 9112 6.3)', () => {
    for (const lines of [
      'Content-Length: 3\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: CHUNKED\r\nContent-Length: 3',
    ]) {
      expect(warned(lines)).toBe(
        'Transfer-Encoding and Content-Length together: the shape of request smuggling',
      );
    }
  });

  it('notes codings around chunked', () => {
    expect(warned('Transfer-Encoding: chunked, chunked')).toMatch('chunked is not the only and last');
    expect(warned('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked')).toMatch(
      'chunked is not the only',
    );
    expect(warned('Transfer-Encoding : chunked')).toMatch('white space before a colon');
  });

  it('takes no space within a long name for one before the colon', () => {
    const request = last(client(`GET / HTTP/1.1\r\n${'a'.repeat(127)} b: c\r\n\r\n`));
    expect(request.fields.warning).toBeUndefined();
  });

  it('a header that is there twice, the first time empty, is in the summary as in the fields', () => {
    const head =
      'POST /form HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: \r\nContent-Type: text/plain\r\n\r\nhi';
    expect(hear(decoder, [client(head)]).said[0]!.summary).toBe('POST /form , text/plain 2 B');
  });

  it('a header whose hyphen is a CR is no Content-Type, in the summary as in the fields', () => {
    const head = 'POST /form HTTP/1.1\r\nContent\rType: text/plain\r\nContent-Length: 2\r\n\r\nhi';
    expect(hear(decoder, [client(head)]).said[0]!.summary).toBe('POST /form 2 B');
  });

  it('notes a space before any colon, and masks what stands behind it', () => {
    const request = last(client('GET / HTTP/1.1\r\nAuthorization : Basic eDp5\r\n\r\n'));
    expect(request.fields).toMatchObject({
      'request.header.authorization': 'Basic eDp5',
      warning: 'white space before a colon',
    });
  });

  it.each(['xchunked', 'chunked, identity', 'chunked;a=b', 'chunked\x0b', 'identity'])(
    'gives up on a request whose coding is %j: its end cannot be known',
    (coding) => {
      expect(trouble(client(`POST / HTTP/1.1\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`))).toBe(
        'client: a request whose transfer coding is not chunked',
      );
    },
  );

  it('a reply whose coding is not chunked ends with the connection', () => {
    const reply = last(
      get,
      server('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n', gzipSync('hi')),
    );
    expect(reply.fields).toMatchObject({ body: 'hi', 'body.bytes': 2 });
    expect(reply.fields.warning).toMatch('the transfer coding is not chunked');
  });

  it('notes a repeated Content-Length, and gives up when the values differ', () => {
    const post = (lines: string) => client(`POST / HTTP/1.1\r\n${lines}\r\n\r\nhello`);
    for (const lines of ['Content-Length: 5\r\nContent-Length: 5', 'Content-Length: 5 , 5']) {
      expect(last(post(lines)).fields).toMatchObject({
        body: 'hello',
        warning: 'Content-Length is repeated',
      });
    }
    expect(trouble(post('Content-Length: 5\r\nContent-Length: 6'))).toBe(
      'client: Content-Length values that differ',
    );
  });

  it.each(['+5', '0x5', '5 5', '', '5,', '1e3', '9007199254740993'])(
    'does not guess a Content-Length of %j',
    (value) => {
      expect(trouble(client(`POST / HTTP/1.1\r\nContent-Length: ${value}\r\n\r\nhello`))).toBe(
        'client: a Content-Length that is not a number',
      );
    },
  );

  it('notes a repeated Host, and Transfer-Encoding in HTTP/1.0', () => {
    expect(last(client('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')).fields.warning).toBe(
      'Host is repeated',
    );
    expect(
      last(client('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')).fields.warning,
    ).toBe('Transfer-Encoding in HTTP/1.0');
  });
});

describe('pairs', () => {
  it('gives pipelined requests their replies, in order', () => {
    const replies = said(
      client('GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nDELETE /3 HTTP/1.1\r\n\r\n'),
      server('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n'),
      server('HTTP/1.1 204 No Content\r\n\r\n'),
    ).slice(3);
    expect(replies.map((one) => [one.asked, one.fields.path])).toEqual([
      ['GET', '/1'],
      ['HEAD', '/2'],
      ['DELETE', '/3'],
    ]);
  });

  it('keeps a request open for the replies 1xx before the last one', () => {
    const replies = said(
      get,
      server('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    ).slice(1);
    expect(replies.map((one) => [one.name, one.asked])).toEqual([
      ['103', 'GET'],
      ['200', 'GET'],
    ]);
  });

  it('pairs what was asked with Expect: 100-continue', () => {
    const all = said(
      client('PUT /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'),
      server('HTTP/1.1 100 Continue\r\n\r\n'),
      client('ok'),
      server('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'),
    );
    expect(all.map((one) => [one.name, one.asked, one.fields.path])).toEqual([
      ['100', null, '/x'],
      ['PUT', null, '/x'],
      ['201', 'PUT', '/x'],
    ]);
  });

  it('leaves nothing open after a reply that did not wait for the body', () => {
    const all = said(
      client('POST /big HTTP/1.1\r\nContent-Length: 4\r\n\r\nab'),
      server('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
      client('cdGET /2 HTTP/1.1\r\n\r\n'),
      server('HTTP/1.1 204 No Content\r\n\r\n'),
    );
    expect(all.map((one) => [one.name, one.asked, one.fields.path])).toEqual([
      ['413', null, '/big'],
      ['POST', null, '/big'],
      ['GET', null, '/2'],
      ['204', 'GET', '/2'],
    ]);
  });

  it('pairs nothing with a reply nobody asked for, and goes on', () => {
    const all = said(
      server('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'),
      get,
      server('HTTP/1.1 204 No Content\r\n\r\n'),
    );
    expect(all.map((one) => [one.name, one.asked])).toEqual([
      ['408', null],
      ['GET', null],
      ['204', 'GET'],
    ]);
  });

  it('counts on when more requests wait than are remembered', () => {
    const many = 300;
    const heard = hear(decoder, [
      client('GET /same HTTP/1.1\r\n\r\n'.repeat(many)),
      server('HTTP/1.1 204 No Content\r\n\r\n'.repeat(many)),
    ]);
    const replies = heard.said.slice(many);
    expect(replies).toHaveLength(many);
    expect(replies.every((one) => one.asked === 'GET')).toBe(true);
    expect(replies[255]!.fields.path).toBe('/same');
    expect(replies[256]!.fields).not.toHaveProperty('path');
  });
});

describe('bodies', () => {
  const text = 'ä text that is said again, '.repeat(20);
  const sent = (coding: string, body: Uint8Array) =>
    last(
      get,
      server(
        `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`,
        body,
      ),
    ).fields;

  it.each([
    ['gzip', gzipSync(text)],
    ['X-GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ])('undoes %s', (coding, body) => {
    expect(sent(coding, body)).toMatchObject({
      body: text,
      'body.bytes': bytes(text).length,
      length: body.length,
      encoding: coding.toLowerCase(),
    });
  });

  it('says why a coding cannot be undone', () => {
    expect(sent('zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd))).toMatchObject({
      encoding: 'zstd',
      warning: 'the body cannot be shown: zstd, which Node 20 cannot undo',
    });
    expect(sent('gzip', bytes('not gzip')).warning).toMatch(
      'the body cannot be shown: incorrect header check',
    );
  });

  it('does not cut a character in two', () => {
    const long = `x${'ä'.repeat(10_000)}`;
    const fields = last(
      get,
      server(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20001\r\n\r\n${long}`),
    ).fields;
    expect(fields.body).toBe(`x${'ä'.repeat(8191)}`);
  });

  it('shows text by its type or by its bytes, and nothing else', () => {
    const shown = (type: string, body: string) =>
      last(get, server(`HTTP/1.1 200 OK\r\n${type}Content-Length: ${bytes(body).length}\r\n\r\n${body}`))
        .fields.body;
    expect(shown('Content-Type: image/png\r\n', 'text')).toBeUndefined();
    expect(shown('Content-Type: application/problem+json; charset=utf-8\r\n', '{}')).toBe('{}');
    expect(shown('Content-Type: image/svg+xml\r\n', '<svg/>')).toBe('<svg/>');
    expect(shown('', 'plain')).toBe('plain');
    expect(shown('', 'a\0b')).toBeUndefined();
    expect(shown('Content-Type: text/plain; charset=ISO-8859-1\r\n', 'é')).toBe('Ã©');
  });
});

describe('secrets', () => {
  const secretless = (one: Said) => {
    const open = Object.entries(one.fields).filter(([name]) => !decoder.secrets.includes(name));
    return JSON.stringify([open, one.summary, one.name]);
  };

  it('stand only in fields of their own', () => {
    const body = 'user=ann&password=hunter2&new%5Fpassword=hunter2';
    const json =
      '{"user": "ann", "access_token": "hunter2", "nested": {"Password": "hunter2\\"x", "pin": 1}}';
    const all = said(
      client(
        'POST /login?token=hunter2&x=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hunter2\r\nCookie: s=hunter2\r\n',
        'X-Api-Key: hunter2\r\nReferer: http://a/?api_key=hunter2\r\n',
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ),
      server(
        'HTTP/1.1 302 Found\r\nSet-Cookie: s=hunter2\r\nLocation: https://a/cb#access_token=hunter2&y=1\r\n',
        `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
      ),
    );
    for (const one of all) {
      expect(secretless(one)).not.toContain('hunter2');
    }
    expect(all[0]!.fields).toMatchObject({
      path: '/login?token=******&x=1',
      'path.raw': '/login?token=hunter2&x=1',
      body: 'user=ann&password=******&new%5Fpassword=******',
      'body.raw': body,
      'request.header.authorization': 'Bearer hunter2',
    });
    expect(all[1]!.fields).toMatchObject({
      path: '/login?token=******&x=1',
      'response.header.location': 'https://a/cb#access_token=******&y=1',
      body: '{"user": "ann", "access_token": "******", "nested": {"Password": "******", "pin": 1}}',
    });
    expect(all[0]!.summary).toBe('POST /login?token=******&x=1 application/x-www-form-urlencoded 48 B');
  });
});

describe('ways out of HTTP/1', () => {
  const given: unknown[] = [];
  /** Takes over and says how many bytes it got. */
  const heir = (name: string): Decoder =>
    decoderOf<null>({
      name,
      transports: ['tcp'],
      secrets: [],
      speaks: {},
      recognises: (_, bytes, from) => (bytes[from] === 0x16 ? 1 : 0),
      begin: (_, what) => {
        given.push(what);
        return null;
      },
      client: (_, from, to) => ok([heard(to - from)], to - from),
      server: (_, from, to) => ok([heard(to - from)], to - from),
      summary: () => '',
    });
  const heard = (length: number) => ({
    protocol: 'heir',
    kind: 'notice' as const,
    name: String(length),
    bytes: length,
    fields: () => ({}),
  });

  it('becomes a WebSocket after 101, with what was agreed on', () => {
    given.length = 0;
    const turns = [
      client('GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
      server(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: v2.json\r\n',
        'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n\x81\x00',
      ),
    ];
    const all = hear(decoder, turns, { others: [heir('websocket')] });
    expect(all.said.map((one) => [one.protocol, one.name, one.asked])).toEqual([
      ['http', 'GET', null],
      ['http', '101', 'GET'],
      ['heir', '3', null],
    ]);
    expect(given).toEqual([
      {
        deflate: { serverNoContextTakeover: true, clientNoContextTakeover: false },
        protocol: 'v2.json',
        path: '/chat',
      },
    ]);
  });

  it('becomes HTTP/2 after an upgrade to h2c, with the request that stream 1 answers', () => {
    given.length = 0;
    hear(
      decoder,
      [
        client(
          'GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
        ),
        server('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
      ],
      { others: [heir('http2')] },
    );
    expect(given).toEqual([{ upgrade: 'h2c', method: 'GET', path: '/x', host: 'h', settings: 'AAMAAABk' }]);
  });

  it('is a tunnel after CONNECT and 2xx, even for a client that did not wait', () => {
    const all = hear(
      decoder,
      [
        client('CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n\x16hello'),
        server('HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n\x16back'),
      ],
      { others: [heir('inner')] },
    );
    expect(all.troubles).toEqual([]);
    expect(all.said.map((one) => one.name)).toEqual(['CONNECT', '200', '6', '5']);
  });

  it('goes on in HTTP/1 when the other side refuses', () => {
    for (const asks of ['GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n', 'CONNECT b:443 HTTP/1.1\r\n\r\n']) {
      const all = said(
        client(asks),
        server('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
        get,
        server('HTTP/1.1 204 No Content\r\n\r\n'),
      );
      expect(all.map((one) => one.name).slice(1)).toEqual(['403', 'GET', '204']);
    }
  });

  it('does not wait for ever for a tunnel', () => {
    const heard = hear(decoder, [client('CONNECT b:443 HTTP/1.1\r\n\r\n'), client('x'.repeat(70_000))]);
    expect(heard.troubles).toEqual(['client: the tunnel was never opened']);
  });
});

describe('server-sent events', () => {
  const events = (framed: (body: string) => string) =>
    said(
      client('GET /feed?token=abc HTTP/1.1\r\n\r\n'),
      server(
        framed(
          '\ufeff: hello\n\ndata: one\n\nevent: add\r\nid: 7\r\ndata: two\r\ndata:three\r\n\r\nretry: 5\n\ndata\rdata: x\r\rdata: cut off',
        ),
      ),
    );
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n';

  it('are messages of their own, however the body is framed', () => {
    for (const all of [
      events((body) => `${head}\r\n${body}`),
      events(
        (body) =>
          `${head}Transfer-Encoding: chunked\r\n\r\n${bytes(body).length.toString(16)}\r\n${body}\r\n`,
      ),
      events((body) => `${head}Content-Length: ${bytes(body).length}\r\n\r\n${body}`),
    ]) {
      expect(all.map((one) => [one.kind, one.name])).toEqual([
        ['request', 'GET'],
        ['reply', '200'],
        ['notice', 'event'],
        ['notice', 'event'],
        ['notice', 'event'],
      ]);
      expect(all.slice(2).map((one) => one.fields)).toEqual([
        { event: 'message', data: 'one', path: '/feed?token=******' },
        { event: 'add', data: 'two\nthree', id: '7', path: '/feed?token=******' },
        { event: 'message', data: '\nx', id: '7', path: '/feed?token=******' },
      ]);
      expect(all[3]!.summary).toBe('event add two three');
    }
  });

  it('give way to the next reply when the body ends after all', () => {
    const all = said(
      client('GET /feed HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n'),
      server(
        `${head}Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n`,
        'HTTP/1.1 204 No Content\r\n\r\n',
      ),
    );
    expect(all.map((one) => one.name)).toEqual(['GET', 'GET', '200', 'event', '204']);
  });
});

describe('recognising', () => {
  const score = (side: 'client' | 'server', text: string) => {
    const hint = { transport: 'tcp', clientPort: 1, serverPort: 80, side, midStream: false } as const;
    const all = bytes(`##${text}##`);
    return decoder.recognises(hint, all, 2, all.length - 2);
  };

  it.each([
    'GET / HTTP/1.1\r\n',
    'M-SEARCH * HTTP/1.1\r\nHost',
    'GET /long/path/with',
    '\r\nGET / HTTP/1.0\n',
  ])('is certain of the request %j', (text) => {
    expect(score('client', text)).toBeGreaterThanOrEqual(0.8);
  });

  it.each([
    '',
    'G',
    'GET',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'get key\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'SSH-2.0-x\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n',
    '{"jsonrpc":"2.0"}',
    'Content-Length: 5\r\n\r\n',
    'HTTP/1.1 200 OK\r\n',
    '\x16\x03\x01',
  ])('leaves %j to others', (text) => {
    expect(score('client', text)).toBe(0);
  });

  it('is certain of a reply, from its version on', () => {
    expect(score('server', 'HTTP/1.1 200 OK\r\n')).toBeGreaterThanOrEqual(0.8);
    expect(score('server', 'HTTP')).toBe(0.5);
    expect(score('server', 'HTTP/2.0')).toBe(0);
    expect(score('server', '+OK\r\n')).toBe(0);
  });

  it('finds its way back after bytes that are missing', () => {
    const names: string[] = [];
    const conversation = new Conversation(
      { transport: 'tcp', clientPort: 1, serverPort: 80, midStream: false },
      [decoder],
      { message: ({ message }) => names.push(message.name), trouble: () => names.push('trouble') },
    );
    const feed = (turn: Turn) => conversation.feed(turn.side, turn.bytes, 0, turn.bytes.length, 0);
    feed(get);
    conversation.gap('server', 1000, 0);
    feed(server('middle of a body'));
    feed(server('HTTP/1.1 204 No Content\r\n\r\n'));
    expect(names).toEqual(['GET', 'trouble', '204']);
  });
});

it('survives anything', () => {
  survivesAnything(decoder, [
    client(
      'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n',
    ),
    server(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n',
    ),
    server('16\r\n', gzipSync('hi'), '\r\n0\r\n\r\n'),
    client('GET /b HTTP/1.1\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\nabc'),
    server('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\r\n\r\n'),
  ]);
});
