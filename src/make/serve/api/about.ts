/** What /json and /gob tell: the same report on this server, as text for everybody and as a stream for Go. */
import {
  BOOL,
  BYTES,
  FLOAT,
  type GobStruct,
  INT,
  mapOf,
  STRING,
  sliceOf,
  struct,
  UINT,
} from '../../gob/types.ts';
import { gobStream } from '../../gob/write.ts';
import type { Route } from './routes.ts';

const ROUTE = struct('Route', { Path: STRING, Methods: sliceOf(STRING), About: STRING });

const REPORT = struct('Report', {
  Service: STRING,
  Pid: INT,
  UptimeSeconds: FLOAT,
  UnixNano: INT,
  Secure: BOOL,
  HeapBytes: UINT,
  Id: BYTES,
  Routes: sliceOf(ROUTE),
  Answered: mapOf(STRING, INT),
});

export interface Report {
  readonly service: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** Nanoseconds since 1970. */
  readonly unixNano: bigint;
  readonly secure: boolean;
  readonly heapBytes: number;
  /** Tells one run of the server from another. */
  readonly id: Uint8Array;
  readonly routes: readonly Route[];
  /** Requests by route. */
  readonly answered: ReadonlyMap<string, number>;
}

export function asJson(report: Report): string {
  const { unixNano, id, answered, ...rest } = report;
  return `${JSON.stringify(
    {
      ...rest,
      now: new Date(Number(unixNano / 1_000_000n)).toISOString(),
      id: Buffer.from(id).toString('hex'),
      answered: Object.fromEntries(answered),
    },
    null,
    2,
  )}\n`;
}

export function asGob(report: Report): Buffer {
  const value: GobStruct = {
    Service: report.service,
    Pid: report.pid,
    UptimeSeconds: report.uptimeSeconds,
    UnixNano: report.unixNano,
    Secure: report.secure,
    HeapBytes: report.heapBytes,
    Id: report.id,
    Routes: report.routes.map(({ path, methods, about }) => ({ Path: path, Methods: methods, About: about })),
    Answered: report.answered,
  };
  return gobStream().value(REPORT, value);
}
