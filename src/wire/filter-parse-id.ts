/** An id behind its words: an address, a network, a port or the name of one; and what to say when there is none. */
import type { Id, IdType } from './filter-ast.ts';
import { type FilterFault, isFilterFault, type Span } from './filter-fault.ts';
import type { Token } from './filter-lex.ts';
import { isSign, isWord, peek, type Reader, take, unexpected } from './filter-reader.ts';

export function startsId(token: Token): boolean {
  return (
    isSign(token, '!') || isSign(token, '(') || ['number', 'name', 'ip4', 'ip6', 'mac'].includes(token.kind)
  );
}

export function idHint(type: IdType | null): string {
  switch (type) {
    case 'port':
      return 'Write a port number or the name of a service.';
    case 'portrange':
      return 'Write two ports with a minus between: portrange 8000-8080.';
    case 'net':
      return 'Write a network: 10.0.0.0/8, 10.1 or 2001:db8::/32.';
    case 'proto':
      return 'Write a protocol number, or its name behind a backslash: proto \\tcp.';
    default:
      return 'Write an address or the name of a host.';
  }
}

export function wordForId(token: Token, type: IdType | null): FilterFault {
  const hint =
    type === 'proto'
      ? `Write proto \\${token.text}: a word of the language needs a backslash.`
      : idHint(type);
  return unexpected(token, hint);
}

/** Widens `span` over a prefix length or a mask. */
export function idOf(reader: Reader, token: Token, span: Span): Id | FilterFault {
  const { text } = token;
  switch (token.kind) {
    case 'number':
      return { kind: 'number', value: token.value };
    case 'name':
      return { kind: 'name', text };
    case 'mac':
      return { kind: 'mac', text };
    default: {
      if (token.kind === 'ip4' && isWord(peek(reader), 'mask')) {
        reader.next++;
        const mask = take(reader);
        span.to = mask.to;
        return mask.kind === 'ip4'
          ? { kind: 'ip4', text, prefix: null, mask: mask.text }
          : unexpected(mask, 'Write the mask as an address: mask 255.255.0.0.');
      }
      const prefix = prefixOf(reader, span);
      return isFilterFault(prefix)
        ? prefix
        : token.kind === 'ip4'
          ? { kind: 'ip4', text, prefix: prefix.length, mask: null }
          : { kind: 'ip6', text, prefix: prefix.length };
    }
  }
}

function prefixOf(reader: Reader, span: Span): { length: number | null } | FilterFault {
  if (!isSign(peek(reader), '/')) {
    return { length: null };
  }
  reader.next++;
  const token = take(reader);
  span.to = token.to;
  return token.kind === 'number'
    ? { length: token.value }
    : unexpected(token, 'Write the length of the prefix in bits.');
}
