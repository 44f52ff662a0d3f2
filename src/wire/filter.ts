/**
 * The capture filter language of pcap-filter(7), compiled to classic BPF for a packet socket or for `runFilter`. Beside tcpdump's words
 * `:8080` and a number alone mean `port 8080`.
 */
import { assemble, INSTRUCTION_SIZE } from './filter-assemble.ts';
import { ACCEPT, blocksOf } from './filter-blocks.ts';
import { BPF, MOST_INSTRUCTIONS } from './filter-bpf.ts';
import { type FilterFault, filterFault, isFilterFault, type Span } from './filter-fault.ts';
import { generate } from './filter-generate.ts';
import type { FilterLookups } from './filter-ids.ts';
import { groundOf } from './filter-link.ts';
import { optimised } from './filter-optimise.ts';
import { parseFilter } from './filter-parse.ts';

export type { FilterFault } from './filter-fault.ts';
export type { FilterLookups } from './filter-ids.ts';

export interface FilterTarget {
  /** A LINKTYPE number, or `network` for a packet socket of type SOCK_DGRAM: its packets begin with the network header. */
  linkType: number | 'network';
  /** The program goes to a packet socket. Needed for inbound, outbound and ifindex; `vlan` then finds the tag the kernel took off. */
  kernel?: boolean;
  /** How many bytes of a packet are kept. */
  snapLength?: number;
  /** The mask of the one interface, for `ip broadcast`. */
  netmask?: number;
  /** Without it only numbers are understood. */
  lookups?: FilterLookups;
}

export interface Program {
  /** struct sock_filter, little endian, 8 bytes each. */
  program: Uint8Array;
  instructions: number;
}

const WHOLE_PACKET = 262_144;

export function compileFilter(text: string, target: FilterTarget): Program | FilterFault {
  const whole = { from: 0, to: text.length };
  const ground = groundOf(target.linkType, target.kernel ?? false);
  if (ground === null) {
    const hint = 'It can be shown without a capture filter.';
    return filterFault(whole, `no capture filter for link type ${target.linkType}`, hint);
  }
  const accepted = target.snapLength ?? WHOLE_PACKET;
  const expression = parseFilter(text);
  if (expression === null) {
    return everything(accepted);
  }
  if (isFilterFault(expression)) {
    return expression;
  }
  const site = { ground, lookups: target.lookups ?? null, netmask: target.netmask ?? null };
  const tree = generate(site, expression);
  if (isFilterFault(tree)) {
    return tree;
  }
  if (tree === true) {
    return everything(accepted);
  }
  if (tree === false) {
    return neverTrue(whole);
  }
  const written = blocksOf(tree);
  const blocks = written === null ? null : optimised(written);
  if (blocks?.every(({ yes, no }) => yes !== ACCEPT && no !== ACCEPT)) {
    return neverTrue(whole);
  }
  const program = blocks === null ? null : assemble(blocks, accepted);
  const instructions = program === null ? 0 : program.length / INSTRUCTION_SIZE;
  return program === null || instructions > MOST_INSTRUCTIONS
    ? filterFault(
        whole,
        `the filter needs more than the ${MOST_INSTRUCTIONS} instructions the kernel takes`,
        'Write net or portrange for many addresses or ports.',
      )
    : { program, instructions };
}

function neverTrue(whole: Span): FilterFault {
  return filterFault(
    whole,
    'no packet can match',
    'Its conditions exclude each other, or this kind of link.',
  );
}

function everything(accepted: number): Program {
  const program = new Uint8Array(INSTRUCTION_SIZE);
  const view = new DataView(program.buffer);
  view.setUint16(0, BPF.RET, true);
  view.setUint32(4, accepted, true);
  return { program, instructions: 1 };
}
