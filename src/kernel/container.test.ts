import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCgroup, parseContainer } from './container.ts';

const ID = '3f'.repeat(32);
const POD = '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0';
const FLAT = POD.replaceAll('-', '_');
const BURSTABLE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${FLAT}.slice`;

describe('the container of a process', () => {
  it.each([
    ['docker, cgroup v2', `0::/system.slice/docker-${ID}.scope`, { runtime: 'docker', id: ID }],
    [
      'docker, cgroup v1',
      `12:pids:/docker/${ID}\n1:name=systemd:/docker/${ID}\n0::/`,
      { runtime: 'docker', id: ID },
    ],
    [
      'docker, a child cgroup',
      `0::/system.slice/docker-${ID}.scope/init.scope`,
      { runtime: 'docker', id: ID },
    ],
    [
      'docker in docker: the inner one',
      `0::/docker/${'a'.repeat(64)}/docker/${ID}`,
      { runtime: 'docker', id: ID },
    ],
    [
      'docker seen from a sibling',
      `0::/../../system.slice/docker-${ID}.scope`,
      { runtime: 'docker', id: ID },
    ],
    ['podman', `0::/machine.slice/libpod-${ID}.scope/container`, { runtime: 'podman', id: ID }],
    [
      'podman without root',
      `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`,
      { runtime: 'podman', id: ID },
    ],
    [
      'kubernetes on containerd, v2',
      `0::${BURSTABLE}/cri-containerd-${ID}.scope`,
      { runtime: 'containerd', id: ID, pod: POD },
    ],
    ['kubernetes on cri-o', `0::${BURSTABLE}/crio-${ID}.scope`, { runtime: 'cri-o', id: ID, pod: POD }],
    [
      'kubernetes, v1',
      `4:cpu:/kubepods/burstable/pod${POD}/${ID}`,
      { runtime: 'container', id: ID, pod: POD },
    ],
    [
      'containerd under systemd',
      `4:cpu:/system.slice/containerd.service/kubepods-burstable-pod${FLAT}.slice:cri-containerd:${ID}`,
      { runtime: 'containerd', id: ID, pod: POD },
    ],
    ['nerdctl', `0::/system.slice/nerdctl-${ID}.scope`, { runtime: 'containerd', id: ID }],
    ['lxc', '0::/lxc.payload.web1/system.slice/nginx.service', { runtime: 'lxc', id: 'web1' }],
    ['old lxc', '3:cpu:/lxc/web1', { runtime: 'lxc', id: 'web1' }],
  ])('%s', (_, text, expected) => {
    expect(parseContainer(`${text}\n`)).toEqual(expected);
  });

  it.each([
    '0::/',
    '0::/system.slice/docker.service',
    '0::/user.slice/user-1000.slice/session-2.scope',
    `0::/machine.slice/libpod-conmon-${ID}.scope`,
    `0::${BURSTABLE}/crio-conmon-${ID}.scope`,
    '0::/lxc.monitor.web1',
  ])('is none for %s', (text) => {
    expect(parseContainer(text)).toBeNull();
  });

  it('of hostile text is a value or null', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(() => [parseContainer(`0::/${text}`), parseContainer(text), parseCgroup(text)]).not.toThrow();
      }),
    );
  });
});

describe('the cgroup of a process', () => {
  it('is that of cgroup v2, and of systemd where v2 is mounted but unused', () => {
    expect(parseCgroup('0::/system.slice/ssh.service\n')).toBe('/system.slice/ssh.service');
    expect(parseCgroup('9:name=systemd:/a/b\n8:pids:/\n0::/\n')).toBe('/a/b');
    expect(parseCgroup('8:cpu,cpuacct:/x:y\n')).toBe('/x:y');
    expect(parseCgroup('')).toBeNull();
  });
});
