import { existsSync } from 'node:fs';

/** Where a Chromium is: CHROMIUM_PATH, or where Debian has it. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** Whether tests that need a browser can run; they say so if not. */
export function hasChromium(): boolean {
  if (existsSync(chromiumPath)) return true;
  process.stderr.write(`no Chromium at ${chromiumPath}: tests that need one are skipped; set CHROMIUM_PATH\n`);
  return false;
}
