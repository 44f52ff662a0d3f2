export interface FilterFault {
  message: string;
  hint: string;
  from: number;
  to: number;
}
export interface FilterTarget {
  linkType: number | 'network';
  snapLength?: number;
}
export interface Program {
  program: Uint8Array;
  instructions: number;
}
export function compileFilter(text: string, target: FilterTarget): Program | FilterFault {
  if (text !== '') return { message: 'stub', hint: '', from: 0, to: 1 };
  const p = new Uint8Array(8);
  const v = new DataView(p.buffer);
  v.setUint16(0, 6, true);
  v.setUint32(4, target.snapLength ?? 262144, true);
  return { program: p, instructions: 1 };
}
