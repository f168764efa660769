import { existsSync } from 'node:fs';

/** The path of Chromium: CHROMIUM_PATH, or Debian's location. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** Whether tests that need a browser can run. If not, prints that they are skipped. */
export function hasChromium(): boolean {
  if (existsSync(chromiumPath)) return true;
  process.stderr.write(`no Chromium at ${chromiumPath}: tests that need one are skipped; set CHROMIUM_PATH\n`);
  return false;
}
