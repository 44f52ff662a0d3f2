/** DNS: dig asks dnsmasq over UDP and TCP. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, run, scene, serve } from './scene.mjs';

const PORT = 53;

await scene(async () => {
  const file = join(folder, 'dnsmasq.conf');
  writeFileSync(
    file,
    `no-resolv\nno-hosts\nno-daemon\nuser=root\nport=${PORT}\nlisten-address=127.0.0.1\nbind-interfaces\nlocal=/test/\nauth-ttl=60
address=/www.test/192.0.2.7\naddress=/www.test/2001:db8::7\nhost-record=one.test,192.0.2.1,2001:db8::1,300
cname=alias.test,one.test\nmx-host=mail.test,one.test,10\nsrv-host=_http._tcp.test,one.test,8080,1,2
txt-record=words.test,"first words","second; with, commas"\nptr-record=7.2.0.192.in-addr.arpa,www.test
caa-record=caa.test,0,issue,letsencrypt.org\nnaptr-record=naptr.test,100,10,S,SIP+D2U,,_sip._udp.test
${Array.from({ length: 60 }, (_, i) => `host-record=many.test,192.0.2.${i + 100}`).join('\n')}
`,
  );
  await serve(PORT, 'dnsmasq', ['-C', file]);
  const dig = (...words) =>
    run('dig', ['@127.0.0.1', '-p', String(PORT), '+tries=1', '+time=5', ...words], { status: null });
  const asked = [
    'www.test A www.test AAAA one.test A alias.test A alias.test AAAA mail.test MX _http._tcp.test SRV',
    'words.test TXT naptr.test NAPTR caa.test CAA none.test A one.test TXT elsewhere.example A -x 192.0.2.7',
    'WwW.TeSt A one.test ANY version.bind CH TXT',
  ].join(' ');
  await dig(...asked.split(' '));
  await dig('+tcp', ...asked.split(' '));
  await dig('+tcp', '+keepopen', 'www.test', 'A', 'one.test', 'AAAA', 'none.test', 'A');
  // Longer than what plain UDP holds: truncated, and asked again over TCP.
  await dig('+noedns', 'many.test', 'A');
  await dig('+bufsize=4096', '+dnssec', 'many.test', 'A');
  await dig('+noedns', '+ignore', 'many.test', 'A');
});
