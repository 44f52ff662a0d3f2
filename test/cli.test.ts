import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const linux = needs('linux');
const program = new URL('../dist/cli.js', import.meta.url).pathname;

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What a beginner gets wrong, and a word that the answer must hold. */
const WRONG: readonly [words: string[], says: RegExp][] = [
  [['lss'], /Did you mean ls\?/],
  [['help', 'nope'], /sockscope/],
  [['ls', '-z'], /unknown option '-z'\n\(sockscope ls --help/],
  [['ls', '--top', '-1'], /whole number/],
  [['ls', '--watch', 'abc'], /between 0\.1 and 3600/],
  [['ls', '--watch'], /needs a terminal/],
  [['ls', '--netns', 'nope'], /No network namespace is called nope/],
  [['ls', '--sort', 'foo'], /'foo' is no column/],
  [['ls', '--count-by', 'foo'], /state, program, peer, port/],
  [['ls', '--json', '--csv'], /exclude each other/],
  [['ls', '--pairs', '--csv'], /--pairs is written/],
  [['ls', '--format', '{{ a | nofilter }}'], /undefined filter: nofilter/],
  [['ls', '--template', '/nowhere/at/all'], /cannot be read/],
  [['ls', 'dport', '>'], /ends too early\n {2}dport >\n {9}\^/],
  [['ls', 'sport', '=', ':nosuch'], /neither a port nor a service name/],
  [['kill'], /Nothing was named/],
  [['kill', '80'], /could be a port or a process/],
  [['kill', '--signal', 'FOO', ':1'], /is not a signal/],
  [['limits', ':99999'], /neither a process nor a port/],
  [['addr', ''], /not a name or address/],
  [['abilities', 'extra'], /too many arguments/],
  [['open'], /missing required argument 'file'/],
  [['open', '/nowhere/at/all'], /There is no file \/nowhere\/at\/all/],
  [['open', '/'], /is a directory/],
  [['open', '/etc/passwd'], /is text, not a capture/],
  [['open', 'x', '-m', '-C'], /--messages and --connections are different views/],
  [['open', 'x', '--json', '--follow', '1'], /--json does not go with --follow/],
  [['open', 'x', '--udp'], /--udp belongs to --follow/],
  [['open', 'x', '-m', '-X'], /-x, -X and -A show the bytes of packets/],
  [['open', 'x', '-c', '-1'], /whole number/],
  [['open', 'x', '--follow', 'three'], /whole number/],
  [['open', 'x', '--follow', '1', 'http'], /a display filter has no say in it/],
  [['open', 'x', '--fields', 'a,,b'], /has an empty name/],
  [['open', 'x', '--export', 'pages.zip'], /does not end in \.har/],
  [['open', 'x', '--export', 'a.har', '-w', 'b.pcapng'], /--write does not go with --export/],
  [['open', 'x', 'http.satus', '>=', '500'], /There is no field 'http\.satus'[\s\S]*http\.status/],
  [['open', 'x', 'htpp'], /There is no field 'htpp'[\s\S]*Possible here: http/],
  [['open', 'x', 'latency > fast'], / {12}\^{4}\nPossible here: a duration/],
  [['open', 'x', 'port 80 and (tcp'], /never closed\.\n {2}port 80 and \(tcp\n {14}\^/],
  [['watch', '--export', 'a.har'], /--export works on files/],
  [['watch', '-B', '1'], /between 4 and 1024/],
  [['watch', '-w', 'a.pcapng', 'latency > 1ms'], /what messages say is not known there/],
  [['watch', '-m', '-w', '-'], /cannot take both/],
  [['watch', '--live'], /needs a terminal/],
];

describe.skipIf(linux.missing)('the command line', () => {
  it.each(WRONG)('%j is refused with a sentence and exit status 2', (words, says) => {
    const { status, stdout, stderr } = run(...words);
    expect(stderr).toMatch(says);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  it('help NAME is the help of NAME', () => {
    expect(run('help', 'ls').stdout).toBe(run('ls', '--help').stdout);
    expect(run('ls', '--help').stdout).toContain('--count-by');
  });

  it('a reader that goes away ends it quietly', () => {
    const shell = spawnSync(
      'sh',
      ['-c', `"$0" "$1" ls | head -n 1; "$0" "$1" ls --json | head -c 1`, process.execPath, program],
      {
        encoding: 'utf8',
      },
    );
    expect(shell.stdout).toContain('PROTO');
    expect(shell.stderr).not.toMatch(/EPIPE|bug/);
  });

  it('NO_COLOR and a pipe mean no colour, FORCE_COLOR means colour', () => {
    expect(run('ls').stdout).not.toContain('\u001b[');
    const forced = spawnSync(process.execPath, [program], {
      encoding: 'utf8',
      env: { ...process.env, FORCE_COLOR: '1' },
    });
    expect(forced.stdout).toContain('\u001b[1m');
  });
});
