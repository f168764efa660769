export function loader() {
  throw new Response('Teapot', { status: 418 });
}

export default function Throws() {
  return null;
}
