import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';
import { get, RawClient, type RawResponse } from './client.js';
import { expectConserved, type TestServer } from './server.js';

/** A request that waits to be released, and where its answer comes. */
export interface Pending {
  client: RawClient;
  response: Promise<RawResponse>;
  /** The client is gone, and the server hears so: an end in order would leave it open whether the answer is wanted. */
  leave(): void;
}

/** Directs the handlers of scheduling-app.js: what they wait for and what they note are files of a directory. */
export class Stage {
  readonly #dir = mkdtempSync(join(tmpdir(), 'loopshard-'));
  readonly #clients: RawClient[] = [];

  /** The target of a route whose path ends with the request's id. */
  target(path: string): string {
    return `${path}?dir=${encodeURIComponent(this.#dir)}`;
  }

  /** Sends a request on a connection of its own. */
  async send({ port }: TestServer, path: string, ...fields: string[]): Promise<Pending> {
    const client = await RawClient.open(port);
    this.#clients.push(client);
    client.write(get(this.target(path), ...fields));
    const response = client.response();
    // A test that has the client leave does not wait for the answer.
    response.catch(() => {});
    return { client, response, leave: () => void client.socket.resetAndDestroy() };
  }

  /** Lets the handlers of these requests go on. */
  release(...ids: (string | number)[]): void {
    for (const id of ids) writeFileSync(join(this.#dir, String(id)), '');
  }

  #notes(what: string): string[][] {
    const file = join(this.#dir, 'notes');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => line.split(' ')).filter(([noted]) => noted === what);
  }

  /** The ids of the requests whose handlers were started, in order. */
  get started(): string[] {
    return this.#notes('started').map(([, id]) => id);
  }

  /** The ids of the requests whose signals were aborted. */
  get aborted(): string[] {
    return this.#notes('aborted').map(([, id]) => id);
  }

  /** The thread that started the handler of a request. */
  threadOf(id: string): number {
    return Number(this.#notes('started').find(([, started]) => started === id)?.[2]);
  }

  /** What the handler of a request has seen as `req.id`. */
  nameOf(id: string): string | undefined {
    return this.#notes('started').find(([, started]) => started === id)?.[3];
  }

  /** Releases every handler and ends every connection. */
  end(): void {
    for (const client of this.#clients.splice(0)) client.destroy();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Status and code of an answer that the server gave itself. */
export async function outcome(response: RawResponse | Promise<RawResponse>): Promise<[number, string | undefined]> {
  const { status, body } = await response;
  return [status, JSON.parse(body.toString()).code];
}

/** What a test has: its stage, and the server that it has started. */
export interface Scene {
  stage: Stage;
  running: TestServer;
}

/** For each test around it: a new stage. At its end everything is given back, and the server closes. */
export function useStage(): Scene {
  const scene = {} as Scene;
  beforeEach(() => {
    scene.stage = new Stage();
  });
  afterEach(async () => {
    scene.stage.end();
    await expectConserved(scene.running);
    await scene.running.server.close();
  });
  return scene;
}
