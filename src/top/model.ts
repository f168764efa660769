import { type EventText, eventText } from '../admin/event-text.js';
import { type Steal, StealRates } from '../admin/steal-rates.js';
import { Utilization } from '../admin/utilization.js';
import type { Activity, History, Overview } from '../admin/wire.js';

const MAX_EVENTS = 50;
const MAX_RATES = 600;

/** What is known of a server. */
export class TopModel {
  activity: Activity | undefined;
  overview: Overview | undefined;
  /** By shard; those of which it is known. */
  utilization: ReadonlyMap<number, number> = new Map();
  steals: readonly Steal[] = [];
  /** Requests per second, oldest first. */
  readonly rates: number[] = [];
  /** Newest first. */
  readonly events: EventText[] = [];
  readonly #utilization = new Utilization();
  readonly #steals = new StealRates();

  onEvent(name: string, data: unknown): void {
    switch (name) {
      case 'activity':
        return this.#onActivity(data as Activity);
      case 'overview':
        return this.#onOverview(data as Overview);
      case 'history':
        this.rates.splice(0, this.rates.length, ...(data as History).requestsPerS);
        return;
      default:
        this.note(eventText(name, data));
    }
  }

  note(event: EventText | undefined): void {
    if (event === undefined) return;
    this.events.unshift(event);
    this.events.splice(MAX_EVENTS);
  }

  #onActivity(activity: Activity): void {
    const { shards } = activity;
    this.activity = activity;
    this.#utilization.keep(shards);
    const known = shards.map((view) => [view.shard, this.#utilization.of(view)] as const);
    this.utilization = new Map(known.filter((one): one is [number, number] => one[1] !== undefined));
    this.steals = this.#steals.update(shards, performance.now());
  }

  #onOverview(overview: Overview): void {
    const before = this.overview?.sample?.at;
    this.overview = overview;
    const { sample } = overview;
    if (sample === undefined || sample.at === before) return;
    this.rates.push(sample.requestsPerS);
    if (this.rates.length > MAX_RATES) this.rates.shift();
  }

  /** Whether everything that a screen shows is known, such as the utilization of all event loops. */
  get isComplete(): boolean {
    if (this.activity === undefined) return false;
    const { server, shards } = this.activity;
    const areLoopsKnown = shards.every(({ shard, loop }) => loop === undefined || this.utilization.has(shard));
    return areLoopsKnown && (!server.hasMetrics || this.overview?.sample !== undefined);
  }
}
