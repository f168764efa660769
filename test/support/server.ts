import { type ServeOptions, type Server, serve as serveInstalled } from 'loopshard';

/** The log lines of the servers of a test file. */
export interface Logged {
  level: string;
  details: Record<string, unknown> & { err?: Error };
  message: string;
}

export interface TestServer {
  server: Server;
  port: number;
  logged: Logged[];
}

/** Default number of HTTP threads, so that the whole suite can run with several. */
const HTTP_THREADS = Number(process.env.LOOPSHARD_TEST_HTTP_THREADS ?? 1);

/** For tests that count the slots, extents or queue order of a single HTTP thread. */
export const ONE_HTTP_THREAD = { httpThreads: 1 };

/**
 * Starts a server that logs into an array, on a free port by default.
 * @param serve from the package as users install it, unless a test needs its modules
 */
export async function startServer(
  options: ServeOptions = {},
  fixture = 'app.js',
  serve = serveInstalled,
): Promise<TestServer> {
  const logged: Logged[] = [];
  const log = (level: string) => (details: object, message: string) =>
    void logged.push({ level, details: details as Logged['details'], message });
  const logger = { error: log('error'), warn: log('warn'), info: log('info') };
  const module = new URL(`../fixtures/${fixture}`, import.meta.url);
  const server = await serve(module, {
    ...(options.path === undefined && { port: 0 }),
    ...(options.groups === undefined && { shards: 2 }),
    logger,
    ...(canHaveSeveral(options) && { httpThreads: HTTP_THREADS }),
    ...options,
  });
  return { server, port: server.address().port, logged };
}

function canHaveSeveral({ path, fd, shards, scheduling, tls }: ServeOptions): boolean {
  const isAlone = path !== undefined || fd !== undefined || shards === 0;
  return !isAlone && scheduling?.priority === undefined && tls?.SNICallback === undefined;
}

const PATIENCE_MS = 20_000;

/**
 * Resolves once `condition` holds; checks it every 2 ms.
 * @param what completes the sentence "Timed out waiting for"
 */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Timed out after ${PATIENCE_MS} ms waiting for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resolves once this many handlers are in flight. A request that is not started yet is dropped when its client disconnects. */
export function untilStarted({ server }: TestServer, count: number): Promise<void> {
  const permits = () => server.stats().shards.map(({ permits: { limit, available } }) => limit - available);
  return until(() => permits().reduce((sum, taken) => sum + taken, 0) === count, `the start of ${count} handlers`);
}

/** Checks that no slot, extent, permit or request has leaked. */
export async function expectConserved({ server }: TestServer): Promise<void> {
  const conserved = () => {
    const { slots, extents, outstanding, shards, routes } = server.stats();
    const back = shards.every(
      ({ outstanding, queued, streams, permits }) =>
        outstanding === 0 && queued === 0 && streams === 0 && permits.available === permits.limit,
    );
    const unlimited = routes.every(({ permits, waiting }) => permits.available === permits.limit && waiting === 0);
    const isFree = extents.every(({ free, total }) => free === total);
    return slots.free === slots.total && isFree && outstanding === 0 && back && unlimited;
  };
  await until(conserved, 'the return of every slot and permit').catch((cause) => {
    throw new Error(`resources have leaked: ${JSON.stringify(server.stats())}`, { cause });
  });
  const stats = server.stats();
  const lost = [stats.lostWakeUps, ...stats.shards.map((shard) => shard.lostWakeUps)];
  if (lost.some((count) => count > 0)) throw new Error(`wake-ups have been lost: ${JSON.stringify(stats)}`);
}
