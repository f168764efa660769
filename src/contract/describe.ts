import { inspect } from 'node:util';
import { LoopShardError, type LoopShardErrorCode } from '../errors.js';
import { withoutCallers } from './frames.js';

/** An error as plain data: cloning an error loses its type, code and properties. */
export interface ErrorText {
  /** Name of its class. */
  type: string;
  name: string;
  message: string;
  /** Without the frames of LoopShard that have called the user's code. */
  stack: string;
  code?: string;
  cause?: ErrorText;
  /** Of an AggregateError. */
  errors?: ErrorText[];
  /** Other own properties, cloned if possible, otherwise as text. */
  properties?: Record<string, unknown>;
}

/** How many levels of causes and nested errors, and how many errors, are kept. */
const MAX_DEPTH = 8;
const MAX_ERRORS = 20;
const MAX_PROPERTIES = 50;
const MAX_TEXT = 1_000;
const KNOWN = new Set(['name', 'message', 'stack', 'code', 'cause', 'errors']);

/** @param error any value, since anything can be thrown */
export function describe(error: unknown, depth = 0): ErrorText {
  if (!isError(error)) {
    const text = show(error);
    return { type: typeof error, name: 'Error', message: text, stack: text };
  }
  const name = property(error, 'name') ?? 'Error';
  const message = property(error, 'message') ?? '';
  const code = property(error, 'code');
  const described: ErrorText = {
    type: typeOf(error) ?? name,
    name,
    message,
    stack: withoutCallers(property(error, 'stack') ?? `${name}: ${message}`),
    ...(code !== undefined && { code }),
  };
  if (depth < MAX_DEPTH) addInner(described, error, depth + 1);
  const properties = ownProperties(error);
  if (Object.keys(properties).length > 0) described.properties = properties;
  return described;
}

function addInner(described: ErrorText, error: Error, depth: number): void {
  const cause = read(error, 'cause');
  const errors = read(error, 'errors');
  if (cause !== undefined) described.cause = describe(cause, depth);
  if (Array.isArray(errors)) described.errors = errors.slice(0, MAX_ERRORS).map((one) => describe(one, depth));
}

function ownProperties(error: Error): Record<string, unknown> {
  const properties: Record<string, unknown> = {};
  try {
    const keys = Object.keys(error).filter((key) => !KNOWN.has(key));
    for (const key of keys.slice(0, MAX_PROPERTIES)) properties[key] = cloneable(read(error, key));
  } catch {
    // A proxy may refuse to list its keys.
  }
  return properties;
}

/** The value itself if it can be cloned, otherwise its text. */
function cloneable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' || typeof value === 'symbol' ? show(value) : value;
  try {
    return structuredClone(value);
  } catch {
    return show(value).slice(0, MAX_TEXT);
  }
}

/** Rebuilds an error of the same kind for a logger. */
export function toError({ type, name, message, stack, code, cause, errors, properties }: ErrorText): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause: toError(cause) });
  // Loggers read the name of its class.
  const named = Object.defineProperty(() => {}, 'name', { value: type });
  Object.defineProperty(error, 'constructor', { value: named });
  Object.defineProperty(error, 'name', { value: name });
  Object.assign(error, properties, { stack }, code !== undefined && { code });
  if (errors !== undefined) Object.defineProperty(error, 'errors', { value: errors.map(toError) });
  return error;
}

/** Whether a thrown value is an error; a proxy may throw when it is asked. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

/** The code of an error of LoopShard. */
export function codeOf(thrown: unknown): LoopShardErrorCode | undefined {
  return isError(thrown) && thrown instanceof LoopShardError ? thrown.code : undefined;
}

/** A property as text; undefined if reading it throws. */
function property(error: Error, key: string): string | undefined {
  try {
    const value = (error as unknown as Record<string, unknown>)[key];
    if (value === undefined) return undefined;
    return typeof value === 'string' ? value : show(value);
  } catch {
    return undefined;
  }
}

function read(error: Error, key: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The name of the error's class. */
function typeOf(error: Error): string | undefined {
  const type = read(error, 'constructor');
  return typeof type === 'function' && type.name !== '' ? type.name : undefined;
}

function show(value: unknown): string {
  try {
    return typeof value === 'string' ? value : inspect(value);
  } catch {
    return 'something that cannot be shown';
  }
}
