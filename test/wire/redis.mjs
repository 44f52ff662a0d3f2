/** Redis: redis-cli, redis-benchmark and a raw socket talk RESP2, RESP3 and inline to redis-server. */
import { once } from 'node:events';
import net from 'node:net';
import { answers, ended, run, scene, serve, start, until } from './scene.mjs';

const PORT = 6379;

await scene(async () => {
  await serve(PORT, 'redis-server', [
    '--port',
    String(PORT),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
  ]);
  const cli = (args, input) => run('redis-cli', args, { input, status: null });
  await cli(['SET', 'user:7', 'a value with spaces\r\nand a line']);
  await cli(
    [],
    `PING
GET user:7
GET nothing
SET empty ""
GET empty
INCRBY count 41
INCR user:7
NOSUCH command
LPUSH list a b c
LRANGE list 0 -1
HSET h f1 v1 f2 v2
HGETALL h
SADD s 1 2 3
SMISMEMBER s 1 9
MULTI
INCR count
GET user:7
INCR user:7
EXEC
MULTI
DISCARD
EXEC
EVAL "return {1, 'two', {3, false}}" 0
OBJECT ENCODING count
SELECT 2
DBSIZE
`,
  );
  await cli(
    ['-3'],
    'HGETALL h\nSMEMBERS s\nZADD z 1.5 a\nZSCORE z a\nGET nothing\nDEBUG SET-ACTIVE-EXPIRE 1\nCLIENT TRACKING on\nGET count\nSET count 7\nGET count\n',
  );
  await cli(
    ['--pipe'],
    Array.from({ length: 500 }, (_, i) => `SET pipe:${i} ${'v'.repeat(i % 50)}\r\n`).join(''),
  );
  await run('redis-benchmark', [
    '-p',
    String(PORT),
    '-n',
    '400',
    '-c',
    '4',
    '-P',
    '16',
    '-t',
    'set,get,lrange_100',
    '-r',
    '50',
    '-q',
  ]);
  await cli(['-x', 'SET', 'large'], 'L'.repeat(200_000));
  await cli(['GET', 'large']);

  const subscriber = start('redis-cli', []);
  subscriber.stdin.write('SUBSCRIBE news other\n');
  await until(
    () => /other\s+.*2/s.test(subscriber.said()),
    () => subscriber.said(),
  );
  await cli(['PUBLISH', 'news', 'hello']);
  await cli(['PUBLISH', 'other', 'world']);
  await until(
    () => subscriber.said().includes('world'),
    () => subscriber.said(),
  );
  subscriber.kill('SIGTERM');
  await ended(subscriber);

  const socket = net.connect({ port: PORT, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.write('PING inline\r\n*2\r\n$4\r\nECHO\r\n$3\r\na');
  await once(socket, 'data');
  socket.write('bc\r\n*1\r\n$4\r\nQUIT\r\n');
  socket.resume();
  await once(socket, 'close');
  await answers(PORT);
});
