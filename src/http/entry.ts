/* The main module of an HTTP thread that is a worker. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { describe } from '../contract/describe.js';
import { readMemoryMap } from '../contract/memory-map.js';
import { markOwnThread } from '../contract/own-thread.js';
import { refuse } from '../contract/refusal.js';
import { CoreMemory } from '../core/memory.js';
import { endIfUnsettled } from '../core/unsettled.js';
import { HttpControl } from './http-control.js';
import { loadHttpModule } from './http-module.js';
import type { HttpCommand, HttpOrder, HttpReport, HttpStart } from './messages.js';
import { SentLog } from './sent-log.js';

markOwnThread('HTTP thread');
endIfUnsettled(runHttpThread(workerData));

/** Loads what the thread needs, and then executes the control thread's commands. */
async function runHttpThread(start: HttpStart): Promise<void> {
  const { channel, answered } = start;
  const report = (message: HttpReport) => channel.postMessage(message);
  const log = new SentLog(channel);
  process.on('exit', () => log.flush());
  let control: HttpControl;
  const follow = (command: HttpCommand) => {
    obey(control, command, report);
    if (command.type === 'stats') raise(answered);
    if (command.type === 'end') process.exit(0);
  };
  try {
    control = await createControl(start, report, log, () => {
      for (let got = receiveMessageOnPort(channel); got !== undefined; got = receiveMessageOnPort(channel)) {
        follow(got.message);
      }
    });
  } catch (error) {
    report(refuse(error, 'HTTP_THREAD_FAILED'));
    process.exit(1);
  }
  channel.on('message', follow);
  report({ type: 'loaded' });
}

/** @param catchUp handles the messages that the control thread has sent so far */
async function createControl(
  { options, httpModule }: HttpStart,
  report: (message: HttpReport) => void,
  log: SentLog,
  catchUp: () => void,
): Promise<HttpControl> {
  return new HttpControl(options, await loadHttpModule(httpModule), {
    onShedding: (revision, shard, shedding) => report({ type: 'shedding', revision, shard, shedding }),
    onFailure: (what, error) => report({ type: 'failure', what, error: describe(error) }),
    onUnknown: catchUp,
    log,
  });
}

function raise(word: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(word, 0, 1);
  Atomics.notify(word, 0);
}

function obey(control: HttpControl, command: HttpCommand, report: (message: HttpReport) => void): void {
  switch (command.type) {
    case 'open': {
      const core = CoreMemory.attach(command.core);
      return void control.open(command.revision, core, readMemoryMap(core.buffer));
    }
    case 'attach':
      return control.attach(command.revision, command.shard, command.port);
    case 'ended': {
      const { revision, shard } = command;
      control.takeBack(revision, shard);
      return report({ type: 'takenBack', revision, shard });
    }
    case 'order': {
      const { id, order } = command;
      return void execute(control, order, report).then(
        () => report({ type: 'done', id }),
        (error) => report({ type: 'failed', id, refusal: refuse(error, 'HTTP_THREAD_FAILED') }),
      );
    }
    case 'ping':
      return report({ type: 'pong' });
    case 'stats':
    case 'end':
      return report({ type: 'stats', stats: control.stats() });
    default:
      return control.hear(command);
  }
}

async function execute(control: HttpControl, order: HttpOrder, report: (message: HttpReport) => void): Promise<void> {
  switch (order.type) {
    case 'prepare':
      return control.prepare(order.revision, order.routes, order.unsettled);
    case 'switchTo':
      return control.switchTo(order.revision);
    case 'drained':
      return control.drained(order.revision);
    case 'forget':
      return control.forget(order.revision);
    case 'listen':
      return report({ type: 'listening', address: await control.listen(order.port) });
    case 'drain':
      return control.drain();
  }
}
