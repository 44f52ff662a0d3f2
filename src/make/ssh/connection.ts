/** What connecting to an SSH server takes and gives. */
import type { Client } from 'ssh2';

/** What was said on the command line. It wins over every configuration file. */
export interface SshSettings {
  readonly port?: number;
  readonly user?: string;
  /** Key files (`-i`), before those of the configuration. */
  readonly identities?: readonly string[];
  /** Instead of ~/.ssh/config and /etc/ssh/ssh_config; `none` is neither of them. */
  readonly configFile?: string;
  /** Instead of every other known_hosts file. */
  readonly knownHosts?: string;
  /** A host that nobody knows is added to known_hosts without a question. One whose key has changed is refused all the same. */
  readonly acceptNew?: boolean;
  /** false: no passwords and no questions of the server. Default true. */
  readonly password?: boolean;
  readonly connectTimeoutMs?: number;
  /** `Key=value` or `Key value`, as ssh's -o. */
  readonly options?: readonly string[];
}

/** The person at the terminal, when there is one. */
export interface Ask {
  /** false: nobody is there; `password` and `line` answer null. */
  readonly possible: boolean;
  /** Without echo. null: they did not want to answer. */
  password(prompt: string): Promise<string | null>;
  line(prompt: string): Promise<string | null>;
  /** One or more lines for them to read, wherever they read. */
  say(text: string): void;
}

export interface SshConnection {
  readonly client: Client;
  /** As it was typed, for lines about it. */
  readonly name: string;
  readonly user: string;
  /** Where the connection really goes. */
  readonly host: string;
  readonly port: number;
  /** `SHA256:…` of the server's key. */
  readonly hostKey: string;
  /** As the server names itself: `OpenSSH_9.2p1`. */
  readonly software: string;
  /** Environment the configuration wants sent along (SendEnv, SetEnv). */
  readonly env: Readonly<Record<string, string>>;
  /** Why the connection ended by itself; null while it stands or when `end` ended it. */
  readonly lost: string | null;
  /** This connection and the hops below it. Resolves when the socket is closed. */
  end(): Promise<void>;
}
