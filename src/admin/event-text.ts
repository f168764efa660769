/* What the events of a server say, for the log of the page and of `loopshard top`. Runs in browsers and in Node.js. */

export type Tone = 'good' | 'plain' | 'warn' | 'bad';

export interface EventText {
  /** Milliseconds since 1970. */
  at: number;
  text: string;
  tone: Tone;
}

/** The data of all events, as far as they are shown. */
interface EventData {
  at: number;
  value?: string;
  shard?: number;
  group?: string;
  state?: string;
  revision?: number;
  routes?: number;
  shedding?: boolean;
  stalled?: boolean;
  events?: number;
}

const SHARD_TEXTS: Record<string, [text: string, tone: Tone]> = {
  spawning: ['is starting', 'plain'],
  loading: ['is loading the app', 'plain'],
  ready: ['is ready', 'good'],
  stuck: ['is stuck: its event loop is blocked', 'bad'],
  draining: ['is finishing its requests', 'plain'],
  ended: ['has ended', 'warn'],
};

const TEXTS: Record<string, (data: EventData) => [text: string, tone: Tone]> = {
  state: ({ value }) => [`The server is ${value}`, value === 'ready' ? 'good' : 'warn'],
  shard: ({ shard, state = '' }) => {
    const [text, tone] = SHARD_TEXTS[state] ?? [`is ${state}`, 'plain'];
    return [`Shard ${shard} ${text}`, tone];
  },
  reload: ({ revision, routes }) => [`Reload ${revision}: new requests go to the new code (${routes} routes)`, 'good'],
  shedding: ({ shard, shedding }) =>
    shedding
      ? [`Shard ${shard} rejects requests: they have waited too long`, 'bad']
      : [`Shard ${shard} accepts all requests again`, 'good'],
  stalled: ({ group, stalled }) =>
    stalled
      ? [`Group ${group} is stalled: no free permit, and no handler settles`, 'bad']
      : [`Group ${group} is no longer stalled`, 'good'],
  missed: ({ events }) => [`${events} events were not sent, because they were not read in time`, 'warn'],
};

/** Returns undefined for events that are no news, such as `figures`. */
export function eventText(name: string, data: unknown): EventText | undefined {
  const describe = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined;
  if (describe === undefined) return undefined;
  const given = data as EventData;
  const [text, tone] = describe(given);
  return { at: given.at ?? Date.now(), text, tone };
}
