import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandOf, withoutPasswords } from './sql.ts';

const encoder = new TextEncoder();

function command(sql: string): string {
  const bytes = encoder.encode(sql);
  return commandOf(bytes, 0, bytes.length);
}

describe('the word a statement is counted under', () => {
  it.each([
    ['select 1', 'SELECT'],
    ['  \n\t( (SELECT 1) UNION SELECT 2)', 'SELECT'],
    ['-- a note\n/* and */ # more\nInsert into t', 'INSERT'],
    ['/*!40101 SET NAMES utf8 */', 'SET'],
    ['/* never closed', 'SQL'],
    ['-- never ended', 'SQL'],
    ['hunter2', 'SQL'],
    ['SELECTED', 'SQL'],
    ['START_REPLICATION SLOT "a" LOGICAL 0/0', 'START_REPLICATION'],
    ['', 'SQL'],
  ])('%j is %s', (sql, word) => {
    expect(command(sql)).toBe(word);
  });
});

describe('passwords in SQL', () => {
  it.each([
    ["ALTER ROLE bob WITH LOGIN PASSWORD 'hunter2'", "ALTER ROLE bob WITH LOGIN PASSWORD '******'"],
    [
      "create user a encrypted password E'hunter\\'2' createdb",
      "create user a encrypted password '******' createdb",
    ],
    ['ALTER USER a PASSWORD $x$hunter2$x$;', "ALTER USER a PASSWORD '******';"],
    [
      "CREATE USER MAPPING FOR a OPTIONS (user 'bob', password 'hunter2')",
      "CREATE USER MAPPING FOR a OPTIONS (user 'bob', password '******')",
    ],
    [
      "SELECT dblink('host=db user=a password=hunter2 x=1')",
      "SELECT dblink('host=db user=a password=****** x=1')",
    ],
    [`UPDATE u SET "password" = 'hunter2', name = 'bob'`, `UPDATE u SET "password" = '******', name = 'bob'`],
    ["ALTER ROLE a PASSWORD 'hunter2", "ALTER ROLE a PASSWORD '******'"],
    [
      "ALTER ROLE a PASSWORD 'hun''ter2' VALID UNTIL 'infinity'",
      "ALTER ROLE a PASSWORD '******' VALID UNTIL 'infinity'",
    ],
    ["-- it's'\nALTER ROLE a PASSWORD 'hunter2'", "-- it's'\nALTER ROLE a PASSWORD '******'"],
    ["SELECT a #> b, 1 WHERE password = 'hunter2'", "SELECT a #> b, 1 WHERE password = '******'"],
    ["SELECT password, name FROM u WHERE name = 'bob'", "SELECT password, name FROM u WHERE name = 'bob'"],
  ])('postgres: %s', (sql, clean) => {
    expect(withoutPasswords(sql, 'postgres')).toBe(clean);
  });

  it.each([
    ["CREATE USER 'bob'@'%' IDENTIFIED BY 'hunter2'", "CREATE USER 'bob'@'%' IDENTIFIED BY '******'"],
    ['CREATE USER bob IDENTIFIED BY "hunter\\"2"', "CREATE USER bob IDENTIFIED BY '******'"],
    [
      "ALTER USER a IDENTIFIED WITH 'mysql_native_password' AS '*94BD'",
      "ALTER USER a IDENTIFIED WITH 'mysql_native_password' AS '******'",
    ],
    [
      "CREATE USER a IDENTIFIED VIA ed25519 USING PASSWORD('hunter2') OR unix_socket",
      "CREATE USER a IDENTIFIED VIA ed25519 USING PASSWORD('******') OR unix_socket",
    ],
    [
      "ALTER USER a IDENTIFIED BY 'new2' REPLACE 'old2'",
      "ALTER USER a IDENTIFIED BY '******' REPLACE '******'",
    ],
    [
      "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD '*94BD'",
      "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD '******'",
    ],
    ["SET PASSWORD FOR 'bob'@'%' = PASSWORD('hunter2')", "SET PASSWORD FOR 'bob'@'%' = PASSWORD('******')"],
    ["SET PASSWORD = 'hunter2'", "SET PASSWORD = '******'"],
    [
      "CHANGE MASTER TO MASTER_USER='r', MASTER_PASSWORD='hunter2', MASTER_PORT=1",
      "CHANGE MASTER TO MASTER_USER='r', MASTER_PASSWORD='******', MASTER_PORT=1",
    ],
  ])('mysql: %s', (sql, clean) => {
    expect(withoutPasswords(sql, 'mysql')).toBe(clean);
  });

  it('any text passes without end or error, and what names no password stays', () => {
    const part = fc.constantFrom(
      "'",
      '"',
      '`',
      '$',
      '$$',
      '\\',
      'password',
      ' ',
      '=',
      '/*',
      '*/',
      '--',
      '\n',
      'x',
      ';',
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const sql = parts.join('');
        expect(typeof withoutPasswords(sql, 'mysql')).toBe('string');
        expect(typeof withoutPasswords(sql, 'postgres')).toBe('string');
      }),
    );
    fc.assert(
      fc.property(fc.array(part.filter((one) => one !== 'password')), (parts) => {
        const sql = parts.join('');
        expect(withoutPasswords(sql, 'postgres')).toBe(sql);
      }),
    );
  });

  it('long texts take time that grows with them, not with their square', () => {
    const sql = `${'/*'.repeat(8000)} password`;
    const start = performance.now();
    withoutPasswords(sql, 'postgres');
    expect(performance.now() - start).toBeLessThan(500);
  });
});
