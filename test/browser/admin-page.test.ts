import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { type Browser, chromium, type Page, type Route } from 'playwright-core';
import { askAdmin, postAdmin } from '../support/admin.js';
import { chromiumPath, hasChromium } from '../support/chromium.js';
import { exchange, get, RawClient } from '../support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from '../support/server.js';
import { Stage } from '../support/stage.js';
import { laneOf, lowContrasts, type OpenedPage, openPage, type PageOptions } from './opened-page.js';

/* The page of the admin listener, in a browser. */

const TOKEN = 'a-token-of-some-length';
let browser: Browser;
let stage: Stage;
let running: TestServer | undefined;
let opened: OpenedPage | undefined;

async function start(options: ServeOptions = {}): Promise<TestServer> {
  stage = new Stage();
  running = await startServer({ shards: 2, ...ONE_HTTP_THREAD, admin: { port: 0 }, ...options }, 'scheduling-app.js');
  return running;
}

async function open(options?: PageOptions): Promise<Page> {
  opened = await openPage(browser, running!, options);
  return opened.page;
}

/** Opens the page, and waits until it shows all shards. */
async function openReady(options?: PageOptions): Promise<Page> {
  const page = await open(options);
  const { length } = running!.server.stats().shards;
  await page.waitForFunction((count) => document.querySelectorAll('#lanes tr').length === count, length);
  return page;
}

