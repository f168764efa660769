/* Validates requests before their handlers run. */
import { inspect } from 'node:util';
import type { Ajv as AjvClass, ErrorObject, Options, ValidateFunction } from 'ajv';
import { lazily } from '../core/lazily.js';
import { HttpError, LoopShardError } from '../errors.js';
import type { Handler, RequestSchemas } from './handler.js';
import { type AppRequest, VALIDATED, type Validated } from './request.js';

type AjvModule = { default: new (options: Options) => AjvClass };
const drafts = {
  '07': lazily<AjvModule>('ajv'),
  '2019-09': lazily<AjvModule>('ajv/dist/2019.js'),
  '2020-12': lazily<AjvModule>('ajv/dist/2020.js'),
};
const formats = lazily<{ default: (ajv: AjvClass) => void }>('ajv-formats');

/** In the order in which they are checked. The body costs the most, so it comes last. */
export const PARTS = ['params', 'query', 'headers', 'body'] as const satisfies readonly (keyof RequestSchemas)[];
type Part = (typeof PARTS)[number];

/** An error in a part of a request. */
export interface ValidationIssue {
  /** The part of the request that does not match its schema. */
  in: Part;
  /** JSON pointer (RFC 6901) into that part. */
  path: string;
  /** What the schema expects there. */
  message: string;
}

type Outcome = { value: unknown } | { issues: ValidationIssue[] };
type Check = (value: unknown) => Outcome | Promise<Outcome>;

/** The part of the Standard Schema interface that validation needs (standardschema.dev). */
interface StandardSchema {
  readonly '~standard': { validate(value: unknown): StandardResult | Promise<StandardResult> };
}
type StandardResult =
  | { value: unknown; issues?: undefined }
  | { issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[] };

/** `application/json`, or a type with the suffix `+json` (RFC 6839), with any parameters. */
const JSON_TYPE = /^application\/(?:[^;\s]+\+)?json[\t ]*(?:;|$)/i;

/**
 * Wraps a handler in the validation of its route. Returns the handler itself if the route has no schemas.
 * @param name name of the route
 * @throws LoopShardError SCHEMA_INVALID
 */
export function validated(handler: Handler, schemas: RequestSchemas, name: string): Handler {
  const parts = PARTS.filter((part) => schemas[part] !== undefined);
  if (parts.length === 0) return handler;
  const checks = parts.map((part) => ({ part, check: compileCheck(schemas[part], part, name) }));
  return (req, res) => {
    const request = req as AppRequest;
    const values: Validated = {};
    for (let i = 0; i < checks.length; i++) {
      const { part, check } = checks[i];
      const outcome = check(read(request, part));
      if (outcome instanceof Promise) {
        return checkLater(request, checks.slice(i), values, outcome).then(() => handler(req, res)) as never;
      }
      adopt(values, part, outcome);
    }
    request[VALIDATED](values);
    return handler(req, res);
  };
}

async function checkLater(
  request: AppRequest,
  checks: readonly { part: Part; check: Check }[],
  values: Validated,
  first: Promise<Outcome>,
): Promise<void> {
  for (const [i, { part, check }] of checks.entries()) {
    adopt(values, part, await (i === 0 ? first : check(read(request, part))));
  }
  request[VALIDATED](values);
}

/** @throws HttpError 400 */
function adopt(values: Validated, part: Part, outcome: Outcome): void {
  if ('value' in outcome) {
    values[part] = { value: outcome.value };
    return;
  }
  const { issues } = outcome;
  const [{ path, message }] = issues;
  throw new HttpError(400, `Invalid ${part}${path === '' ? '' : ` at ${path}`}: ${message}`, {
    code: 'REQUEST_INVALID',
    details: { issues },
  });
}

