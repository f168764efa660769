import { json } from '@sveltejs/kit';

export function GET({ url, getClientAddress }) {
  return json({ protocol: url.protocol, address: getClientAddress() });
}
