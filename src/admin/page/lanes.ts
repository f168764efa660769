import { countOf, formatCount, formatMib, formatShare, formatUs } from '../format.js';
import { Utilization } from '../utilization.js';
import type { ActivityList, ShardView } from '../wire.js';
import type { Actions } from './actions.js';
import { Bar, byId, make, setData, setText } from './dom.js';

/** From here on, a handler on the event loop or a request that waits is worth noticing, and then it is bad. */
const WARN_US = 50_000;
const BAD_US = 1_000_000;
/** Times fill a bar logarithmically, from one millisecond to ten seconds. */
const LEAST_US = 1_000;
const DECADES = 4;
/** Shares of the event loop and of permits. */
const WARN_SHARE = 0.8;
const BAD_SHARE = 0.97;

/** `none` has no bar. */
type Tone = 'none' | 'good' | 'plain' | 'warn' | 'bad';

function toneOfTime(us: number): Tone {
  if (us >= BAD_US) return 'bad';
  return us >= WARN_US ? 'warn' : 'plain';
}

function toneOfShare(share: number): Tone {
  if (share >= BAD_SHARE) return 'bad';
  return share >= WARN_SHARE ? 'warn' : 'plain';
}

function barOfTime(us: number): number {
  return us <= LEAST_US ? 0.02 : Math.log10(us / LEAST_US) / DECADES;
}

/** Such as `GET /health ×12 1.2 s, GET /report 340 ms`. */
function listText({ count, routes }: ActivityList): string {
  const shown = routes.map(
    ({ route, count: own, us }) => `${route}${own > 1 ? ` ×${formatCount(own)}` : ''} ${formatUs(us)}`,
  );
  const others = count - routes.reduce((sum, one) => sum + one.count, 0);
  return [...shown, ...(others > 0 ? [`${formatCount(others)} more`] : [])].join(', ');
}

/** A time with a name, and a bar for it. */
class Gauge {
  readonly element = make('div', 'gauge');
  readonly #name = make('span');
  readonly #value = make('span', 'value');
  readonly #bar = new Bar();
  readonly #more = make('div', 'more');

