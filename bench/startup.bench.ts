import { bench } from './harness.ts';

const node = process.execPath;

await bench({
  question: 'How long does the program take to say anything?',
  unit: 'ms',
  runs: 21,
  budget: 1.3,
  contenders: [
    { name: 'node -e 0', role: 'floor', command: [node, '-e', '0'] },
    { name: 'sockscope --help', role: 'ours', command: [node, 'dist/cli.js', '--help'] },
    { name: 'sockscope ls', role: 'ours', command: [node, 'dist/cli.js', 'ls'] },
  ],
});
