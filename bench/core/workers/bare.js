// The minimum that two threads can do: each wakes the other and waits.
import { workerData } from 'node:worker_threads';
import { ANSWER_INDEX, QUESTION_INDEX, STOP } from '../echo.js';

const words = new Int32Array(workerData.buffer);
for (let last = 0; ; ) {
  Atomics.wait(words, QUESTION_INDEX, last);
  const question = Atomics.load(words, QUESTION_INDEX);
  if (question === STOP) break;
  if (question === last) continue;
  last = question;
  Atomics.store(words, ANSWER_INDEX, last);
  Atomics.notify(words, ANSWER_INDEX);
}
