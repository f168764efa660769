/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }] },
  // Relative imports between test files are written as TypeScript wants them, with the ending they will have.
  moduleNameMapper: { '^(\\.{1,2}/(?!.*build/).*)\\.js$': '$1' },
  testTimeout: 30_000,
  // Node.js frees no ES module that a test file has loaded: in one process, all of them would need more than 4 GB.
  workerIdleMemoryLimit: '1GB',
};
