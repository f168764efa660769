export function GET({ url, clientAddress }) {
  return Response.json({ protocol: url.protocol, address: clientAddress });
}
