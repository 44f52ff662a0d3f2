import { describe, expect, it } from 'vitest';
import { type Asked, type GuardRules, guard } from './guard.ts';

const asked: Asked = {
  host: 'localhost:8474',
  origin: undefined,
  authorization: undefined,
  remote: '127.0.0.1',
};
const rules: GuardRules = { hosts: ['127.0.0.1'], token: null, tokenForEverybody: false };
const secret: GuardRules = { ...rules, token: 'open sesame' };

function status(changed: Partial<Asked>, by: GuardRules = rules): number | null {
  return guard({ ...asked, ...changed }, by)?.status ?? null;
}

describe('the Host of a request', () => {
  it.each(['localhost:8474', 'LOCALHOST', '127.0.0.1:8474', '[::1]:8474', '127.0.0.1:9999'])(
    'may be %s',
    (host) => {
      expect(status({ host })).toBeNull();
    },
  );

  it.each([
    'evil.example',
    'evil.example:8474',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    'evil.example#localhost',
    '10.0.0.1:8474',
    '[::2]',
    '',
    ':8474',
    'localhost:8474:1',
    undefined,
  ])('is refused when it is %s', (host) => {
    expect(status({ host })).toBe(403);
  });

  it('may be the address or the name that it was told to listen on', () => {
    expect(status({ host: '10.0.0.1:8474' }, { ...rules, hosts: ['10.0.0.1'] })).toBeNull();
    expect(status({ host: 'tap.test:8474' }, { ...rules, hosts: ['tap.test', '10.0.0.1'] })).toBeNull();
  });

  it('may be any number, but no name, when it listens on every address', () => {
    for (const hosts of [['0.0.0.0'], ['::']]) {
      expect(status({ host: '10.0.0.1:8474' }, { ...rules, hosts })).toBeNull();
      expect(status({ host: '[fd00::1]:8474' }, { ...rules, hosts })).toBeNull();
      expect(status({ host: 'evil.example:8474' }, { ...rules, hosts })).toBe(403);
    }
  });
});

describe('the Origin of a request', () => {
  it.each([
    'http://evil.example',
    'http://localhost:3000',
    'http://127.0.0.1:8474',
    'https://localhost:8474',
    'http://localhost:8474.evil.example',
    'null',
    '',
  ])('is refused when it is not the page of this very Host: %s', (origin) => {
    expect(status({ origin })).toBe(403);
  });

  it('may be our own', () => {
    expect(status({ origin: 'http://localhost:8474' })).toBeNull();
  });
});

describe('the token', () => {
  const origin = 'http://localhost:8474';

  it('is not wanted of programs on this machine', () => {
    expect(status({}, secret)).toBeNull();
    expect(status({ remote: '::1' }, secret)).toBeNull();
    expect(status({ remote: '::ffff:127.0.0.1' }, secret)).toBeNull();
  });

  it('is wanted of pages, of other machines, and of everybody when that was asked for', () => {
    expect(status({ origin }, secret)).toBe(401);
    expect(status({ remote: '10.0.0.7' }, secret)).toBe(401);
    expect(status({}, { ...secret, tokenForEverybody: true })).toBe(401);
  });

  it('opens when it is right, and only then', () => {
    expect(status({ origin, authorization: 'Bearer open sesame' }, secret)).toBeNull();
    expect(status({ origin, authorization: 'bearer open sesame' }, secret)).toBeNull();
    for (const authorization of ['Bearer open', 'Bearer ', 'Basic open sesame', 'open sesame', '']) {
      expect(status({ origin, authorization }, secret)).toBe(401);
    }
  });

  it('does not open to a foreign Origin or Host', () => {
    const authorization = 'Bearer open sesame';
    expect(status({ origin: 'http://evil.example', authorization }, secret)).toBe(403);
    expect(status({ host: 'evil.example', authorization }, secret)).toBe(403);
  });
});
