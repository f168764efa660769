import type { JsonSchemaObject } from 'loopshard/json';

/** The input for JSON.stringify: the value with its properties in the order of the schema, without unlisted ones. */
export function ordered(schema: JsonSchemaObject, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || 'toJSON' in value) return value;
  if (Array.isArray(value)) {
    const prefix = schema.prefixItems ?? [];
    return value.map((item, i) => ordered((prefix[i] ?? schema.items ?? {}) as JsonSchemaObject, item));
  }
  if (schema.properties === undefined && schema.additionalProperties === undefined) return value;
  const result: Record<string, unknown> = {};
  // Define, do not assign: `__proto__` is a key like any other.
  const define = (key: string, item: unknown) => Object.defineProperty(result, key, { value: item, enumerable: true });
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(value, key))
      define(key, ordered(part as JsonSchemaObject, (value as Record<string, unknown>)[key]));
  }
  if (schema.additionalProperties === undefined) return result;
  for (const [key, item] of Object.entries(value)) {
    if (!Object.hasOwn(result, key)) define(key, ordered(schema.additionalProperties as JsonSchemaObject, item));
  }
  return result;
}
