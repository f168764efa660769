/* Schemas of responses, by status. */
import { LoopShardError } from '../errors.js';
import { type CompiledWriter, compileWriter } from '../json/compile.js';

/** The compiled response schemas of a route. */
export interface ResponseSchemas {
  /**
   * Returns the writer for a status, or `undefined` if no schema applies.
   * @param isErrorHandlers whether an error handler returned the value
   * @throws LoopShardError RESPONSE_INVALID if the route has no schema for this status
   */
  writer(status: number, isErrorHandlers: boolean): CompiledWriter | undefined;
}

const STATUS_KEY = /^([1-5]\d\d|[1-5]xx|default)$/i;
/** A schema has at least one of these keywords, unless it is `{}`. */
const KEYWORDS = new Set([
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  '$defs',
  'definitions',
  '$schema',
  '$id',
  '$anchor',
  '$comment',
  'type',
  'properties',
  'patternProperties',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'required',
  'minProperties',
  'maxProperties',
  'dependencies',
  'dependentSchemas',
  'dependentRequired',
  'items',
  'prefixItems',
  'additionalItems',
  'unevaluatedItems',
  'contains',
  'minItems',
  'maxItems',
  'uniqueItems',
  'enum',
  'const',
  'anyOf',
  'oneOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'title',
  'description',
  'default',
  'examples',
  'example',
  'nullable',
  'discriminator',
  'readOnly',
  'writeOnly',
  'deprecated',
  'id',
]);

/**
 * @param response a schema, or schemas by status
 * @param name name of the route
 * @throws LoopShardError SCHEMA_INVALID, ROUTE_INVALID
 */
export function compileResponse(response: unknown, name: string): ResponseSchemas {
  const keys = keysOf(response);
  const statuses = keys.filter((key) => STATUS_KEY.test(key));
  if (keys.length > 0 && statuses.length === keys.length) return byStatus(response as Record<string, unknown>, name);
  if (statuses.some((key) => key !== 'default')) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `Invalid \`response\` of ${name}: it mixes statuses (${statuses.join(', ')}) with other keys (${keys.filter((key) => !STATUS_KEY.test(key)).join(', ')}). Pass a schema, or an object with a schema for each status.`,
    );
  }
  if (keys.length > 0 && !keys.some((key) => KEYWORDS.has(key)) && !isForeignSchema(response)) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `Invalid \`response\` of ${name}: expected a schema or schemas by status, got an object with ${keys.join(', ')}. Pass a JSON Schema such as \`{ type: 'object', properties: { ${keys[0]}: … } }\`, or \`{ 200: schema }\`.`,
    );
  }
  const writer = compile(response, name);
  return { writer: (_status, isErrorHandlers) => (isErrorHandlers ? undefined : writer) };
}

/** Standard Schemas and TypeBox schemas may have keys that JSON Schema does not define. */
function isForeignSchema(schema: unknown): boolean {
  const object = schema as object;
  return '~standard' in object || '~kind' in object || Object.getOwnPropertySymbols(object).length > 0;
}

function keysOf(response: unknown): string[] {
  return typeof response === 'object' && response !== null ? Object.keys(response) : [];
}

function byStatus(response: Record<string, unknown>, name: string): ResponseSchemas {
  const writers = new Map(
    Object.entries(response).map(([key, schema]) => [
      key.toLowerCase(),
      compile(schema, `${name} for ${key === 'default' ? 'all other statuses' : `status ${key}`}`),
    ]),
  );
  return {
    writer(status, isErrorHandlers) {
      const writer = writers.get(`${status}`) ?? writers.get(`${Math.floor(status / 100)}xx`) ?? writers.get('default');
      if (writer !== undefined || isErrorHandlers) return writer;
      throw new LoopShardError(
        'RESPONSE_INVALID',
        `${name} has no response schema for status ${status}. Add one to \`response\`, for this status, for \`${Math.floor(status / 100)}xx\` or for \`default\`.`,
      );
    },
  };
}

function compile(schema: unknown, name: string): CompiledWriter {
  try {
    return compileWriter(schema, { opaque: 'reject' });
  } catch (cause) {
    const code = cause instanceof LoopShardError ? cause.code : 'SCHEMA_INVALID';
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new LoopShardError(code, `Response schema of ${name}: ${message}`, { cause });
  }
}
