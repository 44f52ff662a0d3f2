import { expect } from 'vitest';
import { needs } from '../../test/needs.ts';
import { createEpollReactor } from './epoll.ts';
import { createNodeReactor } from './node.ts';
import { contract } from './reactor.contract.ts';

contract('node:net', () => {
  const reactor = createNodeReactor();
  return {
    reactor,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    close: () => reactor.close(),
  };
});

if (needs('linux').missing === null) {
  contract('epoll', () => {
    const reactor = createEpollReactor();
    if (typeof reactor === 'number') {
      expect.unreachable(`no epoll reactor: ${reactor}`);
      throw new Error();
    }
    return {
      reactor,
      turn: async () => {
        reactor.turn(3);
      },
      close: async () => reactor.close(),
    };
  });
}
