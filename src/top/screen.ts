import { styleText } from 'node:util';
import type { EventText, Tone } from '../admin/event-text.js';
import { countOf, formatClock, formatCount, formatRate, formatShare, formatUs } from '../admin/format.js';
import type { ActivityList, Overview, RouteView, ShardView } from '../admin/wire.js';
import type { TopModel } from './model.js';

type Style = Parameters<typeof styleText>[0];

export interface ScreenSize {
  columns: number;
  /** `Infinity` for output that scrolls. */
  rows: number;
  hasColors: boolean;
}

const STYLES: Record<Tone, Style | undefined> = { good: 'green', plain: undefined, warn: 'yellow', bad: 'red' };
const LEVELS = '▁▂▃▄▅▆▇█';
const MAX_SPARK = 60;
/** Part of the rows that shards may take, if there are more than fit. */
const SHARDS_PART = 0.5;
const MAX_EVENTS = 5;
const BAD_US = 1_000_000;
const WARN_US = 50_000;
const US_PER_MS = 1_000;

/** A piece of text with its style. */
interface Cell {
  text: string;
  style?: Style | undefined;
}

interface Column {
  title: string;
  /** In characters; the columns without a width share what is left. */
  width?: number;
  isRight?: true;
  /** Columns of the screen from which on there is room for it. Default: always. */
  from?: number;
}

const SHARD_COLUMNS: readonly Column[] = [
  { title: 'SHARD', width: 5 },
  { title: 'GROUP', width: 8, from: 110 },
  { title: 'STATE', width: 9 },
  { title: 'LOOP', width: 5, isRight: true },
  { title: 'PERMITS', width: 9, isRight: true },
  { title: 'HANDLERS', width: 9, isRight: true, from: 120 },
  { title: 'RUNNING NOW' },
  { title: 'WAITING' },
  { title: 'STOLEN, 3 s', width: 12, from: 96 },
];

const ROUTE_COLUMNS: readonly Column[] = [
  { title: 'ROUTE' },
  { title: 'BLOCKS OTHERS', width: 13, isRight: true },
  { title: 'LOOP MEAN', width: 10, isRight: true },
  { title: 'LOOP P99', width: 9, isRight: true, from: 96 },
  { title: 'HANDLER P50', width: 11, isRight: true, from: 80 },
  { title: 'HANDLER P99', width: 11, isRight: true, from: 80 },
  { title: 'REQ/S', width: 8, isRight: true },
];
const LEAST_WIDTH = 8;

/** Returns the lines of the screen: as many as fit, none longer than `columns`. */
export function screenLines(model: TopModel, size: ScreenSize): string[] {
  const { activity, overview } = model;
  if (activity === undefined) return [lineOf([{ text: 'Connecting…' }], size)];
  const { shards } = activity;
  const lines = [...headLines(model, size), ''];
  const events = eventLines(model.events, size);
  const left = size.rows - lines.length - events.length;
  const shownShards = Math.max(1, Math.min(shards.length, Math.floor(left * SHARDS_PART) - 1));
  lines.push(tableHead(SHARD_COLUMNS, size));
  for (const shard of shards.slice(0, shownShards)) lines.push(shardLine(shard, model, size));
  if (shownShards < shards.length)
    lines.push(lineOf([{ text: `${shards.length - shownShards} more shards`, style: 'dim' }], size));
  lines.push('');
  const routes = overview === undefined ? [] : routeLines(overview, size);
  lines.push(...routes.slice(0, Math.max(0, size.rows - lines.length - events.length)), ...events);
  return lines.slice(0, size.rows);
}

function headLines({ activity, overview, rates }: TopModel, size: ScreenSize): string[] {
  const { server, at } = activity!;
  const isReady = server.whyNotReady === undefined;
  const facts = [
    countOf(server.connections, 'connection'),
    ...(overview === undefined
      ? ['no metrics']
      : [
          `${formatCount(overview.slots.total - overview.slots.free)} of ${formatCount(overview.slots.total)} slots taken`,
          `${formatCount(overview.refused)} rejected`,
        ]),
    ...(server.revision > 0 ? [countOf(server.revision, 'reload')] : []),
    ...(server.retiring > 0 ? [`${server.retiring} earlier revision finishing`] : []),
  ];
  const state: Cell = {
    text: isReady ? 'ready' : `not ready: ${server.whyNotReady}`,
    style: isReady ? 'green' : 'red',
  };
  const first = lineOf(
    [{ text: 'LoopShard ', style: 'bold' }, state, { text: `  ${facts.join(' · ')}  ${formatClock(at)}` }],
    size,
  );
  const sample = overview?.sample;
  if (sample === undefined) return [first];
  const time = (us: number | null) => (us === null ? '–' : formatUs(us));
  const figures = `${formatRate(sample.requestsPerS)} requests/s  p50 ${time(sample.p50Us)}  p99 ${time(sample.p99Us)}  `;
  const room = Math.max(0, Math.min(MAX_SPARK, size.columns - figures.length));
  return [
    first,
    lineOf([{ text: figures }, { text: room === 0 ? '' : sparkline(rates.slice(-room)), style: 'cyan' }], size),
  ];
}

