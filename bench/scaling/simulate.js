import { COSTS } from './costs.js';
import { Clients, Connection, LocalNetwork, RemoteNetwork } from './model/clients.js';
import { ClusterProcess } from './model/cluster.js';
import { Events } from './model/events.js';
import { LoopShard } from './model/loopshard.js';
import { Machine, Thread } from './model/machine.js';
import { Random } from './model/random.js';
import { meanHandlerUs } from './workloads.js';

/** @typedef {import('./workloads.js').Workload} Workload */

/**
 * A simulated case.
 * @typedef {object} Case
 * @property {number} cores
 * @property {Workload} workload
 * @property {number} connections
 * @property {LoopShardPlan | ClusterPlan} server
 * @property {number} seed
 * @property {number} requests approximate number of measured requests
 * @property {number} [roundTripUs] of the network between clients and server
 * @property {boolean} [generatorOnMachine] runs the load generator as a thread on the same machine
 * @property {import('./costs.js').Costs} [costs]
 */

/**
 * @typedef {object} LoopShardPlan
 * @property {'loopshard'} kind
 * @property {number} httpThreads of each server
 * @property {number} shards of each server
 * @property {number} [servers] processes that share the machine and the port; 1 by default
 */

/**
 * @typedef {object} ClusterPlan
 * @property {'cluster'} kind one process for each core
 * @property {'even' | 'random'} spread of connections over the processes: `even` is Node.js's default on Linux, `random` is
 * the kernel's method
 * @property {'fastify' | 'nodeHttp'} [framework]
 */

/**
 * CPU time of the threads of one role.
 * @typedef {object} Role
 * @property {number} usPerRequest
 * @property {number} utilization share of the time for which a thread was on a core, on average
 * @property {number} highest the same for the busiest thread
 * @property {number} threads
 */

/**
 * @typedef {object} Outcome
 * @property {number} perSecond
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {number} lightP99Us of the requests without a heavy handler
 * @property {Record<string, Role>} roles
 * @property {number} busyCores
 * @property {number} requests measured
 * @property {number} sent in total
 * @property {number} answered in total
 * @property {number} stolenShare of the measured requests
 */

const ROUND_TRIP_US = 30;
/** Length of the warm-up relative to the measured time; threads learn how long handlers take. */
const WARM_UP_SHARE = 0.25;
const LEAST_WARM_UP_US = 10_000;
const LEAST_US = 20_000;
const MOST_US = 4_000_000;
/** Minimum turns of an event loop that serves all connections. With fewer, the result would depend on chance. */
const LEAST_TURNS = 5;
/** Clients start within this time, not all at once. */
const START_US = 1_000;
const US_PER_S = 1e6;
const ROUNDING = 1 + 1e-9;

/**
 * Simulates a server under a closed loop of clients. The same case gives the same outcome.
 * @param {Case} plan
 * @returns {Outcome}
 */
export function simulate(plan) {
  const { cores, workload, connections, seed } = plan;
  const { roundTripUs = ROUND_TRIP_US, generatorOnMachine = false, costs = COSTS } = plan;
  const events = new Events();
  const random = new Random(seed);
  const machine = new Machine(events, random, costs.machine, cores);
  const makeThread = (/** @type {string} */ role, /** @type {() => void} */ first) => new Thread(machine, role, first);
  const network = generatorOnMachine
    ? new LocalNetwork(makeThread, costs)
    : new RemoteNetwork(events, random, roundTripUs);
  const clients = new Clients(events, random, workload, network);
  network.clients = clients;
  const { sockets, spread, stolen } = startServers(plan, { events, network, costs, makeThread });
  for (let i = 0; i < connections; i++) {
    const index = spread === 'even' ? i % sockets.length : random.below(sockets.length);
    const connection = new Connection(sockets[index]);
    events.at(random.next() * START_US, () => clients.send(connection), undefined);
  }

  const turnsUs = (LEAST_TURNS * connections * (costs.http.readUs + costs.http.writeUs)) / sockets.length;
  const measuredUs = Math.min(MOST_US, Math.max(LEAST_US, turnsUs, expectedUs(plan, roundTripUs, costs)));
  events.runUntil(Math.max(LEAST_WARM_UP_US, turnsUs, measuredUs * WARM_UP_SHARE));
  const before = snapshot(machine);
  const stolenBefore = stolen();
  clients.startMeasuring();
  events.runUntil(events.now + measuredUs);
  const outcome = evaluate(clients, machine, before, measuredUs, stolen() - stolenBefore);
  clients.end();
  events.runWhile(() => clients.answered < clients.sent);
  if (clients.sent !== clients.answered) {
    throw new Error(`${clients.sent} requests were sent, but ${clients.answered} got a response.`);
  }
  return { ...outcome, sent: clients.sent, answered: clients.answered };
}

