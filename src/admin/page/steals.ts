import { formatCount } from '../format.js';
import { type Steal, StealRates } from '../steal-rates.js';
import type { ShardView } from '../wire.js';
import type { Lanes } from './lanes.js';

const NAMESPACE = 'http://www.w3.org/2000/svg';
const HEAD_PX = 5;
/** Distance of arrows from the lanes, and of their curves from the edge. */
const MARGIN_PX = 6;
/** Arrows of one lane begin and end at different heights. */
const SPREAD_PX = 6;

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
    this.#svg.replaceChildren(...steals.flatMap((steal) => arrow(steal, middleOf, width)));
  }
}

function arrow(
  { from, by, count }: Steal,
  middleOf: (shard: number) => number | undefined,
  width: number,
): SVGElement[] {
  const [start, end] = [middleOf(from), middleOf(by)];
  // The shard has ended meanwhile.
  if (start === undefined || end === undefined) return [];
  const right = width - MARGIN_PX;
  const away = Math.sign(end - start) * SPREAD_PX;
  const [y1, y2] = [start + away, end - away];
  const weight = Math.min(3, 1 + Math.log10(count) / 2);
  const curve = `M${right} ${y1} C${MARGIN_PX} ${y1} ${MARGIN_PX} ${y2} ${right - HEAD_PX} ${y2}`;
  const head = `M${right} ${y2} l${-HEAD_PX - 1} ${-HEAD_PX + 1} v${2 * HEAD_PX - 2} z`;
  return [
    shape('path', { d: curve, 'stroke-width': weight }),
    shape('path', { d: head, class: 'head' }),
    Object.assign(shape('text', { x: right / 3, y: (y1 + y2) / 2 + 4 }), { textContent: formatCount(count) }),
  ];
}
