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
 * Writes an image to disk as it arrives. Until it is complete, its name begins with a dot, which `app.files` ignores.
 * @returns its name in the image folder
 * @throws HttpError 415
 */
export async function saveImage(type: string | undefined, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const extension = EXTENSIONS.get(type ?? '');
  if (extension === undefined)
    throw new HttpError(415, `Unsupported image type: expected ${[...EXTENSIONS.keys()].join(', ')}.`);
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

/** @param path path of the image, as in `Product.image` */
export async function removeImage(path: string): Promise<void> {
  await rm(join(settings.imageFolder, basename(path)), { force: true });
}
