import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { effectiveCapabilities, holds, mapsEveryUser, refusal } from './abilities/ability.ts';
import { ownersReason } from './abilities/processes.ts';
import { userNamespaceReason } from './abilities/spaces.ts';
import { abilities } from './abilities.ts';

const linux = needs('linux');
const root = needs('root', 'ss');
const namespace = needs('namespace');

describe('what this process may do', () => {
  it.skipIf(linux.missing)(
    'every ability is there or says why not, and the trials leave no descriptor open',
    () => {
      abilities();
      const before = readdirSync('/proc/self/fd').length;
      const found = abilities();
      for (const entry of found) {
        expect(entry.available, `${entry.id}: ${entry.why}`).toBe(entry.why === undefined);
        expect(entry.what.length * entry.usedFor.length).toBeGreaterThan(0);
      }
      expect(new Set(found.map((entry) => entry.id)).size).toBe(found.length);
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 1);
    },
  );

  it.skipIf(root.missing)('root sees TCP sockets, packets and the ring, as ss and AF_PACKET do', () => {
    const by = new Map(abilities().map((entry) => [entry.id, entry]));
    expect(spawnSync('ss', ['-tlnH']).status).toBe(0);
    for (const id of [
      'sockets-tcp',
      'sockets-unix',
      'packets',
      'packet-ring',
      'net-admin',
      'enter-namespaces',
    ]) {
      expect(by.get(id), id).toMatchObject({ available: true });
    }
  });

  it.skipIf(namespace.missing)('user namespaces are available where unshare -Urn works', () => {
    expect(abilities().find((entry) => entry.id === 'user-namespaces')).toMatchObject({ available: true });
  });
});

describe('reasons', () => {
  const open = { clone: null, most: '1000', mostNet: '1000', apparmor: null, compiledIn: true };
  it('the switch that forbids user namespaces is named, the first one first', () => {
    expect(userNamespaceReason({ ...open, most: '0', clone: '0' }, '')).toContain(
      'user.max_user_namespaces is 0',
    );
    expect(userNamespaceReason({ ...open, clone: '0' }, '')).toContain('kernel.unprivileged_userns_clone=1');
    expect(userNamespaceReason({ ...open, apparmor: '1' }, '')).toContain(
      'apparmor_restrict_unprivileged_userns=0',
    );
    expect(userNamespaceReason({ ...open, compiledIn: false }, '')).toContain('CONFIG_USER_NS');
    expect(userNamespaceReason(open, 'unshare failed: x')).toContain('"unshare failed: x"');
  });

  it('a refusal without the capability names it; with it, blames the filter or the user namespace', () => {
    expect(refusal('socket', -1, 'CAP_NET_RAW', 0n)).toBe(
      'socket said EPERM: this process lacks CAP_NET_RAW; run as root or give the program CAP_NET_RAW',
    );
    expect(refusal('socket', -1, 'CAP_NET_RAW', 1n << 13n)).toMatch(
      /although CAP_NET_RAW is held|inside this user/,
    );
  });

  const none = { readable: 0, refused: [] };
  it('one protected process does not hide all; refused processes of others do', () => {
    expect(ownersReason({ others: { readable: 9, refused: ['7'] }, own: none }, false, false)).toBeNull();
    expect(ownersReason({ others: none, own: { readable: 9, refused: ['1'] } }, false, false)).toBeNull();
    expect(ownersReason({ others: { readable: 0, refused: ['1'] }, own: none }, false, false)).toContain(
      'process 1',
    );
  });
  it('root inside a user namespace is told that the machine is outside', () => {
    const looks = { others: none, own: { readable: 2, refused: ['1', '2', '3'] } };
    expect(ownersReason(looks, false, true)).toContain('outside this user namespace');
  });
  it('hidden processes are not the same as no processes', () => {
    expect(ownersReason({ others: none, own: none }, true, false)).toContain('hidepid');
  });

  it('capability bits are read from any status text, never a throw', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.string(), (set, noise) => {
        expect(effectiveCapabilities(`CapPrm:\tff\nCapEff:\t${set.toString(16)}\nCapBnd:\t0\n`)).toBe(set);
        expect(typeof effectiveCapabilities(noise)).toBe('bigint');
      }),
    );
    expect(holds(1n << 39n, 'CAP_BPF')).toBe(true);
    expect(holds(1n << 38n, 'CAP_BPF')).toBe(false);
  });
  it('only the machine itself maps every user', () => {
    expect(mapsEveryUser('         0          0 4294967295\n')).toBe(true);
    expect(mapsEveryUser('         0       1000          1\n')).toBe(false);
  });
});