(hasChromium() ? describe : describe.skip)('in Chromium', () => {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  });

  afterEach(async () => {
    stage.end();
    // None of the tests may cause any of these.
    expect(opened?.faults ?? []).toEqual([]);
    await opened?.close();
    opened = undefined;
    if (running === undefined) return;
    await expectConserved(running);
    await running.server.close();
    running = undefined;
  });

  afterAll(() => browser?.close());

  test('a lane shows what its shard runs and for how long, and who waits for it', async () => {
    const server = await start({ shards: 1 });
    const page = await openReady();
    expect((await laneOf(page, 0)).slice(0, 3)).toEqual(['Shard 0 default ready', 'Idle', 'None']);
    const holding = await stage.send(server, '/hold/a');
    await until(() => stage.started.length === 1, 'the handler that blocks');
    const client = await RawClient.open(server.port);
    client.write(get('/thread').repeat(3));
    await until(async () => (await laneOf(page, 0))[2].startsWith('3 waiting'), 'those that wait');
    await until(async () => /^GET \/hold\/:id \d\.\d\d s$/.test((await laneOf(page, 0))[1]), 'a second');
    const [, now, waiting] = await laneOf(page, 0);
    expect(now).toMatch(/^GET \/hold\/:id \d\.\d\d s$/);
    expect(waiting).toMatch(/^3 waiting [\d.]+ (ms|s) GET \/thread ×3 [\d.]+ (ms|s)$/);
    await until(async () => (await laneOf(page, 0))[3].startsWith('Loop 100 %'), 'the utilization');
    stage.release('a');
    expect((await holding.response).status).toBe(200);
    for (let i = 0; i < 3; i++) await client.response();
    client.destroy();
    await until(async () => (await laneOf(page, 0))[1] === 'Idle', 'an idle shard');
    // The table of routes says who has waited because of whom.
    await page.waitForFunction(() => Boolean(document.querySelector('#route-rows tr .hint')?.textContent));
    const [first] = await page.locator('#route-rows tr').allInnerTexts();
    expect(first).toMatch(/^GET \/hold\/:id\s+Give it a group of its own/);
    expect(first).toMatch(/\d\.\d\d s/);
  });

  test('its figures equal those of /stats', async () => {
    const server = await start({ scheduling: { dispatch: 'round-robin' } });
    const holding = await stage.send(server, '/hold/a');
    await until(() => stage.started.length === 1, 'the handler that blocks');
    const client = await RawClient.open(server.port);
    client.write(get('/thread').repeat(1_234));
    for (let i = 0; i < 1_234; i++) await client.response();
    stage.release('a');
    await holding.response;
    const waiting = await stage.send(server, '/wait/b');
    await until(() => stage.started.length === 2, 'a handler in flight');
    const page = await openReady();
    const { body: stats } = await askAdmin(server, '/stats');
    for (const { shard, group, state, requests, steals, restarts, permits } of stats.shards) {
      const [name, , , load, since] = await laneOf(page, shard);
      const format = (count: number) => count.toLocaleString('en');
      expect(name).toBe(`Shard ${shard} ${group} ${state}`);
      expect(load).toContain(`Permits ${permits.limit - permits.available}/${permits.limit}`);
      expect(since).toBe(`${format(requests)} handlers ${format(steals)} stolen ${restarts} restarts`);
    }
    const facts = `${stats.connections} connection${stats.connections === 1 ? '' : 's'} · 1 of ${stats.slots.total.toLocaleString('en')} slots taken · 0 rejected`;
    await until(async () => (await page.locator('#server-facts').textContent()) === facts, facts);
    stage.release('b');
    await waiting.response;
    client.destroy();
  });

  test('steals are arrows from the shard that was robbed to the one that took the requests', async () => {
    const server = await start({ scheduling: { dispatch: 'round-robin' } });
    const page = await openReady();
    const holding = await stage.send(server, '/hold/a');
    await until(() => stage.started.length === 1, 'the handler that blocks');
    const client = await RawClient.open(server.port);
    client.write(get('/thread').repeat(100));
    for (let i = 0; i < 100; i++) await client.response();
    await page.waitForSelector('.steals path.head', { state: 'attached' });
    const { body } = await askAdmin(server, '/activity');
    const thief = body.shards.find(({ stolen }: { stolen: object[] }) => stolen.length > 0);
    const [from, by] = (await page.evaluate(
      ([victim, taker]) => {
        const middle = (element: Element) => {
          const { top, height } = element.getBoundingClientRect();
          return top + height / 2;
        };
        const rows = [victim, taker].map((shard) =>
          middle(document.querySelector(`#lanes tr[data-shard="${shard}"]`)!),
        );
        return [rows, middle(document.querySelector('.steals path.head')!)];
      },
      [thief.stolen[0].from, thief.shard] as const,
    )) as [[number, number], number];
    // The head of the arrow is at the thief.
    expect(Math.abs(by - from[1])).toBeLessThan(Math.abs(by - from[0]));
    // It counts those of the last seconds, which may arrive in several events.
    await page.waitForFunction(
      (count) => document.querySelector('.steals text')?.textContent === count,
      String(thief.stolen[0].count),
    );
    // They are not drawn for long.
    await page.waitForFunction(() => document.querySelector('.steals')!.childElementCount === 0);
    stage.release('a');
    await holding.response;
    client.destroy();
  });

  test('a page that is opened later shows the time before, and goes on', async () => {
    const server = await start();
    for (let i = 0; i < 50; i++) await exchange(server.port, get('/thread'));
    const samples = async () => (await askAdmin(server, '/history')).body.at.length;
    await until(async () => (await samples()) >= 3, 'three samples');
    const page = await openReady();
    const label = () => page.locator('#rate-chart .plot').getAttribute('aria-label');
    expect(await label()).toMatch(/^Requests per second over ten minutes; now: requests\/s \d/);
    await page.waitForSelector('#rate-chart canvas');
    const before = await samples();
    await until(async () => (await samples()) >= before + 2, 'two more samples');
    const { body } = await askAdmin(server, '/history');
    expect(body.requestsPerS.reduce((sum: number, rate: number) => sum + rate, 0)).toBeGreaterThan(30);
  });

  test('everything can be done with the keyboard', async () => {
    const server = await start();
    const page = await openReady();
    const focused = () =>
      page.evaluate(() => document.activeElement!.getAttribute('aria-label') ?? document.activeElement!.textContent);
    const stops: (string | null)[] = [];
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('Tab');
      stops.push(await focused());
      const style = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
      expect(style).toBe('solid');
    }
    expect(stops).toEqual(['Skip to the shards', 'Reload the app', 'Actions for shard 0', 'Actions for shard 1']);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Restart…');
    await page.keyboard.press('Escape');
    expect([await focused(), await page.locator('details[open]').count()]).toEqual(['Actions for shard 1', 0]);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    // The question begins at the harmless answer.
    expect(await focused()).toBe('Cancel');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog[open]').count()).toBe(0);
    expect(server.server.stats().shards.map(({ shard }) => shard)).toEqual([0, 1]);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until(() => !server.server.stats().shards.some(({ shard }) => shard === 1), 'the restart');
    await page.waitForFunction(() => document.querySelector('#toast')!.textContent === 'Shard 1 is replaced.');
    await page.waitForFunction(() => document.querySelectorAll('#lanes tr').length === 2);
    await page.waitForFunction(() => document.querySelector('#log-rows')!.textContent!.includes('Shard 1 has ended'));
  });

  test('a reload asks first, and reports the result', async () => {
    const server = await start();
    const page = await openReady();
    await page.getByRole('button', { name: 'Reload the app' }).click();
    await page.getByRole('dialog', { name: 'Reload the app?' }).getByRole('button', { name: 'Reload' }).click();
    await page.waitForFunction(
      () => document.querySelector('#toast')!.textContent === 'New requests go to the new code.',
    );
    expect(server.server.stats().revision).toBe(1);
    await page.waitForFunction(() => document.querySelector('#server-facts')!.textContent!.includes('1 reload'));
  });

  test('a CPU profile and a heap snapshot are saved as files', async () => {
    await start({ shards: 1 });
    const page = await openReady();
    for (const [name, extension] of [
      ['CPU profile, 5 s', 'cpuprofile'],
      ['Heap snapshot…', 'heapsnapshot'],
    ]) {
      const download = page.waitForEvent('download');
      await page.getByLabel('Actions for shard 0').click();
      await page.getByRole('button', { name }).click();
      if (extension === 'heapsnapshot') await page.getByRole('button', { name: 'Take the snapshot' }).click();
      expect((await download).suggestedFilename()).toMatch(new RegExp(`^shard-0-[\\dTZ-]+\\.${extension}$`));
    }
  });

  test('what did not work is said', async () => {
    await start({ shards: 0 });
    const page = await openReady();
    await page.getByRole('button', { name: 'Reload the app' }).click();
    await page.getByRole('button', { name: 'Reload', exact: true }).click();
    await page.waitForFunction(() =>
      document.querySelector('#toast')!.textContent!.startsWith('That did not work: Cannot reload'),
    );
  });

  test.each(['light', 'dark'] as const)('in %s mode all texts have enough contrast', async (colorScheme) => {
    const server = await start();
    await exchange(server.port, get('/thread'));
    const page = await openReady({ colorScheme });
    const [red, green, blue] = await page.evaluate(() =>
      getComputedStyle(document.body).backgroundColor.match(/\d+/g)!.map(Number),
    );
    expect((red + green + blue) / 3 > 128).toBe(colorScheme === 'light');
    const holding = await stage.send(server, '/hold/a');
    await page.waitForSelector('.now [data-tone="bad"]', { state: 'attached' });
    await postAdmin(server, '/shards/1/restart').catch(() => {});
    await page.waitForSelector('#log-rows li');
    await page.waitForSelector('#route-rows tr');
    await page.getByLabel('Actions for shard 0').click();
    expect(await lowContrasts(page)).toEqual([]);
    stage.release('a');
    await holding.response;
  });

  test.each([360, 768, 1280])('at %i pixels nothing is cut off', async (width) => {
    const server = await start();
    for (let i = 0; i < 5; i++) await exchange(server.port, get('/busy/5'));
    const page = await openReady({ width });
    await page.waitForSelector('#route-rows tr');
    const outside = await page.evaluate(() => {
      const all = [...document.querySelectorAll<HTMLElement>('body *')].filter(
        (one) => one.checkVisibility() && one.closest('.visually-hidden, thead, .skip') === null,
      );
      return all
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1)
        .map((one) => one.outerHTML.slice(0, 80));
    });
    expect(outside).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });

  test('screen readers find landmarks, headings and tables with their headers, at any width', async () => {
    const server = await start();
    await exchange(server.port, get('/thread'));
    for (const width of [1280, 360]) {
      const page = await openReady({ width });
      await page.waitForSelector('#route-rows tr');
      for (const role of ['banner', 'main'] as const) expect(await page.getByRole(role).count()).toBe(1);
      for (const name of ['The last ten minutes', 'Shards', 'Routes', 'Events']) {
        expect(await page.getByRole('region', { name, exact: true }).count()).toBe(1);
      }
      const headers = async (table: string) => {
        const found = page
          .getByRole('table', { name: table, exact: true })
          .getByRole('columnheader', { includeHidden: false });
        return (await found.allTextContents()).map((text) => text.trim());
      };
      expect(await headers('Shards')).toEqual(['Shard', 'Running now', 'Waiting', 'Load', 'Since start', 'Actions']);
      expect((await headers('Routes')).slice(0, 3)).toEqual(['Route', 'Blocks others for', 'Loop mean']);
      expect(await page.getByRole('rowheader', { name: /^Shard 0/ }).count()).toBe(1);
      expect(await page.getByRole('img', { name: /^Requests per second over ten minutes; now/ }).count()).toBe(1);
      const unnamed = await page.evaluate(
        () =>
          [...document.querySelectorAll('button, summary, input')].filter(
            (one) =>
              (one.ariaLabel ?? one.textContent) === '' && document.querySelector(`label[for="${one.id}"]`) === null,
          ).length,
      );
      expect(unnamed).toBe(0);
      // Only what needs attention is read out.
      expect(await page.locator('[aria-live], [role="status"]').count()).toBe(2);
      if (width === 1280) await opened!.close();
    }
  });

  test('nothing is requested from elsewhere, and files are not sent twice', async () => {
    const server = await start();
    const page = await openReady();
    const { port } = server.server.adminAddress()!;
    const origin = `http://127.0.0.1:${port}/`;
    expect(opened!.requested.map((url) => url.replace(origin, '/')).sort()).toEqual(
      expect.arrayContaining(['/', '/events', '/page.css', '/page.js']),
    );
    expect(opened!.requested.filter((url) => !url.startsWith(origin) && !url.startsWith('data:'))).toEqual([]);
    const { headers } = await askAdmin(server, '/');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    for (const path of ['/', '/page.js', '/page.css']) {
      const { etag } = (await askAdmin(server, path)).headers;
      const again = await askAdmin(server, path, { headers: { 'if-none-match': etag! } });
      expect([again.status, again.body]).toEqual([304, '']);
    }
    await page.close();
  });

  test('a token is asked for, kept for the tab, and asked for again if it is wrong', async () => {
    await start({ admin: { port: 0, token: TOKEN } });
    const page = await open();
    const field = page.getByLabel('Token');
    await field.fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('The token is wrong.').waitFor();
    await field.fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#lanes tr');
    expect(await field.isVisible()).toBe(false);
    expect(await page.evaluate(() => [document.cookie, localStorage.length, location.href.includes('token')])).toEqual([
      '',
      0,
      false,
    ]);
    await page.reload();
    await page.waitForSelector('#lanes tr');
    expect(await field.isVisible()).toBe(false);
  });

  test('a lost connection is shown, and restored when the server is back', async () => {
    const first = await start();
    const { port } = first.server.adminAddress()!;
    const page = await openReady();
    await first.server.close();
    await page.getByText('The connection to the server is lost.', { exact: false }).first().waitFor();
    expect(await page.locator('#server-state').textContent()).toBe('Not connected');
    running = await startServer({ shards: 3, ...ONE_HTTP_THREAD, admin: { port } }, 'scheduling-app.js');
    await page.waitForFunction(() => document.querySelectorAll('#lanes tr').length === 3);
    expect(await page.locator('#lost').isVisible()).toBe(false);
    expect(await page.locator('#server-state').textContent()).toBe('Ready');
    await page.waitForFunction(() =>
      document.querySelector('#log-rows')!.textContent!.includes('Connected to the server again'),
    );
  });

  test('a server that is silent for seconds counts as lost, until it goes on', async () => {
    await start();
    const page = await openReady();
    // The thread of the admin listener is that of this test; the browser goes on.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000);
    await page.getByText('Connected to the server again').waitFor();
    expect(await page.locator('#log-rows').textContent()).toContain('The connection to the server is lost');
    expect(await page.locator('#lost').isVisible()).toBe(false);
  });

  test('without metrics it shows shards and events, and says what is missing', async () => {
    await start({ metrics: false });
    const page = await openReady();
    expect(await page.getByText('metrics: false').isVisible()).toBe(true);
    expect(await page.locator('#rate-chart').isVisible()).toBe(false);
    expect((await laneOf(page, 0))[1]).toBe('Idle');
  });

  test('hours of events do not grow its memory', async () => {
    const server = await start();
    await exchange(server.port, get('/thread'));
    const [activity, overview, history] = await Promise.all(
      ['/activity', '/overview', '/history'].map(async (path) => (await askAdmin(server, path)).body),
    );
    let minutes = 0;
    /** Ten minutes of events: what the server sends, and 10,000 changes of shards. */
    const tenMinutes = () => {
      const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
      const start = Date.now() + minutes * 60_000;
      const parts = [event('history', history)];
      for (let second = 0; second < 600; second++) {
        const at = start + second * 1_000;
        const sample = { at, requestsPerS: second, p50Us: 100 + second, p99Us: 1_000 + second };
        const [route] = overview.routes;
        const routes = [{ ...route, route: `GET /${second % 7}`, blockedUs: second }];
        parts.push(event('overview', { ...overview, at, sample, routes }));
        for (let i = 0; i < 4; i++) parts.push(event('activity', { ...activity, at }));
        for (let i = 0; i < 17; i++) parts.push(event('shard', { at, shard: i, group: 'default', state: 'ended' }));
      }
      minutes += 10;
      return parts.join('');
    };
    /** Requests for more events. The page asks again only once it has handled all that it had. */
    const requests: Route[] = [];
    const page = await open({
      prepare: async (one) => {
        await one.route('**/events', (route) => void requests.push(route));
      },
    });
    const devtools = await page.context().newCDPSession(page);
    const asked = () => until(() => requests.length > 0, 'a request for events');
    const pass = async (end: number) => {
      while (minutes < end) {
        await asked();
        await (requests.shift() as Route).fulfill({ contentType: 'text/event-stream', body: tenMinutes() });
      }
    };
    const memory = async () => {
      await asked();
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      await devtools.send('HeapProfiler.collectGarbage');
      const { usedSize } = await devtools.send('Runtime.getHeapUsage');
      const { nodes } = await devtools.send('Memory.getDOMCounters');
      return { usedSize, nodes };
    };
    await pass(30);
    const before = await memory();
    await pass(110);
    const after = await memory();
    expect(after.usedSize - before.usedSize).toBeLessThan(1_000_000);
    expect(after.nodes - before.nodes).toBeLessThan(500);
    expect(await page.locator('#log-rows li').count()).toBe(200);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });
});
