import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editable } from './editable.ts';

const latin = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
/** As a file is: written in UTF-8, with a newline at its end, read as bytes. */
const file = (lines: readonly string[]): string => Buffer.from(`${lines.join('\n')}\n`).toString('latin1');

function sent(
  decoder: string,
  kind: 'request' | 'reply' | 'notice',
  before: string,
  change: (line: string) => string,
): { text: string; note: string } | { why: string } | null {
  const form = editable({ decoder, kind }, utf8(before));
  const read = form.read(Buffer.from(change(file(form.lines)), 'utf8').toString('latin1'));
  return read === null || 'why' in read
    ? read
    : { text: Buffer.from(read.bytes).toString(), note: read.note };
}

describe('a message that is edited', () => {
  it('comes back byte for byte when nothing is changed, whatever it holds and whoever speaks it', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 100 }).map(utf8),
      fc.stringMatching(/^[ -~\r\n\t#\\"]{0,80}$/).map(latin),
    );
    const who = fc.constantFrom('redis', 'lines', 'postgres', 'hex');
    fc.assert(
      fc.property(bytes, who, fc.boolean(), (message, decoder, crlf) => {
        const form = editable({ decoder, kind: 'request' }, message);
        const text = file(['# help', ...form.lines]);
        const read = form.read(crlf ? text.replaceAll('\n', '\r\n') : text);
        expect(read).toEqual(message.length === 0 ? null : { bytes: message, note: '' });
      }),
    );
  });

  it.each([
    '+OK\r\n',
    '-ERR no\r\n',
    ':1\r\n',
    '$-1\r\n',
    '$3\r\n+a"\r\n',
    '$4\r\na\r\nb\r\n',
    '*2\r\n$1\r\na\r\n:1\r\n',
    '_\r\n',
  ])('comes back as the same reply of Redis: %j', (reply) => {
    expect(sent('redis', 'reply', reply, (text) => text)).toEqual({ text: reply, note: '' });
  });

  it('comes back from words of any bytes as the same command', () => {
    const words = fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(words, (list) => {
        const message = Buffer.concat([
          Buffer.from(`*${list.length}\r\n`),
          ...list.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n')]),
        ]);
        const form = editable({ decoder: 'redis', kind: 'request' }, message);
        const read = form.read(file(form.lines));
        expect(form.lines).toHaveLength(1);
        expect(read !== null && 'bytes' in read ? Buffer.from(read.bytes) : read).toEqual(message);
      }),
    );
  });

  it('shows line ends, and gives a line that has none the one of the others', () => {
    expect(editable({ decoder: 'lines', kind: 'request' }, latin('#A\tb\\\r\n\x00é\r\nlast ')).lines).toEqual(
      ['\\x23A\\tb\\\\\\r\\n', '\\x00\\xe9\\r\\n', 'last\\x20'],
    );
    expect(sent('lines', 'request', 'a\r\nb', (text) => `new\n${text}`)).toMatchObject({
      text: 'new\r\na\r\nb',
    });
    expect(sent('lines', 'request', 'a\nb\n', () => 'a\nx')).toMatchObject({ text: 'a\nx\n' });
    expect(sent('lines', 'request', 'a\r\n', () => 'a\\\nb\\')).toMatchObject({ text: 'ab' });
  });

  it('says which line cannot be read and why', () => {
    expect(sent('lines', 'request', 'a\r\n', () => 'fine\\r\\n\nc:\\dir')).toEqual({
      why: 'line 2: \\d means nothing here; a backslash is written \\\\',
    });
    expect(sent('hex', 'request', '\x00\x01\x02', () => '00 0')).toEqual({
      why: 'line 1: a hex digit is missing, there are 3',
    });
    expect(sent('hex', 'request', '\x00\x01\x02', () => '00 zz')).toEqual({
      why: 'line 1: z is no hex digit',
    });
    expect(sent('lines', 'request', 'a\r\n', () => '# only this\n\n')).toBeNull();
  });

  it('is hex where it is no text', () => {
    const form = editable({ decoder: 'dns', kind: 'request' }, latin('\x00\x01\x80ab'));
    expect(form.lines).toEqual([`${'00 01 80 61 62'.padEnd(48)} |...ab|`]);
  });
});

