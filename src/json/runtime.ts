/*
 * The fixed part of every generated writer, as source text, so that it shares its variables with the generated part: t, n and c are the
 * indexes of the next token, number and char (in i32, f64, u8), and `joined.text` is the text for the tape. `joined` is replaced by a new
 * object after each flush, because storing a string in a young object needs no write barrier of the garbage collector.
 */
import {
  TAPE_ARRAY_NUMBERS,
  TAPE_DIRECT_UNITS,
  TAPE_GUARD,
  TAPE_LONG_UNITS,
  TAPE_SHORT_CHARS,
  TAPE_SPLIT_PAIR,
  TAPE_TEXT_BYTES,
  TAPE_TINY_CHARS,
  TAPE_WRITES,
  TOKEN_CHARS,
  TOKEN_INT32,
  TOKEN_INT32S,
  TOKEN_NUMBER,
  TOKEN_NUMBERS,
  TOKEN_RAW,
  TOKEN_TEXT,
  TOKEN_TRUE,
} from '../../assembly/json/layout.js';

const FLUSH = `
function rewind() {
  t = T0; n = N0; c = C0; writes = 0;
  if (joined.text !== '') joined = { text: '' };
}
function flush() {
  let ascii = 1;
  if (joined.text !== '') {
    const written = bytes.utf8Write(joined.text, TEXT, ${TAPE_TEXT_BYTES});
    if (written !== joined.text.length) {
      if (hasReplacement(TEXT, written) !== 0 && !joined.text.isWellFormed()) return interpret();
      ascii = 0;
    }
  }
  const end = jsonRun(position, limit, TAPE, t - T0, ascii);
  if (end <= ${TAPE_SPLIT_PAIR}) return flushElsewhere(end, ascii);
  position = end;
  rewind();
}
function flushElsewhere(end, ascii) {
  if (end === 0) {
    position = sink.moveOut(position);
    end = jsonRun(position, limit, TAPE, t - T0, ascii);
  }
  if (end <= ${TAPE_SPLIT_PAIR}) return interpret();
  position = end;
  rewind();
}
function interpret() {
  const text = tapeText(t - T0, joined.text);
  rewind();
  put(text);
}
function put(text) {
  position = sink.put(position, text);
}`;

const STRING = `
function str(f, x, node, key) {
  if (typeof x !== 'string') return odd(f, x, node, key);
  const units = x.length;
  if (units <= (joined.text === '' ? ${TAPE_SHORT_CHARS} : ${TAPE_TINY_CHARS}) && short(f, x, units)) return;
  if (units > ${TAPE_LONG_UNITS} || (units > ${TAPE_DIRECT_UNITS} && joined.text === '')) return long(f, x, true);
  if (writes < ${TAPE_WRITES} && units <= ${TAPE_DIRECT_UNITS}) return copy(f, x, units);
  i32[t] = f | ${TOKEN_TEXT};
  i32[t + 1] = units;
  t += 2;
  joined.text += x;
  if (joined.text.length > ${TAPE_LONG_UNITS}) flush();
}
function short(f, x, units) {
  let all = 0;
  for (let i = 0; i < units; i++) {
    const unit = x.charCodeAt(i);
    u8[c + i] = unit;
    all |= unit;
  }
  if (all > 127) return false;
  c += units;
  i32[t] = f | ${TOKEN_CHARS};
  i32[t + 1] = units;
  t += 2;
  return true;
}
function copy(f, x, units) {
  const written = bytes.utf8Write(x, c, ${TAPE_DIRECT_UNITS * 3});
  if (written !== units && hasReplacement(c, written) !== 0 && !x.isWellFormed()) return raw(f, sink.quote(x));
  writes++;
  c += written;
  i32[t] = f | ${TOKEN_CHARS};
  i32[t + 1] = written;
  t += 2;
}
function raw(f, x) {
  const units = x.length;
  if (units > ${TAPE_LONG_UNITS} || (units > ${TAPE_DIRECT_UNITS} && joined.text === '')) return long(f, x, false);
  i32[t] = f | ${TOKEN_RAW};
  i32[t + 1] = units;
  t += 2;
  joined.text += x;
  if (joined.text.length > ${TAPE_LONG_UNITS}) flush();
}
function long(f, x, quoted) {
  i32[t++] = f;
  flush();
  const units = x.length;
  const room = limit - position - 2;
  if (units <= room && (units * 3 <= room || byteLength(x) <= room)) {
    const start = quoted ? position + 1 : position;
    const written = bytes.utf8Write(x, start, room);
    if (written === units || hasReplacement(start, written) === 0 || x.isWellFormed()) {
      const end = quoted ? quoteInPlace(position, limit, written) : start + written;
      if (end !== 0) {
        position = end;
        return;
      }
    }
  }
  put(quoted ? sink.quote(x) : x);
}`;

