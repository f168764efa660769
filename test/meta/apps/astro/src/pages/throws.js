export function GET() {
  return new Response('Teapot', { status: 418 });
}