function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values.map((value) => LEVELS[Math.round((value / most) * (LEVELS.length - 1))]).join('');
}

function styleOfTime(us: number): Style | undefined {
  if (us >= BAD_US) return 'red';
  return us >= WARN_US ? 'yellow' : undefined;
}

function shardLine(view: ShardView, { utilization, steals }: TopModel, size: ScreenSize): string {
  const { shard, group, state, permits, requests, running, inFlight, waiting } = view;
  const loop = utilization.get(shard);
  const taken = Math.max(0, permits.limit - permits.available);
  const stolen = steals.filter(({ by }) => by === shard).map(({ from, count }) => `${formatCount(count)} from ${from}`);
  return tableLine(
    SHARD_COLUMNS,
    [
      { text: String(shard) },
      { text: group },
      { text: state, style: state === 'ready' ? 'green' : state === 'stuck' ? 'red' : 'yellow' },
      { text: loop === undefined ? '–' : formatShare(loop) },
      { text: `${formatCount(taken)}/${formatCount(permits.limit)}` },
      { text: formatCount(requests) },
      running === undefined
        ? { text: inFlight.count === 0 ? 'idle' : `idle, in flight ${listText(inFlight)}`, style: 'dim' }
        : { text: `${formatUs(running.us)} ${running.route}`, style: styleOfTime(running.us) },
      waiting.count === 0
        ? { text: 'none', style: 'dim' }
        : { text: listText(waiting), style: styleOfTime(waiting.routes[0].us) },
      { text: stolen.join(', ') },
    ],
    size,
  );
}

/** Such as `14: GET /health ×12 1.2 s, GET /report 340 ms`. */
function listText({ count, routes }: ActivityList): string {
  const parts = routes.map(
    ({ route, count: own, us }) => `${route}${own > 1 ? ` ×${formatCount(own)}` : ''} ${formatUs(us)}`,
  );
  return `${formatCount(count)}: ${parts.join(', ')}`;
}

function routeLines({ routes, windowMs }: Overview, size: ScreenSize): string[] {
  const about = `Routes in the last ${formatUs(windowMs * US_PER_MS)}`;
  if (routes.length === 0) return [lineOf([{ text: `${about}: none`, style: 'dim' }], size)];
  return [tableHead(ROUTE_COLUMNS, size), ...routes.flatMap((route) => routeLine(route, size))];
}

function routeLine(view: RouteView, size: ScreenSize): string[] {
  const { route, blockedUs, loopMeanUs, loopP99Us, p50Us, p99Us, requestsPerS, hint } = view;
  const times = [loopMeanUs, loopP99Us, p50Us, p99Us].map((us): Cell => ({ text: formatUs(us) }));
  const blocked: Cell = { text: formatUs(blockedUs), style: hint === undefined ? undefined : 'yellow' };
  const line = tableLine(ROUTE_COLUMNS, [{ text: route }, blocked, ...times, { text: formatRate(requestsPerS) }], size);
  return hint === undefined ? [line] : [line, lineOf([{ text: `  → ${hint}`, style: 'dim' }], size)];
}

function eventLines(events: readonly EventText[], size: ScreenSize): string[] {
  if (events.length === 0) return [];
  const shown = events.slice(0, MAX_EVENTS).map(({ at, text, tone }) => {
    return lineOf(
      [
        { text: `${formatClock(at)}  `, style: 'dim' },
        { text, style: STYLES[tone] },
      ],
      size,
    );
  });
  return ['', ...shown];
}

function tableHead(columns: readonly Column[], size: ScreenSize): string {
  return tableLine(
    columns,
    columns.map(({ title }) => ({ text: title, style: 'bold' })),
    size,
  );
}

function tableLine(columns: readonly Column[], cells: readonly Cell[], size: ScreenSize): string {
  const shown = columns.filter(({ from = 0 }) => from <= size.columns);
  const fixed = shown.reduce((sum, { width = 0 }) => sum + width, shown.length - 1);
  const flexible = shown.filter(({ width }) => width === undefined).length;
  const share = Math.max(LEAST_WIDTH, Math.floor((Math.min(size.columns, 1_000) - fixed) / flexible));
  const parts = cells.flatMap(({ text, style }, index): Cell[] => {
    const column = columns[index];
    if (!shown.includes(column)) return [];
    const { width = share, isRight } = column;
    const cut = shorten(clean(text), width);
    return [{ text: isRight ? cut.padStart(width) : cut.padEnd(width), style }, { text: ' ' }];
  });
  return lineOf(parts, size);
}

/** Joins pieces, up to the width of the screen, without spaces at the end. */
function lineOf(cells: readonly Cell[], { columns, hasColors }: ScreenSize): string {
  const total = cells
    .map(({ text }) => text)
    .join('')
    .trimEnd().length;
  let left = Math.min(columns, total);
  let line = '';
  for (const { text, style } of cells) {
    const shown = left < text.length && total > columns ? shorten(text, left) : text.slice(0, left);
    left -= shown.length;
    line +=
      style === undefined || !hasColors || shown === '' ? shown : styleText(style, shown, { validateStream: false });
  }
  return line;
}

function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  return width < 1 ? '' : `${text.slice(0, width - 1)}…`;
}

/** Without characters that would move the cursor. */
function clean(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