/**
 * @param {Case} plan
 * @param {ConstructorParameters<typeof LoopShard>[0]} parts
 * @returns {{ sockets: import('./model/clients.js').Server[], spread: 'even' | 'random', stolen: () => number }}
 */
function startServers({ server, cores }, parts) {
  if (server.kind === 'cluster') {
    const own = parts.costs[server.framework ?? 'fastify'];
    const sockets = Array.from({ length: cores }, () => new ClusterProcess(parts, own));
    return { sockets, spread: server.spread, stolen: () => 0 };
  }
  const { httpThreads, shards, servers: count = 1 } = server;
  const configuration = { httpThreads, shards };
  const servers = Array.from({ length: count }, () => new LoopShard(parts, configuration));
  return {
    sockets: servers.flatMap(({ httpThreads: threads }) => threads),
    spread: 'random',
    stolen: () => servers.reduce((sum, { stolen }) => sum + stolen, 0),
  };
}

/**
 * Estimates how long it takes to serve the measured requests.
 * @param {Case} plan
 * @param {number} roundTripUs
 * @param {import('./costs.js').Costs} costs
 */
function expectedUs({ cores, workload, connections, requests }, roundTripUs, { http, shard }) {
  const cpuUs = http.readUs + http.writeUs + shard.requestUs + meanHandlerUs(workload);
  return requests * Math.max(cpuUs / cores, (roundTripUs + cpuUs) / connections);
}

/** @param {Machine} machine */
function snapshot(machine) {
  return machine.threads.map((thread) => machine.busyUs(thread));
}

/**
 * @param {Clients} clients
 * @param {Machine} machine
 * @param {number[]} before CPU time of each thread
 * @param {number} elapsedUs
 * @param {number} stolen
 * @returns {Omit<Outcome, 'sent' | 'answered'>}
 */
function evaluate({ light, heavy }, machine, before, elapsedUs, stolen) {
  const requests = light.length + heavy.length;
  const roles = rolesOf(machine, before, elapsedUs, requests);
  const busyCores = Object.values(roles).reduce((sum, { utilization, threads }) => sum + utilization * threads, 0);
  if (busyCores > machine.cores * ROUNDING) throw new Error(`${busyCores} of ${machine.cores} cores were busy.`);
  const sortedLight = Float64Array.from(light).sort();
  const sorted = Float64Array.from([...light, ...heavy]).sort();
  return {
    perSecond: (requests / elapsedUs) * US_PER_S,
    p50Us: quantile(sorted, 0.5),
    p99Us: quantile(sorted, 0.99),
    lightP99Us: quantile(sortedLight, 0.99),
    roles,
    busyCores,
    requests,
    stolenShare: stolen / requests,
  };
}

/**
 * @param {Machine} machine
 * @param {number[]} before
 * @param {number} elapsedUs
 * @param {number} requests
 */
function rolesOf(machine, before, elapsedUs, requests) {
  /** @type {Record<string, Role>} */
  const roles = {};
  for (const [i, us] of snapshot(machine).entries()) {
    const role = (roles[machine.threads[i].role] ??= { usPerRequest: 0, utilization: 0, highest: 0, threads: 0 });
    const share = (us - before[i]) / elapsedUs;
    role.usPerRequest += (us - before[i]) / requests;
    role.utilization += share;
    role.highest = Math.max(role.highest, share);
    role.threads++;
  }
  for (const role of Object.values(roles)) role.utilization /= role.threads;
  return roles;
}

/**
 * @param {Float64Array} sorted
 * @param {number} share
 */
function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
