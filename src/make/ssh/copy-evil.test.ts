/** Servers that send what nobody asked for. They are written with ssh2's server, which lets them say anything. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Client, type ServerChannel, type SFTPWrapper } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copy } from './copy.ts';
import { orderOf, type Remembered, remember, treeOf } from './copy-fixture.ts';
import type { CopyWishes } from './copy-order.ts';

const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519');

interface Evil {
  sftp?(session: SFTPWrapper): void;
  exec?(channel: ServerChannel, command: string): void;
}

let box = '';
const ends: (() => void)[] = [];
beforeEach(() => {
  box = mkdtempSync(join(tmpdir(), 'sockscope-evil-'));
  mkdirSync(join(box, 'target'));
});
afterEach(() => {
  for (const end of ends.splice(0)) {
    end();
  }
  rmSync(box, { recursive: true, force: true });
});

async function connected(evil: Evil): Promise<Client> {
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
    connection.on('authentication', (context) => context.accept());
    connection.on('error', () => undefined);
    connection.on('session', (accept) => {
      const session = accept();
      session.on('sftp', (open, refuse) => (evil.sftp === undefined ? refuse() : evil.sftp(open())));
      session.on('exec', (open, _refuse, { command }) => evil.exec?.(open(), command));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new ssh2.Client();
  client.on('error', () => undefined);
  ends.push(() => {
    client.destroy();
    server.close();
  });
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    client.connect({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      username: 'x',
      password: 'x',
    });
  });
  return client;
}

const signal = new AbortController().signal;

async function down(
  evil: Evil,
  protocol: 'sftp' | 'scp',
  wishes: Partial<CopyWishes> = {},
): Promise<Remembered> {
  const client = await connected(evil);
  const kept = remember();
  const order = orderOf('down', 'asked', join(box, 'target'), { recursive: true, ...wishes }, protocol);
  await copy(client, order, kept.watch, signal);
  return kept;
}

/** Says these bytes at once, whatever the client answers, and ends. */
const says =
  (...parts: readonly (string | Buffer)[]) =>
  (channel: ServerChannel): void => {
    channel.resume();
    channel.write(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
    channel.exit(0);
    channel.end();
  };

describe('an scp server that sends other names', () => {
  it.each([
    ['a parent', 'C0644 4 ../evil\nevil\0'],
    ['an absolute name', 'C0644 4 /tmp/sockscope-evil-file\nevil\0'],
    ['another file (CVE-2019-6111)', 'C0644 4 .bashrc\nevil\0'],
    ['another folder', 'D0755 0 .ssh\nC0644 4 authorized_keys\nevil\0E\n'],
    ['a parent within the folder', 'D0755 0 asked\nD0755 0 ..\nC0644 4 evil\nevil\0E\nE\n'],
    ['an empty name', 'C0644 4 \nevil\0'],
    ['a greeting', 'Welcome!\n'],
    ['nothing but a size', 'C0644 99999999999999 asked\nxx'],
  ])('writes nothing that was not asked for: %s', async (_what, bytes) => {
    const { failures } = await down({ exec: says(bytes) }, 'scp');
    expect(failures.length).toBeGreaterThan(0);
    expect(readdirSync(box)).toEqual(['target']);
    expect(treeOf(join(box, 'target')).filter((line) => !/^\/asked 755 \d+ folder$/.test(line))).toEqual([]);
  });

  it('sends the file that was asked for, and no second one', async () => {
    const { failures } = await down({ exec: says('C0644 4 asked\ngood\0', 'C0644 4 more\nevil\0') }, 'scp');
    expect(readdirSync(join(box, 'target'))).toEqual(['asked']);
    expect(failures).toContainEqual(expect.stringMatching(/"more", which was not asked for/));
  });

  it('makes no program of ours run as its owner', async () => {
    await down({ exec: says('T1000000000 0 1000000000 0\n', 'C6755 4 asked\ngood\0') }, 'scp', {
      preserve: true,
    });
    expect(treeOf(join(box, 'target'))).toEqual(['/asked 755 1000000000 "good"']);
  });

  it('sends a folder although none was asked for', async () => {
    const { failures } = await down({ exec: says('D0755 0 asked\nE\n') }, 'scp', { recursive: false });
    expect(readdirSync(join(box, 'target'))).toEqual([]);
    expect(failures[0]).toMatch(/a folder, which was not asked for/);
  });
});

interface Thing {
  readonly filename: string;
  readonly mode: number;
  readonly link?: string;
}

/** A folder `asked` with these names; every file reads `evil`. */
const folderOf =
  (names: readonly Thing[]) =>
  (session: SFTPWrapper): void => {
    const about = (mode: number) => ({ mode, uid: 0, gid: 0, size: 4, atime: 1, mtime: 1 });
    const stat = (id: number, path: string): void => {
      const thing = names.find(({ filename }) => path === `asked/${filename}`);
      session.attrs(id, about(thing?.mode ?? 0o040755));
    };
    const listed = new Set<string>();
    const read = new Set<string>();
    session.on('STAT', stat).on('LSTAT', stat);
    session.on('OPENDIR', (id, path) => session.handle(id, Buffer.from(`d${path}`)));
    session.on('READDIR', (id, handle) => {
      const first = !listed.has(handle.toString());
      listed.add(handle.toString());
      if (!first || handle.toString() !== 'dasked') {
        session.status(id, 1);
        return;
      }
      session.name(
        id,
        names.map(({ filename, mode }) => ({ filename, longname: '', attrs: about(mode) })),
      );
    });
    session.on('OPEN', (id, path) => session.handle(id, Buffer.from(`f${path}`)));
    session.on('READ', (id, handle) => {
      const first = !read.has(handle.toString());
      read.add(handle.toString());
      return first ? session.data(id, Buffer.from('evil')) : session.status(id, 1);
    });
    session.on('CLOSE', (id) => session.status(id, 0));
    session.on('READLINK', (id, path) => {
      const link = names.find(({ filename }) => path === `asked/${filename}`)?.link ?? '';
      session.name(id, [{ filename: link, longname: '', attrs: about(0o120777) }]);
    });
  };

const file = (filename: string): Thing => ({ filename, mode: 0o100644 });

describe('an SFTP server that sends other names', () => {
  it.each(['../evil', '/tmp/sockscope-evil-file', 'a/b', '', '..\0', '../../../../tmp/sockscope-evil-file'])(
    'writes nothing for %j, and goes on',
    async (name) => {
      const { failures } = await down(
        { sftp: folderOf([file('.'), file('..'), file(name), file('good')]) },
        'sftp',
      );
      expect(failures).toEqual([expect.stringMatching(/^asked: the server sent .*: not written$/)]);
      expect(readdirSync(box)).toEqual(['target']);
      expect(readdirSync(join(box, 'target', 'asked'))).toEqual(['good']);
    },
  );

  it('sends a link and then a file through it: the link comes last, and only when it stays inside', async () => {
    const names: Thing[] = [
      { filename: 'way', mode: 0o120777, link: '../..' },
      { filename: 'way', mode: 0o040755 },
      { filename: 'dots', mode: 0o120777, link: 'way/../..' },
      { filename: 'etc', mode: 0o120777, link: '/etc' },
      { filename: 'fine', mode: 0o120777, link: 'good' },
      file('good'),
    ];
    const { failures } = await down({ sftp: folderOf(names) }, 'sftp', { links: true });
    expect(failures).toHaveLength(3);
    expect(treeOf(join(box, 'target', 'asked')).map((line) => line.replace(/ \d{9,}/, ''))).toEqual([
      '/fine -> good',
      '/good 644 "evil"',
      '/way 755 folder',
    ]);
  });

  it('sends the same link as a link and as a file: it never writes through', async () => {
    const names: Thing[] = [{ filename: 'x', mode: 0o120777, link: 'y' }, file('x')];
    await down({ sftp: folderOf(names) }, 'sftp', { links: true });
    expect(readdirSync(join(box, 'target', 'asked'))).toEqual(['x']);
  });

  it('goes away in the middle: the partial file goes too', async () => {
    const evil = (session: SFTPWrapper): void => {
      session.on('STAT', (id) =>
        session.attrs(id, { mode: 0o100644, uid: 0, gid: 0, size: 9e6, atime: 1, mtime: 1 }),
      );
      session.on('OPEN', (id) => session.handle(id, Buffer.from('h')));
      let reads = 0;
      session.on('READ', (id) => {
        reads += 1;
        if (reads < 3) {
          session.data(id, Buffer.alloc(32_768));
        } else {
          session.end();
        }
      });
    };
    await expect(down({ sftp: evil }, 'sftp')).rejects.toMatchObject({ why: 'lost' });
    expect(readdirSync(join(box, 'target'))).toEqual([]);
  });

  it('has none: that is said, with what to try', async () => {
    const client = await connected({});
    const kept = remember();
    const order = orderOf('down', 'asked', join(box, 'target'));
    const copying = copy(client, order, kept.watch, signal);
    await expect(copying).rejects.toThrow(/has no SFTP/);
  });
});
