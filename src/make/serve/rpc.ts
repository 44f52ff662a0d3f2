/** JSON-RPC 1.0 as Go speaks it and 2.0, over TCP, UNIX sockets, HTTP and WebSocket. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SockscopeError } from '../../errors.ts';
import type { ServerKind } from './kind.ts';
import { demo, type Method, type Methods, methodsOf } from './rpc/methods.ts';
import { streamService } from './rpc/stream.ts';
import { webHandler } from './rpc/web.ts';
import { webService } from './web/server.ts';

export interface RpcPlan {
  /** HTTP and WebSocket instead of a bare stream. */
  readonly web: boolean;
  /** A module's address; empty: the demo. */
  readonly module: string;
}

const NOT_FOUND = -32601;

type Module = Readonly<Record<string, unknown>>;

async function load(url: string, path: string): Promise<Methods> {
  let module: Module;
  try {
    module = (await import(url)) as Module;
  } catch (error) {
    throw new SockscopeError(
      'RPC_MODULE',
      `The module ${path} cannot be loaded: ${(error as Error).message}.`,
      'It is JavaScript (.mjs, .js, .cjs) that exports functions, or objects with methods.',
      2,
      error,
    );
  }
  const methods = methodsOf(module);
  if (methods.names().length === 0) {
    throw new SockscopeError(
      'RPC_MODULE',
      `The module ${path} exports no function.`,
      'Export functions, or objects with methods: export const Arith = { add: (a, b) => a + b }',
      2,
    );
  }
  return methods;
}

/** A service has to stand at once: calls that come before the module is there wait for it. */
function lazily(url: string): Methods {
  let loaded: Methods | null = null;
  const loading = load(url, url).then((methods) => {
    loaded = methods;
    return methods;
  });
  const waiting =
    (name: string): Method =>
    (call, done) =>
      void loading.then((methods) => {
        const method = methods.find(name);
        if (method === undefined) {
          done(null, { code: NOT_FOUND, message: `there is no method ${name}` });
        } else {
          method(call, done);
        }
      });
  return {
    find: (name) => (loaded === null ? waiting(name) : loaded.find(name)),
    names: () => loaded?.names() ?? [],
  };
}

export const kind: ServerKind<RpcPlan> = {
  name: 'rpc',
  about: 'JSON-RPC 1.0 (as Go) and 2.0',
  words: '',
  options: [
    { flags: '--http', about: 'over HTTP (POST) and WebSocket instead of a bare stream' },
    { flags: '--module <file>', about: 'serve the functions that this JavaScript module exports' },
  ],
  examples: [
    'sockscope serve rpc :1234                     Arith.Add, .Multiply, .Divide, Echo.Echo, Time.Now, Slow.Sleep',
    'sockscope serve rpc --http --module api.mjs   your own functions, by POST or WebSocket',
    'sockscope serve rpc unix:/tmp/rpc.sock',
  ],
  port: 1234,
  over: ['tcp', 'unix'],
  tls: true,
  lines: 'requests',
  async plan({ options }) {
    const { module, http } = options;
    if (typeof module !== 'string') {
      return { web: http === true, module: '' };
    }
    const url = pathToFileURL(resolve(module)).href;
    await load(url, module);
    return { web: http === true, module: url };
  },
  tries({ host, port, path, tls, authority }, { web, module }) {
    const request =
      module === ''
        ? '{"method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":1}'
        : '{"jsonrpc":"2.0","method":"…","params":[],"id":1}';
    if (web) {
      const to =
        path === ''
          ? `${tls ? `--cacert ${authority} https` : 'http'}://${host}:${port}/`
          : `--unix-socket ${path} http://localhost/`;
      return `curl -d '${request}' ${to}`;
    }
    if (tls) {
      return `echo '${request}' | openssl s_client -quiet -connect ${host}:${port} -CAfile ${authority}`;
    }
    return `echo '${request}' | nc -N ${path === '' ? `${host} ${port}` : `-U ${path}`}`;
  },
  engine: ({ web, module }) => (web ? 'node' : module === '' ? 'raw' : 'raw in node'),
  raw: (house, { module }) => streamService(house, module === '' ? demo : lazily(module)),
  node: async (house, { module }) =>
    webService(house, webHandler(house, module === '' ? demo : await load(module, module))),
};
