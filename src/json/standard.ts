import { LoopShardError } from '../errors.js';

/** What a Standard Schema has, if it can be turned into JSON Schema (zod, arktype, valibot's `toStandardJsonSchema`). */
interface StandardSchema {
  readonly '~standard': {
    readonly vendor: string;
    readonly jsonSchema?: {
      output(options: { target: string }): unknown;
      input?(options: { target: string }): unknown;
    };
  };
}

type StandardJsonSchema = NonNullable<StandardSchema['~standard']['jsonSchema']>;

const DRAFT = { target: 'draft-2020-12' };

/**
 * The JSON Schema of what a Standard Schema puts out; other schemas as they are.
 * @throws LoopShardError SCHEMA_INVALID if it has none
 */
export function jsonSchemaOf(schema: unknown): unknown {
  if (!isStandard(schema)) return schema;
  const { vendor, jsonSchema } = schema['~standard'];
  if (jsonSchema === undefined) {
    throw new LoopShardError(
      'SCHEMA_INVALID',
      `This schema of ${vendor} cannot be turned into JSON Schema by itself. Convert it and pass the result.`,
    );
  }
  try {
    return openWhatIsStripped(jsonSchema.output(DRAFT), inputOf(jsonSchema));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LoopShardError('SCHEMA_INVALID', `This schema of ${vendor} has no JSON Schema: ${reason}`, { cause });
  }
}

/** The JSON Schema of what a schema takes, if it has one. */
function inputOf(jsonSchema: StandardJsonSchema): unknown {
  try {
    return jsonSchema.input?.(DRAFT);
  } catch {
    return undefined;
  }
}

/**
 * Removes `additionalProperties: false` where only the output is closed: zod says so of every object, because parsing strips it. A writer
 * gets values that nobody has parsed, and strips them itself. Objects whose input is closed too, as that of `z.strictObject`, stay closed.
 */
function openWhatIsStripped(output: unknown, input: unknown): unknown {
  if (typeof output !== 'object' || output === null) return output;
  const beside = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>;
  const open = (key: string, value: unknown) => openWhatIsStripped(value, beside[key]);
  if (Array.isArray(output)) return output.map((item, i) => open(String(i), item));
  const isStripped =
    'additionalProperties' in output && output.additionalProperties === false && beside.additionalProperties !== false;
  const entries = Object.entries(output).filter(([key]) => !isStripped || key !== 'additionalProperties');
  return Object.fromEntries(entries.map(([key, value]) => [key, open(key, value)]));
}

function isStandard(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' || schema === null) && typeof schema !== 'function') return false;
  // zod gives what its toJSONSchema returns a `~standard` too: it is JSON Schema already.
  if ('$schema' in schema) return false;
  const standard = (schema as Partial<StandardSchema>)['~standard'];
  return typeof standard === 'object' && standard !== null;
}
