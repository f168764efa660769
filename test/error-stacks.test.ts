import { expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { createTestServer } from 'loopshard/testing';

/** Returns the stack that is logged for a handler that fails. */
async function loggedStack(handler: (req: unknown, res: { status(code: number): unknown }) => unknown) {
  const errors: Error[] = [];
  const logger = {
    error: (details: object) => void errors.push((details as { err: Error }).err),
    warn() {},
    info() {},
  };
  const server = await createTestServer(createApp().get('/', handler), { logger });
  await server.inject('/');
  await server.close();
  const { stack = '', cause } = errors[0];
  return { frames: framesOf(stack), causes: framesOf((cause as Error | undefined)?.stack ?? ''), stack };
}

function framesOf(stack: string): string[] {
  return stack.split('\n').filter((line) => line.startsWith('    at '));
}

const HERE = expect.stringContaining('error-stacks.test.ts');

test('the logged stack ends with the handler', async () => {
  const { frames, causes, stack } = await loggedStack(function charge() {
    throw new Error('not paid', { cause: new Error('card declined') });
  });
  expect(stack.split('\n')[0]).toBe('Error: not paid');
  expect([frames, causes]).toEqual([[HERE], [HERE]]);
});

test('the logged stack shows which call of LoopShard failed in the handler', async () => {
  const { frames } = await loggedStack((_req, res) => res.status(999));
  expect(frames).toEqual([expect.stringContaining('status'), HERE]);
});

test('the logged stack is complete if the handler is not in it', async () => {
  const { frames } = await loggedStack(() => new Map());
  expect(frames.length).toBeGreaterThan(3);
});
