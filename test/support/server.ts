import { type ServeOptions, type Server, serve as serveInstalled } from 'loopshard';

/** What the servers of a test file have logged. */
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

/** How many HTTP threads each server has whose test does not say: the whole suite can be run with several of them. */
const HTTP_THREADS = Number(process.env.LOOPSHARD_TEST_HTTP_THREADS ?? 1);

/** For tests that count what one HTTP thread has: its slots and extents, whose turn it is, who waits in which order. */
export const ONE_HTTP_THREAD = { httpThreads: 1 };

/**
 * A server on a free port, unless `options` say otherwise, that logs into an array.
 * @param serve of the package as users install it, unless a test looks into its modules
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

function canHaveSeveral({ path, fd, scheduling, tls }: ServeOptions): boolean {
  return path === undefined && fd === undefined && scheduling?.priority === undefined && tls?.SNICallback === undefined;
}

const PATIENCE_MS = 20_000;

/** Resolves once `condition` holds; looks every 2 ms. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about within ${PATIENCE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resolves once so many handlers are in flight; a request that none has started yet leaves with its client. */
export function untilStarted({ server }: TestServer, count: number): Promise<void> {
  const permits = () => server.stats().shards.map(({ permits: { limit, available } }) => limit - available);
  return until(() => permits().reduce((sum, taken) => sum + taken, 0) === count, `the start of ${count} handlers`);
}

/** Everything that was taken is back: no slot, extent, permit or request is lost. */
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
    throw new Error(`something is lost: ${JSON.stringify(server.stats())}`, { cause });
  });
  const stats = server.stats();
  const lost = [stats.lostWakeUps, ...stats.shards.map((shard) => shard.lostWakeUps)];
  if (lost.some((count) => count > 0)) throw new Error(`wake-ups were lost: ${JSON.stringify(stats)}`);
}
