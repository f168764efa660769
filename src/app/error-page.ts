/* Responses to failed handlers in development: they show the error. */
import { adviceOn } from '../contract/advice.js';
import { describe, type ErrorText } from '../contract/describe.js';
import { sourceOf } from '../contract/module-failure.js';

/** A response body and its type. */
export interface ErrorBody {
  type: string;
  text: string;
}

const JSON_TYPE = 'application/json';
const HTML_TYPE = 'text/html; charset=utf-8';

/**
 * Describes what a handler has thrown: as a page if the client accepts HTML, otherwise as JSON.
 * @param accept the client's Accept field
 */
export function developmentBody(thrown: unknown, statusCode: number, accept: string | undefined): ErrorBody {
  const error = describe(thrown);
  const { place, excerpt, frames } = sourceOf(error.stack);
  const advice = adviceOn(error);
  if (accept?.includes('text/html') !== true) {
    const body = {
      statusCode,
      code: 'HANDLER_FAILED',
      message: `${error.name}: ${error.message}`,
      ...(advice !== undefined && { advice }),
      place,
      stack: frames,
    };
    return { type: JSON_TYPE, text: JSON.stringify(body) };
  }
  const sections = [
    `<h1>${escaped(error.name)}: ${escaped(error.message)}</h1>`,
    ...(advice === undefined ? [] : [`<p>${escaped(advice)}</p>`]),
    ...(place === undefined ? [] : [`<h2>${escaped(place)}</h2>`]),
    ...(excerpt === undefined ? [] : [`<pre class="source">${escaped(excerpt)}</pre>`]),
    `<pre>${escaped(frames.join('\n'))}</pre>`,
    ...causesOf(error).map(({ name, message }) => `<p>Caused by ${escaped(name)}: ${escaped(message)}</p>`),
  ];
  return { type: HTML_TYPE, text: page(`${statusCode} ${error.name}`, sections.join('\n')) };
}

function causesOf({ cause }: ErrorText): ErrorText[] {
  return cause === undefined ? [] : [cause, ...causesOf(cause)];
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
  :root { color-scheme: light dark; }
  body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
  h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
  h2 { font-size: 1rem; font-weight: normal; overflow-wrap: anywhere; }
  pre { overflow-x: auto; padding: 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 0.5rem; }
  .source { border-color: #c33; }
  footer { opacity: 0.7; font-size: 0.9rem; }
</style>
<main>
${content}
</main>
<footer>This page is shown by <code>loopshard dev</code> only. The log has the error too.</footer>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
