/** `dial` in a real terminal (tmux), bundled as the program is. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';

const lab = needs('linux', 'tmux');
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = lab.missing === null ? mkdtempSync(join(tmpdir(), 'sockscope-dial-terminal-')) : '';
const POLL = { timeout: 10_000, interval: 50 };

const PROGRAM = `
import { runDial } from '${root}src/cli/dial-run.ts';
runDial(process.argv.slice(2), {}).then((code) => process.exit(code));
`;

/** Each test its own: one that is on its way out still takes the next command, and loses it. */
let servers = 0;
let server: Server;
const sockets: Socket[] = [];

function tmux(...args: string[]): string {
  return spawnSync('tmux', ['-S', join(folder, `tmux${servers}`), '-f', '/dev/null', ...args], {
    encoding: 'utf8',
  }).stdout;
}

const screen = (): string =>
  tmux('capture-pane', '-p', '-t', 'w')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
const keys = (...names: string[]): string => tmux('send-keys', '-t', 'w', ...names);
const shows = (what: string | RegExp): Promise<void> =>
  expect.poll(screen, POLL).toMatch(what) as unknown as Promise<void>;

async function start(scheme: string, serve: (socket: Socket) => void): Promise<void> {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers += 1;
  const { port } = server.address() as AddressInfo;
  const program = `${process.execPath} ${join(folder, 'out/dial.cjs')} ${scheme}127.0.0.1:${port}`;
  const command = `before=$(stty -g); LC_ALL=C.UTF-8 ${program}; echo "exit code $?"; [ "$before" = "$(stty -g)" ] && echo same terminal; exec cat`;
  tmux('-u', 'new-session', '-d', '-s', 'w', '-x', '80', '-y', '24', command);
}

describe.skipIf(lab.missing !== null)('dial on a terminal', () => {
  beforeAll(async () => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'entry.ts'), PROGRAM);
    await build({
      input: join(folder, 'entry.ts'),
      cwd: root,
      platform: 'node',
      external: ['koffi'],
      output: { dir: join(folder, 'out'), format: 'cjs', entryFileNames: 'dial.cjs' },
    });
  });

  afterEach(() => {
    tmux('kill-server');
    server.close();
    for (const socket of sockets.splice(0)) {
      socket.destroy();
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it('what comes does not destroy the line that is typed; history; Ctrl-D half-closes; the terminal is given back', async () => {
    let say = (_: string): void => {};
    const heard: string[] = [];
    await start('', (socket) => {
      say = (text) => void socket.write(text);
      socket.write('name: ');
      socket.on('data', (text) => heard.push(text.toString()));
      socket.on('end', () => socket.end('good bye\n'));
    });
    await shows(/name:/);
    keys('bob', 'Enter');
    await expect.poll(() => heard, POLL).toEqual(['bob\n']);
    await shows(/^name: bob$/m);
    keys('half a li');
    await shows(/half a li/);
    say('news \x1b[2J\r\n> ');
    await shows(/^news \\x1b\[2J\n> half a li$/m);
    keys('ne', 'Enter', 'Up', 'Up', 'Enter');
    await expect.poll(() => heard.join(''), POLL).toBe('bob\nhalf a line\nbob\n');
    keys('C-d');
    await shows(
      /you half-closed \(FIN\)[\s\S]*good bye[\s\S]*peer half-closed[\s\S]*exit code 0\nsame terminal/,
    );
  });

  it('telnet: with ECHO and SGA each key goes at once, also Ctrl-C; the window is told; Ctrl-] gives the terminal back', async () => {
    const heard: Buffer[] = [];
    const text = (): string => Buffer.concat(heard).toString('hex');
    await start('telnet://', (socket) => {
      socket.write(Buffer.of(255, 253, 31, 255, 251, 3, 255, 251, 1));
      socket.on('data', (bytes) => heard.push(bytes));
    });
    await shows(/every key goes to the server/);
    await expect.poll(text, POLL).toContain('fffb1ffffa1f00500018fff0');
    keys('a', 'C-c', 'Enter');
    await expect.poll(text, POLL).toMatch(/61030d00$/);
    tmux('resize-window', '-t', 'w', '-x', '70', '-y', '20');
    await expect.poll(text, POLL).toContain('fffa1f00460014fff0');
    keys('C-]');
    await shows(/by interrupting it\nexit code 0\nsame terminal/);
  });

  it('telnet: what is typed while the server alone echoes is not shown, and is a line', async () => {
    let heard = '';
    await start('telnet://', (socket) => {
      socket.write(Buffer.concat([Buffer.of(255, 251, 1), Buffer.from('Password: ')]));
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1');
      });
    });
    await shows(/Password:/);
    keys('secret', 'Enter');
    await expect.poll(() => heard, POLL).toMatch(/secret\r\n$/);
    expect(screen()).not.toContain('secret');
    keys('C-c');
    await shows(/exit code 0\nsame terminal/);
  });
});
