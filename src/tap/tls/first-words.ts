/** What a client that does not speak TLS speaks instead, as far as its first bytes tell. */

/** PostgreSQL, "Message Formats": a length of 8 and the number 80877103. */
const SSL_REQUEST = '0000000804d2162f';

/** A phrase for a sentence. `first` is whatever has come. */
export function firstWords(first: Uint8Array): string {
  const text = Buffer.from(first.subarray(0, 24)).toString('latin1');
  if (/^(GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /.test(text)) {
    return 'plain HTTP';
  }
  if (text.startsWith('PRI * HTTP/2')) {
    return 'plain HTTP/2';
  }
  if (text.startsWith('PROXY ') || text.startsWith('\r\n\r\n\0\r\nQUIT\n')) {
    return 'a PROXY protocol header';
  }
  if (text.startsWith('SSH-')) {
    return 'SSH';
  }
  if (Buffer.from(first.subarray(0, 8)).toString('hex') === SSL_REQUEST) {
    return "PostgreSQL's own request for TLS (SSLRequest), which comes before TLS begins";
  }
  if (first.length >= 3 && first[0]! >= 0x80 && first[2] === 1) {
    return 'SSL 2.0';
  }
  const shown = text.slice(0, 8);
  return /^[\x20-\x7e]+$/.test(shown) ? `“${shown}…”` : `bytes ${[...first.subarray(0, 4)].join(' ')}`;
}
