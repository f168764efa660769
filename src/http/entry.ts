/* Where an HTTP thread begins that is a worker: the main module of its thread. */
import { workerData } from 'node:worker_threads';
import { describe } from '../contract/describe.js';
import { readMemoryMap } from '../contract/memory-map.js';
import { refuse } from '../contract/refusal.js';
import { CoreMemory } from '../core/memory.js';
import { HttpControl } from './http-control.js';
import { loadHttpModule } from './http-module.js';
import type { HttpCommand, HttpReport, HttpStart } from './messages.js';
import { SentLog } from './sent-log.js';

await runHttpThread(workerData);

/** Does what the control thread says. */
async function runHttpThread({ core, options, httpModule, channel, unsettled, answered }: HttpStart): Promise<void> {
  const report = (message: HttpReport) => channel.postMessage(message);
  const log = new SentLog(channel);
  let control: HttpControl;
  try {
    const functions = await loadHttpModule(httpModule);
    const memory = CoreMemory.attach(core);
    control = new HttpControl(
      memory,
      readMemoryMap(memory.buffer),
      options,
      functions,
      {
        onShedding: (shard, shedding) => report({ type: 'shedding', shard, shedding }),
        onFailure: (what, error) => report({ type: 'failure', what, error: describe(error) }),
        log,
      },
      unsettled,
    );
  } catch (error) {
    report(refuse(error, 'RUNTIME_UNSUPPORTED'));
    return;
  }
  channel.on('message', (command: HttpCommand) => {
    obey(control, command, report, log);
    if (command.type !== 'stats') return;
    Atomics.add(answered, 0, 1);
    Atomics.notify(answered, 0);
  });
}

function obey(control: HttpControl, command: HttpCommand, report: (message: HttpReport) => void, log: SentLog): void {
  switch (command.type) {
    case 'attach':
      return control.attach(command.shard, command.port);
    case 'state':
      return control.setState(command.shard, command.state, command.isReplaced);
    case 'ended':
      control.takeBack(command.shard);
      return report({ type: 'takenBack', shard: command.shard });
    case 'missing':
      return control.onShardMissing(command.shard);
    case 'stalled':
      return control.setStalled(command.group, command.stalled);
    case 'shedding':
      return control.setShedding(command.shard, command.shedding);
    case 'permits':
      return control.onPermits();
    case 'begin':
      return begin(control, command, report);
    case 'listen':
      return void control.listen(command.port).then(
        (address) => report({ type: 'listening', address }),
        (error) => report(refuse(error, 'LISTEN_FAILED')),
      );
    case 'secureContext':
      return control.setSecureContext(command.options);
    case 'leave':
      return control.leave(command.ms);
    case 'drain':
      return void control.drain().then(() => {
        log.flush();
        report({ type: 'drained' });
      });
    case 'destroy':
      return control.destroy();
    case 'stats':
      return report({ type: 'stats', stats: control.stats() });
  }
}

function begin(
  control: HttpControl,
  { table }: Extract<HttpCommand, { type: 'begin' }>,
  report: (message: HttpReport) => void,
): void {
  try {
    control.begin(table);
    report({ type: 'begun' });
  } catch (error) {
    report(refuse(error, 'ROUTE_INVALID'));
  }
}
