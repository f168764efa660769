import { Suspense } from 'react';
import { Await } from 'react-router';

// The client opens the gate when it has received the first part.
export function loader({ request }) {
  const gate = new URL(request.url).searchParams.get('gate');
  return { late: fetch(gate).then((response) => response.text()) };
}

export default function Streamed({ loaderData }) {
  return (
    <Suspense fallback={<p>Pending</p>}>
      <Await resolve={loaderData.late}>{(text) => <p>{text}</p>}</Await>
    </Suspense>
  );
}
