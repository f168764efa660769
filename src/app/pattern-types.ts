/* The parameters of a find-my-way pattern, as types. */

/** Path parameters: decoded, by name; `*` for a wildcard. */
export type Params = Readonly<Record<string, string | undefined>>;

/** What ends the name of a parameter. */
type NameEnd = '/' | '-' | '.' | '(' | ':' | '?' | '*';

/** The name at the start of `S`, and what follows it. */
type TakeName<S extends string, Name extends string = ''> = S extends `${infer C}${infer Rest}`
  ? C extends NameEnd
    ? [Name, S]
    : TakeName<Rest, `${Name}${C}`>
  : [Name, ''];

/** What follows the regular expression of a parameter, if it has one. */
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

/** The parameters of requests that the pattern `P` matches: `{ id: string }` for `/users/:id`. Any, if it is no literal. */
export type ParamsOf<P extends string> = string extends P
  ? Params
  : Flat<{ readonly [K in Required<P> | Wildcard<P>]: string } & { readonly [K in Optional<P>]?: string }>;

/** One object type, as editors are to show it. */
type Flat<T> = { [K in keyof T]: T[K] };
