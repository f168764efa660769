/* The main module of an HTTP thread that is a worker. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { describe } from '../contract/describe.js';
import { readMemoryMap } from '../contract/memory-map.js';
import { markOwnThread } from '../contract/own-thread.js';
import { refuse } from '../contract/refusal.js';
import { CoreMemory } from '../core/memory.js';
import { HttpControl } from './http-control.js';
import { loadHttpModule } from './http-module.js';
import type { HttpCommand, HttpReport, HttpStart } from './messages.js';
import { SentLog } from './sent-log.js';

markOwnThread('HTTP thread');
await runHttpThread(workerData);

/** Reports that the thread is ready to receive routes, and then executes the control thread's commands. */
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
  { core, options, httpModule }: HttpStart,
  report: (message: HttpReport) => void,
  log: SentLog,
  catchUp: () => void,
): Promise<HttpControl> {
  const functions = await loadHttpModule(httpModule);
  const memory = CoreMemory.attach(core);
  return new HttpControl(memory, readMemoryMap(memory.buffer), options, functions, {
    onShedding: (_revision, shard, shedding) => report({ type: 'shedding', shard, shedding }),
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
    case 'attach':
      return control.attach(0, command.shard, command.port);
    case 'ended':
      control.takeBack(0, command.shard);
      return report({ type: 'takenBack', shard: command.shard });
    case 'begin':
      return begin(control, command, report);
    case 'listen':
      return void control.listen(command.port).then(
        (address) => report({ type: 'listening', address }),
        (error) => report(refuse(error, 'LISTEN_FAILED')),
      );
    case 'ping':
      return report({ type: 'pong' });
    case 'drain':
      return void control.drain().then(() => report({ type: 'drained' }));
    case 'stats':
    case 'end':
      return report({ type: 'stats', stats: control.stats() });
    default:
      return control.hear(command);
  }
}

function begin(
  control: HttpControl,
  { routes, unsettled }: Extract<HttpCommand, { type: 'begin' }>,
  report: (message: HttpReport) => void,
): void {
  try {
    control.begin(routes, unsettled);
    report({ type: 'begun' });
  } catch (error) {
    report(refuse(error, 'HTTP_THREAD_FAILED'));
  }
}
