/** Metrics by name and labels, such as `loopshard_requests_total{route="GET /",method="GET",status="200"}`. */
export type Metrics = Map<string, number>;

/** Parses Prometheus' text format. */
export function parseMetrics(text: string): Metrics {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** The metrics of one name, by their labels. */
export function ofName(metrics: Metrics, name: string): Record<string, number> {
  const own = [...metrics].filter(([key]) => key === name || key.startsWith(`${name}{`));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(name.length), value]));
}

/** The sum of the metrics of one name over all labels. */
export function sumOf(metrics: Metrics, name: string): number {
  return Object.values(ofName(metrics, name)).reduce((sum, value) => sum + value, 0);
}
