import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { AppDefinition } from '../app/definition.js';
import type { HttpEnd, RouteTable, ShardCommand, ShardReport, ShardStart } from '../contract/messages.js';
import { refuse } from '../contract/refusal.js';
import type { LoopTimes, StartThread, ThreadEvents, ThreadOfShard, ThreadStart } from '../pool/shard-thread.js';
import { endRequests } from '../shard/ending.js';
import { type EndSteps, type EndTimes, Shard } from '../shard/shard.js';

/** Starts shards in the calling thread, where debuggers and mocks can reach the handlers. */
export function startLocally(load: () => Promise<AppDefinition>): StartThread {
  return (start, events) => new LocalShard(start, load, events);
}

/** A shard in the calling thread, with the same channels, rings and loop as on its own thread. Control thread, which is the only thread. */
class LocalShard implements ThreadOfShard {
  readonly requests: readonly MessagePort[];
  readonly threadId = undefined;
  readonly #events: ThreadEvents;
  readonly #channel: MessagePort;
  readonly #start: ShardStart;
  #shard: Shard | undefined;
  #isOver = false;

  constructor({ generations, ...start }: ThreadStart, load: () => Promise<AppDefinition>, events: ThreadEvents) {
    const channel = new MessageChannel();
    const channels = generations.map(() => new MessageChannel());
    const requests: HttpEnd[] = channels.map(({ port2 }, http) => ({ port: port2, generation: generations[http] }));
    this.requests = channels.map(({ port1 }) => port1);
    this.#events = events;
    this.#channel = channel.port1;
    this.#channel.on('message', (report: ShardReport) => this.#onReport(report));
    this.#channel.unref();
    // With park: 'sync' the HTTP thread would sleep too. An uncaught exception belongs to the program.
    this.#start = { ...start, park: 'async', onUncaught: 'exit', channel: channel.port2, requests };
    void this.#run(load);
  }

  async #run(load: () => Promise<AppDefinition>): Promise<void> {
    const { channel } = this.#start;
    const report = (message: ShardReport) => channel.postMessage(message);
    report({ type: 'loading' });
    try {
      this.#shard = new Shard(this.#start, await load(), (steps, times) => {
        void this.#end(steps, times);
      });
      await this.#shard.startApp();
      this.#shard.begin();
      // The listening socket keeps the process alive.
      channel.unref();
    } catch (error) {
      report(refuse(error, 'MODULE_FAILED'));
      this.#exit(1);
    }
  }

  #onReport(report: ShardReport): void {
    this.#events.onReport(report.type === 'ready' ? { ...report, table: withoutGroups(report.table) } : report);
  }

  async #end(steps: EndSteps, { handlersMs, graceMs }: EndTimes): Promise<void> {
    await endRequests(steps, handlersMs, performance.now() + graceMs);
    this.#exit(0);
  }

  #exit(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.receive();
    this.#channel.close();
    for (const { port } of this.#start.requests) port.close();
    this.#events.onExit(code, undefined);
  }

  receive(): void {
    for (let got = receiveMessageOnPort(this.#channel); got !== undefined; got = receiveMessageOnPort(this.#channel)) {
      this.#onReport(got.message as ShardReport);
    }
  }

  send(command: ShardCommand, transfer: readonly MessagePort[] = []): void {
    this.#channel.postMessage(command, transfer);
  }

  connectHttp(http: number, generation: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#channel.postMessage({ type: 'http', http, end: { port: port2, generation } } satisfies ShardCommand, [port2]);
    return port1;
  }

  loopTimes(): LoopTimes {
    const { active, idle } = performance.eventLoopUtilization();
    return { activeMs: active, idleMs: idle };
  }

  /** Stops the loop. Handlers that are running cannot be stopped; their results are dropped. */
  terminate(): void {
    void this.#shard?.stop();
    queueMicrotask(() => this.#exit(1));
  }
}

/** The table without groups: one shard runs all routes. */
function withoutGroups(table: RouteTable): RouteTable {
  return {
    ...table,
    routes: table.routes.map(({ scheduling: { group: _, ...scheduling }, ...route }) => ({ ...route, scheduling })),
  };
}
