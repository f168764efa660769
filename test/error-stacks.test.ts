import { expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { createTestServer } from 'loopshard/testing';

/** The stack that is logged of a handler that fails. */
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

test('the stack that is logged ends with the handler', async () => {
  const { frames, causes, stack } = await loggedStack(function charge() {
    throw new Error('not paid', { cause: new Error('card declined') });
  });
  expect(stack.split('\n')[0]).toBe('Error: not paid');
  expect([frames, causes]).toEqual([[HERE], [HERE]]);
});

test('it shows which call of LoopShard has failed in the handler', async () => {
  const { frames } = await loggedStack((_req, res) => res.status(999));
  expect(frames).toEqual([expect.stringContaining('status'), HERE]);
});

test('it is whole if no line of it is of the handler', async () => {
  const { frames } = await loggedStack(() => new Map());
  expect(frames.length).toBeGreaterThan(3);
});
