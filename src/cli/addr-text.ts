/** The report of `sockscope addr` as text. */
import { type AddrReport, type Answer, placeText, whoText } from '../see/addr.ts';
import type { Socket } from '../session/socket.ts';
import type { Painter } from '../view/colour.ts';

export function addrText(report: AddrReport, paint: Painter, columns: number): string {
  const parts = [
    heading(report, paint),
    conclusionLines(report, paint, columns),
    section('what programs get (getaddrinfo, in this order)', answerLines(report), paint),
    report.numeric ? '' : section('who is asked, in this order', moduleLines(report), paint),
    section('interfaces', interfaceLines(report), paint),
    report.notes.map((note) => `${paint.dim(note)}\n`).join(''),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function heading({ name, port }: AddrReport, paint: Painter): string {
  const host = name.includes(':') && port !== null ? `[${name}]` : name;
  return `${paint.bold(port === null ? name : `${host}:${port}`)}\n`;
}

function section(title: string, lines: readonly string[], paint: Painter): string {
  return lines.length === 0 ? '' : `${paint.dim(title)}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function conclusionLines({ conclusions }: AddrReport, paint: Painter, columns: number): string {
  return conclusions
    .map(({ kind, text }) => wrapped(kind === 'finding' ? paint.red('✗') : paint.yellow('!'), text, columns))
    .join('');
}

function wrapped(mark: string, text: string, columns: number): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.length - 1;
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`;
    if (longer.length + 2 <= columns || lines[last] === '') {
      lines[last] = longer;
    } else {
      lines.push(word);
    }
  }
  return lines.map((line, index) => `${index === 0 ? mark : ' '} ${line}\n`).join('');
}

function answerLines({ answers, port }: AddrReport): string[] {
  const widest = Math.max(0, ...answers.map(({ address }) => address.length));
  return answers.flatMap((answer, index) => {
    const [first, ...more] = listenerTexts(answer, port);
    const lead = `${index + 1}  ${answer.address.padEnd(widest)}  `;
    return [`${lead}${first}`, ...more.map((text) => `${' '.repeat(lead.length)}${text}`)];
  });
}

function listenerTexts({ here, listeners }: Answer, port: number | null): string[] {
  if (!here) {
    return ['not an address of this machine: who listens there cannot be seen from here'];
  }
  if (listeners.length === 0) {
    return [port === null ? 'nobody listens' : `nobody listens on port ${port}`];
  }
  return [...listeners].sort((a, b) => a.local.port - b.local.port).map(listenerText);
}

function listenerText(socket: Socket): string {
  const { address } = socket.local;
  const reach =
    address === '::'
      ? socket.v6only === true
        ? 'every IPv6 address'
        : 'every address, both families'
      : 'every IPv4 address';
  const wildcard = address === '::' || address === '0.0.0.0' || address === '::ffff:0.0.0.0';
  return `${socket.protocol} ${placeText(socket)}${wildcard ? ` (${reach})` : ''}  ${whoText(socket)}`;
}

function moduleLines({ resolver, hosts, nodeOrder }: AddrReport): string[] {
  const files = resolver.modules.findIndex(({ name }) => name === 'files');
  const last =
    hosts.length > 0 && files >= 0 && !goesOn(resolver.modules[files]?.actions ?? []) ? files : Infinity;
  const lines = resolver.modules.flatMap(({ name, actions }, index) => {
    const rules = actions.length === 0 ? '' : ` [${actions.join(' ')}]`;
    const [about, ...more] = aboutModule(name, resolver, hosts);
    const first = index > last ? `not asked, files has it: ${about}` : about;
    return [`${`${name}${rules}`.padEnd(8)}  ${first}`, ...more.map((line) => `${' '.repeat(10)}${line}`)];
  });
  if (!resolver.modulesConfigured) {
    lines.push('(no hosts: line in /etc/nsswitch.conf: this is what glibc does by itself)');
  }
  for (const { line, kind, network, value } of resolver.gai) {
    lines.push(`order changed by /etc/gai.conf:${line}: ${kind} ${network} ${value}`);
  }
  lines.push(
    nodeOrder === 'verbatim'
      ? 'Node keeps this order (since version 17; before, IPv4 came first)'
      : `Node here is set to ${nodeOrder}, which changes this order`,
  );
  return lines;
}

/** By default a module that has an answer is the last one asked (nsswitch.conf(5)). */
function goesOn(actions: readonly string[]): boolean {
  return actions.some((action) => /^(success=(continue|merge)|!.*)$/i.test(action));
}

function aboutModule(name: string, resolver: AddrReport['resolver'], hosts: AddrReport['hosts']): string[] {
  switch (name) {
    case 'files':
      return hosts.length === 0
        ? ['/etc/hosts does not name it']
        : hosts.map(({ line, address, names }) => `/etc/hosts:${line}  ${address} ${names.join(' ')}`);
    case 'dns':
      return [dnsText(resolver.resolvConf)];
    case 'resolve':
      return ['systemd-resolved (resolvectl status shows its servers)'];
    case 'myhostname':
      return ['systemd: this machine’s name, localhost and *.localhost'];
    case 'mymachines':
      return ['systemd: names of local containers'];
    default:
      return [
        name.startsWith('mdns')
          ? 'multicast DNS through Avahi, for names under .local'
          : `the module libnss_${name}.so.2`,
      ];
  }
}

function dnsText(conf: AddrReport['resolver']['resolvConf']): string {
  if (conf === null || conf.nameservers.length === 0) {
    return 'no nameserver in /etc/resolv.conf: DNS on this machine itself (127.0.0.1) is asked';
  }
  const search = conf.search.length === 0 ? '' : `, search ${conf.search.join(' ')}`;
  const dots =
    conf.ndots === 1 ? '' : `, ndots:${conf.ndots} (names with fewer dots try the search list first)`;
  const unused =
    conf.nameservers.length > 3
      ? `; not used, being beyond the third: ${conf.nameservers.slice(3).join(', ')}`
      : '';
  return `nameserver ${conf.nameservers.slice(0, 3).join(', ')}${search}${dots}${unused} (/etc/resolv.conf)`;
}

function interfaceLines({ interfaces }: AddrReport): string[] {
  const widest = Math.max(0, ...interfaces.map(({ name }) => name.length));
  return interfaces.map(({ name, up, addresses, ipv6Disabled }) => {
    const shown = addresses.map(
      ({ address, prefix, tentative }) =>
        `${address}/${prefix}${tentative ? ' (not usable yet: duplicate check)' : ''}`,
    );
    const off = ipv6Disabled ? '  IPv6 off (disable_ipv6)' : '';
    return `${name.padEnd(widest)}  ${up ? 'up  ' : 'down'}  ${shown.length === 0 ? 'no address' : shown.join('  ')}${off}`;
  });
}
