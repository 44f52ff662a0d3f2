/** Whether a destination is this very proxy: a request to it would go round until something gives. */
import { networkInterfaces } from 'node:os';

export interface Ends {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

export function isItself(address: string, port: number, { localPort }: Ends): boolean {
  return port === localPort && isOurs(address);
}

function isOurs(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return (
    /^127\./.test(plain) ||
    plain === '::1' ||
    plain === '0.0.0.0' ||
    plain === '::' ||
    Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === plain))
  );
}
