/* The parameters of a find-my-way pattern, as types. */

/** Decoded path parameters by name; `*` for a wildcard. */
export type Params = Readonly<Record<string, string | undefined>>;

/** Characters that end the name of a parameter. */
type NameEnd = '/' | '-' | '.' | '(' | ':' | '?' | '*';

/** Splits `S` into the name at its start and the rest. */
type TakeName<S extends string, Name extends string = ''> = S extends `${infer C}${infer Rest}`
  ? C extends NameEnd
    ? [Name, S]
    : TakeName<Rest, `${Name}${C}`>
  : [Name, ''];

/** Skips the regular expression at the start of `S`, if any. */
type SkipExpression<S extends string> = S extends `(${string})${infer Rest}` ? Rest : S;

type Required<S extends string> = S extends `${string}:${infer Rest}`
  ? Rest extends `:${infer Escaped}`
    ? Required<Escaped>
    : TakeName<Rest> extends [infer Name extends string, infer After extends string]
      ? SkipExpression<After> extends `?${infer Behind}`
        ? Required<Behind>
        : Name | Required<SkipExpression<After>>
      : never
  : never;

type Optional<S extends string> = S extends `${string}:${infer Rest}`
  ? Rest extends `:${infer Escaped}`
    ? Optional<Escaped>
    : TakeName<Rest> extends [infer Name extends string, infer After extends string]
      ? SkipExpression<After> extends `?${infer Behind}`
        ? Name | Optional<Behind>
        : Optional<SkipExpression<After>>
      : never
  : never;

type Wildcard<S extends string> = S extends `${string}*` ? '*' : never;

/** Parameters of the pattern `P`: `{ id: string }` for `/users/:id`. Any parameters if `P` is not a literal type. */
export type ParamsOf<P extends string> = string extends P
  ? Params
  : Flat<{ readonly [K in Required<P> | Wildcard<P>]: string } & { readonly [K in Optional<P>]?: string }>;

/** Flattens an intersection so that editors show a single object type. */
type Flat<T> = { [K in keyof T]: T[K] };