/** @throws HttpError 415; LoopShardError BODY_INVALID */
function read(request: AppRequest, part: Part): unknown {
  if (part !== 'body') return request[part];
  const type = request.header('content-type');
  if (type === undefined || !JSON_TYPE.test(type)) {
    throw new HttpError(
      415,
      `Unsupported content type ${type === undefined ? '(none)' : `\`${type}\``}: expected \`application/json\`.`,
      {
        code: 'UNSUPPORTED_MEDIA_TYPE',
        headers: { accept: 'application/json' },
      },
    );
  }
  return request.json();
}

function compileCheck(schema: unknown, part: Part, name: string): Check {
  const where = `Schema of \`${part}\` of ${name}`;
  if (isStandardSchema(schema)) return standardCheck(schema, part);
  if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema))) {
    throw new LoopShardError(
      'SCHEMA_INVALID',
      `${where}: expected a Standard Schema or a JSON Schema${part === 'body' ? ", or 'stream'" : ''}, got ${inspect(schema)}.`,
    );
  }
  try {
    return jsonSchemaCheck(schema, part);
  } catch (cause) {
    if (cause instanceof LoopShardError) throw cause;
    throw new LoopShardError('SCHEMA_INVALID', `${where}: ${(cause as Error).message}.`, { cause });
  }
}

function isStandardSchema(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' || schema === null) && typeof schema !== 'function') return false;
  return typeof (schema as Partial<StandardSchema>)['~standard']?.validate === 'function';
}

function standardCheck(schema: StandardSchema, part: Part): Check {
  const outcomeOf = (result: StandardResult): Outcome => {
    if (result.issues === undefined) return { value: result.value };
    return {
      issues: result.issues.map(({ message, path = [] }) => ({ in: part, path: pointer(path), message })),
    };
  };
  return (value) => {
    const result = schema['~standard'].validate(value);
    return result instanceof Promise ? result.then(outcomeOf) : outcomeOf(result);
  };
}

function pointer(path: readonly (PropertyKey | { key: PropertyKey })[]): string {
  // Not `path.map`: arktype's paths are a subclass of Array with an incompatible constructor.
  const keys = Array.from(path, (step) => String(typeof step === 'object' ? step.key : step));
  return keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Instances of ajv, by draft and conversion. They keep all schemas, which are few: those of the app's routes. */
const instances = new Map<string, AjvClass>();

function jsonSchemaCheck(schema: boolean | object, part: Part): Check {
  const validate = ajvFor(schema, part !== 'body').compile(schema as object) as ValidateFunction;
  return (value) => {
    // ajv converts values and fills in defaults in place, so it gets a copy.
    const holder = part === 'body' ? value : Object.assign(Object.create(null), value);
    if (validate(holder)) return { value: holder };
    return { issues: validate.errors!.map((error) => issueOf(error, part)) };
  };
}

/** Converts an error of ajv. For a missing or unexpected property, the path includes that property, as in Standard Schemas. */
function issueOf({ instancePath, keyword, params, message }: ErrorObject, part: Part): ValidationIssue {
  const { missingProperty, additionalProperty, unevaluatedProperty } = params as Record<string, string | undefined>;
  const property = missingProperty ?? additionalProperty ?? unevaluatedProperty;
  const path = property === undefined ? instancePath : instancePath + pointer([property]);
  return { in: part, path, message: message ?? keyword };
}

/** @param converts whether to convert text values to the types of the schema */
function ajvFor(schema: boolean | object, converts: boolean): AjvClass {
  const { $schema } = schema as { $schema?: unknown };
  const draft = /draft-0[67]/.test(String($schema)) ? '07' : /2019-09/.test(String($schema)) ? '2019-09' : '2020-12';
  const key = `${draft} ${converts}`;
  let ajv = instances.get(key);
  if (ajv === undefined) {
    const { default: Ajv } = drafts[draft]();
    ajv = new Ajv({
      strict: false,
      useDefaults: true,
      addUsedSchema: false,
      ...(converts && { coerceTypes: 'array' }),
    });
    formats().default(ajv);
    instances.set(key, ajv);
  }
  return ajv;
}
