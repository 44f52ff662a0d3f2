import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const linux = needs('linux');
const program = new URL('../dist/cli.js', import.meta.url).pathname;

describe.skipIf(linux.missing)('ls -E', () => {
  it('tells of a connection that ended, with what it carried, and ends on Ctrl-C with a count', async () => {
    const server = createServer((socket) => socket.end('goodbye'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const child = spawn(process.execPath, [program, 'ls', '-E', '--json', `sport = :${port}`]);
    let said = '';
    let out = '';
    const until = (text: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => (text() ? resolve() : void setTimeout(look, 20));
        look();
      });
    child.stderr.on('data', (data) => {
      said += data;
    });
    child.stdout.on('data', (data) => {
      out += data;
    });
    await until(() => said.includes('Ctrl-C'));
    const client = connect(port, '127.0.0.1');
    client.resume();
    client.once('end', () => client.destroy());
    await until(() => out.includes('\n'));
    const event = JSON.parse(out.split('\n')[0]!);
    expect(event).toMatchObject({ v: 1, protocol: 'tcp', local: { port }, tcp: { bytesSent: 7 } });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(said).toContain('1 socket ended');
    await new Promise((resolve) => server.close(resolve));
  });
});
