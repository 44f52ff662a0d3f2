/** HTTP/1.1. */
import { SockscopeError } from '../../errors.ts';
import { httpAnswers } from './http-answers.ts';
import type { LoadKind, Wishes } from './kind.ts';

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export const kind: LoadKind = {
  name: 'http',
  about: 'HTTP/1.1 requests to a URL (-m, -H, -b, -p for pipelining)',
  manner: 'talk',
  counts: 'requests',
  canReconnect: true,
  request,
  recogniser: ({ method }) => httpAnswers(method === 'HEAD'),
  badStatus: (status) => (status >= 200 && status < 300 ? null : `${status}`),
};

function request(wishes: Wishes): Uint8Array {
  const { method, path, authority, body, keepAlive } = wishes;
  if (!TOKEN.test(method)) {
    throw new SockscopeError('LOAD_METHOD', `'${method}' is not a method of HTTP.`, 'GET, POST, PUT, …', 2);
  }
  const typed = wishes.headers.map(headerOf);
  const names = new Set(typed.map(({ name }) => name.toLowerCase()));
  const own: { name: string; value: string }[] = [
    { name: 'Host', value: authority },
    { name: 'User-Agent', value: 'sockscope' },
    { name: 'Accept', value: '*/*' },
  ];
  if (!keepAlive) {
    own.push({ name: 'Connection', value: 'close' });
  }
  if (body.length > 0 || /^(POST|PUT|PATCH)$/.test(method)) {
    own.push({ name: 'Content-Length', value: `${body.length}` });
  }
  const lines = [...own.filter(({ name }) => !names.has(name.toLowerCase())), ...typed];
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(({ name, value }) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function headerOf(text: string): { name: string; value: string } {
  const colon = text.indexOf(':');
  const name = text.slice(0, colon).trim();
  const value = text.slice(colon + 1).trim();
  if (colon < 1 || !TOKEN.test(name) || /[\r\n\0]/.test(value)) {
    throw new SockscopeError(
      'LOAD_HEADER',
      `'${text}' is not a header.`,
      "Write it like -H 'Accept: text/html'.",
      2,
    );
  }
  return { name, value };
}
