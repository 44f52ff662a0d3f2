/** The state table as a page: docs/tcp-states.md. */
import { ARROWS, type Arrow, RFC_STATES, type TcpState } from './tcp-states.ts';

export function stateDiagram(): string {
  return [
    '# The states of a TCP connection',
    '',
    'Written from the table in `src/session/tcp-states.ts`. Names are those of `ss` and of this program: SYN-RECV is the',
    'SYN-RECEIVED of the RFC.',
    '',
    '## RFC 9293, figure 5 and its notes',
    '',
    '```text',
    RFC_STATES.map(tree).join('\n\n'),
    '```',
    '',
    'From every state but CLOSED, LISTEN and TIME-WAIT a user timeout leads to CLOSED; a reset ends',
    'every connection. The table below has these too.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...RFC_STATES.filter((state) => state !== alias(state)).map(
      (state) => `  state "${state}" as ${alias(state)}`,
    ),
    '  [*] --> CLOSED',
    ...of('figure').map((arrow) => `  ${alias(arrow.from)} --> ${alias(arrow.to)}: ${arrow.on}`),
    '```',
    '',
    '## In the text of RFC 9293',
    '',
    ...table(of('text'), 'section'),
    '',
    '## On Linux only',
    '',
    ...table(of('linux'), 'when, and where in the kernel'),
    '',
  ].join('\n');
}

function of(by: Arrow['by']): Arrow[] {
  return ARROWS.filter((arrow) => arrow.by === by);
}

function alias(state: TcpState): string {
  return state.replaceAll('-', '_');
}

const WIDTH = 36;

function tree(state: TcpState): string {
  const arrows = of('figure').filter(({ from }) => from === state);
  return [
    state,
    ...arrows.map(({ on, to, sends }, index) => {
      const branch = index === arrows.length - 1 ? '└─' : '├─';
      const label = ` ${on}${sends === undefined ? '' : ` / ${sends}`} `;
      return `${branch}${label}${'─'.repeat(WIDTH - label.length)}▶ ${to}`;
    }),
  ].join('\n');
}

function table(arrows: readonly Arrow[], last: string): string[] {
  return [
    `| from | event | to | sends | ${last} |`,
    '|---|---|---|---|---|',
    ...arrows.map(
      ({ from, on, to, sends = '', where }) => `| ${from} | ${on} | ${to} | ${sends} | ${where} |`,
    ),
  ];
}
