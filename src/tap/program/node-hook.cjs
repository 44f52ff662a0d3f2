/**
 * Loaded into the Node programs that `sockscope tap -- CMD` starts (NODE_OPTIONS --require). It writes down the source line of each
 * connect and listen and changes nothing else: whatever goes wrong here is swallowed, and the program never notices.
 * Plain CommonJS for Node 18 and later, without imports of ours: it runs in programs that we know nothing about.
 */
'use strict';

const path = process.env.SOCKSCOPE_TAP_SITES;
if (path) {
  try {
    install(path);
  } catch {
    // The program matters more than its line numbers.
  }
}

function install(sites) {
  const fs = require('node:fs');
  const net = require('node:net');
  // Without a reader this fails, and then there is nobody to tell.
  const fd = fs.openSync(sites, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  wrap(net.Socket.prototype, 'connect', 'connect');
  wrap(net.Server.prototype, 'listen', 'listen');

  function wrap(prototype, name, what) {
    const original = prototype[name];
    const recorded = function (...args) {
      try {
        tell(what, args, recorded);
      } catch {
        // as above
      }
      return Reflect.apply(original, this, args);
    };
    Object.defineProperty(recorded, 'name', { value: original.name });
    Object.defineProperty(recorded, 'length', { value: original.length });
    prototype[name] = recorded;
  }

  function tell(what, args, caller) {
    const target = targetOf(args);
    const site = target === null ? null : siteOf(caller);
    if (site !== null) {
      const line = `${JSON.stringify({ pid: process.pid, what, ...target, ...site })}\n`;
      // Up to PIPE_BUF a write is whole or not at all (pipe(7)).
      if (Buffer.byteLength(line) <= 4096) {
        fs.writeSync(fd, line);
      }
    }
  }
}

/** The forms of net.connect and server.listen: (options), (port, host), or the pair that net hands on inside; null: no TCP. */
function targetOf(args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const options = typeof first === 'object' && first !== null ? first : { port: first, host: args[1] };
  const port = Number(options.port);
  if (options.path !== undefined || options.port === undefined || !Number.isInteger(port)) {
    return null;
  }
  return { host: typeof options.host === 'string' ? options.host : '', port };
}

/** The innermost line of the program's own; of a package's, when the program has none in the stack. */
function siteOf(caller) {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const holder = {};
  Error.captureStackTrace(holder, caller);
  const stack = String(holder.stack);
  Error.stackTraceLimit = limit;
  let spare = null;
  for (const line of stack.split('\n').slice(1)) {
    const site = parseLine(line);
    if (site === null) {
      continue;
    }
    if (!site.file.includes('/node_modules/')) {
      return site;
    }
    spare ??= site;
  }
  return spare;
}

function parseLine(line) {
  const found = /^\s+at (?:(.*?) \()?((?:file:\/\/)?\/[^()]*):(\d+):(\d+)\)?$/.exec(line);
  if (found === null) {
    return null;
  }
  const [, name = '', file, at, column] = found;
  return {
    file: file.startsWith('file://') ? decodeURIComponent(file.slice(7)) : file,
    line: Number(at),
    column: Number(column),
    function: name.replace(/^async /, ''),
  };
}
