/** What tracefs says about a tracepoint's record, and records read by it. Pure; any bytes give a value or null. */

export interface Field {
  readonly at: number;
  readonly size: number;
}

/** Fields of a tracepoint's `format` file by name. Arrays (`saddr[4]`) go by the name alone. */
export function parseFormat(text: string): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  for (const line of text.split('\n')) {
    const found = /^\s*field:[^;]*?(\w+)(?:\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);/.exec(line);
    if (found !== null) {
      fields.set(found[1]!, { at: Number(found[2]), size: Number(found[3]) });
    }
  }
  return fields;
}

/** The fields of sock:inet_sock_set_state that are read; each with the least size that it must have. */
const NEEDED = {
  skaddr: 8,
  oldstate: 4,
  newstate: 4,
  sport: 2,
  dport: 2,
  family: 2,
  protocol: 1,
  saddr: 4,
  daddr: 4,
  saddr_v6: 16,
  daddr_v6: 16,
} as const;

export type Layout = Readonly<Record<keyof typeof NEEDED, number>> & { readonly least: number };

/** Null when this kernel's record lacks one of them. */
export function layoutOf(format: string): Layout | null {
  const fields = parseFormat(format);
  const at: Record<string, number> = {};
  let least = 0;
  for (const [name, size] of Object.entries(NEEDED)) {
    const field = fields.get(name);
    if (field === undefined || field.size < size) {
      return null;
    }
    at[name] = field.at;
    least = Math.max(least, field.at + size);
  }
  return { ...at, least } as Layout;
}

/** /sys/devices/system/cpu/online: `0-3,6`. */
export function parseCpus(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(',')) {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (found !== null) {
      for (let cpu = Number(found[1]); cpu <= Number(found[2] ?? found[1]); cpu++) {
        cpus.push(cpu);
      }
    }
  }
  return cpus;
}
