import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HttpError } from 'loopshard';
import { settings } from './settings.js';

const EXTENSIONS = new Map([
  ['image/png', 'png'],
  ['image/jpeg', 'jpg'],
  ['image/webp', 'webp'],
]);

/**
 * Writes an image to disk as it comes. It has its name only once it is complete; `app.files` ignores names that begin with a dot.
 * @returns its name in the folder of images
 * @throws HttpError 415
 */
export async function saveImage(type: string | undefined, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const extension = EXTENSIONS.get(type ?? '');
  if (extension === undefined) throw new HttpError(415, `An image is one of ${[...EXTENSIONS.keys()].join(', ')}.`);
  const name = `${randomUUID()}.${extension}`;
  const incomplete = join(settings.imageFolder, `.${name}`);
  try {
    await pipeline(bytes, createWriteStream(incomplete));
    await rename(incomplete, join(settings.imageFolder, name));
  } catch (error) {
    await rm(incomplete, { force: true });
    throw error;
  }
  return name;
}

/** @param path of the image, as in a product */
export async function removeImage(path: string): Promise<void> {
  await rm(join(settings.imageFolder, basename(path)), { force: true });
}
