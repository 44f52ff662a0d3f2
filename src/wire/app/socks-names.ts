/** The numbers of SOCKS by name: RFC 1928, RFC 1929, and the two papers on SOCKS 4 and 4a. */

export const NO_AUTHENTICATION = 0;
export const GSSAPI = 1;
export const PASSWORD = 2;
export const NO_METHOD = 255;

const METHODS = new Map([
  [NO_AUTHENTICATION, 'none'],
  [GSSAPI, 'GSSAPI'],
  [PASSWORD, 'password'],
  [3, 'CHAP'],
  [5, 'challenge-response'],
  [6, 'SSL'],
  [7, 'NDS'],
  [8, 'multi-authentication'],
  [9, 'JSON'],
  [NO_METHOD, 'no acceptable method'],
]);

export function methodName(method: number): string {
  return METHODS.get(method) ?? `method ${method}`;
}

/** Registered with IANA, or in the range for private use. */
export function isMethod(method: number): boolean {
  return METHODS.has(method) || method >= 0x80;
}

export const CONNECT = 1;
export const BIND = 2;
export const UDP_ASSOCIATE = 3;

const COMMANDS = ['', 'CONNECT', 'BIND', 'UDP ASSOCIATE'];

export function commandName(command: number): string {
  return COMMANDS[command] || `command ${command}`;
}

const REPLIES = [
  'succeeded',
  'general failure',
  'not allowed by the rules',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
];

export function replyName(code: number): string {
  return REPLIES[code] ?? `reply ${code}`;
}

export const GRANTED = 90;

const OLD_REPLIES = ['granted', 'rejected or failed', 'no identd on the client', 'identd says another user'];

export function oldReplyName(code: number): string {
  return OLD_REPLIES[code - GRANTED] ?? `reply ${code}`;
}

/** RFC 1961, sections 3 to 5: what a frame around a token is for. */
const GSS_FRAMES = new Map([
  [1, 'GSSAPI authentication'],
  [2, 'GSSAPI protection'],
  [3, 'GSSAPI encapsulated'],
  [255, 'GSSAPI abort'],
]);

export function gssName(type: number): string {
  return GSS_FRAMES.get(type) ?? `GSSAPI ${type}`;
}
