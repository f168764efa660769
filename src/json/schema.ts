/**
 * A JSON Schema of draft 7, 2019-09 or 2020-12, by its `$schema`, with the extensions of TypeBox, zod and OpenAPI. Default: 2020-12.
 * Unknown keywords are annotations and ignored.
 */
export type JsonSchema = boolean | JsonSchemaObject;

/** A JSON Schema of draft 7, 2019-09 or 2020-12, with the additions of OpenAPI 3.0. */
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
  /** OpenAPI 3.0: whether null is allowed. */
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
  /** OpenAPI: the property that names the branch of `anyOf` or `oneOf`. */
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
 * The type of the values that a schema describes: TypeBox's `static`, the output of a Standard Schema, or inferred from the literal types
 * of the keywords. `unknown` if the type of the schema is not known at compile time.
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

/** Options of `compileWriter`. */
export interface WriterOptions {
  /**
   * Converts values that do not match instead of rejecting them: numbers, booleans and bigints to strings, numeric strings to numbers,
   * `null` for a required scalar to its empty value, anything to booleans. Default false.
   */
  coerce?: boolean;
  /** Maximum nesting of objects and arrays. Default 1,000. */
  maxDepth?: number;
  /**
   * What to do with properties that the schema mentions neither in `properties` nor by `additionalProperties`: omit them, write them
   * after the others, or reject the value. Default 'omit', so that a response schema also protects secrets.
   */
  unlisted?: 'omit' | 'write' | 'reject';
  /**
   * What to do with objects that JSON.stringify writes as `{}` because it does not see their content, such as a Map, a Set, an Error or a
   * promise: write `{}`, or reject the value. Default 'write'.
   */
  opaque?: 'write' | 'reject';
  /** Writes the `default` of its schema for an absent property. Default false. */
  useDefaults?: boolean;
  /** Documents that the schema refers to, by URI. Default: none. */
  schemas?: Readonly<Record<string, unknown>>;
  /** Which implementation writes. Default 'auto': the faster one for the schema. */
  lane?: 'auto' | 'wasm' | 'v8';
}
