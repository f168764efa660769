/** An expected error, printed as one sentence. Other errors are bugs and printed with their stack. */
export class BenchError extends Error {}
