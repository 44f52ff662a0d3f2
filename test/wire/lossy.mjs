/** Two hosts and a wire that loses, doubles and reorders: transfers both ways, a reader that stops, an idle connection kept alive. */
import { fileURLToPath } from 'node:url';
import { endAll, recorder, run, start, stopped, until } from './scene.mjs';

const [file, seed = '1'] = process.argv.slice(2);
const wire = fileURLToPath(new URL('./lossy-wire.py', import.meta.url));
const hosts = fileURLToPath(new URL('./lossy-hosts.py', import.meta.url));
const ip = (...words) => run('ip', words);
const ready = (child) =>
  until(
    () => child.said().includes('ready'),
    () => child.said(),
  );

/** A namespace that lives as long as its program; what is told runs inside. */
async function host(name, address) {
  const holder = start('unshare', ['-n', 'sh', '-c', 'echo ready; exec cat']);
  await ready(holder);
  const inside = (...words) => ['nsenter', ['-t', String(holder.pid), '-n', ...words]];
  await run(
    ...inside(
      'sh',
      '-c',
      'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo reno >/proc/sys/net/ipv4/tcp_congestion_control',
    ),
  );
  await ip(
    'link',
    'add',
    `wire-${name}`,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'address',
    `02:00:00:00:00:0${address}`,
    'netns',
    String(holder.pid),
  );
  await run(...inside('ip', 'addr', 'add', `10.7.0.${address}/24`, 'dev', 'eth0'));
  await run(...inside('python3', hosts, 'plain', 'eth0'));
  await run(...inside('ip', 'link', 'set', 'eth0', 'up'));
  const other = 3 - address;
  await run(
    ...inside(
      'ip',
      'neigh',
      'replace',
      `10.7.0.${other}`,
      'lladdr',
      `02:00:00:00:00:0${other}`,
      'dev',
      'eth0',
      'nud',
      'permanent',
    ),
  );
  await ip('link', 'set', `wire-${name}`, 'up');
  return inside;
}

try {
  await run('sh', ['-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6']);
  const near = await host('a', 1);
  const far = await host('b', 2);
  await ready(start('python3', [wire, 'wire-a', 'wire-b', seed]));
  const server = start(...far('python3', hosts, 'server'));
  await ready(server);
  const tcpdump = await recorder(file, 'eth0', near);
  await run(...near('python3', hosts, 'client', '10.7.0.2'));
  // What is still on its way (acknowledgements of the last FINs) may come or not; nothing waits for it.
  await stopped(tcpdump);
} finally {
  await endAll();
}
