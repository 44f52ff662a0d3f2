/** What a person has to know about the local CA: where it is, how programs come to trust it, how it is got rid of. */
import { dirname, join } from 'node:path';

const NICKNAME = 'sockscope';
const DEBIAN = '/usr/local/share/ca-certificates/sockscope.crt';
const NSS = 'sql:$HOME/.pki/nssdb';

/** Lines of text; `path` is that of ca.pem. */
export function caStory(path: string): string[] {
  const file = quoted(path);
  const key = quoted(join(dirname(path), 'ca-key.pem'));
  return [
    `The local CA is ${path}. Its key lies beside it; whoever has the key can pretend to be any server to those who trust the CA.`,
    '',
    'Trust it for one program:',
    `  curl --cacert ${file} …`,
    `  NODE_EXTRA_CA_CERTS=${file} node …`,
    `  SSL_CERT_FILE=${file} …                      Go, OpenSSL, Ruby (instead of the usual ones)`,
    `  REQUESTS_CA_BUNDLE=${file} python3 …         Python's requests`,
    `  git -c http.sslCAInfo=${file} …`,
    '',
    'Trust it on the whole machine (Debian, Ubuntu):',
    `  sudo cp ${file} ${DEBIAN} && sudo update-ca-certificates`,
    '',
    'Trust it in Chromium and Chrome (package libnss3-tools):',
    `  mkdir -p "$HOME/.pki/nssdb" && certutil -d "${NSS}" -A -t C,, -n ${NICKNAME} -i ${file}`,
    'In Firefox, for each profile folder (about:profiles shows it):',
    `  certutil -d sql:PROFILE_FOLDER -A -t C,, -n ${NICKNAME} -i ${file}`,
    '',
    'Remove it again:',
    `  sudo rm ${DEBIAN} && sudo update-ca-certificates --fresh`,
    `  certutil -d "${NSS}" -D -n ${NICKNAME}`,
    `  rm ${file} ${key}`,
  ];
}

/** As a shell reads it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