  constructor() {
    this.element.append(make('div', 'line', this.#name, this.#value), this.#bar.element, this.#more);
  }

  /** @param more the line below; empty for none */
  show(name: string, className: string, us: number | undefined, tone: Tone, more: string): void {
    setText(this.#name, name);
    if (this.#name.className !== className) this.#name.className = className;
    setText(this.#value, us === undefined ? '' : formatUs(us));
    setData(this.#value.parentElement!, 'tone', tone);
    setData(this.element, 'tone', tone);
    this.#bar.share = us === undefined ? 0 : barOfTime(us);
    setText(this.#more, more);
  }
}

/** A share with its name. */
class Meter {
  readonly element = make('div', 'meter');
  readonly #bar = new Bar();
  readonly #value = make('span', 'value');

  constructor(name: string) {
    this.element.append(make('span', '', name), this.#bar.element, this.#value);
  }

  show(share: number, text: string): void {
    this.#bar.share = share;
    setText(this.#value, text);
    setData(this.element, 'tone', toneOfShare(share));
  }
}

/** A fact such as `1,234 handlers`. */
class Fact {
  readonly element = make('div');
  readonly #value = make('b');

  constructor(name: string) {
    this.element.append(this.#value, ` ${name}`);
  }

  show(text: string): void {
    setText(this.#value, text);
  }
}

/** The row of one shard. */
class Lane {
  readonly row = make('tr');
  readonly #group = make('span');
  readonly #state = make('span', 'tag', make('span', 'dot'));
  readonly #stateText = make('span');
  readonly #now = new Gauge();
  readonly #wait = new Gauge();
  readonly #loop = new Meter('Loop');
  readonly #permits = new Meter('Permits');
  readonly #heap = new Meter('Heap');
  readonly #handlers = new Fact('handlers');
  readonly #steals = new Fact('stolen');
  readonly #restarts = new Fact('restarts');

  constructor(shard: number, actions: Actions) {
    this.row.dataset.shard = String(shard);
    this.#state.append(this.#stateText);
    const name = make('div', 'name', `Shard ${shard} `, this.#group);
    const facts = [this.#handlers, this.#steals, this.#restarts].map(({ element }) => element);
    const head = make('th', '', name, this.#state);
    head.scope = 'row';
    this.row.append(
      head,
      labelled(make('td', 'now', this.#now.element), 'Running now'),
      labelled(make('td', 'wait', this.#wait.element), 'Waiting'),
      make('td', 'load', this.#loop.element, this.#permits.element, this.#heap.element),
      make('td', 'since', ...facts),
      make('td', '', actions.menu(shard)),
    );
  }

  update(view: ShardView, utilization: number | undefined): void {
    setText(this.#group, view.group);
    const [tone, state] = stateOf(view);
    setText(this.#stateText, state);
    setData(this.#state, 'tone', tone);
    this.#showNow(view, utilization);
    this.#showWaiting(view);
    this.#loop.show(utilization ?? 0, utilization === undefined ? '–' : formatShare(utilization));
    const { available, limit } = view.permits;
    const taken = Math.max(0, limit - available);
    this.#permits.show(taken / limit, `${formatCount(taken)}/${formatCount(limit)}`);
    const { heap } = view;
    this.#heap.show(heap === undefined ? 0 : heap.used / heap.limit, heap === undefined ? '–' : formatMib(heap.used));
    this.#handlers.show(formatCount(view.requests));
    this.#steals.show(formatCount(view.steals));
    this.#restarts.show(formatCount(view.restarts));
  }

  #showNow({ running, inFlight, streams }: ShardView, utilization: number | undefined): void {
    const facts = [
      ...(inFlight.count > 0 ? [`${formatCount(inFlight.count)} in flight: ${listText(inFlight)}`] : []),
      ...(streams > 0 ? [countOf(streams, 'stream')] : []),
    ].join('; ');
    if (running !== undefined) {
      // The only handler in flight needs no second mention.
      const isAlone = inFlight.count === 1 && streams === 0;
      this.#now.show(running.route, 'route', running.us, toneOfTime(running.us), isAlone ? '' : facts);
    } else if (utilization !== undefined && utilization >= BAD_SHARE) {
      this.#now.show('Busy after an await', '', undefined, 'warn', facts);
    } else this.#now.show('Idle', 'idle', undefined, 'none', facts);
  }

  #showWaiting({ waiting }: ShardView): void {
    const { count, routes } = waiting;
    if (count === 0) return this.#wait.show('None', 'idle', undefined, 'none', '');
    const { us } = routes[0];
    this.#wait.show(`${formatCount(count)} waiting`, '', us, toneOfTime(us), listText(waiting));
  }
}

function stateOf({ state, isCircuitOpen, stalled, shedding, abandoned }: ShardView): [tone: Tone, text: string] {
  if (isCircuitOpen) return ['bad', 'circuit open'];
  if (state === 'stuck') return ['bad', 'stuck'];
  if (state !== 'ready') return ['warn', state];
  if (stalled) return ['bad', 'stalled'];
  if (shedding) return ['bad', 'shedding'];
  return abandoned > 0 ? ['warn', `${abandoned} abandoned`] : ['good', 'ready'];
}

/** Names a cell where there is no head above it. */
function labelled(cell: HTMLTableCellElement, label: string): HTMLTableCellElement {
  cell.dataset.label = label;
  return cell;
}

/** The table of shards. */
export class Lanes {
  readonly #body = byId('lanes');
  readonly #lanes = new Map<number, Lane>();
  readonly #utilization = new Utilization();
  readonly #actions: Actions;

  constructor(actions: Actions) {
    this.#actions = actions;
  }

  update(shards: readonly ShardView[]): void {
    const ordered = [...shards].sort((a, b) => a.shard - b.shard);
    this.#utilization.keep(ordered);
    const numbers = new Set(ordered.map(({ shard }) => shard));
    for (const [shard, { row }] of this.#lanes) {
      if (numbers.has(shard)) continue;
      row.remove();
      this.#lanes.delete(shard);
    }
    for (const [index, view] of ordered.entries()) {
      const lane = this.#laneOf(view.shard);
      if (this.#body.children[index] !== lane.row)
        this.#body.insertBefore(lane.row, this.#body.children[index] ?? null);
      lane.update(view, this.#utilization.of(view));
    }
  }

  #laneOf(shard: number): Lane {
    let lane = this.#lanes.get(shard);
    if (lane === undefined) {
      lane = new Lane(shard, this.#actions);
      this.#lanes.set(shard, lane);
    }
    return lane;
  }

  /** The row of a shard; undefined if it is not shown. */
  rowOf(shard: number): HTMLElement | undefined {
    return this.#lanes.get(shard)?.row;
  }
}
