import { memoryUsage, resourceUsage } from 'node:process';
import { TIME_BOUNDS_US, type TimeKind } from '../contract/route-times.js';
import type { MetricFigures, ShardFigures } from './figures.js';

const US_PER_S = 1_000_000;
const MS_PER_S = 1_000;

/** A value with its labels. `metricName` is set for the parts of a histogram. */
export interface Sample {
  labels: Record<string, string | number>;
  value: number;
  metricName?: string;
}

/** A metric that is computed from the figures at each scrape. */
export interface Definition {
  name: string;
  /** One sentence, also for docs/metrics.md. */
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  read(figures: MetricFigures): Sample[];
}

/** A metric without labels. */
function plain(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (figures: MetricFigures) => number,
): Definition {
  return { name, help, type, labels: [], read: (figures) => [{ labels: {}, value: value(figures) }] };
}

/** A metric of each shard; shards without a value are left out. */
function ofShards(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (shard: ShardFigures) => number | undefined,
): Definition {
  const read = ({ shards }: MetricFigures) =>
    shards.flatMap((one) => {
      const current = value(one);
      return current === undefined ? [] : [{ labels: { shard: one.shard, group: one.group }, value: current }];
    });
  return { name: `loopshard_shard_${name}`, help, type, labels: ['shard', 'group'], read };
}

/** A metric of each group. */
function ofGroups(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (group: MetricFigures['groups'][number]) => number,
): Definition {
  const read = ({ groups }: MetricFigures) =>
    groups.map((one) => ({ labels: { group: one.group }, value: value(one) }));
  return { name: `loopshard_group_${name}`, help, type, labels: ['group'], read };
}

const BOUNDS = [...TIME_BOUNDS_US.map((us) => us / US_PER_S), '+Inf'];

/** A histogram of each route. */
function ofRoutes(kind: TimeKind, help: string): Definition {
  const name = `loopshard_${kind}_time_seconds`;
  const read = ({ times }: MetricFigures) =>
    times.flatMap(({ route, [kind]: { sumUs, buckets } }) => {
      let count = 0;
      const ofBuckets = buckets.map((inBucket, i) => {
        count += inBucket;
        return { metricName: `${name}_bucket`, labels: { route, le: BOUNDS[i] }, value: count };
      });
      return [
        ...ofBuckets,
        { metricName: `${name}_sum`, labels: { route }, value: sumUs / US_PER_S },
        { metricName: `${name}_count`, labels: { route }, value: count },
      ];
    });
  return { name, help, type: 'histogram', labels: ['route'], read };
}

