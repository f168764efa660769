import type { Random } from './random.js';

/** A valid value, and the part of it that the schema admits: without the properties that no applicable subschema names. */
export interface Sample {
  value: unknown;
  kept: unknown;
}

/** A schema that can generate values. */
export interface Model {
  schema: object;
  /** @param budget levels that optional parts may still add */
  sample(budget: number): Sample;
  /** Whether its schema admits objects only, and no null. */
  isObject: boolean;
}

export type Form = 'any' | 'wide' | 'deep';

type Fields = Record<string, Sample | undefined>;

const STRINGS = [
  '',
  'a',
  'Straße',
  '日本',
  '😀',
  '"quoted"',
  'line\nbreak',
  '\ud800',
  'x'.repeat(13),
  'long '.repeat(60),
];
const NUMBERS = [0, -0, 1, -1, 0.5, 1e21, 1e-7, 2 ** 53, 123456789.125, Number.NaN];

/**
 * Generates schemas from a seed: wide, deep, shared and recursive ones, with many applicators. Each property name occurs once
 * in a schema, so that it is clear which part admits which property.
 */
export class Models {
  readonly #random: Random;
  readonly #defs: Record<string, object> = {};
  readonly #shared: Model[] = [];
  #names = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Generates a whole schema of the given form. */
  document(depth = 4, form: Form = 'any'): { schema: object; sample(): Sample } {
    const model = this.#root(depth, form);
    return {
      schema: { allOf: [model.schema], $defs: this.#defs },
      sample: () => model.sample(this.#random.below(6)),
    };
  }

  #root(depth: number, form: Form): Model {
    switch (form) {
      case 'any':
        return this.#model(depth);
      case 'deep':
        return this.#deep(this.#model(depth));
      case 'wide':
        return this.#fields(depth, 1000);
    }
  }

  #name(): string {
    const name = `${this.#random.pick(['id', 'f64', 'naïve', 'with space', 'a"b', 't', 'constructor', '$'])}${this.#names++}`;
    return name;
  }

