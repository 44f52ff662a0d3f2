import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { bench, type Contender } from './harness.ts';

const node = process.execPath;

/** Where the crowd lives; every contender is started inside in the same way. */
let inside: string[] = [];

async function crowd(): Promise<() => Promise<void>> {
  const child = spawn('unshare', ['-Urn', node, 'bench/fixtures/crowd.mjs'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const ready = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    gone.then(() => null),
  ]);
  if (ready === null) {
    throw new Error('The crowd could not be made.');
  }
  const { pid } = JSON.parse(String(ready[0])) as { pid: number };
  inside = ['nsenter', '-t', String(pid), '-U', '-n', '--preserve-credentials', '--'];
  return async () => {
    child.stdin.end();
    await gone;
  };
}

function contender(role: Contender['role'], name: string, command: string[], needs?: string): Contender {
  return { role, name, command: () => [...inside, ...command], ...(needs === undefined ? {} : { needs }) };
}

const ours = (words: string): Contender =>
  contender('ours', `sockscope ls ${words}`, [node, 'dist/cli.js', 'ls', ...words.split(' ')]);
const peer = (line: string): Contender => contender('peer', line, line.split(' '), line.split(' ')[0]);

const tearDown = await crowd();
try {
  await bench({
    question: 'How long does a list of 100 010 TCP sockets take, without owners?',
    unit: 'ms',
    runs: 9,
    budget: 0.7,
    contenders: [peer('ss -tan'), ours('-tan --no-owners'), peer('netstat -tan')],
  });
  await bench({
    question: 'And with the owner of every socket?',
    unit: 'ms',
    runs: 3,
    budget: 0.25,
    contenders: [peer('ss -tanp'), ours('-tanp'), peer('lsof -nP -iTCP'), peer('netstat -tanp')],
  });
  await bench({
    question: 'And the 10 sockets of one port, among those 100 010?',
    unit: 'ms',
    runs: 15,
    budget: [{ ours: 'sockscope ls :7777', against: 'node -e 0', plus: 40 }],
    contenders: [
      contender('floor', 'node -e 0', [node, '-e', '0']),
      ours(':7777'),
      contender(
        'peer',
        "ss -tan '( sport = :7777 or dport = :7777 )'",
        ['ss', '-tan', '(', 'sport', '=', ':7777', 'or', 'dport', '=', ':7777', ')'],
        'ss',
      ),
    ],
  });
} finally {
  await tearDown();
}
