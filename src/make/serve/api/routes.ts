/** The routes of `serve api`: what each answers to. */

export interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  readonly about: string;
}

const READ = ['GET', 'HEAD'];

export const routes = {
  list: { path: '/', methods: READ, about: 'this list' },
  json: { path: '/json', methods: READ, about: 'a report on this server' },
  gob: { path: '/gob', methods: READ, about: 'the same report for Go: an encoding/gob stream' },
  slow: {
    path: '/slow',
    methods: READ,
    about: 'answers after ?ms=1000, in three steps that can be cancelled',
  },
  chain: {
    path: '/chain',
    methods: READ,
    about: 'calls /slow?ms=1000 of this server and answers what it said',
  },
  status: { path: '/status/:code', methods: READ, about: 'answers with that status, 200 to 599' },
  headers: { path: '/headers', methods: READ, about: 'the headers of the request' },
  stream: { path: '/stream', methods: READ, about: '?count=10 lines, one every ?ms=100' },
  redirect: { path: '/redirect/:n', methods: READ, about: 'n redirects, then this list' },
  echo: { path: '/echo', methods: ['POST'], about: 'answers what it was sent' },
} as const satisfies Record<string, Route>;

export const routeList: readonly Route[] = Object.values(routes);

export function routesText(): string {
  return routeList
    .map(({ path, methods, about }) => `${methods[0]!.padEnd(5)}${path.padEnd(15)}${about}\n`)
    .join('');
}

/** A whole number of a query or a path, within bounds; null is none. */
export function wholeNumber(
  text: string | undefined,
  otherwise: number,
  least: number,
  most: number,
): number | null {
  if (text === undefined) {
    return otherwise;
  }
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : null;
}
