/**
 * A JSON Schema: drafts 7, 2019-09 and 2020-12, by its `$schema`, the last where there is none; and what TypeBox, zod and
 * OpenAPI add. Keywords that no draft has are annotations, and ignored.
 */
export type JsonSchema = boolean | JsonSchemaObject;

export interface JsonSchemaObject {
  readonly $id?: string;
  readonly $anchor?: string;
  readonly $ref?: string;
  readonly $schema?: string;
  readonly $dynamicRef?: string;
  readonly $dynamicAnchor?: string;
  readonly $defs?: Readonly<Record<string, unknown>>;
  readonly definitions?: Readonly<Record<string, unknown>>;
  readonly type?: string | readonly string[];
  /** OpenAPI 3.0's way to allow null. */
  readonly nullable?: boolean;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
  readonly allOf?: readonly unknown[];
  readonly not?: unknown;
  readonly if?: unknown;
  readonly then?: unknown;
  readonly else?: unknown;
  readonly dependentSchemas?: Readonly<Record<string, unknown>>;
  /** OpenAPI's: which property names the branch of `anyOf` or `oneOf`. */
  readonly discriminator?: { readonly propertyName: string; readonly mapping?: Readonly<Record<string, string>> };
  readonly default?: unknown;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly patternProperties?: Readonly<Record<string, unknown>>;
  readonly unevaluatedProperties?: unknown;
  readonly items?: unknown;
  readonly prefixItems?: readonly unknown[];
  readonly additionalItems?: unknown;
  readonly unevaluatedItems?: unknown;
  readonly contains?: unknown;
  readonly minItems?: number;
  readonly maxItems?: number;
}

type Named = {
  string: string;
  number: number;
  integer: number | bigint;
  boolean: boolean;
  null: null;
};

type Required<S> = S extends { required: readonly (infer Key)[] } ? Key : never;

type Properties<P, S> = { [K in keyof P as K extends Required<S> ? K : never]: Infer<P[K]> } & {
  [K in keyof P as K extends Required<S> ? never : K]?: Infer<P[K]>;
};

/**
 * The values that a schema describes, as far as its TypeScript type says: TypeBox's own `static` where there is one,
 * the output of a Standard Schema, else what the literal types of the keywords tell. `unknown` for a schema of which nothing is known when compiling.
 */
export type Infer<S> = S extends { static: infer T }
  ? T
  : S extends { '~standard': { types?: infer Types } }
    ? NonNullable<Types> extends { output: infer T }
      ? T
      : unknown
    : S extends { const: infer C }
      ? C
      : S extends { enum: readonly (infer E)[] }
        ? E
        : S extends { anyOf: readonly (infer B)[] } | { oneOf: readonly (infer B)[] }
          ? Infer<B>
          : S extends { type: 'object'; properties: infer P }
            ? Properties<P, S>
            : S extends { type: 'array'; items: infer I }
              ? readonly Infer<I>[]
              : S extends { type: infer T extends keyof Named }
                ? string extends T
                  ? unknown
                  : Named[T]
                : unknown;

/** How a writer is compiled. */
export interface WriterOptions {
  /**
   * Convert what does not match instead of refusing it: numbers, booleans and bigints to strings, numeric strings to
   * numbers, `null` of a required scalar to its empty value, anything to booleans. Default false.
   */
  coerce?: boolean;
  /** Objects and arrays inside each other. Default 1,000. */
  maxDepth?: number;
  /**
   * Properties of which the schema says nothing, neither in `properties` nor by `additionalProperties`: leave them out, write
   * them behind the others, or refuse the value. Default 'omit': a response schema is also what keeps secrets in.
   */
  unlisted?: 'omit' | 'write' | 'reject';
  /** Write a property that is absent, and whose schema has a `default`, with that. Default false. */
  useDefaults?: boolean;
  /** Documents that the schema refers to, by their URI. Default: none. */
  schemas?: Readonly<Record<string, unknown>>;
  /** Which machinery writes. Default 'auto': the faster for the schema on the running version of V8. */
  lane?: 'auto' | 'wasm' | 'v8';
}
