import { cookies, headers } from 'next/headers';

export default async function Home({ searchParams }) {
  const own = (await headers()).get('x-own');
  const all = (await cookies()).getAll();
  return <h1>Home {JSON.stringify({ query: await searchParams, own, cookies: all })}</h1>;
}