const SCALARS = `
function num(f, x, node, key) {
  if (typeof x !== 'number') return odd(f, x, node, key);
  if ((x | 0) === x) {
    i32[t] = f | ${TOKEN_INT32};
    i32[t + 1] = x;
    t += 2;
  } else {
    i32[t++] = f | ${TOKEN_NUMBER};
    f64[n++] = x;
  }
}
function int(f, x, node, key) {
  if ((typeof x !== 'number') || ((x | 0) !== x && !Number.isInteger(x))) return odd(f, x, node, key);
  num(f, x, node, key);
}
function bool(f, x, node, key) {
  // Arithmetic, because the branch predictor cannot predict arbitrary booleans.
  const no = +(x === false);
  if ((no | +(x === true)) === 0) return odd(f, x, node, key);
  i32[t++] = f | (${TOKEN_TRUE} + no);
}
function odd(f, x, node, key) {
  if (x === undefined) throw BAIL;
  raw(f, plainText(node, x, key));
}
function oddOpen(f, x, node, key) {
  if (x === undefined) throw BAIL;
  raw(f, plainText(node, x, key).slice(0, -1));
}
function confirm(node, x, key) {
  if (x === undefined) throw BAIL;
  plainText(node, x, key);
}
function any(f, x, key, inObject) {
  if (typeof x === 'string') str(f, x);
  else if (typeof x === 'number') num(f, x);
  else {
    const json = untyped(x, key);
    if (json === undefined && inObject) throw BAIL;
    raw(f, json ?? 'null');
  }
}`;

const LISTS = `
function numbers(f, list, node) {
  const length = list.length;
  for (let i = 0; i < length; ) {
    if (t > TG || n >= NG) flush();
    const end = Math.min(length, i + NG - n), first = i;
    let at = n, x = 0;
    for (; i < end; i++) {
      x = list[i];
      if (typeof x !== 'number') break;
      f64[at++] = x;
    }
    if (i > first) {
      i32[t] = f | ${TOKEN_NUMBERS};
      i32[t + 1] = i - first;
      t += 2;
      n = at;
      f = COMMA;
    }
    if (i < end) {
      odd(f, x, node, i++);
      f = COMMA;
    }
  }
}
function integers(f, list, node) {
  const length = list.length;
  for (let i = 0; i < length; ) {
    if (t > TG) flush();
    const end = Math.min(length, i + TE - t), token = t, first = i;
    let at = t + 2, x = 0;
    for (; i < end; i++) {
      x = list[i];
      if (typeof x !== 'number' || (x | 0) !== x) break;
      i32[at++] = x;
    }
    if (i > first) {
      i32[token] = f | ${TOKEN_INT32S};
      i32[token + 1] = i - first;
      t = at;
      f = COMMA;
    }
    if (i < end) {
      int(f, x, node, i++);
      f = COMMA;
    }
  }
}`;

/*
 * Units are created on their first call, by direct eval, so that they share the variables of the runtime. In strict mode, evaluated code
 * cannot add variables to it.
 */
const UNITS = `
const units = [];
function expect(calls) {
  for (const number of calls) units[number] ??= (x, key, d) => (units[number] = load(number))(x, key, d);
}
function load(number) {
  const { source, fragments, calls, node } = env.unit(number);
  expect(calls);
  try {
    if (source !== '') return eval(source)(fragments);
  } catch (error) {
    env.refuse(error);
  }
  return (x, key) => odd(0, x, node, key);
}
expect(env.calls);`;

/** The source of the fixed part. */
export const RUNTIME = `'use strict';
const { i32, f64, u8, bytes, jsonRun, quoteInPlace, hasReplacement, TAPE, TEXT, T0, N0, C0, COMMA } = env;
const { BAIL, sink, tapeText, plainText, untyped, converted, absent, own, constant, choose, chosen } = env;
const { isList, isVector, isPlain, isAbsent, isListed, matchesOf, refuseUnlisted } = env;
const { byteLength } = env.Buffer, { isArray } = Array, { getPrototypeOf, keys } = Object, PLAIN = Object.prototype;
const TG = T0 + ${TAPE_GUARD}, TE = T0 + ${TAPE_GUARD + 256}, NG = N0 + ${TAPE_ARRAY_NUMBERS};
let t = T0, n = N0, c = C0, joined = { text: '' }, position = 0, limit = 0, depth = 0, writes = 0;
${FLUSH}${STRING}${SCALARS}${LISTS}${UNITS}`;
