export const dynamic = 'force-dynamic';

export function GET() {
  return Response.json({ data: [1, 2, 3] }, { status: 201, headers: { ETag: '"1"' } });
}

export async function POST(request) {
  return new Response(request.body, { headers: { 'content-type': 'application/octet-stream' } });
}
