/** What stops the bench for a reason that a sentence explains; anything else is a bug, and shows its stack. */
export class BenchError extends Error {}
