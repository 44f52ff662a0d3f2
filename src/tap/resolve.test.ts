import { describe, expect, it } from 'vitest';
import { SockscopeError } from '../errors.ts';
import type { Place } from './plan.ts';
import { resolvePlace } from './resolve.ts';

const tcp = (host: string): Place => ({ kind: 'tcp', host, port: 80, path: '' });

describe('a place becomes addresses', () => {
  it('a numeric one without asking anybody', async () => {
    expect(await resolvePlace(tcp('::1'), 'target')).toEqual([{ kind: 'tcp', host: '::1', port: 80 }]);
    expect(await resolvePlace({ ...tcp('10.1.2.3'), kind: 'udp' }, 'listen')).toEqual([
      { kind: 'udp', host: '10.1.2.3', port: 80 },
    ]);
    expect(await resolvePlace({ kind: 'unix', host: '', port: 0, path: '@x' }, 'target')).toEqual([
      { kind: 'unix', path: '@x' },
    ]);
  });
  it('localhost is dialled in both families, whatever the hosts file has', async () => {
    const found = await resolvePlace(tcp('localhost'), 'target');
    expect(found).toContainEqual({ kind: 'tcp', host: '127.0.0.1', port: 80 });
    expect(found).toContainEqual({ kind: 'tcp', host: '::1', port: 80 });
    expect(found).toHaveLength(2);
  });
  it('an unknown name says who was asked for what', async () => {
    const found = await resolvePlace(tcp('no-such-name.invalid'), 'target');
    expect(found).toBeInstanceOf(SockscopeError);
    expect(found).toMatchObject({ code: 'UNKNOWN_NAME', exit: 3 });
    const { message, hint } = found as SockscopeError;
    expect(message).toMatch(/^The name no-such-name\.invalid has no address: .*Asked .+\.$/);
    expect(hint).toContain('sockscope addr no-such-name.invalid');
  });
});
