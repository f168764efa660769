import { expect, test } from '@jest/globals';
import { exchange, field, get } from './support/client.js';
import { expectConserved, startServer } from './support/server.js';

test.each([
  ['app.js', { shards: 2 }],
  ['with-groups.js', { groups: { default: 1, pages: 1 } }],
])('examples/ssr/%s renders pages of about 100 kB', async (file, options) => {
  const running = await startServer(options, `../../examples/ssr/${file}`);
  const pages = await Promise.all([7, 7, 8].map((category) => exchange(running.port, get(`/category/${category}`))));
  for (const page of pages) {
    expect([page.status, field(page, 'content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(page.body.length).toBeGreaterThan(90_000);
  }
  const [first, same, other] = pages.map(({ body }) => body.toString());
  expect(first).toBe(same);
  expect(first).toContain('<h1>Category 7</h1>');
  expect(other).toContain('<h1>Category 8</h1>');
  expect((await exchange(running.port, get('/livez'))).body.toString()).toBe('{"status":"ok"}');
  expect((await exchange(running.port, get('/category/x'))).status).toBe(404);
  await expectConserved(running);
  await running.server.close();
});