  #model(depth: number): Model {
    const random = this.#random;
    if (depth <= 0) return this.#scalar();
    switch (random.below(10)) {
      case 0:
        return this.#scalar();
      case 1:
        return this.#array(this.#model(depth - 1));
      case 2:
        return this.#referred(() => this.#model(depth - 1));
      case 3:
        return this.#recursive(depth);
      case 4:
        return this.#nullable(this.#model(depth - 1));
      case 5:
        return this.#tuple([this.#model(depth - 1), this.#scalar()]);
      default:
        return this.#objectOfParts(depth);
    }
  }

  #scalar(): Model {
    const random = this.#random;
    const of = (schema: object, make: () => unknown): Model => ({
      schema,
      isObject: false,
      sample: () => {
        const value = make();
        return { value, kept: value };
      },
    });
    switch (random.below(7)) {
      case 0:
        return of({ type: 'string' }, () => random.pick(STRINGS));
      case 1:
        return of({ type: 'number' }, () => random.pick(NUMBERS));
      case 2:
        return of({ type: 'integer' }, () => random.below(2 ** 40) - 2 ** 39);
      case 3:
        return of({ type: 'boolean' }, () => random.below(2) === 0);
      case 4:
        return of({ enum: ['x', 1, null, { deep: [1] }, false] }, () =>
          random.pick(['x', 1, null, { deep: [1] }, false]),
        );
      case 5:
        return of({}, () => random.pick([1, 'any', null, { any: [{}] }, [[]]]));
      default:
        return {
          schema: { type: 'string', format: 'date' },
          isObject: false,
          sample: () => ({ value: new Date(0), kept: '1970-01-01' }),
        };
    }
  }

  #array(item: Model): Model {
    return {
      schema: { type: 'array', items: item.schema },
      isObject: false,
      sample: (budget) => {
        const samples = Array.from({ length: budget > 0 ? this.#random.below(4) : 0 }, () => item.sample(budget - 1));
        return { value: samples.map(({ value }) => value), kept: samples.map(({ kept }) => kept) };
      },
    };
  }

  #tuple(items: Model[]): Model {
    return {
      schema: { type: 'array', prefixItems: items.map((item) => item.schema), items: false },
      isObject: false,
      sample: (budget) => {
        const samples = items.map((item) => item.sample(budget - 1));
        return { value: samples.map(({ value }) => value), kept: samples.map(({ kept }) => kept) };
      },
    };
  }

  /** Nests a model in many objects and arrays. */
  #deep(model: Model): Model {
    const levels = 20 + this.#random.below(100);
    for (let level = 0; level < levels; level++) {
      const inner = model;
      if (this.#random.below(2) === 0) {
        model = this.#tuple([inner]);
        continue;
      }
      const name = this.#name();
      model = {
        schema: { type: 'object', properties: { [name]: inner.schema }, required: [name] },
        isObject: true,
        sample: (budget) => objectOf({ [name]: inner.sample(budget) }),
      };
    }
    return model;
  }

  #nullable(model: Model): Model {
    const branches = [model.schema, { type: 'null' }];
    return {
      // A schema that also matches null must not occur in a `oneOf`: two branches would match.
      schema: model.isObject && this.#random.below(2) ? { oneOf: branches.reverse() } : { anyOf: branches },
      isObject: false,
      sample: (budget) => (this.#random.below(4) ? model.sample(budget) : { value: null, kept: null }),
    };
  }

  /** Uses the same definition in several places. */
  #referred(make: () => Model): Model {
    if (this.#shared.length > 0 && this.#random.below(2)) return this.#random.pick(this.#shared);
    const model = make();
    const name = `d${this.#names++}`;
    this.#defs[name] = model.schema;
    const referred = { ...model, schema: { $ref: `#/$defs/${name}` } };
    this.#shared.push(referred);
    return referred;
  }

  #recursive(depth: number): Model {
    const name = `r${this.#names++}`;
    const [next, list] = [this.#name(), this.#name()];
    const body = this.#objectOfParts(Math.min(depth - 1, 2));
    const self: Model = {
      schema: { $ref: `#/$defs/${name}` },
      isObject: true,
      sample: (budget) => {
        const inner = body.sample(budget - 1);
        const more = budget > 0 && this.#random.below(3) ? self.sample(budget - 1) : undefined;
        const items = Array.from({ length: budget > 1 ? this.#random.below(3) : 0 }, () => self.sample(budget - 2));
        const rest = { value: items.map(({ value }) => value), kept: items.map(({ kept }) => kept) };
        return merged([inner, objectOf({ [next]: more, [list]: items.length > 0 ? rest : undefined })]);
      },
    };
    const own = { properties: { [next]: self.schema, [list]: { type: 'array', items: self.schema } } };
    const saysObject = this.#random.below(2) === 0;
    if (saysObject) this.#defs[name] = { ...own, allOf: [body.schema], type: 'object' };
    else this.#defs[name] = { allOf: [body.schema, own] };
    self.isObject = saysObject || body.isObject;
    return self;
  }

  /** An object of one to three parts with different applicators, sometimes with properties that no part names. */
  #objectOfParts(depth: number): Model {
    const parts = Array.from({ length: 1 + this.#random.below(3) }, () => this.#part(depth));
    const extra = this.#random.below(3) === 0 ? this.#name() : undefined;
    const schema =
      parts.length === 1 && this.#random.below(2) ? parts[0].schema : { allOf: parts.map((part) => part.schema) };
    return {
      schema,
      isObject: parts.some((part) => part.isObject),
      sample: (budget) => {
        const samples = parts.map((part) => part.sample(budget));
        if (extra !== undefined) samples.push({ value: { [extra]: 'secret' }, kept: {} });
        return this.#dressed(merged(samples));
      },
    };
  }

  #part(depth: number): Model {
    switch (this.#random.below(7)) {
      case 0:
        return this.#anyOf(depth);
      case 1:
        return this.#oneOf(depth);
      case 2:
        return this.#conditional(depth);
      case 3:
        return this.#dependent(depth);
      default:
        return this.#fields(depth, this.#random.below(150) === 0 ? 1000 : 1 + this.#random.below(5));
    }
  }

  #fields(depth: number, width: number): Model {
    const random = this.#random;
    const models = Array.from({ length: width }, (): [string, Model, boolean] => [
      this.#name(),
      width > 10 || random.below(2) ? this.#scalar() : this.#model(depth - 1),
      random.below(2) === 0,
    ]);
    const schema = {
      type: 'object',
      properties: Object.fromEntries(models.map(([name, model]) => [name, model.schema])),
      required: models.filter(([, , isRequired]) => isRequired).map(([name]) => name),
    };
    return {
      schema,
      isObject: true,
      sample: (budget) => {
        const present = models.filter(([, , isRequired]) => isRequired || (budget > 0 && random.below(2)));
        return objectOf(Object.fromEntries(present.map(([name, model]) => [name, model.sample(budget - 1)])));
      },
    };
  }

  /** Fields, one of which is required and occurs nowhere else, so that it identifies the branch. */
  #branch(depth: number, constant?: [string, unknown]): Model {
    const fields = this.#fields(depth - 1, 2);
    const [mark, value] = constant ?? [this.#name(), true];
    return {
      schema: { allOf: [fields.schema], properties: { [mark]: { const: value } }, required: [mark] },
      isObject: true,
      sample: (budget) => merged([objectOf({ [mark]: { value, kept: value } }), fields.sample(budget)]),
    };
  }

  #anyOf(depth: number): Model {
    const branches = Array.from({ length: 2 + this.#random.below(3) }, () => this.#branch(depth));
    return {
      schema: { anyOf: branches.map((branch) => branch.schema) },
      isObject: true,
      sample: (budget) => {
        const first = this.#random.below(branches.length);
        const chosen = branches.filter((_, i) => i === first || this.#random.below(3) === 0);
        return merged(chosen.map((branch) => branch.sample(budget)));
      },
    };
  }

  #oneOf(depth: number): Model {
    const kind = this.#random.below(2) ? this.#name() : undefined;
    const branches = Array.from({ length: 2 + this.#random.below(3) }, (_, i) =>
      this.#branch(depth, kind === undefined ? undefined : [kind, `kind ${i}`]),
    );
    return {
      schema: { oneOf: branches.map((branch) => branch.schema) },
      isObject: true,
      sample: (budget) => this.#random.pick(branches).sample(budget),
    };
  }

  #conditional(depth: number): Model {
    const mark = this.#name();
    const [yes, no] = [this.#fields(depth - 1, 2), this.#fields(depth - 1, 2)];
    const condition = { properties: { [mark]: { type: 'integer', minimum: 10 } }, required: [mark] };
    return {
      schema: Object.fromEntries([
        ['if', condition],
        ['then', yes.schema],
        ['else', no.schema],
        ['properties', { [mark]: {} }],
      ]),
      isObject: true,
      sample: (budget) => {
        const value = this.#random.below(20);
        return merged([objectOf({ [mark]: { value, kept: value } }), (value >= 10 ? yes : no).sample(budget)]);
      },
    };
  }

  #dependent(depth: number): Model {
    const mark = this.#name();
    const more = this.#fields(depth - 1, 2);
    return {
      schema: { properties: { [mark]: { type: 'boolean' } }, dependentSchemas: { [mark]: more.schema } },
      isObject: false,
      sample: (budget) => {
        if (this.#random.below(2)) return { value: {}, kept: {} };
        return merged([objectOf({ [mark]: { value: true, kept: true } }), more.sample(budget)]);
      },
    };
  }

  /** Sometimes replaces the object by a class instance, an object with getters, a proxy or a toJSON. */
  #dressed({ value, kept }: Sample): Sample {
    const plain = value as object;
    switch (this.#random.below(30)) {
      case 0:
        return { value: Object.assign(new (class Row {})(), plain), kept };
      case 1:
        return { value: new Proxy(plain, {}), kept };
      case 2:
        return { value: { toJSON: () => plain }, kept };
      case 3: {
        const entries = Object.entries(plain).map(([key, part]) => [key, { enumerable: true, get: () => part }]);
        return { value: Object.defineProperties({}, Object.fromEntries(entries)), kept };
      }
      default:
        return { value, kept };
    }
  }
}

function objectOf(fields: Fields): Sample {
  const present = Object.entries(fields).filter((entry): entry is [string, Sample] => entry[1] !== undefined);
  return {
    value: Object.fromEntries(present.map(([key, { value }]) => [key, value])),
    kept: Object.fromEntries(present.map(([key, { kept }]) => [key, kept])),
  };
}

/** Merges objects with different properties. */
function merged(samples: Sample[]): Sample {
  const json = (value: unknown) =>
    typeof (value as { toJSON?: unknown }).toJSON === 'function' ? (value as { toJSON(): object }).toJSON() : value;
  return {
    value: Object.assign({}, ...samples.map(({ value }) => json(value) as object)),
    kept: Object.assign({}, ...samples.map(({ kept }) => kept as object)),
  };
}
