import { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import { LoopShardError } from '../errors.js';

/** How long the debugger may take to find a thread. */
const ATTACH_MS = 5_000;

/** Sends commands of the inspector protocol to one thread. */
interface Channel {
  post(method: string): Promise<unknown>;
  close(): void;
}

let isRecording = false;

/**
 * Records a CPU profile of a thread. V8 interrupts running JavaScript for it, so the thread may be busy. One at a time, because all workers
 * of the process are attached for it.
 * @param threadId of a worker that this thread has started; undefined for the calling thread
 * @param stop ends the recording early
 * @returns the profile as JSON
 * @throws LoopShardError PROFILE_FAILED
 */
export async function recordProfile(threadId: number | undefined, ms: number, stop: AbortSignal): Promise<string> {
  if (isRecording) throw failed('another profile is being recorded. Try again when it has ended.');
  isRecording = true;
  let channel: Channel | undefined;
  try {
    channel = threadId === undefined ? ownChannel() : await workerChannel(threadId);
    await channel.post('Profiler.enable');
    await channel.post('Profiler.start');
    await delay(ms, stop);
    const { profile } = (await channel.post('Profiler.stop')) as { profile: object };
    return JSON.stringify(profile);
  } finally {
    channel?.close();
    isRecording = false;
  }
}

function failed(why: string): LoopShardError {
  return new LoopShardError('PROFILE_FAILED', `Cannot record a CPU profile: ${why}`);
}

function delay(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener('abort', end);
    if (stop.aborted) end();
  });
}

function ownChannel(): Channel {
  const session = new Session();
  session.connect();
  return { post: (method) => post(session, method), close: () => session.disconnect() };
}

function post(session: Session, method: string, params?: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error, result) => {
      if (error === null) resolve(result);
      else reject(failed(`${error.message}.`));
    });
  });
}

/** @throws LoopShardError PROFILE_FAILED */
async function workerChannel(threadId: number): Promise<Channel> {
  if (!isMainThread) throw failed('`serve()` was called on a worker thread, which cannot attach to others.');
  const session = new Session();
  session.connect();
  const close = () => session.disconnect();
  try {
    const sessionId = await attach(session, threadId);
    return { post: posting(session, sessionId), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Attaches to all workers, and returns the session of the one that was asked for. */
async function attach(session: Session, threadId: number): Promise<string> {
  const attached = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(failed(`thread ${threadId} was not found.`)), ATTACH_MS);
    session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      if (!workerInfo.title.includes(`[worker ${threadId}]`)) return;
      clearTimeout(timer);
      resolve(sessionId);
    });
  });
  const [sessionId] = await Promise.all([
    attached,
    post(session, 'NodeWorker.enable', { waitForDebuggerOnStart: false }),
  ]);
  return sessionId;
}

/** Posts to a worker: requests and responses are numbered messages. */
function posting(session: Session, sessionId: string): Channel['post'] {
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let last = 0;
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    if (params.sessionId !== sessionId) return;
    const { id, result, error } = JSON.parse(params.message);
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(failed(`${error.message}.`));
  });
  session.on('NodeWorker.detachedFromWorker', ({ params }) => {
    if (params.sessionId !== sessionId) return;
    for (const { reject } of waiting.values()) reject(failed('the thread has ended.'));
  });
  return (method) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      const message = JSON.stringify({ id: last, method });
      session.post('NodeWorker.sendMessageToWorker', { sessionId, message }, (error) => {
        if (error !== null) reject(failed(`${error.message}.`));
      });
    });
}
