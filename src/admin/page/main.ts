/* The page of the admin listener: connects to its events and shows them. */
import { countOf, formatCount } from '../format.js';
import type { Activity, History, Overview, ServerView } from '../wire.js';
import { Access } from './access.js';
import { Actions } from './actions.js';
import { Charts } from './charts.js';
import { Connection } from './connection.js';
import { byId, setData, setText } from './dom.js';
import { Lanes } from './lanes.js';
import { EventLog } from './log.js';
import { Routes } from './routes.js';
import { Steals } from './steals.js';

const access = new Access();
const charts = new Charts();
const lanes = new Lanes(new Actions(access));
const steals = new Steals(lanes);
const routes = new Routes();
const log = new EventLog();

/** What the latest `overview` has added to the facts of the server. */
let overviewFacts: string[] = [];

function showServer({ state, whyNotReady, revision, retiring, connections, hasMetrics }: ServerView): void {
  const isReady = whyNotReady === undefined;
  setText(byId('server-state'), isReady ? 'Ready' : `${state === 'ready' ? 'Not ready' : state}: ${whyNotReady}`);
  setData(byId('server-state').parentElement!, 'tone', isReady ? 'good' : 'bad');
  const facts = [
    countOf(connections, 'connection'),
    ...overviewFacts,
    ...(revision > 0 ? [countOf(revision, 'reload')] : []),
    ...(retiring > 0 ? [`${retiring} earlier revision finishing`] : []),
  ];
  setText(byId('server-facts'), facts.join(' · '));
  byId('no-metrics').hidden = hasMetrics;
  document.querySelector<HTMLElement>('.charts')!.hidden = !hasMetrics;
  byId('routes').hidden = !hasMetrics;
}

function showActivity({ server, shards }: Activity): void {
  byId('content').hidden = false;
  showServer(server);
  lanes.update(shards);
  steals.update(shards);
}

function showOverview(overview: Overview): void {
  const { slots, refused, sample } = overview;
  overviewFacts = [
    `${formatCount(slots.total - slots.free)} of ${formatCount(slots.total)} slots taken`,
    `${formatCount(refused)} rejected`,
  ];
  if (sample !== undefined) charts.add(sample);
  routes.update(overview);
}

const VIEWS: Record<string, (data: never) => void> = {
  activity: showActivity,
  overview: showOverview,
  history: (history: History) => charts.begin(history),
};

/** When the connection was lost; undefined while it is open, and before it was. */
let lostAt: number | undefined;

const connection = new Connection(access, {
  onEvent: (name, data) => {
    if (Object.hasOwn(VIEWS, name)) VIEWS[name](data as never);
    else log.add(name, data);
  },
  onOpen: () => {
    const { body } = document;
    if (lostAt !== undefined) log.note({ at: Date.now(), text: 'Connected to the server again', tone: 'good' });
    lostAt = undefined;
    byId('lost').hidden = true;
    setData(body, 'connection', 'open');
    byId<HTMLButtonElement>('reload').disabled = false;
  },
  onLost: () => {
    const { body } = document;
    if (body.dataset.connection !== 'open') return;
    lostAt = Date.now();
    setData(body, 'connection', 'lost');
    setText(byId('server-state'), 'Not connected');
    setData(byId('server-state').parentElement!, 'tone', 'bad');
    setText(byId('lost'), 'The connection to the server is lost. What you see is from before. Connecting again…');
    byId('lost').hidden = false;
    byId<HTMLButtonElement>('reload').disabled = true;
    log.note({ at: lostAt, text: 'The connection to the server is lost', tone: 'bad' });
  },
});

void connection.run();
