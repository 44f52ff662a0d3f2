/** OpenSSH beside tshark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Played, played, sceneNeeds } from './played.ts';
import { type ReadCapture, readCapture } from './read.ts';
import { noteDifferences, sameConversations, samePackets } from './same-packets.ts';
import { tshark } from './tshark.ts';

const missing = sceneNeeds('ssh', 'sshd', 'ssh-keygen');
const LISTS: readonly (readonly [string, string])[] = [
  ['ssh.kex_algorithms', 'offer.kex'],
  ['ssh.server_host_key_algorithms', 'offer.host_key'],
  ['ssh.encryption_algorithms_client_to_server', 'offer.cipher.client'],
  ['ssh.encryption_algorithms_server_to_client', 'offer.cipher.server'],
  ['ssh.mac_algorithms_client_to_server', 'offer.mac.client'],
  ['ssh.mac_algorithms_server_to_client', 'offer.mac.server'],
  ['ssh.compression_algorithms_client_to_server', 'offer.compression.client'],
  ['ssh.compression_algorithms_server_to_client', 'offer.compression.server'],
];
const options = ['-d', 'tcp.port==2222,ssh'];

describe.skipIf(missing !== null)('SSH beside tshark', () => {
  let scene: Played;
  let ours: ReadCapture;
  beforeAll(async () => {
    scene = await played('ssh');
    ours = readCapture(scene.file);
  });
  afterAll(() => scene?.forget());

  it('packets and conversations are the same', async () => {
    await samePackets(scene.file, ours);
    expect(await sameConversations(scene.file, ours)).toBeGreaterThan(4);
    expect((await noteDifferences(scene.file, ours)).differences).toEqual([]);
    expect(ours.troubles).toEqual([]);
  });

  it('versions: the packet and the line', async () => {
    const rows = await tshark(scene.file, ['frame.number', 'ssh.protocol'], {
      filter: 'ssh.protocol',
      options,
    });
    expect(rows.length).toBeGreaterThan(9);
    expect(
      ours.messages
        .filter(({ name }) => name === 'Version')
        .map(({ frame, summary }) => [String(frame), summary]),
    ).toEqual(rows.map((row) => [row['frame.number']![0], row['ssh.protocol']![0]]));
  });

  it('offers: every list of algorithms', async () => {
    const names = ['frame.number', ...LISTS.map(([name]) => name)];
    const rows = await tshark(scene.file, names, { filter: 'ssh.kex_algorithms', options });
    expect(rows.length).toBeGreaterThan(9);
    const mine = ours.messages.filter(({ name }) => name === 'KEXINIT');
    // What is no algorithm but a sign to the other side (RFC 8308, OpenSSH's strict key exchange) is a field of its own.
    const isSign = (name: string): boolean =>
      /^(?:ext-info-[cs]|kex-strict-[cs]-v00@openssh\.com)$/.test(name);
    expect(
      mine.map(({ frame, fields }) => [
        frame,
        fields['offer.ext_info'] === true,
        fields['offer.strict_kex'],
        ...LISTS.map(([, name]) => (fields[name] ?? []) as string[]),
      ]),
    ).toEqual(
      rows.map((row) => {
        const lists = LISTS.map(([name]) => (row[name]![0] ?? '').split(','));
        return [
          Number(row['frame.number']![0]),
          lists[0]!.some((name) => name.startsWith('ext-info-')),
          lists[0]!.some((name) => name.startsWith('kex-strict-')),
          ...lists.map((names) => names.filter((name) => !isSign(name))),
        ];
      }),
    );
  });

  it('host keys: the packet and the kind', async () => {
    const rows = await tshark(scene.file, ['frame.number', 'ssh.host_key.type'], {
      filter: 'ssh.host_key.type',
      options,
    });
    expect(rows.length).toBeGreaterThan(3);
    expect(
      ours.messages.flatMap(({ frame, fields }) =>
        fields['host_key.type'] === undefined ? [] : [[String(frame), fields['host_key.type']]],
      ),
    ).toEqual(rows.map((row) => [row['frame.number']![0], row['ssh.host_key.type']![0]]));
  });
});
