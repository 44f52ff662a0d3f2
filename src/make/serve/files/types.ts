/** Content types by the end of a file's name. */

const UTF8 = '; charset=utf-8';

/** `*` in front: packing it helps. `;` behind: text, which is UTF-8. */
const TABLE = `
*text/html;               html htm shtml
*text/css;                css
*text/javascript;         js mjs cjs
*text/plain;              txt text log conf cfg ini env diff patch sh py rb go rs c h cc cpp hpp java ts tsx jsx sql toml lua pl
*text/markdown;           md markdown
*text/csv;                csv
*text/tab-separated-values; tsv
*text/vtt;                vtt
*text/calendar;           ics
*text/vcard;              vcf
*text/yaml;               yaml yml
*text/xml;                xml xsl xsd
*application/json         json map geojson har
*application/ld+json      jsonld
*application/x-ndjson     ndjson jsonl
*application/manifest+json webmanifest
*application/rss+xml      rss
*application/atom+xml     atom
*application/xhtml+xml    xhtml
*application/wasm         wasm
*application/rtf          rtf
*application/x-tar        tar
*application/x-sh         bash
*image/svg+xml            svg
*image/bmp                bmp
*image/x-icon             ico cur
*font/ttf                 ttf
*font/otf                 otf
*application/vnd.ms-fontobject eot
*model/gltf+json          gltf
model/gltf-binary         glb
font/woff                 woff
font/woff2                woff2
image/png                 png
image/apng                apng
image/jpeg                jpg jpeg jfif
image/gif                 gif
image/webp                webp
image/avif                avif
image/heic                heic
image/jxl                 jxl
image/tiff                tif tiff
audio/mpeg                mp3
audio/mp4                 m4a
audio/aac                 aac
audio/ogg                 ogg oga opus
audio/flac                flac
audio/wav                 wav
audio/midi                mid midi
video/mp4                 mp4 m4v
video/webm                webm
video/ogg                 ogv
video/quicktime           mov
video/x-matroska          mkv
video/x-msvideo           avi
video/mp2t                m2ts
video/mpeg                mpeg mpg
application/vnd.apple.mpegurl m3u8
application/dash+xml      mpd
application/pdf           pdf
application/epub+zip      epub
application/postscript    ps eps
application/zip           zip
application/gzip          gz tgz
application/zstd          zst
application/x-bzip2       bz2
application/x-xz          xz
application/x-7z-compressed 7z
application/vnd.rar       rar
application/java-archive  jar war
application/vnd.android.package-archive apk
application/vnd.tcpdump.pcap pcap cap
application/msword        doc
application/vnd.ms-excel  xls
application/vnd.ms-powerpoint ppt
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.sqlite3   sqlite
`;

export interface FileType {
  /** As the header has it. */
  readonly name: string;
  readonly packs: boolean;
}

const UNKNOWN: FileType = { name: 'application/octet-stream', packs: false };

const types: ReadonlyMap<string, FileType> = new Map(
  TABLE.trim()
    .split('\n')
    .flatMap((line) => {
      const [, star, name, text, ends] = /^(\*?)([^\s;]+)(;?)\s+(.+)$/.exec(line)!;
      const type = { name: text === '' ? name! : name! + UTF8, packs: star !== '' };
      return ends!.split(' ').map((end): [string, FileType] => [end, type]);
    }),
);

/** `name` is the file's, or its path. */
export function typeOf(name: string): FileType {
  const dot = name.lastIndexOf('.');
  // A file whose name only begins with a dot has no type.
  if (dot <= name.lastIndexOf('/') + 1) {
    return UNKNOWN;
  }
  return types.get(name.slice(dot + 1).toLowerCase()) ?? UNKNOWN;
}
