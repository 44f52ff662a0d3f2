/** Many clients of one server, each of whom has asked something, and what became of them. */
import { type Serving, written } from './serving.ts';
import { later } from './tap/program.ts';
import { type Wire, wire } from './web-service.ts';

/** What one client says before the signal and after it, and what it must have heard in the end. */
export interface Said {
  readonly before: string;
  readonly after: string;
  readonly whole: (heard: string) => boolean;
}

export interface Member {
  readonly said: Said;
  readonly one: Wire;
}

export const HEAD = 'HTTP/1.1\r\nHost: h\r\n';
/** An answer whose body is as long as it says, or chunked to its end. */
export function complete(heard: string, body?: string): boolean {
  const end = heard.indexOf('\r\n\r\n');
  const head = heard.slice(0, end);
  const rest = heard.slice(end + 4);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  const all = length === undefined ? /(^|\r\n)0\r\n\r\n$/.test(rest) : rest.length === Number(length);
  return head.startsWith('HTTP/1.1 200 ') && all && (body === undefined || rest.includes(body));
}

export const half = (target: string, body: string, answer: string): Said => ({
  before: `POST ${target} ${HEAD}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 3)}`,
  after: body.slice(3),
  whole: (heard) => complete(heard, answer),
});
export const asked = (before: string, answer?: string): Said => ({
  before,
  after: '',
  whole: (heard) => complete(heard, answer),
});

export async function crowd(
  server: Serving,
  says: (client: number) => Said,
  count: number,
): Promise<Member[]> {
  const all = Array.from({ length: count }, (_none, client) => {
    const said = says(client);
    const one = wire(server.port, said.before);
    later(() => one.socket.destroy());
    return { said, one };
  });
  await written(all.map(({ one }) => one));
  return all;
}

/** Who did not get the whole answer, or was reset. */
export function unlucky(all: readonly Member[]): string[] {
  return all
    .filter(({ said, one }) => one.how() !== 'end' || !said.whole(one.text()))
    .map(({ one }) => `${one.how()}, read ${JSON.stringify(one.text().slice(0, 200))}`)
    .slice(0, 5);
}
