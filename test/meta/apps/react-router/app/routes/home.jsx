export function loader({ request }) {
  const { searchParams } = new URL(request.url);
  return { query: [...searchParams], cookie: request.headers.get('cookie'), method: request.method };
}

export function headers() {
  return { 'X-Page': 'home', 'Cache-Control': 'max-age=60' };
}

export default function Home({ loaderData }) {
  return <h1>Home {JSON.stringify(loaderData)}</h1>;
}
