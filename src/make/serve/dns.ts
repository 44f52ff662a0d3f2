/** Names of a zone file over UDP and TCP (RFC 1034, 1035). */
import { shortName } from './dns/name.ts';
import { type DnsPlan, dnsPlan } from './dns/plan.ts';
import { dnsService } from './dns/service.ts';
import type { ServerKind } from './kind.ts';

export const kind: ServerKind<DnsPlan> = {
  name: 'dns',
  about: 'answers for the names of a zone file',
  words: '<zonefile...>',
  options: [
    {
      flags: '--origin <name>',
      about:
        'what names without a dot at their end belong to, where the file says no $ORIGIN; once for each file',
      many: true,
    },
    {
      flags: '--forward <server>',
      about: 'ask this server about all other names: 192.0.2.53, 127.0.0.1:5301',
    },
    { flags: '--udp-size <bytes>', about: 'the largest answer over UDP, whatever the client takes (1232)' },
  ],
  examples: [
    'sockscope serve dns example.zone',
    'sockscope serve dns example.zone --forward 192.0.2.53',
    'sockscope serve dns home.zone --origin home.test --listen udp:5353',
  ],
  // 5353 is multicast DNS.
  port: 5300,
  over: ['udp'],
  both: true,
  tls: false,
  lines: 'requests',
  plan: dnsPlan,
  tries: ({ host, port }, { zones }) =>
    `dig @${host} -p ${port} ${zones[0] === undefined ? 'localhost A' : `${shortName(zones[0].origin)} SOA`}`,
  raw: dnsService,
};
