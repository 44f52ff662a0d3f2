/** Values that stand under a telling name, wherever they are: in a query, a form or JSON. */
import { MASK } from './mask.ts';

const telling =
  /pass(word|wd|phrase|code)|^pass$|pwd$|secret|token\]?$|api[-_]?key|access[-_]?key|private[-_]?key|credential|signature$|^sig$|^auth$|^(proxy-)?authorization$|^(set-)?cookie$/i;

/** True for `password`, `access_token`, `X-Api-Key`. */
export function isTelling(name: string): boolean {
  return telling.test(name);
}

/** `a=1&password=x`, as in queries and forms: the same text when nothing is secret. */
export function maskedForm(form: string): string {
  return form
    .split(/([&;#])/)
    .map((pair) => {
      const equals = pair.indexOf('=');
      const secret = equals > 0 && equals + 1 < pair.length && isTelling(decoded(pair.slice(0, equals)));
      return secret ? `${pair.slice(0, equals)}=${MASK}` : pair;
    })
    .join('');
}

/** A URL or a path: its userinfo and its query, and its fragment, where OAuth puts tokens. */
export function maskedUrl(url: string): string {
  const mark = url.search(/[?#]/);
  const path = mark < 0 ? url : url.slice(0, mark);
  const rest = mark < 0 ? '' : url.slice(mark);
  const open = path.replace(/^([a-z][a-z0-9+.-]*:)?\/\/([^/@:]*):[^/@]*@/i, `$1//$2:${MASK}@`);
  return open + (rest === '' ? '' : rest[0] + maskedForm(rest.slice(1)));
}

function decoded(name: string): string {
  if (!name.includes('%')) {
    return name;
  }
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** JSON, maybe cut off: strings and numbers under a telling key. Walks once and parses nothing. */
export function maskedJson(json: string): string {
  let result = '';
  let copied = 0;
  for (let at = json.indexOf('"'); at >= 0; at = json.indexOf('"', at)) {
    const end = stringEnd(json, at);
    let next = space(json, end);
    if (json[next] === ':') {
      next = space(json, next + 1);
      if (next < json.length && isTelling(json.slice(at + 1, end - 1))) {
        const stop = scalarEnd(json, next);
        if (stop > next) {
          result += `${json.slice(copied, next)}"${MASK}"`;
          copied = stop;
          next = stop;
        }
      }
      at = next;
    } else {
      at = end;
    }
  }
  return copied === 0 ? json : result + json.slice(copied);
}

/** Behind the string that opens at `at`. */
function stringEnd(json: string, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== '"') {
    end += json[end] === '\\' ? 2 : 1;
  }
  return Math.min(end + 1, json.length);
}

function space(json: string, from: number): number {
  let at = from;
  while (at < json.length && ' \t\r\n'.includes(json[at]!)) {
    at++;
  }
  return at;
}

/** Behind a string or number; `at` itself for what is no secret by itself: null, true, false, and what has names of its own. */
function scalarEnd(json: string, at: number): number {
  if (json[at] === '"') {
    return stringEnd(json, at);
  }
  let end = at;
  while (end < json.length && '+-.0123456789eE'.includes(json[end]!)) {
    end++;
  }
  return end;
}
