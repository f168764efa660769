export function loader() {
  return Response.json({ data: [1, 2, 3] }, { status: 201, headers: { ETag: '"1"' } });
}

export async function action({ request }) {
  return new Response(request.body, { headers: { 'content-type': 'application/octet-stream' } });
}
