/** A program whose standard input and output are a socket, as inetd(8) starts them. */
import { spawn } from 'node:child_process';

/** The socket stays open here too; it is for the caller to close. `onFailure` runs when there is no such program or no process to be had. */
export function spawnOnSocket(command: string, fd: number, onFailure: (error: Error) => void): void {
  spawn(command, { stdio: [fd, fd, 'ignore'] }).on('error', onFailure);
}
