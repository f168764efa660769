import { type EventText, eventText } from '../event-text.js';
import { formatClock } from '../format.js';
import { byId, make, setText } from './dom.js';

const MAX_ROWS = 200;
/** New events are shown this often at most. */
const SHOW_MS = 250;
/** Screen readers are told of one event in this time at most, and only of those that need attention. */
const TELL_MS = 5_000;

/** The log of events. However many there are, it keeps the latest 200. */
export class EventLog {
  readonly #rows = byId('log-rows');
  readonly #empty = byId('log-empty');
  readonly #news = byId('news');
  /** Oldest first. */
  #pending: EventText[] = [];
  #timer: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor() {
    // For the keyboard, since it scrolls.
    this.#rows.tabIndex = 0;
  }

  add(name: string, data: unknown): void {
    const text = eventText(name, data);
    if (text !== undefined) this.note(text);
  }

  note(event: EventText): void {
    this.#pending.push(event);
    if (this.#pending.length > MAX_ROWS) this.#pending.shift();
    this.#timer ??= setTimeout(() => this.#show(), SHOW_MS);
    if (event.tone === 'bad') this.#tell(event.text);
  }

  #tell(text: string): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    setText(this.#news, text);
  }

  #show(): void {
    this.#timer = undefined;
    this.#rows.prepend(...this.#pending.reverse().map(rowOf));
    this.#pending = [];
    while (this.#rows.childElementCount > MAX_ROWS) this.#rows.lastElementChild!.remove();
    this.#rows.hidden = false;
    this.#empty.hidden = true;
  }
}

function rowOf({ at, text, tone }: EventText): HTMLLIElement {
  const time = make('time', '', formatClock(at));
  time.dateTime = new Date(at).toISOString();
  const row = make('li', '', time, make('span', 'dot'), make('span', '', text));
  row.dataset.tone = tone;
  return row;
}
