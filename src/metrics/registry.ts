import { type Metric, Registry } from 'prom-client';
import { DEFINITIONS, type Definition } from './definitions.js';
import type { MetricFigures } from './figures.js';

/** Formats metrics as Prometheus reads them. Control thread; loaded with the first call of `server.metrics()`. */
export class MetricsText {
  readonly #registry = new Registry();
  readonly #look: () => MetricFigures;
  #figures: MetricFigures | undefined;

  /** @param look returns the current figures */
  constructor(look: () => MetricFigures) {
    this.#look = look;
    for (const definition of DEFINITIONS) this.#registry.registerMetric(this.#metric(definition));
  }

  /** Value of the Content-Type header for the text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    this.#figures = this.#look();
    return this.#registry.metrics();
  }

  /** The registry only calls `get`. Its own kinds of metrics would keep another copy of each value. */
  #metric({ name, help, type, read }: Definition): Metric {
    const get = async () => ({ name, help, type, aggregator: 'sum', values: read(this.#figures!) });
    return { name, get } as unknown as Metric;
  }
}