describe('Redis in an editor', () => {
  const command = '*3\r\n$3\r\nSET\r\n$6\r\nuser:7\r\n$3\r\na b\r\n';

  it('is the words of the command, and any words are a command', () => {
    const form = editable({ decoder: 'redis', kind: 'request' }, latin(command));
    expect(form.lines).toEqual(['SET user:7 "a b"']);
    expect(sent('redis', 'request', command, () => `GET 'it is' "\\x00\\"" é\n`)).toMatchObject({
      text: '*4\r\n$3\r\nGET\r\n$5\r\nit is\r\n$2\r\n\x00"\r\n$2\r\né\r\n',
    });
    expect(sent('redis', 'request', command, () => '*1\\r\\n\n$4\\r\\n\nPING\\r\\n')).toMatchObject({
      text: '*1\r\n$4\r\nPING\r\n',
    });
  });

  it('refuses a second command and an open quote', () => {
    expect(sent('redis', 'request', command, () => 'GET a\nGET b')).toMatchObject({
      why: expect.stringMatching(/^2 lines/),
    });
    expect(sent('redis', 'request', command, () => 'GET "a')).toMatchObject({
      why: expect.stringMatching(/quote is not closed/),
    });
  });

  it('takes a reply as a text or as it is sent, and corrects the lengths', () => {
    expect(editable({ decoder: 'redis', kind: 'reply' }, latin('$2\r\n+a\r\n')).lines).toEqual(['"+a"']);
    expect(sent('redis', 'reply', '$2\r\nab\r\n', () => '"longer"')).toMatchObject({
      text: '$6\r\nlonger\r\n',
    });
    expect(sent('redis', 'reply', '$2\r\nab\r\n', () => '-ERR no')).toMatchObject({ text: '-ERR no\r\n' });
    expect(
      sent('redis', 'reply', '*2\r\n$1\r\na\r\n$-1\r\n', (text) => text.replace('a\\r', 'abc\\r')),
    ).toMatchObject({ text: '*2\r\n$3\r\nabc\r\n$-1\r\n' });
  });
});

describe('HTTP in an editor', () => {
  const post = 'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello';

  it('has its length corrected when the body was changed', () => {
    expect(sent('http1', 'request', post, (text) => text.replace('hello', 'héllo world'))).toEqual({
      text: 'POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nhéllo world',
      note: 'Content-Length corrected from 5 to 12',
    });
    expect(sent('http1', 'request', 'GET / HTTP/1.1\r\n\r\n', (text) => `${text}a=1`)).toEqual({
      text: 'GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\na=1',
      note: 'Content-Length: 3 added',
    });
  });

  it('keeps a length that was changed by hand, and that of an answer to HEAD', () => {
    expect(sent('http1', 'request', post, (text) => text.replace(': 5', ': 9'))).toEqual({
      text: 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhello',
      note: 'Content-Length says 9, the body has 5: sent as written',
    });
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
    expect(sent('http1', 'reply', head, (text) => text.replace('OK', 'Fine'))).toMatchObject({
      text: head.replace('OK', 'Fine'),
    });
  });

  it('has its chunks taken apart and put together', () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
    expect(sent('http1', 'reply', chunked, (text) => text)).toMatchObject({ text: chunked });
    expect(sent('http1', 'reply', chunked, (text) => text.replace('abcde', 'abcdefghijkl'))).toEqual({
      text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nabcdefghijkl\r\n0\r\n\r\n',
      note: 'sent as one chunk',
    });
  });

  it('wants the empty line after the headers', () => {
    expect(sent('http1', 'request', post, () => 'GET / HTTP/1.1\\r\\n')).toMatchObject({
      why: expect.stringMatching(/empty line/),
    });
  });
});
