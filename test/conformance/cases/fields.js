import { closed, get, taken } from './case.js';

const HOST_FIELD = 'RFC 9112 §3.2';
const SYNTAX = 'RFC 9112 §5';
const COLON = 'RFC 9112 §5.1';
const FOLD = 'RFC 9112 §5.2';
const NAME = 'RFC 9110 §5.1';
const VALUE = 'RFC 9110 §5.5';
const LIMIT = 'RFC 9110 §5.4';
const ok = '{"message":"Hello, World!"}';

/** @param {string} value */
const host = (value) => `GET /json HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
/** @param {string} fields */
const shown = (fields) => get('/headers', fields);

export const fields = [
  closed(HOST_FIELD, 'no Host', 'GET /json HTTP/1.1\r\n\r\n'),
  closed(HOST_FIELD, 'no Host among other fields', 'GET /json HTTP/1.1\r\nFrom: a\r\nDate: b\r\n\r\n'),
  closed(HOST_FIELD, 'Host twice', get('/json', 'Host: y\r\n')),
  closed(HOST_FIELD, 'the same Host twice', get('/json', 'hOST: x\r\n')),
  closed(HOST_FIELD, 'two hosts in one Host field', host('a, b')),
  closed(HOST_FIELD, 'userinfo in Host', host('user@example.com')),
  closed(HOST_FIELD, 'a path in Host', host('example.com/path')),
  closed(HOST_FIELD, 'a URI in Host', host('http://example.com')),
  closed(HOST_FIELD, 'a space in Host', host('example .com')),
  closed(HOST_FIELD, 'a query in Host', host('example.com?a')),
  closed(HOST_FIELD, 'a fragment in Host', host('example.com#a')),
  closed(HOST_FIELD, 'a backslash in Host', host('example.com\\a')),
  closed(HOST_FIELD, 'a port in Host that is not a number', host('example.com:80a')),
  closed(HOST_FIELD, 'two ports in Host', host('example.com:80:80')),
  closed(HOST_FIELD, 'an IPv6 address in Host without brackets', host('::1')),
  closed(HOST_FIELD, 'an unclosed bracket in Host', host('[::1')),
  closed(HOST_FIELD, 'brackets in Host without an address', host('[example.com]')),
  closed(HOST_FIELD, 'an IPv6 address with a zone in Host', host('[fe80::1%25eth0]')),
  closed(HOST_FIELD, 'a character after the bracket in Host', host('[::1]x')),
  closed(HOST_FIELD, 'an invalid percent-encoding in Host', host('a%zzb')),
  closed(HOST_FIELD, 'a byte above ASCII in Host', host('ex\xe4mple.com')),
  closed(HOST_FIELD, 'byte A0 at the end of Host', host('localhost\xa0')),
  closed(HOST_FIELD, 'Host twice under HTTP/1.0', 'GET /json HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n'),
  closed(HOST_FIELD, 'no Host under HTTP/1.0', 'GET /json HTTP/1.0\r\n\r\n', 200),
  taken(HOST_FIELD, 'an empty Host', 'GET /json HTTP/1.1\r\nHost:\r\n\r\n', ok),
  taken(HOST_FIELD, 'a host and a port in Host', host('example.com:8000'), ok),
  taken(HOST_FIELD, 'a colon without a port in Host', host('example.com:'), ok),
  taken(HOST_FIELD, 'an IPv4 address in Host', host('127.0.0.1:80'), ok),
  taken(HOST_FIELD, 'an IPv6 address in Host', host('[::1]:80'), ok),
  taken(HOST_FIELD, 'an IP address of a future version in Host', host('[v1.a:b]'), ok),
  taken(HOST_FIELD, 'every character that Host may have', host("a-._~!$&'()*+;=%41"), ok),
  taken(HOST_FIELD, 'white space around the value of Host', 'GET /json HTTP/1.1\r\nHost: \t x \t\r\n\r\n', ok),
  taken(HOST_FIELD, 'other fields whose names have four letters', get('/json', 'From: a@b\r\nDate: now\r\n'), ok),
  taken(HOST_FIELD, 'requests with different hosts', host('a') + host('b'), ok, [200, 200]),
  closed(HOST_FIELD, 'a request with a valid Host, then one with an invalid Host', host('a') + host('a b'), [200, 400]),
  closed(COLON, 'a space before the colon', get('/json', 'A : b\r\n')),
  closed(COLON, 'a tab before the colon', get('/json', 'A\t: b\r\n')),
  closed(COLON, 'a space before the colon of Host', 'GET /json HTTP/1.1\r\nHost : x\r\n\r\n'),
  closed(COLON, 'a space before the colon of Content-Length', get('/json', 'Content-Length : 5\r\n')),
  closed(SYNTAX, 'a field without a colon', get('/json', 'A\r\n')),
  closed(SYNTAX, 'a field without a name', get('/json', ': b\r\n')),
  closed(NAME, 'a space in a name', get('/json', 'A B: c\r\n')),
  closed(NAME, 'a separator in a name', get('/json', 'A(B): c\r\n')),
  closed(NAME, 'NUL in a name', get('/json', 'A\0: b\r\n')),
  closed(NAME, 'a control character in a name', get('/json', 'A\x01: b\r\n')),
  closed(NAME, 'a byte above ASCII in a name', get('/json', '\xc4: b\r\n')),
  closed(NAME, 'CR in a name', get('/json', 'A\rB: c\r\n')),
  closed(FOLD, 'a folded line', get('/json', 'A: b\r\n c\r\n')),
  closed(FOLD, 'a line folded with a tab', get('/json', 'A: b\r\n\tc\r\n')),
  closed(FOLD, 'a line folded after the colon', get('/json', 'A:\r\n b\r\n')),
  closed(FOLD, 'a folded line that is empty', get('/json', 'A: b\r\n \r\n')),
  closed(FOLD, 'a folded Host', 'GET /json HTTP/1.1\r\nHost:\r\n x\r\n\r\n'),
  closed(VALUE, 'NUL in a value', get('/json', 'A: b\0c\r\n')),
  closed(VALUE, 'CR in a value', get('/json', 'A: b\rc\r\n')),
  closed(VALUE, 'LF in a value', get('/json', 'A: b\nc: d\r\n')),
  closed(VALUE, 'CR before CR LF', get('/json', 'A: b\r\r\n')),
  closed(VALUE, 'a control character in a value', get('/json', 'A: b\x01c\r\n')),
  closed(VALUE, 'DEL in a value', get('/json', 'A: b\x7fc\r\n')),
  taken(VALUE, 'a tab in a value', shown('A: b\tc\r\n'), '{"host":"x","a":"b\\tc"}'),
  taken(VALUE, 'a byte above ASCII in a value', shown('A: \xe4\r\n'), '{"host":"x","a":"\xc3\xa4"}'),
  taken(VALUE, 'byte A0 at the end of a value', shown('A: \xc3\xa0\r\n'), '{"host":"x","a":"\xc3\x83\xc2\xa0"}'),
  taken(VALUE, 'byte A0 before a value', shown('A: \xa0b\r\n'), '{"host":"x","a":"\xc2\xa0b"}'),
  taken(VALUE, 'an empty value', shown('A:\r\n'), '{"host":"x","a":""}'),
  taken(VALUE, 'white space around a value', shown('A: \t b c \t\r\n'), '{"host":"x","a":"b c"}'),
  taken(COLON, 'no white space around a value', shown('A:b\r\n'), '{"host":"x","a":"b"}'),
  taken('RFC 9110 §5.3', 'repeated fields are joined', shown('A: 1\r\na: 2\r\n'), '{"host":"x","a":"1, 2"}'),
  taken(
    'RFC 9113 §8.2.3',
    'repeated Cookie fields are joined',
    shown('Cookie: a=1\r\nCookie: b=2\r\n'),
    '{"host":"x","cookie":"a=1; b=2"}',
  ),
  taken(
    NAME,
    'every character that a name may have',
    shown("!#$%&'*+-.^_`|~: b\r\n"),
    `{"host":"x","!#$%&'*+-.^_\`|~":"b"}`,
  ),
  taken(NAME, 'the field name __proto__', shown('__proto__: 1\r\n'), '{"host":"x","__proto__":"1"}'),
  closed(LIMIT, 'more fields than the server accepts', get('/json', 'A: b\r\n'.repeat(100)), 431),
  taken(LIMIT, '100 fields', get('/json', 'A: b\r\n'.repeat(99)), ok),
  closed(LIMIT, 'larger fields than the server accepts', get('/json', `A: ${'x'.repeat(25_000)}\r\n`), 431),
  closed(LIMIT, 'a larger name than the server accepts', get('/json', `${'A'.repeat(25_000)}: b\r\n`), 431),
  taken(LIMIT, '16 KiB of fields', get('/json', `A: ${'x'.repeat(16_384)}\r\n`), ok),
];
