import { availableParallelism } from 'node:os';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }] },
  // Relative imports between test files are written as TypeScript wants them, with the ending they will have.
  moduleNameMapper: { '^(\\.{1,2}/(?!.*build/).*)\\.js$': '$1' },
  // For machines with two cores that others use too.
  testTimeout: 60_000,
  // The default is one on two cores, but most of a test is waiting.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Test files leave ES modules behind that are not freed; a worker that has grown to this size is replaced.
  workerIdleMemoryLimit: '1GB',
};
