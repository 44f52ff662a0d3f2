/**
 * The proxy that most Node programmers write: pipe() both ways and the defaults of node:net. With the word `half-open` after the
 * addresses, the one that somebody writes who has met `allowHalfOpen`.
 */
import { connect, createServer } from 'node:net';

const [listen, target, word] = process.argv.slice(2);
const allowHalfOpen = word === 'half-open';
const place = (text) => ({ host: text.split(':')[0], port: Number(text.split(':')[1]) });

createServer({ allowHalfOpen }, (client) => {
  const server = connect({ ...place(target), allowHalfOpen });
  const both = () => {
    client.destroy();
    server.destroy();
  };
  client.on('error', both).pipe(server);
  server.on('error', both).pipe(client);
}).listen(place(listen));
