/** RESP as Redis speaks it, made of what a person typed (bytes as characters). */
import { inlineWords } from '../../wire/app/redis-message.ts';

/** `+OK`, `-ERR no`, `:1`, `$3…` and `*2…` are taken as they are; all else is a text of that content. */
export function respReply(text: string): string {
  if (/^[-+:$*]/.test(text)) {
    return text.endsWith('\r\n') ? text : `${text}\r\n`;
  }
  return bulk(text);
}

export function respCommand(line: string): string {
  const words = inlineWords(line);
  return `*${words.length}\r\n${words.map(bulk).join('')}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
