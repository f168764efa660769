import { expect, test } from '@jest/globals';
import { Program } from '../support/process.js';

/* The examples of docs/core.md. */

async function run(file: string): Promise<string> {
  const program = new Program(process.execPath, [file]);
  expect(await program.exit()).toBe(0);
  return program.stdout;
}

test('a job queue runs each job once', async () => {
  expect(await run('examples/job-queue/main.js')).toBe('40 jobs done by 2 workers; 91034 primes were counted\n');
});

test('back-pressure: the producer waits, at most as many jobs as permits are in flight, and none is lost', async () => {
  const lines = (await run('examples/back-pressure/main.js')).split('\n');
  const [, most] = /^2000 messages sent, at most (\d+) waited; the producer waited for permits$/.exec(lines[0])!;
  expect(Number(most)).toBeLessThanOrEqual(16);
  expect(lines[1]).toBe('the consumer has them all: true');
});
