import type { App } from 'loopshard';
import { createTestServer, type InjectOptions, type InjectResponse, type TestOptions } from 'loopshard/testing';
import type { Logged } from './server.js';

/** An app that responds in the test's thread, and its log. */
export interface RunningApp {
  ask(url: string, options?: Omit<InjectOptions, 'url'>): Promise<InjectResponse>;
  logged: Logged[];
}

/** The apps of a test file; `close` ends them. */
export class Apps {
  readonly #closers: (() => Promise<void>)[] = [];

  async run(app: App, options: TestOptions = {}): Promise<RunningApp> {
    const logged: Logged[] = [];
    const log = (level: string) => (details: object, message: string) =>
      void logged.push({ level, details: details as Logged['details'], message });
    const logger = { error: log('error'), warn: log('warn'), info: log('info') };
    const server = await createTestServer(app, { logger, ...options });
    this.#closers.push(() => server.close());
    return { ask: (url, asked) => server.inject({ ...asked, url }), logged };
  }

  readonly close = async (): Promise<void> => {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  };
}
