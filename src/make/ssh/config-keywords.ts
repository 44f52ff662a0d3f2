/** The keywords of ssh_config(5): what we act on, and what OpenSSH knows besides. */

export type Kind = 'word' | 'words' | 'rest' | 'yes-no' | 'seconds' | 'number' | 'port' | 'strict' | 'family';

/** One that is set twice keeps its first value, except where `gathers` says that all count. */
export const ACTED_ON: Readonly<Record<string, Kind>> = {
  addressfamily: 'family',
  batchmode: 'yes-no',
  bindaddress: 'word',
  ciphers: 'word',
  connecttimeout: 'seconds',
  globalknownhostsfile: 'words',
  hashknownhosts: 'yes-no',
  hostkeyalgorithms: 'word',
  hostkeyalias: 'word',
  hostname: 'word',
  identitiesonly: 'yes-no',
  identityagent: 'word',
  identityfile: 'word',
  kbdinteractiveauthentication: 'yes-no',
  kexalgorithms: 'word',
  macs: 'word',
  numberofpasswordprompts: 'number',
  passwordauthentication: 'yes-no',
  port: 'port',
  proxycommand: 'rest',
  proxyjump: 'word',
  pubkeyauthentication: 'word',
  sendenv: 'words',
  serveralivecountmax: 'number',
  serveraliveinterval: 'seconds',
  setenv: 'words',
  stricthostkeychecking: 'strict',
  user: 'word',
  userknownhostsfile: 'words',
};

export const GATHERS: ReadonlySet<string> = new Set(['identityfile', 'sendenv']);

export const SAME: Readonly<Record<string, string>> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication',
  hostbasedkeytypes: 'hostbasedacceptedalgorithms',
  keepalive: 'tcpkeepalive',
  pubkeyacceptedkeytypes: 'pubkeyacceptedalgorithms',
  skeyauthentication: 'kbdinteractiveauthentication',
  tisauthentication: 'kbdinteractiveauthentication',
  dsaauthentication: 'pubkeyauthentication',
  globalknownhostsfile2: 'ignored',
  userknownhostsfile2: 'ignored',
};

/** OpenSSH's own, without a meaning for a command that is run or a file that is copied. */
export const PASSED_OVER: ReadonlySet<string> = new Set(
  `addkeystoagent afstokenpassing applemultipath bindinterface canonicaldomains canonicalizefallbacklocal
  canonicalizehostname canonicalizemaxdots canonicalizepermittedcnames casignaturealgorithms certificatefile channeltimeout
  checkhostip cipher clearallforwardings compression compressionlevel connectionattempts controlmaster controlpath
  controlpersist dynamicforward enableescapecommandline enablesshkeysign escapechar exitonforwardfailure
  fallbacktorsh fingerprinthash forkafterauthentication forwardagent forwardx11 forwardx11timeout forwardx11trusted
  gatewayports gssapiauthentication gssapiclientidentity gssapidelegatecredentials gssapikexalgorithms gssapikeyexchange
  gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns hostbasedacceptedalgorithms hostbasedauthentication ignored
  ignoreunknown ipqos kbdinteractivedevices keychainintegration knownhostscommand localcommand localforward loglevel
  logverbose nohostauthenticationforlocalhost obscurekeystroketiming permitlocalcommand permitremoteopen pkcs11provider
  preferredauthentications protocol proxyusefdpass pubkeyacceptedalgorithms refuseconnection rekeylimit remotecommand
  remoteforward requesttty requiredrsasize revokedhostkeys rhostsauthentication rhostsrsaauthentication rsaauthentication
  securitykeyprovider sessiontype smartcarddevice stdinnull streamlocalbindmask streamlocalbindunlink syslogfacility tag
  tcpkeepalive tunnel tunneldevice updatehostkeys useblacklistedkeys usekeychain useprivilegedport usersh verifyhostkeydns
  versionaddendum visualhostkey warnweakcrypto xauthlocation`.split(/\s+/),
);
