import { formatCount } from '../format.js';
import { type Steal, StealRates } from '../steal-rates.js';
import type { ShardView } from '../wire.js';
import type { Lanes } from './lanes.js';

const NAMESPACE = 'http://www.w3.org/2000/svg';
const HEAD_PX = 5;
/** Distance of arrows from the lanes and from the edge. */
const MARGIN_PX = 6;
/** Arrows of one lane begin and end at different heights. */
const SPREAD_PX = 6;
/** A cubic curve reaches three quarters of the way to its control points. */
const CONTROL = 4 / 3;
/** Where on the curve the count is: nearer to the begin, so that it is not on that of an arrow in the other direction. */
const LABEL_X = 0.91;
const LABEL_Y = 0.28;
/** Those with the most requests. */
const MOST_ARROWS = 6;
const MIN_STEPS = 3;

function shape(name: 'path' | 'text', attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** Draws steals of the last seconds as arrows beside the lanes, from the shard whose requests were taken to the one that took them. */
export class Steals {
  readonly #lanes: Lanes;
  readonly #rates = new StealRates();
  readonly #svg = document.querySelector<SVGSVGElement>('.steals')!;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  update(shards: readonly ShardView[]): void {
    const steals = this.#rates.update(shards, performance.now());
    if (steals.length === 0 && this.#svg.childElementCount === 0) return;
    const { top, width } = this.#svg.getBoundingClientRect();
    const middleOf = (shard: number) => {
      const row = this.#lanes.rowOf(shard)?.getBoundingClientRect();
      return row && row.top + row.height / 2 - top;
    };
    // Short arrows lie inside of long ones, and those that go up inside of those that go down.
    const placed = steals
      .map((steal) => ({ steal, start: middleOf(steal.from), end: middleOf(steal.by) }))
      // A shard may have ended meanwhile.
      .filter(
        (one): one is { steal: Steal; start: number; end: number } => one.start !== undefined && one.end !== undefined,
      )
      .sort((a, b) => b.steal.count - a.steal.count)
      .slice(0, MOST_ARROWS)
      .sort((a, b) => Math.abs(a.end - a.start) - Math.abs(b.end - b.start) || a.end - b.end);
    const room = width - 2 * MARGIN_PX;
    const step = room / Math.max(MIN_STEPS, placed.length);
    const shapes = placed.flatMap(({ steal, start, end }, i) => arrow(steal, [start, end], width, (i + 1) * step));
    this.#svg.replaceChildren(...shapes);
  }
}

/** @param depth how far the curve leaves the lanes, in pixels */
function arrow({ count }: Steal, [start, end]: [number, number], width: number, depth: number): SVGElement[] {
  const right = width - MARGIN_PX;
  const away = Math.sign(end - start) * SPREAD_PX;
  const [y1, y2] = [start + away, end - away];
  const left = right - depth * CONTROL;
  const weight = Math.min(2.5, 1 + Math.log10(count) / 2);
  const curve = `M${right} ${y1} C${left} ${y1} ${left} ${y2} ${right - HEAD_PX} ${y2}`;
  const head = `M${right} ${y2} l${-HEAD_PX - 1} ${-HEAD_PX + 1} v${2 * HEAD_PX - 2} z`;
  return [
    shape('path', { d: curve, 'stroke-width': weight }),
    shape('path', { d: head, class: 'head' }),
    Object.assign(shape('text', { x: right - depth * LABEL_X, y: y1 + (y2 - y1) * LABEL_Y + 4 }), {
      textContent: formatCount(count),
    }),
  ];
}
