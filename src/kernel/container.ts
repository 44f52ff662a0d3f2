/** Which container a process runs in, from the names that runtimes give their cgroups. Pure. */

export type Runtime = 'docker' | 'containerd' | 'podman' | 'cri-o' | 'lxc' | 'container';

export interface Container {
  /** `container`: the path shows that it is one, not whose. */
  runtime: Runtime;
  /** The runtime's id, or the name for lxc. */
  id: string;
  /** Kubernetes pod uid. */
  pod?: string;
}

/** systemd scopes: `docker-ID.scope`, `cri-containerd-ID.scope`; and `SLICE:cri-containerd:ID` of containerd under systemd. */
const SCOPE = /(?:^|:)(docker|cri-containerd|nerdctl|libpod|crio)[-:]([0-9a-f]{12,64})(?:\.scope)?$/;
const RUNTIMES: Record<string, Runtime> = {
  docker: 'docker',
  'cri-containerd': 'containerd',
  nerdctl: 'containerd',
  libpod: 'podman',
  crio: 'cri-o',
};
const BARE_ID = /^[0-9a-f]{64}$/;
const POD =
  /(?:^|[-/:])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?:\.slice|[/:]|$)/;

/** The text of /proc/PID/cgroup: `hierarchy:controllers:path` per line. */
export function parseContainer(text: string): Container | null {
  for (const path of cgroupPaths(text)) {
    const found = containerOf(path);
    if (found !== null) {
      return found;
    }
  }
  return null;
}

/** The path that names the process best: cgroup v2's, else systemd's, else the first; null when the text has none. */
export function parseCgroup(text: string): string | null {
  const lines = text.split('\n').filter((line) => /^\d+:[^:]*:\//.test(line));
  const unified = lines.find((line) => line.startsWith('0::'));
  const systemd = lines.find((line) => /^\d+:name=systemd:/.test(line));
  const rooted = unified?.endsWith('::/') ? systemd : undefined;
  const line = rooted ?? unified ?? systemd ?? lines[0];
  return line === undefined ? null : line.replace(/^\d+:[^:]*:/, '');
}

function cgroupPaths(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^\d+:[^:]*:\//.test(line))
    .map((line) => line.replace(/^\d+:[^:]*:/, ''));
}

function containerOf(path: string): Container | null {
  const pod = POD.exec(path)?.[1]?.replaceAll('_', '-');
  const inPod = pod === undefined ? {} : { pod };
  const parts = path.split('/').filter((part) => part !== '');
  // Innermost first: a container may run inside another one.
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i]!;
    const before = parts[i - 1] ?? '';
    const scope = SCOPE.exec(part);
    if (scope !== null) {
      return { runtime: RUNTIMES[scope[1]!] ?? 'container', id: scope[2]!, ...inPod };
    }
    if (BARE_ID.test(part)) {
      return { runtime: before === 'docker' ? 'docker' : 'container', id: part, ...inPod };
    }
    const lxc =
      /^lxc\.payload\.(.+)$/.exec(part)?.[1] ?? (/^lxc(\.payload)?$/.test(before) ? part : undefined);
    if (lxc !== undefined) {
      return { runtime: 'lxc', id: lxc };
    }
  }
  return null;
}
