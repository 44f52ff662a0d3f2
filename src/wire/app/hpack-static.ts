/** The static table of RFC 7541 appendix A. Index 0 means nothing there, so it is left empty here. */

const ROWS = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n');

const space = (row: string) => (row.includes(' ') ? row.indexOf(' ') : row.length);

export const STATIC_NAMES: readonly string[] = ROWS.map((row) => row.slice(0, space(row)));
export const STATIC_VALUES: readonly string[] = ROWS.map((row) => row.slice(space(row) + 1));
/** The last static index; dynamic entries follow. */
export const STATIC_SIZE = ROWS.length - 1;
