import { existsSync } from 'node:fs';

/** The path of Chromium: CHROMIUM_PATH, or Debian's location. */
export const chromiumPath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** Whether tests that need a browser can run. If not, prints that they are skipped. */
export function hasChromium(): boolean {
  if (existsSync(chromiumPath)) return true;
  process.stderr.write(
    `There is no Chromium at ${chromiumPath}: skipping the tests that need it. Set CHROMIUM_PATH to run them.\n`,
  );
  return false;
}
