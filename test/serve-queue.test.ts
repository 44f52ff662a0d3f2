/** SIGTERM while clients wait to be accepted: the kernel told them that they are connected, so they are answered. */
import { afterAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';
import { serving } from './serving.ts';
import { asked, crowd, HEAD, unlucky } from './serving-crowd.ts';
import { cleanUp } from './tap/program.ts';

const here = needs('linux');

afterAll(cleanUp);

describe.skipIf(here.missing !== null)('a drain', () => {
  it.concurrent.each([
    ['hello', asked(`GET / ${HEAD}\r\n`, 'Hello, world')],
    ['api', asked(`GET /json ${HEAD}\r\n`, 'sockscope api')],
    ['echo', { before: 'hello', after: '', whole: (heard: string) => heard === 'hello' }],
    ['line', { before: 'PING\r\n', after: '', whole: (heard: string) => heard.startsWith('PONG\r\n') }],
  ] as const)('%s: 50 clients who wait to be accepted are let in and answered', async (kind, said) => {
    const server = await serving([kind, '127.0.0.1:0', '--quiet']);
    // Nobody accepts now; the kernel lets clients in and keeps what they say.
    server.child.kill('SIGSTOP');
    const all = await crowd(server, () => said, 50);
    server.child.kill('SIGTERM');
    server.child.kill('SIGCONT');
    await Promise.all(all.map(({ one }) => one.ended()));
    const { code, err } = await server.ended;
    expect(unlucky(all)).toEqual([]);
    expect(err).toContain('drained 50, dropped 0');
    expect(code).toBe(0);
  });
});
