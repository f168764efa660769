import { formatCount, formatRate, formatUs } from '../format.js';
import type { Overview, RouteView } from '../wire.js';
import { Bar, byId, make, setCode, setText } from './dom.js';

const US_PER_MS = 1_000;

/** The columns after the first one, as narrow screens name them. */
const LABELS = ['Blocks others for', 'Loop mean', 'Loop p99', 'Handler p50', 'Handler p99', 'Requests/s'];

/** The row of one route. */
class RouteRow {
  readonly row = make('tr');
  readonly #hint = make('div', 'hint');
  readonly #blockedText = make('span');
  readonly #blockedBar = new Bar();
  readonly #cells = LABELS.slice(1).map((label) => cell(label));

  constructor(route: string) {
    const name = make('th', '', make('div', 'route', route), this.#hint);
    name.scope = 'row';
    const blocked = cell(LABELS[0]);
    blocked.append(make('div', 'blocked', this.#blockedText, this.#blockedBar.element));
    this.row.append(name, blocked, ...this.#cells);
  }

  /** @param longest of all routes, in microseconds */
  update({ blockedUs, loopMeanUs, loopP99Us, p50Us, p99Us, requestsPerS, hint }: RouteView, longest: number): void {
    setCode(this.#hint, hint ?? '');
    setText(this.#blockedText, formatUs(blockedUs));
    this.#blockedBar.share = longest === 0 ? 0 : blockedUs / longest;
    const texts = [...[loopMeanUs, loopP99Us, p50Us, p99Us].map(formatUs), formatRate(requestsPerS)];
    for (const [index, text] of texts.entries()) setText(this.#cells[index], text);
  }
}

function cell(label: string): HTMLTableCellElement {
  const element = make('td');
  element.dataset.label = label;
  return element;
}

/** The table of routes. */
export class Routes {
  readonly #body = byId('route-rows');
  readonly #about = byId('routes-about');
  #rows = new Map<string, RouteRow>();

  update({ routes, windowMs, otherRoutes }: Overview): void {
    const longest = Math.max(0, ...routes.map(({ blockedUs }) => blockedUs));
    const rows = new Map(routes.map(({ route }) => [route, this.#rows.get(route) ?? new RouteRow(route)]));
    for (const [route, { row }] of this.#rows) if (!rows.has(route)) row.remove();
    this.#rows = rows;
    for (const [index, view] of routes.entries()) {
      const one = rows.get(view.route)!;
      one.update(view, longest);
      const current = this.#body.children[index];
      if (current !== one.row) this.#body.insertBefore(one.row, current ?? null);
    }
    const others = otherRoutes === 0 ? '' : ` ${formatCount(otherRoutes)} more routes are not shown.`;
    const what = routes.length === 0 ? 'No requests' : 'Sorted by how long other requests have waited because of them';
    setText(this.#about, `${what} in the last ${formatUs(windowMs * US_PER_MS)}.${others}`);
  }
}