/** All metrics, in the order in which they are exported and documented. */
export const DEFINITIONS: readonly Definition[] = [
  // ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    name: 'loopshard_requests_total',
    help: 'Responses by route, method and status, including rejections.',
    type: 'counter',
    labels: ['route', 'method', 'status'],
    read: ({ responses }) => responses.map(({ count, ...labels }) => ({ labels, value: count })),
  },
  ofRoutes('request', 'Time from the submission of a request until its handler has settled.'),
  ofRoutes('queue', 'Time from the submission of a request until its handler is called.'),
  ofRoutes('handler', 'Time from the call of a handler until it has settled.'),
  ofRoutes('loop', 'Time that a handler has occupied the event loop of its shard, while others waited.'),
  {
    name: 'loopshard_blocked_seconds_total',
    help: 'Time that other requests have waited because handlers of the route occupied their event loop, added up.',
    type: 'counter',
    labels: ['route'],
    read: ({ times }) => times.map(({ route, blockedUs }) => ({ labels: { route }, value: blockedUs / US_PER_S })),
  },
  plain(
    'counter',
    'loopshard_requests_aborted_total',
    'Requests whose connections were closed before their responses were sent.',
    ({ http }) => http.aborted,
  ),
  {
    name: 'loopshard_requests_refused_total',
    help: 'Requests that the server rejected for lack of room or time, by the code in the response.',
    type: 'counter',
    labels: ['code'],
    read: ({ http }) => http.refused.map(({ reason, count }) => ({ labels: { code: reason }, value: count })),
  },
  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────
  plain('gauge', 'loopshard_connections', 'Open connections.', ({ connections }) => connections),
  plain('counter', 'loopshard_connections_total', 'Connections accepted.', ({ http }) => http.accepted),
  plain(
    'counter',
    'loopshard_connections_refused_total',
    'Connections closed immediately because the limit was reached.',
    ({ http }) => http.connectionsRefused,
  ),
  plain('counter', 'loopshard_received_bytes_total', 'Bytes received from clients.', ({ http }) => http.receivedBytes),
  plain('counter', 'loopshard_sent_bytes_total', 'Bytes of responses sent to clients.', ({ http }) => http.sentBytes),
  // ── shards ──────────────────────────────────────────────────────────────────────────────────────────────────────
  ofShards('gauge', 'ready', 'Whether the shard accepts requests.', ({ state }) => Number(state === 'ready')),
  ofShards('counter', 'restarts_total', 'Threads that have replaced an ended one.', ({ restarts }) => restarts),
  ofShards('gauge', 'circuit_open', 'Whether the shard is restarted only once every 10 s.', ({ isCircuitOpen }) =>
    Number(isCircuitOpen),
  ),
  ofShards('counter', 'handlers_total', 'Handlers called.', ({ requests }) => requests),
  ofShards('counter', 'claims_total', 'Batches of requests claimed.', ({ batches }) => batches),
  ofShards('counter', 'steals_total', 'Requests claimed from the queues of other shards.', ({ steals }) => steals),
  ofShards('counter', 'parks_total', 'Times that the shard went to sleep.', ({ parks }) => parks),
  ofShards('gauge', 'permits', 'Handlers that may be in flight.', ({ permits }) => permits.limit),
  ofShards('gauge', 'permits_available', 'Free permits.', ({ permits }) => permits.available),
  ofShards('gauge', 'outstanding', 'Requests submitted to the shard and not given back.', (one) => one.outstanding),
  ofShards('gauge', 'queued', 'Requests in its queue.', ({ queued }) => queued),
  ofShards('gauge', 'queue_age_seconds', 'Age of the oldest request in its queue.', ({ waitUs }) => waitUs / US_PER_S),
  ofShards(
    'gauge',
    'streams',
    'Responses being streamed, and connections that the shard has taken over.',
    (one) => one.streams,
  ),
  ofShards('gauge', 'upgrades', 'Connections that the shard has taken over.', ({ upgrades }) => upgrades),
  ofShards('gauge', 'abandoned', 'Handlers that are running although their requests are over.', (one) => one.abandoned),
  ofShards('gauge', 'shedding', 'Whether the shard rejects requests because queued ones have waited too long.', (one) =>
    Number(one.shedding),
  ),
  ofShards('gauge', 'stalled', 'Whether its group has no free permit and no progress.', ({ stalled }) =>
    Number(stalled),
  ),
  ofShards(
    'gauge',
    'failed_checks',
    'Health checks of the app that fail on the shard.',
    (one) => one.failedChecks.length,
  ),
  ofShards('counter', 'extent_waits_total', 'Responses that had to wait for an extent.', (one) => one.extentWaits),
  ofShards('gauge', 'extent_waiting', 'Responses that are waiting for an extent.', (one) => one.extentWaiting),
  ofShards(
    'counter',
    'loop_active_seconds_total',
    'Time that the event loop of the current thread was busy; its rate is the utilization.',
    ({ loop }) => loop && loop.activeMs / MS_PER_S,
  ),
  ofShards(
    'counter',
    'loop_idle_seconds_total',
    'Time that the event loop of the current thread waited for events.',
    ({ loop }) => loop && loop.idleMs / MS_PER_S,
  ),
  ofShards('gauge', 'heap_used_bytes', 'JavaScript heap in use.', ({ heap }) => heap?.used),
  ofShards('gauge', 'heap_total_bytes', 'JavaScript heap allocated.', ({ heap }) => heap?.total),
  ofShards('gauge', 'heap_limit_bytes', 'Size at which the JavaScript heap is exhausted.', ({ heap }) => heap?.limit),
  ofShards(
    'gauge',
    'external_bytes',
    'Memory outside the heap that JavaScript objects hold.',
    (one) => one.heap?.external,
  ),
  ofShards(
    'counter',
    'lost_wake_ups_total',
    'Requests that no doorbell announced; zero unless LoopShard has a bug.',
    (one) => one.lostWakeUps,
  ),
  // ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────
  ofGroups('gauge', 'shards', 'Shards that run or start, without those that are leaving.', ({ shards }) => shards),
  ofGroups('gauge', 'shards_max', 'Most shards that the group may have.', ({ max }) => max),
  ofGroups('counter', 'grown_total', 'Times that a shard was added because of the load.', ({ grown }) => grown),
  ofGroups('counter', 'shrunk_total', 'Times that a shard was removed because of the load.', ({ shrunk }) => shrunk),
  // ── routes with maxConcurrency ──────────────────────────────────────────────────────────────────────────────────
  {
    name: 'loopshard_route_permits',
    help: 'Handlers of the route that may be in flight, with `maxConcurrency`.',
    type: 'gauge',
    labels: ['route'],
    read: ({ limited }) => limited.map(({ route, limit }) => ({ labels: { route }, value: limit })),
  },
  {
    name: 'loopshard_route_permits_available',
    help: 'Free permits of the route.',
    type: 'gauge',
    labels: ['route'],
    read: ({ limited }) => limited.map(({ route, available }) => ({ labels: { route }, value: available })),
  },
  {
    name: 'loopshard_route_waiting',
    help: 'Requests that wait for a permit of the route.',
    type: 'gauge',
    labels: ['route'],
    read: ({ limited }) => limited.map(({ route, waiting }) => ({ labels: { route }, value: waiting })),
  },
  // ── server ──────────────────────────────────────────────────────────────────────────────────────────────────────
  plain('gauge', 'loopshard_ready', 'Whether the server accepts requests.', ({ isReady }) => Number(isReady)),
  {
    name: 'loopshard_reloads_total',
    help: 'Reloads, by result: `succeeded` or `failed`.',
    type: 'counter',
    labels: ['result'],
    read: ({ reloads }) => Object.entries(reloads).map(([result, value]) => ({ labels: { result }, value })),
  },
  plain('gauge', 'loopshard_retiring', 'Earlier revisions that are finishing their requests.', (one) => one.retiring),
  plain('gauge', 'loopshard_slots', 'Requests that the server can hold.', ({ slots }) => slots),
  plain('gauge', 'loopshard_slots_free', 'Free slots.', ({ http }) => http.freeSlots),
  {
    name: 'loopshard_extents',
    help: 'Extents, by their size.',
    type: 'gauge',
    labels: ['bytes'],
    read: ({ extents }) => extents.map(({ bytes, total }) => ({ labels: { bytes }, value: total })),
  },
  {
    name: 'loopshard_extents_free',
    help: 'Free extents, by their size.',
    type: 'gauge',
    labels: ['bytes'],
    read: ({ extents }) => extents.map(({ bytes, free }) => ({ labels: { bytes }, value: free })),
  },
  plain(
    'counter',
    'loopshard_pauses_total',
    'Pauses of HTTP threads because all shards were busy.',
    ({ http }) => http.pauses,
  ),
  plain(
    'counter',
    'loopshard_lost_wake_ups_total',
    'Completions that no doorbell announced; zero unless LoopShard has a bug.',
    ({ http }) => http.lostWakeUps,
  ),
  // ── process: the names that other exporters use ─────────────────────────────────────────────────────────────────
  plain(
    'counter',
    'process_cpu_user_seconds_total',
    'CPU time of all threads of the process in user mode.',
    () => resourceUsage().userCPUTime / US_PER_S,
  ),
  plain(
    'counter',
    'process_cpu_system_seconds_total',
    'CPU time of all threads of the process in the kernel.',
    () => resourceUsage().systemCPUTime / US_PER_S,
  ),
  plain('gauge', 'process_resident_memory_bytes', 'Physical memory of the process, shards included.', () =>
    memoryUsage.rss(),
  ),
  plain(
    'gauge',
    'process_start_time_seconds',
    'When the process started, as Unix time.',
    () => performance.timeOrigin / MS_PER_S,
  ),
];
