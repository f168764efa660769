import { closed, get, HOST, taken } from './case.js';

const ORIGIN = 'RFC 9112 §3.2.1';
const ABSOLUTE = 'RFC 9112 §3.2.2';
const AUTHORITY = 'RFC 9112 §3.2.3';
const ASTERISK = 'RFC 9112 §3.2.4';
const PATH = 'RFC 3986 §3.3';
const QUERY = 'RFC 3986 §3.4';
const ok = '{"message":"Hello, World!"}';

/**
 * The body of the app's response to a request for /request/1.
 * @param {object} query
 * @param {string} [target]
 */
const echo = (query, target = '/request/1?') =>
  JSON.stringify({ id: '1', method: 'GET', target, path: '/request/1', query, header: null, body: '' });

/** @param {string} query */
const asked = (query) => get(`/request/1?${query}`);

export const targets = [
  closed(ORIGIN, 'a path without a leading slash', get('json')),
  closed(ORIGIN, 'a target that begins with a question mark', get('?a')),
  closed(ORIGIN, 'a backslash instead of a slash', get('\\json')),
  closed('RFC 9110 §7.1', 'a fragment after the path', get('/json#top')),
  closed(PATH, 'a quotation mark in the path', get('/a"b')),
  closed(PATH, 'a less-than sign in the path', get('/a<b')),
  closed(PATH, 'a greater-than sign in the path', get('/a>b')),
  closed(PATH, 'a backslash in the path', get('/a\\..\\b')),
  closed(PATH, 'a brace in the path', get('/a{b')),
  closed(PATH, 'a backquote in the path', get('/a`b')),
  closed(PATH, 'NUL in the path', get('/a\0b')),
  closed(PATH, 'a tab in the path', get('/a\tb')),
  closed(PATH, 'a form feed in the path', get('/a\fb')),
  closed(PATH, 'DEL in the path', get('/a\x7fb')),
  closed(PATH, 'a byte above ASCII in the path', get('/a\xe4b')),
  closed(QUERY, 'a byte above ASCII in the query', get('/json?a\xe4b')),
  closed(QUERY, 'a less-than sign in the query', get('/json?<')),
  closed(QUERY, 'a fragment after the query', get('/json?a#b')),
  taken(PATH, 'every character that a path may have', get("/sync/-._~!$&'()*+,;=:@"), "-._~!$&'()*+,;=:@"),
  taken(PATH, 'percent-encoding is decoded', get('/sync/%41%2F%C3%BC'), 'A/\xc3\xbc'),
  closed('RFC 3986 §2.1', 'a percent sign without digits in the path', get('/sync/%zz')),
  closed('RFC 3986 §2.1', 'a percent sign at the end of the path', get('/sync/%')),
  closed('RFC 3986 §2.1', 'percent-encoded bytes in the path that are not UTF-8', get('/sync/%ff')),
  taken('RFC 3986 §2.1', 'a percent sign without digits in the query', get('/json?a=%zz'), ok),
  taken(QUERY, 'a query', asked('a=1&b=%41'), echo({ a: '1', b: 'A' }, '/request/1?a=1&b=%41')),
  taken(QUERY, 'a repeated key', asked('a=1&a=2'), echo({ a: ['1', '2'] }, '/request/1?a=1&a=2')),
  taken(QUERY, 'a key without a value', asked('a&=b&&'), echo({ a: '', '': 'b' }, '/request/1?a&=b&&')),
  taken(
    QUERY,
    'the key __proto__',
    asked('__proto__=1'),
    echo(JSON.parse('{"__proto__":"1"}'), '/request/1?__proto__=1'),
  ),
  taken(
    QUERY,
    'keys that Object.prototype has',
    asked('constructor=1&toString=2'),
    echo({ constructor: '1', toString: '2' }, '/request/1?constructor=1&toString=2'),
  ),
  taken(
    QUERY,
    'characters that browsers do not encode',
    asked('a[]=1|{2}^`\\'),
    echo({ 'a[]': '1|{2}^`\\' }, '/request/1?a[]=1|{2}^`\\'),
  ),
  taken(QUERY, 'a question mark in the query', asked('a=?'), echo({ a: '?' }, '/request/1?a=?')),
  taken(QUERY, 'percent-encoded bytes in the query that are not UTF-8', get('/json?a=%ff'), ok),
  closed('RFC 9112 §3', 'a target longer than the server accepts', get(`/${'x'.repeat(8_192)}`), 414),
  taken('RFC 9112 §3', 'a target of 8,000 bytes', get(`/length-of-nothing/${'x'.repeat(7_970)}`), undefined, [404]),
  taken(ABSOLUTE, 'absolute-form', get('http://example.com/json'), ok),
  closed('RFC 9110 §7.4', 'an https target without TLS', get('https://example.com:8443/json'), 421),
  closed(
    'RFC 9110 §7.4',
    'an https target of OPTIONS for the whole server, without TLS',
    'OPTIONS HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n',
    421,
  ),
  taken(ABSOLUTE, 'the scheme is case-insensitive', get('HTTP://example.com/json'), ok),
  taken(ABSOLUTE, 'absolute-form with a query', get('http://x/request/1?a=1'), echo({ a: '1' }, '/request/1?a=1')),
  taken(ABSOLUTE, 'absolute-form with an IPv6 address', get('http://[::1]:80/json'), ok),
  taken(ABSOLUTE, 'absolute-form without a path is the root', get('http://example.com'), undefined, [404]),
  taken(ABSOLUTE, 'absolute-form without a path, with a query', get('http://example.com?a=1'), undefined, [404]),
  taken(
    ABSOLUTE,
    'the authority of the target replaces Host',
    'GET http://real.example:81/headers HTTP/1.1\r\nA: 1\r\nHost: other\r\nB: 2\r\n\r\n',
    '{"a":"1","host":"real.example:81","b":"2"}',
  ),
  closed(ABSOLUTE, 'absolute-form without Host', 'GET http://x/json HTTP/1.1\r\n\r\n'),
  closed('RFC 9110 §4.2.4', 'absolute-form with userinfo', get('http://user:password@x/json')),
  closed('RFC 9110 §4.2.1', 'absolute-form with an empty host', get('http:///json')),
  closed('RFC 9110 §4.2.1', 'absolute-form with a port but no host', get('http://:80/json')),
  closed(ABSOLUTE, 'absolute-form with another scheme', get('ftp://example.com/json')),
  closed(ABSOLUTE, 'absolute-form without an authority', get('http:/json')),
  closed(ABSOLUTE, 'absolute-form with a port that is not a number', get('http://x:80a/json')),
  closed(AUTHORITY, 'authority-form with GET', get('example.com:80')),
  closed(AUTHORITY, 'CONNECT', `CONNECT example.com:443 HTTP/1.1\r\n${HOST}\r\n`, 501),
  closed(AUTHORITY, 'CONNECT with a path', `CONNECT /json HTTP/1.1\r\n${HOST}\r\n`, 501),
  closed(AUTHORITY, 'requests after CONNECT are not read', `CONNECT x:443 HTTP/1.1\r\n${HOST}\r\n${get('/json')}`, 501),
  taken(ASTERISK, 'OPTIONS *', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, '', [204]),
  taken(
    ASTERISK,
    'OPTIONS for the whole server in absolute-form',
    `OPTIONS http://x HTTP/1.1\r\n${HOST}\r\n`,
    '',
    [204],
  ),
  closed(ASTERISK, 'GET *', get('*')),
  closed(ASTERISK, 'a target that only begins with an asterisk', `OPTIONS *x HTTP/1.1\r\n${HOST}\r\n`),
];
