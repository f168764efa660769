import { EVENT_MS, event } from './answers.js';

/**
 * Server-Sent Events on a response of node:http.
 * @param {import('node:http').ServerResponse} response
 */
export function sendEvents(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = () => response.write(`data: ${JSON.stringify(event().data)}\n\n`);
  send();
  const timer = setInterval(send, EVENT_MS);
  response.once('close', () => clearInterval(timer));
}
