/** An upstream as people write it: `3000`, `localhost:3000`, `https://host/base`, `unix:/run/app.sock`. */
import type { Target } from './plan.ts';

const HOST_PORT = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})$/i;

/** A text says what is wrong with it. */
export function readTarget(text: string, ca = '', insecure = false): Target | string {
  if (text.startsWith('unix:')) {
    const socket = text.slice('unix:'.length);
    return socket === ''
      ? 'a path follows unix:'
      : { text, base: '', to: { secure: false, host: 'localhost', port: 80, socket, ca, insecure } };
  }
  const url = /^\d{1,5}$/.test(text)
    ? `http://127.0.0.1:${text}`
    : HOST_PORT.test(text)
      ? `http://${text}`
      : text;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    return `${text} is no upstream`;
  }
  const { protocol, hostname, port, pathname, search, hash, username } = new URL(url);
  if (search !== '' || hash !== '' || username !== '') {
    return `an upstream has neither a query nor a user: ${text}`;
  }
  const secure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    text: url.replace(/^http:\/\//i, '').replace(/\/$/, ''),
    // `http://h:1` and `http://h:1/` differ as they do for nginx: the second replaces the prefix of the location.
    base: /^https?:\/\/[^/]+$/i.test(url) ? '' : pathname,
    to: { secure, host, port: port === '' ? (secure ? 443 : 80) : Number(port), socket: '', ca, insecure },
  };
}

/** Where a path of ours is at the upstream. `prefix` is the location's; the path begins with it. */
export function pathThere(base: string, prefix: string, path: string): string {
  if (base === '' || !path.startsWith(prefix)) {
    return path;
  }
  const rest = path.slice(prefix.length).replace(/^\//, '');
  return `${base.replace(/\/$/, '')}/${rest}`;
}

/** A Location that names the upstream, as the client can use it; others stay. */
export function locationHere(location: string, { base, to }: Target, prefix: string): string {
  if (!URL.canParse(location)) {
    return location;
  }
  const { protocol, hostname, port, pathname, search, hash } = new URL(location);
  const secure = protocol === 'https:';
  const number = port === '' ? (secure ? 443 : 80) : Number(port);
  const same = secure === to.secure && hostname.replace(/^\[|\]$/g, '') === to.host && number === to.port;
  if (!same || to.socket !== '') {
    return location;
  }
  const root = base.replace(/\/$/, '');
  if (base === '') {
    return `${pathname}${search}${hash}`;
  }
  return pathname === root || pathname.startsWith(`${root}/`)
    ? `${prefix.replace(/\/$/, '')}${pathname.slice(root.length) || '/'}${search}${hash}`
    : location;
}
