/** What tshark says of a capture. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const BETWEEN = '\x1f';

export interface Asking {
  readonly filter?: string;
  /** More words, e.g. `-d tcp.port==9000,http` or `-o tcp.…:FALSE`. */
  readonly options?: readonly string[];
}

/** One line for a packet, under the fields' names: all occurrences of each field, in order. */
export type Row<Name extends string> = Readonly<Record<Name, string[]>>;

export async function tshark<Name extends string>(
  file: string,
  names: readonly Name[],
  { filter, options = [] }: Asking = {},
): Promise<Row<Name>[]> {
  const words = ['-n', '-r', file, ...options, '-T', 'fields', '-E', `aggregator=${BETWEEN}`];
  const only = filter === undefined ? [] : ['-Y', filter];
  const text = await run([...words, ...only, ...names.flatMap((name) => ['-e', name])]);
  return lines(text).map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(
      names.map((name, i) => [name, cells[i] === '' ? [] : cells[i]!.split(BETWEEN).map(plain)]),
    ) as Row<Name>;
  });
}

/** Layers as nested objects, for protocols of which one packet holds several units. */
export async function tsharkJson(file: string, protocol: string, asking: Asking = {}): Promise<unknown[]> {
  const words = ['-n', '-r', file, ...(asking.options ?? []), '-Y', asking.filter ?? protocol];
  return JSON.parse(
    await run([...words, '-T', 'json', '--no-duplicate-keys', '-J', `frame tcp ${protocol}`]),
  );
}

export async function tsharkTable(file: string, table: string): Promise<string[]> {
  return lines(await run(['-n', '-r', file, '-q', '-z', table]));
}

/** The output has no control characters in it: `\\n` for a line's end. */
function plain(text: string): string {
  return text.replace(
    /\\[nrt\\]/g,
    (escaped) => ({ '\\n': '\n', '\\r': '\r', '\\t': '\t' })[escaped] ?? '\\',
  );
}

/** What tshark calls the numbers of a field. */
export async function tsharkNames(field: string): Promise<ReadonlyMap<number, string>> {
  const own = lines(await run(['-G', 'values'])).filter((line) => line.startsWith(`V\t${field}\t`));
  return new Map(
    own.map((line) => {
      const [, , number, name] = line.split('\t');
      return [Number(number), name!];
    }),
  );
}

async function run(words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('tshark', words, { maxBuffer: 1 << 28 });
  return stdout;
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
