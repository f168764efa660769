import type { Browser, Page } from 'playwright-core';
import type { TestServer } from '../support/server.js';

/** The page of an admin listener in a browser, and everything that a test must not see there. */
export interface OpenedPage {
  page: Page;
  /** Violations of the content security policy, exceptions, and errors in the console, without those of lost connections. */
  faults: string[];
  /** The addresses of all requests. */
  requested: string[];
  close(): Promise<void>;
}

export interface PageOptions {
  width?: number;
  colorScheme?: 'light' | 'dark';
  /** Called before the page is opened. */
  prepare?(page: Page): Promise<void>;
}

export async function openPage(
  browser: Browser,
  { server }: Pick<TestServer, 'server'>,
  { width = 1280, colorScheme = 'light', prepare }: PageOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
  const page = await context.newPage();
  const faults: string[] = [];
  const requested: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text()))
      faults.push(message.text());
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`violates ${event.violatedDirective}`),
    );
  });
  await prepare?.(page);
  const { port } = server.adminAddress()!;
  await page.goto(`http://127.0.0.1:${port}/`);
  return { page, faults, requested, close: () => context.close() };
}

/** The texts of the cells of a shard's lane. */
export async function laneOf(page: Page, shard: number): Promise<string[]> {
  const cells = await page.locator(`#lanes tr[data-shard="${shard}"] > *`).allInnerTexts();
  return cells.map((text) => text.replaceAll(/\s+/g, ' ').trim());
}

/**
 * The visible texts of the page whose contrast to their background is below 4.5 (WCAG 2.2, level AA). The page has only opaque backgrounds.
 */
export function lowContrasts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [r, g, b] = channels(color).map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const isOpaque = (color: string) => (channels(color)[3] ?? 1) > 0;
    const backgroundOf = (element: Element): string => {
      const { backgroundColor } = getComputedStyle(element);
      if (isOpaque(backgroundColor)) return backgroundColor;
      return element.parentElement === null ? 'rgb(255, 255, 255)' : backgroundOf(element.parentElement);
    };
    const low: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement!;
      if (node.textContent!.trim() === '' || !element.checkVisibility() || element.closest('svg') !== null) continue;
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(backgroundOf(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) low.push(`${node.textContent!.trim()}: ${contrast.toFixed(2)}`);
    }
    return low;
  });
}
