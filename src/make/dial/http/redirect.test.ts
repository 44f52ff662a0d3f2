import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Fields, type Redirectable, redirectOf } from './redirect.ts';

const FIELDS: Fields = [
  ['Accept', '*/*'],
  ['Authorization', 'Basic eA=='],
  ['Cookie', 'a=b'],
  ['Host', 'own.test'],
  ['Proxy-Authorization', 'Basic eQ=='],
  ['Content-Type', 'text/plain'],
  ['Content-Encoding', 'gzip'],
  ['Content-Language', 'en'],
  ['Content-Location', '/x'],
  ['X-Own', 'stays'],
];

function from(method: string, url = 'https://a.test/x/y?q#part'): Redirectable {
  return { method, url: new URL(url), fields: FIELDS, body: Buffer.from('body') };
}

describe('the fetch standard', () => {
  test.each([
    // status, method, becomes, with its body
    [301, 'GET', 'GET', true],
    [301, 'POST', 'GET', false],
    [301, 'PUT', 'PUT', true],
    [301, 'HEAD', 'HEAD', true],
    [302, 'POST', 'GET', false],
    [302, 'DELETE', 'DELETE', true],
    [303, 'POST', 'GET', false],
    [303, 'PUT', 'GET', false],
    [303, 'DELETE', 'GET', false],
    [303, 'HEAD', 'HEAD', true],
    [303, 'GET', 'GET', true],
    [307, 'POST', 'POST', true],
    [307, 'PUT', 'PUT', true],
    [308, 'POST', 'POST', true],
    [308, 'GET', 'GET', true],
  ])('after %i a %s becomes %s; with its body: %s', (status, method, becomes, withBody) => {
    const redirected = redirectOf(status, '/z', from(method));
    expect(redirected?.next?.method).toBe(becomes);
    expect(redirected?.next?.body === null).toBe(!withBody);
    const names = redirected?.next?.fields.map(([name]) => name) ?? [];
    expect(names.some((name) => name.startsWith('Content-'))).toBe(withBody);
    expect(names).toEqual(expect.arrayContaining(['Authorization', 'Cookie', 'X-Own']));
  });

  test.each([200, 204, 300, 304, 305, 306, 400])('%i is no redirect', (status) => {
    expect(redirectOf(status, '/z', from('GET'))).toBeNull();
  });

  test('without Location there is nothing to follow', () => {
    expect(redirectOf(302, null, from('GET'))).toBeNull();
  });

  test.each([
    ['/z', 'https://a.test/z#part'],
    ['z', 'https://a.test/x/z#part'],
    ['?r', 'https://a.test/x/y?r#part'],
    ['//b.test', 'https://b.test/#part'],
    ['http://b.test:81/#own', 'http://b.test:81/#own'],
    ['', 'https://a.test/x/y?q#part'],
  ])('%s leads to %s', (location, to) => {
    expect(redirectOf(302, location, from('GET'))?.facts.to).toBe(to);
  });

  test.each([['https://b.test/'], ['https://a.test:444/'], ['http://a.test/']])(
    '%s is another origin: nothing that is secret goes there',
    (location) => {
      const redirected = redirectOf(307, location, from('POST'));
      expect(redirected?.facts.stripped).toEqual(['Authorization', 'Cookie', 'Host', 'Proxy-Authorization']);
      expect(redirected?.next?.fields.map(([name]) => name)).toEqual(redirected?.facts.kept);
      expect(redirected?.facts.downgrade).toBe(location.startsWith('http:'));
    },
  );

  test('the usual port is the same origin, written or not', () => {
    expect(redirectOf(307, 'https://a.test:443/', from('POST'))?.facts.crossOrigin).toBe(false);
  });

  test.each(['ftp://a.test/', 'file:///etc/passwd', 'data:,x', 'javascript:0', 'http://', 'http://[::'])(
    '%s is not followed, and it is said why',
    (location) => {
      const redirected = redirectOf(302, location, from('GET'));
      expect(redirected?.next).toBeNull();
      expect(redirected?.facts.refused).toMatch(/neither http nor https|is no address/);
    },
  );

  test('a name and a password in Location are not used', () => {
    const redirected = redirectOf(302, 'https://me:secret@a.test/', from('GET'));
    expect(redirected?.next?.url.href).toBe('https://a.test/#part');
    expect(redirected?.facts.stripped).toEqual(['the name and password in Location']);
  });
});

test('whatever Location says, nothing is thrown, no scheme but http and https is followed, and no secret crosses origins', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('//', '\\\\x', 'http:x', 'https:///y', '\0')),
      fc.constantFrom(301, 302, 303, 307, 308),
      fc.constantFrom('GET', 'POST', 'PUT', 'HEAD'),
      (location, status, method) => {
        const redirected = redirectOf(status, location, from(method));
        if (redirected?.next != null) {
          expect(redirected.next.url.protocol).toMatch(/^https?:$/);
          if (redirected.next.url.origin !== 'https://a.test') {
            expect(redirected.next.fields.map(([name]) => name)).not.toContain('Authorization');
          }
        }
      },
    ),
  );
});
